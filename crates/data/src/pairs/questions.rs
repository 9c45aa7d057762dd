//! Translated questions as their files hold them, and what two files give together by position.
//!
//! A file is `<folder>/<task>_<language><count>_train_question.json`; its items are `{"input":
//! question and instruction, "answer": the English question}`. Never here: drawing, templates
//! of users.

use std::path::{Path, PathBuf};

use schema::{Language, Task, Template};

use crate::{DataError, items, testset};

/// A file of translated questions.
pub(super) struct QuestionFile {
    pub(super) path: PathBuf,
    pub(super) language: Language,
    pub(super) items: Vec<Translated>,
}

/// One item: a question with its instruction, and the English question.
pub(super) struct Translated {
    pub(super) line: usize,
    pub(super) input: String,
    pub(super) english: String,
}

/// A question in two languages, and in English.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    /// Index in the source language's file (English as the source: the target language's file),
    /// from 0.
    pub(super) item: usize,
    /// Line in that file, from 1.
    pub(super) line: usize,
    /// The question in the source language, without instruction.
    pub(super) source: String,
    /// The question in the target language, without instruction.
    pub(super) target: String,
    pub(super) english: String,
    /// Source and instruction as the file has them; `None` where no file has this direction.
    pub(super) input: Option<String>,
}

/// All questions of one source language, and the file that limits their number.
pub(super) struct Candidates {
    pub(super) language: Language,
    pub(super) path: PathBuf,
    pub(super) all: Vec<Candidate>,
}

impl QuestionFile {
    /// # Errors
    /// No file or several; a broken file.
    pub(super) fn read(dir: &Path, task: &Task, language: Language) -> Result<Self, DataError> {
        let path = testset::find_one(dir, task, language, super::ENDING)?;
        let raw = items::read(&path, &["input"])?;
        let items = raw
            .into_iter()
            .map(|raw| Translated {
                line: raw.line,
                input: raw.fields.concat(),
                english: raw.answer.text,
            })
            .collect();
        Ok(Self {
            path,
            language,
            items,
        })
    }

    /// The question of an item: its `input` without the instruction on the last line.
    fn question(&self, item: usize) -> Result<&str, DataError> {
        let Translated { line, input, .. } = &self.items[item];
        let instruction = instruct(self.language, Language::En);
        input.trim_end_matches('\n').strip_suffix(&instruction).and_then(|rest| rest.strip_suffix('\n')).ok_or_else(
            || DataError::item(&self.path, item, *line, format!("`input` does not end in the line `{instruction}`, which must be replaced; add it")),
        )
    }

    /// Questions into English. Where the file's own `input` is taken unchanged, no question
    /// need be found in it.
    fn into_english(self, verbatim: bool) -> Result<Candidates, DataError> {
        let mut all = Vec::with_capacity(self.items.len());
        for (
            item,
            Translated {
                line,
                input,
                english,
            },
        ) in self.items.iter().enumerate()
        {
            let source = match self.question(item) {
                Ok(question) => question.to_owned(),
                Err(_) if verbatim => input.clone(),
                Err(error) => return Err(error),
            };
            let (target, english) = (english.clone(), english.clone());
            all.push(Candidate {
                item,
                line: *line,
                source,
                target,
                english,
                input: Some(input.clone()),
            });
        }
        Ok(Candidates {
            language: self.language,
            path: self.path,
            all,
        })
    }

    /// English questions, to be put into this language.
    fn compose_from_english(&self) -> Result<Candidates, DataError> {
        let mut all = Vec::with_capacity(self.items.len());
        for (item, translated) in self.items.iter().enumerate() {
            all.push(Candidate {
                item,
                line: translated.line,
                source: translated.english.clone(),
                target: self.question(item)?.to_owned(),
                english: translated.english.clone(),
                input: None,
            });
        }
        Ok(Candidates {
            language: Language::En,
            path: self.path.clone(),
            all,
        })
    }
}

/// All questions from `language` into the target language (`None`: English). `verbatim`: pairs
/// into English are the file's own.
///
/// # Errors
/// As [`QuestionFile::read`]; files that do not match item by item; an `input` without its
/// instruction; English to English.
pub(super) fn read(
    dir: &Path,
    task: &Task,
    language: Language,
    target: Option<&QuestionFile>,
    verbatim: bool,
) -> Result<Candidates, DataError> {
    match (language, target) {
        (Language::En, None) => Err(DataError::unknown(
            "pairs of",
            "en=>en",
            "settings between two languages, such as zh/de=>en",
        )),
        (Language::En, Some(target)) => target.compose_from_english(),
        (_, None) => QuestionFile::read(dir, task, language)?.into_english(verbatim),
        (_, Some(target)) => between(QuestionFile::read(dir, task, language)?, target),
    }
}

/// Questions in two languages of which neither is English.
fn between(source: QuestionFile, target: &QuestionFile) -> Result<Candidates, DataError> {
    if source.items.len() != target.items.len() {
        let problem = format!(
            "{} has {} items, {} has {}; pairs between them are composed by position, so both must hold the same questions",
            testset::file_name(&source.path),
            source.items.len(),
            testset::file_name(&target.path),
            target.items.len()
        );
        return Err(DataError::folder(
            source.path.parent().unwrap_or(Path::new("")),
            problem,
        ));
    }
    let mut all = Vec::with_capacity(source.items.len());
    for (item, (here, there)) in source.items.iter().zip(&target.items).enumerate() {
        if here.english != there.english {
            let problem = format!(
                "its English question is not that of {}: the files do not match",
                target.path.display()
            );
            return Err(DataError::item(&source.path, item, here.line, problem));
        }
        all.push(Candidate {
            item,
            line: here.line,
            source: source.question(item)?.to_owned(),
            target: target.question(item)?.to_owned(),
            english: here.english.clone(),
            input: None,
        });
    }
    Ok(Candidates {
        language: source.language,
        path: source.path,
        all,
    })
}

impl Candidates {
    /// That questions at the same place are the same, as far as both lists go.
    ///
    /// # Errors
    /// They are not.
    pub(super) fn check_parallel(&self, other: &Self) -> Result<(), DataError> {
        match self
            .all
            .iter()
            .zip(&other.all)
            .find(|(here, there)| here.english != there.english)
        {
            None => Ok(()),
            Some((here, _)) => Err(DataError::item(
                &self.path,
                here.item,
                here.line,
                format!(
                    "its English question is not that of {}, so pairs cannot be kept together by question; set \
                     `train.build.split` to `pairs`, or order the files alike",
                    other.path.display()
                ),
            )),
        }
    }
}

/// The instruction line of the paper's training template, for any two languages.
pub fn instruct(source: Language, target: Language) -> String {
    Template::paper()
        .render("", source, target)
        .trim_matches('\n')
        .to_owned()
}
