//! A tokenizer from a Hugging Face folder.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
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
    sentencepiece::{self, PieceKind, SpacePrefix},
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
    let broken = |e: tokenizers::Error| fail(path, format!("{e}; fetch the file again"));
    let text = items::read_text(path)?;
    check_json(path, &text)?;
    let mut inner = tokenizers::Tokenizer::from_bytes(text.as_bytes()).map_err(broken)?;
    // What was set for someone's batches would cut or pad prompts here.
    inner.with_truncation(None).map_err(broken)?;
    inner.with_padding(None);
    let kind = find_kind(&inner).ok_or_else(|| {
        fail(path, "neither byte-level nor SentencePiece; only these two kinds of vocabulary are supported".to_owned())
    })?;
    let (before, after) = probe_added(&inner).map_err(broken)?;
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
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Merge {
        Joined(String),
        Parts(String, String),
    }
    let file: TokenizerFile<'_> =
        serde_json::from_str(text).map_err(|e| items::broken(path, &e))?;
    let Some(merges) = file.model.merges else {
        return Ok(());
    };
    let vocab: HashMap<String, u32> = serde_json::from_str(file.model.vocab.get())
        .map_err(|e| fail(path, format!("its vocabulary: {e}")))?;
    let parts = |merge: Merge| match merge {
        Merge::Parts(left, right) => Ok((left, right)),
        Merge::Joined(text) => match text.split_once(' ') {
            Some((left, right)) => Ok((left.to_owned(), right.to_owned())),
            None => Err(fail(
                path,
                format!("the merge `{text}` is not two parts; fetch the file again"),
            )),
        },
    };
    let merges = merges
        .into_iter()
        .map(parts)
        .collect::<Result<Vec<_>, _>>()?;
    byte_level::check_merges(&merges, |token| vocab.contains_key(token))
        .map_err(|problem| fail(path, format!("{problem}; fetch the file again")))
}

/// Which of the two kinds the steps of the tokenizer show.
fn find_kind(inner: &tokenizers::Tokenizer) -> Option<VocabularyKind> {
    let steps = [
        serde_json::to_string(&inner.get_pre_tokenizer()),
        serde_json::to_string(&inner.get_normalizer()),
        serde_json::to_string(&inner.get_decoder()),
    ];
    let shows = |sign: &str| steps.iter().flatten().any(|step| step.contains(sign));
    match (shows("\"ByteLevel\""), shows("▁")) {
        (true, _) => Some(VocabularyKind::ByteLevel),
        (false, true) => Some(VocabularyKind::SentencePiece),
        (false, false) => None,
    }
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
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.is_empty() && !line.starts_with("#version"));
    let pair = |(index, line): (usize, &str)| match line.split_once(' ') {
        Some((left, right)) if !left.is_empty() && !right.is_empty() && !right.contains(' ') => {
            Ok((left.to_owned(), right.to_owned()))
        }
        _ => Err(DataError::Syntax {
            path: path.to_owned(),
            line: index + 1,
            problem: format!(
                "`{line}` is not two parts with a space between; fetch the file again"
            ),
        }),
    };
    lines.map(pair).collect()
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
    let control = |name: &str| {
        let is_it = |(piece, _): &(&sentencepiece::Piece, u32)| {
            piece.kind == PieceKind::Control && piece.text == name
        };
        model.pieces.iter().zip(0..).find(is_it).map(|(_, id)| id)
    };
    let (bos, eos) = (control("<s>"), control("</s>"));
    // The Llama and Mistral classes add BOS unless told otherwise.
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
        let object = |name: &str| {
            let path = dir.join(name);
            if !path.is_file() {
                return Ok(Map::new());
            }
            serde_json::from_str(&items::read_text(&path)?).map_err(|e| items::broken(&path, &e))
        };
        Ok(Self {
            dir: dir.to_owned(),
            tokenizer: object("tokenizer_config.json")?,
            special_tokens: object("special_tokens_map.json")?,
            model: object("config.json")?,
            added: object("added_tokens.json")?,
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
            let missing = || {
                fail(
                    &self.dir.join(file),
                    format!("`{key}` is `{content}`, which is not in the vocabulary"),
                )
            };
            return inner
                .token_to_id(content)
                .map(|id| Some(Some(id)))
                .ok_or_else(missing);
        }
        let key = format!("{which}_token_id");
        let first = |value: &Value| {
            value
                .as_u64()
                .or_else(|| value.as_array()?.first()?.as_u64())
        };
        match self.model.get(&key) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match first(value).and_then(|id| u32::try_from(id).ok()) {
                Some(id) => Ok(Some(Some(id))),
                None => Err(self.wrong("config.json", &key, value)),
            },
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
        let text = |map: &Map<String, Value>, key: &str| {
            map.get(key)
                .and_then(Value::as_str)
                .unwrap_or("")
                .to_owned()
        };
        let class = text(&self.tokenizer, "tokenizer_class");
        let model_type = text(&self.model, "model_type");
        match (class.trim_end_matches("Fast"), model_type.as_str()) {
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
                let wrong = || {
                    self.wrong(
                        "tokenizer_config.json",
                        &format!("added_tokens_decoder.{id}"),
                        value,
                    )
                };
                let number: u32 = id.parse().map_err(|_| wrong())?;
                tokens.insert(
                    number,
                    serde_json::from_value(value.clone()).map_err(|_| wrong())?,
                );
            }
        }
        Ok(tokens.into_iter().collect())
    }
}

fn fail(path: &Path, problem: String) -> DataError {
    DataError::Unusable {
        what: format!("tokenizer of {}", path.display()),
        problem,
    }
}
