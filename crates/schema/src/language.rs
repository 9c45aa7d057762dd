//! Languages: the 20 of the paper (section 4) as constants, those of `assets/languages.toml`,
//! and what a task file or a recipe adds. A code of ISO 639 (with a script where one code is
//! written in two) on disk, a small value in code.
//!
//! Never here: what is known of a language beyond its name and script.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A language. Ordered as the paper's tables, then by code.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Language {
    /// Place in the paper's tables; [`OTHER`] for all others.
    rank: u8,
    code: &'static str,
}

const OTHER: u8 = u8::MAX;

macro_rules! languages {
    ($($variant:ident $rank:literal $code:literal $name:literal),+ $(,)?) => {
        #[expect(non_upper_case_globals, reason = "they stand where variants of an enum stood, in patterns too")]
        impl Language {
            $(#[doc = $name] pub const $variant: Self = Self { rank: $rank, code: $code };)+

            /// The languages of the paper, in the order of its tables.
            pub const ALL: &[Self] = &[$(Self::$variant),+];
        }

        /// Code and name of the languages of the paper.
        const PAPER: &[(&str, &str)] = &[$(($code, $name)),+];
    };
}

languages! {
    En 0 "en" "English", Zh 1 "zh" "Chinese", De 2 "de" "German", Fr 3 "fr" "French", Es 4 "es" "Spanish",
    It 5 "it" "Italian", Nl 6 "nl" "Dutch", Ja 7 "ja" "Japanese", Ru 8 "ru" "Russian", Sv 9 "sv" "Swedish",
    Sl 10 "sl" "Slovenian", Pl 11 "pl" "Polish", Bg 12 "bg" "Bulgarian", No 13 "no" "Norwegian", Ms 14 "ms" "Malay",
    Is 15 "is" "Icelandic", Hi 16 "hi" "Hindi", Th 17 "th" "Thai", Sw 18 "sw" "Swahili", Bn 19 "bn" "Bengali",
}

/// What is known of a code.
struct Facts {
    name: &'static str,
    script: &'static str,
}

/// Every known language, and every spelling of its code.
struct Known {
    facts: BTreeMap<Language, Facts>,
    spellings: BTreeMap<&'static str, Language>,
    /// Texts that live as long as the program.
    texts: BTreeSet<&'static str>,
    /// What is wrong with the shipped table, a defect of the build.
    problem: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    script: String,
    #[serde(default)]
    also: Vec<String>,
}

static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(|| Mutex::new(Known::shipped()));

fn known() -> MutexGuard<'static, Known> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Known {
    fn shipped() -> Self {
        let mut known = Self {
            facts: BTreeMap::new(),
            spellings: BTreeMap::new(),
            texts: BTreeSet::new(),
            problem: None,
        };
        for (&language, (code, name)) in Language::ALL.iter().zip(PAPER) {
            known.spellings.insert(code, language);
            known.facts.insert(language, Facts { name, script: "" });
        }
        let text = include_str!("../../../assets/languages.toml");
        known.problem = match toml::from_str::<BTreeMap<String, Row>>(text) {
            Err(error) => Some(error.to_string()),
            Ok(rows) => rows
                .into_iter()
                .find_map(|(code, row)| known.add_row(&code, &row).err()),
        };
        known
    }

    fn add_row(&mut self, code: &str, row: &Row) -> Result<(), String> {
        let language = self.intern(code);
        let (name, script) = (self.keep(&row.name), self.keep(&row.script));
        if self
            .facts
            .get(&language)
            .is_some_and(|facts| facts.name != name)
        {
            return Err(format!("`{code}` has another name in the paper"));
        }
        self.facts.insert(language, Facts { name, script });
        for spelling in [code]
            .into_iter()
            .chain(row.also.iter().map(String::as_str))
        {
            let spelling = self.keep(spelling);
            if self
                .spellings
                .insert(spelling, language)
                .is_some_and(|before| before != language)
            {
                return Err(format!("`{spelling}` means two languages"));
            }
        }
        Ok(())
    }

    fn keep(&mut self, text: &str) -> &'static str {
        if let Some(kept) = self.texts.get(text) {
            return kept;
        }
        let kept: &'static str = Box::leak(text.to_owned().into_boxed_str());
        self.texts.insert(kept);
        kept
    }

    /// The language of this very code, known or not.
    fn intern(&mut self, code: &str) -> Language {
        match Language::ALL.iter().find(|language| language.code == code) {
            Some(language) => *language,
            None => Language {
                rank: OTHER,
                code: self.keep(code),
            },
        }
    }
}

/// `text` as one that lives as long as the program; the same text is kept once.
pub(crate) fn keep(text: &str) -> &'static str {
    known().keep(text)
}

