//! `eval`: one model, with or without adapters, on one task.

use std::path::Path;

use anyhow::{Result, bail};
use clap::{CommandFactory, error::ErrorKind};
use data::{tasks, testset};
use eval::{Ahead, Ask};
use schema::{FewShot, Scoring, Task, write_json_lines};

use crate::{
    cli::{Cli, EvalArgs},
    experiment::evaluation::{Asked, Progress, ask_language},
    progress::{note, note_peak_memory, result},
    session::Session,
};

pub(super) fn run(args: &EvalArgs) -> Result<()> {
    super::check_out(&args.out)?;
    let task = tasks::task(&args.task)?;
    if let Err(unknown) = schema::language::check_known(&args.languages) {
        Cli::command().error(ErrorKind::ValueValidation, unknown).exit(); // no task file made it known
    }
    let few_shot = few_shot(args, task);
    let languages = testset::asked(&args.data, task, &args.languages)?;
    let mut session = Session::open(&args.model, args.dtype, &args.device.device)?;
    let name = session.model.name.clone();
    let mut adapters: Vec<Option<&Path>> = args.adapter.iter().map(|a| Some(a.as_path())).collect();
    if args.base || adapters.is_empty() {
        adapters.insert(0, None);
    }
    let mut all = Vec::new();
    for adapter in adapters {
        session.set_adapter(adapter)?;
        let adapter = adapter.map(|a| a.display().to_string());
        let label = adapter.as_deref().unwrap_or("base");
        let mut progress = Progress::new(label, task, args.labels, languages.len());
        let mut ahead = Ahead::default();
        for (at, &language) in languages.iter().enumerate() {
            ahead.next = languages.get(at + 1).copied();
            let ask = Ask {
                model: &name,
                adapter: adapter.as_deref(),
                task,
                dir: &args.data,
                labels: args.labels,
                scoring: args.scoring.or(task.scoring).unwrap_or(Scoring::Prefix),
                protocol: args.protocol,
                few_shot: &few_shot,
                limit: args.limit,
                tokens_per_batch: args.tokens_per_batch,
            };
            let Some(Asked { answers, .. }) = ask_language(&mut session, &ask, language, &mut ahead, &mut progress)?
            else {
                bail!("stopped; nothing was written");
            };
            let right = answers.records.iter().filter(|r| r.correct).count();
            result(&format!("{label}\t{}\t{language}\t{right}/{}", task.name, answers.records.len()));
            all.extend(answers.records);
        }
        progress.finish();
    }
    write_json_lines(&args.out, &all)?;
    note(&format!("wrote {}", args.out.display()));
    note_peak_memory();
    Ok(())
}

/// The exemplars asked for, or the task's own.
fn few_shot(args: &EvalArgs, task: &Task) -> FewShot {
    let given = args.few_shot.as_ref().or(task.few_shot.as_ref()).cloned().unwrap_or(FewShot::Head(task.shots));
    given.in_languages(args.exemplar_language, args.header_language)
}
