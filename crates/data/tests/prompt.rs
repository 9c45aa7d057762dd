//! Prompts, to the letter.

mod common;

use std::fs;

use common::{folder, test_file};
use data::{TestSet, prompt, tasks::task, testset};
use schema::{FewShot, LabelSet, Language, Protocol, Task};

fn set(task: &Task, language: Language, golds: &[&str]) -> TestSet {
    let name = format!("{}_{language}{}_test.json", task.name, golds.len());
    let data = folder(task, &[(name.as_str(), &test_file(task, golds))]);
    testset::load(data.path(), task, language, Some(Protocol::Paper)).expect("loads")
}

#[test]
fn head_exemplars_are_not_scored() {
    let snli = task("snli").expect("shipped");
    let set = set(snli, Language::Ja, &["中性", "矛盾", "含意"]);
    let rendered = prompt::render(snli, &set, &FewShot::Head(1), LabelSet::English).expect("renders");
    assert_eq!(rendered.few_shot, "前提: premise 0\n仮説: hypothesis 0\n答え: \"neutral\"\n");
    assert_eq!(rendered.prompts.iter().map(|p| (p.item, p.gold.0)).collect::<Vec<_>>(), [(1, 2), (2, 0)]);
    assert_eq!(
        rendered.prompts[0].text,
        "前提: premise 0\n仮説: hypothesis 0\n答え: \"neutral\"\n前提: premise 1\n仮説: hypothesis 1\n答え: \""
    );
    assert_eq!(rendered.content_free[0], format!("{}前提: N/A\n仮説: N/A\n答え: \"", rendered.few_shot));
    assert_eq!(rendered.content_free[2], format!("{}前提: \n仮説: \n答え: \"", rendered.few_shot));

    let words = |labels| prompt::render(snli, &set, &FewShot::Head(1), labels).expect("renders").few_shot;
    assert!(words(LabelSet::Same).ends_with("答え: \"中立\"\n"), "the label that the word means");
    assert!(words(LabelSet::Agnostic).ends_with("答え: \"horse\"\n"));

    let none = prompt::render(snli, &set, &FewShot::Head(0), LabelSet::English).expect("renders");
    assert_eq!((none.few_shot.as_str(), none.prompts.len()), ("", 3));
    assert_eq!(none.texts()[0], "前提: premise 0\n仮説: hypothesis 0\n答え: \"");
    let error = prompt::render(snli, &set, &FewShot::Head(3), LabelSet::English).expect_err("none left");
    assert!(error.to_string().contains("has 3 items"), "{error}");
}

#[test]
fn builtin_exemplars_are_all_that_ship() {
    for task in data::tasks::all().expect("sound") {
        let words = &task.languages[&Language::Sw].label_words;
        let set = set(task, Language::Sw, &[words[0].as_str()]);
        let rendered = prompt::render(task, &set, &FewShot::Builtin, LabelSet::Agnostic).expect("renders");
        let shipped = data::tasks::exemplars(&task.name).expect("shipped")[&Language::Sw].len();
        let header = task.languages[&Language::Sw].headers.last().expect("has one");
        assert_eq!(rendered.few_shot.matches(header.as_str()).count(), shipped, "{}", task.name);
        assert!(shipped >= task.shots, "{}", task.name);
        assert!(rendered.few_shot.contains("\"ox\"\n") && rendered.few_shot.ends_with("\"\n"));
        assert_eq!(rendered.prompts.len(), 1, "nothing of the test file is an exemplar");
    }
}

#[test]
fn a_file_of_exemplars_is_taken_as_it_stands() {
    let emotion = task("emotion").expect("shipped");
    let set = set(emotion, Language::De, &["positiv"]);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("shots.json");
    let render = |text: &str, labels| {
        fs::write(&path, text).expect("writes");
        prompt::render(emotion, &set, &FewShot::File(path.clone()), labels).map_err(|e| e.to_string())
    };
    let english = r#"{"emotion": {"de": "Gut.\nEmotion: \"positive\"   "}}"#;
    let rendered = render(english, LabelSet::English).expect("renders");
    assert_eq!(rendered.prompts[0].text, "Gut.\nEmotion: \"positive\"   \ninput 0\nEmotion: \"");

    let error = render(english, LabelSet::Same).expect_err("shows English labels");
    assert!(error.contains("answers `positive`, but the label set `same` has positiv, negativ"), "{error}");
    assert!(render(r#"{"emotion": {"de": "Gut.\nEmotion: \"positiv\""}}"#, LabelSet::Same).is_ok());
    assert!(render(r#"{"emotion": {"de": "Gut.\nEmotion: \"positiv\""}}"#, LabelSet::English).is_err());
    assert!(render(r#"{"emotion": {"de": "Gut.\nGefühl: \"positive\""}}"#, LabelSet::Agnostic).is_err());
    assert!(render(r#"{"emotion": {"de": "Sei positive."}}"#, LabelSet::Agnostic).is_ok(), "no answer is shown");

    let error = render(r#"{"emotion": {"fr": "x"}}"#, LabelSet::English).expect_err("no German");
    assert!(error.contains("no language `de` under `emotion`; there is: fr"), "{error}");
    let error = render(r#"{"snli": {}}"#, LabelSet::English).expect_err("no emotion");
    assert!(error.contains("no task `emotion` in it; there is: snli"), "{error}");
    let error = render("{\n\"emotion\": 1}", LabelSet::English).expect_err("broken");
    assert!(error.contains("shots.json line 2"), "{error}");
}
