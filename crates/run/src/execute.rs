//! Stages made in order, each unless it is done: from the first that is ready, over those that
//! another process is making, until all are done.

pub(crate) mod cells;
mod siblings;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    thread::sleep,
    time::{Duration, Instant},
};

use schema::{Recipe, disk::remove_leftovers_below};
use train::workers::{Alone, Workers};

use self::cells::find_wanted;
use crate::{
    RunError,
    current::{find_current, is_done},
    error::Result,
    experiment::{Experiment, RunOptions, Siblings},
    limits,
    locks::{self, ManifestLock, Presence},
    manifest::{Manifest, Recorded, SpentTime, StageRecord, hash},
    output::{self, OutputCheck},
    preflight,
    redo::{self, Outdated},
    session::{self, Session},
    stages::{self, Made, Stage, Workbench, answers},
    time_left::TimeLeft,
    watch::{StagePlace, Watch},
};

/// How often a stage that another process is making is tried.
const PAUSE: Duration = Duration::from_millis(100);

/// What came of a run.
pub struct RunOutcome {
    /// The report's summary, if a report was wanted.
    pub summary: Option<report::Summary>,
}

/// Runs a whole recipe in its usual folder. Finished stages are skipped, so the same call
/// resumes.
///
/// # Errors
/// Model, data or files; data with errors that the recipe does not accept; a folder in which
/// another recipe is run; [`RunError::Interrupted`].
pub fn run(recipe: &Recipe, watch: &mut dyn Watch) -> Result<RunOutcome> {
    run_with(recipe, &RunOptions::whole(), watch)
}

/// As [`run`], in a folder, on a device and for the parts that `options` names.
///
/// # Errors
/// As [`run`]; [`RunError::Missing`] where a part needs another one.
pub fn run_with(
    recipe: &Recipe,
    options: &RunOptions,
    watch: &mut dyn Watch,
) -> Result<RunOutcome> {
    run_with_workers(recipe, options, &mut Alone, watch)
}

/// As [`run_with`], as the first of several workers; the others [`crate::follow_trainings`]. They
/// share the trainings, all else is done here.
///
/// # Errors
/// As [`run_with`], and where another worker fails. The caller then ends the other workers.
pub fn run_with_workers(
    recipe: &Recipe,
    options: &RunOptions,
    workers: &mut dyn Workers,
    watch: &mut dyn Watch,
) -> Result<RunOutcome> {
    // Before a model is fetched for an hour.
    let mut root = Experiment::root_of(recipe, options.out.as_deref());
    if options.fresh {
        root = redo::fresh_folder(&root)?;
    }
    OutputCheck::new(false).folder(&root, &output::is_run_folder)?;
    preflight::refuse(&preflight::find_data_problems(recipe, options.parts))?;
    let mut session = Session::open(&recipe.model, recipe.dtype, &options.device, watch)?;
    let experiment = find_experiment(recipe, options, root, &session)?;
    let mut execution = Execution::open(&experiment, options, &mut session, workers, watch)?;
    while execution.advance()? {}
    let outcome = execution.close()?;
    train::dismiss(workers)?;
    Ok(outcome)
}

/// The recipe in its folder, once nothing is known that would end it in its middle.
fn prepare(recipe: &Recipe, options: &RunOptions, session: &Session) -> Result<Experiment> {
    let root = Experiment::root_of(recipe, options.out.as_deref());
    OutputCheck::new(false).folder(&root, &output::is_run_folder)?;
    preflight::refuse(&preflight::find_data_problems(recipe, options.parts))?;
    find_experiment(recipe, options, root, session)
}

fn find_experiment(
    recipe: &Recipe,
    options: &RunOptions,
    root: PathBuf,
    session: &Session,
) -> Result<Experiment> {
    let device = session.device_name();
    let experiment = Experiment::new(recipe, Some(root), &session.model, device)?;
    let room = session.memory();
    let shape = session::config(&session.model.files)?.shape();
    limits::check(recipe, &shape, room)?;
    if let Some(room) = room {
        preflight::refuse(&preflight::find_memory_problems(
            recipe,
            &shape,
            options.parts,
            room,
        ))?;
    }
    output::check_run_folder(experiment.folder.root(), &session.model.files, recipe)?;
    Ok(experiment)
}

