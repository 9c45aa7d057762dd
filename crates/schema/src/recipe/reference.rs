//! What docs/recipe.md says of each key: what a recipe may hold, and what it means. Never here: what
//! a change of a key redoes (a test of the program finds that out).

use super::{
    AnalyseRecipe, DataRecipe, EvalRecipe, ReportRecipe, TrainRecipe,
    entry::KeyEntry,
    keys::{KeySection, one_of},
};
use crate::task::Precision;

/// Every key of a recipe, in the order in which it is rendered.
pub fn list_keys() -> Vec<KeyEntry> {
    [
        list_root_keys(),
        DataRecipe::entries("data."),
        TrainRecipe::entries("train."),
        EvalRecipe::entries("eval."),
        AnalyseRecipe::entries("analyse."),
        ReportRecipe::entries("report."),
    ]
    .concat()
}

/// The keys outside of every section.
fn list_root_keys() -> Vec<KeyEntry> {
    vec![
        KeyEntry::of_file(
            "name",
            "text: letters, digits, `-`, `_`, `.`, at most 100 bytes",
            "the file's name without `.toml`",
            "Name of the run; its folder is `runs/NAME`, unless `--out` says otherwise.",
        ),
        KeyEntry::of_file(
            "title",
            "text, one line",
            "the name",
            "First line of the report.",
        ),
        KeyEntry::of_file(
            "model",
            "text: a catalogue name, a folder, a `.gguf` file or a hub id",
            "must be given",
            "The base model. A relative folder begins with `./` or `../`.",
        ),
        KeyEntry::of_file(
            "dtype",
            &one_of(Precision::WORDS),
            "`\"f32\"`",
            "Number format of the weights; `packed` keeps quantised blocks as they are.",
        ),
        KeyEntry::of_file(
            "seeds",
            "list of whole numbers from 0",
            "`[1]`",
            "Seeds of everything that is drawn; each setting is trained once per seed.",
        ),
        KeyEntry::of_file(
            "seed",
            "whole number from 0",
            "not used",
            "One seed alone, instead of `seeds`.",
        ),
    ]
}
