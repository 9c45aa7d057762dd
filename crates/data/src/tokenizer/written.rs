//! A folder's tokenizer as GGUF metadata. llama.cpp knows how text is split by a name alone; the
//! right one is found by building the tokenizer of each known name and comparing it with the
//! folder's in all of its parts. What has no name is refused. Never here: reading.

use std::collections::{BTreeMap, BTreeSet};

use hub::gguf::{Header, Value};
use serde_json::{Value as Json, json};

use super::{
    Tokenizer, VocabularyKind, byte_level::Splitting, gguf as keys, sentencepiece::PieceKind,
};
use crate::{DataError, error::quote};

impl Tokenizer {
    /// The metadata of a GGUF file with this tokenizer and chat template. `rows`: of the model's
    /// embedding; those beyond the vocabulary are called `[PAD...]`, as llama.cpp's converter does.
    ///
    /// # Errors
    /// It is not byte-level, splits text by a rule without a name, or has a part that a GGUF file
    /// does not say.
    pub fn to_gguf(&self, rows: usize) -> Result<BTreeMap<String, Value>, DataError> {
        if self.kind != VocabularyKind::ByteLevel {
            return Err(
                self.no_gguf("is SentencePiece's, whose scores tokenizer.json does not have")
            );
        }
        if self.tidies || self.inner.get_encode_special_tokens() {
            return Err(self.no_gguf("changes decoded text or splits special tokens"));
        }
        let mut header = Header {
            path: self.path.clone(),
            metadata: self.describe(rows)?,
            tensors: Vec::new(),
        };
        let wanted = comparable(self)?;
        let mut differing = BTreeSet::new();
        for (name, _) in Splitting::GGUF_NAMES {
            let value = Value::Text((*name).to_owned());
            header.metadata.insert(keys::PRE.to_owned(), value);
            let found = comparable(&Tokenizer::from_gguf(&header)?)?;
            let parts = wanted
                .iter()
                .filter(|(part, value)| found.get(*part) != Some(value));
            let parts: Vec<&str> = parts.map(|(part, _)| *part).collect();
            if parts.is_empty() {
                return Ok(header.metadata);
            }
            differing.insert(parts.join(", "));
        }
        let known = quote(Splitting::GGUF_NAMES.iter().map(|(name, _)| name));
        Err(self.no_gguf(&format!(
            "splits words or is read otherwise than by any rule that has a known name in `{}` ({known}); it differs in: {}",
            keys::PRE,
            differing.into_iter().collect::<Vec<_>>().join("; ")
        )))
    }

    fn no_gguf(&self, problem: &str) -> DataError {
        let instead =
            "merge into a folder, and convert that with llama.cpp's convert_hf_to_gguf.py";
        self.error(format!(
            "{problem}: it cannot be written into a GGUF file; {instead}"
        ))
    }

    /// All but the name of the splitting rule.
    fn describe(&self, rows: usize) -> Result<BTreeMap<String, Value>, DataError> {
        let (tokens, kinds) = self.entries(rows);
        let mut metadata = BTreeMap::from([
            (keys::MODEL.to_owned(), Value::Text("gpt2".to_owned())),
            (keys::TOKENS.to_owned(), Value::List(tokens)),
            (keys::KINDS.to_owned(), Value::List(kinds)),
            (keys::MERGES.to_owned(), Value::List(self.merges()?)),
        ]);
        let mut put_id = |name: &str, id: Option<u32>| {
            if let Some(id) = id {
                let key = format!("tokenizer.ggml.{name}_token_id");
                metadata.insert(key, Value::Unsigned(u64::from(id)));
            }
        };
        for (name, key) in keys::NAMED {
            put_id(key, self.chat.token(name).and_then(|text| self.id(text)));
        }
        put_id("bos", self.bos);
        put_id("eos", self.eos);
        let adds_bos = match (self.before.as_slice(), self.bos) {
            ([], _) => false,
            ([one], Some(bos)) if *one == bos => true,
            _ => return Err(self.no_gguf("begins a text with other tokens than BOS")),
        };
        metadata.insert(keys::ADDS_BOS.to_owned(), Value::Bool(adds_bos));
        if let Some((key, template)) = self.chat.gguf_entry() {
            metadata.insert(key.to_owned(), Value::Text(template.to_owned()));
        }
        Ok(metadata)
    }

