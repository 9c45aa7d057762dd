//! Where the exemplars of a prompt come from, and how they are varied: `head:6`,
//! `seed:1:4+order:7`, `builtin`, ...
//!
//! Never here: taking them out of files (crate `data`).

use std::{fmt, path::PathBuf, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::words::words;

words! {
    /// The language of a part of the prompt.
    PromptLanguage {
        /// The question's.
        Same "same",
        /// English, whatever the question's is.
        English "english",
    }
}

/// Where the exemplars come from; prints as it is written on the command line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum FewShot {
    /// The first K items of each language's own test file, which are then not scored. 0: none.
    Head(usize),
    /// A JSON file `{task: {language: text}}`.
    File(PathBuf),
    /// The exemplars that ship with the task, or are in its file.
    Builtin,
    /// Items drawn by a seed, balanced by label, the same ones in every language.
    Seed(SeedDraw),
    /// One of the others, asked in another way.
    Varied(Box<FewShot>, Variation),
}

/// A draw of exemplars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeedDraw {
    /// Decides which items, and their order.
    pub seed: u64,
    /// Exemplars drawn.
    pub count: usize,
    /// What they are drawn from.
    pub pool: Pool,
}

/// What exemplars are drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool {
    /// The first items of the test file. None of them is scored, so that every seed asks the
    /// same questions. `None`: four times the exemplars.
    Head(Option<usize>),
    /// The labelled training file of each language; every test item is scored.
    Train,
}

impl SeedDraw {
    /// Leading test items that are not scored.
    pub fn unscored(&self) -> usize {
        match self.pool {
            Pool::Head(size) => size.unwrap_or(4 * self.count),
            Pool::Train => 0,
        }
    }
}

/// What is varied in a prompt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Variation {
    /// Seed of a permutation of the exemplars; `None`: as they are.
    pub order: Option<u64>,
    /// Whether exemplars are the English ones with English headers.
    pub english_exemplars: bool,
    /// Whether the question's header words are the English ones.
    pub english_headers: bool,
}

impl FewShot {
    /// Where the exemplars come from, however they are varied.
    pub fn source(&self) -> &Self {
        match self {
            Self::Varied(source, _) => source.source(),
            other => other,
        }
    }

    /// How they are varied.
    pub fn variation(&self) -> Variation {
        match self {
            Self::Varied(_, variation) => *variation,
            _ => Variation::default(),
        }
    }

    /// The same exemplars with a language of their own, and headers in one; what the text
    /// itself says stays.
    pub fn in_languages(&self, exemplars: PromptLanguage, headers: PromptLanguage) -> Self {
        let mut variation = self.variation();
        variation.english_exemplars |= exemplars == PromptLanguage::English;
        variation.english_headers |= headers == PromptLanguage::English;
        vary(self.source().clone(), variation)
    }

    /// A name for its folder among the answers: letters, digits, `-` and `_`.
    pub fn slug(&self) -> String {
        self.to_string()
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || c == '-' {
                    c
                } else {
                    '_'
                }
            })
            .collect()
    }
}

fn vary(source: FewShot, variation: Variation) -> FewShot {
    if variation == Variation::default() {
        source
    } else {
        FewShot::Varied(Box::new(source), variation)
    }
}

/// Takes the variations off the end of a text.
fn split_variation(text: &str) -> Result<(&str, Variation), String> {
    let (mut rest, mut variation) = (text, Variation::default());
    loop {
        let Some((before, last)) = rest.rsplit_once('+') else {
            return Ok((rest, variation));
        };
        match last.split_once(':') {
            Some(("order", seed)) if variation.order.is_none() => {
                variation.order = Some(
                    seed.parse()
                        .map_err(|_| format!("`{seed}` in `{text}` is no seed of an order"))?,
                );
            }
            Some(("exemplars", "english")) if !variation.english_exemplars => {
                variation.english_exemplars = true
            }
            Some(("headers", "english")) if !variation.english_headers => {
                variation.english_headers = true
            }
            // A path may hold a plus.
            _ if rest.starts_with("file:") => return Ok((rest, variation)),
            _ => {
                return Err(format!(
                    "`+{last}` in `{text}` is no variation; there are +order:SEED, +exemplars:english and \
                     +headers:english, each once"
                ));
            }
        }
        rest = before;
    }
}

fn parse_seed(text: &str, parameters: &str) -> Result<SeedDraw, String> {
    let wrong = |what: &str| {
        format!("`{text}` has no {what}; write seed:SEED:K, seed:SEED:K:POOL or seed:SEED:K:train")
    };
    let mut parts = parameters.split(':');
    let seed = parts
        .next()
        .and_then(|seed| seed.parse().ok())
        .ok_or_else(|| wrong("seed"))?;
    let count = parts
        .next()
        .and_then(|count| count.parse().ok())
        .filter(|count| *count > 0);
    let count: usize = count.ok_or_else(|| wrong("number of exemplars from 1"))?;
    let pool = match parts.next() {
        None => Pool::Head(None),
        Some("train") => Pool::Train,
        Some(size) => match size.parse() {
            Ok(size) if size >= count => Pool::Head(Some(size)),
            _ => return Err(wrong("pool of at least K items")),
        },
    };
    match parts.next() {
        None => Ok(SeedDraw { seed, count, pool }),
        Some(_) => Err(wrong("end there")),
    }
}

