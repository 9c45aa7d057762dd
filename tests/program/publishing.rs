//! An adapter made ready for the hub: what its card says is what the run's records say.

use std::fs;

use crate::{
    call::{call_line, files, json, json_lines, scratch},
    tiny,
};

const ADAPTER: &str = "emotion.sw-en.seed1";

#[test]
fn a_card_says_what_was_trained_and_what_came_of_it() {
    let folder = scratch();
    let here = folder.path();
    tiny::write_recipe(here);
    call_line(here, "run recipe.toml --out out", 0);
    let refused = call_line(here, "model push out me/tuned --out ready", 1);
    assert!(
        refused.stderr.contains("--base ORG/NAME"),
        "{}",
        refused.stderr
    );
    call_line(
        here,
        "model push out me/tuned --base some/base --out ready",
        0,
    );
    let ready = files(here, "ready");
    assert_eq!(ready.len(), 3, "{ready:?}");

    let config = json(&here.join("ready/adapter_config.json"));
    assert_eq!(config["base_model_name_or_path"], "some/base");
    let weights = |place: &str| {
        fs::read(here.join(place).join("adapter_model.safetensors")).expect("weights")
    };
    assert!(weights("ready") == weights(&format!("out/adapters/{ADAPTER}")));

    let card = fs::read_to_string(here.join("ready/README.md")).expect("a card");
    let front = card
        .strip_prefix("---\n")
        .expect("a head")
        .split("---\n")
        .next()
        .expect("its end");
    for line in [
        "base_model: \"some/base\"",
        "library_name: \"peft\"",
        "language: [\"sw\",\"en\"]",
    ] {
        assert!(front.lines().any(|other| other == line), "{line}: {front}");
    }
    let pairs = json_lines(&here.join(format!("out/data/{ADAPTER}.jsonl"))).len();
    let trained = format!(
        "from Swahili into English, without any answer: {pairs} pairs, 3 updates, batches of 4"
    );
    assert!(card.contains(&trained), "{card}");
    let share = |model: &str| {
        let answers =
            json_lines(&here.join(format!("out/answers/{model}/emotion.english.de.jsonl")));
        let right = answers
            .iter()
            .filter(|answer| answer["correct"] == true)
            .count();
        format!("{:.1} [", 100.0 * right as f64 / answers.len() as f64)
    };
    let row = card
        .lines()
        .find(|line| line.starts_with("| de | 4 |"))
        .expect("a row");
    let cells: Vec<&str> = row.split(" | ").collect();
    assert!(
        cells[2].starts_with(&share("base")) && cells[3].starts_with(&share(ADAPTER)),
        "{row}"
    );
    assert!(card.contains("AutoPeftModelForCausalLM.from_pretrained(\"me/tuned\")"));

    let refused = call_line(
        here,
        "model push out me/tuned --base some/base --out ready",
        1,
    );
    assert!(refused.stderr.contains("ready"), "{}", refused.stderr);
    let refused = call_line(
        here,
        "model push out me/tuned --base some/base --adapter other --out x",
        1,
    );
    assert!(refused.stderr.contains(ADAPTER), "{}", refused.stderr);
}
