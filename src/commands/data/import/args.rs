//! The flags of `data import`. Never here: what they do.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use data::table::TableFormat;
use hub::HubId;
use schema::Language;

/// Examples shown by `--help`.
pub(crate) const EXAMPLES: &str = "Examples.
A CSV file with columns sent_a, sent_b, label (0, 1, 2; -1: no gold) becomes data/snli/snli_de<count>_test.json:
  lingualign data import de.csv --as snli --language de --out data \\
    --map premise=sent_a,hypothesis=sent_b,answer=label \\
    --labels 0=entailment,1=neutral,2=contradiction --drop=-1
A published data set, from the hub or from files at hand; 300 questions per language, the same in all:
  lingualign data import --preset xnli --hub facebook/xnli --language de,fr,sw --take 300 --balance --out xnli
  lingualign data import XNLI-1.0/xnli.test.tsv --preset xnli --out xnli
  lingualign eval --task snli --data xnli ...
Translation pairs to tune on, from two files joined by an id, from one, or from a LLaMA-Factory folder:
  lingualign data import de.csv --english en.csv --key id --as snli --language de --out data
  lingualign data import both.tsv --kind pairs --as emotion --language sw --map question=sw,english=en --out data
  lingualign data import built --as snli --out data
Plain text for `capture`, one file per language:
  lingualign data import --preset flores-plus --hub openlanguagedata/flores_plus --language de,en --out flores

Presets: amazon-polarity, snli, paws, xnli, paws-x, flores-plus. A gated data set of the hub needs HF_TOKEN.";

/// `data import`
#[derive(Args)]
pub(crate) struct ImportArgs {
    /// A file, or a folder of files; one with a `dataset_info.json` is read as LLaMA-Factory's.
    #[arg(
        value_name = "FILE_OR_DIR",
        required_unless_present = "hub",
        conflicts_with = "hub"
    )]
    pub(super) input: Option<PathBuf>,
    /// A data set of the Hugging Face hub: `org/name[@revision]`.
    #[arg(long, value_name = "ID")]
    pub(super) hub: Option<HubId>,
    /// Which files of a folder or a data set: their path, in which `*` matches anything but a
    /// slash.
    #[arg(long, value_name = "PATTERN", conflicts_with = "preset")]
    pub(super) files: Option<String>,
    /// A published data set whose files, columns and labels are known.
    #[arg(long, value_name = "NAME")]
    pub(super) preset: Option<String>,
    /// The task whose questions they are, by its name or the path of a task file, or `text`. A
    /// preset knows it.
    #[arg(long = "as", value_name = "TASK|text")]
    pub(super) task: Option<String>,
    /// What to make of the rows.
    #[arg(long, value_enum)]
    pub(super) kind: Option<ImportKind>,
    /// The rows' language; with a preset several, with commas (default: all that are there).
    #[arg(long, value_name = "CODES", value_delimiter = ',')]
    pub(super) language: Vec<Language>,
    /// The column with each row's language, for a file with several.
    #[arg(long, value_name = "COLUMN", conflicts_with = "preset")]
    pub(super) language_column: Option<String>,
    /// Values of that column and the languages that they mean; default: the codes. Other rows
    /// are skipped.
    #[arg(long, value_name = "VALUE=CODE,...", value_delimiter = ',', value_parser = pair, requires = "language_column")]
    pub(super) codes: Vec<(String, String)>,
    /// Folder for what is written. For further test sets of a task, use a folder other
    /// than the paper's data.
    #[arg(long, value_name = "DIR")]
    pub(super) out: PathBuf,
    /// csv, tsv, json (a list), jsonl, parquet. Default: by the extension.
    #[arg(long)]
    pub(super) format: Option<TableFormat>,
    /// Whether fields may be in double quotes. Default: csv yes, tsv no.
    #[arg(long, value_name = "BOOL")]
    pub(super) quoted: Option<bool>,
    /// The columns of a CSV or TSV file without a header.
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pub(super) columns: Option<Vec<String>>,
    /// The column of each field: the task's fields and `answer`; `text` and `id`; of pairs the
    /// fields or `question`, and `english` or `english.FIELD`. Default: columns of the same
    /// names.
    #[arg(long, value_name = "FIELD=COLUMN,...", value_delimiter = ',', value_parser = pair)]
    pub(super) map: Vec<(String, String)>,
    /// The meaning of the values of the answer's column. Default: they are the label words.
    #[arg(long, value_name = "VALUE=LABEL,...", value_delimiter = ',', value_parser = pair)]
    pub(super) labels: Vec<(String, String)>,
    /// Leave out rows with this label, and count them; '' for rows without one. May be given
    /// several times.
    #[arg(long, value_name = "LABEL", allow_hyphen_values = true)]
    pub(super) drop: Vec<String>,
    /// Leave out rows with this text, and count them; '' for empty ones.
    #[arg(long, value_name = "TEXT")]
    pub(super) drop_text: Vec<String>,
    /// A file with the same questions in English: translation pairs are made.
    #[arg(long, value_name = "FILE")]
    pub(super) english: Option<PathBuf>,
    /// The column with the id by which the two files are joined. Default: by position.
    #[arg(long, value_name = "COLUMN", requires = "english")]
    pub(super) key: Option<String>,
    /// Without --key: the position counts though both files have a column `id` and it differs.
    #[arg(long, requires = "english", conflicts_with = "key")]
    pub(super) by_position: bool,
    /// Columns that must be equal in both files.
    #[arg(
        long,
        value_name = "COLUMN,...",
        value_delimiter = ',',
        requires = "english"
    )]
    pub(super) same: Vec<String>,
    /// The data set in a folder that lists several.
    #[arg(long, value_name = "NAME")]
    pub(super) dataset: Option<String>,
    /// Of a preset: train, validation or test. Default: test, and train for labelled training
    /// questions.
    #[arg(long, requires = "preset")]
    pub(super) split: Option<String>,
    /// Take N rows of each language, at random, in their order.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub(super) take: Option<u64>,
    /// Seed of the rows taken.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(super) seed: u64,
    /// As many rows of each label.
    #[arg(long)]
    pub(super) balance: bool,
    /// Replace files of the same task, language and kind that are there.
    #[arg(long)]
    pub(super) replace: bool,
}

/// The kinds of files made of the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ImportKind {
    /// A test set.
    Test,
    /// Labelled training questions.
    Train,
    /// Translation pairs.
    Pairs,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text
        .split_once('=')
        .ok_or_else(|| format!("`{text}` has no `=`"))?;
    Ok((key.to_owned(), value.to_owned()))
}
