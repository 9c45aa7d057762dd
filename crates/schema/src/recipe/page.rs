//! The page that a recipe is rendered on: TOML, a line per key. Never here: which keys there are.

use std::fmt::Display;

use toml::Value;

/// TOML text and the section it is in.
#[derive(Default)]
pub(super) struct Page {
    text: String,
    section: String,
}

impl Page {
    pub(super) fn into_text(self) -> String {
        self.text
    }

    pub(super) fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// Opens a section.
    pub(super) fn open(&mut self, section: &str) {
        self.section = section.to_owned();
        self.line(&format!("\n[{section}]"));
    }

    /// Opens a section within the one that was opened last.
    pub(super) fn open_inner(&mut self, key: &str) {
        self.line(&format!("\n[{}.{key}]", self.section));
    }

    /// A value that is TOML as it is shown.
    pub(super) fn plain(&mut self, key: &str, value: impl Display) {
        self.line(&format!("{key} = {value}"));
    }

    pub(super) fn text(&mut self, key: &str, value: impl Display) {
        self.plain(key, quote(value));
    }

    /// A TOML boolean where the word is one.
    pub(super) fn word_or_switch(&mut self, key: &str, word: impl Display) {
        match word.to_string().as_str() {
            switch @ ("true" | "false") => self.plain(key, switch),
            word => self.text(key, word),
        }
    }

    /// `5e-5`, as people write it; a checked number is finite, so this is TOML.
    pub(super) fn number(&mut self, key: &str, number: f64) {
        self.line(&format!("{key} = {number:?}"));
    }

    pub(super) fn list<T: Display>(&mut self, key: &str, items: &[T]) {
        let items: Vec<String> = items.iter().map(quote).collect();
        self.line(&format!("{key} = [{}]", items.join(", ")));
    }

    /// A key without a value is a comment that states what then holds.
    pub(super) fn not_given(&mut self, key: &str, otherwise: &str) {
        self.line(&format!("# {key}: not given, {otherwise}"));
    }
}

fn quote(value: impl Display) -> String {
    Value::String(value.to_string()).to_string()
}
