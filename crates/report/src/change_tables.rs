//! The tables of one change: a small one to read first, and behind it all that was measured.

use crate::{
    change::{Changes, LanguageChange, MeanChange},
    consistency::AgainstChance,
    format::percent,
    groups::GapToEnglish,
    sheet::{Cell, Head, align_left, push, start},
    stats::{Estimate, components::Components},
    table::Table,
};

/// The main table, and those behind it. `name` is that of the main table's file; the others' is longer.
pub(crate) fn tables_of(name: String, changes: &Changes) -> (Table, Vec<Table>) {
    let of = |part: &str| format!("{name}.{part}");
    let mut tables = vec![
        groups(of("groups"), changes),
        separation(of("separation"), changes),
        labels(of("labels"), changes),
        confusion(of("confusion"), changes),
        reliability(of("reliability"), changes),
    ];
    tables.extend(agreement(of("agreement"), changes));
    tables.extend(english(of("english"), changes));
    (main_table(name, changes), tables)
}

fn language_cell(of: &LanguageChange) -> Cell {
    let mark = if of.seen { " ▪" } else { "" };
    Cell::Text(format!("{} ({}){mark}", of.language.name(), of.language))
}

fn code_cell(of: &LanguageChange) -> Cell {
    Cell::text(of.language.code())
}

const MAIN: [Head<'static>; 15] = [
    ("language", "", false),
    ("", "language", false),
    ("", "seen", false),
    ("items", "items", false),
    ("before", "before", true),
    ("after", "after", true),
    ("change [95 %]", "change", true),
    ("p", "p", false),
    ("", "p_mid", false),
    ("p Holm", "p_holm", false),
    ("p BH", "p_bh", false),
    ("the change is", "verdict", false),
    ("seeds", "", false),
    ("", "seed_min", false),
    ("", "seed_max", false),
];

fn main_table(name: String, changes: &Changes) -> Table {
    let caption = "Accuracy in %, change in points with its 95 % interval, exact p of the paired test, the same after Holm \
                   and after Benjamini and Hochberg, and what the change is by the rules in the notes. ▪: seen in training.";
    let mut table = start(name, caption, &MAIN);
    for of in &changes.languages {
        let fold = |pick: fn(f64, f64) -> f64| of.after_seeds.iter().copied().fold(f64::NAN, pick);
        let (low, high) = (fold(f64::min), fold(f64::max));
        let cells = [
            language_cell(of),
            code_cell(of),
            Cell::Text(of.seen.to_string()),
            Cell::Count(of.items),
            Cell::Level(Some(of.before)),
            Cell::Level(Some(of.after)),
            Cell::Change(Some(of.change)),
            Cell::P(Some(of.p.exact)),
            Cell::P(Some(of.p.mid)),
            Cell::P(Some(of.p_holm)),
            Cell::P(Some(of.p_bh)),
            Cell::text(of.attribution.verdict.short()),
            Cell::Text(format!("{}–{}", percent(low, 1), percent(high, 1))),
            Cell::Share(Some(low)),
            Cell::Share(Some(high)),
        ];
        push(&mut table, &MAIN, &cells, false);
    }
    let means = [("mean", Some(&changes.mean), changes.mean_p), ("mean of seen", changes.seen.as_ref(), None)];
    for (name, mean, p) in means.into_iter().chain([("mean of unseen", changes.unseen.as_ref(), None)]) {
        let Some(mean) = mean else { continue };
        let cells = [
            Cell::Text(format!("{name} ({})", mean.languages)),
            Cell::text(name),
            Cell::Empty,
            Cell::Empty,
            Cell::Level(Some(mean.before)),
            Cell::Level(Some(mean.after)),
            Cell::Change(Some(mean.change)),
            p.map_or(Cell::Empty, |p| Cell::P(Some(p.exact))),
            p.map_or(Cell::Empty, |p| Cell::P(Some(p.mid))),
            Cell::Empty,
            Cell::Empty,
            Cell::text(mean.attribution.verdict.short()),
            Cell::Empty,
            Cell::Empty,
            Cell::Empty,
        ];
        push(&mut table, &MAIN, &cells, true);
    }
    table.keep_named();
    if changes.seed_changes.len() < 2 {
        table.columns.pop();
        table.rows.iter_mut().for_each(|row| drop(row.cells.pop()));
    }
    align_left(&mut table, &["the change is"]);
    table
}

