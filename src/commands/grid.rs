//! `grid`: the cells of a recipe that stands for many, made and watched.

use std::{process::ExitCode, thread::sleep, time::Duration};

use anyhow::{Context, Result, bail};
use grid::{
    Cell, CellCost, CellState, CellStatus, Plan, WorkOptions, Worked,
    crew::run_crew,
    lines::Call,
    slurm::{self, SlurmOptions},
};

use ::run::estimate::gigabytes;
use live::LiveWatch;

use crate::{
    cli::{
        DeviceArgs, GridArgs, GridCommand, GridCommandsArgs, GridRetryArgs, GridRunArgs,
        GridStatusArgs, GridSubmitArgs,
    },
    progress::{Terminal, interrupted, note, result},
};

/// The command.
pub(super) fn run(command: GridCommand, threads: Option<u16>) -> Result<ExitCode> {
    match command {
        GridCommand::Plan(args) => show_plan(&args),
        GridCommand::Run(args) => make(&args, threads),
        GridCommand::Submit(args) => submit(&args, threads),
        GridCommand::Status(args) => status(&args),
        GridCommand::Retry(args) => retry(&args, threads),
        GridCommand::Collect(args) => {
            collect(&read(&args)?)?;
            Ok(ExitCode::SUCCESS)
        }
        GridCommand::Commands(args) => commands(&args, threads),
    }
}

fn read(args: &GridArgs) -> Result<Plan> {
    Ok(Plan::read(
        &args.recipe.recipe,
        &args.recipe.set,
        args.out.as_deref(),
    )?)
}

/// How this program is called again for cells of the same grid.
fn call(
    args: &GridArgs,
    (device, redo): (&DeviceArgs, bool),
    threads: Option<u16>,
) -> Result<Call> {
    Ok(Call {
        program: std::env::current_exe().context("cannot find this program")?,
        recipe: args.recipe.recipe.clone(),
        set: args.recipe.set.clone(),
        out: args.out.clone(),
        device: device.device.clone(),
        threads,
        redo,
    })
}

fn show_plan(args: &GridArgs) -> Result<ExitCode> {
    let plan = read(args)?;
    let states = grid::survey(&plan)?;
    let (costs, reasons) = grid::estimate(&plan)?;
    let mut lines = Vec::new();
    for (status, cost) in states.iter().zip(&costs) {
        let minutes = cost
            .seconds
            .map_or("?".to_owned(), |seconds| format!("{:.1}", seconds / 60.0));
        let memory = cost.bytes.map_or("?".to_owned(), gigabytes);
        let state = match status.state {
            CellState::Waiting => String::new(),
            _ => describe(status),
        };
        let name = plan.name(&plan.cells[status.number]);
        lines.push(format!(
            "{:>5} {minutes:>8} min {memory:>9}  {name}  {state}",
            status.number
        ));
    }
    result(&lines.join("\n"));
    reasons
        .iter()
        .for_each(|reason| note(&format!("note: {reason}")));
    note(&left(&states, &costs));
    note(&sum_up(&plan, &states));
    Ok(ExitCode::SUCCESS)
}

/// What is left to be done, on this machine.
fn left(states: &[CellStatus], costs: &[CellCost]) -> String {
    let pairs = states.iter().zip(costs);
    let left = pairs.filter(|(status, _)| status.state != CellState::Done);
    let known: Vec<f64> = left.clone().filter_map(|(_, cost)| cost.seconds).collect();
    let unknown = left.count() - known.len();
    let sum = known.iter().sum::<f64>() / 3600.0;
    let more = match unknown {
        0 => String::new(),
        unknown => format!(", not counting {unknown} cells whose time is unknown"),
    };
    format!(
        "left: {sum:.1} hours with {} threads of this machine{more}; analyses and translations are not counted",
        rayon::current_num_threads()
    )
}

