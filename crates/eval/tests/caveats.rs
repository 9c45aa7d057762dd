//! What makes an answer worth less is in its record, and measures of an unfinished evaluation
//! are checked before they are used.

use std::{fs, path::Path};

use data::{Tokenizer, tasks};
use eval::{Ahead, Ask, EvalError, Journal, LanguageAnswers, ask::Respondent};
use hub::ModelFiles;
use model::{Decoder, device::Device};
use schema::{
    Answerer, Asking, FewShot, LabelSet, Language, PromptForm, Scorers, Scoring,
    caveats::{AnswerCounts, describe_answers},
    record::Caveat,
    task::Precision,
    write_whole,
};
use serde_json::{Value, json};

const SHOWN: &str = "Nobody came, and the soup was cold";

/// A model of `context` positions, two questions, and exemplars that show the second.
fn write_files(folder: &Path, context: usize) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let write = |to: &str, bytes: &[u8]| write_whole(&folder.join(to), bytes).expect("writes");
    for (from, to) in [
        ("model.safetensors", "model/model.safetensors"),
        ("byte_level.json", "model/tokenizer.json"),
    ] {
        write(to, &fs::read(golden.join(from)).expect("a golden file"));
    }
    let config = fs::read(golden.join("config.json")).expect("a golden file");
    let mut config: Value = serde_json::from_slice(&config).expect("JSON");
    config["max_position_embeddings"] = json!(context);
    write("model/config.json", config.to_string().as_bytes());
    let tokenizer = br#"{"bos_token": null, "eos_token": null}"#;
    write("model/tokenizer_config.json", tokenizer);
    let items = [("soup was cold", "negative"), (SHOWN, "negative")];
    let items = items.map(|(input, answer)| json!({"input": input, "answer": answer}));
    write(
        "data/ap_emotion/emotion_en2_test.json",
        Value::from(items.to_vec()).to_string().as_bytes(),
    );
    let shown = format!("What a beginning!\nEmotion: \"positive\"\n{SHOWN}\nEmotion: \"negative\"");
    let shown = json!({"emotion": {"en": shown}});
    write("shown.json", shown.to_string().as_bytes());
}

fn evaluate(folder: &Path) -> Result<LanguageAnswers, EvalError> {
    evaluate_after(folder, &mut Ahead::default())
}

fn evaluate_after(folder: &Path, ahead: &mut Ahead) -> Result<LanguageAnswers, EvalError> {
    let dir = folder.join("model");
    let files = ModelFiles::Folder {
        weights: vec![dir.join("model.safetensors")],
        dir,
    };
    let answerer = Answerer {
        program: "test".to_owned(),
        numerics: model::NUMERICS.to_owned(),
        model_fingerprint: "tiny".to_owned(),
        adapter_sha256: None,
        dtype: Precision::F32,
        device: "cpu".to_owned(),
        instruction_set: String::new(),
    };
    let asking = Asking {
        labels: LabelSet::English,
        scoring: Scoring::Prefix,
        scorers: Scorers::All,
        greedy: 0,
        protocol: None,
        few_shot: FewShot::File(folder.join("shown.json")),
        prompt: PromptForm::Plain,
        limit: None,
    };
    let ask = Ask {
        model: "tiny",
        adapter: None,
        task: tasks::task("emotion").expect("shipped"),
        dir: &folder.join("data"),
        asking: &asking,
        tokens_per_batch: 1000,
    };
    let respondent = Respondent {
        model: &Decoder::load(&files, Precision::F32, &Device::Cpu).expect("loads"),
        tokenizer: &Tokenizer::load(&files).expect("a tokenizer"),
        answerer: &answerer,
    };
    let mut journal = Journal::open(&folder.join("answers.jsonl"))?;
    let watch = &mut |_, _| true;
    eval::ask(respondent, &ask, Language::En, ahead, &mut journal, watch)
}