const GROUPS: [Head<'static>; 9] = [
    ("group", "group", false),
    ("languages", "languages", false),
    ("before", "before", true),
    ("after", "after", true),
    ("change [95 %]", "change", true),
    ("AUC change [95 %]", "auc_change", true),
    ("calibrated change [95 %]", "batch_change", true),
    ("the change is", "verdict", false),
    ("detectable", "detectable", false),
];

fn groups(name: String, changes: &Changes) -> Table {
    let caption = "Means over groups of languages: accuracy in %, changes in points; calibrated: batch calibration; \
                   detectable: the smallest change that these items show with power 0.8, points. Resource class: Joshi \
                   et al. 2020, 0 to 5.";
    let mut table = start(name, caption, &GROUPS);
    let mut add = |name: String, mean: &MeanChange, codes: String, strong: bool| {
        let cells = [
            Cell::Text(name),
            Cell::Text(codes),
            Cell::Level(Some(mean.before)),
            Cell::Level(Some(mean.after)),
            Cell::Change(Some(mean.change)),
            Cell::AreaChange(mean.auc.map(|auc| auc.change)),
            Cell::Change(mean.batch.map(|batch| batch.change)),
            Cell::text(mean.attribution.verdict.short()),
            Cell::Share(Some(mean.detectable)),
        ];
        push(&mut table, &GROUPS, &cells, strong);
    };
    add("all".to_owned(), &changes.mean, changes.mean.languages.to_string(), true);
    for (name, mean) in [("seen in training", &changes.seen), ("not seen", &changes.unseen)] {
        if let Some(mean) = mean {
            add(name.to_owned(), mean, mean.languages.to_string(), false);
        }
    }
    for group in &changes.groups {
        let codes: Vec<&str> = group.languages.iter().map(|language| language.code()).collect();
        add(format!("{}: {}", group.kind, group.name), &group.mean, codes.join(" "), false);
    }
    align_left(&mut table, &["languages", "the change is"]);
    table
}

const SEPARATION: [Head<'static>; 11] = [
    ("language", "language", false),
    ("AUC before", "auc_before", true),
    ("AUC after", "auc_after", true),
    ("AUC change [95 %]", "auc_change", true),
    ("contextual before", "contextual_before", true),
    ("contextual after", "contextual_after", true),
    ("contextual change [95 %]", "contextual_change", true),
    ("batch before", "batch_before", true),
    ("batch after", "batch_after", true),
    ("batch change [95 %]", "batch_change", true),
    ("prior's part [95 %]", "prior_part", true),
];

fn separation(name: String, changes: &Changes) -> Table {
    let caption = "How well the labels are told apart: AUC, and accuracy in % after contextual and after batch \
                   calibration. Prior's part: the change of raw accuracy less that of batch-calibrated accuracy, points.";
    let mut table = start(name, caption, &SEPARATION);
    let mut add = |name: Cell, [auc, contextual, batch]: [Option<crate::levels::BeforeAfter>; 3], prior, strong| {
        let level = |of: Option<crate::levels::BeforeAfter>| {
            [
                Cell::Level(of.map(|of| of.before)),
                Cell::Level(of.map(|of| of.after)),
                Cell::Change(of.map(|of| of.change)),
            ]
        };
        let areas = [
            name,
            Cell::Area(auc.map(|of| of.before)),
            Cell::Area(auc.map(|of| of.after)),
            Cell::AreaChange(auc.map(|of| of.change)),
        ];
        let cells = areas.into_iter().chain(level(contextual)).chain(level(batch)).chain([Cell::Change(prior)]);
        push(&mut table, &SEPARATION, &cells.collect::<Vec<_>>(), strong);
    };
    for of in &changes.languages {
        add(code_cell(of), [of.auc, of.calibrated, of.batch], of.attribution.prior_part, false);
    }
    let mean = &changes.mean;
    add(Cell::text("mean"), [mean.auc, mean.calibrated, mean.batch], mean.attribution.prior_part, true);
    table
}

