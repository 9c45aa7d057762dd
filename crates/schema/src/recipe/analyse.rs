//! `[analyse]`: what is looked at inside the base model and each adapter.

use serde::{Deserialize, Serialize};

use super::{check, section::Section};
use crate::{
    Language,
    inside::{Analysis, Pooling},
};

/// `[analyse]`; without the section nothing inside is looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnalyseRecipe {
    /// What is looked at.
    pub kinds: Vec<Analysis>,
    /// The task whose prompts are run: one of `eval.tasks`.
    pub task: String,
    /// The languages; those of them of which there is a file. Measures of pairs grow with their
    /// square.
    pub languages: Vec<Language>,
    /// Items per language; `None`: those that are evaluated.
    pub limit: Option<usize>,
    /// How tokens become one vector, for the maps and measures.
    pub poolings: Vec<Pooling>,
    /// Layers whose maps and tables the report shows, by the order of the residual stream;
    /// empty: some of the upper half, as the paper chooses them. All are computed.
    pub layers: Vec<usize>,
    /// Draws of every bootstrap.
    pub resamples: usize,
    /// Permutations of every null.
    pub permutations: usize,
    /// Share of all neurons taken as language-specific (LAPE takes 0.01).
    pub neuron_share: f64,
    /// Questions of each language that are asked with neurons switched off: 2 L + 1 times with
    /// L languages.
    pub silenced_items: usize,
    /// Questions of each language whose runs are patched or steered.
    pub patched_items: usize,
    /// Updates of each layer's translator of the tuned lens.
    pub lens_steps: usize,
    /// Tokens a training update of the tuned lens.
    pub lens_tokens: usize,
}

impl AnalyseRecipe {
    /// The looks of section 6 and the alignment measures beside them, at the prompts of `task`.
    pub fn paper(task: String, languages: Vec<Language>) -> Self {
        Self {
            kinds: vec![Analysis::Lens, Analysis::Pca, Analysis::Alignment],
            task,
            languages,
            limit: None,
            poolings: vec![Pooling::All, Pooling::Question, Pooling::Last],
            layers: Vec::new(),
            resamples: 1000,
            permutations: 1000,
            neuron_share: 0.01,
            silenced_items: 100,
            patched_items: 50,
            lens_steps: 100,
            lens_tokens: 256,
        }
    }

    /// Whether it is looked at.
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
    let task = section.parse("task", check::read_task);
    if let Some(task) = &task
        && !tasks.contains(task)
    {
        section.report("task", "must be one of `eval.tasks`", origin);
    }
    let paper = AnalyseRecipe::paper(
        task.or_else(|| tasks.first().cloned()).unwrap_or_default(),
        languages.to_vec(),
    );
    let has_file = check::is_file(&paper.task);
    AnalyseRecipe {
        kinds: section
            .word_list("kinds", Analysis::WORDS)
            .unwrap_or(paper.kinds),
        languages: check::read_languages(section, has_file).unwrap_or(paper.languages),
        limit: section.count("limit"),
        poolings: section
            .word_list("poolings", Pooling::WORDS)
            .unwrap_or(paper.poolings),
        layers: section.wholes("layers").map_or(paper.layers, |layers| {
            layers.into_iter().map(|l| l as usize).collect()
        }),
        resamples: section.count("resamples").unwrap_or(paper.resamples),
        permutations: section.count("permutations").unwrap_or(paper.permutations),
        neuron_share: section
            .number("neuron_share", "must be above 0 and below 1", |x| {
                x > 0.0 && x < 1.0
            })
            .unwrap_or(paper.neuron_share),
        silenced_items: section
            .count("silenced_items")
            .unwrap_or(paper.silenced_items),
        patched_items: section
            .count("patched_items")
            .unwrap_or(paper.patched_items),
        lens_steps: section.count("lens_steps").unwrap_or(paper.lens_steps),
        lens_tokens: section.count("lens_tokens").unwrap_or(paper.lens_tokens),
        ..paper
    }
}
