//! Do 95 % intervals hold the truth in 95 of 100 samples, and do tests err as rarely as they
//! say? Simulated, seeded. The variable `LINGUALIGN_RUNS` multiplies the number of runs;
//! docs/statistics.md has what 20 times as many gave, as `--nocapture` shows it.

use super::super::{
    Estimate,
    clusters::{Clusters, robust_mean},
    distribution::binomial,
    mean,
    paired::{benjamini_hochberg, sign_flip},
    proportion::wilson,
    random::SplitMix64,
    resample::{Resampling, counted_mean, percentile},
};

fn runs(few: usize) -> usize {
    few * std::env::var("LINGUALIGN_RUNS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1)
}

fn holds(interval: &Estimate, truth: f64) -> bool {
    interval.low <= truth + 1e-12 && truth - 1e-12 <= interval.high
}

/// Three standard errors of a share of 0.95 in `runs` runs.
fn slack(runs: usize) -> f64 {
    3.0 * (0.95 * 0.05 / runs as f64).sqrt()
}

/// Changes of items in clusters of `size`: the items of a cluster change alike with chance
/// `alike`.
fn changes(
    random: &mut SplitMix64,
    clusters: usize,
    size: usize,
    alike: f64,
    gain: f64,
    loss: f64,
) -> Vec<i32> {
    let mut all = Vec::new();
    for _ in 0..clusters {
        let mut draw = || match random.uniform() {
            at if at < gain => 1,
            at if at < gain + loss => -1,
            _ => 0,
        };
        let (first, mut items): (i32, Vec<i32>) = (draw(), (0..size).map(|_| draw()).collect());
        if random.uniform() < alike {
            items.fill(first);
        }
        all.extend(items);
    }
    all
}

fn groups(clusters: usize, size: usize) -> Vec<Option<u64>> {
    (0..clusters * size)
        .map(|item| Some((item / size) as u64))
        .collect()
}

#[test]
fn wilson_covers_at_every_share_up_to_the_border() {
    // exact sums over all outcomes, no simulation
    let coverage = |n: u64, share: f64| -> f64 {
        let hit = |right: &u64| holds(&wilson(*right as f64 / n as f64, n as f64), share);
        (0..=n)
            .filter(hit)
            .map(|right| binomial(n, share, right))
            .sum()
    };
    for n in [40, 500] {
        let shares: Vec<f64> = (1..200).map(|step| f64::from(step) / 200.0).collect();
        let found: Vec<f64> = shares.iter().map(|&share| coverage(n, share)).collect();
        assert!((mean(found.iter().copied()) - 0.95).abs() < 0.008, "{n}");
        assert!(found.iter().all(|covered| *covered > 0.83), "{n}");
        // where about one item in all is right or wrong, single points fall to 0.84 and no
        // lower
        let border: Vec<f64> = (1..400)
            .map(|step| coverage(n, f64::from(step) / 100.0 / n as f64))
            .collect();
        assert!(
            border.iter().all(|covered| *covered > 0.83) && mean(border) > 0.94,
            "{n}"
        );
    }
}

/// Shares of runs whose interval of the mean change holds it: expanded percentile of clusters,
/// plain percentile of clusters, of items as if they were independent, and t with the robust
/// error.
fn coverage_of_change(runs: usize, clusters: usize, size: usize, alike: f64) -> [f64; 4] {
    let (gain, loss) = (0.25, 0.10);
    let (items, of_item): (Vec<usize>, Vec<_>) =
        ((0..clusters * size).collect(), groups(clusters, size));
    let together = Resampling::new(&[(&items, &of_item)], &|| false);
    let apart = Resampling::new(&[(&items, &vec![None; items.len()])], &|| false);
    let mut random = SplitMix64::new(3);
    let mut hits = [0.0; 4];
    for _ in 0..runs {
        let changes = changes(&mut random, clusters, size, alike, gain, loss);
        let values: Vec<f64> = changes.iter().map(|&change| f64::from(change)).collect();
        let series = together.series(0, |counts| counted_mean(&changes, counts));
        let mut draws = series.draws().to_vec();
        draws.sort_by(f64::total_cmp);
        let plain = Estimate {
            value: 0.0,
            low: percentile(&draws, 0.025),
            high: percentile(&draws, 0.975),
        };
        let alone = apart
            .series(0, |counts| counted_mean(&changes, counts))
            .estimate()
            .expect("defined");
        let robust = robust_mean(&values, &Clusters::new(items.len(), &[&of_item]))
            .expect("clusters")
            .interval();
        let found = [series.estimate().expect("defined"), plain, alone, robust];
        for (hit, interval) in hits.iter_mut().zip(found) {
            *hit += f64::from(u8::from(holds(&interval, gain - loss)));
        }
    }
    hits.map(|hit| hit / runs as f64)
}

#[test]
fn cluster_bootstrap_covers_with_ten_and_with_sixty_clusters() {
    let count = runs(300);
    let [expanded, plain, _, robust] = coverage_of_change(count, 10, 3, 0.5);
    println!(
        "{count} runs, 10 clusters: expanded {expanded:.3}, plain {plain:.3}, robust t {robust:.3}"
    );
    assert!(
        expanded > 0.95 - slack(count) - 0.02,
        "ten clusters: {expanded}"
    );
    assert!(
        plain < expanded,
        "plain percentiles are narrower: {plain} {expanded}"
    );
    assert!(
        robust > 0.95 - slack(count) - 0.02,
        "ten clusters, t: {robust}"
    );
    let [expanded, _, alone, robust] = coverage_of_change(count, 60, 3, 0.8);
    println!(
        "{count} runs, 60 clusters: expanded {expanded:.3}, of items {alone:.3}, robust t {robust:.3}"
    );
    assert!(
        (expanded - 0.95).abs() < slack(count) + 0.01,
        "sixty clusters: {expanded}"
    );
    assert!(
        (robust - 0.95).abs() < slack(count) + 0.01,
        "sixty clusters, t: {robust}"
    );
    assert!(alone < 0.9, "items drawn alone cover too little: {alone}");
}

#[test]
fn bootstrap_of_independent_items_covers() {
    let count = runs(300);
    let [expanded, ..] = coverage_of_change(count, 150, 1, 0.0);
    println!("{count} runs, 150 items: expanded {expanded:.3}");
    assert!((expanded - 0.95).abs() < slack(count) + 0.01, "{expanded}");
}

#[test]
fn wilson_of_an_effective_number_covers_under_clusters() {
    let count = runs(600);
    let mut random = SplitMix64::new(17);
    let clusters = Clusters::new(180, &[&groups(60, 3)]);
    let (mut with, mut without) = (0.0, 0.0);
    for _ in 0..count {
        let right: Vec<f64> = changes(&mut random, 60, 3, 0.7, 0.9, 0.0)
            .into_iter()
            .map(f64::from)
            .collect();
        let robust = robust_mean(&right, &clusters).expect("clusters");
        let design = if robust.design_effect > 1.0 {
            robust.design_effect
        } else {
            1.0
        };
        with += f64::from(u8::from(holds(&wilson(robust.mean, 180.0 / design), 0.9)));
        without += f64::from(u8::from(holds(&wilson(robust.mean, 180.0), 0.9)));
    }
    let [with, without] = [with, without].map(|hits| hits / count as f64);
    println!(
        "{count} runs, Wilson, 60 clusters: effective items {with:.3}, all items {without:.3}"
    );
    assert!(with > 0.95 - slack(count) - 0.01, "{with}");
    assert!(without < 0.9, "{without}");
}

#[test]
fn sign_flips_of_clusters_err_in_five_of_a_hundred_and_those_of_items_more_often() {
    let count = runs(1500);
    let clusters = Clusters::new(180, &[&groups(60, 3)]);
    let mut random = SplitMix64::new(23);
    let (mut of_clusters, mut of_items) = (0.0, 0.0);
    for _ in 0..count {
        let changes = changes(&mut random, 60, 3, 0.8, 0.2, 0.2);
        of_clusters += f64::from(u8::from(sign_flip(&clusters.sums(&changes)).exact < 0.05));
        of_items += f64::from(u8::from(sign_flip(&changes).exact < 0.05));
    }
    let [of_clusters, of_items] = [of_clusters, of_items].map(|found| found / count as f64);
    println!(
        "{count} runs, sign flips at 0.05: of clusters {of_clusters:.3}, of items {of_items:.3}"
    );
    assert!(
        of_clusters < 0.05 + slack(count) && of_clusters > 0.02,
        "{of_clusters}"
    );
    assert!(of_items > 0.1, "{of_items}");
}

#[test]
fn benjamini_and_hochberg_keep_the_share_of_false_findings() {
    let count = runs(2000);
    let mut random = SplitMix64::new(29);
    let (mut false_share, mut found_any) = (0.0, 0.0);
    for _ in 0..count {
        // fifteen languages without a change, five with small p
        let p_values: Vec<f64> = (0..20)
            .map(|i| {
                if i < 15 {
                    random.uniform()
                } else {
                    random.uniform() * 0.01
                }
            })
            .collect();
        let adjusted = benjamini_hochberg(&p_values);
        let found = adjusted.iter().filter(|p| **p < 0.05).count();
        let wrong = adjusted[..15].iter().filter(|p| **p < 0.05).count();
        false_share += if found == 0 {
            0.0
        } else {
            wrong as f64 / found as f64
        };
        found_any += f64::from(u8::from(found > 0));
    }
    println!(
        "{count} runs, BH: false share {:.4}",
        false_share / count as f64
    );
    assert!(
        false_share / (count as f64) < 0.05 * 15.0 / 20.0 + 0.015,
        "{}",
        false_share / count as f64
    );
    assert!(found_any / count as f64 > 0.8);
}
