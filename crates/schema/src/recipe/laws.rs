//! Laws of recipes: what is rendered reads back, and no text makes the reader panic.

use proptest::{
    collection::vec,
    option,
    prelude::*,
    sample::{select, subsequence},
};

use super::{check::KEYS, *};
use crate::{
    LabelSet, Protocol, Scorers, Scoring, Template,
    few_shot::PromptLanguage,
    inside::{Analysis, Pooling},
};

fn parse_here(text: &str) -> Result<Recipe, RecipeError> {
    Recipe::parse(Path::new("recipe.toml"), text, &[])
}

/// Text with what quoting must survive: quotes, backslashes, other scripts, spaces.
fn any_text() -> impl Strategy<Value = String> {
    "[a-zäß中\"'\\\\#=/. -]{0,12}[a-z中'\"]"
}

fn any_tasks() -> impl Strategy<Value = Vec<String>> {
    subsequence(EvalRecipe::TASKS, 1..=3)
        .prop_map(|tasks| tasks.iter().map(|task| (*task).to_owned()).collect())
}

fn any_setting() -> impl Strategy<Value = Setting> {
    subsequence(Language::ALL, 2..5)
        .prop_shuffle()
        .prop_map(|mut languages| {
            let target = languages.remove(0);
            Setting {
                sources: languages,
                target,
            }
        })
}

fn any_count() -> impl Strategy<Value = usize> {
    prop_oneof![1..100_usize, Just(usize::MAX)]
}

prop_compose! {
    fn any_lora()(
        rank in any_count(),
        alpha in 1e-9..1e9,
        dropout in 0.0..1.0,
        targets in subsequence(LoraRecipe::TARGETS, 1..=7),
    ) -> LoraRecipe {
        LoraRecipe { rank, alpha, dropout, targets: targets.into_iter().map(str::to_owned).collect() }
    }
}

fn any_checkpointing() -> impl Strategy<Value = ActivationCheckpointing> {
    use ActivationCheckpointing::{Auto, Off, On};
    prop_oneof![Just(Auto), Just(On), Just(Off)]
}

fn any_template() -> impl Strategy<Value = Template> {
    "[a-z {}\n\"'\\\\中]{0,9}\\{source\\}[a-z {}\n\"'\\\\中]{0,9}"
        .prop_filter_map("no template", |text| text.parse().ok())
}

prop_compose! {
    fn any_build()(
        template in prop_oneof![Just(Template::paper()), any_template()],
        directions in select(vec![Directions::Forward, Directions::Swapped, Directions::Both]),
        control in select(vec![Control::None, Control::Shuffled, Control::Copy, Control::Answers]),
        removals in vec(select(vec![Removal::Off, Removal::Exact, Removal::Near]), 2),
        similarity in 1e-9..=1.0,
        split in select(vec![Split::Pairs, Split::Questions]),
    ) -> BuildRecipe {
        let (remove_overlap, remove_duplicates) = (removals[0], removals[1]);
        BuildRecipe { template, directions, control, remove_overlap, remove_duplicates, similarity, split }
    }
}

prop_compose! {
    fn any_train()(
        setting in any_setting(),
        tasks in any_tasks(),
        counts in vec(any_count(), 6),
        max_steps in option::of(any_count()),
        epochs in prop_oneof![1e-300..1e-3, 1.0..1e18],
        learning_rate in 1e-12..1.0,
        shares in vec(0.0..1.0, 2),
        others in vec(0.0..1e30, 2),
        schedule in prop_oneof![Just(Schedule::Cosine), Just(Schedule::Linear), Just(Schedule::Constant)],
        (activation_checkpointing, build, lora) in (any_checkpointing(), any_build(), any_lora()),
    ) -> TrainRecipe {
        TrainRecipe {
            settings: vec![setting], tasks, pairs: counts[0], epochs, max_steps, batch_size: counts[1],
            micro_batch_tokens: counts[2], activation_checkpointing, learning_rate, schedule, warmup_ratio: shares[0], weight_decay: others[0],
            max_grad_norm: others[1], val_size: shares[1], eval_steps: counts[3], save_steps: counts[4],
            cutoff_len: counts[5], build, lora,
        }
    }
}

fn any_prompt_language() -> impl Strategy<Value = PromptLanguage> {
    prop_oneof![Just(PromptLanguage::Same), Just(PromptLanguage::English)]
}

