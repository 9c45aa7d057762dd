//! Tiny tokenizers of both kinds, from every source, with ids worked out by hand.

use std::{collections::BTreeMap, fs, path::Path};

use hub::gguf::{Header, Value};
use proptest::prelude::*;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;

use super::*;

mod folders;
mod said;

const MERGES: [&str; 8] = ["a b", "Ġ ab", "Ġ 1", "1 2", "3 4", "p o", "Ġ p", "Ġp o"];

/// `<|end|>`, the byte alphabet from id 1, then one entry per merge from id 257.
fn byte_level_tokens() -> Vec<String> {
    let mut alphabet: Vec<char> = ByteLevel::alphabet().into_iter().collect();
    alphabet.sort_unstable();
    let merged = MERGES.iter().map(|merge| merge.replace(' ', ""));
    ["<|end|>".to_owned()]
        .into_iter()
        .chain(alphabet.iter().map(char::to_string))
        .chain(merged)
        .collect()
}

fn texts(values: &[impl AsRef<str>]) -> Value {
    Value::List(
        values
            .iter()
            .map(|text| Value::Text(text.as_ref().to_owned()))
            .collect(),
    )
}

fn header(entries: Vec<(&str, Value)>) -> Header {
    let metadata: BTreeMap<String, Value> = entries
        .into_iter()
        .map(|(key, value)| (format!("tokenizer.ggml.{key}"), value))
        .collect();
    Header {
        path: "tiny.gguf".into(),
        metadata,
        tensors: Vec::new(),
    }
}

fn byte_level_header(pre: &str) -> Header {
    let tokens = byte_level_tokens();
    let kinds = (0..tokens.len())
        .map(|id| Value::Signed(if id == 0 { 3 } else { 1 }))
        .collect();
    header(vec![
        ("model", Value::Text("gpt2".into())),
        ("pre", Value::Text(pre.into())),
        ("tokens", texts(&tokens)),
        ("token_type", Value::List(kinds)),
        ("merges", texts(&MERGES)),
        ("eos_token_id", Value::Unsigned(0)),
    ])
}

/// A tiny byte-level tokenizer with SmolLM's splitting: EOS 0, no BOS.
pub(crate) fn byte_level() -> Tokenizer {
    Tokenizer::from_gguf(&byte_level_header("smollm")).expect("builds")
}

/// Written as metadata and read again it is the same; the name of its splitting rule is found.
#[test]
fn a_byte_level_tokenizer_is_written_as_it_is_read() {
    let count = byte_level_tokens().len();
    for pre in ["gpt-2", "smollm", "llama-bpe", "qwen2", "default"] {
        let mut header = byte_level_header(pre);
        let key = "tokenizer.ggml.add_bos_token".to_owned();
        header.metadata.insert(key, Value::Bool(false));
        let tokenizer = Tokenizer::from_gguf(&header).expect("builds");
        let metadata = tokenizer.to_gguf(count + 1).expect("has a name");
        for (key, value) in &header.metadata {
            match (key.as_str(), &metadata[key], value) {
                ("tokenizer.ggml.tokens", Value::List(found), Value::List(wanted)) => {
                    assert_eq!(found[..count], wanted[..]);
                    assert_eq!(found[count], Value::Text(format!("[PAD{count}]")));
                }
                ("tokenizer.ggml.token_type", Value::List(found), Value::List(wanted)) => {
                    assert_eq!(found[..count], wanted[..]);
                    assert_eq!(found[count], Value::Signed(5));
                }
                (_, found, wanted) => assert_eq!(found, wanted, "{pre}: {key}"),
            }
        }
        assert_eq!(metadata.len(), header.metadata.len(), "{pre}");
    }
}

#[test]
fn a_tokenizer_that_no_name_stands_for_is_not_written() {
    let mut tokenizer = byte_level();
    let digits = tokenizers::pre_tokenizers::digits::Digits::new(false);
    tokenizer.inner.with_pre_tokenizer(Some(digits));
    let problem = tokenizer.to_gguf(300).expect_err("refused").to_string();
    assert!(
        problem.contains("it differs in:") && problem.contains("pre_tokenizer"),
        "{problem}"
    );
    let pieces = Tokenizer::from_gguf(&sentencepiece_header()).expect("builds");
    let problem = pieces.to_gguf(300).expect_err("refused").to_string();
    assert!(problem.contains("is SentencePiece's"), "{problem}");
}

