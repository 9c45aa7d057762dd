//! Languages asked one after another: what the evaluation stages and the command `eval` share,
//! and that command's own loop over models.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use eval::{Ahead, Ask, EvalError, FreeAnswerCounts, Journal, LanguageAnswers, ask::Respondent};
use schema::{
    AnswerRecord, Answerer, Language, Provenance,
    caveats::{AnswerCounts, describe_answers},
    record::{AnswersMeta, meta_path, partial_path},
    scores::Disagreements,
    write_whole,
};

use crate::{RunError, error::Result, output::OutputCheck, session::Session, watch::Watch};

/// The answers of one language.
pub struct AskedLanguage {
    /// The answers, and what they were made from.
    pub answers: LanguageAnswers,
    /// Wall-clock time of asking alone: the model was loaded before.
    pub seconds: f64,
}

/// Languages asked one after another of one model, shown as one piece of work.
pub(crate) struct LanguageLoop {
    ahead: Ahead,
    label: String,
    /// Whether the work is shown already: it is from the first language asked on.
    is_shown: bool,
    languages: usize,
    done: usize,
    questions: usize,
    right: usize,
    /// What the answers' caveats are made of.
    counts: Vec<(Language, AnswerCounts)>,
}

impl LanguageLoop {
    /// Shown as `label`, of so many languages; `ahead` is that of another model that was asked the
    /// same, or empty.
    pub(crate) fn new(label: String, languages: usize, ahead: Ahead) -> Self {
        Self {
            ahead,
            label,
            is_shown: false,
            languages,
            done: 0,
            questions: 0,
            right: 0,
            counts: Vec::new(),
        }
    }

    /// Which language is asked after the next one: its questions are made meanwhile.
    pub(crate) fn prepare_next(&mut self, language: Option<Language>) {
        self.ahead.next = language;
    }

    /// Asks one language, and reports what was repaired.
    ///
    /// # Errors
    /// Data, model or journal; [`RunError::Interrupted`], after which the same call resumes.
    pub(crate) fn ask(
        &mut self,
        session: &mut Session,
        answerer: &Answerer,
        ask: &Ask<'_>,
        language: Language,
        journal: &mut Journal,
        watch: &mut dyn Watch,
    ) -> Result<AskedLanguage> {
        let (decoder, tokenizer) = session.parts()?;
        let respondent = Respondent {
            model: decoder,
            tokenizer,
            answerer,
        };
        if !self.is_shown {
            watch.start(&self.label, self.languages, "languages");
            self.is_shown = true;
        }
        let done = self.done;
        watch.advance(done, &format!("{language}: 0"));
        let start = Instant::now();
        let asked = eval::ask(
            respondent,
            ask,
            language,
            &mut self.ahead,
            journal,
            &mut |questions, _| {
                watch.advance(done, &format!("{language}: {questions}"));
                !watch.is_interrupted()
            },
        );
        let answers = match asked {
            Err(EvalError::Stopped(_)) => {
                return Err(RunError::Interrupted(format!(
                    "interrupted before {language} was finished; run the same command again to resume"
                )));
            }
            other => other?,
        };
        let seconds = start.elapsed().as_secs_f64();
        tracing::info!(
            task = ask.task.name,
            %language,
            questions = answers.records.len(),
            prefix_tokens = answers.prefix_tokens,
            seconds,
            "asked"
        );
        report_repairs(language, &answers, watch);
        self.counts
            .push((language, AnswerCounts::of(&answers.records)));
        self.done += 1;
        self.questions += answers.records.len();
        self.right += count_right(&answers.records);
        Ok(AskedLanguage { answers, seconds })
    }

    /// Sums up what was asked: a caveat is one line, whatever the number of languages. Returns the
    /// questions that were kept for another model.
    pub(crate) fn finish(self, watch: &mut dyn Watch) -> Ahead {
        if self.is_shown {
            let share = 100.0 * self.right as f64 / self.questions.max(1) as f64;
            watch.finish(&format!("{} questions, {share:.1}% right", self.questions));
        }
        let counts: Vec<_> = self.counts.iter().map(|(l, of)| (*l, of)).collect();
        for caveat in describe_answers(&counts) {
            watch.note(&format!("note: {caveat}"));
        }
        self.ahead
    }
}

fn report_repairs(language: Language, answers: &LanguageAnswers, watch: &mut dyn Watch) {
    for repair in &answers.repairs {
        watch.note(repair);
    }
    if answers.resumed > 0 {
        watch.note(&format!(
            "{language}: resumed after {} questions that were measured before",
            answers.resumed
        ));
    }
    if !answers.differing.is_empty() {
        watch.note(&format!(
            "{language}: partial results were made with different {}; starting over",
            answers.differing.join(", ")
        ));
    }
}

/// Records whose answer is correct.
pub fn count_right(records: &[AnswerRecord]) -> usize {
    records.iter().filter(|record| record.correct).count()
}

/// Writes the records and, before them, what they were made from, with their hash, by which a reader
/// checks that the two files belong together.
pub(crate) fn write_answers(
    file: &Path,
    records: &[AnswerRecord],
    evaluations: Vec<Provenance>,
) -> Result<()> {
    let mut lines = Vec::new();
    for record in records {
        serde_json::to_writer(&mut lines, record)?;
        lines.push(b'\n');
    }
    let meta = serde_json::to_string_pretty(&AnswersMeta {
        answers_sha256: hub::hash_bytes(&lines),
        evaluations,
    })?;
    write_whole(&meta_path(file), (meta + "\n").as_bytes())?;
    Ok(write_whole(file, &lines)?)
}

