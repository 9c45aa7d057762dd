//! Recipes in records: what is left out, what is read back, the bytes.

use super::*;

#[test]
fn how_pairs_are_built_is_recorded_where_it_is_not_the_papers() {
    let plain = serde_json::to_string(&small(&[])).expect("JSON");
    assert!(
        !plain.contains("\"build\""),
        "recipes recorded before there was a choice are the same: {plain}"
    );
    let sets = [
        ("train.build.control", "copy"),
        (
            "train.build.template",
            r#""{source}\n=> {target_language}: ""#,
        ),
    ];
    let built = small(&sets);
    let build = &built.train.as_ref().expect("[train]").build;
    assert_eq!(
        (build.control, build.template.to_string()),
        (Control::Copy, "{source}\n=> {target_language}: ".into())
    );
    for recipe in [small(&[]), built] {
        let recorded = serde_json::to_string(&recipe).expect("JSON");
        assert_eq!(
            serde_json::from_str::<Recipe>(&recorded).expect("a recipe"),
            recipe
        );
    }
}

#[test]
fn forms_of_prompts_are_recorded_where_they_are_not_plain_alone() {
    let plain = serde_json::to_string(&small(&[])).expect("JSON");
    assert!(
        !plain.contains("\"prompt\""),
        "as before there was a choice: {plain}"
    );
    let chat = small(&[("eval.prompt", "plain,chat"), ("train.prompt", "chat")]);
    let recorded = serde_json::to_string(&chat).expect("JSON");
    assert_eq!(
        serde_json::from_str::<Recipe>(&recorded).expect("a recipe"),
        chat
    );
    assert!(
        recorded.contains(r#""prompt":["plain","chat"]"#),
        "{recorded}"
    );
}

#[test]
fn activation_checkpointing_is_a_word_or_a_switch() {
    let key = "train.activation_checkpointing";
    let read = |value: &str| {
        let recipe = small(&[(key, value)]);
        let again = Recipe::parse(Path::new("small.toml"), &recipe.render(), &[])
            .expect("a rendered recipe");
        assert_eq!(again.train, recipe.train, "{value}");
        recipe
            .train
            .expect("a [train] section")
            .activation_checkpointing
    };
    assert_eq!(
        small(&[])
            .train
            .expect("a [train] section")
            .activation_checkpointing,
        ActivationCheckpointing::Auto
    );
    assert_eq!(read("auto"), ActivationCheckpointing::Auto);
    assert_eq!(read("true"), ActivationCheckpointing::On);
    assert_eq!(read("false"), ActivationCheckpointing::Off);
    assert_eq!(
        refuse(&[(key, "1")]),
        format!("{key}: must be one of auto, true, false, found 1 (--set)")
    );
    assert_eq!(
        refuse(&[(key, "yes")]),
        format!("{key}: unknown value `yes`; one of: auto, true, false (--set)")
    );
}

#[test]
fn a_recipe_recorded_before_there_was_a_choice_is_auto() {
    let recorded = serde_json::to_string(&small(&[(("train.activation_checkpointing"), "true")]))
        .expect("JSON");
    let old = recorded.replace("\"activation_checkpointing\":\"true\",", "");
    assert_ne!(old, recorded);
    let read: Recipe = serde_json::from_str(&old).expect("a recipe");
    assert_eq!(
        read.train
            .expect("a [train] section")
            .activation_checkpointing,
        ActivationCheckpointing::Auto
    );
}

// `[eval]` of recipes as manifests had them before `Asking` was a value of its own: the keys in
// their order, what was added later left out where it is the default.
#[test]
fn a_recorded_evaluation_keeps_its_bytes() {
    for old in [
        r#"{"tasks":["emotion"],"languages":["en","zh"],"labels":["english"],"scoring":null,"scorers":"all","greedy":0,"protocol":null,"few_shot":"builtin","limit":null,"tokens_per_batch":2048}"#,
        r#"{"tasks":["emotion"],"languages":["en"],"labels":["same","mine"],"scoring":"pmi","scorers":"chosen","greedy":4,"protocol":"paper","few_shot":["head:2","seed:1:4"],"exemplar_language":"english","header_language":"english","limit":7,"tokens_per_batch":64}"#,
        r#"{"tasks":["snli"],"languages":["en"],"labels":["same"],"scoring":null,"scorers":"all","greedy":0,"protocol":null,"few_shot":null,"limit":7,"tokens_per_batch":64}"#,
    ] {
        let read: EvalRecipe = serde_json::from_str(old).expect("an evaluation");
        assert_eq!(serde_json::to_string(&read).expect("JSON"), old);
    }
}
