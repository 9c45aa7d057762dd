//! docs/recipe.md: every key of a recipe, with what a change of it redoes. The page is written from the key tables and from
//! what a run folder says is done with another value of each key, and is held against both here.
//!
//! `LINGUALIGN_WRITE_DOCS=1 cargo test --workspace --test program recipe_keys` writes it.

use std::{collections::BTreeMap, fs, path::Path};

use run::{AnalysisStep, RunOptions, Stage, StageStatus};
use schema::{
    Recipe,
    recipe::{KeyEntry, list_keys},
};
use serde_json::json;

use crate::{
    call::{call_line, scratch},
    tiny,
};

const PAGE: &str = "docs/recipe.md";
const HEAD: &str = r#"# The keys of a recipe

A test writes this page from the key tables of the program (`crates/schema/src/recipe/`) and from a small run, in which it
changes each key and looks which stages would be made again (`tests/program/recipe_keys.rs`). Do not edit it by hand.

* A recipe is a TOML file; `--set KEY=VALUE` overrides a key for one run. `lingualign check RECIPE` prints a recipe with
  every default written out, and which stages a run would make.
* `[data]` with `dir`, `[eval]` with `tasks`, and `model` must be there. Without `[train]` the base model alone is
  evaluated, without `[analyse]` nothing inside the models is looked at.
* `[languages.CODE]` with `name` and `script` makes a language known, and a task file has keys of its own:
  [tasks.md](tasks.md). `[grid]` makes a recipe stand for many: [scale.md](scale.md).
* **A change redoes** names the finished stages that another value makes again. A run does so with `--redo` only, or
  works in a fresh folder with `--new`; the report is always written again.
* Of a list, what is only there with the new value is made, and what was there is kept: "new".
* "The adapters" are the training and every answer, translation and analysis of each adapter. With `[train.probe]`, what
  changes the probes makes the adapters again too, though their weights do not change.
* What reads a file that is made again is kept if the file turns out as it was.
"#;
const SECTIONS: [(&str, &str); 10] = [
    ("", "Outside of all sections"),
    ("data.", "`[data]`: the files"),
    ("train.", "`[train]`: how adapters are trained"),
    (
        "train.probe.",
        "`[train.probe]`: what is measured on the way ([training.md](training.md))",
    ),
    (
        "train.build.",
        "`[train.build]`: how pairs are made ([data.md](data.md))",
    ),
    (
        "train.lora.",
        "`[train.lora]`: the adapter ([training.md](training.md))",
    ),
    ("eval.", "`[eval]`: what is asked, and how"),
    (
        "eval.translation.",
        "`[eval.translation]`: how well the models translate ([translation.md](translation.md))",
    ),
    (
        "analyse.",
        "`[analyse]`: what is looked at inside ([inside.md](inside.md))",
    ),
    ("report.", "`[report]`: what the report shows"),
];

