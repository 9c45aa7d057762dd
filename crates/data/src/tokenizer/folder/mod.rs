//! A tokenizer from a Hugging Face folder, read as transformers 5 reads it.

mod class;
mod config;
mod json;
mod special;

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
};

use schema::disk::{DiskError, FETCH_AGAIN};
use tokenizers::AddedToken;

use self::{class::TokenizerClass, config::TokenizerConfig, special::OwnTokens};
use super::{
    Tokenizer, VocabularyKind,
    byte_level::{self, Splitting},
    growth::Growth,
    pieces_file,
    proto::{self, SentencePieceModel},
    sentencepiece::{self, Piece, PieceKind},
};
use crate::{DataError, chat::ChatSource, items};

const JSON: &str = "tokenizer.json";
const VOCAB: &str = "vocab.json";
const MERGES: &str = "merges.txt";
const PIECES: &str = "tokenizer.model";

/// A built tokenizer and what its own file says.
struct BuiltTokenizer {
    path: PathBuf,
    kind: VocabularyKind,
    inner: tokenizers::Tokenizer,
    class: TokenizerClass,
    own: OwnTokens,
    /// What it adds before a text; none where its file cannot say, so that the configuration
    /// decides.
    before: Option<Vec<u32>>,
}

pub(super) fn load(dir: &Path) -> Result<Tokenizer, DataError> {
    let config = TokenizerConfig::read(dir)?;
    let mut built = if dir.join(JSON).is_file() {
        json::read(&dir.join(JSON), &config)?
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
    let usual = [built.class.usual_tokens(), &own_names(&built.own)].concat();
    let chat = ChatSource::of_folder(dir, config.tokenizer_keys(), config.named_texts(&usual)?);
    let own_bos = find_special(&config, "bos_token", &usual, &built.inner)?;
    let own_eos = find_special(&config, "eos_token", &usual, &built.inner)?;
    let bos = own_bos.unwrap_or(config.model_id("bos_token_id")?);
    let eos = own_eos.unwrap_or(config.model_id("eos_token_id")?);
    special::add(&mut built.inner, &config, built.class, built.own)?;
    let before = match built.before {
        Some(before) => {
            warn_of_unused_flag(&config, &before, bos, &built.path)?;
            before
        }
        None => added_before(&config, own_bos.flatten())?,
    };
    if config.flag("split_special_tokens")? == Some(true) {
        built.inner.set_encode_special_tokens(true);
    }
    Ok(Tokenizer {
        growth: Growth::of(&built.inner),
        vocab_size: built.inner.get_vocab_size(true),
        tidies: tidies(&config, &built.inner)?,
        path: built.path,
        inner: built.inner,
        kind: built.kind,
        bos,
        eos,
        before,
        chat,
    })
}

fn own_names(own: &OwnTokens) -> Vec<(&'static str, &str)> {
    let names = own.named.iter();
    names.map(|(key, text)| (*key, text.as_str())).collect()
}

/// The id of `bos_token` or `eos_token`: as the tokenizer's configuration says, else as its
/// class or its own file does. `None`: nothing speaks of it; `Some(None)`: there is none.
fn find_special(
    config: &TokenizerConfig,
    key: &str,
    usual: &[(&str, &str)],
    inner: &tokenizers::Tokenizer,
) -> Result<Option<Option<u32>>, DataError> {
    if let Some(said) = config.named(key)? {
        let Some(token) = said else {
            return Ok(Some(None));
        };
        let id = inner.token_to_id(&token.content).or_else(|| {
            let listed = config.added_tokens(Vec::new()).ok()?;
            let found = listed
                .iter()
                .find(|(_, other)| other.content == token.content);
            found.map(|(id, _)| *id)
        });
        return match id {
            Some(id) => Ok(Some(Some(id))),
            None => Err(fail(
                &config.path(),
                format!(
                    "`{key}` is `{}`, which is not in the vocabulary",
                    token.content
                ),
            )),
        };
    }
    let own = usual.iter().find(|(name, _)| *name == key);
    let id = own.and_then(|(_, text)| inner.token_to_id(text));
    Ok(id.map(Some))
}

/// Without `tokenizer.json` the configuration says whether a text begins with BOS; the default
/// of transformers 5 is no, where the Llama class of transformers 4 had yes.
fn added_before(config: &TokenizerConfig, bos: Option<u32>) -> Result<Vec<u32>, DataError> {
    match (config.flag("add_bos_token")?, bos) {
        (None | Some(false), _) => Ok(Vec::new()),
        (Some(true), Some(id)) => Ok(vec![id]),
        (Some(true), None) => {
            let problem = "`add_bos_token` is true, but there is no such token; set `bos_token`";
            Err(fail(&config.path(), problem.to_owned()))
        }
    }
}

/// Beside `tokenizer.json`, transformers 5 reads no `add_bos_token`. Where the two disagree, the
/// user should know which one is followed.
fn warn_of_unused_flag(
    config: &TokenizerConfig,
    before: &[u32],
    bos: Option<u32>,
    path: &Path,
) -> Result<(), DataError> {
    let adds = bos.is_some_and(|bos| before.contains(&bos));
    if let Some(flag) = config.flag("add_bos_token")?
        && flag != adds
        && (bos.is_some() || !flag)
    {
        tracing::warn!(
            "{}: `add_bos_token` is {flag}, but the post-processor of {} adds {}; the latter is followed, as by \
             transformers 5",
            config.path().display(),
            path.display(),
            if adds { "BOS" } else { "no BOS" }
        );
    }
    Ok(())
}

/// Whether decoded text loses the spaces before punctuation. transformers 5 does so only where
/// the vocabulary is no BPE, or where that is insisted on.
fn tidies(config: &TokenizerConfig, inner: &tokenizers::Tokenizer) -> Result<bool, DataError> {
    const INSISTS: &str = "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output";
    let is_bpe = matches!(inner.get_model(), tokenizers::ModelWrapper::BPE(_));
    let wants = config.flag("clean_up_tokenization_spaces")? == Some(true);
    Ok(wants && (!is_bpe || config.flag(INSISTS)? == Some(true)))
}

fn from_vocab(dir: &Path, config: &TokenizerConfig) -> Result<BuiltTokenizer, DataError> {
    let class = TokenizerClass::choose(config, false)?;
    let splitting = match class {
        TokenizerClass::Qwen2 => Splitting::Qwen2,
        TokenizerClass::Gpt2 => Splitting::Gpt2,
        TokenizerClass::AsSaved | TokenizerClass::Llama => {
            return Err(fail(
                &dir.join(VOCAB),
                format!(
                    "how `{}` of a `{}` model splits words is not known; Qwen2Tokenizer and GPT2Tokenizer are. Save \
                     the tokenizer again as {JSON}",
                    config.class_name(),
                    config.model_type()
                ),
            ));
        }
    };
    let path = dir.join(VOCAB);
    let text = items::read_text(&path)?;
    let tokens: BTreeMap<String, u32> =
        serde_json::from_str(&text).map_err(|e| items::broken(&path, &e))?;
    let merges = read_merges(&dir.join(MERGES))?;
    let space_first = config.flag("add_prefix_space")?.unwrap_or(false);
    let built = byte_level::build(tokens, merges, splitting, space_first, Vec::new());
    let inner =
        built.map_err(|e| fail(&path, format!("does not fit {MERGES}: {e}; {FETCH_AGAIN}")))?;
    Ok(BuiltTokenizer {
        path,
        kind: VocabularyKind::ByteLevel,
        inner,
        class,
        own: OwnTokens::default(),
        before: None,
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
                    format!("`{line}` is not two parts with a space between; {FETCH_AGAIN}"),
                ));
            }
        }
    }
    Ok(merges)
}

