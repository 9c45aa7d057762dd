//! The import itself: one pass over the files where nothing has to be decided first, two
//! otherwise.

use std::{
    collections::{BTreeMap, HashMap, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
};

use data::DataError;
use hub::Progress;
use schema::Language;

use super::{
    ImportPlan, ImportTarget, PairSource, WrittenFile,
    choice::{self, RowMark, RowMarks},
    output::OutputFiles,
    reading::{InputRows, Taken},
};
use crate::refuse;

/// Rows between two reports of the progress.
const ROWS_PER_LOOK: usize = 4096;

/// What an import did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportReport {
    /// The files written, in the order of languages.
    pub files: Vec<WrittenFile>,
    /// Rows read.
    pub rows: usize,
    /// Why rows were left out, and how many for each reason.
    pub left_out: BTreeMap<String, usize>,
    /// What else the user should know.
    pub notes: Vec<String>,
}

/// The user wants to stop.
struct Stopped;

/// Runs an import. `progress` counts bytes; where `stop` says so, nothing is written and
/// `None` comes back.
///
/// # Errors
/// The plan contradicts itself; a file cannot be read or is broken; a row is not as it must be
/// (file, row, line, column); fewer rows than asked for; a file that would be written is there
/// already.
pub fn run(
    plan: &ImportPlan<'_>,
    progress: &mut dyn Progress,
    stop: &dyn Fn() -> bool,
) -> Result<Option<ImportReport>, DataError> {
    plan.check()?;
    let output = OutputFiles::new(plan);
    for language in plan.inputs.iter().filter_map(|input| input.language) {
        output.check_free(language)?;
    }
    let mut notes = Vec::new();
    let chosen = match needs_survey(plan) {
        true => match survey(plan, progress, stop)? {
            Some((marks, found)) => {
                notes = found;
                Some(choose(plan, &marks)?)
            }
            None => return Ok(None),
        },
        false => None,
    };
    match write(plan, output, chosen.as_ref(), progress, stop)? {
        Some(mut report) => {
            notes.append(&mut report.notes);
            Ok(Some(ImportReport { notes, ..report }))
        }
        None => Ok(None),
    }
}

/// Whether which rows are taken depends on rows that come later.
fn needs_survey(plan: &ImportPlan<'_>) -> bool {
    plan.sample.take.is_some() || plan.sample.balance || !has_one_language(plan)
}

/// Whether it is certain that all rows are of one language.
fn has_one_language(plan: &ImportPlan<'_>) -> bool {
    let first = plan.inputs.first().and_then(|input| input.language);
    first.is_some() && plan.inputs.iter().all(|input| input.language == first)
}

/// Goes through all rows; `each` is given every one. False when stopped.
fn pass(
    plan: &ImportPlan<'_>,
    label: &str,
    progress: &mut dyn Progress,
    stop: &dyn Fn() -> bool,
    each: &mut dyn FnMut(Taken) -> Result<(), DataError>,
) -> Result<Result<(usize, Vec<String>), Stopped>, DataError> {
    let mut reading = InputRows::open(plan)?;
    progress.start(label, Some(reading.size()?));
    let mut done = 0;
    let outcome = loop {
        match reading.next_taken() {
            Ok(Some(taken)) => {
                if let Err(error) = each(taken) {
                    break Err(error);
                }
            }
            Ok(None) => break Ok(Ok((reading.rows(), reading.notes()))),
            Err(error) => break Err(error),
        }
        // A row may be large: each may be the last before the user wants to stop.
        if stop() {
            break Ok(Err(Stopped));
        }
        if reading.rows() % ROWS_PER_LOOK == 0 {
            let now = reading.done();
            progress.advance(now.saturating_sub(done));
            done = now.max(done);
        }
    };
    if outcome.is_ok() {
        progress.advance(reading.done().saturating_sub(done));
    }
    progress.finish();
    outcome
}

