//! The report of a made-up grid: which tables and figures it has, that the best and the clear
//! numbers are marked and no others, and that names steer nothing.

#[path = "../../compare/tests/fabricate/mod.rs"]
mod fabricate;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use compare::grid::{
    AxisPoint, GridLanguage, GridMember, GridResults, GridRow, GridTest, PrintedValue,
    TestFamilies, read,
};
use compare::stats::Estimate;
use fabricate::grid::put_grid;
use schema::{LabelSet, Language, PromptForm};

fn temporary() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn results_of(members: &[GridMember]) -> GridResults {
    read(members, &|| false).expect("results")
}

/// Every file below a folder with its bytes.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => {
                found.insert(path.clone(), fs::read(&path).expect("reads"));
            }
        }
    }
    found
}

fn estimate(value: f64) -> Estimate {
    Estimate {
        value,
        low: value - 0.02,
        high: value + 0.02,
    }
}

/// A base of 0.5, or a setting whose change has the adjusted p-value.
fn row(
    (model, task, labels): (&str, &str, LabelSet),
    setting: &str,
    mean: f64,
    p_holm: f64,
) -> GridRow {
    let is_base = setting == "base";
    let change = (!is_base).then(|| estimate(mean - 0.5));
    let test = (!is_base).then_some(GridTest {
        p: p_holm / 8.0,
        p_holm,
    });
    let language = |language: Language, accuracy: f64| GridLanguage {
        language,
        items: 100,
        seen: false,
        accuracy: estimate(accuracy),
        change,
        test,
        printed: None,
    };
    GridRow {
        member: format!("{model}.{task}"),
        model: model.to_owned(),
        task: task.to_owned(),
        trained_on: (!is_base).then(|| task.to_owned()),
        labels,
        prompt: PromptForm::Plain,
        setting: setting.to_owned(),
        variant: Vec::new(),
        chance: 0.5,
        mean: estimate(mean),
        base: (!is_base).then(|| estimate(0.5)),
        change,
        test,
        seed_changes: if is_base {
            Vec::new()
        } else {
            vec![mean - 0.5]
        },
        seed_sd: None,
        languages: vec![
            language(Language::En, mean + 0.1),
            language(Language::Sw, mean - 0.1),
        ],
        printed: None,
    }
}

fn of_rows(rows: Vec<GridRow>) -> GridResults {
    let means = rows.iter().filter(|row| !row.is_base()).count();
    GridResults {
        members: Vec::new(),
        families: TestFamilies {
            means,
            languages: 2 * means,
            untested: 0,
        },
        rows,
        missing: Vec::new(),
        caveats: Vec::new(),
    }
}

fn table(out: &Path, name: &str) -> String {
    fs::read_to_string(out.join("tables").join(name)).expect("written")
}

/// The lines of a Markdown table.
fn lines_of(markdown: &str) -> Vec<&str> {
    markdown
        .lines()
        .filter(|line| line.starts_with('|'))
        .collect()
}

