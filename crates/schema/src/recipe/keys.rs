//! Recipe keys, each written once: [`section!`] makes a section's struct, its keys and what they
//! mean, its reading, its rendering, its defaults and its generator in tests from one list. Never
//! here: which keys there are.

use std::{fmt::Display, path::Path};

#[cfg(test)]
use proptest::{prelude::*, sample::subsequence};

use super::{
    entry::{KeyEntry, KeyWords},
    page::Page,
    problem::unknown_word,
    section::{MOST_NUMBER, Section},
};
use crate::words::Words;

#[cfg(test)]
type Values<T> = BoxedStrategy<T>;

/// How the value of a key is read, written and, in tests, drawn.
pub(super) trait KeyRule<T> {
    /// Takes the key out of the section; `None` if it is not there, or is wrong and reported.
    fn read(&self, section: &mut Section<'_>, key: &str) -> Option<T>;

    /// Writes the key.
    fn render(&self, page: &mut Page, key: &str, value: &T);

    /// Type and range, in words.
    fn values(&self) -> String;

    /// The keys below `prefix` that it stands for; one but for sections. `default`: as rendered.
    fn entries(&self, prefix: &str, words: KeyWords, default: &str) -> Vec<KeyEntry> {
        vec![KeyEntry::new(prefix, words, self.values(), default)]
    }

    /// Values that a recipe may hold.
    #[cfg(test)]
    fn any(&self) -> Values<T>;
}

/// A section of a recipe: `"meaning" ["unit"] field: Type = default => rule` for each key, in their
/// order. What it means and counts is documentation of the field and of the recipe.
macro_rules! section {
    (
        $(#[$meta:meta])*
        $name:ident {
            $(
                $meaning:literal $([$unit:literal])?
                $(#[$field_meta:meta])*
                $field:ident: $type:ty = $default:expr => $rule:expr,
            )+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        pub struct $name {
            $(#[doc = $meaning] $(#[$field_meta])* pub $field: $type,)+
        }

        impl $crate::recipe::keys::KeySection for $name {
            fn defaults() -> Self {
                Self { $($field: $default,)+ }
            }

            fn entries(prefix: &str) -> Vec<$crate::recipe::KeyEntry> {
                let defaults = Self::defaults();
                let mut entries = Vec::new();
                $(
                    let rule = $rule;
                    let words = $crate::recipe::entry::KeyWords {
                        key: stringify!($field),
                        meaning: $meaning,
                        unit: concat!($($unit)?),
                    };
                    let mut page = $crate::recipe::page::Page::default();
                    $crate::recipe::keys::KeyRule::<$type>::render(
                        &rule, &mut page, stringify!($field), &defaults.$field,
                    );
                    entries.extend($crate::recipe::keys::KeyRule::<$type>::entries(
                        &rule, prefix, words, &page.into_text(),
                    ));
                )+
                entries
            }

            fn read(section: &mut $crate::recipe::section::Section<'_>, otherwise: Self) -> Self {
                let mut read = otherwise;
                $(
                    let rule = $rule;
                    if let Some(value) = $crate::recipe::keys::KeyRule::<$type>::read(
                        &rule, section, stringify!($field),
                    ) {
                        read.$field = value;
                    }
                )+
                read
            }

            fn render(&self, page: &mut $crate::recipe::page::Page) {
                $(
                    let rule = $rule;
                    $crate::recipe::keys::KeyRule::<$type>::render(
                        &rule, page, stringify!($field), &self.$field,
                    );
                )+
            }

            #[cfg(test)]
            fn any() -> proptest::strategy::BoxedStrategy<Self> {
                use proptest::strategy::Strategy;
                let drawn = proptest::strategy::Just(Self::defaults()).boxed();
                $(
                    let rule = $rule;
                    let values = $crate::recipe::keys::KeyRule::<$type>::any(&rule);
                    let drawn = (drawn, values)
                        .prop_map(|(mut drawn, value)| {
                            drawn.$field = value;
                            drawn
                        })
                        .boxed();
                )+
                drawn
            }
        }
    };
}

pub(super) use section;

/// What [`section!`] makes.
pub(super) trait KeySection: Sized + Clone + std::fmt::Debug {
    /// The section where no key is given.
    fn defaults() -> Self;
    /// Every key; `prefix` is the section's name with a dot.
    fn entries(prefix: &str) -> Vec<KeyEntry>;
    /// Reads every key; those that are not given or wrong are taken from `otherwise`.
    fn read(section: &mut Section<'_>, otherwise: Self) -> Self;
    /// Writes every key.
    fn render(&self, page: &mut Page);
    /// Sections that a recipe may hold.
    #[cfg(test)]
    fn any() -> Values<Self>;
}

/// A section within a section.
pub(super) struct Subsection;

impl<S: KeySection + 'static> KeyRule<S> for Subsection {
    fn read(&self, section: &mut Section<'_>, key: &str) -> Option<S> {
        section.optional_section(key, |inner| S::read(inner, S::defaults()))
    }

    fn render(&self, page: &mut Page, key: &str, value: &S) {
        page.open_inner(key);
        value.render(page);
    }

    fn values(&self) -> String {
        "a section".to_owned()
    }

    fn entries(&self, prefix: &str, words: KeyWords, _: &str) -> Vec<KeyEntry> {
        S::entries(&format!("{prefix}{}.", words.key))
    }

    #[cfg(test)]
    fn any(&self) -> Values<S> {
        S::any()
    }
}

/// Keys that are a struct of their own in code, and not a section of the file.
pub(super) struct Flattened;

impl<S: KeySection + 'static> KeyRule<S> for Flattened {
    fn read(&self, section: &mut Section<'_>, _: &str) -> Option<S> {
        Some(S::read(section, S::defaults()))
    }

    fn render(&self, page: &mut Page, _: &str, value: &S) {
        value.render(page);
    }

    fn values(&self) -> String {
        "keys of the section around it".to_owned()
    }

    fn entries(&self, prefix: &str, _: KeyWords, _: &str) -> Vec<KeyEntry> {
        S::entries(prefix)
    }

    #[cfg(test)]
    fn any(&self) -> Values<S> {
        S::any()
    }
}

/// What a count of tokens, steps or items may be at most: more than any data or run has, and few
/// enough that no product of two of them overflows.
pub(super) const MOST: usize = 1_000_000_000;

/// A whole number from 1 to a largest one.
pub(super) struct FromOne(pub(super) usize);

impl KeyRule<usize> for FromOne {
    fn read(&self, section: &mut Section<'_>, key: &str) -> Option<usize> {
        section.whole_within(key, 1, self.0)
    }

    fn render(&self, page: &mut Page, key: &str, value: &usize) {
        page.plain(key, value);
    }

    fn values(&self) -> String {
        format!("whole number, 1 to {}", self.0)
    }

    #[cfg(test)]
    fn any(&self) -> Values<usize> {
        prop_oneof![1..100_usize, Just(self.0)].boxed()
    }
}

/// A whole number from 0 to a largest one.
pub(super) struct FromZero(pub(super) usize);

impl KeyRule<usize> for FromZero {
    fn read(&self, section: &mut Section<'_>, key: &str) -> Option<usize> {
        section.whole_within(key, 0, self.0)
    }

    fn render(&self, page: &mut Page, key: &str, value: &usize) {
        page.plain(key, value);
    }

    fn values(&self) -> String {
        format!("whole number, 0 to {}", self.0)
    }

    #[cfg(test)]
    fn any(&self) -> Values<usize> {
        prop_oneof![0..100_usize, Just(self.0)].boxed()
    }
}

/// A finite number in a range.
pub(super) struct Number {
    /// The range as a sentence of a message.
    pub(super) range: &'static str,
    /// Whether a number is in it.
    pub(super) holds: fn(f64) -> bool,
}

impl Number {
    pub(super) const ABOVE_0: Self = Self {
        range: "must be above 0",
        holds: |x| x > 0.0,
    };
    pub(super) const FROM_0: Self = Self {
        range: "must be at least 0",
        holds: |x| x >= 0.0,
    };
    pub(super) const ABOVE_0_TO_1: Self = Self {
        range: "must be above 0 and at most 1",
        holds: |x| x > 0.0 && x <= 1.0,
    };
    pub(super) const FROM_0_TO_1: Self = Self {
        range: "must be at least 0 and at most 1",
        holds: |x| (0.0..=1.0).contains(&x),
    };
    pub(super) const FROM_0_BELOW_1: Self = Self {
        range: "must be at least 0 and below 1",
        holds: |x| (0.0..1.0).contains(&x),
    };
    pub(super) const ABOVE_0_BELOW_1: Self = Self {
        range: "must be above 0 and below 1",
        holds: |x| x > 0.0 && x < 1.0,
    };
}

impl KeyRule<f64> for Number {
    fn read(&self, section: &mut Section<'_>, key: &str) -> Option<f64> {
        section.number(key, self.range, self.holds)
    }

    fn render(&self, page: &mut Page, key: &str, value: &f64) {
        page.number(key, *value);
    }

    fn values(&self) -> String {
        let range = self.range.trim_start_matches("must be ");
        match (self.holds)(MOST_NUMBER) {
            true => format!("number, {range}, at most {MOST_NUMBER}"),
            false => format!("number, {range}"),
        }
    }

    #[cfg(test)]
    fn any(&self) -> Values<f64> {
        let holds = self.holds;
        let scales = (-300.0..30.0_f64).prop_map(|exponent| 10_f64.powf(exponent));
        prop_oneof![0.0..1.0, scales, Just(0.0), Just(1.0)]
            .prop_filter("out of range", move |x| holds(*x) && *x <= MOST_NUMBER)
            .boxed()
    }
}

/// A word of a closed list.
pub(super) struct Word;

impl<T: Words> KeyRule<T> for Word {
    fn read(&self, section: &mut Section<'_>, key: &str) -> Option<T> {
        section.word(key, T::WORDS)
    }

    fn render(&self, page: &mut Page, key: &str, value: &T) {
        page.text(key, value);
    }

    fn values(&self) -> String {
        one_of(T::WORDS)
    }

    #[cfg(test)]
    fn any(&self) -> Values<T> {
        proptest::sample::select(T::ALL).boxed()
    }
}

/// True or false.
pub(super) struct Switch;

impl KeyRule<bool> for Switch {
    fn read(&self, section: &mut Section<'_>, key: &str) -> Option<bool> {
        section.word_or_switch(key, &["true", "false"])
    }

    fn render(&self, page: &mut Page, key: &str, value: &bool) {
        page.plain(key, value);
    }

    fn values(&self) -> String {
        one_of(&["true", "false"])
    }

    #[cfg(test)]
    fn any(&self) -> Values<bool> {
        any::<bool>().boxed()
    }
}

/// As [`Word`], where `true` and `false` are among the words and are TOML's.
pub(super) struct WordOrSwitch;

impl<T: Words> KeyRule<T> for WordOrSwitch {
    fn read(&self, section: &mut Section<'_>, key: &str) -> Option<T> {
        section.word_or_switch(key, T::WORDS)
    }

    fn render(&self, page: &mut Page, key: &str, value: &T) {
        page.word_or_switch(key, value);
    }

    fn values(&self) -> String {
        one_of(T::WORDS)
    }

    #[cfg(test)]
    fn any(&self) -> Values<T> {
        Word.any()
    }
}

/// Some words of a closed list.
pub(super) struct WordList;

impl<T: Words> KeyRule<Vec<T>> for WordList {
    fn read(&self, section: &mut Section<'_>, key: &str) -> Option<Vec<T>> {
        section.words(key, |word| {
            word.parse().map_err(|_| unknown_word(word, T::WORDS))
        })
    }

    fn render(&self, page: &mut Page, key: &str, value: &Vec<T>) {
        page.list(key, value);
    }

    fn values(&self) -> String {
        format!("list of {}", quote(T::WORDS))
    }

    #[cfg(test)]
    fn any(&self) -> Values<Vec<T>> {
        subsequence(T::ALL, 1..=T::ALL.len()).boxed()
    }
}

/// How a path of the recipe is resolved.
pub(super) type Resolve<'a> = &'a dyn Fn(&Path) -> std::path::PathBuf;

/// Text with rules of its own.
pub(super) struct Text<T> {
    /// What it is, in words.
    pub(super) kind: &'static str,
    /// Reads it, or says what is wrong.
    pub(super) read: fn(&str, Resolve<'_>) -> Result<T, String>,
    /// A regular expression of the texts that tests draw; those that are wrong are left out.
    #[cfg_attr(not(test), expect(dead_code, reason = "read by the generator alone"))]
    pub(super) pattern: &'static str,
}

impl<T: Display + Clone + std::fmt::Debug + 'static> KeyRule<T> for Text<T> {
    fn read(&self, section: &mut Section<'_>, key: &str) -> Option<T> {
        section.parse(key, self.read)
    }

    fn render(&self, page: &mut Page, key: &str, value: &T) {
        page.text(key, value);
    }

    fn values(&self) -> String {
        self.kind.to_owned()
    }

    #[cfg(test)]
    fn any(&self) -> Values<T> {
        let read = self.read;
        self.pattern
            .prop_filter_map("a wrong text", move |text| {
                read(&text, &Path::to_path_buf).ok()
            })
            .boxed()
    }
}

/// A list of texts with rules of their own.
pub(super) struct TextList<T> {
    /// What it is, in words.
    pub(super) kind: &'static str,
    /// Reads one, or says what is wrong.
    pub(super) read: fn(&str, Resolve<'_>) -> Result<T, String>,
    /// Texts that tests draw.
    #[cfg_attr(not(test), expect(dead_code, reason = "read by the generator alone"))]
    pub(super) samples: &'static [&'static str],
}

impl<T: Display + PartialEq + Clone + std::fmt::Debug + 'static> KeyRule<Vec<T>> for TextList<T> {
    fn read(&self, section: &mut Section<'_>, key: &str) -> Option<Vec<T>> {
        section.words_at(key, self.read)
    }

    fn render(&self, page: &mut Page, key: &str, value: &Vec<T>) {
        page.list(key, value);
    }

    fn values(&self) -> String {
        self.kind.to_owned()
    }

    #[cfg(test)]
    fn any(&self) -> Values<Vec<T>> {
        let read = self.read;
        subsequence(self.samples, 1..=self.samples.len())
            .prop_map(move |texts| {
                let read_one = |text: &str| read(text, &Path::to_path_buf).expect("a sample");
                texts.into_iter().map(read_one).collect()
            })
            .boxed()
    }
}

/// `` one of `a`, `b` ``
pub(super) fn one_of(words: &[&str]) -> String {
    format!("one of {}", quote(words))
}

/// `` `a`, `b` ``
pub(super) fn quote(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    quoted.join(", ")
}
