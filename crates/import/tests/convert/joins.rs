//! Translation pairs from two files or one, and files that do not fit together.

use data::pairs::{self, Draw};
use import::convert::{self, ImportTarget, Join};
use proptest::prelude::*;
use schema::{Language, recipe::BuildRecipe};

use crate::place::{Place, input, map, refused, run, task};

fn joined(
    place: &Place,
    source: &str,
    english: &str,
    key: Option<&str>,
    same: &[&str],
) -> Result<Vec<(String, String)>, String> {
    let (source, english) = (place.file("de.csv", source), place.file("en.csv", english));
    let join = Join {
        key: key.map(str::to_owned),
        same: same.iter().map(|column| (*column).to_owned()).collect(),
        by_position: false,
    };
    let columns = map(&[("question", "text")]);
    let target = ImportTarget::pairs_of_files(
        task("emotion"),
        &columns,
        input(&english, Language::En),
        join,
    )
    .expect("a target");
    let mut plan = place.plan(vec![input(&source, Language::De)], target);
    plan.replace = true;
    match convert::run(&plan, &mut hub::Silent, &|| false) {
        Err(error) => {
            let folder = source.parent().expect("a folder").display();
            Err(error.to_string().replace(&format!("{folder}/"), ""))
        }
        Ok(_) => {
            let text = |item: &serde_json::Value, key: &str| {
                item[key].as_str().expect("a text").to_owned()
            };
            Ok(place
                .items()
                .iter()
                .map(|item| (text(item, "input"), text(item, "answer")))
                .collect())
        }
    }
}

fn pair(source: &str, english: &str) -> (String, String) {
    (
        format!("{source}\nTranslate the input from German to English:\n"),
        english.to_owned(),
    )
}

#[test]
fn rows_are_joined_by_position_or_by_id() {
    let place = Place::new();
    let source = "id,text,label\n1,eins,0\n2,zwei,1\n3,drei,0\n";
    let by_position = joined(
        &place,
        source,
        "id,text,label\n1,one,0\n2,two,1\n3,three,0\n",
        None,
        &["id", "label"],
    );
    let expected = vec![
        pair("eins", "one"),
        pair("zwei", "two"),
        pair("drei", "three"),
    ];
    assert_eq!(by_position, Ok(expected.clone()));
    assert_eq!(
        joined(
            &place,
            source,
            "label,id,text\n0,3,three\n0,1,one\n1,2,two\n",
            Some("id"),
            &["label"]
        ),
        Ok(expected)
    );
}

#[test]
fn a_mismatch_names_the_row_and_the_file() {
    let place = Place::new();
    let source = "id,text,label\n1,eins,0\n2,zwei,1\n3,drei,0\n";
    let cases: [(&str, Option<&str>, &str); 8] = [
        (
            "id,text,label\n1,one,0\n",
            None,
            "de.csv row 2 (line 3): has no partner: en.csv has only 1 rows",
        ),
        (
            "id,text,label\n1,one,0\n2,two,1\n3,c,0\n4,d,0\n",
            None,
            "en.csv row 4 (line 5): has no partner: de.csv has only 3 rows",
        ),
        (
            "id,text,label\n1,one,0\n3,two,1\n2,c,0\n",
            Some("id"),
            "de.csv row 2 (line 3), column `label`: is `1`, but `0` in en.csv row 3",
        ),
        (
            "id,text,label\n1,one,0\n5,two,1\n3,c,0\n",
            Some("id"),
            "de.csv row 2 (line 3), column `id`: `2` is not in en.csv",
        ),
        (
            "id,text,label\n1,one,0\n2,two,1\n3,c,0\n9,d,0\n",
            Some("id"),
            "en.csv row 4 (line 5), column `id`: `9` is not in de.csv",
        ),
        (
            "id,text,label\n1,one,0\n1,two,1\n3,c,0\n",
            Some("id"),
            "en.csv row 2 (line 3), column `id`: `1` is in row 1 already",
        ),
        (
            "id,text\n1,one\n",
            None,
            "en.csv line 1: there is no column `label`; there is: `id`, `text`",
        ),
        (
            "id,text,label\n1,,0\n",
            None,
            "en.csv row 1 (line 2), column `text`: is empty",
        ),
    ];
    for (english, key, wanted) in cases {
        let message = joined(&place, source, english, key, &["label"]).expect_err("does not fit");
        assert!(message.starts_with(wanted), "{english}: {message}");
        assert!(place.written().is_empty());
    }
    let twice = "id,text,label\n1,eins,0\n1,zwei,1\n";
    let message = joined(
        &place,
        twice,
        "id,text,label\n1,one,0\n2,two,1\n",
        Some("id"),
        &[],
    )
    .expect_err("twice");
    assert!(
        message.starts_with("de.csv row 2 (line 3), column `id`: `1` is in row 1 already"),
        "{message}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn by_id_the_order_of_the_other_file_does_not_matter(order in Just((0..30).collect::<Vec<_>>()).prop_shuffle()) {
        let place = Place::new();
        let rows = |order: &[usize], word: &str| -> String {
            order.iter().map(|at| format!("k{at},{word} {at}\n")).collect()
        };
        let plain: Vec<usize> = (0..30).collect();
        let found = joined(&place, &format!("id,text\n{}", rows(&plain, "Wort")), &format!("id,text\n{}", rows(&order, "word")), Some("id"), &[]);
        let expected = plain.iter().map(|at| pair(&format!("Wort {at}"), &format!("word {at}"))).collect();
        prop_assert_eq!(found, Ok(expected));
    }
}