/// The file is gone when the second model is asked: the questions are those of the first.
#[test]
fn questions_are_prepared_once_for_all_models() {
    let folder = tempfile::tempdir().expect("a folder");
    write_files(folder.path(), 4096);
    let mut ahead = Ahead::default();
    let mut answer = |is_asked_again| {
        ahead.is_asked_again = is_asked_again;
        let answers = evaluate_after(folder.path(), &mut ahead);
        // Of another model: nothing is resumed.
        fs::remove_file(folder.path().join("answers.jsonl.partial")).expect("removes");
        answers
    };
    let first = answer(true).expect("answers");
    fs::remove_dir_all(folder.path().join("data")).expect("removes");
    assert_eq!(answer(true).expect("answers"), first);
    assert_eq!(answer(false).expect("answers"), first);
    let problem = answer(false).expect_err("nothing is kept for longer");
    assert!(problem.to_string().contains("ap_emotion"), "{problem}");
}

#[test]
fn long_prompts_and_shown_questions_are_marked() {
    let folder = tempfile::tempdir().expect("a folder");
    write_files(folder.path(), 30);
    let records = evaluate(folder.path()).expect("answers").records;
    let caveats: Vec<&[Caveat]> = records.iter().map(|r| r.caveats.as_slice()).collect();
    assert_eq!(
        caveats,
        [
            &[Caveat::BeyondContext][..],
            &[Caveat::BeyondContext, Caveat::IsExemplar]
        ]
    );
    let said = describe_answers(&[(Language::En, &AnswerCounts::of(&records))]);
    assert!(
        said.iter()
            .any(|one| one.contains("in en 2 of 2: the model was not made for"))
    );
    assert!(
        said.iter()
            .any(|one| one.contains("also asked in en 1 of 2:")),
        "{said:?}"
    );
    write_files(folder.path(), 4096);
    fs::remove_file(folder.path().join("answers.jsonl.partial")).expect("removes");
    let records = evaluate(folder.path()).expect("answers").records;
    assert!(records[0].caveats.is_empty(), "{:?}", records[0].caveats);
}

#[test]
fn measures_that_cannot_be_of_the_questions_are_refused_by_line() {
    let folder = tempfile::tempdir().expect("a folder");
    write_files(folder.path(), 4096);
    evaluate(folder.path()).expect("answers");
    let partial = folder.path().join("answers.jsonl.partial");
    let whole = fs::read_to_string(&partial).expect("reads");
    for (line, problem) in [
        (r#"{"measured":[42,{}]}"#, "question 42 of 5"),
        (r#"{"measured":[1,{}]}"#, "measures of other labels"),
        (
            r#"{"measured":[1,{"prefix":[0.5]}]}"#,
            "1 prefix sums for 2 labels",
        ),
        (
            r#"{"measured":[1,{"prefix":[0.5,0.5],"log_probs":[-1.0,9.0],"tokens":[1,1]}]}"#,
            "a log-probability is 9",
        ),
    ] {
        fs::write(&partial, format!("{whole}{line}\n")).expect("writes");
        let error = evaluate(folder.path()).expect_err("refused").to_string();
        let place = format!("{} line {}: ", partial.display(), whole.lines().count() + 1);
        assert!(
            error.starts_with(&place) && error.contains(problem),
            "{error}"
        );
    }
}

// One changed digit of a measure would be another answer.
#[test]
fn a_changed_byte_of_an_unfinished_evaluation_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    write_files(folder.path(), 4096);
    let answers = evaluate(folder.path()).expect("answers");
    assert_eq!(answers.resumed, 0);
    assert_eq!(evaluate(folder.path()).expect("again").resumed, 5);
    let partial = folder.path().join("answers.jsonl.partial");
    let whole = fs::read(&partial).expect("reads");
    let ends: Vec<usize> = (0..whole.len()).filter(|&at| whole[at] == b'\n').collect();
    let mut tried = 0;
    for at in (0..whole.len()).step_by(7).chain(ends) {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        fs::write(&partial, &changed).expect("writes");
        match evaluate(folder.path()) {
            Err(error) => {
                let line = 1 + whole[..at].iter().filter(|&&byte| byte == b'\n').count();
                let place = format!("{} line {line}: ", partial.display());
                assert!(error.to_string().starts_with(&place), "byte {at}: {error}");
            }
            Ok(found) => assert_eq!(found.records, answers.records, "byte {at}"),
        }
        tried += 1;
    }
    assert!(tried > 100, "{tried} bytes");
}