/// Another value for each key of [`write_recipe`]'s recipe.
const CHANGES: &[(&str, &str)] = &[
    ("name", "other"),
    ("title", "other"),
    ("model", "./other"),
    ("dtype", "bf16"),
    ("seeds", "[1, 2]"),
    ("data.accept", "leakage"),
    ("train.settings", "sw=>en,de=>en"),
    ("train.tasks", "emotion,paws"),
    ("train.pairs", "7"),
    ("train.epochs", "2.0"),
    ("train.max_steps", "2"),
    ("train.batch_size", "2"),
    ("train.micro_batch_tokens", "500"),
    ("train.activation_checkpointing", "true"),
    ("train.learning_rate", "2e-2"),
    ("train.schedule", "linear"),
    ("train.warmup_ratio", "0.2"),
    ("train.weight_decay", "0.1"),
    ("train.max_grad_norm", "2"),
    ("train.val_size", "0.3"),
    ("train.eval_steps", "3"),
    ("train.save_steps", "3"),
    ("train.cutoff_len", "1000"),
    ("train.prompt", "chat"),
    ("train.probe.every", "3"),
    ("train.probe.items", "7"),
    ("train.probe.languages", "en"),
    ("train.build.template", "{source}: "),
    ("train.build.directions", "both"),
    ("train.build.control", "copy"),
    ("train.build.remove_overlap", "off"),
    ("train.build.remove_duplicates", "exact"),
    ("train.build.similarity", "0.7"),
    ("train.build.split", "questions"),
    ("train.lora.rank", "4"),
    ("train.lora.alpha", "8"),
    ("train.lora.dropout", "0.1"),
    ("train.lora.targets", "q_proj"),
    ("train.lora.rslora", "true"),
    ("train.lora.dora", "true"),
    ("train.lora.lora_plus_ratio", "2"),
    ("train.lora.init", "pissa"),
    ("eval.tasks", "emotion,paws,snli"),
    ("eval.languages", "en,sw,fr"),
    ("eval.labels", "english,same"),
    ("eval.scoring", "sequence"),
    ("eval.scorers", "chosen"),
    ("eval.greedy", "1"),
    ("eval.protocol", "corrected"),
    ("eval.few_shot", "[\"builtin\", \"zero\"]"),
    ("eval.exemplar_language", "english"),
    ("eval.header_language", "english"),
    ("eval.prompt", "plain,chat-one-turn"),
    ("eval.limit", "7"),
    ("eval.tokens_per_batch", "1000"),
    ("eval.translation.lines", "3"),
    ("eval.translation.languages", "sw,de"),
    ("eval.translation.max_new_tokens", "3"),
    ("analyse.languages", "en,sw,de"),
    ("analyse.limit", "7"),
    ("analyse.poolings", "all,last"),
    ("analyse.layers", "[1]"),
    ("analyse.resamples", "21"),
    ("analyse.permutations", "21"),
    ("analyse.neuron_share", "0.2"),
    ("analyse.silenced_items", "3"),
    ("analyse.patched_items", "5"),
    ("analyse.lens_steps", "3"),
    ("analyse.lens_tokens", "33"),
    ("analyse.lens_vocabulary", "100"),
    ("report.texts", "false"),
];

/// Keys of which a test would say less.
const BY_HAND: [(&str, &str); 4] = [
    ("seed", "as `seeds`"),
    (
        "data.dir",
        "whatever reads a file that differs; files are known by their contents",
    ),
    (
        "analyse.kinds",
        "what is new; lens where `tuned-lens` comes or goes",
    ),
    ("analyse.task", "analyses"),
];

const PROBE: &str = "
[train.probe]
every = 2
items = 6
";
const OTHER_SECTIONS: &str = r#"
[eval.translation]
lines = 4
languages = ["sw"]
max_new_tokens = 4

[analyse]
kinds = ["lens", "tuned-lens", "pca", "alignment", "neurons", "silencing", "patching"]
languages = ["en", "sw"]
poolings = ["all"]
limit = 6
resamples = 20
permutations = 20
neuron_share = 0.1
silenced_items = 4
patched_items = 4
lens_steps = 2
lens_tokens = 32
"#;

/// What reads a file that another stage makes: that stage, the reader, and when the reader is made again.
const READERS: [(&str, &str, &str); 2] = [
    ("held-out lines", "translations", "where the lines differ"),
    ("states", "maps", "where the states differ"),
];

/// A recipe with every other section, of a model with a chat template; run to its end.
fn finish_run(folder: &Path, probe: &str) {
    for (name, note) in [("model", "a"), ("other", "b")] {
        tiny::make_model(&folder.join(name));
        let config = json!({"tokenizer_class": "GPT2Tokenizer", "bos_token": null, "eos_token": "<end>",
            "chat_template": format!("{{# {note} #}}{{% for m in messages %}}{{{{ m.content }}}}{{% endfor %}}")});
        let path = folder.join(name).join("tokenizer_config.json");
        fs::write(path, config.to_string()).expect("writes");
    }
    tiny::write_recipe(folder);
    let path = folder.join("recipe.toml");
    let text = fs::read_to_string(&path).expect("reads");
    let text = text
        .replace(
            &format!("model = {:?}", tiny::model()),
            "model = \"./model\"",
        )
        .replace(
            "[eval]\ntasks = [\"emotion\"]",
            "[eval]\ntasks = [\"emotion\", \"paws\"]",
        )
        .replace(
            "languages = [\"en\", \"de\", \"sw\"]",
            "languages = [\"en\", \"sw\"]",
        )
        .replace("limit = 4", "limit = 6");
    fs::write(path, text + probe + OTHER_SECTIONS).expect("writes");
    call_line(folder, "run recipe.toml --out out --device cpu", 0);
    assert_eq!(redone(folder, None), [], "a finished run");
}

