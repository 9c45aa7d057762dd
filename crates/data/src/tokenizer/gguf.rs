//! A tokenizer from GGUF metadata. What llama.cpp assumes where a key is absent is assumed here
//! too.

use std::collections::BTreeMap;

use hub::gguf::Header;
use tokenizers::AddedToken;

use super::{
    Tokenizer, VocabularyKind,
    byte_level::{self, Splitting},
    growth::Growth,
    sentencepiece::{self, Piece, PieceKind},
};
use crate::{DataError, chat::ChatSource, error::quote};

pub(super) const MODEL: &str = "tokenizer.ggml.model";
pub(super) const PRE: &str = "tokenizer.ggml.pre";
pub(super) const TOKENS: &str = "tokenizer.ggml.tokens";
pub(super) const KINDS: &str = "tokenizer.ggml.token_type";
const SCORES: &str = "tokenizer.ggml.scores";
pub(super) const MERGES: &str = "tokenizer.ggml.merges";

pub(super) const ADDS_BOS: &str = "tokenizer.ggml.add_bos_token";
/// Special tokens by the names that chat templates use, and the keys of their ids.
pub(super) const NAMED: [(&str, &str); 6] = [
    ("bos_token", "bos"),
    ("eos_token", "eos"),
    ("unk_token", "unknown"),
    ("sep_token", "seperator"), // spelt so in the format
    ("pad_token", "padding"),
    ("mask_token", "mask"),
];

pub(super) fn load(header: &Header) -> Result<Tokenizer, DataError> {
    let tokens = header.need_texts(TOKENS)?;
    let (kind, inner, adds_bos) = build(header, &tokens)?;
    let bos = read_id(header, "tokenizer.ggml.bos_token_id", tokens.len())?;
    let eos = read_id(header, "tokenizer.ggml.eos_token_id", tokens.len())?;
    let before = read_added(header, ADDS_BOS, adds_bos, bos)?;
    Ok(Tokenizer {
        growth: Growth::of(&inner),
        tidies: false,
        path: header.path.clone(),
        inner,
        kind,
        vocab_size: tokens.len(),
        bos,
        eos,
        before,
        chat: ChatSource::of_gguf(header, named_tokens(header, &tokens)?),
    })
}

/// The vocabulary's kind, the tokenizer, and whether a text begins with BOS where the file does
/// not say.
fn build(
    header: &Header,
    tokens: &[&str],
) -> Result<(VocabularyKind, tokenizers::Tokenizer, bool), DataError> {
    let kinds = read_kinds(header, tokens.len())?;
    let (kind, built, adds_bos) = match header.need_text(MODEL)? {
        "gpt2" => {
            let splitting = read_splitting(header)?;
            let merges = read_merges(header)?;
            let entries = tokens
                .iter()
                .zip(0..)
                .map(|(token, id)| ((*token).to_owned(), id));
            let added = added_tokens(tokens, &kinds);
            let built = byte_level::build(entries, merges, splitting, false, added);
            let adds_bos = splitting == Splitting::Llama3;
            (VocabularyKind::ByteLevel, built, adds_bos)
        }
        "llama" => {
            let pieces = read_pieces(header, tokens, &kinds)?;
            let space_first = header.bool("tokenizer.ggml.add_space_prefix")?;
            let built = sentencepiece::build(&pieces, space_first.unwrap_or(true));
            (VocabularyKind::SentencePiece, built, true)
        }
        other => {
            let problem =
                format!("is `{other}`, which is not supported; supported are `gpt2` and `llama`");
            return Err(header.error(MODEL, problem).into());
        }
    };
    let inner = built.map_err(|e| {
        let problem = format!("do not fit each other: {e}; convert the model again");
        header.error(TOKENS, problem)
    })?;
    Ok((kind, inner, adds_bos))
}

/// One kind per token; without the list all are normal.
fn read_kinds(header: &Header, count: usize) -> Result<Vec<PieceKind>, DataError> {
    let Some(numbers) = header.integers(KINDS)? else {
        return Ok(vec![PieceKind::Normal; count]);
    };
    check_length(header, KINDS, numbers.len(), count)?;
    let mut kinds = Vec::with_capacity(count);
    for number in numbers {
        kinds.push(PieceKind::from_number(number).ok_or_else(|| {
            let problem = format!("{number} is not a kind of token; they are 1 to 6");
            header.error(KINDS, problem)
        })?);
    }
    Ok(kinds)
}

