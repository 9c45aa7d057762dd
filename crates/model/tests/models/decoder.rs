//! Laws of the decoder: caches, branches, batches, threads, adapters, windows, number formats.

use model::{Decoder, Layer, ModelError, Parent, Rows, generate};
use schema::task::Precision;

use super::{
    NAMES, bits, distance, folder, golden, ids, load, logits, random_adapter, try_load, values,
    whole,
};

#[test]
fn prefix_and_suffix_are_the_whole() {
    for name in NAMES {
        let model = load(name);
        let input_ids = ids(90, 1);
        let all = whole(&model, &input_ids);
        // About the window of 16 of tiny_mistral, and far past it.
        for prefix in [1, 15, 16, 17, 60, 89] {
            let (cache, hidden) = model.prefill(&input_ids[..prefix], None).expect("prefills");
            assert_eq!(cache.len(), prefix);
            let got = values(&model.logits(&hidden).expect("logits"));
            assert_eq!(
                bits(&got),
                bits(&all[..prefix]),
                "{name}, {prefix} of the prefix"
            );
            let got = logits(
                &model,
                &input_ids[prefix..],
                &Rows::new([90 - prefix], prefix),
                Some(&cache),
            );
            assert_eq!(
                bits(&got),
                bits(&all[prefix..]),
                "{name}, after a prefix of {prefix}"
            );
        }
    }
}

#[test]
fn prefill_in_parts_is_prefill_at_once() {
    for name in NAMES {
        let model = load(name);
        let input_ids = ids(61, 2);
        let (first, _) = model.prefill(&input_ids[..20], None).expect("prefills");
        let (second, _) = model
            .prefill(&input_ids[20..50], Some(&first))
            .expect("prefills");
        let (once, _) = model.prefill(&input_ids[..50], None).expect("prefills");
        assert_eq!((first.len(), second.len(), once.len()), (20, 50, 50));
        let rows = Rows::new([11], 50);
        let (got, want) = (
            logits(&model, &input_ids[50..], &rows, Some(&second)),
            logits(&model, &input_ids[50..], &rows, Some(&once)),
        );
        assert_eq!(bits(&got), bits(&want), "{name}");
        // The shorter cache is a value of its own: appending did not change it.
        let rows = Rows::new([30], 20);
        let again = logits(&model, &input_ids[20..50], &rows, Some(&first));
        assert_eq!(
            bits(&again),
            bits(&whole(&model, &input_ids[..50])[20..]),
            "{name}"
        );
    }
}

#[test]
fn greedy_is_the_argmax_of_the_whole_again_and_again() {
    for name in NAMES {
        let model = load(name);
        let mut input_ids = ids(12, 3);
        let mut seen = Vec::new();
        let made = generate::greedy(&model, &input_ids, 24, |_| false, &mut |id| seen.push(id))
            .expect("generates");
        assert_eq!(seen, made);
        for &id in &made {
            let all = whole(&model, &input_ids);
            let last = &all[all.len() - 1];
            let best = last
                .iter()
                .enumerate()
                .max_by(|a, b| a.1.total_cmp(b.1))
                .expect("logits")
                .0;
            assert_eq!(id, best as u32, "{name} after {} tokens", input_ids.len());
            input_ids.push(id);
        }
        assert_eq!(made.len(), 24);
        let stop = made[3];
        let short = generate::greedy(&model, &ids(12, 3), 24, |id| id == stop, &mut |_| ())
            .expect("generates");
        let until = made.iter().position(|&id| id == stop).expect("was made");
        assert_eq!(
            short,
            made[..until],
            "the stop token is not part of the result"
        );
    }
    let error = generate::greedy(&load("tiny_llama"), &[], 3, |_| false, &mut |_| ())
        .expect_err("no prompt");
    assert_eq!(error.to_string(), "the prompt has no tokens");
}

