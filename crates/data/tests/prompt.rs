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
    let rendered =
        prompt::render(snli, &set, &FewShot::Head(1), LabelSet::English).expect("renders");
    assert_eq!(
        rendered.few_shot,
        "前提: premise 0\n仮説: hypothesis 0\n答え: \"neutral\"\n"
    );
    assert_eq!(
        rendered
            .prompts
            .iter()
            .map(|p| (p.item, p.gold.0))
            .collect::<Vec<_>>(),
        [(1, 2), (2, 0)]
    );
    assert_eq!(
        rendered.prompts[0].text,
        "前提: premise 0\n仮説: hypothesis 0\n答え: \"neutral\"\n前提: premise 1\n仮説: hypothesis 1\n答え: \""
    );
    assert_eq!(
        rendered.content_free[0],
        format!("{}前提: N/A\n仮説: N/A\n答え: \"", rendered.few_shot)
    );
    assert_eq!(
        rendered.content_free[2],
        format!("{}前提: \n仮説: \n答え: \"", rendered.few_shot)
    );

    let words = |labels| {
        prompt::render(snli, &set, &FewShot::Head(1), labels)
            .expect("renders")
            .few_shot
    };
    assert!(
        words(LabelSet::Same).ends_with("答え: \"中立\"\n"),
        "the label that the word means"
    );
    assert!(words(LabelSet::Agnostic).ends_with("答え: \"horse\"\n"));

    let none = prompt::render(snli, &set, &FewShot::Head(0), LabelSet::English).expect("renders");
    assert_eq!((none.few_shot.as_str(), none.prompts.len()), ("", 3));
    assert_eq!(
        none.texts()[0],
        "前提: premise 0\n仮説: hypothesis 0\n答え: \""
    );
    let error =
        prompt::render(snli, &set, &FewShot::Head(3), LabelSet::English).expect_err("none left");
    assert!(error.to_string().contains("has 3 items"), "{error}");
}

