//! A walker over one section of a recipe: each method takes a key out, and records what is
//! wrong with its value. What is left at the end is unknown. Never here: the recipe's own keys
//! and ranges (`check`).

use std::{
    mem,
    path::{Path, PathBuf},
    str::FromStr,
};

use super::{
    file::{TomlValue, WrittenTable, WrittenValue},
    foreign,
    problem::{Problem, ValueOrigin, shorten, suggest, unknown_word},
};

/// What a number that is not whole may be at most.
pub(super) const MOST_NUMBER: f64 = 1e6;

/// One table of the file, while it is read.
pub(super) struct Section<'a> {
    /// Dotted name with a dot at its end; empty for the whole file.
    prefix: String,
    table: WrittenTable,
    /// Folder of the recipe file.
    folder: &'a Path,
    /// Every dotted key of a recipe, for suggestions.
    keys: &'a [String],
    problems: &'a mut Vec<Problem>,
}

impl<'a> Section<'a> {
    /// Reads the whole file.
    pub(super) fn read_root<T>(
        table: WrittenTable,
        folder: &'a Path,
        keys: &'a [String],
        problems: &'a mut Vec<Problem>,
        read: impl FnOnce(&mut Section<'_>) -> T,
    ) -> T {
        Section {
            prefix: String::new(),
            table,
            folder,
            keys,
            problems,
        }
        .read_all(read)
    }

    fn read_all<T>(mut self, read: impl FnOnce(&mut Section<'_>) -> T) -> T {
        let result = read(&mut self);
        self.refuse_rest();
        result
    }

    /// Reads a section; one that is absent is read as empty, so that what it must hold is
    /// reported as missing.
    pub(super) fn section<T>(
        &mut self,
        key: &str,
        read: impl FnOnce(&mut Section<'_>) -> T,
    ) -> Option<T> {
        self.table
            .entry(key.to_owned())
            .or_insert_with(|| WrittenValue {
                value: TomlValue::Table(WrittenTable::new()),
                origin: ValueOrigin::Absent,
                typed: None,
            });
        self.optional_section(key, read)
    }

    /// Reads a section if it is there.
    pub(super) fn optional_section<T>(
        &mut self,
        key: &str,
        read: impl FnOnce(&mut Section<'_>) -> T,
    ) -> Option<T> {
        let entry = self.table.remove(key)?;
        let TomlValue::Table(table) = entry.value else {
            return self.refuse_kind(key, &format!("a section `[{}{key}]`", self.prefix), &entry);
        };
        let prefix = format!("{}{key}.", self.prefix);
        let inner = Section {
            prefix,
            table,
            folder: self.folder,
            keys: self.keys,
            problems: &mut *self.problems,
        };
        Some(inner.read_all(read))
    }

    /// Reads every section `[key.NAME]`; `read` gets its name and where it was written.
    pub(super) fn sections<T>(
        &mut self,
        key: &str,
        read: impl Fn(&mut Section<'_>, &str, ValueOrigin) -> T,
    ) -> Vec<T> {
        let Some(entry) = self.table.remove(key) else {
            return Vec::new();
        };
        let TomlValue::Table(table) = entry.value else {
            self.refuse_kind::<()>(
                key,
                &format!("sections such as `[{}{key}.NAME]`", self.prefix),
                &entry,
            );
            return Vec::new();
        };
        let prefix = format!("{}{key}.", self.prefix);
        let mut outer = Section {
            prefix,
            table,
            folder: self.folder,
            keys: self.keys,
            problems: &mut *self.problems,
        };
        let names: Vec<(String, ValueOrigin)> = outer
            .table
            .iter()
            .map(|(name, entry)| (name.clone(), entry.origin))
            .collect();
        let one = |(name, origin): &(String, ValueOrigin)| {
            outer.optional_section(name, |inner| read(inner, name, *origin))
        };
        names.iter().filter_map(one).collect()
    }

    /// Records a problem of the section itself.
    pub(super) fn refuse_whole<T>(&mut self, message: &str, origin: ValueOrigin) -> Option<T> {
        self.problems.push(Problem::new(
            self.prefix.trim_end_matches('.'),
            message,
            origin,
        ));
        None
    }

    /// Where the key was written.
    pub(super) fn origin(&self, key: &str) -> ValueOrigin {
        self.table
            .get(key)
            .map_or(ValueOrigin::Absent, |entry| entry.origin)
    }

    /// Where the key of an inner section was written.
    pub(super) fn origin_in(&self, section: &str, key: &str) -> ValueOrigin {
        match self.table.get(section).map(|entry| &entry.value) {
            Some(TomlValue::Table(inner)) => inner
                .get(key)
                .map_or(ValueOrigin::Absent, |entry| entry.origin),
            _ => ValueOrigin::Absent,
        }
    }

    /// Whether the key was written.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Records that a key must be given; `what` says what it is.
    pub(super) fn require(&mut self, key: &str, what: &str) {
        if !self.has(key) {
            self.report(key, &format!("missing; give {what}"), ValueOrigin::Absent);
        }
    }

    /// Text that is not blank and for which `rule` finds no fault.
    pub(super) fn text(
        &mut self,
        key: &str,
        rule: impl Fn(&str) -> Result<(), String>,
    ) -> Option<String> {
        self.parse(key, |text, _| rule(text).map(|()| text.to_owned()))
    }

    /// One of a closed list of words.
    pub(super) fn word<T: FromStr>(&mut self, key: &str, words: &[&str]) -> Option<T> {
        self.parse(key, |text, _| {
            text.parse().map_err(|_| unknown_word(text, words))
        })
    }

    /// As [`Section::word`], where `true` and `false` are among the words, without
    /// quotes.
    pub(super) fn word_or_switch<T: FromStr>(&mut self, key: &str, words: &[&str]) -> Option<T> {
        let entry = self.table.get_mut(key)?;
        match &entry.value {
            TomlValue::Text(_) => {}
            TomlValue::Switch(switch) => entry.value = TomlValue::Text(switch.to_string()),
            _ => {
                let entry = self.table.remove(key)?;
                return self.refuse_kind(key, &format!("one of {}", words.join(", ")), &entry);
            }
        }
        self.word(key, words)
    }

    /// Text read by `read`, which can also resolve a path that was written here.
    pub(super) fn parse<T>(
        &mut self,
        key: &str,
        read: impl Fn(&str, &dyn Fn(&Path) -> PathBuf) -> Result<T, String>,
    ) -> Option<T> {
        let entry = self.table.remove(key)?;
        let text = match (&entry.value, &entry.typed) {
            (TomlValue::Text(text), _) => text,
            (
                TomlValue::Whole(_)
                | TomlValue::Number(_)
                | TomlValue::Switch(_)
                | TomlValue::Other(_),
                Some(typed),
            ) => typed,
            _ => return self.refuse_kind(key, "text", &entry),
        };
        if text.trim().is_empty() {
            return self.refuse(key, "must not be empty", entry.origin);
        }
        let folder = self.folder;
        read(text, &|path| resolve(folder, entry.origin, path))
            .map_or_else(|message| self.refuse(key, &message, entry.origin), Some)
    }

    /// As [`Section::parse`], for one text or a list of them.
    pub(super) fn parse_all<T: PartialEq>(
        &mut self,
        key: &str,
        read: impl Fn(&str, &dyn Fn(&Path) -> PathBuf) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        if !matches!(self.table.get(key)?.value, TomlValue::List(_)) {
            return self.parse(key, read).map(|one| vec![one]);
        }
        self.words_at(key, read)
    }

    /// A whole number between two, both included.
    pub(super) fn whole_within(
        &mut self,
        key: &str,
        at_least: usize,
        at_most: usize,
    ) -> Option<usize> {
        let entry = self.table.remove(key)?;
        match read_whole(&entry, at_least as i128) {
            Ok(whole) if whole > at_most => {
                self.refuse(key, &format!("must be at most {at_most}"), entry.origin)
            }
            Ok(whole) => Some(whole),
            Err(message) => self.refuse(key, &message, entry.origin),
        }
    }

    /// A finite number for which `holds`; `rule` is the sentence.
    pub(super) fn number(
        &mut self,
        key: &str,
        rule: &str,
        holds: impl Fn(f64) -> bool,
    ) -> Option<f64> {
        let entry = self.table.remove(key)?;
        let number = match entry.value {
            TomlValue::Number(number) => number,
            TomlValue::Whole(whole) => whole as f64,
            _ => return self.refuse_kind(key, "a number", &entry),
        };
        if !number.is_finite() {
            return self.refuse(key, "must be a finite number", entry.origin);
        }
        if !holds(number) {
            self.refuse(key, rule, entry.origin)
        } else if number > MOST_NUMBER {
            self.refuse(key, &format!("must be at most {MOST_NUMBER}"), entry.origin)
        } else {
            Some(number)
        }
    }

    /// A list of whole numbers from 0, or one.
    pub(super) fn wholes(&mut self, key: &str) -> Option<Vec<u64>> {
        let entry = self.table.remove(key)?;
        let origin = entry.origin;
        let items = match entry.value {
            TomlValue::List(items) => items,
            value => vec![WrittenValue {
                value,
                origin,
                typed: None,
            }],
        };
        self.list(key, items, origin, |item| read_whole(item, 0))
    }

    /// A list of words, each read by `read`. A single text may hold several, with commas, as on
    /// the command line.
    pub(super) fn words<T: PartialEq>(
        &mut self,
        key: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        self.words_at(key, |word, _| read(word))
    }

    /// As [`Section::words`], for what may be a path: `read` is also told how to resolve one
    /// that was written here.
    pub(super) fn words_at<T: PartialEq>(
        &mut self,
        key: &str,
        read: impl Fn(&str, &dyn Fn(&Path) -> PathBuf) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let entry = self.table.remove(key)?;
        let origin = entry.origin;
        let word = |word: &str| WrittenValue {
            value: TomlValue::Text(word.trim().to_owned()),
            origin,
            typed: None,
        };
        let items = match entry.value {
            TomlValue::List(items) => items,
            TomlValue::Text(text) if text.trim().is_empty() => Vec::new(),
            TomlValue::Text(text) => text.split(',').map(word).collect(),
            _ => return self.refuse_kind(key, "a list of texts", &entry),
        };
        let folder = self.folder;
        self.list(key, items, origin, |item| match &item.value {
            TomlValue::Text(text) => read(text, &|path| resolve(folder, origin, path)),
            other => Err(format!(
                "must be a list of texts, found {} in it",
                describe(other)
            )),
        })
    }

    /// Reads every item; a list is neither empty nor holds anything twice.
    fn list<T: PartialEq>(
        &mut self,
        key: &str,
        items: Vec<WrittenValue>,
        origin: ValueOrigin,
        read: impl Fn(&WrittenValue) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        if items.is_empty() {
            return self.refuse(key, "must not be empty", origin);
        }
        let mut list = Vec::with_capacity(items.len());
        for item in items {
            match read(&item) {
                Ok(value) if list.contains(&value) => {
                    self.report(
                        key,
                        &format!("{} is there twice", describe(&item.value)),
                        item.origin,
                    );
                }
                Ok(value) => list.push(value),
                Err(message) => self.report(key, &message, item.origin),
            }
        }
        Some(list)
    }

    /// Records a problem.
    pub(super) fn report(&mut self, key: &str, message: &str, origin: ValueOrigin) {
        self.problems.push(Problem::new(
            &format!("{}{key}", self.prefix),
            message,
            origin,
        ));
    }

    /// Records a problem where a reader ends with it.
    pub(super) fn refuse<T>(&mut self, key: &str, message: &str, origin: ValueOrigin) -> Option<T> {
        self.report(key, message, origin);
        None
    }

    fn refuse_kind<T>(&mut self, key: &str, expected: &str, entry: &WrittenValue) -> Option<T> {
        self.refuse(
            key,
            &format!("must be {expected}, found {}", describe(&entry.value)),
            entry.origin,
        )
    }

    /// Every key that nobody took is unknown.
    fn refuse_rest(&mut self) {
        for (key, entry) in mem::take(&mut self.table) {
            let end = match (foreign::hint(&key), self.guess(&key)) {
                (Some(hint), _) => format!("here: {hint}"),
                (None, Some(known)) => format!("did you mean `{known}`?"),
                (None, None) => format!("known here: {}", self.known_here().join(", ")),
            };
            self.report(&key, &format!("no such key; {end}"), entry.origin);
        }
    }

    /// The keys and sections of this section.
    fn known_here(&self) -> Vec<&'a str> {
        let keys: &'a [String] = self.keys;
        let mut here: Vec<&str> = keys
            .iter()
            .filter_map(|known| known.strip_prefix(&self.prefix)?.split('.').next())
            .collect();
        here.dedup();
        here
    }

    /// The key that was probably meant: one of this section that is spelt nearly so, or one of
    /// another section with this name.
    fn guess(&self, key: &str) -> Option<&'a str> {
        let keys: &'a [String] = self.keys;
        suggest(key, self.known_here()).or_else(|| {
            keys.iter()
                .find(|known| known.rsplit('.').next() == Some(key))
                .map(String::as_str)
        })
    }
}

/// A `--set` is typed in the current folder, a recipe is written in its own.
fn resolve(folder: &Path, origin: ValueOrigin, path: &Path) -> PathBuf {
    let folder = if origin == ValueOrigin::Set {
        Path::new("")
    } else {
        folder
    };
    folder.join(path).components().collect()
}

fn read_whole<T: TryFrom<i128>>(entry: &WrittenValue, at_least: i128) -> Result<T, String> {
    match entry.value {
        TomlValue::Whole(whole) if whole < at_least => Err(format!("must be at least {at_least}")),
        TomlValue::Whole(whole) => T::try_from(whole).map_err(|_| format!("{whole} is too large")),
        _ => Err(format!(
            "must be a whole number, found {}",
            describe(&entry.value)
        )),
    }
}

fn describe(value: &TomlValue) -> String {
    match value {
        TomlValue::Text(text) => format!("`{}`", shorten(text)),
        TomlValue::Whole(whole) => format!("{whole}"),
        TomlValue::Number(number) => format!("{number:?}"),
        TomlValue::Switch(switch) => format!("`{switch}`"),
        TomlValue::List(_) => "a list".to_owned(),
        TomlValue::Table(_) => "a section".to_owned(),
        TomlValue::Other(what) => (*what).to_owned(),
    }
}
