//! `data import`: flags to a plan, files found or fetched, the result reported.

mod args;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail};
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

use self::args::ImportKind;
pub(crate) use self::args::{EXAMPLES, ImportArgs};
use crate::progress::{Terminal, interrupted, note, note_peak_memory, result};

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
        bail!("interrupted; nothing was written");
    };
    report_files(&report, &plan);
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

fn report_files(report: &ImportReport, plan: &ImportPlan<'_>) {
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
    if args.kind == Some(ImportKind::Pairs) || args.english.is_some() {
        bail!(
            "a preset makes test sets and training questions; for pairs give its files with --english and --map"
        );
    }
    let usual = if args.kind == Some(ImportKind::Train) {
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
        return plan_listed(args, folder, name, language, notes);
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

/// A plan for a folder of LLaMA-Factory's.
fn plan_listed<'a>(
    args: &ImportArgs,
    folder: &Path,
    task: &str,
    language: Option<Language>,
    notes: &mut Vec<String>,
) -> Result<ImportPlan<'a>> {
    let task = task_named(task)?;
    if args.kind.is_some_and(|kind| kind != ImportKind::Pairs) {
        bail!("a folder with a {DATASET_INFO} has prompts and responses, which make --kind pairs");
    }
    let listed = llama_factory::read::read(folder, args.dataset.as_deref())?;
    notes.extend(listed.notes);
    let inputs = listed.files.into_iter().map(|(path, layout)| InputFile {
        path,
        layout: layout_with(args, layout),
        language,
    });
    Ok(plan(
        args,
        inputs.collect(),
        ImportTarget::conversations(task, listed.conversation),
        language_column(args)?,
    ))
}

fn target<'a>(args: &ImportArgs, name: &str, map: &ColumnMap) -> Result<ImportTarget<'a>> {
    if name == "text" {
        return Ok(ImportTarget::text(name, map)?);
    }
    let task = task_named(name)?;
    let labels = args.labels.iter().cloned().collect();
    match (&args.english, args.kind) {
        (Some(_), Some(ImportKind::Test | ImportKind::Train)) => {
            bail!("--english makes --kind pairs")
        }
        (Some(path), _) => {
            let english = InputFile {
                path: path.clone(),
                layout: layout_of(args, path)?,
                language: Some(Language::En),
            };
            let join = Join {
                key: args.key.clone(),
                same: args.same.clone(),
                by_position: args.by_position,
            };
            Ok(ImportTarget::pairs_of_files(task, map, english, join)?)
        }
        (None, Some(ImportKind::Pairs)) => Ok(ImportTarget::pairs(task, map)?),
        (None, kind) => Ok(ImportTarget::questions(task, part(kind), map, labels)?),
    }
}

fn task_named(name: &str) -> Result<&'static Task> {
    tasks::task(name).context("--as (or text)")
}

fn part(kind: Option<ImportKind>) -> QuestionSplit {
    if kind == Some(ImportKind::Train) {
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
    let found = hub::find_dataset(
        id,
        &|name| {
            patterns
                .iter()
                .any(|pattern| ends_like(Path::new(name), pattern))
        },
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
