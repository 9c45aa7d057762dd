//! Exchanges of two labels that the file of repairs asks for, made where the golds of a test set
//! show that very exchange. Never here: the file of repairs (`repairs`).

use std::path::Path;

use schema::{Label, Language, Protocol, Task};

use super::{TestSet, file_name, find_all, read};
use crate::{DataError, repairs, tasks};

/// Exchanges two labels of `set` where a repair asks for it and the golds show that exchange;
/// says so in `set.repairs` either way.
pub(super) fn exchange_labels(set: &mut TestSet, task: &Task) -> Result<(), DataError> {
    let words = &tasks::row(task, set.language)?.label_words;
    for repair in repairs::swaps(task, set.language)? {
        let [one, other] = &repair.words;
        let swap = Swap {
            one: label_of(words, one)?,
            other: label_of(words, other)?,
        };
        let name = file_name(&set.path);
        let note = match swap.evidence(set, task, words, &repair.gold_sha256)? {
            Ok(seen) => {
                let count = swap.apply(set);
                let all = set.items.len();
                format!(
                    "{name}: `{one}` and `{other}` exchanged on {count} of {all} items ({seen}): {}",
                    repair.justify()
                )
            }
            Err(why) => format!("{name}: `{one}` and `{other}` not exchanged: {why}"),
        };
        set.repairs.push(note);
    }
    Ok(())
}

fn label_of(words: &[String], word: &str) -> Result<Label, DataError> {
    words
        .iter()
        .position(|known| known == word)
        .map(Label)
        .ok_or_else(|| repairs::broken(format!("`{word}` is not a label word")))
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
        let files = find_all(folder, task, Language::En, "_test.json")?;
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
        let english = read(english, task, Language::En, Some(Protocol::Paper))?;
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
            file_name(&english.path)
        ))
    }
}

/// SHA-256 of the gold words, one per line, in hexadecimal.
fn gold_digest(set: &TestSet, words: &[String]) -> String {
    let golds: Vec<&str> = set
        .items
        .iter()
        .map(|item| words[item.gold.0].as_str())
        .collect();
    hub::hash_bytes(golds.join("\n").as_bytes())
}
