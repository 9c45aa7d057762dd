//! A model read from GGUF is the model of the folder; GGUF files that are damaged or lie are
//! refused, and nothing worse.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use hub::ModelFiles;
use model::Decoder;
use schema::task::Precision;

use super::{
    Random, distance, folder,
    folder::{memory_peak, read_weights, write_folder},
    gguf_writer::{Kind, Meta, Plain, Writer, dequantised, put_weights},
    golden, ids, load, try_load, whole,
};

fn gguf(path: &Path) -> ModelFiles {
    ModelFiles::Gguf {
        path: path.to_owned(),
    }
}

/// Sizes of a model: hidden, mlp, layers, heads, key heads, head size.
struct Sizes {
    architecture: &'static str,
    hidden: u32,
    mlp: u32,
    layers: u32,
    heads: u32,
    key_heads: u32,
    head: u32,
    theta: f32,
    eps: f32,
}

const TINY_LLAMA: Sizes = Sizes {
    architecture: "llama",
    hidden: 48,
    mlp: 80,
    layers: 3,
    heads: 6,
    key_heads: 2,
    head: 8,
    theta: 10_000.0,
    eps: 1e-5,
};
const TINY_QWEN2: Sizes = Sizes {
    architecture: "qwen2",
    theta: 1e6,
    eps: 1e-6,
    ..TINY_LLAMA
};

fn header(sizes: &Sizes) -> Writer {
    let mut writer = Writer::default();
    let a = sizes.architecture;
    writer
        .meta("general.architecture", Meta::Text(a))
        .meta(
            &format!("{a}.embedding_length"),
            Meta::Unsigned(sizes.hidden),
        )
        .meta(
            &format!("{a}.feed_forward_length"),
            Meta::Unsigned(sizes.mlp),
        )
        .meta(&format!("{a}.block_count"), Meta::Unsigned(sizes.layers))
        .meta(
            &format!("{a}.attention.head_count"),
            Meta::Unsigned(sizes.heads),
        )
        .meta(
            &format!("{a}.attention.head_count_kv"),
            Meta::Unsigned(sizes.key_heads),
        )
        .meta(
            &format!("{a}.attention.key_length"),
            Meta::Unsigned(sizes.head),
        )
        .meta(
            &format!("{a}.rope.dimension_count"),
            Meta::Unsigned(sizes.head),
        )
        .meta(&format!("{a}.rope.freq_base"), Meta::Float(sizes.theta))
        .meta(
            &format!("{a}.attention.layer_norm_rms_epsilon"),
            Meta::Float(sizes.eps),
        )
        .meta(&format!("{a}.vocab_size"), Meta::Unsigned(257))
        .meta(&format!("{a}.context_length"), Meta::Unsigned(256));
    writer
}

fn write(dir: &Path, bytes: &[u8]) -> PathBuf {
    let path = dir.join("model.gguf");
    fs::write(&path, bytes).expect("writes");
    path
}

/// The golden model as llama.cpp writes it.
pub(crate) fn tiny_llama() -> Vec<u8> {
    let mut writer = header(&TINY_LLAMA);
    put_weights(
        &mut writer,
        &read_weights(&golden("tiny_llama").join("model.safetensors")),
        Some((6, 2)),
        |_| Kind::F32,
    );
    writer.bytes()
}

#[track_caller]
fn check_equal(got: &Decoder, want: &Decoder, bound: f32) {
    let input_ids = ids(60, 1);
    let off = distance(&whole(got, &input_ids), &whole(want, &input_ids));
    assert!(off < bound, "{off}");
}

#[test]
fn tiny_llama_is_the_folder() {
    let dir = tempfile::tempdir().expect("a folder");
    let model = try_load(&gguf(&write(dir.path(), &tiny_llama())), Precision::F32).expect("loads");
    assert!(
        model.config().tie_word_embeddings,
        "no output.weight: the head is the embedding"
    );
    check_equal(&model, &load("tiny_llama"), 1e-5);
}

