//! Names of the English text that are missing in the translation.
//!
//! A name is carried where the translation has its consonants, written in Latin letters
//! whatever the script (deunicode) and sorted into six classes as Soundex sorts them (Russell
//! 1918), so that `Moscow` is found in `Москва`. That fails for names that are translated and
//! for scripts that write syllables of other languages; so a missing name counts only beside
//! the rest of the file: where this one is carried elsewhere, or where names are as a rule and
//! all of a text are lost.

use std::collections::HashMap;

use deunicode::deunicode;
use schema::{
    Finding,
    finding::{Kind, Severity},
};

use crate::{
    set::AuditSet,
    text::{ends_sentence, shorten},
};

/// Letters of the shortest name that is looked for, and consonants it must have.
const LETTERS: usize = 5;
const CONSONANTS: usize = 3;
/// Share of a file's names that are carried, from which a missing one says something.
const CARRIED: f64 = 0.8;
/// Names of one text that are all lost, from which it is a warning.
const SURE: usize = 3;

/// The names of one text, each with whether it is carried.
struct TextNames<'a> {
    item: usize,
    part: usize,
    here: &'a str,
    english: &'a str,
    names: Vec<(&'a str, bool)>,
}

pub(crate) fn check(set: &AuditSet<'_>) -> Option<Finding> {
    if set.is_english() {
        return None;
    }
    let rows = list_rows(set);
    let habits = Habits::of(&rows);
    let mut seen = Vec::new();
    let mut most = 0;
    for row in &rows {
        let names: Vec<&(&str, bool)> = row
            .names
            .iter()
            .filter(|(name, _)| !habits.is_translated(name))
            .collect();
        let lost: Vec<&str> = names
            .iter()
            .filter(|(_, is_carried)| !is_carried)
            .map(|(name, _)| *name)
            .collect();
        let is_all = lost.len() == names.len();
        if habits.is_custom() && is_all && lost.len() > 1
            || lost.iter().any(|name| habits.is_carried_elsewhere(name))
        {
            most = most.max(if is_all { lost.len() } else { 0 });
            seen.push((row.item, row.describe(set, &lost)));
        }
    }
    let severity = if most >= SURE {
        Severity::Warning
    } else {
        Severity::Note
    };
    let what = format!(
        "{} of {} names are carried over, these are not",
        habits.carried, habits.all
    );
    let suggestion =
        "compare these with the English: the names were dropped, exchanged or translated";
    set.finding_of(Kind::Names, severity, &seen, &what, suggestion)
}

impl TextNames<'_> {
    fn describe(&self, set: &AuditSet<'_>, lost: &[&str]) -> String {
        format!(
            "{} in `{}`, `{}` for `{}`",
            lost.join(", "),
            set.part_name(self.part),
            shorten(self.here, 50),
            shorten(self.english, 50)
        )
    }
}

/// How a file treats names.
struct Habits<'a> {
    /// How often each name is carried, of how many texts.
    by_name: HashMap<&'a str, (usize, usize)>,
    carried: usize,
    all: usize,
}

