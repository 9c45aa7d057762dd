//! The verdict on a change, in words.

use compare::{Direction, Verdict};

/// A few words for a table.
pub(crate) fn verdict_label(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Discrimination => "discrimination",
        Verdict::DiscriminationAndPrior => "discrimination and prior",
        Verdict::Prior => "prior only",
        Verdict::DiscriminationAgainstPrior => "discrimination against prior",
        Verdict::PriorLoss => "prior, for the worse",
        Verdict::DiscriminationLoss => "discrimination loss",
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
            "The model separates the labels better, which a moved label prior cannot cause."
        }
        Verdict::DiscriminationAndPrior => {
            "The model separates the labels better, and a moved label prior adds to the gain: it has both causes."
        }
        Verdict::Prior => {
            "AUC does not clearly rise, and the gain beyond calibrated accuracy is clear: a moved label prior can \
             explain the whole gain."
        }
        Verdict::DiscriminationAgainstPrior => {
            "The model separates the labels better, but the label prior moved for the worse and hides part of it."
        }
        Verdict::PriorLoss => {
            "The loss is explained by a shift in label preference; there is no clear loss of discrimination."
        }
        Verdict::DiscriminationLoss => "The model separates the labels worse.",
        Verdict::Unresolved => {
            "These items show neither better discrimination nor a moved label prior: the cause is open."
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
                && text.contains("a moved label prior can explain")
        );
    }
}