fn survey(folder: &Path, change: Option<(&str, &str)>) -> Vec<StageStatus> {
    let changes: Vec<(String, String)> = change
        .map(|(key, value)| match key {
            // Typed in the current folder, which is not the recipe's.
            "model" => (key.to_owned(), folder.join(value).display().to_string()),
            _ => (key.to_owned(), value.to_owned()),
        })
        .into_iter()
        .collect();
    let recipe = Recipe::read(&folder.join("recipe.toml"), &changes)
        .unwrap_or_else(|problem| panic!("{change:?}: {problem}"));
    let options = RunOptions {
        out: Some(folder.join("out")),
        device: "cpu".to_owned(),
        ..RunOptions::whole()
    };
    let model = run::session::find(&recipe.model, &mut run::Unwatched).expect("the model");
    run::survey(&recipe, &options, &model)
        .unwrap_or_else(|problem| panic!("{change:?}: {problem}"))
        .stages
}

/// What a stage makes, in a word.
fn product(stage: &Stage) -> &'static str {
    match stage {
        Stage::Audit => "audit",
        Stage::Pairs(_) => "pairs",
        Stage::Train(_) => "training",
        Stage::Questions(_) => "texts of questions",
        Stage::Answers(_) => "answers",
        Stage::HeldOut(_) => "held-out lines",
        Stage::Translation(_) => "translations",
        Stage::Look { step, .. } => match step {
            AnalysisStep::Capture(_) => "states",
            AnalysisStep::Map(_) | AnalysisStep::Change(_) => "maps",
            AnalysisStep::TunedLens => "tuned lens",
            AnalysisStep::Lens(_) => "lens",
            AnalysisStep::Neurons => "neurons",
            AnalysisStep::Silencing => "silencing",
            AnalysisStep::Patching => "patching",
        },
        Stage::Report => "report",
    }
}

const ANALYSES: [&str; 7] = [
    "states",
    "maps",
    "tuned lens",
    "lens",
    "neurons",
    "silencing",
    "patching",
];

/// Stages of one kind.
#[derive(Clone, Copy, Default)]
struct Tally {
    done: usize,
    to_do: usize,
}

impl Tally {
    fn is_all_to_do(self) -> bool {
        self.to_do > 0 && self.done == 0
    }

    fn exists(self) -> bool {
        self.to_do + self.done > 0
    }
}

/// Which of the stages that make one thing, of the base model and of adapters, are made again; `None` where none is.
fn which(base: Tally, adapters: Tally) -> Option<&'static str> {
    Some(match (base.to_do, adapters.to_do) {
        (0, 0) => return None,
        (0, _) if base.exists() && adapters.is_all_to_do() => "of adapters",
        (0, _) if base.exists() => "of new adapters",
        (_, 0) if adapters.exists() && base.is_all_to_do() => "of the base model",
        (1.., 1..) if !base.is_all_to_do() && adapters.is_all_to_do() => "new, and of adapters",
        _ if base.is_all_to_do() || adapters.is_all_to_do() => "",
        _ => "new",
    })
}

/// What another value makes again, and which of it: `("answers", "of adapters")`.
type Redone = Vec<(&'static str, &'static str)>;

fn redone(folder: &Path, change: Option<(&str, &str)>) -> Redone {
    let mut order: Vec<&str> = Vec::new();
    let mut tallies: BTreeMap<&str, [Tally; 2]> = BTreeMap::new();
    for status in survey(folder, change) {
        let product = product(&status.stage);
        if product == "report" {
            continue;
        }
        if !order.contains(&product) {
            order.push(product);
        }
        let side = usize::from(status.stage.adapter().is_some());
        let tally = &mut tallies.entry(product).or_default()[side];
        match status.is_done {
            true => tally.done += 1,
            false => tally.to_do += 1,
        }
    }
    let of = |product| {
        let [base, adapters]: [Tally; 2] = tallies[product];
        Some((product, which(base, adapters)?))
    };
    let mut redone: Redone = order.into_iter().filter_map(of).collect();
    add_readers(&mut redone);
    gather(&mut redone, &ANALYSES, "analyses");
    redone
}

