//! `data build`: the pairs that a recipe's adapters would be trained on, as a folder that
//! LLaMA-Factory reads, with a record of where they are from. Nothing in it tells when or where
//! it was built: the same recipe and data give the same bytes. Never here: how pairs are drawn
//! (`data::pairs`), what the rows look like (`import::llama_factory`).

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

use anyhow::{Context, Result, bail};
use clap::Args;
use data::{
    Draw, Pair, overlap,
    pairs::{self, Origin},
};
use import::llama_factory::{
    DATASET_INFO,
    write::{self as rows, Format},
};
use schema::{
    Recipe,
    recipe::{AdapterPlan, TrainRecipe},
    write_whole,
};
use serde_json::{Value, json};

use crate::{
    cli::RecipeArgs,
    commands::read_recipe,
    progress::{note, seconds},
};

/// What the folder holds beside the rows.
const RECORD: &str = "build.json";

/// `data build`
#[derive(Args)]
pub(crate) struct BuildArgs {
    #[command(flatten)]
    recipe: RecipeArgs,
    /// The folder to write: rows, dataset_info.json, and build.json, which says where each row
    /// is from.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Form of the rows: alpaca (instruction, input, output) or messages (OpenAI's).
    #[arg(long, default_value = "alpaca")]
    format: Format,
}

