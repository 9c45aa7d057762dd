//! Texts in another language than the file's name says.
//!
//! The identifier (`identify`) knows the twenty languages and those that they are confused with.
//! Short texts of close languages cannot be distinguished, so an item counts only where the
//! identifier is sure of a language that is not close to the right one (`kin`), and a close
//! language counts only where most of a file's texts are in it.

mod identify;
mod kin;
mod spoken;
mod table;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Mutex, PoisonError},
};

use rayon::prelude::*;
use schema::{
    Finding, Language,
    finding::{Kind, Severity},
};

use self::{identify::Identifier, kin::names_of, spoken::Spoken};
use crate::{
    Role,
    pulse::Pulse,
    set::AuditSet,
    text::{count_letters, script, shorten, words},
};

/// Letters below which a text says nothing about its language; of syllabic and ideographic
/// scripts [`SYLLABLES`].
const LETTERS: usize = 20;
const SYLLABLES: usize = 8;
/// Confidence in another language, which leaves the rest to the right one and its kin, for an
/// item to count.
const SURE: f64 = 0.9;
/// The highest confidence in the right language for the words in small letters.
const AGREED: f64 = 0.1;
/// Share of a file's texts that must be in a close language for the file to be in it.
const CLOSE_SHARE: f64 = 0.6;

/// Share of a file's texts, and of a text's letters, that makes a script the usual one; letters
/// that a text must have.
const USUAL_SCRIPT: f64 = 0.9;
const SCRIPT_LETTERS: usize = 8;

impl Guess {
    fn is_sure(&self) -> bool {
        self.confidence >= SURE && self.expected <= 1.0 - SURE
    }
}

/// The identifier, and what it said.
pub(crate) struct Detector {
    identifier: Identifier,
    /// What was answered for texts that should be English, by their hash: English files are looked
    /// at twice, and pair files mostly share their English side.
    english: Mutex<HashMap<u64, Option<Guess>>>,
}

/// The identifier's answer for a text.
#[derive(Clone, Copy)]
struct Guess {
    best: Spoken,
    confidence: f64,
    /// Of the right language and its kin.
    expected: f64,
}

impl Detector {
    pub(crate) fn new() -> Self {
        Self {
            identifier: Identifier::new(),
            english: Mutex::default(),
        }
    }

    /// [`Self::guess_surely`], once for each text that should be English.
    fn guess_once(&self, text: &str, expected: &[&[Spoken]]) -> Option<Guess> {
        if !expected.iter().copied().flatten().eq(&[Spoken::English]) {
            return self.guess_surely(text, expected);
        }
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let key = hasher.finish();
        let known = || self.english.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(guess) = known().get(&key) {
            return *guess;
        }
        let guess = self.guess_surely(text, expected);
        known().insert(key, guess);
        guess
    }

    /// The identifier's answer for a text, if it does not depend on the names in it: where letters
    /// have case, the words in small letters alone must say the same.
    fn guess_surely(&self, text: &str, expected: &[&[Spoken]]) -> Option<Guess> {
        let guess = self.guess(text, expected)?;
        if !guess.is_sure() || !text.contains(char::is_uppercase) {
            return Some(guess);
        }
        let small: Vec<&str> = words(text)
            .filter(|word| word.starts_with(char::is_lowercase))
            .collect();
        let small = small.join(" ");
        let agreed = if says_enough(&small) {
            self.guess(&small, expected)
        } else {
            None
        };
        match agreed {
            Some(other) if other.best == guess.best && other.expected <= AGREED => Some(guess),
            _ => Some(Guess {
                confidence: 0.0,
                ..guess
            }),
        }
    }

    /// Items of an English file that are in another language for certain.
    pub(crate) fn list_foreign(&self, english: &AuditSet<'_>) -> BTreeSet<usize> {
        let guesses = guess_all(
            english.numbered().map(|(_, item)| &*item.parts),
            self,
            &[&[Spoken::English]],
            english.pulse,
        );
        guesses
            .into_iter()
            .filter(|(_, _, guess)| guess.is_sure())
            .map(|(item, ..)| item)
            .collect()
    }

    fn guess(&self, text: &str, expected: &[&[Spoken]]) -> Option<Guess> {
        let values = self.identifier.weigh(text);
        let (best, confidence) = values
            .iter()
            .copied()
            .reduce(|best, next| if next.1 > best.1 { next } else { best })?;
        let expected = values
            .iter()
            .filter(|(language, _)| expected.iter().any(|list| list.contains(language)))
            .map(|(_, value)| value)
            .sum();
        Some(Guess {
            best,
            confidence,
            expected,
        })
    }
}

