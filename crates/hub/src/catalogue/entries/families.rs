//! Entries of the families that studies have taken since the paper.

use super::{HUB, LLAMA_3_PROPERTIES, QWEN, QWEN_PROPERTIES};
use crate::catalogue::{BlockShape, CatalogueEntry, Properties, Shape};

const QWEN3: Shape = Shape {
    kv_heads: 8,
    attention_bias: false,
    block: BlockShape {
        qk_norm: 256,
        ..BlockShape::LLAMA
    },
    ..QWEN
};

const QWEN3_PROPERTIES: Properties = Properties {
    model_type: "qwen3",
    architecture: "Qwen3ForCausalLM",
    ..QWEN_PROPERTIES
};

const LLAMA_3: Shape = Shape {
    kv_heads: 8,
    head: 64,
    vocab: 128_256,
    attention_bias: false,
    ..QWEN
};

const GEMMA_3: Shape = Shape {
    heads: 4,
    kv_heads: 1,
    head: 256,
    vocab: 262_144,
    tied: true,
    block: BlockShape {
        norms: 4,
        norms_after: true,
        qk_norm: 512,
        ..BlockShape::LLAMA
    },
    ..LLAMA_3
};

const GEMMA_3_PROPERTIES: Properties = Properties {
    model_type: "gemma3_text",
    architecture: "Gemma3ForCausalLM",
    sliding_window: Some(512),
    more: r#""hidden_activation": "gelu_pytorch_tanh", "query_pre_attn_scalar": 256, "rope_local_base_freq": 10000.0,
        "sliding_window_pattern": 6"#,
    ..QWEN_PROPERTIES
};

