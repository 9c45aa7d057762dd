//! Cuts the n-gram models of lingua (Stahl, Apache-2.0) down to the table by which the audit tells languages apart: no
//! n-grams of five characters, and of those of four only what is not very rare. Never here: how a text is judged
//! (`crates/audit/src/language/`).

use std::{collections::BTreeMap, env, error::Error, fs};

use fst::{Map, Streamer};

/// Probability of four characters, each given those before it, below which they are left out.
const RARE: f64 = 1e-7;
/// Characters of the longest n-gram.
const LONGEST: usize = 4;
/// Steps of the table for each nat.
const STEPS: f64 = 12.0;

/// A script: for each language its name and model.
type Script = Vec<(&'static str, &'static [u8])>;

macro_rules! models {
    ($($name:literal $krate:ident $folder:ident),* $(,)?) => {
        vec![$(($name, $krate::$folder.get_file("ngrams.fst").expect("a model").contents())),*]
    };
}

fn main() -> Result<(), Box<dyn Error>> {
    let out = env::args().nth(1).ok_or("usage: lingualign-ngrams OUT")?;
    let mut bytes = b"ngrams 1\n".to_vec();
    for script in [latin(), cyrillic(), devanagari()] {
        write_script(&script, &mut bytes)?;
    }
    fs::write(out, bytes)?;
    Ok(())
}

fn latin() -> Script {
    models![
        "Bokmal" lingua_bokmal_language_model BOKMAL_MODELS_DIRECTORY,
        "Croatian" lingua_croatian_language_model CROATIAN_MODELS_DIRECTORY,
        "Danish" lingua_danish_language_model DANISH_MODELS_DIRECTORY,
        "Dutch" lingua_dutch_language_model DUTCH_MODELS_DIRECTORY,
        "English" lingua_english_language_model ENGLISH_MODELS_DIRECTORY,
        "French" lingua_french_language_model FRENCH_MODELS_DIRECTORY,
        "German" lingua_german_language_model GERMAN_MODELS_DIRECTORY,
        "Icelandic" lingua_icelandic_language_model ICELANDIC_MODELS_DIRECTORY,
        "Indonesian" lingua_indonesian_language_model INDONESIAN_MODELS_DIRECTORY,
        "Italian" lingua_italian_language_model ITALIAN_MODELS_DIRECTORY,
        "Malay" lingua_malay_language_model MALAY_MODELS_DIRECTORY,
        "Nynorsk" lingua_nynorsk_language_model NYNORSK_MODELS_DIRECTORY,
        "Polish" lingua_polish_language_model POLISH_MODELS_DIRECTORY,
        "Portuguese" lingua_portuguese_language_model PORTUGUESE_MODELS_DIRECTORY,
        "Slovene" lingua_slovene_language_model SLOVENE_MODELS_DIRECTORY,
        "Spanish" lingua_spanish_language_model SPANISH_MODELS_DIRECTORY,
        "Swahili" lingua_swahili_language_model SWAHILI_MODELS_DIRECTORY,
        "Swedish" lingua_swedish_language_model SWEDISH_MODELS_DIRECTORY,
    ]
}

fn cyrillic() -> Script {
    models![
        "Bulgarian" lingua_bulgarian_language_model BULGARIAN_MODELS_DIRECTORY,
        "Macedonian" lingua_macedonian_language_model MACEDONIAN_MODELS_DIRECTORY,
        "Russian" lingua_russian_language_model RUSSIAN_MODELS_DIRECTORY,
        "Ukrainian" lingua_ukrainian_language_model UKRAINIAN_MODELS_DIRECTORY,
    ]
}

fn devanagari() -> Script {
    models![
        "Hindi" lingua_hindi_language_model HINDI_MODELS_DIRECTORY,
        "Marathi" lingua_marathi_language_model MARATHI_MODELS_DIRECTORY,
    ]
}

/// Natural logarithms of a language's probabilities, each of a character given those before it in the n-gram.
fn read_model(model: &[u8]) -> Result<BTreeMap<Vec<char>, f64>, Box<dyn Error>> {
    let map = Map::new(model)?;
    let mut all = BTreeMap::new();
    let mut stream = map.stream();
    while let Some((key, value)) = stream.next() {
        let ngram: Vec<char> = str::from_utf8(key)?.chars().collect();
        if ngram.len() <= LONGEST {
            all.insert(ngram, f64::from_bits(value));
        }
    }
    let is_kept = |ngram: &[char]| {
        let chain = (1..=ngram.len()).filter_map(|end| all.get(&ngram[..end]));
        ngram.len() < LONGEST || chain.sum::<f64>() > RARE.ln()
    };
    let kept = all.iter().filter(|(ngram, _)| is_kept(ngram));
    Ok(kept.map(|(ngram, value)| (ngram.clone(), *value)).collect())
}

/// The languages' names, a line; the characters, a line; the number of n-grams (u32, little-endian); then for each, in
/// rising order: how much its key is above the last one's and which languages have it (variable-length numbers), and a
/// byte for each of these. A key has a byte for each character, its place in the list from 1 on, and ends in zeros.
fn write_script(script: &Script, bytes: &mut Vec<u8>) -> Result<(), Box<dyn Error>> {
    let mut merged: BTreeMap<Vec<char>, Vec<(usize, u8)>> = BTreeMap::new();
    for (language, (_, model)) in script.iter().enumerate() {
        for (ngram, value) in read_model(model)? {
            let step = (-value * STEPS).round() as u8;
            merged.entry(ngram).or_default().push((language, step));
        }
    }
    let names: Vec<&str> = script.iter().map(|(name, _)| *name).collect();
    let symbols: Vec<char> = merged
        .keys()
        .filter(|ngram| ngram.len() == 1)
        .map(|ngram| ngram[0])
        .collect();
    assert!(symbols.len() < 255, "a byte for each character");
    bytes.extend(names.join(" ").bytes().chain([b'\n']));
    bytes.extend(symbols.iter().collect::<String>().bytes().chain([b'\n']));
    bytes.extend((merged.len() as u32).to_le_bytes());
    let mut last = 0;
    for (ngram, languages) in merged {
        let places = ngram
            .iter()
            .map(|c| 1 + symbols.binary_search(c).expect("each begins an n-gram") as u32);
        let key = places.fold(0, |key, place| key << 8 | place) << (8 * (LONGEST - ngram.len()));
        write_number(key - last, bytes);
        write_number(
            languages
                .iter()
                .fold(0, |mask, (language, _)| mask | 1 << language),
            bytes,
        );
        bytes.extend(languages.iter().map(|(_, step)| *step));
        last = key;
    }
    Ok(())
}

/// Seven bits a byte, the lowest first; the eighth says that more follow.
fn write_number(mut number: u32, bytes: &mut Vec<u8>) {
    while number >= 128 {
        bytes.push(number as u8 | 128);
        number >>= 7;
    }
    bytes.push(number as u8);
}
