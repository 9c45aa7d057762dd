//! One JSON object as a row.

use std::{fmt, sync::Arc};

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};
use serde_json::Value;

use super::{TableRow, share};

/// An object's entries in their order. A key that stands twice is an error: a map would
/// silently keep the last.
struct Entries(Vec<String>, Vec<Value>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Entries;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let (mut names, mut cells) = (Vec::new(), Vec::new());
                while let Some((name, cell)) = map.next_entry::<String, Value>()? {
                    if names.contains(&name) {
                        return Err(A::Error::custom(format!("key `{name}` stands twice")));
                    }
                    names.push(name);
                    cells.push(cell);
                }
                Ok(Entries(names, cells))
            }
        }
        deserializer.deserialize_map(All)
    }
}

/// The row that `text` holds; `before` are the columns of the row before.
pub(super) fn parse(
    text: &[u8],
    number: usize,
    line: usize,
    before: &mut Arc<[String]>,
) -> Result<TableRow, serde_json::Error> {
    let Entries(names, cells) = serde_json::from_slice(text)?;
    Ok(TableRow {
        number,
        line: Some(line),
        columns: share(names, before),
        cells,
    })
}
