//! Processes that take part in trainings and in nothing else: every worker but the first. They
//! touch no file of the run folder; recipe, examples and adapter come from the first worker.

use schema::Recipe;
use train::{Assignment, workers::Workers};

use crate::{
    RunError,
    error::{At, Result},
    session::Session,
    stages::train::{decide_checkpointing, setup},
    watch::Watch,
};

/// Takes part in every training of a recipe that the first worker makes, until it says that there
/// are no more.
///
/// # Errors
/// The model cannot be loaded here or is another one than the first worker's; the first worker
/// cannot be reached.
pub fn follow_trainings(
    recipe: &Recipe,
    device: &str,
    workers: &mut dyn Workers,
    watch: &mut dyn Watch,
) -> Result<()> {
    let mut opened = None;
    while let Some(assignment) = train::next_training(workers)? {
        let session = match &mut opened {
            Some(session) => session,
            // Only now: the first worker has then fetched the model.
            None => opened.insert(Session::open(&recipe.model, recipe.dtype, device, watch)?),
        };
        follow(session, &assignment, workers)?;
    }
    Ok(())
}

fn follow(session: &mut Session, assignment: &Assignment, workers: &mut dyn Workers) -> Result<()> {
    let own = setup(session)?;
    if own != assignment.setup {
        return Err(RunError::Unfit(format!(
            "its numbers would differ from the first worker's: it has {own}, the first {}; use one program, one model \
             and one kind of processor, or name kernels that all have in LINGUALIGN_KERNELS",
            assignment.setup
        )));
    }
    let decision = decide_checkpointing(session, &assignment.recipe, &assignment.examples)?;
    let decoder = session.decoder()?;
    decoder.set_activation_checkpointing(decision.on);
    train::follow(decoder, assignment, workers)
        .at(|| format!("a training in worker {}", workers.rank()))
}