fn labels(name: String, changes: &Changes) -> Table {
    let caption = "Which labels are chosen: share in % of each label among the right, the chosen before and the chosen after; \
                   entropy of the chosen shares in bits; distance of chosen from right shares in points.";
    let parts = ["gold", "before", "after"];
    let titles: Vec<(String, String)> = changes
        .labels
        .iter()
        .flat_map(|label| parts.map(|part| (format!("{label} {part}"), format!("{label}_{part}"))))
        .collect();
    let heads: Vec<Head> = [("language", "language", false)]
        .into_iter()
        .chain(titles.iter().map(|(title, name)| (title.as_str(), name.as_str(), false)))
        .chain([
            ("entropy before", "entropy_before", false),
            ("entropy after", "entropy_after", false),
            ("distance before", "distance_before", false),
            ("distance after", "distance_after", false),
        ])
        .collect();
    let mut table = start(name, caption, &heads);
    for of in &changes.languages {
        let labels = &of.labels;
        let shares = (0..changes.labels.len()).flat_map(|label| {
            [&labels.gold, &labels.before, &labels.after].map(|shares| Cell::Share(Some(shares[label])))
        });
        let rest = [
            Cell::Number(labels.entropy.0),
            Cell::Number(labels.entropy.1),
            Cell::Share(Some(labels.distance.0)),
            Cell::Share(Some(labels.distance.1)),
        ];
        let cells: Vec<Cell> = [code_cell(of)].into_iter().chain(shares).chain(rest).collect();
        push(&mut table, &heads, &cells, false);
    }
    table
}

fn confusion(name: String, changes: &Changes) -> Table {
    let caption = "Confusion matrices: of the items of each right label, how many get which; means over seeds and \
                   exemplar sets.";
    let titles: Vec<(String, String)> = ["before", "after"]
        .iter()
        .flat_map(|when| changes.labels.iter().map(move |l| (format!("{l} {when}"), format!("{l}_{when}"))))
        .collect();
    let heads: Vec<Head> = [("language", "language", false), ("right label", "gold", false)]
        .into_iter()
        .chain(titles.iter().map(|(title, name)| (title.as_str(), name.as_str(), false)))
        .collect();
    let mut table = start(name, caption, &heads);
    for of in &changes.languages {
        for (gold, label) in changes.labels.iter().enumerate() {
            let counts = of.labels.confusion_before[gold].iter().chain(&of.labels.confusion_after[gold]);
            let counts = counts
                .map(|&count| if count.fract() == 0.0 { Cell::Count(count as usize) } else { Cell::Number(count) });
            let cells: Vec<Cell> = [code_cell(of), Cell::text(label.as_str())].into_iter().chain(counts).collect();
            push(&mut table, &heads, &cells, false);
        }
    }
    align_left(&mut table, &["right label"]);
    table
}

const RELIABILITY: [Head<'static>; 13] = [
    ("language", "language", false),
    ("items", "items", false),
    ("clusters", "clusters", false),
    ("design effect", "design_effect", false),
    ("became right", "became_right", false),
    ("became wrong", "became_wrong", false),
    ("detectable", "detectable", false),
    ("change, robust [95 %]", "robust", true),
    ("SD seeds", "sd_seeds", false),
    ("SD exemplars", "sd_exemplars", false),
    ("SD items", "sd_items", false),
    ("SD rest", "sd_rest", false),
    ("change, other seeds too [95 %]", "wide", true),
];

fn reliability(name: String, changes: &Changes) -> Table {
    let caption = "How far the change can be trusted: items that share a text are one cluster, the design effect is what \
                   this costs; shares in % that became right and wrong; the smallest change shown with power 0.8, points; \
                   change with a cluster-robust standard error; standard deviations of the change between seeds, exemplar \
                   sets, items, and by their interplay, points; change with an interval for other seeds and exemplars too.";
    let mut table = start(name, caption, &RELIABILITY);
    for of in &changes.languages {
        let r = &of.reliability;
        let heads = [
            code_cell(of),
            Cell::Count(of.items),
            Cell::Count(r.clusters),
            Cell::Number(r.design_effect),
            Cell::Share(Some(r.discordant.0)),
            Cell::Share(Some(r.discordant.1)),
            Cell::Share(r.detectable),
            Cell::Change(r.robust),
        ];
        let cells: Vec<Cell> = heads.into_iter().chain(spread(r.components)).chain([Cell::Change(r.wide)]).collect();
        push(&mut table, &RELIABILITY, &cells, false);
    }
    let r = changes.reliability.as_ref();
    let heads = [
        Cell::text("mean"),
        Cell::Empty,
        Cell::Empty,
        Cell::Empty,
        Cell::Empty,
        Cell::Empty,
        Cell::Share(Some(changes.mean.detectable)),
        Cell::Empty,
    ];
    let rest = spread(r.map(|r| r.change)).into_iter().chain([Cell::Change(r.map(|r| r.wide))]);
    push(&mut table, &RELIABILITY, &heads.into_iter().chain(rest).collect::<Vec<_>>(), true);
    table
}

