//! llama.cpp's architectures: which family each is, and what its files say or leave to the
//! program (`src/models/*.cpp` and `conversion/*.py` of llama.cpp). An architecture of a family
//! that `families.rs` has is a row here. Never here: reading metadata, names of tensors.

use super::{
    families::{FAMILIES, Family},
    properties::{GateActivation, MlpActivation},
};

/// One architecture.
#[derive(Clone, Copy)]
pub(crate) struct Architecture {
    /// `general.architecture`
    pub(crate) name: &'static str,
    /// The row of `families.rs` with its norms, positions and merged projections.
    model_type: &'static str,
    /// Other families that llama.cpp writes so.
    also: &'static [&'static str],
    /// Its name of the norm before the mlp.
    pub(crate) mlp_norm: &'static str,
    /// Files have the two halves of each query and key interleaved, which is undone.
    pub(crate) interleaved: bool,
    /// Which layers slide; `None`: llama.cpp lets none slide.
    pub(super) windows: Option<WindowPattern>,
    pub(super) rotated: RotatedLayers,
    /// Base of layers that slide.
    pub(super) local_theta: LocalTheta,
    /// With so many layers scores are over the root of E / H, not of a head's size.
    pub(super) scale_of_hidden: Option<usize>,
    pub(super) scores: Factor,
    pub(super) embedding: Factor,
    pub(super) residual: Factor,
    pub(super) logits: Factor,
    /// The attention's soft-cap where the file names none.
    pub(super) attention_cap: Option<f64>,
    /// The logits' soft-cap where the file names none; 0: then there is none.
    pub(super) final_cap: Option<f64>,
    /// Whether queries grow with their position.
    pub(super) grows: bool,
    /// The mlp's function, of which files say nothing.
    pub(super) activation: MlpActivation,
    /// Whether it divides angles by the tensor `rope_freqs.weight` where a file has one.
    pub(super) divides_angles: bool,
    /// Keys that it reads beside those of every architecture.
    pub(super) keys: &'static [&'static str],
}

/// Each `every`-th layer sees everything, unless the file lists the layers.
#[derive(Clone, Copy)]
pub(super) struct WindowPattern {
    pub(super) every: usize,
    /// Whether files list the layers.
    pub(super) listed: bool,
    /// The window where the file names none.
    pub(super) default: Option<usize>,
    /// Layers without which nothing slides.
    pub(super) only_with: Option<usize>,
}

/// Which layers rotate queries and keys.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum RotatedLayers {
    All,
    /// Those that slide, or all where none does.
    Sliding,
    /// All but each so many-th.
    NotEach(usize),
}

/// Base of layers that slide.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum LocalTheta {
    /// That of the others, scaling included.
    Same,
    /// That of the others, without a scaling.
    Unscaled,
    /// A key, or this; without a scaling.
    Own(f64),
}

