//! The shipped tasks' published formats, each on a few lines of our own, and what is wrong with
//! such files.

use schema::write_whole;
use tempfile::TempDir;

use super::*;
use crate::testset;

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (path, text) in files {
        write_whole(&folder.path().join(path), text.as_bytes()).expect("writes");
    }
    folder
}

fn load(folder: &TempDir, task: &str, code: &str) -> Result<TestSet, String> {
    let task = tasks::task(task).expect("shipped");
    let language = code.parse().expect("a language");
    let place = format!("{}/", folder.path().display());
    testset::load(folder.path(), task, language, None)
        .map_err(|error| error.to_string().replace(&place, ""))
}

/// Fields, choices and label of every item.
fn items(folder: &TempDir, task: &str, code: &str) -> Vec<(Vec<String>, Vec<String>, usize)> {
    let set = load(folder, task, code).expect("loads");
    set.items
        .into_iter()
        .map(|item| (item.fields, item.choices, item.gold.0))
        .collect()
}

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

const XNLI: &str = "language\tgold_label\tsentence1\tsentence2\tpairID\n\
    de\tneutral\tEs regnet.\tEs ist kalt.\t1\n\
    tr\tcontradiction\tYağmur yağıyor.\tHava kuru.\t1\n\
    de\tentailment\tEs regnet \"stark\".\tEs regnet.\t2\n";

#[test]
fn xnli_is_one_table_of_all_languages() {
    let folder = folder(&[("XNLI-1.0/xnli.test.tsv", XNLI)]);
    assert_eq!(
        items(&folder, "xnli", "de"),
        [
            (texts(&["Es regnet.", "Es ist kalt."]), vec![], 1),
            (texts(&["Es regnet \"stark\".", "Es regnet."]), vec![], 0)
        ]
    );
    assert_eq!(items(&folder, "xnli", "tr")[0].2, 2);
    let task = tasks::task("xnli").expect("shipped");
    let codes: Vec<_> = testset::languages(folder.path(), task)
        .expect("lists")
        .iter()
        .map(|l| l.code())
        .collect();
    assert_eq!(codes, ["de", "tr"]);
    let error = load(&folder, "xnli", "fr").expect_err("no row");
    assert_eq!(
        error,
        "XNLI-1.0/xnli.test.tsv: has no question in fr; leave the language out"
    );
}

#[test]
fn paws_x_is_a_table_a_language_and_what_was_not_translated_is_left_out() {
    let rows =
        "id\tsentence1\tsentence2\tlabel\n1\tA b.\tB a.\t0\n2\tNS\tB a.\t1\n3\tC d.\tC d!\t1\n";
    let folder = folder(&[("x-final/ko/test_2k.tsv", rows)]);
    let set = load(&folder, "paws_x", "ko").expect("loads");
    let read: Vec<_> = set
        .items
        .iter()
        .map(|item| (item.index, item.gold.0))
        .collect();
    assert_eq!(
        read,
        [(0, 1), (2, 0)],
        "1 means the same, and items keep their places"
    );
    assert_eq!(
        set.repairs,
        ["test_2k.tsv: 1 of 3 questions left out, as the task's `drop` says"]
    );
    let error = load(&folder, "paws_x", "de").expect_err("no file");
    assert!(
        error.ends_with(
            "no file {language}/test-*.parquet or x-final/{language}/test_2k.tsv for de; put it there, or leave de out"
        ),
        "{error}"
    );
}

#[test]
fn belebele_is_named_as_flores_names_languages_and_its_golds_are_numbers() {
    let row = |number: &str| {
        format!(
            "{{\"link\": \"l\", \"question_number\": 1, \"flores_passage\": \"P.\", \"question\": \"Q?\", \"mc_answer1\": \"a\", \
             \"mc_answer2\": \"b\", \"mc_answer3\": \"c\", \"mc_answer4\": 4, \"correct_answer_num\": {number}, \
             \"dialect\": \"zho_Hans\", \"ds\": \"d\"}}\n"
        )
    };
    let two = row("\"3\"") + &row("1");
    let folder = folder(&[
        ("data/zho_Hans.jsonl", &two),
        ("data/zho_Hant.jsonl", &row("2")),
        ("data/tir_Ethi.jsonl", &row("5")),
    ]);
    let fields = texts(&["P.", "Q?", "a", "b", "c", "4"]);
    assert_eq!(
        items(&folder, "belebele", "zh"),
        [(fields.clone(), vec![], 2), (fields.clone(), vec![], 0)]
    );
    assert_eq!(
        items(&folder, "belebele", "zho_Hant"),
        [(fields, vec![], 1)]
    );
    let error = load(&folder, "belebele", "ti").expect_err("no fifth choice");
    assert_eq!(
        error,
        "data/tir_Ethi.jsonl row 1 (line 1), column `correct_answer_num`: is `5`; the answers are `1`, `2`, `3`, `4`; correct \
         it, or give `answers` in the task's `files`"
    );
    let task = tasks::task("belebele").expect("shipped");
    let codes: Vec<_> = testset::languages(folder.path(), task)
        .expect("lists")
        .iter()
        .map(|l| l.code())
        .collect();
    assert_eq!(codes, ["zh", "ti", "zh_Hant"]);
}

