//! `data lm-eval`: a task for lm-evaluation-harness that asks our prompts.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use anyhow::Result;
use clap::Args;
use data::{tasks, testset};
use import::lm_eval::export;
use run::{
    OutputCheck,
    lm_eval::{self, HarnessQuestions},
};
use schema::{LabelSet, Language};

use crate::{
    cli,
    progress::{note, result},
};

/// Shown below the flags.
pub(super) const EXAMPLES: &str = "Example:\n  lingualign data lm-eval --task snli --data assets/mini --few-shot builtin --out harness\n  \
                                   lm_eval --include_path harness --tasks snli --model hf --model_args pretrained=MODEL,dtype=float32";

/// `data lm-eval`
#[derive(Args)]
pub(crate) struct LmEvalArgs {
    /// A task's name, or the path of a task file (docs/tasks.md).
    #[arg(long, value_parser = cli::task)]
    task: String,
    /// Folder with the task's test files.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Comma-separated codes, or `all`: every language with a test file in the folder.
    #[arg(long, default_value = "all", value_parser = cli::languages)]
    languages: Arc<[Language]>,
    /// Which words are scored: english, same, agnostic, or a set that the task's file names.
    /// Default: english, or same where the answers are texts.
    #[arg(long, value_parser = schema::recipe::read_labels)]
    labels: Option<LabelSet>,
    #[command(flatten)]
    prompts: cli::PromptArgs,
    /// Name of the task for lm-eval. Older versions may ask their own task of that name instead,
    /// if they have one. Default: the name of the task.
    #[arg(long)]
    name: Option<String>,
    /// The folder to write, for its --include_path.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Replace files that this command did not write.
    #[arg(long)]
    replace: bool,
}

pub(super) fn run(args: &LmEvalArgs) -> Result<ExitCode> {
    let task = tasks::task(&args.task)?;
    cli::exit_unless_known(&args.languages);
    let languages = testset::asked(&args.data, task, &args.languages)?;
    let group = args.name.as_deref().unwrap_or(&task.name);
    let check = OutputCheck::new(args.replace)
        .reading_data(&args.data, task)
        .reading("the task", Path::new(&args.task));
    lm_eval::check_task_out(&check, &args.out, group, &languages)?;
    let are_texts = !task.text_choices().is_empty();
    let labels = args.labels.unwrap_or(if are_texts {
        LabelSet::Same
    } else {
        LabelSet::English
    });
    let asking = args.prompts.asking(labels).first_way(task);
    let mut questions = Vec::new();
    for language in languages {
        let HarnessQuestions {
            mut docs, repairs, ..
        } = HarnessQuestions::render(&args.data, task, &asking, language)?;
        repairs.iter().for_each(|repair| note(repair));
        docs.truncate(asking.limit.unwrap_or(usize::MAX));
        result(&format!("{}\t{language}\t{}", task.name, docs.len()));
        questions.push((language, docs));
    }
    export::write(&args.out, group, &asking, &questions)?;
    let folder = args.out.display();
    note(&format!(
        "wrote {folder}; ask it with: lm_eval --include_path {folder} --tasks {group} --log_samples ..."
    ));
    Ok(ExitCode::SUCCESS)
}
