//! The pairs that a recipe's adapters would be trained on, as a folder that LLaMA-Factory reads,
//! with a record of their origin. It holds neither time nor place: the same recipe and data give
//! the same bytes. Never here: how pairs are drawn (`data::pairs`), what the rows look like
//! (`import::llama_factory`).

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use data::{
    Draw, TranslationPair, overlap,
    pairs::{self, PairOrigin},
    tasks,
};
use import::llama_factory::{
    DATASET_INFO,
    write::{self as rows, RowForm},
};
use schema::{
    Recipe,
    recipe::{AdapterPlan, TrainRecipe},
    write_whole,
};
use serde_json::{Value, json};

use crate::{
    error::{At, Result, bail},
    facts::program,
    output::OutputCheck,
    stages::load_pairs,
    watch::Watch,
};

/// The files beside the rows.
const RECORD: &str = "build.json";

/// The folder that is built.
struct Folder<'a> {
    recipe: &'a Recipe,
    train: &'a TrainRecipe,
    out: &'a Path,
    format: RowForm,
    /// Names of data sets and their files so far.
    files: Vec<(String, String)>,
}

/// Draws, splits and writes the pairs of all adapters, and removes the files of an earlier build.
///
/// # Errors
/// No `[train]` section, broken data, or a folder that was not built here.
pub fn write(recipe: &Recipe, out: &Path, format: RowForm, watch: &mut dyn Watch) -> Result<()> {
    let Some(train) = &recipe.train else {
        bail!("the recipe has no [train] section, so there are no pairs to build");
    };
    let plans = recipe.adapters();
    let mut check = OutputCheck::new(false);
    for plan in &plans {
        check = check.reading_data(&recipe.data.dir, tasks::task(&plan.task)?);
    }
    check.folder(out, &|out| {
        out.join(RECORD).exists() || out.join(DATASET_INFO).exists()
    })?;
    let stale = read_stale(out)?;
    let mut folder = Folder {
        recipe,
        train,
        out,
        format,
        files: Vec::new(),
    };
    let mut adapters = Vec::new();
    for plan in plans {
        adapters.push(folder.build(&plan, watch)?);
    }
    let record = json!({
        "program": program(),
        "format": format,
        "pairs_per_source": train.pairs,
        "val_size": train.val_size,
        "build": train.build,
        "adapters": adapters,
    });
    write_whole(&out.join(RECORD), format!("{record:#}\n").as_bytes())?;
    let info = rows::render_info(&folder.files, format);
    write_whole(&out.join(DATASET_INFO), info.as_bytes())?;
    folder.remove(&stale)
}

impl Folder<'_> {
    /// Draws, splits and writes the pairs of one adapter; returns its record.
    fn build(&mut self, plan: &AdapterPlan, watch: &mut dyn Watch) -> Result<Value> {
        let (recipe, train) = (self.recipe, self.train);
        watch.start(&plan.name, 1, "adapters");
        let draw = Draw::of(recipe, train, plan)?;
        let drawn = load_pairs(&draw, &plan.name, watch)?;
        for line in drawn.describe() {
            watch.note(&format!("{}: {line}", plan.name));
        }
        let (training, validation) =
            pairs::split(&drawn.pairs, drawn.pairs.clone(), train, plan.seed);
        let training_file = self.write_part(plan, "train", &training)?;
        let mut validation_file = self.write_part(plan, "validation", &validation)?;
        if !validation_file.is_null() {
            validation_file["targets_in_training"] =
                json!(count_known_targets(&training, &validation));
        }
        watch.finish(&format!(
            "{} pairs to train on, {} to validate with",
            training.len(),
            validation.len()
        ));
        let sources = drawn.origins.iter();
        let compared = drawn.compared.iter();
        Ok(json!({
            "name": plan.name,
            "task": plan.task,
            "setting": plan.setting,
            "seed": plan.seed,
            "training": training_file,
            "validation": validation_file,
            "sources": sources.map(|origin| record_origin(origin, recipe)).collect::<Vec<_>>(),
            "compared_with": compared.map(|path| relative(path, recipe)).collect::<Vec<_>>(),
            "not_compared_with": drawn.absent,
            "read": record_files(&draw.files()?, recipe)?,
        }))
    }

    /// Writes one data set, unless it is empty; returns its record.
    fn write_part(
        &mut self,
        plan: &AdapterPlan,
        part: &str,
        pairs: &[TranslationPair],
    ) -> Result<Value> {
        if pairs.is_empty() {
            return Ok(Value::Null);
        }
        let name = format!("{}.{part}", plan.name);
        let file = format!("{name}.json");
        let path = self.out.join(&file);
        let rows = rows::render_rows(pairs, self.format);
        write_whole(&path, rows.as_bytes())?;
        let written = json!({"file": file, "sha256": hub::hash_file(&path)?, "pairs": pairs.len()});
        self.files.push((name, file));
        Ok(written)
    }

    /// Removes files of an earlier build that this one did not write again.
    fn remove(&self, stale: &[String]) -> Result<()> {
        let written: BTreeSet<&str> = self.files.iter().map(|(_, file)| file.as_str()).collect();
        for old in stale.iter().filter(|old| !written.contains(old.as_str())) {
            let path = self.out.join(old);
            fs::remove_file(&path)
                .at(|| format!("cannot remove {} of an earlier build", path.display()))?;
        }
        Ok(())
    }
}

/// Validation pairs whose target is also one to learn: with several sources, the same question
/// from another language.
fn count_known_targets(training: &[TranslationPair], validation: &[TranslationPair]) -> usize {
    let known: BTreeSet<String> = training
        .iter()
        .map(|pair| overlap::normalise(&pair.target))
        .collect();
    validation
        .iter()
        .filter(|pair| known.contains(&overlap::normalise(&pair.target)))
        .count()
}

fn record_origin(origin: &PairOrigin, recipe: &Recipe) -> Value {
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
    files
        .iter()
        .map(|path| Ok(json!({"file": relative(path, recipe), "sha256": hub::hash_file(path)?})))
        .collect()
}

/// Within the data folder, whose own path does not belong to the result.
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
        Err(e) => return Err(e).at_path("read", &path),
    };
    let record: Value = serde_json::from_str(&text).at(|| {
        format!(
            "{} is damaged; delete the folder or give another with --out",
            path.display()
        )
    })?;
    let adapters = record["adapters"].as_array().into_iter().flatten();
    let files =
        adapters.flat_map(|adapter| [&adapter["training"]["file"], &adapter["validation"]["file"]]);
    Ok(files
        .filter_map(Value::as_str)
        .filter(|file| !file.contains(['/', '\\']) && out.join(file).is_file())
        .map(str::to_owned)
        .collect())
}
