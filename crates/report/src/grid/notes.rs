//! The meaning of each number of a grid's report, and its source.

use crate::notes::Note;

/// Of the report of a grid; what a single run's report explains is there.
pub(crate) const NOTES: &[Note] = &[
    (
        "Mean accuracy",
        "The share of items whose right label has the highest score (Eq. 4 of the paper [1]), its mean over languages, each \
         counted once (Eq. 5), and over seeds and sets of exemplars. A line “base” is the model without an adapter.",
    ),
    (
        "Best in bold",
        "The highest number of a column, and all that read the same. It says nothing about chance: neighbours within an interval \
         of each other may be ranked by luck.",
    ),
    (
        "What is tested",
        "Each tuned model against its own base model, item by item: McNemar's exact two-sided test [2] or, with several seeds, \
         several languages or items that share a text, the exact test that the sign of each text's summed change is a tossed coin. \
         A test of the mean sums an item's changes over all languages, which must have the same items. The items are what chance draws, not the seeds: where the standard deviation between seeds is \
         large, another seed may say otherwise.",
    ),
    (
        "Adjustment over the grid",
        "Holm's [3], so that the chance of any false mark among all tests of a kind in this grid stays below 0.05: one family has \
         all changes of means, the other all changes in single languages. The more a grid has, the less is marked; \
         a run's own report adjusts over its languages alone. No test compares two settings, two models or two runs with each \
         other.",
    ),
    (
        "Change and its interval",
        "A seeded bootstrap of items, as in each run's own report; not adjusted for the number of rows. SD is the standard deviation \
         of the change between seeds.",
    ),
    (
        "Paper",
        "A number printed in the paper [1], shown only where model, task, setting and label set are the same, the \
         recipe trains and asks as the paper does, and all its items and languages were scored. The paper's models were evaluated in \
         4-bit weights with other random draws: compare changes, not levels.",
    ),
];

/// Named in the notes of a grid.
pub(crate) const REFERENCES: &[Note] = &[
    (
        "S. Zhang et al., Getting More from Less: Large Language Models are Good Spontaneous Multilingual Learners, 2024: \
         “the paper”.",
        "https://arxiv.org/abs/2405.13816",
    ),
    (
        "Q. McNemar, Note on the sampling error of the difference between correlated proportions or percentages, \
         Psychometrika 12, 1947.",
        "",
    ),
    (
        "S. Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6, 1979.",
        "",
    ),
];
