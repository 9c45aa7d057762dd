//! `[report]`: what the report shows. Never here: anything that changes a number.

use super::keys::{KeySection, Switch, section};

section! {
    /// `[report]`
    ReportRecipe {
        "Whether the page of the questions holds texts of the data; without them it may be published where the data may not."
        texts: bool = true => Switch,
    }
}

impl ReportRecipe {
    /// What is shown where no key says otherwise.
    pub fn usual() -> Self {
        Self::defaults()
    }

    /// Whether it is [`ReportRecipe::usual`]; then records leave it out.
    pub fn is_usual(&self) -> bool {
        *self == Self::usual()
    }
}
