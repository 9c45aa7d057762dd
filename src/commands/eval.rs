//! `eval`: one model, with or without adapters, on one task.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use data::{tasks, testset};
use eval::{Ask, FreeAnswerCounts};
use run::{
    OutputCheck, Session,
    evaluate::{Evaluation, check_out, count_right, evaluate},
    lm_eval,
};
use schema::{AskingRecipe, Scoring, Task, scores::Disagreements};

use crate::{
    cli::{self, EvalArgs},
    progress::{Terminal, note, note_peak_memory, result},
};

pub(super) fn run(args: &EvalArgs) -> Result<()> {
    if args.task == cli::TRANSLATION {
        return super::translation::run(args);
    }
    let task = tasks::task(&args.task)?;
    check_outputs(args, task)?;
    cli::exit_unless_known(&args.languages);
    let asking = asking(args).first_way(task);
    let languages = testset::asked(&args.data, task, &args.languages)?;
    let watch = &mut Terminal::default();
    let mut session = Session::open(&args.model, args.dtype, &args.device.device, watch)?;
    let evaluation = Evaluation {
        models: models(args),
        languages,
        ask: Ask {
            model: "",
            adapter: None,
            task,
            dir: &args.data,
            asking: &asking,
            tokens_per_batch: args.tokens_per_batch,
        },
        out: &args.out,
    };
    let evaluated = evaluate(
        &mut session,
        &evaluation,
        watch,
        &mut |model, language, answers| {
            let asked = answers.records.len();
            let right = count_right(&answers.records);
            result(&format!(
                "{model}\t{}\t{language}\t{right}/{asked}",
                task.name
            ));
        },
    )?;
    if let Some(out) = &args.lm_eval {
        let answers = lm_eval::split_records(task, &evaluated.records, &evaluated.evaluations);
        lm_eval::write_all(out, &args.data, &answers, watch)?;
    }
    render(&evaluated.disagreements)
        .iter()
        .for_each(|line| note(line));
    if args.greedy > 0 {
        note(&describe_said(evaluated.said));
    }
    note(&format!("wrote {}", args.out.display()));
    note_peak_memory();
    Ok(())
}

/// Holds what is written against what is read.
fn check_outputs(args: &EvalArgs, task: &Task) -> Result<()> {
    let check = OutputCheck::new(args.replace)
        .reading_data(&args.data, task)
        .reading("the task", Path::new(&args.task))
        .reading_model(&args.model)?;
    let adapters = args.adapter.iter();
    let check = adapters.fold(check, |check, dir| check.reading("the adapter", dir));
    check_out(&check, &args.out)?;
    if let Some(folder) = &args.lm_eval {
        if !args.prompt.is_plain() {
            bail!(
                "--lm-eval: lm-evaluation-harness has chat templates of its own; leave --prompt {} out",
                args.prompt
            );
        }
        lm_eval::check_out(&check, folder)?;
    }
    Ok(())
}

/// How the flags say that questions are asked.
fn asking(args: &EvalArgs) -> AskingRecipe {
    AskingRecipe {
        scoring: args.scoring,
        scorers: args.scorers,
        greedy: args.greedy,
        prompt: vec![args.prompt],
        ..args.prompts.asking(args.labels)
    }
}

/// The base model if it is asked for or there is no other, and the adapters.
pub(super) fn models(args: &EvalArgs) -> Vec<Option<PathBuf>> {
    let base = (args.base || args.adapter.is_empty()).then_some(None);
    base.into_iter()
        .chain(args.adapter.iter().cloned().map(Some))
        .collect()
}

/// The labels in free answers.
fn describe_said(said: FreeAnswerCounts) -> String {
    let FreeAnswerCounts {
        chosen,
        other,
        none,
    } = said;
    format!("said freely: the chosen label {chosen}, another label {other}, no label {none}")
}

/// A table of how often two scorings choose another label; nothing where one alone was
/// measured.
fn render(disagreements: &Disagreements) -> Vec<String> {
    let pairs = &disagreements.pairs;
    let measured: Vec<Scoring> = Scoring::ALL
        .iter()
        .copied()
        .filter(|scoring| pairs.keys().any(|(a, b)| a == scoring || b == scoring))
        .collect();
    let Some((_, columns)) = measured.split_first() else {
        return Vec::new();
    };
    let head: String = columns
        .iter()
        .map(|column| format!("{column:>15}"))
        .collect();
    let mut lines =
        vec!["share of questions on which two scorings choose another label:".to_owned()];
    lines.push(format!("{:15}{head}", ""));
    for row in &measured[..measured.len() - 1] {
        let cells: String = columns
            .iter()
            .map(|column| share_cell(pairs.get(&(*row, *column))))
            .collect();
        lines.push(format!("{row:15}{cells}").trim_end().to_owned());
    }
    lines
}

/// The share of the questions asked on which two scorings differ.
fn share_cell(counts: Option<&(usize, usize)>) -> String {
    match counts {
        Some((asked, differ)) => {
            format!("{:>14.1}%", 100.0 * *differ as f64 / (*asked).max(1) as f64)
        }
        None => format!("{:15}", ""),
    }
}
