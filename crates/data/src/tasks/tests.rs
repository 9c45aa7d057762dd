//! The shipped tasks, and the messages for a user's file.

use std::fs;

use schema::{Scoring, recipe::EvalRecipe};

use super::*;

#[test]
fn the_shipped_tasks_are_whole() {
    for task in all().expect("the assets are sound") {
        assert_eq!(task.languages.len(), 20, "{}", task.name);
        assert_eq!(
            exemplars(&task.name).expect("exemplars").len(),
            20,
            "{}",
            task.name
        );
    }
    assert_eq!(
        task("snli").expect("snli").labels,
        ["entailment", "neutral", "contradiction"]
    );
    assert_eq!(
        task("emotion").expect("emotion").labels,
        ["positive", "negative"]
    );
    assert_eq!(task("paws").expect("paws").labels, ["same", "different"]);
    assert_eq!(
        all()
            .expect("sound")
            .iter()
            .map(|task| task.name.as_str())
            .collect::<Vec<_>>(),
        EvalRecipe::TASKS[..3]
    );
    for name in EvalRecipe::TASKS {
        let task = task(name).expect("shipped");
        assert_eq!(
            (task.name.as_str(), task.scoring.is_some()),
            (*name, !(task.text_choices().is_empty() && task.quotes))
        );
    }
    let error = task("anli").expect_err("not shipped").to_string();
    assert!(
        error.starts_with("no task `anli`; there is: emotion, snli, paws, xnli"),
        "{error}"
    );
    assert!(
        error.ends_with("or give the path of a task file, such as ./anli.toml"),
        "{error}"
    );
}

#[test]
fn label_sets_per_task_and_language() {
    let words = |name: &str, language, set| label_words(task(name).expect("a task"), language, set);
    assert_eq!(
        words("emotion", Language::De, LabelSet::Same).expect("has"),
        ["positiv", "negativ"]
    );
    assert_eq!(
        words("emotion", Language::En, LabelSet::Same).expect("has"),
        ["positive", "negative"]
    );
    assert_eq!(
        words("snli", Language::Ja, LabelSet::English).expect("has")[1],
        "neutral"
    );
    assert_eq!(
        words("snli", Language::Ja, LabelSet::Agnostic).expect("has"),
        ["ox", "horse", "sheep"]
    );
    assert_eq!(
        words("paws", Language::Zh, LabelSet::Agnostic).expect("has"),
        ["ox", "horse"]
    );
    let error = words("paws", Language::De, LabelSet::Same).expect_err("PAWS golds are English");
    assert_eq!(
        error.to_string(),
        "no label set for task paws in language de called `same`; there is: english, agnostic"
    );
}

const COLOURS: &str = r#"name = "colours"
title = "Which colour?"
fields = ["text"]
shots = 2
labels = ["red", "blue"]

[label_sets.mine]
all = ["no", "yes"]
de = ["nein", "ja"]

[languages.en]
headers = ["", "\nColour: \""]

[languages.de]
headers = ["", "\nFarbe: \""]
label_words = ["rot", "blau"]

[languages.qqt]
name = "Testish"
script = "Latn"
headers = ["", "\nQ: \""]
"#;

/// Reads a task file called `colours.toml`.
fn read_colours(text: &str) -> Result<&'static Task, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("colours.toml");
    fs::write(&path, text).expect("writes");
    let read = task(path.to_str().expect("UTF-8"));
    read.map_err(|error| {
        error
            .to_string()
            .replace(&path.display().to_string(), "colours.toml")
    })
}

#[test]
fn a_users_file_is_a_task_like_the_shipped_ones() {
    let colours = read_colours(COLOURS).expect("a task");
    assert_eq!(
        colours.languages[&Language::En].label_words,
        ["red", "blue"],
        "left out, so the labels"
    );
    let added: Language = "qqt".parse().expect("known by its row");
    assert_eq!((added.name(), added.script()), ("Testish", Some("Latn")));
    let words = |language, set: &str| label_words(colours, language, set.parse().expect("a set"));
    assert_eq!(words(Language::De, "mine").expect("has"), ["nein", "ja"]);
    assert_eq!(words(added, "mine").expect("has"), ["no", "yes"]);
    assert_eq!(words(Language::De, "same").expect("has"), ["rot", "blau"]);
    let error = words(Language::De, "yours")
        .expect_err("has not")
        .to_string();
    assert_eq!(
        error,
        "no label set for task colours in language de called `yours`; there is: english, same, mine"
    );
    assert_eq!(task("colours").expect("known by its name").name, "colours");
}

