//! The report of a made-up run: what is written, that its numbers are those of the records, and
//! what broken records get.

#[path = "../../compare/tests/fabricate/mod.rs"]
mod fabricate;

use std::{fs, path::Path};

use compare::CompareError;
use fabricate::{BASE, EMOTION, Mind, answers, lines, put, put_answers, put_run};
use report::{ReportError, Summary};
use schema::{AnswerRecord, Language, Protocol, run_folder::RunFolder};

fn temporary() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn read(run: &RunFolder, name: &str) -> String {
    fs::read_to_string(run.report().join(name)).expect("written")
}

/// Two languages, base and one setting, 8 items with hand-set answers: `right[language][item]`
/// before and after.
fn put_small(run: &RunFolder) {
    let rows: [(Language, [u8; 8], [u8; 8]); 2] = [
        (
            Language::En,
            [1, 1, 1, 1, 0, 0, 0, 0],
            [1, 1, 1, 1, 1, 1, 1, 0],
        ),
        (
            Language::Sw,
            [1, 0, 1, 0, 1, 0, 1, 0],
            [0, 0, 1, 0, 1, 0, 1, 0],
        ),
    ];
    for (language, before, after) in rows {
        for (model, right) in [("base", before), ("emotion.zh-en.seed1", after)] {
            let adapter = (model != "base").then_some(model);
            let records: Vec<AnswerRecord> = answers(&EMOTION, language, BASE, adapter)
                .into_iter()
                .take(8)
                .map(|record| set_right(record, right[..].to_vec()))
                .collect();
            put(
                &run.answers(model, "emotion", "english", language),
                &lines(&records),
            );
        }
    }
}

/// Score 0.6 for the right label where it is right, 0.2 where it is not; an even prior.
fn set_right(mut record: AnswerRecord, right: Vec<u8>) -> AnswerRecord {
    record.correct = right[record.item] == 1;
    let gold = record.gold.clone();
    record.scores.iter_mut().for_each(|(label, score)| {
        *score = if (*label == gold) == record.correct {
            0.6
        } else {
            0.2
        };
    });
    record.chosen = record
        .scores
        .iter()
        .find(|(_, score)| **score == 0.6)
        .map(|(label, _)| label.clone())
        .expect("one");
    record.prior.values_mut().for_each(|prior| *prior = 0.4);
    record
}

#[test]
fn tables_hold_the_records_numbers() {
    let folder = temporary();
    let run = RunFolder::new(folder.path());
    put_small(&run);
    let summary = report::write(&run).expect("a report");
    let expected = "\
language,seen,items,before,before_low,before_high,after,after_low,after_high,change,change_low,change_high,p,p_mid,p_holm,\
p_bh,verdict,seed_min,seed_max
en,true,8,50,21.521606,78.478394,87.5,52.911182,97.758251,37.5,0,87.5,0.25,0.125,0.5,0.5,unclear,87.5,87.5
sw,false,8,50,21.521606,78.478394,37.5,13.684429,69.425761,-12.5,-50,0,1,0.5,1,1,unclear,37.5,37.5
";
    let csv = read(&run, "tables/emotion.english.emotion-zh-en.csv");
    let languages: String = csv
        .lines()
        .take(3)
        .map(|line| line.to_owned() + "\n")
        .collect();
    // Every number is that of statsmodels, scikit-learn and 20 000 draws of numpy:
    // reference.py.
    assert_eq!(languages, expected);
    let csv = read(&run, "tables/emotion.english.emotion-zh-en.separation.csv");
    let row = |at: usize| -> Vec<f64> {
        csv.lines()
            .nth(at)
            .expect("a row")
            .split(',')
            .skip(1)
            .map(|cell| cell.parse().unwrap_or(f64::NAN))
            .collect()
    };
    // the last end is 0.833 of numpy's draws: the two are neighbours among the values that
    // eight items can give
    assert_eq!(
        [row(1)[0], row(1)[3], row(1)[7], row(1)[8]],
        [0.5, 0.875, 0.0, 0.857143],
        "AUC, ends of its change"
    );
    assert_eq!(
        [row(2)[0], row(2)[3], row(2)[7], row(2)[8]],
        [0.5, 0.375, -0.5, 0.0]
    );

    let expected = "\
| setting |      mean |       en |       sw |
| ------- | --------: | -------: | -------: |
| base    |     50.00 |     50.0 | **50.0** |
| zh=>en  | **62.50** | **87.5** |     37.5 |
";
    let table = read(&run, "tables/emotion.english.md");
    assert!(
        table.starts_with("Accuracy by language, %; mean over seeds."),
        "{table}"
    );
    assert_eq!(table.split_once("\n\n").expect("a caption").1, expected);

    let text = summary.render_text();
    let expected = "\
task     labels   setting  languages  seeds  accuracy %    change, points [95 %]  separates labels (AUC)
emotion  english  base             2              50.00
emotion  english  zh=>en           2      1       62.50  +12.50 [−18.75, +43.75]  0.500 → 0.625 (unclear)

missing: There is no `manifest.json`: recipe, versions and hashes are unknown.
note: emotion, english labels, base: one label for every item in sw: each answer is `positive`, so the accuracy is the \
share of items with that label
";
    assert_eq!(text.split("report: ").next(), Some(expected), "{text}");
    assert_eq!(summary.rows[0].settings[0].seeds, 1);
}

