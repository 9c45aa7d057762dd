//! `[train.build]`: how translation pairs are made of the files. The defaults are what the
//! paper did; the controls are what it lacks. Never here: making them (crate `data`).

use serde::{Deserialize, Serialize};

use crate::{task::words, template::Template};

words! {
    /// Which way the pairs of a setting are translated.
    Directions {
        /// From its sources into its target.
        Forward "forward",
        /// From its target into each of its sources.
        Swapped "swapped",
        /// Every drawn item both ways.
        Both "both",
    }
}

words! {
    /// A condition that differs from question translation in one thing, to show that this thing
    /// matters.
    Control {
        /// Question translation.
        None "none",
        /// Targets are exchanged among the pairs of one source language: every pair has a wrong
        /// one.
        Shuffled "shuffled",
        /// The target is the source question itself, and the instruction names its language
        /// twice.
        Copy "copy",
        /// The target is the question with its answer, as an exemplar shows it.
        Answers "answers",
    }
}

words! {
    /// What is taken out of the pairs.
    Removal {
        /// Nothing.
        Off "off",
        /// What is equal but for case, punctuation and spaces.
        Exact "exact",
        /// That, and what is alike enough (`similarity`).
        Near "near",
    }
}

words! {
    /// What the validation split divides.
    Split {
        /// Pairs, as the paper's tool does: a question may be learnt in one language and
        /// validated in another.
        Pairs "pairs",
        /// Questions: all pairs of one question are on the same side.
        Questions "questions",
    }
}

/// `[train.build]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BuildRecipe {
    /// Text around a source question.
    pub template: Template,
    /// Which way pairs are translated.
    pub directions: Directions,
    /// A condition to compare with.
    pub control: Control,
    /// Which pairs are taken out because the evaluation asks their question.
    pub remove_overlap: Removal,
    /// Which pairs are taken out because an earlier item of their file is the same.
    pub remove_duplicates: Removal,
    /// Least similarity of what is nearly the same, above 0 and at most 1: the share of common
    /// n-grams (`data::overlap`).
    pub similarity: f64,
    /// What the validation split divides.
    pub split: Split,
}

impl BuildRecipe {
    /// The paper's pairs, and that none of them holds a test question: the released data has
    /// none that does, so this changes nothing there. Its one duplicate item (of 10,000) is
    /// kept, as the paper kept it.
    pub fn paper() -> Self {
        Self {
            template: Template::paper(),
            directions: Directions::Forward,
            control: Control::None,
            remove_overlap: Removal::Near,
            remove_duplicates: Removal::Off,
            similarity: 0.8,
            split: Split::Pairs,
        }
    }

    /// Whether it is [`BuildRecipe::paper`]; then records leave it out.
    pub fn is_paper(&self) -> bool {
        *self == Self::paper()
    }
}
