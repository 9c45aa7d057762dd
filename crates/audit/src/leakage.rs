//! Test questions that are in training data or in exemplars, exactly or nearly.

use data::overlap::OverlapIndex;
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

/// Compares every test file with the training files and exemplars of its task and language.
pub(crate) fn check(
    sources: &[ExemplarSource],
    sets: &[AuditSet<'_>],
    findings: &mut Vec<Finding>,
) {
    let tests: Vec<&AuditSet<'_>> = sets
        .iter()
        .filter(|set| set.source.role == Role::Test)
        .collect();
    for haystack in stack(sources, sets, &tests) {
        for set in &tests {
            if is_of(set, &haystack.task, haystack.language) {
                findings.extend(search(set, &haystack));
            }
        }
    }
}

fn is_of(set: &AuditSet<'_>, task: &str, language: Language) -> bool {
    set.source.task.name == task && set.language() == language
}

fn join(parts: &[String]) -> String {
    parts.join("\n")
}

/// Training data and exemplars for which there is a test file.
fn stack(
    sources: &[ExemplarSource],
    sets: &[AuditSet<'_>],
    tests: &[&AuditSet<'_>],
) -> Vec<Haystack> {
    let mut stacks = training_texts(sets, tests);
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

fn training_texts(sets: &[AuditSet<'_>], tests: &[&AuditSet<'_>]) -> Vec<Haystack> {
    let mut stacks: Vec<Haystack> = Vec::new();
    let mut english_seen: Vec<(&str, Vec<String>)> = Vec::new();
    for set in sets.iter().filter(|set| set.source.role != Role::Test) {
        let task = set.source.task.name.as_str();
        if is_tested(tests, task, set.language()) {
            let own: Vec<String> = set.items.iter().map(|item| join(&item.parts)).collect();
            stacks.push(Haystack::of_texts(set, set.language(), &own));
        }
        // Pair files of one task mostly share their English side.
        let english: Vec<String> = set.items.iter().map(|item| join(&item.english)).collect();
        if set.source.role == Role::Pairs
            && !english_seen
                .iter()
                .any(|(known, texts)| *known == task && *texts == english)
        {
            if is_tested(tests, task, Language::En) {
                stacks.push(Haystack::of_texts(set, Language::En, &english));
            }
            english_seen.push((task, english));
        }
    }
    stacks
}

impl Haystack {
    fn of_texts(set: &AuditSet<'_>, language: Language, texts: &[String]) -> Self {
        let mut index = OverlapIndex::new();
        for (id, text) in texts.iter().enumerate() {
            index.add(id, text);
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

fn search(set: &AuditSet<'_>, haystack: &Haystack) -> Vec<Finding> {
    let (mut exact, mut near) = (Vec::new(), Vec::new());
    for (index, item) in set.items.iter().enumerate() {
        let question = join(&item.parts);
        if let Some(id) = haystack.index.exact(&question) {
            exact.push((index, format!("is item {id}, `{}`", set.quote(item))));
        } else if let Some((id, similarity)) = haystack.index.nearest(&question, NEAR) {
            near.push((
                index,
                format!(
                    "is nearly item {id} ({similarity:.2}), `{}`",
                    set.quote(item)
                ),
            ));
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
