//! Which language a text is in, and how sure that is.
//!
//! The script settles it for scripts that one language writes. Where several do, it is the language
//! whose n-grams the text has (Cavnar and Trenkle 1994; conditional probabilities with a shorter n-gram
//! in place of a missing one, as lingua has them): of short texts those of all lengths, in long ones three
//! characters say enough. Never here: which language is right.

use super::{
    spoken::{CYRILLIC, DEVANAGARI, LATIN, Spoken},
    table::{Entry, LONGEST, Table, take_line},
};
use crate::text::script;

/// Letters from which a text is long.
const LONG: usize = 120;
const LONG_ORDER: usize = 3;
/// The longest n-gram that is counted; what is not in the table is taken for its beginning.
const HIGHEST_ORDER: usize = 5;
/// How much a short text's mean over its letters is raised: the table has fewer n-grams than the
/// models that it is made from, and with this is as often sure as they are.
const SHARPNESS: f64 = 1.15;
/// Letters of an alphabet that weigh as much as an ideograph or a kana: about a word.
const LETTERS_OF_A_WORD: usize = 4;

/// Tells languages apart; its table is in the program.
pub(super) struct Identifier {
    latin: Table,
    cyrillic: Table,
    devanagari: Table,
}

/// What is counted of the letters of a text.
enum Written<'a> {
    /// One language alone is written so.
    As(Spoken),
    /// Several are, told apart by the table.
    In(&'a Table),
    /// None of the known languages is.
    Otherwise,
}

impl Identifier {
    pub(super) fn new() -> Self {
        let mut bytes: &'static [u8] = include_bytes!("ngrams.bin");
        take_line(&mut bytes);
        Self {
            latin: Table::take(LATIN, &mut bytes),
            cyrillic: Table::take(CYRILLIC, &mut bytes),
            devanagari: Table::take(DEVANAGARI, &mut bytes),
        }
    }

    /// The languages that the text may be in, with confidences that sum to 1; none if it has no letter
    /// of a known script.
    pub(super) fn weigh(&self, text: &str) -> Vec<(Spoken, f64)> {
        let text = text.to_lowercase();
        match self.look_at_script(&text) {
            Written::As(language) => vec![(language, 1.0)],
            Written::In(table) => weigh_ngrams(&text, table),
            Written::Otherwise => Vec::new(),
        }
    }

    /// By the script that most letters are of.
    fn look_at_script(&self, text: &str) -> Written<'_> {
        let (mut latin, mut cyrillic, mut devanagari) = (0, 0, 0);
        let (mut bengali, mut thai, mut han, mut others) = (0, 0, 0, 0);
        let mut is_kana = false;
        for c in text.chars().filter(|c| c.is_alphabetic()) {
            match script(c) {
                Some("Latin") => latin += 1,
                Some("Cyrillic") => cyrillic += 1,
                Some("Devanagari") => devanagari += 1,
                Some("Bengali") => bengali += 1,
                Some("Thai") => thai += 1,
                Some("Han or kana") => {
                    han += LETTERS_OF_A_WORD;
                    is_kana |= matches!(c, '\u{3040}'..='\u{30ff}' | '\u{ff66}'..='\u{ff9f}');
                }
                _ => others += 1,
            }
        }
        let most = [latin, cyrillic, devanagari, bengali, thai, han, others]
            .into_iter()
            .max()
            .unwrap_or(0);
        match most {
            0 => Written::Otherwise,
            most if most == latin => Written::In(&self.latin),
            most if most == cyrillic => Written::In(&self.cyrillic),
            most if most == devanagari => Written::In(&self.devanagari),
            most if most == bengali => Written::As(Spoken::Bengali),
            most if most == thai => Written::As(Spoken::Thai),
            most if most == han && is_kana => Written::As(Spoken::Japanese),
            most if most == han => Written::As(Spoken::Chinese),
            _ => Written::Otherwise,
        }
    }
}

/// What begins at a place of the text: the next letters of the word, and what the table says of
/// the first one, two, three and four of them.
struct Place {
    /// A byte for each letter, the first in the highest of [`HIGHEST_ORDER`] bytes.
    letters: u64,
    length: usize,
    entries: [Option<Entry>; LONGEST],
}

