//! How long a text can become on its way through a tokenizer's steps. A hostile file can ask for
//! gigabytes with a few replacements, each of the result of the one before; the bound is known
//! before memory is taken.

use serde_json::Value;

/// A text may take this many bytes after the steps, or [`USUAL`] times its own length.
const MOST_BYTES: f64 = (32 << 20) as f64;
const USUAL: f64 = 4.0;

/// At most `factor` bytes for each byte of a text, and `more` bytes beside.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bound {
    factor: f64,
    more: f64,
}

impl Bound {
    const NONE: Self = Self {
        factor: 1.0,
        more: 0.0,
    };

    fn then(self, step: Self) -> Self {
        Self {
            factor: self.factor * step.factor,
            more: self.more * step.factor + step.more,
        }
    }
}

/// The bounds of a tokenizer.
#[derive(Clone, Debug)]
pub(super) struct Growth {
    encoding: Bound,
    decoding: Bound,
}

impl Growth {
    pub(super) fn of(inner: &tokenizers::Tokenizer) -> Self {
        let bound = |steps: Result<Value, serde_json::Error>| {
            steps.map_or(Bound::NONE, |steps| of_step(&steps))
        };
        Self {
            encoding: bound(serde_json::to_value(inner.get_normalizer()))
                .then(bound(serde_json::to_value(inner.get_pre_tokenizer()))),
            decoding: bound(serde_json::to_value(inner.get_decoder())),
        }
    }

    /// The bounds of a normaliser alone, by its form in JSON.
    pub(super) fn of_normalizer(normalizer: &Value) -> Self {
        Self {
            encoding: of_step(normalizer),
            decoding: Bound::NONE,
        }
    }

    /// Whether a text of so many bytes may be encoded; the error says why not.
    pub(super) fn check_encoding(&self, bytes: usize) -> Result<(), String> {
        check(self.encoding, bytes, 1)
    }

    /// Likewise for so many tokens of so many bytes in all: some steps see each token alone.
    pub(super) fn check_decoding(&self, bytes: usize, tokens: usize) -> Result<(), String> {
        check(self.decoding, bytes, tokens)
    }

    /// Whether decoding can make a text much longer, so that its length must be known before.
    pub(super) fn is_unusual_in_decoding(&self) -> bool {
        self.decoding.factor > USUAL || self.decoding.more > MOST_BYTES / 1e6
    }
}

fn check(bound: Bound, bytes: usize, parts: usize) -> Result<(), String> {
    let length = bound.factor * bytes as f64 + bound.more * parts as f64;
    if length <= MOST_BYTES.max(USUAL * bytes as f64) {
        return Ok(());
    }
    Err(format!(
        "its steps can make {length:.1e} bytes of a text of {bytes}, more than the {MOST_BYTES:.1e} that are allowed; take \
         the replacements that lengthen it out of the file"
    ))
}

/// The bound of a normaliser, pre-tokenizer or decoder, by its form in JSON.
fn of_step(step: &Value) -> Bound {
    let lists = ["normalizers", "pretokenizers", "decoders"];
    if let Some(steps) = lists.iter().find_map(|key| step.get(key)?.as_array()) {
        return steps
            .iter()
            .fold(Bound::NONE, |bound, step| bound.then(of_step(step)));
    }
    let length = |key: &str| step.get(key).and_then(Value::as_str).map_or(0, str::len) as f64;
    let by_factor = |factor: f64| Bound { factor, more: 0.0 };
    match step.get("type").and_then(Value::as_str).unwrap_or("") {
        "Prepend" => Bound {
            factor: 1.0,
            more: length("prepend"),
        },
        "Replace" => {
            let content = length("content");
            match step.pointer("/pattern/String").and_then(Value::as_str) {
                Some(found) if !found.is_empty() => {
                    by_factor((content / found.len() as f64).max(1.0))
                }
                // An expression can match between any two characters and at both ends.
                _ => Bound {
                    factor: 1.0 + content,
                    more: content,
                },
            }
        }
        // The longest that Unicode has: one character of 3 bytes becomes 18 of 33.
        "NFKC" | "NFKD" | "Precompiled" => by_factor(11.0),
        "NFC" | "NFD" | "Lowercase" | "BertNormalizer" => by_factor(3.0),
        "ByteLevel" => Bound {
            factor: 2.0,
            more: 2.0,
        },
        "Metaspace" => Bound {
            factor: 3.0,
            more: 3.0,
        },
        "WordPiece" | "CTC" | "BPEDecoder" => Bound {
            factor: 3.0,
            more: 3.0,
        },
        _ => Bound::NONE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_that_of_the_steps_one_after_the_other() {
        let llama = serde_json::json!({"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "▁"},
            {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]});
        assert_eq!(
            of_step(&llama),
            Bound {
                factor: 3.0,
                more: 9.0
            }
        );
        let step = serde_json::json!({"type": "Replace", "pattern": {"Regex": "."}, "content": "x".repeat(999)});
        let three = serde_json::json!({"type": "Sequence", "normalizers": [step, step, step]});
        assert_eq!(of_step(&three).factor, 1e9);
    }
}
