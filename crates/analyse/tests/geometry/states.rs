//! States that are made up: normal numbers, languages that share a part, and the space that
//! they make.

use analyse::geometry::{Draws, LayerSpace, LayerStates, pairs};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use schema::{
    Language,
    inside::{Measure, PairRecord},
};

/// A generator of standard normal numbers (Box & Muller).
pub(crate) struct Normal(ChaCha8Rng);

impl Normal {
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    pub(crate) fn draw(&mut self) -> f64 {
        let (radius, angle): (f64, f64) = (self.0.random(), self.0.random());
        (-2.0 * (1.0 - radius).ln()).sqrt() * (angle * std::f64::consts::TAU).cos()
    }

    pub(crate) fn vector(&mut self, length: usize) -> Vec<f64> {
        (0..length).map(|_| self.draw()).collect()
    }
}

/// States (n, E) of some languages, in the order of [`languages`].
#[derive(Clone, Debug)]
pub(crate) struct States {
    pub(crate) width: usize,
    /// (languages, n)
    pub(crate) tokens: Vec<Vec<usize>>,
    /// (languages, n * E)
    pub(crate) values: Vec<Vec<f32>>,
}

/// The first languages in their order.
pub(crate) fn languages(count: usize) -> Vec<Language> {
    ["en", "zh", "de", "fr", "es"][..count]
        .iter()
        .map(|code| code.parse().expect("a language"))
        .collect()
}

impl States {
    /// Of rows in f64.
    pub(crate) fn new(width: usize, tokens: Vec<Vec<usize>>, rows: &[Vec<f64>]) -> Self {
        let values = rows
            .iter()
            .map(|rows| rows.iter().map(|value| *value as f32).collect())
            .collect();
        Self {
            width,
            tokens,
            values,
        }
    }

    /// Unrelated normal states of `count` languages, far from the origin in one direction as
    /// those of real models are, with unrelated lengths.
    pub(crate) fn unrelated(count: usize, n: usize, width: usize, random: &mut Normal) -> Self {
        let rows: Vec<Vec<f64>> = (0..count)
            .map(|_| {
                let mut row = random.vector(n * width);
                row.iter_mut()
                    .step_by(width)
                    .for_each(|value| *value += 3.0);
                row
            })
            .collect();
        let tokens = (0..count).map(|_| {
            (0..n)
                .map(|_| (40.0 * (0.4 * random.draw()).exp()) as usize + 1)
                .collect()
        });
        Self::new(width, tokens.collect(), &rows)
    }

    pub(crate) fn items(&self) -> usize {
        self.tokens[0].len()
    }

    pub(crate) fn space(&self) -> LayerSpace {
        let items: Vec<usize> = (0..self.items()).collect();
        let each = languages(self.values.len())
            .into_iter()
            .zip(self.tokens.iter().zip(&self.values));
        let rows: Vec<LayerStates<'_>> = each
            .map(|(language, (tokens, values))| LayerStates {
                language,
                items: &items,
                tokens,
                values,
            })
            .collect();
        LayerSpace::prepare(0, self.width, &rows).expect("sound states")
    }

    pub(crate) fn pairs(&self, permutations: usize) -> Vec<PairRecord> {
        self.pairs_by(11, permutations)
    }

    pub(crate) fn pairs_by(&self, seed: u64, permutations: usize) -> Vec<PairRecord> {
        pairs(&self.space(), &Measure::ALL, Draws { seed, permutations })
    }

    /// Of the first two languages.
    pub(crate) fn record(&self, measure: Measure, permutations: usize) -> PairRecord {
        let found = pairs(
            &self.space(),
            &[measure],
            Draws {
                seed: 11,
                permutations,
            },
        )
        .into_iter()
        .next();
        found.unwrap_or_else(|| panic!("no {measure}"))
    }

    pub(crate) fn value(&self, measure: Measure) -> f64 {
        self.record(measure, 0).value
    }
}
