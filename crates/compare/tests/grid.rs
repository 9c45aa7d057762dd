//! All runs of a made-up grid as one table: its numbers are those of the runs' own results, its
//! p-values are adjusted over all of them, and what is missing is told.

mod fabricate;

use std::{fs, path::Path};

use compare::{
    CompareError,
    grid::{GridMember, GridResults, GridRow, read},
};
use fabricate::{
    BASE, EMOTION, Mind, Shape,
    grid::{CELLS, LANGUAGES, SETTINGS, manifest, put_grid, put_labelled, put_member},
    put,
};
use schema::{LabelSet, Language, Setting, run_folder::RunFolder};
use serde_json::{Value, json};

fn temporary() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn read_all(members: &[GridMember]) -> GridResults {
    read(members, &|| false).expect("results")
}

fn row<'a>(results: &'a GridResults, member: &str, setting: &str, labels: LabelSet) -> &'a GridRow {
    let mut rows = results.rows.iter();
    rows.find(|row| row.member == member && row.setting == setting && row.labels == labels)
        .expect("a row")
}

#[test]
fn rows_are_what_each_run_says_of_itself() {
    let folder = temporary();
    let members = put_grid(folder.path());
    let results = read_all(&members);
    assert_eq!(results.rows.len(), 4 * 2 * (1 + SETTINGS.len()));
    for member in &members {
        let records = compare::read_run(&member.folder, &|| false).expect("records");
        let own = compare::compute(&records, &|| false).expect("results");
        for block in &own.blocks {
            let base = row(&results, &member.name, "base", block.labels);
            assert_eq!(
                (base.mean, base.languages.len()),
                (block.base.mean, LANGUAGES.len())
            );
            assert!(base.is_base() && base.test.is_none());
            for setting in &block.settings {
                let found = row(&results, &member.name, &setting.name, block.labels);
                let changes = &setting.changes;
                let mean = &changes.mean;
                assert_eq!(
                    (found.base, found.mean, found.change),
                    (Some(mean.before), mean.after, Some(mean.change))
                );
                let p = changes.mean_p.expect("the same items everywhere").exact;
                assert_eq!(found.test.map(|test| test.p), Some(p));
                assert_eq!(found.seed_changes, changes.seed_changes);
                let [a, b] = changes.seed_changes[..] else {
                    panic!("two seeds")
                };
                let sd = found.seed_sd.expect("two seeds");
                assert!((sd - (a - b).abs() / 2_f64.sqrt()).abs() < 1e-12, "{sd}");
                for (of, expected) in found.languages.iter().zip(&changes.languages) {
                    assert_eq!(
                        (of.language, of.accuracy, of.seen),
                        (expected.language, expected.after, expected.seen)
                    );
                    assert_eq!(of.test.map(|test| test.p), Some(expected.p.exact));
                }
            }
        }
    }
    assert!(results.rows.iter().all(|row| row.variant.is_empty()));
    assert!(results.rows.iter().all(|row| row.printed.is_none()));
}

/// Holm's adjustment by its definition: sorted, multiplied by the number of tests from this one
/// on, never falling.
fn holm_by_definition(p_values: &[f64]) -> Vec<f64> {
    let adjusted = |p: f64| {
        let mut sorted = p_values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let up_to = sorted.iter().take_while(|&&other| other <= p).count();
        let scaled = (0..up_to).map(|rank| sorted[rank] * (sorted.len() - rank) as f64);
        scaled.fold(0.0, f64::max).min(1.0)
    };
    p_values.iter().map(|&p| adjusted(p)).collect()
}

#[test]
fn tests_are_adjusted_over_the_whole_grid() {
    let folder = temporary();
    let results = read_all(&put_grid(folder.path()));
    let means: Vec<_> = results.rows.iter().filter_map(|row| row.test).collect();
    let cells: Vec<_> = results
        .rows
        .iter()
        .flat_map(|row| row.languages.iter().filter_map(|of| of.test))
        .collect();
    assert_eq!(
        (results.families.means, results.families.languages),
        (24, 24 * LANGUAGES.len())
    );
    for family in [&means, &cells] {
        let p: Vec<f64> = family.iter().map(|test| test.p).collect();
        for (test, expected) in family.iter().zip(holm_by_definition(&p)) {
            assert!(
                (test.p_holm - expected).abs() < 1e-12,
                "{test:?} {expected}"
            );
        }
        assert!(
            family
                .iter()
                .any(|test| test.p < 0.05 && test.p_holm >= 0.05)
        );
        assert!(family.iter().any(|test| test.p_holm < 0.05));
    }
}

#[test]
fn the_same_records_give_the_same_bytes_without_a_path() {
    let folder = temporary();
    let members = put_grid(folder.path());
    let json = || serde_json::to_string(&read_all(&members)).expect("JSON");
    let first = json();
    assert!(first == json());
    let path = folder.path().display().to_string();
    assert!(
        !first.contains(&path),
        "a path of this machine is in the results"
    );
}

