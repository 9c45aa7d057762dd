//! Answers as columns of two letters each, so that a million of them are a few megabytes and are
//! read at once: what is filtered and sorted over all languages. Never here: texts.

use std::collections::BTreeMap;

use compare::{AskedWay, ItemAnswer, ModelAnswers};
use schema::Language;

/// Digits of numbers to the base of 64.
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// Labels of which each answer is a number of two digits.
pub(super) const MOST_LABELS: usize = 2047;
/// A lead of 0; leads from -1 to 1 are 0 to twice this.
const NO_LEAD: f64 = 2047.0;

/// Rising item numbers as stretches: first and length.
pub(super) type ItemList = Vec<(usize, usize)>;

/// The items that any model was asked, by language.
pub(super) fn join_items(way: &AskedWay<'_>) -> BTreeMap<Language, ItemList> {
    let mut items: BTreeMap<Language, Vec<usize>> = BTreeMap::new();
    for model in &way.models {
        for language in model.languages() {
            let of_model = model.answers(language).map(|answer| answer.item);
            items.entry(language).or_default().extend(of_model);
        }
    }
    let lists = items.into_iter().map(|(language, mut items)| {
        items.sort_unstable();
        items.dedup();
        (language, stretches(&items))
    });
    lists.collect()
}

fn stretches(items: &[usize]) -> ItemList {
    let mut list: ItemList = Vec::new();
    for &item in items {
        match list.last_mut() {
            Some((first, length)) if *first + *length == item => *length += 1,
            _ => list.push((item, 1)),
        }
    }
    list
}

/// The answers of a model to the items of a list, `None` where it was not asked.
fn in_order<'a>(
    model: &'a ModelAnswers<'a>,
    language: Language,
    list: &ItemList,
) -> Vec<Option<ItemAnswer<'a>>> {
    let mut answers = model.answers(language).peekable();
    let items = list
        .iter()
        .flat_map(|(first, length)| *first..first + length);
    items
        .map(|item| answers.next_if(|answer| answer.item == item))
        .collect()
}

/// The place of each item's right label, by language.
pub(super) fn list_golds(
    way: &AskedWay<'_>,
    items: &BTreeMap<Language, ItemList>,
) -> BTreeMap<Language, String> {
    let of_language = |(language, list): (&Language, &ItemList)| {
        let mut golds: Vec<u32> = Vec::new();
        for model in way.models.iter().rev() {
            let answers = in_order(model, *language, list);
            golds.resize(answers.len(), 0);
            for (gold, answer) in golds.iter_mut().zip(answers) {
                *gold = answer.map_or(*gold, |answer| answer.gold);
            }
        }
        (*language, golds.into_iter().map(digits).collect())
    };
    items.iter().map(of_language).collect()
}

/// What a model answered to each item, and with which lead, by language. An answer is 0 where
/// there is none, else one more than twice the label's place, and one more than that if right.
pub(super) fn list_answers(
    model: &ModelAnswers<'_>,
    items: &BTreeMap<Language, ItemList>,
) -> BTreeMap<Language, (String, String)> {
    let of_language = |(language, list): (&Language, &ItemList)| {
        let answers = in_order(model, *language, list);
        let code = |answer: &ItemAnswer<'_>| 1 + 2 * answer.chosen + u32::from(answer.correct);
        let chosen = answers.iter().map(|answer| answer.as_ref().map_or(0, code));
        let leads = answers.iter().map(|answer| {
            let lead = answer.as_ref().map_or(0.0, lead);
            (NO_LEAD * (1.0 + lead)).round() as u32
        });
        (
            *language,
            (chosen.map(digits).collect(), leads.map(digits).collect()),
        )
    };
    items.iter().map(of_language).collect()
}

/// By how much the right label is ahead of the best other one, as a share of all scores: above 0
/// if it has the highest; -1 to 1.
fn lead(answer: &ItemAnswer<'_>) -> f64 {
    let gold = answer.gold as usize;
    let others = answer
        .scores
        .iter()
        .enumerate()
        .filter(|(at, _)| *at != gold);
    let best = others.map(|(_, score)| *score).fold(0.0, f64::max);
    let sum: f64 = answer.scores.iter().sum();
    let own = answer.scores.get(gold).copied().unwrap_or(0.0);
    if sum > 0.0 { (own - best) / sum } else { 0.0 }
}

/// All scores of one language, by model: a number for each item and label, in this order; null
/// where the model was not asked.
pub(super) fn list_scores<'a>(
    way: &'a AskedWay<'a>,
    language: Language,
    list: &ItemList,
) -> BTreeMap<&'a str, Vec<Option<f64>>> {
    let labels = way.label_names.len();
    let of_model = |model: &'a ModelAnswers<'a>| {
        let mut scores = Vec::new();
        for answer in in_order(model, language, list) {
            match answer {
                Some(answer) => scores.extend(answer.scores.iter().map(|score| shorten(*score))),
                None => scores.extend(std::iter::repeat_n(None, labels)),
            }
        }
        (model.name, scores)
    };
    way.models.iter().map(of_model).collect()
}

/// Four digits of a number.
fn shorten(number: f64) -> Option<f64> {
    format!("{number:.3e}").parse().ok() // what is written so reads back
}

/// Two digits of a number below 4096, which that of any of [`MOST_LABELS`] is.
fn digits(number: u32) -> String {
    let digit = |place: u32| char::from(DIGITS[(place % 64) as usize]);
    [digit(number / 64), digit(number)].iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_two_digits_and_items_are_stretches() {
        assert_eq!(
            digits(0) + &digits(63) + &digits(64) + &digits(4095),
            "AAA_BA__"
        );
        assert_eq!(stretches(&[2, 3, 4, 7, 9, 10]), [(2, 3), (7, 1), (9, 2)]);
        assert_eq!(shorten(0.123_456), Some(0.1235));
        assert_eq!(shorten(0.0), Some(0.0));
    }

    #[test]
    fn the_lead_is_of_the_right_label() {
        let scores = [0.1, 0.3, 0.4];
        let answer = |gold| ItemAnswer {
            item: 0,
            gold,
            chosen: 2,
            correct: gold == 2,
            scores: &scores,
            prompt_hash: None,
        };
        let leads = [0, 1, 2].map(|gold| (1000.0 * lead(&answer(gold))).round() / 1000.0);
        assert_eq!(leads, [-0.375, -0.125, 0.125]);
    }
}
