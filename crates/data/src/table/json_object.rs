//! One JSON object as a row.

use std::sync::Arc;

use serde_json::Value;

use super::{TableRow, share};
use crate::object::ObjectEntries;

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
