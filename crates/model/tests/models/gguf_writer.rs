//! A small GGUF writer, for tests alone: header, f32, Q8_0 and Q4_0 tensors, q and k rows in
//! llama.cpp's order.

use std::collections::BTreeMap;

use half::f16;

/// A tensor in Hugging Face's names and order.
#[derive(Clone)]
pub(crate) struct Plain {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f32>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    F32,
    Q8_0,
    Q4_0,
}

/// Metadata value.
pub(crate) enum Meta {
    Text(&'static str),
    Unsigned(u32),
    Float(f32),
}

/// Collects the parts of a file.
#[derive(Default)]
pub(crate) struct Writer {
    metadata: Vec<u8>,
    entries: Vec<u8>,
    data: Vec<u8>,
    counts: (u64, u64),
}

impl Writer {
    pub(crate) fn meta(&mut self, key: &str, value: Meta) -> &mut Self {
        put_text(&mut self.metadata, key);
        match value {
            Meta::Unsigned(n) => put(&mut self.metadata, &[&4u32.to_le_bytes(), &n.to_le_bytes()]),
            Meta::Float(x) => put(&mut self.metadata, &[&6u32.to_le_bytes(), &x.to_le_bytes()]),
            Meta::Text(text) => {
                put(&mut self.metadata, &[&8u32.to_le_bytes()]);
                put_text(&mut self.metadata, text);
            }
        }
        self.counts.0 += 1;
        self
    }

    pub(crate) fn tensor(&mut self, name: &str, tensor: &Plain, kind: Kind) -> &mut Self {
        put_text(&mut self.entries, name);
        put(
            &mut self.entries,
            &[&(tensor.shape.len() as u32).to_le_bytes()],
        );
        for &size in tensor.shape.iter().rev() {
            put(&mut self.entries, &[&(size as u64).to_le_bytes()]);
        }
        let (number, bytes) = match kind {
            Kind::F32 => (
                0u32,
                tensor.values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            ),
            Kind::Q8_0 => (8, encode_blocks(&tensor.values, q8_0)),
            Kind::Q4_0 => (2, encode_blocks(&tensor.values, q4_0)),
        };
        put(
            &mut self.entries,
            &[
                &number.to_le_bytes(),
                &(self.data.len() as u64).to_le_bytes(),
            ],
        );
        self.data.extend(bytes);
        pad(&mut self.data);
        self.counts.1 += 1;
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        put(
            &mut out,
            &[
                &3u32.to_le_bytes(),
                &self.counts.1.to_le_bytes(),
                &self.counts.0.to_le_bytes(),
            ],
        );
        put(&mut out, &[&self.metadata, &self.entries]);
        pad(&mut out);
        put(&mut out, &[&self.data]);
        out
    }
}

fn put(out: &mut Vec<u8>, parts: &[&[u8]]) {
    parts.iter().for_each(|part| out.extend_from_slice(part));
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put(out, &[&(text.len() as u64).to_le_bytes(), text.as_bytes()]);
}

fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(32), 0);
}

fn encode_blocks(values: &[f32], block: fn(&[f32; 32]) -> Vec<u8>) -> Vec<u8> {
    let (blocks, rest) = values.as_chunks::<32>();
    assert!(rest.is_empty(), "whole blocks");
    blocks.iter().flat_map(block).collect()
}

/// A scale in f16 and 32 signed bytes.
fn q8_0(values: &[f32; 32]) -> Vec<u8> {
    let largest = values.iter().fold(0.0f32, |m, v| m.max(v.abs()));
    let scale = f16::from_f32(largest / 127.0);
    let quant = |v: &f32| (v / scale.to_f32()).round().clamp(-127.0, 127.0) as i8 as u8;
    scale
        .to_le_bytes()
        .into_iter()
        .chain(values.iter().map(quant))
        .collect()
}

