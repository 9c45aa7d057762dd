//! The results of a run as files of Every Eval Ever. Never here: the files' format (`import::every_eval`), statistics
//! (`compare`).

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    path::{Path, PathBuf},
};

use compare::{ModelLevels, stats::Estimate};
use import::every_eval::{self as format, EveryEvalLog, EveryEvalResult};
use schema::run_folder::RunFolder;

use crate::{
    error::{At, Result, bail},
    facts::{hub_name, name_of_adapter},
    manifest::{Manifest, Recorded},
    watch::{Watch, interruptible},
};

/// Writes a file for the base and for each adapter of a run below `out`; returns their paths. `organization`: who
/// publishes them.
///
/// # Errors
/// No answers, or records that cannot be read; a file that cannot be written.
pub fn write_run(
    out: &Path,
    run: &RunFolder,
    organization: &str,
    watch: &mut dyn Watch,
) -> Result<Vec<PathBuf>> {
    let manifest: Manifest = serde_json::from_value(Recorded::read(run)?.text().clone())
        .at(|| format!("{} is missing or damaged", run.manifest().display()))?;
    let measured = interruptible(&*watch, |stop| {
        let records = compare::read_run(run, stop)?;
        compare::measure_models(&records, stop)
    })?;
    if measured.is_empty() {
        bail!(
            "{} has no answers yet; run its recipe first",
            run.root().display()
        );
    }
    let mut by_model: BTreeMap<Option<&str>, Vec<&ModelLevels>> = BTreeMap::new();
    for levels in &measured {
        let of_model = by_model.entry(levels.adapter.as_deref()).or_default();
        of_model.push(levels);
    }
    let time = chrono::Utc::now().timestamp();
    let logs = by_model.into_iter().map(|(adapter, levels)| {
        let log = EveryEvalLog {
            collection: manifest.recipe.name.clone(),
            organization: organization.to_owned(),
            model_id: hub_name(&manifest.recipe.model),
            adapter: adapter.map(|adapter| name_of_adapter(adapter).to_owned()),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            facts: describe(&manifest),
            time,
            results: levels
                .into_iter()
                .flat_map(|levels| results_of(levels, &manifest))
                .collect(),
        };
        Ok(format::write(out, &log)?)
    });
    logs.collect()
}

fn describe(manifest: &Manifest) -> Vec<(&'static str, String)> {
    vec![
        ("dtype", manifest.recipe.dtype.to_string()),
        ("device", manifest.machine.device.clone()),
        ("instruction_set", manifest.machine.instruction_set.clone()),
        ("fingerprint", manifest.model.fingerprint.clone()),
        (
            "revision",
            manifest
                .model
                .revision
                .clone()
                .unwrap_or_else(|| "unknown".to_owned()),
        ),
    ]
}

/// The accuracy of each language and their mean (Eq. 4, 5), and AUC where it is defined.
fn results_of(measured: &ModelLevels, manifest: &Manifest) -> Vec<EveryEvalResult> {
    let levels = &measured.levels;
    let asked = Asked {
        measured,
        // Without the folders above it, which say more of this machine than of the data.
        source: manifest.recipe.data.dir.file_name().unwrap_or_default(),
    };
    let items = levels.languages.iter().map(|level| level.items).sum();
    let mean = EveryEvalResult {
        languages: levels.languages.len(),
        method: "bootstrap over items",
        ..asked.result("accuracy", levels.mean, items)
    };
    let mut results = vec![mean];
    for level in &levels.languages {
        let auc = level.auc.map(|area| EveryEvalResult {
            method: "bootstrap over items",
            ..asked.result("auroc", area, level.items)
        });
        let accuracy = asked.result("accuracy", level.accuracy, level.items);
        let of_language = std::iter::once(accuracy).chain(auc);
        results.extend(of_language.map(|result| EveryEvalResult {
            language: Some(level.language),
            ..result
        }));
    }
    results
}

/// How the questions of a result were asked.
struct Asked<'a> {
    measured: &'a ModelLevels,
    source: &'a OsStr,
}

impl Asked<'_> {
    /// A number of one language, whose name is still to be filled in.
    fn result(&self, metric: &'static str, of: Estimate, items: usize) -> EveryEvalResult {
        let measured = self.measured;
        let mut asked = vec![
            ("labels", measured.labels.to_string()),
            ("prompt", measured.prompt.to_string()),
            ("scoring", measured.scoring.clone()),
            ("few_shot", measured.few_shots.join(", ")),
        ];
        asked.extend(
            measured
                .protocol
                .map(|protocol| ("protocol", protocol.to_string())),
        );
        EveryEvalResult {
            task: measured.task.clone(),
            source: self.source.to_string_lossy().into_owned(),
            language: None,
            languages: 1,
            metric,
            value: [of.value, of.low, of.high],
            method: "Wilson, or clustered by shared texts",
            items,
            asked,
        }
    }
}