    /// Every row's text and kind.
    fn entries(&self, rows: usize) -> (Vec<Value>, Vec<Value>) {
        let added = self.inner.get_added_tokens_decoder();
        let entries = (0..rows as u32).map(|id| {
            let (text, kind) = match (added.get(&id), self.token(id)) {
                (Some(token), _) if token.special => (token.content.clone(), PieceKind::Control),
                (Some(token), _) => (token.content.clone(), PieceKind::UserDefined),
                (None, Some(text)) => (text, PieceKind::Normal),
                (None, None) => (format!("[PAD{id}]"), PieceKind::Unused),
            };
            (Value::Text(text), Value::Signed(kind as i64))
        });
        entries.unzip()
    }

    fn merges(&self) -> Result<Vec<Value>, DataError> {
        let model = self.json(&self.inner.get_model())?;
        let mut merges = Vec::new();
        for merge in model["merges"].as_array().into_iter().flatten() {
            let text = match merge {
                Json::String(text) => Some(text.clone()),
                pair => pair[0]
                    .as_str()
                    .zip(pair[1].as_str())
                    .map(|(left, right)| format!("{left} {right}")),
            };
            merges.push(Value::Text(
                text.ok_or_else(|| self.no_gguf("has merges that are no pairs"))?,
            ));
        }
        Ok(merges)
    }

    fn json(&self, part: &impl serde::Serialize) -> Result<Json, DataError> {
        serde_json::to_value(part)
            .map_err(|error| self.error(format!("cannot be written: {error}")))
    }
}

/// Everything that decides ids and text, in one way of writing it.
fn comparable(tokenizer: &Tokenizer) -> Result<BTreeMap<&'static str, Json>, DataError> {
    let inner = &tokenizer.inner;
    let mut model = tokenizer.json(&inner.get_model())?;
    let vocabulary: BTreeMap<String, u32> = inner
        .get_vocab(true)
        .into_iter()
        .filter(|(text, id)| *text != format!("[PAD{id}]"))
        .collect();
    let affixes = ["continuing_subword_prefix", "end_of_word_suffix"];
    let affixes = affixes.map(|key| model[key].take().as_str().unwrap_or_default().to_owned());
    let normalizer = tokenizer.json(&inner.get_normalizer())?;
    let mut added = Vec::new();
    for (id, token) in inner
        .get_added_tokens_decoder()
        .iter()
        .collect::<BTreeMap<_, _>>()
    {
        let normalized = token.normalized && !normalizer.is_null();
        let flags = [
            token.special,
            token.single_word,
            token.lstrip,
            token.rstrip,
            normalized,
        ];
        added.push(json!([id, token.content, flags]));
    }
    Ok(BTreeMap::from([
        ("vocabulary", json!(vocabulary)),
        ("merges", model["merges"].take()),
        ("affixes of words", json!(affixes)),
        (
            "ignore_merges",
            json!(model["ignore_merges"] == json!(true)),
        ),
        ("normalizer", steps(normalizer, "normalizers")),
        (
            "pre_tokenizer",
            steps(tokenizer.json(&inner.get_pre_tokenizer())?, "pretokenizers"),
        ),
        ("added tokens", json!(added)),
        (
            "special tokens",
            json!([tokenizer.bos, tokenizer.eos, tokenizer.before]),
        ),
    ]))
}

/// The steps of a sequence, or the one step, without what moves offsets alone.
fn steps(part: Json, list: &str) -> Json {
    let mut steps = match part {
        Json::Null => Vec::new(),
        Json::Object(mut sequence) if sequence.contains_key(list) => match sequence.remove(list) {
            Some(Json::Array(steps)) => steps,
            _ => Vec::new(),
        },
        one => vec![one],
    };
    for step in steps.iter_mut().filter_map(Json::as_object_mut) {
        step.remove("trim_offsets");
    }
    Json::Array(steps)
}
