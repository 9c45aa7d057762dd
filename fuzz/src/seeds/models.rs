//! Models, adapters and states: one layer of eight values, a vocabulary of 32.

use std::collections::BTreeMap;

use safetensors::{Dtype, tensor::TensorView};
use serde_json::{Value, json};

use super::json;

const VOCABULARY: usize = 32;
const WIDTH: usize = 8;
const INNER: usize = 16;

/// Names, shapes and GGUF names of the tensors.
const TENSORS: &[(&str, &str, &[usize])] = &[
    (
        "model.embed_tokens.weight",
        "token_embd.weight",
        &[VOCABULARY, WIDTH],
    ),
    ("model.norm.weight", "output_norm.weight", &[WIDTH]),
    (
        "model.layers.0.input_layernorm.weight",
        "blk.0.attn_norm.weight",
        &[WIDTH],
    ),
    (
        "model.layers.0.post_attention_layernorm.weight",
        "blk.0.ffn_norm.weight",
        &[WIDTH],
    ),
    (
        "model.layers.0.self_attn.q_proj.weight",
        "blk.0.attn_q.weight",
        &[WIDTH, WIDTH],
    ),
    (
        "model.layers.0.self_attn.k_proj.weight",
        "blk.0.attn_k.weight",
        &[WIDTH, WIDTH],
    ),
    (
        "model.layers.0.self_attn.v_proj.weight",
        "blk.0.attn_v.weight",
        &[WIDTH, WIDTH],
    ),
    (
        "model.layers.0.self_attn.o_proj.weight",
        "blk.0.attn_output.weight",
        &[WIDTH, WIDTH],
    ),
    (
        "model.layers.0.mlp.gate_proj.weight",
        "blk.0.ffn_gate.weight",
        &[INNER, WIDTH],
    ),
    (
        "model.layers.0.mlp.up_proj.weight",
        "blk.0.ffn_up.weight",
        &[INNER, WIDTH],
    ),
    (
        "model.layers.0.mlp.down_proj.weight",
        "blk.0.ffn_down.weight",
        &[WIDTH, INNER],
    ),
];

fn values(shape: &[usize]) -> Vec<u8> {
    let count: usize = shape.iter().product();
    (0..count)
        .flat_map(|i| ((i % 7) as f32 * 0.1 + 0.1).to_le_bytes())
        .collect()
}

/// A safetensors file of these tensors, their bytes given.
fn file(tensors: &[(String, Dtype, Vec<usize>, Vec<u8>)], about: &[(&str, &str)]) -> Vec<u8> {
    let views: BTreeMap<&str, TensorView<'_>> = tensors
        .iter()
        .map(|(name, dtype, shape, bytes)| {
            let view = TensorView::new(*dtype, shape.clone(), bytes).expect("bytes of the shape");
            (name.as_str(), view)
        })
        .collect();
    let about = about
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    safetensors::serialize(views, Some(about)).expect("a safetensors file")
}

pub(crate) fn safetensors() -> Vec<Vec<u8>> {
    let tensors: Vec<_> = TENSORS
        .iter()
        .map(|(name, _, shape)| {
            (
                (*name).to_owned(),
                Dtype::F32,
                shape.to_vec(),
                values(shape),
            )
        })
        .collect();
    vec![file(&tensors, &[("format", "pt")])]
}

pub(crate) fn configs() -> Vec<Vec<u8>> {
    let with = |model_type: &str, changes: Value| {
        let mut config = json!({
            "model_type": model_type, "vocab_size": VOCABULARY, "hidden_size": WIDTH, "intermediate_size": INNER,
            "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2, "rms_norm_eps": 1e-5,
            "rope_theta": 10000.0, "max_position_embeddings": 64, "tie_word_embeddings": true, "hidden_act": "silu",
        });
        let changes = changes.as_object().expect("an object");
        for (key, value) in changes {
            config[key] = value.clone();
        }
        json(&config)
    };
    vec![
        with("llama", json!({})),
        with("mistral", json!({"sliding_window": 16, "head_dim": 4})),
        with(
            "llama",
            json!({"rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
            "high_freq_factor": 4.0, "original_max_position_embeddings": 32}}),
        ),
        with(
            "llama",
            json!({"rope_parameters": {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0,
            "original_max_position_embeddings": 32}}),
        ),
        with(
            "llama",
            json!({"rope_scaling": {"type": "linear", "factor": 2.0}, "attention_bias": false}),
        ),
    ]
}

