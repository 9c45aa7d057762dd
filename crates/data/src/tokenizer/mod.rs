//! Tokenizers of the supported model families, read from a Hugging Face folder or from GGUF
//! metadata: byte-level BPE (GPT-2, Llama 3, Qwen2, SmolLM) and SentencePiece BPE (Llama 2,
//! Mistral).
//!
//! Special tokens are added only where the tokenizer's own configuration adds them. Never here:
//! rendering chat templates (`chat`).

mod byte_level;
mod folder;
mod gguf;
mod growth;
pub mod made_up;
mod pieces_file;
mod proto;
mod sentencepiece;
mod written;

use std::path::{Path, PathBuf};

use hub::{ModelFiles, gguf::Header};
use rayon::prelude::*;

use self::growth::Growth;
use crate::{
    DataError,
    chat::{ChatSource, ChatTemplate},
    seam,
};

/// How a vocabulary writes text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VocabularyKind {
    /// Every byte is a character of a fixed alphabet; a space is `Ġ`.
    ByteLevel,
    /// Characters as they are; a space is `▁`, and bytes may have entries `<0x00>` to `<0xFF>`.
    SentencePiece,
}

impl VocabularyKind {
    /// How the vocabulary writes a space.
    pub fn space_mark(self) -> char {
        match self {
            Self::ByteLevel => 'Ġ',
            Self::SentencePiece => '▁',
        }
    }
}

/// Text to token ids and back.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    path: PathBuf,
    inner: tokenizers::Tokenizer,
    kind: VocabularyKind,
    vocab_size: usize,
    bos: Option<u32>,
    eos: Option<u32>,
    /// What the configuration adds before a text.
    before: Vec<u32>,
    /// Whether decoded text loses the spaces before punctuation.
    tidies: bool,
    growth: Growth,
    chat: ChatSource,
}

impl Tokenizer {
    /// The tokenizer of a model.
    ///
    /// # Errors
    /// See [`Tokenizer::from_folder`] and [`Tokenizer::from_gguf`].
    pub fn load(files: &ModelFiles) -> Result<Self, DataError> {
        match files {
            ModelFiles::Folder { dir, .. } => Self::from_folder(dir),
            ModelFiles::Gguf { path } => Self::from_gguf(&Header::read(path)?),
        }
    }

    /// Reads `tokenizer.json`; where there is none, `vocab.json` with `merges.txt`, or
    /// `tokenizer.model`, with `tokenizer_config.json` and the files beside it, as
    /// transformers 5 reads them (docs/tokenizers.md).
    ///
    /// # Errors
    /// No tokenizer in the folder; a broken file; a kind of tokenizer that is not supported.
    pub fn from_folder(dir: &Path) -> Result<Self, DataError> {
        folder::load(dir)
    }

    /// Builds the tokenizer from a GGUF file's metadata, with the splitting rule of its
    /// `tokenizer.ggml.pre`.
    ///
    /// # Errors
    /// Missing or contradicting metadata; a kind of tokenizer or splitting rule that is not
    /// supported.
    pub fn from_gguf(header: &Header) -> Result<Self, DataError> {
        gguf::load(header)
    }

