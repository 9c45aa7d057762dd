//! A tokenizer from a Hugging Face folder.

use std::{
    collections::{BTreeMap, HashMap},
    fmt, fs,
    path::{Path, PathBuf},
};

use schema::disk::DiskError;
use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};
use tokenizers::AddedToken;

use super::{
    Tokenizer, VocabularyKind,
    byte_level::{self, Splitting},
    proto,
    sentencepiece::{self, Piece, PieceKind, SpacePrefix},
};
use crate::{DataError, items};

const JSON: &str = "tokenizer.json";
const VOCAB: &str = "vocab.json";
const MERGES: &str = "merges.txt";
const PIECES: &str = "tokenizer.model";

/// A built tokenizer and what it adds where the configuration does not say.
struct BuiltTokenizer {
    path: PathBuf,
    kind: VocabularyKind,
    inner: tokenizers::Tokenizer,
    bos: Option<u32>,
    eos: Option<u32>,
    before: Vec<u32>,
    after: Vec<u32>,
}

pub(super) fn load(dir: &Path) -> Result<Tokenizer, DataError> {
    let config = TokenizerConfig::read(dir)?;
    let built = if dir.join(JSON).is_file() {
        from_json(&dir.join(JSON))?
    } else if dir.join(VOCAB).is_file() && dir.join(MERGES).is_file() {
        from_vocab(dir, &config)?
    } else if dir.join(PIECES).is_file() {
        from_pieces(&dir.join(PIECES), &config)?
    } else {
        let problem = format!(
            "no {JSON}, no {VOCAB} with {MERGES} and no {PIECES} in the folder; fetch one of them"
        );
        return Err(fail(dir, problem));
    };
    let bos = config.special("bos", &built.inner)?.unwrap_or(built.bos);
    let eos = config.special("eos", &built.inner)?.unwrap_or(built.eos);
    let before = config.added("add_bos_token", bos, built.before)?;
    let after = config.added("add_eos_token", eos, built.after)?;
    let vocab_size = built.inner.get_vocab_size(true);
    Ok(Tokenizer {
        path: built.path,
        inner: built.inner,
        kind: built.kind,
        vocab_size,
        bos,
        eos,
        before,
        after,
    })
}

fn from_json(path: &Path) -> Result<BuiltTokenizer, DataError> {
    let text = items::read_text(path)?;
    check_json(path, &text)?;
    let mut inner = tokenizers::Tokenizer::from_bytes(text.as_bytes())
        .map_err(|error| fetch_again(path, error))?;
    // What was set for someone's batches would cut or pad prompts here.
    inner
        .with_truncation(None)
        .map_err(|error| fetch_again(path, error))?;
    inner.with_padding(None);
    let kind = find_kind(&inner).ok_or_else(|| {
        fail(path, "neither byte-level nor SentencePiece; only these two kinds of vocabulary are supported".to_owned())
    })?;
    let (before, after) = probe_added(&inner).map_err(|error| fetch_again(path, error))?;
    Ok(BuiltTokenizer {
        path: path.to_owned(),
        kind,
        inner,
        bos: None,
        eos: None,
        before,
        after,
    })
}

/// Checks the merges of a BPE model; see [`byte_level::check_merges`].
fn check_json(path: &Path, text: &str) -> Result<(), DataError> {
    #[derive(Deserialize)]
    struct TokenizerFile<'a> {
        #[serde(borrow)]
        model: BpeModel<'a>,
    }
    #[derive(Deserialize)]
    struct BpeModel<'a> {
        #[serde(borrow)]
        vocab: &'a RawValue,
        merges: Option<Vec<Merge>>,
    }
    let file: TokenizerFile<'_> =
        serde_json::from_str(text).map_err(|e| items::broken(path, &e))?;
    let Some(merges) = file.model.merges else {
        return Ok(());
    };
    let vocab: HashMap<String, u32> = serde_json::from_str(file.model.vocab.get())
        .map_err(|e| fail(path, format!("its vocabulary: {e}")))?;
    let merges = merges
        .into_iter()
        .map(Merge::split)
        .collect::<Result<Vec<_>, String>>()
        .map_err(|problem| fetch_again(path, problem))?;
    byte_level::check_merges(&merges, |token| vocab.contains_key(token))
        .map_err(|problem| fetch_again(path, problem))
}

