//! How many tokens a recipe runs through the model, and how long that takes here: `check`'s
//! estimate of time. Never here: what a token costs (`model::work`), timing (`model::speed`).

mod sample;

use std::time::Duration;

use data::{Draw, Tokenizer, TranslationPair, example, pairs, tasks, testset};
use eval::{Ask, RowCount};
use hub::{ModelFiles, catalogue::Shape};
use model::{
    Decoder, LoraConfig,
    device::Device,
    speed::{self, Speed, TypicalPass},
    work::{self, Work},
};
use schema::{Language, Recipe, recipe::TrainRecipe};

use crate::{
    error::Result,
    estimate::{self, seconds},
};

/// Languages that are counted; the others are taken to be like them. The paper's twenty all are: a
/// question in Thai or Bengali has several times the tokens of one in English.
const SAMPLE: usize = 20;

/// Tokens of one adapter's training and of one model's evaluation.
#[derive(Debug, PartialEq)]
pub struct Tokens {
    train: Option<TrainTokens>,
    eval: RowCount,
    /// Languages of a task that are asked in one way: each has a prefix.
    asked: usize,
}

#[derive(Debug, Default, PartialEq)]
struct TrainTokens {
    /// Run forward and backward, and those of them with a loss.
    learnt: (u64, u64),
    /// Run forward in validations, and those of them with a loss.
    validated: (u64, u64),
    /// Tokens of an example, on the average.
    example: usize,
}

/// How fast this machine trains and asks a recipe's model.
#[derive(Debug, PartialEq)]
pub struct Speeds {
    /// `None` where nothing is trained.
    pub train: Option<Speed>,
    /// Of an evaluation.
    pub eval: Speed,
}

/// Seconds of work.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seconds {
    /// Of one adapter; `None` where nothing is trained.
    pub training: Option<f64>,
    /// Of one model's answers.
    pub evaluation: f64,
}

impl Tokens {
    /// Reads the data of the first adapter and of some languages.
    pub fn count(recipe: &Recipe, tokenizer: &Tokenizer) -> Result<Self> {
        let train = match &recipe.train {
            Some(train) => Some(count_training(recipe, train, tokenizer)?),
            None => None,
        };
        let (eval, asked) = count_evaluation(recipe, tokenizer)?;
        Ok(Self { train, eval, asked })
    }

    /// Times the model's first block and head on passes like those of the recipe, each of the four
    /// for `timed`; `checkpointing` says whether training would keep the blocks' inputs alone.
    ///
    /// # Errors
    /// The first block cannot be loaded or run.
    pub fn time(
        &self,
        recipe: &Recipe,
        shape: &Shape,
        files: &ModelFiles,
        checkpointing: bool,
        timed: Duration,
    ) -> Result<Speeds> {
        let mut first_block = Decoder::load_first_block(files, recipe.dtype, &Device::Cpu)?;
        let pass = self.asked_pass(recipe.eval.tokens_per_batch);
        let eval = speed::measure_evaluation(&first_block, shape, pass, timed)?;
        let train = match (&self.train, &recipe.train) {
            (Some(tokens), Some(train)) => Some(speed::measure_training(
                &mut first_block,
                shape,
                tokens.pass(train),
                lora(train),
                checkpointing,
                timed,
            )?),
            _ => None,
        };
        Ok(Speeds { train, eval })
    }

    /// A batch of questions: as many as fit, of the mean length, after a mean prefix.
    fn asked_pass(&self, budget: usize) -> TypicalPass {
        let asked = self.asked.max(1);
        TypicalPass {
            rows: budget.min(self.eval.rows / asked).max(1),
            sequence: (self.eval.rows / self.eval.questions.max(1)).max(1),
            prefix: self.eval.prefix / asked,
        }
    }

    /// Lines with times at these speeds.
    pub fn describe(
        &self,
        recipe: &Recipe,
        shape: &Shape,
        speeds: &Speeds,
        checkpointing: bool,
    ) -> Vec<String> {
        let mut lines = Vec::new();
        let times = self.seconds(shape, speeds, checkpointing);
        if let (Some(tokens), Some(training)) = (&self.train, times.training) {
            let (count, adapters) = (tokens.learnt.0, recipe.adapters().len());
            lines.push(format!(
                "training, {count} tokens: {} for each of {adapters} adapters",
                seconds(training)
            ));
        }
        let models = 1 + recipe.adapters().len();
        lines.push(format!(
            "evaluation, {} tokens: {} for each of {models} models",
            self.eval.prefix + self.eval.rows,
            seconds(times.evaluation)
        ));
        lines
    }

