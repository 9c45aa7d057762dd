//! The meaning of each number of a report, and its source.

/// Term and meaning, or text and address.
pub(crate) type Note = (&'static str, &'static str);

/// Of answers and training.
pub(crate) const NOTES: &[Note] = &[
    (
        "Accuracy",
        "The share of items whose right label has the highest score (Eq. 4 of the paper); the mean counts each language \
         once (Eq. 5). A tie goes to the first label in the task's order. Under the protocol “paper” an item whose gold \
         word the released scorer does not know can never be right.",
    ),
    (
        "95 % interval of a level",
        "Wilson's interval for a proportion [1]; where items share a text, of the number of independent items that are worth \
         as much. The interval of a mean over languages is a bootstrap over items. With several seeds the level is their \
         mean, and the interval is that of one set of items.",
    ),
    (
        "Change and its interval",
        "Before and after are compared item by item. The interval is a seeded bootstrap of 2000 draws of items [2], with tails \
         as far out as Student's t [14]. Items that share a text, as SNLI's share premises, are drawn together [3]. The \
         languages' items are translations of each other, so one draw serves all languages: the interval of the mean knows \
         that what is hard in one language tends to be hard in another. It covers other items of the same kind, not other \
         training data, prompts or languages; nor other seeds, for which a wider interval is given where there are \
         several. If nothing varies, as where no item changed, the \
         interval is undefined: its ends are dashes.",
    ),
    (
        "p, Holm's p, BH's p",
        "McNemar's exact two-sided test [4] on the items that became right or wrong; with several seeds, or with items that \
         share a text, its generalisation: the exact test that the sign of each text's summed change is a tossed coin. The CSV \
         files have the mid-p value [10] too. Holm's adjustment [5] keeps the chance of any false finding among the languages \
         below 0.05; Benjamini and Hochberg's [9] keeps the expected share of false ones among the findings below it.",
    ),
    (
        "AUC",
        "The probability that, of one item of a label and one of another, the first has the higher share of that label's \
         score; ties count half [6]. 0.5 is guessing, 1 is perfect. It compares items with each other and needs no \
         threshold, so a preference that is common to all items of a language cannot change it. With more than two labels it is \
         the mean over pairs of labels, each pair by the odds of the two.",
    ),
    (
        "Calibrated accuracy",
        "Accuracy after a label preference is taken out of the scores. Batch calibration [11], which the tiles show, \
         divides each label's share by its mean over the test items of the language; contextual calibration [7] by what the \
         same prompt gives it when the question holds no content. Neither looks at a right label.",
    ),
    (
        "What a change is",
        "A rise of raw accuracy has two possible sources: the model prefers another label overall (a moved prior), or it \
         separates items better (discrimination). AUC, which no preference can move, shows whether items are separated \
         better; the gain of raw accuracy beyond that of batch-calibrated accuracy is the prior's part. Each counts if its 95 % interval \
         leaves out 0. Tells labels apart better: AUC rises. Label shift only: AUC does not clearly change and the prior's part lies above 0. \
         Both: both. Tells labels apart less well: AUC falls. Else the cause is unclear, whatever accuracy does. These intervals \
         are not adjusted for the number of languages.",
    ),
    (
        "Smallest detectable change",
        "The change that McNemar's exact test at 0.05 finds in four samples of five, with as many items (independent ones that \
         are worth as much) and the same share of items that become right or wrong. With several seeds, and for means, 2.8 \
         standard errors.",
    ),
    (
        "Seeds, exemplar sets, items",
        "With several seeds or sets of exemplars the variance of an item's change is split by an analysis of variance with all \
         effects random [15]; an estimate below 0 is shown as 0. The interval for other seeds too has all of it, with \
         Satterthwaite's degrees of freedom; two or three seeds make it wide. The hierarchical bootstrap [16] in results.json is \
         too narrow with so few.",
    ),
    (
        "Groups of languages",
        "Resource: the paper's ten languages with most data in LLaMA 2, and its ten others [8]. Resource class: Joshi et al. \
         [13]. Seen in training: sources and target of the translation pairs. Each language counts once.",
    ),
    (
        "Agreement of languages",
        "Whether the answers to translations of one item are the same, right or wrong. A model that always gives one label \
         agrees with itself perfectly: so the table also gives chance, computed from each language's own label shares. RankC [12] \
         compares the whole ranking of the labels, the first places weighted most; with two labels it follows from the share \
         of items with the same answer. Gap: English accuracy less the language's.",
    ),
    (
        "Label shares",
        "How often each label is chosen, against how often it is right. The distance between the two is half the summed \
         absolute difference. A model that always gives one answer lies far from the gold shares, and the entropy of its \
         shares is 0 bits.",
    ),
    (
        "Loss",
        "Mean cross-entropy per target token of question translation (Eq. 2), in nats; smoothed: a centred mean over \
         about a twentieth of the updates. The circled validation point is the lowest.",
    ),
];

