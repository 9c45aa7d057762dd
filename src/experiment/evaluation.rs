//! The evaluation stages: one per model, task, label set and language.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Instant,
};

use anyhow::{Result, bail};
use data::{tasks, testset};
use eval::{Ahead, Answers, Ask, EvalError, Journal, Said, ask::Respondent};
use schema::{
    AnswerRecord, Answerer, FewShot, LabelSet, Language, Provenance, Task,
    recipe::AdapterPlan,
    record::{AnswersMeta, meta_path},
    write_whole,
};
use serde_json::json;

use super::{Experiment, Made};
use crate::{
    progress::{Bar, interrupted, note},
    session::Session,
};

/// Name of the base model's folder among the answers.
pub(super) const BASE: &str = "base";

impl Experiment {
    /// Asks one model, the base or an adapter, everything the recipe wants to know.
    pub(super) fn evaluate(&mut self, plan: Option<&AdapterPlan>) -> Result<()> {
        self.check_adapter(plan)?;
        let name = plan.map_or(BASE, |p| p.name.as_str());
        let mut answerer = None;
        for task in self.recipe.eval.tasks.clone() {
            let task = tasks::task(&task)?;
            let languages = self.asked_languages(task)?;
            for (labels, set) in self.questions(task) {
                let mut progress = Progress::new(name, task, labels, languages.len());
                let mut ahead = Ahead::default();
                for (at, &language) in languages.iter().enumerate() {
                    ahead.next = languages.get(at + 1).copied();
                    let inputs = self.question_inputs(plan, task, (labels, &set), language)?;
                    let stage = answers_stage(plan, task, (labels, &set), language);
                    self.stage(&stage, &inputs, |this| {
                        // Attached when the first language is asked that is not done.
                        let attached = answerer.take().map_or_else(|| this.attach(plan), Ok)?;
                        let asked = (task, labels, &set, language);
                        this.ask(
                            plan,
                            answerer.insert(attached),
                            asked,
                            &mut ahead,
                            &mut progress,
                        )
                    })?;
                }
                progress.finish();
            }
        }
        Ok(())
    }

    /// Fails where the adapter was not trained yet.
    pub(super) fn check_adapter(&self, plan: Option<&AdapterPlan>) -> Result<()> {
        match plan {
            Some(plan) if !self.has_adapter(plan)? => bail!(
                "there is no adapter {} yet, or one of another recipe or device; run the stage `train` first",
                plan.name
            ),
            _ => Ok(()),
        }
    }

    /// Adds the stages of one model whose answers are those that the recipe asks for.
    pub(super) fn add_current_answers(
        &self,
        plan: Option<&AdapterPlan>,
        current: &mut BTreeSet<String>,
    ) -> Result<()> {
        let eval = &self.recipe.eval;
        for task in &eval.tasks {
            let task = tasks::task(task)?;
            let languages = testset::asked(&self.recipe.data.dir, task, &eval.languages)?;
            for (labels, set) in self.questions(task) {
                for &language in &languages {
                    let stage = answers_stage(plan, task, (labels, &set), language);
                    if self.is_done(
                        &stage,
                        self.question_inputs(plan, task, (labels, &set), language),
                    )? {
                        current.insert(stage);
                    }
                }
            }
        }
        Ok(())
    }

    /// The languages asked; which ones `all` leaves out is told.
    fn asked_languages(&self, task: &Task) -> Result<Vec<Language>> {
        let asked = testset::asked(&self.recipe.data.dir, task, &self.recipe.eval.languages)?;
        schema::language::check_known(&asked)?;
        let missing: Vec<_> = task
            .languages
            .keys()
            .filter(|language| !asked.contains(language))
            .collect();
        if self.recipe.eval.asks_all() && !missing.is_empty() {
            let codes: Vec<_> = missing
                .into_iter()
                .map(|language| language.code())
                .collect();
            note(&format!(
                "{}: no test file, so not asked: {}",
                task.name,
                codes.join(" ")
            ));
        }
        Ok(asked)
    }

    /// Every label set with every set of exemplars.
    fn questions(&self, task: &Task) -> Vec<(LabelSet, ExemplarSet)> {
        let sets = self
            .recipe
            .eval
            .asking
            .exemplar_sets(task)
            .into_iter()
            .enumerate();
        let sets: Vec<_> = sets
            .map(|(at, few_shot)| ExemplarSet {
                is_first: at == 0,
                few_shot,
            })
            .collect();
        self.recipe
            .eval
            .asking
            .labels
            .iter()
            .flat_map(|labels| sets.iter().map(|set| (*labels, set.clone())))
            .collect()
    }

