//! The repairs of the released test files (`assets/repairs.toml`), made under the protocol
//! `corrected`. A repair touches a file only if the file shows the defect, so a sane file of
//! the same name stays as it is.

use std::{path::Path, sync::LazyLock};

use schema::{Label, Language, Protocol, Task};
use serde::Deserialize;

use crate::{
    DataError, tasks,
    testset::{self, TestSet},
};

const FILE: &str = "assets/repairs.toml";

static REPAIRS: LazyLock<Result<Repairs, String>> = LazyLock::new(|| {
    toml::from_str(include_str!("../../../assets/repairs.toml"))
        .map_err(|e: toml::de::Error| e.to_string())
});

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Repairs {
    word: Vec<WordRepair>,
    swap: Vec<SwapRepair>,
}

/// A gold word that the scorer does not know, and the label it means.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WordRepair {
    task: String,
    language: Language,
    word: String,
    means: String,
    reason: String,
    evidence: String,
}

/// Two label words that stand for each other in a file's golds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SwapRepair {
    task: String,
    language: Language,
    words: [String; 2],
    /// Of the defective file's gold words, one a line; decides where there is no English file
    /// to compare with.
    gold_sha256: String,
    reason: String,
    evidence: String,
}

/// A shipped repair and what justifies it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    /// Task of the defective file.
    pub task: &'static str,
    /// Its language.
    pub language: Language,
    /// What the audit says of it.
    pub evidence: &'static str,
}

/// All shipped repairs.
///
/// # Errors
/// The file of repairs is broken, which is a defect of this build.
pub fn all() -> Result<Vec<Repair>, DataError> {
    let repairs = repairs()?;
    let words = repairs.word.iter().map(|r| Repair {
        task: &r.task,
        language: r.language,
        evidence: &r.evidence,
    });
    let swaps = repairs.swap.iter().map(|r| Repair {
        task: &r.task,
        language: r.language,
        evidence: &r.evidence,
    });
    Ok(words.chain(swaps).collect())
}

fn repairs() -> Result<&'static Repairs, DataError> {
    REPAIRS.as_ref().map_err(|problem| broken(problem.clone()))
}

fn broken(problem: String) -> DataError {
    DataError::Shipped {
        file: FILE.to_owned(),
        problem,
    }
}

/// The repaired gold words of one language: word, label, reason and evidence.
pub(crate) fn words(
    task: &Task,
    language: Language,
) -> Result<Vec<(&'static str, Label, String)>, DataError> {
    let mine = repairs()?
        .word
        .iter()
        .filter(|repair| repair.task == task.name && repair.language == language);
    mine.map(|repair| {
        let label = task
            .label(&repair.means)
            .ok_or_else(|| broken(format!("`{}` is no label", repair.means)))?;
        Ok((
            repair.word.as_str(),
            label,
            justify(&repair.reason, &repair.evidence),
        ))
    })
    .collect()
}

fn justify(reason: &str, evidence: &str) -> String {
    format!("{reason}. The audit of the released file: {evidence}")
}

/// Exchanges two labels of `set` where a repair asks for it and the golds show that exchange;
/// says so in `set.repairs` either way.
pub(crate) fn exchange_labels(set: &mut TestSet, task: &Task) -> Result<(), DataError> {
    let language = set.language;
    for repair in repairs()?
        .swap
        .iter()
        .filter(|r| r.task == task.name && r.language == language)
    {
        let words = &tasks::row(task, language)?.label_words;
        let label = |word: &String| {
            words
                .iter()
                .position(|known| known == word)
                .map(Label)
                .ok_or_else(|| broken(format!("`{word}` is no label word")))
        };
        let [one, other] = &repair.words;
        let swap = Swap {
            one: label(one)?,
            other: label(other)?,
        };
        let name = testset::file_name(&set.path);
        let evidence = swap.evidence(set, task, words, &repair.gold_sha256)?;
        let note = match evidence {
            Ok(seen) => {
                let count = swap.apply(set);
                let all = set.items.len();
                format!(
                    "{name}: `{one}` and `{other}` exchanged on {count} of {all} items ({seen}): {}",
                    justify(&repair.reason, &repair.evidence)
                )
            }
            Err(why) => format!("{name}: `{one}` and `{other}` not exchanged: {why}"),
        };
        set.repairs.push(note);
    }
    Ok(())
}

/// An exchange of two labels.
#[derive(Clone, Copy)]
struct Swap {
    one: Label,
    other: Label,
}

impl Swap {
    fn of(self, label: Label) -> Label {
        match label {
            l if l == self.one => self.other,
            l if l == self.other => self.one,
            l => l,
        }
    }

    /// Returns how many items changed.
    fn apply(self, set: &mut TestSet) -> usize {
        let mut count = 0;
        for item in &mut set.items {
            let label = self.of(item.gold);
            count += usize::from(label != item.gold);
            item.gold = label;
        }
        count
    }

    /// Whether the file shows this exchange: `Ok` with what shows it, `Err` with why it does
    /// not.
    fn evidence(
        self,
        set: &TestSet,
        task: &Task,
        words: &[String],
        gold_sha256: &str,
    ) -> Result<Result<String, String>, DataError> {
        let folder = set
            .path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let files = testset::find_all(folder, task, Language::En, "_test.json")?;
        let [english] = files.as_slice() else {
            return Ok(if gold_digest(set, words) == gold_sha256 {
                Ok("its gold words are those of the released file, by their SHA-256".to_owned())
            } else {
                Err(format!(
                    "{} English files to compare with, and the gold words are not those of the released file",
                    files.len()
                ))
            });
        };
        let english = testset::read(english, task, Language::En, Some(Protocol::Paper))?;
        Ok(self.compare(set, &english))
    }

    fn compare(self, set: &TestSet, english: &TestSet) -> Result<String, String> {
        let (here, there) = (set.items.len(), english.items.len());
        if here != there {
            return Err(format!("{here} items here, {there} in the English file"));
        }
        let pairs = || set.items.iter().zip(&english.items);
        if let Some((item, _)) = pairs().find(|(item, en)| item.gold != self.of(en.gold)) {
            let equal = pairs().filter(|(item, en)| item.gold == en.gold).count();
            return Err(format!(
                "item {} is not the exchange of the English gold; {equal} of {here} golds are equal to it",
                item.index
            ));
        }
        if pairs().all(|(_, en)| self.of(en.gold) == en.gold) {
            return Err("no item has one of the two labels".to_owned());
        }
        Ok(format!(
            "seen on all {here} items beside {}",
            testset::file_name(&english.path)
        ))
    }
}

/// SHA-256 of the gold words, one a line, in hexadecimal.
fn gold_digest(set: &TestSet, words: &[String]) -> String {
    let golds: Vec<&str> = set
        .items
        .iter()
        .map(|item| words[item.gold.0].as_str())
        .collect();
    hub::hash_bytes(golds.join("\n").as_bytes())
}
