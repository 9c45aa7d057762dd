//! The one enumeration of what a recipe does, in order: each stage's name in the manifest, what
//! its files depend on, which other stages it reads, and how it is made.

pub(crate) mod answers;
mod audit;
mod inspection;
mod inspection_inputs;
mod looks;
mod pairs;
mod probes;
mod questions;
pub(crate) mod train;
mod translations;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use ::train::workers::Workers;
use schema::{Recipe, recipe::AdapterPlan, run_folder::BASE};
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use self::audit::find_errors;
pub(crate) use self::inspection::report_left_out;
pub(crate) use self::pairs::load_pairs;
pub(crate) use self::translations::list_held_out;
pub use self::{
    answers::AnswersStage,
    inspection::{AnalysisStep, Inspection},
    questions::QuestionsStage,
    translations::{HeldOutStage, TranslationStage},
};
use crate::{
    RunError,
    error::{At, Result},
    experiment::Experiment,
    parts::Parts,
    session::Session,
    watch::Watch,
    watch::interruptible,
};

/// A part of a run that is made as a whole, by one process.
#[derive(Clone)]
pub enum Stage {
    /// The recipe's files are checked for errors.
    Audit,
    /// The translation pairs of an adapter are drawn.
    Pairs(AdapterPlan),
    /// An adapter is trained on its pairs.
    Train(AdapterPlan),
    /// The texts of the questions of one task in one language are kept.
    Questions(QuestionsStage),
    /// A model is asked all questions of one task in one language.
    Answers(AnswersStage),
    /// Lines are held out that no adapter learns.
    HeldOut(HeldOutStage),
    /// A model translates them.
    Translation(TranslationStage),
    /// Something is found out inside a model.
    Look {
        /// The model and its prompts.
        inspection: Arc<Inspection>,
        /// The analysis.
        step: AnalysisStep,
    },
    /// The report is written, always anew.
    Report,
}

/// The result of a stage: files, and notes for the manifest.
#[derive(Default)]
pub(crate) struct Made {
    pub(crate) files: Vec<PathBuf>,
    pub(crate) notes: BTreeMap<String, Value>,
    /// What parts before this process took, as far as the stage's own files know: all of them where a
    /// process was killed.
    pub(crate) earlier_seconds: f64,
    /// Of the report.
    pub(crate) summary: Option<report::Summary>,
}

/// What stages are made with.
pub(crate) struct Workbench<'a> {
    pub(crate) experiment: &'a Experiment,
    pub(crate) session: &'a mut Session,
    /// Who takes part in trainings.
    pub(crate) workers: &'a mut dyn Workers,
    pub(crate) watch: &'a mut dyn Watch,
    /// The questions under way, over several stages of one model and task.
    pub(crate) asking: &'a mut Option<answers::GroupInProgress>,
    /// The stage that comes next, whose questions may be prepared.
    pub(crate) next: Option<&'a Stage>,
}

/// All stages of a recipe, in the order in which one process makes them. `parts`: those that are
/// wanted; the others are listed too, as far as they can be.
pub(crate) fn list(recipe: &Recipe, parts: Parts) -> Result<Vec<Stage>> {
    let plans = recipe.adapters();
    let mut stages = Vec::new();
    // A stage that needs a missing file says which.
    if !audit::scope(recipe)?.sources.is_empty() {
        stages.push(Stage::Audit);
    }
    stages.extend(plans.iter().cloned().map(Stage::Pairs));
    let held_out = translations::list_held_out(recipe)?;
    stages.extend(held_out.into_iter().map(Stage::HeldOut));
    stages.extend(questions::list(recipe)?);
    stages.extend(answers::list(recipe, None)?);
    stages.extend(translations::list(recipe, None)?);
    for plan in &plans {
        stages.push(Stage::Train(plan.clone()));
        stages.extend(answers::list(recipe, Some(plan))?);
        stages.extend(translations::list(recipe, Some(plan))?);
    }
    for plan in std::iter::once(None).chain(plans.iter().map(Some)) {
        match inspection::list(recipe, plan) {
            Ok(looks) => stages.extend(looks),
            Err(problem) if parts.analyse => return Err(problem),
            Err(problem) => tracing::info!(%problem, "analyses are not listed"),
        }
    }
    stages.push(Stage::Report);
    Ok(stages)
}

impl Stage {
    /// Its name in the manifest; the report has no entry there.
    pub fn name(&self) -> String {
        match self {
            Self::Audit => audit::NAME.to_owned(),
            Self::Pairs(plan) => format!("data.{}", plan.name),
            Self::Train(plan) => format!("train.{}", plan.name),
            Self::Questions(questions) => questions.name(),
            Self::Answers(answers) => answers.name(),
            Self::HeldOut(lines) => lines.name(),
            Self::Translation(translation) => translation.name(),
            Self::Look { inspection, step } => inspection.stage_name(*step),
            Self::Report => "report".to_owned(),
        }
    }

