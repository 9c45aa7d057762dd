//! Closed lists of words as enums: each is read, shown and recorded as one of its words. Never
//! here: which words there are.

use std::{fmt, str::FromStr};

/// A closed list of words.
pub trait Words: Copy + PartialEq + fmt::Debug + fmt::Display + FromStr + 'static {
    /// Every value, as it is written.
    const WORDS: &'static [&'static str];
    /// Every value.
    const ALL: &'static [Self];
}

/// A word that is not in a closed list.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown value `{word}`; one of: {}", known.join(", "))]
pub struct UnknownWord {
    /// The word given.
    pub word: String,
    /// The words of the list.
    pub known: &'static [&'static str],
}

/// Defines an enum with a word for each value.
#[macro_export]
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord,
            ::serde::Serialize, ::serde::Deserialize,
        )]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// Every value, as it is written.
            pub const WORDS: &'static [&'static str] = &[$($word),+];
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
        }

        impl $crate::words::Words for $name {
            const WORDS: &'static [&'static str] = Self::WORDS;
            const ALL: &'static [Self] = Self::ALL;
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(match self { $(Self::$variant => $word),+ })
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::words::UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err($crate::words::UnknownWord {
                        word: text.to_owned(),
                        known: Self::WORDS,
                    }),
                }
            }
        }
    };
}

pub(crate) use words;