    /// Everything that an answer depends on.
    fn question_inputs(
        &self,
        plan: Option<&AdapterPlan>,
        task: &Task,
        (labels, set): (LabelSet, &ExemplarSet),
        language: Language,
    ) -> Result<Vec<String>> {
        let asking = self.recipe.eval.asking.way(task, labels, &set.few_shot);
        let mut inputs = self.base_inputs();
        inputs.push(self.manifest.model.name.clone()); // stands in every record
        inputs.extend([
            "eval".into(),
            serde_json::to_string(task)?,
            labels.to_string(),
            language.to_string(),
        ]);
        inputs.extend([
            format!("{} {} {}", asking.scoring, asking.scorers, asking.greedy),
            format!("{:?} {:?}", asking.protocol, asking.limit),
            set.few_shot.to_string(),
        ]);
        inputs.extend(eval::hash_data(
            &self.recipe.data.dir,
            task,
            language,
            asking.protocol,
        )?);
        inputs.extend(self.exemplar_inputs(task, &set.few_shot, language)?);
        inputs.extend(self.adapter_inputs(plan)?);
        Ok(inputs)
    }

    /// Hashes of the adapter's files; none for the base.
    pub(super) fn adapter_inputs(&self, plan: Option<&AdapterPlan>) -> Result<Vec<String>> {
        let Some(plan) = plan else {
            return Ok(Vec::new());
        };
        let files = [model::adapter::peft::WEIGHTS, model::adapter::peft::CONFIG];
        files
            .iter()
            .map(|file| Ok(hub::hash_file(&self.folder.adapter(&plan.name).join(file))?))
            .collect()
    }

    /// What the exemplars depend on beyond the test file.
    pub(super) fn exemplar_inputs(
        &self,
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
            return Ok(vec![format!(
                "{:?}",
                tasks::exemplars(&task.name)?.get(&shown)
            )]);
        }
        let files = data::prompt::exemplar_files(&self.recipe.data.dir, task, language, few_shot)?;
        files.iter().map(|file| Ok(hub::hash_file(file)?)).collect()
    }

    /// Puts the adapter on, or takes it off for the base; returns what now answers.
    fn attach(&mut self, plan: Option<&AdapterPlan>) -> Result<Answerer> {
        let adapter = plan.map(|plan| self.folder.adapter(&plan.name));
        self.session.set_adapter(adapter.as_deref())?;
        super::answerer(&self.session, adapter.as_deref())
    }

    fn ask(
        &mut self,
        plan: Option<&AdapterPlan>,
        answerer: &Answerer,
        (task, labels, set, language): (&Task, LabelSet, &ExemplarSet, Language),
        ahead: &mut Ahead,
        progress: &mut Progress,
    ) -> Result<Made> {
        let model = plan.map_or(BASE, |p| p.name.as_str());
        let folder = if set.is_first {
            model.to_owned()
        } else {
            format!("{model}/few_shot.{}", set.few_shot.slug())
        };
        let file = self
            .folder
            .answers(&folder, &task.name, &labels.to_string(), language);
        let asking = self.recipe.eval.asking.way(task, labels, &set.few_shot);
        let ask = Ask {
            model: &self.manifest.model.name,
            adapter: plan.map(|p| p.name.as_str()),
            ..Ask::of(&self.recipe, task, &asking)
        };
        let mut journal = Journal::open(&file)?;
        let mut asking = Asking {
            session: &mut self.session,
            answerer,
            journal: &mut journal,
        };
        let Some(Asked { answers, seconds }) =
            asking.ask_language(&ask, language, ahead, progress)?
        else {
            bail!("stopped before {language} was finished; run the same command again to go on");
        };
        write_answers(&file, &answers.records, vec![answers.provenance])?;
        journal.remove()?;
        let mut notes = BTreeMap::from([
            ("asking_seconds".to_owned(), json!(seconds)),
            ("prefix_tokens".to_owned(), json!(answers.prefix_tokens)),
            ("questions".to_owned(), json!(answers.records.len())),
            ("repairs".to_owned(), json!(answers.repairs)),
        ]);
        if answers.resumed > 0 {
            notes.insert("resumed".to_owned(), json!(answers.resumed));
        }
        if ask.asking.greedy > 0 {
            let Said {
                chosen,
                other,
                none,
            } = answers.said;
            notes.insert(
                "said".to_owned(),
                json!({"chosen": chosen, "other": other, "none": none}),
            );
        }
        Ok(Made {
            files: vec![file.clone(), meta_path(&file)],
            notes,
        })
    }
}