/// Whether a text may be a code: two or three small letters, and a script where one is needed.
fn is_code(text: &str) -> bool {
    let (letters, script) = text.split_once('_').unwrap_or((text, ""));
    (2..=3).contains(&letters.len())
        && letters.bytes().all(|byte| byte.is_ascii_lowercase())
        && script.is_empty() != text.contains('_')
        && script.len() <= 8
        && script.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

impl Language {
    /// The ISO 639 code, as in file names and records.
    pub fn code(self) -> &'static str {
        self.code
    }

    /// The English name, as in the training template ("Translate the input from
    /// German ..."); the code where nobody gave a name.
    pub fn name(self) -> &'static str {
        match PAPER.get(usize::from(self.rank)) {
            Some((_, name)) => name,
            None => known()
                .facts
                .get(&self)
                .map_or(self.code, |facts| facts.name),
        }
    }

    /// ISO 15924 code of the script it is written in: `Latn`; `None` where nobody gave one.
    pub fn script(self) -> Option<&'static str> {
        known()
            .facts
            .get(&self)
            .map(|facts| facts.script)
            .filter(|script| !script.is_empty())
    }

    /// Every spelling under which published files have it, its own code first: `zh`,
    /// `zho_Hans`, ...
    pub fn spellings(self) -> Vec<&'static str> {
        let known = known();
        let others = known
            .spellings
            .iter()
            .filter(|(spelling, of)| **of == self && **spelling != self.code);
        [self.code]
            .into_iter()
            .chain(others.map(|(spelling, _)| *spelling))
            .collect()
    }

    /// All languages that have a name: the paper's, the shipped ones, the added ones.
    pub fn known() -> Vec<Self> {
        known().facts.keys().copied().collect()
    }

    /// Makes a further code known.
    ///
    /// # Errors
    /// No code; a code that is known by another name or script. The message says what to do.
    pub fn add(code: &str, name: &str, script: &str) -> Result<Self, String> {
        if !is_code(code) {
            return Err(format!(
                "`{code}` cannot be a code; use two or three small letters, as ISO 639 has them, and `_` and a script where \
                 the language has two"
            ));
        }
        if name.trim().is_empty() || name.contains(char::is_control) || script.trim().is_empty() {
            return Err(format!(
                "`{code}` needs a name in one line and a script, such as `Latn`"
            ));
        }
        let mut known = known();
        if let Some(before) = known.spellings.get(code).copied() {
            let facts = known.facts.get(&before);
            return match facts {
                Some(facts)
                    if before.code == code && (facts.name, facts.script) == (name, script) =>
                {
                    Ok(before)
                }
                Some(facts) => Err(format!(
                    "`{code}` is known as {} in the script {}; leave its name and script out, or take another code",
                    facts.name, facts.script
                )),
                None => Err(format!("`{code}` is known already; take another code")),
            };
        }
        let language = known.intern(code);
        let (name, script) = (known.keep(name), known.keep(script));
        known.facts.insert(language, Facts { name, script });
        known.spellings.insert(language.code, language);
        Ok(language)
    }

    /// The language of a code in a record, which was checked when the record was made: a code
    /// that a task file added is not known where there is no task file.
    ///
    /// # Errors
    /// A text that can be no code.
    pub fn of_record(code: &str) -> Result<Self, UnknownLanguage> {
        let mut known = known();
        match known.spellings.get(code) {
            Some(language) => Ok(*language),
            None if is_code(code) => Ok(known.intern(code)),
            None => Err(UnknownLanguage(code.to_owned())),
        }
    }

    /// A number of its own for a stream of random numbers, below 2^19: its place in the paper's
    /// tables, or a hash of the code.
    pub fn stream(self) -> u64 {
        match self.rank {
            OTHER => 256 + self.code.bytes().fold(0xcbf2_9ce4_8422_2325, fnv) % (1 << 18),
            rank => rank.into(),
        }
    }

    /// Whether somebody gave it a name.
    pub fn is_known(self) -> bool {
        known().facts.contains_key(&self)
    }
}

/// One step of FNV-1a, 64 bits.
fn fnv(hash: u64, byte: u8) -> u64 {
    (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
}

/// Nobody knows the code.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{}", explain(.0))]
pub struct UnknownLanguage(pub String);

fn explain(code: &str) -> String {
    let known = known();
    if let Some(problem) = &known.problem {
        return format!(
            "shipped file assets/languages.toml: {problem}; this is a bug of this build, please report it"
        );
    }
    let paper: Vec<_> = PAPER.iter().map(|(code, _)| *code).collect();
    format!(
        "unknown language `{code}`; known: {} and {} more of assets/languages.toml; add it with `[languages.{code}]`, \
         `name = ...` and `script = ...` in the task's file or the recipe",
        paper.join(" "),
        known.facts.len().saturating_sub(paper.len())
    )
}

impl FromStr for Language {
    type Err = UnknownLanguage;

    /// A known code, in any of its spellings.
    fn from_str(code: &str) -> Result<Self, UnknownLanguage> {
        let found = known().spellings.get(code).copied();
        found.ok_or_else(|| UnknownLanguage(code.to_owned()))
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code)
    }
}

impl fmt::Debug for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code)
    }
}

impl Serialize for Language {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code)
    }
}

