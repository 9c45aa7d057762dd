//! Ways to break a file as a whole, and files of translation pairs.

use rand_chacha::ChaCha8Rng;
use schema::finding::Kind;

use crate::{defects::any_item, world::World};

pub(crate) fn plant_no_json(
    world: &mut World,
    name: &str,
    _: &mut ChaCha8Rng,
) -> (Kind, Vec<usize>) {
    let items = world.files.remove(name).expect("a file");
    let text = serde_json::to_string_pretty(&items).expect("JSON");
    world.raw.insert(
        name.to_owned(),
        text.replacen("\": \"", "\" \"", 1).into_bytes(),
    );
    (Kind::Syntax, Vec::new())
}

pub(crate) fn plant_no_utf8(
    world: &mut World,
    name: &str,
    _: &mut ChaCha8Rng,
) -> (Kind, Vec<usize>) {
    let items = world.files.remove(name).expect("a file");
    let mut bytes = serde_json::to_vec_pretty(&items).expect("JSON");
    bytes.insert(40, 0xff);
    world.raw.insert(name.to_owned(), bytes);
    (Kind::Syntax, Vec::new())
}

pub(crate) fn plant_instruction(
    world: &mut World,
    name: &str,
    rng: &mut ChaCha8Rng,
) -> (Kind, Vec<usize>) {
    let item = any_item(world, name, rng);
    let text = world
        .text(name, item, "input")
        .replace("Translate the input from", "Translate the input out of");
    world.set(name, item, "input", text);
    (Kind::Template, vec![item])
}

pub(crate) fn plant_answer(
    world: &mut World,
    name: &str,
    rng: &mut ChaCha8Rng,
) -> (Kind, Vec<usize>) {
    let item = any_item(world, name, rng);
    let text = world.text(name, item, "answer") + "positive\"";
    world.set(name, item, "answer", text);
    (Kind::Template, vec![item])
}

pub(crate) fn plant_header(
    world: &mut World,
    name: &str,
    rng: &mut ChaCha8Rng,
) -> (Kind, Vec<usize>) {
    let item = any_item(world, name, rng);
    let text = world
        .text(name, item, "answer")
        .replace("Emotion", "Feeling");
    world.set(name, item, "answer", text);
    (Kind::Template, vec![item])
}

pub(crate) fn plant_pair_copy(
    world: &mut World,
    name: &str,
    rng: &mut ChaCha8Rng,
) -> (Kind, Vec<usize>) {
    let item = any_item(world, name, rng);
    let english = world.text(name, item, "answer");
    let (question, _) = english.split_once("\nEmotion").expect("a header");
    let input = world.text(name, item, "input");
    let (_, rest) = input.split_once('\n').expect("a header");
    world.set(name, item, "input", format!("{question}\n{rest}"));
    (Kind::Untranslated, vec![item])
}