/// Texts, scores and kinds: three special pieces, the bytes from id 3, then the others from id
/// 259.
fn pieces() -> Vec<(String, f32, i64)> {
    let special =
        [("<unk>", 2), ("<s>", 3), ("</s>", 3)].map(|(text, kind)| (text.to_owned(), 0.0, kind));
    let bytes = (0..256).map(|byte| (format!("<0x{byte:02X}>"), 0.0, 6));
    let others = [
        ("ab", -1.0),
        ("bc", -2.0),
        ("▁ab", -3.0),
        ("▁a", -4.0),
        ("\"a", -0.5),
        ("▁", -6.0),
        ("a", -7.0),
    ];
    let singles = [("b", -8.0), ("c", -9.0), ("\"", -10.0)];
    let others = others
        .into_iter()
        .chain(singles)
        .map(|(text, score)| (text.to_owned(), score, 1));
    special.into_iter().chain(bytes).chain(others).collect()
}

fn sentencepiece_header() -> Header {
    let pieces = pieces();
    header(vec![
        ("model", Value::Text("llama".into())),
        (
            "tokens",
            texts(&pieces.iter().map(|p| &p.0).collect::<Vec<_>>()),
        ),
        (
            "scores",
            Value::List(pieces.iter().map(|p| Value::Float(p.1.into())).collect()),
        ),
        (
            "token_type",
            Value::List(pieces.iter().map(|p| Value::Signed(p.2)).collect()),
        ),
        ("bos_token_id", Value::Unsigned(1)),
        ("eos_token_id", Value::Unsigned(2)),
    ])
}

/// A tiny SentencePiece tokenizer as Llama's: BOS 1, added before every text, EOS 2.
pub(crate) fn sentencepiece() -> Tokenizer {
    Tokenizer::from_gguf(&sentencepiece_header()).expect("builds")
}

/// The same pieces in SentencePiece's own file.
fn sentencepiece_file(model_type: u8) -> Vec<u8> {
    let mut file = Vec::new();
    for (text, score, kind) in pieces() {
        let mut piece = vec![0x0a, text.len() as u8];
        piece.extend(text.as_bytes());
        piece.push(0x15);
        piece.extend(score.to_le_bytes());
        piece.extend([0x18, kind as u8]);
        file.extend([0x0a, piece.len() as u8]);
        file.extend(piece);
    }
    file.extend([0x12, 5, 0x18, model_type, 0x98, 2, 1]); // trainer_spec: model_type, byte_fallback
    file.extend([0x1a, 4, 0x18, 1, 0x20, 0]); // normalizer_spec: add_dummy_prefix, remove_extra_whitespaces
    file
}

fn tokens(tokenizer: &Tokenizer, text: &str) -> Vec<String> {
    let ids = tokenizer.encode_plain(text).expect("encodes");
    ids.into_iter()
        .map(|id| tokenizer.token(id).expect("known"))
        .collect()
}

#[test]
fn every_splitting_rule_cuts_its_own_way() {
    let cases: [(&str, &[&str]); 5] = [
        ("smollm", &["Ġab", "Ġ", "1", "2", "3", "4", "!", "ab"]),
        ("gpt-2", &["Ġab", "Ġ1", "2", "34", "!", "ab"]),
        ("llama-bpe", &["Ġab", "Ġ", "12", "3", "4", "!", "ab"]),
        ("qwen2", &["Ġab", "Ġ", "1", "2", "3", "4", "!", "ab"]),
        ("default", &["Ġab", "Ġ", "12", "3", "4", "!", "ab"]),
    ];
    for (pre, wanted) in cases {
        let mut header = byte_level_header(pre);
        header
            .metadata
            .insert("tokenizer.ggml.add_bos_token".into(), Value::Bool(false));
        let tokenizer = Tokenizer::from_gguf(&header).expect("builds");
        // `!ab` is one word for Llama 3 and Qwen2, but no merge crosses it here.
        assert_eq!(tokens(&tokenizer, " ab 1234!ab"), wanted, "{pre}");
    }
}

