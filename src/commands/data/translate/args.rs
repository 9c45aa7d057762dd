//! The flags of `data translate`. Never here: what they do.

use std::path::PathBuf;

use clap::Args;
use schema::{Language, Protocol, task::Precision};

use crate::cli::DeviceArgs;

/// `data translate`
#[derive(Args)]
pub(crate) struct TranslateArgs {
    /// google-v2, google-v3, deepl, libretranslate, openai (any compatible server), command, or
    /// model (ours).
    #[arg(long, value_parser = ENGINES)]
    pub(super) engine: String,
    /// Source language.
    #[arg(long, value_name = "CODE")]
    pub(super) from: Language,
    /// Target language.
    #[arg(long, value_name = "CODE")]
    pub(super) to: Language,
    /// Whose questions the file holds; not needed for plain lines.
    #[arg(long, value_parser = crate::cli::task)]
    pub(super) task: Option<String>,
    /// Questions with labels (*.json), translation pairs (*_train_question.json), or {"text":
    /// ...} lines (*.jsonl).
    #[arg(long = "in", value_name = "FILE")]
    pub(super) input: PathBuf,
    /// Where the result goes; its name chooses the layout in the same way:
    /// *_train_question.json makes pairs.
    #[arg(long, value_name = "FILE", required_unless_present = "dry_run")]
    pub(super) out: Option<PathBuf>,
    /// Replace the file of --out if it is there, unless it is the input.
    #[arg(long)]
    pub(super) replace: bool,
    /// Translate only the first items.
    #[arg(long, value_name = "N", value_parser = crate::cli::count)]
    pub(super) limit: Option<usize>,
    /// How to treat gold labels of a released file that its scorer does not know: paper or
    /// corrected.
    #[arg(long)]
    pub(super) protocol: Option<Protocol>,
    /// Send nothing: report how much would be sent, and what it would cost.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// US dollars per million characters, for the estimate. Default: the list price, if one is
    /// known.
    #[arg(long, value_name = "DOLLARS", value_parser = rate)]
    pub(super) price_per_million: Option<f64>,
    /// The file of translated lines. Default: translations.redb in the folder of fetched models.
    #[arg(long, value_name = "FILE")]
    pub(super) cache: Option<PathBuf>,
    #[command(flatten)]
    pub(super) service: ServiceArgs,
    #[command(flatten)]
    pub(super) pace: PaceArgs,
    #[command(flatten)]
    pub(super) local: LocalArgs,
}

/// How a service is reached.
#[derive(Args)]
#[command(next_help_heading = "Services")]
pub(super) struct ServiceArgs {
    /// Address of the service, if not its own: your LibreTranslate, a local chat server.
    #[arg(long)]
    pub(super) url: Option<String>,
    /// Chat model; DeepL's model type; Google v3's model; for the engine `model`: name, folder
    /// or .gguf file.
    #[arg(long, value_name = "NAME")]
    pub(super) model: Option<String>,
    /// Sampling temperature of a chat model, or `default` to leave it to the server. Default:
    /// 0.
    #[arg(long, value_name = "T", value_parser = temperature)]
    pub(super) temperature: Option<Temperature>,
    /// The engine's code for the source language, if it differs from the usual one.
    #[arg(long, value_name = "CODE")]
    pub(super) source_code: Option<String>,
    /// The same for the target language.
    #[arg(long, value_name = "CODE")]
    pub(super) target_code: Option<String>,
    /// A command that reads lines and writes as many, run without a shell: 'apertium -u
    /// eng-spa'.
    #[arg(long, value_name = "LINE")]
    pub(super) command: Option<String>,
}

