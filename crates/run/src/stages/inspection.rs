//! The stages that look inside a model: hidden states captured, then what is computed from them;
//! the lens, neurons and interventions, which need the model itself. One stage per file, or per
//! kind of analysis.

use std::sync::Arc;

use analyse::geometry::Draws;
use data::{tasks, testset};
use schema::{
    Asking, LabelSet, Language, Recipe, Task,
    inside::{Analysis, Measure, Pooling},
    recipe::{AdapterPlan, AnalyseRecipe},
    run_folder::BASE,
};

use super::Stage;
use crate::{error::Result, watch::Watch};

/// One model, the base or an adapter, and the prompts at which it is looked into.
pub struct Inspection {
    pub(super) recipe: AnalyseRecipe,
    pub(super) plan: Option<AdapterPlan>,
    pub(super) task: &'static Task,
    pub(super) languages: Vec<Language>,
    /// How prompts are made: the first way that is evaluated; the lens has other labels.
    pub(super) asking: Asking,
    pub(super) limit: Option<usize>,
    /// Of every draw: the recipe's first.
    pub(super) seed: u64,
}

/// What one stage finds out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnalysisStep {
    /// Hidden states of one language are captured.
    Capture(Language),
    /// Components and measures of pairs of languages.
    Map(Pooling),
    /// How an adapter changed the measures.
    Change(Pooling),
    /// The tuned lens is trained.
    TunedLens,
    /// The lens is read in one language.
    Lens(Language),
    /// Neurons of one language are found.
    Neurons,
    /// What silencing them changes.
    Silencing,
    /// What patching and steering change.
    Patching,
}

/// The stages of one model; none if the recipe asks for no analysis.
pub(super) fn list(recipe: &Recipe, plan: Option<&AdapterPlan>) -> Result<Vec<Stage>> {
    let Some(inspection) = Inspection::new(recipe, plan)? else {
        return Ok(Vec::new());
    };
    let inspection = Arc::new(inspection);
    let steps = inspection.steps().into_iter();
    let stages = steps.map(|step| Stage::Look {
        inspection: Arc::clone(&inspection),
        step,
    });
    Ok(stages.collect())
}

/// Reports which languages stay out of the lens.
pub(crate) fn report_left_out(recipe: &Recipe, watch: &mut dyn Watch) -> Result<()> {
    if let Some(inspection) = Inspection::new(recipe, None)? {
        inspection.report_left_out(watch);
    }
    Ok(())
}

impl Inspection {
    /// As the recipe asks for; `None` if it asks for no analysis.
    fn new(whole: &Recipe, plan: Option<&AdapterPlan>) -> Result<Option<Self>> {
        let Some(recipe) = &whole.analyse else {
            return Ok(None);
        };
        let task = tasks::task(&recipe.task)?;
        let asking = whole.eval.asking.first_way(task);
        let languages = testset::asked(&whole.data.dir, task, &recipe.languages)?;
        schema::language::check_known(&languages)?;
        Ok(Some(Self {
            recipe: recipe.clone(),
            plan: plan.cloned(),
            seed: whole.seeds.first().copied().unwrap_or(1),
            task,
            languages,
            limit: recipe.limit.or(asking.limit),
            asking,
        }))
    }

    /// Name of the model's folders.
    pub(super) fn model(&self) -> &str {
        self.plan.as_ref().map_or(BASE, |plan| plan.name.as_str())
    }

    /// Whether states are captured.
    fn captures(&self) -> bool {
        self.recipe.asks(Analysis::Pca) || self.recipe.asks(Analysis::Alignment)
    }

    /// Whether the lens is read.
    fn reads_lens(&self) -> bool {
        self.recipe.asks(Analysis::Lens) || self.recipe.asks(Analysis::TunedLens)
    }

