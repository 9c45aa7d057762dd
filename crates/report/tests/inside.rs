//! What the report says of records of what is inside: that its numbers are theirs, what is
//! missing is told, and what broken and contradicting records get.

#[path = "../../compare/tests/fabricate/mod.rs"]
mod fabricate;

use std::{collections::BTreeSet, fs, fs::File, io::BufReader, path::Path};

use fabricate::{
    inside::{Inside, put_inside},
    lines, put,
};
use schema::{
    Language,
    inside::{LensKind, LensRecord, Measure, PairRecord, Pooling},
    run_folder::RunFolder,
};
use serde_json::{Value, json};

const ADAPTER: &str = "emotion.zh-de-en.seed1";
const SMALL: Inside = Inside {
    task: "emotion",
    languages: &[Language::En, Language::Zh, Language::Sw],
    layers: 8,
    items: 18,
    poolings: &[Pooling::All, Pooling::Last],
};

fn temporary() -> (tempfile::TempDir, RunFolder) {
    let folder = tempfile::tempdir().expect("a folder");
    let run = RunFolder::new(folder.path());
    (folder, run)
}

fn read(run: &RunFolder, name: &str) -> String {
    fs::read_to_string(run.report().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn results(run: &RunFolder) -> Value {
    serde_json::from_str(&read(run, "results.json")).expect("JSON")
}

fn refusal(run: &RunFolder) -> String {
    report::write(run).expect_err("refused").to_string()
}

fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<String> = entries
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Three items, the last one dropped; `more` is added to the English answer in the middle.
fn three_items(more: [f32; 2]) -> Vec<LensRecord> {
    let item = |item,
                correct: [f32; 3],
                english: [f32; 3],
                possible: [f32; 3],
                possible_english: [f32; 3],
                entropy| {
        LensRecord {
            item,
            gold: "positive".to_owned(),
            lens: LensKind::Raw,
            shared_tokens: Vec::new(),
            correct: correct.into(),
            correct_english: english.into(),
            possible: possible.into(),
            possible_english: possible_english.into(),
            entropy,
        }
    };
    let [a, b] = more;
    let mut records = vec![
        item(
            0,
            [0.0, 0.1, 0.6],
            [0.0, 0.4 + a, 0.1],
            [0.0, 0.2, 0.8],
            [0.0, 0.7, 0.2],
            vec![8.0, 4.0, 1.0],
        ),
        item(
            1,
            [0.0, 0.2, 0.4],
            [0.0, 0.5 + b, 0.1],
            [0.0, 0.3, 0.8],
            [0.0, 0.6, 0.1],
            vec![8.0, 5.0, 2.0],
        ),
    ];
    let mut dropped = item(2, [0.0; 3], [0.0; 3], [0.0; 3], [0.0; 3], Vec::new());
    dropped.shared_tokens = vec![5];
    dropped.correct.clear();
    dropped.correct_english.clear();
    dropped.possible.clear();
    dropped.possible_english.clear();
    records.push(dropped);
    records
}

/// Width and colours of a picture.
fn decode(path: &Path) -> (u32, BTreeSet<[u8; 3]>) {
    let file = File::open(path).expect("a picture");
    let mut reader = png::Decoder::new(BufReader::new(file))
        .read_info()
        .expect("a PNG");
    let mut bytes = vec![0; reader.output_buffer_size().expect("a size")];
    let frame = reader.next_frame(&mut bytes).expect("decodes");
    assert_eq!(frame.color_type, png::ColorType::Rgb);
    let colours = bytes[..frame.buffer_size()]
        .chunks_exact(3)
        .map(|pixel| [pixel[0], pixel[1], pixel[2]])
        .collect();
    (frame.width, colours)
}

#[test]
fn lens_curves_are_means_with_bands_and_changes_are_of_items() {
    let (_folder, run) = temporary();
    put(
        &run.inside("base", "lens.emotion.zh.jsonl"),
        &lines(&three_items([0.0, 0.0])),
    );
    put(
        &run.inside(ADAPTER, "lens.emotion.zh.jsonl"),
        &lines(&three_items([0.2, 0.1])),
    );
    report::write(&run).expect("a report");

    let curves = &results(&run)["inside"][0]["states"]["before"]["lens"]["zh"]["raw"];
    assert_eq!(
        [&curves["layers"], &curves["kept"], &curves["dropped"]],
        [2, 2, 1]
    );
    // mean, and 1.96 x 0.05: the standard deviation of 0.1 and 0.2 through the root of 2
    let near = |found: &Value, expected: [f64; 3]| {
        for (end, expected) in ["value", "low", "high"].into_iter().zip(expected) {
            let found = found[end].as_f64().expect("a number");
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    };
    near(&curves["correct"][1], [0.15, 0.052_002, 0.247_998]);
    near(&curves["lead"][1], [0.3, 0.3, 0.3]);
    near(&curves["lead"][2], [-0.4, -0.595_996, -0.204_004]);
    near(&curves["entropy"][2], [1.5, 0.520_018, 2.479_982]);

    let expected = "\
| language | state  | items | dropped | English peaks in layer |    at | English, mean of layers |           change [95 %] | English leads in layers | right of all, last layer, % | change, points [95 %] |
| -------- | ------ | ----: | ------: | ---------------------: | ----: | ----------------------: | ----------------------: | ----------------------- | --------------------------: | --------------------: |
| zh       | before |     2 |       1 |                      1 | 0.450 |                   0.183 |                         | 1                       |                        62.5 |                       |
| zh       | after  |     2 |       1 |                      1 | 0.600 |                   0.233 | +0.050 [−0.162, +0.262] | 1                       |                        62.5 |            0.0 [–, –] |
";
    let table = read(&run, "tables/inside.emotion-emotion-zh-de-en-seed1.lens.md");
    assert_eq!(table.split_once("\n\n").expect("a caption").1, expected);

    let page = read(&run, "report.md");
    let has = |part: &str| assert!(page.contains(part), "{part}\nis not in\n{page}");
    // changes of the two items' means over layers: 0.2 / 3 and 0.1 / 3; Student's interval with
    // one degree of freedom
    has("averaged over all layers, by +0.050 [−0.162, +0.262] in zh.");
    has(
        "tells: before in zh in layers 1 (most in zh at layer 1, by 0.300), after in zh in layers 1 (most in zh at layer 1, by 0.450).",
    );
    has(
        "1 of 3 questions are left out, because the right answer begins with the same token as in English.",
    );
    has("Lens in Chinese: before 2 items, 1 dropped, after 2 items, 1 dropped.");
}

/// Base and adapter, all kinds.
fn put_both(run: &RunFolder) {
    put_inside(run, "base", &SMALL);
    put_inside(run, ADAPTER, &SMALL);
}

#[test]
fn every_file_is_well_formed_and_every_picture_shows_something() {
    let (_folder, run) = temporary();
    put_both(&run);
    let summary = report::write(&run).expect("a report");
    assert_eq!(
        summary.gaps.len(),
        2,
        "no manifest, no answers: {:?}",
        summary.gaps
    );
    let figures = files(&run.report().join("figures"));
    let stems = |kind: &str| -> BTreeSet<String> {
        figures
            .iter()
            .filter_map(|name| name.strip_suffix(kind))
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(stems(".svg"), stems(".png"));
    let kinds: BTreeSet<String> = stems(".svg")
        .iter()
        .map(|stem| {
            stem.split_once("seed1.")
                .expect("the adapter")
                .1
                .split('.')
                .next()
                .expect("a kind")
                .to_owned()
        })
        .collect();
    let expected = [
        "cka",
        "lens",
        "neurons",
        "patching",
        "pairs",
        "pca",
        "pca-centred",
        "pearson",
        "pearson-centred",
        "silencing",
        "tuned-lens",
    ];
    assert_eq!(kinds, expected.map(str::to_owned).into());
    for stem in stems(".svg") {
        let svg = read(&run, &format!("figures/{stem}.svg"));
        assert!(
            !svg.contains("NaN") && !svg.contains("inf"),
            "{stem} has a place that is not a number"
        );
        // the painter parses the drawing: what is painted is well-formed
        let shapes = svg.lines().filter(|line| line.starts_with('<')).count();
        assert!(shapes > 30, "{stem} is empty");
        let (width, colours) = decode(&run.report().join(format!("figures/{stem}.png")));
        assert!(
            colours.len() > 50 && width >= 900,
            "{stem}: {} colours",
            colours.len()
        );
    }
    let page = read(&run, "index.html");
    for outside in [
        "<script src",
        "<link rel=\"stylesheet",
        "@import",
        "src=\"http",
        "url(",
    ] {
        assert!(!page.contains(outside), "{outside} would load something");
    }
    for link in page
        .split("href=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
    {
        let is_file = link.starts_with("figures/") || link.starts_with("tables/");
        assert!(
            !is_file || run.report().join(link).is_file(),
            "{link} is linked but not written"
        );
    }
    assert!(
        page.contains("[25]") || page.contains("Separating Tongue from Thought"),
        "notes of the inside"
    );
    let tex = read(
        &run,
        "tables/inside.emotion-emotion-zh-de-en-seed1.silencing.tex",
    );
    assert!(
        tex.contains("\\begin{tabular}{lllrlrrrrr}") && tex.contains("\\midrule"),
        "{tex}"
    );
}

#[test]
fn numbers_on_the_page_are_those_of_the_records() {
    let (_folder, run) = temporary();
    put_both(&run);
    report::write(&run).expect("a report");
    // 5/8 of 8 layers is 5
    let pairs: Vec<PairRecord> = fabricate::inside::pairs(&SMALL, Pooling::All, 1.0);
    let of = |measure: Measure, layer: usize| -> Vec<&PairRecord> {
        pairs
            .iter()
            .filter(|pair| pair.measure == measure && pair.layer == layer)
            .collect()
    };
    let pearson = of(Measure::Pearson, 5);
    let expected = pearson.iter().map(|pair| pair.value).sum::<f64>() / 3.0;
    let result = &results(&run)["inside"][0];
    let found = &result["states"]["after"]["pairs"]["pearson.all"]["5"];
    assert!((found["value"].as_f64().expect("a number") - expected).abs() < 1e-12);
    assert_eq!(found["pairs"], json!(3));
    let csv = read(
        &run,
        "tables/inside.emotion-emotion-zh-de-en-seed1.pearson.all.layer5.after.csv",
    );
    let row: Vec<f64> = csv
        .lines()
        .nth(2)
        .expect("zh")
        .split(',')
        .skip(1)
        .map(|cell| cell.parse().expect("a number"))
        .collect();
    let value = |a, b| {
        pearson
            .iter()
            .find(|pair| (pair.a, pair.b) == (a, b))
            .expect("a pair")
            .value
    };
    let expected = [
        value(Language::En, Language::Zh),
        1.0,
        value(Language::Zh, Language::Sw),
    ];
    assert!(
        row.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6),
        "{row:?} {expected:?}"
    );
    // the change of each pair is 0.06 x the hill at 5/8, its interval 0.03 to each side
    let change = &result["changes"]["pearson.all"]["5"];
    let hill = (-(0.025_f64 / 0.25).powi(2)).exp();
    assert!((change["value"].as_f64().expect("a number") - 0.06 * hill).abs() < 1e-9);
    assert!((change["low"].as_f64().expect("a number") - (0.06 * hill - 0.03)).abs() < 1e-9);
    let page = read(&run, "report.md");
    let has = |part: &str| assert!(page.contains(part), "{part}\nis not in\n{page}");
    has(
        "first component at layer 5, mean over pairs of languages (mean over all tokens, as in the paper): before 0.8",
    );
    has(
        "a change of +0.06 [+0.03, +0.09], with the items permuted 0.00; with each language's mean taken out before",
    );
    has("the items' lengths explain before 22 %, after 22 % of the variance");
    has("The two components explain before 44 and 13 %, after 44 and 13 % of the variance there");
}

#[test]
fn the_same_records_give_the_same_bytes() {
    let (_folder, run) = temporary();
    put_inside(
        &run,
        "base",
        &Inside {
            languages: &[Language::En, Language::Zh],
            layers: 4,
            ..SMALL
        },
    );
    let write = || {
        report::write(&run).expect("a report");
        let png = fs::read(run.report().join("figures/inside.emotion-base.pca.all.png"))
            .expect("a picture");
        (read(&run, "index.html"), read(&run, "results.json"), png)
    };
    assert!(write() == write());
}

#[test]
fn one_model_alone_and_one_language_have_a_page() {
    let (_folder, run) = temporary();
    put_inside(
        &run,
        "base",
        &Inside {
            languages: &[Language::En],
            ..SMALL
        },
    );
    report::write(&run).expect("a report");
    let page = read(&run, "report.md");
    let inside = page
        .split("## How it was made")
        .next()
        .expect("the first part");
    assert!(
        inside.contains("### Base model\n") && !inside.contains(", after"),
        "{inside}"
    );
    assert!(
        !files(&run.report().join("figures"))
            .iter()
            .any(|name| name.contains("pearson")),
        "no pairs"
    );

    let (_folder, run) = temporary();
    put_inside(&run, ADAPTER, &SMALL);
    let gaps = report::write(&run).expect("a report").gaps;
    assert!(
        gaps.iter()
            .any(|gap| gap.contains("none of the base model")),
        "{gaps:?}"
    );
    assert!(read(&run, "report.md").contains("### zh/de=>en, seed 1\n"));

    let (_folder, run) = temporary();
    put_both(&run);
    for model in ["base", ADAPTER] {
        put(
            &run.inside(model, "lens.emotion.zh.jsonl"),
            &lines(&three_items([0.0; 2])[2..]),
        );
    }
    report::write(&run).expect("a report");
    let name = format!(
        "figures/inside.emotion-{}.lens.zh.raw.svg",
        ADAPTER.replace('.', "-")
    );
    assert!(read(&run, &name).contains("all 1 items dropped"));
    let page = read(&run, "report.md");
    let place = |language| {
        page.find(&name.replace("zh.raw", language))
            .expect("on the page")
    };
    assert!(
        place("sw.raw") < place("zh.raw"),
        "an empty picture comes last"
    );
}

#[test]
fn what_one_model_has_and_the_other_lacks_is_told() {
    let (_folder, run) = temporary();
    put_both(&run);
    for name in [
        "lens.emotion.sw.jsonl",
        "neurons.emotion.json",
        "pca.emotion.last.jsonl",
    ] {
        fs::remove_file(run.inside(ADAPTER, name)).expect("removed");
    }
    let mut fewer = fabricate::inside::lens(&SMALL, Language::Zh, 1.0);
    fewer.truncate(20);
    put(
        &run.inside(ADAPTER, "lens.emotion.zh.jsonl"),
        &lines(&fewer),
    );
    let mut moved = fabricate::inside::changes(&SMALL, Pooling::All, 1.0);
    moved[3].before += 0.01;
    put(
        &run.inside(ADAPTER, "changes.emotion.all.jsonl"),
        &lines(&moved),
    );
    let gaps = report::write(&run).expect("a report").gaps;
    let told = |gap: &str| {
        assert!(
            gaps.iter().any(|other| other == gap),
            "{gap}\nis not in {gaps:?}"
        )
    };
    told(
        "Inside `emotion.zh-de-en.seed1` there is, for emotion, unlike the base, no components with pooling last, no lens in sw, \
         no neurons.",
    );
    told(
        "The lens of the base and of `emotion.zh-de-en.seed1` has other items in zh (emotion): changes are of those that both \
         have.",
    );
    told(
        "The change of pearson-centred (pooling all, emotion, `emotion.zh-de-en.seed1`) is not from the levels that are shown, \
         first for en and zh at layer 0: run the analyses again.",
    );
}

#[test]
fn records_that_contradict_each_other_are_refused() {
    let (_folder, run) = temporary();
    put_inside(&run, "base", &SMALL);
    put_inside(&run, ADAPTER, &Inside { layers: 7, ..SMALL });
    let error = refusal(&run);
    assert!(
        error.contains("one has 8 layers and the other 7"),
        "{error}"
    );

    put_inside(&run, ADAPTER, &SMALL);
    let deep = fabricate::inside::tuned_lens(&Inside { layers: 9, ..SMALL }, 1.0);
    put(
        &run.inside(ADAPTER, "tuned-lens.emotion.jsonl"),
        &lines(&deep),
    );
    let error = refusal(&run);
    assert!(
        error.contains(
            "tuned-lens.emotion.jsonl cannot be compared: one has 8 layers and the other 9"
        ),
        "{error}"
    );

    put_inside(&run, ADAPTER, &Inside { items: 17, ..SMALL });
    let error = refusal(&run);
    assert!(
        error.contains("components with pooling all are of other items"),
        "{error}"
    );
}

#[test]
fn what_the_manifest_does_not_count_is_left_out() {
    let (_folder, run) = temporary();
    put_inside(&run, "base", &SMALL);
    put_inside(&run, ADAPTER, &Inside { layers: 7, ..SMALL });
    let of = |name: &str| format!("inside/{ADAPTER}/{name}");
    let names = files(&run.inside(ADAPTER, ""));
    let outputs: serde_json::Map<String, Value> =
        names.iter().map(|name| (of(name), json!(""))).collect();
    let manifest = json!({"stages": {"all.of.it": {"outputs": outputs}, "base": {"outputs": {}}}, "current": ["base"]});
    put(&run.manifest(), &manifest.to_string());
    report::write(&run).expect("a report");
    assert!(
        read(&run, "report.md").contains("### Base model\n"),
        "the adapter's are of an earlier recipe"
    );
}

#[test]
fn broken_records_are_named_by_file_and_line() {
    type Edit = fn(&mut Value);
    let cases: [(&str, usize, Edit, &str); 17] = [
        (
            "lens.emotion.zh.jsonl",
            3,
            |r| r["item"] = json!(0),
            "zh.jsonl:3: duplicate item 0 with this lens; delete the file and run its stage again",
        ),
        (
            "lens.emotion.zh.jsonl",
            2,
            |r| r["correct"][1] = json!(null),
            "zh.jsonl:2: invalid type: null",
        ),
        (
            "lens.emotion.zh.jsonl",
            2,
            |r| r["correct"][1] = json!(1.2),
            "zh.jsonl:2: item 0, layer 1: `correct` is 1.2",
        ),
        (
            "lens.emotion.zh.jsonl",
            1,
            |r| r["possible"][8] = json!(0.001),
            "zh.jsonl:1: item 0, layer 8: `correct` is 0.",
        ),
        (
            "lens.emotion.zh.jsonl",
            4,
            |r| drop(r["entropy"].as_array_mut().expect("a curve").pop()),
            "zh.jsonl:4: item 1 has curves of 9, 9, 9, 9, 8 values",
        ),
        (
            "lens.emotion.zh.jsonl",
            5,
            |r| r["shared_tokens"] = json!([3]),
            "zh.jsonl:5: item 2 is dropped, yet has curves",
        ),
        (
            "lens.emotion.en.jsonl",
            5,
            |r| r["shared_tokens"] = json!([3]),
            "en.jsonl:5: item 2 is dropped, in English itself",
        ),
        (
            "pca.emotion.all.jsonl",
            2,
            |r| r["explained"][0] = json!(1.5),
            "all.jsonl:2: `explained` is 1.5, which is not between 0 and 1",
        ),
        (
            "pca.emotion.all.jsonl",
            3,
            |r| drop(r["points"]["zh"].as_array_mut().expect("points").pop()),
            "all.jsonl:3: 17 points in `zh` for 18 items",
        ),
        (
            "pca.emotion.all.jsonl",
            4,
            |r| r["items"][0] = json!(99),
            "all.jsonl:4: layer 1 has other items or languages than the first line",
        ),
        (
            "pairs.emotion.last.jsonl",
            2,
            |r| r["b"] = json!("zh"),
            "last.jsonl:2: pearson of en and zh at layer 1: duplicate record",
        ),
        (
            "pairs.emotion.last.jsonl",
            3,
            |r| r["b"] = json!("en"),
            "last.jsonl:3: pearson of zh and en at layer 1: the languages are not in the order of the tables",
        ),
        (
            "tuned-lens.emotion.jsonl",
            4,
            |r| r["layer"] = json!(2),
            "tuned-lens.emotion.jsonl:4: duplicate layer 2",
        ),
        (
            "neurons.emotion.json",
            1,
            |r| r["layers"][2]["inactive"] = json!(0),
            "neurons.emotion.json:1: block 3: its classes hold",
        ),
        (
            "neurons.emotion.json",
            1,
            |r| r["selected"]["zh"] = json!([]),
            "neurons.emotion.json:1: `zh` has 0 neurons, but its blocks count",
        ),
        (
            "silencing.emotion.jsonl",
            2,
            |r| r["accuracy_after"] = json!(-0.1),
            "silencing.emotion.jsonl:2: en silenced, zh asked: `accuracy_after` is -0.1",
        ),
        (
            "patching.emotion.jsonl",
            9,
            |r| r["layer"] = json!(0),
            "patching.emotion.jsonl:9: zh at layer 0: duplicate record",
        ),
    ];
    let (_folder, run) = temporary();
    put_inside(&run, "base", &SMALL);
    for (name, line, edit, message) in cases {
        let path = run.inside("base", name);
        let whole = fs::read_to_string(&path).expect("a file");
        let mut all: Vec<String> = whole.lines().map(str::to_owned).collect();
        let mut record: Value = serde_json::from_str(&all[line - 1]).expect("a record");
        edit(&mut record);
        all[line - 1] = record.to_string();
        put(&path, &(all.join("\n") + "\n"));
        let error = refusal(&run);
        assert!(error.contains(message), "{error}\nlacks: {message}");
        put(&path, &whole);
    }
    put(&run.inside("base", "probe.emotion.jsonl"), "");
    assert!(refusal(&run).ends_with(
        "probe.emotion.jsonl: this version does not know the kind of record `probe`; move the file elsewhere"
    ));
}
