//! How good translations are: chrF++ and BLEU of lines and of a corpus, equal to sacrebleu's
//! (`bleu`, `chrf`, `tokenise`); the records of a run (`read`), and what training made of them
//! (`changes`). Never here: making translations, knowing which language a text is in.

mod bleu;
mod changes;
mod chrf;
pub(crate) mod read;
mod tokenise;

pub use bleu::BleuCounts;
pub use changes::{
    TranslationBlock, TranslationChange, TranslationLevel, TranslationSetting, measure_translations,
};
pub use chrf::ChrfCounts;
pub use tokenise::Tokenisation;

/// sacrebleu's signature of chrF++ as it is computed here.
pub const CHRF_SIGNATURE: &str = "chrF2++|nrefs:1|case:mixed|eff:yes|nc:6|nw:2|space:no";

/// sacrebleu's signature of a corpus' BLEU as it is computed here.
pub fn bleu_signature(tokenisation: Tokenisation) -> String {
    format!("BLEU|nrefs:1|case:mixed|eff:no|tok:{tokenisation}|smooth:exp")
}