/// A merge as either version of the format writes it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Merge {
    Joined(String),
    Parts(String, String),
}

impl Merge {
    fn split(self) -> Result<(String, String), String> {
        match self {
            Self::Parts(left, right) => Ok((left, right)),
            Self::Joined(text) => match text.split_once(' ') {
                Some((left, right)) => Ok((left.to_owned(), right.to_owned())),
                None => Err(format!("the merge `{text}` is not two parts")),
            },
        }
    }
}

/// Which of the two kinds the steps of the tokenizer show.
fn find_kind(inner: &tokenizers::Tokenizer) -> Option<VocabularyKind> {
    let steps = [
        serde_json::to_string(&inner.get_pre_tokenizer()),
        serde_json::to_string(&inner.get_normalizer()),
        serde_json::to_string(&inner.get_decoder()),
    ];
    let signs = [
        ("\"ByteLevel\"", VocabularyKind::ByteLevel),
        ("▁", VocabularyKind::SentencePiece),
    ];
    signs
        .into_iter()
        .find(|(sign, _)| steps.iter().flatten().any(|step| step.contains(sign)))
        .map(|(_, kind)| kind)
}

/// The special tokens that the tokenizer's own post-processor puts before and after a text.
fn probe_added(inner: &tokenizers::Tokenizer) -> tokenizers::Result<(Vec<u32>, Vec<u32>)> {
    let plain = inner.encode_fast("a", false)?.get_ids().to_vec();
    let whole = inner.encode_fast("a", true)?.get_ids().to_vec();
    let at = (0..=whole.len().saturating_sub(plain.len()))
        .find(|at| whole[*at..].starts_with(&plain))
        .unwrap_or(0);
    Ok((
        whole[..at].to_vec(),
        whole[(at + plain.len()).min(whole.len())..].to_vec(),
    ))
}

fn from_vocab(dir: &Path, config: &TokenizerConfig) -> Result<BuiltTokenizer, DataError> {
    let splitting = config.splitting()?;
    let path = dir.join(VOCAB);
    let text = items::read_text(&path)?;
    let mut tokens: BTreeMap<String, u32> =
        serde_json::from_str(&text).map_err(|e| items::broken(&path, &e))?;
    let merges = read_merges(&dir.join(MERGES))?;
    let added = config.added_tokens()?;
    tokens.extend(added.iter().map(|(id, token)| (token.content.clone(), *id)));
    let added = added.into_iter().map(|(_, token)| token).collect();
    let inner = byte_level::build(tokens, merges, splitting, added).map_err(|e| {
        fail(
            &path,
            format!("does not fit {MERGES}: {e}; fetch both again"),
        )
    })?;
    let (before, after) = (Vec::new(), Vec::new());
    Ok(BuiltTokenizer {
        path,
        kind: VocabularyKind::ByteLevel,
        inner,
        bos: None,
        eos: None,
        before,
        after,
    })
}

fn read_merges(path: &Path) -> Result<Vec<(String, String)>, DataError> {
    let text = items::read_text(path)?;
    let mut merges = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.is_empty() || line.starts_with("#version") {
            continue;
        }
        match line.split_once(' ') {
            Some((left, right))
                if !left.is_empty() && !right.is_empty() && !right.contains(' ') =>
            {
                merges.push((left.to_owned(), right.to_owned()));
            }
            _ => {
                return Err(DataError::syntax(
                    path,
                    index + 1,
                    format!("`{line}` is not two parts with a space between; fetch the file again"),
                ));
            }
        }
    }
    Ok(merges)
}

