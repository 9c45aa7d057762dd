//! The stages that measure what was trained: lines that no adapter learns are held out, and each
//! model translates them.

use std::path::{Path, PathBuf};

use data::{
    TranslationPair,
    pairs::{self, HeldOut, HeldOutLine, PairTexts},
    tasks,
};
use schema::{
    Language, Recipe, Setting, Task, Template,
    recipe::{AdapterPlan, BuildRecipe, Directions, TranslationRecipe},
    record::partial_path,
    run_folder::BASE,
    write_json_lines,
};
use serde_json::json;

use super::{Made, Stage, Workbench, read_lines};
use crate::{
    RunError,
    error::Result,
    experiment::Experiment,
    manifest::hash,
    translation::{self, TranslationRequest},
};

/// Lines of a task from one language into another.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldOutStage {
    /// Whose questions.
    pub task: &'static Task,
    /// Language of the sources.
    pub from: Language,
    /// Language of the references.
    pub into: Language,
    /// The adapters that learn questions of the task.
    pub learners: Vec<AdapterPlan>,
}

/// Their translation by one model.
#[derive(Clone, Debug)]
pub struct TranslationStage {
    /// The adapter; `None` for the base model.
    pub plan: Option<AdapterPlan>,
    /// The lines.
    pub lines: HeldOutStage,
}

/// The held-out lines that the recipe's models are measured on; none without
/// `[eval.translation]`. Where nothing is trained they are of the tasks that are asked, into
/// English.
pub(crate) fn list_held_out(recipe: &Recipe) -> Result<Vec<HeldOutStage>> {
    let plans = recipe.adapters();
    let mut all = Vec::new();
    for plan in &plans {
        let stages = list_lines(recipe, &plan.task, &plan.setting)?;
        stages.into_iter().for_each(|stage| {
            if !all.contains(&stage) {
                all.push(stage);
            }
        });
    }
    if plans.is_empty() {
        let into_english = Setting {
            sources: recipe.eval.languages.clone(),
            target: Language::En,
        };
        for task in &recipe.eval.tasks {
            all.extend(list_lines(recipe, task, &into_english)?);
        }
    }
    Ok(all)
}

/// The translations of one model, the base or an adapter.
pub(super) fn list(recipe: &Recipe, plan: Option<&AdapterPlan>) -> Result<Vec<Stage>> {
    let lines = match plan {
        Some(plan) => list_lines(recipe, &plan.task, &plan.setting)?,
        None => list_held_out(recipe)?,
    };
    let stages = lines.into_iter().map(|lines| {
        Stage::Translation(TranslationStage {
            plan: plan.cloned(),
            lines,
        })
    });
    Ok(stages.collect())
}

/// What adapters of a setting are trained to do, in the languages asked for.
fn list_lines(recipe: &Recipe, task: &str, setting: &Setting) -> Result<Vec<HeldOutStage>> {
    let Some(asked) = &recipe.eval.translation else {
        return Ok(Vec::new());
    };
    let task = tasks::task(task)?;
    let mut learners = recipe.adapters();
    learners.retain(|plan| Task::name_of(&plan.task) == task.name);
    let directions = recipe.train.as_ref().map(|train| train.build.directions);
    let (forward, swapped) = match directions {
        None | Some(Directions::Forward) => (true, false),
        Some(Directions::Swapped) => (false, true),
        Some(Directions::Both) => (true, true),
    };
    let mut stages = Vec::new();
    let target = setting.target;
    for language in languages(&recipe.data.dir, task, asked, setting)? {
        let stage = |from, into| HeldOutStage {
            task,
            from,
            into,
            learners: learners.clone(),
        };
        if language != target {
            stages.extend(forward.then(|| stage(language, target)));
            stages.extend(swapped.then(|| stage(target, language)));
        }
    }
    Ok(stages)
}

/// The languages asked for. Into another language than English `all` are the setting's sources,
/// as files of other languages need not have the same questions.
fn languages(
    dir: &Path,
    task: &Task,
    asked: &TranslationRecipe,
    setting: &Setting,
) -> Result<Vec<Language>> {
    Ok(match asked.asks_all() {
        false => asked.languages.clone(),
        true if setting.target == Language::En => pairs::question_languages(dir, task)?,
        true => setting.sources.clone(),
    })
}

impl HeldOutStage {
    pub(super) fn name(&self) -> String {
        format!("held-out.{}.{}-{}", self.task.name, self.from, self.into)
    }

    /// Names of the stages whose pairs it reads.
    pub(super) fn needs(&self) -> Vec<String> {
        let learners = self.learners.iter().cloned();
        learners.map(|plan| Stage::Pairs(plan).name()).collect()
    }

    /// The files that the lines are of.
    ///
    /// # Errors
    /// A language has no file or several.
    pub(crate) fn files(&self, dir: &Path) -> Result<Vec<PathBuf>> {
        Ok(pairs::question_files(dir, self.task, self.from, self.into)?)
    }

