//! Several processes on this machine, each at cells that no other has. They are this program again:
//! the locks of cells say who makes which.

use std::{
    fs::{self, File},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

use run::{RunError, Watch};
use schema::disk::DiskError;

use crate::{
    Cell, CellState, GridError, Plan, Worked,
    error::Result,
    lines::{Call, numbers},
    survey,
    work::WorkOptions,
};

/// How often the processes are looked at.
const PAUSE: Duration = Duration::from_millis(200);

/// Makes cells with so many processes. A cell whose process was killed is taken up by another round,
/// as long as each round ends with more than the one before.
///
/// # Errors
/// A process cannot be started; an interruption, which is passed on to them.
pub fn run_crew(
    plan: &Plan,
    cells: &[&Cell],
    (call, processes): (&Call, usize),
    options: &WorkOptions,
    watch: &mut dyn Watch,
) -> Result<Worked> {
    plan.write()?;
    watch.start("cells", cells.len(), "cells");
    let mut finished = None;
    loop {
        let crew = Crew::start(plan, cells, (call, processes), options)?;
        crew.wait(plan, cells, watch)?;
        let mut worked = sum_up(plan, cells, options)?;
        let now = worked.done.len() + worked.failed.len();
        if worked.passed.is_empty() || finished.is_some_and(|before| before >= now) {
            worked.tell_lost(plan)?;
            watch.finish(&format!(
                "{} done, {} failed",
                worked.done.len(),
                worked.failed.len()
            ));
            return Ok(worked);
        }
        finished = Some(now);
    }
}

/// What the records of this call say.
fn sum_up(plan: &Plan, cells: &[&Cell], options: &WorkOptions) -> Result<Worked> {
    let states = survey(plan)?;
    let mut worked = Worked::default();
    for cell in cells {
        let status = &states[cell.number];
        let is_of_call = status
            .record
            .as_ref()
            .is_some_and(|record| record.attempt == options.attempt);
        match &status.state {
            CellState::Done => worked.done.push(cell.number),
            CellState::Failed(why) if is_of_call => worked.failed.push((cell.number, why.clone())),
            _ => worked.passed.push(cell.number),
        }
    }
    Ok(worked)
}

impl Worked {
    /// Cells that no process is making any more have failed: killed twice, or never begun.
    fn tell_lost(&mut self, plan: &Plan) -> Result<()> {
        let states = survey(plan)?;
        let is_working = |number: &usize| states[*number].state == CellState::Working;
        let (working, lost): (Vec<usize>, Vec<usize>) =
            self.passed.iter().partition(|number| is_working(number));
        let logs = plan.folder.logs();
        let reason = format!("its process ended early; see {}", logs.display());
        self.failed
            .extend(lost.into_iter().map(|number| (number, reason.clone())));
        self.passed = working;
        Ok(())
    }
}

/// Processes at work; ended with this value.
struct Crew(Vec<Child>);

impl Crew {
    fn start(
        plan: &Plan,
        cells: &[&Cell],
        (call, processes): (&Call, usize),
        options: &WorkOptions,
    ) -> Result<Self> {
        let logs = plan.folder.logs();
        fs::create_dir_all(&logs).map_err(DiskError::at("create", &logs))?;
        let numbers = numbers(cells);
        let mut crew = Self(Vec::new());
        for process in 0..processes {
            let path = logs.join(format!("process{process}.log"));
            let log = File::options().create(true).append(true).open(&path);
            let log = log.map_err(DiskError::at("write", &path))?;
            let words = call.words(plan)?;
            let mut command = Command::new(&call.program);
            command
                .args(&words[1..])
                .args(["--cell", &numbers, "--attempt", &options.attempt])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log);
            // Ctrl-C reaches this process alone, which then asks each of them once.
            #[cfg(unix)]
            std::os::unix::process::CommandExt::process_group(&mut command, 0);
            let child = command.spawn();
            crew.0.push(child.map_err(|problem| GridError::Command {
                command: call.program.display().to_string(),
                problem: problem.to_string(),
            })?);
        }
        Ok(crew)
    }

    /// Until all have ended, whatever became of them.
    fn wait(mut self, plan: &Plan, cells: &[&Cell], watch: &mut dyn Watch) -> Result<()> {
        let mut is_told = false;
        let mut looked = 0_u32;
        while self
            .0
            .iter_mut()
            .any(|child| matches!(child.try_wait(), Ok(None)))
        {
            sleep(PAUSE);
            if watch.is_interrupted() && !is_told {
                is_told = true;
                self.interrupt();
            }
            looked += 1;
            if looked.is_multiple_of(25) {
                let states = survey(plan)?;
                let done = cells
                    .iter()
                    .filter(|cell| states[cell.number].state == CellState::Done);
                watch.advance(done.count(), "");
            }
        }
        match is_told {
            false => Ok(()),
            true => Err(RunError::Interrupted(
                "interrupted; run the same command again to resume".to_owned(),
            )
            .into()),
        }
    }

    /// Asks each to stop in good order.
    fn interrupt(&mut self) {
        for child in &mut self.0 {
            #[cfg(unix)]
            if let Some(pid) = rustix::process::Pid::from_raw(child.id().cast_signed()) {
                // One that has ended already needs no asking.
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
            }
            #[cfg(not(unix))]
            let _ = child.kill();
        }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        for child in &mut self.0 {
            if matches!(child.try_wait(), Ok(None)) {
                // This process ends early; nobody would wait for them.
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }
}
