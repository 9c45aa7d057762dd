//! Settings of a recipe that ask for memory by themselves, held against the model's shape and the
//! machine before anything is made of them. Never here: ranges that hold for every model
//! (`schema::recipe`).

use hub::catalogue::Shape;
use model::Projection;
use schema::{
    Recipe,
    inside::Analysis,
    recipe::{LoraInit, LoraRecipe},
};

use crate::{
    error::{Result, bail},
    estimate::{self, gigabytes},
};

/// Floats kept for each weight of an adapter in training: itself, its gradient, two moments.
const COPIES: u64 = 4;

/// Holds a recipe against the shape of its model and the memory that there is, where it is known.
///
/// # Errors
/// A rank wider than every projection; an adapter, or states of the tuned lens, for which there is
/// no room. Names the key.
pub fn check(recipe: &Recipe, shape: &Shape, room: Option<u64>) -> Result<()> {
    if let Some(train) = &recipe.train {
        let widest = shape.hidden.max(shape.mlp).max(shape.heads * shape.head);
        let rank = train.lora.rank;
        if rank > widest {
            bail!(
                "train.lora.rank: {rank} is more than the {widest} of the model's widest projection; give at most {widest}"
            );
        }
        let narrowest = sides(shape, &train.lora).map(|(one, other)| one.min(other));
        let narrowest = narrowest.min().unwrap_or(widest);
        if train.lora.init == LoraInit::Pissa && rank > narrowest {
            bail!(
                "train.lora.rank: {rank} is more than the {narrowest} directions of the narrowest target, and `init` is \
                 \"pissa\"; give at most {narrowest}"
            );
        }
        let bytes = adapter_bytes(shape, &train.lora);
        if room.is_some_and(|room| bytes > room) {
            bail!(
                "train.lora.rank: to train an adapter of rank {rank} takes {}, and there is {}; lower it",
                gigabytes(bytes),
                gigabytes(room.unwrap_or(0))
            );
        }
    }
    let Some(analyse) = recipe
        .analyse
        .as_ref()
        .filter(|a| a.asks(Analysis::TunedLens))
    else {
        return Ok(());
    };
    let states = (shape.layers as u64 + 1) * shape.hidden as u64 * size_of::<f32>() as u64;
    let bytes = states.saturating_mul(analyse.lens_tokens as u64);
    if room.is_some_and(|room| bytes > room) {
        bail!(
            "analyse.lens_tokens: the states of {} tokens after every layer take {}, and there is {}; lower it",
            analyse.lens_tokens,
            gigabytes(bytes),
            gigabytes(room.unwrap_or(0))
        );
    }
    Ok(())
}

/// Bytes of an adapter that is trained.
fn adapter_bytes(shape: &Shape, lora: &LoraRecipe) -> u64 {
    let widths = sides(shape, lora).map(|(one, other)| one + other);
    // A start in the weights is taken out of them by an update of twice the rank.
    let rank = match lora.init {
        LoraInit::Zero => lora.rank,
        LoraInit::Pissa => 2 * lora.rank,
    };
    let per_layer = widths.sum::<usize>() as u64 * rank as u64;
    per_layer * shape.layers as u64 * COPIES * size_of::<f32>() as u64
}

/// The two sides of each target's weight.
fn sides(shape: &Shape, lora: &LoraRecipe) -> impl Iterator<Item = (usize, usize)> {
    let (query, keys) = (shape.heads * shape.head, shape.kv_heads * shape.head);
    let (hidden, mlp) = (shape.hidden, shape.mlp);
    estimate::targets(lora)
        .into_iter()
        .map(move |target| match target {
            Projection::Q | Projection::O => (hidden, query),
            Projection::K | Projection::V => (hidden, keys),
            Projection::Gate | Projection::Up | Projection::Down => (hidden, mlp),
            Projection::Qkv => (hidden, query + 2 * keys),
            Projection::GateUp => (hidden, 2 * mlp),
        })
}

#[cfg(test)]
mod tests {
    use hub::catalogue::BlockShape;

    use super::*;

    const SHAPE: Shape = Shape {
        layers: 2,
        hidden: 8,
        heads: 2,
        kv_heads: 1,
        head: 4,
        mlp: 16,
        vocab: 32,
        tied: true,
        attention_bias: false,
        block: BlockShape::LLAMA,
    };

    fn recipe(more: &str) -> Recipe {
        let text = format!(
            "name = \"x\"\nmodel = \"m\"\n[data]\ndir = \"d\"\n[eval]\ntasks = [\"emotion\"]\n\
             [train]\nsettings = [\"sw=>en\"]\ntasks = [\"emotion\"]\n{more}"
        );
        Recipe::parse(std::path::Path::new("x.toml"), &text, &[]).expect("a recipe")
    }

    // Promise: what asks for memory by itself is refused by its key before it is made.
    #[test]
    fn keys_are_held_against_the_model_and_the_machine() {
        let check = |more: &str, room: u64| check(&recipe(more), &SHAPE, Some(room));
        check("lora.rank = 16", 1 << 20).expect("fits");
        let wide = check("lora.rank = 17", 1 << 40).expect_err("too wide");
        let needle = "train.lora.rank: 17 is more than the 16 of";
        assert!(wide.to_string().contains(needle), "{wide}");
        // q_proj 8 + 8 and v_proj 8 + 4, of rank 16, in two layers, four f32 each.
        let bytes = (16 + 12) * 16 * 2 * 4 * 4;
        check("lora.rank = 16", bytes).expect("fits");
        let large = check("lora.rank = 16", bytes - 1).expect_err("too large");
        assert!(
            large.to_string().contains("train.lora.rank: to train"),
            "{large}"
        );
        let pissa = "lora.init = \"pissa\"\nlora.rank = ";
        check(&format!("{pissa}4"), 1 << 20).expect("fits");
        let narrow = check(&format!("{pissa}5"), 1 << 20).expect_err("v_proj is 8 x 4");
        let needle = "5 is more than the 4 directions of the narrowest target";
        assert!(narrow.to_string().contains(needle), "{narrow}");
        let lens = "[analyse]\nkinds = [\"tuned-lens\"]\nlens_tokens = 1000";
        check(lens, 1000 * 3 * 8 * 4).expect("fits");
        let large = check(lens, 1000 * 3 * 8 * 4 - 1).expect_err("too large");
        assert!(
            large.to_string().contains("analyse.lens_tokens:"),
            "{large}"
        );
    }
}