    fn request<'a>(
        &self,
        experiment: &'a Experiment,
        [learnt, validated]: [&'a PairTexts; 2],
    ) -> Result<HeldOut<'a>> {
        let recipe = &experiment.recipe;
        Ok(HeldOut {
            dir: &recipe.data.dir,
            task: self.task,
            from: self.from,
            into: self.into,
            learnt,
            validated,
            lines: asked(experiment)?.lines,
            seed: recipe.seeds.first().copied().unwrap_or(1),
        })
    }

    /// Everything that the lines depend on.
    pub(super) fn inputs(&self, experiment: &Experiment) -> Result<Vec<String>> {
        let none = PairTexts::default();
        let request = self.request(experiment, [&none, &none])?;
        let mut inputs = vec![
            "held-out".to_owned(),
            format!("{} {} {}", self.from, self.into, self.task.name),
            format!("{} {}", request.lines, request.seed),
        ];
        if let Some(train) = &experiment.recipe.train {
            inputs.push(format!("{} {}", train.val_size, train.build.split));
        }
        for file in self.files(request.dir)? {
            inputs.push(hub::hash_file(&file)?);
        }
        for plan in &self.learners {
            inputs.push(hub::hash_file(&experiment.folder.pairs(&plan.name))?);
        }
        Ok(inputs)
    }

    /// Chooses the lines.
    pub(super) fn make(&self, bench: &mut Workbench<'_>) -> Result<Made> {
        let experiment = bench.experiment;
        let (mut learnt, mut validated) = (PairTexts::default(), PairTexts::default());
        for plan in &self.learners {
            let train = experiment.train_recipe()?;
            let all: Vec<TranslationPair> = read_lines(&experiment.folder.pairs(&plan.name))?;
            let (training, validation) = pairs::split(&all, all.clone(), train, plan.seed);
            learnt.add(&training, plan.setting.target);
            validated.add(&validation, plan.setting.target);
        }
        let request = self.request(experiment, [&learnt, &validated])?;
        let lines = request.choose()?;
        let of_validation = lines.iter().filter(|line| line.validated).count();
        let name = self.name();
        if lines.len() < request.lines {
            bench.watch.note(&format!(
                "{name}: {} lines, as no adapter learns them; {} were asked for",
                lines.len(),
                request.lines
            ));
        }
        if of_validation > 0 {
            bench.watch.note(&format!(
                "{name}: {of_validation} of {} lines are of the validation split",
                lines.len()
            ));
        }
        let file = self.file(experiment);
        write_json_lines(&file, &lines)?;
        let notes = [
            ("lines".to_owned(), json!(lines.len())),
            ("of_validation".to_owned(), json!(of_validation)),
        ];
        Ok(Made {
            files: vec![file],
            notes: notes.into(),
            ..Made::default()
        })
    }

    fn file(&self, experiment: &Experiment) -> PathBuf {
        experiment
            .folder
            .held_out(&self.task.name, self.from, self.into)
    }
}

fn asked(experiment: &Experiment) -> Result<&TranslationRecipe> {
    let asked = experiment.recipe.eval.translation.as_ref();
    asked.ok_or_else(|| RunError::Unfit("the recipe has no [eval.translation] section".to_owned()))
}

impl TranslationStage {
    fn model(&self) -> &str {
        self.plan.as_ref().map_or(BASE, |plan| plan.name.as_str())
    }

    pub(super) fn name(&self) -> String {
        let HeldOutStage {
            task, from, into, ..
        } = &self.lines;
        format!("translate.{}.{}.{from}-{into}", self.model(), task.name)
    }

    /// Everything that the answers depend on.
    pub(super) fn inputs(&self, experiment: &Experiment) -> Result<Vec<String>> {
        let HeldOutStage {
            task, from, into, ..
        } = &self.lines;
        let mut inputs = experiment.base_inputs();
        inputs.extend([
            "translation".to_owned(),
            experiment.model.name.clone(),
            serde_json::to_string(task)?,
            format!("{from} {into}"),
            template(experiment).to_string(),
            asked(experiment)?.max_new_tokens.to_string(),
            hub::hash_file(&self.lines.file(experiment))?,
        ]);
        inputs.extend(experiment.adapter_inputs(self.plan.as_ref())?);
        Ok(inputs)
    }

    /// Translates.
    pub(super) fn make(&self, bench: &mut Workbench<'_>) -> Result<Made> {
        let experiment = bench.experiment;
        let HeldOutStage {
            task, from, into, ..
        } = &self.lines;
        let lines: Vec<HeldOutLine> = read_lines(&self.lines.file(experiment))?;
        let file = experiment
            .folder
            .translations(self.model(), &task.name, *from, *into);
        let request = TranslationRequest {
            model: &experiment.model.name,
            adapter: self.plan.as_ref().map(|plan| plan.name.as_str()),
            adapter_folder: experiment.adapter_folder(self.plan.as_ref()),
            task,
            from: *from,
            into: *into,
            template: &template(experiment),
            lines: &lines,
            max_new_tokens: asked(experiment)?.max_new_tokens,
            tokens_per_batch: experiment.recipe.eval.tokens_per_batch,
        };
        let inputs = hash(&self.inputs(experiment)?);
        let partial = partial_path(&file);
        let (records, journal) =
            translation::translate(bench.session, &request, &inputs, &partial, bench.watch)?;
        write_json_lines(&file, &records)?;
        journal.remove()?;
        let without_end = records.iter().filter(|record| !record.ended).count();
        let notes = [
            ("lines".to_owned(), json!(records.len())),
            ("without_end".to_owned(), json!(without_end)),
        ];
        Ok(Made {
            files: vec![file],
            notes: notes.into(),
            ..Made::default()
        })
    }
}

/// Text around a source, as the recipe's adapters learn it.
fn template(experiment: &Experiment) -> Template {
    let train = experiment.recipe.train.as_ref();
    train.map_or_else(
        || BuildRecipe::paper().template,
        |train| train.build.template.clone(),
    )
}