/// The first pass: what must be known of every row to choose among them.
fn survey(
    plan: &ImportPlan<'_>,
    progress: &mut dyn Progress,
    stop: &dyn Fn() -> bool,
) -> Result<Option<(RowMarks, Vec<String>)>, DataError> {
    let mut marks = RowMarks::new();
    let mut ids: BTreeMap<Language, Vec<u64>> = BTreeMap::new();
    let has_ids = matches!(&plan.target, ImportTarget::Text { id: Some(_), .. });
    let read = pass(plan, "checking", progress, stop, &mut |taken| {
        let (language, mark) = match &taken {
            Taken::Item {
                language, label, ..
            } => (*language, RowMark::of(*label)?),
            Taken::Dropped { language, .. } => (*language, RowMark::Dropped),
            Taken::Passed { .. } => return Ok(()),
        };
        marks.entry(language).or_default().push(mark);
        if let (true, Taken::Item { values, .. }) = (has_ids, &taken) {
            let mut hasher = DefaultHasher::new();
            values[0].hash(&mut hasher);
            ids.entry(language).or_default().push(hasher.finish());
        }
        Ok(())
    })?;
    if read.is_err() {
        return Ok(None);
    }
    check_ids(&ids)?;
    // Prompts and responses are a mixture; questions and texts are meant to be the same in all
    // languages.
    let is_mixture = matches!(
        plan.target,
        ImportTarget::Pairs {
            source: PairSource::Conversation(_),
            ..
        }
    );
    let notes = if is_mixture {
        Vec::new()
    } else {
        choice::align(&mut marks)
    };
    Ok(Some((marks, notes)))
}

/// # Errors
/// The texts of two languages do not have the same ids in the same order.
fn check_ids(ids: &BTreeMap<Language, Vec<u64>>) -> Result<(), DataError> {
    let Some((first, expected)) = ids.iter().next() else {
        return Ok(());
    };
    for (language, found) in ids {
        let differs = found
            .iter()
            .zip(expected)
            .position(|(found, expected)| found != expected);
        if let Some(row) = differs {
            let problem = format!(
                "row {} of {language} has another id than that of {first}; sort both by id",
                row + 1
            );
            return Err(refuse("parallel text", problem));
        }
        if found.len() != expected.len() {
            let problem = format!(
                "{language} has {} rows, {first} has {}; take those that both have",
                found.len(),
                expected.len()
            );
            return Err(refuse("parallel text", problem));
        }
    }
    Ok(())
}

/// Which rows of each language are taken.
fn choose(
    plan: &ImportPlan<'_>,
    marks: &RowMarks,
) -> Result<HashMap<Language, Vec<bool>>, DataError> {
    let labels = choice::label_count(match &plan.target {
        ImportTarget::Questions { task, .. } => Some(task),
        _ => None,
    });
    let mut chosen = HashMap::new();
    for (language, marks) in marks {
        let drawn = choice::draw(marks, plan.sample, labels, language.code())?;
        chosen.insert(*language, drawn);
    }
    Ok(chosen)
}

/// Why a sound row is not taken.
fn not_chosen(plan: &ImportPlan<'_>) -> &'static str {
    let is_sampled = plan.sample.take.is_some() || plan.sample.balance;
    match (is_sampled, has_one_language(plan)) {
        (true, true) => "not drawn",
        (true, false) => "not drawn, or left out in another language",
        (false, _) => "left out in another language",
    }
}

/// The pass that writes.
fn write(
    plan: &ImportPlan<'_>,
    mut output: OutputFiles<'_>,
    chosen: Option<&HashMap<Language, Vec<bool>>>,
    progress: &mut dyn Progress,
    stop: &dyn Fn() -> bool,
) -> Result<Option<ImportReport>, DataError> {
    let mut left_out: BTreeMap<String, usize> = BTreeMap::new();
    let mut at: HashMap<Language, usize> = HashMap::new();
    let read = pass(plan, "importing", progress, stop, &mut |taken| {
        let mut leave_out = |reason: String| *left_out.entry(reason).or_default() += 1;
        let (language, item) = match taken {
            Taken::Item {
                language,
                label,
                values,
            } => (language, Ok((label, values))),
            Taken::Dropped { language, reason } => (language, Err(reason)),
            Taken::Passed { reason } => {
                leave_out(reason);
                return Ok(());
            }
        };
        let row = at.entry(language).or_default();
        let is_chosen = chosen.is_none_or(|chosen| {
            chosen
                .get(&language)
                .is_some_and(|rows| rows.get(*row) == Some(&true))
        });
        *row += 1;
        match item {
            Ok((label, values)) if is_chosen => output.write(language, label, &values)?,
            Ok(_) => leave_out(not_chosen(plan).to_owned()),
            Err(reason) => leave_out(reason),
        }
        Ok(())
    })?;
    let Ok((rows, notes)) = read else {
        return Ok(None);
    };
    let files = output.finish()?;
    if files.is_empty() {
        let reasons: Vec<_> = left_out
            .iter()
            .map(|(reason, count)| format!("{count} because {reason}"))
            .collect();
        let problem = format!(
            "{rows} rows were read and none is left{}{}",
            if reasons.is_empty() { "" } else { ": " },
            reasons.join("; ")
        );
        return Err(refuse("import", problem));
    }
    Ok(Some(ImportReport {
        files,
        rows,
        left_out,
        notes,
    }))
}
