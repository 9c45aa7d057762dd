//! The longest token prefix that the prompts of one file share, computed once by the model. On
//! fully tokenised prompts, never on text: a tokenizer may merge across any place where a text
//! is cut.

/// Prompts as a shared prefix and what follows it in each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split<'a> {
    /// Tokens with which every prompt begins.
    pub prefix: &'a [u32],
    /// The rest of each prompt, in order; at least one token, unless that prompt has none at
    /// all.
    pub suffixes: Vec<&'a [u32]>,
}

/// Splits `prompts` after their longest common prefix, but leaves every prompt its last token:
/// its hidden state is what is scored. `prefix` followed by a suffix is that prompt.
pub fn split<P: AsRef<[u32]>>(prompts: &[P]) -> Split<'_> {
    let Some(first) = prompts.first().map(AsRef::as_ref) else {
        return Split {
            prefix: &[],
            suffixes: Vec::new(),
        };
    };
    let shortest = prompts
        .iter()
        .map(|prompt| prompt.as_ref().len())
        .min()
        .unwrap_or(0);
    let length = prompts
        .iter()
        .map(|prompt| common_length(first, prompt.as_ref()))
        .min()
        .unwrap_or(0);
    let length = length.min(shortest.saturating_sub(1));
    Split {
        prefix: &first[..length],
        suffixes: prompts
            .iter()
            .map(|prompt| &prompt.as_ref()[length..])
            .collect(),
    }
}

/// Number of leading tokens that `a` and `b` share.
pub(crate) fn common_length(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(x, y)| x == y).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_last_token_stays_in_the_suffix() {
        let prompts = vec![vec![1, 2, 3], vec![1, 2, 3], vec![1, 2]];
        let parts = split(&prompts);
        assert_eq!(
            (parts.prefix, parts.suffixes),
            (&[1][..], vec![&[2, 3][..], &[2, 3], &[2]])
        );
        assert_eq!(split::<Vec<u32>>(&[]).suffixes.len(), 0);
    }

    proptest! {
        #[test]
        fn prefix_and_suffix_are_the_whole_and_no_longer_prefix_would_do(
            shared in prop::collection::vec(0u32..3, 0..6),
            tails in prop::collection::vec(prop::collection::vec(0u32..3, 1..5), 1..6),
        ) {
            let prompts: Vec<Vec<u32>> = tails.iter().map(|tail| [shared.clone(), tail.clone()].concat()).collect();
            let parts = split(&prompts);
            prop_assert!(parts.prefix.len() >= shared.len().min(prompts[0].len() - 1));
            for (prompt, suffix) in prompts.iter().zip(&parts.suffixes) {
                prop_assert!(!suffix.is_empty());
                prop_assert_eq!(&[parts.prefix, suffix].concat(), prompt);
            }
            let heads: std::collections::BTreeSet<u32> = parts.suffixes.iter().map(|suffix| suffix[0]).collect();
            prop_assert!(heads.len() > 1 || parts.suffixes.iter().any(|suffix| suffix.len() == 1));
        }
    }
}
