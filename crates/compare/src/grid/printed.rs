//! The paper's printed accuracies, for the cells of a grid that are the same experiment
//! (`assets/printed.toml`). A cell whose recipe differs in anything that the file names has none.
//!
//! Never here: a number of ours.

use std::collections::BTreeMap;

use schema::{LabelSet, Language};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{error::CompareError, stats::mean};

/// The row of the model without an adapter.
pub const BASE_ROW: &str = "base";
/// The column of the mean over languages.
const MEAN: &str = "mean";

/// A number that the paper prints.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PrintedValue {
    /// A fraction of 1.
    pub value: f64,
    /// Where: `Table 2`.
    pub printed: String,
}

/// The cell that is looked for.
pub(crate) struct PrintedCell<'a> {
    /// As the recipe names it: a name of the catalogue.
    pub model: &'a str,
    /// The task asked.
    pub task: &'a str,
    /// The task whose questions were learnt; `None` without training.
    pub trained_on: Option<&'a str>,
    /// `base` or a setting.
    pub setting: &'a str,
    pub labels: LabelSet,
}

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PrintedFacts {
    keys: Vec<KeyOfSame>,
    tasks: BTreeMap<String, TaskOfSame>,
    tables: Vec<PrintedTable>,
}

/// What a recipe must say of one key.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyOfSame {
    key: String,
    #[serde(default)]
    values: Vec<Value>,
    #[serde(default)]
    absent: bool,
    #[serde(default)]
    trained: bool,
}

/// What is the paper's about one task.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TaskOfSame {
    items: usize,
    shots: usize,
    epochs: f64,
}

/// One table's numbers of one model and task.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PrintedTable {
    printed: String,
    model: String,
    task: String,
    trained_on: Option<String>,
    labels: LabelSet,
    /// By row, then by language or `mean`; percent.
    rows: BTreeMap<String, BTreeMap<String, f64>>,
}

impl PrintedFacts {
    /// The file that comes with the program.
    ///
    /// # Errors
    /// It is broken: a defect of this program.
    pub(crate) fn shipped() -> Result<Self, CompareError> {
        toml::from_str(include_str!("../../../../assets/printed.toml"))
            .map_err(|problem| CompareError::Printed(problem.to_string()))
    }

    /// Whether a run's recipe asks `task` as the paper does, and trains as it does if `trained`.
    pub(crate) fn is_same_recipe(&self, recipe: &Value, task: &str, trained: bool) -> bool {
        let Some(of_task) = self.tasks.get(task) else {
            return false;
        };
        let keys = self.keys.iter().filter(|rule| trained || !rule.trained);
        keys.into_iter().all(|rule| rule.fits(recipe))
            && of_task.has_same_exemplars(recipe.pointer("/eval/few_shot"))
    }

    /// Whether the adapter saw its pairs as often as the paper's.
    pub(crate) fn is_same_training(&self, recipe: &Value, trained_on: &str) -> bool {
        let epochs = recipe.pointer("/train/epochs").and_then(Value::as_f64);
        let of_task = self.tasks.get(trained_on);
        of_task.is_some_and(|of_task| epochs == Some(of_task.epochs))
    }

    /// Whether so many scored items are all that the paper asks.
    pub(crate) fn has_same_items(&self, task: &str, items: usize) -> bool {
        let of_task = self.tasks.get(task);
        of_task.is_some_and(|of| items == of.items || items + of.shots == of.items)
    }

    /// The mean over the twenty languages: as printed, or of the printed row.
    pub(crate) fn mean_of(&self, cell: &PrintedCell) -> Option<PrintedValue> {
        let rows = self.rows(cell);
        let printed = rows
            .iter()
            .find_map(|(table, row)| Some((table, *row.get(MEAN)?)));
        let of_row = rows.iter().find_map(|(table, row)| {
            let values: Option<Vec<f64>> = Language::ALL
                .iter()
                .map(|language| row.get(language.code()).copied())
                .collect();
            Some((table, mean(values?)))
        });
        let (table, value) = printed.or(of_row)?;
        Some(PrintedValue {
            value: value / 100.0,
            printed: (*table).to_owned(),
        })
    }

    /// The accuracy in one language.
    pub(crate) fn in_language(
        &self,
        cell: &PrintedCell,
        language: Language,
    ) -> Option<PrintedValue> {
        let rows = self.rows(cell).into_iter();
        rows.into_iter().find_map(|(table, row)| {
            Some(PrintedValue {
                value: row.get(language.code())? / 100.0,
                printed: table.to_owned(),
            })
        })
    }

