//! `data import`: flags to a plan, files found or fetched, what was done told.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use data::{
    table::{TableFormat, TableLayout, ends_like},
    tasks,
};
use hub::{Cache, HubId, Sources};
use import::{
    convert::{
        self, ColumnMap, ImportPlan, ImportReport, ImportTarget, InputFile, Join, LanguageColumn,
        QuestionSplit, RowSample,
        preset::{self, Preset},
    },
    llama_factory::{self, DATASET_INFO},
};
use run::Downloads;
use schema::{Language, Task};

use crate::progress::{Terminal, interrupted, note, note_peak_memory, result};

/// Examples shown by `--help`.
pub(super) const EXAMPLES: &str = "Examples.
A CSV file with columns sent_a, sent_b, label (0, 1, 2; -1: no gold) becomes data/snli/snli_de<count>_test.json:
  lingualign data import de.csv --as snli --language de --out data \\
    --map premise=sent_a,hypothesis=sent_b,answer=label \\
    --labels 0=entailment,1=neutral,2=contradiction --drop=-1
A published data set, from the hub or from files at hand; 300 questions a language, the same in all:
  lingualign data import --preset xnli --hub facebook/xnli --language de,fr,sw --take 300 --balance --out xnli
  lingualign data import XNLI-1.0/xnli.test.tsv --preset xnli --out xnli
  lingualign eval --task snli --data xnli ...
Translation pairs to tune on, from two files joined by an id, from one, or from a LLaMA-Factory folder:
  lingualign data import de.csv --english en.csv --key id --as snli --language de --out data
  lingualign data import both.tsv --kind pairs --as emotion --language sw --map question=sw,english=en --out data
  lingualign data import built --as snli --out data
Plain text for `capture`, one file a language:
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
    input: Option<PathBuf>,
    /// A data set of the Hugging Face hub: `org/name[@revision]`.
    #[arg(long, value_name = "ID")]
    hub: Option<HubId>,
    /// Which files of a folder or a data set: their path, in which `*` stands for anything but
    /// a slash.
    #[arg(long, value_name = "PATTERN", conflicts_with = "preset")]
    files: Option<String>,
    /// A published data set whose files, columns and labels are known.
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// The task whose questions they are, or `text`. A preset knows it.
    #[arg(long = "as", value_name = "TASK|text")]
    task: Option<String>,
    /// What is made.
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// The rows' language; with a preset several, with commas (default: all that are there).
    #[arg(long, value_name = "CODES", value_delimiter = ',')]
    language: Vec<Language>,
    /// The column that says the language, for a file with several.
    #[arg(long, value_name = "COLUMN", conflicts_with = "preset")]
    language_column: Option<String>,
    /// What stands in that column for a language; default: the codes. Rows with anything else
    /// are passed over.
    #[arg(long, value_name = "VALUE=CODE,...", value_delimiter = ',', value_parser = pair, requires = "language_column")]
    codes: Vec<(String, String)>,
    /// Folder for what is written. Use another one than that of the paper's data for further
    /// test sets of a task.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// csv, tsv, json (a list), jsonl, parquet. Default: by the extension.
    #[arg(long)]
    format: Option<TableFormat>,
    /// Whether fields stand in double quotes where needed. Default: csv yes, tsv no.
    #[arg(long, value_name = "BOOL")]
    quoted: Option<bool>,
    /// The columns of a CSV or TSV file without a header.
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    columns: Option<Vec<String>>,
    /// Which column is what: the task's fields and `answer`; `text` and `id`; of pairs the
    /// fields or `question`, and `english` or `english.FIELD`. Default: columns of the same
    /// names.
    #[arg(long, value_name = "FIELD=COLUMN,...", value_delimiter = ',', value_parser = pair)]
    map: Vec<(String, String)>,
    /// What the values of the answer's column mean. Default: they are the label words.
    #[arg(long, value_name = "VALUE=LABEL,...", value_delimiter = ',', value_parser = pair)]
    labels: Vec<(String, String)>,
    /// Leave out rows with this label, and count them; '' for rows without one. May be given
    /// several times.
    #[arg(long, value_name = "LABEL", allow_hyphen_values = true)]
    drop: Vec<String>,
    /// Leave out rows with this text, and count them; '' for empty ones.
    #[arg(long, value_name = "TEXT")]
    drop_text: Vec<String>,
    /// A file with the same questions in English: translation pairs are made.
    #[arg(long, value_name = "FILE")]
    english: Option<PathBuf>,
    /// The column with the id by which the two files are joined. Default: by position.
    #[arg(long, value_name = "COLUMN", requires = "english")]
    key: Option<String>,
    /// Columns that must say the same in both files.
    #[arg(
        long,
        value_name = "COLUMN,...",
        value_delimiter = ',',
        requires = "english"
    )]
    same: Vec<String>,
    /// The data set in a folder that lists several.
    #[arg(long, value_name = "NAME")]
    dataset: Option<String>,
    /// Of a preset: train, validation or test. Default: test, and train for labelled training
    /// questions.
    #[arg(long, requires = "preset")]
    split: Option<String>,
    /// Take so many rows of each language, at random, in their order.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    take: Option<u64>,
    /// Seed of what is taken.
    #[arg(long, default_value_t = 0, value_name = "N")]
    seed: u64,
    /// As many rows of each label.
    #[arg(long)]
    balance: bool,
    /// Replace files of the same task, language and kind that are there.
    #[arg(long)]
    replace: bool,
}

