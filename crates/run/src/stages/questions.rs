//! The stage that keeps the texts of the questions beside the answers: once for each task and
//! language, whatever models are asked.

use std::collections::BTreeMap;

use data::{
    prompt::{self, Prompt, Rendered},
    tasks,
    testset::{self, TestSet},
};
use schema::{
    Asking, Label, Language, Recipe, Task,
    questions::{AskedRecord, QuestionLine, QuestionRecord, fill},
    write_json_lines,
};
use serde_json::json;

use super::{Made, Stage, Workbench, answers::exemplar_inputs};
use crate::{error::Result, experiment::Experiment, session::Session};

/// Changes when the same files give other lines.
const WRITES: &str = "questions 1";

/// The questions of one task in one language.
#[derive(Clone, Debug)]
pub struct QuestionsStage {
    /// The task.
    pub task: &'static Task,
    /// The ways in which it is asked.
    pub ways: Vec<Asking>,
    /// The language.
    pub language: Language,
}

/// One stage for each task and language that is asked.
pub(super) fn list(recipe: &Recipe) -> Result<Vec<Stage>> {
    let mut stages = Vec::new();
    for task in &recipe.eval.tasks {
        let task = tasks::task(task)?;
        let languages = testset::asked(&recipe.data.dir, task, &recipe.eval.languages)?;
        stages.extend(languages.into_iter().map(|language| {
            Stage::Questions(QuestionsStage {
                task,
                ways: recipe.eval.asking.ways(task),
                language,
            })
        }));
    }
    Ok(stages)
}

impl QuestionsStage {
    pub(super) fn name(&self) -> String {
        format!("questions.{}.{}", self.task.name, self.language)
    }

    /// Everything that the lines depend on. How many questions are asked is not among it: all
    /// are kept.
    pub(super) fn inputs(&self, experiment: &Experiment) -> Result<Vec<String>> {
        let mut inputs = vec![WRITES.to_owned(), serde_json::to_string(self.task)?];
        let dir = &experiment.recipe.data.dir;
        for way in &self.ways {
            inputs.push(format!(
                "{} {} {:?}",
                self.language, way.labels, way.protocol
            ));
            inputs.push(way.few_shot.to_string());
            inputs.extend(experiment.form_inputs(way.prompt));
            inputs.extend(eval::hash_data(
                dir,
                self.task,
                self.language,
                way.protocol,
            )?);
            inputs.extend(exemplar_inputs(
                experiment,
                self.task,
                &way.few_shot,
                self.language,
            )?);
        }
        Ok(inputs)
    }

    /// Writes the ways to ask, and then the questions.
    pub(super) fn make(&self, bench: &mut Workbench<'_>) -> Result<Made> {
        let experiment = bench.experiment;
        let recipe = &experiment.recipe;
        let protocol = recipe.eval.asking.protocol;
        let set = testset::load(&recipe.data.dir, self.task, self.language, protocol)?;
        let mut lines = Vec::new();
        for way in &self.ways {
            let asked = self.describe_way(way, &set, bench.session)?;
            lines.push(QuestionLine::Asked(asked));
        }
        let questions = self.list_questions(&set);
        let count = questions.len();
        lines.extend(questions.into_iter().map(QuestionLine::Question));
        let file = experiment.folder.questions(&self.task.name, self.language);
        write_json_lines(&file, &lines)?;
        Ok(Made {
            files: vec![file],
            notes: [("questions".to_owned(), json!(count))].into(),
            ..Made::default()
        })
    }

    fn list_questions(&self, set: &TestSet) -> Vec<QuestionRecord> {
        let items = set.items.iter();
        let questions = items.map(|item| QuestionRecord {
            item: item.index,
            fields: item.fields.clone(),
            choices: self.by_label(&item.choices),
            gold: self.task.label_name(item.gold).to_owned(),
        });
        questions.collect()
    }

    fn describe_way(
        &self,
        way: &Asking,
        set: &TestSet,
        session: &mut Session,
    ) -> Result<AskedRecord> {
        // Without a template no tokenizer is read.
        let rendered = match way.prompt.is_plain() {
            true => prompt::render(self.task, set, &way.few_shot, way.labels)?,
            false => prompt::ask(session.tokenizer()?, self.task, set, way)?,
        };
        let frame = prompt::find_frame(self.task, way, &rendered, &set.items)?;
        let whole = find_odd(&rendered, &frame, set);
        Ok(AskedRecord {
            labels: way.labels,
            prompt: way.prompt,
            few_shot: way.few_shot.to_string(),
            words: match rendered.has_common_words() {
                true => self.by_label(&rendered.words),
                false => BTreeMap::new(),
            },
            frame,
            whole,
        })
    }

    /// By the labels' English names; empty if there are no texts.
    fn by_label(&self, texts: &[String]) -> BTreeMap<String, String> {
        let named = texts.iter().enumerate();
        named
            .map(|(at, text)| (self.task.label_name(Label(at)).to_owned(), text.clone()))
            .collect()
    }
}

/// The prompts that are not the frame with their fields.
fn find_odd(rendered: &Rendered, frame: &[String], set: &TestSet) -> BTreeMap<usize, String> {
    let fields: BTreeMap<usize, &[String]> = set
        .items
        .iter()
        .map(|item| (item.index, item.fields.as_slice()))
        .collect();
    let is_framed = |prompt: &&Prompt| {
        let fields = fields.get(&prompt.item);
        fields.is_some_and(|fields| fill(frame, fields) == prompt.text)
    };
    let odd = rendered.prompts.iter().filter(|prompt| !is_framed(prompt));
    odd.map(|prompt| (prompt.item, prompt.text.clone()))
        .collect()
}
