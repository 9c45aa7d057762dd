//! The page as a document: its script is the one that its policy names, headings have anchors, columns
//! stay in view, and one file holds all.

#[path = "../../compare/tests/fabricate/mod.rs"]
mod fabricate;

use std::{collections::BTreeSet, fs};

use fabricate::put_run;
use schema::{Language, run_folder::RunFolder};
use sha2::{Digest, Sha256};

const LANGUAGES: [Language; 3] = [Language::En, Language::De, Language::Sw];

fn read(run: &RunFolder, name: &str) -> String {
    fs::read_to_string(run.report().join(name)).expect("written")
}

fn written() -> (tempfile::TempDir, RunFolder) {
    let folder = tempfile::tempdir().expect("a folder");
    let run = put_run(folder.path(), &LANGUAGES);
    report::write_single(&run, &[], &|| false).expect("a report");
    (folder, run)
}

/// What is between two texts.
fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let rest = text.split_once(from).expect("a beginning").1;
    rest.split_once(to).expect("an end").0
}

/// The bytes that a base64 text stands for.
fn decode(text: &str) -> Vec<u8> {
    const DIGITS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits: Vec<u32> = text
        .chars()
        .filter_map(|c| DIGITS.find(c).map(|at| at as u32))
        .collect();
    let bytes = digits.chunks(4).flat_map(|group| {
        let joined = (0..4).fold(0, |sum, at| {
            (sum << 6) | group.get(at).copied().unwrap_or(0)
        });
        let bytes = joined.to_be_bytes();
        bytes[1..group.len()].to_vec()
    });
    bytes.collect()
}

#[test]
fn the_policy_names_the_script_that_is_there() {
    let (_folder, run) = written();
    for name in ["index.html", "single.html"] {
        let page = read(&run, name);
        let script = between(&page, "<script>", "</script>");
        let named = between(&page, "script-src 'sha256-", "'");
        assert!(script.contains("aria-sort"), "{name}");
        assert_eq!(
            decode(named),
            Sha256::digest(script.as_bytes()).to_vec(),
            "{name}"
        );
    }
}

#[test]
fn every_link_into_the_page_leads_somewhere_and_no_id_is_there_twice() {
    let (_folder, run) = written();
    let page = read(&run, "index.html");
    let ids: Vec<&str> = page
        .split(" id=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().expect("an id"))
        .collect();
    let different: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), different.len(), "{ids:?}");
    let links: Vec<&str> = page
        .split("href=\"#")
        .skip(1)
        .map(|rest| rest.split('"').next().expect("an address"))
        .collect();
    for link in &links {
        assert!(different.contains(link), "{link}");
    }
    for level in ["<h2>", "<h3>"] {
        for heading in page.split(level).skip(1) {
            let heading = heading.split("</h").next().expect("an end");
            let is_aside = ["Missing", "Read with care"].contains(&heading);
            assert!(
                is_aside || heading.contains("class=\"anchor\""),
                "{heading}"
            );
        }
    }
}

#[test]
fn the_verdict_stays_in_view() {
    let (_folder, run) = written();
    let page = read(&run, "index.html");
    assert!(page.contains(" kept\">the change is</th>"));
}

#[test]
fn a_single_file_holds_its_tables_and_leads_nowhere() {
    let (_folder, run) = written();
    let page = read(&run, "single.html");
    for link in page.split(" href=\"").skip(1) {
        let link = link.split('"').next().expect("an address");
        let leads = ["#", "data:", "https:"];
        assert!(leads.iter().any(|lead| link.starts_with(lead)), "{link}");
    }
    let table = between(
        &page,
        "href=\"data:text/csv;base64,",
        "\" download=\"overview.csv\"",
    );
    let table = table.rsplit("base64,").next().expect("the last one");
    let csv = fs::read(run.report().join("tables/overview.csv")).expect("written");
    assert_eq!(decode(table), csv);
    assert!(page.contains("The page of the questions and the figures as files are in"));
}