fn from_pieces(path: &Path, config: &TokenizerConfig) -> Result<BuiltTokenizer, DataError> {
    let bytes = fs::read(path).map_err(DiskError::at("read", path))?;
    let model = proto::parse(&bytes).map_err(|problem| fail(path, problem))?;
    let prefix = match (
        model.add_dummy_prefix,
        config.flag("legacy")?.unwrap_or(true),
    ) {
        (false, _) => SpacePrefix::Never,
        (true, true) => SpacePrefix::Always,
        (true, false) => SpacePrefix::First,
    };
    let added = config.added_tokens()?;
    check_added_ids(path, &added, model.pieces.len())?;
    let added = added.into_iter().map(|(_, token)| token).collect();
    let inner = sentencepiece::build(&model.pieces, prefix, added)
        .map_err(|e| fail(path, format!("{e}")))?;
    let bos = find_control(&model.pieces, "<s>");
    let eos = find_control(&model.pieces, "</s>");
    // The Llama and Mistral classes add BOS unless the configuration says otherwise.
    let before = bos.into_iter().collect();
    Ok(BuiltTokenizer {
        path: path.to_owned(),
        kind: VocabularyKind::SentencePiece,
        inner,
        bos,
        eos,
        before,
        after: Vec::new(),
    })
}

/// Id of a control piece.
fn find_control(pieces: &[Piece], name: &str) -> Option<u32> {
    let mut ids = pieces.iter().zip(0..);
    ids.find(|(piece, _)| piece.kind == PieceKind::Control && piece.text == name)
        .map(|(_, id)| id)
}

/// Tokens beyond the pieces get the next ids in order; the configuration must say the same.
fn check_added_ids(
    path: &Path,
    added: &[(u32, AddedToken)],
    pieces: usize,
) -> Result<(), DataError> {
    let beyond = added.iter().filter(|(id, _)| *id as usize >= pieces);
    match beyond
        .zip(pieces..)
        .find(|((id, _), next)| *id as usize != *next)
    {
        None => Ok(()),
        Some(((id, token), next)) => Err(fail(
            path,
            format!(
                "the added token `{}` has id {id}, but {next} is the next free one",
                token.content
            ),
        )),
    }
}

/// The JSON files beside the tokenizer; absent files are empty.
struct TokenizerConfig {
    dir: PathBuf,
    tokenizer: Map<String, Value>,
    special_tokens: Map<String, Value>,
    model: Map<String, Value>,
    added: Map<String, Value>,
}

impl TokenizerConfig {
    fn read(dir: &Path) -> Result<Self, DataError> {
        Ok(Self {
            dir: dir.to_owned(),
            tokenizer: read_object(&dir.join("tokenizer_config.json"))?,
            special_tokens: read_object(&dir.join("special_tokens_map.json"))?,
            model: read_object(&dir.join("config.json"))?,
            added: read_object(&dir.join("added_tokens.json"))?,
        })
    }

    fn wrong(&self, file: &str, key: &str, value: &Value) -> DataError {
        fail(
            &self.dir.join(file),
            format!("key `{key}`: {value} is not what belongs there; correct it"),
        )
    }