#[test]
fn a_whole_run_is_told_apart_by_cause() {
    let folder = temporary();
    let languages = [
        Language::En,
        Language::Zh,
        Language::De,
        Language::Ja,
        Language::Th,
        Language::Sw,
    ];
    let run = put_run(folder.path(), &languages);
    let summary: Summary = report::write(&run).expect("a report");
    let emotion = &summary.rows[0];
    let names: Vec<&str> = emotion
        .settings
        .iter()
        .map(|setting| setting.name.as_str())
        .collect();
    assert_eq!(names, ["zh/de=>en", "sw=>en"], "in the recipe's order");
    let [better, moved] = [0, 1].map(|index| &emotion.settings[index]);
    assert!(
        better.change.rises() && better.auc.is_some_and(|auc| auc.change.rises()),
        "{better:?}"
    );
    assert!(
        moved.change.rises() && !moved.auc.is_some_and(|auc| auc.change.rises()),
        "{moved:?}"
    );
    assert_eq!((better.seeds, moved.seeds), (3, 1));
    assert!(summary.gaps.is_empty(), "{:?}", summary.gaps);
    check_sums(&serde_json::from_str(&read(&run, "results.json")).expect("JSON"));

    let page = read(&run, "index.html");
    assert!(page.contains("A shift between the labels can explain"));
    assert!(page.contains("The model tells the labels apart better"));
    assert!(
        page.contains("<title>Question translation on a small model</title>")
            && page.contains("train.lora.rank")
    );
    assert_eq!(
        page.matches("<svg").count(),
        10,
        "overview, a map, 3 x 2, 2 losses"
    );
    for outside in [
        "<script src",
        "<link rel=\"stylesheet",
        "@import",
        "src=\"http",
        "url(",
    ] {
        assert!(!page.contains(outside), "{outside} would load something");
    }
    let markdown = read(&run, "report.md");
    for line in markdown.lines().filter(|line| line.starts_with("![")) {
        let name = line
            .split("](")
            .nth(1)
            .and_then(|rest| rest.strip_suffix(')'))
            .expect("a link");
        assert!(
            run.report().join(name).is_file(),
            "{name} is linked but not written"
        );
    }
    let loss = read(&run, "figures/loss.emotion-sw-en.svg");
    assert!(loss.contains("class=\"best\"") && !loss.contains("var(--"));
}

/// Every change is after minus before and lies in its interval; means are over languages, and
/// over seeds.
fn check_sums(results: &serde_json::Value) {
    let number = |value: &serde_json::Value| value.as_f64().expect("a number");
    let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
    let average =
        |values: &[serde_json::Value]| values.iter().map(number).sum::<f64>() / values.len() as f64;
    let list = |value: &serde_json::Value| value.as_array().expect("a list").clone();
    for setting in list(&results["blocks"])
        .iter()
        .flat_map(|block| list(&block["settings"]))
    {
        let changes = &setting["changes"];
        let languages = list(&changes["languages"]);
        for of in languages
            .iter()
            .chain([&changes["mean"], &changes["seen"], &changes["unseen"]])
        {
            let change = &of["change"];
            near(
                number(&of["after"]["value"]) - number(&of["before"]["value"]),
                number(&change["value"]),
            );
            assert!(number(&change["low"]) <= number(&change["value"]), "{of}");
            assert!(number(&change["high"]) >= number(&change["value"]), "{of}");
            for measure in ["auc", "batch", "calibrated"] {
                let of = |part: &str| number(&of[measure][part]["value"]);
                near(of("after") - of("before"), of("change"));
            }
            let part = number(&of["attribution"]["prior_part"]["value"]);
            near(
                number(&change["value"]) - number(&of["batch"]["change"]["value"]),
                part,
            );
        }
        for of in &languages {
            near(
                number(&of["after"]["value"]),
                average(&list(&of["after_seeds"])),
            );
        }
        let after: Vec<serde_json::Value> = languages
            .iter()
            .map(|of| of["after"]["value"].clone())
            .collect();
        near(average(&after), number(&changes["mean"]["after"]["value"]));
        near(
            average(&list(&changes["seed_changes"])),
            number(&changes["mean"]["change"]["value"]),
        );
    }
}

