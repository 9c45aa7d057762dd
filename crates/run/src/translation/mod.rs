//! How well a model translates: held-out lines put as pairs are learnt, its answers measured. What
//! the translation stages and `eval --task translation` share.
//!
//! A line is a whole question, as adapters learn it, with its header words; they are taken away
//! before anything is measured, since a base model cannot know that it should give them. An
//! answer ends where it has as many lines with content as its reference.

mod journal;

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
};

use audit::TextLanguages;
use compare::translation::{BleuCounts, ChrfCounts, Tokenisation};
use data::{overlap, pairs::HeldOutLine, prompt};
use schema::{Language, Task, Template, record::TranslationRecord};

pub use self::journal::TranslationJournal;
use crate::{
    RunError,
    continuation::{self, Continuation},
    error::{At, Result},
    facts::adapter_files,
    manifest::hash,
    output::OutputCheck,
    session::Session,
    watch::Watch,
};

/// Similarity from which two texts are the same ([`overlap::similarity`]).
const SAME: f64 = 0.8;

/// Lines to translate, and how.
pub struct TranslationRequest<'a> {
    /// As records name it.
    pub model: &'a str,
    /// As records name it; `None` for the base model.
    pub adapter: Option<&'a str>,
    /// Folder of the adapter.
    pub adapter_folder: Option<PathBuf>,
    /// Whose questions.
    pub task: &'a Task,
    /// Language of the sources.
    pub from: Language,
    /// Language asked for.
    pub into: Language,
    /// Text around a source.
    pub template: &'a Template,
    /// The lines.
    pub lines: &'a [HeldOutLine],
    /// Tokens after which an answer is cut off.
    pub max_new_tokens: usize,
    /// Tokens of prompts run at once; changes no answer.
    pub tokens_per_batch: usize,
}

impl TranslationRequest<'_> {
    /// A hash of everything that the answers depend on.
    ///
    /// # Errors
    /// Files of the model or the adapter cannot be read.
    pub fn fingerprint(&self, session: &Session) -> Result<String> {
        let mut parts = vec![
            hub::fingerprint(&session.model.files)?,
            session.precision().to_string(),
            session.device_name(),
            model::NUMERICS.to_owned(),
            serde_json::to_string(&(self.task, self.from, self.into, self.lines))?,
            self.template.to_string(),
            self.max_new_tokens.to_string(),
        ];
        for file in self
            .adapter_folder
            .iter()
            .flat_map(|dir| adapter_files(dir))
        {
            parts.push(hub::hash_file(&file)?);
        }
        Ok(hash(&parts))
    }
}

/// A line as it is put and measured.
struct AskedLine<'a> {
    line: &'a HeldOutLine,
    ids: Vec<u32>,
    source: String,
    reference: String,
}

/// Translates and measures the lines of one direction; what `partial` holds of an earlier call
/// with the same `inputs` is not translated again. The journal is to be removed once the records
/// are where they belong.
///
/// # Errors
/// Model, adapter or file; [`RunError::Interrupted`], after which the same call resumes.
pub fn translate(
    session: &mut Session,
    request: &TranslationRequest<'_>,
    inputs: &str,
    partial: &Path,
    watch: &mut dyn Watch,
) -> Result<(Vec<TranslationRecord>, TranslationJournal)> {
    session.attach_adapter(request.adapter_folder.as_deref())?;
    let asked = prepare(session, request)?;
    let mut journal = TranslationJournal::open(partial, inputs)?;
    let done = journal.known().len();
    if done > 0 {
        watch.note(&format!(
            "resumed after {done} lines that were translated before"
        ));
    }
    let label = format!(
        "translate {} {} {}-{}",
        request.adapter.unwrap_or("base"),
        request.task.name,
        request.from,
        request.into
    );
    watch.start(&label, asked.len(), "lines");
    let answered = answer_all(session, request, &asked, &mut journal, watch);
    session.name_files(answered)?;
    let records = measure_all(request, &asked, &journal)?;
    watch.finish(&describe(&records));
    Ok((records, journal))
}

/// Holds a file of translations against what a command reads.
///
/// # Errors
/// As [`OutputCheck::file`].
pub fn check_out(check: &OutputCheck, out: &Path) -> Result<()> {
    check.file(out, &is_translations)
}

/// Whether a file begins as one of translations.
fn is_translations(file: &Path) -> bool {
    let mut first = String::new();
    let read = File::open(file).and_then(|file| BufReader::new(file).read_line(&mut first));
    read.is_ok() && serde_json::from_str::<TranslationRecord>(&first).is_ok()
}

/// `200 lines, chrF++ 41.3, BLEU 12.0, 3 in another language, 1 copied`
pub fn describe(records: &[TranslationRecord]) -> String {
    let (mut chrf, mut bleu) = (ChrfCounts::default(), BleuCounts::default());
    for record in records {
        chrf.add(&ChrfCounts::of(&record.answer, &record.reference), 1);
        let tokenisation = Tokenisation::of(record.into);
        bleu.add(
            &BleuCounts::of(&record.answer, &record.reference, tokenisation),
            1,
        );
    }
    let count = |is: fn(&TranslationRecord) -> bool| records.iter().filter(|r| is(r)).count();
    format!(
        "{} lines, chrF++ {:.1}, BLEU {:.1}, {} in another language, {} copied",
        records.len(),
        chrf.score(),
        bleu.score(),
        count(|record| record.wrong_language == Some(true)),
        count(|record| record.copied)
    )
}

