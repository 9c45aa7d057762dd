//! Ids to logits and hidden states: ops, layers, decoder, LoRA, KV cache, weight files.
