//! The command line. Fixed names: others script against them.

mod compare_args;
mod grid_args;
mod init_args;
mod model_args;
mod sharing_args;
mod train_args;
mod translation_args;
mod values;
mod watch_args;

use std::{ops::RangeInclusive, path::PathBuf, sync::Arc};

use clap::{Args, Parser, Subcommand, builder::PossibleValuesParser};
use schema::{
    AskingRecipe, FewShot, LabelSet, Language, PromptForm, Protocol, Scorers, Scoring,
    few_shot::PromptLanguage, task::Precision,
};

pub(crate) use compare_args::CompareArgs;
pub(crate) use grid_args::{
    GridArgs, GridCommand, GridCommandsArgs, GridRetryArgs, GridRunArgs, GridStatusArgs,
    GridSubmitArgs,
};
pub(crate) use init_args::InitArgs;
pub(crate) use model_args::{ModelCommand, PushArgs, RandomArgs};
pub(crate) use sharing_args::{PackArgs, ReproduceArgs};
pub(crate) use train_args::TrainArgs;
pub(crate) use translation_args::{TRANSLATION, TranslationArgs, task_or_translation};
pub(crate) use values::{count, count_or_none, exit_unless_known, languages, task};
use values::{key_value, layers};
pub(crate) use watch_args::WatchArgs;

/// Makes large language models better in many languages at once, and shows why.
///
/// Tunes a model on translated questions (no answers), evaluates it before and after in 20
/// languages, and writes a report (arXiv 2405.13816).
#[derive(Parser)]
#[command(
    version,
    max_term_width = 100,
    after_help = "Example:\n  lingualign run recipes/quickstart.toml"
)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Show what is being done; twice: in detail. The variable LINGUALIGN_LOG takes finer
    /// filters.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Messages and progress: for people, or a JSON object a line (docs/files.md).
    #[arg(long, global = true, value_name = "FORM", default_value = "people", value_parser = ["people", "json"])]
    pub(crate) progress: String,
    /// Threads to use; results do not depend on it. Default: all cores.
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
}