/// Stages being made in a run folder.
struct Execution<'a> {
    experiment: &'a Experiment,
    session: &'a mut Session,
    workers: &'a mut dyn Workers,
    watch: &'a mut dyn Watch,
    manifest: Manifest,
    stages: Vec<Stage>,
    /// By name, where in `stages`.
    places: BTreeMap<String, usize>,
    /// Those that are wanted and not done yet.
    pending: Vec<usize>,
    /// How many were wanted at first.
    wanted: usize,
    asking: Option<answers::GroupInProgress>,
    /// Those that another process was making when they were last tried.
    busy: BTreeSet<usize>,
    /// The stages of other processes that the user knows are waited for.
    noted: BTreeSet<String>,
    summary: Option<report::Summary>,
    siblings: Option<&'a Siblings>,
    _presence: Presence,
}

/// The manifest of now, with the stages that are current and planned.
///
/// # Errors
/// Finished stages would be made again, and nobody asked for it.
fn look_over(
    experiment: &Experiment,
    options: &RunOptions,
    (stages, wanted): (&[Stage], &[usize]),
    recorded: &Recorded,
    watch: &dyn Watch,
) -> Result<Manifest> {
    let mut manifest = Manifest::new(experiment, recorded);
    let wanted: Vec<&Stage> = wanted.iter().map(|&at| &stages[at]).collect();
    let looked_at: Vec<&Stage> = match &options.cells {
        None => stages.iter().collect(),
        Some(_) => wanted.clone(),
    };
    let stop = || watch.is_interrupted();
    manifest.current = find_current(experiment, &looked_at, &manifest, &stop)?;
    if let Some(outdated) = Outdated::find(experiment, &wanted, recorded, &manifest) {
        if !options.redo {
            return Err(outdated.refusal(experiment.folder.root()));
        }
        // Kept: on resuming the user is not asked again.
        manifest.redo.extend(outdated.stages);
    }
    let current = &manifest.current;
    manifest.redo.retain(|name| !current.contains(name));
    let planned = looked_at
        .iter()
        .filter(|stage| !matches!(stage, Stage::Report));
    manifest.planned = planned.map(|stage| stage.name()).collect();
    if options.cells.is_some() && recorded.is_of(experiment)? {
        let names: BTreeSet<String> = looked_at.iter().map(|stage| stage.name()).collect();
        manifest.keep_others(recorded, &names);
    }
    Ok(manifest)
}

/// Whether the stages are done that a stage needs.
enum Readiness {
    Ready,
    /// They come first.
    NotYet,
    /// Another process is making this one.
    Held(String),
}

impl<'a> Execution<'a> {
    /// Enters the run folder, lists the stages and finds out which are done.
    fn open(
        experiment: &'a Experiment,
        options: &'a RunOptions,
        session: &'a mut Session,
        workers: &'a mut dyn Workers,
        watch: &'a mut dyn Watch,
    ) -> Result<Self> {
        let folder = &experiment.folder;
        let lock = ManifestLock::new(folder)?;
        let presence = Presence::enter(folder, &lock, watch)?;
        remove_leftovers_below(folder.root());
        let recorded = Recorded::read(folder)?;
        if !presence.is_alone() && !recorded.is_of(experiment)? {
            return Err(locks::busy(folder));
        }
        watch.note(&format!(
            "{} -> {}",
            experiment.recipe.title,
            folder.root().display()
        ));
        let parts = options.parts;
        let stages = stages::list(&experiment.recipe, parts)?;
        let pending = find_wanted(&stages, options);
        let wanted = (stages.as_slice(), pending.as_slice());
        let mut manifest = look_over(experiment, options, wanted, &recorded, watch)?;
        if !presence.is_alone() {
            manifest.merge(Recorded::read(folder)?);
        }
        manifest.write(folder, &lock)?;
        presence.share(&lock)?;
        if parts.eval {
            answers::check_languages(&experiment.recipe, watch)?;
        }
        if parts.analyse {
            stages::report_left_out(&experiment.recipe, watch)?;
        }
        // A refusal changes no file, so it comes before.
        watch.enter(folder);
        let places = (0..).zip(&stages).map(|(at, stage)| (stage.name(), at));
        Ok(Self {
            experiment,
            session,
            workers,
            watch,
            manifest,
            places: places.collect(),
            wanted: pending.len(),
            pending,
            stages,
            asking: None,
            busy: BTreeSet::new(),
            noted: BTreeSet::new(),
            summary: None,
            siblings: options.siblings.as_ref(),
            _presence: presence,
        })
    }