    /// What one adapter and one evaluation take at these speeds.
    pub fn seconds(&self, shape: &Shape, speeds: &Speeds, checkpointing: bool) -> Seconds {
        let training = self.train.as_ref().zip(speeds.train.as_ref());
        let training = training.map(|(tokens, speed)| {
            let [learnt, validated] = tokens.work(shape, checkpointing);
            speed.seconds(learnt) + speeds.eval.seconds(validated)
        });
        Seconds {
            training,
            evaluation: speeds.eval.seconds(self.asked_work(shape)),
        }
    }

    fn asked_work(&self, shape: &Shape) -> Work {
        let rows = self.eval.prefix + self.eval.rows;
        work::evaluation(shape, rows as u64, self.eval.scored as u64)
    }
}

impl TrainTokens {
    /// Of what is learnt from, and of the validations.
    fn work(&self, shape: &Shape, checkpointing: bool) -> [Work; 2] {
        [
            work::training(shape, self.learnt.0, self.learnt.1, checkpointing),
            work::evaluation(shape, self.validated.0, self.validated.1),
        ]
    }

    /// A micro-batch of a batch that is cut into equal ones.
    fn pass(&self, recipe: &TrainRecipe) -> TypicalPass {
        let batch = recipe.batch_size * self.example;
        let parts = batch.div_ceil(recipe.micro_batch_tokens.max(1)).max(1);
        TypicalPass {
            rows: (batch / parts).max(1),
            sequence: self.example.max(1),
            prefix: 0,
        }
    }
}

fn lora(train: &TrainRecipe) -> LoraConfig {
    LoraConfig {
        rank: train.lora.rank,
        alpha: train.lora.alpha,
        dropout: train.lora.dropout,
        targets: estimate::targets(&train.lora),
        rslora: train.lora.rslora,
        dora: train.lora.dora,
    }
}

fn count_training(
    recipe: &Recipe,
    train: &TrainRecipe,
    tokenizer: &Tokenizer,
) -> Result<TrainTokens> {
    let Some(plan) = recipe.adapters().into_iter().next() else {
        return Ok(TrainTokens::default());
    };
    let drawn = pairs::load(&Draw::of(recipe, train, &plan)?)?.pairs;
    count_examples(train, plan.seed, &drawn, tokenizer, 1.0)
}

/// Of pairs that stand for `times` as many.
fn count_examples(
    train: &TrainRecipe,
    seed: u64,
    drawn: &[TranslationPair],
    tokenizer: &Tokenizer,
    times: f64,
) -> Result<TrainTokens> {
    let examples = example::encode_all(tokenizer, drawn, train.cutoff_len, train.prompt)?;
    let (examples, validation) = pairs::split(drawn, examples.examples, train, seed);
    let count = (examples.len() as f64 * times) as usize;
    let steps = train::run::StepCounts::new(train, count).steps;
    let passes = match train.max_steps {
        Some(_) => (steps * train.batch_size) as f64 / count.max(1) as f64,
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
            (all as f64 * times * passes) as u64,
            (targets as f64 * times * passes) as u64,
        ),
        validated: (
            (all_of_one as f64 * times) as u64 * validations,
            (targets_of_one as f64 * times) as u64 * validations,
        ),
        example: all as usize / examples.len().max(1),
    })
}

/// Tokens that are run, and those of them with a loss.
fn sum_tokens(examples: &[data::Example]) -> (u64, u64) {
    let run = examples.iter().map(|example| example.len() as u64 - 1);
    let learnt = examples.iter().map(|example| example.target_len() as u64);
    (run.sum(), learnt.sum())
}