#[test]
fn pairs_of_the_tasks_fields_have_its_headers_and_fit_together() {
    let place = Place::new();
    let columns = map(&[
        ("premise", "p"),
        ("hypothesis", "h"),
        ("english.premise", "ep"),
        ("english.hypothesis", "eh"),
    ]);
    for (language, text) in [
        (Language::De, "p,h,ep,eh\nA,B,a,b\n"),
        (Language::Zh, "p,h,ep,eh\n甲,乙,a,b\n"),
    ] {
        let path = place.file(&format!("{language}.csv"), text);
        run(&place.plan(
            vec![input(&path, language)],
            ImportTarget::pairs(task("snli"), &columns).expect("a target"),
        ));
    }
    let load = |setting: &str| {
        let (dir, setting, build) = (
            place.path("out"),
            setting.parse().expect("a setting"),
            BuildRecipe::paper(),
        );
        let (task, setting, build) = (task("snli"), &setting, &build);
        let draw = Draw {
            dir: &dir,
            task,
            setting,
            pairs: 0,
            seed: 0,
            build,
            asked: &[],
        };
        pairs::load(&draw).expect("loads").pairs
    };
    let composed = load("de=>zh");
    assert_eq!(
        composed[0].source,
        "Prämisse: A\nHypothese: B\nAntwort: \"\nTranslate the input from German to Chinese:\n"
    );
    assert_eq!(composed[0].target, "前提: 甲\n假设: 乙\n答案: \"");
    let english = load("zh=>en");
    assert_eq!(english[0].target, "Premise: a\nHypothesis: b\nAnswer: \"");
}

#[test]
fn a_table_is_imported_from_its_own_output() {
    let place = Place::new();
    let made = joined(&place, "text\neins\n", "text\none\n", None, &[]).expect("joins");
    let written = place.written().remove(0).1;
    let again = Place::new();
    let path = again.file("pairs.json", written);
    let columns = map(&[("question", "input"), ("english", "answer")]);
    run(&again.plan(
        vec![input(&path, Language::De)],
        ImportTarget::pairs(task("emotion"), &columns).expect("a target"),
    ));
    assert_eq!(
        again.items()[0]["input"],
        made[0].0.as_str(),
        "the instruction is not added twice"
    );
    let mut two = again.plan(
        vec![input(&path, Language::De), input(&path, Language::Fr)],
        ImportTarget::pairs_of_files(
            task("emotion"),
            &map(&[("question", "input")]),
            input(&path, Language::En),
            Join {
                key: None,
                same: vec![],
                by_position: false,
            },
        )
        .expect("a target"),
    );
    two.replace = true;
    assert!(refused(&two).starts_with("pairs: two files are joined for one language at a time"));
}
