//! Asks every question of one language and records what was answered.

use std::{collections::BTreeMap, panic, thread};

use data::{Tokenizer, prompt::Rendered};
use model::{Decoder, KvCache};
use schema::{AnswerRecord, Answerer, Language, Provenance, Scoring, scores::Measures};

use crate::{
    ahead::{Ahead, Prepared, prepare},
    error::EvalError,
    free_answer::{FreeAnswerCounts, say},
    journal::{Journal, JournalEntry, MeasuredSoFar},
    measure::{measure, measure_all},
    provenance::Hashes,
    questions::EncodedQuestions,
    records::{self, BuiltRecords, MeasuredLanguage},
    request::Ask,
};

/// Closing headers that are run at once where every question has its own answers.
pub(crate) const DOMAINS_AT_ONCE: usize = 16;

/// The answers of one language.
#[derive(Clone, Debug, PartialEq)]
pub struct LanguageAnswers {
    /// One record per scored item, in file order.
    pub records: Vec<AnswerRecord>,
    /// The inputs of the answers.
    pub provenance: Provenance,
    /// What each scoring that was measured chooses for each record: indices of labels.
    pub choices: BTreeMap<Scoring, Vec<usize>>,
    /// How often the free answer is the chosen label.
    pub said: FreeAnswerCounts,
    /// The protocol's repairs of the file.
    pub repairs: Vec<String>,
    /// Tokens of the prefix that was computed once.
    pub prefix_tokens: usize,
    /// Questions that an interrupted evaluation had measured already.
    pub resumed: usize,
    /// Where an interrupted evaluation had other inputs, so that its measures are not used: the
    /// keys in which they differ.
    pub differing: Vec<String>,
}

/// A model in memory, its tokenizer, and how the provenance names them.
#[derive(Clone, Copy)]
pub struct Respondent<'a> {
    /// The model with its adapter.
    pub model: &'a Decoder,
    /// Its tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// Their names and hashes.
    pub answerer: &'a Answerer,
}

/// Asks all questions of `language` that `journal` does not hold yet. `watch` sees how many of
/// how many are answered and may stop by returning false. An error in the language of `ahead`
/// is returned when that language is asked.
pub fn ask(
    respondent: Respondent<'_>,
    ask: &Ask<'_>,
    language: Language,
    ahead: &mut Ahead,
    journal: &mut Journal,
    watch: &mut dyn FnMut(usize, usize) -> bool,
) -> Result<LanguageAnswers, EvalError> {
    let tokenizer = respondent.tokenizer;
    let prepared = ahead.take(tokenizer, ask, language)?;
    let next = ahead.next_to_prepare();
    let answers = thread::scope(|scope| {
        let next = next.map(|next| (next, scope.spawn(move || prepare(tokenizer, ask, next))));
        let answers = answer(respondent, ask, &prepared, journal, watch);
        ahead.ready = next.map(|(next, handle)| {
            (
                next,
                handle
                    .join()
                    .unwrap_or_else(|panicked| panic::resume_unwind(panicked)),
            )
        });
        answers
    });
    ahead.keep(prepared);
    answers
}

fn answer(
    respondent: Respondent<'_>,
    ask: &Ask<'_>,
    prepared: &Prepared,
    journal: &mut Journal,
    watch: &mut dyn FnMut(usize, usize) -> bool,
) -> Result<LanguageAnswers, EvalError> {
    let (language, questions) = (prepared.language, &prepared.questions);
    questions.check_vocabulary(respondent.model.config().vocab_size)?;
    let template = prepared.rendered.template_sha256.as_ref();
    let provenance = Provenance {
        template_sha256: template.cloned(),
        ..provenance(respondent.answerer, ask, language, &prepared.hashes)
    };
    let (mut found, differing) = journal.begin(&provenance)?;
    journal.check(&found, |at, measures| questions.problem(at, measures))?;
    let resumed = found.measures.len();
    let scored = ask
        .asking
        .limit
        .unwrap_or(usize::MAX)
        .min(prepared.rendered.prompts.len());
    complete(
        respondent, ask, prepared, scored, journal, &mut found, watch,
    )?;
    let answered = MeasuredLanguage {
        language,
        rendered: &prepared.rendered,
        questions,
        groups: &prepared.groups,
        scored,
        found: &found,
        context: respondent.model.config().max_position_embeddings,
        domains: measure_domains(respondent.model, ask, questions, scored, language)?,
    };
    let BuiltRecords {
        records,
        choices,
        said,
    } = records::build(ask, &answered)?;
    let prefix_tokens = questions.prefix.len();
    Ok(LanguageAnswers {
        records,
        provenance,
        choices,
        said,
        repairs: prepared.repairs.clone(),
        prefix_tokens,
        resumed,
        differing,
    })
}