/// The subcommands.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run a whole experiment: data, base evaluation, training, evaluation, analyses, report.
    /// Run the same command again to resume.
    #[command(after_help = "Examples:\n  lingualign run recipes/quickstart.toml\n  \
        lingualign run recipes/snli_zh_de.toml --set data.dir=DATA --set eval.limit=100\n  \
        lingualign run my.toml --only report")]
    Run(RunArgs),
    /// Write a first experiment, its recipe and its data, into a folder, and run it: minutes on a
    /// CPU. Run the same command again to resume.
    #[command(
        after_help = "Examples:\n  lingualign quickstart\n  lingualign quickstart --dir try --only data"
    )]
    Quickstart(QuickstartArgs),
    /// Write an experiment of your own to begin with: a task file, a few example rows in each language,
    /// pairs, and a recipe that runs as it is.
    #[command(after_help = "Example:\n  lingualign init mytask --languages en,de,es")]
    Init(InitArgs),
    /// Print the resolved recipe with every default, or every problem in it; and what `run` would
    /// do, skip and take. Needs no model.
    #[command(
        after_help = "Example:\n  lingualign check recipes/quickstart.toml --set train.epochs=1"
    )]
    Check(CheckArgs),
    /// A recipe with [grid], which stands for many: plan its cells, make them here or on a cluster,
    /// and report on them together.
    #[command(
        subcommand,
        after_help = "Example:\n  lingualign grid plan recipes/grid.toml"
    )]
    Grid(GridCommand),
    /// Only train the recipe's adapters.
    #[command(
        after_help = "Examples:\n  lingualign train recipes/quickstart.toml --out runs/first\n  \
        mpirun -n 4 --bind-to none lingualign train recipes/quickstart.toml --workers mpi"
    )]
    Train(TrainArgs),
    /// Evaluate one model, with or without adapters, and write one JSON line per question.
    #[command(
        after_help = "Example:\n  lingualign eval --model smollm2-135m-instruct --task emotion --data assets/mini \\\n    \
        --languages de,sw --few-shot builtin --out answers.jsonl\n  \
        lingualign eval --model MODEL --adapter runs/first/adapters/NAME --base --task translation --questions emotion \\\n    \
        --data assets/mini --languages de,sw --out translations.jsonl"
    )]
    Eval(Box<EvalArgs>),
    /// Write hidden states and logits of rows of text or ids as safetensors.
    #[command(
        after_help = "Examples:\n  lingualign capture --model smollm2-135m-instruct --input rows.jsonl --out hidden.safetensors\n  \
        lingualign capture --model MODEL --input rows.jsonl --tensors hidden.mean,mlp.mean --layers 0,8-16 --out middle.safetensors\n\n\
        Shared prefixes are computed once. Run the same command to resume an interrupted capture."
    )]
    Capture(CaptureArgs),
    /// The change from one file of answers to another: the means, and the languages in which it is
    /// clear.
    #[command(
        after_help = "Examples:\n  lingualign compare base.jsonl tuned.jsonl\n  lingualign compare base.jsonl tuned.jsonl --all\n  \
        lingualign compare answers.jsonl harness/results/MODEL"
    )]
    Compare(CompareArgs),
    /// Continue a prompt greedily.
    #[command(
        after_help = "Example:\n  lingualign generate --model smollm2-135m-instruct --prompt \"The capital of Iceland is\""
    )]
    Generate(GenerateArgs),
    /// Add an adapter to its model's weights, and write the sum as a model.
    #[command(
        after_help = "Examples:\n  lingualign merge --model MODEL --adapter runs/NAME/adapters/ADAPTER --out merged\n  \
        lingualign merge --model model.gguf --adapter DIR --gguf q8_0 --out merged"
    )]
    Merge(crate::commands::merge::MergeArgs),
    /// Import, build, translate and audit data.
    #[command(
        subcommand,
        after_help = "Example:\n  lingualign data audit assets/mini"
    )]
    Data(crate::commands::data::DataCommand),
    /// List, fetch, verify, show and make up models.
    #[command(subcommand, after_help = "Example:\n  lingualign model list")]
    Model(ModelCommand),
    /// Put a finished run into one file: recipe, records, adapters and report; data and model by
    /// their hashes.
    #[command(after_help = "Example:\n  lingualign pack runs/quickstart")]
    Pack(PackArgs),
    /// Run the recipe of a packed run again, and say what differs. Exit code 1 if an answer does.
    #[command(after_help = "Examples:\n  lingualign reproduce quickstart.zip\n  \
        lingualign reproduce study.zip --data DATA --model ../models/qwen")]
    Reproduce(ReproduceArgs),
    /// Print what a shell needs to complete commands and flags.
    #[command(
        after_help = "Examples:\n  lingualign completions bash > ~/.local/share/bash-completion/completions/lingualign\n  \
        lingualign completions zsh > ~/.zfunc/_lingualign"
    )]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write the manual pages, one for each command.
    #[command(after_help = "Example:\n  lingualign man ~/.local/share/man/man1")]
    Man {
        /// The folder.
        #[arg(value_name = "DIR")]
        out: PathBuf,
    },
    /// Write the report of run folders again, from their records alone.
    #[command(after_help = "Example:\n  lingualign report runs/quickstart")]
    Report(ReportArgs),
    /// Show a run or a grid in a browser of this machine while it works: stages, time left, loss,
    /// accuracies as they come.
    #[command(after_help = "Example:\n  lingualign watch runs/quickstart")]
    Watch(WatchArgs),
}

/// `report`
#[derive(Args)]
pub(crate) struct ReportArgs {
    /// Run folders.
    #[arg(required = true, value_name = "RUN_DIR")]
    pub(crate) runs: Vec<PathBuf>,
    /// Also write the page as one file that holds its tables: report/single.html.
    #[arg(long)]
    pub(crate) single_file: bool,
    /// Also write the answers as results and samples of lm-evaluation-harness.
    #[arg(long, value_name = "DIR")]
    pub(crate) lm_eval: Option<PathBuf>,
    /// Data folder of the evaluation, if it has moved since (with --lm-eval).
    #[arg(long, value_name = "DIR", requires = "lm_eval")]
    pub(crate) data: Option<PathBuf>,
    /// Also write the results in the schema of Every Eval Ever, below DIR/data.
    #[arg(long, value_name = "DIR", requires = "organization")]
    pub(crate) every_eval: Option<PathBuf>,
    /// Who publishes them (with --every-eval).
    #[arg(long, value_name = "NAME", requires = "every_eval")]
    pub(crate) organization: Option<String>,
    /// Also write the trainings' curves for TensorBoard, a folder per adapter below DIR.
    #[arg(long, value_name = "DIR")]
    pub(crate) tensorboard: Option<PathBuf>,
}

/// A recipe and what overrides it.
#[derive(Args)]
pub(crate) struct RecipeArgs {
    /// The recipe.
    pub(crate) recipe: PathBuf,
    /// Override a key of the recipe; recorded with the run. May be given several times.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(crate) set: Vec<(String, String)>,
}

/// `check`
#[derive(Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) recipe: RecipeArgs,
    /// The run folder whose finished stages would be skipped. Default: `runs/` and the name of
    /// the recipe.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) device: DeviceArgs,
}