impl FromStr for FewShot {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (source, variation) = split_variation(text)?;
        let source = match source.split_once(':') {
            None if source == "builtin" => Self::Builtin,
            None if source == "zero" => Self::Head(0),
            Some(("file", path)) if !path.is_empty() => {
                if variation.order.is_some() || variation.english_exemplars {
                    return Err(format!(
                        "the text of `{source}` is taken as it is; leave out +order and +exemplars"
                    ));
                }
                Self::File(path.into())
            }
            Some(("head", count)) => Self::Head(
                count
                    .parse()
                    .map_err(|_| format!("`{count}` in `{text}` is no number of exemplars"))?,
            ),
            Some(("seed", parameters)) => Self::Seed(parse_seed(source, parameters)?),
            _ => {
                return Err(format!(
                    "`{text}` is no source of exemplars; use head:K, seed:SEED:K, file:PATH, builtin or zero"
                ));
            }
        };
        Ok(vary(source, variation))
    }
}

impl TryFrom<String> for FewShot {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<FewShot> for String {
    fn from(few_shot: FewShot) -> Self {
        few_shot.to_string()
    }
}

impl fmt::Display for FewShot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head(count) => write!(f, "head:{count}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Builtin => f.write_str("builtin"),
            Self::Seed(SeedDraw { seed, count, pool }) => match pool {
                Pool::Head(None) => write!(f, "seed:{seed}:{count}"),
                Pool::Head(Some(size)) => write!(f, "seed:{seed}:{count}:{size}"),
                Pool::Train => write!(f, "seed:{seed}:{count}:train"),
            },
            Self::Varied(source, variation) => {
                write!(f, "{source}")?;
                if let Some(seed) = variation.order {
                    write!(f, "+order:{seed}")?;
                }
                if variation.english_exemplars {
                    f.write_str("+exemplars:english")?;
                }
                if variation.english_headers {
                    f.write_str("+headers:english")?;
                }
                Ok(())
            }
        }
    }
}

/// One as a text, several as a list, none as nothing: records made when there was one read
/// back.
pub(crate) mod one_or_several {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::FewShot;

    pub(crate) fn serialize<S: Serializer>(
        sets: &[FewShot],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match sets {
            [] => serializer.serialize_none(),
            [one] => one.serialize(serializer),
            several => several.serialize(serializer),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<FewShot>, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            One(FewShot),
            Several(Vec<FewShot>),
        }
        Ok(match Option::<Written>::deserialize(deserializer)? {
            None => Vec::new(),
            Some(Written::One(one)) => vec![one],
            Some(Written::Several(several)) => several,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_and_variations_round_trip() {
        for text in [
            "head:6",
            "file:a/b.json",
            "builtin",
            "seed:1:4",
            "seed:18446744073709551615:4:20",
            "seed:1:2:train",
            "head:4+order:7",
            "builtin+order:0+exemplars:english+headers:english",
            "file:a+b.json",
            "file:a+b.json+headers:english",
        ] {
            let few_shot: FewShot = text.parse().expect(text);
            assert_eq!(few_shot.to_string(), text);
            assert_eq!(
                serde_json::from_str::<FewShot>(&format!("{text:?}")).expect("JSON"),
                few_shot
            );
        }
        assert_eq!("zero".parse(), Ok(FewShot::Head(0)));
        assert_eq!(
            "head:2+headers:english+order:3"
                .parse::<FewShot>()
                .map(|f| f.to_string()),
            Ok("head:2+order:3+headers:english".into())
        );
        assert_eq!(
            "head:2+order:3".parse::<FewShot>().map(|f| f.slug()),
            Ok("head_2_order_3".to_owned())
        );
    }

    #[test]
    fn what_is_no_source_is_told_what_is_one() {
        let refuse = |text: &str| text.parse::<FewShot>().expect_err(text);
        assert_eq!(
            refuse("head:x"),
            "`x` in `head:x` is no number of exemplars"
        );
        assert_eq!(
            refuse("tail:3"),
            "`tail:3` is no source of exemplars; use head:K, seed:SEED:K, file:PATH, builtin or zero"
        );
        let forms = "write seed:SEED:K, seed:SEED:K:POOL or seed:SEED:K:train";
        assert_eq!(
            refuse("seed:x:2"),
            format!("`seed:x:2` has no seed; {forms}")
        );
        assert_eq!(
            refuse("seed:1:0"),
            format!("`seed:1:0` has no number of exemplars from 1; {forms}")
        );
        assert_eq!(
            refuse("seed:1:4:3"),
            format!("`seed:1:4:3` has no pool of at least K items; {forms}")
        );
        assert_eq!(
            refuse("seed:1:4:8:9"),
            format!("`seed:1:4:8:9` has no end there; {forms}")
        );
        assert!(
            refuse("head:2+order:1+order:2")
                .starts_with("`+order:1` in `head:2+order:1+order:2` is no variation")
        );
        assert!(refuse("head:2+headers:german").contains("there are +order:SEED"));
        assert!(refuse("file:x.json+order:1").contains("is taken as it is"));
    }

    #[test]
    fn languages_are_added_to_what_is_there() {
        let few_shot: FewShot = "head:2+order:3".parse().expect("a source");
        let (same, english) = (PromptLanguage::Same, PromptLanguage::English);
        assert_eq!(few_shot.in_languages(same, same), few_shot);
        assert_eq!(
            few_shot.in_languages(english, same).to_string(),
            "head:2+order:3+exemplars:english"
        );
        assert_eq!(
            FewShot::Builtin.in_languages(same, english).to_string(),
            "builtin+headers:english"
        );
        assert_eq!(
            few_shot.in_languages(english, english).source(),
            &FewShot::Head(2)
        );
    }
}