#[test]
fn texts_side_by_side_go_on_as_each_alone() {
    for name in NAMES {
        let mut model = load(name);
        // Beyond a block of positions, and within one.
        let texts: Vec<Vec<u32>> = [(12, 3), (70, 5), (1, 9), (63, 7), (12, 3)]
            .map(|(length, seed)| ids(length, seed))
            .into();
        for tuned in [false, true] {
            let adapter = random_adapter(&model, 3, 7.0, 5);
            model.set_adapter(tuned.then_some(&adapter)).expect("fits");
            let alone: Vec<Vec<u32>> = texts
                .iter()
                .map(|text| {
                    let stop = |id: u32| id.is_multiple_of(17);
                    generate::greedy(&model, text, 20, stop, &mut |_| ()).expect("generates")
                })
                .collect();
            let lengths: std::collections::BTreeSet<usize> = alone.iter().map(Vec::len).collect();
            assert!(
                lengths.len() > 1,
                "{name}: they end at different times: {lengths:?}"
            );
            let texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
            let made =
                generate::greedy_each(&model, &texts, 20, &mut |_, id| id.is_multiple_of(17))
                    .expect("generates");
            assert_eq!(made, alone, "{name}");
        }
        let states = |texts: &[&[u32]]| {
            let (mut caches, first) = model.prefill_each(texts).expect("prefills");
            let next: Vec<u32> = (0..texts.len() as u32).map(|_| 5).collect();
            let second = model.extend_each(&next, &mut caches).expect("extends");
            [first, second].map(|rows| rows.to_vec2::<f32>().expect("rows"))
        };
        let texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
        let together = states(&texts);
        for (at, text) in texts.iter().enumerate() {
            let alone = states(&[text]);
            for (together, alone) in together.iter().zip(&alone) {
                assert_eq!(together[at], alone[0], "{name}: text {at}");
            }
            let whole = [*text, &[5]].concat();
            let (_, hidden) = model.prefill(&whole, None).expect("prefills");
            let last = hidden.to_vec2::<f32>().expect("rows").pop().expect("a row");
            assert_eq!(together[1][at], last, "{name}: text {at} at once");
        }
    }
}

#[test]
fn removing_the_adapter_restores_the_base_exactly() {
    for name in NAMES {
        let mut model = load(name);
        let input_ids = ids(30, 4);
        let base = whole(&model, &input_ids);
        let adapter = random_adapter(&model, 3, 7.0, 5);
        model.set_adapter(Some(&adapter)).expect("fits");
        let tuned = whole(&model, &input_ids);
        assert!(
            distance(&tuned, &base) > 0.1,
            "{name}: the adapter does something"
        );
        model.set_adapter(None).expect("removes");
        assert_eq!(bits(&whole(&model, &input_ids)), bits(&base), "{name}");
        model.set_adapter(Some(&adapter)).expect("fits");
        assert_eq!(bits(&whole(&model, &input_ids)), bits(&tuned), "{name}");
    }
}

/// The window is a property of the layer: with one as long as the input, tiny_mistral is a
/// model without a window.
#[test]
fn the_window_cuts_what_it_says() {
    let files = golden("tiny_mistral");
    let text = std::fs::read_to_string(files.join("config.json")).expect("config");
    let with_window = |window: &str| -> Decoder {
        let dir = tempfile::tempdir().expect("a folder");
        let changed = text.replace(
            "\"sliding_window\": 16",
            &format!("\"sliding_window\": {window}"),
        );
        assert!(window == "16" || changed != text);
        std::fs::write(dir.path().join("config.json"), changed).expect("writes");
        std::fs::copy(
            files.join("model.safetensors"),
            dir.path().join("model.safetensors"),
        )
        .expect("copies");
        try_load(&folder(dir.path()), Precision::F32).expect("loads")
    };
    let input_ids = ids(70, 6);
    let (sixteen, seventy, none) = (with_window("16"), with_window("70"), with_window("null"));
    let (cut, all) = (whole(&sixteen, &input_ids), whole(&none, &input_ids));
    assert_eq!(bits(&whole(&seventy, &input_ids)), bits(&all));
    assert_eq!(
        bits(&cut[..16]),
        bits(&all[..16]),
        "the first 16 rows see everything before them"
    );
    for (row, (cut, all)) in cut.iter().zip(&all).enumerate().skip(16) {
        let off = distance(std::slice::from_ref(cut), std::slice::from_ref(all));
        assert!(off > 1e-4, "row {row} sees one token less: {off}");
    }
    // A prefix longer than the window, met by rows that see a part of it and by rows that see
    // nothing of it.
    let (cache, _) = sixteen.prefill(&input_ids[..40], None).expect("prefills");
    let got = logits(
        &sixteen,
        &input_ids[40..],
        &Rows::new([30], 40),
        Some(&cache),
    );
    assert_eq!(bits(&got), bits(&cut[40..]));
}

