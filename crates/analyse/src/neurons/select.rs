//! From counts to neurons of languages. Never here: a model.
//!
//! The rule is that of arXiv 2402.16438 as its released code has it. A neuron's activation
//! probability in a language is the share of the language's tokens on which it is active.
//! Divided by their sum over the languages these are a distribution, of which the entropy is
//! taken. A neuron whose probability exceeds the threshold, the 95th percentile of the
//! probabilities of all neurons in all languages, in no language is left out; of the others
//! those of lowest entropy are selected, `share` of all neurons, and each belongs to the
//! languages in which its probability exceeds the threshold.
//!
//! Where we differ: of neurons of equal entropy the first is selected (the released code leaves
//! that to `topk`); where fewer exceed the threshold than `share` asks for, just those are
//! selected; probabilities are f64.
//!
//! The classes are those of arXiv 2505.21505, by the number of languages in which the
//! probability exceeds the threshold. That work classes the neurons of lowest score alone, and
//! moves the score until none is active in all languages; we class every neuron of a block by
//! the one threshold, so that the classes are shares of the whole block.

use std::collections::BTreeMap;

use schema::{
    Language,
    inside::{LayerNeurons, NeuronOverlap, NeuronsRecord},
};

use super::Counts;
use crate::error::AnalyseError;

/// Share of all probabilities that are at most the threshold.
const BELOW_THRESHOLD: f64 = 0.95;

/// One model's neurons by language.
struct Probabilities {
    languages: Vec<Language>,
    width: usize,
    /// For each neuron that of each language: (L · F, languages).
    values: Vec<f64>,
    /// Active where above.
    threshold: f64,
}

/// Selects `share` of all neurons as language-specific, and describes the neurons of every block.
///
/// # Errors
/// Fewer than two languages; languages without tokens, or counted in different models; a share
/// of no neuron.
pub fn select(
    counts: &BTreeMap<Language, Counts>,
    share: f64,
) -> Result<NeuronsRecord, AnalyseError> {
    let all = Probabilities::new(counts)?;
    let neurons = all.neurons();
    let wanted = (neurons as f64 * share).round_ties_even() as usize;
    if wanted == 0 || wanted > neurons {
        let problem = format!(
            "that is {wanted} of {neurons} neurons; set `analyse.neuron_share` between 0 and 1"
        );
        return Err(AnalyseError::unusable(
            format!("neuron share {share}"),
            problem,
        ));
    }
    let chosen = all.choose(wanted);
    let selected: BTreeMap<Language, Vec<(usize, u32)>> = all
        .languages
        .iter()
        .enumerate()
        .map(|(at, &language)| (language, all.active_of(&chosen, at)))
        .collect();
    Ok(NeuronsRecord {
        tokens: counts
            .iter()
            .map(|(&language, counts)| (language, counts.tokens))
            .collect(),
        share,
        threshold: all.threshold,
        layers: (1..=neurons / all.width)
            .map(|layer| all.describe(layer, &selected))
            .collect(),
        overlap: overlaps(&selected),
        selected,
    })
}

impl Probabilities {
    fn new(counts: &BTreeMap<Language, Counts>) -> Result<Self, AnalyseError> {
        let Some(first) = counts.values().next().filter(|_| counts.len() > 1) else {
            return Err(AnalyseError::unusable(
                format!("{} languages", counts.len()),
                "neurons are selected by comparing languages; name two or more in \
                 `analyse.languages`",
            ));
        };
        let (width, neurons) = (first.width, first.active.len());
        for (language, counts) in counts {
            if counts.tokens == 0 {
                return Err(AnalyseError::unusable(
                    format!("neurons in {language}"),
                    "no tokens were counted",
                ));
            }
            if (counts.width, counts.active.len()) != (width, neurons)
                || width == 0
                || neurons % width != 0
            {
                return Err(AnalyseError::unusable(
                    format!("neurons in {language}"),
                    "not as many as in the other languages; count them again",
                ));
            }
        }
        let values: Vec<f64> = (0..neurons)
            .flat_map(|neuron| {
                counts
                    .values()
                    .map(move |counts| counts.active[neuron] as f64 / counts.tokens as f64)
            })
            .collect();
        let threshold = find_threshold(values.clone());
        Ok(Self {
            languages: counts.keys().copied().collect(),
            width,
            values,
            threshold,
        })
    }

