//! The training loop: batches in a seeded order, validation, the best adapter, checkpoints.

use std::{path::PathBuf, time::Instant};

use data::{batch, example::Example};
use model::{Adapter, Decoder};
use schema::{
    recipe::TrainRecipe,
    record::{ProbeRecord, StepRecord, TrainRecord, ValidationRecord},
};

use crate::{
    adamw::{AdamW, AdamWConfig, HostGradients},
    calls::{self, Assignment, Call},
    checkpoint::{self, TrainingProgress},
    error::TrainError,
    flat,
    initial::initial_adapter,
    schedule,
    step::{batch_of_step, batch_of_validation},
    sums,
    workers::Workers,
};

/// One training.
pub struct TrainingRun<'a> {
    /// How.
    pub recipe: &'a TrainRecipe,
    /// Decides A's initial values, the order of examples and what dropout drops.
    pub seed: u64,
    /// Examples to learn.
    pub examples: &'a [Example],
    /// Examples to choose the best adapter by; may be empty.
    pub validation: &'a [Example],
    /// The checkpoint file; removed by the caller once the adapter is written.
    pub checkpoint: PathBuf,
    /// Names recipe, data and model: a checkpoint made from other inputs is not resumed.
    pub inputs: String,
    /// Names all else that decides the numbers (program, weights, number format, device,
    /// kernels): every worker must have the same.
    pub setup: String,
}

/// The number of steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepCounts {
    /// Updates in one pass over the examples.
    pub steps_per_epoch: usize,
    /// Updates in all.
    pub steps: usize,
}

impl StepCounts {
    /// Counts as Hugging Face's trainer: a pass has ceil(n / batch) updates.
    pub fn new(recipe: &TrainRecipe, examples: usize) -> Self {
        let steps_per_epoch = examples.div_ceil(recipe.batch_size.max(1));
        let steps = recipe
            .max_steps
            .unwrap_or_else(|| (recipe.epochs * steps_per_epoch as f64).ceil() as usize);
        Self {
            steps_per_epoch,
            steps,
        }
    }
}

