//! Learning rate by step, as Hugging Face's schedules count: the first update of a warm-up has
//! rate 0.

use schema::recipe::{Schedule, TrainRecipe};

/// Rate of update `step` (from 0) of `total`.
pub fn learning_rate(recipe: &TrainRecipe, step: usize, total: usize) -> f64 {
    let warmup = warmup_steps(recipe, total);
    if step < warmup {
        return recipe.learning_rate * step as f64 / warmup as f64;
    }
    let progress = (step - warmup) as f64 / (total - warmup).max(1) as f64;
    let factor = match recipe.schedule {
        Schedule::Constant => 1.0,
        Schedule::Linear => 1.0 - progress,
        Schedule::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * progress).cos()),
    };
    recipe.learning_rate * factor.max(0.0)
}

/// Updates with a rising rate.
pub fn warmup_steps(recipe: &TrainRecipe, total: usize) -> usize {
    ((recipe.warmup_ratio * total as f64).ceil() as usize).min(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of transformers' `get_cosine_schedule_with_warmup` and
    /// `get_linear_schedule_with_warmup` by their formulas.
    #[test]
    fn rises_then_falls() {
        let mut recipe = TrainRecipe::paper(Vec::new(), Vec::new());
        (recipe.learning_rate, recipe.warmup_ratio) = (1.0, 0.1);
        let rate = |recipe: &TrainRecipe, step| learning_rate(recipe, step, 100);
        assert_eq!(
            (rate(&recipe, 0), rate(&recipe, 5), rate(&recipe, 10)),
            (0.0, 0.5, 1.0)
        );
        assert!((rate(&recipe, 55) - 0.5).abs() < 1e-12);
        assert!(rate(&recipe, 99) < 1e-3 && rate(&recipe, 99) > 0.0);
        recipe.schedule = Schedule::Linear;
        assert!((rate(&recipe, 55) - 0.5).abs() < 1e-12);
        recipe.schedule = Schedule::Constant;
        assert_eq!(rate(&recipe, 99), 1.0);
        recipe.warmup_ratio = 0.0;
        assert_eq!(rate(&recipe, 0), 1.0);
    }
}