/// Standard deviations; an estimate below 0 is shown as 0.
fn spread(components: Option<Components>) -> [Cell; 4] {
    let deviation = |variance: Option<f64>| Cell::Share(variance.map(|variance| variance.max(0.0).sqrt()));
    let of = |pick: fn(Components) -> Option<f64>| deviation(components.and_then(pick));
    [of(|c| c.seed), of(|c| c.exemplars), of(|c| Some(c.items)), of(|c| c.rest)]
}

const AGREEMENT: [Head<'static>; 6] = [
    ("measure", "measure", false),
    ("before", "before", true),
    ("chance before", "chance_before", false),
    ("after", "after", true),
    ("chance after", "chance_after", false),
    ("change [95 %]", "change", true),
];

fn agreement(name: String, changes: &Changes) -> Option<Table> {
    let consistency = changes.consistency.as_ref()?;
    let caption = format!(
        "Do {} languages get the same answers? Share of items answered alike in all, share of pairs of languages that \
         answer alike, RankC (how alike the rankings of the labels are, mean over pairs), all in %. Chance: what the \
         languages' own label shares and rankings give without knowing the item.",
        consistency.languages
    );
    let mut table = start(name, caption, &AGREEMENT);
    let rows = [
        ("alike in all", &consistency.all_alike),
        ("pairs alike", &consistency.pairs_alike),
        ("RankC", &consistency.rank_consistency),
    ];
    for (name, of) in rows {
        push(&mut table, &AGREEMENT, &against_chance(Cell::text(name), of), false);
    }
    let kappa = |value: f64| Cell::Area(Some(Estimate { value, low: f64::NAN, high: f64::NAN }));
    let (before, after) = consistency.kappa;
    let cells = [Cell::text("Fleiss' kappa"), kappa(before), Cell::Empty, kappa(after), Cell::Empty, Cell::Empty];
    push(&mut table, &AGREEMENT, &cells, false);
    Some(table)
}

fn against_chance(name: Cell, of: &AgainstChance) -> [Cell; 6] {
    [
        name,
        Cell::Level(Some(of.measured.before)),
        Cell::Share(Some(of.chance.0)),
        Cell::Level(Some(of.measured.after)),
        Cell::Share(Some(of.chance.1)),
        Cell::Change(Some(of.measured.change)),
    ]
}

const ENGLISH: [Head<'static>; 14] = [
    ("language", "language", false),
    ("gap before", "gap_before", true),
    ("gap after", "gap_after", true),
    ("gap change [95 %]", "gap_change", true),
    ("alike before", "alike_before", true),
    ("chance", "alike_chance_before", false),
    ("alike after", "alike_after", true),
    ("chance", "alike_chance_after", false),
    ("alike change [95 %]", "alike_change", true),
    ("RankC before", "rankc_before", true),
    ("chance", "rankc_chance_before", false),
    ("RankC after", "rankc_after", true),
    ("chance", "rankc_chance_after", false),
    ("RankC change [95 %]", "rankc_change", true),
];

fn english(name: String, changes: &Changes) -> Option<Table> {
    let mean = changes.gap.as_ref()?;
    let caption = "Each language against English: gap of accuracy in points (English less the language; a change below 0 \
                   closes it), share of items answered as in English and RankC with English in %, with their chance \
                   levels.";
    let mut table = start(name, caption, &ENGLISH);
    let gap =
        |of: &GapToEnglish| [Cell::Level(Some(of.before)), Cell::Level(Some(of.after)), Cell::Change(Some(of.change))];
    for of in &changes.languages {
        let Some(of_gap) = &of.gap else { continue };
        let with = changes.consistency.iter().flat_map(|c| &c.with_english).find(|with| with.language == of.language);
        let mut cells: Vec<Cell> = [code_cell(of)].into_iter().chain(gap(of_gap)).collect();
        match with {
            Some(with) => {
                for part in [&with.alike, &with.rank_consistency] {
                    cells.extend(against_chance(Cell::Empty, part).into_iter().skip(1));
                }
            }
            None => cells.extend((0..10).map(|_| Cell::Empty)),
        }
        push(&mut table, &ENGLISH, &cells, false);
    }
    let cells = [Cell::text("mean")].into_iter().chain(gap(mean)).chain((0..10).map(|_| Cell::Empty));
    push(&mut table, &ENGLISH, &cells.collect::<Vec<_>>(), true);
    Some(table)
}
