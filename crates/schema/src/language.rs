//! The 20 languages of the paper (section 4): ISO code on disk, variant in code.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

macro_rules! languages {
    ($($variant:ident $code:literal $name:literal),+ $(,)?) => {
        /// A language of the paper's test sets.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Language {
            $(#[doc = $name] #[serde(rename = $code)] $variant),+
        }

        impl Language {
            /// All languages, in the order of the paper's tables.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The ISO 639-1 code, as it stands in file names and records.
            pub fn code(self) -> &'static str {
                match self { $(Self::$variant => $code),+ }
            }

            /// The English name, as it stands in the training template ("Translate the input from German ...").
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }
    };
}

languages! {
    En "en" "English", Zh "zh" "Chinese", De "de" "German", Fr "fr" "French", Es "es" "Spanish",
    It "it" "Italian", Nl "nl" "Dutch", Ja "ja" "Japanese", Ru "ru" "Russian", Sv "sv" "Swedish",
    Sl "sl" "Slovenian", Pl "pl" "Polish", Bg "bg" "Bulgarian", No "no" "Norwegian", Ms "ms" "Malay",
    Is "is" "Icelandic", Hi "hi" "Hindi", Th "th" "Thai", Sw "sw" "Swahili", Bn "bn" "Bengali",
}

/// The code is none of the 20.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown language `{0}`; known: {known}", known = codes())]
pub struct UnknownLanguage(pub String);

fn codes() -> String {
    Language::ALL.iter().map(|l| l.code()).collect::<Vec<_>>().join(" ")
}

impl FromStr for Language {
    type Err = UnknownLanguage;

    fn from_str(code: &str) -> Result<Self, UnknownLanguage> {
        Self::ALL.iter().copied().find(|l| l.code() == code).ok_or_else(|| UnknownLanguage(code.to_owned()))
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Reads `de,fr` or `all`.
pub fn parse_list(text: &str) -> Result<Vec<Language>, UnknownLanguage> {
    if text.trim() == "all" {
        return Ok(Language::ALL.to_vec());
    }
    text.split(',').map(|code| code.trim().parse()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_round_trip_and_the_unknown_is_named() {
        for &language in Language::ALL {
            assert_eq!(language.code().parse(), Ok(language));
        }
        assert_eq!(Language::ALL.len(), 20);
        let error = "xx".parse::<Language>().expect_err("no such language");
        assert!(error.to_string().contains("`xx`") && error.to_string().contains("sw bn"), "{error}");
    }

    #[test]
    fn lists() {
        assert_eq!(parse_list("de, fr"), Ok(vec![Language::De, Language::Fr]));
        assert_eq!(parse_list("all").map(|l| l.len()), Ok(20));
        assert!(parse_list("de,,fr").is_err());
    }
}