/// A scale in f16 and 32 nibbles about 8: the first half of the block in the low ones, the
/// second in the high ones.
fn q4_0(values: &[f32; 32]) -> Vec<u8> {
    let largest = values
        .iter()
        .copied()
        .fold(0.0f32, |m, v| if v.abs() > m.abs() { v } else { m });
    let scale = f16::from_f32(largest / -8.0);
    let quant = |v: f32| (v / scale.to_f32() + 8.5).floor().clamp(0.0, 15.0) as u8;
    let pairs = (0..16).map(|i| quant(values[i]) | quant(values[i + 16]) << 4);
    scale.to_le_bytes().into_iter().chain(pairs).collect()
}

/// What a reader must get back of [`Writer::tensor`].
pub(crate) fn dequantised(tensor: &Plain, kind: Kind) -> Plain {
    let decode = |block: &[f32; 32]| -> Vec<f32> {
        let bytes = if kind == Kind::Q8_0 {
            q8_0(block)
        } else {
            q4_0(block)
        };
        let scale = f16::from_le_bytes([bytes[0], bytes[1]]).to_f32();
        match kind {
            Kind::Q8_0 => bytes[2..]
                .iter()
                .map(|&b| f32::from(b as i8) * scale)
                .collect(),
            _ => {
                let nibble = |i: usize| {
                    if i < 16 {
                        bytes[2 + i] & 15
                    } else {
                        bytes[2 + i - 16] >> 4
                    }
                };
                (0..32)
                    .map(|i| (f32::from(nibble(i)) - 8.0) * scale)
                    .collect()
            }
        }
    };
    let values = match kind {
        Kind::F32 => tensor.values.clone(),
        _ => tensor
            .values
            .as_chunks::<32>()
            .0
            .iter()
            .flat_map(decode)
            .collect(),
    };
    Plain {
        shape: tensor.shape.clone(),
        values,
    }
}

/// llama.cpp's order of q and k: in each head, row i of the first half and row i of the second
/// half side by side.
pub(crate) fn interleave(tensor: &Plain, heads: usize) -> Plain {
    let rows = tensor.shape[0];
    let (size, width) = (rows / heads, tensor.values.len() / rows);
    let source = |row: usize| {
        let (head, within) = (row / size, row % size);
        head * size + (within % 2) * (size / 2) + within / 2
    };
    let values = (0..rows)
        .flat_map(|row| tensor.values[source(row) * width..][..width].to_vec())
        .collect();
    Plain {
        shape: tensor.shape.clone(),
        values,
    }
}

/// Every weight under its GGUF name; `heads` (query, key and value) where rows are interleaved.
pub(crate) fn put_weights(
    writer: &mut Writer,
    weights: &BTreeMap<String, Plain>,
    heads: Option<(usize, usize)>,
    kind: impl Fn(&str) -> Kind,
) {
    for (name, tensor) in weights {
        let tensor = match heads {
            Some((query, _)) if name.contains(".q_proj.") => interleave(tensor, query),
            Some((_, key_value)) if name.contains(".k_proj.") => interleave(tensor, key_value),
            _ => tensor.clone(),
        };
        writer.tensor(&gguf_name(name), &tensor, kind(name));
    }
}

fn gguf_name(name: &str) -> String {
    let mut out = name.replace("model.layers.", "blk.");
    for (from, to) in [
        ("self_attn.q_proj", "attn_q"),
        ("self_attn.k_proj", "attn_k"),
        ("self_attn.v_proj", "attn_v"),
        ("self_attn.o_proj", "attn_output"),
        ("mlp.gate_proj", "ffn_gate"),
        ("mlp.up_proj", "ffn_up"),
        ("mlp.down_proj", "ffn_down"),
        ("input_layernorm", "attn_norm"),
        ("post_attention_layernorm", "ffn_norm"),
        ("model.embed_tokens", "token_embd"),
        ("model.norm", "output_norm"),
        ("lm_head", "output"),
    ] {
        out = out.replace(from, to);
    }
    out
}
