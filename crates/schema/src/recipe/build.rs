//! `[train.build]`: how translation pairs are made of the files. The defaults are what the
//! paper did; the controls are what it lacks. Never here: making them (crate `data`).

use super::keys::{KeySection, Number, Text, Word, section};
use crate::{template::Template, words::words};

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

section! {
    /// `[train.build]`
    BuildRecipe {
        "Text around a source question."
        template: Template = Template::paper() => Text {
            kind: "text with `{source}`; `{source_language}` and `{target_language}` are their names",
            read: |text, _| text.parse(),
            pattern: "[a-z {}\n\"'\\\\中]{0,9}\\{source\\}[a-z {}\n\"'\\\\中]{0,9}",
        },
        "Which way pairs are translated: into the target, out of it, or both."
        directions: Directions = Directions::Forward => Word,
        "A condition to compare with: wrong targets, the source itself as target, or questions with their answers."
        control: Control = Control::None => Word,
        "Which pairs are taken out because the evaluation asks their question."
        remove_overlap: Removal = Removal::Near => Word,
        "Which pairs are taken out because an earlier item of their file is the same."
        remove_duplicates: Removal = Removal::Off => Word,
        "Least similarity of what is nearly the same: the share of common n-grams." ["share"]
        /// See `data::overlap`.
        similarity: f64 = 0.8 => Number::ABOVE_0_TO_1,
        "What the validation split divides; with `questions` all pairs of a question are on the same side."
        split: Split = Split::Pairs => Word,
    }
}

impl BuildRecipe {
    /// The paper's pairs, and that none of them holds a test question: the released data has
    /// none that does, so this changes nothing there. Its one duplicate item (of 10,000) is
    /// kept, as the paper kept it.
    pub fn paper() -> Self {
        Self::defaults()
    }

    /// Whether it is [`BuildRecipe::paper`]; then records leave it out.
    pub fn is_paper(&self) -> bool {
        *self == Self::paper()
    }
}
