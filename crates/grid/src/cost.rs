//! What cells will take: seconds on this machine, from a block and the head timed now and a sample of
//! the data, and memory from the model's shape. What several cells share counts in the first. Analyses
//! and translations are not counted.

use std::{collections::BTreeSet, time::Duration};

use data::Tokenizer;
use hub::{Cache, Model, catalogue};
use run::{
    Parts, estimate, machine, session,
    tokens::{Speeds, Tokens},
};
use schema::{Recipe, run_folder::BASE};
use serde_json::json;

use crate::{Cell, Plan, error::Result};

/// How long each part of a model is timed: a plan is looked at often.
const TIMED: Duration = Duration::from_millis(40);

/// What one cell will take.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CellCost {
    /// Seconds; `None` where the model or its data is not on this machine.
    pub seconds: Option<f64>,
    /// Bytes of memory; `None` where the model's shape is not known.
    pub bytes: Option<u64>,
}

/// What every cell will take, and why it is not known of some.
///
/// # Errors
/// The cache cannot be found.
pub fn estimate(plan: &Plan) -> Result<(Vec<CellCost>, Vec<String>)> {
    let cache = Cache::from_env().map_err(run::RunError::from)?;
    let mut costs = vec![CellCost::default(); plan.cells.len()];
    let mut reasons = Vec::new();
    let mut counted = BTreeSet::new();
    let all: Vec<&Cell> = plan.cells.iter().collect();
    for (recipe, cells) in plan.by_model(&all) {
        let found = hub::find_local(&recipe.model, &cache);
        let model = found.map_err(run::RunError::from)?;
        if model.is_none() {
            reasons.push(format!("{} is not on this machine: no times", recipe.model));
        }
        let mut group = Group {
            model,
            tokenizer: None,
            speeds: None,
        };
        let mut known: Option<(usize, MemberCost)> = None;
        for cell in cells {
            if known
                .as_ref()
                .is_none_or(|(member, _)| *member != cell.member)
            {
                let cost = group.measure(&plan.member(cell).recipe, &mut reasons);
                known = Some((cell.member, cost));
            }
            if let Some((_, cost)) = &known {
                let recipe = &plan.member(cell).recipe;
                costs[cell.number] = cost.of(recipe, &cell.model, &mut counted);
            }
        }
    }
    reasons.dedup();
    Ok((costs, reasons))
}

/// Of one member: a training, the answers of one model, and the memory of its base and of an adapter.
#[derive(Clone, Default)]
struct MemberCost {
    training: Option<f64>,
    evaluation: Option<f64>,
    bytes: (Option<u64>, Option<u64>),
}

impl MemberCost {
    /// Of one model; `counted`: the work of cells before it.
    fn of(&self, recipe: &Recipe, model: &str, counted: &mut BTreeSet<String>) -> CellCost {
        let of_model = json!([recipe.model, recipe.dtype, recipe.data.dir, model]);
        let train = (model != BASE).then_some(&recipe.train);
        let mut count = |what: serde_json::Value, seconds: Option<f64>| {
            let is_new = counted.insert(json!([of_model, train, what]).to_string());
            if is_new { seconds } else { Some(0.0) }
        };
        let training = match train {
            Some(_) => count(json!("train"), self.training),
            None => Some(0.0),
        };
        let evaluation = count(json!(recipe.eval), self.evaluation);
        CellCost {
            seconds: training
                .zip(evaluation)
                .map(|(training, evaluation)| training + evaluation),
            bytes: if model == BASE {
                self.bytes.0
            } else {
                self.bytes.1
            },
        }
    }
}

/// Members of one model.
struct Group {
    model: Option<Model>,
    tokenizer: Option<Tokenizer>,
    speeds: Option<Speeds>,
}

impl Group {
    fn measure(&mut self, recipe: &Recipe, reasons: &mut Vec<String>) -> MemberCost {
        let mut cost = MemberCost::default();
        let shape = match &self.model {
            Some(model) => match session::config(&model.files) {
                Ok(config) => config.shape(),
                Err(problem) => {
                    reasons.push(problem.chain());
                    return cost;
                }
            },
            None => match catalogue::entry(&recipe.model) {
                Some(entry) => entry.shape,
                None => return cost,
            },
        };
        let asked = estimate::evaluation_bytes(&shape, recipe.dtype, recipe.eval.tokens_per_batch);
        cost.bytes = (Some(asked), Some(asked));
        let mut is_checkpointing = false;
        if let Some(train) = &recipe.train {
            let rows = estimate::MicroBatchSize::of_budget(train);
            let room = machine::memory_for_this_process();
            let decision =
                estimate::CheckpointingDecision::new(&shape, recipe.dtype, train, rows, room);
            is_checkpointing = decision.on;
            let learnt = if decision.on {
                decision.with
            } else {
                decision.without
            };
            cost.bytes.1 = Some(asked.max(learnt));
        }
        match self.seconds(recipe, is_checkpointing) {
            Ok(Some((evaluation, training))) => {
                (cost.evaluation, cost.training) = (Some(evaluation), Some(training));
            }
            Ok(None) => {}
            Err(problem) => reasons.push(problem.chain()),
        }
        cost
    }

    /// Of one evaluation, and of one training.
    fn seconds(
        &mut self,
        recipe: &Recipe,
        is_checkpointing: bool,
    ) -> run::Result<Option<(f64, f64)>> {
        let Some(model) = &self.model else {
            return Ok(None);
        };
        let shape = session::config(&model.files)?.shape();
        let tokenizer = match self.tokenizer.take() {
            Some(tokenizer) => tokenizer,
            None => Tokenizer::load(&model.files)?,
        };
        let tokenizer = self.tokenizer.insert(tokenizer);
        let tokens = Tokens::sample(recipe, tokenizer, Parts::ALL)?;
        let speeds = match self.speeds.take() {
            Some(speeds) => speeds,
            None => tokens.time(recipe, &shape, &model.files, is_checkpointing, TIMED)?,
        };
        let times = tokens.seconds(&shape, &speeds, is_checkpointing);
        self.speeds = Some(speeds);
        Ok(Some((times.evaluation, times.training.unwrap_or(0.0))))
    }
}