/// Holds a file of answers, and those beside it, against what the evaluation reads.
///
/// # Errors
/// As [`OutputCheck::file`].
pub fn check_out(check: &OutputCheck, out: &Path) -> Result<()> {
    check.file(out, &is_answers)?;
    check.file(&meta_path(out), &|path| read_meta(path).is_some())?;
    check.file(&partial_path(out), &eval::is_journal)
}

/// Whether a file of answers is as an evaluation left it.
fn is_answers(file: &Path) -> bool {
    read_meta(&meta_path(file))
        .is_some_and(|meta| hub::hash_file(file).is_ok_and(|hash| hash == meta.answers_sha256))
}

fn read_meta(file: &Path) -> Option<AnswersMeta> {
    serde_json::from_slice(&fs::read(file).ok()?).ok()
}

/// Whether a file holds finished answers to other questions than these.
fn holds_another_request(evaluation: &Evaluation<'_>, model: &str) -> bool {
    let file = evaluation.out;
    let Some(meta) = read_meta(&meta_path(file)).filter(|_| file.exists()) else {
        return false;
    };
    let wanted = evaluation.models.iter().flat_map(|folder| {
        let adapter = folder.as_ref().map(|folder| folder.display().to_string());
        let languages = evaluation.languages.iter();
        languages.map(move |&language| (adapter.clone(), language))
    });
    let found = meta.evaluations.iter();
    let found = found.map(|found| (found.adapter.clone(), found.language));
    let ask = &evaluation.ask;
    let is_same = found.eq(wanted)
        && meta.evaluations.iter().all(|found| {
            found.model == model && found.task == ask.task.name && found.asking == *ask.asking
        });
    !is_same
}

/// Which models are asked in which languages, and where the answers go.
pub struct Evaluation<'a> {
    /// PEFT folders; `None` is the base model.
    pub models: Vec<Option<PathBuf>>,
    /// The languages.
    pub languages: Vec<Language>,
    /// The questions to each; model and adapter are filled in.
    pub ask: Ask<'a>,
    /// The file of answers.
    pub out: &'a Path,
}

/// Answers of one or more models.
#[derive(Default)]
pub struct Evaluated {
    /// The records, by model and language.
    pub records: Vec<AnswerRecord>,
    /// Their provenances, with the seconds that asking took.
    pub evaluations: Vec<(Provenance, f64)>,
    /// How often two scorings disagree.
    pub disagreements: Disagreements,
    /// The labels in free answers.
    pub said: FreeAnswerCounts,
}

/// Asks each model every language and writes the answers. `asked` sees each language's, with the
/// adapter's name or `base`.
///
/// # Errors
/// Model, data, adapter or file; [`RunError::Interrupted`], after which the same call resumes.
pub fn evaluate(
    session: &mut Session,
    evaluation: &Evaluation<'_>,
    watch: &mut dyn Watch,
    asked: &mut dyn FnMut(&str, Language, &LanguageAnswers),
) -> Result<Evaluated> {
    let name = session.model.name.clone();
    if holds_another_request(evaluation, &name) {
        watch.note(&format!(
            "note: the answers in {} are of another model, task or way to ask; they will be replaced",
            evaluation.out.display()
        ));
    }
    let mut journal = Journal::open(evaluation.out)?;
    let mut evaluated = Evaluated::default();
    let mut ahead = Ahead::default();
    for (at, folder) in evaluation.models.iter().enumerate() {
        let answerer = session.attach_adapter(folder.as_deref())?;
        let adapter = folder.as_ref().map(|folder| folder.display().to_string());
        let label = adapter.as_deref().unwrap_or("base");
        let ask = Ask {
            model: &name,
            adapter: adapter.as_deref(),
            ..evaluation.ask
        };
        let shown_as = format!("eval {label} {} {}", ask.task.name, ask.asking.labels);
        ahead.is_asked_again = at + 1 < evaluation.models.len();
        let mut asking = LanguageLoop::new(shown_as, evaluation.languages.len(), ahead);
        for (at, &language) in evaluation.languages.iter().enumerate() {
            asking.prepare_next(evaluation.languages.get(at + 1).copied());
            let asked_language =
                asking.ask(session, &answerer, &ask, language, &mut journal, watch);
            let AskedLanguage { answers, seconds } = session.name_files(asked_language)?;
            asked(label, language, &answers);
            evaluated.add(answers, seconds);
        }
        ahead = asking.finish(watch);
    }
    let provenances = evaluated
        .evaluations
        .iter()
        .map(|(provenance, _)| provenance.clone());
    write_answers(evaluation.out, &evaluated.records, provenances.collect())?;
    journal.remove()?;
    Ok(evaluated)
}

impl Evaluated {
    fn add(&mut self, answers: LanguageAnswers, seconds: f64) {
        self.disagreements.add(&answers.choices);
        self.said += answers.said;
        self.records.extend(answers.records);
        self.evaluations.push((answers.provenance, seconds));
    }
}