pub(super) fn run(args: &BuildArgs) -> Result<ExitCode> {
    let recipe = read_recipe(&args.recipe)?;
    let train = recipe
        .train
        .as_ref()
        .context("the recipe has no [train] section, so there are no pairs to build")?;
    let stale = read_stale(&args.out)?;
    let (mut adapters, mut files) = (Vec::new(), Vec::new());
    for plan in recipe.adapters() {
        adapters.push(build(&recipe, train, &plan, args, &mut files)?);
    }
    let record = json!({
        "program": format!("lingualign {}", env!("CARGO_PKG_VERSION")),
        "format": match args.format { Format::Alpaca => "alpaca", Format::Messages => "messages" },
        "pairs_per_source": train.pairs,
        "val_size": train.val_size,
        "build": train.build,
        "adapters": adapters,
    });
    write_whole(&args.out.join(RECORD), format!("{record:#}\n").as_bytes())?;
    write_whole(
        &args.out.join(DATASET_INFO),
        rows::render_info(&files, args.format).as_bytes(),
    )?;
    let written: BTreeSet<&str> = files.iter().map(|(_, file)| file.as_str()).collect();
    for old in stale.iter().filter(|old| !written.contains(old.as_str())) {
        let path = args.out.join(old);
        fs::remove_file(&path)
            .with_context(|| format!("cannot remove {} of an earlier build", path.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Draws, splits and writes the pairs of one adapter; returns its record. `files`: data set and
/// file names so far.
fn build(
    recipe: &Recipe,
    train: &TrainRecipe,
    plan: &AdapterPlan,
    args: &BuildArgs,
    files: &mut Vec<(String, String)>,
) -> Result<Value> {
    let start = Instant::now();
    let draw = Draw::of(recipe, train, plan)?;
    let drawn = pairs::load(&draw)?;
    drawn
        .describe()
        .iter()
        .for_each(|line| note(&format!("{}: {line}", plan.name)));
    let (training, validation) = pairs::split(&drawn.pairs, drawn.pairs.clone(), train, plan.seed);
    let mut write = |part: &str, pairs: &[Pair]| -> Result<Value> {
        if pairs.is_empty() {
            return Ok(Value::Null);
        }
        let name = format!("{}.{part}", plan.name);
        let file = format!("{name}.json");
        let path = args.out.join(&file);
        write_whole(&path, rows::render_rows(pairs, args.format).as_bytes())?;
        let written = json!({"file": file, "sha256": hub::hash_file(&path)?, "pairs": pairs.len()});
        files.push((name, file));
        Ok(written)
    };
    let (training_file, mut validation_file) = (
        write("train", &training)?,
        write("validation", &validation)?,
    );
    if !validation_file.is_null() {
        validation_file["targets_in_training"] = json!(count_known_targets(&training, &validation));
    }
    let counts = format!(
        "{} pairs to train on, {} to validate with",
        training.len(),
        validation.len()
    );
    note(&format!(
        "{:<40} {counts}  ({})",
        plan.name,
        seconds(start.elapsed().as_secs_f64())
    ));
    Ok(json!({
        "name": plan.name,
        "task": plan.task,
        "setting": plan.setting,
        "seed": plan.seed,
        "training": training_file,
        "validation": validation_file,
        "sources": drawn.origins.iter().map(|origin| record_origin(origin, recipe)).collect::<Vec<_>>(),
        "compared_with": drawn.compared.iter().map(|path| relative(path, recipe)).collect::<Vec<_>>(),
        "not_compared_with": drawn.absent,
        "read": record_files(&draw.files()?, recipe)?,
    }))
}

/// Validation pairs whose target is also one to learn: with several sources, the same question
/// from another language.
fn count_known_targets(training: &[Pair], validation: &[Pair]) -> usize {
    let known: BTreeSet<String> = training
        .iter()
        .map(|pair| overlap::normalise(&pair.target))
        .collect();
    validation
        .iter()
        .filter(|pair| known.contains(&overlap::normalise(&pair.target)))
        .count()
}

fn record_origin(origin: &Origin, recipe: &Recipe) -> Value {
    let removed = origin.removed.iter().map(|removed| {
        let mut record = json!(removed);
        if let Some(found) = &removed.found {
            record["found"]["file"] = json!(relative(&found.file, recipe));
        }
        record
    });
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for removed in &origin.removed {
        let how = removed.found.as_ref().map_or_else(String::new, |found| {
            format!(
                " {} {}",
                found.language,
                if found.exact { "exact" } else { "near" }
            )
        });
        *counts
            .entry(format!("{}{how}", removed.reason))
            .or_default() += 1;
    }
    json!({
        "language": origin.language,
        "file": relative(&origin.path, recipe),
        "questions": origin.found,
        "drawn": origin.drawn,
        "removed": counts,
        "removed_items": removed.collect::<Vec<_>>(),
    })
}

fn record_files(files: &[PathBuf], recipe: &Recipe) -> Result<Vec<Value>> {
    let record = |path: &PathBuf| {
        Ok(json!({"file": relative(path, recipe), "sha256": hub::hash_file(path)?}))
    };
    files.iter().map(record).collect()
}

/// Within the data folder: where that lies is no part of the result.
fn relative(path: &Path, recipe: &Recipe) -> String {
    path.strip_prefix(&recipe.data.dir)
        .unwrap_or(path)
        .display()
        .to_string()
        .replace('\\', "/")
}

/// The files of an earlier build in this folder. A folder of data sets that was not built here
/// is left alone.
fn read_stale(out: &Path) -> Result<Vec<String>> {
    let path = out.join(RECORD);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            if out.join(DATASET_INFO).exists() {
                bail!(
                    "{} holds data sets that were not built here; give another folder with --out",
                    out.display()
                );
            }
            return Ok(Vec::new());
        }
        Err(e) => return Err(e).with_context(|| format!("cannot read {}", path.display())),
    };
    let record: Value = serde_json::from_str(&text).with_context(|| {
        format!(
            "{} is damaged; delete the folder or give another with --out",
            path.display()
        )
    })?;
    let adapters = record["adapters"].as_array().into_iter().flatten();
    let files =
        adapters.flat_map(|adapter| [&adapter["training"]["file"], &adapter["validation"]["file"]]);
    let is_here = |file: &&str| !file.contains(['/', '\\']) && out.join(file).is_file();
    Ok(files
        .filter_map(Value::as_str)
        .filter(is_here)
        .map(str::to_owned)
        .collect())
}