    /// L · F.
    fn neurons(&self) -> usize {
        self.values.len() / self.languages.len()
    }

    /// A neuron's probability in each language.
    fn row(&self, neuron: usize) -> &[f64] {
        &self.values[neuron * self.languages.len()..(neuron + 1) * self.languages.len()]
    }

    /// In how many languages a neuron is active.
    fn active_in(&self, neuron: usize) -> usize {
        self.row(neuron)
            .iter()
            .filter(|&&probability| probability > self.threshold)
            .count()
    }

    /// Block and index of those of `chosen` that are active in the language at `at`.
    fn active_of(&self, chosen: &[usize], at: usize) -> Vec<(usize, u32)> {
        chosen
            .iter()
            .filter(|&&neuron| self.row(neuron)[at] > self.threshold)
            .map(|&neuron| (neuron / self.width + 1, (neuron % self.width) as u32))
            .collect()
    }

    /// The `wanted` neurons of lowest entropy that are active in any language, in the order of
    /// the neurons.
    fn choose(&self, wanted: usize) -> Vec<usize> {
        let candidates = (0..self.neurons()).filter(|&neuron| self.active_in(neuron) > 0);
        let mut ranked: Vec<(f64, usize)> = candidates
            .map(|neuron| (entropy(self.row(neuron)), neuron))
            .collect();
        ranked.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let mut chosen: Vec<usize> = ranked
            .into_iter()
            .take(wanted)
            .map(|(_, neuron)| neuron)
            .collect();
        chosen.sort_unstable();
        chosen
    }

    fn describe(
        &self,
        layer: usize,
        selected: &BTreeMap<Language, Vec<(usize, u32)>>,
    ) -> LayerNeurons {
        let neurons = (layer - 1) * self.width..layer * self.width;
        let mut active_in = vec![0; self.languages.len() + 1];
        neurons
            .clone()
            .for_each(|neuron| active_in[self.active_in(neuron)] += 1);
        let entropies: Vec<f64> = neurons
            .map(|neuron| self.row(neuron))
            .filter(|row| row.iter().any(|&probability| probability > 0.0))
            .map(entropy)
            .collect();
        LayerNeurons {
            layer,
            neurons: self.width,
            selected: selected
                .iter()
                .map(|(&language, own)| {
                    let here = own.iter().filter(|(block, _)| *block == layer);
                    (language, here.count())
                })
                .collect(),
            specific: active_in[1],
            related: active_in[2..self.languages.len()].iter().sum(),
            general: active_in[self.languages.len()],
            inactive: active_in[0],
            mean_entropy: entropies.iter().sum::<f64>() / entropies.len().max(1) as f64,
        }
    }
}

/// The smallest value that [`BELOW_THRESHOLD`] of all do not exceed.
pub(super) fn find_threshold(mut values: Vec<f64>) -> f64 {
    let rank = (values.len() as f64 * BELOW_THRESHOLD).round_ties_even() as usize;
    *values
        .select_nth_unstable_by(rank.max(1) - 1, f64::total_cmp)
        .1
}

/// Bits, of what is proportional to `weights`; 0 where all are 0.
fn entropy(weights: &[f64]) -> f64 {
    let total: f64 = weights.iter().sum();
    if total <= 0.0 {
        return 0.0;
    }
    let parts = weights.iter().map(|weight| match weight / total {
        p if p > 0.0 => -p * p.log2(),
        _ => 0.0,
    });
    parts.sum()
}

/// Of each two languages, the first before the second.
fn overlaps(selected: &BTreeMap<Language, Vec<(usize, u32)>>) -> Vec<NeuronOverlap> {
    let mut found = Vec::new();
    for (&a, of_a) in selected {
        for (&b, of_b) in selected.range(a..).skip(1) {
            let shared = of_b
                .iter()
                .filter(|neuron| of_a.binary_search(neuron).is_ok())
                .count();
            let either = of_a.len() + of_b.len() - shared;
            found.push(NeuronOverlap {
                a,
                b,
                shared,
                jaccard: shared as f64 / either.max(1) as f64,
            });
        }
    }
    found
}