/// Rows not in llama.cpp's order, biases, a head of its own.
#[test]
fn tiny_qwen2_is_the_folder() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut writer = header(&TINY_QWEN2);
    put_weights(
        &mut writer,
        &read_weights(&golden("tiny_qwen2").join("model.safetensors")),
        None,
        |_| Kind::F32,
    );
    let model =
        try_load(&gguf(&write(dir.path(), &writer.bytes())), Precision::F32).expect("loads");
    assert!(!model.config().tie_word_embeddings);
    check_equal(&model, &load("tiny_qwen2"), 1e-5);
}

const SMALL: &str = r#"{"model_type": "llama", "vocab_size": 257, "hidden_size": 64, "intermediate_size": 96,
    "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "rms_norm_eps": 1e-5,
    "tie_word_embeddings": true, "rope_theta": 10000.0 ROPE}"#;

/// Random weights whose rows are whole blocks of 32.
fn small_weights() -> BTreeMap<String, Plain> {
    let mut random = Random(5);
    let mut weights = BTreeMap::new();
    let mut put = |name: String, shape: &[usize]| {
        let values = (0..shape.iter().product())
            .map(|_| 0.3 * random.uniform())
            .collect();
        weights.insert(
            name,
            Plain {
                shape: shape.to_vec(),
                values,
            },
        );
    };
    put("model.embed_tokens.weight".into(), &[257, 64]);
    put("model.norm.weight".into(), &[64]);
    for layer in 0..2 {
        for (name, shape) in [
            ("input_layernorm", vec![64]),
            ("post_attention_layernorm", vec![64]),
            ("self_attn.q_proj", vec![64, 64]),
            ("self_attn.k_proj", vec![32, 64]),
            ("self_attn.v_proj", vec![32, 64]),
            ("self_attn.o_proj", vec![64, 64]),
            ("mlp.gate_proj", vec![96, 64]),
            ("mlp.up_proj", vec![96, 64]),
            ("mlp.down_proj", vec![64, 96]),
        ] {
            put(format!("model.layers.{layer}.{name}.weight"), &shape);
        }
    }
    weights
}

fn small_header() -> Writer {
    header(&Sizes {
        hidden: 64,
        mlp: 96,
        layers: 2,
        heads: 4,
        key_heads: 2,
        head: 16,
        ..TINY_LLAMA
    })
}

/// Q8_0 and Q4_0 blocks are the floats that they stand for.
#[test]
fn quantised_blocks_are_their_floats() {
    for kind in [Kind::Q8_0, Kind::Q4_0] {
        let dir = tempfile::tempdir().expect("a folder");
        let weights = small_weights();
        let kind_of = |name: &str| {
            if name.contains("norm") {
                Kind::F32
            } else {
                kind
            }
        };
        let mut writer = small_header();
        put_weights(&mut writer, &weights, Some((4, 2)), kind_of);
        let model =
            try_load(&gguf(&write(dir.path(), &writer.bytes())), Precision::F32).expect("loads");
        let floats = weights
            .iter()
            .map(|(n, t)| (n.clone(), dequantised(t, kind_of(n))))
            .collect();
        write_folder(dir.path(), &SMALL.replace("ROPE", ""), &floats);
        check_equal(
            &model,
            &try_load(&folder(dir.path()), Precision::F32).expect("loads"),
            1e-5,
        );
    }
}