/// Of [`NOTES`].
pub(crate) const REFERENCES: &[Note] = &[
    (
        "E. B. Wilson, Probable inference, the law of succession, and statistical inference, JASA 22, 1927.",
        "",
    ),
    (
        "B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap, Chapman & Hall, 1993.",
        "",
    ),
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
    (
        "Y. Benjamini and Y. Hochberg, Controlling the false discovery rate, Journal of the Royal Statistical Society B 57, \
         1995.",
        "",
    ),
    (
        "M. W. Fagerland, S. Lydersen and P. Laake, The McNemar test for binary matched-pairs data: mid-p and asymptotic are \
         better than exact conditional, BMC Medical Research Methodology 13, 2013.",
        "",
    ),
    (
        "H. Zhou et al., Batch Calibration: Rethinking Calibration for In-Context Learning and Prompt Engineering, ICLR 2024.",
        "https://arxiv.org/abs/2309.17249",
    ),
    (
        "J. Qi, R. Fernández and A. Bisazza, Cross-Lingual Consistency of Factual Knowledge in Multilingual Language Models, \
         EMNLP 2023.",
        "https://arxiv.org/abs/2310.10378",
    ),
    (
        "P. Joshi et al., The State and Fate of Linguistic Diversity and Inclusion in the NLP World, ACL 2020.",
        "https://arxiv.org/abs/2004.09095",
    ),
    (
        "T. C. Hesterberg, What Teachers Should Know About the Bootstrap, The American Statistician 69, 2015.",
        "https://arxiv.org/abs/1411.5279",
    ),
    (
        "S. R. Searle, G. Casella and C. E. McCulloch, Variance Components, Wiley 1992; F. E. Satterthwaite, An approximate \
         distribution of estimates of variance components, Biometrics Bulletin 2, 1946.",
        "",
    ),
    (
        "A. B. Owen, The pigeonhole bootstrap, Annals of Applied Statistics 1, 2007.",
        "https://arxiv.org/abs/0712.1111",
    ),
];

/// Of what is inside the models.
pub(crate) const INSIDE_NOTES: &[Note] = &[
    (
        "Lens",
        "The model's answer if it stopped after a layer: final norm and head on the last token's vector [17]. A \
         probability is a sum over the tokens that begin a label's word. Orange: the right answer in the language; green: in \
         English; blue and red: all answers in the language and in English. Lines are means over items, bands 1.96 standard \
         errors; the axis is logarithmic, because most layers give a label's words a thousandth or less. An item is left out where a token speaks for its right answer in both languages. A lens without an English \
         peak does not show that English is not used: early layers need not speak in the words of the last.",
    ),
    (
        "Tuned lens",
        "A lens with a trained linear map for each layer [18], which takes away the change of words from layer to layer. It is \
         compared with the raw lens by the KL divergence from the model's own last distribution, on text that no map was trained \
         on. It may also learn what the layer does not hold yet, from what usually follows.",
    ),
    (
        "Components and Pearson's correlation",
        "Two principal components of all languages' states together, for each layer and each model apart. A component's sign \
         is such that the largest entry of its axis is positive, so a mirrored map is not a finding, nor are the units. \
         Pearson's correlation is of parallel items' places on the first component (tables 8 to 11 of the paper); where that \
         component separates the languages, it shows little about items. The same correlation is therefore also given after \
         subtracting each language's own mean, and with the items of one language permuted under the same fit.",
    ),
    (
        "Poolings",
        "How the tokens of a prompt become one vector. The paper's mean over all tokens holds the exemplars, which all items \
         share, and moves with the number of tokens [19]; the share of the cosines' variance that lengths explain is given. The mean \
         over the question's tokens leaves the exemplars out; the last token is where the answer is predicted from.",
    ),
    (
        "Cosine, retrieval, CKA, distance",
        "Cosine: of parallel items, against items that are not parallel. Retrieval: the share of items whose parallel is nearer \
         than any other item, in both directions [20]. CKA: likeness of two languages' geometry whatever its rotation and scale, \
         debiased, so that unrelated states have 0 [21]. Distance of the means: of two languages, through the spread of items \
         around their own. A smaller one is nearer. Means over pairs of languages have the mean of the pairs' intervals, which is \
         at least as wide as their own.",
    ),
    (
        "Neurons",
        "A neuron is a value between gate and down projection, active where its gate is above 0; counted on the question's tokens. \
         Selected are those whose activation is least evenly spread over the languages [22]. Classes: active in one language, in \
         several, in all, in none [23]. Neurons shared by two languages: through those of either [24].",
    ),
    (
        "Switching off, patching, steering",
        "Neurons switched off give 0; as many of each block drawn by lot are the control. Patching replaces the last token's \
         vector after a layer by that of another run [25]; steering adds the difference of two languages' means, and a random vector \
         of the same length is its control. The effect is on a label's share of the scores. After the last layer, a patch gives the \
         other run's answer, in any model.",
    ),
];

