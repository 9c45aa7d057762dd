//! What is measured while an adapter is trained: the questions of `[train.probe]` asked as the
//! evaluation asks them, the loss of translations by source language, and how alike the states of
//! a question in a language and in English are. All of it is read from the model as it is at an
//! update; nothing of the training is changed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use analyse::{
    JoinedStates, Prompts, StateFile, capture,
    geometry::{self, Draws, FEWEST_ITEMS},
};
use data::{Example, Tokenizer, TranslationPair, pairs, prompt, tasks, testset};
use eval::{Ahead, Ask, Journal, ask::Respondent};
use model::Decoder;
use schema::{
    AnswerRecord, Answerer, Asking, Language, Scorers, Task,
    inside::{Measure, Pooling},
    recipe::{AdapterPlan, ProbeRecipe, TrainRecipe},
    record::{ProbeAlignment, ProbeAnswer, ProbeLoss, ProbeRecord},
};

use super::answers::exemplar_inputs;
use crate::{
    error::{At, Result},
    experiment::Experiment,
    watch::Watch,
};

/// What is asked in every probe of one training.
pub(super) struct ProbeQuestions<'a> {
    experiment: &'a Experiment,
    recipe: &'a ProbeRecipe,
    task: &'static Task,
    asking: Asking,
    languages: Vec<Language>,
    /// Pairs of the validation split by their source language.
    pairs: BTreeMap<Language, Vec<Example>>,
    /// As of the training.
    token_budget: usize,
    /// For files that are gone after each probe.
    folder: PathBuf,
}

/// The model and what it is asked with.
#[derive(Clone, Copy)]
pub(super) struct Probed<'a> {
    pub(super) model: &'a Decoder,
    pub(super) tokenizer: &'a Tokenizer,
    pub(super) answerer: &'a Answerer,
}

/// The languages, and how they are asked: the first way of the evaluation, without what it
/// records for other scorings.
fn plan_questions(
    experiment: &Experiment,
    recipe: &ProbeRecipe,
    task: &Task,
) -> Result<(Vec<Language>, Asking)> {
    let eval = &experiment.recipe.eval;
    let wanted = recipe.languages.as_ref().unwrap_or(&eval.languages);
    let languages = testset::asked(&experiment.recipe.data.dir, task, wanted)?;
    schema::language::check_known(&languages)?;
    let asking = Asking {
        scorers: Scorers::Chosen,
        greedy: 0,
        limit: Some(recipe.items),
        ..eval.asking.first_way(task)
    };
    Ok((languages, asking))
}

/// All that probes depend on beside the training.
pub(super) fn inputs(
    experiment: &Experiment,
    plan: &AdapterPlan,
    recipe: &ProbeRecipe,
) -> Result<Vec<String>> {
    let task = tasks::task(&plan.task)?;
    let (languages, asking) = plan_questions(experiment, recipe, task)?;
    let mut inputs = vec!["probe".to_owned(), serde_json::to_string(task)?];
    inputs.push(serde_json::to_string(&asking)?);
    inputs.extend(experiment.form_inputs(asking.prompt));
    for language in languages {
        inputs.push(language.to_string());
        let dir = &experiment.recipe.data.dir;
        inputs.extend(eval::hash_data(dir, task, language, asking.protocol)?);
        inputs.extend(exemplar_inputs(
            experiment,
            task,
            &asking.few_shot,
            language,
        )?);
    }
    Ok(inputs)
}

impl<'a> ProbeQuestions<'a> {
    /// Of one training, which has `pairs` and these examples of them; `None` where its recipe asks
    /// for no probe.
    pub(super) fn new(
        experiment: &'a Experiment,
        plan: &AdapterPlan,
        train: &'a TrainRecipe,
        all: &[TranslationPair],
        validation: &[Example],
    ) -> Result<Option<Self>> {
        let Some(recipe) = &train.probe else {
            return Ok(None);
        };
        let task = tasks::task(&plan.task)?;
        let (languages, asking) = plan_questions(experiment, recipe, task)?;
        let sources = all.iter().map(|pair| pair.language).collect();
        let (_, sources) = pairs::split(all, sources, train, plan.seed);
        let mut pairs: BTreeMap<Language, Vec<Example>> = BTreeMap::new();
        for (language, example) in sources.into_iter().zip(validation) {
            let of_language = pairs.entry(language).or_default();
            if of_language.len() < recipe.items {
                of_language.push(example.clone());
            }
        }
        Ok(Some(Self {
            experiment,
            recipe,
            task,
            asking,
            languages,
            pairs,
            token_budget: train.micro_batch_tokens,
            folder: experiment.folder.checkpoint(&plan.name),
        }))
    }