/// Where a factor comes from; a key that is missing or 0 is 1.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Factor {
    One,
    Key(&'static str),
    InverseOf(&'static str),
    RootOfHidden,
}

const WINDOW: &str = "attention.sliding_window";
const PATTERN: &str = "attention.sliding_window_pattern";
const LOCAL_BASE: &str = "rope.freq_base_swa";

const LLAMA: Architecture = Architecture {
    name: "llama",
    model_type: "llama",
    also: &["mistral"],
    mlp_norm: "ffn_norm",
    interleaved: true,
    windows: None,
    rotated: RotatedLayers::All,
    local_theta: LocalTheta::Same,
    scale_of_hidden: None,
    scores: Factor::One,
    embedding: Factor::One,
    residual: Factor::One,
    logits: Factor::One,
    attention_cap: None,
    final_cap: None,
    grows: false,
    activation: MlpActivation::Gated(GateActivation::Silu),
    divides_angles: true,
    keys: &[],
};

/// As Hugging Face orders rows.
const PLAIN: Architecture = Architecture {
    also: &[],
    interleaved: false,
    ..LLAMA
};

const GEMMA: Architecture = Architecture {
    name: "gemma",
    model_type: "gemma",
    embedding: Factor::RootOfHidden,
    activation: MlpActivation::Gated(GateActivation::GeluTanh),
    divides_angles: false,
    ..PLAIN
};

const COMMAND_R: Architecture = Architecture {
    name: "command-r",
    model_type: "cohere",
    logits: Factor::Key("logit_scale"),
    keys: &["attention.layer_norm_epsilon", "logit_scale"],
    ..PLAIN
};

/// Those that are read.
pub(crate) const ARCHITECTURES: &[Architecture] = &[
    LLAMA,
    Architecture {
        name: "qwen2",
        model_type: "qwen2",
        divides_angles: false,
        ..PLAIN
    },
    Architecture {
        name: "qwen3",
        model_type: "qwen3",
        ..PLAIN
    },
    GEMMA,
    Architecture {
        name: "gemma2",
        model_type: "gemma2",
        windows: Some(WindowPattern {
            every: 2,
            listed: false,
            default: Some(4096),
            only_with: None,
        }),
        scale_of_hidden: Some(46),
        attention_cap: Some(50.0),
        final_cap: Some(30.0),
        keys: &[PATTERN, "attn_logit_softcapping", "final_logit_softcapping"],
        ..GEMMA
    },
    Architecture {
        name: "gemma3",
        model_type: "gemma3_text",
        windows: Some(WindowPattern {
            every: 6,
            listed: false,
            default: None,
            only_with: None,
        }),
        local_theta: LocalTheta::Own(10_000.0),
        scale_of_hidden: Some(62),
        final_cap: Some(0.0),
        divides_angles: true,
        keys: &[PATTERN, LOCAL_BASE, "final_logit_softcapping"],
        ..GEMMA
    },
    Architecture {
        name: "smollm3",
        also: &[],
        model_type: "smollm3",
        rotated: RotatedLayers::NotEach(4),
        ..LLAMA
    },
    Architecture {
        name: "apertus",
        model_type: "apertus",
        activation: MlpActivation::Xielu,
        ..PLAIN
    },
    COMMAND_R,
    Architecture {
        name: "cohere2",
        model_type: "cohere2",
        windows: Some(WindowPattern {
            every: 4,
            listed: false,
            default: None,
            only_with: None,
        }),
        rotated: RotatedLayers::Sliding,
        keys: &["attention.layer_norm_epsilon", "logit_scale", PATTERN],
        ..COMMAND_R
    },
    Architecture {
        name: "olmo2",
        model_type: "olmo2",
        also: &["olmo3"],
        windows: Some(WindowPattern {
            every: 4,
            listed: true,
            default: None,
            only_with: None,
        }),
        local_theta: LocalTheta::Unscaled,
        keys: &[PATTERN],
        ..PLAIN
    },
    Architecture {
        name: "phi3",
        model_type: "phi3",
        ..PLAIN
    },
    Architecture {
        name: "granite",
        also: &[],
        model_type: "granite",
        scores: Factor::Key("attention.scale"),
        embedding: Factor::Key("embedding_scale"),
        residual: Factor::Key("residual_scale"),
        logits: Factor::InverseOf("logit_scale"),
        keys: &[
            "attention.scale",
            "embedding_scale",
            "residual_scale",
            "logit_scale",
        ],
        ..LLAMA
    },
    Architecture {
        name: "glm4",
        model_type: "glm4",
        ..PLAIN
    },
    Architecture {
        name: "exaone4",
        model_type: "exaone4",
        windows: Some(WindowPattern {
            every: 4,
            listed: true,
            default: Some(4096),
            only_with: Some(64),
        }),
        rotated: RotatedLayers::Sliding,
        keys: &[PATTERN],
        ..PLAIN
    },
    Architecture {
        name: "hunyuan-dense",
        model_type: "hunyuan_v1_dense",
        ..PLAIN
    },
    Architecture {
        name: "mistral3",
        also: &[],
        model_type: "ministral3",
        grows: true,
        keys: &[
            "attention.temperature_scale",
            "rope.scaling.yarn_beta_fast",
            "rope.scaling.yarn_beta_slow",
            "rope.scaling.yarn_log_multiplier",
        ],
        ..LLAMA
    },
    Architecture {
        name: "seed_oss",
        model_type: "seed_oss",
        mlp_norm: "post_attention_norm",
        ..PLAIN
    },
    Architecture {
        name: "ernie4_5",
        model_type: "ernie4_5",
        ..PLAIN
    },
];

impl Architecture {
    /// By `general.architecture`.
    pub(crate) fn by_name(name: &str) -> Option<&'static Self> {
        ARCHITECTURES.iter().find(|known| known.name == name)
    }

    /// Of a Hugging Face folder's `model_type`.
    pub(crate) fn by_model_type(name: &str) -> Option<&'static Self> {
        ARCHITECTURES
            .iter()
            .find(|known| known.model_type == name || known.also.contains(&name))
    }

    /// The family's properties.
    pub(super) fn family(&self) -> Option<&'static Family> {
        FAMILIES
            .iter()
            .find(|family| family.name == self.model_type)
    }

    /// Whether it reads a key that most others pass over.
    pub(super) fn reads(&self, key: &str) -> bool {
        self.keys.contains(&key) || (key == WINDOW && self.windows.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_architecture_is_of_a_known_family() {
        for architecture in ARCHITECTURES {
            assert!(architecture.family().is_some(), "{}", architecture.name);
        }
    }
}
