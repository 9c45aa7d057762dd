//! The training stages: one adapter trained on its pairs, resuming from a checkpoint if there is
//! one.

use std::{fs, io::ErrorKind, path::Path};

use data::{Example, TranslationPair, example, pairs};
use schema::{
    caveats::describe_training,
    recipe::{AdapterPlan, BuildRecipe, TrainRecipe},
    record::{ProbeRecord, TrainRecord},
    task::ActivationCheckpointing,
    write_json_lines,
};
use serde_json::json;
use train::{Event, Outcome, TrainError, TrainingRun};

use super::{
    Made, Workbench,
    probes::{self, ProbeQuestions, Probed},
    read_lines,
};
use crate::{
    RunError,
    error::{At, Result},
    estimate::{CheckpointingDecision, MicroBatchSize},
    experiment::Experiment,
    facts::{adapter_files, hub_name},
    manifest::hash,
    session::{self, Session},
    watch::Watch,
};

/// Everything that an adapter depends on, and its part of the recipe.
pub(super) fn inputs(
    experiment: &Experiment,
    plan: &AdapterPlan,
) -> Result<(Vec<String>, TrainRecipe)> {
    // Settings and tasks of other adapters in the recipe change nothing here.
    let own = TrainRecipe {
        settings: vec![plan.setting.clone()],
        tasks: vec![plan.task.clone()],
        ..experiment.train_recipe()?.clone()
    };
    // Checkpointing of activations changes no number, and how pairs were made changes only the
    // pairs.
    let build = BuildRecipe {
        split: own.build.split,
        ..BuildRecipe::paper()
    };
    let numbers = TrainRecipe {
        activation_checkpointing: ActivationCheckpointing::Auto,
        build,
        ..own.clone()
    };
    let mut inputs = experiment.base_inputs();
    let pairs = hub::hash_file(&experiment.folder.pairs(&plan.name))?;
    inputs.extend([
        "train".into(),
        serde_json::to_string(&numbers)?,
        plan.seed.to_string(),
        pairs,
    ]);
    inputs.extend(experiment.form_inputs(own.prompt));
    if let Some(probe) = &own.probe {
        inputs.extend(probes::inputs(experiment, plan, probe)?);
    }
    Ok((inputs, own))
}

/// Trains one adapter.
pub(super) fn make(bench: &mut Workbench<'_>, plan: &AdapterPlan) -> Result<Made> {
    let experiment = bench.experiment;
    let (inputs, own) = inputs(experiment, plan)?;
    let all: Vec<TranslationPair> = read_lines(&experiment.folder.pairs(&plan.name))?;
    let (_, tokenizer) = bench.session.parts()?;
    let encoded = example::encode_all(tokenizer, &all, own.cutoff_len, own.prompt)?;
    let (cut, examples) = (encoded.cut, encoded.examples);
    let (examples, validation) = pairs::split(&all, examples, &own, plan.seed);
    let decision = decide_checkpointing(bench.session, &own, &examples)?;
    report_checkpointing(&own, &decision, bench.watch);
    let run = TrainingRun {
        recipe: &own,
        seed: plan.seed,
        examples: &examples,
        validation: &validation,
        checkpoint: experiment
            .folder
            .checkpoint(&plan.name)
            .join("state.safetensors"),
        inputs: hash(&inputs),
        setup: setup(bench.session)?,
    };
    bench
        .session
        .decoder()?
        .set_activation_checkpointing(decision.on);
    let questions = ProbeQuestions::new(experiment, plan, &own, &all, &validation)?;
    let (outcome, resumed_at) = run_training(bench, &plan.name, &run, questions.as_ref())?;
    for caveat in describe_training(&outcome.records, cut) {
        bench.watch.note(&format!("note: {}: {caveat}", plan.name));
    }
    let mut made = keep_adapter(experiment, plan, &outcome, &decision)?;
    made.earlier_seconds = time_before(&outcome.records, resumed_at);
    if own.probe.is_some() {
        made.files.push(experiment.folder.probes(&plan.name));
    }
    let workers = bench.workers.count();
    if workers > 1 {
        made.notes.insert("workers".to_owned(), json!(workers));
    }
    if cut > 0 {
        made.notes.insert("cut_examples".to_owned(), json!(cut));
    }
    Ok(made)
}