impl<'a> Habits<'a> {
    fn of(rows: &[TextNames<'a>]) -> Self {
        let mut habits = Self {
            by_name: HashMap::new(),
            carried: 0,
            all: 0,
        };
        for (name, is_carried) in rows.iter().flat_map(|row| &row.names) {
            let (times, of) = habits.by_name.entry(name).or_default();
            *times += usize::from(*is_carried);
            *of += 1;
            habits.carried += usize::from(*is_carried);
            habits.all += 1;
        }
        habits
    }

    /// Whether names are carried as a rule.
    fn is_custom(&self) -> bool {
        self.carried as f64 >= CARRIED * self.all as f64
    }

    /// `October` and `Germany` have names of their own in many languages.
    fn is_translated(&self, name: &str) -> bool {
        self.by_name
            .get(name)
            .is_some_and(|(times, of)| *of > 1 && times * 2 < *of)
    }

    /// Carried in several texts, and lost in one alone.
    fn is_carried_elsewhere(&self, name: &str) -> bool {
        self.by_name
            .get(name)
            .is_some_and(|(times, of)| *times > 2 && times + 1 == *of)
    }
}

fn list_rows<'a>(set: &'a AuditSet<'_>) -> Vec<TextNames<'a>> {
    let mut rows = Vec::new();
    for (item, row) in set.numbered() {
        for (part, here, english) in row.translations() {
            let found = names(english);
            if found.is_empty() {
                continue;
            }
            let skeleton = skeleton(here);
            let names = found
                .into_iter()
                .map(|(name, bones)| (name, skeleton.contains(&bones)))
                .collect();
            rows.push(TextNames {
                item,
                part,
                here,
                english,
                names,
            });
        }
    }
    rows
}

/// Capitalised words that do not begin a sentence, with their consonants; in a text that is not
/// in title case.
fn names(english: &str) -> Vec<(&str, String)> {
    let mut found: Vec<(&str, String)> = Vec::new();
    let (mut capitals, mut smalls) = (0, 0);
    let mut begins = true;
    for token in english.split_whitespace() {
        let word = token.trim_matches(|c: char| !c.is_alphanumeric());
        let word = word.strip_suffix("'s").unwrap_or(word);
        let is_capital = word.starts_with(char::is_uppercase);
        capitals += usize::from(is_capital);
        smalls += usize::from(word.starts_with(char::is_lowercase));
        let is_name = is_capital
            && word.chars().skip(1).all(char::is_lowercase)
            && word.chars().count() >= LETTERS;
        if is_name && !begins && !found.iter().any(|(known, _)| *known == word) {
            let bones = skeleton(word);
            if bones.len() >= CONSONANTS {
                found.push((word, bones));
            }
        }
        if !word.is_empty() || token.chars().any(ends_sentence) {
            begins =
                token.ends_with(|c: char| ends_sentence(c) || matches!(c, ':' | '"' | '”' | ')'));
        }
    }
    if capitals > 2 * smalls {
        Vec::new()
    } else {
        found
    }
}

/// The consonants of a text in six classes; vowels, `h`, `w`, `y` and repetitions are left out.
fn skeleton(text: &str) -> String {
    let mut bones = String::new();
    for c in deunicode(text).chars() {
        let class = match c.to_ascii_lowercase() {
            'b' | 'p' | 'f' | 'v' => '1',
            'c' | 'g' | 'j' | 'k' | 'q' | 's' | 'x' | 'z' => '2',
            'd' | 't' => '3',
            'l' | 'r' => '4',
            'm' | 'n' => '5',
            _ => continue,
        };
        if !bones.ends_with(class) {
            bones.push(class);
        }
    }
    bones
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_carried(name: &str, here: &str) -> bool {
        skeleton(here).contains(&skeleton(name))
    }

    #[test]
    fn names_are_found_in_other_scripts() {
        for (name, here) in [
            ("Carlstad", "Он играл за Карлстад в Швеции"),
            ("Martin", "मार्टिन घर गया"),
            ("Toronto", "トロントで生まれた"),
            ("Barcelona", "Il vit à Barcelone depuis longtemps"),
            ("Bangalore", "তিনি ব্যাঙ্গালোর থেকে এসেছেন"),
        ] {
            assert!(
                is_carried(name, here),
                "{name}: {} in {}",
                skeleton(name),
                skeleton(here)
            );
        }
        assert!(!is_carried("Barcelona", "Il vit à Paris"));
    }

    #[test]
    fn capitals_within_a_sentence_are_names() {
        let found = |text| {
            names(text)
                .into_iter()
                .map(|(name, _)| name)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            found("Yesterday Martin met the Johnsons in Toronto . Someone from Toronto left."),
            ["Martin", "Johnsons", "Toronto"]
        );
        assert_eq!(
            found("A GREAT Book About Gardens And Forests"),
            Vec::<&str>::new()
        );
    }
}
