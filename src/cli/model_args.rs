//! The flags of `model`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use model::random::FloatFormat;

use super::values::count;

/// `model ...`
#[derive(Subcommand)]
pub(crate) enum ModelCommand {
    /// The catalogue, and what is in the cache.
    #[command(after_help = "Example:\n  lingualign model list")]
    List,
    /// Fetch a catalogue model or a hub id.
    #[command(after_help = "Example:\n  lingualign model pull smollm2-135m-instruct")]
    Pull {
        /// Catalogue name or hub id.
        name: String,
        /// Fetch it again though it is in the cache. Files whose SHA-256 the hub promises and the
        /// cache has are not sent twice.
        #[arg(long)]
        force: bool,
    },
    /// Compare files in the cache with the SHA-256 that they had when they were fetched.
    #[command(after_help = "Example:\n  lingualign model verify smollm2-135m-instruct")]
    Verify {
        /// Catalogue name or hub id. Default: all that was fetched, data sets too.
        name: Option<String>,
    },
    /// Write a model of random weights, with a tokenizer that fits: for questions of memory and
    /// speed. Its answers mean nothing.
    #[command(
        after_help = "Examples:\n  lingualign model random --like mistral-7b --out made-up\n  \
        lingualign model random --like path/to/config.json --layers 2 --dtype f32 --out made-up"
    )]
    Random(RandomArgs),
    /// Show a model's shape and files.
    #[command(after_help = "Example:\n  lingualign model show smollm2-135m-instruct")]
    Show {
        /// Catalogue name, folder, .gguf file or hub id.
        model: String,
    },
}

/// `model random`
#[derive(Args)]
pub(crate) struct RandomArgs {
    /// Whose shape: a catalogue name, a folder with a config.json, or such a file.
    #[arg(long, value_name = "MODEL")]
    pub(crate) like: String,
    /// How weights are stored: bf16, f16 or f32.
    #[arg(long, default_value = "bf16")]
    pub(crate) dtype: FloatFormat,
    /// The same seed writes the same bytes.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) seed: u64,
    /// Layers. Default: as many as the model has.
    #[arg(long, value_name = "N", value_parser = count)]
    pub(crate) layers: Option<usize>,
    /// The folder: a new one, or an empty one.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Replace a model that is there, unless it is the one to imitate.
    #[arg(long)]
    pub(crate) replace: bool,
}
