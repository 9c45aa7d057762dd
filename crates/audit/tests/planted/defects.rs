//! Ways to break a data set, each with what the audit must say of it.

use rand::{RngExt, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use schema::finding::Kind;
use serde_json::json;

use crate::{
    files::{
        plant_answer, plant_header, plant_instruction, plant_no_json, plant_no_utf8,
        plant_pair_copy,
    },
    world::{DRESSED, Name, World, dress, language_of},
};

/// What must be found.
pub(crate) struct Expected {
    /// Name of the defect.
    pub(crate) what: &'static str,
    pub(crate) kind: Kind,
    pub(crate) file: Name,
    /// All of them must be among the items of one finding.
    pub(crate) items: Vec<usize>,
}

/// Breaks one file; returns the kind and the items.
pub(crate) type Plant = fn(&mut World, &str, &mut ChaCha8Rng) -> (Kind, Vec<usize>);

/// Which files a defect can be planted in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Any test file but the English ones.
    Test,
    /// Of a task with three labels.
    ThreeLabels,
    /// Of a language whose script marks the ends of sentences.
    Sentences,
    /// Of a language in Latin letters but English.
    Latin,
    /// Of a language whose script writes sounds, not syllables.
    Sounds,
    Pairs,
}

pub(crate) const DEFECTS: &[(&str, Place, Plant)] = &[
    ("unknown label word", Place::Test, plant_label_word),
    ("label word with a space", Place::Test, plant_label_space),
    ("labels exchanged", Place::Test, plant_exchange),
    ("labels turned round", Place::ThreeLabels, plant_cycle),
    (
        "labels exchanged in a stretch",
        Place::ThreeLabels,
        plant_stretch,
    ),
    ("one wrong gold", Place::Test, plant_gold),
    ("one label everywhere", Place::Test, plant_one_label),
    ("answer missing", Place::Test, |world, name, rng| {
        plant_missing(world, name, rng, "answer")
    }),
    ("field missing", Place::Test, |world, name, rng| {
        let field = world.fields(name)[0].clone();
        plant_missing(world, name, rng, &field)
    }),
    ("extra field", Place::Test, plant_extra),
    ("empty field", Place::Test, plant_empty),
    ("number for text", Place::Test, plant_number),
    ("item is a list", Place::Test, plant_list),
    ("item taken out", Place::Test, plant_missing_item),
    ("item put in", Place::Test, plant_extra_item),
    ("text in another language", Place::Test, plant_language),
    ("file in another language", Place::Test, plant_file_language),
    ("English text", Place::Test, plant_copy),
    ("nearly English text", Place::Latin, plant_near_copy),
    ("sentence added", Place::Sentences, plant_sentence),
    ("sentence dropped", Place::Sentences, plant_dropped),
    ("text repeated", Place::Test, plant_repetition),
    ("text cut", Place::Test, plant_cut),
    ("U+FFFD", Place::Test, |w, n, r| {
        plant_characters(w, n, r, |t| cut_in(t, "\u{fffd}"))
    }),
    ("mojibake", Place::Test, |w, n, r| {
        plant_characters(w, n, r, |t| cut_in(t, "cafÃ©"))
    }),
    ("own mojibake", Place::Test, |w, n, r| {
        plant_characters(w, n, r, decode_wrongly)
    }),
    ("entity", Place::Test, |w, n, r| {
        plant_characters(w, n, r, |t| cut_in(t, "&quot;"))
    }),
    ("numbered entity", Place::Test, |w, n, r| {
        plant_characters(w, n, r, |t| cut_in(t, "&#39;"))
    }),
    ("markup", Place::Test, |w, n, r| {
        plant_characters(w, n, r, |t| cut_in(t, "<br/>"))
    }),
    ("control character", Place::Test, |w, n, r| {
        plant_characters(w, n, r, |t| cut_in(t, "\u{1b}"))
    }),
    ("zero-width space", Place::Test, |w, n, r| {
        plant_characters(w, n, r, |t| cut_in(t, "\u{200b}"))
    }),
    ("number changed", Place::Test, |w, n, r| {
        plant_undressed(w, n, r, 0, Kind::Numbers)
    }),
    ("name dropped", Place::Sounds, |w, n, r| {
        plant_undressed(w, n, r, 1, Kind::Names)
    }),
    ("quotation marks dropped", Place::Test, |w, n, r| {
        plant_undressed(w, n, r, 2, Kind::Quotation)
    }),
    ("question twice", Place::Test, plant_duplicate),
    ("no JSON", Place::Test, plant_no_json),
    ("no UTF-8", Place::Test, plant_no_utf8),
    ("wrong instruction", Place::Pairs, plant_instruction),
    ("answer in a pair", Place::Pairs, plant_answer),
    ("pair with a wrong header", Place::Pairs, plant_header),
    ("pair untranslated", Place::Pairs, plant_pair_copy),
    ("pair without answer", Place::Pairs, |world, name, rng| {
        plant_missing(world, name, rng, "answer")
    }),
];

