//! The evaluation stages: one per model, task, label set, set of exemplars and language.

use std::collections::BTreeMap;

use data::{tasks, testset};
use eval::{Ahead, Ask, FreeAnswerCounts, Journal};
use schema::{
    Asking, FewShot, Language, PromptForm, Recipe, Task, recipe::AdapterPlan, record::meta_path,
    run_folder::BASE,
};
use serde_json::{Value, json};

use super::{Made, Stage, Workbench};
use crate::{
    error::Result,
    evaluate::{AskedLanguage, LanguageLoop, write_answers},
    experiment::Experiment,
    watch::Watch,
};

/// Questions of one task in one language to one model.
#[derive(Clone, Debug)]
pub struct AnswersStage {
    /// The adapter; `None` for the base model.
    pub plan: Option<AdapterPlan>,
    /// The task.
    pub task: &'static Task,
    /// How they are asked.
    pub asking: Asking,
    /// Whether the exemplars are the recipe's first set. Its answers are where those of a
    /// recipe with one set are; those of the others in folders below.
    pub has_first_exemplars: bool,
    /// The language.
    pub language: Language,
}

/// The questions of one model, task, label set and set of exemplars, language by language: they
/// share a bar, and each language's questions are prepared while the one before is asked.
pub(crate) struct GroupInProgress {
    name: String,
    languages: LanguageLoop,
}

impl GroupInProgress {
    /// Sums up what was asked.
    pub(crate) fn finish(self, watch: &mut dyn Watch) {
        self.languages.finish(watch);
    }
}

/// The stages of one model, the base or an adapter.
pub(super) fn list(recipe: &Recipe, plan: Option<&AdapterPlan>) -> Result<Vec<Stage>> {
    let mut stages = Vec::new();
    for task in &recipe.eval.tasks {
        let task = tasks::task(task)?;
        let languages = testset::asked(&recipe.data.dir, task, &recipe.eval.languages)?;
        let first = recipe.eval.asking.first_way(task);
        for asking in recipe.eval.asking.ways(task) {
            stages.extend(languages.iter().map(|&language| {
                Stage::Answers(AnswersStage {
                    plan: plan.cloned(),
                    task,
                    asking: asking.clone(),
                    has_first_exemplars: asking.few_shot == first.few_shot,
                    language,
                })
            }));
        }
    }
    Ok(stages)
}

/// Checks that every language asked is known, and reports those that `all` leaves out.
pub(crate) fn check_languages(recipe: &Recipe, watch: &mut dyn Watch) -> Result<()> {
    for task in &recipe.eval.tasks {
        let task = tasks::task(task)?;
        let asked = testset::asked(&recipe.data.dir, task, &recipe.eval.languages)?;
        schema::language::check_known(&asked)?;
        let missing: Vec<&str> = task
            .languages
            .keys()
            .filter(|language| !asked.contains(language))
            .map(|language| language.code())
            .collect();
        if recipe.eval.asks_all() && !missing.is_empty() {
            watch.note(&format!(
                "{}: no test file, so not asked: {}",
                task.name,
                missing.join(" ")
            ));
        }
    }
    Ok(())
}

impl AnswersStage {
    /// Name of the model's folder.
    fn model(&self) -> &str {
        self.plan.as_ref().map_or(BASE, |plan| plan.name.as_str())
    }

    pub(super) fn name(&self) -> String {
        let (model, task, labels) = (self.model(), &self.task.name, self.asking.labels);
        let mut stage = format!("eval.{model}.{task}.{labels}.{}", self.language);
        if !self.asking.prompt.is_plain() {
            stage += &format!(".{}", self.asking.prompt);
        }
        if !self.has_first_exemplars {
            stage += &format!(".{}", self.asking.few_shot.slug());
        }
        stage
    }

    /// Model, task, label set and form, for people.
    fn label(&self) -> String {
        let asking = &self.asking;
        let label = format!("{} {} {}", self.model(), self.task.name, asking.labels);
        match asking.prompt {
            PromptForm::Plain => label,
            form => format!("{label} {form}"),
        }
    }

    /// The name without the language.
    fn group(&self) -> String {
        format!("{} {}", self.label(), self.asking.few_shot.slug())
    }

    /// Everything that an answer depends on.
    pub(super) fn inputs(&self, experiment: &Experiment) -> Result<Vec<String>> {
        let (task, language) = (self.task, self.language);
        let asking = &self.asking;
        let mut inputs = experiment.base_inputs();
        inputs.push(experiment.model.name.clone()); // is in every record
        inputs.extend([
            "eval".into(),
            serde_json::to_string(task)?,
            self.asking.labels.to_string(),
            language.to_string(),
        ]);
        inputs.extend([
            format!("{} {} {}", asking.scoring, asking.scorers, asking.greedy),
            format!("{:?} {:?}", asking.protocol, asking.limit),
            asking.few_shot.to_string(),
        ]);
        inputs.extend(experiment.form_inputs(asking.prompt));
        inputs.extend(eval::hash_data(
            &experiment.recipe.data.dir,
            task,
            language,
            asking.protocol,
        )?);
        inputs.extend(exemplar_inputs(
            experiment,
            task,
            &asking.few_shot,
            language,
        )?);
        inputs.extend(experiment.adapter_inputs(self.plan.as_ref())?);
        Ok(inputs)
    }