#[test]
fn two_models_two_tasks_two_label_sets_are_a_page() {
    let folder = temporary();
    let results = results_of(&put_grid(folder.path()));
    let out = folder.path().join("report");
    let notes = ["A remark of the caller.".to_owned()];
    let summary = report::grid::write(&out, "A grid", &results, &notes).expect("a report");
    assert_eq!(summary.page, out.join("index.html"));
    let text = summary.render_text();
    assert!(
        text.contains("missing: A remark of the caller.\n"),
        "{text}"
    );
    assert_eq!(text.matches("zh/de=>en").count(), 8, "{text}");
    let written = files(&out);
    let named = |folder: &str, end: &str| -> Vec<String> {
        let names = written
            .keys()
            .map(|path| path.strip_prefix(&out).expect("below").display());
        let names = names.map(|name| name.to_string());
        names
            .filter_map(|name| {
                let stem = name.strip_prefix(folder)?.strip_suffix(end)?;
                Some(stem.to_owned())
            })
            .collect()
    };
    let expected = [
        "labels.large.emotion",
        "labels.large.snli",
        "labels.small.emotion",
        "labels.small.snli",
        "large.emotion.english",
        "large.emotion.same",
        "large.snli.english",
        "large.snli.same",
        "means.english",
        "means.same",
        "rows",
        "small.emotion.english",
        "small.emotion.same",
        "small.snli.english",
        "small.snli.same",
    ];
    for end in [".md", ".csv", ".tex"] {
        assert_eq!(named("tables/", end), expected);
    }
    let figures = named("figures/", ".svg");
    assert_eq!(figures, named("figures/", ".png"));
    assert_eq!(figures.len(), 2 + 8, "{figures:?}");
    let html = String::from_utf8(written[&out.join("index.html")].clone()).expect("UTF-8");
    for part in [
        "A remark of the caller.",
        "2 models, 2 tasks, 3 settings, 2 ways to ask",
        "over all 24 tests of means",
    ] {
        assert!(html.contains(part), "{part}");
    }
    for name in figures.iter().chain(&expected.map(str::to_owned)) {
        assert!(
            html.contains(&format!("/{name}.")),
            "{name} is not on the page"
        );
    }

    let again = folder.path().join("again");
    report::grid::write(&again, "A grid", &results, &notes).expect("a report");
    let bytes = |all: BTreeMap<PathBuf, Vec<u8>>| -> Vec<Vec<u8>> { all.into_values().collect() };
    assert!(
        bytes(written) == bytes(files(&again)),
        "the same bytes in another folder"
    );
}

#[test]
fn the_best_is_bold_and_what_is_clear_is_marked() {
    let folder = temporary();
    let of = |labels| ("m", "emotion", labels);
    let (english, same) = (LabelSet::English, LabelSet::Same);
    let results = of_rows(vec![
        row(of(english), "base", 0.5, 1.0),
        row(of(english), "zh/de=>en", 0.7, 0.049),
        row(of(english), "sw=>en", 0.6, 0.051),
        row(of(same), "base", 0.5, 1.0),
        row(of(same), "zh/de=>en", 0.3, 0.001),
        row(of(same), "sw=>en", 0.500_04, 1.0),
    ]);
    let out = folder.path().join("report");
    report::grid::write(&out, "t", &results, &[]).expect("a report");
    let labels = table(&out, "labels.m.emotion.md");
    let expected = [
        "| setting | english | same |",
        "| --- | ---: | ---: |",
        "| base | 50.00 | **50.00** |",
        "| zh/de=>en | **70.00†** | 30.00‡ |",
        "| sw=>en | 60.00 | **50.00** |",
    ];
    assert_eq!(lines_of(&labels), expected);
    let caption = "Mean accuracy over languages, %: m, emotion, by label words. † better, ‡ worse than the base: p < 0.05, exact \
                   test of the change, adjusted after Holm over the 4 tests of means in this grid. Bold: best of the column.";
    assert!(labels.starts_with(caption), "{labels}");
    let english = table(&out, "m.emotion.english.md");
    let expected = [
        "| setting | en | sw | mean |",
        "| --- | ---: | ---: | ---: |",
        "| base | 60.0 | 40.0 | 50.00 |",
        "| zh/de=>en | **80.0†** | **60.0†** | **70.00†** |",
        "| sw=>en | 70.0 | 50.0 | 60.00 |",
    ];
    assert_eq!(lines_of(&english), expected);
    assert!(
        english.contains("Holm over the 8 tests of single languages"),
        "{english}"
    );
    let latex = table(&out, "m.emotion.english.tex");
    let line = "zh/de $\\Rightarrow$ en & \\textbf{80.0}$^{\\dagger}$ & \\textbf{60.0}$^{\\dagger}$ & \\textbf{70.00}$^{\\dagger}$ \\\\";
    assert!(latex.contains(line), "{latex}");
    assert!(latex.contains("\\label{tab:m.emotion.english}"), "{latex}");
    let csv = table(&out, "labels.m.emotion.csv");
    assert!(
        csv.contains("zh/de=>en,m,emotion,emotion,same,plain,m.emotion,2,30,50,-20,-22,-18,0.000125,0.001,1,,\n"),
        "{csv}"
    );
}