    fn flag(&self, key: &str) -> Result<Option<bool>, DataError> {
        match self.tokenizer.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(other) => Err(self.wrong("tokenizer_config.json", key, other)),
        }
    }

    /// Id of the `bos` or `eos` token. `None`: no file speaks of it; `Some(None)`: there is
    /// none.
    fn special(
        &self,
        which: &str,
        inner: &tokenizers::Tokenizer,
    ) -> Result<Option<Option<u32>>, DataError> {
        let key = format!("{which}_token");
        for (file, map) in [
            ("tokenizer_config.json", &self.tokenizer),
            ("special_tokens_map.json", &self.special_tokens),
        ] {
            let Some(value) = map.get(&key) else { continue };
            if value.is_null() {
                return Ok(Some(None));
            }
            let content = value.as_str().or_else(|| value.get("content")?.as_str());
            let content = content.ok_or_else(|| self.wrong(file, &key, value))?;
            return match inner.token_to_id(content) {
                Some(id) => Ok(Some(Some(id))),
                None => Err(fail(
                    &self.dir.join(file),
                    format!("`{key}` is `{content}`, which is not in the vocabulary"),
                )),
            };
        }
        let key = format!("{which}_token_id");
        let Some(value) = self.model.get(&key).filter(|value| !value.is_null()) else {
            return Ok(None);
        };
        // A list names several that end a text; the first is taken.
        let id = value
            .as_u64()
            .or_else(|| value.as_array()?.first()?.as_u64());
        match id.and_then(|id| u32::try_from(id).ok()) {
            Some(id) => Ok(Some(Some(id))),
            None => Err(self.wrong("config.json", &key, value)),
        }
    }

    /// The special tokens to add on one side: as the configuration says, else `default`.
    fn added(&self, key: &str, id: Option<u32>, default: Vec<u32>) -> Result<Vec<u32>, DataError> {
        match (self.flag(key)?, id) {
            (None, _) => Ok(default),
            (Some(false), _) => Ok(Vec::new()),
            (Some(true), Some(id)) => Ok(vec![id]),
            (Some(true), None) => {
                let problem = format!(
                    "`{key}` is true, but there is no such token; set `{}`",
                    key.replace("add_", "")
                );
                Err(fail(&self.dir.join("tokenizer_config.json"), problem))
            }
        }
    }

    /// The splitting rule of a `vocab.json`, which does not name it itself.
    fn splitting(&self) -> Result<Splitting, DataError> {
        let class = text_of(&self.tokenizer, "tokenizer_class");
        let model_type = text_of(&self.model, "model_type");
        match (class.trim_end_matches("Fast"), model_type) {
            ("Qwen2Tokenizer", _) | ("", "qwen2") => Ok(Splitting::Qwen2),
            ("GPT2Tokenizer", _) | ("", "gpt2") => Ok(Splitting::Gpt2),
            _ => Err(fail(
                &self.dir.join(VOCAB),
                format!(
                    "how `{class}` of a `{model_type}` model splits words is not known; Qwen2Tokenizer and GPT2Tokenizer \
                     are. Save the tokenizer again as {JSON}"
                ),
            )),
        }
    }

    /// Added tokens with their ids, in the order of the ids.
    fn added_tokens(&self) -> Result<Vec<(u32, AddedToken)>, DataError> {
        let mut tokens = BTreeMap::new();
        for (content, id) in &self.added {
            let number = id.as_u64().and_then(|id| u32::try_from(id).ok());
            let number = number.ok_or_else(|| self.wrong("added_tokens.json", content, id))?;
            tokens.insert(
                number,
                AddedToken::from(content.clone(), true).normalized(false),
            );
        }
        if let Some(Value::Object(decoder)) = self.tokenizer.get("added_tokens_decoder") {
            for (id, value) in decoder {
                let (Ok(number), Ok(token)) = (id.parse(), serde_json::from_value(value.clone()))
                else {
                    let key = format!("added_tokens_decoder.{id}");
                    return Err(self.wrong("tokenizer_config.json", &key, value));
                };
                tokens.insert(number, token);
            }
        }
        Ok(tokens.into_iter().collect())
    }
}

/// The object in a JSON file; empty if there is no such file.
fn read_object(path: &Path) -> Result<Map<String, Value>, DataError> {
    if !path.is_file() {
        return Ok(Map::new());
    }
    serde_json::from_str(&items::read_text(path)?).map_err(|e| items::broken(path, &e))
}

/// The text under a key; empty if there is none.
fn text_of<'a>(map: &'a Map<String, Value>, key: &str) -> &'a str {
    map.get(key).and_then(Value::as_str).unwrap_or("")
}

fn fetch_again(path: &Path, problem: impl fmt::Display) -> DataError {
    fail(path, format!("{problem}; fetch the file again"))
}

fn fail(path: &Path, problem: String) -> DataError {
    DataError::unusable(format!("tokenizer of {}", path.display()), problem)
}