    /// Token ids of a `text` that goes on, with the special tokens that the tokenizer's
    /// configuration adds before it.
    ///
    /// What a configuration adds behind a text (`add_eos_token`, the end of a template) is for
    /// texts that are over. Every text here is the beginning of one: an answer, a label or a
    /// target follows, and training puts the end there itself.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, DataError> {
        let mut ids = self.before.clone();
        ids.extend(self.encode_plain(text)?);
        Ok(ids)
    }

    /// Token ids of `text` alone. A special token that is spelt out in the text is recognised.
    pub fn encode_plain(&self, text: &str) -> Result<Vec<u32>, DataError> {
        let encode = || {
            self.growth.check_encoding(text.len())?;
            let encoding = self.inner.encode_fast(text, false);
            encoding.map_err(|error| error.to_string())
        };
        let encoding = seam::guard(encode)
            .map_err(|problem| self.error(format!("cannot encode: {problem}")))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// [`Tokenizer::encode`] of every text, on all threads.
    pub fn encode_all<S: AsRef<str> + Sync>(
        &self,
        texts: &[S],
    ) -> Result<Vec<Vec<u32>>, DataError> {
        texts
            .par_iter()
            .map(|text| self.encode(text.as_ref()))
            .collect()
    }

    /// The text of `ids` without special tokens.
    pub fn decode(&self, ids: &[u32]) -> Result<String, DataError> {
        let decode = || {
            if self.growth.is_unusual_in_decoding() {
                let tokens = ids.iter().filter_map(|id| self.token(*id));
                let bytes = tokens.map(|token| token.len()).sum();
                self.growth.check_decoding(bytes, ids.len())?;
            }
            let text = self.inner.decode(ids, true);
            text.map_err(|error| error.to_string())
        };
        let text = seam::guard(decode)
            .map_err(|problem| self.error(format!("cannot decode: {problem}")))?;
        Ok(if self.tidies { tidy(text) } else { text })
    }

    /// Number of entries, added tokens included. The model's embedding may have more rows.
    pub fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    /// The token that begins a text, if there is one.
    pub fn bos(&self) -> Option<u32> {
        self.bos
    }

    /// The token that ends a text, if there is one.
    pub fn eos(&self) -> Option<u32> {
        self.eos
    }

    /// The token that stands before a text of which the first token is predicted: the one that
    /// begins texts, or that ends them; nothing where there is neither.
    pub fn text_start(&self) -> &[u32] {
        match &self.bos {
            Some(_) => self.bos.as_slice(),
            None => self.eos.as_slice(),
        }
    }

    /// The vocabulary entry of an id, as it is written in the vocabulary.
    pub fn token(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// The id of a vocabulary entry, spelt as in the vocabulary.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// How the vocabulary writes text.
    pub fn kind(&self) -> VocabularyKind {
        self.kind
    }

    /// The special tokens that the configuration adds before a text: BOS or nothing, for the
    /// supported families.
    pub fn added_before(&self) -> &[u32] {
        &self.before
    }

    /// The model's chat template.
    ///
    /// # Errors
    /// There is none, or it is no template.
    pub fn chat_template(&self) -> Result<ChatTemplate, DataError> {
        self.chat.template()
    }

    /// Where the first special token that is spelt out in `text` ends, in bytes.
    pub(crate) fn first_special(&self, text: &str) -> Option<usize> {
        let added = self.inner.get_added_tokens_decoder();
        let special = added
            .values()
            .filter(|token| token.special && !token.content.is_empty());
        let found =
            special.filter_map(|token| Some((text.find(&token.content)?, token.content.len())));
        // Of two that begin at one place the longer is the token.
        found
            .min_by_key(|&(start, length)| (start, usize::MAX - length))
            .map(|(start, length)| start + length)
    }

    /// An error that names this tokenizer's file.
    pub(crate) fn error(&self, problem: String) -> DataError {
        DataError::unusable(format!("tokenizer of {}", self.path.display()), problem)
    }
}

/// Takes out the spaces that `clean_up_tokenization_spaces` is about, in its order.
fn tidy(text: String) -> String {
    const CHANGES: [(&str, &str); 10] = [
        (" .", "."),
        (" ?", "?"),
        (" !", "!"),
        (" ,", ","),
        (" ' ", "'"),
        (" n't", "n't"),
        (" 'm", "'m"),
        (" 's", "'s"),
        (" 've", "'ve"),
        (" 're", "'re"),
    ];
    CHANGES
        .iter()
        .fold(text, |text, (from, to)| text.replace(from, to))
}

#[cfg(test)]
pub(crate) mod tests;