    /// Makes or skips the first stage that can be, or waits; false when none is left.
    fn advance(&mut self) -> Result<bool> {
        if let Some(&next) = self.pending.first()
            && self.watch.is_interrupted()
        {
            self.finish_asking();
            return Err(RunError::Interrupted(format!(
                "interrupted before {}; run the same command again to resume",
                self.stages[next].name()
            )));
        }
        let mut held = None;
        for at in self.pending.clone() {
            let busy = match self.readiness(at)? {
                Readiness::NotYet => continue,
                Readiness::Held(name) => name,
                Readiness::Ready if self.try_stage(at)? => {
                    self.pending.retain(|pending| *pending != at);
                    return Ok(true);
                }
                Readiness::Ready => self.stages[at].name(),
            };
            held.get_or_insert(busy);
        }
        match held {
            Some(name) => self.wait_for(name),
            None => Ok(false),
        }
    }

    /// Whether a stage can be made. The data is audited before all others, and the report is of
    /// all that is wanted.
    fn readiness(&mut self, at: usize) -> Result<Readiness> {
        let stage = &self.stages[at];
        let is_first = self.pending.first() == Some(&at);
        let comes_after_all = match stage {
            Stage::Audit => false,
            Stage::Report => true,
            _ => self
                .pending
                .iter()
                .any(|&pending| matches!(self.stages[pending], Stage::Audit)),
        };
        if comes_after_all && !is_first {
            return Ok(Readiness::NotYet);
        }
        for name in stage.needs() {
            let Some(&need) = self.places.get(&name) else {
                continue;
            };
            if self.pending.contains(&need) {
                return Ok(Readiness::NotYet);
            }
            if self.manifest.current.contains(&name) {
                continue;
            }
            // Asked before: what is made in between is then found to be done.
            let is_busy = locks::is_busy(&self.experiment.folder, &name)?;
            if self.find_done(need)? {
                continue;
            }
            return match is_busy {
                true => Ok(Readiness::Held(name)),
                false => Err(self.stages[need].missing(self.experiment)),
            };
        }
        Ok(Readiness::Ready)
    }

    /// Whether a stage that is not wanted has been made meanwhile.
    fn find_done(&mut self, at: usize) -> Result<bool> {
        let stage = &self.stages[at];
        self.manifest
            .merge(Recorded::read(&self.experiment.folder)?);
        let name = stage.name();
        let is_done = is_done(self.experiment, &self.manifest, stage)?;
        if is_done {
            self.manifest.current.insert(name);
        }
        Ok(is_done)
    }

    /// Makes a stage unless it is done; false if another process is making it.
    fn try_stage(&mut self, at: usize) -> Result<bool> {
        let experiment = self.experiment;
        let folder = &experiment.folder;
        let stage = self.stages[at].clone();
        let name = stage.name();
        let is_report = matches!(stage, Stage::Report);
        if self.busy.contains(&at) && locks::is_busy(folder, &name)? {
            return Ok(false);
        }
        let inputs = hash(&stage.inputs(experiment)?);
        if !is_report && self.manifest.is_done(folder, &name, &inputs)? {
            return self.settle(&stage, true);
        }
        let Some(_lock) = locks::try_stage(folder, &name)? else {
            self.busy.insert(at);
            return Ok(false);
        };
        // Another process may have made it before the lock was free.
        let known = self.manifest.stages.get(&name).cloned();
        self.manifest.merge(Recorded::read(folder)?);
        let is_new = self.manifest.stages.get(&name) != known.as_ref();
        if is_new && self.manifest.is_done(folder, &name, &inputs)? {
            return self.settle(&stage, true);
        }
        if let Some(stage) = self
            .manifest
            .stages
            .get(&name)
            .filter(|s| s.inputs == inputs)
            && let Some(problem) = stage.changed_outputs(folder)?.first()
        {
            self.watch
                .note(&format!("note: {name} is made again: {problem}"));
        }
        self.announce(&name);
        if is_report {
            self.finish_asking();
            self.manifest.update(folder)?;
        }
        let Some(_right) = self.try_right(&stage, &inputs)? else {
            self.busy.insert(at);
            return Ok(false);
        };
        if self.take_over(&stage, &inputs)? {
            return self.settle(&stage, false);
        }
        self.make_and_record(at, &stage, inputs)?;
        self.settle(&stage, false)
    }