/// Of [`INSIDE_NOTES`].
pub(crate) const INSIDE_REFERENCES: &[Note] = &[
    (
        "C. Wendler et al., Do Llamas Work in English? On the Latent Language of Multilingual Transformers, ACL 2024.",
        "https://arxiv.org/abs/2402.10588",
    ),
    (
        "N. Belrose et al., Eliciting Latent Predictions from Transformers with the Tuned Lens, 2023.",
        "https://arxiv.org/abs/2303.08112",
    ),
    (
        "Mean-Pooled Cosine Similarity is Not Length-Invariant: Theory and Cross-Domain Evidence for a Length-Invariant \
         Alternative, 2026.",
        "https://arxiv.org/abs/2605.07345",
    ),
    (
        "A. H. Kargaran et al., MEXA: Multilingual Evaluation of English-Centric LLMs via Cross-Lingual Alignment, Findings of \
         ACL 2025.",
        "https://arxiv.org/abs/2410.05873",
    ),
    (
        "S. Kornblith et al., Similarity of Neural Network Representations Revisited, ICML 2019; debiased: L. Song et al., Feature \
         Selection via Dependence Maximization, JMLR 13, 2012.",
        "https://arxiv.org/abs/1905.00414",
    ),
    (
        "T. Tang et al., Language-Specific Neurons: The Key to Multilingual Capabilities in Large Language Models, ACL 2024.",
        "https://arxiv.org/abs/2402.16438",
    ),
    (
        "S. Zhang et al., How does Alignment Enhance LLMs' Multilingual Capabilities? A Language Neurons Perspective, 2025.",
        "https://arxiv.org/abs/2505.21505",
    ),
    (
        "Y. Zhao et al., How do Large Language Models Handle Multilingualism?, NeurIPS 2024.",
        "https://arxiv.org/abs/2402.18815",
    ),
    (
        "C. Dumas et al., Separating Tongue from Thought: Activation Patching Reveals Language-Agnostic Concept Representations in \
         Transformers, ACL 2025.",
        "https://arxiv.org/abs/2411.08745",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_of_a_note_is_in_the_list_and_each_is_used() {
        let notes = [NOTES, INSIDE_NOTES].concat();
        let text: String = notes.iter().map(|(_, meaning)| *meaning).collect();
        let count = REFERENCES.len() + INSIDE_REFERENCES.len();
        let named = |number: usize| text.contains(&format!("[{number}]"));
        let unused: Vec<usize> = (1..=count).filter(|number| !named(*number)).collect();
        assert!(
            unused.is_empty() && !named(count + 1),
            "{unused:?} of {count}"
        );
        let of_answers: String = NOTES.iter().map(|(_, meaning)| *meaning).collect();
        assert!(
            !of_answers.contains(&format!("[{}]", REFERENCES.len() + 1)),
            "is shown without the inside's references"
        );
    }
}
