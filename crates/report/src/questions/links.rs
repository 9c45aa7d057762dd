//! Addresses of the page of the questions, with what it is to show. Never here: the page.

use compare::{Changes, ResultBlock};

use crate::page::encode;

/// The columns of the main table of a change that lead to the questions: before, after, change.
const LINKED: [usize; 3] = [2, 3, 4];

/// All questions of a block, with the answers of the adapter that is named.
pub(crate) fn all_questions(block: &ResultBlock, adapter: Option<&String>) -> String {
    let mut address = format!("questions.html#way={}", encode(&block.slug()));
    if let Some(adapter) = adapter {
        address += &format!("&after={}", encode(adapter));
    }
    address
}

/// Addresses behind the main table of a change: for each language its questions, and behind the
/// change those that were gained or lost.
pub(crate) fn link_rows(all: &str, changes: &Changes) -> Vec<Vec<String>> {
    let rows = changes.languages.iter().map(|of| {
        let language = format!("{all}&language={}", encode(of.language.code()));
        let show = match of.change.value < 0.0 {
            true => "lost",
            false => "gained",
        };
        let mut row = vec![String::new(); 15];
        for column in LINKED {
            row[column] = language.clone();
        }
        row[LINKED[2]] = format!("{language}&show={show}");
        row
    });
    rows.collect()
}
