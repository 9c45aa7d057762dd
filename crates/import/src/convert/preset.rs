//! Published data sets whose files, columns and label codes are known: `assets/presets.toml`. A
//! preset is data; nothing here knows one from another.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use data::{
    DataError,
    table::{TableFormat, TableLayout, ends_like},
};
use schema::Language;
use serde::Deserialize;

use super::{InputFile, LanguageColumn};
use crate::refuse;

/// A published data set.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// `xnli`, ...
    pub name: String,
    /// What it is, for people.
    pub title: String,
    /// The task whose questions it has; none: plain text.
    pub task: Option<String>,
    /// Its data set on the hub; the first of `forms` is its form there.
    pub hub: String,
    /// The languages that it has, with its own code for each.
    pub languages: BTreeMap<Language, String>,
    /// The forms in which it was published.
    pub forms: Vec<PublishedForm>,
}

/// One form in which a data set was published.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishedForm {
    /// Path of its files: `{language}` and `{split}` are replaced by codes, `*` matches anything but a
    /// slash.
    pub files: String,
    /// `csv`, `tsv`, `json`, `jsonl`, `parquet`.
    pub format: TableFormat,
    /// Its own name for `train`, `validation` and `test`.
    pub splits: BTreeMap<String, String>,
    /// Names of the columns of a file without a header.
    pub columns: Option<Vec<String>>,
    /// Column of each field, of `answer`, or of `id` and `text`.
    pub map: BTreeMap<String, String>,
    /// The values of the answer's column, with the labels that they mean.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Labels of rows without a gold label.
    #[serde(default)]
    pub drop_labels: Vec<String>,
    /// Texts that mean a missing one.
    #[serde(default)]
    pub drop_texts: Vec<String>,
    /// The column that says the language.
    pub language_column: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ShippedPresets {
    presets: Vec<Preset>,
}

static PRESETS: LazyLock<Result<Vec<Preset>, String>> = LazyLock::new(|| {
    let shipped: Result<ShippedPresets, _> =
        toml::from_str(include_str!("../../../../assets/presets.toml"));
    shipped
        .map(|shipped| shipped.presets)
        .map_err(|e| e.to_string())
});

/// All presets.
///
/// # Errors
/// The shipped file is broken.
pub fn all() -> Result<&'static [Preset], DataError> {
    match &*PRESETS {
        Ok(presets) => Ok(presets),
        Err(problem) => Err(DataError::shipped("assets/presets.toml", problem.clone())),
    }
}

/// The preset of this name.
///
/// # Errors
/// An unknown name, with the known ones.
pub fn preset(name: &str) -> Result<&'static Preset, DataError> {
    let all = all()?;
    all.iter()
        .find(|preset| preset.name == name)
        .ok_or_else(|| {
            DataError::unknown(
                "preset",
                name,
                all.iter()
                    .map(|preset| preset.name.as_str())
                    .collect::<Vec<_>>()
                    .join(", "),
            )
        })
}

/// Files of a preset that were found.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundFiles<'a> {
    /// The form that they have.
    pub form: &'a PublishedForm,
    /// The files, by language and name.
    pub inputs: Vec<InputFile>,
    /// The column that says the language, where a file has several.
    pub language_column: Option<LanguageColumn>,
}

impl Preset {
    /// The languages asked for (none: all), with their codes.
    ///
    /// # Errors
    /// The data set lacks one.
    pub fn codes(&self, languages: &[Language]) -> Result<BTreeMap<Language, &str>, DataError> {
        if let Some(missing) = languages
            .iter()
            .find(|language| !self.languages.contains_key(language))
        {
            return Err(DataError::unknown(
                format!("language of {}", self.name),
                missing.to_string(),
                self.languages
                    .keys()
                    .map(|language| language.code())
                    .collect::<Vec<_>>()
                    .join(", "),
            ));
        }
        Ok(self
            .languages
            .iter()
            .filter(|(language, _)| languages.is_empty() || languages.contains(language))
            .map(|(l, code)| (*l, code.as_str()))
            .collect())
    }

    /// Patterns of the files on the hub, as in [`PublishedForm::files`] without placeholders.
    ///
    /// # Errors
    /// As [`Self::codes`]; or there is no such split.
    pub fn hub_patterns(
        &self,
        split: &str,
        languages: &[Language],
    ) -> Result<Vec<String>, DataError> {
        let Some(form) = self.forms.first() else {
            return Ok(Vec::new());
        };
        let split = self.split(form, split)?;
        let mut patterns: Vec<String> = self
            .codes(languages)?
            .values()
            .map(|code| form.pattern(split, code))
            .collect();
        patterns.dedup();
        Ok(patterns)
    }

