//! What single checks say: words, severities and places, on small files made here.

use std::{fs, path::Path};

use audit::Scope;
use schema::{
    Finding, Protocol,
    finding::{Kind, Severity},
};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Words of the labels of SNLI in their order.
const EN: [&str; 3] = ["entailment", "neutral", "contradiction"];
const DE: [&str; 3] = ["Konsequenz", "neutral", "Widerspruch"];

fn write(dir: &Path, name: &str, items: &[Value]) {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("creates");
    fs::write(path, serde_json::to_vec(items).expect("JSON")).expect("writes");
}

/// SNLI items with these golds; `text` makes premise and hypothesis of an index.
fn snli(golds: &[&str], text: impl Fn(usize) -> (String, String)) -> Vec<Value> {
    let item = |(at, gold): (usize, &&str)| {
        let (premise, hypothesis) = text(at);
        json!({"premise": premise, "hypothesis": hypothesis, "answer": gold})
    };
    golds.iter().enumerate().map(item).collect()
}

/// Texts of different lengths that say nothing of their language.
fn plain(at: usize) -> (String, String) {
    (
        format!("p{at} {}", "x".repeat(at * 37 % 50)),
        format!("h{at}"),
    )
}

/// English and German SNLI with golds in turn, the German ones changed by `to`.
fn with_golds(count: usize, to: impl Fn(usize, usize) -> usize) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let golds = |words: [&'static str; 3], to: &dyn Fn(usize, usize) -> usize| -> Vec<&str> {
        (0..count).map(|at| words[to(at, at % 3)]).collect()
    };
    write(
        folder.path(),
        "snli/snli_en60_test.json",
        &snli(&golds(EN, &|_, gold| gold), plain),
    );
    write(
        folder.path(),
        "snli/snli_de60_test.json",
        &snli(&golds(DE, &to), plain),
    );
    folder
}

fn audit_with(folder: &TempDir, change: impl Fn(&mut Scope)) -> Vec<Finding> {
    let mut scope = Scope::of_folder(folder.path(), None).expect("a scope");
    change(&mut scope);
    audit::audit(&scope, &mut |_, _, _| true)
        .expect("an audit")
        .findings
}

fn of_kind(folder: &TempDir, kind: Kind) -> Vec<Finding> {
    audit_with(folder, |_| {})
        .into_iter()
        .filter(|finding| finding.kind == kind)
        .collect()
}

fn exchange(gold: usize) -> usize {
    [0, 2, 1][gold]
}

#[test]
fn an_exchange_of_labels_is_named_with_its_place() {
    let found = of_kind(
        &with_golds(60, |at, gold| {
            if (20..50).contains(&at) {
                exchange(gold)
            } else {
                gold
            }
        }),
        Kind::LabelOrder,
    );
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].severity, found[0].count), (Severity::Error, 20));
    let wanted = "`neutral` and `Widerspruch` are exchanged between items 20 and 49, which explains 20 items";
    assert!(found[0].evidence.contains(wanted), "{}", found[0].evidence);
}

