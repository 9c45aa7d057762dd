//! Every pooling at every layer: what it is, and that nothing else changes a bit of it.

use std::fs;

use candle_core::Tensor;
use model::{Decoder, Rows};
use rayon::ThreadPoolBuilder;
use schema::inside::Pooling;

use super::*;

/// Residual streams (tokens, E) of a whole prompt run alone, one a layer.
fn streams(model: &Decoder, ids: &[u32]) -> Vec<Vec<Vec<f32>>> {
    let mut found = Vec::new();
    let keep = &mut |_, x: &Tensor| {
        found.push(x.to_vec2().expect("rows"));
        Ok(())
    };
    model
        .walk(ids, &Rows::new([ids.len()], 0), None, keep)
        .expect("walks");
    found
}

/// A pooling as it is defined, of all rows of a prompt whose question is between what all begin
/// and end with.
fn pool_naively(pooling: Pooling, rows: &[Vec<f32>]) -> Vec<f64> {
    let question = &rows[EXEMPLARS.len()..rows.len() - CLOSING.len()];
    let (rows, weights): (&[Vec<f32>], Vec<f64>) = match pooling {
        Pooling::All => (rows, vec![1.0; rows.len()]),
        Pooling::Question => (question, vec![1.0; question.len()]),
        Pooling::Weighted => (
            question,
            (1..=question.len()).map(|place| place as f64).collect(),
        ),
        Pooling::Last => (&rows[rows.len() - 1..], vec![1.0]),
    };
    let weighted = |column: usize| {
        rows.iter()
            .zip(&weights)
            .map(move |(row, weight)| weight * f64::from(row[column]))
    };
    (0..rows[0].len())
        .map(|column| weighted(column).sum::<f64>() / weights.iter().sum::<f64>())
        .collect()
}

#[test]
fn every_pooling_at_every_layer_is_that_of_a_naive_loop() {
    for name in NAMES {
        let model = load(name);
        let prompts = prompts(&QUESTIONS);
        let (_folder, file) = captured(&model, &prompts, 150);
        let states = StateFile::open(&file).expect("opens");
        assert_eq!(
            (states.layers(), states.width(), states.poolings()),
            (4, 48, Pooling::ALL.to_vec())
        );
        for item in 0..prompts.len() {
            let streams = streams(&model, &prompts.ids(item));
            for (&(pooling, layer), values) in &all_values(&states) {
                let found = &values[item * 48..][..48];
                let expected = pool_naively(pooling, &streams[layer]);
                assert_near(
                    found,
                    &expected,
                    1e-5,
                    &format!("{name}, {pooling}, layer {layer}, item {item}"),
                );
                let rounded: Vec<f32> = expected.iter().map(|value| *value as f32).collect();
                assert_eq!(
                    bits(found),
                    bits(&rounded),
                    "{name}, {pooling}, layer {layer}, item {item}: to the bit"
                );
            }
        }
    }
}

#[test]
fn states_are_those_of_transformers() {
    let reference = reference();
    let of = |key: &str| reference[key].as_str().expect("a text").to_owned();
    let texts: Vec<String> = reference["texts"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|t| t.as_str().expect("a text").to_owned())
        .collect();
    let mut rendered = render(&["", "", ""]);
    rendered.few_shot = of("few_shot");
    rendered
        .prompts
        .iter_mut()
        .zip(texts)
        .for_each(|(prompt, text)| prompt.text = text);
    let prompts = encode(&tokenizer(), &rendered, None).expect("encodes");
    assert_eq!(
        prompts.prefix(),
        of("few_shot").bytes().map(u32::from).collect::<Vec<_>>()
    );
    for name in NAMES {
        let (_folder, file) = captured(&load(name), &prompts, 64);
        for ((pooling, layer), values) in all_values(&StateFile::open(&file).expect("opens")) {
            for item in 0..3 {
                let expected =
                    numbers(&reference["models"][name][pooling.to_string()][item][layer]);
                let place = format!("{name}, {pooling}, layer {layer}, item {item}");
                assert_near(&values[item * 48..][..48], &expected, ROUNDING, &place);
            }
        }
    }
}

#[test]
fn batches_and_threads_change_no_byte_of_a_file() {
    for name in NAMES {
        let model = load(name);
        let prompts = prompts(&QUESTIONS);
        let (_folder, file) = captured(&model, &prompts, 2048);
        let expected = fs::read(file).expect("reads");
        for (tokens, threads) in [(1, 1), (30, 2), (64, 3), (100, 1), (2048, 3)] {
            let pool = ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .expect("a pool");
            let (_folder, file) = pool.install(|| captured(&model, &prompts, tokens));
            assert!(
                fs::read(file).expect("reads") == expected,
                "{name}: {tokens} tokens at once, {threads} threads"
            );
        }
    }
}

/// Rows of an item's states, one for each pooling and layer.
fn rows_of(states: &StateFile, item: usize) -> Vec<Vec<u32>> {
    all_values(states)
        .values()
        .map(|values| bits(&values[item * 48..][..48]))
        .collect()
}