pub(super) const ENTRIES: &[CatalogueEntry] = &[
    CatalogueEntry {
        name: "qwen3-0.6b",
        title: "Qwen3 0.6B Base",
        hub_id: "Qwen/Qwen3-0.6B-Base",
        package: None,
        sources: HUB,
        parameters: 596_049_920,
        shape: Shape {
            layers: 28,
            hidden: 1024,
            heads: 16,
            mlp: 3_072,
            tied: true,
            ..QWEN3
        },
        properties: QWEN3_PROPERTIES,
        licence: "apache-2.0",
        is_gated: false,
    },
    CatalogueEntry {
        name: "qwen3-1.7b",
        title: "Qwen3 1.7B Base",
        hub_id: "Qwen/Qwen3-1.7B-Base",
        package: None,
        sources: HUB,
        parameters: 1_720_574_976,
        shape: Shape {
            layers: 28,
            hidden: 2048,
            heads: 16,
            mlp: 6_144,
            tied: true,
            ..QWEN3
        },
        properties: QWEN3_PROPERTIES,
        licence: "apache-2.0",
        is_gated: false,
    },
    CatalogueEntry {
        name: "qwen3-4b",
        title: "Qwen3 4B Base",
        hub_id: "Qwen/Qwen3-4B-Base",
        package: None,
        sources: HUB,
        parameters: 4_022_468_096,
        shape: Shape {
            layers: 36,
            hidden: 2560,
            heads: 32,
            mlp: 9_728,
            tied: true,
            ..QWEN3
        },
        properties: QWEN3_PROPERTIES,
        licence: "apache-2.0",
        is_gated: false,
    },
    CatalogueEntry {
        name: "qwen3-8b",
        title: "Qwen3 8B Base",
        hub_id: "Qwen/Qwen3-8B-Base",
        package: None,
        sources: HUB,
        parameters: 8_190_735_360,
        shape: Shape {
            layers: 36,
            hidden: 4096,
            heads: 32,
            mlp: 12_288,
            tied: false,
            ..QWEN3
        },
        properties: QWEN3_PROPERTIES,
        licence: "apache-2.0",
        is_gated: false,
    },
    CatalogueEntry {
        name: "qwen3-14b",
        title: "Qwen3 14B Base",
        hub_id: "Qwen/Qwen3-14B-Base",
        package: None,
        sources: HUB,
        parameters: 14_768_307_200,
        shape: Shape {
            layers: 40,
            hidden: 5120,
            heads: 40,
            mlp: 17_408,
            tied: false,
            ..QWEN3
        },
        properties: QWEN3_PROPERTIES,
        licence: "apache-2.0",
        is_gated: false,
    },
    CatalogueEntry {
        name: "llama-3.2-3b",
        title: "Llama 3.2 3B",
        hub_id: "meta-llama/Llama-3.2-3B",
        package: None,
        sources: HUB,
        parameters: 3_212_749_824,
        shape: Shape {
            layers: 28,
            hidden: 3072,
            heads: 24,
            head: 128,
            mlp: 8192,
            tied: true,
            ..LLAMA_3
        },
        properties: Properties {
            llama3_rope_factor: Some(32.0),
            ..LLAMA_3_PROPERTIES
        },
        licence: "llama3.2",
        is_gated: true,
    },
    CatalogueEntry {
        name: "gemma-3-270m",
        title: "Gemma 3 270M",
        hub_id: "google/gemma-3-270m",
        package: None,
        sources: HUB,
        parameters: 268_098_176,
        shape: Shape {
            layers: 18,
            hidden: 640,
            mlp: 2_048,
            ..GEMMA_3
        },
        properties: GEMMA_3_PROPERTIES,
        licence: "gemma",
        is_gated: true,
    },
    CatalogueEntry {
        name: "gemma-3-1b",
        title: "Gemma 3 1B",
        hub_id: "google/gemma-3-1b-pt",
        package: None,
        sources: HUB,
        parameters: 999_885_952,
        shape: Shape {
            layers: 26,
            hidden: 1152,
            mlp: 6_912,
            ..GEMMA_3
        },
        properties: GEMMA_3_PROPERTIES,
        licence: "gemma",
        is_gated: true,
    },
    CatalogueEntry {
        name: "tiny-aya",
        title: "Tiny Aya 3.35B Base",
        hub_id: "CohereLabs/tiny-aya-base",
        package: None,
        sources: HUB,
        parameters: 3_349_227_520,
        shape: Shape {
            layers: 36,
            hidden: 2048,
            heads: 16,
            kv_heads: 4,
            head: 128,
            mlp: 11_008,
            vocab: 262_144,
            tied: true,
            block: BlockShape {
                norms: 1,
                ..BlockShape::LLAMA
            },
            ..LLAMA_3
        },
        properties: Properties {
            model_type: "cohere2",
            architecture: "Cohere2ForCausalLM",
            rope_theta: 5e4,
            max_position_embeddings: 8192,
            sliding_window: Some(4096),
            more: r#""layer_norm_eps": 1e-5, "logit_scale": 1.0, "sliding_window_pattern": 4"#,
            ..LLAMA_3_PROPERTIES
        },
        licence: "cc-by-nc-4.0",
        is_gated: true,
    },
    CatalogueEntry {
        name: "eurollm-1.7b",
        title: "EuroLLM 1.7B",
        hub_id: "utter-project/EuroLLM-1.7B",
        package: None,
        sources: HUB,
        parameters: 1_656_850_432,
        shape: Shape {
            layers: 24,
            hidden: 2048,
            heads: 16,
            head: 128,
            mlp: 5_632,
            vocab: 128_000,
            ..LLAMA_3
        },
        properties: Properties {
            rope_theta: 1e4,
            max_position_embeddings: 4096,
            ..LLAMA_3_PROPERTIES
        },
        licence: "apache-2.0",
        is_gated: false,
    },
    CatalogueEntry {
        name: "apertus-8b",
        title: "Apertus 8B",
        hub_id: "swiss-ai/Apertus-8B-2509",
        package: None,
        sources: HUB,
        parameters: 8_053_338_176,
        shape: Shape {
            layers: 32,
            hidden: 4096,
            heads: 32,
            head: 128,
            mlp: 21_504,
            vocab: 131_072,
            block: BlockShape {
                gated: false,
                qk_norm: 256,
                ..BlockShape::LLAMA
            },
            ..LLAMA_3
        },
        properties: Properties {
            model_type: "apertus",
            architecture: "ApertusForCausalLM",
            rope_theta: 12e6,
            llama3_rope_factor: Some(8.0),
            max_position_embeddings: 65_536,
            more: r#""hidden_act": "xielu""#,
            ..LLAMA_3_PROPERTIES
        },
        licence: "apache-2.0",
        is_gated: true,
    },
    CatalogueEntry {
        name: "smollm3-3b",
        title: "SmolLM3 3B Base",
        hub_id: "HuggingFaceTB/SmolLM3-3B-Base",
        package: None,
        sources: HUB,
        parameters: 3_075_098_624,
        shape: Shape {
            layers: 36,
            hidden: 2048,
            heads: 16,
            kv_heads: 4,
            head: 128,
            mlp: 11_008,
            tied: true,
            ..LLAMA_3
        },
        properties: Properties {
            model_type: "smollm3",
            architecture: "SmolLM3ForCausalLM",
            rms_norm_eps: 1e-6,
            rope_theta: 5e6,
            max_position_embeddings: 65_536,
            ..LLAMA_3_PROPERTIES
        },
        licence: "apache-2.0",
        is_gated: false,
    },
    CatalogueEntry {
        name: "olmo-3-7b",
        title: "OLMo 3 7B",
        hub_id: "allenai/Olmo-3-1025-7B",
        package: None,
        sources: HUB,
        parameters: 7_298_011_136,
        shape: Shape {
            layers: 32,
            hidden: 4096,
            heads: 32,
            kv_heads: 32,
            head: 128,
            mlp: 11_008,
            vocab: 100_278,
            block: BlockShape {
                norms_after: true,
                qk_norm: 8192,
                ..BlockShape::LLAMA
            },
            ..LLAMA_3
        },
        properties: Properties {
            model_type: "olmo3",
            architecture: "Olmo3ForCausalLM",
            rms_norm_eps: 1e-6,
            max_position_embeddings: 65_536,
            sliding_window: Some(4096),
            more: r#""rope_scaling": {"rope_type": "yarn", "factor": 8.0, "original_max_position_embeddings": 8192,
                "attention_factor": 1.2079441541679836, "beta_fast": 32.0, "beta_slow": 1.0}"#,
            ..LLAMA_3_PROPERTIES
        },
        licence: "apache-2.0",
        is_gated: false,
    },
];
