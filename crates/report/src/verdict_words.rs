//! The verdict on a change, in words.

use compare::{Direction, Verdict};

/// A few words for a table.
pub(crate) fn verdict_label(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Discrimination => "tells labels apart better",
        Verdict::DiscriminationAndPrior => "tells apart better, and label shift",
        Verdict::Prior => "label shift only",
        Verdict::DiscriminationAgainstPrior => "tells apart better, against label shift",
        Verdict::PriorLoss => "label shift, for the worse",
        Verdict::DiscriminationLoss => "tells labels apart less well",
        Verdict::Unresolved => "unclear",
    }
}

/// A sentence on a change whose raw accuracy moves as `raw` says.
pub(crate) fn explain_verdict(verdict: Verdict, raw: Direction) -> String {
    let seen = match raw {
        Direction::Rises => "Accuracy rises.",
        Direction::Falls => "Accuracy falls.",
        Direction::Unclear => "Accuracy does not clearly change.",
    };
    let because = match verdict {
        Verdict::Discrimination => {
            "The model tells the labels apart better, which a mere shift from one label to another cannot cause."
        }
        Verdict::DiscriminationAndPrior => {
            "The model tells the labels apart better, and a shift between the labels adds to the gain."
        }
        Verdict::Prior => {
            "A shift between the labels can explain the whole gain: it chooses one label less often than before, but is not \
             shown to tell the labels apart better."
        }
        Verdict::DiscriminationAgainstPrior => {
            "The model tells the labels apart better, but a shift between the labels for the worse hides part of it."
        }
        Verdict::PriorLoss => {
            "A shift between the labels explains the loss; it is not shown to tell the labels apart less well."
        }
        Verdict::DiscriminationLoss => "The model tells the labels apart less well.",
        Verdict::Unresolved => {
            "These questions show neither that it tells the labels apart better or less well, nor a shift between them."
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
            text.starts_with("Accuracy rises. A shift between the labels can explain"),
            "{text}"
        );
    }
}
