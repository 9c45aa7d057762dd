//! `[analyse]`: which analyses are made inside the base model and each adapter.

use super::{
    keys::{FromOne, KeySection, MOST, Number, Text, WordList, section},
    optional::{Decided, Optional, OptionalList},
    section::Section,
    values::{Languages, Layers, is_file, read_languages, read_task},
};
use crate::{
    Language,
    inside::{Analysis, Pooling},
};

section! {
    /// `[analyse]`; without the section no analysis is made. Defaults are the analyses of section
    /// 6 and the alignment measures beside them.
    AnalyseRecipe {
        "Analyses to make ([inside.md](inside.md))."
        kinds: Vec<Analysis> = vec![Analysis::Lens, Analysis::Pca, Analysis::Alignment] => WordList,
        "The task whose prompts are run."
        task: String = String::new() => Decided(Text {
            kind: "one of `eval.tasks`",
            read: read_task,
            pattern: "emotion|snli|paws",
        }, "the first of `eval.tasks`"),
        "Languages that are compared; measures of pairs grow with their square."
        languages: Vec<Language> = Vec::new() => Decided(Languages, "those of `eval.languages`"),
        "Items per language." ["items"]
        limit: Option<usize> = None => Optional(FromOne(MOST), "the items that are evaluated"),
        "How the states of a prompt's tokens become one vector, for maps and measures."
        poolings: Vec<Pooling> = vec![Pooling::All, Pooling::Question, Pooling::Last] => WordList,
        "Layers whose maps and tables the report shows; all are computed."
        layers: Vec<usize> = Vec::new()
            => OptionalList(Layers, "some of the upper half are shown"),
        "Draws of every bootstrap." ["draws"]
        resamples: usize = 1000 => FromOne(1_000_000),
        "Permutations of every null." ["permutations"]
        permutations: usize = 1000 => FromOne(1_000_000),
        "Share of all neurons that is taken as language-specific (LAPE takes 0.01)." ["share"]
        neuron_share: f64 = 0.01 => Number::ABOVE_0_BELOW_1,
        "Questions of each language that are asked with neurons switched off: 2 L + 1 times with L languages." ["questions"]
        silenced_items: usize = 100 => FromOne(MOST),
        "Questions of each language whose runs are patched or steered." ["questions"]
        patched_items: usize = 50 => FromOne(MOST),
        "Length of the training of each layer's translator of the tuned lens." ["updates"]
        lens_steps: usize = 40 => FromOne(1_000_000),
        "Tokens of one update of the tuned lens." ["tokens"]
        lens_tokens: usize = 256 => FromOne(1_000_000),
        "Tokens of the vocabulary, about, that an update of the tuned lens sees, drawn anew each time; as many as it has, or more, are all." ["tokens"]
        lens_vocabulary: usize = 2048 => FromOne(1_000_000),
    }
}

impl AnalyseRecipe {
    /// The default analyses, at the prompts of `task`.
    pub fn paper(task: String, languages: Vec<Language>) -> Self {
        Self {
            task,
            languages,
            ..Self::defaults()
        }
    }

    /// Whether an analysis is wanted.
    pub fn asks(&self, kind: Analysis) -> bool {
        self.kinds.contains(&kind)
    }
}

/// Reads the section; `tasks` and `languages` are those of the evaluation.
pub(super) fn read_analyse(
    section: &mut Section<'_>,
    tasks: &[String],
    languages: &[Language],
) -> AnalyseRecipe {
    let origin = section.origin("task");
    let task = section.parse("task", read_task);
    if let Some(task) = &task
        && !tasks.contains(task)
    {
        section.report("task", "must be one of `eval.tasks`", origin);
    }
    let task = task.or_else(|| tasks.first().cloned()).unwrap_or_default();
    let read = read_languages(section, is_file(&task));
    let languages = read.unwrap_or_else(|| languages.to_vec());
    AnalyseRecipe::read(section, AnalyseRecipe::paper(task, languages))
}
