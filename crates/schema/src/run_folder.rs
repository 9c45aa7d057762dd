//! The names in a run folder `runs/<name>/`, in one place.

use std::path::{Path, PathBuf};

use crate::Language;

/// What folders and records call the model without an adapter.
pub const BASE: &str = "base";

/// `runs/<name>/` and the paths in it.
#[derive(Clone, Debug)]
pub struct RunFolder(PathBuf);

impl RunFolder {
    /// By which files of probes differ from the training logs beside them.
    pub const PROBES_ENDING: &str = ".probes.jsonl";

    /// The folder itself; created by the first file written into it.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self(root.into())
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.0
    }

    /// Resolved recipe, hashes, and the state of every stage.
    pub fn manifest(&self) -> PathBuf {
        self.0.join("manifest.json")
    }

    /// Locked, together, by the processes that are at work in the folder.
    pub fn lock(&self) -> PathBuf {
        self.0.join(".lock")
    }

    /// The locks' folder, which a run makes before anything else.
    pub fn locks(&self) -> PathBuf {
        self.0.join(".locks")
    }

    /// Locked by the one process that is making a stage or changing the manifest.
    pub fn lock_of(&self, what: &str) -> PathBuf {
        self.locks().join(what)
    }

    /// What the processes at work say of themselves: one [`crate::work::WorkRecord`] each.
    pub fn work(&self) -> PathBuf {
        self.0.join(".work")
    }

    /// The page of a run that works; rewritten while it does.
    pub fn live_page(&self) -> PathBuf {
        self.0.join("live.html")
    }

    /// Training pairs as they were drawn: `data/<adapter>.jsonl`.
    pub fn pairs(&self, adapter: &str) -> PathBuf {
        self.0.join("data").join(format!("{adapter}.jsonl"))
    }

    /// What the audit of the data found: a [`crate::finding::AuditRecord`].
    pub fn audit(&self) -> PathBuf {
        self.0.join("audit.json")
    }

    /// The PEFT folder of one adapter.
    pub fn adapter(&self, adapter: &str) -> PathBuf {
        self.0.join("adapters").join(adapter)
    }

    /// Training log: one [`crate::record::TrainRecord`] a line.
    pub fn train_log(&self, adapter: &str) -> PathBuf {
        self.0.join("train").join(format!("{adapter}.jsonl"))
    }

    /// The adapter that a file of `train/` is the training log of; `None` for another file.
    pub fn adapter_of_log(file: &Path) -> Option<&str> {
        let name = file.file_name()?.to_str()?;
        let is_log = !name.ends_with(Self::PROBES_ENDING);
        name.strip_suffix(".jsonl").filter(|_| is_log)
    }

    /// What was measured while an adapter was trained: one [`crate::record::ProbeRecord`] a line.
    pub fn probes(&self, adapter: &str) -> PathBuf {
        self.0
            .join("train")
            .join(format!("{adapter}{}", Self::PROBES_ENDING))
    }

    /// What a killed training resumes from.
    pub fn checkpoint(&self, adapter: &str) -> PathBuf {
        self.0.join("checkpoints").join(adapter)
    }

    /// Answers of one model (`base` or an adapter's name) to one task with one label set in one
    /// language.
    pub fn answers(&self, model: &str, task: &str, labels: &str, language: Language) -> PathBuf {
        self.0
            .join("answers")
            .join(model)
            .join(format!("{task}.{labels}.{language}.jsonl"))
    }

    /// The texts of one task's questions in one language, once for all models: one
    /// [`crate::questions::QuestionLine`] a line.
    pub fn questions(&self, task: &str, language: Language) -> PathBuf {
        self.0
            .join("questions")
            .join(format!("{task}.{language}.jsonl"))
    }

    /// Lines of a task that no adapter learns: `data/held-out.<task>.<from>-<into>.jsonl`.
    pub fn held_out(&self, task: &str, from: Language, into: Language) -> PathBuf {
        self.0
            .join("data")
            .join(format!("held-out.{task}.{from}-{into}.jsonl"))
    }

    /// Translations of them by one model (`base` or an adapter's name): one
    /// [`crate::record::TranslationRecord`] a line.
    pub fn translations(&self, model: &str, task: &str, from: Language, into: Language) -> PathBuf {
        self.translations_root()
            .join(model)
            .join(format!("{task}.{from}-{into}.jsonl"))
    }

    /// All of them.
    pub fn translations_root(&self) -> PathBuf {
        self.0.join("translations")
    }

    /// All answers.
    pub fn answers_root(&self) -> PathBuf {
        self.0.join("answers")
    }

    /// Pooled hidden states of one model in one language, for the analyses: safetensors, one
    /// tensor a pooling.
    pub fn capture(&self, model: &str, task: &str, language: Language) -> PathBuf {
        self.0
            .join("captures")
            .join(model)
            .join(format!("{task}.{language}.safetensors"))
    }

    /// A record of what is inside one model: `inside/<model>/<name>`, such as
    /// `lens.emotion.zh.jsonl`.
    pub fn inside(&self, model: &str, name: &str) -> PathBuf {
        self.0.join("inside").join(model).join(name)
    }

    /// All of them.
    pub fn inside_root(&self) -> PathBuf {
        self.0.join("inside")
    }

    /// The report's folder: `index.html`, `tables/`, `figures/`.
    pub fn report(&self) -> PathBuf {
        self.0.join("report")
    }
}