pub(crate) fn indexes() -> Vec<Vec<u8>> {
    let map: BTreeMap<&str, &str> = TENSORS
        .iter()
        .map(|(name, _, _)| (*name, "a.safetensors"))
        .collect();
    vec![json(
        &json!({"metadata": {"total_size": 4096}, "weight_map": map}),
    )]
}

pub(crate) fn adapter_configs() -> Vec<Vec<u8>> {
    let config = json!({
        "peft_type": "LORA", "r": 2, "lora_alpha": 4, "lora_dropout": 0.0, "target_modules": ["q_proj"], "bias": "none",
        "task_type": "CAUSAL_LM", "base_model_name_or_path": "tiny", "init_lora_weights": true, "use_rslora": false,
        "rank_pattern": {}, "alpha_pattern": {"q_proj": 8}, "modules_to_save": null, "layers_to_transform": null,
    });
    vec![json(&config)]
}

pub(crate) fn adapter_weights() -> Vec<Vec<u8>> {
    let name =
        |half: &str| format!("base_model.model.model.layers.0.self_attn.q_proj.lora_{half}.weight");
    let [a, b] = [[2, WIDTH], [WIDTH, 2]];
    let tensors = [
        (name("A"), Dtype::F32, a.to_vec(), values(&a)),
        (name("B"), Dtype::F32, b.to_vec(), values(&b)),
    ];
    vec![file(&tensors, &[("format", "pt")])]
}

/// Both files in one input; see the reader.
pub(crate) fn peft_folders() -> Vec<Vec<u8>> {
    let (config, weights) = (adapter_configs().remove(0), adapter_weights().remove(0));
    let length = (config.len() as u32).to_le_bytes();
    vec![[&length[..], &config, &weights].concat()]
}

pub(crate) fn states() -> Vec<Vec<u8>> {
    let numbers = |values: [i64; 2]| {
        values
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect::<Vec<u8>>()
    };
    let shape = [2, 2, WIDTH];
    let tensors = [
        ("items".to_owned(), Dtype::I64, vec![2], numbers([0, 1])),
        ("tokens".to_owned(), Dtype::I64, vec![2], numbers([5, 7])),
        ("all".to_owned(), Dtype::F32, shape.to_vec(), values(&shape)),
        (
            "last".to_owned(),
            Dtype::F32,
            shape.to_vec(),
            values(&shape),
        ),
    ];
    vec![file(&tensors, &[("model", "tiny"), ("language", "de")])]
}

pub(crate) fn tuned_lenses() -> Vec<Vec<u8>> {
    let tensors: Vec<_> = (0..2)
        .flat_map(|layer| {
            let part = |part: &str, shape: &[usize]| {
                (
                    format!("layer.{layer}.{part}"),
                    Dtype::F32,
                    shape.to_vec(),
                    values(shape),
                )
            };
            [part("weight", &[WIDTH, WIDTH]), part("bias", &[WIDTH])]
        })
        .collect();
    vec![file(&tensors, &[("about", "{\"model\":\"tiny\"}")])]
}

/// The bytes of a GGUF file, version 3.
struct GgufBytes {
    entries: Vec<Vec<u8>>,
    tensors: Vec<u8>,
    data: Vec<u8>,
    count: u64,
}

const TEXT: u32 = 8;
const LIST: u32 = 9;

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}

impl GgufBytes {
    fn entry(&mut self, key: &str, kind: u32, value: &[u8]) {
        self.entries
            .push([&text(key), &kind.to_le_bytes()[..], value].concat());
    }

