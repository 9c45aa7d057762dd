//! `eval`: one model, with or without adapters, on one task.

use std::path::Path;

use anyhow::{Result, bail};
use data::{tasks, testset};
use eval::{Ahead, Ask, Journal, Said};
use schema::{AskingRecipe, Scoring, scores::Disagreements};

use crate::{
    cli::{self, EvalArgs},
    experiment::{
        answerer,
        evaluation::{Asked, Asking, Progress, write_answers},
    },
    lm_eval,
    progress::{note, note_peak_memory, result},
    session::Session,
};

pub(super) fn run(args: &EvalArgs) -> Result<()> {
    super::check_out(&args.out)?;
    args.lm_eval
        .as_deref()
        .map(lm_eval::check_out)
        .transpose()?;
    let task = tasks::task(&args.task)?;
    cli::exit_unless_known(&args.languages);
    let asking = asking(args).first_way(task);
    let languages = testset::asked(&args.data, task, &args.languages)?;
    let mut session = Session::open(&args.model, args.dtype, &args.device.device)?;
    let name = session.model.name.clone();
    let mut journal = Journal::open(&args.out)?;
    let (mut all, mut evaluations) = (Vec::new(), Vec::new());
    let (mut disagreements, mut said) = (Disagreements::default(), Said::default());
    for adapter in models(args) {
        session.set_adapter(adapter)?;
        let answerer = answerer(&session, adapter)?;
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
                asking: &asking,
                tokens_per_batch: args.tokens_per_batch,
            };
            let mut asking = Asking {
                session: &mut session,
                answerer: &answerer,
                journal: &mut journal,
            };
            let Some(Asked { answers, seconds }) =
                asking.ask_language(&ask, language, &mut ahead, &mut progress)?
            else {
                bail!(
                    "stopped before {language} was finished; run the same command again to go on"
                );
            };
            let right = answers.records.iter().filter(|r| r.correct).count();
            result(&format!(
                "{label}\t{}\t{language}\t{right}/{}",
                task.name,
                answers.records.len()
            ));
            disagreements.add(&answers.choices);
            said += answers.said;
            all.extend(answers.records);
            evaluations.push((answers.provenance, seconds));
        }
        progress.finish();
    }
    write_answers(
        &args.out,
        &all,
        evaluations
            .iter()
            .map(|(provenance, _)| provenance.clone())
            .collect(),
    )?;
    journal.remove()?;
    if let Some(out) = &args.lm_eval {
        lm_eval::write_all(
            out,
            &args.data,
            &lm_eval::split_records(task, &all, &evaluations),
        )?;
    }
    tell(&disagreements, (args.greedy > 0).then_some(said));
    note(&format!("wrote {}", args.out.display()));
    note_peak_memory();
    Ok(())
}

/// How the flags say that questions are asked.
fn asking(args: &EvalArgs) -> AskingRecipe {
    AskingRecipe {
        scoring: args.scoring,
        scorers: args.scorers,
        greedy: args.greedy,
        ..args.prompts.asking(args.labels)
    }
}

/// The base model if it is asked for or there is no other, and the adapters.
fn models(args: &EvalArgs) -> Vec<Option<&Path>> {
    let base = (args.base || args.adapter.is_empty()).then_some(None);
    base.into_iter()
        .chain(args.adapter.iter().map(|adapter| Some(adapter.as_path())))
        .collect()
}

/// How often scorings disagree, and what was said freely.
fn tell(disagreements: &Disagreements, said: Option<Said>) {
    render(disagreements).iter().for_each(|line| note(line));
    if let Some(Said {
        chosen,
        other,
        none,
    }) = said
    {
        note(&format!(
            "said freely: the chosen label {chosen}, another label {other}, no label {none}"
        ));
    }
}

/// A table of how often two scorings choose another label; nothing where one alone was
/// measured.
fn render(disagreements: &Disagreements) -> Vec<String> {
    let pairs = &disagreements.pairs;
    let has = |scoring: &Scoring| pairs.keys().any(|(a, b)| a == scoring || b == scoring);
    let measured: Vec<Scoring> = Scoring::ALL.iter().copied().filter(has).collect();
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
        let cell = |column: &Scoring| match pairs.get(&(*row, *column)) {
            Some((asked, differ)) => {
                format!("{:>14.1}%", 100.0 * *differ as f64 / (*asked).max(1) as f64)
            }
            None => format!("{:15}", ""),
        };
        lines.push(
            format!("{row:15}{}", columns.iter().map(cell).collect::<String>())
                .trim_end()
                .to_owned(),
        );
    }
    lines
}