pub(crate) fn any_item(world: &World, name: &str, rng: &mut ChaCha8Rng) -> usize {
    rng.random_range(0..world.len(name))
}

/// One that is not dressed.
fn plain_item(world: &World, name: &str, rng: &mut ChaCha8Rng) -> usize {
    rng.random_range(DRESSED.end..world.len(name))
}

fn any_field(world: &World, name: &str, rng: &mut ChaCha8Rng) -> String {
    world.fields(name).choose(rng).expect("a field").clone()
}

/// The distinct golds of a file, in the order of their first item.
fn golds(world: &World, name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for item in 0..world.len(name) {
        let word = world.text(name, item, "answer");
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words
}

/// Changes the golds of `items`; returns those that changed.
fn relabel(
    world: &mut World,
    name: &str,
    items: std::ops::Range<usize>,
    to: impl Fn(&str) -> String,
) -> Vec<usize> {
    let mut changed = Vec::new();
    for item in items {
        let old = world.text(name, item, "answer");
        if to(&old) != old {
            world.set(name, item, "answer", to(&old));
            changed.push(item);
        }
    }
    changed
}

fn plant_label_word(world: &mut World, name: &str, rng: &mut ChaCha8Rng) -> (Kind, Vec<usize>) {
    let old = golds(world, name).choose(rng).expect("a gold").clone();
    let all = 0..world.len(name);
    (
        Kind::LabelWords,
        relabel(world, name, all, |gold| {
            if gold == old {
                "xyz".to_owned()
            } else {
                gold.to_owned()
            }
        }),
    )
}

fn plant_label_space(world: &mut World, name: &str, rng: &mut ChaCha8Rng) -> (Kind, Vec<usize>) {
    let item = any_item(world, name, rng);
    let gold = world.text(name, item, "answer");
    world.set(name, item, "answer", gold + " ");
    (Kind::LabelWords, vec![item])
}

fn exchange(
    world: &mut World,
    name: &str,
    rng: &mut ChaCha8Rng,
    items: std::ops::Range<usize>,
) -> (Kind, Vec<usize>) {
    let words = golds(world, name);
    let mut pair = words.sample(rng, 2);
    let (one, other) = (
        pair.next().expect("two").clone(),
        pair.next().expect("two").clone(),
    );
    let to = |gold: &str| match gold {
        gold if gold == one => other.clone(),
        gold if gold == other => one.clone(),
        gold => gold.to_owned(),
    };
    (Kind::LabelOrder, relabel(world, name, items, to))
}

fn plant_exchange(world: &mut World, name: &str, rng: &mut ChaCha8Rng) -> (Kind, Vec<usize>) {
    let all = 0..world.len(name);
    exchange(world, name, rng, all)
}

fn plant_stretch(world: &mut World, name: &str, rng: &mut ChaCha8Rng) -> (Kind, Vec<usize>) {
    let start = rng.random_range(0..world.len(name) - 14);
    let (kind, changed) = exchange(world, name, rng, start..start + 14);
    (kind, changed)
}

fn plant_cycle(world: &mut World, name: &str, _: &mut ChaCha8Rng) -> (Kind, Vec<usize>) {
    let words = golds(world, name);
    let next = |gold: &str| {
        let at = words.iter().position(|word| word == gold).expect("known");
        words[(at + 1) % words.len()].clone()
    };
    let all = 0..world.len(name);
    (Kind::LabelOrder, relabel(world, name, all, next))
}

fn plant_gold(world: &mut World, name: &str, rng: &mut ChaCha8Rng) -> (Kind, Vec<usize>) {
    let item = any_item(world, name, rng);
    let words = golds(world, name);
    let to = |gold: &str| {
        words
            .iter()
            .find(|word| *word != gold)
            .expect("another")
            .clone()
    };
    (Kind::LabelOrder, relabel(world, name, item..item + 1, to))
}

fn plant_one_label(world: &mut World, name: &str, rng: &mut ChaCha8Rng) -> (Kind, Vec<usize>) {
    let word = golds(world, name).choose(rng).expect("a gold").clone();
    let all = 0..world.len(name);
    relabel(world, name, all, |_| word.clone());
    (Kind::ClassBalance, Vec::new())
}

fn plant_missing(
    world: &mut World,
    name: &str,
    rng: &mut ChaCha8Rng,
    key: &str,
) -> (Kind, Vec<usize>) {
    let item = any_item(world, name, rng);
    let items = world.files.get_mut(name).expect("a file");
    items[item]
        .as_object_mut()
        .expect("an object")
        .shift_remove(key);
    (Kind::MissingField, vec![item])
}

fn plant_extra(world: &mut World, name: &str, rng: &mut ChaCha8Rng) -> (Kind, Vec<usize>) {
    let item = any_item(world, name, rng);
    world.set(name, item, "id", "17");
    (Kind::ExtraField, vec![item])
}

fn plant_empty(world: &mut World, name: &str, rng: &mut ChaCha8Rng) -> (Kind, Vec<usize>) {
    let (item, field) = (any_item(world, name, rng), any_field(world, name, rng));
    world.set(name, item, &field, " \n");
    (Kind::EmptyField, vec![item])
}

fn plant_number(world: &mut World, name: &str, rng: &mut ChaCha8Rng) -> (Kind, Vec<usize>) {
    let (item, field) = (any_item(world, name, rng), any_field(world, name, rng));
    world.files.get_mut(name).expect("a file")[item][&field] = json!(3);
    (Kind::FieldType, vec![item])
}

fn plant_list(world: &mut World, name: &str, rng: &mut ChaCha8Rng) -> (Kind, Vec<usize>) {
    let item = any_item(world, name, rng);
    world.files.get_mut(name).expect("a file")[item] = json!(["a", "b"]);
    (Kind::FieldType, vec![item])
}

fn plant_missing_item(world: &mut World, name: &str, rng: &mut ChaCha8Rng) -> (Kind, Vec<usize>) {
    let item = any_item(world, name, rng);
    world.files.get_mut(name).expect("a file").remove(item);
    (Kind::ItemCount, vec![item])
}

fn plant_extra_item(world: &mut World, name: &str, rng: &mut ChaCha8Rng) -> (Kind, Vec<usize>) {
    let (item, from) = (any_item(world, name, rng), any_item(world, name, rng));
    let mut extra = world.files[name][from].clone();
    for field in world.fields(name) {
        extra[&field] = json!(format!("{0} 777 {0}", world.text(name, from, &field)));
    }
    world
        .files
        .get_mut(name)
        .expect("a file")
        .insert(item, extra);
    (Kind::ItemCount, vec![item])
}

/// Of a language that no close one is confused with.
fn far_language(name: &str) -> &'static str {
    match language_of(name).as_str() {
        "fr" | "es" | "it" => "pl",
        _ => "fr",
    }
}

