//! Measures of every pair of languages at a layer, with intervals and nulls, and how they
//! differ between two models. A measure that is undefined, since states or lengths do not vary,
//! has no record. Never here: how each is computed.

use rayon::prelude::*;
use schema::inside::{ChangeRecord, Measure, PairRecord};

use super::{
    Draws,
    cloud::LanguageCloud,
    components::Scores,
    cross::{Cosines, Cross},
    jackknife::{JackknifeEstimate, interval_of_change},
    kernel::cka,
    layer_space::LayerSpace,
    null::{KernelPair, Permutations, count_kernels},
    scalar::{Lengths, centroid, fisher, pearson},
    vector::{dot, spread},
};
use crate::error::AnalyseError;

/// A permutation reaches a value that is larger by no more than this share of it: a sum in
/// another order is not another.
const NEAR: f64 = 1e-12;

/// Every measure of every pair of languages, on all cores: pairs in the order of the languages,
/// then measures as given. The result depends on neither the threads nor the order in which the
/// languages were given.
pub fn pairs(space: &LayerSpace, measures: &[Measure], draws: Draws) -> Vec<PairRecord> {
    let n = space.items.len();
    let orders = Permutations::draw(draws.seed, space.layer, draws.permutations, n);
    let places = places(space);
    let records = places.par_iter().flat_map_iter(|&(a, b)| {
        let pair = LanguagePair::new(space, a, b, measures);
        let records = measures
            .iter()
            .filter_map(|&measure| Some(((a, b), pair.record(space.layer, measure, &orders)?)));
        records.collect::<Vec<_>>()
    });
    let mut records: Vec<((usize, usize), PairRecord)> = records.collect();
    if draws.permutations > 0 {
        add_p_of_cka(space, &mut records, &orders);
    }
    records.into_iter().map(|(_, record)| record).collect()
}

/// How every measure differs between two models' states of the same items: `after` minus
/// `before`.
///
/// # Errors
/// The two are not of one layer, one width, the same items and languages.
pub fn changes(
    before: &LayerSpace,
    after: &LayerSpace,
    measures: &[Measure],
) -> Result<Vec<ChangeRecord>, AnalyseError> {
    let same =
        (before.layer, before.width, &before.items) == (after.layer, after.width, &after.items);
    if !same || !before.languages().eq(after.languages()) {
        return Err(AnalyseError::unusable(
            format!("layer {}", after.layer),
            "the states before and after differ in layer, width, items or languages; capture both \
             with one recipe",
        ));
    }
    let records = places(before).into_par_iter().flat_map_iter(|(a, b)| {
        let [first, second] = [before, after].map(|space| LanguagePair::new(space, a, b, measures));
        let records = measures
            .iter()
            .filter_map(|&measure| change(before.layer, measure, &first, &second));
        records.collect::<Vec<_>>()
    });
    Ok(records.collect())
}

/// How one measure of one pair differs between two models.
fn change(
    layer: usize,
    measure: Measure,
    before: &LanguagePair<'_>,
    after: &LanguagePair<'_>,
) -> Option<ChangeRecord> {
    let (first, second) = (before.estimate(measure)?, after.estimate(measure)?);
    let (low, high) = interval_of_change(&first, &second);
    Some(ChangeRecord {
        layer,
        a: before.a.language,
        b: before.b.language,
        measure,
        before: first.value(),
        after: second.value(),
        low,
        high,
    })
}

/// Places of every two languages.
fn places(space: &LayerSpace) -> Vec<(usize, usize)> {
    let count = space.clouds.len();
    (0..count)
        .flat_map(|a| (a + 1..count).map(move |b| (a, b)))
        .collect()
}

/// The null of CKA is made for all pairs at once: most of its work serves several.
fn add_p_of_cka(
    space: &LayerSpace,
    records: &mut [((usize, usize), PairRecord)],
    orders: &Permutations,
) {
    let mut of_cka: Vec<_> = records
        .iter_mut()
        .filter(|(_, record)| record.measure == Measure::Cka)
        .collect();
    let asked: Vec<KernelPair> = of_cka
        .iter()
        .map(|((a, b), record)| KernelPair {
            a: *a,
            b: *b,
            cka: record.value,
        })
        .collect();
    let kernels: Vec<_> = space
        .clouds
        .iter()
        .map(|cloud| cloud.kernel.as_ref())
        .collect();
    if asked.is_empty() {
        return;
    }
    for ((_, record), reached) in of_cka
        .iter_mut()
        .zip(count_kernels(&kernels, &asked, orders))
    {
        record.p = orders.p(reached);
    }
}

