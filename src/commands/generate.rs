//! `generate`: what a model says.

use anyhow::Result;
use run::{RunError, Session};

use crate::{
    cli::GenerateArgs,
    progress::{self, Terminal, note},
};

pub(super) fn run(args: &GenerateArgs) -> Result<()> {
    let mut session = Session::open(
        &args.model,
        args.dtype,
        &args.device.device,
        &mut Terminal::default(),
    )?;
    session.attach_adapter(args.adapter.as_deref())?;
    let (decoder, tokenizer) = session.parts()?;
    let ids = tokenizer.encode(&args.prompt)?;
    let (eos, asked) = (tokenizer.eos(), ids.len());
    let context = decoder.config().max_position_embeddings;
    let made = model::generate::greedy(
        decoder,
        &ids,
        args.max_new_tokens,
        |id| Some(id) == eos || progress::interrupted(),
        &mut |_| {},
    );
    let made = session.name_files(made.map_err(RunError::from))?;
    let (_, tokenizer) = session.parts()?;
    progress::text(&tokenizer.decode(&made)?);
    if context > 0 && asked + made.len() > context {
        note(&format!(
            "note: the prompt has {asked} tokens and the answer {}, together more than the model's context \
             (max_position_embeddings, {context}): the model was not made for such positions",
            made.len()
        ));
    }
    Ok(())
}
