//! Which parts of a recipe are wanted.

/// The parts of a run, as `--only` names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// Translation pairs drawn.
    pub data: bool,
    /// Adapters trained.
    pub train: bool,
    /// Questions asked, before and after.
    pub eval: bool,
    /// Models looked into.
    pub analyse: bool,
    /// The report.
    pub report: bool,
}

impl Parts {
    /// Their names.
    pub const NAMES: [&'static str; 5] = ["data", "train", "eval", "analyse", "report"];
    /// The whole run.
    pub const ALL: Self = Self {
        data: true,
        train: true,
        eval: true,
        analyse: true,
        report: true,
    };
    /// What it takes to have the adapters.
    pub const TRAINING: Self = Self {
        data: true,
        train: true,
        eval: false,
        analyse: false,
        report: false,
    };

    /// By their names; no name means all.
    pub fn only(names: &[String]) -> Self {
        let [data, train, eval, analyse, report] =
            Self::NAMES.map(|name| names.is_empty() || names.iter().any(|given| given == name));
        Self {
            data,
            train,
            eval,
            analyse,
            report,
        }
    }
}