#[test]
fn tasks_of_several_models_are_grouped_and_crossed_tasks_named() {
    let folder = temporary();
    let english = LabelSet::English;
    let crossed = GridRow {
        trained_on: Some("snli".to_owned()),
        ..row(("a", "emotion", english), "sw=>en", 0.55, 1.0)
    };
    let results = of_rows(vec![
        row(("a", "emotion", english), "base", 0.5, 1.0),
        row(("a", "emotion", english), "sw=>en", 0.7, 1.0),
        crossed,
        row(("b", "snli", english), "base", 0.4, 1.0),
        row(("b", "snli", english), "zh=>en", 0.6, 1.0),
    ]);
    let out = folder.path().join("report");
    report::grid::write(&out, "t", &results, &[]).expect("a report");
    let expected = [
        "| setting | a: emotion | a: emotion (trained on snli) | b: snli |",
        "| --- | ---: | ---: | ---: |",
        "| base | 50.00 | 50.00 | 40.00 |",
        "| sw=>en | **70.00** | **55.00** |  |",
        "| zh=>en |  |  | **60.00** |",
    ];
    assert_eq!(lines_of(&table(&out, "means.english.md")), expected);
    let means = table(&out, "means.english.md");
    assert!(
        means.starts_with("Mean accuracy over languages, %: english labels. † better"),
        "{means}"
    );
    let latex = table(&out, "means.english.tex");
    assert!(
        latex.contains(" & \\multicolumn{2}{c}{a} & \\multicolumn{1}{c}{b} \\\\\n\\cmidrule(lr){2-3}\\cmidrule(lr){4-4}\n"),
        "{latex}"
    );
}

#[test]
fn an_axis_that_no_column_shows_is_part_of_the_names() {
    let folder = temporary();
    let of = ("a", "emotion", LabelSet::English);
    let with_point = |row: GridRow, axis: &str, point: &str| GridRow {
        variant: vec![AxisPoint {
            axis: axis.to_owned(),
            point: point.to_owned(),
        }],
        ..row
    };
    let means = |axis: &str, bases: [f64; 2]| -> String {
        let rows = ["8", "64"].iter().zip(bases).flat_map(|(point, base)| {
            let rows = [row(of, "base", base, 1.0), row(of, "sw=>en", 0.7, 1.0)];
            rows.map(|row| with_point(row, axis, point))
        });
        let out = folder.path().join("report");
        report::grid::write(&out, "t", &of_rows(rows.collect()), &[]).expect("a report");
        table(&out, "means.english.md")
    };
    let expected = [
        "| setting | emotion |",
        "| --- | ---: |",
        "| base | 50.00 |",
        "| sw=>en, rank 8 | **70.00** |",
        "| sw=>en, rank 64 | **70.00** |",
    ];
    let same_base = means("train.lora.rank", [0.5, 0.5]);
    assert_eq!(lines_of(&same_base), expected);
    let other_base = means("dtype", [0.5, 0.4]);
    let bases = ["| base, dtype 8 | 50.00 |", "| base, dtype 64 | 40.00 |"];
    assert_eq!(lines_of(&other_base)[2..4], bases);
}

#[test]
fn printed_numbers_have_a_column_and_are_never_the_best() {
    let folder = temporary();
    let printed = |value: f64| {
        Some(PrintedValue {
            value,
            printed: "Table 2".to_owned(),
        })
    };
    let english = LabelSet::English;
    let mut base = row(("a", "emotion", english), "base", 0.5, 1.0);
    base.printed = printed(0.8707);
    base.languages[0].printed = printed(0.892);
    let results = of_rows(vec![
        base,
        row(("a", "emotion", english), "sw=>en", 0.7, 1.0),
        row(("b", "emotion", english), "base", 0.5, 1.0),
    ]);
    let out = folder.path().join("report");
    report::grid::write(&out, "t", &results, &[]).expect("a report");
    let means = table(&out, "means.english.md");
    let expected = [
        "| setting | a | paper | b |",
        "| --- | ---: | ---: | ---: |",
        "| base | 50.00 | 87.07 | **50.00** |",
        "| sw=>en | **70.00** |  |  |",
    ];
    assert_eq!(lines_of(&means), expected);
    assert!(
        means.contains("printed in arXiv 2405.13816, Table 2"),
        "{means}"
    );
    let expected = [
        "| setting | en | sw | mean |",
        "| --- | ---: | ---: | ---: |",
        "| base | 60.0 | 40.0 | 50.00 |",
        "| paper | 89.2 |  | 87.07 |",
        "| sw=>en | **80.0** | **60.0** | **70.00** |",
    ];
    assert_eq!(lines_of(&table(&out, "a.emotion.english.md")), expected);
    let other = table(&out, "b.emotion.english.md");
    assert!(
        !other.contains("paper") && !other.contains("Paper"),
        "{other}"
    );
}