#[test]
fn xcopas_answers_are_the_choices_behind_a_connective() {
    let rows = "{\"premise\": \"P.\", \"choice1\": \"one\", \"choice2\": \"two\", \"question\": \"cause\", \"label\": 1, \"idx\": 0, \"changed\": false}\n\
        {\"premise\": \"Q.\", \"choice1\": \"uno\", \"choice2\": \"due\", \"question\": \"effect\", \"label\": 0, \"idx\": 1, \"changed\": false}\n";
    let wrong = rows.replace("effect", "result");
    let folder = folder(&[
        ("data/it/test.it.jsonl", rows),
        ("data/et/test.et.jsonl", &wrong),
    ]);
    assert_eq!(
        items(&folder, "xcopa", "it"),
        [
            (texts(&["P.", "perché"]), texts(&["one", "two"]), 1),
            (texts(&["Q.", "quindi"]), texts(&["uno", "due"]), 0)
        ]
    );
    let error = load(&folder, "xcopa", "et").expect_err("no such value");
    assert_eq!(
        error,
        "data/et/test.et.jsonl row 2 (line 2): `question` is `result`, for which the task's row of et has no value; it has: \
         `cause`, `effect`"
    );
}

#[test]
fn xstorycloze_and_global_mmlu() {
    let head = "InputStoryid\tInputSentence1\tInputSentence2\tInputSentence3\tInputSentence4\tRandomFifthSentenceQuiz1\t\
        RandomFifthSentenceQuiz2\tAnswerRightEnding\n";
    let story = format!("{head}x\tA.\tB.\tC.\tD.\tEnd one.\tEnd two.\t2\n");
    let exam = "sample_id,subject,question,option_a,option_b,option_c,option_d,answer\n\
        s/1,law,\"Q, or not?\",a,b,c,d,D\n";
    let folder = folder(&[
        ("spring2016.val.eu.tsv.split_20_80_eval.tsv", &story),
        ("yo/test.csv", exam),
    ]);
    assert_eq!(
        items(&folder, "xstorycloze", "eu"),
        [(
            texts(&["A.", "B.", "C.", "D."]),
            texts(&["End one.", "End two."]),
            1
        )]
    );
    assert_eq!(
        items(&folder, "global_mmlu", "yo"),
        [(texts(&["Q, or not?", "a", "b", "c", "d"]), vec![], 3)]
    );
}

#[test]
fn wrong_tables_are_named_with_row_and_column() {
    let cases = [
        (
            XNLI.replace("\tsentence2", "\thypothesis"),
            "XNLI-1.0/xnli.test.tsv line 1: there is no column `sentence2`; there is: ",
        ),
        (
            XNLI.replace("Es ist kalt.", " "),
            "xnli.test.tsv row 1 (line 2), column `sentence2`: is empty; fill it in or take the row out",
        ),
        (
            XNLI.replace("entailment", "yes"),
            "row 3 (line 4), column `gold_label`: is `yes`; the answers are `entailment`, `neutral`",
        ),
    ];
    for (text, wanted) in cases {
        let error =
            load(&folder(&[("XNLI-1.0/xnli.test.tsv", &text)]), "xnli", "de").expect_err(wanted);
        assert!(error.contains(wanted), "{wanted}\n{error}");
    }
    let twice = folder(&[("de/test-0.parquet", ""), ("de/test-1.parquet", "")]);
    let error = load(&twice, "xnli", "de").expect_err("which?");
    assert!(
        error.ends_with("several files {language}/test-*.parquet for de: test-0.parquet, test-1.parquet; keep one"),
        "{error}"
    );
}
