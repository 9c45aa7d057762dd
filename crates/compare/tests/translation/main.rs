//! chrF++, BLEU and its words against sacrebleu (`reference.py` beside this file).

use std::collections::BTreeMap;

use compare::translation::{BleuCounts, CHRF_SIGNATURE, ChrfCounts, Tokenisation, bleu_signature};
use schema::Language;
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    bleu: String,
    chrf: String,
    lines: Vec<Line>,
    corpora: Vec<Corpus>,
}

#[derive(Deserialize)]
struct Line {
    answer: String,
    reference: String,
    words: BTreeMap<String, Vec<String>>,
    scores: BTreeMap<String, f64>,
}

#[derive(Deserialize)]
struct Corpus {
    lines: Vec<usize>,
    scores: BTreeMap<String, f64>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("golden.json")).expect("golden values")
}

fn assert_near(found: f64, expected: f64, what: &str) {
    let near = (found - expected).abs() <= 1e-10 * expected.abs().max(1.0);
    assert!(near, "{what}: {found}, sacrebleu {expected}");
}

#[test]
fn words_are_those_of_sacrebleu() {
    for line in golden().lines {
        for (name, words) in &line.words {
            let found = Tokenisation::read(name).expect("known").split(&line.answer);
            assert_eq!(&found, words, "{name} of {:?}", line.answer);
        }
    }
}

#[test]
fn lines_and_corpora_score_as_with_sacrebleu() {
    let Golden { lines, corpora, .. } = golden();
    assert!(lines.len() > 40 && corpora.len() > 10);
    for &tokenisation in Tokenisation::ALL {
        let name = tokenisation.to_string();
        let of = |line: &Line| BleuCounts::of(&line.answer, &line.reference, tokenisation);
        for line in &lines {
            let what = format!("{name} of {:?}", line.answer);
            assert_near(of(line).sentence_score(), line.scores[&name], &what);
        }
        for (at, corpus) in corpora.iter().enumerate() {
            let mut sum = BleuCounts::default();
            corpus
                .lines
                .iter()
                .for_each(|&at| sum.add(&of(&lines[at]), 1));
            assert_near(
                sum.score(),
                corpus.scores[&name],
                &format!("{name} of corpus {at}"),
            );
        }
    }
    let of = |line: &Line| ChrfCounts::of(&line.answer, &line.reference);
    for line in &lines {
        let what = format!("chrF++ of {:?}", line.answer);
        assert_near(of(line).score(), line.scores["chrf"], &what);
    }
    for (at, corpus) in corpora.iter().enumerate() {
        let mut sum = ChrfCounts::default();
        corpus
            .lines
            .iter()
            .for_each(|&at| sum.add(&of(&lines[at]), 1));
        assert_near(
            sum.score(),
            corpus.scores["chrf"],
            &format!("chrF++ of corpus {at}"),
        );
    }
}

#[test]
fn a_line_that_counts_twice_is_as_two_lines() {
    let Golden { lines, .. } = golden();
    let (mut once, mut twice) = (BleuCounts::default(), BleuCounts::default());
    let (mut chrf_once, mut chrf_twice) = (ChrfCounts::default(), ChrfCounts::default());
    for line in &lines {
        let bleu = BleuCounts::of(&line.answer, &line.reference, Tokenisation::Words);
        let chrf = ChrfCounts::of(&line.answer, &line.reference);
        once.add(&bleu, 1);
        once.add(&bleu, 1);
        twice.add(&bleu, 2);
        chrf_once.add(&chrf, 2);
        chrf_twice.add(&chrf, 1);
        chrf_twice.add(&chrf, 1);
    }
    assert_eq!((once, chrf_once), (twice, chrf_twice));
}

#[test]
fn signatures_are_those_of_sacrebleu() {
    let Golden { bleu, chrf, .. } = golden();
    let bare = |signature: &str| signature.replace("|version:2.6.0", "");
    let (_, ours) = CHRF_SIGNATURE.split_once('|').expect("a name");
    assert_eq!(ours, bare(&chrf));
    let words = bleu_signature(Tokenisation::Words);
    assert_eq!(words, format!("BLEU|{}", bare(&bleu)));
}

#[test]
fn what_needs_a_dictionary_is_refused() {
    let refused = Tokenisation::read("ja-mecab").expect_err("refused");
    assert_eq!(
        refused,
        "`ja-mecab` needs the dictionary of MeCab, which this program does not have; take `char`"
    );
    assert_eq!(Tokenisation::of(Language::Ja), Tokenisation::Characters);
    assert_eq!(Tokenisation::of(Language::Zh), Tokenisation::Chinese);
    assert_eq!(Tokenisation::of(Language::Th), Tokenisation::Characters);
    assert_eq!(Tokenisation::of(Language::En), Tokenisation::Words);
}
