//! `[eval.translation]`: how well the models do what adapters are trained to do. Never here: which
//! lines are held out (crate `data`), measures (crate `compare`).

use super::{
    keys::{FromOne, KeySection, MOST, section},
    values::Languages,
};
use crate::language::Language;

section! {
    /// `[eval.translation]`
    TranslationRecipe {
        "Lines per language that are translated; no adapter learns them." ["lines"]
        lines: usize = 200 => FromOne(MOST),
        "Languages that are translated into each setting's target; `all`: those of the paper's twenty of which there are translated questions."
        languages: Vec<Language> = Language::ALL.to_vec() => Languages,
        "Where a translation without an end is cut off." ["tokens"]
        max_new_tokens: usize = 256 => FromOne(1_000_000),
    }
}

impl TranslationRecipe {
    /// What is measured where no key says otherwise.
    pub fn usual() -> Self {
        Self::defaults()
    }

    /// Whether `languages` was not narrowed.
    pub fn asks_all(&self) -> bool {
        self.languages == Language::ALL
    }
}