fn make(args: &GridRunArgs, threads: Option<u16>) -> Result<ExitCode> {
    let plan = read(&args.grid)?;
    if args.plan.as_ref().is_some_and(|id| *id != plan.id) {
        bail!(
            "{} has changed since this command was written (its plan is now {}); write it again with `lingualign grid \
             commands` or `submit`",
            args.grid.recipe.recipe.display(),
            plan.id
        );
    }
    let cells = plan.choose(&args.cell)?;
    let attempt = args.attempt.clone().unwrap_or_else(new_attempt);
    let options = WorkOptions {
        device: args.device.device.clone(),
        redo: args.redo,
        attempt,
    };
    let worked = match args.jobs {
        1 => work(&plan, &cells, &options)?,
        jobs => {
            let all = threads.map_or_else(rayon::current_num_threads, usize::from);
            let share = u16::try_from((all / jobs).max(1)).unwrap_or(u16::MAX);
            let call = call(&args.grid, (&args.device, args.redo), Some(share))?;
            run_crew(
                &plan,
                &cells,
                (&call, jobs),
                &options,
                &mut Terminal::default(),
            )?
        }
    };
    let code = tell(&plan, &worked);
    if args.cell.is_empty() && !worked.done.is_empty() {
        collect(&plan)?;
    }
    Ok(code)
}

/// Names a call: when, and by which process.
fn new_attempt() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    format!(
        "{}-{}",
        now.unwrap_or_default().as_millis(),
        std::process::id()
    )
}

/// What came of the cells; a failure if one failed.
fn tell(plan: &Plan, worked: &Worked) -> ExitCode {
    for &number in &worked.passed {
        let name = plan.name(&plan.cells[number]);
        note(&format!("cell {name} is being made by another process"));
    }
    if worked.failed.is_empty() {
        return ExitCode::SUCCESS;
    }
    note(&format!(
        "{} of {} cells failed; mend the cause and run the same command again, or `lingualign grid retry`:",
        worked.failed.len(),
        worked.failed.len() + worked.done.len() + worked.passed.len()
    ));
    for (number, reason) in &worked.failed {
        note(&format!(
            "  {number} {}: {reason}",
            plan.name(&plan.cells[*number])
        ));
    }
    ExitCode::from(1)
}

fn collect(plan: &Plan) -> Result<()> {
    let summary = grid::collect(plan, &mut Terminal::default())?;
    result(&summary.render_text());
    Ok(())
}

fn submit(args: &GridSubmitArgs, threads: Option<u16>) -> Result<ExitCode> {
    let plan = read(&args.grid)?;
    let options = SlurmOptions {
        pack: args.array_tasks.pack,
        max_running: args.array_tasks.max_running,
        notice: args.array_tasks.notice,
        ..args.slurm.clone()
    };
    submit_rest(
        &plan,
        &call(&args.grid, (&args.device, args.redo), threads)?,
        &options,
    )
}

/// Submits what is neither done nor being made nor in the queue.
fn submit_rest(plan: &Plan, call: &Call, options: &SlurmOptions) -> Result<ExitCode> {
    let mut states = grid::survey(plan)?;
    slurm::add_queue(plan, &mut states)?;
    let is_left = |cell: &&Cell| {
        !matches!(
            states[cell.number].state,
            CellState::Done | CellState::Working | CellState::Queued(_)
        )
    };
    let left: Vec<&Cell> = plan.cells.iter().filter(is_left).collect();
    let submissions = slurm::submit(plan, &left, call, options, &mut Terminal::default())?;
    for submission in submissions {
        result(&submission.job);
    }
    Ok(ExitCode::SUCCESS)
}

fn retry(args: &GridRetryArgs, threads: Option<u16>) -> Result<ExitCode> {
    let plan = read(&args.grid)?;
    match slurm::submissions(&plan)?.pop() {
        Some(last) if !args.here => {
            let call = Call {
                device: last.device.clone(),
                threads: last.threads,
                ..call(&args.grid, (&args.device, args.redo), threads)?
            };
            submit_rest(&plan, &call, &last.options)
        }
        _ => {
            let states = grid::survey(&plan)?;
            let is_left = |cell: &&Cell| states[cell.number].state != CellState::Done;
            let left: Vec<&Cell> = plan.cells.iter().filter(is_left).collect();
            let options = WorkOptions {
                device: args.device.device.clone(),
                redo: args.redo,
                attempt: new_attempt(),
            };
            let worked = work(&plan, &left, &options)?;
            let code = tell(&plan, &worked);
            if !worked.done.is_empty() {
                collect(&plan)?;
            }
            Ok(code)
        }
    }
}