#[test]
fn byte_level_ids_and_special_tokens() {
    let tokenizer = byte_level();
    assert_eq!(tokenizer.kind().space_mark(), 'Ġ');
    assert_eq!(
        (tokenizer.vocab_size(), tokenizer.bos(), tokenizer.eos()),
        (265, None, Some(0))
    );
    assert_eq!(
        tokenizer.encode_plain("ab ab<|end|>ab").expect("encodes"),
        [257, 258, 0, 257]
    );
    assert_eq!(
        tokenizer.encode("ab").expect("encodes"),
        [257],
        "the configuration adds nothing"
    );
    assert_eq!(tokenizer.decode(&[257, 258, 0]).expect("decodes"), "ab ab");
    let llama3 = Tokenizer::from_gguf(&byte_level_header("llama-bpe"))
        .expect_err("adds a BOS that is not named");
    assert!(llama3.to_string().contains("add_bos_token"), "{llama3}");
}

#[test]
fn sentencepiece_ids_worked_out_by_hand() {
    let tokenizer = sentencepiece();
    assert_eq!(tokenizer.kind().space_mark(), '▁');
    assert_eq!(
        tokenizer.encode("abc").expect("encodes"),
        [1, 261, 267],
        "<s> ▁ab c"
    );
    assert_eq!(tokens(&tokenizer, " ab"), ["▁", "▁ab"]);
    assert_eq!(
        tokens(&tokenizer, "bc\"ab"),
        ["▁", "bc", "\"a", "b"],
        "the best score first, from wherever"
    );
    assert_eq!(tokens(&tokenizer, "é"), ["▁", "<0xC3>", "<0xA9>"]);
    assert_eq!(tokens(&tokenizer, "ab</s>ab"), ["▁ab", "</s>", "▁ab"]);
    assert_eq!(
        tokenizer
            .decode(&[1, 261, 267, 3 + 0xc3, 3 + 0xa9, 2])
            .expect("decodes"),
        "abcé"
    );
}

fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, content) in files {
        fs::write(folder.path().join(name), content).expect("writes");
    }
    folder
}

fn load(files: &[(&str, &[u8])]) -> Result<Tokenizer, DataError> {
    Tokenizer::from_folder(folder(files).path())
}

#[test]
fn a_folder_gives_the_ids_that_gguf_gives() {
    let text = "ab \"abc é\n  1234!ab";
    let file = sentencepiece_file(2);
    let from_file = load(&[("tokenizer.model", &file)]).expect("builds");
    // transformers 5 adds no BOS unless the configuration says so; llama.cpp does.
    assert_eq!(
        from_file.encode(text).expect("encodes"),
        sentencepiece().encode_plain(text).expect("encodes")
    );
    assert_eq!((from_file.bos(), from_file.eos()), (Some(1), Some(2)));

    let vocab: BTreeMap<String, usize> = byte_level_tokens().into_iter().zip(0..).collect();
    let vocab = serde_json::to_vec(&vocab).expect("serialises");
    let merges = format!("#version: 0.2\n{}\n", MERGES.join("\n"));
    let config =
        br#"{"tokenizer_class": "Qwen2Tokenizer", "add_bos_token": false, "bos_token": null, "eos_token": "<|end|>",
        "added_tokens_decoder": {"0": {"content": "<|end|>", "lstrip": false, "normalized": false, "rstrip": false,
        "single_word": false, "special": true}}}"#;
    let files: [(&str, &[u8]); 3] = [
        ("vocab.json", &vocab),
        ("merges.txt", merges.as_bytes()),
        ("tokenizer_config.json", config),
    ];
    let qwen = Tokenizer::from_gguf(&byte_level_header("qwen2")).expect("builds");
    let from_vocab = load(&files).expect("builds");
    assert_eq!(
        from_vocab.encode(text).expect("encodes"),
        qwen.encode(text).expect("encodes")
    );
    assert_eq!(
        (from_vocab.bos(), from_vocab.eos(), from_vocab.vocab_size()),
        // The class adds its own `<|endoftext|>`, as in transformers 5.24.
        (None, Some(0), 266)
    );
    assert_eq!(
        tokens(&from_vocab, "e\u{301}"),
        tokens(&from_vocab, "é"),
        "Qwen2 composes characters"
    );
}