#[test]
fn what_is_wrong_with_a_users_file_is_told_with_its_line() {
    let cases = [
        (
            "fields = [\"text\"]",
            "fields = [\"text\"",
            "colours.toml line 4: missing comma",
        ),
        (
            "shots = 2",
            "shot = 2",
            "colours.toml line 4: unknown field `shot`",
        ),
        ("shots = 2\n", "", "missing field `shots`"),
        (
            "[\"\", \"\\nFarbe: \\\"\"]",
            "[\"\"]",
            "colours.toml line 15: languages.de.headers: 1 for 1 fields; give one before each field",
        ),
        (
            "[\"rot\", \"blau\"]",
            "[\"rot\"]",
            "colours.toml line 16: languages.de.label_words: 1 for 2 labels; give one for each",
        ),
        (
            "[\"rot\", \"blau\"]",
            "[\"rot\", \"rot\"]",
            "colours.toml line 16: languages.de.label_words: label word `rot` is empty or a duplicate",
        ),
        (
            "de = [\"nein\", \"ja\"]",
            "fr = [\"non\", \"oui\"]",
            "colours.toml line 9: label_sets.mine.fr: is not a language of the task",
        ),
        (
            "label_sets.mine",
            "label_sets.same",
            "colours.toml line 7: label_sets.same: every task has a set of this name",
        ),
        (
            "name = \"Testish\"\nscript = \"Latn\"\n",
            "",
            "colours.toml line 18: languages.qqz: the code is not known; add `name",
        ),
        (
            "name = \"Testish\"",
            "name = \"Otherish\"",
            "colours.toml line 18: languages.qqz: `qqz` is known as Testish",
        ),
        (
            "name = \"colours\"",
            "name = \"a b\"",
            "colours.toml line 1: name: must be letters",
        ),
        (
            "name = \"colours\"",
            "name = \"colors\"",
            "task file colours.toml: name: is `colors`, but the file is called `colours.toml`",
        ),
        (
            "shots = 2",
            "shots = 2\nextends = \"anli\"",
            "colours.toml line 5: extends: there is no shipped task `anli`",
        ),
        (
            "[label_sets.mine]",
            "[[files]]\npath = \"../{language}.tsv\"\n[label_sets.mine]",
            "files: path `../{language}.tsv` must lead down",
        ),
        (
            "[label_sets.mine]",
            "[[files]]\npath = \"x.txt\"\n[label_sets.mine]",
            "files: `x.txt` does not say its format",
        ),
        (
            "[label_sets.mine]",
            "[[files]]\npath = \"x.tsv\"\ncolumns.label = \"x\"\n[label_sets.mine]",
            "files: columns: there is no `label` to fill; there is: answer, text",
        ),
        (
            "shots = 2",
            "shots = 2\nchoices = { fields = [\"a\", \"b\"], answers = \"letters\" }",
            "colours.toml line 5: choices.fields: `a` is not among `fields`",
        ),
        (
            "shots = 2",
            "shots = 2\nchoices = { fields = [\"a\", \"b\"], answers = \"texts\" }",
            "scoring: where answers are texts it must be given, and not `prefix`",
        ),
        (
            "shots = 2",
            "shots = 2\nchoices = { fields = [\"a\"], answers = \"texts\" }",
            "colours.toml line 5: choices.fields: 1 for 2 labels",
        ),
        (
            "shots = 2",
            "shots = 2\noptional = [\"hint\"]",
            "colours.toml line 5: optional: `hint` is not a field; there is: text",
        ),
        (
            "shots = 2",
            "shots = 2\ntrim = [\"hint\"]",
            "colours.toml line 5: trim: `hint` is not a field; there is: text",
        ),
        (
            "shots = 2",
            "shots = 2\ngroup = \"hint\"",
            "colours.toml line 5: group: `hint` is not a field; there is: text",
        ),
        (
            "fields = [\"text\"]",
            "fields = []",
            "colours.toml line 3: fields: a task has at least one field",
        ),
        (
            "shots = 2",
            "shots = 2\nexemplars.en = [{ text = \"x\", answer = \"green\" }]",
            "task file colours.toml: exemplars.en: number 1: `green` is not a label; there is: red, blue",
        ),
    ];
    Language::add("qqz", "Testish", "Latn").err();
    for (old, new, wanted) in cases {
        let text = COLOURS.replace("qqt", "qqz");
        assert!(text.contains(old), "{old}");
        let text = if new.is_empty() && old.starts_with("name") {
            text.replace("qqz", "qqy")
        } else {
            text
        };
        let error = read_colours(&text.replacen(old, new, 1))
            .expect_err(wanted)
            .replace("qqy", "qqz");
        assert!(error.contains(wanted), "{wanted}\n{error}");
    }
}