prop_compose! {
    fn any_eval()(
        tasks in any_tasks(),
        languages in subsequence(Language::ALL, 1..=20),
        labels in subsequence(vec![LabelSet::English, LabelSet::Same, LabelSet::Agnostic, LabelSet::Own("mine")], 1..=4),
        scoring in option::of(select(Scoring::WORDS.to_vec()).prop_map(|word| word.parse().expect("a scoring"))),
        scorers in select(vec![Scorers::Chosen, Scorers::All]),
        greedy in 0..9_usize,
        protocol in option::of(prop_oneof![Just(Protocol::Paper), Just(Protocol::Corrected)]),
        few_shot in subsequence(vec!["head:0", "head:8", "file:a'b", "builtin", "seed:7:4", "seed:1:2:train+order:9"], 0..=6),
        (exemplar_language, header_language) in (any_prompt_language(), any_prompt_language()),
        limit in option::of(any_count()),
        tokens_per_batch in any_count(),
    ) -> EvalRecipe {
        let few_shot = few_shot.into_iter().map(|text| text.parse().expect("a source")).collect();
        let asking = AskingRecipe {
            labels, scoring, scorers, greedy, protocol, few_shot, exemplar_language, header_language, limit,
        };
        EvalRecipe { tasks, languages, asking, tokens_per_batch }
    }
}

prop_compose! {
    fn any_analyse()(
        kinds in subsequence(Analysis::ALL.to_vec(), 1..=7),
        languages in subsequence(Language::ALL, 1..=20),
        poolings in subsequence(Pooling::ALL.to_vec(), 1..=4),
        limit in option::of(any_count()),
        counts in vec(any_count(), 6),
        neuron_share in 1e-9..0.999,
        layers in subsequence(vec![0, 1, 12, 99], 0..=4),
    ) -> AnalyseRecipe {
        let [resamples, permutations, silenced_items, patched_items, lens_steps, lens_tokens] =
            <[usize; 6]>::try_from(counts).expect("six");
        AnalyseRecipe {
            kinds, task: String::new(), languages, limit, poolings, layers, resamples, permutations, neuron_share,
            silenced_items, patched_items, lens_steps, lens_tokens,
        }
    }
}

prop_compose! {
    fn any_recipe()(
        name in "[a-z0-9中][a-z0-9中._-]{0,20}",
        title in any_text(),
        model in any_text(),
        dir in any_text(),
        accept in subsequence(vec![Kind::LabelWords, Kind::LabelOrder, Kind::Syntax], 0..=3),
        dtype in select(vec![Precision::F32, Precision::Bf16, Precision::Packed, Precision::Nf4]),
        seeds in subsequence(vec![0, 1, 2, u64::MAX], 1..=4),
        train in option::of(any_train()),
        eval in any_eval(),
        analyse in option::of(any_analyse()),
    ) -> Recipe {
        let languages = BTreeMap::new();
        let analyse = analyse.map(|analyse| AnalyseRecipe { task: eval.tasks[0].clone(), ..analyse });
        let data = DataRecipe { dir: dir.into(), accept };
        Recipe { name, title, model, dtype, seeds, languages, data, train, eval, analyse, overrides: vec![] }
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
            prop_oneof![subsequence(KEYS, 1).prop_map(|keys| keys[0].to_owned()), "[a-z.\"\n]{0,9}"],
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
    for key in KEYS {
        let sets = [((*key).to_owned(), "{ a = 1 }".to_owned())];
        let error = Recipe::parse(Path::new("r.toml"), "", &sets)
            .expect_err("no value of any key")
            .to_string();
        assert!(
            error.contains(&format!("{key}: must be ")),
            "{key} is known, but nobody reads it:\n{error}"
        );
    }
    let text = "model = 'm'\ndata.dir = 'd'\ntrain = { settings = ['zh=>en'], tasks = ['paws'] }\neval.tasks = ['paws']\nanalyse = {}";
    let rendered = parse_here(text).expect("a good recipe").render();
    for key in KEYS.iter().filter(|key| **key != "seed") {
        let last = key.rsplit('.').next().expect("a name");
        let stands =
            |line: &str| line.trim_start_matches("# ").split([' ', ':']).next() == Some(last);
        assert!(rendered.lines().any(stands), "{key} is not in\n{rendered}");
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
limit = 5
tokens_per_batch = 2048

# no [analyse]: nothing inside the models is looked at
"#
    );
}
