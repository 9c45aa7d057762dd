//! What is said of a file that the library panics on, and of one that does not say how it splits
//! words.

use std::{
    fmt::Debug,
    sync::{Arc, Mutex},
};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use super::*;

// The library unwraps what it reads of a decoder, and half a character cannot be read.
#[test]
fn a_panic_of_the_library_is_an_error_with_the_files_name() {
    let saved = sentencepiece().inner.to_string(false).expect("serialises");
    let mut saved: serde_json::Value = serde_json::from_str(&saved).expect("JSON");
    saved["decoder"] = serde_json::json!("HERE");
    let damaged = saved.to_string().replace("\"HERE\"", "\"\\ud800\"");
    let read = load(&[("tokenizer.json", damaged.as_bytes())]);
    let message = read.expect_err("refused").to_string();
    assert!(
        message.contains("tokenizer.json") && message.contains("its reader failed ("),
        "{message}"
    );
}

/// Keeps the messages of warnings.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<String>>>);

impl Visit for Kept {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.0
                .lock()
                .expect("not poisoned")
                .push(format!("{value:?}"));
        }
    }
}

impl Subscriber for Kept {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::WARN
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

// llama.cpp takes its rule `default` there, which other rules than the model's own may be.
#[test]
fn a_splitting_rule_that_is_not_named_is_said() {
    let mut header = byte_level_header("default");
    let named = Tokenizer::from_gguf(&header).expect("builds");
    let warnings = |header: &Header| {
        let kept = Kept::default();
        let built =
            tracing::subscriber::with_default(kept.clone(), || Tokenizer::from_gguf(header));
        let said = kept.0.lock().expect("not poisoned").join("\n");
        (built.expect("builds"), said)
    };
    assert_eq!(warnings(&header).1, "");
    header
        .metadata
        .remove("tokenizer.ggml.pre")
        .expect("was there");
    let (unnamed, said) = warnings(&header);
    assert!(
        said.starts_with(
            "tiny.gguf: no `tokenizer.ggml.pre`, so words are split by llama.cpp's rule `default`"
        ),
        "{said}"
    );
    let text = "12345 it's  so\n\nJa";
    assert_eq!(
        unnamed.encode(text).expect("encodes"),
        named.encode(text).expect("encodes")
    );
}
