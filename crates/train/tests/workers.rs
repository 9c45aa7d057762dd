//! The adapter has the same bits for any number of workers, here as threads of one process, and
//! after a stop and a resume with another number.

use std::{
    path::Path,
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::Duration,
};

use candle_core::Device;
use data::example::Example;
use hub::ModelFiles;
use model::{Adapter, Decoder};
use schema::{
    Language,
    recipe::{ProbeRecipe, TrainRecipe},
    record::{ProbeRecord, TrainRecord},
    task::Precision,
};
use train::{
    Event, Outcome, TrainError, TrainingRun,
    adamw::AdapterPart,
    dismiss, follow, next_training, report_failure, train,
    workers::{Alone, Message, Workers, WorkersError},
};

/// A worker in a thread. The first one has a channel to and from each other one, in their order;
/// another one has one of each.
struct ThreadWorker {
    rank: usize,
    count: usize,
    out: Vec<Sender<Message>>,
    inbox: Vec<Receiver<Message>>,
}

/// As many workers as wanted, the first one first.
fn workers(count: usize) -> Vec<ThreadWorker> {
    let mut first = ThreadWorker {
        rank: 0,
        count,
        out: Vec::new(),
        inbox: Vec::new(),
    };
    let mut others = Vec::new();
    for rank in 1..count {
        let (to, heard) = channel();
        let (handed_in, from) = channel();
        first.out.push(to);
        first.inbox.push(from);
        others.push(ThreadWorker {
            rank,
            count,
            out: vec![handed_in],
            inbox: vec![heard],
        });
    }
    others.insert(0, first);
    others
}

impl Workers for ThreadWorker {
    fn rank(&self) -> usize {
        self.rank
    }

    fn count(&self) -> usize {
        self.count
    }

    fn broadcast(&mut self, message: &Message) -> Result<(), WorkersError> {
        self.out
            .iter()
            .try_for_each(|to| to.send(message.clone()))
            .map_err(WorkersError::new)
    }

    fn hear(&mut self) -> Result<Message, WorkersError> {
        self.inbox[0].recv().map_err(WorkersError::new)
    }

    fn hand_in(&mut self, message: &Message) -> Result<(), WorkersError> {
        self.out[0].send(message.clone()).map_err(WorkersError::new)
    }

    fn collect(
        &mut self,
        rank: usize,
        goes_on: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Message>, WorkersError> {
        loop {
            match self.inbox[rank - 1].recv_timeout(Duration::from_millis(1)) {
                Ok(message) => return Ok(Some(message)),
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) if goes_on() => {}
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) => return Ok(None),
                Err(gone) => return Err(WorkersError::new(gone)),
            }
        }
    }
}

/// Token ids below the tiny model's vocabulary, of several lengths.
fn examples() -> Vec<Example> {
    let example = |index: u32| {
        let own = (0..5 + index % 4).map(|at| (index * 7 + at * 5) % 60 + 1);
        Example {
            input_ids: [5, 9, 2].into_iter().chain(own).collect(),
            prompt_len: 3 + index as usize % 2,
        }
    };
    (0..18).map(example).collect()
}

fn model() -> Decoder {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/tiny_llama");
    let files = ModelFiles::Folder {
        weights: vec![dir.join("model.safetensors")],
        dir,
    };
    Decoder::load(&files, Precision::F32, &Device::Cpu).expect("loads")
}

/// Batches of seven micro-batches or six, and five of validation.
fn recipe() -> TrainRecipe {
    let mut recipe = TrainRecipe::paper(Vec::new(), Vec::new());
    recipe.batch_size = 7;
    recipe.max_steps = Some(4);
    recipe.micro_batch_tokens = 8;
    recipe.learning_rate = 1e-2;
    recipe.eval_steps = 2;
    recipe.save_steps = 1;
    recipe.lora.rank = 4;
    recipe
}

