//! GGUF's names of tensors as Hugging Face's, for the norms and merged projections that the model
//! has. Never here: reading tensors.

use crate::{config::ModelConfig, projection::Projection};

/// The projection of a part of a block's tensor: `attn_q`.
pub(crate) fn projection(part: &str, merged_gate_up: bool) -> Option<Projection> {
    Some(match part {
        "attn_q" => Projection::Q,
        "attn_k" => Projection::K,
        "attn_v" => Projection::V,
        "attn_qkv" => Projection::Qkv,
        "attn_output" => Projection::O,
        "ffn_gate" => Projection::Gate,
        "ffn_up" if merged_gate_up => Projection::GateUp,
        "ffn_up" => Projection::Up,
        "ffn_down" => Projection::Down,
        _ => return None,
    })
}

/// The Hugging Face name of a tensor; `None` for one that has no other name.
pub(crate) fn hugging_face_name(name: &str, config: &ModelConfig) -> Option<String> {
    if let Some(rest) = name.strip_prefix("blk.") {
        let (layer, rest) = rest.split_once('.')?;
        let (part, kind) = rest.rsplit_once('.')?;
        let part = match projection(part, config.merged_gate_up) {
            Some(projection) => format!("{}.{}", projection.module(), projection.name()),
            None => norm(part, config)?,
        };
        return Some(format!("model.layers.{layer}.{part}.{kind}"));
    }
    match name {
        "token_embd.weight" => Some("model.embed_tokens.weight".into()),
        "output_norm.weight" => Some("model.norm.weight".into()),
        "output.weight" => Some("lm_head.weight".into()),
        _ => None,
    }
}

/// A norm's place in a block. llama.cpp calls the norm before the mlp `post_attention_norm` in
/// families of which Hugging Face's name says so and that have none behind attention.
fn norm(part: &str, config: &ModelConfig) -> Option<String> {
    let (norms, qk) = (&config.norms, config.qk_norm);
    let of_stream = match part {
        "attn_norm" => norms.before_attention,
        "post_attention_norm" => norms.after_attention.or(norms.before_mlp),
        "ffn_norm" => norms.before_mlp,
        "post_ffw_norm" => norms.after_mlp,
        _ => None,
    };
    let of_heads = match part {
        "attn_q_norm" => qk.map(|norm| norm.names[0]),
        "attn_k_norm" => qk.map(|norm| norm.names[1]),
        _ => None,
    };
    of_stream
        .map(str::to_owned)
        .or_else(|| Some(format!("self_attn.{}", of_heads?)))
}