#[test]
fn other_relabellings_single_golds_and_another_order_are_told_apart() {
    let turned = of_kind(&with_golds(60, |_, gold| (gold + 1) % 3), Kind::LabelOrder);
    let wanted = "entailment is `neutral`, neutral is `Widerspruch`, contradiction is `Konsequenz`, which explains 60 items";
    assert!(
        turned.len() == 1 && turned[0].evidence.contains(wanted),
        "{turned:?}"
    );

    let merged = of_kind(&with_golds(60, |_, gold| gold.min(1)), Kind::LabelOrder);
    assert!(
        merged.len() == 1 && merged[0].evidence.contains("contradiction is `neutral`"),
        "{merged:?}"
    );

    let single = of_kind(
        &with_golds(60, |at, gold| if at == 7 || at == 31 { 0 } else { gold }),
        Kind::LabelOrder,
    );
    assert_eq!(
        (single.len(), &single[0].items, single[0].severity),
        (1, &vec![7, 31], Severity::Error)
    );
    assert!(
        single[0].evidence.contains("without a pattern"),
        "{}",
        single[0].evidence
    );

    let shuffle = |at: usize, _| at * at * 7 % 11 % 3;
    let wrong = of_kind(&with_golds(60, shuffle), Kind::LabelOrder);
    assert_eq!(
        (wrong.len(), wrong[0].severity),
        (1, Severity::Error),
        "the texts say that the items are the same: {wrong:?}"
    );
    let elsewhere = |at: usize| plain(at * 23 % 60);
    let folder = with_golds(60, shuffle);
    let golds: Vec<&str> = (0..60).map(|at| DE[shuffle(at, 0)]).collect();
    write(
        folder.path(),
        "snli/snli_de60_test.json",
        &snli(&golds, elsewhere),
    );
    let shuffled = of_kind(&folder, Kind::LabelOrder);
    assert_eq!(
        (shuffled.len(), shuffled[0].severity),
        (1, Severity::Warning),
        "no gold is known to be wrong"
    );
    assert!(
        shuffled[0].evidence.contains("another order"),
        "{}",
        shuffled[0].evidence
    );
}

#[test]
fn a_label_that_no_item_has_is_a_warning() {
    let found = of_kind(&with_golds(60, |_, gold| gold.min(1)), Kind::ClassBalance);
    assert_eq!((found.len(), found[0].severity), (1, Severity::Warning));
    assert!(
        found[0]
            .evidence
            .contains("entailment 20, neutral 40, contradiction 0"),
        "{}",
        found[0].evidence
    );
    assert_eq!(
        of_kind(&with_golds(60, |_, gold| gold), Kind::ClassBalance),
        []
    );
}

// Promise: languages that have other questions each are not held against each other.
#[test]
fn questions_of_their_own_in_each_language_are_no_gap() {
    let folder = tempfile::tempdir().expect("a folder");
    let table = |rows: usize, of: &dyn Fn(usize) -> String| {
        let rows: String = (0..rows).map(|at| of(at) + "\n").collect();
        format!("sen\twrong_sen\n{rows}")
    };
    let english = table(40, &|at| {
        format!("Dog {at} barks loudly.\tDog {at} bark loudly.")
    });
    let german = table(60, &|at| {
        format!("Das Kind {at} ruft laut.\tDas Kind {at} rufen laut.")
    });
    for (path, text) in [("eng/data.tsv", english), ("deu/data.tsv", german)] {
        schema::write_whole(&folder.path().join(path), text.as_bytes()).expect("writes");
    }
    let scope = Scope::of_folder(folder.path(), Some("multiblimp")).expect("a scope");
    let record = audit::audit(&scope, &mut |_, _, _| true).expect("an audit");
    assert_eq!(record.read[0].read, 2, "{record:?}");
    assert_eq!(record.findings, []);
}

/// Findings on 60 rows of a table of German sentences, right ones first.
fn of_pairs(task: &str, path: &str, header: &str, row: impl Fn(usize) -> String) -> Vec<Finding> {
    let folder = tempfile::tempdir().expect("a folder");
    let rows: String = (0..60).map(|at| row(at) + "\n").collect();
    schema::write_whole(
        &folder.path().join(path),
        format!("{header}\n{rows}").as_bytes(),
    )
    .expect("writes");
    let scope = Scope::of_folder(folder.path(), Some(task)).expect("a scope");
    audit::audit(&scope, &mut |_, _, _| true)
        .expect("an audit")
        .findings
}

// That the first sentence of every row is the right one is a layout, no preference.
#[test]
fn a_layout_that_puts_the_right_choice_first_is_not_unbalanced() {
    let found = of_pairs("multiblimp", "deu/data.tsv", "sen\twrong_sen", |at| {
        format!("Das Kind {at} ruft laut.\tDas Kind {at} rufen laut.")
    });
    let kinds: Vec<Kind> = found.iter().map(|one| one.kind).collect();
    assert_eq!(kinds, [], "no English file is needed: {found:?}");
    let found = of_pairs(
        "global_piqa",
        "data/nonparallel_deu_latn.tsv",
        "prompt\tsolution0\tsolution1\tlabel",
        |at| format!("Das Kind {at}\truft {at} laut.\tschweigt {at} still.\t0"),
    );
    assert!(
        found.iter().any(|one| one.kind == Kind::ClassBalance),
        "{found:?}"
    );
}

