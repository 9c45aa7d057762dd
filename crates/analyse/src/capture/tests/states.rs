//! The file of states: what it says, and that no broken or made up one is believed.

use std::fs;

use proptest::prelude::*;

use super::*;

/// A captured file, for damage.
fn file() -> (TempDir, PathBuf) {
    captured(&load("tiny_llama"), &prompts(&QUESTIONS), 500)
}

/// The header of a file, and what follows it.
fn split(bytes: &[u8]) -> (Value, Vec<u8>) {
    let length = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
    (
        serde_json::from_slice(&bytes[8..8 + length]).expect("JSON"),
        bytes[8 + length..].to_vec(),
    )
}

fn join(header: &str, data: &[u8]) -> Vec<u8> {
    [
        &(header.len() as u64).to_le_bytes()[..],
        header.as_bytes(),
        data,
    ]
    .concat()
}

fn try_open(bytes: &[u8]) -> Result<StateFile, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("de.safetensors");
    fs::write(&file, bytes).expect("writes");
    StateFile::open(&file).map_err(|error| error.to_string())
}

#[track_caller]
fn refused(bytes: &[u8], needle: &str) {
    let message = try_open(bytes).expect_err("refused");
    assert!(
        message.contains("de.safetensors: ") && message.contains(needle),
        "`{needle}` in {message}"
    );
}

#[test]
fn a_file_says_what_it_is_of() {
    let (_folder, file) = file();
    let states = StateFile::open(&file).expect("opens");
    assert_eq!(states.about, about());
    assert_eq!(states.items, [2, 3, 4, 5, 6, 7, 8, 9]);
    let length = |question: &&str| EXEMPLARS.len() + question.len() + CLOSING.len();
    assert_eq!(
        states.tokens,
        QUESTIONS.iter().map(length).collect::<Vec<_>>()
    );
    let message = states
        .layer(Pooling::All, 4)
        .expect_err("not there")
        .to_string();
    assert_eq!(message, "layer 4: there are layers 0 to 3");
    // Others read it too.
    let bytes = fs::read(&file).expect("reads");
    let tensors = safetensors::SafeTensors::deserialize(&bytes).expect("a file of safetensors");
    let mut names = tensors.names();
    names.sort_unstable();
    assert_eq!(
        names,
        ["all", "items", "last", "question", "tokens", "weighted"]
    );
    assert_eq!(
        tensors.tensor("weighted").expect("there").shape(),
        [8, 4, 48]
    );
    assert_eq!(
        tensors.tensor("items").expect("there").dtype(),
        safetensors::Dtype::I64
    );
    let header = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes"));
    assert_eq!(header % 8, 0, "values are aligned");
    fs::remove_file(&file).expect("removes");
    assert!(
        states
            .layer(Pooling::All, 0)
            .expect_err("gone")
            .to_string()
            .contains("cannot open")
    );
}

#[test]
fn a_file_that_is_cut_short_or_too_long_is_refused() {
    let (_folder, file) = file();
    let bytes = fs::read(&file).expect("reads");
    let header = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
    for length in [0, 1, 7, 8, 9, 8 + header - 1] {
        refused(
            &bytes[..length],
            "not a safetensors file; remove it and capture again",
        );
    }
    for length in [8 + header, 8 + header + 5, bytes.len() / 2, bytes.len() - 1] {
        let message = format!(
            "{length} bytes, but {} by its header; remove it",
            bytes.len()
        );
        refused(&bytes[..length], &message);
    }
    refused(&[&bytes[..], b"x"].concat(), "by its header");
}

#[test]
fn a_header_that_cannot_be_is_refused() {
    let (_folder, file) = file();
    let bytes = fs::read(&file).expect("reads");
    for length in [u64::MAX, u64::MAX - 7, 1 << 63, 1 << 40, (1 << 24) + 1, 0] {
        refused(
            &[&length.to_le_bytes()[..], &bytes[8..]].concat(),
            "not a safetensors file",
        );
    }
    let (header, data) = split(&bytes);
    refused(&join("{\"items\": ", &data), "its header is broken (EOF");
    refused(&join("[]", &data), "its header is broken");
    refused(&join("\u{0}\u{0}", &data), "its header is broken");
    refused(
        &join("{}", &[]),
        "no tensor `items`; this is not a file of pooled states",
    );
    let changed = |tensor: &str, key: &str, value: Value| {
        let mut header = header.clone();
        header[tensor][key] = value;
        join(&header.to_string(), &data)
    };
    let offsets = |tensor: &str, at: usize| {
        header[tensor]["data_offsets"][at]
            .as_u64()
            .expect("a number")
    };
    let place = |start: u64, end: u64| json!([start, end]);
    for (tensor, wrong) in [
        ("items", place(64, 0)),
        ("items", place(0, 1 << 62)),
        ("items", place(0, 56)),
        ("items", place(8, 72)),
        ("tokens", place(0, 64)),
        ("last", place(offsets("last", 0), u64::MAX >> 1)),
        (
            "weighted",
            place(offsets("weighted", 0) + 4, offsets("weighted", 1)),
        ),
    ] {
        refused(
            &changed(tensor, "data_offsets", wrong),
            "its header is broken (",
        );
    }
    for shape in [
        json!([8, 4, 47]),
        json!([8, 1_u64 << 60, 1 << 10]),
        json!([1_u64 << 32, 1_u64 << 32]),
        json!([]),
    ] {
        refused(&changed("all", "shape", shape), "its header is broken (");
    }
    refused(
        &changed("all", "dtype", json!("F16")),
        "its header is broken (",
    );
    refused(
        &changed("all", "dtype", json!("F33")),
        "its header is broken (unknown variant",
    );
}