    /// The rows of a cell, each with its table's name.
    fn rows<'a>(&'a self, cell: &PrintedCell) -> Vec<(&'a str, &'a BTreeMap<String, f64>)> {
        let of_cell = self.tables.iter().filter(|table| {
            let learnt = table.trained_on.as_deref().unwrap_or(&table.task);
            (table.model.as_str(), table.task.as_str(), table.labels)
                == (cell.model, cell.task, cell.labels)
                && cell.trained_on.is_none_or(|trained| trained == learnt)
        });
        of_cell
            .filter_map(|table| Some((table.printed.as_str(), table.rows.get(cell.setting)?)))
            .collect()
    }
}

impl KeyOfSame {
    fn fits(&self, recipe: &Value) -> bool {
        let found = recipe.pointer(&format!("/{}", self.key.replace('.', "/")));
        match found.filter(|value| !value.is_null()) {
            None => self.absent,
            Some(value) => self.values.iter().any(|wanted| is_equal(wanted, value)),
        }
    }
}

impl TaskOfSame {
    /// The head of the test file, as the authors' code takes it.
    fn has_same_exemplars(&self, few_shot: Option<&Value>) -> bool {
        match few_shot {
            None | Some(Value::Null) => true, // the task's own, which are the paper's
            Some(Value::Array(sets)) if sets.is_empty() => true,
            Some(Value::String(set)) => *set == format!("head:{}", self.shots),
            Some(_) => false,
        }
    }
}

