//! A tokenizer from GGUF metadata. What llama.cpp assumes where a key is absent is assumed here
//! too.

use hub::gguf::Header;
use tokenizers::AddedToken;

use super::{
    Tokenizer, VocabularyKind,
    byte_level::{self, Splitting},
    sentencepiece::{self, Piece, PieceKind, SpacePrefix},
};
use crate::DataError;

const MODEL: &str = "tokenizer.ggml.model";
const PRE: &str = "tokenizer.ggml.pre";
const TOKENS: &str = "tokenizer.ggml.tokens";
const KINDS: &str = "tokenizer.ggml.token_type";
const SCORES: &str = "tokenizer.ggml.scores";
const MERGES: &str = "tokenizer.ggml.merges";

pub(super) fn load(header: &Header) -> Result<Tokenizer, DataError> {
    let tokens = header.need_texts(TOKENS)?;
    let kinds = read_kinds(header, tokens.len())?;
    let (kind, inner, adds_bos) = match header.need_text(MODEL)? {
        "gpt2" => {
            let splitting = read_splitting(header)?;
            let merges = read_merges(header)?;
            let entries = tokens
                .iter()
                .zip(0..)
                .map(|(token, id)| ((*token).to_owned(), id));
            let built =
                byte_level::build(entries, merges, splitting, added_tokens(&tokens, &kinds));
            (
                VocabularyKind::ByteLevel,
                built,
                splitting == Splitting::Llama3,
            )
        }
        "llama" => {
            let pieces = read_pieces(header, &tokens, &kinds)?;
            let has_prefix = header
                .bool("tokenizer.ggml.add_space_prefix")?
                .unwrap_or(true);
            let prefix = if has_prefix {
                SpacePrefix::Always
            } else {
                SpacePrefix::Never
            };
            (
                VocabularyKind::SentencePiece,
                sentencepiece::build(&pieces, prefix, Vec::new()),
                true,
            )
        }
        other => {
            let problem =
                format!("is `{other}`, which is not supported; supported are `gpt2` and `llama`");
            return Err(header.error(MODEL, problem).into());
        }
    };
    let inner = inner.map_err(|e| {
        header.error(
            TOKENS,
            format!("do not fit each other: {e}; convert the model again"),
        )
    })?;
    let bos = read_id(header, "tokenizer.ggml.bos_token_id", tokens.len())?;
    let eos = read_id(header, "tokenizer.ggml.eos_token_id", tokens.len())?;
    let before = read_added(header, "tokenizer.ggml.add_bos_token", adds_bos, bos)?;
    let after = read_added(header, "tokenizer.ggml.add_eos_token", false, eos)?;
    Ok(Tokenizer {
        path: header.path.clone(),
        inner,
        kind,
        vocab_size: tokens.len(),
        bos,
        eos,
        before,
        after,
    })
}

/// One kind per token; without the list all are normal.
fn read_kinds(header: &Header, count: usize) -> Result<Vec<PieceKind>, DataError> {
    let Some(numbers) = header.integers(KINDS)? else {
        return Ok(vec![PieceKind::Normal; count]);
    };
    check_length(header, KINDS, numbers.len(), count)?;
    let kind = |number: i64| {
        PieceKind::from_number(number).ok_or_else(|| {
            header
                .error(
                    KINDS,
                    format!("{number} is no kind of token; they are 1 to 6"),
                )
                .into()
        })
    };
    numbers.into_iter().map(kind).collect()
}

fn read_splitting(header: &Header) -> Result<Splitting, DataError> {
    let name = header.text(PRE)?.unwrap_or("default");
    let known = Splitting::GGUF_NAMES;
    match known.iter().find(|(known, _)| *known == name) {
        Some((_, splitting)) => Ok(*splitting),
        None => {
            let names: Vec<_> = known.iter().map(|(name, _)| format!("`{name}`")).collect();
            let problem = format!(
                "is `{name}`, a splitting rule that is not supported; supported are {}. Use the model's Hugging Face folder",
                names.join(", ")
            );
            Err(header.error(PRE, problem).into())
        }
    }
}

fn read_merges(header: &Header) -> Result<Vec<(String, String)>, DataError> {
    let pair = |(index, merge): (usize, &str)| match merge.split_once(' ') {
        Some((left, right)) if !left.is_empty() && !right.is_empty() => {
            Ok((left.to_owned(), right.to_owned()))
        }
        _ => Err(header
            .error(
                MERGES,
                format!("merge {index} is `{merge}`, not two parts; convert the model again"),
            )
            .into()),
    };
    header
        .need_texts(MERGES)?
        .into_iter()
        .enumerate()
        .map(pair)
        .collect()
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
    let added = |(token, kind): (&&str, &PieceKind)| {
        let special = *kind == PieceKind::Control;
        (special || *kind == PieceKind::UserDefined)
            .then(|| AddedToken::from(*token, special).normalized(false))
    };
    tokens.iter().zip(kinds).filter_map(added).collect()
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