/// What language a text is in, for a text that should be in a certain one.
pub struct TextLanguages(Detector);

/// What is said of one text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpokenIn {
    /// English name of the likeliest language; `None` where the text is too short to tell, or in
    /// no known script.
    pub language: Option<String>,
    /// Whether it is certain to be in another language, not a close one, than the right one.
    /// `false` where the identifier does not know the right one.
    pub is_other: bool,
}

impl TextLanguages {
    /// Loads the identifier.
    #[expect(clippy::new_without_default, reason = "it reads a table")]
    pub fn new() -> Self {
        Self(Detector::new())
    }

    /// Looks at a text that should be in `language`.
    pub fn look(&self, text: &str, language: Language) -> SpokenIn {
        let (own, kin) = names_of(language).unwrap_or_default();
        let guess = says_enough(text)
            .then(|| self.0.guess_surely(text, &[own, kin]))
            .flatten();
        SpokenIn {
            language: guess.map(|guess| format!("{:?}", guess.best)),
            is_other: !own.is_empty() && guess.is_some_and(|guess| guess.is_sure()),
        }
    }

    /// Whether the identifier knows a language.
    pub fn knows(&self, language: Language) -> bool {
        names_of(language).is_some()
    }
}

/// `copies`: items that are said to be English already.
pub(crate) fn check(
    set: &AuditSet<'_>,
    detector: &Detector,
    copies: &BTreeSet<usize>,
) -> Vec<Finding> {
    let mut findings = match names_of(set.language()) {
        Some((own, kin)) => check_texts(set, detector, copies, own, kin),
        None => {
            let odd = check_scripts(set, copies);
            odd.into_iter().chain([describe_unknown(set)]).collect()
        }
    };
    if set.source.role == Role::Pairs {
        findings.extend(check_targets(set, detector));
    }
    findings
}

/// The texts of a language that the identifier knows as `own`.
fn check_texts(
    set: &AuditSet<'_>,
    detector: &Detector,
    copies: &BTreeSet<usize>,
    own: &[Spoken],
    kin: &[Spoken],
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let guesses = guess_all(
        set.numbered().map(|(_, item)| &*item.parts),
        detector,
        &[own, kin],
        set.pulse,
    );
    let mut seen: BTreeMap<Spoken, Vec<(usize, String)>> = BTreeMap::new();
    for (index, text, guess) in guesses
        .iter()
        .filter(|(index, _, guess)| guess.is_sure() && !copies.contains(index))
    {
        // An item that is foreign in the English file is reported there.
        if !set.items[*index].is_foreign {
            let quoted = format!("{:.2} `{}`", guess.confidence, shorten(text, 60));
            seen.entry(guess.best).or_default().push((*index, quoted));
        }
    }
    for (spoken, seen) in &seen {
        let (name, all) = (set.language().name(), set.items.len());
        let what =
            format!("of {all} items these are in {spoken:?}, not in {name}; confidence and text");
        let severity = if set.is_english() {
            Severity::Warning
        } else {
            set.severity_of_share(seen)
        };
        findings.extend(set.finding_of(
            Kind::Language,
            severity,
            seen,
            &what,
            "put a text in the file's language there, or remove the items in every language",
        ));
    }
    let reported: BTreeSet<usize> = seen
        .values()
        .flatten()
        .map(|(item, _)| *item)
        .chain(copies.iter().copied())
        .collect();
    findings.extend(check_scripts(set, &reported));
    findings.extend(check_close(set, kin, &guesses));
    findings
}

/// That nothing was looked at.
fn describe_unknown(set: &AuditSet<'_>) -> Finding {
    let evidence = format!(
        "the identifier of languages does not know {}: only the script of the texts was looked at",
        set.language().name()
    );
    set.finding(
        Kind::Coverage,
        Severity::Note,
        Vec::new(),
        evidence,
        "ask someone who knows the language",
    )
}

/// Texts, even short ones, that are in another script than nearly all others of the file.
fn check_scripts(set: &AuditSet<'_>, reported: &BTreeSet<usize>) -> Option<Finding> {
    let mut texts: Vec<(usize, &str, &str)> = Vec::new();
    for (index, item) in set.numbered() {
        let scripts = item.parts.iter().map(|part| (part, main_script(part)));
        texts.extend(scripts.filter_map(|(part, script)| Some((index, script?, part.as_str()))));
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, script, _) in &texts {
        *counts.entry(script).or_default() += 1;
    }
    let (&usual, &count) = counts.iter().max_by_key(|(_, count)| **count)?;
    if (count as f64) < USUAL_SCRIPT * texts.len() as f64 {
        return None;
    }
    let odd = texts.iter().filter(|(index, script, text)| {
        *script != usual
            && has_words(text)
            && !reported.contains(index)
            && !set.items[*index].is_foreign
    });
    let seen: Vec<(usize, String)> = odd
        .map(|(index, script, text)| (*index, format!("{script} `{}`", shorten(text, 60))))
        .collect();
    let what = format!("the letters are not {usual} as in the rest of the file");
    let severity = set.severity_of_share(&seen);
    set.finding_of(
        Kind::Language,
        severity,
        &seen,
        &what,
        "put a text in the file's language there",
    )
}