/// What decides the numbers of a training beside its recipe and its examples.
pub(crate) fn setup(session: &Session) -> Result<String> {
    Ok(serde_json::to_string(&session::answerer(session, None)?)?)
}

/// Whether this training keeps activations or runs blocks again.
pub(crate) fn decide_checkpointing(
    session: &Session,
    recipe: &TrainRecipe,
    examples: &[Example],
) -> Result<CheckpointingDecision> {
    let shape = session::config(&session.model.files)?.shape();
    let largest = MicroBatchSize::of_examples(recipe, examples);
    let room = session.memory();
    let decision = CheckpointingDecision::new(&shape, session.precision(), recipe, largest, room);
    tracing::info!(
        on = decision.on,
        tokens = largest.tokens,
        "activation checkpointing; estimates: {}",
        decision.describe()
    );
    Ok(decision)
}

/// Reports it where it is not the usual way.
fn report_checkpointing(
    recipe: &TrainRecipe,
    decision: &CheckpointingDecision,
    watch: &mut dyn Watch,
) {
    if decision.on && recipe.activation_checkpointing == ActivationCheckpointing::Auto {
        watch.note(&format!(
            "activation checkpointing is on: about {}",
            decision.describe()
        ));
    }
    if decision.is_too_large() {
        watch.note(&format!(
            "note: this training may not fit into memory (about {}); lower train.micro_batch_tokens",
            decision.describe()
        ));
    }
}

/// The training, and the update after which it was resumed.
fn run_training(
    bench: &mut Workbench<'_>,
    name: &str,
    run: &TrainingRun<'_>,
    questions: Option<&ProbeQuestions<'_>>,
) -> Result<(Outcome, usize)> {
    let folder = &bench.experiment.folder;
    let (log, probes) = (folder.train_log(name), folder.probes(name));
    remove_old(&probes)?;
    let answerer = session::answerer(bench.session, None)?;
    let watch = &mut *bench.watch;
    let (decoder, tokenizer) = bench.session.parts_to_train()?;
    let mut remark = String::new();
    let mut failed: Option<RunError> = None;
    let mut resumed_at = 0;
    let outcome = train::train(decoder, run, &mut *bench.workers, &mut |event| {
        match event {
            Event::Start { steps, done } => {
                resumed_at = done;
                watch.start(&format!("train {name}"), steps, "steps");
                watch.advance(done, "");
            }
            Event::Record(TrainRecord::Step(step)) => {
                let speed = step.tokens as f64 / step.seconds;
                remark = format!("loss {:.4}, {speed:.0} tokens/s", step.loss);
                watch.advance(step.step, &remark);
            }
            Event::Working | Event::Record(TrainRecord::Validation(_)) => {}
            Event::Probe {
                update,
                model,
                records,
            } => {
                let probed = Probed {
                    model,
                    tokenizer,
                    answerer: &answerer,
                };
                *records = ask(questions, update, probed, watch, &mut failed);
            }
            Event::Saved(progress) => {
                let written = write_logs(&log, &probes, &progress.records, &progress.probes);
                failed = failed.take().or(written.err());
            }
        }
        failed.is_none() && !watch.is_interrupted()
    });
    if let Some(problem) = failed {
        return Err(problem);
    }
    let outcome = match outcome {
        Err(TrainError::Stopped(step)) => return Err(interrupted(name, step)),
        other => other.at(|| format!("training {name}"))?,
    };
    write_logs(&log, &probes, &outcome.records, &outcome.probes)?;
    watch.finish(&format!("{remark}; best at step {}", outcome.step));
    Ok((outcome, resumed_at))
}

fn interrupted(name: &str, step: usize) -> RunError {
    RunError::Interrupted(format!(
        "interrupted after step {step} of {name}; run the same command again to resume"
    ))
}