#[test]
fn missing_items_are_found_by_numbers_and_shift_the_others() {
    // Lengths and golds say nothing here, numbers do.
    let text = |at: usize| (format!("In {} it was.", 1900 + at), "So it was.".to_owned());
    let golds = |words: [&'static str; 3]| vec![words[0]; 60];
    let folder = tempfile::tempdir().expect("a folder");
    write(
        folder.path(),
        "snli/snli_en60_test.json",
        &snli(&golds(EN), text),
    );
    let mut german = snli(&golds(DE), text);
    german.remove(23);
    write(folder.path(), "snli/snli_de59_test.json", &german);
    let found = of_kind(&folder, Kind::ItemCount);
    assert_eq!(
        (found.len(), &found[0].items, found[0].severity),
        (1, &vec![23], Severity::Error),
        "{found:?}"
    );
    german.insert(23, snli(&golds(DE), text).remove(23));
    german.truncate(50);
    write(folder.path(), "snli/snli_de59_test.json", &german);
    let found = of_kind(&folder, Kind::ItemCount);
    assert_eq!(
        (found[0].items.len(), found[0].severity),
        (10, Severity::Warning),
        "the items stand at their places"
    );
}

#[test]
fn exact_and_near_leakage_are_told_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let test = |at: usize| {
        (
            format!("A man in shirt number {at} walks along the long river bank."),
            format!("He walks {at}."),
        )
    };
    let golds = vec![EN[0]; 40];
    write(
        folder.path(),
        "snli/snli_en40_test.json",
        &snli(&golds, |at| test(at * 1111)),
    );
    let train = |at: usize| match at {
        0 => test(3 * 1111),
        1 => (format!("{} Then.", test(5 * 1111).0), test(5 * 1111).1),
        _ => (
            format!(
                "Two dogs of kind {} sleep under a tree in the park.",
                at * 77
            ),
            "They rest.".to_owned(),
        ),
    };
    write(
        folder.path(),
        "snli/snli_en1k_train.json",
        &snli(&golds, train),
    );
    let found = of_kind(&folder, Kind::Leakage);
    let seen: Vec<(Severity, &[usize])> = found
        .iter()
        .map(|f| (f.severity, f.items.as_slice()))
        .collect();
    assert_eq!(seen[0], (Severity::Warning, [3].as_slice()), "{found:?}");
    assert!(
        found[0].evidence.contains("item 3: is item 0"),
        "{}",
        found[0].evidence
    );
    assert!(
        found[1].items.contains(&5) && found[1].severity == Severity::Note,
        "{found:?}"
    );
}

const GERMAN: [&str; 3] = [
    "Die Kinder spielen am Nachmittag im Garten",
    "Eine Frau kauft frisches Brot beim Bäcker",
    "Der alte Mann liest seine Zeitung im Zug",
];
const FRENCH: &str = "Les enfants jouent dans le jardin tout l'après-midi";
const DANISH: [&str; 3] = [
    "Børnene leger i haven hele eftermiddagen, fordi vejret er så dejligt i dag",
    "Hun købte nogle friske æbler nede på torvet, inden hun gik hjem til sin mor",
    "Den gamle mand læser altid sin avis i toget på vej hjem fra arbejdet",
];
const NORWEGIAN: [&str; 3] = [
    "Barna leker i hagen hele ettermiddagen fordi været er så fint i dag",
    "Hun kjøpte noen ferske epler nede på torget før hun gikk hjem til moren sin",
    "Den gamle mannen leser alltid avisen sin på toget på vei hjem fra jobben",
];