    /// Asks.
    pub(super) fn make(&self, bench: &mut Workbench<'_>) -> Result<Made> {
        let experiment = bench.experiment;
        let adapter = experiment.adapter_folder(self.plan.as_ref());
        let answerer = bench.session.attach_adapter(adapter.as_deref())?;
        let ask = Ask {
            model: &experiment.model.name,
            adapter: self.plan.as_ref().map(|plan| plan.name.as_str()),
            ..Ask::of(&experiment.recipe, self.task, &self.asking)
        };
        let mut group = self.group_in_progress(bench)?;
        group.languages.prepare_next(self.next_language(bench.next));
        let file = self.file(experiment);
        let mut journal = Journal::open(&file)?;
        let asked = group.languages.ask(
            bench.session,
            &answerer,
            &ask,
            self.language,
            &mut journal,
            bench.watch,
        )?;
        *bench.asking = Some(group);
        let notes = describe(&asked, self.asking.greedy);
        let answers = asked.answers;
        write_answers(&file, &answers.records, vec![answers.provenance])?;
        journal.remove()?;
        Ok(Made {
            files: vec![file.clone(), meta_path(&file)],
            notes,
            ..Made::default()
        })
    }

    fn file(&self, experiment: &Experiment) -> std::path::PathBuf {
        let slug = self.asking.few_shot.slug();
        let folder = match (self.asking.prompt, self.has_first_exemplars) {
            (PromptForm::Plain, true) => self.model().to_owned(),
            (PromptForm::Plain, false) => format!("{}/few_shot.{slug}", self.model()),
            (form, true) => format!("{}/{form}", self.model()),
            (form, false) => format!("{}/{form}.few_shot.{slug}", self.model()),
        };
        experiment.folder.answers(
            &folder,
            &self.task.name,
            &self.asking.labels.to_string(),
            self.language,
        )
    }

    /// The group that is under way if it is this stage's, or else a new one.
    fn group_in_progress(&self, bench: &mut Workbench<'_>) -> Result<GroupInProgress> {
        let name = self.group();
        if let Some(group) = bench.asking.take_if(|group| group.name == name) {
            return Ok(group);
        }
        if let Some(other) = bench.asking.take() {
            other.finish(bench.watch);
        }
        let recipe = &bench.experiment.recipe;
        let languages = testset::asked(&recipe.data.dir, self.task, &recipe.eval.languages)?;
        let label = format!("eval {}", self.label());
        Ok(GroupInProgress {
            name,
            languages: LanguageLoop::new(label, languages.len(), Ahead::default()),
        })
    }

    /// The language of the next stage, if it is of the same group.
    fn next_language(&self, next: Option<&Stage>) -> Option<Language> {
        match next {
            Some(Stage::Answers(next)) if next.group() == self.group() => Some(next.language),
            _ => None,
        }
    }
}

/// Counts and messages for the manifest.
fn describe(asked: &AskedLanguage, greedy: usize) -> BTreeMap<String, Value> {
    let answers = &asked.answers;
    let mut notes = BTreeMap::from([
        ("asking_seconds".to_owned(), json!(asked.seconds)),
        ("prefix_tokens".to_owned(), json!(answers.prefix_tokens)),
        ("questions".to_owned(), json!(answers.records.len())),
        ("repairs".to_owned(), json!(answers.repairs)),
    ]);
    if answers.resumed > 0 {
        notes.insert("resumed".to_owned(), json!(answers.resumed));
    }
    if greedy > 0 {
        let FreeAnswerCounts {
            chosen,
            other,
            none,
        } = answers.said;
        notes.insert(
            "said".to_owned(),
            json!({"chosen": chosen, "other": other, "none": none}),
        );
    }
    notes
}

/// The inputs of the exemplars beyond the test file.
pub(super) fn exemplar_inputs(
    experiment: &Experiment,
    task: &Task,
    few_shot: &FewShot,
    language: Language,
) -> Result<Vec<String>> {
    let shown = if few_shot.variation().english_exemplars {
        Language::En
    } else {
        language
    };
    if let FewShot::Builtin = few_shot.source() {
        let exemplars = tasks::exemplars(&task.name)?;
        return Ok(vec![format!("{:?}", exemplars.get(&shown))]);
    }
    let files =
        data::prompt::exemplar_files(&experiment.recipe.data.dir, task, language, few_shot)?;
    files.iter().map(|file| Ok(hub::hash_file(file)?)).collect()
}
