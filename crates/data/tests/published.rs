//! The layouts of published tasks whose answers stand without quotes, on the questions in
//! `tests/golden/tasks`: what is read of them, and the prompts, to the letter.

use std::path::{Path, PathBuf};

use data::{
    prompt::{self, Rendered},
    tasks::task,
    testset,
};
use schema::{Asking, FewShot, LabelSet, Language, PromptForm, Scorers, Scoring};
use serde_json::json;

fn questions(task: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/golden/tasks")
        .join(task)
}

fn render_with(name: &str, code: &str, few_shot: FewShot) -> Rendered {
    let task = task(name).expect("shipped");
    let language: Language = code.parse().expect("a language");
    let labels = match task.text_choices().is_empty() {
        true => LabelSet::English,
        false => LabelSet::Same,
    };
    let set = testset::load(&questions(name), task, language, None).expect("loads");
    prompt::render(task, &set, &few_shot, labels).expect("renders")
}

/// Prompt, what comes between it and an answer, the answers, and the place of the right one.
fn asked(name: &str, code: &str, at: usize) -> (String, String, Vec<String>, usize) {
    let rendered = render_with(name, code, FewShot::Head(0));
    assert!(rendered.answer.after.is_empty(), "nothing ends an answer");
    (
        rendered.prompts[at].text.clone(),
        rendered.answer.before.clone(),
        rendered.words_of(at).to_vec(),
        rendered.prompts[at].gold.0,
    )
}

fn check(
    found: (String, String, Vec<String>, usize),
    (prompt, before, answers, gold): (&str, &str, &[&str], usize),
) {
    let answers = answers.iter().map(|answer| (*answer).to_owned()).collect();
    assert_eq!(found, (prompt.to_owned(), before.to_owned(), answers, gold));
}

#[test]
fn sib_200() {
    let topics = [
        "science/technology",
        "travel",
        "politics",
        "sports",
        "health",
        "entertainment",
        "geography",
    ];
    let prompt = "Given the categories science/technology, travel, politics, sports, health, entertainment, or geography; \
                  what category does the text: 'Ask for a \"quiet\" room, and ride the night train.' belong to:";
    check(asked("sib200", "en", 1), (prompt, " \n\n ", &topics, 1));
    let prompt = prompt.replace(
        "Ask for a \"quiet\" room, and ride the night train.",
        "Alishinda fainali kwa seti mbili fupi.",
    );
    check(asked("sib200", "sw", 2), (&prompt, " \n\n ", &topics, 3));
}

#[test]
fn include() {
    let letters = ["A", "B", "C", "D"];
    let prompt = "The following is multiple-choice question about Social Science.Welcher Fluss fließt durch Dresden?\
                  \nA. Rhein\nB. Elbe\nC. Oder\n D. Isar\nAnswer:";
    check(asked("include", "de", 0), (prompt, " ", &letters, 1));
    let prompt = "The following is multiple-choice question about STEM.Што е лед?\nA. вода\nB. злато\nC. дрво\
                  \n D. воздух\nAnswer:";
    check(asked("include", "mk", 1), (prompt, " ", &letters, 0));
}

// A choice that is lacking is not shown, and its letter is no answer.
#[test]
fn mmlu_prox() {
    let prompt = "Question:\nWas ist 2 + 3?\nOptions:\nA. 4\nB. 6\nC. 5\nAnswer:";
    check(
        asked("mmlu_prox", "de", 0),
        (prompt, " ", &["A", "B", "C"], 2),
    );
    let prompt = "Question:\nWhich gas do we breathe in most?\nOptions:\nA. Argon\nB. Helium\nC. Neon\nD. Nitrogen\
                  \nE. Xenon\nF. Radon\nG. Krypton\nH. Ozone\nI. Methane\nJ. Chlorine\nAnswer:";
    let letters = ["A", "B", "C", "D", "E", "F", "G", "H", "I", "J"];
    check(asked("mmlu_prox", "en", 1), (prompt, " ", &letters, 3));
    let rendered = render_with("mmlu_prox", "en", FewShot::Head(0));
    assert!(rendered.content_free.is_empty() && !rendered.has_common_words());
}

#[test]
fn global_piqa() {
    let answers = [
        "an der Leine geführt.",
        "aus Keksen und Kakao geschichtet, kalt.",
    ];
    check(
        asked("global_piqa", "de", 1),
        ("Ein \"kalter Hund\" wird", " ", &answers, 1),
    );
    check(
        asked("global_piqa", "ja", 0),
        (
            "お茶を入れるときは",
            " ",
            &["水で皿を洗う。", "湯を少し冷ます。"],
            1,
        ),
    );
    let answers = ["remplis-la.", "cache-la.", "retourne-la.", "peins-la."];
    check(
        asked("global_piqa_parallel", "fr_CA", 1),
        ("Pour sécher une tasse,", " ", &answers, 2),
    );
    check(
        asked("global_piqa_parallel", "en", 0),
        (
            "To open a jar,",
            " ",
            &[
                "warm the lid.",
                "cool the lid.",
                "shake the table.",
                "read the label aloud.",
            ],
            0,
        ),
    );
}

