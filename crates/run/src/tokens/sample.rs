//! A count from a few items of a few languages: within some tenths, in a moment. Never here: what is
//! counted of a text.

use data::{Draw, Tokenizer, pairs, tasks, testset};
use eval::{Ask, RowCount};
use schema::{
    Asking, Language, Recipe, Task,
    recipe::{BuildRecipe, Removal, TrainRecipe},
};

use super::{Tokens, TrainTokens, count_examples, scaled};
use crate::{error::Result, parts::Parts};

/// Languages of each task.
const LANGUAGES: usize = 3;
/// Questions of each of them.
const QUESTIONS: usize = 12;
/// Pairs of each source language.
const PAIRS: usize = 48;

impl Tokens {
    /// As [`Tokens::count`], from a sample.
    ///
    /// # Errors
    /// A file of the sample is missing or defective.
    pub fn sample(recipe: &Recipe, tokenizer: &Tokenizer, parts: Parts) -> Result<Self> {
        let train = match &recipe.train {
            Some(train) if parts.train => Some(sample_training(recipe, train, tokenizer)?),
            _ => None,
        };
        let (eval, asked) = sample_evaluation(recipe, tokenizer)?;
        Ok(Self { train, eval, asked })
    }
}

/// The first adapter stands for all.
fn sample_training(
    recipe: &Recipe,
    train: &TrainRecipe,
    tokenizer: &Tokenizer,
) -> Result<TrainTokens> {
    let Some(plan) = recipe.adapters().into_iter().next() else {
        return Ok(TrainTokens::default());
    };
    // What is taken out is little, and to look for it takes long.
    let build = BuildRecipe {
        remove_overlap: Removal::Off,
        remove_duplicates: Removal::Off,
        ..train.build.clone()
    };
    let drawn = pairs::load(&Draw {
        pairs: PAIRS,
        build: &build,
        ..Draw::of(recipe, train, &plan)?
    })?;
    let wanted = |found: usize| match train.pairs {
        0 => found,
        pairs => pairs.min(found),
    };
    let all: usize = drawn
        .origins
        .iter()
        .map(|origin| wanted(origin.found))
        .sum();
    let of_sample: usize = drawn.origins.iter().map(|origin| origin.drawn).sum();
    let times = all as f64 / of_sample.max(1) as f64;
    count_examples(train, plan.seed, &drawn.pairs, tokenizer, times)
}

fn sample_evaluation(recipe: &Recipe, tokenizer: &Tokenizer) -> Result<(RowCount, usize)> {
    let (mut sum, mut asked) = (RowCount::default(), 0);
    for task in &recipe.eval.tasks {
        let task = tasks::task(task)?;
        let languages = testset::asked(&recipe.data.dir, task, &recipe.eval.languages)?;
        let step = languages.len().div_ceil(LANGUAGES).max(1);
        let sample: Vec<_> = languages.iter().copied().step_by(step).collect();
        let mut counted: Vec<(Asking, RowCount)> = Vec::new();
        for asking in recipe.eval.asking.ways(task) {
            // Label words differ by a token or two, which is not worth another look.
            let is_alike =
                |known: &Asking| known.few_shot == asking.few_shot && known.prompt == asking.prompt;
            let known = counted.iter().find(|(known, _)| is_alike(known));
            let count = match known {
                Some((_, count)) => *count,
                None => {
                    let count = sample_way(recipe, task, &asking, &sample, tokenizer)?;
                    counted.push((asking, count));
                    count
                }
            };
            sum += scaled(count, languages.len(), sample.len());
            asked += languages.len();
        }
    }
    Ok((sum, asked))
}

/// Of some languages, asked in one way.
fn sample_way(
    recipe: &Recipe,
    task: &'static Task,
    asking: &Asking,
    languages: &[Language],
    tokenizer: &Tokenizer,
) -> Result<RowCount> {
    let most = asking.limit.unwrap_or(usize::MAX);
    let asking = Asking {
        limit: Some(most.min(QUESTIONS)),
        ..asking.clone()
    };
    let ask = Ask::of(recipe, task, &asking);
    let mut count = RowCount::default();
    for &language in languages {
        let set = testset::load(ask.dir, task, language, asking.protocol)?;
        let wanted = set.items.len().min(most);
        let of_sample = eval::count_rows(tokenizer, &ask, language)?;
        count += times(of_sample, wanted, wanted.min(QUESTIONS));
    }
    Ok(count)
}

/// A prefix is run once, whatever the number of questions.
fn times(count: RowCount, all: usize, sample: usize) -> RowCount {
    let scale = |part: usize| part * all / sample.max(1);
    RowCount {
        prefix: count.prefix,
        rows: scale(count.rows),
        scored: scale(count.scored),
        questions: scale(count.questions),
    }
}