#[test]
fn hostile_names_are_shown_and_steer_nothing() {
    let folder = temporary();
    let model = "../<script>alert(1)</script>|\u{202e}\\input{x}";
    let task = "=cmd()\n[a](javascript:x)";
    let mut results = of_rows(vec![
        row((model, task, LabelSet::English), "base", 0.5, 1.0),
        row((model, task, LabelSet::English), "sw=>en", 0.7, 0.01),
        row(("other", task, LabelSet::English), "base", 0.5, 1.0),
    ]);
    results.missing.push("<img src=x> \u{202e}".to_owned());
    results.members.push(compare::grid::GridMemberState {
        name: "<b>run</b>".to_owned(),
        axes: Vec::new(),
        folder: "a\"><b>".to_owned(),
        model: model.to_owned(),
        done: 1,
        planned: 1,
        has_page: true,
    });
    let out = folder.path().join("report");
    report::grid::write(&out, "# <script>x</script>\n## Two", &results, &[]).expect("a report");
    for (path, bytes) in files(folder.path()) {
        assert!(path.starts_with(&out), "{}", path.display());
        let name = path.file_name().expect("a name").to_string_lossy();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-.".contains(c);
        assert!(name.chars().all(is_plain), "{name}");
        let Ok(text) = String::from_utf8(bytes) else {
            continue; // a picture
        };
        if !name.ends_with(".json") {
            assert!(!text.contains('\u{202e}'), "{name}");
        }
        if name.ends_with(".html") || name.ends_with(".md") {
            for odd in ["<script>alert", "<img", "<b>run"] {
                assert!(!text.contains(odd), "{name}: {odd}");
            }
            for odd in ["](javascript", "\n## Two"] {
                assert!(
                    !name.ends_with(".md") || !text.contains(odd),
                    "{name}: {odd}"
                );
            }
        }
        if name.ends_with(".tex") {
            assert!(!text.contains("\\input{"), "{name}: {text}");
        }
        if name.ends_with(".csv") {
            let formula = |line: &str| {
                line.split(',')
                    .any(|cell| cell.trim_matches('"').starts_with('='))
            };
            assert!(!text.lines().any(formula), "{name}: {text}");
        }
    }
    let html = fs::read_to_string(out.join("index.html")).expect("reads");
    assert!(html.contains("href=\"../runs/a%22%3E%3Cb%3E/report/index.html\""));
}

#[test]
fn a_grid_without_answers_has_a_page_that_says_so() {
    let folder = temporary();
    let cell = &fabricate::grid::CELLS[0];
    let results = results_of(&[cell.member(folder.path())]);
    let out = folder.path().join("report");
    let summary = report::grid::write(&out, "t", &results, &[]).expect("a report");
    let expected = format!(
        "missing: `small.emotion` has no records yet: it is not in these results.\nreport: {}\n",
        out.join("index.html").display()
    );
    assert_eq!(summary.render_text(), expected);
    let html = fs::read_to_string(out.join("index.html")).expect("reads");
    assert!(html.contains("No tuned model has answers yet."));
    let stopped = report::grid::write_unless(&out, "t", &results, &[], &|| true);
    assert_eq!(
        stopped.expect_err("stopped").to_string(),
        "interrupted; nothing was written"
    );
}
