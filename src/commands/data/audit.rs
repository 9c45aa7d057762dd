//! `data audit`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Result, bail};
use audit::{NamedTokenizer, Scope};
use clap::Args;
use data::{Tokenizer, tasks};
use run::{OutputCheck, find_errors, session};
use schema::{
    finding::{AuditRecord, Severity},
    write_whole,
};

use crate::progress::{Terminal, note, result};

/// `data audit`
#[derive(Args)]
pub(crate) struct AuditArgs {
    /// Folder with the tasks' folders in the released layout; `few_shot.json` in it is compared
    /// too.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Only this task.
    #[arg(long, value_parser = crate::cli::task)]
    task: Option<String>,
    /// Write the findings as JSON to an ordinary file, no device or pipe.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the findings as a page for people.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Replace files of --json and --html that no audit wrote, unless this command reads them.
    #[arg(long)]
    replace: bool,
    /// A file of exemplars, {task: {language: text}}, to look for in the test files; may be
    /// given several times.
    #[arg(long, value_name = "FILE")]
    few_shot: Vec<PathBuf>,
    /// Count the tokens of this model: catalogue name, folder, .gguf file or hub id; may be
    /// given several times.
    #[arg(long, value_name = "MODEL")]
    tokenizer: Vec<String>,
    /// Tokens beyond which a training pair is cut.
    #[arg(long, value_name = "N", default_value_t = 2048, value_parser = crate::cli::count_or_none)]
    cutoff_len: usize,
}

pub(super) fn run(args: &AuditArgs) -> Result<ExitCode> {
    let watch = &mut Terminal::default();
    let mut scope = Scope::of_folder(&args.dir, args.task.as_deref())?;
    check_outputs(args, &scope)?;
    scope.add_exemplars(&args.few_shot);
    scope.cutoff_len = args.cutoff_len;
    for name in &args.tokenizer {
        let tokenizer = Tokenizer::load(&session::find(name, watch)?.files)?;
        scope.tokenizers.push(NamedTokenizer {
            name: name.clone(),
            tokenizer,
        });
    }
    let record = find_errors(&scope, watch)?;
    if let Some(file) = &args.json {
        let text = serde_json::to_string_pretty(&record)?;
        write_whole(file, (text + "\n").as_bytes())?;
        note(&format!("wrote {}", file.display()));
    }
    if let Some(file) = &args.html {
        let subject = args.dir.display().to_string();
        write_whole(file, report::audit_page(&record, &subject)?.as_bytes())?;
        note(&format!("wrote {}", file.display()));
    }
    result(&report::audit_text(&record));
    Ok(if record.count(Severity::Error) > 0 {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Holds what is written against what is read.
fn check_outputs(args: &AuditArgs, scope: &Scope) -> Result<()> {
    let mut check = OutputCheck::new(args.replace);
    let all = match &args.task {
        Some(name) => vec![tasks::task(name)?],
        None => tasks::all()?,
    };
    for task in all {
        check = check.reading_data(&args.dir, task);
    }
    for source in &scope.sources {
        check = check.reading("the data", &source.path);
    }
    for file in &args.few_shot {
        check = check.reading("exemplars", file);
    }
    for name in &args.tokenizer {
        check = check.reading_model(name)?;
    }
    if let Some(task) = &args.task {
        check = check.reading("the task", Path::new(task));
    }
    if let Some(file) = &args.json {
        check.file(file, &|file| {
            fs::read(file).is_ok_and(|text| serde_json::from_slice::<AuditRecord>(&text).is_ok())
        })?;
    }
    if let Some(file) = &args.html {
        check.file(file, &|file| {
            fs::read_to_string(file).is_ok_and(|text| text.contains("<title>Audit of "))
        })?;
    }
    match (&args.json, &args.html) {
        (Some(json), Some(html)) if json == html => {
            bail!(
                "--json and --html are one file, {}; name two",
                json.display()
            )
        }
        _ => Ok(()),
    }
}