// White space at the end of a question goes: it would stand twice before the answer.
#[test]
fn mubench_snli() {
    let words = ["Folge", "Neutral", "Widerspruch"];
    let prompt = "Prämisse: Ein Kind schläft.\nHypothese: Ein Kind ist wach.\nAntwort:";
    check(asked("mubench_snli", "de", 0), (prompt, " ", &words, 2));
    let prompt = "Premise: Two dogs run.\nHypothesis: Animals run.\nAnswer:";
    let words = ["Entailment", "Neutral", "Contradiction"];
    check(asked("mubench_snli", "en", 1), (prompt, " ", &words, 0));
}

#[test]
fn multiblimp() {
    let sentences = [
        "Die Kinder rufen \"Halt\" laut.",
        "Die Kinder ruft \"Halt\" laut.",
    ];
    check(asked("multiblimp", "de", 0), ("", "", &sentences, 0));
    check(
        asked("multiblimp", "ru", 1),
        ("", "", &["Река была тихой.", "Река были тихой."], 0),
    );
    let rendered = render_with("multiblimp", "ru", FewShot::Head(0));
    assert!(rendered.answer.begins_text && rendered.closing.is_empty());
}

/// What all prompts of a file put around the fields.
fn frame(name: &str, code: &str) -> Vec<String> {
    let task = task(name).expect("shipped");
    let language: Language = code.parse().expect("a language");
    let set = testset::load(&questions(name), task, language, None).expect("loads");
    let asking = Asking {
        labels: LabelSet::Same,
        scoring: Scoring::Sequence,
        scorers: Scorers::Chosen,
        protocol: None,
        few_shot: FewShot::Head(0),
        prompt: PromptForm::Plain,
        limit: None,
        greedy: 0,
    };
    let rendered = render_with(name, code, FewShot::Head(0));
    prompt::find_frame(task, &asking, &rendered, &set.items).expect("a frame")
}

#[test]
fn what_is_around_the_fields_ends_where_the_prompt_ends() {
    assert_eq!(frame("multiblimp", "ru"), [""]);
    assert_eq!(frame("global_piqa", "de"), ["", ""]);
    assert_eq!(frame("sib200", "en")[1], "' belong to:");
}

// An answer of an exemplar follows its white space, and an empty line follows it.
#[test]
fn exemplars_without_quotes() {
    let rendered = render_with("global_piqa", "de", FewShot::Head(1));
    assert_eq!(
        rendered.prompts[0].text,
        "Damit der Teig aufgeht, stellt man ihn warm.\n\nEin \"kalter Hund\" wird"
    );
    let rendered = render_with("mmlu_prox", "en", FewShot::Head(1));
    assert!(
        rendered.prompts[0].text.starts_with(
            "Question:\nWhat is 2 + 3?\nOptions:\nA. 4\nB. 6\nC. 5\nAnswer: C\n\nQuestion:\nWhich"
        ),
        "{}",
        rendered.prompts[0].text
    );
    assert!(rendered.prompts[0].text.ends_with("\nAnswer:"));
}

/// What is said of MMLU-ProX where row 2 has these values.
fn refuse_choices(change: &[(&str, serde_json::Value)]) -> String {
    let mut row =
        json!({"question": "Q?", "option_0": "a", "option_1": "b", "option_2": "c", "answer": "C"});
    let right = row.clone();
    for (key, value) in change {
        row[*key] = value.clone();
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut own = task("mmlu_prox").expect("shipped").clone();
    own.files[0].path = "{language}.jsonl".to_owned();
    schema::write_whole(
        &folder.path().join("en.jsonl"),
        format!("{right}\n{row}\n").as_bytes(),
    )
    .expect("writes");
    let error = testset::load(folder.path(), &own, Language::En, None).expect_err("refused");
    error
        .to_string()
        .replace(&format!("{}/", folder.path().display()), "")
}

#[test]
fn choices_that_are_lacking_are_the_last_ones_and_never_the_answer() {
    let said = refuse_choices(&[("answer", json!("D"))]);
    assert!(
        said.contains("column `answer`: is `D`; the answers are `A`, `B`, `C`; correct it"),
        "{said}"
    );
    let said = refuse_choices(&[("option_4", json!("e"))]);
    assert!(
        said.contains("column `option_4`: is a choice, but `option_3` before it is empty"),
        "{said}"
    );
    let said = refuse_choices(&[("option_1", json!(null))]);
    assert!(said.contains("`option_1`"), "{said}");
}