/// `quickstart`
#[derive(Args)]
pub(crate) struct QuickstartArgs {
    /// The folder for recipe, data and run.
    #[arg(long, default_value = "quickstart")]
    pub(crate) dir: PathBuf,
    /// Override a key of the recipe; recorded with the run. May be given several times.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(crate) set: Vec<(String, String)>,
    /// Only these stages.
    #[arg(long, value_delimiter = ',', value_parser = PossibleValuesParser::new(run::Parts::NAMES))]
    pub(crate) only: Vec<String>,
    #[command(flatten)]
    pub(crate) finished: FinishedArgs,
    #[command(flatten)]
    pub(crate) device: DeviceArgs,
}

/// `run`
#[derive(Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) recipe: RecipeArgs,
    /// The run folder. Default: `runs/` and the name of the recipe.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Only these stages.
    #[arg(long, value_delimiter = ',', value_parser = PossibleValuesParser::new(run::Parts::NAMES))]
    pub(crate) only: Vec<String>,
    /// First hash every file of finished stages, and stop where one is not as it was written.
    #[arg(long)]
    pub(crate) verify: bool,
    #[command(flatten)]
    pub(crate) finished: FinishedArgs,
    #[command(flatten)]
    pub(crate) device: DeviceArgs,
}

/// What becomes of finished stages that were made with other keys, another model or another device.
/// Without a flag such a run is refused.
#[derive(Args)]
pub(crate) struct FinishedArgs {
    /// Make finished stages again where a key, the model or the device has changed since.
    #[arg(long, conflicts_with = "new")]
    pub(crate) redo: bool,
    /// Keep the run folder as it is and work in a fresh one beside it, with a number behind its name.
    #[arg(long)]
    pub(crate) new: bool,
}

/// Where to compute.
#[derive(Args)]
pub(crate) struct DeviceArgs {
    /// auto, cpu, cuda, cuda:N or metal.
    #[arg(long, default_value = "auto")]
    pub(crate) device: String,
}

/// `eval`
#[derive(Args)]
pub(crate) struct EvalArgs {
    /// Catalogue name, Hugging Face folder, .gguf file or hub id.
    #[arg(long)]
    pub(crate) model: String,
    /// A PEFT folder; may be given several times, each is evaluated in turn.
    #[arg(long, value_name = "DIR")]
    pub(crate) adapter: Vec<PathBuf>,
    /// Evaluate the base model first, when there are adapters.
    #[arg(long)]
    pub(crate) base: bool,
    /// A task's name, the path of a task file (docs/tasks.md), or `translation`: what adapters
    /// are trained to do.
    #[arg(long, value_parser = task_or_translation)]
    pub(crate) task: String,
    #[command(flatten)]
    pub(crate) translation: TranslationArgs,
    /// Folder with the task's test files; of translations, with the translated questions.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// Comma-separated codes, or `all`: every language with a test file in the folder.
    #[arg(long, default_value = "all", value_parser = languages)]
    pub(crate) languages: std::sync::Arc<[Language]>,
    /// Which words are scored: english, same, agnostic, or a set that the task's file names.
    #[arg(long, default_value = "english", value_parser = schema::recipe::read_labels)]
    pub(crate) labels: LabelSet,
    /// prefix: the paper's sum over prefix tokens; sequence: exact probabilities;
    /// sequence-mean, sequence-bytes, sequence-characters: their geometric mean by token, by byte
    /// or by character of the label; contextual, batch, pmi: exact probabilities corrected for the
    /// label prior. Default: the task's own, or prefix.
    #[arg(long)]
    pub(crate) scoring: Option<Scoring>,
    /// all: record what every scoring needs; chosen: only what this one needs.
    #[arg(long, default_value = "all")]
    pub(crate) scorers: Scorers,
    /// Questions per language that are also answered by free greedy decoding.
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = count_or_none)]
    pub(crate) greedy: usize,
    /// How prompts reach the model: plain; chat: by its chat template, exemplars as turns;
    /// chat-one-turn: the same with the exemplars in the question's turn.
    #[arg(long, default_value = "plain", value_name = "FORM")]
    pub(crate) prompt: PromptForm,
    #[command(flatten)]
    pub(crate) prompts: PromptArgs,
    /// f32; bf16; packed: as the file stores it, quantised blocks staying blocks; nf4:
    /// projections in 4 bits.
    #[arg(long, default_value = "f32")]
    pub(crate) dtype: Precision,
    /// Question tokens run at once; results do not depend on it.
    #[arg(long, default_value_t = 2048, value_name = "N", value_parser = count)]
    pub(crate) tokens_per_batch: usize,
    /// Where the answers go: an ordinary file, no device or pipe. Answers of an
    /// earlier evaluation there are replaced, those of an unfinished one are resumed.
    #[arg(long, value_name = "FILE.jsonl")]
    pub(crate) out: PathBuf,
    /// Replace any file that is there, unless this command reads it.
    #[arg(long)]
    pub(crate) replace: bool,
    /// Also write the answers as results and samples of lm-evaluation-harness.
    #[arg(long, value_name = "DIR")]
    pub(crate) lm_eval: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) device: DeviceArgs,
}