    /// The steps, in order.
    fn steps(&self) -> Vec<AnalysisStep> {
        let mut steps = Vec::new();
        let poolings = &self.recipe.poolings;
        if self.captures() {
            steps.extend(self.languages.iter().copied().map(AnalysisStep::Capture));
            steps.extend(poolings.iter().copied().map(AnalysisStep::Map));
            if self.plan.is_some() {
                steps.extend(poolings.iter().copied().map(AnalysisStep::Change));
            }
        }
        if self.recipe.asks(Analysis::TunedLens) {
            steps.push(AnalysisStep::TunedLens);
        }
        if self.reads_lens() {
            steps.extend(self.lens_languages().into_iter().map(AnalysisStep::Lens));
        }
        let silences = self.recipe.asks(Analysis::Silencing);
        if self.recipe.asks(Analysis::Neurons) || silences {
            steps.push(AnalysisStep::Neurons);
        }
        if silences {
            steps.push(AnalysisStep::Silencing);
        }
        if self.recipe.asks(Analysis::Patching) {
            steps.push(AnalysisStep::Patching);
        }
        steps
    }

    /// Names of the stages whose files a step reads.
    pub(super) fn needs(&self, step: AnalysisStep) -> Vec<String> {
        match step {
            AnalysisStep::Map(_) => self.captures_of(self.model()),
            AnalysisStep::Change(_) => {
                [self.captures_of(BASE), self.captures_of(self.model())].concat()
            }
            AnalysisStep::Lens(_) if self.recipe.asks(Analysis::TunedLens) => {
                vec![self.stage_name(AnalysisStep::TunedLens)]
            }
            AnalysisStep::Silencing => vec![self.stage_name(AnalysisStep::Neurons)],
            _ => Vec::new(),
        }
    }

    fn captures_of(&self, model: &str) -> Vec<String> {
        self.languages
            .iter()
            .map(|language| capture_name(model, self.task, *language))
            .collect()
    }

    /// The languages with label words of their own, and English: only there can an answer be
    /// distinguished from the English one.
    fn lens_languages(&self) -> Vec<Language> {
        self.languages
            .iter()
            .filter(|language| self.has_own_words(**language))
            .copied()
            .collect()
    }

    fn has_own_words(&self, language: Language) -> bool {
        let sets = tasks::label_sets(self.task, language).unwrap_or_default();
        self.task.text_choices().is_empty() && sets.iter().any(|(set, _)| *set == LabelSet::Same)
    }

    fn report_left_out(&self, watch: &mut dyn Watch) {
        let without: Vec<&str> = self
            .languages
            .iter()
            .filter(|language| !self.has_own_words(**language))
            .map(|language| language.code())
            .collect();
        if self.reads_lens() && !without.is_empty() {
            watch.note(&format!(
                "lens: no label words of their own in {}, so not looked at",
                without.join(" ")
            ));
        }
    }

    /// A stage's name in the manifest.
    pub(super) fn stage_name(&self, step: AnalysisStep) -> String {
        let (model, task) = (self.model(), &self.task.name);
        match step {
            AnalysisStep::Capture(language) => capture_name(model, self.task, language),
            AnalysisStep::Map(pooling) => format!("map.{model}.{task}.{pooling}"),
            AnalysisStep::Change(pooling) => format!("change.{model}.{task}.{pooling}"),
            AnalysisStep::TunedLens => format!("tuned-lens.{model}.{task}"),
            AnalysisStep::Lens(language) => format!("lens.{model}.{task}.{language}"),
            AnalysisStep::Neurons => format!("neurons.{model}.{task}"),
            AnalysisStep::Silencing => format!("silencing.{model}.{task}"),
            AnalysisStep::Patching => format!("patching.{model}.{task}"),
        }
    }

    /// The measures of pairs that are asked for.
    pub(super) fn measures(&self) -> Vec<Measure> {
        Measure::ALL
            .into_iter()
            .filter(|measure| match measure {
                Measure::Pearson | Measure::PearsonCentred => self.recipe.asks(Analysis::Pca),
                _ => self.recipe.asks(Analysis::Alignment),
            })
            .collect()
    }

    pub(super) fn draws(&self) -> Draws {
        Draws {
            seed: self.seed,
            permutations: self.recipe.permutations,
        }
    }
}

fn capture_name(model: &str, task: &Task, language: Language) -> String {
    format!("capture.{model}.{}.{language}", task.name)
}