    /// Makes a stage and records it. Of one that is interrupted the time is kept for who resumes it.
    fn make_and_record(&mut self, at: usize, stage: &Stage, inputs: String) -> Result<()> {
        let (folder, name) = (&self.experiment.folder, stage.name());
        let is_report = matches!(stage, Stage::Report);
        let start = Instant::now();
        let made = self.make(at, stage);
        let spent = self.manifest.spent_on(&name, &inputs);
        let made = match made {
            Err(problem) if problem.is_interruption() && !is_report => {
                let seconds = spent + start.elapsed().as_secs_f64();
                let spent = SpentTime { inputs, seconds };
                self.manifest.keep_time(folder, &name, spent)?;
                return Err(problem);
            }
            made => made?,
        };
        self.summary = made.summary.or(self.summary.take());
        if !is_report {
            let record = StageRecord {
                inputs,
                outputs: BTreeMap::new(),
                seconds: start.elapsed().as_secs_f64() + spent.max(made.earlier_seconds),
                notes: made.notes,
            };
            self.manifest.finish(folder, &name, record, &made.files)?;
        }
        Ok(())
    }

    /// Tells the user's side which stage is next, and how long the rest takes.
    fn announce(&mut self, name: &str) {
        let others = self.pending.iter().map(|&at| self.stages[at].name());
        let after: Vec<String> = others.filter(|other| other != name).collect();
        let done = self.manifest.current_seconds();
        self.watch.stage(&StagePlace {
            name: name.to_owned(),
            place: self.wanted - self.pending.len() + 1,
            of: self.wanted,
            left: TimeLeft::new(name, after.iter().map(String::as_str), done),
        });
    }

    fn make(&mut self, at: usize, stage: &Stage) -> Result<Made> {
        if !matches!(stage, Stage::Answers(_)) {
            self.finish_asking();
        }
        let after = self.pending.iter().find(|pending| **pending > at);
        let next = after.map(|&next| &self.stages[next]);
        let made = stage.make(&mut Workbench {
            experiment: self.experiment,
            session: self.session,
            workers: self.workers,
            watch: self.watch,
            asking: &mut self.asking,
            next,
        });
        self.session.name_files(made)
    }

    /// What follows a stage that is done.
    fn settle(&mut self, stage: &Stage, is_skipped: bool) -> Result<bool> {
        let name = stage.name();
        if is_skipped {
            tracing::info!(stage = name, "done before with the same inputs; skipped");
        }
        if !matches!(stage, Stage::Report) {
            self.manifest.current.insert(name);
        }
        stage.settle(self.experiment, self.watch)?;
        Ok(true)
    }

    fn finish_asking(&mut self) {
        if let Some(group) = self.asking.take() {
            group.finish(self.watch);
        }
    }

    /// Waits a moment for another process; always true.
    fn wait_for(&mut self, name: String) -> Result<bool> {
        self.finish_asking();
        if self.watch.is_interrupted() {
            return Err(RunError::Interrupted(format!(
                "interrupted while waiting for {name}; run the same command again to resume"
            )));
        }
        if !self.noted.contains(&name) {
            self.watch.note(&format!(
                "waiting for {name}, which another process is making"
            ));
            self.noted.insert(name);
        }
        sleep(PAUSE);
        Ok(true)
    }

    /// Leaves the manifest with what is current.
    fn close(mut self) -> Result<RunOutcome> {
        self.finish_asking();
        self.manifest.update(&self.experiment.folder)?;
        Ok(RunOutcome {
            summary: self.summary,
        })
    }
}
