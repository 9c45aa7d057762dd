//! `[train.probe]`: what is measured while an adapter is trained. Never here: measuring it (crate
//! `run`), what is computed of it (crate `compare`).

use super::{
    keys::{FromOne, KeySection, MOST, section},
    optional::Optional,
    values::Languages,
};
use crate::language::Language;

section! {
    /// `[train.probe]`
    ProbeRecipe {
        "Updates between probes; the first is before training, the last after it." ["updates"]
        every: usize = 50 => FromOne(MOST),
        "Questions per language, the first of each test file, and as many pairs of the validation split per source language; the same in every probe." ["questions"]
        items: usize = 20 => FromOne(MOST),
        "Languages that are asked."
        languages: Option<Vec<Language>> = None
            => Optional(Languages, "those of [eval]"),
    }
}

impl ProbeRecipe {
    /// What is measured where no key says otherwise.
    pub fn usual() -> Self {
        Self::defaults()
    }
}
