//! `check`: the resolved recipe, and what it will take. Needs no model; where there is one, its first
//! block is timed.

use std::{process::ExitCode, time::Duration};

use anyhow::Result;
use data::{Tokenizer, tasks, testset};
use hub::{
    Cache, Model,
    catalogue::{self, Shape},
};
use run::{
    Parts, RunOptions, StageStatus,
    estimate::{self, CheckpointingDecision, MicroBatchSize, gigabytes},
    machine, preflight, session,
    tokens::Tokens,
};
use schema::{Recipe, inside::Analysis, recipe::TrainRecipe};

use crate::{
    cli::CheckArgs,
    progress::{self, note, result},
};

/// How long each of the four parts (block and head, trained and asked) is timed.
const TIMED: Duration = Duration::from_millis(250);

/// Prints what is known of the recipe; fails where `run` would.
pub(super) fn run(args: &CheckArgs) -> Result<ExitCode> {
    let recipe = super::read_recipe(&args.recipe)?;
    result(&recipe.render());
    note(&format!("adapters: {}", recipe.adapters().len()));
    let mut problems = preflight::find_data_problems(&recipe, Parts::ALL);
    data_notes(&recipe)?;
    let model = match hub::find_local(&recipe.model, &Cache::from_env()?) {
        Ok(found) => found,
        Err(problem) => {
            problems.push(format!("model: {problem}"));
            None
        }
    };
    match shape(&recipe, model.as_ref())? {
        Some(shape) => problems.extend(shape_notes(args, &recipe, &shape, model.as_ref())?),
        None => note(&format!(
            "note: the shape of `{}` is not known before it is fetched",
            recipe.model
        )),
    }
    for problem in &problems {
        progress::error(problem);
    }
    Ok(match problems.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(1),
    })
}

/// What follows from the model's shape; the problems that a run would end with.
fn shape_notes(
    args: &CheckArgs,
    recipe: &Recipe,
    shape: &Shape,
    model: Option<&Model>,
) -> Result<Vec<String>> {
    let room = machine::memory_for_this_process();
    run::limits::check(recipe, shape, room)?;
    memory_note(recipe, shape);
    captures_note(recipe, shape);
    let is_on_cpu = model::device::open(&args.device.device)?.is_cpu();
    let mut problems = match room.filter(|_| is_on_cpu) {
        Some(room) => preflight::find_memory_problems(recipe, shape, Parts::ALL, room),
        None => Vec::new(),
    };
    if problems.is_empty() {
        time_note(recipe, shape, model);
    }
    problems.extend(stages_note(recipe, args, model));
    Ok(problems)
}

/// What `run` would make and what it would skip; why it would refuse.
fn stages_note(recipe: &Recipe, args: &CheckArgs, model: Option<&Model>) -> Option<String> {
    let Some(model) = model else {
        note("note: which stages would run is not known before the model is fetched");
        return None;
    };
    let options = RunOptions {
        out: args.out.clone(),
        device: args.device.device.clone(),
        ..RunOptions::whole()
    };
    match run::survey(recipe, &options, model) {
        Ok(survey) => {
            note(&format!("stages in {}:", survey.folder.display()));
            note(&list_stages("run", &survey.stages, false));
            note(&list_stages("skip", &survey.stages, true));
            let outdated = survey.outdated?;
            Some(format!(
                "{}; `run` does so with --redo only, or works in a fresh folder with --new",
                outdated.describe(&survey.folder)
            ))
        }
        Err(problem) => {
            note(&format!(
                "note: which stages would run is not known: {}",
                problem.chain()
            ));
            None
        }
    }
}

/// `  skip 3: audit eval.base.emotion.english.{de,en}`
fn list_stages(verb: &str, stages: &[StageStatus], is_done: bool) -> String {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    let mut count = 0;
    for status in stages.iter().filter(|status| status.is_done == is_done) {
        let name = status.stage.name();
        let (group, last) = name.rsplit_once('.').unwrap_or(("", &name));
        match groups.last_mut() {
            Some((known, members)) if known == group => members.push(last.to_owned()),
            _ => groups.push((group.to_owned(), vec![last.to_owned()])),
        }
        count += 1;
    }
    let mut line = format!("  {verb} {count}:");
    for (group, members) in groups {
        let members = match members.as_slice() {
            [one] => one.clone(),
            several => format!("{{{}}}", several.join(",")),
        };
        let dot = if group.is_empty() { "" } else { "." };
        line += &format!(" {group}{dot}{members}");
    }
    line
}