fn plant_language(world: &mut World, name: &str, rng: &mut ChaCha8Rng) -> (Kind, Vec<usize>) {
    let item = plain_item(world, name, rng);
    let other = world.other(name, far_language(name));
    for field in world.fields(name) {
        let text = world.text(&other, item, &field);
        world.set(name, item, &field, text);
    }
    (Kind::Language, vec![item])
}

fn plant_file_language(world: &mut World, name: &str, _: &mut ChaCha8Rng) -> (Kind, Vec<usize>) {
    let other = world.other(name, far_language(name));
    for item in 0..world.len(name) {
        for field in world.fields(name) {
            let text = world.text(&other, item, &field);
            world.set(name, item, &field, text);
        }
    }
    (Kind::Language, Vec::new())
}

fn plant_copy(world: &mut World, name: &str, rng: &mut ChaCha8Rng) -> (Kind, Vec<usize>) {
    let (item, field) = (any_item(world, name, rng), any_field(world, name, rng));
    let text = world.text(&world.other(name, "en"), item, &field);
    world.set(name, item, &field, text);
    (Kind::Untranslated, vec![item])
}

fn plant_near_copy(world: &mut World, name: &str, rng: &mut ChaCha8Rng) -> (Kind, Vec<usize>) {
    let field = world.fields(name)[0].clone();
    let english = world.other(name, "en");
    let long: Vec<usize> = (0..world.len(name))
        .filter(|&item| world.text(&english, item, &field).split(' ').count() > 9)
        .collect();
    let item = *long.choose(rng).expect("a long one");
    let text = world.text(&english, item, &field);
    let (rest, _) = text.rsplit_once(' ').expect("words");
    world.set(name, item, &field, format!("{rest} xyz"));
    (Kind::Untranslated, vec![item])
}