#[test]
fn the_same_records_give_the_same_bytes() {
    let folder = temporary();
    let run = put_run(folder.path(), &[Language::En, Language::Th]);
    let write = || {
        report::write(&run).expect("a report");
        (read(&run, "index.html"), read(&run, "results.json"))
    };
    assert!(write() == write());
}

#[test]
fn base_alone_and_training_alone_have_a_page() {
    let folder = temporary();
    let run = RunFolder::new(folder.path());
    put_answers(&run, "base", &EMOTION, &[Language::En, Language::De], BASE);
    let summary = report::write(&run).expect("a report");
    assert!(summary.rows[0].settings.is_empty());
    assert!(read(&run, "tables/emotion.english.base.md").contains("| English (en) |    40 |"));

    let folder = temporary();
    let run = RunFolder::new(folder.path());
    put(
        &run.train_log("emotion.zh-en.seed1"),
        &lines(&fabricate::training(40, 3)),
    );
    let summary = report::write(&run).expect("a report");
    assert!(
        summary
            .gaps
            .iter()
            .any(|gap| gap.contains("no answers yet")),
        "{:?}",
        summary.gaps
    );
    assert!(read(&run, "index.html").contains("zh=&gt;en, questions of emotion"));
}

#[test]
fn what_is_missing_is_told() {
    let folder = temporary();
    let run = RunFolder::new(folder.path());
    let tuned = Mind {
        separation: 2.0,
        ..BASE
    };
    put_answers(&run, "base", &EMOTION, &[Language::En, Language::De], BASE);
    put_answers(
        &run,
        "emotion.zh-en.seed1",
        &EMOTION,
        &[Language::En],
        tuned,
    );
    put_answers(
        &run,
        "emotion.zh-en.seed1",
        &fabricate::SNLI,
        &[Language::En],
        tuned,
    );
    let gaps = report::write(&run).expect("a report").gaps;
    let has = |part: &str| gaps.iter().any(|gap| gap.contains(part));
    assert!(
        has("`emotion.zh-en.seed1` has no answers in de"),
        "{gaps:?}"
    );
    assert!(
        has("answered snli with english labels") && has("Evaluate the base as well"),
        "{gaps:?}"
    );
}

/// The error of a run whose base answers in English are `edit`ed.
fn error_after(edit: impl Fn(&mut Vec<AnswerRecord>) -> String) -> String {
    let folder = temporary();
    let run = RunFolder::new(folder.path());
    put_answers(&run, "emotion.zh-en.seed1", &EMOTION, &[Language::En], BASE);
    let mut records = answers(&EMOTION, Language::En, BASE, None);
    let after = edit(&mut records);
    put(
        &run.answers("base", "emotion", "english", Language::En),
        &(lines(&records) + &after),
    );
    report::write(&run).expect_err("broken").to_string()
}

#[test]
fn broken_records_are_named_by_file_and_line() {
    type Edit = fn(&mut Vec<AnswerRecord>) -> String;
    let cases: [(Edit, &str); 9] = [
        (
            |_| "{\"model\": \"x\"\n".to_owned(),
            "emotion.english.en.jsonl:41: EOF while parsing an object",
        ),
        (
            |r| lines(&r[3..4]),
            "emotion.english.en.jsonl:41: duplicate item 3 in `en`",
        ),
        (
            |r| {
                r[1].scores.remove("negative");
                r[1].gold = "negative".to_owned();
                String::new()
            },
            "emotion.english.en.jsonl:2: item 1: the gold label `negative` has no score (scores: positive)",
        ),
        (
            |r| {
                r[2].correct = !r[2].correct;
                String::new()
            },
            "en.jsonl:3: item 2: gold is `positive`",
        ),
        (
            |r| {
                let other = if r[0].chosen == "positive" {
                    "negative"
                } else {
                    "positive"
                };
                r[0].scores.insert(other.to_owned(), 0.99);
                String::new()
            },
            "en.jsonl:1: item 0: `positive` is chosen with",
        ),
        (
            |r| {
                r[4].few_shot = "head:6".to_owned();
                String::new()
            },
            "in `en` one has 39 items and the other 40; among those only one has: 4; evaluate both in the same way",
        ),
        (
            |r| {
                r[4].language = Language::De;
                String::new()
            },
            "en.jsonl:5: the record is of `emotion.english.de`, but the file's name says otherwise",
        ),
        (
            |r| {
                r.pop();
                String::new()
            },
            "in `en` one has 39 items and the other 40; among those only one has: 39; evaluate both in the same way",
        ),
        (
            |r| {
                r.iter_mut().for_each(|r| r.few_shot = "builtin".to_owned());
                String::new()
            },
            "few_shot is `builtin` in one and `head:2` in the other",
        ),
    ];
    for (edit, part) in cases {
        let error = error_after(edit);
        assert!(error.contains(part), "{error}\nlacks: {part}");
    }
}