/// The shape of the files, or the catalogue's.
fn shape(recipe: &Recipe, model: Option<&Model>) -> Result<Option<Shape>> {
    Ok(match model {
        Some(model) => Some(session::config(&model.files)?.shape()),
        None => catalogue::entry(&recipe.model).map(|entry| entry.shape),
    })
}

/// An estimate; it needs the model and its tokenizer, and the data to count tokens.
fn time_note(recipe: &Recipe, shape: &Shape, model: Option<&Model>) {
    let Some(model) = model else {
        return note("note: no estimate of time before the model is fetched");
    };
    match times(recipe, shape, model) {
        Ok(lines) => {
            note(&format!(
                "time on this CPU, from a block and the head timed now ({} threads, {}, {}):",
                rayon::current_num_threads(),
                model::instruction_set(),
                recipe.dtype
            ));
            lines.iter().for_each(|line| note(&format!("  {line}")));
        }
        Err(error) => note(&format!("note: no estimate of time: {error:#}")),
    }
}

fn times(recipe: &Recipe, shape: &Shape, model: &Model) -> Result<Vec<String>> {
    let tokens = Tokens::count(recipe, &Tokenizer::load(&model.files)?)?;
    let checkpointing = recipe
        .train
        .as_ref()
        .is_some_and(|train| checkpointing(recipe, shape, train).on);
    let speeds = tokens.time(recipe, shape, &model.files, checkpointing, TIMED)?;
    Ok(tokens.describe(recipe, shape, &speeds, checkpointing))
}

/// Of a whole micro-batch.
fn checkpointing(recipe: &Recipe, shape: &Shape, train: &TrainRecipe) -> CheckpointingDecision {
    CheckpointingDecision::new(
        shape,
        recipe.dtype,
        train,
        MicroBatchSize::of_budget(train),
        machine::memory_for_this_process(),
    )
}

/// Languages that `all` leaves out, as they have no test file.
fn data_notes(recipe: &Recipe) -> Result<()> {
    for task in &recipe.eval.tasks {
        let task = tasks::task(task)?;
        if !recipe.eval.asks_all() {
            continue;
        }
        let wanted: Vec<_> = match &task.default {
            Some(_) => testset::languages(&recipe.data.dir, task).unwrap_or_default(),
            None => task.languages.keys().copied().collect(),
        };
        let missing: Vec<_> = wanted
            .iter()
            .filter(|&&l| testset::find(&recipe.data.dir, task, l).is_err())
            .map(|l| l.code())
            .collect();
        if !missing.is_empty() {
            note(&format!(
                "note: {} has no {} test file for {}",
                recipe.data.dir.display(),
                task.name,
                missing.join(" ")
            ));
        }
    }
    Ok(())
}

/// The largest memory of a training and an evaluation, and what this machine has.
fn memory_note(recipe: &Recipe, shape: &Shape) {
    let weights = estimate::weight_bytes(shape, recipe.dtype);
    note(&format!(
        "memory, estimated: weights {} ({})",
        gigabytes(weights),
        recipe.dtype
    ));
    if let Some(train) = &recipe.train {
        let rows = MicroBatchSize::of_budget(train);
        let decision = checkpointing(recipe, shape, train);
        let word = if decision.on { "on" } else { "off" };
        note(&format!(
            "  training, {} tokens at once: {}; it would be {word}",
            rows.tokens,
            decision.describe()
        ));
    }
    let tokens = recipe.eval.tokens_per_batch;
    let bytes = estimate::evaluation_bytes(shape, recipe.dtype, tokens);
    note(&format!(
        "  evaluation, {tokens} tokens at once: {}",
        gigabytes(bytes)
    ));
}

/// The captured states on disk; the number of items is known only when they are read.
fn captures_note(recipe: &Recipe, shape: &Shape) {
    let Some(analyse) = &recipe.analyse else {
        return;
    };
    if !(analyse.asks(Analysis::Pca) || analyse.asks(Analysis::Alignment)) {
        return;
    }
    let models = 1 + recipe.adapters().len();
    let (languages, poolings) = (analyse.languages.len(), analyse.poolings.len());
    let bytes = estimate::captured_bytes(shape, poolings) * (models * languages * 100) as u64;
    note(&format!(
        "disk: hidden states of {languages} languages, {models} models and {poolings} poolings: {} for every 100 items",
        gigabytes(bytes)
    ));
}
