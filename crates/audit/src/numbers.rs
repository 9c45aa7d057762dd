//! Numbers of the English text that are missing in the translation, in the digits of any
//! script.

use std::collections::BTreeSet;

use schema::{
    Finding,
    finding::{Kind, Severity},
};

use crate::{
    set::AuditSet,
    text::{digit, shorten},
};

/// Numbers up to here, and whole tens and hundreds, are often written as words.
const SPELT: u64 = 20;
/// Share of the numbers of a file that may be lost for a single loss to be worth a warning.
const RARE: f64 = 0.02;

pub(crate) fn check(set: &AuditSet<'_>) -> Option<Finding> {
    if set.is_english() {
        return None;
    }
    let (mut all, mut lost) = (0_usize, Vec::new());
    for (index, item) in set.numbered() {
        for (part, here, english) in item.translations() {
            let wanted = numbers(english);
            let there = numbers(here);
            let mut missing: Vec<&str> = wanted
                .iter()
                .filter(|n| is_firm(n))
                .map(String::as_str)
                .collect();
            all += missing.len();
            missing.retain(|number| !there.iter().any(|other| is_same(number, other)));
            if !missing.is_empty() {
                let texts = format!("`{}` for `{}`", shorten(here, 50), shorten(english, 50));
                lost.push((
                    index,
                    format!(
                        "{} in `{}`, {texts}",
                        missing.join(", "),
                        set.part_name(part)
                    ),
                ));
            }
        }
    }
    let severity = if lost.len() as f64 <= RARE * all as f64 {
        Severity::Warning
    } else {
        Severity::Note
    };
    let what = format!("of {all} English numbers these are missing");
    let suggestion =
        "compare these with the English: a number was dropped, changed or written as a word";
    set.finding_of(Kind::Numbers, severity, &lost, &what, suggestion)
}

/// Runs of digits in ASCII digits, separators between digits of one number taken out.
fn numbers(text: &str) -> BTreeSet<String> {
    let characters: Vec<char> = text.chars().collect();
    let mut found = BTreeSet::new();
    let mut number = String::new();
    for (at, &c) in characters.iter().enumerate() {
        let next = characters.get(at + 1);
        match digit(c).and_then(|value| char::from_digit(value, 10)) {
            Some(c) => number.push(c),
            None if !number.is_empty()
                && matches!(c, ',' | '.' | '\u{a0}' | '\u{202f}' | '，' | '．')
                && next.is_some_and(|next| digit(*next).is_some()) => {}
            // `1930s` is a decade, which has a word in many languages.
            None if c == 's' || c == '\'' && next == Some(&'s') => number.clear(),
            None => found.extend((!number.is_empty()).then(|| std::mem::take(&mut number))),
        }
    }
    found.extend((!number.is_empty()).then_some(number));
    found
}

/// Written in digits in any language.
fn is_firm(number: &str) -> bool {
    number
        .parse::<u64>()
        .is_ok_and(|value| value > SPELT && (value % 10 != 0 || value > 1000))
}

/// From a year to the same one of the Buddhist calendar.
const BUDDHIST_ERA: u64 = 543;

/// Equal but for zeros at the ends (`5万` for 50,000), one within the other (`1975-76` for
/// `1975-1976`), or the same year.
fn is_same(number: &str, other: &str) -> bool {
    let is_year = number
        .parse::<u64>()
        .is_ok_and(|year| (year + BUDDHIST_ERA).to_string() == other);
    number.trim_matches('0') == other.trim_matches('0')
        || other.contains(number)
        || (other.len() >= 2 && number.ends_with(other))
        || is_year
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(english: &str, here: &str) -> Vec<String> {
        let there = numbers(here);
        let missing = |n: &String| is_firm(n) && !there.iter().any(|other| is_same(n, other));
        numbers(english).into_iter().filter(missing).collect()
    }

    #[test]
    fn numbers_are_the_same_in_any_digits_and_with_any_separators() {
        let same = [
            ("in 1,975 of 2019", "१९७५ में २०१९"),
            ("50,000 people", "5 万人"),
            ("3.75 km", "3,75 км"),
            ("season 1975-76", "1975-1976"),
            ("5'2 tall, in the 1930s", "in den Dreissigern"),
            ("in 2003", "ในปี 2546"),
            ("20 of 300", "twenty of three hundred"),
        ];
        for (english, here) in same {
            assert_eq!(lost(english, here), Vec::<String>::new(), "{english}");
        }
        assert_eq!(lost("born 1987", "geboren 1978"), ["1987"]);
        assert_eq!(lost("23 of 45", "২৩ টি"), ["45"]);
    }
}
