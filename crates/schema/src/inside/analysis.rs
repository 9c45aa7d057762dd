//! What may be looked at inside a model and how tokens become one vector, as recipes, files and
//! records write it.

use crate::words::words;

words! {
    /// How the hidden states of a prompt's tokens become one vector.
    Pooling {
        /// Mean over every token: exemplars and what the tokenizer puts in front are among
        /// them. The paper's.
        All "all",
        /// Mean over the tokens in which the prompts of a file differ: after their longest
        /// common beginning, before their longest common ending.
        Question "question",
        /// As `Question`, each token weighted by its place among them, from 1 (MEXA, arXiv
        /// 2410.05873).
        Weighted "weighted",
        /// The last token of the prompt, from which the answer is predicted.
        Last "last",
    }
}

words! {
    /// One kind of analysis inside a model.
    Analysis {
        /// The logit lens (arXiv 2402.10588; the paper's figures 1 and 3).
        Lens "lens",
        /// A lens with a trained translator for each layer (arXiv 2303.08112).
        TunedLens "tuned-lens",
        /// Two principal components and Pearson's correlation of the first between languages
        /// (figures 2 and 4, tables 8-11).
        Pca "pca",
        /// CKA, retrieval, cosines and distances between languages.
        Alignment "alignment",
        /// Neurons by the languages that activate them (LAPE, arXiv 2402.16438; classes of
        /// arXiv 2505.21505).
        Neurons "neurons",
        /// What switching a language's neurons off does to answers.
        Silencing "silencing",
        /// What residual vectors of the English question do in another language's run.
        Patching "patching",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_are_written() {
        for &analysis in Analysis::ALL {
            assert_eq!(analysis.to_string().parse::<Analysis>(), Ok(analysis));
            assert_eq!(
                serde_json::to_value(analysis).expect("a word"),
                analysis.to_string()
            );
        }
        for &pooling in Pooling::ALL {
            assert_eq!(pooling.to_string().parse::<Pooling>(), Ok(pooling));
            assert_eq!(
                serde_json::to_value(pooling).expect("a word"),
                pooling.to_string()
            );
        }
        assert!(
            Analysis::WORDS
                .iter()
                .all(|word| word.parse::<Analysis>().is_ok())
        );
        assert!(
            Pooling::WORDS
                .iter()
                .all(|word| word.parse::<Pooling>().is_ok())
        );
    }
}
