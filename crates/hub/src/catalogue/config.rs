//! A catalogue model's `config.json`, from what the catalogue knows. Never here: what the keys
//! mean (`model::config`), special tokens, which are the tokenizer's.

use serde_json::{Map, Value, json};

use super::CatalogueEntry;

impl CatalogueEntry {
    /// The keys of its published `config.json` on which the decoder depends, and the
    /// `initializer_range`; without those of tokens and of programs.
    pub fn config(&self) -> Map<String, Value> {
        let (shape, properties) = (&self.shape, &self.properties);
        let mut config = Map::new();
        let mut insert = |key: &str, value: Value| config.insert(key.to_owned(), value);
        insert("architectures", json!([properties.architecture]));
        insert("model_type", json!(properties.model_type));
        insert("hidden_act", json!("silu"));
        insert("hidden_size", json!(shape.hidden));
        insert("intermediate_size", json!(shape.mlp));
        insert("num_hidden_layers", json!(shape.layers));
        insert("num_attention_heads", json!(shape.heads));
        insert("num_key_value_heads", json!(shape.kv_heads));
        insert("vocab_size", json!(shape.vocab));
        insert("tie_word_embeddings", json!(shape.tied));
        insert(
            "max_position_embeddings",
            json!(properties.max_position_embeddings),
        );
        insert("rms_norm_eps", json!(properties.rms_norm_eps));
        insert("rope_theta", json!(properties.rope_theta));
        if let Some(factor) = properties.llama3_rope_factor {
            insert(
                "rope_scaling",
                json!({
                    "rope_type": "llama3",
                    "factor": factor,
                    "low_freq_factor": 1.0,
                    "high_freq_factor": 4.0,
                    "original_max_position_embeddings": 8192,
                }),
            );
        }
        if let Some(window) = properties.sliding_window {
            insert("sliding_window", json!(window));
        }
        insert("initializer_range", json!(properties.initializer_range));
        if shape.head * shape.heads != shape.hidden {
            insert("head_dim", json!(shape.head));
        }
        // A constant of this crate, which a test parses.
        let more = serde_json::from_str(&format!("{{{}}}", properties.more));
        config.extend(more.unwrap_or_else(|_| Map::new()));
        config
    }
}

#[cfg(test)]
mod tests {
    use super::super::entries;
    use super::*;

    #[test]
    fn further_keys_are_json() {
        for entry in entries() {
            let text = format!("{{{}}}", entry.properties.more);
            let more: Map<String, Value> = serde_json::from_str(&text).expect(entry.name);
            let config = entry.config();
            assert!(
                more.keys().all(|key| config[key] == more[key]),
                "{}",
                entry.name
            );
        }
    }
}