/// Makes cells in this process.
fn work(plan: &Plan, cells: &[&Cell], options: &WorkOptions) -> Result<Worked> {
    let mut terminal = Terminal::default();
    Ok(grid::work(
        plan,
        cells,
        options,
        &mut LiveWatch::new(&mut terminal),
    )?)
}

fn status(args: &GridStatusArgs) -> Result<ExitCode> {
    let plan = read(&args.grid)?;
    loop {
        let mut states = grid::survey(&plan)?;
        if slurm::is_here() {
            slurm::add_queue(&plan, &mut states)?;
        }
        result(&list(&plan, &states));
        note(&sum_up(&plan, &states));
        let is_over = states.iter().all(|status| status.state == CellState::Done);
        match args.every {
            Some(seconds) if !is_over && !interrupted() => {
                sleep(Duration::from_secs(seconds as u64));
            }
            _ => return Ok(ExitCode::SUCCESS),
        }
    }
}

fn commands(args: &GridCommandsArgs, threads: Option<u16>) -> Result<ExitCode> {
    let plan = read(&args.grid)?;
    let call = call(&args.grid, (&args.device, args.redo), threads)?;
    let states = grid::survey(&plan)?;
    let is_left = |cell: &&Cell| states[cell.number].state != CellState::Done;
    let left: Vec<&Cell> = plan.cells.iter().filter(is_left).collect();
    for (_, cells) in plan.by_model(&left) {
        for cells in cells.chunks(args.pack) {
            result(&call.line(&plan, cells)?);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A line for each cell: number, stages, state, name.
fn list(plan: &Plan, states: &[CellStatus]) -> String {
    let lines = states.iter().map(|status| {
        let (done, all) = status.progress.stages;
        let name = plan.name(&plan.cells[status.number]);
        format!(
            "{:>4} {done:>4}/{all:<4} {:<24} {name}",
            status.number,
            describe(status)
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn describe(status: &CellStatus) -> String {
    match &status.state {
        CellState::Done => "done".to_owned(),
        CellState::Working => {
            let doing = status.record.as_ref().map(|record| &record.doing);
            match doing {
                Some((label, done, total)) if *total > 0 => {
                    format!("working: {label} {done}/{total}")
                }
                _ => "working".to_owned(),
            }
        }
        CellState::Dead => "killed".to_owned(),
        CellState::Failed(_) => "failed".to_owned(),
        CellState::Interrupted => "interrupted".to_owned(),
        CellState::Queued(state) => state.clone(),
        CellState::Waiting => "waiting".to_owned(),
    }
}

/// `12 cells: 3 done, 1 failed, 8 waiting; runs/study`
fn sum_up(plan: &Plan, states: &[CellStatus]) -> String {
    let count =
        |is: &dyn Fn(&CellState) -> bool| states.iter().filter(|status| is(&status.state)).count();
    let counts = [
        ("done", count(&|state| *state == CellState::Done)),
        ("working", count(&|state| *state == CellState::Working)),
        (
            "queued",
            count(&|state| matches!(state, CellState::Queued(_))),
        ),
        (
            "failed",
            count(&|state| matches!(state, CellState::Failed(_))),
        ),
        ("killed", count(&|state| *state == CellState::Dead)),
        (
            "interrupted",
            count(&|state| *state == CellState::Interrupted),
        ),
        ("waiting", count(&|state| *state == CellState::Waiting)),
    ];
    let said: Vec<String> = counts
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(word, count)| format!("{count} {word}"))
        .collect();
    let failures = states.iter().filter_map(|status| match &status.state {
        CellState::Failed(reason) => Some(format!("\n  {} failed: {reason}", status.number)),
        _ => None,
    });
    format!(
        "{} in {}: {}; {}, plan {}{}",
        counted(states.len(), "cell"),
        counted(plan.grid.members.len(), "run"),
        said.join(", "),
        plan.folder.root().display(),
        plan.id,
        failures.collect::<String>()
    )
}

/// `1 cell`, `3 cells`
fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        several => format!("{several} {what}s"),
    }
}
