//! Which class of transformers 5 reads a folder's tokenizer. Some take `tokenizer.json` as it
//! is; others take its vocabulary and build every step of their own. Never here: reading files.

use super::{config::TokenizerConfig, fail};
use crate::DataError;

/// How a folder's tokenizer is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenizerClass {
    /// As its files say: `TokenizersBackend`, formerly `PreTrainedTokenizerFast`.
    AsSaved,
    /// `LlamaTokenizer`: SentencePiece BPE.
    Llama,
    /// `Qwen2Tokenizer`: byte-level BPE.
    Qwen2,
    /// `GPT2Tokenizer`: byte-level BPE.
    Gpt2,
}

/// Classes of transformers that build steps of their own, which are not built here.
const OTHER_BUILDERS: &str = " Albert Barthez Bert BigBird Blenderbot Camembert CLIP CodeGen \
    CodeLlama Cohere Deberta DebertaV2 Funnel Gemma GPTNeoX Herbert Lasr LayoutLMv2 LayoutLMv3 \
    LayoutXLM Luke MarkupLM MBart MBart50 MLuke MPNet Nllb Nougat OpenAIGPT Parakeet Pegasus \
    Qwen3_5 Reformer RemBert Roberta SeamlessM4T Siglip2 Splinter T5 Udop Whisper XGLM XLMRoberta \
    XLNet ";

impl TokenizerClass {
    /// As `AutoTokenizer` chooses, for the model families that are supported. `is_byte_level`
    /// says whether there is a `tokenizer.json` that is.
    pub(super) fn choose(config: &TokenizerConfig, is_byte_level: bool) -> Result<Self, DataError> {
        let class = config.class_name();
        match (config.model_type(), class) {
            ("qwen2", _) => Ok(Self::Qwen2),
            ("mistral", _) => Ok(Self::AsSaved),
            // Folders of Llama 3's kind that name Llama 2's class.
            (_, "LlamaTokenizer") if is_byte_level => Ok(Self::AsSaved),
            (_, "LlamaTokenizer") => Ok(Self::Llama),
            (_, "Qwen2Tokenizer") => Ok(Self::Qwen2),
            (_, "GPT2Tokenizer") | ("gpt2", "") => Ok(Self::Gpt2),
            _ => {
                let short = class.strip_suffix("Tokenizer").unwrap_or_default();
                if !short.is_empty() && OTHER_BUILDERS.contains(&format!(" {short} ")) {
                    let problem = format!(
                        "`tokenizer_class` is `{class}`, which builds its own steps instead of those of \
                         tokenizer.json, and is not built here; set it to `PreTrainedTokenizerFast` if \
                         tokenizer.json is right as it is"
                    );
                    return Err(fail(&config.path(), problem));
                }
                Ok(Self::AsSaved)
            }
        }
    }

    /// The special tokens that the class has where the configuration does not speak of them.
    pub(super) fn usual_tokens(self) -> &'static [(&'static str, &'static str)] {
        const END: &str = "<|endoftext|>";
        match self {
            Self::AsSaved => &[],
            Self::Llama => &[
                ("unk_token", "<unk>"),
                ("bos_token", "<s>"),
                ("eos_token", "</s>"),
            ],
            Self::Qwen2 => &[("unk_token", END), ("eos_token", END), ("pad_token", END)],
            Self::Gpt2 => &[("unk_token", END), ("bos_token", END), ("eos_token", END)],
        }
    }
}
