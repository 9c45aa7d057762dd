//! `data audit`.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use audit::{NamedTokenizer, Scope};
use clap::Args;
use data::Tokenizer;
use run::{check_out, find_errors, session};
use schema::{finding::Severity, write_whole};

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
    /// Write the findings as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the findings as a page for people.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// A file of exemplars, {task: {language: text}}, to look for in the test files; may be
    /// given several times.
    #[arg(long, value_name = "FILE")]
    few_shot: Vec<PathBuf>,
    /// Count the tokens of this model: catalogue name, folder, .gguf file or hub id; may be
    /// given several times.
    #[arg(long, value_name = "MODEL")]
    tokenizer: Vec<String>,
    /// Tokens beyond which a training pair is cut.
    #[arg(long, value_name = "N", default_value_t = 2048)]
    cutoff_len: usize,
}

pub(super) fn run(args: &AuditArgs) -> Result<ExitCode> {
    for file in args.json.iter().chain(&args.html) {
        check_out(file)?;
    }
    let watch = &mut Terminal::default();
    let mut scope = Scope::of_folder(&args.dir, args.task.as_deref())?;
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