/// What is made of the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// A test set.
    Test,
    /// Labelled training questions.
    Train,
    /// Translation pairs.
    Pairs,
}

pub(super) fn run(args: &ImportArgs) -> Result<ExitCode> {
    let mut notes = Vec::new();
    let plan = match &args.preset {
        Some(name) => plan_preset(args, preset::preset(name)?)?,
        None => plan_files(args, &mut notes)?,
    };
    notes.iter().for_each(|text| note(text));
    let Some(report) = convert::run(
        &plan,
        &mut Downloads::new(&mut Terminal::default()),
        &interrupted,
    )?
    else {
        bail!("stopped; nothing was written");
    };
    tell(&report, &plan);
    let missing: Vec<_> = args
        .language
        .iter()
        .filter(|language| !has_file(&report, **language))
        .collect();
    missing
        .iter()
        .for_each(|language| note(&format!("no row is in {language}, which was asked for")));
    note_peak_memory();
    Ok(if missing.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}

fn has_file(report: &ImportReport, language: Language) -> bool {
    report.files.iter().any(|file| file.language == language)
}

fn tell(report: &ImportReport, plan: &ImportPlan<'_>) {
    for file in &report.files {
        let labels = match &plan.target {
            ImportTarget::Questions { task, .. } => {
                let counts = task
                    .labels
                    .iter()
                    .zip(&file.labels)
                    .map(|(label, count)| format!("{label} {count}"));
                format!("  {}", counts.collect::<Vec<_>>().join(", "))
            }
            _ => String::new(),
        };
        result(&format!(
            "{}\t{} items{labels}",
            file.path.display(),
            file.items
        ));
    }
    note(&format!("{} rows read", report.rows));
    for (reason, count) in &report.left_out {
        note(&format!("{count} left out: {reason}"));
    }
    report
        .notes
        .iter()
        .for_each(|text| note(&format!("note: {text}")));
}

/// A plan for a published data set.
fn plan_preset<'a>(args: &ImportArgs, preset: &'static Preset) -> Result<ImportPlan<'a>> {
    if let Some(task) = args
        .task
        .as_deref()
        .filter(|task| Some(*task) != preset.task.as_deref())
    {
        let own = preset.task.as_deref().unwrap_or("text");
        bail!(
            "--as {task}: the preset {} is of {own}; leave --as out",
            preset.name
        );
    }
    if args.kind == Some(Kind::Pairs) || args.english.is_some() {
        bail!(
            "a preset makes test sets and training questions; for pairs give its files with --english and --map"
        );
    }
    let usual = if args.kind == Some(Kind::Train) {
        "train"
    } else {
        "test"
    };
    let split = args.split.as_deref().unwrap_or(usual);
    let files = match (&args.hub, &args.input) {
        (Some(id), _) => fetch(id, &preset.hub_patterns(split, &args.language)?)?,
        (None, Some(path)) => files_of(path)?,
        (None, None) => bail!("give a file, a folder or --hub {}", preset.hub),
    };
    let found = preset.find(&files, split, &args.language)?;
    let form = found.form;
    let map: ColumnMap = form
        .map
        .clone()
        .into_iter()
        .chain(args.map.iter().cloned())
        .collect();
    let labels = if args.labels.is_empty() {
        form.labels.clone()
    } else {
        args.labels.iter().cloned().collect()
    };
    let target = match &preset.task {
        Some(task) => ImportTarget::questions(tasks::task(task)?, part(args.kind), &map, labels)?,
        None => ImportTarget::text(&preset.name, &map)?,
    };
    let inputs = found.inputs.into_iter().map(|input| InputFile {
        layout: layout_with(args, input.layout),
        ..input
    });
    let mut plan = plan(args, inputs.collect(), target, found.language_column);
    plan.drop_labels.extend(form.drop_labels.iter().cloned());
    plan.drop_texts.extend(form.drop_texts.iter().cloned());
    Ok(plan)
}

