//! What may be looked at and how tokens become one vector, as recipes, files and records write
//! it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::task::UnknownWord;

/// How the hidden states of a prompt's tokens become one vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pooling {
    /// Mean over every token: exemplars and what the tokenizer puts in front are among them.
    /// The paper's.
    All,
    /// Mean over the tokens in which the prompts of a file differ: after their longest common
    /// beginning, before their longest common ending.
    Question,
    /// As `Question`, each token weighted by its place among them, from 1 (MEXA, arXiv
    /// 2410.05873).
    Weighted,
    /// The last token of the prompt, from which the answer is predicted.
    Last,
}

impl Pooling {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::All, Self::Question, Self::Weighted, Self::Last];
    /// Every pooling, as it is written.
    pub const WORDS: &[&str] = &["all", "question", "weighted", "last"];
}

impl fmt::Display for Pooling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::All => "all",
            Self::Question => "question",
            Self::Weighted => "weighted",
            Self::Last => "last",
        })
    }
}

impl FromStr for Pooling {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        let found = Self::ALL
            .into_iter()
            .find(|pooling| pooling.to_string() == text);
        found.ok_or_else(|| UnknownWord {
            word: text.to_owned(),
            known: Self::WORDS,
        })
    }
}

/// One kind of look inside a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Analysis {
    /// The logit lens (arXiv 2402.10588; the paper's figures 1 and 3).
    Lens,
    /// A lens with a trained translator for each layer (arXiv 2303.08112).
    TunedLens,
    /// Two principal components and Pearson's correlation of the first between languages
    /// (figures 2 and 4, tables 8-11).
    Pca,
    /// CKA, retrieval, cosines and distances between languages.
    Alignment,
    /// Neurons by the languages that activate them (LAPE, arXiv 2402.16438; classes of arXiv
    /// 2505.21505).
    Neurons,
    /// What switching a language's neurons off does to answers.
    Silencing,
    /// What residual vectors of the English question do in another language's run.
    Patching,
}

impl Analysis {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Lens,
        Self::TunedLens,
        Self::Pca,
        Self::Alignment,
        Self::Neurons,
        Self::Silencing,
        Self::Patching,
    ];
    /// Every analysis, as it is written.
    pub const WORDS: &[&str] = &[
        "lens",
        "tuned-lens",
        "pca",
        "alignment",
        "neurons",
        "silencing",
        "patching",
    ];
}

impl fmt::Display for Analysis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lens => "lens",
            Self::TunedLens => "tuned-lens",
            Self::Pca => "pca",
            Self::Alignment => "alignment",
            Self::Neurons => "neurons",
            Self::Silencing => "silencing",
            Self::Patching => "patching",
        })
    }
}

impl FromStr for Analysis {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        let found = Self::ALL
            .into_iter()
            .find(|analysis| analysis.to_string() == text);
        found.ok_or_else(|| UnknownWord {
            word: text.to_owned(),
            known: Self::WORDS,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_are_written() {
        for analysis in Analysis::ALL {
            assert_eq!(analysis.to_string().parse::<Analysis>(), Ok(analysis));
            assert_eq!(
                serde_json::to_value(analysis).expect("a word"),
                analysis.to_string()
            );
        }
        for pooling in Pooling::ALL {
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