    /// Whether it is among the parts that are wanted. Data is audited before anything is computed
    /// from it.
    pub(crate) fn is_among(&self, parts: Parts) -> bool {
        match self {
            Self::Audit => parts.data || parts.train || parts.eval || parts.analyse,
            Self::Pairs(_) => parts.data,
            Self::Train(_) => parts.train,
            Self::Questions(_) | Self::Answers(_) | Self::Translation(_) => parts.eval,
            Self::HeldOut(_) => parts.data || parts.eval,
            Self::Look { .. } => parts.analyse,
            Self::Report => parts.report,
        }
    }

    /// Everything that its files depend on.
    pub(crate) fn inputs(&self, experiment: &Experiment) -> Result<Vec<String>> {
        match self {
            Self::Audit => audit::inputs(experiment),
            Self::Pairs(plan) => pairs::inputs(experiment, plan),
            Self::Train(plan) => Ok(train::inputs(experiment, plan)?.0),
            Self::Questions(questions) => questions.inputs(experiment),
            Self::Answers(answers) => answers.inputs(experiment),
            Self::HeldOut(lines) => lines.inputs(experiment),
            Self::Translation(translation) => translation.inputs(experiment),
            Self::Look { inspection, step } => inspection.inputs(experiment, *step),
            Self::Report => Ok(Vec::new()),
        }
    }

    /// The adapter that it is about; `None` for the base model.
    pub fn adapter(&self) -> Option<&AdapterPlan> {
        match self {
            Self::Audit | Self::HeldOut(_) | Self::Questions(_) | Self::Report => None,
            Self::Pairs(plan) | Self::Train(plan) => Some(plan),
            Self::Answers(answers) => answers.plan.as_ref(),
            Self::Translation(translation) => translation.plan.as_ref(),
            Self::Look { inspection, .. } => inspection.plan.as_ref(),
        }
    }

    /// The model that it is of, which is made with all of its stages; `None` where it is of several.
    pub(crate) fn cell(&self) -> Option<&str> {
        match self {
            Self::Audit | Self::HeldOut(_) | Self::Questions(_) | Self::Report => None,
            _ => Some(self.adapter().map_or(BASE, |plan| plan.name.as_str())),
        }
    }

    /// The stage behind the adapter that it is about: without it, this one is not current.
    pub(crate) fn maker_of_its_adapter(&self) -> Option<Stage> {
        let plan = self.adapter()?.clone();
        match self {
            Self::Pairs(_) => None,
            Self::Train(_) => Some(Self::Pairs(plan)),
            _ => Some(Self::Train(plan)),
        }
    }

    /// Names of the stages whose files it reads. The report reads them all.
    pub(crate) fn needs(&self) -> Vec<String> {
        let mut needs: Vec<String> = self
            .maker_of_its_adapter()
            .map(|maker| maker.name())
            .into_iter()
            .collect();
        match self {
            Self::Look { inspection, step } => needs.extend(inspection.needs(*step)),
            Self::HeldOut(lines) => needs.extend(lines.needs()),
            Self::Translation(translation) => needs.push(translation.lines.name()),
            _ => {}
        }
        needs
    }

    /// Why a stage that needs this one cannot be made.
    pub(crate) fn missing(&self, experiment: &Experiment) -> RunError {
        RunError::Missing(match self {
            Self::Train(plan) => format!(
                "there is no adapter {} yet, or it belongs to another recipe or device; run with `--only train` first",
                plan.name
            ),
            Self::Pairs(plan) => format!(
                "{} does not exist or belongs to another recipe; run with `--only data` first",
                experiment.folder.pairs(&plan.name).display()
            ),
            _ => format!("the stage {} is not done; run it first", self.name()),
        })
    }

    /// Makes its files.
    pub(crate) fn make(&self, bench: &mut Workbench<'_>) -> Result<Made> {
        match self {
            Self::Audit => audit::make(bench),
            Self::Pairs(plan) => pairs::make(bench, plan),
            Self::Train(plan) => train::make(bench, plan),
            Self::Questions(questions) => questions.make(bench),
            Self::Answers(answers) => answers.make(bench),
            Self::HeldOut(lines) => lines.make(bench),
            Self::Translation(translation) => translation.make(bench),
            Self::Look { inspection, step } => looks::make(bench, inspection, *step),
            Self::Report => Ok(Made {
                summary: Some(interruptible(bench.watch, |stop| {
                    report::write_unless(&bench.experiment.folder, &[], stop)
                })?),
                ..Made::default()
            }),
        }
    }

    /// What follows a stage that is done, whether it was made now or before.
    pub(crate) fn settle(&self, experiment: &Experiment, watch: &mut dyn Watch) -> Result<()> {
        match self {
            Self::Audit => audit::refuse_errors(experiment, watch),
            _ => Ok(()),
        }
    }
}

/// The records of a file that a stage wrote, one a line.
pub(crate) fn read_lines<T: DeserializeOwned>(file: &Path) -> Result<Vec<T>> {
    let text = fs::read_to_string(file).at_path("read", file)?;
    (1..)
        .zip(text.lines())
        .map(|(line, content)| {
            serde_json::from_str(content)
                .at(|| format!("{}, line {line}: not as it was written", file.display()))
        })
        .collect()
}
