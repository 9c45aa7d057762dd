//! Text to token ids: importers, prompts, tokenizers, label token sets, examples, batches.
