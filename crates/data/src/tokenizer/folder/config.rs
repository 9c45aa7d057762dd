//! The JSON files beside a tokenizer, read as transformers 5 reads them. Never here: the
//! vocabulary.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};
use tokenizers::AddedToken;

use super::fail;
use crate::{DataError, items};

pub(super) const CONFIG: &str = "tokenizer_config.json";
const SPECIAL_TOKENS: &str = "special_tokens_map.json";
const ADDED_TOKENS: &str = "added_tokens.json";
/// The object of added tokens by id in [`CONFIG`].
const DECODER: &str = "added_tokens_decoder";
/// Further special tokens, by their present name and by that of transformers 4.
const EXTRA: [&str; 2] = ["extra_special_tokens", "additional_special_tokens"];

/// The keys that name a special token, in the order in which they are added.
const NAMED: [&str; 7] = [
    "bos_token",
    "eos_token",
    "unk_token",
    "sep_token",
    "pad_token",
    "cls_token",
    "mask_token",
];

/// The JSON files beside the tokenizer; absent files are empty.
pub(super) struct TokenizerConfig {
    dir: PathBuf,
    /// `tokenizer_config.json`, and over it `special_tokens_map.json` where the first has no
    /// list of added tokens.
    tokenizer: Map<String, Value>,
    model: Map<String, Value>,
    added: Map<String, Value>,
}

impl TokenizerConfig {
    pub(super) fn read(dir: &Path) -> Result<Self, DataError> {
        let mut tokenizer = read_object(&dir.join(CONFIG))?;
        let special = read_object(&dir.join(SPECIAL_TOKENS))?;
        rename_extra(&mut tokenizer);
        // The map is of the time before that list, which repeats it.
        if !tokenizer.contains_key(DECODER) {
            tokenizer.extend(special);
        }
        Ok(Self {
            dir: dir.to_owned(),
            tokenizer,
            model: read_object(&dir.join("config.json"))?,
            added: read_object(&dir.join(ADDED_TOKENS))?,
        })
    }

    fn wrong(&self, file: &str, key: &str, value: &Value) -> DataError {
        fail(
            &self.dir.join(file),
            format!("key `{key}`: {value} is not what belongs there; correct it"),
        )
    }

    /// The keys of `tokenizer_config.json`.
    pub(super) fn tokenizer_keys(&self) -> &Map<String, Value> {
        &self.tokenizer
    }

    /// The texts of the special tokens by their usual names; `usual` are the class's own.
    pub(super) fn named_texts(
        &self,
        usual: &[(&str, &str)],
    ) -> Result<BTreeMap<String, String>, DataError> {
        let mut texts = BTreeMap::new();
        for key in NAMED {
            let class = usual.iter().find(|(name, _)| *name == key);
            let text = match self.named(key)? {
                Some(said) => said.map(|token| token.content),
                None => class.map(|(_, text)| (*text).to_owned()),
            };
            texts.extend(text.map(|text| (key.to_owned(), text)));
        }
        Ok(texts)
    }

