//! One JSON object as a row.

use std::sync::Arc;

use serde_json::Value;

use super::{TableRow, share};
use crate::object::ObjectEntries;

/// What the JSON reader says of a row, with what is not plain from it.
pub(super) fn explain(error: &serde_json::Error) -> String {
    let said = error.to_string();
    let is_half = ["lone leading surrogate", "unexpected end of hex escape"];
    if is_half.iter().any(|words| said.starts_with(words)) {
        return format!(
            "{said}: an escape such as \\ud83d is half a character, as a text has that was cut within one; replace it (by \
             \\ufffd), or take the row out"
        );
    }
    format!("{said}; correct it there")
}

/// The row that `text` holds; `before` are the columns of the row before.
pub(super) fn parse(
    text: &[u8],
    number: usize,
    line: usize,
    before: &mut Arc<[String]>,
) -> Result<TableRow, serde_json::Error> {
    let ObjectEntries::<Value, true>(entries) = serde_json::from_slice(text)?;
    let (names, cells) = entries.into_iter().unzip();
    Ok(TableRow {
        number,
        line: Some(line),
        columns: share(names, before),
        cells,
    })
}