#[test]
fn order_and_company_change_no_bit_of_a_state() {
    let model = load("tiny_mistral");
    let all = prompts(&QUESTIONS);
    let (_folder, file) = captured(&model, &all, 100);
    let expected = StateFile::open(&file).expect("opens");
    assert_eq!(
        rows_of(&expected, 0),
        rows_of(&expected, 6),
        "the same question"
    );
    assert_ne!(rows_of(&expected, 0), rows_of(&expected, 2));

    let mut turned = render(&QUESTIONS);
    turned.prompts.reverse();
    let turned = encode(&tokenizer(), &turned, None).expect("encodes");
    let (_folder, file) = captured(&model, &turned, 100);
    let states = StateFile::open(&file).expect("opens");
    assert_eq!(states.items, [9, 8, 7, 6, 5, 4, 3, 2]);
    for item in 0..QUESTIONS.len() {
        assert_eq!(
            rows_of(&states, 7 - item),
            rows_of(&expected, item),
            "item {item} in another order"
        );
    }

    for limit in [3, 1] {
        let first = encode(&tokenizer(), &render(&QUESTIONS), Some(limit)).expect("encodes");
        assert_eq!(
            (first.prefix(), first.question(0)),
            (all.prefix(), all.question(0)),
            "those of the whole file"
        );
        let (_folder, file) = captured(&model, &first, 100);
        let states = StateFile::open(&file).expect("opens");
        assert_eq!(
            (&states.items[..], &states.tokens[..]),
            (&[2, 3, 4][..limit], &expected.tokens[..limit])
        );
        for item in 0..limit {
            assert_eq!(
                rows_of(&states, item),
                rows_of(&expected, item),
                "item {item} of the first {limit}"
            );
        }
    }
}

#[test]
fn a_pooling_alone_is_what_it_is_beside_others() {
    let model = load("tiny_qwen2");
    let prompts = prompts(&QUESTIONS);
    let (_all, file) = captured(&model, &prompts, 300);
    let expected = all_values(&StateFile::open(&file).expect("opens"));
    for &pooling in Pooling::ALL {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("one.safetensors");
        super::super::capture_language(
            &model,
            &prompts,
            &[pooling],
            &file,
            about(),
            &mut |_, _| true,
        )
        .expect("captures");
        let states = StateFile::open(&file).expect("opens");
        assert_eq!(states.poolings(), [pooling]);
        for layer in 0..4 {
            assert_eq!(
                bits(&states.layer(pooling, layer).expect("reads")),
                bits(&expected[&(pooling, layer)])
            );
        }
        let other = Pooling::ALL
            .iter()
            .find(|other| **other != pooling)
            .expect("four");
        let message = states.layer(*other, 0).expect_err("not there").to_string();
        assert!(
            message.contains(&format!("pooling `{other}`")) && message.contains("capture it again"),
            "{message}"
        );
    }
}

#[test]
fn prompts_are_a_prefix_a_question_and_an_ending() {
    let prompts = prompts(&QUESTIONS);
    let bytes = |text: &str| text.bytes().map(u32::from).collect::<Vec<u32>>();
    assert_eq!(prompts.prefix(), bytes(EXEMPLARS));
    for (at, question) in QUESTIONS.iter().enumerate() {
        assert_eq!(
            prompts.suffix(at),
            bytes(&format!("{question}{CLOSING}")),
            "{question}"
        );
        assert_eq!(
            prompts.suffix(at)[prompts.question(at)],
            bytes(question),
            "{question}"
        );
        assert_eq!(
            prompts.ids(at),
            bytes(&format!("{EXEMPLARS}{question}{CLOSING}")),
            "{question}"
        );
        assert_eq!(
            prompts.tokens()[at],
            EXEMPLARS.len() + question.len() + CLOSING.len()
        );
    }
    assert_eq!(
        (prompts.items(), prompts.golds()),
        (&[2, 3, 4, 5, 6, 7, 8, 9][..], &[0, 1, 0, 1, 0, 1, 0, 1][..])
    );
    let mut batches: Vec<usize> = prompts.batches(60).concat();
    batches.sort_unstable();
    assert_eq!(batches, (0..8).collect::<Vec<_>>());
    assert!(prompts.batches(60).len() > 1);
}

#[test]
fn prompts_that_do_not_differ_still_have_a_question() {
    // The prefix leaves each prompt its last token, which is then all that a question can be.
    let alone = prompts(&["Die Sonne scheint"]);
    assert_eq!((alone.suffix(0).len(), alone.question(0)), (1, 0..1));
    let same = prompts(&["Öl", "Öl"]);
    assert_eq!((same.suffix(1), same.question(1)), (same.suffix(0), 0..1));
    // One is what all begin and end with: its question is the rest but the last token.
    let empty = prompts(&["", "Öl"]);
    assert_eq!(
        (empty.question(0), empty.question(1)),
        (0..CLOSING.len() - 1, 0.."Öl".len())
    );
    let (_folder, file) = captured(&load("tiny_llama"), &empty, 100);
    let states = StateFile::open(&file).expect("opens");
    assert!(
        states
            .layer(Pooling::Weighted, 3)
            .expect("reads")
            .iter()
            .all(|value| *value != 0.0)
    );
}

#[test]
fn prompts_that_cannot_be_captured() {
    let refused = |rendered: &Rendered, limit| {
        encode(&tokenizer(), rendered, limit)
            .expect_err("refused")
            .to_string()
    };
    assert_eq!(
        refused(&render(&[]), None),
        "the test set in de has no rows"
    );
    assert_eq!(
        refused(&render(&QUESTIONS), Some(0)),
        "the test set in de has no rows"
    );
    let mut bare = render(&QUESTIONS);
    bare.prompts[1].text.clear();
    assert_eq!(
        refused(&bare, None),
        "item 3 in de: its prompt has no tokens"
    );
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("none.safetensors");
    let none = super::super::capture_language(
        &load("tiny_llama"),
        &prompts(&QUESTIONS),
        &[],
        &file,
        about(),
        &mut |_, _| true,
    );
    assert!(
        none.expect_err("no poolings")
            .to_string()
            .ends_with("none.safetensors: no poolings are asked for")
    );
    assert_eq!(
        fs::read_dir(folder.path()).expect("lists").count(),
        0,
        "nothing is begun"
    );
}