#[test]
fn tensors_that_are_not_states_are_refused() {
    let (_folder, file) = file();
    let (header, data) = split(&fs::read(&file).expect("reads"));
    let with = |change: &dyn Fn(&mut Value)| {
        let mut header = header.clone();
        change(&mut header);
        join(&header.to_string(), &data)
    };
    refused(
        &with(&|h| h["items"]["dtype"] = json!("U64")),
        "`items` is U64 [8], not a list of I64",
    );
    refused(
        &with(&|h| h["tokens"]["shape"] = json!([2, 4])),
        "`tokens` is I64 [2, 4], not a list of I64",
    );
    refused(
        &with(&|h| h["all"]["dtype"] = json!("I32")),
        "`all` is I32 [8, 4, 48], which fits no other tensor",
    );
    refused(
        &with(&|h| h["all"]["shape"] = json!([4, 8, 48])),
        "`all` is F32 [4, 8, 48], which fits no other tensor",
    );
    refused(
        &with(&|h| h["last"]["shape"] = json!([8, 8, 24])),
        "`last` is F32 [8, 8, 24], which fits no other tensor",
    );
    refused(
        &with(&|h| h["last"]["shape"] = json!([8, 192])),
        "`last` has shape [8, 192], not (items, layers, width)",
    );
    let renamed = |from: &'static str, to: &'static str| {
        with(&move |h: &mut Value| {
            let map = h.as_object_mut().expect("an object");
            let entry = map.remove(from).expect("there");
            map.insert(to.to_owned(), entry);
        })
    };
    refused(&renamed("items", "item"), "no tensor `items`");
    refused(&renamed("tokens", "token"), "no tensor `tokens`");
    let without_poolings: String =
        json!({"items": header["items"], "tokens": header["tokens"]}).to_string();
    refused(
        &join(&without_poolings, &data[..128]),
        "no tensor `all, question, weighted or last`",
    );
    let fewer_tokens = json!({
        "items": header["items"], "tokens": {"dtype": "I64", "shape": [7], "data_offsets": [64, 120]},
        "all": {"dtype": "F32", "shape": [8, 4, 48], "data_offsets": [120, 120 + 8 * 4 * 48 * 4]},
    });
    refused(
        &join(&fewer_tokens.to_string(), &data[..120 + 8 * 4 * 48 * 4]),
        "`items` has 8 entries, `tokens` 7",
    );
    let mut negative = data.clone();
    negative[7] = 0x80;
    refused(
        &join(&header.to_string(), &negative),
        "`items` has a number below 0",
    );
    // What a file has beside them is no matter.
    assert_eq!(
        try_open(&renamed("weighted", "other"))
            .expect("opens")
            .poolings()
            .len(),
        3
    );
}

#[test]
fn a_value_that_no_capture_writes_is_named_when_it_is_read() {
    let (_folder, file) = file();
    let (header, mut data) = split(&fs::read(&file).expect("reads"));
    let start = header["question"]["data_offsets"][0]
        .as_u64()
        .expect("a number") as usize;
    data[start + ((3 * 4 + 2) * 48 + 5) * 4..][..4].copy_from_slice(&f32::INFINITY.to_le_bytes());
    fs::write(&file, join(&header.to_string(), &data)).expect("writes");
    let states = StateFile::open(&file).expect("opens");
    let message = states
        .layer(Pooling::Question, 2)
        .expect_err("refused")
        .to_string();
    assert!(
        message.contains("de.safetensors: `question` of item 5 at layer 2 is not finite"),
        "{message}"
    );
    states
        .layer(Pooling::Question, 1)
        .expect("reads another layer");
    states
        .layer(Pooling::All, 2)
        .expect("reads another pooling");
}

proptest! {
    /// Whatever a header says: an answer, neither a panic nor memory for what is not there.
    #[test]
    fn no_header_is_believed_blindly(damages in prop::collection::vec((0usize..2000, any::<u8>()), 1..4)) {
        let text = HEADER.with(|(header, data)| {
            let mut header = header.clone().into_bytes();
            for &(at, byte) in &damages {
                let at = at % header.len();
                header[at] = byte;
            }
            [&(header.len() as u64).to_le_bytes()[..], &header, data].concat()
        });
        if let Ok(states) = try_open(&text) {
            prop_assert!(states.items.len() == 8 && states.layers() * states.width() == 4 * 48);
        }
    }
}

thread_local! {
    static HEADER: (String, Vec<u8>) = {
        let (_folder, file) = file();
        let (header, data) = split(&fs::read(&file).expect("reads"));
        (header.to_string(), data)
    };
}
