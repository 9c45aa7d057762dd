//! `generate`: what a model says.

use anyhow::{Result, bail};
use data::{Tokenizer, chat::Message, prompt::AnswerTurn};
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
    let (ids, ends) = encode(tokenizer, args)?;
    let asked = ids.len();
    let context = decoder.config().max_position_embeddings;
    let made = model::generate::greedy(
        decoder,
        &ids,
        args.max_new_tokens,
        |id| ends.contains(&id) || progress::interrupted(),
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

/// The tokens of the prompt, and those at which the answer is over.
fn encode(tokenizer: &Tokenizer, args: &GenerateArgs) -> Result<(Vec<u32>, Vec<u32>)> {
    if !args.chat {
        let ends = tokenizer.eos().into_iter().collect();
        return Ok((tokenizer.encode(&args.prompt)?, ends));
    }
    let template = tokenizer.chat_template()?;
    let system = args.system.as_deref().map(Message::system);
    let question = system.into_iter().chain([Message::user(&args.prompt)]);
    let question: Vec<Message<'_>> = question.collect();
    let turn = AnswerTurn::find(&template, tokenizer, &question)?;
    let text = turn.render(&template, &question)?;
    if let Some(system) = &args.system
        && !text.contains(system.trim())
    {
        bail!(
            "the model's chat template has no place for a system message; leave --system out, or put it into --prompt"
        );
    }
    let ids = turn.frame.encode(tokenizer, &text)?;
    Ok((ids, turn.frame.ends(tokenizer)?))
}
