//! Made-up runs of a grid: two models, two tasks, three settings, two label sets, two seeds.

use std::path::Path;

use compare::grid::GridMember;
use schema::{AnswerRecord, LabelSet, Language, Setting, run_folder::RunFolder};
use serde_json::{Value, json};

use super::{BASE, EMOTION, Mind, SNLI, Shape, answers, lines, put};

pub(crate) const SETTINGS: [&str; 3] = ["zh/de=>en", "sw=>en", "zh/es/ru=>en"];
pub(crate) const LANGUAGES: [Language; 6] = [
    Language::En,
    Language::Zh,
    Language::De,
    Language::Ja,
    Language::Th,
    Language::Sw,
];
pub(crate) const LABELS: [LabelSet; 2] = [LabelSet::English, LabelSet::Same];

/// Where a run is on the axes `model` and `task`.
pub(crate) struct Cell {
    pub(crate) model: &'static str,
    pub(crate) shape: &'static Shape,
}

impl Cell {
    pub(crate) fn name(&self) -> String {
        format!("{}.{}", self.model, self.shape.task)
    }

    pub(crate) fn member(&self, root: &Path) -> GridMember {
        let axes = [("model", self.model), ("task", self.shape.task)];
        GridMember {
            name: self.name(),
            axes: axes.map(|(a, b)| (a.to_owned(), b.to_owned())).to_vec(),
            folder: RunFolder::new(root.join("runs").join(self.name())),
        }
    }
}

pub(crate) const CELLS: [Cell; 4] = [
    cell("small", &EMOTION),
    cell("small", &SNLI),
    cell("large", &EMOTION),
    cell("large", &SNLI),
];

const fn cell(model: &'static str, shape: &'static Shape) -> Cell {
    Cell { model, shape }
}

/// Answers of one model with one label set, as `model` in the records.
pub(crate) fn put_labelled(
    run: &RunFolder,
    (model, adapter): (&str, Option<&str>),
    (shape, labels): (&Shape, LabelSet),
    languages: &[Language],
    mind: Mind,
) {
    for &language in languages {
        let records = answers(shape, language, mind, adapter).into_iter();
        let records: Vec<AnswerRecord> = records
            .map(|record| AnswerRecord {
                model: model.to_owned(),
                labels,
                ..record
            })
            .collect();
        let file = run.answers(
            adapter.unwrap_or("base"),
            shape.task,
            &labels.to_string(),
            language,
        );
        put(&file, &lines(&records));
    }
}

/// The first setting separates better, the second forgets, the third changes little.
pub(crate) fn mind_of(setting: usize, base: Mind, seed: u64) -> Mind {
    let separation = base.separation + [1.4, -0.6, 0.15][setting];
    Mind {
        separation,
        preference: 0.6,
        seed: 10 * (setting as u64 + 1) + seed,
    }
}

pub(crate) fn manifest(model: &str, task: &str) -> Value {
    json!({
        "recipe": {
            "name": "grid", "model": model,
            "train": {"settings": SETTINGS, "tasks": [task], "pairs": 1000, "epochs": 3.0},
            "eval": {"tasks": [task], "labels": ["english", "same"], "few_shot": "head:2"},
        },
        "planned": ["audit", "eval.base"],
        "current": ["audit", "eval.base"],
    })
}

/// One run, whole.
pub(crate) fn put_member(root: &Path, cell: &Cell) -> GridMember {
    let member = cell.member(root);
    let run = &member.folder;
    let base = Mind {
        separation: if cell.model == "large" { 1.3 } else { 0.8 },
        ..BASE
    };
    for labels in LABELS {
        let question = (cell.shape, labels);
        let base = match labels {
            LabelSet::English => base,
            _ => Mind {
                separation: base.separation - 0.3,
                ..base
            },
        };
        put_labelled(run, (cell.model, None), question, &LANGUAGES, base);
        for (at, setting) in SETTINGS.iter().enumerate() {
            let setting: Setting = setting.parse().expect("a setting");
            for seed in 1..=2 {
                let adapter = format!("{}.{}.seed{seed}", cell.shape.task, setting.slug());
                let mind = mind_of(at, base, seed);
                let who = (cell.model, Some(adapter.as_str()));
                put_labelled(run, who, question, &LANGUAGES, mind);
            }
        }
    }
    let text = manifest(cell.model, cell.shape.task).to_string();
    put(&run.manifest(), &text);
    member
}

/// All four runs.
pub(crate) fn put_grid(root: &Path) -> Vec<GridMember> {
    CELLS.iter().map(|cell| put_member(root, cell)).collect()
}
