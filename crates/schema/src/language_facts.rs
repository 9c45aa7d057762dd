//! What is known of a language beside its name: script, family, resource class. For grouping
//! results, never for deciding how a language is treated.
//!
//! Scripts are those that the test sets are written in. Families follow Glottolog;
//! Indo-European is given by branch, as it would otherwise be most of any list. Resource
//! classes are those of Joshi et al. 2020 (arXiv 2004.09095, their published list of languages
//! by class), 0 (left behind) to 5 (winners); Norwegian is their Bokmål. The paper's split is
//! its section 4: the ten languages with the largest share of LLaMA 2's training data, and ten
//! others. A language that is not in the table has no facts: nothing is guessed.

/// What is known of one language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LanguageFacts {
    /// Writing system: `Latin`, `Cyrillic`, `Han`, ...
    pub script: &'static str,
    /// Language family; for Indo-European the branch: `Germanic`, `Slavic`, ...
    pub family: &'static str,
    /// Class of Joshi et al. 2020: 5 has the most data, 0 the least.
    pub resource_class: u8,
    /// Whether the paper counts it among its high-resource languages; `None` if it is none of
    /// its 20.
    pub high_resource_in_paper: Option<bool>,
}

impl LanguageFacts {
    /// By ISO 639-1 code; `None` if the code is not in the table.
    pub fn of(code: &str) -> Option<Self> {
        let row = TABLE
            .iter()
            .find(|row| row.0.split(' ').any(|known| known == code))?;
        let (_, script, family, resource_class) = *row;
        let in_paper = |codes: &str| codes.split(' ').any(|known| known == code);
        let high_resource_in_paper = match () {
            () if in_paper(PAPER_HIGH) => Some(true),
            () if in_paper(PAPER_OTHER) => Some(false),
            () => None,
        };
        Some(Self {
            script,
            family,
            resource_class,
            high_resource_in_paper,
        })
    }
}

const PAPER_HIGH: &str = "en de fr sv zh es ru nl it ja";
const PAPER_OTHER: &str = "sl pl bg no ms is hi th sw bn";

/// Codes that share the rest: script, family, class.
const TABLE: &[(&str, &str, &str, u8)] = &[
    ("en de", "Latin", "Germanic", 5),
    ("nl sv", "Latin", "Germanic", 4),
    ("da af", "Latin", "Germanic", 3),
    ("is", "Latin", "Germanic", 2),
    ("no nb", "Latin", "Germanic", 1),
    ("fr es", "Latin", "Romance", 5),
    ("it pt ca", "Latin", "Romance", 4),
    ("ro gl la", "Latin", "Romance", 3),
    ("ru sr", "Cyrillic", "Slavic", 4),
    ("bg uk be", "Cyrillic", "Slavic", 3),
    ("mk", "Cyrillic", "Slavic", 1),
    ("pl cs hr", "Latin", "Slavic", 4),
    ("sl sk bs", "Latin", "Slavic", 3),
    ("lt lv", "Latin", "Baltic", 3),
    ("el", "Greek", "Greek", 3),
    ("sq", "Latin", "Albanian", 1),
    ("ga", "Latin", "Celtic", 2),
    ("hi", "Devanagari", "Indo-Aryan", 4),
    ("mr sa", "Devanagari", "Indo-Aryan", 2),
    ("ne", "Devanagari", "Indo-Aryan", 1),
    ("bn", "Bengali", "Indo-Aryan", 3),
    ("as", "Bengali", "Indo-Aryan", 1),
    ("ur", "Arabic", "Indo-Aryan", 3),
    ("sd", "Arabic", "Indo-Aryan", 1),
    ("pa", "Gurmukhi", "Indo-Aryan", 2),
    ("gu", "Gujarati", "Indo-Aryan", 1),
    ("or", "Odia", "Indo-Aryan", 1),
    ("si", "Sinhala", "Indo-Aryan", 1),
    ("fa", "Arabic", "Iranian", 4),
    ("tg", "Cyrillic", "Iranian", 1),
    ("zh", "Han", "Sino-Tibetan", 5),
    ("my", "Burmese", "Sino-Tibetan", 1),
    ("ja", "Kana and Han", "Japonic", 5),
    ("ko", "Hangul", "Koreanic", 4),
    ("vi", "Latin", "Austroasiatic", 4),
    ("km", "Khmer", "Austroasiatic", 1),
    ("th", "Thai", "Tai-Kadai", 3),
    ("lo", "Lao", "Tai-Kadai", 2),
    ("ms id tl ceb", "Latin", "Austronesian", 3),
    ("jv mg mi sm", "Latin", "Austronesian", 1),
    ("ar", "Arabic", "Semitic", 5),
    ("he", "Hebrew", "Semitic", 3),
    ("am ti", "Ethiopic", "Semitic", 2),
    ("mt", "Latin", "Semitic", 2),
    ("ha", "Latin", "Chadic", 2),
    ("so om", "Latin", "Cushitic", 1),
    ("sw zu xh tn wo yo", "Latin", "Atlantic-Congo", 2),
    ("ig sn rw ny lg", "Latin", "Atlantic-Congo", 1),
    ("tr", "Latin", "Turkic", 4),
    ("uz", "Latin", "Turkic", 3),
    ("az tk", "Latin", "Turkic", 1),
    ("kk", "Cyrillic", "Turkic", 3),
    ("ky", "Cyrillic", "Turkic", 1),
    ("fi hu", "Latin", "Uralic", 4),
    ("et", "Latin", "Uralic", 3),
    ("se", "Latin", "Uralic", 1),
    ("eu", "Latin", "Basque", 4),
    ("ka", "Georgian", "Kartvelian", 3),
    ("ta", "Tamil", "Dravidian", 3),
    ("te", "Telugu", "Dravidian", 1),
    ("kn", "Kannada", "Dravidian", 1),
    ("ml", "Malayalam", "Dravidian", 1),
    ("ht", "Latin", "French-based creole", 2),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::Language;

    #[test]
    fn the_papers_languages_are_known_and_split_in_halves() {
        let facts = |language: &Language| LanguageFacts::of(language.code()).expect("in the table");
        let high = Language::ALL
            .iter()
            .filter(|l| facts(l).high_resource_in_paper == Some(true))
            .count();
        let other = Language::ALL
            .iter()
            .filter(|l| facts(l).high_resource_in_paper == Some(false))
            .count();
        assert_eq!((high, other), (10, 10));
        let swahili = facts(&"sw".parse().expect("known"));
        assert_eq!(
            (swahili.script, swahili.family, swahili.resource_class),
            ("Latin", "Atlantic-Congo", 2)
        );
        assert_eq!(
            LanguageFacts::of("no").map(|facts| facts.resource_class),
            Some(1)
        );
    }

    #[test]
    fn no_code_stands_twice_and_the_unknown_has_no_facts() {
        let mut codes: Vec<&str> = TABLE.iter().flat_map(|row| row.0.split(' ')).collect();
        let all = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), all);
        assert!(TABLE.iter().all(|row| row.3 <= 5));
        assert_eq!(LanguageFacts::of("qq"), None);
        assert_eq!(LanguageFacts::of("korean").or(LanguageFacts::of("")), None);
        assert_eq!(
            LanguageFacts::of("ko").map(|facts| facts.high_resource_in_paper),
            Some(None)
        );
    }
}
