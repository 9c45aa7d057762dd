//! An adapter merged into its model and written as a model of its own: a Hugging Face folder, or a
//! GGUF file. Then both are asked the same prompts, to say what the rounding
//! of the merged weights did. Never here: flags, printing.

mod rounding;

use std::{collections::BTreeMap, fs, path::Path};

use data::Tokenizer;
use hub::ModelFiles;
use model::{
    merge::{GgufFormat, Merge, MergedFolder, MergedGguf},
    random::FloatFormat,
};
use schema::disk::Draft;
use serde_json::Value;

pub use self::rounding::LogitShift;
use crate::{
    error::{At, Result, bail},
    model_folder::{BESIDE, CONFIG, INDEX, ModelFolder, SHARD_BYTES},
    output::OutputCheck,
    session,
    watch::Watch,
};

/// What is to be merged.
pub struct MergeRequest<'a> {
    /// A catalogue name, folder, GGUF file or hub id.
    pub model: &'a str,
    /// A PEFT folder.
    pub adapter: &'a Path,
    /// The folder of the merged model.
    pub out: &'a Path,
    /// How its safetensors files store weights; `None`: as the base's.
    pub format: Option<FloatFormat>,
    /// How its GGUF file stores matrices.
    pub gguf: Option<GgufFormat>,
    /// A model that is there may be replaced.
    pub replace: bool,
}

/// What was written.
#[derive(Clone, Debug)]
pub struct MergedModel {
    /// Weights that the adapter changed.
    pub changed: usize,
    /// Tensors of the base that were quantised and are not any more, but for a GGUF file's blocks.
    pub dequantised: usize,
    /// Bytes of all files.
    pub bytes: u64,
    /// What rounding did to the logits.
    pub shift: LogitShift,
}

/// Writes the merged model. All files get their names when the last byte of the last one is
/// written, the one that makes the folder a model's at the very end.
///
/// # Errors
/// The adapter does not fit the model, or cannot be merged into it; the folder holds something
/// else, or its disk has no room; the user interrupts it.
pub fn merge(request: &MergeRequest<'_>, watch: &mut dyn Watch) -> Result<MergedModel> {
    merge_in_shards(request, SHARD_BYTES, watch)
}

fn merge_in_shards(
    request: &MergeRequest<'_>,
    shard_bytes: u64,
    watch: &mut dyn Watch,
) -> Result<MergedModel> {
    let base = session::find(request.model, watch)?.files;
    let check = OutputCheck::new(request.replace)
        .reading_files(&base)
        .reading("the adapter", request.adapter);
    let folder = ModelFolder::check(request.out, request.replace, &check)?;
    let tokenizer = Tokenizer::load(&base)?;
    let opened = Merge::open(&base, request.adapter)
        .at(|| format!("adapter {}", request.adapter.display()))?;
    let (merged, bytes) = match (&base, request.gguf, request.format) {
        (_, Some(_), Some(_)) => {
            bail!("--dtype is for a folder; --gguf says how a GGUF file's matrices are stored")
        }
        (ModelFiles::Folder { dir, .. }, None, format) => {
            write_folder(&opened, dir, format, shard_bytes, &folder, watch)?
        }
        (ModelFiles::Gguf { .. }, None, _) => bail!(
            "the model is a GGUF file, and so will be the merged one: say how its matrices are stored, with --gguf {}",
            GgufFormat::WORDS.join(", --gguf ")
        ),
        (ModelFiles::Folder { .. }, Some(format), None) => {
            let metadata = tokenizer.to_gguf(opened.config().vocab_size)?;
            write_gguf(&opened.gguf(format, metadata)?, format, &folder, watch)?
        }
        (ModelFiles::Gguf { .. }, Some(format), None) => {
            let planned = opened.gguf(format, BTreeMap::new())?;
            write_gguf(&planned, format, &folder, watch)?
        }
    };
    let prompts = rounding::encode_prompts(&tokenizer)?;
    let shift = rounding::compare(&base, opened.adapter(), &merged, &prompts)?;
    Ok(MergedModel {
        changed: opened.adapter().weights.len(),
        dequantised: opened.quantised(),
        bytes,
        shift,
    })
}