    fn split<'f>(&self, form: &'f PublishedForm, split: &str) -> Result<&'f str, DataError> {
        form.splits.get(split).map(String::as_str).ok_or_else(|| {
            DataError::unknown(
                format!("split of {}", self.name),
                split,
                form.splits.keys().cloned().collect::<Vec<_>>().join(", "),
            )
        })
    }

    /// Finds the data set's files among `files`, in the first form of which there are any. A
    /// single file whose name is not the published one is taken for the form of its format; its
    /// language must then be the only one asked for.
    ///
    /// # Errors
    /// None of the files is one of the data set's; a language that was asked for has none.
    pub fn find(
        &self,
        files: &[PathBuf],
        split: &str,
        languages: &[Language],
    ) -> Result<FoundFiles<'_>, DataError> {
        let codes = self.codes(languages)?;
        let mut patterns = Vec::new();
        for form in &self.forms {
            let Ok(split) = self.split(form, split) else {
                continue;
            };
            let mut inputs = Vec::new();
            for (language, code) in &codes {
                let pattern = form.pattern(split, code);
                let mine = files.iter().filter(|path| ends_like(path, &pattern));
                inputs.extend(mine.map(|path| form.input(path, Some(*language))));
                patterns.push(pattern);
            }
            inputs.dedup(); // of a file that has all languages
            if !inputs.is_empty() {
                self.check_languages(languages, &inputs, form)?;
                return Ok(self.found(form, inputs, &codes));
            }
        }
        if let Some((form, input)) = self.only_file(files, languages) {
            return Ok(self.found(form, vec![input], &codes));
        }
        patterns.dedup();
        patterns.truncate(4);
        let problem = format!(
            "none of the {} files given is one of {}; looked for: {}; for another name give the file itself and its language",
            files.len(),
            self.name,
            patterns.join(", ")
        );
        Err(refuse(&format!("preset {}", self.name), problem))
    }

    /// A single file whose name is not the published one, in the form of its format.
    fn only_file(
        &self,
        files: &[PathBuf],
        languages: &[Language],
    ) -> Option<(&PublishedForm, InputFile)> {
        let [path] = files else { return None };
        let format = TableFormat::of(path)?;
        let form = self.forms.iter().find(|form| form.format == format)?;
        let language = match (languages, self.languages.len()) {
            ([language], _) => Some(*language),
            (_, 1) => self.languages.keys().next().copied(),
            _ => None,
        };
        let is_known = language.is_some() || form.language_column.is_some();
        is_known.then(|| (form, form.input(path, language)))
    }

    fn check_languages(
        &self,
        languages: &[Language],
        inputs: &[InputFile],
        form: &PublishedForm,
    ) -> Result<(), DataError> {
        let found: Vec<_> = inputs.iter().filter_map(|input| input.language).collect();
        match languages
            .iter()
            .find(|language| form.language_column.is_none() && !found.contains(language))
        {
            Some(missing) => {
                let problem = format!("there is no file of {missing}, such as {}", form.files);
                Err(refuse(&format!("preset {}", self.name), problem))
            }
            None => Ok(()),
        }
    }

    fn found<'a>(
        &self,
        form: &'a PublishedForm,
        inputs: Vec<InputFile>,
        codes: &BTreeMap<Language, &str>,
    ) -> FoundFiles<'a> {
        let language_column = form.language_column.as_ref().map(|column| LanguageColumn {
            column: column.clone(),
            codes: codes
                .iter()
                .map(|(language, code)| ((*code).to_owned(), *language))
                .collect(),
        });
        FoundFiles {
            form,
            inputs,
            language_column,
        }
    }
}

impl PublishedForm {
    fn pattern(&self, split: &str, code: &str) -> String {
        self.files
            .replace("{language}", code)
            .replace("{split}", split)
    }

    /// A file of this form; `language` is that of its rows unless a column gives it.
    fn input(&self, path: &Path, language: Option<Language>) -> InputFile {
        InputFile {
            path: path.to_owned(),
            layout: TableLayout {
                columns: self.columns.clone(),
                ..TableLayout::usual(self.format)
            },
            language: language.filter(|_| self.language_column.is_none()),
        }
    }
}
