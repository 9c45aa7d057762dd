//! Effects of interventions on single questions, and their means. Never here: a model.

use schema::{
    Language,
    inside::{InterventionKind, InterventionRecord},
};

use crate::bootstrap::ItemBootstrap;

/// The effect on one question.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Effect {
    /// Score of the label on which the effect is, without it.
    pub(super) before: f64,
    /// With it.
    pub(super) after: f64,
    pub(super) chosen_before: bool,
    pub(super) chosen_after: bool,
}

/// Effects of every kind after every layer on every question.
pub(super) struct Effects {
    kinds: Vec<InterventionKind>,
    layers: usize,
    items: usize,
    /// (kinds, layers, items).
    all: Vec<Effect>,
}

impl Effects {
    pub(super) fn new(kinds: &[InterventionKind], layers: usize, items: usize) -> Self {
        Self {
            kinds: kinds.to_vec(),
            layers,
            items,
            all: vec![Effect::default(); kinds.len() * layers * items],
        }
    }

    /// Notes that of the kind at a place after a layer on a question.
    pub(super) fn set(&mut self, kind: usize, layer: usize, item: usize, effect: Effect) {
        self.all[(kind * self.layers + layer) * self.items + item] = effect;
    }

    #[cfg(test)]
    pub(super) fn get(&self, kind: usize, layer: usize, item: usize) -> Effect {
        self.all[(kind * self.layers + layer) * self.items + item]
    }

    /// By kind and layer.
    pub(super) fn records(
        &self,
        language: Language,
        resampling: &ItemBootstrap,
    ) -> Vec<InterventionRecord> {
        let records = self.all.chunks_exact(self.items).enumerate();
        let records = records.map(|(at, effects)| {
            let changes: Vec<f64> = effects
                .iter()
                .map(|effect| effect.after - effect.before)
                .collect();
            let (low, high) = resampling.interval(&changes);
            InterventionRecord {
                language,
                kind: self.kinds[at / self.layers],
                layer: at % self.layers,
                items: self.items,
                before: mean(effects, |effect| effect.before),
                after: mean(effects, |effect| effect.after),
                low,
                high,
                chosen_before: mean(effects, |effect| f64::from(u8::from(effect.chosen_before))),
                chosen_after: mean(effects, |effect| f64::from(u8::from(effect.chosen_after))),
            }
        });
        records.collect()
    }
}

fn mean(effects: &[Effect], value: fn(&Effect) -> f64) -> f64 {
    effects.iter().map(value).sum::<f64>() / effects.len() as f64
}
