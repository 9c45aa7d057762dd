//! Our answers as lm-eval's files, held against those that lm-eval itself wrote of the same
//! log-probabilities.

use import::lm_eval::{
    results::{self, HarnessRun, LanguageAnswers},
    samples,
};
use proptest::prelude::*;
use schema::{AnswerRecord, Scoring};

use super::*;

fn run(adapter: Option<&str>) -> HarnessRun {
    HarnessRun {
        model: "org/small".to_owned(),
        adapter: adapter.map(str::to_owned),
        dtype: "float32".to_owned(),
        device: "cpu".to_owned(),
        program: "lingualign 0".to_owned(),
        limit: Some(3),
        date: (1.5, "2026-01-02T03-04-05.678901".to_owned()),
        seconds: Some(2.5),
    }
}

/// The golden answers, as if ours.
fn answered() -> Vec<LanguageAnswers<'static>> {
    let read = samples::read(Path::new(GOLDEN), None)
        .expect("reads")
        .records;
    let of = |language| {
        let mut docs = docs(
            Path::new(MINI),
            snli(),
            language,
            (LabelSet::English, "head:2", None),
        );
        docs.truncate(3);
        let groups = golden_groups(language);
        docs.iter_mut()
            .zip(groups)
            .for_each(|(doc, group)| doc.group = group);
        let records = read
            .iter()
            .map(|(.., record)| record.clone())
            .filter(|record| record.language == language);
        LanguageAnswers {
            task: snli(),
            group: "snli".to_owned(),
            language,
            docs,
            records: records.collect(),
            few_shot: few_shot("head:2"),
        }
    };
    vec![of(Language::De), of(Language::Th)]
}

fn golden_groups(language: Language) -> Vec<Option<u64>> {
    json_lines(&golden(&format!("samples_snli_{language}")))
        .iter()
        .map(|line| line["doc"]["group"].as_u64())
        .collect()
}

#[test]
fn samples_are_those_that_lm_eval_writes() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = results::write(folder.path(), &run(None), &answered()).expect("writes");
    let names: Vec<_> = files
        .iter()
        .map(|f| {
            f.strip_prefix(folder.path())
                .expect("below")
                .display()
                .to_string()
        })
        .collect();
    let date = "2026-01-02T03-04-05.678901";
    let wanted = [
        "samples_snli_de_DATE.jsonl",
        "samples_snli_th_DATE.jsonl",
        "results_DATE.json",
    ];
    assert_eq!(
        names,
        wanted.map(|name| format!("org__small/{}", name.replace("DATE", date)))
    );
    for (file, language) in files.iter().zip(["de", "th"]) {
        let theirs = json_lines(&golden(&format!("samples_snli_{language}")));
        let ours = json_lines(file);
        assert_eq!(ours.len(), 3);
        for (mut ours, mut theirs) in ours.into_iter().zip(theirs) {
            assert_eq!(keys(&ours), keys(&theirs));
            for key in ["resps", "filtered_resps"] {
                let read = |line: &Value| {
                    line[key]
                        .to_string()
                        .replace("[[[", "[[")
                        .replace("]]]", "]]")
                };
                assert!(read(&ours).contains("\"None\"") && read(&theirs).contains("\"False\""));
                assert_eq!(numbers(&ours[key]), numbers(&theirs[key]));
                (ours[key], theirs[key]) = (Value::Null, Value::Null);
            }
            assert_eq!(ours, theirs);
        }
    }
}

fn keys(value: &Value) -> Vec<&String> {
    value.as_object().expect("an object").keys().collect()
}

/// Every text in nested lists that is a number.
fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(list) => list.iter().flat_map(numbers).collect(),
        Value::String(text) => text.parse().into_iter().collect(),
        _ => Vec::new(),
    }
}

#[test]
fn results_are_those_that_lm_eval_computes() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = results::write(folder.path(), &run(None), &answered()).expect("writes");
    let (ours, theirs) = (
        json_file(files.last().expect("results")),
        json_file(&golden("results_")),
    );
    for key in [
        "group_subtasks",
        "higher_is_better",
        "n-samples",
        "task_hashes",
    ] {
        assert_eq!(ours[key], theirs[key], "{key}");
    }
    for (key, tasks) in [
        ("results", &["snli_de", "snli_th", "snli"][..]),
        ("groups", &["snli"]),
    ] {
        for task in tasks {
            let (ours, theirs) = (&ours[key][task], &theirs[key][task]);
            for (metric, value) in theirs.as_object().expect("metrics") {
                match value.as_f64() {
                    Some(value) => {
                        assert!(
                            (ours[metric].as_f64().expect("a number") - value).abs() < 1e-12,
                            "{task} {metric}"
                        )
                    }
                    None => assert_eq!(&ours[metric], value, "{task} {metric}"),
                }
            }
        }
    }
    assert_eq!(
        ours["versions"],
        json!({"snli_de": 1.0, "snli_th": 1.0, "snli": "1.0"})
    );
    assert_eq!(ours["versions"], theirs["versions"]);
    assert_eq!(
        ours["n-shot"],
        json!({"snli_de": 2, "snli": 2, "snli_th": 2})
    );
    let lacking: Vec<_> = keys(&theirs)
        .into_iter()
        .filter(|key| ours.get(key).is_none())
        .collect();
    let of_its_machine = [
        "transformers_version",
        "lm_eval_version",
        "upper_git_hash",
        "tokenizer_pad_token",
        "tokenizer_eos_token",
        "tokenizer_bos_token",
        "eot_token_id",
        "max_length",
    ];
    assert_eq!(lacking, of_its_machine);
}

