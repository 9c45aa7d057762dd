//! `check`: the resolved recipe, and what it will take. Needs no model.

use anyhow::Result;
use data::{tasks, testset};
use hub::{Cache, catalogue};
use schema::{Recipe, task::Precision};

use crate::{
    cli::RecipeArgs,
    progress::{note, result},
    session,
};

pub(super) fn run(args: &RecipeArgs) -> Result<()> {
    let recipe = super::read_recipe(args)?;
    result(&recipe.render());
    note(&format!("adapters: {}", recipe.adapters().len()));
    data_notes(&recipe)?;
    memory_note(&recipe)
}

/// Missing files are notes, not problems: they may come later.
fn data_notes(recipe: &Recipe) -> Result<()> {
    for task in &recipe.eval.tasks {
        let task = tasks::task(task)?;
        let missing: Vec<_> = recipe
            .eval
            .languages
            .iter()
            .filter(|&&l| testset::find(&recipe.data.dir, task, l).is_err())
            .map(|l| l.code())
            .collect();
        if !missing.is_empty() {
            note(&format!(
                "note: {} has no {} test file for {}",
                recipe.data.dir.display(),
                task.name,
                missing.join(" ")
            ));
        }
    }
    Ok(())
}

/// Weights, and for training what a micro-batch keeps for its backward.
fn memory_note(recipe: &Recipe) -> Result<()> {
    let Some(shape) = shape(recipe)? else {
        note(&format!("note: the shape of `{}` is not known before it is fetched", recipe.model));
        return Ok(());
    };
    let bytes = if recipe.dtype == Precision::F32 { 4 } else { 2 };
    let weights = shape.parameters() * bytes;
    let (queries, keys) = (shape.heads * shape.head, shape.kv_heads * shape.head);
    let row = 4 * (3 * shape.hidden + 2 * queries + 2 * keys + 2 * shape.mlp) as u64 * shape.layers as u64;
    let rows = recipe.train.as_ref().map_or(0, |t| t.micro_batch_tokens) as u64;
    let gb = |b: u64| b as f64 / 1e9;
    note(&format!(
        "memory: about {:.1} GB of weights ({}){}",
        gb(weights),
        recipe.dtype,
        if rows > 0 { format!(" and {:.1} GB for {rows} tokens being trained", gb(row * rows)) } else { String::new() }
    ));
    Ok(())
}

fn shape(recipe: &Recipe) -> Result<Option<catalogue::Shape>> {
    let config = match hub::find_local(&recipe.model, &Cache::from_env()?) {
        Ok(Some(model)) => Some(session::config(&model.files)?),
        Ok(None) => None,
        Err(error) => {
            note(&format!("note: {error}"));
            None
        }
    };
    Ok(match config {
        Some(c) => Some(catalogue::Shape {
            layers: c.num_hidden_layers,
            hidden: c.hidden_size,
            heads: c.num_attention_heads,
            kv_heads: c.num_key_value_heads,
            head: c.head_dim,
            mlp: c.intermediate_size,
            vocab: c.vocab_size,
            tied: c.tie_word_embeddings,
            attention_bias: c.biases.contains(&model::Projection::Q),
        }),
        None => catalogue::entry(&recipe.model).map(|e| e.shape),
    })
}