fn weigh_ngrams(text: &str, table: &Table) -> Vec<(Spoken, f64)> {
    let places = list_places(text, table);
    let is_long = places.len() >= LONG;
    let mut sums = vec![0.0; table.languages.len()];
    let mut known = vec![0.0; table.languages.len()];
    for order in 1..=HIGHEST_ORDER {
        let distinct = list_distinct(&places, order);
        if order == 1 {
            for (language, _) in distinct
                .iter()
                .filter_map(|place| place.entries[0])
                .flat_map(Entry::logs)
            {
                known[language] += 1.0;
            }
        }
        if !is_long || order == LONG_ORDER {
            for place in distinct {
                add_logs(&place.entries[..order.min(LONGEST)], &mut sums);
            }
        }
    }
    if !is_long {
        for (sum, known) in sums.iter_mut().zip(known) {
            *sum *= SHARPNESS / f64::max(known, 1.0);
        }
    }
    // A language without a single letter of the text has no sum.
    let highest = sums
        .iter()
        .copied()
        .filter(|sum| *sum < 0.0)
        .fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = sums
        .iter()
        .map(|sum| {
            if *sum < 0.0 {
                (sum - highest).exp()
            } else {
                0.0
            }
        })
        .collect();
    let all: f64 = weights.iter().sum();
    let shares = weights
        .iter()
        .map(|weight| weight / f64::max(all, f64::MIN_POSITIVE));
    table.languages.iter().copied().zip(shares).collect()
}

/// A place for every letter of a script's words.
fn list_places(text: &str, table: &Table) -> Vec<Place> {
    let mut places = Vec::new();
    for word in text
        .split(|c: char| !is_written(c))
        .filter(|word| !word.is_empty())
    {
        let symbols: Vec<u8> = word.chars().map(|c| table.symbol(c)).collect();
        for at in 0..symbols.len() {
            let rest = &symbols[at..symbols.len().min(at + HIGHEST_ORDER)];
            let mut entries = [None; LONGEST];
            let mut key = 0;
            for (at, symbol) in rest.iter().take(LONGEST).enumerate() {
                key |= u32::from(*symbol) << (8 * (LONGEST - 1 - at));
                entries[at] = table.find(key);
            }
            let letters = rest
                .iter()
                .fold(0, |all, symbol| all << 8 | u64::from(*symbol));
            places.push(Place {
                letters: letters << (8 * (HIGHEST_ORDER - rest.len())),
                length: rest.len(),
                entries,
            });
        }
    }
    places
}

/// Letters, and the signs that Devanagari writes vowels with.
fn is_written(c: char) -> bool {
    c.is_alphabetic() || matches!(c, '\u{900}'..='\u{963}' | '\u{970}'..='\u{97f}')
}

/// The first place of each n-gram of a length.
fn list_distinct(places: &[Place], order: usize) -> Vec<&Place> {
    let beyond = 8 * (HIGHEST_ORDER - order);
    let mut distinct: Vec<&Place> = places
        .iter()
        .filter(|place| place.length >= order)
        .collect();
    distinct.sort_by_key(|place| place.letters >> beyond);
    distinct.dedup_by_key(|place| place.letters >> beyond);
    distinct
}

/// Adds the longest of the n-grams that each language has.
fn add_logs(entries: &[Option<Entry>], sums: &mut [f64]) {
    let mut done = 0;
    for entry in entries.iter().rev().flatten() {
        for (language, log) in entry
            .logs()
            .filter(|(language, _)| done & (1 << language) == 0)
        {
            sums[language] += f64::from(log);
        }
        done |= entry.mask;
    }
}

#[cfg(test)]
mod tests {
    use super::{Spoken::*, *};

