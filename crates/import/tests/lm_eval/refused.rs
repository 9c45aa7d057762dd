//! What cannot be read of lm-eval's files: one message, with the file and the line.

use import::lm_eval::samples;

use super::*;

const DATE: &str = "2026-01-02T03-04-05.678901";

fn good() -> Value {
    sample(
        0,
        json!({"sentence": "..."}),
        &[("yes", -1.0), ("no", -2.0)],
        "0",
    )
}

/// A good sample with this key changed; null takes it out.
fn with(key: &str, value: Value) -> Value {
    let mut line = good();
    match value {
        Value::Null => drop(line.as_object_mut().expect("an object").shift_remove(key)),
        value => line[key] = value,
    }
    line
}

/// The message for a file with a good line and then this one.
fn refuse(second: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(format!("samples_boolq_en_{DATE}.jsonl"));
    fs::write(&path, format!("{}\n\n{second}\n", good())).expect("writes");
    let message = samples::read(&path, None).expect_err("refused").to_string();
    let (place, problem) = message
        .split_once(" line 3: ")
        .unwrap_or_else(|| panic!("no line 3 in {message}"));
    assert_eq!(Path::new(place), path);
    problem.to_owned()
}

const GENERATED: &str = "generated text and no log-probabilities (a generation task); only multiple-choice tasks can be compared";
const AGAIN: &str = "give a file that it wrote, or evaluate again";

#[test]
fn broken_lines() {
    let cut = &good().to_string()[..40];
    assert_eq!(
        refuse(cut),
        format!("not a sample of lm-eval: EOF while parsing a string (column 40); {AGAIN}")
    );
    for key in ["doc_id", "doc", "target", "arguments", "resps"] {
        let problem = refuse(&with(key, Value::Null).to_string());
        assert!(
            problem.starts_with(&format!(
                "not a sample of lm-eval: missing field `{key}` (column "
            )),
            "{problem}"
        );
    }
    let problem = refuse(&with("doc", json!("text")).to_string());
    assert!(
        problem
            .starts_with("not a sample of lm-eval: invalid type: string \"text\", expected a map"),
        "{problem}"
    );
    let problem = refuse(&with("doc", json!({"label_set": "english"})).to_string());
    assert_eq!(problem, "`doc`: missing field `item`");
}

#[test]
fn answers_that_cannot_be_compared() {
    let three = sample(
        1,
        json!({}),
        &[("yes", -1.0), ("no", -2.0), ("so", -3.0)],
        "0",
    );
    let cases = [
        (
            three,
            "3 answers, but 2 on line 1; only tasks with one number of answers can be compared"
                .to_owned(),
        ),
        (
            with("resps", json!([[["-1.0", "True"]]])),
            "`arguments` has 2 answers, `resps` 1".to_owned(),
        ),
        (
            with("resps", json!([["yes"], ["no"]])),
            format!("`resps` holds {GENERATED}"),
        ),
        (
            with(
                "arguments",
                json!({"gen_args_0": {"arg_0": "Q", "arg_1": {"until": ["."]}}}),
            ),
            format!("`arguments` are of {GENERATED}"),
        ),
        (
            sample(1, json!({}), &[("yes", -1.0)], "0"),
            "1 answer; only tasks in which one of several is chosen can be compared".to_owned(),
        ),
        (
            with("resps", json!([[["much", "True"]], [["-2.0", "False"]]])),
            "`resps` holds [\"much\",\"True\"] instead of ln p and whether it is greedy".to_owned(),
        ),
        (
            with("resps", json!([[["nan", "True"]], [["-2.0", "False"]]])),
            "`resps` holds [\"nan\",\"True\"] instead of ln p and whether it is greedy".to_owned(),
        ),
        (
            with("resps", json!([[], [["-2.0", "False"]]])),
            "`resps` holds an empty response".to_owned(),
        ),
        (
            with("resps", json!([[["-inf", "x"]], [["-inf", "x"]]])),
            "no answer has a probability above 0".to_owned(),
        ),
        (
            with("arguments", json!(1)),
            "`arguments` is neither an object nor a list".to_owned(),
        ),
        (
            with("arguments", json!([["Q", "yes"], ["Q"]])),
            "`arguments` lacks the text of answer 1".to_owned(),
        ),
    ];
    for (line, wanted) in cases {
        assert_eq!(refuse(&line.to_string()), wanted);
    }
}

#[test]
fn golds_that_are_none() {
    let one_right = "only tasks with one right answer can be compared";
    for target in ["-100", "2", "[0, 1]", "maybe"] {
        let problem = refuse(&with("target", json!(target)).to_string());
        assert_eq!(
            problem,
            format!("`target` `{target}` is none of the 2 answers; {one_right}")
        );
    }
    let problem = refuse(&with("acc", json!(0.0)).to_string());
    assert_eq!(
        problem,
        "`acc` is 0, but the likeliest answer is `yes` and the right one `yes`"
    );
    let mut own = json_lines(&golden("samples_snli_de")).remove(0);
    own["doc"]["label"] = json!("ox");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(format!("samples_snli_de_{DATE}.jsonl"));
    let refuse_own = |own: &Value| {
        write_lines(&path, std::slice::from_ref(own));
        let message = samples::read(&path, None).expect_err("refused").to_string();
        message
            .split_once(" line 1: ")
            .unwrap_or_else(|| panic!("{message}"))
            .1
            .to_owned()
    };
    let gold = own["doc"]["gold"].clone();
    assert_eq!(
        refuse_own(&own),
        format!("`doc`: `gold` {gold} and `label` `ox` are not the same label")
    );
    own["doc"]["labels"] = json!(["a", "b"]);
    assert_eq!(refuse_own(&own), "`doc` names 2 labels for 3 answers");
}

#[test]
fn folders_and_results_that_are_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let read = |path: &Path| samples::read(path, None).expect_err("refused").to_string();
    let at = folder.path().display().to_string();
    let wanted = format!(
        "{at}: no samples_<task>_<date>.jsonl of lm-eval; run it with --output_path and --log_samples"
    );
    assert_eq!(read(folder.path()), wanted);
    let results = folder.path().join(format!("results_{DATE}.json"));
    fs::write(&results, "{}").expect("writes");
    let wanted = format!(
        "{at}: no samples of {DATE} beside results_{DATE}.json; run lm_eval with --log_samples"
    );
    assert_eq!(read(&results), wanted);
    let samples = folder.path().join(format!("samples_boolq_en_{DATE}.jsonl"));
    write_lines(&samples, &[good()]);
    assert!(read(&samples).ends_with(
        "line 1: neither `config.model_args` nor `model_name` names a model; give results that lm-eval wrote"
    ));
    fs::write(&results, "{\n").expect("writes");
    assert!(read(&samples).contains(&format!(
        "results_{DATE}.json line 2: not the JSON that is expected here"
    )));
    let scored =
        json!({"model_name": "m", "configs": {"boolq_en": {"metadata": {"scoring": "loud"}}}});
    fs::write(&results, scored.to_string()).expect("writes");
    assert!(read(&samples).contains("configs.boolq_en.metadata.scoring: unknown value `loud`"));
    fs::write(&samples, "\n").expect("writes");
    assert!(read(&samples).ends_with("line 1: no sample in it; evaluate again"));
    for model in ["a", "b"] {
        write_lines(
            &folder
                .path()
                .join(format!("two/{model}/samples_x_en_{DATE}.jsonl")),
            &[good()],
        );
    }
    assert!(
        read(&folder.path().join("two"))
            .ends_with("two: samples of several models: a, b; name one of these folders")
    );
}