/// How prompts are made, for `eval` and `data lm-eval`.
#[derive(Args)]
pub(crate) struct PromptArgs {
    /// How to treat defects of the released files: paper or corrected. Default: refuse them.
    #[arg(long)]
    protocol: Option<Protocol>,
    /// head:K, seed:SEED:K[:POOL|:train], file:PATH, builtin or zero; +order:SEED permutes
    /// them. Default: the task's own, or head:K with its K.
    #[arg(long)]
    few_shot: Option<FewShot>,
    /// Language of the exemplars: same or english.
    #[arg(long, default_value = "same")]
    exemplar_language: PromptLanguage,
    /// Language of the header words: same or english.
    #[arg(long, default_value = "same")]
    header_language: PromptLanguage,
    /// Scored items per language; of translations 200 where it is not given.
    #[arg(long, value_name = "N", value_parser = count)]
    pub(crate) limit: Option<usize>,
}

impl PromptArgs {
    /// The same as a recipe says it, with the paper's scoring.
    pub(crate) fn asking(&self, labels: LabelSet) -> AskingRecipe {
        AskingRecipe {
            labels: vec![labels],
            protocol: self.protocol,
            few_shot: self.few_shot.iter().cloned().collect(),
            exemplar_language: self.exemplar_language,
            header_language: self.header_language,
            limit: self.limit,
            ..AskingRecipe::paper()
        }
    }
}

/// `capture`
#[derive(Args)]
pub(crate) struct CaptureArgs {
    /// Catalogue name, Hugging Face folder, .gguf file or hub id.
    #[arg(long)]
    pub(crate) model: String,
    /// A PEFT folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) adapter: Option<PathBuf>,
    /// JSON Lines: {"text": ...} or {"ids": [...]} per line.
    #[arg(long, value_name = "ROWS.jsonl")]
    pub(crate) input: PathBuf,
    /// Where the tensors go: an ordinary file, no device or pipe. A capture that is there is
    /// replaced.
    #[arg(long, value_name = "FILE.safetensors")]
    pub(crate) out: PathBuf,
    /// Replace any file that is there, unless this command reads it.
    #[arg(long)]
    pub(crate) replace: bool,
    /// Which tensors. Default: all but those of the mlp, which are silu(gate) * up of each
    /// block.
    #[arg(long, value_delimiter = ',', value_parser = PossibleValuesParser::new(analyse::CapturedTensor::WORDS))]
    pub(crate) tensors: Vec<String>,
    /// Which layers, as 0,4,8-12: 0 is the output of the embedding, 1 and above are those of
    /// the blocks. Default: all.
    #[arg(long, value_parser = layers)]
    pub(crate) layers: Option<Arc<[RangeInclusive<usize>]>>,
    /// f32; bf16; packed: as the file stores it, quantised blocks staying blocks; nf4:
    /// projections in 4 bits.
    #[arg(long, default_value = "f32")]
    pub(crate) dtype: Precision,
    #[command(flatten)]
    pub(crate) device: DeviceArgs,
}

/// `generate`
#[derive(Args)]
pub(crate) struct GenerateArgs {
    /// Catalogue name, Hugging Face folder, .gguf file or hub id.
    #[arg(long)]
    pub(crate) model: String,
    /// A PEFT folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) adapter: Option<PathBuf>,
    /// What to continue, or with --chat what to ask.
    #[arg(long)]
    pub(crate) prompt: String,
    /// Ask by the model's chat template, with thinking switched off where it can be.
    #[arg(long)]
    pub(crate) chat: bool,
    /// With --chat: the system message before the question. Default: whatever the template puts there.
    #[arg(long, value_name = "TEXT", requires = "chat")]
    pub(crate) system: Option<String>,
    /// Maximum number of tokens to generate.
    #[arg(long, default_value_t = 64, value_parser = count_or_none)]
    pub(crate) max_new_tokens: usize,
    /// f32; bf16; packed: as the file stores it, quantised blocks staying blocks; nf4:
    /// projections in 4 bits.
    #[arg(long, default_value = "f32")]
    pub(crate) dtype: Precision,
    #[command(flatten)]
    pub(crate) device: DeviceArgs,
}