#[test]
fn bf16_is_near_f32_and_the_same_every_time() {
    for name in NAMES {
        let files = folder(&golden(name));
        let input_ids = ids(50, 7);
        let exact = whole(&load(name), &input_ids);
        let half = whole(
            &try_load(&files, Precision::Bf16).expect("loads"),
            &input_ids,
        );
        assert_eq!(
            bits(&half),
            bits(&whole(
                &try_load(&files, Precision::Bf16).expect("loads"),
                &input_ids
            ))
        );
        let norm = |rows: &[Vec<f32>]| {
            rows.iter()
                .flatten()
                .map(|v| f64::from(v * v))
                .sum::<f64>()
                .sqrt()
        };
        let off: Vec<Vec<f32>> = exact
            .iter()
            .zip(&half)
            .map(|(a, b)| a.iter().zip(b).map(|(a, b)| a - b).collect())
            .collect();
        let share = norm(&off) / norm(&exact);
        assert!((1e-5..4e-2).contains(&share), "{name}: {share}");
    }
}

/// A row's bits do not depend on the sequences beside it, on branches, or on the number of
/// threads.
#[test]
fn evaluation_is_bitwise_the_same_in_any_batch() {
    for (name, precision) in [
        ("tiny_llama", Precision::F32),
        ("tiny_mistral", Precision::Bf16),
        ("tiny_qwen2", Precision::F32),
    ] {
        let model = try_load(&folder(&golden(name)), precision).expect("loads");
        let (cache, _) = model.prefill(&ids(35, 8), None).expect("prefills");
        let sequences: Vec<Vec<u32>> = [1, 14, 70, 300, 3]
            .iter()
            .map(|&n| ids(n, n as u64))
            .collect();
        let rows = Rows::new(sequences.iter().map(Vec::len), 35);
        let run = || logits(&model, &sequences.concat(), &rows, Some(&cache));
        let together = run();
        for threads in [1, 2, 5] {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .expect("a pool");
            assert_eq!(
                bits(&pool.install(run)),
                bits(&together),
                "{name} on {threads} threads"
            );
        }
        for (s, sequence) in sequences.iter().enumerate() {
            let alone = logits(
                &model,
                sequence,
                &Rows::new([sequence.len()], 35),
                Some(&cache),
            );
            assert_eq!(
                bits(&alone),
                bits(&together[rows.range(s)]),
                "{name}, sequence {s} alone"
            );
        }
        let mut branched = rows.clone();
        branched
            .branch(
                Parent {
                    sequence: 2,
                    rows: 70,
                },
                4,
            )
            .expect("fits");
        let more: Vec<u32> = [sequences.concat(), ids(4, 9)].concat();
        let with_branch = logits(&model, &more, &branched, Some(&cache));
        assert_eq!(
            bits(&with_branch[..rows.len()]),
            bits(&together),
            "{name} beside a branch"
        );
    }
}

/// A question, what is asked of it, and the answers: each row's bits are those of the whole
/// text run alone.
#[test]
fn a_sequence_of_a_forest_is_bitwise_the_whole_text() {
    for name in NAMES {
        let model = load(name);
        let (prefix, premise, question) = (ids(20, 10), ids(60, 11), ids(25, 16));
        let labels = [ids(1, 12), ids(4, 13), ids(2, 14)];
        let (cache, _) = model.prefill(&prefix, None).expect("prefills");
        let mut rows = Rows::new([60], 20);
        rows.branch(
            Parent {
                sequence: 0,
                rows: 57,
            },
            25,
        )
        .expect("fits");
        for label in &labels {
            rows.branch(
                Parent {
                    sequence: 1,
                    rows: 23,
                },
                label.len(),
            )
            .expect("fits");
        }
        let all = [premise.clone(), question.clone(), labels.concat()].concat();
        let got = logits(&model, &all, &rows, Some(&cache));
        for (s, label) in labels.iter().enumerate() {
            let want = whole(
                &model,
                &[prefix.as_slice(), &premise[..57], &question[..23], label].concat(),
            );
            assert_eq!(
                bits(&got[rows.range(s + 2)]),
                bits(&want[100..]),
                "{name}, branch {s}"
            );
            assert_eq!(
                bits(&got[rows.range(1)][..23]),
                bits(&want[77..100]),
                "{name}, question"
            );
        }
    }
}

