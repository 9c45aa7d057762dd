//! The interface of an engine: lines in, as many lines out, or a failure that says whether to
//! repeat the request.
//!
//! Never here: any engine.

use std::time::Duration;

/// A translation engine for one pair of languages.
pub trait Engine: Sync {
    /// Its properties.
    fn properties(&self) -> &EngineProperties;

    /// [`EngineProperties::identity`].
    fn identity(&self) -> &str {
        &self.properties().identity
    }

    /// [`EngineProperties::limits`].
    fn limits(&self) -> Limits {
        self.properties().limits
    }

    /// [`EngineProperties::takes_line_breaks`].
    fn takes_line_breaks(&self) -> bool {
        self.properties().takes_line_breaks
    }

    /// Translates `lines`, none of them blank; the answer has one line for each, in their
    /// order.
    ///
    /// # Errors
    /// [`EngineFailure`]; the lines are then untranslated, although some may have been paid for.
    fn translate(&self, lines: &[&str]) -> Result<Vec<String>, EngineFailure>;
}

/// Properties of an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineProperties {
    /// What decides its answers: its name, model, parameters and languages. It is part of the
    /// cache's key, so it never holds a secret, and it changes whenever the same line may be
    /// answered differently.
    pub identity: String,
    /// The most of one request.
    pub limits: Limits,
    /// Whether a line may contain line breaks. If not, a text of several lines is sent as several
    /// lines.
    pub takes_line_breaks: bool,
}

/// The most of one request. A single line that exceeds them is sent alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Lines.
    pub lines: usize,
    /// Unicode code points.
    pub characters: usize,
    /// Bytes of the lines written as JSON.
    pub bytes: usize,
}

/// Why a request brought no lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EngineFailure {
    /// The same request may work later.
    Passing {
        /// What happened.
        problem: String,
        /// How long the engine asks to wait.
        pause: Option<Duration>,
    },
    /// The answer does not fit the lines, or the request is too large: a part of it may work.
    Split {
        /// What is wrong with the answer.
        problem: String,
    },
    /// No request will work until the user has done something.
    Final {
        /// What happened.
        problem: String,
        /// What to do.
        advice: String,
    },
}

impl EngineFailure {
    /// A passing failure without a pause asked for.
    pub fn passing(problem: impl Into<String>) -> Self {
        Self::Passing {
            problem: problem.into(),
            pause: None,
        }
    }

    /// An answer that does not fit.
    pub fn split(problem: impl Into<String>) -> Self {
        Self::Split {
            problem: problem.into(),
        }
    }

    /// A failure that ends the job.
    pub fn ends(problem: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::Final {
            problem: problem.into(),
            advice: advice.into(),
        }
    }
}
