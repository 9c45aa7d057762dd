//! Byte-level BPE (GPT-2 and its heirs): every family splits text by a rule of its own before
//! the merges.

use tokenizers::{
    AddedToken, NormalizerWrapper, PreTokenizerWrapper, SplitDelimiterBehavior, Tokenizer,
    models::bpe::{BPE, Vocab},
    normalizers::NFC,
    pre_tokenizers::{
        byte_level::ByteLevel,
        digits::Digits,
        sequence::Sequence,
        split::{Split, SplitPattern},
    },
};

/// How text is cut into words, which merges never cross.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Splitting {
    /// GPT-2's pattern.
    Gpt2,
    /// Digits one by one, then GPT-2's pattern.
    Smollm,
    /// Llama 3's pattern: digits by three.
    Llama3,
    /// Qwen2's pattern: digits one by one; text is brought to Unicode's NFC first.
    Qwen2,
    /// What llama.cpp does with a vocabulary of unknown origin.
    Default,
}

impl Splitting {
    /// Names in `tokenizer.ggml.pre`, with the rule they name.
    pub(super) const GGUF_NAMES: &[(&str, Self)] = &[
        ("gpt-2", Self::Gpt2),
        ("smollm", Self::Smollm),
        ("llama-bpe", Self::Llama3),
        ("llama3", Self::Llama3),
        ("llama-v3", Self::Llama3),
        ("qwen2", Self::Qwen2),
        ("deepseek-r1-qwen", Self::Qwen2),
        ("default", Self::Default),
    ];

    fn pre_tokenizer(self, space_first: bool) -> tokenizers::Result<PreTokenizerWrapper> {
        let gpt2 = ByteLevel::new(space_first, true, true);
        let bytes_only = ByteLevel::new(space_first, true, false);
        let steps: Vec<PreTokenizerWrapper> = match self {
            Self::Gpt2 => vec![gpt2.into()],
            Self::Smollm => vec![Digits::new(true).into(), gpt2.into()],
            Self::Llama3 => vec![isolate(&words(r"\p{N}{1,3}"))?, bytes_only.into()],
            Self::Qwen2 => vec![isolate(&words(r"\p{N}"))?, bytes_only.into()],
            Self::Default => vec![
                isolate(r"[\p{P}\$\+<=>\^~\|]+")?,
                isolate(r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)")?,
                isolate(r"\p{N}+")?,
                isolate("[0-9][0-9][0-9]")?,
                bytes_only.into(),
            ],
        };
        Ok(Sequence::new(steps).into())
    }
}

/// Llama 3's and Qwen2's common pattern, which differs in the numbers.
fn words(numbers: &str) -> String {
    [
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)",
        r"[^\r\n\p{L}\p{N}]?\p{L}+",
        numbers,
        r" ?[^\s\p{L}\p{N}]+[\r\n]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    ]
    .join("|")
}

fn isolate(pattern: &str) -> tokenizers::Result<PreTokenizerWrapper> {
    let pattern = SplitPattern::Regex(pattern.to_owned());
    Ok(Split::new(pattern, SplitDelimiterBehavior::Isolated, false)?.into())
}

/// Builds the tokenizer. `tokens`: every entry with its id, added ones included; `merges`: best
/// first; `space_first`: whether a text that begins without a space gets one.
pub(super) fn build(
    tokens: impl IntoIterator<Item = (String, u32)>,
    merges: Vec<(String, String)>,
    splitting: Splitting,
    space_first: bool,
    added: Vec<AddedToken>,
) -> tokenizers::Result<Tokenizer> {
    let vocab: Vocab = tokens.into_iter().collect();
    check_merges(&merges, |token| vocab.contains_key(token))?;
    let model = BPE::builder()
        .vocab_and_merges(vocab, merges)
        // A word that is an entry is never cut, even where no merges lead to it: Llama 3's own
        // rule.
        .ignore_merges(splitting == Splitting::Llama3)
        .build()?;
    let mut tokenizer = Tokenizer::new(model);
    if splitting == Splitting::Qwen2 {
        tokenizer.with_normalizer(Some(NormalizerWrapper::from(NFC)))?;
    }
    tokenizer.with_pre_tokenizer(Some(splitting.pre_tokenizer(space_first)?));
    tokenizer.with_decoder(Some(ByteLevel::default()));
    tokenizer.add_tokens(added)?;
    Ok(tokenizer)
}

/// Every merge joins two entries to a third; the library below would panic on a merge that does
/// not.
pub(super) fn check_merges(
    merges: &[(String, String)],
    knows: impl Fn(&str) -> bool,
) -> Result<(), String> {
    for (index, (left, right)) in merges.iter().enumerate() {
        for part in [left, right, &format!("{left}{right}")] {
            if !knows(part) {
                return Err(format!(
                    "merge {index}, `{left} {right}`, needs the token `{part}`, which is not there"
                ));
            }
        }
    }
    Ok(())
}