fn prepare<'a>(
    session: &mut Session,
    request: &TranslationRequest<'a>,
) -> Result<Vec<AskedLine<'a>>> {
    let (decoder, tokenizer) = session.parts()?;
    let &TranslationRequest {
        task, from, into, ..
    } = request;
    request
        .lines
        .iter()
        .map(|line| {
            let text = request.template.render(&line.source, from, into);
            let asked = AskedLine {
                line,
                ids: continuation::encode(decoder, tokenizer, &text)
                    .at(|| format!("line {} of {from}-{into}", line.item))?,
                source: prompt::strip_headers(task, from, &line.source)?,
                reference: prompt::strip_headers(task, into, &line.reference)?,
            };
            Ok(asked)
        })
        .collect()
}

/// Batches of lines that are not answered yet, the longest first.
fn cut(asked: &[AskedLine<'_>], journal: &TranslationJournal, budget: usize) -> Vec<Vec<usize>> {
    let open: Vec<usize> = (0..asked.len())
        .filter(|&at| !journal.known().contains_key(&asked[at].line.item))
        .collect();
    let lengths: Vec<usize> = open.iter().map(|&at| asked[at].ids.len()).collect();
    data::batch::micro_batches(&lengths, budget)
        .into_iter()
        .map(|batch| batch.into_iter().map(|at| open[at]).collect())
        .collect()
}

fn answer_all(
    session: &mut Session,
    request: &TranslationRequest<'_>,
    asked: &[AskedLine<'_>],
    journal: &mut TranslationJournal,
    watch: &mut dyn Watch,
) -> Result<()> {
    let (decoder, tokenizer) = session.parts()?;
    for batch in cut(asked, journal, request.tokens_per_batch) {
        watch.advance(journal.known().len(), "");
        let prompts: Vec<&[u32]> = batch.iter().map(|&at| asked[at].ids.as_slice()).collect();
        let is_whole = |at: usize, text: &str| {
            let complete = text.rsplit_once('\n').map_or("", |(complete, _)| complete);
            prompt::strip_headers(request.task, request.into, complete)
                .is_ok_and(|text| text.lines().count() >= count_lines(&asked[batch[at]].reference))
        };
        let made = continuation::continue_each(
            (&*decoder, tokenizer),
            &prompts,
            request.max_new_tokens,
            &is_whole,
            &|| watch.is_interrupted(),
        )?;
        if watch.is_interrupted() {
            return Err(RunError::Interrupted(format!(
                "interrupted before {}-{} was translated; run the same command again to resume",
                request.from, request.into
            )));
        }
        let items = batch.iter().map(|&at| asked[at].line.item);
        journal.append(items.zip(made).collect())?;
    }
    Ok(())
}

fn count_lines(text: &str) -> usize {
    text.lines().count().max(1)
}

fn measure_all(
    request: &TranslationRequest<'_>,
    asked: &[AskedLine<'_>],
    journal: &TranslationJournal,
) -> Result<Vec<TranslationRecord>> {
    let languages = TextLanguages::new();
    asked
        .iter()
        .map(|asked| {
            let said = journal.known().get(&asked.line.item).ok_or_else(|| {
                RunError::Unfit(format!("line {} was not translated", asked.line.item))
            })?;
            measure(request, asked, said, &languages)
        })
        .collect()
}

fn measure(
    request: &TranslationRequest<'_>,
    asked: &AskedLine<'_>,
    said: &Continuation,
    languages: &TextLanguages,
) -> Result<TranslationRecord> {
    let AskedLine {
        line,
        source,
        reference,
        ..
    } = asked;
    let content = prompt::strip_headers(request.task, request.into, &said.text)?;
    let kept: Vec<&str> = content.lines().take(count_lines(reference)).collect();
    let answer = kept.join("\n");
    let spoken = languages.look(&answer, request.into);
    let tokenisation = Tokenisation::of(request.into);
    let is_source = |text: &str| overlap::similarity(text, source) >= SAME;
    Ok(TranslationRecord {
        model: request.model.to_owned(),
        adapter: request.adapter.map(str::to_owned),
        task: request.task.name.clone(),
        from: request.from,
        into: request.into,
        item: line.item,
        validated: line.validated,
        chrf: ChrfCounts::of(&answer, reference).score(),
        bleu: BleuCounts::of(&answer, reference, tokenisation).sentence_score(),
        language: spoken.language,
        wrong_language: languages.knows(request.into).then_some(spoken.is_other),
        copied: is_source(&answer) && !is_source(reference),
        source: source.clone(),
        reference: reference.clone(),
        answer,
        ended: said.ended,
    })
}
