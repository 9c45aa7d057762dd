//! The adapter that a training starts from, by the recipe and its seed.

use model::{Adapter, Decoder, LoraConfig, Projection};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use schema::recipe::{LoraInit, LoraRecipe};

use crate::error::TrainError;

/// PEFT's initialisation: A Kaiming-uniform with a = sqrt 5, which is uniform in +-1 /
/// sqrt(in); B zero. Or both in the weights' first directions; magnitudes are the rows' lengths.
pub(crate) fn initial_adapter(
    model: &mut Decoder,
    lora: &LoraRecipe,
    seed: u64,
) -> Result<Adapter, TrainError> {
    let targets = match lora.is_for_all() {
        true => model.config().projections(),
        false => named_targets(lora)?,
    };
    let config = LoraConfig {
        rank: lora.rank,
        alpha: lora.alpha,
        dropout: lora.dropout,
        targets,
        rslora: lora.rslora,
        dora: lora.dora,
    };
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let mut adapter = Adapter::new(config, model.config(), |inner, count| {
        let bound = 1.0 / (inner as f32).sqrt();
        (0..count)
            .map(|_| generator.random_range(-bound..bound))
            .collect()
    })?;
    if lora.init == LoraInit::Pissa {
        model.set_adapter(None)?;
        model.start_in_weights(&mut adapter, |count| {
            (0..count)
                .map(|_| generator.random_range(-1.0..1.0))
                .collect()
        })?;
    }
    if lora.dora {
        model.start_magnitudes(&mut adapter)?;
    }
    Ok(adapter)
}

fn named_targets(lora: &LoraRecipe) -> Result<Vec<Projection>, TrainError> {
    let named = lora.targets.iter().map(|name| {
        Projection::by_name(name).ok_or_else(|| TrainError::Recipe {
            key: "lora.targets",
            problem: format!(
                "unknown projection `{name}`; expected one of {}",
                LoraRecipe::TARGETS.join(", ")
            ),
        })
    });
    named.collect()
}