#[test]
fn builtin_exemplars_are_all_that_ship() {
    for task in data::tasks::all().expect("sound") {
        let words = &task.languages[&Language::Sw].label_words;
        let set = set(task, Language::Sw, &[words[0].as_str()]);
        let rendered =
            prompt::render(task, &set, &FewShot::Builtin, LabelSet::Agnostic).expect("renders");
        let shipped = data::tasks::exemplars(&task.name).expect("shipped")[&Language::Sw].len();
        let header = task.languages[&Language::Sw]
            .headers
            .last()
            .expect("has one");
        assert_eq!(
            rendered.few_shot.matches(header.as_str()).count(),
            shipped,
            "{}",
            task.name
        );
        assert!(shipped >= task.shots, "{}", task.name);
        assert!(rendered.few_shot.contains("\"ox\"\n") && rendered.few_shot.ends_with("\"\n"));
        assert_eq!(
            rendered.prompts.len(),
            1,
            "nothing of the test file is an exemplar"
        );
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
        prompt::render(emotion, &set, &FewShot::File(path.clone()), labels)
            .map_err(|e| e.to_string())
    };
    let english = r#"{"emotion": {"de": "Gut.\nEmotion: \"positive\"   "}}"#;
    let rendered = render(english, LabelSet::English).expect("renders");
    assert_eq!(
        rendered.prompts[0].text,
        "Gut.\nEmotion: \"positive\"   \ninput 0\nEmotion: \""
    );

    let error = render(english, LabelSet::Same).expect_err("shows English labels");
    assert!(
        error.contains("answers `positive`, but the label set `same` has positiv, negativ"),
        "{error}"
    );
    assert!(
        render(
            r#"{"emotion": {"de": "Gut.\nEmotion: \"positiv\""}}"#,
            LabelSet::Same
        )
        .is_ok()
    );
    assert!(
        render(
            r#"{"emotion": {"de": "Gut.\nEmotion: \"positiv\""}}"#,
            LabelSet::English
        )
        .is_err()
    );
    assert!(
        render(
            r#"{"emotion": {"de": "Gut.\nGefühl: \"positive\""}}"#,
            LabelSet::Agnostic
        )
        .is_err()
    );
    assert!(
        render(
            r#"{"emotion": {"de": "Sei positive."}}"#,
            LabelSet::Agnostic
        )
        .is_ok(),
        "no answer is shown"
    );

    let error = render(r#"{"emotion": {"fr": "x"}}"#, LabelSet::English).expect_err("no German");
    assert!(
        error.contains("no language `de` under `emotion`; there is: fr"),
        "{error}"
    );
    let error = render(r#"{"snli": {}}"#, LabelSet::English).expect_err("no emotion");
    assert!(
        error.contains("no task `emotion` in it; there is: snli"),
        "{error}"
    );
    let error = render("{\n\"emotion\": 1}", LabelSet::English).expect_err("broken");
    assert!(error.contains("shots.json line 2"), "{error}");
}

/// SNLI in three languages, eight parallel items each.
fn parallel() -> tempfile::TempDir {
    let snli = task("snli").expect("shipped");
    let file = |language: &Language| {
        let words = &snli.languages[language].label_words;
        let golds: Vec<&str> = [0, 1, 2, 0, 1, 2, 0, 1]
            .iter()
            .map(|at| words[*at].as_str())
            .collect();
        (
            format!("snli_{language}8_test.json"),
            test_file(snli, &golds).replace("premise ", &format!("{language} premise ")),
        )
    };
    let files: Vec<(String, String)> = [Language::En, Language::De, Language::Ja]
        .iter()
        .map(file)
        .collect();
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    folder(snli, &files)
}

fn shown(
    data: &tempfile::TempDir,
    language: Language,
    few_shot: &str,
) -> Result<prompt::Rendered, String> {
    let snli = task("snli").expect("shipped");
    let set = testset::load(data.path(), snli, language, None).expect("loads");
    let few_shot = few_shot.parse().expect("a source");
    prompt::render(snli, &set, &few_shot, LabelSet::English).map_err(|error| error.to_string())
}

/// The numbers of the items that are shown.
fn numbers(rendered: &prompt::Rendered) -> Vec<String> {
    let lines = rendered
        .few_shot
        .lines()
        .filter_map(|line| line.split("premise ").nth(1));
    lines.map(str::to_owned).collect()
}

#[test]
fn a_seed_shows_the_same_balanced_items_in_every_language() {
    let data = parallel();
    let of = |language, few_shot: &str| shown(&data, language, few_shot).expect("renders");
    let german = of(Language::De, "seed:1:3:6");
    assert_eq!(
        german
            .prompts
            .iter()
            .map(|prompt| prompt.item)
            .collect::<Vec<_>>(),
        [6, 7],
        "the pool is not scored"
    );
    assert_eq!(
        (numbers(&german).len(), numbers(&german)),
        (3, numbers(&of(Language::Ja, "seed:1:3:6")))
    );
    for label in ["entailment", "neutral", "contradiction"] {
        assert_eq!(
            german.few_shot.matches(&format!("\"{label}\"")).count(),
            1,
            "{label}"
        );
    }
    let others: Vec<_> = (2..8)
        .map(|seed| numbers(&of(Language::De, &format!("seed:{seed}:3:6"))))
        .collect();
    assert!(others.iter().any(|other| *other != numbers(&german)));
    let failed = |seed| shown(&data, Language::De, &format!("seed:{seed}:5:5")).err();
    let error = (0..20)
        .find_map(failed)
        .expect("one contradiction among five, of which some seed wants two");
    assert!(
        error.contains("2 items of the label contradiction are wanted"),
        "{error}"
    );
    assert!(
        error.contains("the 5 items among which they are drawn have 1; draw among more: seed:"),
        "{error}"
    );
}

#[test]
fn order_and_languages_of_exemplars_are_varied() {
    let data = parallel();
    let of = |few_shot: &str| shown(&data, Language::De, few_shot).expect("renders");
    let plain = of("head:4");
    assert_eq!(numbers(&plain), ["0", "1", "2", "3"]);
    let mut permuted = numbers(&of("head:4+order:3"));
    assert_ne!(permuted, numbers(&plain));
    permuted.sort();
    assert_eq!(permuted, numbers(&plain));

    let english = of("head:1+exemplars:english");
    assert_eq!(
        english.few_shot,
        "Premise: en premise 0\nHypothesis: hypothesis 0\nAnswer: \"entailment\"\n"
    );
    assert!(
        english.prompts[0]
            .text
            .contains("\nPrämisse: de premise 1\n"),
        "{}",
        english.prompts[0].text
    );
    let headers = of("head:1+headers:english");
    assert!(
        headers.few_shot.starts_with("Premise: de premise 0\n"),
        "{}",
        headers.few_shot
    );
    assert!(
        headers.prompts[0]
            .text
            .ends_with("Premise: de premise 1\nHypothesis: hypothesis 1\nAnswer: \"")
    );
    assert!(headers.content_free[0].ends_with("Premise: N/A\nHypothesis: N/A\nAnswer: \""));
}

#[test]
fn an_instruction_stands_before_everything_and_choices_are_shown_as_answers() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "name = \"pick\"\ntitle = \"t\"\nfields = [\"q\"]\nshots = 1\nlabels = [\"1\", \"2\"]\nscoring = \"sequence\"\n\
        choices = { fields = [\"a\", \"b\"], answers = \"texts\" }\n\
        [languages.en]\ninstruction = \"Answer.\"\nheaders = [\"Q: \", \" \\\"\"]\n";
    let path = folder.path().join("pick.toml");
    fs::write(&path, text).expect("writes");
    let pick = task(path.to_str().expect("UTF-8")).expect("a task");
    let rows = r#"[{"q": "x", "a": "one", "b": "two", "answer": "two"}, {"q": "y", "a": "uno", "b": "due", "answer": "1"}]"#;
    fs::write(folder.path().join("pick_en2_test.json"), rows).expect("writes");
    let set = testset::load(folder.path(), pick, Language::En, None).expect("loads");
    let rendered = prompt::render(pick, &set, &FewShot::Head(1), LabelSet::Same).expect("renders");
    assert_eq!(rendered.prompts[0].text, "Answer.\nQ: x \"two\"\nQ: y \"");
    assert_eq!(
        (rendered.words_of(0), rendered.prompts[0].gold.0),
        (["uno".to_owned(), "due".to_owned()].as_slice(), 0)
    );
    assert!(rendered.content_free.is_empty() && !rendered.has_common_words());
}
