//! Which exemplars a prompt shows: the head of a test file, a seeded draw, the builtin ones; in
//! the question's language or in English; in their order or permuted. Never here: their text.

use std::path::{Path, PathBuf};

use rand::seq::SliceRandom;
use schema::{
    FewShot, Label, Language, Task,
    few_shot::{Pool, SeedDraw},
    task::Exemplar,
};

use super::fail;
use crate::{
    DataError,
    batch::generator,
    tasks,
    testset::{self, Item, Labelled, TestSet},
};

/// Streams of a seed: a draw and an order of the same seed know nothing of each other.
const DRAW_STREAM: u64 = 3 << 40;
const ORDER_STREAM: u64 = 4 << 40;

/// Exemplars of one language's prompts.
pub(super) struct Chosen {
    pub(super) list: Vec<Exemplar>,
    /// The language they are in.
    pub(super) language: Language,
    /// Leading items of the test file that are not scored.
    pub(super) unscored: usize,
}

/// The exemplars of the questions of `set`.
pub(super) fn choose(task: &Task, set: &TestSet, few_shot: &FewShot) -> Result<Chosen, DataError> {
    let variation = few_shot.variation();
    let language = if variation.english_exemplars {
        Language::En
    } else {
        set.language
    };
    let (mut list, unscored) = match few_shot.source() {
        FewShot::Head(0) => (Vec::new(), 0),
        FewShot::Head(count) => {
            let items = head_in(task, set, few_shot, language, *count)?;
            (items.iter().map(exemplar_of).collect(), *count)
        }
        FewShot::Seed(draw) => (
            draw_items(task, set, few_shot, language, draw)?,
            draw.unscored(),
        ),
        // The text of a file is not a list.
        FewShot::Builtin | FewShot::File(_) | FewShot::Varied(..) => {
            match tasks::exemplars(&task.name)?.get(&language) {
                Some(list) => (list.clone(), 0),
                None => {
                    return Err(fail(
                        few_shot,
                        format!("none for {language}; use head:K or file:PATH"),
                    ));
                }
            }
        }
    };
    check_left(set, few_shot, unscored)?;
    if let Some(seed) = variation.order {
        list.shuffle(&mut generator(seed, ORDER_STREAM));
    }
    Ok(Chosen {
        list,
        language,
        unscored,
    })
}

/// See [`super::exemplar_files`].
pub(super) fn list_files(
    dir: &Path,
    task: &Task,
    language: Language,
    few_shot: &FewShot,
) -> Result<Vec<PathBuf>, DataError> {
    let shown = if few_shot.variation().english_exemplars {
        Language::En
    } else {
        language
    };
    let mut files = Vec::new();
    match few_shot.source() {
        FewShot::File(path) => files.push(path.clone()),
        FewShot::Head(_) if shown != language => files.push(testset::find(dir, task, shown)?),
        FewShot::Seed(SeedDraw {
            pool: Pool::Train, ..
        }) => {
            files.push(testset::find_one(dir, task, shown, TRAIN)?);
            files.extend(testset::find_all(
                &dir.join(&task.folder),
                task,
                Language::En,
                TRAIN,
            )?);
        }
        // Where there is no English file the own labels decide.
        FewShot::Seed(_) => files.extend(testset::find(dir, task, Language::En)),
        FewShot::Head(_) | FewShot::Builtin | FewShot::Varied(..) => {}
    }
    Ok(files)
}

fn exemplar_of(item: &Item) -> Exemplar {
    Exemplar {
        fields: item.fields.clone(),
        label: item.gold,
        choices: item.choices.clone(),
    }
}

/// # Errors
/// Fewer items than are not scored, or no more.
fn check_left(set: &TestSet, few_shot: &FewShot, unscored: usize) -> Result<(), DataError> {
    if unscored > 0 && unscored >= set.items.len() {
        let problem = format!(
            "{} has {} items, so none is left to score",
            set.path.display(),
            set.items.len()
        );
        return Err(fail(few_shot, format!("{problem}; take fewer exemplars")));
    }
    Ok(())
}

/// The first items of the test file in `language`, which is read if it is another one than that
/// of `set`.
fn head_in(
    task: &Task,
    set: &TestSet,
    few_shot: &FewShot,
    language: Language,
    count: usize,
) -> Result<Vec<Item>, DataError> {
    check_left(set, few_shot, count)?;
    let other = if language == set.language {
        None
    } else {
        Some(sibling(task, set, few_shot, language)?)
    };
    let from = other.as_ref().unwrap_or(set);
    if from.items.len() != set.items.len() {
        let problem = format!(
            "{} has {} items, {} has {}; exemplars in English need parallel files",
            from.path.display(),
            from.items.len(),
            set.path.display(),
            set.items.len()
        );
        return Err(fail(few_shot, problem));
    }
    Ok(from.items[..count].to_vec())
}

/// The task's test file in another language, read as this one was.
fn sibling(
    task: &Task,
    set: &TestSet,
    few_shot: &FewShot,
    language: Language,
) -> Result<TestSet, DataError> {
    let Some((dir, protocol)) = &set.origin else {
        return Err(read_alone(set, few_shot));
    };
    testset::load(dir, task, language, *protocol)
}

