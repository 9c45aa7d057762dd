//! The words of BLEU: `13a` (mteval-v13a, for languages that put spaces between words), `zh`
//! (every Chinese character is a word, the rest as `13a`) and `char` (every character is one), to
//! the letter as sacrebleu 2.6 has them, its slips included. Never here: n-grams, scores.

use schema::{Language, language_facts::LanguageFacts};

schema::words! {
    /// How BLEU finds words.
    Tokenisation {
        /// mteval-v13a.
        Words "13a",
        /// Chinese characters apart.
        Chinese "zh",
        /// Characters.
        Characters "char",
    }
}

/// Scripts that put no spaces between words.
const WITHOUT_SPACES: &[&str] = &["Kana and Han", "Thai", "Lao", "Khmer", "Burmese"];

impl Tokenisation {
    /// The one for translations into a language. sacrebleu has `ja-mecab` for Japanese, which
    /// needs a dictionary of 50 MB; this is its `char` instead.
    pub fn of(into: Language) -> Self {
        let script = LanguageFacts::of(into.code()).map(|facts| facts.script);
        match script {
            Some("Han") => Self::Chinese,
            Some(script) if WITHOUT_SPACES.contains(&script) => Self::Characters,
            _ => Self::Words,
        }
    }

    /// Reads sacrebleu's name.
    ///
    /// # Errors
    /// None of ours; what needs a dictionary says so.
    pub fn read(name: &str) -> Result<Self, String> {
        match name {
            "ja-mecab" | "ko-mecab" => Err(format!(
                "`{name}` needs the dictionary of MeCab, which this program does not have; take `char`"
            )),
            _ => name
                .parse()
                .map_err(|_| format!("no tokenisation is called `{name}`; one of: 13a, zh, char")),
        }
    }

    /// The words of a text.
    pub fn split(self, text: &str) -> Vec<String> {
        let text = text.trim_end_matches(is_space);
        match self {
            Self::Words => split_13a(text),
            Self::Chinese => split_chinese(text),
            Self::Characters => text
                .chars()
                .filter(|c| !is_space(*c))
                .map(String::from)
                .collect(),
        }
    }
}

/// Python's `str.isspace`: four control characters more than Rust's.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

fn split_13a(text: &str) -> Vec<String> {
    let mut text = text
        .replace("<skipped>", "")
        .replace("-\n", "")
        .replace('\n', " ");
    if text.contains('&') {
        text = text
            .replace("&quot;", "\"")
            .replace("&amp;", "&")
            .replace("&lt;", "<")
            .replace("&gt;", ">");
    }
    split_punctuation(format!(" {text} ").chars())
}

fn split_chinese(text: &str) -> Vec<String> {
    let mut apart = Vec::new();
    for c in text.trim_matches(is_space).chars() {
        match is_chinese(c) {
            true => apart.extend([' ', c, ' ']),
            false => apart.push(c),
        }
    }
    split_punctuation(apart.into_iter())
}

/// sacrebleu's list, as its comparisons of strings read it: two ranges beyond U+FFFF are written
/// with four digits there, so that U+2001 to U+2A6D, typographic quotes among them, are in it and
/// the characters that were meant are not.
fn is_chinese(c: char) -> bool {
    matches!(c,
        '\u{3400}'..='\u{4db5}' | '\u{4e00}'..='\u{9fbb}' | '\u{f900}'..='\u{fa2d}'
        | '\u{fa30}'..='\u{fa6a}' | '\u{fa70}'..='\u{fad9}' | '\u{2001}'..='\u{2a6d}'
        | '\u{ff00}'..='\u{ffef}' | '\u{2e80}'..='\u{2fdf}' | '\u{2ff0}'..='\u{303f}'
        | '\u{31c0}'..='\u{31ef}' | '\u{3100}'..='\u{312f}' | '\u{31a0}'..='\u{31bf}'
        | '\u{fe10}'..='\u{fe1f}' | '\u{fe30}'..='\u{fe4f}' | '\u{3200}'..='\u{33ff}')
}

/// Puts spaces around punctuation, rule after rule, and splits at spaces.
fn split_punctuation(text: impl Iterator<Item = char>) -> Vec<String> {
    let mut apart = Vec::new();
    for c in text {
        match is_sign(c) {
            true => apart.extend([' ', c, ' ']),
            false => apart.push(c),
        }
    }
    let is_point = |c: char| c == '.' || c == ',';
    let is_digit = |c: char| c.is_ascii_digit();
    let apart = rewrite(&apart, |a, b| {
        (!is_digit(a) && is_point(b)).then_some([a, ' ', b, ' '])
    });
    let apart = rewrite(&apart, |a, b| {
        (is_point(a) && !is_digit(b)).then_some([' ', a, ' ', b])
    });
    let apart = rewrite(&apart, |a, b| {
        (is_digit(a) && b == '-').then_some([a, ' ', b, ' '])
    });
    apart
        .split(|c| is_space(*c))
        .filter(|word| !word.is_empty())
        .map(|word| word.iter().collect())
        .collect()
}

/// ASCII signs but `'`, `,`, `-` and `.`.
fn is_sign(c: char) -> bool {
    c == ' ' || (c.is_ascii_punctuation() && !matches!(c, '\'' | ',' | '-' | '.'))
}

/// Replaces pairs of neighbours from the left; those that are replaced do not overlap.
fn rewrite(text: &[char], rule: impl Fn(char, char) -> Option<[char; 4]>) -> Vec<char> {
    let mut rewritten = Vec::with_capacity(text.len() + 16);
    let mut at = 0;
    while at < text.len() {
        let new = text.get(at + 1).and_then(|&next| rule(text[at], next));
        match new {
            Some(four) => {
                rewritten.extend(four);
                at += 2;
            }
            None => {
                rewritten.push(text[at]);
                at += 1;
            }
        }
    }
    rewritten
}
