//! The data stages: the translation pairs of one adapter, drawn and written as they will be
//! learnt.

use data::{
    Draw,
    pairs::{self, DrawnPairs},
};
use schema::{recipe::AdapterPlan, write_json_lines};
use serde_json::json;

use super::{Made, Workbench};
use crate::{RunError, error::Result, experiment::Experiment, watch::Watch};

/// Everything that the pairs of an adapter depend on.
pub(super) fn inputs(experiment: &Experiment, plan: &AdapterPlan) -> Result<Vec<String>> {
    let train = experiment.train_recipe()?;
    let mut inputs = vec![
        "pairs".to_owned(),
        plan.setting.to_string(),
        train.pairs.to_string(),
        plan.seed.to_string(),
    ];
    inputs.push(serde_json::to_string(&train.build)?);
    for path in Draw::of(&experiment.recipe, train, plan)?.files()? {
        inputs.push(hub::hash_file(&path)?);
    }
    Ok(inputs)
}

/// Loads pairs, unless the user interrupts it.
pub(crate) fn load_pairs(draw: &Draw<'_>, name: &str, watch: &dyn Watch) -> Result<DrawnPairs> {
    pairs::load_unless(draw, &|| watch.is_interrupted())?.ok_or_else(|| {
        RunError::Interrupted(format!(
            "interrupted before the pairs of {name} were drawn; run the same command again to resume"
        ))
    })
}

/// Draws the pairs of one adapter.
pub(super) fn make(bench: &mut Workbench<'_>, plan: &AdapterPlan) -> Result<Made> {
    let experiment = bench.experiment;
    let train = experiment.train_recipe()?;
    let draw = Draw::of(&experiment.recipe, train, plan)?;
    let drawn = load_pairs(&draw, &plan.name, bench.watch)?;
    let file = experiment.folder.pairs(&plan.name);
    write_json_lines(&file, &drawn.pairs)?;
    for line in drawn.describe() {
        bench.watch.note(&format!("pairs {}: {line}", plan.name));
    }
    bench.watch.note(&format!(
        "{:<40} {} pairs",
        format!("pairs {}", plan.name),
        drawn.pairs.len()
    ));
    let removed: Vec<_> = drawn
        .origins
        .iter()
        .flat_map(|origin| &origin.removed)
        .collect();
    let notes = [
        ("pairs".to_owned(), json!(drawn.pairs.len())),
        ("removed".to_owned(), json!(removed)),
    ];
    Ok(Made {
        files: vec![file],
        notes: notes.into(),
        ..Made::default()
    })
}
