//! Few-shot evaluation by constrained decoding (arXiv 2405.13816, section 4): prefilling the
//! shared prefix, scoring labels, the loop over questions, and resuming in the middle of a
//! language. Never here: training, plotting, anything specific to one language.
//!
//! ```
//! use data::{Tokenizer, tasks};
//! use eval::{Ahead, Ask, Journal, ask::Respondent};
//! use hub::ModelFiles;
//! use model::{Decoder, device::Device};
//! use schema::{Answerer, Asking, FewShot, LabelSet, Language, PromptForm, Scorers, Scoring, task::Precision};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let folder = folder.path();
//! # let copy = |from: &str, to: &str| -> std::io::Result<()> {
//! #     let to = folder.join(to);
//! #     std::fs::create_dir_all(to.parent().ok_or(std::io::ErrorKind::NotFound)?)?;
//! #     std::fs::copy(format!("tests/golden/{from}"), to).map(|_| ())
//! # };
//! # copy("config.json", "model/config.json")?;
//! # copy("model.safetensors", "model/model.safetensors")?;
//! # copy("byte_level.json", "model/tokenizer.json")?;
//! # std::fs::write(folder.join("model/tokenizer_config.json"), r#"{"bos_token": null, "eos_token": null}"#)?;
//! # std::fs::create_dir_all(folder.join("data/ap_emotion"))?;
//! # std::fs::write(
//! #     folder.join("data/ap_emotion/emotion_en1_test.json"),
//! #     r#"[{"input": "A day that ends well", "answer": "positive"}]"#,
//! # )?;
//! let dir = folder.join("model");
//! let files = ModelFiles::Folder {
//!     weights: vec![dir.join("model.safetensors")],
//!     dir,
//! };
//! let decoder = Decoder::load(&files, Precision::F32, &Device::Cpu)?;
//! let tokenizer = Tokenizer::load(&files)?;
//!
//! // Who answers, for the provenance of the answers.
//! let answerer = Answerer {
//!     program: "example".to_owned(),
//!     numerics: model::NUMERICS.to_owned(),
//!     model_fingerprint: hub::fingerprint(&files)?,
//!     adapter_sha256: None,
//!     dtype: Precision::F32,
//!     device: "cpu".to_owned(),
//!     instruction_set: model::instruction_set().to_string(),
//! };
//! let respondent = Respondent {
//!     model: &decoder,
//!     tokenizer: &tokenizer,
//!     answerer: &answerer,
//! };
//! let asking = Asking {
//!     labels: LabelSet::English,
//!     scoring: Scoring::Prefix,
//!     scorers: Scorers::Chosen,
//!     greedy: 0,
//!     protocol: None,
//!     few_shot: FewShot::Head(0),
//!     prompt: PromptForm::Plain,
//!     limit: None,
//! };
//! let ask = Ask {
//!     model: "tiny",
//!     adapter: None,
//!     task: tasks::task("emotion")?,
//!     dir: &folder.join("data"), // with ap_emotion/emotion_en1_test.json
//!     asking: &asking,
//!     tokens_per_batch: 1000,
//! };
//! let mut journal = Journal::open(&folder.join("answers.jsonl"))?;
//! let mut ahead = Ahead::default();
//! let answers = eval::ask(respondent, &ask, Language::En, &mut ahead, &mut journal, &mut |_, _| true)?;
//! journal.remove()?;
//! assert_eq!(answers.records.len(), 1);
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

mod ahead;
pub mod ask;
pub mod checked_lines;
pub mod count;
pub mod error;
pub mod free_answer;
pub mod journal;
mod measure;
mod provenance;
mod question_rows;
mod questions;
mod records;
mod request;

pub use ahead::Ahead;
pub use ask::{LanguageAnswers, ask};
pub use count::{RowCount, count_rows};
pub use error::EvalError;
pub use free_answer::FreeAnswerCounts;
pub use journal::{Journal, is_journal};
pub use provenance::{hash_data, hash_prompts};
pub use records::find_groups;
pub use request::Ask;