/// Two languages, and what of them the measures need.
struct LanguagePair<'a> {
    a: &'a LanguageCloud,
    b: &'a LanguageCloud,
    /// Of the joint fit and of the centred one.
    scores: [Option<[&'a Scores; 2]>; 2],
    cross: Option<Cross<'a>>,
    cosines: Option<Cosines>,
    centred: Option<Cosines>,
}

impl<'a> LanguagePair<'a> {
    fn new(space: &'a LayerSpace, a: usize, b: usize, measures: &[Measure]) -> Self {
        let raw = [Measure::Retrieval, Measure::Cosine, Measure::Length]
            .iter()
            .any(|measure| measures.contains(measure));
        let centred = measures.contains(&Measure::CosineCentred);
        let cross = (raw || centred).then(|| Cross::new(&space.clouds[a], &space.clouds[b]));
        Self {
            a: &space.clouds[a],
            b: &space.clouds[b],
            scores: space
                .fits
                .each_ref()
                .map(|fit| fit.as_ref().map(|fit| [&fit.scores[a], &fit.scores[b]])),
            cosines: cross.as_ref().filter(|_| raw).map(Cross::cosines),
            centred: cross
                .as_ref()
                .filter(|_| centred)
                .map(Cross::cosines_centred),
            cross,
        }
    }

    /// Scores of both languages on the first component of a fit.
    fn scores(&self, measure: Measure) -> Option<[&'a [f64]; 2]> {
        let scores = self.scores[usize::from(measure == Measure::PearsonCentred)]?;
        (self.a.varies() && self.b.varies()).then(|| scores.map(|scores| scores.first.as_slice()))
    }

    fn lengths(&self) -> Option<Lengths> {
        Lengths::new(self.a, self.b, &self.cosines.as_ref()?.parallel())
    }

    fn estimate(&self, measure: Measure) -> Option<JackknifeEstimate> {
        match measure {
            Measure::Pearson | Measure::PearsonCentred => {
                self.scores(measure).and_then(|[x, y]| pearson(x, y))
            }
            Measure::Cka => cka(self.a.kernel.as_ref()?, self.b.kernel.as_ref()?),
            Measure::Retrieval => self.cosines.as_ref()?.retrieval(),
            Measure::Cosine => self.cosines.as_ref()?.estimate(),
            Measure::CosineCentred => self
                .cross
                .as_ref()?
                .centred_estimate(self.centred.as_ref()?),
            Measure::Centroid => centroid(self.a, self.b),
            Measure::Length => self.lengths()?.estimate(),
        }
    }

    fn record(&self, layer: usize, measure: Measure, orders: &Permutations) -> Option<PairRecord> {
        let estimate = self.estimate(measure)?;
        let value = estimate.value();
        let (low, high) = match measure {
            Measure::Pearson | Measure::PearsonCentred => fisher(value, self.a.len()),
            _ => estimate.interval(),
        };
        let (null, reached) = self.null(measure, value, orders);
        Some(PairRecord {
            layer,
            a: self.a.language,
            b: self.b.language,
            measure,
            value,
            low: Some(low),
            high: Some(high),
            null,
            p: reached.and_then(|reached| orders.p(reached)),
        })
    }

    /// The mean of the measure when nothing is parallel, which is known without drawing, and
    /// how many permutations reach `value`; of CKA they are counted elsewhere, and the means of
    /// two languages have no order to permute.
    fn null(
        &self,
        measure: Measure,
        value: f64,
        orders: &Permutations,
    ) -> (Option<f64>, Option<usize>) {
        let n = self.a.len();
        match measure {
            Measure::Pearson | Measure::PearsonCentred => {
                let reached = self
                    .scores(measure)
                    .and_then(|[x, y]| count_correlations(x, y, orders));
                (Some(0.0), reached)
            }
            Measure::Cka => (Some(0.0), None),
            Measure::Retrieval => {
                let Some(nearest) = self.cosines.as_ref().map(Cosines::mutually_nearest) else {
                    return (None, None);
                };
                let mutual = nearest.iter().filter(|&&near| near < n).count();
                let reached = orders.count(|order| {
                    let pairs = order.iter().zip(&nearest);
                    let found = pairs.filter(|(at, near)| **at as usize == **near).count();
                    found as f64 > value * n as f64 - 0.5
                });
                (Some(mutual as f64 / (n * n) as f64), Some(reached))
            }
            Measure::Cosine => self
                .cosines
                .as_ref()
                .map_or((None, None), |cosines| null_of_mean(cosines, orders)),
            Measure::CosineCentred => self
                .centred
                .as_ref()
                .map_or((None, None), |cosines| null_of_mean(cosines, orders)),
            Measure::Centroid => (None, None),
            Measure::Length => {
                let Some(lengths) = self.lengths() else {
                    return (None, None);
                };
                let least = lengths.explained(|at| at) - NEAR * lengths.total;
                (
                    Some(0.0),
                    Some(orders.count(|order| lengths.explained(|at| order[at] as usize) >= least)),
                )
            }
        }
    }
}

/// How many permutations of `y` have a correlation with `x` of at least that size, of either
/// sign.
fn count_correlations(x: &[f64], y: &[f64], orders: &Permutations) -> Option<usize> {
    let ((xx, x), (yy, y)) = (spread(x)?, spread(y)?);
    let least = dot(&x, &y).abs() - NEAR * (xx * yy).sqrt();
    Some(orders.count(|order| {
        let products = x.iter().zip(order).map(|(x, at)| x * y[*at as usize]);
        products.sum::<f64>().abs() >= least
    }))
}

/// The mean cosine of items that are not parallel, and how many permutations have one as high
/// as the parallel items'.
fn null_of_mean(cosines: &Cosines, orders: &Permutations) -> (Option<f64>, Option<usize>) {
    let parallel = cosines.parallel();
    let n = parallel.len();
    let least = parallel.iter().sum::<f64>() - NEAR * n as f64;
    let reached = orders.count(|order| {
        let permuted = order.iter().enumerate();
        let permuted = permuted.map(|(row, at)| cosines.values[row * n + *at as usize]);
        permuted.sum::<f64>() >= least
    });
    (Some(cosines.mean_of_others()), Some(reached))
}
