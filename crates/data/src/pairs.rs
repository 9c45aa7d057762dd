//! Question translation pairs, what the model is tuned on (paper, section 3): a question in one language, an
//! instruction, and the same question in another; never an answer.
//!
//! Read from `<folder>/<task>_<language><count>_train_question.json`, whose items are `{"input": question and
//! instruction, "answer": the English question}`.

use std::path::{Path, PathBuf};

use rand::seq::SliceRandom;
use schema::{Language, Setting, Task};
use serde::{Deserialize, Serialize};

use crate::{DataError, batch, items, testset};

/// Stream of the seed that orders the mixed pairs; the draws use one stream per source language, from 0.
const MIX_STREAM: u64 = 3 << 40;

/// One translation pair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// The question and the instruction to translate it.
    pub source: String,
    /// The question in the target language.
    pub target: String,
    /// Language of the source question.
    pub language: Language,
    /// Index in the source language's file (English as the source: the target language's file), from 0.
    pub item: usize,
}

/// Draws `pairs_per_source` pairs (0: all) from every source language of `setting`, without replacement, and mixes them.
///
/// Into English a pair is an item of the source's file as it stands. Other directions are composed from the files of the
/// two languages by position, which is allowed only where both files give the same English question there. What is drawn
/// from a language depends on the seed and that language alone, so settings that share a source share its pairs.
///
/// # Errors
/// No file or several; a broken file; fewer pairs than asked for; files that do not match item by item; a setting from a
/// language to itself.
pub fn load(
    dir: &Path,
    task: &Task,
    setting: &Setting,
    pairs_per_source: usize,
    seed: u64,
) -> Result<Vec<Pair>, DataError> {
    let target = match setting.target {
        Language::En => None,
        language => Some(Questions::read(dir, task, language)?),
    };
    let mut pairs = Vec::new();
    for &language in &setting.sources {
        let (path, all) = read_source(dir, task, language, target.as_ref())?;
        let count = if pairs_per_source == 0 { all.len() } else { pairs_per_source };
        if count > all.len() {
            return Err(DataError::TooFewPairs { path, asked: count, found: all.len() });
        }
        pairs.extend(draw(all, count, seed, language));
    }
    pairs.shuffle(&mut batch::generator(seed, MIX_STREAM));
    Ok(pairs)
}

/// The files that [`load`] reads for a setting, for hashing.
///
/// # Errors
/// A language has no file or several.
pub fn files(dir: &Path, task: &Task, setting: &Setting) -> Result<Vec<PathBuf>, DataError> {
    let translated = setting.seen().filter(|&language| language != Language::En);
    translated.map(|language| testset::find_one(dir, task, language, "_train_question.json")).collect()
}

/// All pairs from `language` into the target language (`None`: English), and the file that limits their number.
fn read_source(
    dir: &Path,
    task: &Task,
    language: Language,
    target: Option<&Questions>,
) -> Result<(PathBuf, Vec<Pair>), DataError> {
    match (language, target) {
        (Language::En, None) => Err(DataError::Unknown {
            what: "pairs of".to_owned(),
            given: "en=>en".to_owned(),
            known: "settings between two languages, such as zh/de=>en".to_owned(),
        }),
        (Language::En, Some(target)) => Ok((target.path.clone(), from_english(target)?)),
        (_, None) => {
            let source = Questions::read(dir, task, language)?;
            let path = source.path.clone();
            Ok((path, source.into_pairs()))
        }
        (_, Some(target)) => {
            let source = Questions::read(dir, task, language)?;
            let pairs = between(&source, target)?;
            Ok((source.path, pairs))
        }
    }
}

/// `count` of `all`, drawn by the seed's stream of `language`.
fn draw(mut all: Vec<Pair>, count: usize, seed: u64, language: Language) -> Vec<Pair> {
    all.shuffle(&mut batch::generator(seed, language as u64));
    all.truncate(count);
    all
}

/// A file of training questions.
struct Questions {
    path: PathBuf,
    language: Language,
    items: Vec<Translated>,
}

/// One item: a question with its instruction, and the English question.
struct Translated {
    line: usize,
    input: String,
    english: String,
}

impl Questions {
    fn read(dir: &Path, task: &Task, language: Language) -> Result<Self, DataError> {
        let path = testset::find_one(dir, task, language, "_train_question.json")?;
        let raw = items::read(&path, &["input"])?;
        let items = raw
            .into_iter()
            .map(|raw| Translated { line: raw.line, input: raw.fields.concat(), english: raw.answer.text })
            .collect();
        Ok(Self { path, language, items })
    }

    fn into_pairs(self) -> Vec<Pair> {
        let language = self.language;
        let pair = |(item, Translated { input, english, .. })| Pair { source: input, target: english, language, item };
        self.items.into_iter().enumerate().map(pair).collect()
    }

    /// The question of an item: its `input` without the instruction on the last line.
    fn question(&self, item: usize) -> Result<&str, DataError> {
        let Translated { line, input, .. } = &self.items[item];
        let instruction = instruct(self.language, Language::En);
        input.trim_end_matches('\n').strip_suffix(&instruction).and_then(|rest| rest.strip_suffix('\n')).ok_or_else(
            || DataError::Item {
                path: self.path.clone(),
                item,
                line: *line,
                problem: format!("`input` does not end in the line `{instruction}`, which must be replaced; add it"),
            },
        )
    }
}

/// Pairs between two languages of which neither is English.
fn between(source: &Questions, target: &Questions) -> Result<Vec<Pair>, DataError> {
    if source.items.len() != target.items.len() {
        let problem = format!(
            "{} has {} items, {} has {}; pairs between them are composed by position, so both must hold the same questions",
            testset::file_name(&source.path),
            source.items.len(),
            testset::file_name(&target.path),
            target.items.len()
        );
        return Err(DataError::Folder { folder: source.path.parent().unwrap_or(Path::new("")).to_owned(), problem });
    }
    let instruction = instruct(source.language, target.language);
    let pair = |(item, (here, there)): (usize, (&Translated, &Translated))| {
        if here.english != there.english {
            let problem =
                format!("its English question is not that of {}: the files do not match", target.path.display());
            return Err(DataError::Item { path: source.path.clone(), item, line: here.line, problem });
        }
        let text = format!("{}\n{instruction}\n", source.question(item)?);
        Ok(Pair { source: text, target: target.question(item)?.to_owned(), language: source.language, item })
    };
    source.items.iter().zip(&target.items).enumerate().map(pair).collect()
}

/// Pairs from English: the file's English questions, asked to be put into its language.
fn from_english(target: &Questions) -> Result<Vec<Pair>, DataError> {
    let instruction = instruct(Language::En, target.language);
    let pair = |(item, translated): (usize, &Translated)| {
        let source = format!("{}\n{instruction}\n", translated.english);
        Ok(Pair { source, target: target.question(item)?.to_owned(), language: Language::En, item })
    };
    target.items.iter().enumerate().map(pair).collect()
}

/// The instruction line of the paper's training template, for any two languages.
pub fn instruct(source: Language, target: Language) -> String {
    format!("Translate the input from {} to {}:", source.name(), target.name())
}
