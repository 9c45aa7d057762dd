//! Laws of recipes: what is rendered reads back, and no text makes the reader panic.

use std::collections::BTreeMap;

use proptest::{
    collection::vec,
    option,
    prelude::*,
    sample::{select, subsequence},
};

use super::{check::keys, keys::KeySection, *};
fn parse_here(text: &str) -> Result<Recipe, RecipeError> {
    Recipe::parse(Path::new("recipe.toml"), text, &[])
}

/// Text with what quoting must survive: quotes, backslashes, other scripts, spaces.
pub(super) fn any_text() -> impl Strategy<Value = String> {
    "[a-zäß中\"'\\\\#=/. -]{0,12}[a-z中'\"]"
}

/// Keys of an adapter that go with `dora`.
fn go_together(mut train: TrainRecipe) -> TrainRecipe {
    if train.lora.dora {
        (train.lora.dropout, train.lora.init) = (0.0, LoraInit::Zero);
    }
    train
}

/// The text of a file has no turns.
fn without_file_in_chat(mut eval: EvalRecipe) -> EvalRecipe {
    if eval.asking.prompt.contains(&crate::PromptForm::Chat) {
        eval.asking
            .few_shot
            .retain(|set| !matches!(set.source(), crate::few_shot::FewShot::File(_)));
    }
    eval
}

prop_compose! {
    fn any_recipe()(
        name in "[a-z0-9中][a-z0-9中._-]{0,20}",
        title in any_text(),
        model in any_text(),
        data in DataRecipe::any(),
        dtype in select(vec![Precision::F32, Precision::Bf16, Precision::Packed, Precision::Nf4]),
        seeds in subsequence(vec![0, 1, 2, u64::MAX], 1..=4),
        train in option::of(TrainRecipe::any()),
        eval in EvalRecipe::any(),
        analyse in option::of(AnalyseRecipe::any()),
        report in ReportRecipe::any(),
    ) -> Recipe {
        let languages = BTreeMap::new();
        let eval = without_file_in_chat(eval);
        let train = train.map(go_together);
        let analyse = analyse.map(|analyse| AnalyseRecipe { task: eval.tasks[0].clone(), ..analyse });
        Recipe { name, title, model, dtype, seeds, languages, data, train, eval, analyse, report, overrides: vec![] }
    }
}

proptest! {
    #[test]
    fn a_rendered_recipe_reads_back(recipe in any_recipe(), set in any::<String>()) {
        // Resolving tidies `./a//b`, so the law is about a recipe that was read once.
        let recipe = parse_here(&recipe.render()).expect("a rendered recipe");
        prop_assert_eq!(parse_here(&recipe.render()).expect("a rendered recipe"), recipe.clone());
        let noted = Recipe { overrides: vec![format!("title={set}")], ..recipe.clone() };
        prop_assert_eq!(parse_here(&noted.render()).expect("a comment changes nothing"), recipe);
    }

    #[test]
    fn what_is_rendered_is_what_was_checked(recipe in any_recipe()) {
        let read = parse_here(&recipe.render()).expect("a rendered recipe");
        let model = read.model.clone();
        prop_assert_eq!(read, Recipe { model, ..recipe });
    }

    #[test]
    fn no_text_is_a_panic(text in any::<String>(), key in any::<String>(), value in any::<String>()) {
        let sets = [(key, value)];
        if let Err(error) = Recipe::parse(Path::new("r.toml"), &text, &sets) {
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn no_value_is_a_panic_and_each_problem_is_one_line(
        values in vec((
            prop_oneof![select(keys()), "[a-z.\"\n]{0,9}"],
            "[\\[\\]{}0-9a-z\"'=,.:_+\n\r\t\u{0}中-]{0,12}",
        ), 0..6),
    ) {
        let text: String = values.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
        for (text, sets) in [(text.as_str(), [].as_slice()), ("", values.as_slice())] {
            match Recipe::parse(Path::new("r.toml"), text, sets) {
                Err(RecipeError::Problems { problems, .. }) => {
                    prop_assert!(!problems.is_empty());
                    prop_assert!(problems.iter().all(|problem| problem.to_string().lines().count() == 1));
                }
                Err(RecipeError::Syntax { line, column, .. }) => prop_assert!(line >= 1 && column >= 1),
                other => prop_assert!(other.is_ok(), "{:?}", other),
            }
        }
    }
}

#[test]
fn every_key_is_taken_and_rendered() {
    for key in keys() {
        let sets = [(key.clone(), "{ a = 1 }".to_owned())];
        let error = Recipe::parse(Path::new("r.toml"), "", &sets)
            .expect_err("no value of any key")
            .to_string();
        assert!(
            error.contains(&format!("{key}: must be ")),
            "{key} is known, but nobody reads it:\n{error}"
        );
    }
    let text = "model = 'm'\ndata.dir = 'd'\ntrain = { settings = ['zh=>en'], tasks = ['paws'], probe = {} }\neval.tasks = ['paws']\neval.translation = {}\nanalyse = {}";
    let rendered = parse_here(text).expect("a good recipe").render();
    for key in keys().iter().filter(|key| *key != "seed") {
        let last = key.rsplit('.').next().expect("a name");
        let has_key =
            |line: &str| line.trim_start_matches("# ").split([' ', ':']).next() == Some(last);
        assert!(rendered.lines().any(has_key), "{key} is not in\n{rendered}");
    }
}

#[test]
// long: the whole text
fn a_rendered_recipe_by_eye() {
    let text = "model = 'm'\ndata.dir = 'd'\ntrain = { settings = ['zh/de=>en'], tasks = ['snli'] }\neval.tasks = ['paws']";
    let sets = [("eval.limit".to_owned(), "5".to_owned())];
    let recipe = Recipe::parse(Path::new("r.toml"), text, &sets).expect("a good recipe");
    assert_eq!(
        recipe.render(),
        r#"# --set eval.limit=5
name = "r"
title = "r"
model = "m"
dtype = "f32"
seeds = [1]

[data]
dir = "d"
# accept: not given, every error that the audit finds is refused

[train]
settings = ["zh/de=>en"]
tasks = ["snli"]
pairs = 10000
epochs = 3.0
# max_steps: not given, `epochs` decides
batch_size = 16
micro_batch_tokens = 640
activation_checkpointing = "auto"
learning_rate = 5e-5
schedule = "cosine"
warmup_ratio = 0.1
weight_decay = 0.0
max_grad_norm = 1.0
val_size = 0.05
eval_steps = 50
save_steps = 50
cutoff_len = 2048
prompt = "plain"
# probe: not given, nothing is measured on the way

[train.build]
template = """
{source}
Translate the input from {source_language} to {target_language}:
"""
directions = "forward"
control = "none"
remove_overlap = "near"
remove_duplicates = "off"
similarity = 0.8
split = "pairs"

[train.lora]
rank = 8
alpha = 16.0
dropout = 0.0
targets = ["q_proj", "v_proj"]
rslora = false
dora = false
lora_plus_ratio = 1.0
init = "zero"

[eval]
tasks = ["paws"]
languages = "all"
labels = ["english"]
# scoring: not given, each task's own, or prefix
scorers = "all"
greedy = 0
# protocol: not given, defective gold words are refused
# few_shot: not given, each task's own, or head:K with its K
exemplar_language = "same"
header_language = "same"
prompt = ["plain"]
limit = 5
tokens_per_batch = 2048
# translation: not given, what was trained is not measured

# no [analyse]: nothing inside the models is looked at

[report]
texts = true
"#
    );
}