fn plant_sentence(world: &mut World, name: &str, rng: &mut ChaCha8Rng) -> (Kind, Vec<usize>) {
    let item = plain_item(world, name, rng);
    let field = world.fields(name)[0].clone();
    let more = world.text(name, (item + 7) % world.len(name), &field);
    let text = world.text(name, item, &field);
    world.set(name, item, &field, format!("{text} {more}"));
    (Kind::Sentences, vec![item])
}

/// Every language says two sentences, the broken one says the first.
fn plant_dropped(world: &mut World, name: &str, rng: &mut ChaCha8Rng) -> (Kind, Vec<usize>) {
    let item = plain_item(world, name, rng);
    let field = world.fields(name)[0].clone();
    let english = world.other(name, "en");
    let more = (item + 7) % world.len(name);
    let text = format!(
        "{} {}",
        world.text(&english, item, &field),
        world.text(&english, more, &field)
    );
    let group = format!(
        "{}_",
        name.rsplit_once('_')
            .expect("a name")
            .0
            .rsplit_once('_')
            .expect("a name")
            .0
    );
    for other in world
        .tests()
        .into_iter()
        .filter(|other| other.starts_with(&group) && other != name)
    {
        let own = format!(
            "{} {}",
            world.text(&other, item, &field),
            world.text(&other, more, &field)
        );
        world.set(&other, item, &field, own);
    }
    world.set(&english, item, &field, text);
    (Kind::Sentences, vec![item])
}

fn plant_repetition(world: &mut World, name: &str, rng: &mut ChaCha8Rng) -> (Kind, Vec<usize>) {
    let item = plain_item(world, name, rng);
    let field = world.fields(name)[0].clone();
    let text = world.text(name, item, &field);
    world.set(name, item, &field, [text.as_str(); 5].join(" "));
    (Kind::LengthRatio, vec![item])
}

fn plant_cut(world: &mut World, name: &str, rng: &mut ChaCha8Rng) -> (Kind, Vec<usize>) {
    let english = world.other(name, "en");
    let field = world.fields(name)[0].clone();
    let long: Vec<usize> = (0..world.len(name))
        .filter(|&item| world.text(&english, item, &field).chars().count() > 40)
        .collect();
    let item = *long.choose(rng).expect("a long one");
    let text: String = world.text(name, item, &field).chars().take(3).collect();
    world.set(name, item, &field, text);
    (Kind::LengthRatio, vec![item])
}

fn plant_characters(
    world: &mut World,
    name: &str,
    rng: &mut ChaCha8Rng,
    change: fn(&str) -> String,
) -> (Kind, Vec<usize>) {
    let (item, field) = (any_item(world, name, rng), any_field(world, name, rng));
    let text = change(&world.text(name, item, &field));
    world.set(name, item, &field, text);
    (Kind::Characters, vec![item])
}

fn cut_in(text: &str, what: &str) -> String {
    let middle = text
        .char_indices()
        .nth(text.chars().count() / 2)
        .expect("a middle")
        .0;
    format!("{}{what}{}", &text[..middle], &text[middle..])
}

/// A word's bytes read as Latin-1; a word that has other bytes is put in front.
fn decode_wrongly(text: &str) -> String {
    let wrong = |word: &str| word.bytes().map(char::from).collect::<String>();
    let word = text
        .split(' ')
        .find(|word| word.chars().any(char::is_alphabetic) && !word.is_ascii())
        .unwrap_or("naïf");
    format!("{} {text}", wrong(word))
}

/// Takes one of the things out that a dressed item holds in every language.
fn plant_undressed(
    world: &mut World,
    name: &str,
    rng: &mut ChaCha8Rng,
    which: usize,
    kind: Kind,
) -> (Kind, Vec<usize>) {
    let item = rng.random_range(DRESSED);
    let field = world.fields(name)[0].clone();
    let thing = &dress(&language_of(name), item)[which];
    let other = ["12", "", "abc"][which];
    let text = world.text(name, item, &field);
    assert!(text.contains(thing), "{text}");
    world.set(name, item, &field, text.replace(thing, other));
    (kind, vec![item])
}

fn plant_duplicate(world: &mut World, name: &str, rng: &mut ChaCha8Rng) -> (Kind, Vec<usize>) {
    let item = rng.random_range(1..world.len(name));
    let from = rng.random_range(0..item);
    for field in world.fields(name) {
        let text = world.text(name, from, &field);
        world.set(name, item, &field, text);
    }
    (Kind::Duplicates, vec![item])
}
