//! Questions before a model has seen them: the next language's are prepared while another's are answered, and those that other
//! models are asked too are kept for them. Never here: a model.

use std::{collections::BTreeMap, mem::size_of};

use data::{Tokenizer, prompt, prompt::Rendered, testset};
use schema::Language;

use crate::{
    error::EvalError,
    provenance::Hashes,
    questions::{self, EncodedQuestions},
    records,
    request::Ask,
};

/// Bytes of texts and tokens that are kept for other models.
const KEPT_BYTES: usize = 256 << 20;

/// What is ready before it is asked; for one [`Ask`], whatever its model and adapter.
#[derive(Default)]
pub struct Ahead {
    /// The language after the one that is asked.
    pub next: Option<Language>,
    /// Whether another model will be asked the same: then questions are prepared once for both.
    pub is_asked_again: bool,
    pub(crate) ready: Option<(Language, Result<Prepared, EvalError>)>,
    kept: BTreeMap<Language, Prepared>,
}

/// One language's questions.
pub(crate) struct Prepared {
    pub(crate) language: Language,
    pub(crate) rendered: Rendered,
    pub(crate) questions: EncodedQuestions,
    pub(crate) groups: BTreeMap<usize, u64>,
    pub(crate) hashes: Hashes,
    pub(crate) repairs: Vec<String>,
}

impl Ahead {
    /// The language's questions, now if they were not prepared.
    pub(crate) fn take(
        &mut self,
        tokenizer: &Tokenizer,
        ask: &Ask<'_>,
        language: Language,
    ) -> Result<Prepared, EvalError> {
        if let Some(prepared) = self.kept.remove(&language) {
            return Ok(prepared);
        }
        match self.ready.take() {
            Some((ready, prepared)) if ready == language => prepared,
            _ => prepare(tokenizer, ask, language),
        }
    }

    /// The next language, if its questions are not there yet.
    pub(crate) fn next_to_prepare(&self) -> Option<Language> {
        self.next.filter(|next| !self.kept.contains_key(next))
    }

    /// Keeps the questions for another model, as far as there is room.
    pub(crate) fn keep(&mut self, prepared: Prepared) {
        let kept: usize = self.kept.values().map(Prepared::bytes).sum();
        if self.is_asked_again && kept + prepared.bytes() <= KEPT_BYTES {
            self.kept.insert(prepared.language, prepared);
        }
    }
}

impl Prepared {
    /// About how much memory it takes.
    fn bytes(&self) -> usize {
        let texts: usize = self.rendered.texts().iter().map(|text| text.len()).sum();
        let questions = self.questions.questions.iter();
        let tokens = questions.chain(&self.questions.domains).map(|question| {
            let labels: usize = question.continuations.iter().map(Vec::len).sum();
            question.suffix.len() + labels
        });
        texts + tokens.sum::<usize>() * size_of::<u32>()
    }
}

/// Reads, renders and tokenises a language's questions.
pub(crate) fn prepare(
    tokenizer: &Tokenizer,
    ask: &Ask<'_>,
    language: Language,
) -> Result<Prepared, EvalError> {
    let set = testset::load(ask.dir, ask.task, language, ask.asking.protocol)?;
    let rendered = prompt::ask(tokenizer, ask.task, &set, ask.asking)?;
    let questions = questions::encode(tokenizer, ask, &rendered)?;
    let hashes = Hashes::new(ask, language, &rendered, &questions)?;
    let groups = records::find_groups(ask.task, &set.items);
    Ok(Prepared {
        language,
        rendered,
        questions,
        groups,
        hashes,
        repairs: set.repairs,
    })
}