/// GGUF carries llama3's scaling as one divisor per frequency.
#[test]
fn rope_factors_are_llama3_scaling() {
    let dir = tempfile::tempdir().expect("a folder");
    let weights = small_weights();
    let scaling = r#", "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
        "high_freq_factor": 4.0, "original_max_position_embeddings": 64}"#;
    write_folder(dir.path(), &SMALL.replace("ROPE", scaling), &weights);
    let scaled = try_load(&folder(dir.path()), Precision::F32).expect("loads");
    let plain = model::config::Rope {
        theta: 10_000.0,
        scaling: model::config::RopeScaling::None,
    };
    let pairs = plain
        .inverse_frequencies(16)
        .into_iter()
        .zip(scaled.config().rope.inverse_frequencies(16));
    let factors: Vec<f32> = pairs.map(|(plain, scaled)| plain / scaled).collect();
    assert!(
        factors.contains(&1.0) && factors.iter().any(|&f| f > 7.9),
        "{factors:?}"
    );
    let mut writer = small_header();
    put_weights(&mut writer, &weights, Some((4, 2)), |_| Kind::F32);
    writer.tensor(
        "rope_freqs.weight",
        &Plain {
            shape: vec![8],
            values: factors,
        },
        Kind::F32,
    );
    let model =
        try_load(&gguf(&write(dir.path(), &writer.bytes())), Precision::F32).expect("loads");
    check_equal(&model, &scaled, 1e-4);
}

#[track_caller]
fn check_error(bytes: &[u8], parts: &[&str]) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = write(dir.path(), bytes);
    let Err(error) = try_load(&gguf(&path), Precision::F32) else {
        panic!("was not refused: {parts:?}")
    };
    let error = error.to_string();
    assert_eq!(
        error.matches("model.gguf").count(),
        1,
        "the file is named once: {error}"
    );
    assert!(
        !error.contains('\n') && error.len() < 500,
        "one clear message: {error}"
    );
    for part in parts {
        assert!(error.contains(part), "`{part}` is not in: {error}");
    }
}

#[test]
fn metadata_that_lies_is_refused_by_key() {
    let weights = read_weights(&golden("tiny_llama").join("model.safetensors"));
    let with = |change: &dyn Fn(&mut Sizes)| {
        let mut sizes = TINY_LLAMA;
        change(&mut sizes);
        let mut writer = header(&sizes);
        put_weights(&mut writer, &weights, Some((6, 2)), |_| Kind::F32);
        writer.bytes()
    };
    check_error(
        &with(&|s| s.architecture = "gpt2"),
        &[
            "general.architecture",
            "`gpt2`",
            "llama, qwen2, qwen3, gemma",
        ],
    );
    check_error(
        &with(&|s| s.heads = u32::MAX),
        &["num_attention_heads", "4294967295"],
    );
    check_error(
        &with(&|s| s.heads = 0),
        &["num_attention_heads", "0 is not between 1"],
    );
    check_error(
        &with(&|s| s.key_heads = 0),
        &["num_key_value_heads", "0 is not between 1"],
    );
    check_error(
        &with(&|s| s.key_heads = 4),
        &["num_key_value_heads", "4 does not divide 6"],
    );
    check_error(
        &with(&|s| s.layers = u32::MAX),
        &["num_hidden_layers", "4294967295"],
    );
    check_error(
        &with(&|s| s.layers = 4),
        &["`model.layers.3.input_layernorm.weight` is missing"],
    );
    check_error(
        &with(&|s| s.layers = 2),
        &[
            "holds 9 that no part of the configured decoder takes",
            "model.layers.2.",
        ],
    );
    check_error(&with(&|s| s.head = 16), &["q_proj", "[48, 48]", "[96, 48]"]);
    check_error(
        &with(&|s| s.hidden = 1 << 20),
        &["model.embed_tokens.weight", "[257, 48]", "[257, 1048576]"],
    );
    check_error(
        &with(&|s| s.mlp = 81),
        &["gate_proj", "[80, 48]", "[81, 48]"],
    );
    check_error(
        &with(&|s| s.theta = 0.0),
        &["rope_theta", "0 is not above 1"],
    );
    check_error(&with(&|s| s.theta = f32::NAN), &["rope.freq_base"]);
    check_error(
        &with(&|s| s.eps = f32::INFINITY),
        &["layer_norm_rms_epsilon"],
    );
    check_error(
        &with(&|s| s.eps = -1.0),
        &["rms_norm_eps", "-1 is not between"],
    );
}

