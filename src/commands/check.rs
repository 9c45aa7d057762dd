//! `check`: the resolved recipe, and what it will take. Needs no model.

use std::time::Duration;

use anyhow::Result;
use data::{Tokenizer, tasks, testset};
use hub::{
    Cache, Model,
    catalogue::{self, Shape},
};
use schema::{Recipe, inside::Analysis};

use super::tokens::Tokens;
use crate::{
    cli::RecipeArgs,
    estimate::{self, Decision, Rows, gigabytes},
    machine,
    progress::{note, result},
    session,
};

/// How long products are timed.
const MEASURED: Duration = Duration::from_millis(50);

pub(super) fn run(args: &RecipeArgs) -> Result<()> {
    let recipe = super::read_recipe(args)?;
    result(&recipe.render());
    note(&format!("adapters: {}", recipe.adapters().len()));
    data_notes(&recipe)?;
    let model = find_here(&recipe)?;
    let Some(shape) = shape(&recipe, model.as_ref())? else {
        note(&format!(
            "note: the shape of `{}` is not known before it is fetched",
            recipe.model
        ));
        return Ok(());
    };
    memory_note(&recipe, &shape);
    captures_note(&recipe, &shape);
    time_note(&recipe, &shape, model.as_ref())
}

/// The model, if it need not be fetched; what is wrong with it is a note.
fn find_here(recipe: &Recipe) -> Result<Option<Model>> {
    match hub::find_local(&recipe.model, &Cache::from_env()?) {
        Ok(found) => Ok(found),
        Err(error) => {
            note(&format!("note: {error}"));
            Ok(None)
        }
    }
}

/// The shape of the files, or the catalogue's.
fn shape(recipe: &Recipe, model: Option<&Model>) -> Result<Option<Shape>> {
    Ok(match model {
        Some(model) => Some(session::config(&model.files)?.shape()),
        None => catalogue::entry(&recipe.model).map(|entry| entry.shape),
    })
}

/// Rough, as is said; without the model's tokenizer or the data nobody knows how many tokens
/// there are.
fn time_note(recipe: &Recipe, shape: &Shape, model: Option<&Model>) -> Result<()> {
    let counted = model
        .map(|model| Tokens::count(recipe, &Tokenizer::load(&model.files)?))
        .transpose();
    match counted {
        Ok(Some(tokens)) => {
            let speed = model::work::measure_speed(shape, recipe.dtype, MEASURED)?;
            note(&format!(
                "time on this CPU, very roughly, at {:.0} GFLOP/s of products:",
                speed / 1e9
            ));
            tokens
                .describe(recipe, shape, speed)
                .iter()
                .for_each(|line| note(&format!("  {line}")));
        }
        Ok(None) => note("note: no estimate of time before the model is fetched"),
        Err(error) => note(&format!("note: no estimate of time: {error:#}")),
    }
    Ok(())
}

/// Missing files are notes, not problems: they may come later.
fn data_notes(recipe: &Recipe) -> Result<()> {
    for task in &recipe.eval.tasks {
        let task = tasks::task(task)?;
        let wanted: Vec<_> = match (recipe.eval.asks_all(), &task.default) {
            (true, Some(_)) => testset::languages(&recipe.data.dir, task).unwrap_or_default(),
            (true, None) => task.languages.keys().copied().collect(),
            (false, _) => recipe.eval.languages.clone(),
        };
        let missing: Vec<_> = wanted
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

/// What a training and an evaluation hold at most, and what this machine has.
fn memory_note(recipe: &Recipe, shape: &Shape) {
    let weights = estimate::weight_bytes(shape, recipe.dtype);
    note(&format!(
        "memory, estimated: weights {} ({})",
        gigabytes(weights),
        recipe.dtype
    ));
    if let Some(train) = &recipe.train {
        let rows = Rows::of_budget(train);
        let decision = Decision::new(
            shape,
            recipe.dtype,
            train,
            rows,
            machine::memory_for_this_process(),
        );
        let word = if decision.on { "on" } else { "off" };
        note(&format!(
            "  training, {} tokens at once: {}; it would be {word}",
            rows.tokens,
            decision.describe()
        ));
    }
    let tokens = recipe.eval.tokens_per_batch;
    let bytes = estimate::evaluation_bytes(shape, recipe.dtype, tokens);
    note(&format!(
        "  evaluation, {tokens} tokens at once: {}",
        gigabytes(bytes)
    ));
}

/// What the captured states take on the disk; how many items there are is seen when they are
/// read.
fn captures_note(recipe: &Recipe, shape: &Shape) {
    let Some(analyse) = &recipe.analyse else {
        return;
    };
    if !(analyse.asks(Analysis::Pca) || analyse.asks(Analysis::Alignment)) {
        return;
    }
    let (models, languages, poolings) = (
        1 + recipe.adapters().len(),
        analyse.languages.len(),
        analyse.poolings.len(),
    );
    let item = ((shape.layers + 1) * shape.hidden * poolings * size_of::<f32>()) as u64;
    let all = item * (models * languages * 100) as u64;
    note(&format!(
        "disk: hidden states of {languages} languages, {models} models and {poolings} poolings: {} for every 100 items",
        gigabytes(all)
    ));
}
