//! How many tokens a recipe runs through the model, for `check`'s rough estimate of time. Never
//! here: what a token costs (`model::work`).

use data::{Draw, Tokenizer, example, pairs, tasks, testset};
use eval::{Ask, TokenCount};
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
    eval: TokenCount,
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
        let mut lines = Vec::new();
        if let (Some(tokens), Some(train)) = (&self.train, &recipe.train) {
            let on = train.activation_checkpointing == ActivationCheckpointing::On;
            let operations = work::training(shape, tokens.learnt.0, tokens.learnt.1, on)
                + work::evaluation(shape, tokens.validated.0, tokens.validated.1);
            let (count, adapters) = (tokens.learnt.0, recipe.adapters().len());
            lines.push(format!(
                "training, {count} tokens: {} for each of {adapters} adapters",
                seconds(operations as f64 / speed)
            ));
        }
        let operations = work::evaluation(shape, self.eval.tokens as u64, self.eval.scored as u64);
        let models = 1 + recipe.adapters().len();
        lines.push(format!(
            "evaluation, {} tokens: {} for each of {models} models",
            self.eval.tokens,
            seconds(operations as f64 / speed)
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
    let examples = example::encode_all(tokenizer, &drawn, train.cutoff_len)?.examples;
    let (examples, validation) = pairs::split(&drawn, examples, train, plan.seed);
    let steps = train::run::StepCounts::new(train, examples.len()).steps;
    let passes = match train.max_steps {
        Some(_) => (steps * train.batch_size) as f64 / examples.len().max(1) as f64,
        None => train.epochs,
    };
    let validations = match validation.len() {
        0 => 0,
        _ => 1 + steps.div_ceil(train.eval_steps) as u64,
    };
    let (all, targets) = sum_tokens(&examples);
    let (all_of_one, targets_of_one) = sum_tokens(&validation);
    Ok(TrainTokens {
        learnt: (
            (all as f64 * passes) as u64,
            (targets as f64 * passes) as u64,
        ),
        validated: (all_of_one * validations, targets_of_one * validations),
    })
}

/// Tokens that are run, and those of them with a loss.
fn sum_tokens(examples: &[data::Example]) -> (u64, u64) {
    let run = examples.iter().map(|example| example.len() as u64 - 1);
    let learnt = examples.iter().map(|example| example.target_len() as u64);
    (run.sum(), learnt.sum())
}

/// Of one model; languages beyond the sample count as its mean.
fn count_evaluation(recipe: &Recipe, tokenizer: &Tokenizer) -> Result<TokenCount> {
    let eval = &recipe.eval;
    let mut sum = TokenCount {
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
        for asking in eval.asking.ways(task) {
            for &language in &sample {
                let ask = Ask::of(recipe, task, &asking);
                let count = eval::count_tokens(tokenizer, &ask, language)?;
                sum.tokens += count.tokens * languages.len() / sample.len().max(1);
                sum.scored += count.scored * languages.len() / sample.len().max(1);
            }
        }
    }
    Ok(sum)
}