    const SENTENCES: &[(Spoken, &str)] = &[
        (Bengali, "একজন লোক রাস্তায় হাঁটছে।"),
        (
            Bokmal,
            "Gutten har mistet nøklene sine og må vente utenfor til moren kommer hjem fra jobben.",
        ),
        (
            Bulgarian,
            "Мъжът седи на пейката и чете вестник, защото няма какво да прави.",
        ),
        (Chinese, "一个男人在街上走路。"),
        (
            Croatian,
            "Čovjek sjedi na klupi i čita novine jer nema što raditi.",
        ),
        (
            Danish,
            "Drengen har mistet sine nøgler og må vente udenfor, indtil hans mor kommer hjem fra arbejde.",
        ),
        (
            Dutch,
            "De man zit op de bank en leest de krant omdat hij niets te doen heeft.",
        ),
        (
            English,
            "The man sits on the bench and reads, because he has nothing to do.",
        ),
        (
            French,
            "L'homme est assis sur le banc et lit le journal parce qu'il n'a rien à faire.",
        ),
        (
            German,
            "Der Mann sitzt auf der Bank und liest die Zeitung, weil er nichts zu tun hat.",
        ),
        (
            Hindi,
            "वह आदमी बेंच पर बैठा है और अखबार पढ़ रहा है क्योंकि उसके पास कोई काम नहीं है।",
        ),
        (
            Icelandic,
            "Maðurinn situr á bekknum og les blaðið af því að hann hefur ekkert að gera.",
        ),
        (
            Indonesian,
            "Dia tidak bisa datang karena uangnya sudah habis dan mobilnya rusak.",
        ),
        (
            Italian,
            "L'uomo è seduto sulla panchina e legge il giornale perché non ha niente da fare.",
        ),
        (Japanese, "男の人が道を歩いている。"),
        (
            Macedonian,
            "Човекот седи на клупата и чита весник бидејќи нема што да прави.",
        ),
        (
            Malay,
            "Beliau berkata beliau tidak boleh datang kerana keretanya rosak di pejabat.",
        ),
        (
            Marathi,
            "तो माणूस बाकावर बसला आहे आणि वर्तमानपत्र वाचत आहे कारण त्याला काही काम नाही.",
        ),
        (
            Nynorsk,
            "Eg veit ikkje kvifor ho ikkje kjem heim frå skulen i dag.",
        ),
        (
            Polish,
            "Mężczyzna siedzi na ławce i czyta gazetę, ponieważ nie ma nic do roboty.",
        ),
        (
            Portuguese,
            "O homem está sentado no banco e lê o jornal porque não tem nada para fazer.",
        ),
        (
            Russian,
            "Мужчина сидит на скамейке и читает газету, потому что ему нечего делать.",
        ),
        (
            Slovene,
            "Moški sedi na klopi in bere časopis, ker nima kaj početi.",
        ),
        (
            Spanish,
            "El hombre está sentado en el banco y lee el periódico porque no tiene nada que hacer.",
        ),
        (
            Swahili,
            "Mwanamume ameketi kwenye benchi na anasoma gazeti kwa sababu hana la kufanya.",
        ),
        (
            Swedish,
            "Mannen sitter på bänken och läser tidningen eftersom han inte har något att göra.",
        ),
        (Thai, "ผู้ชายกำลังเดินอยู่บนถนน"),
        (
            Ukrainian,
            "Чоловік сидить на лавці і читає газету, бо йому нічого робити.",
        ),
    ];

    fn best(identifier: &Identifier, text: &str) -> Option<(Spoken, f64)> {
        let values = identifier.weigh(text);
        values.into_iter().max_by(|a, b| a.1.total_cmp(&b.1))
    }

    #[test]
    fn sentences_of_every_language_are_known() {
        let identifier = Identifier::new();
        for &(language, text) in SENTENCES {
            let found = best(&identifier, text).map(|(language, _)| language);
            assert_eq!(found, Some(language), "{text}");
            let long = [text; 5].join(" ");
            let found = best(&identifier, &long).map(|(language, _)| language);
            assert_eq!(found, Some(language), "{long}");
        }
    }

    #[test]
    fn confidences_are_shares_and_few_letters_are_unsure() {
        let identifier = Identifier::new();
        for text in [
            "the",
            "The man sits on the bench.",
            "Ёж",
            "मैं",
            &"and the ".repeat(40),
        ] {
            let sum: f64 = identifier.weigh(text).iter().map(|(_, value)| value).sum();
            assert!((sum - 1.0).abs() < 1e-9, "{text}: {sum}");
        }
        assert!(best(&identifier, "Anna Maria").is_none_or(|(_, value)| value < 0.9));
        assert!(
            best(&identifier, "The man sits on the bench and reads the newspaper because he has nothing else to do today.")
                .is_some_and(|(_, value)| value > 0.9)
        );
    }

    #[test]
    fn the_script_of_most_letters_counts() {
        let identifier = Identifier::new();
        for text in ["", "12 + 3!", "Ο άνδρας κάθεται", "남자가 길을 걷고 있다"]
        {
            assert!(identifier.weigh(text).is_empty(), "{text}");
        }
        let found = |text| best(&identifier, text).map(|(language, _)| language);
        assert_eq!(
            found("他在伦敦的 Imperial College London 工作"),
            Some(Spoken::Chinese)
        );
        assert_eq!(
            found("Bangkok (กรุงเทพ) is the capital of the country"),
            Some(Spoken::English)
        );
    }
}
