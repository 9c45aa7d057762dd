//! Question translation pairs, what the model is tuned on (paper, section 3): a question in one
//! language, an instruction, and the same question in another; an answer only where the recipe
//! asks for that control.
//!
//! The way of a pair: `questions` (files, composed by position) -> `removal` (test questions,
//! duplicates) -> drawn by the seed -> template and direction -> `control` -> mixed. Everything
//! that uses pairs comes through [`load`].

mod control;
mod held_out;
mod questions;
mod removal;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use rand::seq::SliceRandom;
use schema::{
    Language, Recipe, Setting, Task,
    recipe::{AdapterPlan, BuildRecipe, Control, Directions, Removal, Split, TrainRecipe},
};
use serde::{Deserialize, Serialize};

use self::{
    control::ControlAnswers,
    questions::{Candidate, Candidates, QuestionFile},
    removal::{TestFile, TestQuestions},
};
use crate::{DataError, batch, tasks, testset};

pub use held_out::{HeldOut, HeldOutLine, PairTexts, question_files, question_languages};
pub use questions::instruct;
pub use removal::{Reason, Removed, TestMatch};

/// Stream of the seed that orders the mixed pairs; the draws use one stream per source
/// language, from 0.
const MIX_STREAM: u64 = 3 << 40;
const ENDING: &str = "_train_question.json";
const ANSWERS_ENDING: &str = "_train.json";

/// One translation pair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TranslationPair {
    /// The question and the instruction to translate it.
    pub source: String,
    /// The question in the target language.
    pub target: String,
    /// Language of the source question.
    pub language: Language,
    /// Language of the target, where it is not the setting's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub into: Option<Language>,
    /// Index in the file of the setting's source language (English as the source: of the target
    /// language), from 0.
    pub item: usize,
}

/// What is to be drawn.
#[derive(Clone, Copy, Debug)]
pub struct Draw<'a> {
    /// Data folder in the released layout.
    pub dir: &'a Path,
    /// Whose questions.
    pub task: &'a Task,
    /// From which languages into which.
    pub setting: &'a Setting,
    /// Pairs per source language, 0: all that are left.
    pub pairs: usize,
    /// Decides which, and their order.
    pub seed: u64,
    /// How they are made.
    pub build: &'a BuildRecipe,
    /// Tasks that are evaluated: no pair may hold one of their test questions.
    pub asked: &'a [String],
}

/// Pairs, and where they are from.
#[derive(Clone, Debug, PartialEq)]
pub struct DrawnPairs {
    /// In the order in which they are learnt before any shuffle of an epoch.
    pub pairs: Vec<TranslationPair>,
    /// One per source language, in the setting's order.
    pub origins: Vec<PairOrigin>,
    /// The test files that pairs were compared with.
    pub compared: Vec<PathBuf>,
    /// `task language` of those that are not there.
    pub absent: Vec<String>,
}

/// What became of the questions of one source language.
#[derive(Clone, Debug, PartialEq)]
pub struct PairOrigin {
    /// The source language of the setting.
    pub language: Language,
    /// The file that limits the number of questions.
    pub path: PathBuf,
    /// Questions in it.
    pub found: usize,
    /// Questions drawn.
    pub drawn: usize,
    /// What was not drawn from, by reason, each in file order.
    pub removed: Vec<Removed>,
}

impl DrawnPairs {
    /// What was taken out, and what could not be compared, for people.
    pub fn describe(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for origin in &self.origins {
            if let Some(counts) = count_removed(&origin.removed) {
                lines.push(format!(
                    "{counts} of the {} questions of {} ({})",
                    origin.found,
                    origin.language,
                    testset::file_name(&origin.path)
                ));
            }
        }
        if !self.absent.is_empty() {
            lines.push(format!(
                "not compared with test questions that are not there: {}",
                self.absent.join(", ")
            ));
        }
        lines
    }
}

impl<'a> Draw<'a> {
    /// As the recipe says for one of its adapters.
    ///
    /// # Errors
    /// The task is unknown.
    pub fn of(
        recipe: &'a Recipe,
        train: &'a TrainRecipe,
        plan: &'a AdapterPlan,
    ) -> Result<Self, DataError> {
        Ok(Self {
            dir: &recipe.data.dir,
            task: tasks::task(&plan.task)?,
            setting: &plan.setting,
            pairs: train.pairs,
            seed: plan.seed,
            build: &train.build,
            asked: &recipe.eval.tasks,
        })
    }

    /// Every file that [`load`] reads.
    ///
    /// # Errors
    /// A language has no file or several.
    pub fn files(&self) -> Result<Vec<PathBuf>, DataError> {
        let translated = self
            .setting
            .seen()
            .filter(|&language| language != Language::En);
        let mut files = translated
            .map(|language| testset::find_one(self.dir, self.task, language, ENDING))
            .collect::<Result<Vec<_>, _>>()?;
        if self.build.control == Control::Answers {
            files.push(testset::find_one(
                self.dir,
                self.task,
                Language::En,
                ANSWERS_ENDING,
            )?);
        }
        files.extend(self.find_tests()?.0.into_iter().map(|file| file.path));
        Ok(files)
    }

