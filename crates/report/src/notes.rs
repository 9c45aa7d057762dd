//! What each number of a report is, in words, and where it comes from.

/// Term and meaning.
pub(crate) const NOTES: &[(&str, &str)] = &[
    (
        "Accuracy",
        "The share of items whose right label has the highest score (Eq. 4 of the paper); the mean counts each language \
         once (Eq. 5). A tie goes to the first label in the task's order. Under the protocol “paper” an item whose gold \
         word the released scorer does not know can never be right.",
    ),
    (
        "95 % interval of a level",
        "Wilson's interval for a proportion [1]. The interval of a mean over languages is a bootstrap over items. With \
         several seeds the level is their mean, and the interval is that of one set of items.",
    ),
    (
        "Change and its interval",
        "Before and after are compared item by item. The interval is the 2.5 and 97.5 percentile of 2000 seeded bootstrap \
         draws of items [2]. The languages' items are translations of each other, so one draw serves all languages: the \
         interval of the mean knows that what is hard in one language tends to be hard in another. It speaks of other \
         items of the same kind, not of other seeds, training data, prompts or languages. Items that share a text, as \
         SNLI's share premises, are drawn one by one, which makes intervals somewhat too narrow [3].",
    ),
    (
        "p and Holm's p",
        "McNemar's exact two-sided test [4] on the items that became right or wrong; with several seeds its \
         generalisation, the exact test that the sign of each item's mean change is a tossed coin. Holm's adjustment [5] \
         allows for as many tests as there are languages.",
    ),
    (
        "AUC",
        "The probability that, of one item of a label and one of another, the first has the higher share of that label's \
         score; ties count half [6]. 0.5 is guessing, 1 is perfect. It compares items with each other and needs no \
         threshold, so with two labels a preference that is common to all items of a language cannot change it. With more \
         labels it is the mean over labels of one label against the rest, which such a preference can move, but little.",
    ),
    (
        "Calibrated accuracy",
        "Accuracy after each label's score is divided by the score that the same prompt gives it when the question holds \
         no content [7]. This takes out the part of a label preference that the prompt itself causes.",
    ),
    (
        "Prior or separation",
        "A rise of raw accuracy has two possible sources: the model prefers another label overall (a moved prior), or it \
         tells items apart better (separation). If raw accuracy rises and AUC does not, the first explains it. “Clearly” \
         means that the 95 % interval of the change leaves out 0.",
    ),
    (
        "Label shares",
        "How often each label is chosen, against how often it is right. The distance between the two is half the summed \
         absolute difference. A model that always gives one answer lies far from the gold shares.",
    ),
    (
        "Loss",
        "Mean cross-entropy per target token of question translation (Eq. 2), in nats; smoothed: a centred mean over \
         about a twentieth of the updates. The circled validation point is the lowest.",
    ),
];

/// Text and address.
pub(crate) const REFERENCES: &[(&str, &str)] = &[
    ("E. B. Wilson, Probable inference, the law of succession, and statistical inference, JASA 22, 1927.", ""),
    ("B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap, Chapman & Hall, 1993.", ""),
    (
        "E. Miller, Adding Error Bars to Evals: A Statistical Approach to Language Model Evaluations, 2024.",
        "https://arxiv.org/abs/2411.00640",
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
    (
        "J. A. Hanley and B. J. McNeil, The meaning and use of the area under a receiver operating characteristic (ROC) \
         curve, Radiology 143, 1982.",
        "",
    ),
    (
        "T. Z. Zhao et al., Calibrate Before Use: Improving Few-Shot Performance of Language Models, ICML 2021.",
        "https://arxiv.org/abs/2102.09690",
    ),
    (
        "S. Zhang et al., Getting More from Less: Large Language Models are Good Spontaneous Multilingual Learners, 2024: \
         “the paper”.",
        "https://arxiv.org/abs/2405.13816",
    ),
];