/// Asks what `found` lacks of the first `scored` items and the content-free questions; each
/// batch is in the journal before the next is run.
fn complete(
    respondent: Respondent<'_>,
    ask: &Ask<'_>,
    prepared: &Prepared,
    scored: usize,
    journal: &mut Journal,
    found: &mut MeasuredSoFar,
    watch: &mut dyn FnMut(usize, usize) -> bool,
) -> Result<(), EvalError> {
    let Prepared {
        language,
        rendered,
        questions,
        ..
    } = prepared;
    let model = respondent.model;
    let wanted = (0..scored).chain(rendered.prompts.len()..questions.questions.len());
    let total = wanted.clone().count();
    let missing: Vec<usize> = wanted
        .filter(|at| !found.measures.contains_key(at))
        .collect();
    let free: Vec<usize> = (0..scored.min(ask.asking.greedy))
        .filter(|at| !found.said.contains_key(at))
        .collect();
    let has_prefix = !(questions.prefix.is_empty() || missing.is_empty() && free.is_empty());
    let cache = if has_prefix {
        Some(model.prefill(&questions.prefix, None)?.0)
    } else {
        None
    };
    measure_all(
        model,
        cache.as_ref(),
        questions,
        &missing,
        ask.tokens_per_batch,
        &mut |batch, measures| {
            let mut entries = Vec::with_capacity(batch.len());
            for (&at, measures) in batch.iter().zip(measures) {
                records::check_finite(ask, *language, || item_name(rendered, at), &measures)?;
                entries.push(JournalEntry::Measured(at, measures.clone()));
                found.measures.insert(at, measures);
            }
            journal.append(&entries)?;
            if watch(found.measures.len(), total) {
                Ok(())
            } else {
                Err(EvalError::Stopped(*language))
            }
        },
    )?;
    for at in free {
        say_one(respondent, cache.as_ref(), questions, at, journal, found)?;
        if !watch(total, total) {
            return Err(EvalError::Stopped(*language));
        }
    }
    Ok(())
}

/// The item's number in its file, for messages.
fn item_name(rendered: &Rendered, at: usize) -> String {
    rendered
        .prompts
        .get(at)
        .map_or("content-free".to_owned(), |p| p.item.to_string())
}

fn say_one(
    respondent: Respondent<'_>,
    cache: Option<&KvCache>,
    questions: &EncodedQuestions,
    at: usize,
    journal: &mut Journal,
    found: &mut MeasuredSoFar,
) -> Result<(), EvalError> {
    let Respondent {
        model, tokenizer, ..
    } = respondent;
    let said = say(model, tokenizer, cache, questions, &questions.questions[at])?;
    journal.append(&[JournalEntry::Said(at, said.clone())])?;
    found.said.insert(at, said);
    Ok(())
}

/// The labels after the closing header alone: once for all questions, or once for each of the
/// `scored` ones; nothing where it is not measured.
fn measure_domains(
    model: &Decoder,
    ask: &Ask<'_>,
    questions: &EncodedQuestions,
    scored: usize,
    language: Language,
) -> Result<Vec<Measures>, EvalError> {
    let mut found = Vec::new();
    let domains: Vec<_> = questions.domains.iter().take(scored).collect();
    for batch in domains.chunks(DOMAINS_AT_ONCE) {
        let measures = measure(model, None, &[], batch)?.0;
        for measures in measures {
            records::check_finite(ask, language, || "closing header".to_owned(), &measures)?;
            found.push(measures);
        }
    }
    Ok(found)
}

fn provenance(
    answerer: &Answerer,
    ask: &Ask<'_>,
    language: Language,
    hashes: &Hashes,
) -> Provenance {
    Provenance {
        answerer: answerer.clone(),
        model: ask.model.to_owned(),
        adapter: ask.adapter.map(str::to_owned),
        task: ask.task.name.clone(),
        language,
        asking: ask.asking.clone(),
        data_sha256: hashes.data.clone(),
        prompts_sha256: hashes.prompts.clone(),
        scorer_sha256: hashes.scorer.clone(),
        template_sha256: None,
    }
}