#[test]
fn a_model_with_an_adapter_is_called_by_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = results::write(
        folder.path(),
        &run(Some("runs/a/snli.de-en.seed1")),
        &answered(),
    )
    .expect("writes");
    assert!(
        files[0].starts_with(folder.path().join("runs__a__snli.de-en.seed1")),
        "{}",
        files[0].display()
    );
    let results = json_file(files.last().expect("results"));
    assert_eq!(
        results["config"]["model_args"],
        "pretrained=org/small,peft=runs/a/snli.de-en.seed1,dtype=float32"
    );
    assert_eq!(results["model_name"], "runs/a/snli.de-en.seed1");
    let read = samples::read(folder.path(), None).expect("reads").records;
    let (.., first) = &read[0];
    assert_eq!(
        (first.model.as_str(), first.adapter.as_deref()),
        ("org/small", Some("runs/a/snli.de-en.seed1"))
    );
}

#[test]
fn what_does_not_fit_the_questions_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |answered: &[LanguageAnswers<'_>]| {
        results::write(folder.path(), &run(None), answered)
            .expect_err("refused")
            .to_string()
    };
    let mut changed = answered();
    changed[0].records[1].item = 77;
    assert_eq!(
        write(&changed),
        "answer to item 77 of snli in de: the data has no such question; give the data that was asked"
    );
    let mut changed = answered();
    changed[1].records[0].log_probs.clear();
    assert_eq!(
        write(&changed),
        "answer to item 2 of snli in th: it has no ln p of `entailment`; evaluate again"
    );
    assert!(
        !folder
            .path()
            .join("org__small/results_2026-01-02T03-04-05.678901.json")
            .exists(),
        "the results come last"
    );
}

/// A record with these scores, which decide.
fn answer(mut record: AnswerRecord, scoring: Scoring, values: &[f64]) -> AnswerRecord {
    let names = ["entailment", "neutral", "contradiction"];
    let best = (0..3).fold(
        0,
        |best, at| if values[at] > values[best] { at } else { best },
    );
    let by_name = |values: Vec<f64>| names.map(str::to_owned).into_iter().zip(values).collect();
    record.scoring = scoring;
    record.log_probs = if scoring == Scoring::Sequence {
        by_name(values.to_vec())
    } else {
        BTreeMap::new()
    };
    record.scores = by_name(values.iter().map(|log| log.exp()).collect());
    record.chosen = names[best].to_owned();
    record.correct = record.chosen == record.gold;
    record
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn what_was_written_is_read_as_it_was(
        values in prop::collection::vec(prop::collection::vec(-60.0..-1e-3f64, 3), 3),
        scoring in prop::sample::select(vec![Scoring::Sequence, Scoring::Prefix, Scoring::Pmi]),
    ) {
        let mut all = answered();
        for one in &mut all {
            let records = std::mem::take(&mut one.records);
            one.records = records.into_iter().zip(&values).map(|(record, values)| answer(record, scoring, values)).collect();
        }
        let folder = tempfile::tempdir().expect("a folder");
        results::write(folder.path(), &run(None), &all).expect("writes");
        let read = samples::read(folder.path(), Some("snli")).expect("reads");
        prop_assert_eq!(&read.notes, &Vec::<String>::new());
        let written: Vec<_> = all.iter().flat_map(|one| &one.records).collect();
        prop_assert_eq!(read.records.len(), written.len());
        for ((.., found), written) in read.records.iter().zip(written) {
            let facts = |r: &AnswerRecord| (r.language, r.item, r.gold.clone(), r.chosen.clone(), r.correct, r.few_shot.clone(), r.scoring);
            prop_assert_eq!(facts(found), facts(written));
            prop_assert_eq!(&found.log_probs, &written.log_probs);
            let total: f64 = if scoring == Scoring::Sequence { written.scores.values().sum() } else { 1.0 };
            for (name, score) in &written.scores {
                prop_assert!((found.scores[name] - score / total).abs() <= 1e-12 * score / total, "{name}");
            }
        }
    }
}