/// What the updates before a resumption took.
fn time_before(records: &[TrainRecord], resumed_at: usize) -> f64 {
    let steps = records.iter().filter_map(|record| match record {
        TrainRecord::Step(step) if step.step <= resumed_at => Some(step.seconds),
        _ => None,
    });
    steps.sum()
}

/// What a probe finds; a failure, unless it is an interruption, goes to `failed`.
fn ask(
    questions: Option<&ProbeQuestions<'_>>,
    update: usize,
    probed: Probed<'_>,
    watch: &dyn Watch,
    failed: &mut Option<RunError>,
) -> Vec<ProbeRecord> {
    match questions.map(|questions| questions.ask(update, probed, watch)) {
        Some(Ok(found)) => return found,
        Some(Err(problem)) if !watch.is_interrupted() => *failed = Some(problem),
        _ => {}
    }
    Vec::new()
}

/// The probes of an earlier training with other keys: without this they would stay where this one
/// makes none.
fn remove_old(probes: &Path) -> Result<()> {
    match fs::remove_file(probes) {
        Err(problem) if problem.kind() != ErrorKind::NotFound => {
            Err(problem).at_path("remove", probes)
        }
        _ => Ok(()),
    }
}

/// Probes have a file only where there are any.
fn write_logs(
    log: &Path,
    probes: &Path,
    records: &[TrainRecord],
    probed: &[ProbeRecord],
) -> Result<()> {
    if !probed.is_empty() {
        write_json_lines(probes, probed)?;
    }
    Ok(write_json_lines(log, records)?)
}

/// Writes the PEFT folder, then removes the checkpoint.
fn keep_adapter(
    experiment: &Experiment,
    plan: &AdapterPlan,
    outcome: &Outcome,
    memory: &CheckpointingDecision,
) -> Result<Made> {
    let folder = experiment.folder.adapter(&plan.name);
    // So that programs that look a base up on the hub find it.
    outcome
        .adapter
        .write(&folder, &hub_name(&experiment.model.name))?;
    let checkpoint = experiment.folder.checkpoint(&plan.name);
    if checkpoint.exists() {
        fs::remove_dir_all(&checkpoint).at_path("remove", &checkpoint)?;
    }
    let (mut tokens, mut seconds) = (0, 0.0);
    for record in &outcome.records {
        if let TrainRecord::Step(step) = record {
            tokens += step.tokens;
            seconds += step.seconds;
        }
    }
    let estimated = if memory.on {
        memory.with
    } else {
        memory.without
    };
    let speed = tokens as f64 / f64::max(seconds, 1e-9);
    let notes = [
        ("best_step".to_owned(), json!(outcome.step)),
        ("parameters".to_owned(), json!(outcome.adapter.parameters())),
        ("tokens".to_owned(), json!(tokens)),
        ("activation_checkpointing".to_owned(), json!(memory.on)),
        ("estimated_bytes".to_owned(), json!(estimated)),
        ("available_bytes".to_owned(), json!(memory.room)),
        ("tokens_per_second".to_owned(), json!(speed)),
    ];
    let mut files = adapter_files(&folder).to_vec();
    files.push(experiment.folder.train_log(&plan.name));
    Ok(Made {
        files,
        notes: notes.into(),
        ..Made::default()
    })
}

#[cfg(test)]
mod tests {
    use schema::{StepRecord, ValidationRecord};

    use super::*;

    // Promise: a training that was killed and resumed counts the updates before its kill too.
    #[test]
    fn the_updates_before_a_resumption_are_timed() {
        let step = |step: usize, seconds: f64| {
            TrainRecord::Step(StepRecord {
                step,
                epoch: 0.1,
                loss: 2.0,
                learning_rate: 1e-4,
                grad_norm: 1.0,
                tokens: 100,
                target_tokens: 60,
                seconds,
            })
        };
        let validation = TrainRecord::Validation(ValidationRecord {
            step: 2,
            loss: 1.0,
            best: true,
        });
        let records = [step(1, 10.0), step(2, 20.5), validation, step(3, 40.0)];
        assert_eq!(time_before(&records, 2), 30.5);
        assert_eq!(time_before(&records, 0), 0.0);
    }
}
