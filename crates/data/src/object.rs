//! A JSON object as the list of its entries, in the order of the file. A map would silently keep
//! the last of two entries with one key. Never here: what the keys mean.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};

/// The entries of an object. With `UNIQUE` a key that is there twice is an error, which the JSON
/// reader gives a place.
pub struct ObjectEntries<V, const UNIQUE: bool = false>(pub Vec<(String, V)>);

struct EntriesVisitor<V, const UNIQUE: bool>(PhantomData<V>);

impl<'de, V: Deserialize<'de>, const UNIQUE: bool> Visitor<'de> for EntriesVisitor<V, UNIQUE> {
    type Value = ObjectEntries<V, UNIQUE>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries: Vec<(String, V)> = Vec::new();
        while let Some((key, value)) = map.next_entry::<String, V>()? {
            if UNIQUE && entries.iter().any(|(earlier, _)| *earlier == key) {
                return Err(A::Error::custom(format!("key `{key}` is given twice")));
            }
            entries.push((key, value));
        }
        Ok(ObjectEntries(entries))
    }
}

impl<'de, V: Deserialize<'de>, const UNIQUE: bool> Deserialize<'de> for ObjectEntries<V, UNIQUE> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor(PhantomData))
    }
}
