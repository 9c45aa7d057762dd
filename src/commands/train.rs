//! `train`, by this process or by all that MPI has started.

use anyhow::Result;
use run::{Parts, workers::Alone};

use super::{options, run_recipe};
use crate::cli::TrainArgs;

/// Trains the recipe's adapters. `has_threads`: the user has set the threads.
pub(crate) fn run(args: TrainArgs, has_threads: bool) -> Result<()> {
    let options = options(args.out, args.device, Parts::TRAINING, &args.finished);
    match args.workers {
        None => run_recipe(&args.recipe, &options, &mut Alone),
        Some(_) => over_mpi::run(&args.recipe, &options, has_threads),
    }
}

#[cfg(not(feature = "mpi"))]
mod over_mpi {
    use anyhow::{Result, bail};
    use run::RunOptions;

    use crate::cli::RecipeArgs;

    pub(super) fn run(_: &RecipeArgs, _: &RunOptions, _: bool) -> Result<()> {
        bail!(
            "this program was built without MPI; build it with `cargo build --release --features mpi`, which needs an MPI \
             library and its `mpicc` (on Debian: libopenmpi-dev and openmpi-bin)"
        )
    }
}

#[cfg(feature = "mpi")]
mod over_mpi {
    use std::{thread, time::Duration};

    use anyhow::Result;
    use run::{
        RunOptions, Unwatched,
        workers::{Workers, mpi::MpiWorkers},
    };

    use crate::{
        cli::RecipeArgs,
        commands::{read_recipe, run_recipe, set_threads},
        describe, progress,
    };

    /// The first worker runs the recipe, the others take part in its trainings. Where one fails,
    /// the first says so, and all end.
    pub(super) fn run(args: &RecipeArgs, options: &RunOptions, has_threads: bool) -> Result<()> {
        let mut workers = MpiWorkers::start()?;
        let is_first = workers.rank() == 0;
        if !is_first {
            progress::be_silent();
        }
        let done = set_shared_threads(&workers, has_threads).and_then(|()| match is_first {
            true => run_recipe(args, options, &mut workers),
            false => follow(args, options, &mut workers),
        });
        match done {
            Ok(()) => {
                workers.finish();
                Ok(())
            }
            Err(problem) => end_all(workers, &describe(&problem)),
        }
    }

    fn set_shared_threads(workers: &MpiWorkers, has_threads: bool) -> Result<()> {
        // All of them take part in this, even if the answer is not used.
        let threads = workers.threads()?;
        if !has_threads {
            set_threads(threads)?;
        }
        if workers.rank() == 0 {
            progress::note(&format!(
                "{} workers over MPI, {} threads in the first",
                workers.count(),
                rayon::current_num_threads()
            ));
        }
        Ok(())
    }

    fn follow(args: &RecipeArgs, options: &RunOptions, workers: &mut MpiWorkers) -> Result<()> {
        let recipe = read_recipe(args)?;
        Ok(run::follow_trainings(
            &recipe,
            &options.device,
            workers,
            // The first worker is asked to stop, and ends the others.
            &mut Unwatched,
        )?)
    }

    /// The first worker says what happened and ends all; another one leaves that to the first.
    fn end_all(mut workers: MpiWorkers, problem: &str) -> Result<()> {
        let is_heard = workers.rank() > 0 && run::report_failure(&mut workers, problem).is_ok();
        if is_heard {
            // The first worker says it and ends this process; where it is past listening, this one ends all.
            thread::sleep(Duration::from_secs(30));
        }
        progress::error(problem);
        drop(workers); // ends this process too
        Ok(())
    }
}