/// What the loop reports to its caller.
pub enum Event<'a> {
    /// Before the first step.
    Start {
        /// Updates in all.
        steps: usize,
        /// Updates already made by an earlier run.
        done: usize,
    },
    /// A micro-batch is about to be run.
    Working,
    /// A probe is due: the model with the adapter as it is after `update` updates. What is
    /// measured of it goes into `records`, and to the checkpoint with all else.
    Probe {
        /// Updates so far.
        update: usize,
        /// The model.
        model: &'a Decoder,
        /// Empty.
        records: &'a mut Vec<ProbeRecord>,
    },
    /// A step or a validation is done.
    Record(&'a TrainRecord),
    /// The state of the run is on disk; this is all of it.
    Saved(&'a TrainingProgress),
}

/// A finished training.
pub struct Outcome {
    /// The adapter with the lowest validation loss, or the last where nothing was validated.
    pub adapter: Adapter,
    /// The step it is from.
    pub step: usize,
    /// The whole log.
    pub records: Vec<TrainRecord>,
    /// All that was measured on the way.
    pub probes: Vec<ProbeRecord>,
}

/// Trains an adapter on `model`, which is left with the chosen adapter set, as the first of
/// `workers`; the others [`crate::follow`]. `watch` may stop the run by returning false; the state
/// is saved first, and the other workers are left waiting: the process must end them.
///
/// # Errors
/// This worker or another one failed; [`TrainError::Stopped`].
pub fn train(
    model: &mut Decoder,
    run: &TrainingRun<'_>,
    workers: &mut dyn Workers,
    watch: &mut dyn FnMut(Event<'_>) -> bool,
) -> Result<Outcome, TrainError> {
    check(run)?;
    let counts = StepCounts::new(run.recipe, run.examples.len());
    let mut state = TrainingState::start(model, run)?;
    model.set_adapter(Some(&state.adapter))?;
    watch(Event::Start {
        steps: counts.steps,
        done: state.progress.step,
    });
    match state.advance_together(model, run, counts, workers, watch) {
        Ok(()) => {}
        Err(TrainError::Abandoned) => {
            state.save(run, watch)?;
            return Err(TrainError::Stopped(state.progress.step));
        }
        Err(problem) => return Err(problem),
    }
    let step = state
        .progress
        .best
        .map_or(state.progress.step, |(_, step)| step);
    let adapter = state.best.unwrap_or(state.adapter);
    model.set_adapter(Some(&adapter))?;
    Ok(Outcome {
        adapter,
        step,
        records: state.progress.records,
        probes: state.progress.probes,
    })
}

fn check(run: &TrainingRun<'_>) -> Result<(), TrainError> {
    if run.examples.is_empty() {
        return Err(TrainError::NoExamples(run.validation.len()));
    }
    let mut examples = run.examples.iter().chain(run.validation);
    match examples.position(|e| e.prompt_len.max(1) >= e.input_ids.len()) {
        Some(index) => Err(TrainError::NoTarget(index)),
        None => Ok(()),
    }
}

struct TrainingState {
    adapter: Adapter,
    best: Option<Adapter>,
    optimiser: AdamW,
    progress: TrainingProgress,
    /// The examples' order in one pass, and which pass.
    order: Option<(usize, Vec<usize>)>,
}

impl TrainingState {
    fn start(model: &mut Decoder, run: &TrainingRun<'_>) -> Result<Self, TrainError> {
        let fresh = initial_adapter(model, &run.recipe.lora, run.seed)?;
        let mut optimiser = AdamW::new(AdamWConfig {
            b_ratio: run.recipe.lora.lora_plus_ratio,
            ..AdamWConfig::new(run.recipe.weight_decay)
        });
        if let Some(old) = checkpoint::read(&run.checkpoint, &run.inputs, &fresh, &mut optimiser)? {
            tracing::info!(
                step = old.progress.step,
                "training resumes from its checkpoint"
            );
            return Ok(Self {
                adapter: old.adapter,
                best: old.best,
                optimiser,
                progress: old.progress,
                order: None,
            });
        }
        let progress = TrainingProgress {
            inputs: run.inputs.clone(),
            step: 0,
            best: None,
            records: Vec::new(),
            probes: Vec::new(),
        };
        Ok(Self {
            adapter: fresh,
            best: None,
            optimiser,
            progress,
            order: None,
        })
    }

    /// [`Self::advance`] with all workers, from the first call to the last.
    fn advance_together(
        &mut self,
        model: &mut Decoder,
        run: &TrainingRun<'_>,
        counts: StepCounts,
        workers: &mut dyn Workers,
        watch: &mut dyn FnMut(Event<'_>) -> bool,
    ) -> Result<(), TrainError> {
        if workers.count() > 1 {
            let assignment = Assignment {
                setup: run.setup.clone(),
                recipe: run.recipe.clone(),
                seed: run.seed,
                examples: run.examples.to_vec(),
                validation: run.validation.to_vec(),
            };
            calls::call(workers, &Call::Begin(Box::new(assignment)), Vec::new())?;
            calls::wait_for_all(workers, &mut || watch(Event::Working))?;
        }
        self.hand_out(workers)?;
        self.advance(model, run, counts, workers, watch)?;
        calls::call(workers, &Call::End, Vec::new())?;
        calls::wait_for_all(workers, &mut || true)
    }

    /// Gives all workers the adapter as it is.
    fn hand_out(&self, workers: &mut dyn Workers) -> Result<(), TrainError> {
        if workers.count() == 1 {
            return Ok(());
        }
        calls::call(
            workers,
            &Call::Adapter,
            flat::adapter_values(&self.adapter)?,
        )
    }

    /// To the last step and its validation, or until `watch` stops it: [`TrainError::Abandoned`].
    fn advance(
        &mut self,
        model: &mut Decoder,
        run: &TrainingRun<'_>,
        counts: StepCounts,
        workers: &mut dyn Workers,
        watch: &mut dyn FnMut(Event<'_>) -> bool,
    ) -> Result<(), TrainError> {
        let mut is_saved = true;
        loop {
            let step = self.progress.step;
            let is_last = step == counts.steps;
            let is_due = |every: usize| is_last || step.is_multiple_of(every.max(1));
            if is_due(run.recipe.eval_steps) && !self.is_validated() {
                self.validate(model, run, workers, watch)?;
            }
            let probe = run.recipe.probe.as_ref();
            if probe.is_some_and(|probe| is_due(probe.every)) && !self.is_probed() {
                self.probe(model, watch)?;
            }
            if is_due(run.recipe.save_steps) && !is_saved {
                self.save(run, watch)?;
            }
            if is_last {
                return Ok(());
            }
            if !self.step(model, run, counts, workers, watch)? {
                return Err(TrainError::Abandoned);
            }
            is_saved = false;
        }
    }

    /// Whether the loss after the last step made is in the record.
    fn is_validated(&self) -> bool {
        let last = self.progress.records.last();
        matches!(last, Some(TrainRecord::Validation(_)))
    }

    /// Whether the adapter as it is was measured.
    fn is_probed(&self) -> bool {
        let last = self.progress.probes.last();
        last.is_some_and(|probe| probe.update == self.progress.step)
    }

    fn probe(
        &mut self,
        model: &Decoder,
        watch: &mut dyn FnMut(Event<'_>) -> bool,
    ) -> Result<(), TrainError> {
        let mut records = Vec::new();
        let event = Event::Probe {
            update: self.progress.step,
            model,
            records: &mut records,
        };
        if !watch(event) {
            return Err(TrainError::Abandoned);
        }
        self.progress.probes.append(&mut records);
        Ok(())
    }

    fn save(
        &self,
        run: &TrainingRun<'_>,
        watch: &mut dyn FnMut(Event<'_>) -> bool,
    ) -> Result<(), TrainError> {
        checkpoint::write(
            &run.checkpoint,
            &self.progress,
            &self.adapter,
            self.best.as_ref(),
            &self.optimiser,
        )?;
        watch(Event::Saved(&self.progress));
        Ok(())
    }

    fn step(
        &mut self,
        model: &mut Decoder,
        run: &TrainingRun<'_>,
        counts: StepCounts,
        workers: &mut dyn Workers,
        watch: &mut dyn FnMut(Event<'_>) -> bool,
    ) -> Result<bool, TrainError> {
        let start = Instant::now();
        let recipe = run.recipe;
        let chosen = self.next_batch(run, counts);
        let number = self.progress.step + 1;
        let batch = batch_of_step(recipe, run.seed, run.examples, number, &chosen);
        calls::call(workers, &Call::Learn { number, chosen }, Vec::new())?;
        let (loss, gradients) =
            sums::sum_gradients(model, &batch, &self.adapter, workers, &mut || {
                watch(Event::Working)
            })?;
        if !loss.sum.is_finite() {
            return Err(TrainError::NotFinite {
                step: number,
                what: "the loss".into(),
            });
        }
        let mut gradients = HostGradients::take(
            &self.adapter,
            &gradients,
            1.0 / loss.target_tokens as f64,
            number,
        )?;
        let grad_norm = gradients.clip(recipe.max_grad_norm);
        let learning_rate = schedule::learning_rate(recipe, self.progress.step, counts.steps);
        self.optimiser
            .update(&mut self.adapter, &gradients, learning_rate)?;
        model.set_adapter(Some(&self.adapter))?;
        self.hand_out(workers)?;
        self.progress.step = number;
        self.record(
            TrainRecord::Step(StepRecord {
                step: number,
                epoch: number as f64 / counts.steps_per_epoch as f64,
                loss: loss.mean(),
                learning_rate,
                grad_norm,
                tokens: loss.tokens,
                target_tokens: loss.target_tokens,
                seconds: start.elapsed().as_secs_f64(),
            }),
            watch,
        )
    }

    /// The places of the next step's examples. The order of a pass is drawn once.
    fn next_batch(&mut self, run: &TrainingRun<'_>, counts: StepCounts) -> Vec<usize> {
        let epoch = self.progress.step / counts.steps_per_epoch;
        let batch = self.progress.step % counts.steps_per_epoch;
        let order = match self.order.take() {
            Some((drawn, order)) if drawn == epoch => order,
            _ => batch::epoch_order(run.examples.len(), run.seed, epoch),
        };
        let size = run.recipe.batch_size;
        let chosen = order
            .iter()
            .skip(batch * size)
            .take(size)
            .copied()
            .collect();
        self.order = Some((epoch, order));
        chosen
    }

    /// The loss before the first step is measured for the record; only trained adapters can be
    /// the best.
    fn validate(
        &mut self,
        model: &Decoder,
        run: &TrainingRun<'_>,
        workers: &mut dyn Workers,
        watch: &mut dyn FnMut(Event<'_>) -> bool,
    ) -> Result<(), TrainError> {
        if run.validation.is_empty() {
            return Ok(());
        }
        let batch = batch_of_validation(run.recipe, run.validation);
        calls::call(workers, &Call::Validate, Vec::new())?;
        let loss = sums::sum_loss(model, &batch, workers, &mut || watch(Event::Working))?.mean();
        let step = self.progress.step;
        if !loss.is_finite() {
            return Err(TrainError::NotFinite {
                step,
                what: "the validation loss".into(),
            });
        }
        let best = step > 0 && self.progress.best.is_none_or(|(lowest, _)| loss < lowest);
        if best {
            self.progress.best = Some((loss, step));
            self.best = Some(self.adapter.clone());
        }
        self.record(
            TrainRecord::Validation(ValidationRecord { step, loss, best }),
            watch,
        )?;
        Ok(())
    }

    fn record(
        &mut self,
        record: TrainRecord,
        watch: &mut dyn FnMut(Event<'_>) -> bool,
    ) -> Result<bool, TrainError> {
        let going = watch(Event::Record(&record));
        self.progress.records.push(record);
        Ok(going)
    }
}
