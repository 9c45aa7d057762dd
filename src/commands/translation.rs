//! `eval --task translation`: how well a model translates the questions of a task, before and
//! after.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use data::{
    TranslationPair,
    pairs::{HeldOut, HeldOutLine, PairTexts, question_languages},
    tasks,
};
use run::{
    OutputCheck, Session,
    translation::{self, TranslationJournal, TranslationRequest},
};
use schema::{
    Language, Task, Template, recipe::TranslationRecipe, record::TranslationRecord,
    write_json_lines,
};

use crate::{
    cli::{self, EvalArgs},
    progress::{Terminal, note, note_peak_memory, result},
};

/// Decides which lines are chosen, as in a recipe that gives no seed.
const SEED: u64 = 1;

/// Translates, measures, prints and writes.
pub(super) fn run(args: &EvalArgs) -> Result<()> {
    refuse_other_flags(args)?;
    let questions = args.translation.questions.as_deref();
    let task = tasks::task(questions.context(
        "`--task translation` needs `--questions TASK`: whose translated questions are taken, such as emotion",
    )?)?;
    cli::exit_unless_known(&args.languages);
    let mut check = OutputCheck::new(args.replace).reading_model(&args.model)?;
    let learnt_files = learnt_files(args)?;
    for file in &learnt_files {
        check = check.reading("the pairs", file);
    }
    for adapter in &args.adapter {
        check = check.reading("the adapter", adapter);
    }
    translation::check_out(&check, &args.out)?;
    let learnt = read_learnt(&learnt_files, args.translation.into)?;
    let watch = &mut Terminal::default();
    let mut session = Session::open(&args.model, args.dtype, &args.device.device, watch)?;
    let (mut records, mut journals) = (Vec::new(), Vec::new());
    for from in languages(args, task)? {
        let lines = choose(args, task, from, &learnt)?;
        for adapter in super::eval::models(args) {
            let (found, journal) = translate(
                args,
                &mut session,
                (task, from, &lines, adapter.as_deref()),
                journals.len(),
                watch,
            )?;
            print(&found);
            records.extend(found);
            journals.push(journal);
        }
    }
    write_json_lines(&args.out, &records)?;
    journals
        .into_iter()
        .try_for_each(TranslationJournal::remove)?;
    note(&format!("wrote {}", args.out.display()));
    note_peak_memory();
    Ok(())
}

fn refuse_other_flags(args: &EvalArgs) -> Result<()> {
    let given = [
        ("--scoring", args.scoring.is_some()),
        ("--greedy", args.greedy > 0),
        ("--lm-eval", args.lm_eval.is_some()),
    ];
    match given.iter().find(|(_, is_given)| *is_given) {
        Some((flag, _)) => {
            bail!("`{flag}` is for questions with labels; leave it out with `--task translation`")
        }
        None => Ok(()),
    }
}

/// The files of pairs that the adapters learnt: those given, or what lies beside an adapter in
/// its run folder.
fn learnt_files(args: &EvalArgs) -> Result<Vec<PathBuf>> {
    let mut files = args.translation.learnt.clone();
    for adapter in args
        .adapter
        .iter()
        .filter(|_| args.translation.learnt.is_empty())
    {
        let beside = run_folder_pairs(adapter).filter(|file| file.is_file());
        files.push(beside.with_context(|| {
            format!(
                "what {} learnt is not known, so no line can be held out; give `--learnt PAIRS.jsonl`, the pairs as \
                 its run drew them",
                adapter.display()
            )
        })?);
    }
    Ok(files)
}

/// `RUN/data/NAME.jsonl` of the adapter `RUN/adapters/NAME`.
fn run_folder_pairs(adapter: &Path) -> Option<PathBuf> {
    let mut name = adapter.file_name()?.to_owned();
    name.push(".jsonl");
    Some(adapter.parent()?.parent()?.join("data").join(name))
}

fn read_learnt(files: &[PathBuf], into: Language) -> Result<PairTexts> {
    let mut learnt = PairTexts::default();
    for file in files {
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("cannot read {}", file.display()))?;
        let pairs: Vec<TranslationPair> = (1..)
            .zip(text.lines())
            .map(|(line, content)| {
                serde_json::from_str(content)
                    .with_context(|| format!("{}, line {line}: not a pair", file.display()))
            })
            .collect::<Result<_>>()?;
        learnt.add(&pairs, into);
    }
    Ok(learnt)
}

/// The languages asked for; of `all`, those with a file of questions.
fn languages(args: &EvalArgs, task: &Task) -> Result<Vec<Language>> {
    let all = *args.languages == *Language::ALL;
    let mut languages = match all {
        true => question_languages(&args.data, task)?,
        false => args.languages.to_vec(),
    };
    languages.retain(|&language| language != args.translation.into);
    Ok(languages)
}

fn choose(
    args: &EvalArgs,
    task: &Task,
    from: Language,
    learnt: &PairTexts,
) -> Result<Vec<HeldOutLine>> {
    let request = HeldOut {
        dir: &args.data,
        task,
        from,
        into: args.translation.into,
        learnt,
        validated: &PairTexts::default(),
        lines: args
            .prompts
            .limit
            .unwrap_or_else(|| TranslationRecipe::usual().lines),
        seed: SEED,
    };
    Ok(request.choose()?)
}

fn translate(
    args: &EvalArgs,
    session: &mut Session,
    (task, from, lines, adapter): (&Task, Language, &[HeldOutLine], Option<&Path>),
    number: usize,
    watch: &mut Terminal,
) -> Result<(Vec<TranslationRecord>, TranslationJournal)> {
    let model = session.model.name.clone();
    let named = adapter.map(|folder| folder.display().to_string());
    let request = TranslationRequest {
        model: &model,
        adapter: named.as_deref(),
        adapter_folder: adapter.map(Path::to_owned),
        task,
        from,
        into: args.translation.into,
        template: &Template::paper(),
        lines,
        max_new_tokens: args.translation.max_new_tokens,
        tokens_per_batch: args.tokens_per_batch,
    };
    let inputs = request.fingerprint(session)?;
    let mut partial = args.out.clone().into_os_string();
    partial.push(format!(".{number}.partial"));
    Ok(translation::translate(
        session,
        &request,
        &inputs,
        Path::new(&partial),
        watch,
    )?)
}

fn print(records: &[TranslationRecord]) {
    if let Some(first) = records.first() {
        result(&format!(
            "{}\t{}\t{}-{}\t{}",
            first.adapter.as_deref().unwrap_or("base"),
            first.task,
            first.from,
            first.into,
            translation::describe(records)
        ));
    }
}
