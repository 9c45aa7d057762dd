//! Colours say no more than the intervals do; several settings have a map of their changes; one
//! figure with a choice of pooling.

#[path = "../../compare/tests/fabricate/mod.rs"]
mod fabricate;

use std::fs;

use fabricate::{
    BASE, EMOTION, Mind,
    inside::{Inside, put_inside},
    put_answers, put_run,
};
use schema::{Language, inside::Pooling, run_folder::RunFolder};

const LANGUAGES: [Language; 3] = [Language::En, Language::De, Language::Sw];

fn read(run: &RunFolder, name: &str) -> String {
    fs::read_to_string(run.report().join(name)).expect("written")
}

#[test]
fn what_is_not_shown_is_grey_not_the_colour_of_a_loss() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = RunFolder::new(folder.path());
    put_answers(&run, "base", &EMOTION, &LANGUAGES, BASE);
    // of another seed alone: some answers flip, to both sides
    let other = Mind { seed: 2, ..BASE };
    put_answers(&run, "emotion.zh-en.seed1", &EMOTION, &LANGUAGES, other);
    report::write(&run).expect("a report");
    let names = ["overview", "emotion.english.emotion-zh-en.accuracy"];
    for name in names {
        let drawn = read(&run, &format!("figures/{name}.svg"));
        let shapes = drawn.split("</style>").nth(1).expect("shapes");
        assert!(shapes.contains("class=\"whisker-unclear\""), "{name}");
        for loss in ["class=\"whisker-fall\"", "class=\"whisker-rise\""] {
            assert!(!shapes.contains(loss), "{name}: {loss}");
        }
    }
}

#[test]
fn several_settings_have_a_map_with_outlines_where_nothing_is_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = put_run(folder.path(), &LANGUAGES);
    report::write(&run).expect("a report");
    let drawn = read(&run, "figures/emotion.english.changes.svg");
    let results: serde_json::Value =
        serde_json::from_str(&read(&run, "results.json")).expect("JSON");
    let block = results["blocks"].as_array().expect("a list").iter();
    let block = block
        .clone()
        .find(|b| b["task"] == "emotion")
        .expect("a block");
    let changes = block["settings"].as_array().expect("a list").iter();
    let changes = changes.flat_map(|s| s["changes"]["languages"].as_array().expect("a list"));
    let unclear = changes.filter(|of| {
        let end = |name: &str| of["change"][name].as_f64().expect("a number");
        end("low") <= 0.0 && end("high") >= 0.0
    });
    let unclear = unclear.count();
    assert!(unclear > 0 && unclear < 6, "{unclear}");
    assert_eq!(drawn.matches("class=\"hole\"").count(), unclear);
    let page = read(&run, "index.html");
    assert!(page.contains("figures/emotion.english.changes.svg"));
}

#[test]
fn poolings_are_a_choice_in_one_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = put_run(folder.path(), &LANGUAGES);
    let poolings = &[Pooling::All, Pooling::Question, Pooling::Last];
    let shape = Inside {
        task: "emotion",
        languages: &LANGUAGES,
        layers: 6,
        items: 30,
        poolings,
    };
    put_inside(&run, "base", &shape);
    put_inside(&run, "emotion.zh-de-en.seed1", &shape);
    report::write(&run).expect("a report");
    let page = read(&run, "index.html");
    let choices: Vec<&str> = page.split("<fieldset class=\"choice\">").skip(1).collect();
    assert_eq!(choices.len(), 2, "maps and alignment");
    for choice in choices {
        let choice = choice.split("</fieldset>").next().expect("a part");
        assert_eq!(choice.matches("type=\"radio\"").count(), 3);
        assert_eq!(choice.matches(" checked>").count(), 1);
        assert_eq!(choice.matches("class=\"panel\"").count(), 3);
        for label in choice.split("<label for=\"").skip(1) {
            let id = label.split('"').next().expect("an id");
            assert_eq!(page.matches(&format!(" id=\"{id}\"")).count(), 1, "{id}");
        }
    }
    assert!(page.contains("Nearest-neighbour retrieval of translations"));
}
