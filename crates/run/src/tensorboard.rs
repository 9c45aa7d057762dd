//! The trainings of a run as curves of TensorBoard. Never here: the files' format
//! (`import::tensorboard`).

use std::path::{Path, PathBuf};

use import::tensorboard::{self as format, Scalar};
use schema::{
    record::{ProbeRecord, TrainRecord},
    run_folder::RunFolder,
};

use crate::{
    error::{At, Result, bail},
    stages::read_lines,
};

/// Writes a folder for each adapter of a run below `out`; returns the files.
///
/// # Errors
/// Nothing was trained; a log that cannot be read; a file that cannot be written.
pub fn write_run(out: &Path, run: &RunFolder) -> Result<Vec<PathBuf>> {
    let folder = run.root().join("train");
    let mut adapters = Vec::new();
    if folder.is_dir() {
        for entry in folder.read_dir().at_path("list", &folder)? {
            let file = entry.at_path("list", &folder)?.path();
            adapters.extend(RunFolder::adapter_of_log(&file).map(str::to_owned));
        }
    }
    if adapters.is_empty() {
        bail!(
            "{} has no training yet; run its recipe first",
            run.root().display()
        );
    }
    adapters.sort();
    let files = adapters.iter().map(|adapter| {
        let records: Vec<TrainRecord> = read_lines(&run.train_log(adapter))?;
        let mut scalars = list_scalars(&records);
        let probes = run.probes(adapter);
        if probes.is_file() {
            let probed: Vec<ProbeRecord> = read_lines(&probes)?;
            scalars.extend(list_probed(&probed, &scalars));
        }
        Ok(format::write(out, adapter, &scalars)?)
    });
    files.collect()
}

fn list_scalars(records: &[TrainRecord]) -> Vec<Scalar> {
    let mut seconds = 0.0;
    let mut scalars = Vec::new();
    for record in records {
        let (step, values) = match record {
            TrainRecord::Step(record) => {
                seconds += record.seconds;
                let speed = record.tokens as f64 / record.seconds.max(1e-9);
                let values = vec![
                    ("train/loss", record.loss),
                    ("train/learning_rate", record.learning_rate),
                    ("train/grad_norm", record.grad_norm),
                    ("train/epoch", record.epoch),
                    ("train/tokens_per_second", speed),
                ];
                (record.step, values)
            }
            TrainRecord::Validation(record) => {
                (record.step, vec![("validation/loss", record.loss)])
            }
        };
        scalars.extend(values.into_iter().map(|(tag, value)| Scalar {
            tag: tag.to_owned(),
            step,
            seconds,
            value,
        }));
    }
    scalars
}

/// What was measured on the way, by language; at the times of the updates.
fn list_probed(probed: &[ProbeRecord], trained: &[Scalar]) -> Vec<Scalar> {
    let time_of = |update: usize| {
        let before = trained.iter().filter(|scalar| scalar.step <= update);
        before.map(|scalar| scalar.seconds).fold(0.0, f64::max)
    };
    let mut scalars = Vec::new();
    for record in probed {
        let answers = &record.answers;
        let right = answers.iter().filter(|answer| answer.correct).count();
        let accuracy = (!answers.is_empty()).then(|| right as f64 / answers.len() as f64);
        let loss = record
            .translation
            .as_ref()
            .map(|translation| translation.mean);
        let values = [
            ("probe/accuracy", accuracy),
            ("probe/translation_loss", loss),
        ];
        for (name, value) in values {
            scalars.extend(value.map(|value| Scalar {
                tag: format!("{name}/{}", record.language),
                step: record.update,
                seconds: time_of(record.update),
                value,
            }));
        }
    }
    scalars
}
