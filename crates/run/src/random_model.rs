//! A made-up model of any shape, written as a Hugging Face folder: random weights, and a tokenizer
//! whose vocabulary has the size of the embedding. For questions of size and speed; its answers
//! mean nothing. Never here: flags, printing.

mod shape;

use std::path::Path;

use data::tokenizer::made_up::{self, MadeUpTokenizer};
use model::random::{FloatFormat, RandomWeights, RandomWeightsRecipe};
use schema::disk::Draft;
use serde_json::Value;

use self::shape::{RandomModelShape, config_file, find_shape};
use crate::{
    error::Result,
    model_folder::{CONFIG, INDEX, ModelFolder, SHARD_BYTES},
    output::OutputCheck,
    watch::Watch,
};

/// What is to be made.
pub struct RandomModelRequest<'a> {
    /// A name of the catalogue, a folder with a `config.json`, or such a file.
    pub like: &'a str,
    /// How weights are stored.
    pub format: FloatFormat,
    /// The same seed makes the same files.
    pub seed: u64,
    /// Layers; `None`: as many as the model that is imitated.
    pub layers: Option<usize>,
    /// The folder.
    pub out: &'a Path,
    /// A model that is there may be replaced.
    pub replace: bool,
}

/// What was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RandomModelSize {
    /// Weights in all.
    pub parameters: u64,
    /// Bytes of all files.
    pub bytes: u64,
}

/// Makes the model's folder. All files get their names when the last byte of the last one is
/// written, `config.json` at the very end, so that a folder with one is whole.
///
/// # Errors
/// There is no such model to imitate, or this decoder cannot be it; the folder holds something
/// else, or its disk has no room; the user interrupts it.
pub fn make(request: &RandomModelRequest<'_>, watch: &mut dyn Watch) -> Result<RandomModelSize> {
    make_in_shards(request, SHARD_BYTES, watch)
}

fn make_in_shards(
    request: &RandomModelRequest<'_>,
    shard_bytes: u64,
    watch: &mut dyn Watch,
) -> Result<RandomModelSize> {
    let shape = find_shape(request)?;
    let recipe = RandomWeightsRecipe {
        format: request.format,
        seed: request.seed,
        initializer_range: shape.initializer_range,
        shard_bytes,
    };
    let weights = RandomWeights::plan(&shape.decoder, recipe)?;
    let tokenizer = made_up::make_up(shape.decoder.vocab_size)?;
    let texts = write_texts(shape, &weights, tokenizer, request.format);
    let of_texts: usize = texts.iter().map(|(_, text)| text.len()).sum();
    let size = RandomModelSize {
        parameters: weights.parameters(),
        bytes: weights.bytes() + of_texts as u64,
    };
    let check = OutputCheck::new(request.replace);
    let check = match config_file(request.like) {
        Some(file) => check.reading("the model to imitate", &file),
        None => check,
    };
    let folder = ModelFolder::check(request.out, request.replace, &check)?;
    folder.check_room(size.bytes, ", or take fewer --layers")?;
    let mut drafts = write_weights(&weights, &folder, watch)?;
    for (name, text) in texts {
        drafts.push((name, folder.draft(text.as_bytes())?));
    }
    folder.name_all(drafts)?;
    Ok(size)
}

/// The files beside the weights; the last one makes the folder a model's.
fn write_texts(
    shape: RandomModelShape,
    weights: &RandomWeights,
    tokenizer: MadeUpTokenizer,
    format: FloatFormat,
) -> Vec<(String, String)> {
    let mut config = shape.config;
    for (key, value) in [
        ("dtype", Value::from(format.config_name())),
        ("bos_token_id", Value::Null),
        ("eos_token_id", tokenizer.end.into()),
        ("pad_token_id", tokenizer.end.into()),
    ] {
        config.insert(key.to_owned(), value);
    }
    let mut texts = vec![
        ("tokenizer.json".to_owned(), tokenizer.tokenizer),
        ("tokenizer_config.json".to_owned(), tokenizer.config),
    ];
    if let Some(index) = weights.index() {
        texts.push((INDEX.to_owned(), format!("{index:#}\n")));
    }
    let config = Value::Object(config);
    texts.push((CONFIG.to_owned(), format!("{config:#}\n")));
    texts
}

fn write_weights(
    weights: &RandomWeights,
    folder: &ModelFolder<'_>,
    watch: &mut dyn Watch,
) -> Result<Vec<(String, Draft)>> {
    watch.start("making up weights", weights.bytes() as usize, "bytes");
    let (mut drafts, mut done) = (Vec::new(), 0);
    for shard in weights.shards() {
        let mut draft = Draft::create_in(folder.path())?;
        for piece in weights.pieces(shard) {
            folder.write_piece(&mut draft, &piece, &mut done, watch)?;
        }
        drafts.push((shard.name.clone(), draft));
    }
    let parameters = weights.parameters() as f64 / 1e9;
    watch.finish(&format!("{parameters:.2} B weights"));
    Ok(drafts)
}

#[cfg(test)]
mod tests;