    fn list(&mut self, key: &str, kind: u32, elements: &[Vec<u8>]) {
        let value = [
            &kind.to_le_bytes()[..],
            &(elements.len() as u64).to_le_bytes(),
            &elements.concat(),
        ]
        .concat();
        self.entry(key, LIST, &value);
    }

    fn tensor(&mut self, name: &str, shape: &[usize], ggml_type: u32, bytes: &[u8]) {
        self.tensors.extend(text(name));
        self.tensors.extend((shape.len() as u32).to_le_bytes());
        for size in shape.iter().rev() {
            self.tensors.extend((*size as u64).to_le_bytes());
        }
        self.tensors.extend(ggml_type.to_le_bytes());
        self.tensors.extend((self.data.len() as u64).to_le_bytes());
        self.data.extend(bytes);
        self.data.resize(self.data.len().next_multiple_of(32), 0);
        self.count += 1;
    }

    fn bytes(self) -> Vec<u8> {
        let mut bytes = b"GGUF".to_vec();
        bytes.extend(3_u32.to_le_bytes());
        bytes.extend(self.count.to_le_bytes());
        bytes.extend((self.entries.len() as u64).to_le_bytes());
        bytes.extend(self.entries.concat());
        bytes.extend(self.tensors);
        bytes.resize(bytes.len().next_multiple_of(32), 0);
        bytes.extend(self.data);
        bytes
    }
}

pub(crate) fn gguf() -> Vec<Vec<u8>> {
    let mut file = GgufBytes {
        entries: Vec::new(),
        tensors: Vec::new(),
        data: Vec::new(),
        count: 0,
    };
    file.entry("general.architecture", TEXT, &text("llama"));
    let sizes = [
        ("block_count", 1),
        ("embedding_length", WIDTH as u32),
        ("feed_forward_length", INNER as u32),
        ("attention.head_count", 2),
        ("attention.head_count_kv", 2),
        ("context_length", 64),
    ];
    for (key, value) in sizes {
        file.entry(&format!("llama.{key}"), 4, &u32::to_le_bytes(value));
    }
    file.entry(
        "llama.attention.layer_norm_rms_epsilon",
        6,
        &1e-5_f32.to_le_bytes(),
    );
    file.entry("llama.rope.freq_base", 6, &1e4_f32.to_le_bytes());
    vocabulary(&mut file);
    for (_, name, shape) in TENSORS {
        file.tensor(name, shape, 0, &values(shape));
    }
    vec![file.bytes()]
}

/// SentencePiece's, as llama.cpp writes it: pieces, scores, kinds.
fn vocabulary(file: &mut GgufBytes) {
    let pieces: Vec<String> = ["<unk>", "<s>", "</s>"]
        .into_iter()
        .map(str::to_owned)
        .chain((b'a'..=b'z').map(|byte| (byte as char).to_string()))
        .chain([
            "\u{2581}".to_owned(),
            "ab".to_owned(),
            "\u{2581}a".to_owned(),
        ])
        .collect();
    file.entry("tokenizer.ggml.model", TEXT, &text("llama"));
    let texts: Vec<Vec<u8>> = pieces.iter().map(|piece| text(piece)).collect();
    file.list("tokenizer.ggml.tokens", TEXT, &texts);
    let scores: Vec<Vec<u8>> = (0..pieces.len())
        .map(|i| (-(i as f32)).to_le_bytes().to_vec())
        .collect();
    file.list("tokenizer.ggml.scores", 6, &scores);
    let kinds: Vec<Vec<u8>> = (0..pieces.len())
        .map(|i| {
            [2_i32, 3, 3]
                .get(i)
                .copied()
                .unwrap_or(1)
                .to_le_bytes()
                .to_vec()
        })
        .collect();
    file.list("tokenizer.ggml.token_type", 5, &kinds);
    for (key, id) in [("bos", 1_u32), ("eos", 2), ("unknown", 0)] {
        file.entry(
            &format!("tokenizer.ggml.{key}_token_id"),
            4,
            &id.to_le_bytes(),
        );
    }
}