#[test]
fn tensors_that_do_not_belong_are_refused_by_name() {
    let weights = read_weights(&golden("tiny_llama").join("model.safetensors"));
    let with = |change: &dyn Fn(&mut Writer, &mut BTreeMap<String, Plain>)| {
        let (mut writer, mut weights) = (header(&TINY_LLAMA), weights.clone());
        change(&mut writer, &mut weights);
        put_weights(&mut writer, &weights, Some((6, 2)), |_| Kind::F32);
        writer.bytes()
    };
    let small = Plain {
        shape: vec![2],
        values: vec![1.0; 2],
    };
    check_error(
        &with(&|w, _| _ = w.tensor("blk.0.attn_q_norm.weight", &small, Kind::F32)),
        &["blk.0.attn_q_norm.weight"],
    );
    check_error(
        &with(&|w, _| _ = w.tensor("rope_freqs.weight", &small, Kind::F32)),
        &["rope_freqs.weight", "[2]", "[4]"],
    );
    check_error(
        &with(&|_, t| drop(t.remove("model.norm.weight"))),
        &["model.norm.weight", "missing"],
    );
    // The same tensor under both names: one would be dropped in silence.
    let norm = weights["model.norm.weight"].clone();
    check_error(
        &with(&|w, _| _ = w.tensor("model.norm.weight", &norm, Kind::F32)),
        &["model.norm.weight", "twice"],
    );
    let zeros = Plain {
        shape: vec![4],
        values: vec![0.0; 4],
    };
    check_error(
        &with(&|w, _| _ = w.tensor("rope_freqs.weight", &zeros, Kind::F32)),
        &["rope_freqs.weight", "above 0"],
    );
}

/// Loads, and runs what loads: an error or an answer, never a panic.
fn try_everything(path: &Path) -> bool {
    match try_load(&gguf(path), Precision::F32) {
        Err(error) => {
            let error = error.to_string();
            assert!(error.contains("model.gguf"), "the file is named: {error}");
            false
        }
        Ok(model) => {
            let rows = model::Rows::new([3], 0);
            let hidden = model.hidden(&[1, 2, 3], &rows, None).expect("runs");
            model.logits(&hidden).expect("logits");
            true
        }
    }
}

#[test]
fn a_file_cut_short_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let bytes = tiny_llama();
    let path = write(dir.path(), &bytes);
    let file = fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .expect("opens");
    let before = memory_peak();
    for length in (0..bytes.len()).step_by(64).rev() {
        file.set_len(length as u64).expect("cuts");
        assert!(
            !try_everything(&path),
            "{length} of {} bytes load",
            bytes.len()
        );
    }
    assert!(memory_peak() - before < 1 << 30, "an enormous allocation");
    check_error(&bytes[..bytes.len() / 2], &["cut short"]);
    check_error(&[], &["magic", "ends here"]);
}

/// Half of the flips hit the header, which says how long everything else is.
#[test]
fn flipped_bits_are_refused_or_load() {
    use std::io::{Seek, SeekFrom, Write};
    let dir = tempfile::tempdir().expect("a folder");
    let bytes = tiny_llama();
    let path = write(dir.path(), &bytes);
    let mut file = fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .expect("opens");
    let mut put = |at: usize, byte: u8| {
        file.seek(SeekFrom::Start(at as u64)).expect("seeks");
        file.write_all(&[byte]).expect("writes");
    };
    let data = 4 * read_weights(&golden("tiny_llama").join("model.safetensors"))
        .values()
        .map(|t| t.values.len())
        .sum::<usize>();
    let header = bytes.len() - data;
    let (mut random, mut loaded, before) = (Random(9), 0, memory_peak());
    for round in 0..2000 {
        let at =
            (random.next() % if round % 2 == 0 { header } else { bytes.len() } as u64) as usize;
        put(at, bytes[at] ^ 1 << (random.next() % 8));
        loaded += usize::from(try_everything(&path));
        put(at, bytes[at]);
    }
    assert!(memory_peak() - before < 1 << 30, "an enormous allocation");
    assert!(
        (900..1300).contains(&loaded),
        "{loaded} load: about all with a flip in a weight, few with one in the header"
    );
    assert!(try_everything(&path), "the file is as it was");
}
