//! `generate`: what a model says.

use anyhow::Result;
use run::Session;

use crate::{
    cli::GenerateArgs,
    progress::{self, Terminal},
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
    let eos = tokenizer.eos();
    let made = model::generate::greedy(
        decoder,
        &ids,
        args.max_new_tokens,
        |id| Some(id) == eos || progress::interrupted(),
        &mut |_| {},
    )?;
    progress::text(&tokenizer.decode(&made)?);
    Ok(())
}
