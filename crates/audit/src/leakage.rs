//! Test questions that stand in training data or in exemplars, exactly or nearly.

use data::overlap::OverlapIndex;
use schema::{
    Finding, Language,
    finding::{Kind, Severity},
};

use crate::{
    Role, exemplars,
    scope::ExemplarSource,
    set::{AuditItem, AuditSet},
};

/// Similarity of the whole questions (see [`OverlapIndex::nearest`]) from which they are nearly the
/// same.
const NEAR: f64 = 0.8;

/// What test questions are looked up in.
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
        let is_meant = |set: &&&AuditSet<'_>| {
            set.source.task.name == haystack.task && set.language() == haystack.language
        };
        for set in tests.iter().filter(is_meant) {
            findings.extend(search(set, &haystack));
        }
    }
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
    let is_tested = |task: &str, language| {
        tests
            .iter()
            .any(|set| set.source.task.name == task && set.language() == language)
    };
    let mut stacks: Vec<Haystack> = Vec::new();
    let mut english_seen: Vec<(&str, Vec<String>)> = Vec::new();
    for set in sets.iter().filter(|set| set.source.role != Role::Test) {
        let task = &set.source.task.name;
        let mut add = |language, read: &dyn Fn(&AuditItem) -> &[String]| {
            if is_tested(task, language) {
                let texts = set.items.iter().map(|item| join(read(item)));
                stacks.push(Haystack::of_texts(&set.source.name, task, language, texts));
            }
        };
        add(set.language(), &|item| &item.parts);
        // Pair files of one task mostly share their English side.
        let english: Vec<String> = set.items.iter().map(|item| join(&item.english)).collect();
        if set.source.role == Role::Pairs
            && !english_seen
                .iter()
                .any(|(known, texts)| known == task && *texts == english)
        {
            add(Language::En, &|item| &item.english);
            english_seen.push((task, english));
        }
    }
    for source in sources {
        for exemplar in exemplars::list(source) {
            if !is_tested(&exemplar.task, exemplar.language) {
                continue;
            }
            let name = source.name();
            let known = stacks.iter().position(|s| {
                s.name == name && s.task == exemplar.task && s.language == exemplar.language
            });
            let at = known.unwrap_or_else(|| {
                let (task, language) = (exemplar.task.clone(), exemplar.language);
                stacks.push(Haystack {
                    name,
                    task,
                    language,
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

impl Haystack {
    fn of_texts(
        name: &str,
        task: &str,
        language: Language,
        texts: impl Iterator<Item = String>,
    ) -> Self {
        let mut index = OverlapIndex::new();
        texts
            .enumerate()
            .for_each(|(id, text)| index.add(id, &text));
        Self {
            name: name.to_owned(),
            task: task.to_owned(),
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
    let what = |how: &str| {
        format!(
            "{} test questions stand {how} in {name}",
            if how == "exactly" {
                exact.len()
            } else {
                near.len()
            }
        )
    };
    // The answer to an exemplar stands in the prompt; training pairs show the question alone.
    let severity = if *is_shown {
        set.severity_of_share(&exact)
    } else {
        Severity::Warning
    };
    let suggestion = "take them out of the training data or the exemplars";
    let exact_finding = set.finding_of(
        Kind::Leakage,
        severity,
        &exact,
        &what("exactly"),
        suggestion,
    );
    let severity = if *is_shown {
        Severity::Warning
    } else {
        Severity::Note
    };
    let near_finding = set.finding_of(Kind::Leakage, severity, &near, &what("nearly"), suggestion);
    exact_finding.into_iter().chain(near_finding).collect()
}