fn write_folder(
    opened: &Merge,
    base: &Path,
    format: Option<FloatFormat>,
    shard_bytes: u64,
    folder: &ModelFolder<'_>,
    watch: &mut dyn Watch,
) -> Result<(ModelFiles, u64)> {
    let file = base.join(CONFIG);
    let config = fs::read(&file).at_path("read", &file)?;
    let read: Value = serde_json::from_slice(&config).at_path("read", &file)?;
    let planned = opened.folder(format, dtype_of(&read), shard_bytes)?;
    folder.check_room(planned.bytes(), "")?;
    let mut drafts = write_shards(&planned, folder, watch)?;
    let weights = planned.shards().iter();
    let weights = weights
        .map(|shard| folder.path().join(&shard.name))
        .collect();
    for name in BESIDE {
        let file = base.join(name);
        if file.is_file() {
            let bytes = fs::read(&file).at_path("read", &file)?;
            drafts.push(((*name).to_owned(), folder.draft(&bytes)?));
        }
    }
    if let Some(index) = planned.index() {
        let text = format!("{index:#}\n");
        drafts.push((INDEX.to_owned(), folder.draft(text.as_bytes())?));
    }
    let config = match new_config(&read, format, opened.quantised() > 0) {
        Some(changed) => format!("{changed:#}\n").into_bytes(),
        None => config,
    };
    drafts.push((CONFIG.to_owned(), folder.draft(&config)?));
    folder.name_all(drafts)?;
    let files = ModelFiles::Folder {
        dir: folder.path().to_owned(),
        weights,
    };
    Ok((files, planned.bytes()))
}

fn write_shards(
    planned: &MergedFolder<'_>,
    folder: &ModelFolder<'_>,
    watch: &mut dyn Watch,
) -> Result<Vec<(String, Draft)>> {
    watch.start("merging", planned.bytes() as usize, "bytes");
    let (mut drafts, mut done) = (Vec::new(), 0);
    for shard in planned.shards() {
        let mut draft = Draft::create_in(folder.path())?;
        planned.write(shard, &mut |bytes| {
            folder.write_piece(&mut draft, bytes, &mut done, watch)
        })?;
        drafts.push((shard.name.clone(), draft));
    }
    watch.finish(&format!("{} files", drafts.len()));
    Ok(drafts)
}

fn write_gguf(
    planned: &MergedGguf<'_>,
    format: GgufFormat,
    folder: &ModelFolder<'_>,
    watch: &mut dyn Watch,
) -> Result<(ModelFiles, u64)> {
    folder.check_room(planned.bytes(), "")?;
    watch.start("merging", planned.bytes() as usize, "bytes");
    let (mut draft, mut done) = (Draft::create_in(folder.path())?, 0);
    planned.write(&mut |bytes| folder.write_piece(&mut draft, bytes, &mut done, watch))?;
    watch.finish("1 file");
    let name = format!("model.{format}.gguf");
    let path = folder.path().join(&name);
    folder.name_all(vec![(name, draft)])?;
    Ok((ModelFiles::Gguf { path }, planned.bytes()))
}

/// How a model's weights are stored, as its configuration says it.
fn dtype_of(config: &Value) -> Option<FloatFormat> {
    let keys = ["dtype", "torch_dtype"];
    let written = keys.iter().find_map(|key| config.get(key)?.as_str());
    written.and_then(FloatFormat::by_config_name)
}

/// The configuration where it is not the base's: another dtype, or no quantisation any more.
fn new_config(config: &Value, format: Option<FloatFormat>, was_quantised: bool) -> Option<Value> {
    let mut changed = config.clone();
    let members = changed.as_object_mut()?;
    if was_quantised {
        members.shift_remove("quantization_config");
    }
    if let Some(format) = format {
        let key = if members.contains_key("torch_dtype") {
            "torch_dtype"
        } else {
            "dtype"
        };
        members.insert(key.to_owned(), format.config_name().into());
    }
    (changed != *config).then_some(changed)
}

#[cfg(test)]
mod tests;