/// One set of exemplars of a recipe.
#[derive(Clone)]
struct ExemplarSet {
    /// Its answers stand where those of a recipe with one set stand; those of the others in
    /// folders below.
    is_first: bool,
    few_shot: FewShot,
}

fn answers_stage(
    plan: Option<&AdapterPlan>,
    task: &Task,
    (labels, set): (LabelSet, &ExemplarSet),
    language: Language,
) -> String {
    let stage = format!(
        "eval.{}.{}.{labels}.{language}",
        plan.map_or(BASE, |p| p.name.as_str()),
        task.name
    );
    if set.is_first {
        stage
    } else {
        format!("{stage}.{}", set.few_shot.slug())
    }
}

/// Writes the records and, before them, what they were made from, with their hash: a reader can
/// tell whether the two files belong together.
pub(crate) fn write_answers(
    file: &Path,
    records: &[AnswerRecord],
    evaluations: Vec<Provenance>,
) -> Result<()> {
    let mut lines = Vec::new();
    for record in records {
        serde_json::to_writer(&mut lines, record)?;
        lines.push(b'\n');
    }
    let meta = serde_json::to_string_pretty(&AnswersMeta {
        answers_sha256: hub::hash_bytes(&lines),
        evaluations,
    })?;
    write_whole(&meta_path(file), (meta + "\n").as_bytes())?;
    Ok(write_whole(file, &lines)?)
}

/// The answers of one language.
pub(crate) struct Asked {
    pub(crate) answers: Answers,
    /// Wall-clock time of asking alone: the model was loaded before.
    pub(crate) seconds: f64,
}

/// What asks one language after another.
pub(crate) struct Asking<'a> {
    pub(crate) session: &'a mut Session,
    pub(crate) answerer: &'a Answerer,
    pub(crate) journal: &'a mut Journal,
}

impl Asking<'_> {
    /// Asks one language, showing progress and what was repaired; `None` if Ctrl-C stopped it.
    pub(crate) fn ask_language(
        &mut self,
        ask: &Ask<'_>,
        language: Language,
        ahead: &mut Ahead,
        progress: &mut Progress,
    ) -> Result<Option<Asked>> {
        let (decoder, tokenizer) = self.session.parts()?;
        let respondent = Respondent {
            model: decoder,
            tokenizer,
            answerer: self.answerer,
        };
        progress.questions(language, 0);
        let start = Instant::now();
        let answers = eval::ask(
            respondent,
            ask,
            language,
            ahead,
            self.journal,
            &mut |done, _| {
                progress.questions(language, done);
                !interrupted()
            },
        );
        let answers = match answers {
            Err(EvalError::Stopped(_)) => return Ok(None),
            other => other?,
        };
        let seconds = start.elapsed().as_secs_f64();
        let (questions, prefix_tokens) = (answers.records.len(), answers.prefix_tokens);
        tracing::info!(task = ask.task.name, %language, questions, prefix_tokens, seconds, "asked");
        answers.repairs.iter().for_each(|repair| note(repair));
        if answers.resumed > 0 {
            note(&format!(
                "{language}: {} questions were measured before; went on after them",
                answers.resumed
            ));
        }
        if !answers.differing.is_empty() {
            let keys = answers.differing.join(", ");
            note(&format!(
                "{language}: what was begun before differs in {keys}; asked anew"
            ));
        }
        progress.language(&answers.records);
        Ok(Some(Asked { answers, seconds }))
    }
}

/// One line of progress for a model, task and label set over all languages.
pub(crate) struct Progress {
    bar: Option<Bar>,
    label: String,
    total: usize,
    done: usize,
    right: usize,
    asked: usize,
}

impl Progress {
    pub(crate) fn new(model: &str, task: &Task, labels: LabelSet, languages: usize) -> Self {
        let label = format!("eval {model} {} {labels}", task.name);
        Self {
            bar: None,
            label,
            total: languages,
            done: 0,
            right: 0,
            asked: 0,
        }
    }

    fn questions(&mut self, language: Language, done: usize) {
        let (label, total) = (&self.label, self.total);
        self.bar
            .get_or_insert_with(|| Bar::new(label, total, "languages"))
            .set(self.done, &format!("{language}: {done}"));
    }

    fn language(&mut self, records: &[AnswerRecord]) {
        self.done += 1;
        self.asked += records.len();
        self.right += records.iter().filter(|r| r.correct).count();
    }

    pub(crate) fn finish(self) {
        if let Some(bar) = self.bar {
            let share = 100.0 * self.right as f64 / self.asked.max(1) as f64;
            bar.finish(&format!("{} questions, {share:.1}% right", self.asked));
        }
    }
}
