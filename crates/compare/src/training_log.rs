//! What a training log says: updates, tokens, time, losses, the best validation.

use schema::{StepRecord, ValidationRecord, record::TrainRecord};
use serde::Serialize;

use crate::stats::mean;

/// One adapter's training.
#[derive(Clone, Debug, Serialize)]
pub struct TrainingLog {
    /// The adapter's name.
    pub adapter: String,
    #[serde(skip)]
    /// One record per optimiser update.
    pub steps: Vec<StepRecord>,
    #[serde(skip)]
    /// One record per validation.
    pub validations: Vec<ValidationRecord>,
}

impl TrainingLog {
    /// Sorts a log's records.
    pub fn new(adapter: &str, records: &[TrainRecord]) -> Self {
        let (mut steps, mut validations) = (Vec::new(), Vec::new());
        for record in records {
            match record {
                TrainRecord::Step(step) => steps.push(step.clone()),
                TrainRecord::Validation(validation) => validations.push(validation.clone()),
            }
        }
        Self {
            adapter: adapter.to_owned(),
            steps,
            validations,
        }
    }

    /// The lowest validation loss; the first of equal ones.
    pub fn best(&self) -> Option<&ValidationRecord> {
        self.validations
            .iter()
            .min_by(|a, b| a.loss.total_cmp(&b.loss))
    }

    /// Wall-clock seconds of all updates.
    pub fn seconds(&self) -> f64 {
        self.steps.iter().map(|step| step.seconds).sum()
    }

    /// Tokens run through the model.
    pub fn tokens(&self) -> usize {
        self.steps.iter().map(|step| step.tokens).sum()
    }

    /// The loss as a centred mean over about a twentieth of the updates.
    pub fn smoothed(&self) -> Vec<(usize, f64)> {
        let half = self.steps.len() / 40;
        let window = |centre: usize| {
            let near =
                &self.steps[centre.saturating_sub(half)..(centre + half + 1).min(self.steps.len())];
            mean(near.iter().map(|step| step.loss))
        };
        self.steps
            .iter()
            .enumerate()
            .map(|(index, step)| (step.step, window(index)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(step: usize, loss: f64) -> TrainRecord {
        let (epoch, learning_rate, grad_norm, seconds) = (0.1, 1e-4, 1.0, 0.5);
        let (tokens, target_tokens) = (100, 60);
        TrainRecord::Step(StepRecord {
            step,
            epoch,
            loss,
            learning_rate,
            grad_norm,
            tokens,
            target_tokens,
            seconds,
        })
    }

    #[test]
    fn smoothing_is_centred_and_the_best_is_the_lowest() {
        let mut records: Vec<TrainRecord> = (1..=80).map(|n| step(n, n as f64)).collect();
        for (at, loss, best) in [(0, 3.0, true), (40, 1.5, true), (80, 2.0, false)] {
            records.push(TrainRecord::Validation(ValidationRecord {
                step: at,
                loss,
                best,
            }));
        }
        let training = TrainingLog::new("a", &records);
        let smoothed = training.smoothed();
        assert_eq!((smoothed[0], smoothed[39]), ((1, 2.0), (40, 40.0))); // mean of 1..=3; of 38..=42
        assert_eq!(training.best().map(|best| best.step), Some(40));
        assert_eq!((training.tokens(), training.seconds()), (8000, 40.0));
    }
}