/// Numbers by value: a recipe writes `16.0` where the facts say `16`.
fn is_equal(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> PrintedFacts {
        PrintedFacts::shipped().expect("readable facts")
    }

    fn cell<'a>(model: &'a str, task: &'a str, setting: &'a str) -> PrintedCell<'a> {
        PrintedCell {
            model,
            task,
            trained_on: (setting != BASE_ROW).then_some(task),
            setting,
            labels: LabelSet::English,
        }
    }

    fn percent(value: Option<PrintedValue>) -> Option<(f64, String)> {
        value.map(|of| ((of.value * 1e6).round() / 1e4, of.printed))
    }

    /// Every key of a row is a language of the paper or the mean, and every value a percentage.
    #[test]
    fn the_file_has_languages_and_percentages() {
        for table in facts().tables {
            for (row, values) in &table.rows {
                for (key, &value) in values {
                    let known = Language::ALL.iter().any(|language| language.code() == key);
                    assert!(known || key == MEAN, "{} {row} {key}", table.printed);
                    assert!(
                        (0.0..=100.0).contains(&value),
                        "{} {row} {key}",
                        table.printed
                    );
                }
                let is_setting = row.parse::<schema::Setting>().is_ok();
                assert!(is_setting || row == BASE_ROW, "{} {row}", table.printed);
            }
        }
    }

    /// The same number is in two places of the paper: a digit that was read wrongly would show.
    #[test]
    fn means_of_full_rows_are_the_printed_means() {
        let all = facts();
        let mut checked = 0;
        for full in all.tables.iter() {
            for (row, values) in full.rows.iter().filter(|(_, values)| values.len() == 20) {
                let of_row = mean(values.values().copied());
                let others = all.tables.iter().filter(|other| {
                    (&other.model, &other.task, other.labels)
                        == (&full.model, &full.task, full.labels)
                        && (row == BASE_ROW || other.trained_on == full.trained_on)
                });
                for printed in others.filter_map(|other| other.rows.get(row)?.get(MEAN)) {
                    assert!(
                        (of_row - printed).abs() < 0.0051,
                        "{row} {of_row} {printed}"
                    );
                    checked += 1;
                }
            }
        }
        assert_eq!(checked, 6, "five rows of Table 1 and the base of Table 12");
    }

    #[test]
    fn known_cells_are_found_and_no_others() {
        let all = facts();
        let table = |number: &str| format!("Table {number}");
        assert_eq!(
            percent(all.mean_of(&cell("qwen1.5-4b", "emotion", "sw/hi=>en"))),
            Some((85.32, table("2")))
        );
        assert_eq!(
            percent(all.mean_of(&cell("mistral-7b", "emotion", "zh=>en"))),
            Some((91.46, table("1"))),
            "the mean of a row, where none is printed"
        );
        let hindi = |setting| {
            let cell = cell("mistral-7b", "emotion", setting);
            percent(all.in_language(&cell, Language::Hi))
        };
        assert_eq!(
            [hindi(BASE_ROW), hindi("zh/de=>en")],
            [Some((81.6, table("1"))), Some((84.8, table("1")))]
        );
        let crossed = PrintedCell {
            trained_on: Some("emotion"),
            ..cell("qwen1.5-14b", "snli", "zh/es=>en")
        };
        assert_eq!(percent(all.mean_of(&crossed)), Some((68.72, table("5"))));
        for other in [
            cell("smollm2-135m", "emotion", BASE_ROW),
            cell("mistral-7b", "snli", BASE_ROW),
            cell("mistral-7b", "emotion", "sw/th=>zh"),
            PrintedCell {
                labels: LabelSet::Own("mine"),
                ..cell("mistral-7b", "emotion", BASE_ROW)
            },
            PrintedCell {
                trained_on: Some("paws"),
                ..cell("mistral-7b", "emotion", "zh/de=>en")
            },
        ] {
            assert_eq!(all.mean_of(&other), None, "{}", other.setting);
        }
    }

    /// As a manifest has it, with all defaults.
    #[test]
    fn the_papers_recipe_is_recognised_as_it_is_recorded() {
        let all = facts();
        let recorded = |task: &str, more: &str| {
            let text = format!(
                "name = \"x\"\nmodel = \"mistral-7b\"\n[data]\ndir = \"d\"\n[train]\nsettings = [\"zh=>en\"]\n\
                 tasks = [\"{task}\"]\n{more}[eval]\ntasks = [\"{task}\"]\nprotocol = \"paper\"\n"
            );
            let path = std::path::Path::new("x.toml");
            let recipe = schema::Recipe::parse(path, &text, &[]).expect("a recipe");
            serde_json::to_value(&recipe).expect("JSON")
        };
        for task in ["emotion", "snli", "paws"] {
            let recipe = recorded(task, "");
            assert!(all.is_same_recipe(&recipe, task, true), "{recipe}");
            assert!(all.is_same_training(&recipe, task), "{recipe}");
        }
        for more in [
            "pairs = 5000\n",
            "prompt = \"chat\"\n",
            "[train.lora]\ndora = true\n",
        ] {
            let recipe = recorded("emotion", more);
            assert!(!all.is_same_recipe(&recipe, "emotion", true), "{recipe}");
        }
    }

    #[test]
    fn another_recipe_is_another_cell() {
        let all = facts();
        let recipe = |edit: fn(&mut Value)| {
            let mut recipe = serde_json::json!({
                "eval": {"scoring": null, "protocol": "paper", "few_shot": "head:2", "limit": null},
                "train": {"pairs": 10000, "epochs": 3.0, "max_steps": null, "batch_size": 16,
                    "learning_rate": 5e-5, "schedule": "cosine", "val_size": 0.05, "cutoff_len": 2048,
                    "lora": {"rank": 8, "alpha": 16.0, "targets": ["q_proj", "v_proj"]}},
            });
            edit(&mut recipe);
            recipe
        };
        assert!(all.is_same_recipe(&recipe(|_| ()), "emotion", true));
        assert!(all.is_same_training(&recipe(|_| ()), "emotion"));
        assert!(!all.is_same_training(&recipe(|_| ()), "paws"));
        let other: [fn(&mut Value); 6] = [
            |recipe| recipe["train"]["pairs"] = 1000.into(),
            |recipe| recipe["train"]["lora"]["rank"] = 16.into(),
            |recipe| recipe["train"]["build"] = serde_json::json!({"control": "copy"}),
            |recipe| recipe["eval"]["few_shot"] = "builtin".into(),
            |recipe| recipe["eval"]["protocol"] = "corrected".into(),
            |recipe| recipe["eval"]["limit"] = 100.into(),
        ];
        for edit in other {
            let recipe = recipe(edit);
            assert!(!all.is_same_recipe(&recipe, "emotion", true), "{recipe}");
        }
        let few = recipe(|recipe| recipe["train"]["pairs"] = 1000.into());
        assert!(all.is_same_recipe(&few, "emotion", false), "not trained");
        let items = [500, 498, 496, 40].map(|items| all.has_same_items("emotion", items));
        assert_eq!(items, [true, true, false, false]);
    }
}
