//! Tests of reading, checking and rendering recipes.

use std::{fs, path::Path};

mod ranges;
mod recorded;

use super::*;
use crate::{
    FewShot, LabelSet, few_shot::PromptLanguage, finding::Kind, task::ActivationCheckpointing,
};

const SMALL: &str = r#"
model = "m"
[data]
dir = "d"
[train]
settings = ["zh=>en"]
tasks = ["snli"]
[eval]
tasks = ["snli", "emotion"]
"#;

fn parse(text: &str, sets: &[(&str, &str)]) -> Result<Recipe, RecipeError> {
    let sets: Vec<_> = sets
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    Recipe::parse(Path::new("recipes/small.toml"), text, &sets)
}

fn small(sets: &[(&str, &str)]) -> Recipe {
    parse(SMALL, sets).expect("a good recipe")
}

/// Why `SMALL` with these overrides is refused, one problem a line.
fn refuse(sets: &[(&str, &str)]) -> String {
    problems(parse(SMALL, sets))
}

fn problems(result: Result<Recipe, RecipeError>) -> String {
    let text = result.expect_err("a bad recipe").to_string();
    text.split_once("\n  ").expect("a list").1.to_owned()
}

#[test]
fn five_mistakes_are_five_problems() {
    let text = r#"
name = "a/b"
model = "m"
[data]
dir = "d"
[train]
settings = ["zh/de=>en"]
tasks = ["emotion"]
epochs = "three"
[train.lora]
rank = 0
[eval]
tasks = ["emotoin"]
langauges = ["de"]
"#;
    assert_eq!(
        parse(text, &[]).expect_err("five mistakes").to_string(),
        "recipes/small.toml has 5 problems
  name: `a/b` cannot name a run's folder; use letters, digits, `-`, `_` and `.`, at most 100 bytes, a letter or digit first (line 2)
  train.epochs: must be a number, found `three` (line 9)
  train.lora.rank: must be at least 1 (line 11)
  eval.tasks: unknown value `emotoin`; did you mean `emotion`? (line 13)
  eval.langauges: no such key; did you mean `languages`? (line 14)"
    );
}

