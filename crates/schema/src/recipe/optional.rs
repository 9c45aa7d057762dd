//! Recipe keys that need not be given, and those whose default other keys decide. Never here: how a
//! value that is given is read (`keys`).

#[cfg(test)]
use proptest::prelude::*;

use super::{
    entry::{KeyEntry, KeyWords},
    keys::KeyRule,
    page::Page,
    section::Section,
};

/// A key that need not be given; `.1` says what then holds.
pub(super) struct Optional<R>(pub(super) R, pub(super) &'static str);

impl<T: Clone + std::fmt::Debug + 'static, R: KeyRule<T>> KeyRule<Option<T>> for Optional<R> {
    fn read(&self, section: &mut Section<'_>, key: &str) -> Option<Option<T>> {
        self.0.read(section, key).map(Some)
    }

    fn render(&self, page: &mut Page, key: &str, value: &Option<T>) {
        match value {
            Some(value) => self.0.render(page, key, value),
            None => page.not_given(key, self.1),
        }
    }

    fn values(&self) -> String {
        self.0.values()
    }

    fn entries(&self, prefix: &str, words: KeyWords, default: &str) -> Vec<KeyEntry> {
        self.0.entries(prefix, words, default)
    }

    #[cfg(test)]
    fn any(&self) -> BoxedStrategy<Option<T>> {
        proptest::option::of(self.0.any()).boxed()
    }
}

/// A list that need not be given, and is empty then; `.1` says what then holds.
pub(super) struct OptionalList<R>(pub(super) R, pub(super) &'static str);

impl<T: Clone + std::fmt::Debug + 'static, R: KeyRule<Vec<T>>> KeyRule<Vec<T>> for OptionalList<R> {
    fn read(&self, section: &mut Section<'_>, key: &str) -> Option<Vec<T>> {
        self.0.read(section, key)
    }

    fn render(&self, page: &mut Page, key: &str, value: &Vec<T>) {
        match value.as_slice() {
            [] => page.not_given(key, self.1),
            _ => self.0.render(page, key, value),
        }
    }

    fn values(&self) -> String {
        self.0.values()
    }

    #[cfg(test)]
    fn any(&self) -> BoxedStrategy<Vec<T>> {
        prop_oneof![Just(Vec::new()), self.0.any()].boxed()
    }
}

/// A key without a default of its own; `.1` says what holds where it is not given.
pub(super) struct Decided<R>(pub(super) R, pub(super) &'static str);

impl<T, R: KeyRule<T>> KeyRule<T> for Decided<R> {
    fn read(&self, section: &mut Section<'_>, key: &str) -> Option<T> {
        self.0.read(section, key)
    }

    fn render(&self, page: &mut Page, key: &str, value: &T) {
        self.0.render(page, key, value);
    }

    fn values(&self) -> String {
        self.0.values()
    }

    fn entries(&self, prefix: &str, words: KeyWords, _: &str) -> Vec<KeyEntry> {
        let entry = KeyEntry::new(prefix, words, self.0.values(), "");
        vec![KeyEntry {
            default: self.1.to_owned(),
            ..entry
        }]
    }

    #[cfg(test)]
    fn any(&self) -> BoxedStrategy<T> {
        self.0.any()
    }
}