/// A plan for files of the user's own layout.
fn plan_files<'a>(args: &ImportArgs, notes: &mut Vec<String>) -> Result<ImportPlan<'a>> {
    let Some(name) = args.task.as_deref() else {
        let tasks: Vec<_> = tasks::all()?
            .iter()
            .map(|task| task.name.as_str())
            .collect();
        bail!(
            "say what the rows are with --as ({}, text), or name a --preset",
            tasks.join(", ")
        );
    };
    let language = match args.language.as_slice() {
        _ if args.language_column.is_some() => None,
        [] => None,
        [language] => Some(*language),
        _ => bail!(
            "--language: a file is of one language; for several name their column with --language-column"
        ),
    };
    let map: ColumnMap = args.map.iter().cloned().collect();
    let listed = args
        .input
        .as_deref()
        .filter(|path| path.join(DATASET_INFO).is_file() && args.files.is_none());
    if let Some(folder) = listed {
        let task = task_named(name)?;
        if args.kind.is_some_and(|kind| kind != Kind::Pairs) {
            bail!(
                "a folder with a {DATASET_INFO} has prompts and responses, which make --kind pairs"
            );
        }
        let listed = llama_factory::read::read(folder, args.dataset.as_deref())?;
        notes.extend(listed.notes);
        let inputs = listed.files.into_iter().map(|(path, layout)| InputFile {
            path,
            layout: layout_with(args, layout),
            language,
        });
        return Ok(plan(
            args,
            inputs.collect(),
            ImportTarget::conversations(task, listed.conversation),
            language_column(args)?,
        ));
    }
    let files = match (&args.hub, &args.input) {
        (Some(id), _) => {
            let Some(pattern) = &args.files else {
                bail!("--hub {id}: say which files with --files, or name a --preset")
            };
            fetch(id, std::slice::from_ref(pattern))?
        }
        (None, Some(path)) => chosen_files(path, args.files.as_deref())?,
        (None, None) => bail!("give a file, a folder or --hub ID"),
    };
    let inputs = files.into_iter().map(|path| {
        Ok(InputFile {
            layout: layout_of(args, &path)?,
            path,
            language,
        })
    });
    let inputs = inputs.collect::<Result<Vec<_>>>()?;
    let target = target(args, name, &map)?;
    Ok(plan(args, inputs, target, language_column(args)?))
}

fn target<'a>(args: &ImportArgs, name: &str, map: &ColumnMap) -> Result<ImportTarget<'a>> {
    if name == "text" {
        return Ok(ImportTarget::text(name, map)?);
    }
    let task = task_named(name)?;
    let labels = args.labels.iter().cloned().collect();
    match (&args.english, args.kind) {
        (Some(_), Some(Kind::Test | Kind::Train)) => bail!("--english makes --kind pairs"),
        (Some(path), _) => {
            let english = InputFile {
                path: path.clone(),
                layout: layout_of(args, path)?,
                language: Some(Language::En),
            };
            let join = Join {
                key: args.key.clone(),
                same: args.same.clone(),
            };
            Ok(ImportTarget::pairs_of_files(task, map, english, join)?)
        }
        (None, Some(Kind::Pairs)) => Ok(ImportTarget::pairs(task, map)?),
        (None, kind) => Ok(ImportTarget::questions(task, part(kind), map, labels)?),
    }
}