    /// Whether a pair into English is an item of its file, to the letter.
    fn is_verbatim(&self) -> bool {
        let build = self.build;
        build.template.is_paper()
            && build.directions == Directions::Forward
            && build.control != Control::Copy
    }

    /// The test files to compare with, in English and the setting's languages, and those that
    /// are not there.
    fn find_tests(&self) -> Result<(Vec<TestFile>, Vec<String>), DataError> {
        let (mut found, mut absent) = (Vec::new(), Vec::new());
        if self.build.remove_overlap == Removal::Off {
            return Ok((found, absent));
        }
        let languages: BTreeSet<Language> = self.setting.seen().chain([Language::En]).collect();
        for task in self.asked {
            let task = tasks::task(task)?;
            for &language in &languages {
                match removal::find_test(self.dir, task, language)? {
                    Some(file) => found.push(file),
                    None => absent.push(format!("{} {language}", task.name)),
                }
            }
        }
        Ok((found, absent))
    }
}

/// Draws the pairs of every source language without replacement, and mixes them.
///
/// By default a pair into English is an item of the source's file, unchanged. Other
/// directions are composed from the files of the two languages by position, which is allowed
/// only where both give the same English question there. What is drawn from a language depends
/// on the seed and that language alone, so settings that share a source share its pairs; what
/// is taken out is replaced by the questions that come next in the draw, and shifts nothing
/// else.
///
/// # Errors
/// No file or several; a broken file; fewer pairs than asked for; files that do not match item
/// by item; a setting from a language to itself; a control that cannot be made.
pub fn load(draw: &Draw<'_>) -> Result<DrawnPairs, DataError> {
    match load_unless(draw, &|| false)? {
        Some(drawn) => Ok(drawn),
        None => Err(DataError::folder(
            draw.dir,
            "its pairs were not drawn".to_owned(),
        )),
    }
}

/// As [`load`]; `None` where `stop` said so.
///
/// # Errors
/// As [`load`].
pub fn load_unless(
    draw: &Draw<'_>,
    stop: &dyn Fn() -> bool,
) -> Result<Option<DrawnPairs>, DataError> {
    let target = match draw.setting.target {
        Language::En => None,
        language => Some(QuestionFile::read(draw.dir, draw.task, language)?),
    };
    let (found, absent) = draw.find_tests()?;
    let compared = found.iter().map(|file| file.path.clone()).collect();
    let tests = found
        .into_iter()
        .map(TestQuestions::read)
        .collect::<Result<Vec<_>, _>>()?;
    let (mut pairs, mut origins) = (Vec::new(), Vec::new());
    let mut first: Option<Candidates> = None;
    for &language in &draw.setting.sources {
        let candidates = questions::read(
            draw.dir,
            draw.task,
            language,
            target.as_ref(),
            draw.is_verbatim(),
        )?;
        let answers = match draw.build.control {
            Control::Answers => Some(ControlAnswers::read(draw.dir, draw.task, &candidates)?),
            _ => None,
        };
        let Some(removed) = find_removed(draw, &candidates, &tests, answers.as_ref(), stop) else {
            return Ok(None);
        };
        let (chosen, origin) = choose(draw, &candidates, removed)?;
        pairs.extend(make_pairs(draw, &candidates, &chosen, answers.as_ref())?);
        origins.push(origin);
        match &first {
            Some(first) if draw.build.split == Split::Questions => {
                candidates.check_parallel(first)?
            }
            Some(_) => {}
            None => first = Some(candidates),
        }
    }
    pairs.shuffle(&mut batch::generator(draw.seed, MIX_STREAM));
    Ok(Some(DrawnPairs {
        pairs,
        origins,
        compared,
        absent,
    }))
}

/// Splits `rows`, one for each of `pairs`, into those to learn and those to validate with, each
/// in the given order.
pub fn split<T>(
    pairs: &[TranslationPair],
    rows: Vec<T>,
    train: &TrainRecipe,
    seed: u64,
) -> (Vec<T>, Vec<T>) {
    match train.build.split {
        Split::Pairs => batch::split_validation(rows, train.val_size, seed),
        Split::Questions => {
            let questions: Vec<usize> = pairs.iter().map(|pair| pair.item).collect();
            batch::split_groups(rows, &questions, train.val_size, seed)
        }
    }
}