/// Thirty reviews of a language.
fn emotion(folder: &TempDir, language: &str, text: impl Fn(usize) -> String) {
    let word = if language == "no" {
        "positivt"
    } else {
        "positiv"
    };
    let items: Vec<Value> = (0..30)
        .map(|at| json!({"input": text(at), "answer": word}))
        .collect();
    write(
        folder.path(),
        &format!("ap_emotion/emotion_{language}30_test.json"),
        &items,
    );
}

#[test]
fn an_item_and_a_file_in_another_language_are_told_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    emotion(&folder, "de", |at| {
        if at == 11 || at == 23 {
            FRENCH.to_owned()
        } else {
            format!("{} {at}.", GERMAN[at % 3])
        }
    });
    let found = of_kind(&folder, Kind::Language);
    assert_eq!(
        (found.len(), &found[0].items, found[0].severity),
        (1, &vec![11, 23], Severity::Warning),
        "{found:?}"
    );
    assert!(
        found[0].evidence.contains("French, not in German"),
        "{}",
        found[0].evidence
    );
    emotion(&folder, "de", |at| format!("{FRENCH} {at}."));
    let found = of_kind(&folder, Kind::Language);
    assert_eq!(
        (found.len(), found[0].count, found[0].severity),
        (1, 30, Severity::Error),
        "{found:?}"
    );
}

#[test]
fn a_close_language_is_no_item_but_may_be_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let danish = |at: usize| format!("{} {at}.", DANISH[at % 3]);
    emotion(&folder, "no", |at| {
        if at < 3 {
            danish(at)
        } else {
            format!("{} {at}.", NORWEGIAN[at % 3])
        }
    });
    assert_eq!(
        of_kind(&folder, Kind::Language),
        [],
        "three Danish reviews among Norwegian ones are no alarm"
    );
    emotion(&folder, "no", danish);
    let found = of_kind(&folder, Kind::Language);
    assert_eq!(
        (found.len(), found[0].severity),
        (1, Severity::Warning),
        "{found:?}"
    );
    assert!(
        found[0]
            .evidence
            .contains("read as Danish rather than Norwegian"),
        "{}",
        found[0].evidence
    );
}

#[test]
fn a_protocol_excuses_only_what_it_is_made_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let golds = |words: [&'static str; 3]| (0..30).map(|at| words[at % 3]).collect::<Vec<_>>();
    write(
        folder.path(),
        "snli/snli_en30_test.json",
        &snli(&golds(EN), plain),
    );
    write(
        folder.path(),
        "snli/snli_no30_test.json",
        &snli(&golds(["entailment", "motsigelse", "nøytral"]), plain),
    );
    write(
        folder.path(),
        "snli/snli_de30_test.json",
        &snli(&golds(["Konsequenz", "Widerspruch", "neutral"]), plain),
    );
    for protocol in [None, Some(Protocol::Paper), Some(Protocol::Corrected)] {
        let found = audit_with(&folder, |scope| scope.protocol = protocol);
        let severity = |language: &str| {
            let mut orders = found
                .iter()
                .filter(|f| f.kind == Kind::LabelOrder && f.language.code() == language);
            orders.next().expect("exchanged").severity
        };
        let excused = if protocol.is_some() {
            Severity::Note
        } else {
            Severity::Error
        };
        assert_eq!(
            (severity("no"), severity("de")),
            (excused, Severity::Error),
            "{protocol:?}"
        );
    }
}

#[test]
fn a_caller_can_stop_and_an_empty_folder_is_said() {
    let folder = with_golds(6, |_, gold| gold);
    let scope = Scope::of_folder(folder.path(), None).expect("a scope");
    let stopped = audit::audit(&scope, &mut |_, _, _| false).expect_err("stopped");
    assert_eq!(
        stopped.to_string(),
        "the audit was interrupted before its end"
    );
    let scope = Scope::of_folder(&folder.path().join("snli"), None).expect("a scope");
    let nothing = audit::audit(&scope, &mut |_, _, _| true)
        .expect_err("nothing there")
        .to_string();
    assert!(
        nothing.contains("snli holds no file of the tasks asked for"),
        "{nothing}"
    );
}