/// A survey compares with the file that is there; that its maker makes another one, it cannot know.
fn add_readers(redone: &mut Redone) {
    for (made, reader, words) in READERS {
        let is_made = redone.contains(&(made, ""));
        if is_made && !redone.iter().any(|(product, _)| *product == reader) {
            redone.push((reader, words));
        }
    }
}

/// One word where all of these are made again in the same way.
fn gather(redone: &mut Redone, members: &[&str], word: &'static str) {
    let is_member = |entry: &(&str, &str)| members.contains(&entry.0);
    let ways: Vec<&str> = redone
        .iter()
        .filter(|entry| is_member(entry))
        .map(|entry| entry.1)
        .collect();
    if ways.len() == members.len() && ways.iter().all(|words| *words == ways[0]) {
        let words = ways[0];
        redone.retain(|entry| !is_member(entry));
        redone.push((word, words));
    }
}

/// As the page says it: "the adapters" where every stage of them is made again.
fn describe(mut redone: Redone) -> String {
    for (which, training, word) in [
        ("of adapters", "", "the adapters"),
        ("of new adapters", "new", "new adapters"),
    ] {
        let parts = [
            ("training", training),
            ("answers", which),
            ("translations", which),
            ("analyses", which),
        ];
        if parts.iter().all(|part| redone.contains(part)) {
            redone.retain(|entry| !parts.contains(entry));
            redone.push((word, ""));
        }
    }
    let one = |(product, words): &(&str, &str)| match *words {
        "" => (*product).to_owned(),
        words => format!("{product} ({words})"),
    };
    match redone.as_slice() {
        [] => "nothing".to_owned(),
        several => several.iter().map(one).collect::<Vec<_>>().join(", "),
    }
}

fn page(redoes: &BTreeMap<String, String>) -> String {
    let mut page = HEAD.to_owned();
    for (prefix, title) in SECTIONS {
        page += &format!(
            "\n## {title}\n\n| key | values | unit | default | meaning | a change redoes |\n|---|---|---|---|---|---|\n"
        );
        let is_here = |entry: &KeyEntry| {
            let last = entry.key.strip_prefix(prefix);
            last.is_some_and(|last| !last.contains('.'))
        };
        for entry in list_keys().into_iter().filter(is_here) {
            page += &format!(
                "| `{}` | {} | {} | {} | {} | {} |\n",
                entry.key.strip_prefix(prefix).expect("its prefix"),
                entry.values,
                entry.unit,
                entry.default,
                entry.meaning,
                redoes[&entry.key],
            );
        }
    }
    page
}

// Promise: the page has every key as the program has it, and what a change of it redoes is what a run says.
#[test]
fn the_page_of_the_keys_is_true() {
    let (plain, probed) = (scratch(), scratch());
    finish_run(plain.path(), "");
    finish_run(probed.path(), PROBE);
    let known: BTreeMap<&str, &str> = CHANGES.iter().copied().collect();
    let by_hand = BTreeMap::from(BY_HAND);
    let mut redoes = BTreeMap::new();
    for KeyEntry { key, .. } in list_keys() {
        let folder = match key.starts_with("train.probe.") {
            true => &probed,
            false => &plain,
        };
        let words = match (known.get(key.as_str()), by_hand.get(key.as_str())) {
            (Some(value), None) => describe(redone(folder.path(), Some((&key, value)))),
            (None, Some(words)) => (*words).to_owned(),
            _ => panic!("{key}: give another value in CHANGES, or words in BY_HAND"),
        };
        redoes.insert(key, words);
    }
    let (page, path) = (page(&redoes), tiny::repository(PAGE));
    for key in redoes.keys() {
        let last = key.rsplit('.').next().expect("a name");
        assert!(
            page.contains(&format!("\n| `{last}` |")),
            "{key} is in no section"
        );
    }
    if std::env::var_os("LINGUALIGN_WRITE_DOCS").is_some() {
        fs::write(&path, &page).expect("writes");
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    let differing = page
        .lines()
        .find(|line| !there.lines().any(|other| other == *line));
    assert!(
        there == page,
        "{PAGE} is not what the key tables say; write it with LINGUALIGN_WRITE_DOCS=1. It lacks: {differing:?}"
    );
}