#[test]
fn wanted_rows_are_those_of_the_whole() {
    for name in NAMES {
        let model = load(name);
        let (prefix, rest) = (ids(19, 7), ids(40, 8));
        let (cache, _) = model.prefill(&prefix, None).expect("prefills");
        let rows = Rows::new([25, 15], 19);
        let all = model
            .hidden(&rest, &rows, Some(&cache))
            .expect("runs")
            .to_vec2::<f32>()
            .expect("rows");
        // Not in order, and one twice: two questions may end in the same row.
        let wanted = [24u32, 39, 0, 24];
        let got = model
            .hidden_at(&rest, &rows, Some(&cache), &wanted)
            .expect("runs")
            .to_vec2::<f32>()
            .expect("rows");
        let want: Vec<_> = wanted
            .iter()
            .map(|&row| all[row as usize].clone())
            .collect();
        assert_eq!(bits(&got), bits(&want), "{name}");
    }
}

#[test]
fn walk_shows_every_layer_once() {
    let model = load("tiny_llama");
    let input_ids = ids(9, 15);
    let rows = Rows::new([4, 5], 0);
    let mut shown = Vec::new();
    let last = model
        .walk(&input_ids, &rows, None, &mut |layer, x| {
            shown.push((layer, values(x)));
            Ok(())
        })
        .expect("walks");
    let layers: Vec<Layer> = shown.iter().map(|s| s.0).collect();
    assert_eq!(
        layers,
        [
            Layer::Embedding,
            Layer::After(1),
            Layer::After(2),
            Layer::After(3)
        ]
    );
    assert_eq!(bits(&shown[3].1), bits(&values(&last)));
    assert_eq!(
        bits(&values(
            &model.hidden(&input_ids, &rows, None).expect("runs")
        )),
        bits(&values(&last))
    );
    let stopped = model.walk(&input_ids, &rows, None, &mut |_, _| {
        Err(ModelError::Input("enough".into()))
    });
    assert_eq!(stopped.expect_err("stops").to_string(), "enough");
}

#[test]
fn input_that_does_not_fit_is_refused() {
    let model = load("tiny_llama");
    let (cache, _) = model.prefill(&[1, 2, 3], None).expect("prefills");
    let refusal = |input_ids: &[u32], rows: &Rows, cache| {
        model
            .hidden(input_ids, rows, cache)
            .expect_err("refused")
            .to_string()
    };
    let error = refusal(&[1, 257], &Rows::new([2], 0), None);
    assert_eq!(
        error,
        "token id 257 is outside the vocabulary of 257; does the tokenizer belong to this model?"
    );
    assert!(refusal(&[1], &Rows::new([2], 0), None).starts_with("decoder: "));
    assert!(
        refusal(&[1, 2], &Rows::new([2], 2), Some(&cache)).starts_with("decoder: "),
        "a cache of 3 for a prefix of 2"
    );
    assert!(
        refusal(&[1, 2], &Rows::new([2], 3), None).starts_with("decoder: "),
        "no cache"
    );
    assert!(
        refusal(&[], &Rows::new([], 0), None).starts_with("decoder: "),
        "nothing"
    );
    assert!(model.prefill(&[], Some(&cache)).is_err());
    let hidden = model
        .hidden(&[1, 2], &Rows::new([2], 0), None)
        .expect("runs");
    let error = model
        .loss(&hidden, &[0], &[300], true)
        .expect_err("refused")
        .to_string();
    assert_eq!(error, "token id 300 is not in the vocabulary of 257");
    assert!(model.loss(&hidden, &[2], &[3], true).is_err(), "row 2 of 2");
}