#[test]
fn broken_sources_are_named() {
    let message =
        |files: &[(&str, &[u8])]| load(files).map(|_| ()).expect_err("broken").to_string();
    let cut = &sentencepiece_file(2)[..1000];
    let json = sentencepiece()
        .inner
        .to_string(false)
        .expect("serialises")
        .replace("\"merges\":[", "\"merges\":[[\"a\",\"c\"],");
    let cases: [(&str, String); 8] = [
        ("no tokenizer.json", message(&[])),
        (
            "merge 0, `a c`, needs the token `ac`",
            message(&[("tokenizer.json", json.as_bytes())]),
        ),
        (
            "tokenizer.json line 1: ",
            message(&[("tokenizer.json", b"{\"model\":")]),
        ),
        (
            "model type is 1",
            message(&[("tokenizer.model", &sentencepiece_file(1))]),
        ),
        (
            "cut off or damaged at byte",
            message(&[("tokenizer.model", cut)]),
        ),
        (
            "how `` of a `` model splits words",
            message(&[("vocab.json", b"{}"), ("merges.txt", b"")]),
        ),
        (
            "merges.txt line 2: `ab`",
            message(&[
                ("vocab.json", b"{}"),
                ("merges.txt", b"a b\nab\n"),
                ("config.json", b"{\"model_type\": \"qwen2\"}"),
            ]),
        ),
        (
            "`bos_token` is `<x>`, which is not in the vocabulary",
            message(&[
                ("tokenizer.model", &sentencepiece_file(2)),
                ("tokenizer_config.json", b"{\"bos_token\": \"<x>\"}"),
            ]),
        ),
    ];
    for (wanted, message) in cases {
        assert!(message.contains(wanted), "{wanted}: {message}");
    }
}

#[test]
fn contradicting_metadata_is_named() {
    let message = |key: &str, value: Value| {
        let mut header = byte_level_header("smollm");
        header
            .metadata
            .insert(format!("tokenizer.ggml.{key}"), value);
        Tokenizer::from_gguf(&header)
            .map(|_| ())
            .expect_err("broken")
            .to_string()
    };
    let cases = [
        (
            "supported are `gpt2` and `llama`",
            message("model", Value::Text("bert".into())),
        ),
        (
            "is `tekken`, a splitting rule",
            message("pre", Value::Text("tekken".into())),
        ),
        (
            "has 1 entries for 265 tokens",
            message("token_type", Value::List(vec![Value::Signed(1)])),
        ),
        ("merge 0 is `ab`", message("merges", texts(&["ab"]))),
        (
            "merge 0, `a zz`, needs the token `zz`",
            message("merges", texts(&["a zz"])),
        ),
        (
            "needs the token `Ġpo<|end|>`",
            message("merges", texts(&["Ġpo <|end|>"])),
        ),
        (
            "is 265, but there are 265 tokens",
            message("eos_token_id", Value::Unsigned(265)),
        ),
    ];
    for (wanted, message) in cases {
        assert!(
            message.starts_with("tiny.gguf") && message.contains(wanted),
            "{wanted}: {message}"
        );
    }
    assert!(Tokenizer::from_folder(Path::new("no/such/folder")).is_err());
}

proptest! {
    #[test]
    fn a_damaged_file_is_an_error_or_a_model_and_never_a_panic(
        length in 0usize..4000, flips in prop::collection::vec((0usize..4000, any::<u8>()), 0..4),
    ) {
        let mut file = sentencepiece_file(2);
        file.truncate(length);
        for (at, byte) in flips {
            if let Some(place) = file.get_mut(at) {
                *place = byte;
            }
        }
        if let Ok(model) = proto::parse(&file) {
            prop_assert!(!model.pieces.is_empty());
        }
    }

    #[test]
    fn any_text_comes_back(text in "\\PC{0,24}") {
        prop_assume!(!text.contains('▁') && !text.contains('<'));
        for tokenizer in [byte_level(), sentencepiece()] {
            let ids = tokenizer.encode(&text).expect("encodes");
            prop_assert_eq!(&tokenizer.decode(&ids).expect("decodes"), &text);
        }
    }
}
