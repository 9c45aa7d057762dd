//! How many tokens a recipe runs through the model, for `check`'s rough estimate of time. Never
//! here: what a token costs (`model::work`).

use data::{Draw, Tokenizer, example, pairs, tasks, testset};
use eval::{Ask, Count};
use hub::catalogue::Shape;
use model::work;
use schema::{Language, Recipe, recipe::TrainRecipe, task::ActivationCheckpointing};

use crate::{error::Result, estimate::seconds};

/// Languages that are counted; the others are taken to be like them.
const SAMPLE: usize = 4;

/// Tokens of one adapter's training and of one model's evaluation.
#[derive(Debug, PartialEq)]
pub struct Tokens {
    train: Option<TrainTokens>,
    eval: Count,
}

#[derive(Debug, PartialEq)]
struct TrainTokens {
    /// Run forward and backward, and those of them with a loss.
    learnt: (u64, u64),
    /// Run forward in validations, and those of them with a loss.
    validated: (u64, u64),
}

impl Tokens {
    /// Reads the data of the first adapter and of some languages.
    pub fn count(recipe: &Recipe, tokenizer: &Tokenizer) -> Result<Self> {
        let train = match &recipe.train {
            Some(train) => Some(count_training(recipe, train, tokenizer)?),
            None => None,
        };
        Ok(Self {
            train,
            eval: count_evaluation(recipe, tokenizer)?,
        })
    }

    /// Lines with times at `speed` operations a second.
    pub fn describe(&self, recipe: &Recipe, shape: &Shape, speed: f64) -> Vec<String> {
        let time = |operations: u64| seconds(operations as f64 / speed);
        let mut lines = Vec::new();
        if let (Some(tokens), Some(train)) = (&self.train, &recipe.train) {
            let on = train.activation_checkpointing == ActivationCheckpointing::On;
            let operations = work::training(shape, tokens.learnt.0, tokens.learnt.1, on)
                + work::evaluation(shape, tokens.validated.0, tokens.validated.1);
            let (count, adapters) = (tokens.learnt.0, recipe.adapters().len());
            lines.push(format!(
                "training, {count} tokens: {} for each of {adapters} adapters",
                time(operations)
            ));
        }
        let operations = work::evaluation(shape, self.eval.tokens as u64, self.eval.scored as u64);
        let models = 1 + recipe.adapters().len();
        lines.push(format!(
            "evaluation, {} tokens: {} for each of {models} models",
            self.eval.tokens,
            time(operations)
        ));
        lines
    }
}

fn count_training(
    recipe: &Recipe,
    train: &TrainRecipe,
    tokenizer: &Tokenizer,
) -> Result<TrainTokens> {
    let Some(plan) = recipe.adapters().into_iter().next() else {
        return Ok(TrainTokens {
            learnt: (0, 0),
            validated: (0, 0),
        });
    };
    let drawn = pairs::load(&Draw::of(recipe, train, &plan)?)?.pairs;
    let examples = example::encode_all(tokenizer, &drawn, train.cutoff_len)?;
    let sums = |part: &[data::Example]| {
        part.iter().fold((0, 0), |(all, t), e| {
            (all + e.len() as u64 - 1, t + e.target_len() as u64)
        })
    };
    let (examples, validation) = pairs::split(&drawn, examples, train, plan.seed);
    let steps = train::run::Plan::new(train, examples.len()).steps;
    let passes = (steps * train.batch_size) as f64 / examples.len().max(1) as f64;
    let passes = if train.max_steps.is_some() {
        passes
    } else {
        train.epochs
    };
    let validations = if validation.is_empty() {
        0
    } else {
        1 + steps.div_ceil(train.eval_steps) as u64
    };
    let ((all, targets), (all_val, targets_val)) = (sums(&examples), sums(&validation));
    let scaled = |n: u64| (n as f64 * passes) as u64;
    Ok(TrainTokens {
        learnt: (scaled(all), scaled(targets)),
        validated: (all_val * validations, targets_val * validations),
    })
}

/// Of one model; languages beyond the sample count as its mean.
fn count_evaluation(recipe: &Recipe, tokenizer: &Tokenizer) -> Result<Count> {
    let eval = &recipe.eval;
    let mut sum = Count {
        tokens: 0,
        scored: 0,
    };
    for task in &eval.tasks {
        let task = tasks::task(task)?;
        let languages = testset::asked(&recipe.data.dir, task, &eval.languages)?;
        let sample: Vec<Language> = languages
            .iter()
            .copied()
            .step_by(languages.len().div_ceil(SAMPLE).max(1))
            .collect();
        let scale = |n: usize| n * languages.len() / sample.len().max(1);
        for asking in eval.asking.ways(task) {
            for &language in &sample {
                let count =
                    eval::count_tokens(tokenizer, &Ask::of(recipe, task, &asking), language)?;
                sum = Count {
                    tokens: sum.tokens + scale(count.tokens),
                    scored: sum.scored + scale(count.scored),
                };
            }
        }
    }
    Ok(sum)
}