fn task_named(name: &str) -> Result<&'static Task> {
    tasks::task(name).context("--as (or text)")
}

fn part(kind: Option<Kind>) -> QuestionSplit {
    if kind == Some(Kind::Train) {
        QuestionSplit::Train
    } else {
        QuestionSplit::Test
    }
}

fn plan<'a>(
    args: &ImportArgs,
    inputs: Vec<InputFile>,
    target: ImportTarget<'a>,
    language_column: Option<LanguageColumn>,
) -> ImportPlan<'a> {
    ImportPlan {
        inputs,
        target,
        language_column,
        drop_labels: args.drop.clone(),
        drop_texts: args.drop_text.clone(),
        sample: RowSample {
            take: args.take.map(|take| take as usize),
            seed: args.seed,
            balance: args.balance,
        },
        out: args.out.clone(),
        replace: args.replace,
    }
}

fn language_column(args: &ImportArgs) -> Result<Option<LanguageColumn>> {
    let Some(column) = args.language_column.clone() else {
        return Ok(None);
    };
    let mut codes: BTreeMap<String, Language> = BTreeMap::new();
    for (value, code) in &args.codes {
        codes.insert(value.clone(), code.parse().context("--codes")?);
    }
    if codes.is_empty() {
        codes = Language::known()
            .iter()
            .map(|language| (language.code().to_owned(), *language))
            .collect();
    }
    if !args.language.is_empty() {
        codes.retain(|_, language| args.language.contains(language));
    }
    Ok(Some(LanguageColumn { column, codes }))
}

/// The layout of a file by its extension and the flags.
fn layout_of(args: &ImportArgs, path: &Path) -> Result<TableLayout> {
    let format = args
        .format
        .or_else(|| TableFormat::of(path))
        .with_context(|| {
            format!(
                "{}: its extension is none of {}; say --format",
                path.display(),
                TableFormat::WORDS.join(", ")
            )
        })?;
    Ok(layout_with(args, TableLayout::usual(format)))
}

fn layout_with(args: &ImportArgs, layout: TableLayout) -> TableLayout {
    let format = args.format.unwrap_or(layout.format);
    let layout = if format == layout.format {
        layout
    } else {
        TableLayout::usual(format)
    };
    let columns = args.columns.clone().or(layout.columns);
    TableLayout {
        format,
        quoted: args.quoted.unwrap_or(layout.quoted),
        columns,
    }
}

fn fetch(id: &HubId, patterns: &[String]) -> Result<Vec<PathBuf>> {
    let wanted = |name: &str| {
        patterns
            .iter()
            .any(|pattern| ends_like(Path::new(name), pattern))
    };
    let found = hub::find_dataset(
        id,
        &wanted,
        &Cache::from_env()?,
        &Sources::from_env(),
        &mut Downloads::new(&mut Terminal::default()),
    )?;
    note(&format!("from {}", found.revision));
    Ok(found.files)
}

/// The file itself, or the files of a folder that are like `pattern`.
fn chosen_files(path: &Path, pattern: Option<&str>) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let all = files_of(path)?;
    let Some(pattern) = pattern else {
        bail!(
            "{} is a folder without a {DATASET_INFO}: say which of its files with --files",
            path.display()
        );
    };
    let chosen: Vec<_> = all
        .iter()
        .filter(|file| ends_like(file, pattern))
        .cloned()
        .collect();
    if chosen.is_empty() {
        bail!(
            "--files {pattern}: none of the {} files below {} is like it",
            all.len(),
            path.display()
        );
    }
    Ok(chosen)
}

/// The file, or all files below the folder, by name.
fn files_of(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).with_context(|| format!("cannot list {}", path.display()))? {
        files.extend(files_of(
            &entry
                .with_context(|| format!("cannot list {}", path.display()))?
                .path(),
        )?);
    }
    files.sort();
    Ok(files)
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text
        .split_once('=')
        .ok_or_else(|| format!("`{text}` has no `=`"))?;
    Ok((key.to_owned(), value.to_owned()))
}