const QUIZ: &str = r#"name = "colours"
title = "Which one?"
fields = ["text", "a", "b", "c", "d"]
shots = 0
quotes = false
labels = ["A", "B", "C", "D"]
optional = ["c", "d"]

[choices]
fields = ["a", "b", "c", "d"]
answers = "letters"

[default]
headers = ["", " A. ", " B. ", " C. ", " D. ", " Answer: "]
"#;

#[test]
fn questions_may_lack_their_last_choices() {
    let offered = |task: &Task, texts: [&str; 5]| task.offered(&texts.map(str::to_owned));
    let quiz = read_colours(QUIZ).expect("a task");
    assert_eq!(offered(quiz, ["q", "a", "b", "c", ""]), Some(3));
    assert_eq!(offered(quiz, ["q", "a", "b", "c", "d"]), Some(4));
    let without = QUIZ.replace("optional = [\"c\", \"d\"]\n", "");
    let quiz = read_colours(&without).expect("a task");
    assert_eq!(offered(quiz, ["q", "a", "b", "c", ""]), None);
    let refuse = |optional: &str| {
        read_colours(&QUIZ.replace("[\"c\", \"d\"]", optional)).expect_err("refused")
    };
    let said = refuse("[\"c\"]");
    assert!(
        said.contains("optional: a question lacks its last choices alone; add `d`"),
        "{said}"
    );
    let said = refuse("[\"b\", \"c\", \"d\"]");
    assert!(
        said.contains("optional: `b` is one of the first two choices"),
        "{said}"
    );
}

#[test]
fn a_file_may_extend_a_shipped_task() {
    let text = "name = \"colours\"\nextends = \"emotion\"\nscoring = \"sequence\"\n[languages.de]\nlabel_words = [\"gut\", \"schlecht\"]\n";
    let own = read_colours(text).expect("a task");
    assert_eq!(
        (own.labels.len(), own.folder.as_str(), own.scoring),
        (2, "ap_emotion", Some(Scoring::Sequence))
    );
    assert_eq!(
        own.languages[&Language::De].label_words,
        ["gut", "schlecht"]
    );
    assert_eq!(
        own.languages[&Language::De].headers,
        task("emotion").expect("shipped").languages[&Language::De].headers
    );
    // Under a name of its own: other tests read files of the name `colours` meanwhile.
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("hues.toml");
    fs::write(&path, text.replace("colours", "hues")).expect("writes");
    let inherited = exemplars(path.to_str().expect("UTF-8")).expect("the base's");
    assert_eq!(inherited.len(), 20);
    let error =
        read_colours("name = \"colours\"\nextends = \"emotion\"\nshot = 2\n").expect_err("a slip");
    assert!(error.contains("unknown field `shot`"), "{error}");
}

#[test]
fn a_task_that_does_not_fit_itself_is_refused() {
    let read = |text: &str| read::read(text, shipped_text).map_err(|problem| problem.message);
    let text = SHIPPED[0].text;
    assert!(read(text).is_ok());
    let error = read(&text.replacen("[\"\", \"\\nEmotion: \\\"\"]", "[\"\"]", 1))
        .expect_err("a header less");
    assert!(
        error.starts_with("languages.en.headers: 1 for 1 fields"),
        "{error}"
    );
    let error = read(&text.replacen("[\"positiv\", \"negativ\"]", "[\"positiv\"]", 1))
        .expect_err("a word less");
    assert!(error.contains("label_words: 1 for 2 labels"), "{error}");
    assert!(read(&format!("colour = 1\n{text}")).is_err());
}