/// How fast, and how often.
#[derive(Args)]
#[command(next_help_heading = "Pace")]
pub(super) struct PaceArgs {
    /// Requests under way at once. The engine `model` takes one.
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(super) parallel: u16,
    /// Maximum number of lines per request. Default: what the engine takes.
    #[arg(long, value_name = "N", value_parser = crate::cli::count)]
    pub(super) lines_per_request: Option<usize>,
    /// Maximum number of requests started per second.
    #[arg(long, value_name = "N", value_parser = positive)]
    pub(super) requests_per_second: Option<f64>,
    /// Maximum number of characters sent per minute.
    #[arg(long, value_name = "N", value_parser = positive)]
    pub(super) characters_per_minute: Option<f64>,
    /// Number of tries per request before the job ends.
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(super) tries: u32,
    /// Seconds to wait after a first failure; doubled each time, up to a minute.
    #[arg(long, default_value_t = 1.0, value_name = "SECONDS", value_parser = rate)]
    pub(super) retry_pause: f64,
    /// Maximum number of seconds per answer. Default: 60 to 600, by engine.
    #[arg(long, value_name = "SECONDS", value_parser = positive)]
    pub(super) timeout: Option<f64>,
}

/// The engine `model`.
#[derive(Args)]
#[command(next_help_heading = "The engine `model`")]
pub(super) struct LocalArgs {
    /// A PEFT folder.
    #[arg(long, value_name = "DIR")]
    pub(super) adapter: Option<PathBuf>,
    /// Maximum number of tokens to generate per line.
    #[arg(long, default_value_t = 256, value_name = "N", value_parser = crate::cli::count)]
    pub(super) max_new_tokens: usize,
    /// f32; bf16; packed; nf4.
    #[arg(long, default_value = "f32")]
    pub(super) dtype: Precision,
    #[command(flatten)]
    pub(super) device: DeviceArgs,
}

/// `None`: the server's default.
#[derive(Clone, Copy)]
pub(super) struct Temperature(pub(super) Option<f64>);

const ENGINES: [&str; 7] = [
    "google-v2",
    "google-v3",
    "deepl",
    "libretranslate",
    "openai",
    "command",
    "model",
];

/// Shown behind `--help`.
pub(crate) const AFTER_HELP: &str = "\
Keys come from the environment alone, and are neither logged nor kept:
  google-v2       GOOGLE_API_KEY
  google-v3       GOOGLE_ACCESS_TOKEN (gcloud auth print-access-token), GOOGLE_CLOUD_PROJECT
  deepl           DEEPL_API_KEY
  libretranslate  LIBRETRANSLATE_API_KEY (your own server may need none)
  openai          OPENAI_API_KEY (your own server may need none)

Only the questions' texts are sent: label words, header words and instructions come from the
task's table. No line is paid for twice: each answer is on disk before the next request, and
the same command resumes an interrupted job. More: docs/data.md.

Examples:
  # What would it cost to make Swahili-English pairs of the English training questions?
  lingualign data translate --engine google-v2 --from en --to sw --task snli \\
    --in snli_en10k_train.json --dry-run
  # Make them
  lingualign data translate --engine google-v2 --from en --to sw --task snli \\
    --in snli_en10k_train.json --out snli_sw10k_train_question.json
  # A test file, by a chat model on this machine
  lingualign data translate --engine openai --url http://localhost:8000/v1 --model my-model \\
    --from en --to de --task emotion --in emotion_en500_test.json --out emotion_de500_test.json
  # By a command
  lingualign data translate --engine command --command 'apertium -u eng-spa' --from en --to es \\
    --task paws --in paws_en500_test.json --out paws_es500_test.json
  # By the model that was tuned
  lingualign data translate --engine model --model smollm2-135m-instruct --adapter ADAPTER \\
    --from de --to en --in lines.jsonl --out english.jsonl";

/// Of what must be above 0: less would be a pause longer than a clock can count.
const LEAST: f64 = 1e-6;

fn rate(text: &str) -> Result<f64, String> {
    let number = text
        .parse()
        .ok()
        .filter(|number: &f64| number.is_finite() && (0.0..=1e9).contains(number));
    number.ok_or_else(|| "must be a number from 0 to 1000000000".to_owned())
}

fn positive(text: &str) -> Result<f64, String> {
    rate(text)
        .ok()
        .filter(|number| *number >= LEAST)
        .ok_or_else(|| format!("must be a number above 0, from {LEAST} to 1000000000"))
}

fn temperature(text: &str) -> Result<Temperature, String> {
    if text == "default" {
        Ok(Temperature(None))
    } else {
        rate(text).map(|number| Temperature(Some(number)))
    }
}
