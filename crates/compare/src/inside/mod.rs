//! Reading `inside/` of a run folder: each file is streamed, checked line by line and condensed to
//! the numbers that are shown; then base and adapter are compared.
//!
//! Never here: the meaning of the numbers; repairing a record; drawing.

mod depth;
mod geometry;
mod intervention;
mod lens;
mod means;
mod model_records;
mod neurons;
mod record_file;
mod view;
mod view_result;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use rayon::prelude::*;

use crate::{
    error::CompareError,
    folder::{list, name_of},
};
use depth::{Depth, agree};
use record_file::{RecordContent, RecordFile};

pub use geometry::{ByPair, LayerMap, MapLayers, TwoLanguages};
pub use lens::{LensCurves, LensItem};
pub use means::{mean_change, mean_estimate, mean_pair_change};
pub use model_records::{InsideRecords, ModelRecords};
pub use view::{ModelView, ViewState, list_views, match_records, select_layers};
pub use view_result::ViewResult;

/// Above, a number of layers is damage, and a figure of so many would fill the memory.
const MOST_LAYERS: usize = 10_000;

/// Reads every file that is not `stale`.
pub(crate) fn read(root: &Path, stale: &BTreeSet<PathBuf>) -> Result<InsideRecords, CompareError> {
    let mut files = Vec::new();
    for folder in list(root)?.into_iter().filter(|path| path.is_dir()) {
        for path in list(&folder)?
            .into_iter()
            .filter(|path| path.is_file() && !stale.contains(path))
        {
            if let Some((task, kind)) = RecordFile::of_file(&path)? {
                files.push((name_of(&folder), task, kind, path));
            }
        }
    }
    // collected in the order of the files, so that the first broken one is named whatever
    // thread met it
    let contents: Vec<Result<RecordContent, CompareError>> = files
        .par_iter()
        .map(|(_, _, kind, path)| kind.read(path))
        .collect();
    let mut records = InsideRecords::new();
    let mut depths: BTreeMap<(String, String), Vec<(Depth, PathBuf)>> = BTreeMap::new();
    for ((model, task, kind, path), content) in files.into_iter().zip(contents) {
        let content = content?;
        if let Some(depth) = content.depth() {
            if depth.number() > MOST_LAYERS {
                let problem = format!("layer {}: no model has so many", depth.number());
                return Err(CompareError::BadRecord {
                    path,
                    line: 1,
                    problem,
                });
            }
            depths
                .entry((task.clone(), model.clone()))
                .or_default()
                .push((depth, path));
        } else {
            continue; // a file without a record
        }
        records
            .entry(task)
            .or_default()
            .entry(model)
            .or_default()
            .add(kind, content);
    }
    for ((task, model), depths) in depths {
        let (layers, source) = agree(&depths)?;
        if let Some(of) = records
            .get_mut(&task)
            .and_then(|models| models.get_mut(&model))
        {
            of.layers = layers;
            of.source = source;
        }
    }
    Ok(records)
}
