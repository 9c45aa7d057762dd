//! `data lm-eval`: a task for lm-evaluation-harness that asks our prompts.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use anyhow::Result;
use clap::Args;
use data::{tasks, testset};
use import::lm_eval::{Asked, export};
use run::lm_eval::{self, Questions};
use schema::{FewShot, LabelSet, Language, Protocol, few_shot::PromptLanguage};

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
    /// Codes with commas, or all: those that the task and the folder have.
    #[arg(long, default_value = "all", value_parser = cli::languages)]
    languages: Arc<[Language]>,
    /// Which words are scored: english, same, agnostic, or a set that the task's file names.
    /// Default: english, or same where the answers are texts.
    #[arg(long, value_parser = schema::recipe::read_labels)]
    labels: Option<LabelSet>,
    /// As of `eval`.
    #[arg(long)]
    few_shot: Option<FewShot>,
    /// Language of the exemplars: same or english.
    #[arg(long, default_value = "same")]
    exemplar_language: PromptLanguage,
    /// Language of the header words: same or english.
    #[arg(long, default_value = "same")]
    header_language: PromptLanguage,
    /// What to do with the released files' defects: paper or corrected. Default: refuse them.
    #[arg(long)]
    protocol: Option<Protocol>,
    /// Questions per language.
    #[arg(long, value_name = "N", value_parser = cli::count)]
    limit: Option<usize>,
    /// Name of the task for lm-eval. Its own task of that name, if it has one, may be asked
    /// instead in older versions. Default: the task's.
    #[arg(long)]
    name: Option<String>,
    /// The folder to write, for its --include_path.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(super) fn run(args: &LmEvalArgs) -> Result<ExitCode> {
    lm_eval::check_out(&args.out)?;
    let task = tasks::task(&args.task)?;
    cli::exit_unless_known(&args.languages);
    let languages = testset::asked(&args.data, task, &args.languages)?;
    let given = args.few_shot.clone().unwrap_or_else(|| task.own_few_shot());
    let few_shot = given.in_languages(args.exemplar_language, args.header_language);
    let are_texts = !task.text_choices().is_empty();
    let labels = args.labels.unwrap_or(if are_texts {
        LabelSet::Same
    } else {
        LabelSet::English
    });
    let asked = Asked {
        task,
        labels,
        few_shot: &few_shot,
        protocol: args.protocol,
    };
    let mut questions = Vec::new();
    for language in languages {
        let Questions {
            mut docs, repairs, ..
        } = Questions::render(&args.data, &asked, language)?;
        repairs.iter().for_each(|repair| note(repair));
        docs.truncate(args.limit.unwrap_or(usize::MAX));
        result(&format!("{}\t{language}\t{}", task.name, docs.len()));
        questions.push((language, docs));
    }
    let group = args.name.as_deref().unwrap_or(&task.name);
    export::write(&args.out, group, &asked, &questions)?;
    let folder = args.out.display();
    note(&format!(
        "wrote {folder}; ask it with: lm_eval --include_path {folder} --tasks {group} --log_samples ..."
    ));
    Ok(ExitCode::SUCCESS)
}