/// `None` where `stop` said so.
fn find_removed(
    draw: &Draw<'_>,
    candidates: &Candidates,
    tests: &[TestQuestions],
    answers: Option<&ControlAnswers>,
    stop: &dyn Fn() -> bool,
) -> Option<Vec<Removed>> {
    let BuildRecipe {
        remove_overlap,
        remove_duplicates,
        similarity,
        ..
    } = *draw.build;
    let target = draw.setting.target;
    let mut removed = removal::find_in_tests(
        candidates,
        draw.task,
        target,
        tests,
        (remove_overlap, similarity),
        stop,
    )?;
    let mut out: BTreeSet<usize> = removed.iter().map(|removed| removed.item).collect();
    removed.extend(
        answers
            .map_or_else(Vec::new, ControlAnswers::find_missing)
            .into_iter()
            .filter(|r| out.insert(r.item)),
    );
    removed.extend(removal::find_duplicates(
        candidates,
        draw.task,
        target,
        |item| out.contains(&item),
        (remove_duplicates, similarity),
        stop,
    )?);
    Some(removed)
}

/// The questions of one source language that the seed draws, in its order.
fn choose<'c>(
    draw: &Draw<'_>,
    candidates: &'c Candidates,
    removed: Vec<Removed>,
) -> Result<(Vec<&'c Candidate>, PairOrigin), DataError> {
    let out: BTreeSet<usize> = removed.iter().map(|removed| removed.item).collect();
    let mut order: Vec<&Candidate> = candidates.all.iter().collect();
    order.shuffle(&mut batch::generator(
        draw.seed,
        candidates.language.stream(),
    ));
    order.retain(|candidate| !out.contains(&candidate.item));
    let asked = if draw.pairs == 0 {
        order.len()
    } else {
        draw.pairs
    };
    if asked > order.len() || order.is_empty() {
        let after =
            count_removed(&removed).map_or_else(String::new, |counts| format!(" left ({counts})"));
        return Err(DataError::TooFewPairs {
            path: candidates.path.clone(),
            asked,
            found: order.len(),
            after,
        });
    }
    order.truncate(asked);
    let origin = PairOrigin {
        language: candidates.language,
        path: candidates.path.clone(),
        found: candidates.all.len(),
        drawn: order.len(),
        removed,
    };
    Ok((order, origin))
}

/// `taken out: 3 (2 that a test file asks, 1 that stood there before)`
fn count_removed(removed: &[Removed]) -> Option<String> {
    if removed.is_empty() {
        return None;
    }
    let mut counts: BTreeMap<Reason, usize> = BTreeMap::new();
    for removed in removed {
        *counts.entry(removed.reason).or_default() += 1;
    }
    let parts: Vec<String> = counts
        .iter()
        .map(|(reason, count)| match reason {
            Reason::InTest => format!("{count} that a test file asks"),
            Reason::NoAnswer => format!("{count} without an answer"),
            Reason::Duplicate => format!("{count} that stood there before"),
        })
        .collect();
    Some(format!(
        "taken out: {} ({})",
        removed.len(),
        parts.join(", ")
    ))
}

/// The pairs of one source language, in the directions and with the control that the recipe
/// asks for.
fn make_pairs(
    draw: &Draw<'_>,
    candidates: &Candidates,
    chosen: &[&Candidate],
    answers: Option<&ControlAnswers>,
) -> Result<Vec<TranslationPair>, DataError> {
    let (source, target) = (candidates.language, draw.setting.target);
    let directions: &[(Language, Language)] = match draw.build.directions {
        Directions::Forward => &[(source, target)],
        Directions::Swapped => &[(target, source)],
        Directions::Both => &[(source, target), (target, source)],
    };
    let mut pairs = Vec::new();
    for &(from, into) in directions {
        let made = chosen.iter().map(|candidate| {
            make_pair(draw, candidate, (from, into), from != source, answers).map_err(|problem| {
                DataError::item(&candidates.path, candidate.item, candidate.line, problem)
            })
        });
        let mut made = made.collect::<Result<Vec<_>, _>>()?;
        if draw.build.control == Control::Shuffled {
            let (one, other) = (from.stream(), into.stream());
            // The paper's languages keep the streams that they have always had.
            let stream = if one.max(other) < 1 << 8 {
                one << 8 | other
            } else {
                one << 20 | other
            };
            control::shuffle_targets(&mut made, draw.seed, stream)
                .map_err(|problem| DataError::folder(&candidates.path, problem))?;
        }
        pairs.extend(made);
    }
    Ok(pairs)
}

fn make_pair(
    draw: &Draw<'_>,
    candidate: &Candidate,
    (from, into): (Language, Language),
    swapped: bool,
    answers: Option<&ControlAnswers>,
) -> Result<TranslationPair, String> {
    let Candidate {
        source,
        target,
        input,
        item,
        ..
    } = candidate;
    let (here, there) = if swapped {
        (target, source)
    } else {
        (source, target)
    };
    let (there, into) = if draw.build.control == Control::Copy {
        (here, from)
    } else {
        (there, into)
    };
    let source = match input {
        Some(input) if draw.is_verbatim() => input.clone(),
        _ => draw.build.template.render(here, from, into),
    };
    let target = answers.map_or_else(
        || Ok(there.clone()),
        |answers| answers.append(draw.task, into, there, *item),
    )?;
    Ok(TranslationPair {
        source,
        target,
        language: from,
        into: (into != draw.setting.target).then_some(into),
        item: *item,
    })
}
