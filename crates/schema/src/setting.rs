//! A training setting as the paper prints it: `zh/de=>en` (source languages, target language).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::language::{Language, UnknownLanguage};

/// Which question translations are learnt: from each source into the target, mixed (paper,
/// section 3).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Setting {
    /// Source languages, in the order given; at least one, none twice, the target not among
    /// them.
    pub sources: Vec<Language>,
    /// The language translated into.
    pub target: Language,
}

/// What is wrong with the text of a setting.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SettingError {
    /// No `=>`.
    #[error("setting `{0}` has no `=>`; write it as `zh/de=>en`")]
    NoArrow(String),
    /// A code is unknown.
    #[error("setting `{0}`: {1}")]
    Language(String, UnknownLanguage),
    /// A language is there twice.
    #[error("setting `{0}`: `{1}` is there twice")]
    Twice(String, Language),
}

impl Setting {
    /// The name of its folder and records: `zh-de-en`.
    pub fn slug(&self) -> String {
        let mut codes: Vec<_> = self.sources.iter().map(|l| l.code()).collect();
        codes.push(self.target.code());
        codes.join("-")
    }

    /// Source and target languages: those seen in training.
    pub fn seen(&self) -> impl Iterator<Item = Language> + '_ {
        self.sources.iter().copied().chain([self.target])
    }
}

impl FromStr for Setting {
    type Err = SettingError;

    fn from_str(text: &str) -> Result<Self, SettingError> {
        let (sources, target) = text
            .split_once("=>")
            .ok_or_else(|| SettingError::NoArrow(text.to_owned()))?;
        let parse = |code: &str| {
            code.trim()
                .parse()
                .map_err(|e| SettingError::Language(text.to_owned(), e))
        };
        let sources = sources
            .split('/')
            .map(parse)
            .collect::<Result<Vec<Language>, _>>()?;
        let target = parse(target)?;
        let mut seen = vec![target];
        for &source in &sources {
            if seen.contains(&source) {
                return Err(SettingError::Twice(text.to_owned(), source));
            }
            seen.push(source);
        }
        Ok(Self { sources, target })
    }
}

impl TryFrom<String> for Setting {
    type Error = SettingError;

    fn try_from(text: String) -> Result<Self, SettingError> {
        text.parse()
    }
}

impl From<Setting> for String {
    fn from(setting: Setting) -> Self {
        setting.to_string()
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sources: Vec<_> = self.sources.iter().map(|l| l.code()).collect();
        write!(f, "{}=>{}", sources.join("/"), self.target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_the_paper_does() {
        let setting: Setting = "zh/de=>en".parse().expect("a setting");
        assert_eq!(setting.to_string(), "zh/de=>en");
        assert_eq!(setting.slug(), "zh-de-en");
        assert_eq!(setting.seen().count(), 3);
    }

    #[test]
    fn refuses_what_is_no_setting() {
        assert!(matches!(
            "zh-en".parse::<Setting>(),
            Err(SettingError::NoArrow(_))
        ));
        assert!(matches!(
            "zh/qq=>en".parse::<Setting>(),
            Err(SettingError::Language(..))
        ));
        assert!(matches!(
            "zh/en=>en".parse::<Setting>(),
            Err(SettingError::Twice(_, Language::En))
        ));
        assert!(matches!(
            "zh/zh=>en".parse::<Setting>(),
            Err(SettingError::Twice(_, Language::Zh))
        ));
    }
}
