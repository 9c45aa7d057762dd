//! `tokenizer.json`: as it is, without what is random or cuts prompts, or its vocabulary with the
//! steps of a class. Never here: the files beside it.

use std::{collections::HashMap, path::Path};

use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use tokenizers::{AddedToken, Encoding, ModelWrapper, Token};

use super::{
    BuiltTokenizer, Growth, OwnTokens, TokenizerClass, TokenizerConfig, VocabularyKind,
    byte_level::{self, Splitting},
    fail, fetch_again, sentencepiece,
};
use crate::{DataError, items, seam};

/// The vocabulary and the merges of a BPE model.
type Bpe = (HashMap<String, u32>, Vec<(String, String)>);

pub(super) fn read(path: &Path, config: &TokenizerConfig) -> Result<BuiltTokenizer, DataError> {
    let text = items::read_text(path)?;
    let bpe = read_bpe(path, &text)?;
    let class = TokenizerClass::choose(config, text.contains("\"ByteLevel\""))?;
    let parsed = seam::guard(|| {
        tokenizers::Tokenizer::from_bytes(text.as_bytes()).map_err(|error| error.to_string())
    });
    let mut saved = parsed.map_err(|problem| fetch_again(path, problem))?;
    // What was set for someone's batches would cut or pad prompts here.
    saved
        .with_truncation(None)
        .map_err(|error| fetch_again(path, error))?;
    // Its token is a special one all the same.
    let padding = saved.get_padding();
    let padding = padding.map(|padding| ("pad_token", padding.pad_token.clone()));
    saved.with_padding(None);
    let before = find_before(path, &saved)?;
    let kind = find_kind(&saved).ok_or_else(|| {
        fail(path, "neither byte-level nor SentencePiece; only these two kinds of vocabulary are supported".to_owned())
    })?;
    let own = OwnTokens {
        saved: added_tokens(&saved),
        named: padding.into_iter().collect(),
        ..OwnTokens::default()
    };
    let inner = match class {
        TokenizerClass::AsSaved => without_chance(saved),
        _ => rebuild(path, class, kind, bpe, config)?,
    };
    Ok(BuiltTokenizer {
        path: path.to_owned(),
        kind,
        inner,
        class,
        own,
        before: Some(before),
    })
}

/// Switches off what training draws at random: merges that are left out, and samples of a
/// unigram model.
fn without_chance(mut saved: tokenizers::Tokenizer) -> tokenizers::Tokenizer {
    match saved.get_model().clone() {
        ModelWrapper::BPE(mut bpe) if bpe.dropout.is_some() => {
            bpe.dropout = None;
            saved.with_model(bpe);
        }
        ModelWrapper::Unigram(mut unigram) if unigram.alpha.is_some() => {
            unigram.alpha = None;
            saved.with_model(unigram);
        }
        _ => {}
    }
    saved
}

/// The tokenizer that a class builds from the vocabulary alone.
fn rebuild(
    path: &Path,
    class: TokenizerClass,
    kind: VocabularyKind,
    bpe: Option<Bpe>,
    config: &TokenizerConfig,
) -> Result<tokenizers::Tokenizer, DataError> {
    let byte_level = class != TokenizerClass::Llama;
    let Some((vocab, merges)) = bpe.filter(|_| byte_level == (kind == VocabularyKind::ByteLevel))
    else {
        let problem = format!(
            "`tokenizer_class` {class:?} of {} is for another kind of vocabulary; set it to `PreTrainedTokenizerFast` if \
             tokenizer.json is right as it is",
            config.path().display()
        );
        return Err(fail(path, problem));
    };
    let vocab = vocab.into_iter();
    let space = config.flag("add_prefix_space")?;
    let legacy = config.flag("legacy")?.unwrap_or(false);
    let built = match class {
        TokenizerClass::Llama => {
            sentencepiece::build_llama(vocab.collect(), merges, space.unwrap_or(true), legacy)
        }
        TokenizerClass::Gpt2 => {
            let space = space.unwrap_or(false);
            byte_level::build(vocab, merges, Splitting::Gpt2, space, Vec::new())
        }
        TokenizerClass::Qwen2 | TokenizerClass::AsSaved => {
            let space = space.unwrap_or(false);
            byte_level::build(vocab, merges, Splitting::Qwen2, space, Vec::new())
        }
    };
    built.map_err(|error| fetch_again(path, error))
}

/// The added tokens, in the order of their ids.
fn added_tokens(inner: &tokenizers::Tokenizer) -> Vec<(u32, AddedToken)> {
    let mut tokens: Vec<_> = inner.get_added_tokens_decoder().into_iter().collect();
    tokens.sort_by_key(|(id, _)| *id);
    tokens
}

/// Vocabulary and merges of a BPE model, checked; see [`byte_level::check_merges`]. None of a
/// model that has no merges.
fn read_bpe(path: &Path, text: &str) -> Result<Option<Bpe>, DataError> {
    #[derive(Deserialize)]
    struct TokenizerFile<'a> {
        #[serde(borrow)]
        model: BpeModel<'a>,
        normalizer: Option<Value>,
        added_tokens: Option<Vec<Value>>,
    }
    #[derive(Deserialize)]
    struct BpeModel<'a> {
        #[serde(borrow)]
        vocab: &'a RawValue,
        merges: Option<Vec<Merge>>,
    }
    let file: TokenizerFile<'_> =
        serde_json::from_str(text).map_err(|e| items::broken(path, &e))?;
    // The library normalises the added tokens while it reads the file.
    let added = file.added_tokens.iter().flatten();
    let lengths = added.map(|token| token["content"].as_str().map_or(0, str::len));
    if let (Some(normalizer), Some(longest)) = (&file.normalizer, lengths.max()) {
        let checked = Growth::of_normalizer(normalizer).check_encoding(longest);
        checked.map_err(|problem| fail(path, problem))?;
    }
    let Some(merges) = file.model.merges else {
        return Ok(None);
    };
    let vocab: HashMap<String, u32> = serde_json::from_str(file.model.vocab.get())
        .map_err(|e| fail(path, format!("its vocabulary: {e}")))?;
    let merges = merges
        .into_iter()
        .map(Merge::split)
        .collect::<Result<Vec<_>, String>>()
        .map_err(|problem| fetch_again(path, problem))?;
    byte_level::check_merges(&merges, |token| vocab.contains_key(token))
        .map_err(|problem| fetch_again(path, problem))?;
    Ok(Some((vocab, merges)))
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

/// The special tokens that the post-processor puts before a text.
fn find_before(path: &Path, inner: &tokenizers::Tokenizer) -> Result<Vec<u32>, DataError> {
    // Stands for the text; no vocabulary reaches this id.
    const TEXT: u32 = u32::MAX;
    let whole = seam::guard(|| {
        let text = Encoding::from_tokens(vec![Token::new(TEXT, String::new(), (0, 0))], 0);
        let whole = inner.post_process(text, None, true);
        whole.map_err(|error| error.to_string())
    });
    let ids = whole.map_err(|problem| fetch_again(path, problem))?;
    let ids = ids.get_ids();
    match ids.iter().position(|id| *id == TEXT) {
        Some(at) if !ids[at + 1..].contains(&TEXT) => Ok(ids[..at].to_vec()),
        _ => Err(fail(
            path,
            "its post-processor does not put the text there once; correct its template".to_owned(),
        )),
    }
}
