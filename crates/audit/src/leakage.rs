//! Test questions that are in training data or in exemplars, exactly or nearly.

use std::hash::{DefaultHasher, Hash, Hasher};

use data::overlap::OverlapIndex;
use rayon::prelude::*;
use schema::{
    Finding, Language,
    finding::{Kind, Severity},
};

use crate::{Role, exemplars, scope::ExemplarSource, set::AuditSet};

/// Similarity of the whole questions (see [`OverlapIndex::nearest`]) from which they are nearly the
/// same.
const NEAR: f64 = 0.8;

/// Texts in which test questions are looked up.
struct Haystack {
    name: String,
    task: String,
    language: Language,
    /// Exemplars show the answer too.
    is_shown: bool,
    index: OverlapIndex,
}

/// Compares every test file with the training files and exemplars of its task and language. One
/// index of texts is in memory at a time.
pub(crate) fn check(
    sources: &[ExemplarSource],
    sets: &[AuditSet<'_>],
    findings: &mut Vec<Finding>,
) {
    let tests: Vec<&AuditSet<'_>> = sets
        .iter()
        .filter(|set| set.source.role == Role::Test)
        .collect();
    let mut look = |haystack: &Haystack| {
        for set in &tests {
            if is_of(set, &haystack.task, haystack.language) {
                findings.extend(search(set, haystack));
            }
        }
    };
    each_training_text(sets, &tests, &mut look);
    stack_exemplars(sources, &tests).iter().for_each(look);
}

fn is_of(set: &AuditSet<'_>, task: &str, language: Language) -> bool {
    set.source.task.name == task && set.language() == language
}

/// The fields of a question; choices are not looked up, which exemplars of a file do not show.
fn question(set: &AuditSet<'_>, parts: &[String]) -> String {
    let fields = set.source.task.fields.len().min(parts.len());
    join(&parts[..fields])
}

fn join(parts: &[String]) -> String {
    parts.join("\n")
}

/// Exemplars for which there is a test file.
fn stack_exemplars(sources: &[ExemplarSource], tests: &[&AuditSet<'_>]) -> Vec<Haystack> {
    let mut stacks: Vec<Haystack> = Vec::new();
    for source in sources {
        for exemplar in exemplars::list(source) {
            if !is_tested(tests, &exemplar.task, exemplar.language) {
                continue;
            }
            let name = source.name();
            let known = stacks.iter().position(|s| {
                s.name == name && s.task == exemplar.task && s.language == exemplar.language
            });
            let at = known.unwrap_or_else(|| {
                stacks.push(Haystack {
                    name,
                    task: exemplar.task.clone(),
                    language: exemplar.language,
                    is_shown: true,
                    index: OverlapIndex::new(),
                });
                stacks.len() - 1
            });
            let next = stacks[at].index.len();
            stacks[at].index.add(next, &join(&exemplar.parts));
        }
    }
    stacks
}

fn is_tested(tests: &[&AuditSet<'_>], task: &str, language: Language) -> bool {
    tests.iter().any(|set| is_of(set, task, language))
}

/// Calls `look` with the texts of every training file for which there is a test file.
fn each_training_text(
    sets: &[AuditSet<'_>],
    tests: &[&AuditSet<'_>],
    look: &mut dyn FnMut(&Haystack),
) {
    let mut english_seen: Vec<(&str, u64)> = Vec::new();
    for set in sets.iter().filter(|set| set.source.role != Role::Test) {
        let task = set.source.task.name.as_str();
        if is_tested(tests, task, set.language()) {
            let own = set.numbered().map(|(_, item)| question(set, &item.parts));
            look(&Haystack::of_texts(set, set.language(), own));
        }
        if set.source.role != Role::Pairs {
            continue;
        }
        // Pair files of one task mostly share their English side.
        let texts = || set.numbered().map(|(_, item)| question(set, &item.english));
        let seen = (task, digest(texts()));
        if !english_seen.contains(&seen) {
            if is_tested(tests, task, Language::En) {
                look(&Haystack::of_texts(set, Language::En, texts()));
            }
            english_seen.push(seen);
        }
    }
}

fn digest(texts: impl Iterator<Item = String>) -> u64 {
    let mut hasher = DefaultHasher::new();
    texts.for_each(|text| text.hash(&mut hasher));
    hasher.finish()
}

impl Haystack {
    fn of_texts(
        set: &AuditSet<'_>,
        language: Language,
        texts: impl Iterator<Item = String>,
    ) -> Self {
        let mut index = OverlapIndex::new();
        for (id, text) in texts.enumerate() {
            index.add(id, &text);
        }
        Self {
            name: set.source.name.clone(),
            task: set.source.task.name.clone(),
            language,
            is_shown: false,
            index,
        }
    }
}

/// Where a test question is in the texts.
enum Place {
    Exact(usize),
    Near(usize, f64),
}

fn search(set: &AuditSet<'_>, haystack: &Haystack) -> Vec<Finding> {
    let places: Vec<Option<Place>> = set
        .items
        .par_iter()
        .map(|item| {
            if set.pulse.is_stopped() {
                return None;
            }
            let question = question(set, &item.parts);
            let exact = haystack.index.exact(&question).map(Place::Exact);
            exact.or_else(|| {
                let (id, similarity) = haystack.index.nearest(&question, NEAR)?;
                Some(Place::Near(id, similarity))
            })
        })
        .collect();
    let (mut exact, mut near) = (Vec::new(), Vec::new());
    for (index, place) in places.into_iter().enumerate() {
        let quote = || set.quote(&set.items[index]);
        match place {
            None => {}
            Some(Place::Exact(id)) => exact.push((index, format!("is item {id}, `{}`", quote()))),
            Some(Place::Near(id, similarity)) => near.push((
                index,
                format!("is nearly item {id} ({similarity:.2}), `{}`", quote()),
            )),
        }
    }
    let Haystack { name, is_shown, .. } = haystack;
    // An exemplar shows its answer in the prompt; training pairs show the question alone.
    let severity = if *is_shown {
        set.severity_of_share(&exact)
    } else {
        Severity::Warning
    };
    let suggestion = "remove them from the training data or the exemplars";
    let exact_finding = set.finding_of(
        Kind::Leakage,
        severity,
        &exact,
        &format!("{} test questions are exactly in {name}", exact.len()),
        suggestion,
    );
    let severity = if *is_shown {
        Severity::Warning
    } else {
        Severity::Note
    };
    let near_finding = set.finding_of(
        Kind::Leakage,
        severity,
        &near,
        &format!("{} test questions are nearly in {name}", near.len()),
        suggestion,
    );
    exact_finding.into_iter().chain(near_finding).collect()
}
