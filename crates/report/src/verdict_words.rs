//! The verdict on a change, in words.

use compare::{Direction, Verdict};

/// A few words for a table.
pub(crate) fn verdict_label(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Discrimination => "discrimination",
        Verdict::DiscriminationAndPrior => "discrimination and prior",
        Verdict::Prior => "prior only",
        Verdict::DiscriminationAgainstPrior => "discrimination against prior",
        Verdict::PriorLoss => "prior, to the worse",
        Verdict::DiscriminationLoss => "told apart worse",
        Verdict::Unresolved => "not resolved",
    }
}

/// A sentence on a change whose raw accuracy moves as `raw` says.
pub(crate) fn explain_verdict(verdict: Verdict, raw: Direction) -> String {
    let seen = match raw {
        Direction::Rises => "Raw accuracy rises.",
        Direction::Falls => "Raw accuracy falls.",
        Direction::Unclear => "Raw accuracy does not clearly change.",
    };
    let because = match verdict {
        Verdict::Discrimination => {
            "The labels are told apart better, which no moved label prior can do."
        }
        Verdict::DiscriminationAndPrior => {
            "The labels are told apart better, and a moved label prior adds to the gain: it has both causes."
        }
        Verdict::Prior => {
            "AUC does not clearly rise, and the gain beyond calibrated accuracy is clear: what is gained is within what a \
             moved label prior gives."
        }
        Verdict::DiscriminationAgainstPrior => {
            "The labels are told apart better, but the label prior moved to the worse and hides part of it."
        }
        Verdict::PriorLoss => {
            "What is lost is that of a moved label prior; the labels are not clearly told apart worse."
        }
        Verdict::DiscriminationLoss => "The labels are told apart worse.",
        Verdict::Unresolved => {
            "Neither better discrimination nor a moved label prior is resolved by these items: the cause is open."
        }
    };
    format!("{seen} {because}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_explained_after_the_raw_change() {
        let text = explain_verdict(Verdict::Prior, Direction::Rises);
        assert!(
            text.starts_with("Raw accuracy rises. AUC")
                && text.contains("within what a moved label prior gives")
        );
    }
}