    /// The path of `tokenizer_config.json`, for messages.
    pub(super) fn path(&self) -> PathBuf {
        self.dir.join(CONFIG)
    }

    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, DataError> {
        match self.tokenizer.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(other) => Err(self.wrong(CONFIG, key, other)),
        }
    }

    /// The class that the tokenizer's or else the model's configuration names, without `Fast`;
    /// empty if none does.
    pub(super) fn class_name(&self) -> &str {
        let of = |map| text_of(map, "tokenizer_class").unwrap_or("");
        let own = of(&self.tokenizer);
        let named = if own.is_empty() { of(&self.model) } else { own };
        named.strip_suffix("Fast").unwrap_or(named)
    }

    /// The model's `model_type`; empty if it has none.
    pub(super) fn model_type(&self) -> &str {
        text_of(&self.model, "model_type").unwrap_or("")
    }

    /// The token under `bos_token` or the like. `None`: no file speaks of it; `Some(None)`:
    /// there is none.
    pub(super) fn named(&self, key: &str) -> Result<Option<Option<AddedToken>>, DataError> {
        match self.tokenizer.get(key) {
            None => Ok(None),
            Some(Value::Null) => Ok(Some(None)),
            Some(value) => match added_token(value, true) {
                Some(token) => Ok(Some(Some(token))),
                None => Err(self.wrong(CONFIG, key, value)),
            },
        }
    }

    /// The special tokens under names of their own: the usual names, keys that end so, and the
    /// entries of `extra_special_tokens` where that is an object. `usual` are the class's own.
    pub(super) fn all_named(&self, usual: &[(&str, &str)]) -> Result<Vec<AddedToken>, DataError> {
        let mut tokens = Vec::new();
        for key in NAMED {
            let class = usual.iter().find(|(name, _)| *name == key);
            let class = class.map(|(_, text)| AddedToken::from(*text, true));
            tokens.extend(self.named(key)?.unwrap_or(class));
        }
        let others = self.tokenizer.iter().filter(|(key, value)| {
            key.ends_with("_token") && !NAMED.contains(&key.as_str()) && value.is_string()
        });
        tokens.extend(others.filter_map(|(_, value)| added_token(value, true)));
        let [present, _] = EXTRA;
        if let Some(Value::Object(extra)) = self.tokenizer.get(present) {
            for value in extra.values() {
                let token = added_token(value, true);
                tokens.push(token.ok_or_else(|| self.wrong(CONFIG, present, value))?);
            }
        }
        Ok(tokens)
    }

    /// The list of further special tokens; none if no file has one. Pieces of SentencePiece's
    /// file (`has_pieces`) stand for what is only under the former name.
    pub(super) fn extra(&self, has_pieces: bool) -> Result<Option<Vec<AddedToken>>, DataError> {
        let keys = if has_pieces { &EXTRA[..1] } else { &EXTRA };
        for key in keys {
            let values = match self.tokenizer.get(*key) {
                // Those of an object have names, and are no list.
                None | Some(Value::Null | Value::Object(_)) => continue,
                Some(Value::Array(values)) => values,
                Some(other) => return Err(self.wrong(CONFIG, key, other)),
            };
            let tokens = values.iter().map(|value| {
                added_token(value, true).ok_or_else(|| self.wrong(CONFIG, key, value))
            });
            return tokens.collect::<Result<Vec<_>, _>>().map(Some);
        }
        Ok(None)
    }

    /// Added tokens with their ids, in the order of the ids: those of `tokenizer_config.json`,
    /// or where it lists none those of `added_tokens.json` and of `tokenizer.json` (`saved`).
    pub(super) fn added_tokens(
        &self,
        saved: Vec<(u32, AddedToken)>,
    ) -> Result<BTreeMap<u32, AddedToken>, DataError> {
        let mut tokens = BTreeMap::new();
        if let Some(listed) = self.tokenizer.get(DECODER) {
            let Value::Object(listed) = listed else {
                return Err(self.wrong(CONFIG, DECODER, listed));
            };
            for (id, value) in listed {
                let (Ok(number), Some(token)) = (id.parse(), added_token(value, false)) else {
                    return Err(self.wrong(CONFIG, &format!("{DECODER}.{id}"), value));
                };
                tokens.insert(number, token);
            }
            return Ok(tokens);
        }
        let mut special = self.all_named(&[])?;
        special.extend(self.extra(false)?.unwrap_or_default());
        for (content, id) in &self.added {
            let number = id.as_u64().and_then(|id| u32::try_from(id).ok());
            let number = number.ok_or_else(|| self.wrong(ADDED_TOKENS, content, id))?;
            let is_special = special.iter().any(|token| token.content == *content);
            let token = AddedToken::from(content.clone(), is_special);
            tokens.insert(number, token);
        }
        tokens.extend(saved);
        Ok(tokens)
    }

    /// The id of a text's beginning or end that the model's configuration names.
    pub(super) fn model_id(&self, key: &str) -> Result<Option<u32>, DataError> {
        let Some(value) = self.model.get(key).filter(|value| !value.is_null()) else {
            return Ok(None);
        };
        // A list names several that end a text; the first is taken.
        let id = value
            .as_u64()
            .or_else(|| value.as_array()?.first()?.as_u64());
        match id.and_then(|id| u32::try_from(id).ok()) {
            Some(id) => Ok(Some(id)),
            None => Err(self.wrong("config.json", key, value)),
        }
    }
}

/// What is under the former name gets the present one, unless that holds something.
fn rename_extra(tokenizer: &mut Map<String, Value>) {
    let [present, former] = EXTRA;
    let holds = match tokenizer.get(present) {
        Some(Value::Array(list)) => !list.is_empty(),
        Some(Value::Object(map)) => !map.is_empty(),
        _ => false,
    };
    if !holds && let Some(tokens) = tokenizer.shift_remove(former) {
        tokenizer.insert(present.to_owned(), tokens);
    }
}

/// An added token as any of the files writes it: its text, or an object. What an object leaves
/// out has the default of the `tokenizers` library.
pub(super) fn added_token(value: &Value, special: bool) -> Option<AddedToken> {
    let Value::Object(object) = value else {
        return Some(AddedToken::from(value.as_str()?, special));
    };
    let flag = |key: &str| match object.get(key) {
        None | Some(Value::Null) => Some(None),
        Some(value) => value.as_bool().map(Some),
    };
    let special = special || flag("special")?.unwrap_or(false);
    let token = AddedToken::from(object.get("content")?.as_str()?, special)
        .single_word(flag("single_word")?.unwrap_or(false))
        .lstrip(flag("lstrip")?.unwrap_or(false))
        .rstrip(flag("rstrip")?.unwrap_or(false))
        .normalized(flag("normalized")?.unwrap_or(!special));
    Some(token)
}

/// The object in a JSON file; empty if there is no such file.
fn read_object(path: &Path) -> Result<Map<String, Value>, DataError> {
    if !path.is_file() {
        return Ok(Map::new());
    }
    serde_json::from_str(&items::read_text(path)?).map_err(|e| items::broken(path, &e))
}

/// The text under a key; none if there is none.
fn text_of<'a>(map: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    map.get(key).and_then(Value::as_str)
}