/// As many items of each label as divide evenly, drawn by the labels of the English file where
/// there is one, so that every language has the same items.
fn draw_items(
    task: &Task,
    set: &TestSet,
    few_shot: &FewShot,
    language: Language,
    draw: &SeedDraw,
) -> Result<Vec<Exemplar>, DataError> {
    let Some((dir, _)) = &set.origin else {
        return Err(read_alone(set, few_shot));
    };
    match draw.pool {
        Pool::Head(_) => {
            let count = draw.unscored();
            let items = head_in(task, set, few_shot, language, count)?;
            let has_english =
                set.language != Language::En && testset::find(dir, task, Language::En).is_ok();
            let golds: Vec<Option<Label>> = match has_english {
                true => head_in(task, set, few_shot, Language::En, count)?,
                false => set.items[..count].to_vec(),
            }
            .iter()
            .map(|item| Some(item.gold))
            .collect();
            let drawn = draw_balanced(task, few_shot, draw, &golds)?;
            Ok(drawn
                .into_iter()
                .map(|at| exemplar_of(&items[at]))
                .collect())
        }
        Pool::Train => {
            let items = read_train(task, set, few_shot, language)?;
            let has_english = testset::find_one(dir, task, Language::En, TRAIN).is_ok();
            let golds = match has_english && language != Language::En {
                true => labels_of(&read_train(task, set, few_shot, Language::En)?),
                false => labels_of(&items),
            };
            draw_from_training(task, few_shot, language, draw, &items, &golds)
        }
    }
}

/// Drawn from the training items of one language by `golds`, the labels of the items that decide.
fn draw_from_training(
    task: &Task,
    few_shot: &FewShot,
    language: Language,
    draw: &SeedDraw,
    items: &[Labelled],
    golds: &[Option<Label>],
) -> Result<Vec<Exemplar>, DataError> {
    if golds.len() != items.len() {
        let problem = format!(
            "{} training items in {language}, {} in English; they must be parallel",
            items.len(),
            golds.len()
        );
        return Err(fail(few_shot, problem));
    }
    let mut exemplars = Vec::with_capacity(draw.count);
    for at in draw_balanced(task, few_shot, draw, golds)? {
        let Some(label) = items[at].label else {
            let problem =
                format!("training item {at} in {language} has no label, the English one has");
            return Err(fail(few_shot, problem));
        };
        exemplars.push(Exemplar {
            fields: items[at].fields.clone(),
            label,
            choices: Vec::new(),
        });
    }
    Ok(exemplars)
}

fn labels_of(items: &[Labelled]) -> Vec<Option<Label>> {
    items.iter().map(|item| item.label).collect()
}

fn read_alone(set: &TestSet, few_shot: &FewShot) -> DataError {
    let path = set.path.display();
    fail(
        few_shot,
        format!("{path} was read alone; give the data's folder"),
    )
}

const TRAIN: &str = "_train.json";

fn read_train(
    task: &Task,
    set: &TestSet,
    few_shot: &FewShot,
    language: Language,
) -> Result<Vec<Labelled>, DataError> {
    let Some((dir, _)) = &set.origin else {
        return Ok(Vec::new());
    };
    if !task.files.is_empty() || !task.text_choices().is_empty() {
        let problem = format!(
            "{} has no labelled training files; draw from its test files: seed:SEED:K",
            task.name
        );
        return Err(fail(few_shot, problem));
    }
    testset::read_labels(
        &testset::find_one(dir, task, language, TRAIN)?,
        task,
        language,
    )
}

/// Indices in the order in which they are shown.
fn draw_balanced(
    task: &Task,
    few_shot: &FewShot,
    draw: &SeedDraw,
    golds: &[Option<Label>],
) -> Result<Vec<usize>, DataError> {
    let mut random = generator(draw.seed, DRAW_STREAM);
    let mut labels: Vec<Label> = (0..task.labels.len()).map(Label).collect();
    labels.shuffle(&mut random); // who is shown once more where it does not divide evenly
    let mut drawn = Vec::with_capacity(draw.count);
    for (place, label) in labels.iter().enumerate() {
        let wanted = (draw.count + labels.len() - 1 - place) / labels.len();
        let mut there: Vec<usize> = (0..golds.len())
            .filter(|&at| golds[at] == Some(*label))
            .collect();
        there.shuffle(&mut random);
        if there.len() < wanted {
            return Err(fail(
                few_shot,
                format!(
                    "{wanted} items of the label {} are wanted, the {} items among which they are drawn have {}; draw among \
                     more: seed:{}:{}:POOL",
                    task.label_name(*label),
                    golds.len(),
                    there.len(),
                    draw.seed,
                    draw.count
                ),
            ));
        }
        drawn.extend(&there[..wanted]);
    }
    drawn.shuffle(&mut random);
    Ok(drawn)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_draw_is_balanced_and_its_seeds_own(seed: u64, count in 1usize..9, golds in prop::collection::vec(0usize..3, 60)) {
            let task = tasks::task("snli").expect("shipped");
            let few_shot = FewShot::Builtin; // used in messages only
            let draw = SeedDraw { seed, count, pool: Pool::Head(None) };
            let golds: Vec<_> = golds.into_iter().map(|label| Some(Label(label))).collect();
            let Ok(drawn) = draw_balanced(task, &few_shot, &draw, &golds) else { return Ok(()) };
            prop_assert_eq!(drawn.len(), count);
            let mut sorted = drawn.clone();
            sorted.sort_unstable();
            sorted.dedup();
            prop_assert_eq!(sorted.len(), count, "none twice");
            let counts = [0, 1, 2].map(|label| drawn.iter().filter(|&&at| golds[at] == Some(Label(label))).count());
            prop_assert!(counts.iter().max().expect("three") - counts.iter().min().expect("three") <= 1);
            prop_assert_eq!(draw_balanced(task, &few_shot, &draw, &golds).expect("again"), drawn);
        }
    }
}