/// Whether a text is more than names and numbers, which alone are not another language.
fn has_words(text: &str) -> bool {
    let small = words(text).filter(|word| word.starts_with(char::is_lowercase));
    !text.contains(char::is_uppercase) || small.count() > 1
}

/// The script of nearly all letters of a text that has more than a few.
fn main_script(text: &str) -> Option<&'static str> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for script in text.chars().filter_map(script) {
        *counts.entry(script).or_default() += 1;
    }
    let all: usize = counts.values().sum();
    let (script, count) = counts.into_iter().max_by_key(|(_, count)| *count)?;
    (all >= SCRIPT_LETTERS && count as f64 >= USUAL_SCRIPT * all as f64).then_some(script)
}

/// Whether most texts of the file are in one close language.
fn check_close(
    set: &AuditSet<'_>,
    kin: &[Spoken],
    guesses: &[(usize, &str, Guess)],
) -> Option<Finding> {
    let mut counts: HashMap<Spoken, usize> = HashMap::new();
    for (_, _, guess) in guesses {
        *counts.entry(guess.best).or_default() += 1;
    }
    let (spoken, count) = counts
        .into_iter()
        .max_by_key(|(spoken, count)| (*count, std::cmp::Reverse(*spoken)))?;
    let is_most = guesses.len() >= 10 && count as f64 >= CLOSE_SHARE * guesses.len() as f64;
    (is_most && kin.contains(&spoken)).then(|| {
        let name = set.language().name();
        let evidence = format!(
            "{count} of {} texts read as {spoken:?} rather than {name}",
            guesses.len()
        );
        let suggestion =
            "ask someone who knows both languages; rename the file if it is the other one";
        set.finding(
            Kind::Language,
            Severity::Warning,
            Vec::new(),
            evidence,
            suggestion,
        )
    })
}

/// The English side of translation pairs.
fn check_targets(set: &AuditSet<'_>, detector: &Detector) -> Option<Finding> {
    let guesses = guess_all(
        set.numbered().map(|(_, item)| &*item.english),
        detector,
        &[&[Spoken::English]],
        set.pulse,
    );
    let wrong = guesses.iter().filter(|(_, _, guess)| guess.is_sure());
    let seen: Vec<(usize, String)> = wrong
        .map(|(index, text, guess)| {
            (
                *index,
                format!(
                    "{:?} {:.2} `{}`",
                    guess.best,
                    guess.confidence,
                    shorten(text, 60)
                ),
            )
        })
        .collect();
    let suggestion = "put the English question there";
    let severity = set.severity_of_share(&seen);
    set.finding_of(
        Kind::Language,
        severity,
        &seen,
        "`answer` is not in English; confidence and text",
        suggestion,
    )
}

/// A guess for each text that is long enough, on all threads; the same text is looked at once.
fn guess_all<'a>(
    items: impl Iterator<Item = &'a [String]>,
    detector: &Detector,
    expected: &[&[Spoken]],
    pulse: &Pulse,
) -> Vec<(usize, &'a str, Guess)> {
    let mut texts: Vec<(usize, &str)> = Vec::new();
    for (index, parts) in items.enumerate() {
        texts.extend(
            parts
                .iter()
                .filter(|part| says_enough(part))
                .map(|part| (index, part.as_str())),
        );
    }
    let distinct: Vec<&str> = texts
        .iter()
        .map(|(_, text)| *text)
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    let guesses: HashMap<&str, Guess> = distinct
        .par_iter()
        .take_any_while(|_| !pulse.is_stopped())
        .filter_map(|text| Some((*text, detector.guess_once(text, expected)?)))
        .collect();
    texts
        .into_iter()
        .filter_map(|(index, text)| Some((index, text, *guesses.get(text)?)))
        .collect()
}

fn says_enough(text: &str) -> bool {
    let wide = text
        .chars()
        .filter(|c| *c >= '\u{900}' && c.is_alphabetic())
        .count();
    if wide * 2 > count_letters(text) {
        wide >= SYLLABLES
    } else {
        count_letters(text) >= LETTERS && words(text).count() > 2
    }
}