fn train_first(
    recipe: &TrainRecipe,
    folder: &Path,
    workers: &mut dyn Workers,
    watch: &mut dyn FnMut(Event<'_>) -> bool,
) -> Result<Outcome, TrainError> {
    let examples = examples();
    let run = TrainingRun {
        recipe,
        seed: 3,
        examples: &examples[..13],
        validation: &examples[13..],
        checkpoint: folder.join("checkpoint.safetensors"),
        inputs: String::new(),
        setup: "tiny".to_owned(),
    };
    let outcome = train(&mut model(), &run, workers, watch)?;
    dismiss(workers)?;
    Ok(outcome)
}

/// What another worker's process does.
fn work(mut worker: ThreadWorker) -> Result<(), TrainError> {
    let mut model = model();
    while let Some(assignment) = next_training(&mut worker)? {
        assert_eq!(assignment.setup, "tiny");
        follow(&mut model, &assignment, &mut worker)?;
    }
    Ok(())
}

/// Trains with `count` workers until `watch` says stop.
fn train_with(
    count: usize,
    recipe: &TrainRecipe,
    folder: &Path,
    watch: &mut dyn FnMut(Event<'_>) -> bool,
) -> Result<Outcome, TrainError> {
    let mut workers = workers(count).into_iter();
    let mut first = workers.next().expect("at least one");
    thread::scope(|scope| {
        let others: Vec<_> = workers
            .map(|worker| scope.spawn(move || work(worker)))
            .collect();
        let outcome = train_first(recipe, folder, &mut first, watch);
        drop(first);
        for other in others {
            let ended = other.join().expect("no panic");
            assert_eq!(ended.is_ok(), outcome.is_ok(), "{ended:?}");
        }
        outcome
    })
}

fn adapter_bits(adapter: &Adapter) -> Vec<u32> {
    let tensors = adapter.weights.values().flat_map(AdapterPart::of);
    tensors
        .flat_map(|(_, tensor)| {
            let values = tensor.flatten_all().and_then(|t| t.to_vec1::<f32>());
            values.expect("values")
        })
        .map(f32::to_bits)
        .collect()
}

/// All numbers of a training.
fn bits(outcome: &Outcome) -> (Vec<u32>, Vec<u64>) {
    let numbers = outcome.records.iter().flat_map(|record| match record {
        TrainRecord::Step(step) => vec![step.loss, step.grad_norm, step.tokens as f64],
        TrainRecord::Validation(validation) => vec![validation.loss],
    });
    (
        adapter_bits(&outcome.adapter),
        numbers.map(f64::to_bits).collect(),
    )
}

fn train_whole(count: usize, recipe: &TrainRecipe) -> (Vec<u32>, Vec<u64>) {
    let folder = tempfile::tempdir().expect("a folder");
    let outcome = train_with(count, recipe, folder.path(), &mut |_| true);
    bits(&outcome.expect("trains"))
}

/// Promise: the same bits for any number of workers, more than there are micro-batches included.
#[test]
fn any_number_of_workers_trains_the_same_adapter() {
    let recipe = recipe();
    let folder = tempfile::tempdir().expect("a folder");
    let alone = train_first(&recipe, folder.path(), &mut Alone, &mut |_| true);
    let alone = bits(&alone.expect("trains"));
    for count in [1, 2, 3, 4, 9] {
        assert!(train_whole(count, &recipe) == alone, "{count} workers");
    }
}

#[test]
fn so_with_magnitudes_and_with_dropout() {
    let mut with_magnitudes = recipe();
    with_magnitudes.lora.dora = true;
    let mut with_dropout = recipe();
    with_dropout.lora.dropout = 0.2;
    let mut in_the_weights = recipe();
    in_the_weights.lora.init = schema::recipe::LoraInit::Pissa;
    for recipe in [with_magnitudes, with_dropout, in_the_weights] {
        let alone = train_whole(1, &recipe);
        assert!(train_whole(3, &recipe) == alone, "{:?}", recipe.lora);
    }
}

/// Promise: a stop with one number of workers, at any place, and a resume with another.
#[test]
fn a_stopped_training_resumes_with_another_number_of_workers() {
    let recipe = recipe();
    let whole = train_whole(1, &recipe);
    for (stop, counts) in [(3, [2, 3]), (9, [3, 1]), (14, [1, 2]), (20, [3, 2])] {
        let folder = tempfile::tempdir().expect("a folder");
        let mut seen = 0;
        let stopped = train_with(counts[0], &recipe, folder.path(), &mut |event| {
            seen += usize::from(matches!(event, Event::Working));
            seen <= stop
        });
        assert!(matches!(stopped, Err(TrainError::Stopped(_))), "{stop}");
        let resumed = train_with(counts[1], &recipe, folder.path(), &mut |_| true);
        assert!(bits(&resumed.expect("resumes")) == whole, "{stop}");
    }
}

/// A point without a measure.
fn point(update: usize) -> ProbeRecord {
    ProbeRecord {
        update,
        language: Language::De,
        task: String::new(),
        answers: Vec::new(),
        translation: None,
        alignment: None,
    }
}

/// Promise: wherever a training is stopped, no probe is lost and none is there twice, and they
/// change nothing.
#[test]
fn a_stopped_training_has_every_probe_once() {
    let plain = train_whole(1, &recipe());
    let mut recipe = recipe();
    recipe.probe = Some(ProbeRecipe {
        every: 3,
        ..ProbeRecipe::usual()
    });
    for stop in (0..40).step_by(3) {
        let folder = tempfile::tempdir().expect("a folder");
        let mut seen = 0;
        let mut last = usize::MAX;
        let mut train_until = |most: usize| {
            train_first(&recipe, folder.path(), &mut Alone, &mut |event| {
                if let Event::Probe {
                    update, records, ..
                } = event
                {
                    assert_ne!(update, last, "measured twice");
                    last = update;
                    records.push(point(update));
                    return true;
                }
                seen += usize::from(matches!(event, Event::Working));
                seen <= most
            })
        };
        let stopped = train_until(stop);
        assert!(matches!(stopped, Err(TrainError::Stopped(_))), "{stop}");
        let outcome = train_until(usize::MAX).expect("resumes");
        let updates: Vec<usize> = outcome.probes.iter().map(|probe| probe.update).collect();
        assert_eq!(updates, [0, 3, 4], "{stop}");
        assert!(bits(&outcome) == plain, "{stop}");
    }
}

/// Promise: what fails in one worker is said by the first, with its number.
#[test]
fn the_first_worker_says_which_other_one_failed() {
    let mut workers = workers(3).into_iter();
    let mut first = workers.next().expect("the first");
    let folder = tempfile::tempdir().expect("a folder");
    let failed = thread::scope(|scope| {
        for mut worker in workers {
            scope.spawn(move || match worker.rank {
                1 => work(worker),
                _ => {
                    next_training(&mut worker)?;
                    report_failure(&mut worker, "the disk is gone")
                }
            });
        }
        let failed = train_first(&recipe(), folder.path(), &mut first, &mut |_| true);
        drop(first);
        failed.err()
    });
    let message = failed.expect("fails").to_string();
    assert_eq!(message, "worker 2 of 3: the disk is gone");
}