#[test]
fn an_empty_file_is_told_what_is_missing() {
    assert_eq!(
        parse("", &[]).expect_err("empty").to_string(),
        "recipes/small.toml has 3 problems
  model: missing; give a catalogue name, a folder, a `.gguf` file or a hub id
  data.dir: missing; give the folder of the data, here or with `--set data.dir=FOLDER`
  eval.tasks: missing; give a list of tasks such as [\"emotion\"]"
    );
}

#[test]
fn defaults_are_the_papers() {
    let recipe = small(&[]);
    assert_eq!(
        (recipe.name.as_str(), recipe.title.as_str()),
        ("small", "small")
    );
    assert_eq!(
        (recipe.dtype, recipe.seeds.as_slice()),
        (Precision::F32, [1].as_slice())
    );
    let train = recipe.train.clone().expect("[train]");
    assert_eq!(
        (train.pairs, train.epochs, train.max_steps, train.batch_size),
        (10_000, 3.0, None, 16)
    );
    assert_eq!(
        (
            train.micro_batch_tokens,
            train.learning_rate,
            train.schedule
        ),
        (640, 5e-5, Schedule::Cosine)
    );
    assert_eq!(
        (train.warmup_ratio, train.weight_decay, train.max_grad_norm),
        (0.1, 0.0, 1.0)
    );
    assert_eq!(
        (
            train.val_size,
            train.eval_steps,
            train.save_steps,
            train.cutoff_len
        ),
        (0.05, 50, 50, 2048)
    );
    let LoraRecipe {
        rank,
        alpha,
        dropout,
        targets,
        rslora,
        dora,
        lora_plus_ratio,
        init,
    } = train.lora;
    assert_eq!(
        (rslora, dora, lora_plus_ratio, init),
        (false, false, 1.0, LoraInit::Zero)
    );
    assert_eq!(
        (rank, alpha, dropout, targets.join(" ")),
        (8, 16.0, 0.0, "q_proj v_proj".to_owned())
    );
    let build = train.build;
    assert!(build.is_paper() && build.template.is_paper());
    assert_eq!(
        (build.directions, build.control, build.split),
        (Directions::Forward, Control::None, Split::Pairs)
    );
    assert_eq!(
        (build.remove_overlap, build.remove_duplicates),
        (Removal::Near, Removal::Off)
    );
    assert_eq!(build.similarity, 0.8);
    let eval = recipe.eval;
    let asking = eval.asking;
    assert_eq!(
        (eval.languages.as_slice(), asking.labels.as_slice()),
        (Language::ALL, [LabelSet::English].as_slice())
    );
    assert_eq!(
        (
            asking.scoring,
            asking.protocol,
            asking.few_shot.len(),
            asking.limit
        ),
        (None, None, 0, None)
    );
    let same = PromptLanguage::Same;
    assert_eq!(
        (asking.exemplar_language, asking.header_language),
        (same, same)
    );
    assert_eq!(eval.tokens_per_batch, 2048);
}

#[test]
fn keys_that_do_not_go_with_dora_are_reported_together() {
    let message = refuse(&[
        ("train.lora.dora", "true"),
        ("train.lora.dropout", "0.1"),
        ("train.lora.init", "pissa"),
    ]);
    for part in [
        "train.lora.dora: is trained without dropout; set `dropout` to 0 (--set)",
        "train.lora.dora: does not begin in the weights' first directions; set `init` to \"zero\" (--set)",
    ] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn all_linear_stays_a_word_until_the_model_is_known() {
    let targets = |list| {
        small(&[("train.lora.targets", list)])
            .train
            .expect("[train]")
            .lora
            .targets
    };
    assert_eq!(targets("all-linear"), ["all-linear"]);
    assert_eq!(targets("['q_proj', 'all-linear']"), ["all-linear"]);
    assert_eq!(targets("v_proj"), ["v_proj"]);
}

/// Records from before there was a choice have the hash of the default.
#[test]
fn the_default_adapter_is_recorded_as_before() {
    let lora = small(&[]).train.expect("[train]").lora;
    let text = serde_json::to_string(&lora).expect("JSON");
    assert!(
        !text.contains("dora") && !text.contains("init") && !text.contains("ratio"),
        "{text}"
    );
    assert_eq!(
        serde_json::from_str::<LoraRecipe>(&text).expect("reads"),
        lora
    );
}

#[test]
fn paws_alone_is_trained_for_one_epoch() {
    let epochs = |tasks| {
        small(&[("train.tasks", tasks)])
            .train
            .expect("[train]")
            .epochs
    };
    assert_eq!((epochs("paws"), epochs("paws,snli")), (1.0, 3.0));
}

#[test]
fn without_train_only_the_base_model_is_evaluated() {
    let recipe =
        parse("model = 'm'\ndata.dir = 'd'\neval.tasks = ['paws']", &[]).expect("a good recipe");
    assert_eq!(
        (recipe.train.as_ref(), recipe.adapters()),
        (None, Vec::new())
    );
}

#[test]
fn adapters_are_tasks_by_settings_by_seeds() {
    let recipe = small(&[
        ("train.tasks", "snli,paws"),
        ("train.settings", "zh/de=>en,sw=>zh"),
        ("seeds", "[3, 18446744073709551615]"),
    ]);
    let names: Vec<String> = recipe
        .adapters()
        .into_iter()
        .map(|plan| plan.name)
        .collect();
    assert_eq!(
        names,
        [
            "snli.zh-de-en.seed3",
            "snli.zh-de-en.seed18446744073709551615",
            "snli.sw-zh.seed3",
            "snli.sw-zh.seed18446744073709551615",
            "paws.zh-de-en.seed3",
            "paws.zh-de-en.seed18446744073709551615",
            "paws.sw-zh.seed3",
            "paws.sw-zh.seed18446744073709551615",
        ]
    );
}

#[test]
fn overrides_are_applied_and_recorded() {
    let recipe = small(&[
        ("name", "2024"),
        ("seed", "7"),
        ("train.lora.rank", "4"),
        ("train.lora", "{ alpha = 32 }"),
        ("eval.languages", r#"["de", "sw"]"#),
        ("eval.labels", "same,english"),
        ("eval.limit", "1"),
        ("eval.limit", "2"),
    ]);
    assert_eq!(
        (recipe.name.as_str(), recipe.seeds.as_slice()),
        ("2024", [7].as_slice())
    );
    let lora = recipe.train.expect("[train]").lora;
    assert_eq!(
        (lora.rank, lora.alpha),
        (8, 32.0),
        "a whole section replaces what was there"
    );
    assert_eq!(recipe.eval.languages, [Language::De, Language::Sw]);
    assert_eq!(
        recipe.eval.asking.labels,
        [LabelSet::Same, LabelSet::English]
    );
    assert_eq!(recipe.eval.asking.limit, Some(2), "the last one holds");
    assert_eq!(recipe.overrides[1..3], ["seed=7", "train.lora.rank=4"]);
    assert_eq!(recipe.overrides.len(), 8);
}

#[test]
fn a_seed_override_replaces_the_files_seeds() {
    let text = format!("seeds = [1, 2]\n{SMALL}");
    assert_eq!(
        parse(&text, &[("seed", "9")]).expect("a good recipe").seeds,
        [9]
    );
    let both = problems(parse(&format!("seed = 3\n{text}"), &[]));
    assert_eq!(both, "seed: give `seed` or `seeds`, not both (line 1)");
}

#[test]
fn bad_overrides_are_problems_like_the_rest() {
    let text = SMALL.replace("dir = \"d\"", "dri = \"d\"");
    let result = parse(
        &text,
        &[
            ("train.epoch", "3"),
            ("model.name", "x"),
            ("a..b", "1"),
            ("eval.limit", "0"),
        ],
    );
    assert_eq!(
        problems(result),
        "data.dri: no such key; did you mean `dir`? (line 4)
  data.dir: missing; give the folder of the data, here or with `--set data.dir=FOLDER`
  model.name: no such key; `model` is no section (--set)
  a..b: no such key; write it with dots, as in `train.epochs` (--set)
  train.epoch: no such key; did you mean `epochs`? (--set)
  eval.limit: must be at least 1 (--set)"
    );
}

#[test]
fn unknown_keys_are_answered_with_the_nearest_or_with_all() {
    assert_eq!(
        refuse(&[("trian.epochs", "1")]),
        "trian: no such key; did you mean `train`? (--set)"
    );
    assert_eq!(
        refuse(&[("train.rank", "1")]),
        "train.rank: no such key; did you mean `train.lora.rank`? (--set)"
    );
    assert_eq!(
        refuse(&[("train.lora.zzz", "1")]),
        "train.lora.zzz: no such key; known here: rank, alpha, dropout, targets, rslora, dora, \
         lora_plus_ratio, init (--set)"
    );
}

#[test]
fn accepted_kinds_are_read_and_none_is_the_default() {
    assert!(small(&[]).data.accept.is_empty());
    let recipe = small(&[("data.accept", "label_words,label_order")]);
    assert_eq!(recipe.data.accept, [Kind::LabelWords, Kind::LabelOrder]);
    assert!(
        recipe
            .render()
            .contains("accept = [\"label_words\", \"label_order\"]"),
        "{}",
        recipe.render()
    );
}

#[test]
fn a_list_item_has_its_own_line() {
    let text = SMALL.replace("[\"snli\", \"emotion\"]", "[\n  \"snli\",\n  \"snl\",\n]");
    assert_eq!(
        problems(parse(&text, &[])),
        "eval.tasks: unknown value `snl`; did you mean `snli`? (line 11)"
    );
}

#[test]
fn paths_start_from_the_recipe_or_from_where_the_user_is() {
    let text = SMALL.replace("\"m\"", "\"./m\"") + "few_shot = \"file:shots.json\"";
    let recipe = parse(&text, &[]).expect("a good recipe");
    assert_eq!(
        (recipe.model.as_str(), recipe.data.dir.as_path()),
        ("./recipes/m", Path::new("recipes/d"))
    );
    assert_eq!(
        recipe.eval.asking.few_shot,
        [FewShot::File("recipes/shots.json".into())]
    );

    let sets = [
        ("model", "../m"),
        ("data.dir", "2024-01-01"),
        ("eval.few_shot", "file:x.json"),
    ];
    let recipe = parse(&text, &sets).expect("a good recipe");
    assert_eq!(
        (recipe.model.as_str(), recipe.data.dir.as_path()),
        ("../m", Path::new("2024-01-01"))
    );
    assert_eq!(
        recipe.eval.asking.few_shot,
        [FewShot::File("x.json".into())]
    );

    let model = |name: &str| {
        let text = SMALL.replace("\"m\"", &format!("{name:?}"));
        parse(&text, &[]).expect("a good recipe").model
    };
    assert_eq!(model("org/name"), "org/name", "a hub id is no path");
    assert_eq!(model("models/tiny.gguf"), "recipes/models/tiny.gguf");
    assert_eq!(model("/models/tiny.gguf"), "/models/tiny.gguf");
}

#[test]
fn what_is_no_toml_has_line_and_column() {
    let error = parse("model = \"m\"\ntitle = \"ä\" x\n", &[])
        .expect_err("no TOML")
        .to_string();
    assert!(
        error.starts_with("recipes/small.toml:2:13: not TOML: "),
        "{error}"
    );
    let error = parse("model = 1\nmodel = 2\n", &[])
        .expect_err("twice")
        .to_string();
    assert_eq!(error, "recipes/small.toml:2:1: not TOML: duplicate key");
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("r.toml");
    let error = Recipe::read(&path, &[]).expect_err("no file").to_string();
    assert!(
        error.starts_with(&format!("{}: cannot read the recipe: ", path.display())),
        "{error}"
    );
    fs::write(&path, b"model = 'm'\ntitle = '\xff'").expect("written");
    let error = Recipe::read(&path, &[]).expect_err("no UTF-8").to_string();
    assert_eq!(
        error,
        format!(
            "{}:2:10: not TOML: a byte that is not UTF-8; save the file as UTF-8",
            path.display()
        )
    );
}

#[test]
fn the_shipped_recipes_are_good() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes");
    let quickstart = Recipe::read(&folder.join("quickstart.toml"), &[]).expect("a good recipe");
    assert_eq!(quickstart.adapters()[0].name, "emotion.zh-de-en.seed1");
    assert!(
        quickstart
            .data
            .dir
            .join("ap_emotion/emotion_de40_test.json")
            .is_file()
    );
    for file in fs::read_dir(&folder).expect("a folder") {
        let path = file.expect("a file").path();
        if path.is_dir() {
            continue;
        }
        // One without [grid] stands for itself.
        let grid = Grid::read(&path, &[]).expect("a good recipe");
        assert_eq!(
            path.file_stem().and_then(|stem| stem.to_str()),
            Some(grid.name.as_str())
        );
    }
    let snli = Recipe::read(&folder.join("snli_zh_de.toml"), &[]).expect("a good recipe");
    let paper = TrainRecipe::paper(
        vec!["zh/de=>en".parse().expect("a setting")],
        vec!["snli".to_owned()],
    );
    assert_eq!(
        snli.train,
        Some(paper),
        "what it writes out are the defaults"
    );
}