#[test]
fn odd_files_are_refused_and_an_empty_run_says_what_to_do() {
    let folder = temporary();
    let run = RunFolder::new(folder.path());
    assert!(matches!(
        report::write(&run),
        Err(ReportError::Records(CompareError::Nothing(_)))
    ));
    let stray = run.answers_root().join("base/emotion.english.x1.jsonl");
    put(&stray, "");
    let error = report::write(&run)
        .expect_err("no such language")
        .to_string();
    assert!(
        error.contains("unknown language `x1`") && error.contains("move the file elsewhere"),
        "{error}"
    );
    fs::remove_file(stray).expect("removed");
    put(&run.manifest(), "{");
    let error = report::write(&run)
        .expect_err("broken manifest")
        .to_string();
    assert!(error.contains("manifest.json"), "{error}");
}

#[test]
fn a_gold_word_the_scorer_does_not_know_stays_wrong_after_calibration() {
    let folder = temporary();
    let run = RunFolder::new(folder.path());
    let mut records: Vec<AnswerRecord> = answers(&EMOTION, Language::En, BASE, None)
        .into_iter()
        .map(|record| set_right(record, vec![1; 40]))
        .collect();
    for record in &mut records {
        record.protocol = Some(Protocol::Paper);
        record.correct = record.gold != "positive";
    }
    put(
        &run.answers("base", "emotion", "english", Language::En),
        &lines(&records),
    );
    report::write(&run).expect("a report");
    let csv = read(&run, "tables/emotion.english.base.csv");
    let english = csv.lines().nth(1).expect("a row");
    let cells: Vec<&str> = english.split(',').collect();
    // language, items, accuracy, AUC, contextual and batch calibration, each with two ends
    assert_eq!(
        [cells[0], cells[1], cells[2], cells[5], cells[8], cells[11]],
        ["en", "40", "50", "1", "50", "50"]
    );
}

fn compare(a: &Path, b: &Path) -> Result<String, String> {
    let before = named(a).map_err(|error| error.to_string())?;
    let after = named(b).map_err(|error| error.to_string())?;
    compare::compare(before, after)
        .map(|comparison| report::comparison_text(&comparison))
        .map_err(|error| error.to_string())
}

fn named(path: &Path) -> Result<compare::NamedAnswers<'_>, compare::CompareError> {
    Ok(compare::NamedAnswers {
        path,
        records: compare::read_answers(path)?,
    })
}

#[test]
fn two_files_are_compared_item_by_item() {
    let folder = temporary();
    let (a, b) = (folder.path().join("a.jsonl"), folder.path().join("b.jsonl"));
    let set = |language, adapter: Option<&str>, right: Vec<u8>| -> Vec<AnswerRecord> {
        let all = answers(&EMOTION, language, BASE, adapter);
        all.into_iter()
            .take(8)
            .map(|record| set_right(record, right.clone()))
            .collect()
    };
    let before = [
        set(Language::En, None, vec![0; 8]),
        set(Language::De, None, vec![1; 8]),
    ]
    .concat();
    put(&a, &lines(&before));
    put(
        &b,
        &lines(&set(Language::En, Some("x"), vec![1, 1, 1, 1, 1, 1, 1, 0])),
    );
    let text = compare(&a, &b).expect("a comparison");
    assert!(
        text.contains("differs: adapter is `none` in one and `x` in the other"),
        "{text}"
    );
    assert!(text.contains("a.jsonl has de; not compared"), "{text}");
    let row = "English (en)      8     0.0   87.5  +87.5 [+50.0, +100.0]  0.016   0.016  0.016  tells labels apart better";
    assert!(text.contains(row), "{text}");

    put(
        &b,
        &lines(&answers(&fabricate::SNLI, Language::En, BASE, None)),
    );
    assert!(
        compare(&a, &b)
            .expect_err("other task")
            .contains("task is `emotion` in one and `snli` in the other")
    );
    let mut other_gold = set(Language::En, Some("x"), vec![1; 8]);
    let swapped = if other_gold[5].gold == "positive" {
        "negative"
    } else {
        "positive"
    };
    other_gold[5].gold = swapped.to_owned();
    other_gold[5].correct = false;
    put(&b, &lines(&other_gold));
    assert!(
        compare(&a, &b)
            .expect_err("other gold")
            .contains("the gold label of item 5")
    );
    put(
        &b,
        &lines(
            &[
                set(Language::En, None, vec![1; 8]),
                set(Language::De, Some("x"), vec![1; 8]),
            ]
            .concat(),
        ),
    );
    assert!(
        compare(&a, &b)
            .expect_err("two models")
            .contains("b.jsonl:9: not of the same evaluation")
    );
}