impl<'de> Deserialize<'de> for Language {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Code;
        impl de::Visitor<'_> for Code {
            type Value = Language;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the code of a language")
            }
            fn visit_str<E: de::Error>(self, code: &str) -> Result<Language, E> {
                Language::of_record(code).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Code)
    }
}

/// Reads `de,fr` or `all`.
pub fn parse_list(text: &str) -> Result<Vec<Language>, UnknownLanguage> {
    if text.trim() == "all" {
        return Ok(Language::ALL.to_vec());
    }
    text.split(',').map(|code| code.trim().parse()).collect()
}

/// As [`parse_list`], where a code that nobody knows may become known by a task's file.
pub fn parse_codes(text: &str) -> Result<Vec<Language>, UnknownLanguage> {
    match parse_list(text) {
        Ok(list) => Ok(list),
        Err(_) => text
            .split(',')
            .map(|code| Language::of_record(code.trim()))
            .collect(),
    }
}

/// What is wrong with codes that nobody made known after all.
///
/// # Errors
/// The first of them.
pub fn check_known(languages: &[Language]) -> Result<(), UnknownLanguage> {
    match languages.iter().find(|language| !language.is_known()) {
        Some(unknown) => Err(UnknownLanguage(unknown.code.to_owned())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_round_trip_and_the_unknown_is_named() {
        for language in Language::known() {
            assert_eq!(language.code().parse(), Ok(language));
            assert!(
                is_code(language.code()) && language.script().is_some(),
                "{language}"
            );
            let json = serde_json::to_string(&language).expect("JSON");
            assert_eq!(
                serde_json::from_str::<Language>(&json).expect("a language"),
                language
            );
        }
        assert_eq!((Language::ALL.len(), known().problem.clone()), (20, None));
        assert!(
            Language::known().len() >= 120,
            "{}",
            Language::known().len()
        );
        assert_eq!(
            Language::known()[..20],
            *Language::ALL,
            "the paper's first, in its order"
        );
        let error = "xx"
            .parse::<Language>()
            .expect_err("no such language")
            .to_string();
        assert!(
            error.starts_with("unknown language `xx`; known: en zh de"),
            "{error}"
        );
        assert!(
            error.contains("sw bn and 2") && error.ends_with("in the task's file or the recipe"),
            "{error}"
        );
    }

    #[test]
    fn published_spellings_mean_the_codes_used_here() {
        let code = |text: &str| text.parse::<Language>().expect("known").code();
        assert_eq!(
            ["zho_Hans", "deu_Latn", "nob_Latn", "zsm_Latn", "swh_Latn"].map(code),
            ["zh", "de", "no", "ms", "sw"]
        );
        assert_eq!(
            ["zho_Hant", "arb_Arab", "quy_Latn"].map(code),
            ["zh_Hant", "ar", "qu"]
        );
        assert!(
            Language::Zh.spellings().contains(&"zho_Hans") && Language::Zh.spellings()[0] == "zh"
        );
        assert!(
            matches!("de".parse(), Ok(Language::De)),
            "constants are patterns"
        );
        let el: Language = "el".parse().expect("known");
        assert_eq!((el.name(), el.script()), ("Greek", Some("Grek")));
    }

    #[test]
    fn random_streams_are_the_languages_own() {
        let streams: BTreeSet<u64> = Language::known()
            .into_iter()
            .map(Language::stream)
            .collect();
        assert_eq!(streams.len(), Language::known().len());
        assert_eq!(
            (Language::En.stream(), Language::Bn.stream()),
            (0, 19),
            "as the first release drew"
        );
        assert!(streams.iter().all(|stream| *stream < 1 << 19));
    }

    #[test]
    fn a_code_is_added_once() {
        assert!("qqa".parse::<Language>().is_err());
        let recorded = Language::of_record("qqa").expect("may be a code");
        assert_eq!((recorded.name(), recorded.script()), ("qqa", None));
        let added = Language::add("qqa", "Quack", "Latn").expect("new");
        assert_eq!((added, "qqa".parse()), (recorded, Ok(added)));
        assert_eq!(
            (recorded.name(), Language::add("qqa", "Quack", "Latn")),
            ("Quack", Ok(added))
        );
        let refuse = |code, name, script| Language::add(code, name, script).expect_err("refused");
        assert!(
            refuse("qqa", "Other", "Latn")
                .starts_with("`qqa` is known as Quack in the script Latn; leave")
        );
        assert!(refuse("de", "Dutch", "Latn").contains("is known as German"));
        assert!(refuse("x/y", "Path", "Latn").contains("cannot be a code"));
        assert!(refuse("qqb", " ", "Latn").contains("needs a name"));
        assert!(Language::of_record("../x").is_err() && Language::of_record("de.x").is_err());
    }

    #[test]
    fn lists() {
        assert_eq!(parse_list("de, fr"), Ok(vec![Language::De, Language::Fr]));
        assert_eq!(parse_list("all").map(|l| l.len()), Ok(20));
        assert!(parse_list("de,,fr").is_err());
    }
}