#[test]
fn an_unfinished_run_is_told_and_a_broken_one_refused() {
    let folder = temporary();
    let mut members = vec![put_member(folder.path(), &CELLS[0])];
    let mut begun = manifest("small", "emotion");
    begun["planned"] = json!([
        "audit",
        "eval.base",
        "train.a",
        "eval.a",
        "train.b",
        "eval.b"
    ]);
    put(&members[0].folder.manifest(), &begun.to_string());
    members.push(CELLS[1].member(folder.path()));
    let results = read_all(&members);
    let has = |part: &str| results.missing.iter().any(|gap| gap.contains(part));
    for part in [
        "`small.emotion` is not finished: 2 of 6 stages are done; not yet: `train.a`, `eval.a`, `train.b` and 1 more.",
        "`small.emotion` has no report of its own yet",
        "`small.snli` has no records yet: it is not in these results.",
    ] {
        assert!(has(part), "{part}\n{:?}", results.missing);
    }
    let states: Vec<_> = results
        .members
        .iter()
        .map(|state| (state.name.as_str(), state.done, state.planned))
        .collect();
    assert_eq!(states, [("small.emotion", 2, 6), ("small.snli", 0, 0)]);

    let stale = json!({"stages": {"eval.base": {"outputs": {"answers/base/emotion.english.en.jsonl": "x"}}}});
    let mut old = begun.clone();
    old["stages"] = stale["stages"].clone();
    old["current"] = json!(["audit"]);
    put(&members[0].folder.manifest(), &old.to_string());
    let base = |results: &GridResults| {
        row(results, "small.emotion", "base", LabelSet::English)
            .languages
            .len()
    };
    assert_eq!(
        (base(&results), base(&read_all(&members))),
        (6, 5),
        "answers of another recipe are not read"
    );

    let file = members[0]
        .folder
        .answers("base", "emotion", "english", Language::De);
    fs::write(&file, "{").expect("writes");
    let error = read(&members, &|| false).expect_err("broken").to_string();
    assert!(error.contains("emotion.english.de.jsonl:1"), "{error}");
    assert!(matches!(
        read(&members, &|| true),
        Err(CompareError::Stopped)
    ));
}

/// A run of the tiny shape on one axis more.
fn put_variant(root: &Path, rank: &str, base: Mind) -> GridMember {
    let run = RunFolder::new(root.join("runs").join(rank));
    let languages = [Language::En, Language::Sw];
    put_labelled(
        &run,
        ("small", None),
        (&EMOTION, LabelSet::English),
        &languages,
        base,
    );
    let setting: Setting = SETTINGS[0].parse().expect("a setting");
    let adapter = format!("emotion.{}.seed1", setting.slug());
    let mind = Mind {
        separation: if rank == "8" { 1.2 } else { 2.0 },
        ..BASE
    };
    let who = ("small", Some(adapter.as_str()));
    put_labelled(&run, who, (&EMOTION, LabelSet::English), &languages, mind);
    put(
        &run.manifest(),
        &manifest("/a/folder/of/models/small", "emotion").to_string(),
    );
    let axes = [("task", "emotion"), ("train.lora.rank", rank)];
    GridMember {
        name: format!("rank-{rank}"),
        axes: axes.map(|(a, b)| (a.to_owned(), b.to_owned())).to_vec(),
        folder: run,
    }
}

#[test]
fn only_the_axes_that_tell_rows_apart_are_kept() {
    let folder = temporary();
    let variants = |base: fn(&str) -> Mind| -> Vec<(String, String)> {
        let members = ["8", "64"].map(|rank| put_variant(folder.path(), rank, base(rank)));
        let results = read_all(&members);
        let rows = results.rows.iter().map(|row| {
            let points = row
                .variant
                .iter()
                .map(|of| format!("{}={}", of.axis, of.point));
            (row.setting.clone(), points.collect::<Vec<_>>().join(" "))
        });
        assert!(
            results.rows.iter().all(|row| row.model == "small"),
            "no path"
        );
        rows.collect()
    };
    let [eight, more] = ["train.lora.rank=8", "train.lora.rank=64"].map(str::to_owned);
    let of = |setting: &str, point: &String| (setting.to_owned(), point.clone());
    let expected = [
        of("base", &eight),
        of(SETTINGS[0], &eight),
        of("base", &more),
        of(SETTINGS[0], &more),
    ];
    assert_eq!(variants(|_| BASE), expected);
}

/// Twenty languages with so many items, asked as the paper's recipe says.
fn put_paper(root: &Path, items: usize, edit: fn(&mut Value)) -> GridMember {
    let run = RunFolder::new(root.join("runs/paper"));
    let shape = Shape { items, ..EMOTION };
    let question = (&shape, LabelSet::English);
    put_labelled(&run, ("mistral-7b", None), question, Language::ALL, BASE);
    let mut manifest = manifest("mistral-7b", "emotion");
    manifest["recipe"]["eval"] = json!({"few_shot": "head:2", "protocol": "paper"});
    edit(&mut manifest["recipe"]);
    put(&run.manifest(), &manifest.to_string());
    GridMember {
        name: "paper".to_owned(),
        axes: Vec::new(),
        folder: run,
    }
}

#[test]
fn the_papers_number_is_beside_the_same_cell_alone() {
    let printed = |items: usize, edit: fn(&mut Value)| {
        let folder = temporary();
        let results = read_all(&[put_paper(folder.path(), items, edit)]);
        let row = &results.rows[0];
        let hindi = row.languages.iter().find(|of| of.language == Language::Hi);
        let number = |of: &compare::grid::PrintedValue| (1e4 * of.value).round() / 100.0;
        (
            row.printed.as_ref().map(number),
            hindi.and_then(|of| of.printed.as_ref()).map(number),
        )
    };
    assert_eq!(printed(498, |_| ()), (Some(87.07), Some(81.6)));
    assert_eq!(printed(40, |_| ()), (None, None), "other questions");
    let others: [fn(&mut Value); 3] = [
        |recipe| recipe["model"] = "mistral-7b-instruct".into(),
        |recipe| recipe["eval"]["protocol"] = "corrected".into(),
        |recipe| recipe["eval"]["few_shot"] = "builtin".into(),
    ];
    for edit in others {
        assert_eq!(printed(498, edit), (None, None));
    }
}