    /// Asks everything; a record for each language.
    ///
    /// # Errors
    /// Data or model; [`crate::RunError::Interrupted`].
    pub(super) fn ask(
        &self,
        update: usize,
        probed: Probed<'_>,
        watch: &dyn Watch,
    ) -> Result<Vec<ProbeRecord>> {
        fs::create_dir_all(&self.folder).at_path("create", &self.folder)?;
        let folder = tempfile::tempdir_in(&self.folder).at_path("create", &self.folder)?;
        let alignments = self.align(probed, folder.path(), watch)?;
        let asked = self.languages.iter().chain(self.pairs.keys());
        let all: BTreeSet<Language> = asked.copied().collect();
        let mut records = Vec::new();
        for language in all {
            records.push(ProbeRecord {
                update,
                language,
                task: self.task.name.clone(),
                answers: self.answer(language, probed, folder.path(), watch)?,
                translation: self.translate(language, probed)?,
                alignment: alignments.get(&language).copied(),
            });
        }
        Ok(records)
    }

    fn answer(
        &self,
        language: Language,
        probed: Probed<'_>,
        folder: &Path,
        watch: &dyn Watch,
    ) -> Result<Vec<ProbeAnswer>> {
        if !self.languages.contains(&language) {
            return Ok(Vec::new());
        }
        let ask = Ask::of(&self.experiment.recipe, self.task, &self.asking);
        let mut journal = Journal::open(&folder.join(format!("{language}.jsonl")))?;
        let Probed {
            model,
            tokenizer,
            answerer,
        } = probed;
        let respondent = Respondent {
            model,
            tokenizer,
            answerer,
        };
        let answers = eval::ask(
            respondent,
            &ask,
            language,
            &mut Ahead::default(),
            &mut journal,
            &mut |_, _| !watch.is_interrupted(),
        )?;
        Ok(answers.records.into_iter().map(short).collect())
    }

    fn translate(&self, language: Language, probed: Probed<'_>) -> Result<Option<ProbeLoss>> {
        let Some(examples) = self.pairs.get(&language) else {
            return Ok(None);
        };
        let examples: Vec<&Example> = examples.iter().collect();
        let loss = train::step::loss(probed.model, &examples, self.token_budget)?;
        Ok(Some(ProbeLoss {
            mean: loss.mean(),
            target_tokens: loss.target_tokens,
        }))
    }

    fn prompts(&self, language: Language, tokenizer: &Tokenizer) -> Result<Prompts> {
        let dir = &self.experiment.recipe.data.dir;
        let set = testset::load(dir, self.task, language, self.asking.protocol)?;
        let rendered = prompt::ask(tokenizer, self.task, &set, &self.asking)?;
        Ok(capture::encode(tokenizer, &rendered, self.asking.limit)?)
    }

    /// CKA with English after the middle layer, as the analysis `alignment` measures it.
    fn align(
        &self,
        probed: Probed<'_>,
        folder: &Path,
        watch: &dyn Watch,
    ) -> Result<BTreeMap<Language, ProbeAlignment>> {
        let has_english = self.languages.contains(&Language::En);
        if !has_english || self.recipe.items < FEWEST_ITEMS {
            return Ok(BTreeMap::new());
        }
        let mut states = BTreeMap::new();
        for &language in &self.languages {
            let prompts = self.prompts(language, probed.tokenizer)?;
            let file = folder.join(format!("{language}.safetensors"));
            capture::capture_language(
                probed.model,
                &prompts,
                &[Pooling::Question],
                &file,
                BTreeMap::new(),
                &mut |_, _| !watch.is_interrupted(),
            )?;
            states.insert(language, StateFile::open(&file)?);
        }
        let layer = probed.model.config().num_hidden_layers / 2;
        let space = JoinedStates::new(states)?.space(Pooling::Question, layer)?;
        let no_null = Draws {
            seed: 0,
            permutations: 0,
        };
        let records = geometry::pairs(&space, &[Measure::Cka], no_null).into_iter();
        let with_english = records.filter_map(|record| {
            let other = match (record.a, record.b) {
                (Language::En, other) | (other, Language::En) => other,
                _ => return None,
            };
            let cka = record.value;
            Some((other, ProbeAlignment { layer, cka }))
        });
        Ok(with_english.collect())
    }
}

fn short(record: AnswerRecord) -> ProbeAnswer {
    ProbeAnswer {
        item: record.item,
        gold: record.gold,
        correct: record.correct,
        scores: record.scores,
    }
}