fn read_splitting(header: &Header) -> Result<Splitting, DataError> {
    let name = header.text(PRE)?.unwrap_or_else(|| {
        tracing::warn!(
            "{}: no `{PRE}`, so words are split by llama.cpp's rule `default`; the model may have been trained \
             with another: convert it again, or use its Hugging Face folder",
            header.path.display()
        );
        "default"
    });
    let known = Splitting::GGUF_NAMES;
    match known.iter().find(|(known, _)| *known == name) {
        Some((_, splitting)) => Ok(*splitting),
        None => {
            let problem = format!(
                "is `{name}`, a splitting rule that is not supported; supported are {}. Use the model's Hugging Face folder",
                quote(known.iter().map(|(name, _)| name))
            );
            Err(header.error(PRE, problem).into())
        }
    }
}

fn read_merges(header: &Header) -> Result<Vec<(String, String)>, DataError> {
    let mut merges = Vec::new();
    for (index, merge) in header.need_texts(MERGES)?.into_iter().enumerate() {
        match merge.split_once(' ') {
            Some((left, right)) if !left.is_empty() && !right.is_empty() => {
                merges.push((left.to_owned(), right.to_owned()));
            }
            _ => {
                let problem =
                    format!("merge {index} is `{merge}`, not two parts; convert the model again");
                return Err(header.error(MERGES, problem).into());
            }
        }
    }
    Ok(merges)
}

fn read_pieces(
    header: &Header,
    tokens: &[&str],
    kinds: &[PieceKind],
) -> Result<Vec<Piece>, DataError> {
    let scores = header.need_floats(SCORES)?;
    check_length(header, SCORES, scores.len(), tokens.len())?;
    let parts = tokens.iter().zip(&scores).zip(kinds);
    Ok(parts
        .map(|((text, score), kind)| Piece {
            text: (*text).to_owned(),
            score: *score as f32,
            kind: *kind,
        })
        .collect())
}

/// Control and user-defined tokens, which are recognised whole.
fn added_tokens(tokens: &[&str], kinds: &[PieceKind]) -> Vec<AddedToken> {
    let added = tokens
        .iter()
        .zip(kinds)
        .filter(|(_, kind)| matches!(kind, PieceKind::Control | PieceKind::UserDefined));
    added
        .map(|(token, kind)| {
            AddedToken::from(*token, *kind == PieceKind::Control).normalized(false)
        })
        .collect()
}

fn read_id(header: &Header, key: &str, count: usize) -> Result<Option<u32>, DataError> {
    let Some(id) = header.unsigned(key)? else {
        return Ok(None);
    };
    match u32::try_from(id) {
        Ok(small) if (small as usize) < count => Ok(Some(small)),
        _ => Err(header
            .error(
                key,
                format!("is {id}, but there are {count} tokens; convert the model again"),
            )
            .into()),
    }
}

/// The special tokens by the names that chat templates use.
fn named_tokens(header: &Header, tokens: &[&str]) -> Result<BTreeMap<String, String>, DataError> {
    let mut named = BTreeMap::new();
    for (name, key) in NAMED {
        let id = read_id(
            header,
            &format!("tokenizer.ggml.{key}_token_id"),
            tokens.len(),
        )?;
        named.extend(id.map(|id| (name.to_owned(), tokens[id as usize].to_owned())));
    }
    Ok(named)
}

/// The special token that is added if `key`, or by default `default`, says so.
fn read_added(
    header: &Header,
    key: &str,
    default: bool,
    id: Option<u32>,
) -> Result<Vec<u32>, DataError> {
    match (header.bool(key)?.unwrap_or(default), id) {
        (false, _) => Ok(Vec::new()),
        (true, Some(id)) => Ok(vec![id]),
        (true, None) => Err(header
            .error(
                key,
                "asks for a special token whose id is not given; convert the model again",
            )
            .into()),
    }
}

fn check_length(header: &Header, key: &str, found: usize, wanted: usize) -> Result<(), DataError> {
    if found == wanted {
        return Ok(());
    }
    Err(header
        .error(
            key,
            format!("has {found} entries for {wanted} tokens; convert the model again"),
        )
        .into())
}