fn from_pieces(path: &Path, config: &TokenizerConfig) -> Result<BuiltTokenizer, DataError> {
    let class = TokenizerClass::choose(config, false)?;
    let bytes = fs::read(path).map_err(DiskError::at("read", path))?;
    let model = proto::parse(&bytes).map_err(|problem| fail(path, problem))?;
    let legacy = config.flag("legacy")?;
    let built = match class {
        TokenizerClass::Llama => {
            let space_first = config.flag("add_prefix_space")?.unwrap_or(true);
            let (vocab, merges) = sentencepiece::merges_by_id(&model.pieces);
            sentencepiece::build_llama(vocab, merges, space_first, legacy.unwrap_or(false))
        }
        TokenizerClass::AsSaved => pieces_file::build(&model, legacy.unwrap_or(true)),
        TokenizerClass::Qwen2 | TokenizerClass::Gpt2 => {
            let problem = "is SentencePiece's, but the tokenizer's class is byte-level; save it as tokenizer.json";
            return Err(fail(path, problem.to_owned()));
        }
    };
    Ok(BuiltTokenizer {
        path: path.to_owned(),
        kind: VocabularyKind::SentencePiece,
        inner: built.map_err(|e| fail(path, format!("{e}")))?,
        class,
        own: own_tokens(&model, class),
        before: None,
    })
}

fn own_tokens(model: &SentencePieceModel, class: TokenizerClass) -> OwnTokens {
    let as_saved = class == TokenizerClass::AsSaved;
    let token = |piece: &Piece| match piece.kind {
        PieceKind::Control => Some(AddedToken::from(piece.text.clone(), true)),
        // Read as the file says, user-defined pieces are a step of the tokenizer instead.
        PieceKind::UserDefined if !as_saved => {
            Some(AddedToken::from(piece.text.clone(), false).normalized(false))
        }
        _ => None,
    };
    let mut named = Vec::new();
    if as_saved {
        named.extend(model.bos.clone().map(|text| ("bos_token", text)));
        named.extend(model.eos.clone().map(|text| ("eos_token", text)));
        let mut pieces = model.pieces.iter();
        let unknown = pieces.find(|piece| piece.kind == PieceKind::Unknown);
        named.extend(unknown.map(|piece| ("unk_token", piece.text.clone())));
    }
    OwnTokens {
        saved: Vec::new(),
        pieces: model.pieces.iter().filter_map(token).collect(),
        named,
        splits_before_normalising: as_saved && model.add_dummy_prefix,
    }
}

fn fetch_again(path: &Path, problem: impl fmt::Display) -> DataError {
    fail(path, format!("{problem}; {FETCH_AGAIN}"))
}

fn fail(path: &Path, problem: String) -> DataError {
    DataError::unusable(format!("tokenizer of {}", path.display()), problem)
}