/// Of one model, with how many languages are asked; those beyond the sample count as its mean.
fn count_evaluation(recipe: &Recipe, tokenizer: &Tokenizer) -> Result<(RowCount, usize)> {
    let eval = &recipe.eval;
    let (mut sum, mut asked) = (RowCount::default(), 0);
    for task in &eval.tasks {
        let task = tasks::task(task)?;
        let languages = testset::asked(&recipe.data.dir, task, &eval.languages)?;
        let sample: Vec<Language> = languages
            .iter()
            .copied()
            .step_by(languages.len().div_ceil(SAMPLE).max(1))
            .collect();
        for asking in eval.asking.ways(task) {
            let ask = Ask::of(recipe, task, &asking);
            let mut count = RowCount::default();
            for &language in &sample {
                count += eval::count_rows(tokenizer, &ask, language)?;
            }
            sum += scaled(count, languages.len(), sample.len());
            asked += languages.len();
        }
    }
    Ok((sum, asked))
}

/// A count of so many languages, from that of a sample of them.
fn scaled(count: RowCount, languages: usize, sample: usize) -> RowCount {
    let all = |part: usize| part * languages / sample.max(1);
    RowCount {
        prefix: all(count.prefix),
        rows: all(count.rows),
        scored: all(count.scored),
        questions: all(count.questions),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use hub::catalogue::BlockShape;

    use super::*;

    #[test]
    fn times_are_work_over_speed() {
        // 100 weights a block and 10 of the head for each of ten tokens: hidden 2, q, k, v and o
        // of 2 x 2, mlp of 14; vocabulary 5.
        let shape = Shape {
            layers: 3,
            hidden: 2,
            heads: 1,
            kv_heads: 1,
            head: 2,
            mlp: 14,
            vocab: 5,
            tied: true,
            attention_bias: false,
            block: BlockShape::LLAMA,
        };
        let train = TrainTokens {
            learnt: (1000, 500),
            validated: (100, 50),
            example: 50,
        };
        let tokens = Tokens {
            train: Some(train),
            eval: RowCount {
                prefix: 60,
                rows: 340,
                scored: 30,
                questions: 17,
            },
            asked: 2,
        };
        let recipe = Recipe::parse(
            Path::new("a.toml"),
            "name = \"a\"\nmodel = \"m\"\n[data]\ndir = \"d\"\n[train]\nsettings = [\"zh/de=>en\"]\ntasks = [\"snli\"]\n[eval]\ntasks = [\"snli\"]\n",
            &[],
        )
        .expect("a recipe");
        let speed = |blocks: f64, head: f64| Speed { blocks, head };
        let speeds = Speeds {
            train: Some(speed(1000.0, 100.0)),
            eval: speed(2000.0, 200.0),
        };
        // A block: 4 x 4 + 3 x 28 = 100 weights, three blocks 600 operations a token; the first
        // one's q, k and v 24; the head 20.
        // Training: 1000 x (1200 - 24) / 1000 + 500 x 40 / 100, then 100 x 600 / 2000 + 50 x 20 / 200.
        // Evaluation: 400 x 600 / 2000 + 30 x 20 / 200.
        assert_eq!(
            tokens.describe(&recipe, &shape, &speeds, false),
            [
                "training, 1000 tokens: 23 min 31 s for each of 1 adapters",
                "evaluation, 400 tokens: 2 min 03 s for each of 2 models"
            ]
        );
        let pass = |rows, sequence, prefix| TypicalPass {
            rows,
            sequence,
            prefix,
        };
        assert_eq!(tokens.asked_pass(100), pass(100, 20, 30));
        assert_eq!(tokens.asked_pass(1000), pass(170, 20, 30));
        let cut = |batch_size, micro_batch_tokens| TrainRecipe {
            batch_size,
            micro_batch_tokens,
            ..TrainRecipe::paper(Vec::new(), Vec::new())
        };
        let train = tokens.train.expect("tokens");
        assert_eq!(train.pass(&cut(4, 1000)), pass(200, 50, 0));
        assert_eq!(train.pass(&cut(4, 150)), pass(100, 50, 0));
    }

    #[test]
    fn a_sample_stands_for_all_languages() {
        let sample = RowCount {
            prefix: 10,
            rows: 40,
            scored: 6,
            questions: 4,
        };
        let all = RowCount {
            prefix: 25,
            rows: 100,
            scored: 15,
            questions: 10,
        };
        assert_eq!(scaled(sample, 5, 2), all);
    }
}
