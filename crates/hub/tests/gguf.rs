//! GGUF headers, sound and broken: every broken one gives an error that names the file and the
//! place.

use std::fs;

use hub::{
    HubError,
    gguf::{BLOCKS, Header, Value, block},
};
use proptest::prelude::*;

/// Writes a header field by field, so that a test can write any of them wrong.
#[derive(Clone)]
struct Writer {
    version: u32,
    tensor_count: Option<u64>,
    entry_count: Option<u64>,
    entries: Vec<Vec<u8>>,
    tensors: Vec<Vec<u8>>,
    alignment: u64,
    data: Vec<u8>,
}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}

fn tensor_bytes(name: &str, sizes: &[u64], ggml_type: u32, offset: u64) -> Vec<u8> {
    let mut bytes = text(name);
    bytes.extend((sizes.len() as u32).to_le_bytes());
    sizes
        .iter()
        .for_each(|size| bytes.extend(size.to_le_bytes()));
    bytes.extend(ggml_type.to_le_bytes());
    bytes.extend(offset.to_le_bytes());
    bytes
}

impl Writer {
    fn new() -> Self {
        Self {
            version: 3,
            tensor_count: None,
            entry_count: None,
            entries: vec![],
            tensors: vec![],
            alignment: 32,
            data: vec![],
        }
    }

    fn entry(mut self, key: &str, kind: u32, value: &[u8]) -> Self {
        self.entries
            .push([text(key), kind.to_le_bytes().to_vec(), value.to_vec()].concat());
        self
    }

    fn tensor(mut self, name: &str, sizes: &[u64], ggml_type: u32, offset: u64) -> Self {
        self.tensors
            .push(tensor_bytes(name, sizes, ggml_type, offset));
        self
    }

    fn data(mut self, bytes: usize) -> Self {
        self.data = vec![0; bytes];
        self
    }

    fn header(&self) -> Vec<u8> {
        let mut bytes = b"GGUF".to_vec();
        bytes.extend(self.version.to_le_bytes());
        bytes.extend(
            self.tensor_count
                .unwrap_or(self.tensors.len() as u64)
                .to_le_bytes(),
        );
        bytes.extend(
            self.entry_count
                .unwrap_or(self.entries.len() as u64)
                .to_le_bytes(),
        );
        bytes.extend(self.entries.concat());
        bytes.extend(self.tensors.concat());
        bytes
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.header();
        bytes.resize(bytes.len().next_multiple_of(self.alignment as usize), 0);
        bytes.extend(&self.data);
        bytes
    }

    fn read(&self) -> Result<Header, HubError> {
        read(&self.bytes())
    }

    fn refused(&self) -> String {
        refused(&self.bytes())
    }
}

fn read(bytes: &[u8]) -> Result<Header, HubError> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.gguf");
    fs::write(&path, bytes).expect("writes");
    Header::read(&path)
}

/// The message, which must name the file.
fn refused(bytes: &[u8]) -> String {
    let message = read(bytes).expect_err("must be refused").to_string();
    assert!(message.contains("model.gguf: "), "{message}");
    message
}

fn list(kind: u32, count: u64, elements: &[u8]) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &count.to_le_bytes(), elements].concat()
}

#[test]
fn reads_every_kind_of_value() {
    let strings = [text("a"), text("Ġb")].concat();
    let header = Writer::new()
        .entry("u8", 0, &[200])
        .entry("i8", 1, &[0xff])
        .entry("u16", 2, &500_u16.to_le_bytes())
        .entry("i16", 3, &(-500_i16).to_le_bytes())
        .entry("u32", 4, &70_000_u32.to_le_bytes())
        .entry("i32", 5, &(-70_000_i32).to_le_bytes())
        .entry("f32", 6, &1.5_f32.to_le_bytes())
        .entry("yes", 7, &[1])
        .entry("text", 8, &text("Übung"))
        .entry("texts", 9, &list(8, 2, &strings))
        .entry("u64", 10, &u64::MAX.to_le_bytes())
        .entry("i64", 11, &i64::MIN.to_le_bytes())
        .entry("f64", 12, &(-0.1_f64).to_le_bytes())
        .entry("nested", 9, &list(9, 1, &list(4, 1, &7_u32.to_le_bytes())))
        .read()
        .expect("sound");
    let expected = [
        ("u8", Value::Unsigned(200)),
        ("i8", Value::Signed(-1)),
        ("u16", Value::Unsigned(500)),
        ("i16", Value::Signed(-500)),
        ("u32", Value::Unsigned(70_000)),
        ("i32", Value::Signed(-70_000)),
        ("f32", Value::Float(1.5)),
        ("yes", Value::Bool(true)),
        ("text", Value::Text("Übung".into())),
        (
            "texts",
            Value::List(vec![Value::Text("a".into()), Value::Text("Ġb".into())]),
        ),
        ("u64", Value::Unsigned(u64::MAX)),
        ("i64", Value::Signed(i64::MIN)),
        ("f64", Value::Float(-0.1)),
        (
            "nested",
            Value::List(vec![Value::List(vec![Value::Unsigned(7)])]),
        ),
    ];
    assert_eq!(
        header.metadata,
        expected
            .into_iter()
            .map(|(k, v)| (k.to_owned(), v))
            .collect()
    );
}

#[test]
fn turns_shapes_round_and_offsets_absolute() {
    let two = Writer {
        version: 2,
        ..Writer::new()
    };
    let writer = two
        .tensor("a", &[64, 3], 2, 0)
        .tensor("b", &[5], 0, 128)
        .data(128 + 20);
    let start = writer.header().len().next_multiple_of(32) as u64;
    let header = writer.read().expect("sound");
    let (a, b) = (&header.tensors[0], &header.tensors[1]);
    assert_eq!(
        (a.shape.as_slice(), a.offset, a.length),
        (&[3, 64][..], start, 3 * 2 * 18)
    );
    assert_eq!(
        (b.shape.as_slice(), b.offset, b.length),
        (&[5][..], start + 128, 20)
    );
    assert_eq!(header.tensor("b"), Some(b));
    assert_eq!(header.tensor("c"), None);
}

#[test]
fn honours_the_alignment() {
    let aligned = |alignment: u32| {
        let writer = Writer {
            alignment: u64::from(alignment),
            ..Writer::new()
        };
        writer
            .entry("general.alignment", 4, &alignment.to_le_bytes())
            .tensor("a", &[4], 0, 0)
            .data(16)
    };
    for alignment in [1, 8, 64, 4096] {
        let writer = aligned(alignment);
        let expected = writer.header().len().next_multiple_of(alignment as usize) as u64;
        assert_eq!(writer.read().expect("sound").tensors[0].offset, expected);
    }
    for (alignment, what) in [
        (0_u32, "is 0; it must be a power of two"),
        (24, "is 24; it must be a power of two"),
    ] {
        let message = Writer::new()
            .entry("general.alignment", 4, &alignment.to_le_bytes())
            .refused();
        assert!(
            message.contains("key `general.alignment`") && message.contains(what),
            "{message}"
        );
    }
    let message = Writer::new()
        .entry("general.alignment", 8, &text("32"))
        .refused();
    assert!(
        message.contains("is text, but must be a non-negative integer"),
        "{message}"
    );
    let huge = Writer::new().entry("general.alignment", 10, &(1_u64 << 63).to_le_bytes());
    let message = huge.tensor("a", &[4], 0, 1 << 63).data(16).refused();
    assert!(
        message.contains("tensor `a`") && message.contains("past the file's end"),
        "{message}"
    );
}

#[test]
fn refuses_other_files_and_versions() {
    assert!(refused(b"").contains("magic: the file ends here"));
    assert!(refused(b"PK\x03\x04....").contains("this is no GGUF file"));
    for (version, what) in [
        (1_u32, "is 1; 2 and 3 are read"),
        (4, "is 4"),
        (3_u32.swap_bytes(), "big-endian"),
    ] {
        let message = Writer {
            version,
            ..Writer::new()
        }
        .refused();
        assert!(
            message.contains("version") && message.contains(what),
            "{message}"
        );
    }
}

#[test]
fn refuses_claims_that_the_file_cannot_hold() {
    let message = Writer {
        tensor_count: Some(u64::MAX),
        ..Writer::new()
    }
    .refused();
    assert!(
        message.contains(&format!("tensor count: claims {} tensors", u64::MAX)),
        "{message}"
    );
    let message = Writer {
        entry_count: Some(1 << 40),
        ..Writer::new()
    }
    .refused();
    assert!(message.contains("metadata count: claims"), "{message}");
    let message = Writer::new()
        .entry("name", 8, &u64::MAX.to_le_bytes())
        .refused();
    assert!(
        message.contains("key `name`: claims") && message.contains("bytes of text"),
        "{message}"
    );
    let message = Writer::new()
        .entry("ids", 9, &list(4, 1 << 60, &[0; 64]))
        .refused();
    assert!(
        message.contains("key `ids`: claims") && message.contains("list elements"),
        "{message}"
    );
    // Six strings need 48 bytes for their lengths alone.
    let message = Writer::new()
        .entry("ids", 9, &list(8, 6, &[0; 8]))
        .data(1)
        .refused();
    assert!(
        message.contains("key `ids`: claims 6 list elements"),
        "{message}"
    );
}

#[test]
fn refuses_more_list_elements_than_any_model_has() {
    let bytes = vec![0; (1 << 23) + 1];
    let message = Writer::new()
        .entry("flags", 9, &list(0, bytes.len() as u64, &bytes))
        .refused();
    assert!(
        message.contains("key `flags`: the file's lists have more than 8388608 elements"),
        "{message}"
    );
}

#[test]
fn refuses_values_that_mean_nothing() {
    let cases: &[(u32, Vec<u8>, &str)] = &[
        (7, vec![2], "a truth value is 0 or 1, not 2"),
        (13, vec![], "value kind 13 is unknown"),
        (9, list(13, 0, &[]), "value kind 13 is unknown"),
        (
            8,
            [&2_u64.to_le_bytes()[..], &[0xc3, 0x28]].concat(),
            "text is not UTF-8",
        ),
        (
            9,
            list(
                9,
                1,
                &list(9, 1, &list(9, 1, &list(9, 1, &list(0, 0, &[])))),
            ),
            "nested more than 4 deep",
        ),
    ];
    for (kind, value, what) in cases {
        let message = Writer::new().entry("odd", *kind, value).data(64).refused();
        assert!(
            message.contains("key `odd`: ") && message.contains(what),
            "{message}"
        );
    }
    let message = Writer::new()
        .entry("x", 0, &[1])
        .entry("x", 0, &[1])
        .refused();
    assert!(message.contains("key `x`: is there twice"), "{message}");
}

#[test]
fn refuses_tensors_that_cannot_be() {
    let cases: &[(&[u64], u32, u64, &str)] = &[
        (&[], 0, 0, "has 0 dimensions"),
        (&[1, 1, 1, 1, 1], 0, 0, "has 5 dimensions"),
        (&[4, 0], 0, 0, "a dimension of [4, 0] is 0"),
        (
            &[4],
            16,
            0,
            "ggml type 16 is not read; use a file quantised to one of F32 F16 Q4_0",
        ),
        (
            &[48],
            8,
            0,
            "rows of 48 elements are no whole number of Q8_0 blocks of 32",
        ),
        (&[1 << 33, 1 << 33], 0, 0, "overflows"),
        (&[1 << 62], 0, 0, "overflows"),
        (&[4], 0, 16, "offset 16 is no multiple of the alignment 32"),
        (
            &[4],
            0,
            64,
            "16 bytes at offset 64 of the data reach past the file's end",
        ),
        (&[17], 0, 0, "past the file's end"),
        (&[4], 0, u64::MAX - 31, "past the file's end"),
    ];
    for &(sizes, ggml_type, offset, what) in cases {
        let message = Writer::new()
            .tensor("bad", sizes, ggml_type, offset)
            .data(64)
            .refused();
        assert!(
            message.contains("tensor `bad`: ") && message.contains(what),
            "{message}"
        );
    }
}

#[test]
fn refuses_tensors_with_one_name_or_one_place() {
    let message = Writer::new()
        .tensor("a", &[4], 0, 0)
        .tensor("a", &[4], 0, 32)
        .data(64)
        .refused();
    assert!(message.contains("tensor `a`: is there twice"), "{message}");
    let message = Writer::new()
        .tensor("a", &[9], 0, 0)
        .tensor("b", &[4], 0, 32)
        .data(64)
        .refused();
    assert!(
        message.contains("tensor `b`: its bytes overlap those of tensor `a`"),
        "{message}"
    );
}

#[test]
fn a_hostile_name_does_not_flood_or_steer_the_terminal() {
    let name = format!("\u{1b}[2J{}", "x".repeat(5000));
    let message = Writer::new().tensor(&name, &[0], 0, 0).data(32).refused();
    assert!(
        !message.contains('\u{1b}') && message.contains(r"\u{1b}[2J"),
        "{message}"
    );
    assert!(message.len() < 600, "{}", message.len());
}

#[test]
fn accessors_convert_only_integers_and_name_file_and_key() {
    let numbers = [1_i32, 2].map(i32::to_le_bytes).concat();
    let header = Writer::new()
        .entry("n", 5, &7_i32.to_le_bytes())
        .entry("minus", 5, &(-7_i32).to_le_bytes())
        .entry("x", 6, &0.5_f32.to_le_bytes())
        .entry("yes", 7, &[1])
        .entry("name", 8, &text("llama"))
        .entry("names", 9, &list(8, 1, &text("a")))
        .entry("ids", 9, &list(5, 2, &numbers))
        .entry("scores", 9, &list(6, 1, &2.5_f32.to_le_bytes()))
        .read()
        .expect("sound");
    assert_eq!(header.need_unsigned("n").expect("there"), 7);
    assert_eq!(header.need_signed("minus").expect("there"), -7);
    assert_eq!(header.need_float("x").expect("there"), 0.5);
    assert!(header.need_bool("yes").expect("there"));
    assert_eq!(header.need_text("name").expect("there"), "llama");
    assert_eq!(header.need_texts("names").expect("there"), ["a"]);
    assert_eq!(header.need_integers("ids").expect("there"), [1, 2]);
    assert_eq!(header.need_unsigneds("ids").expect("there"), [1, 2]);
    assert_eq!(header.need_floats("scores").expect("there"), [2.5]);
    assert_eq!(header.need_list("ids").expect("there").len(), 2);
    assert_eq!(header.text("absent").expect("no error"), None);

    let messages = [
        (
            header.need_text("absent").map(drop),
            "key `absent`: is absent, but must be text",
        ),
        (
            header.text("n").map(drop),
            "key `n`: is the integer 7, but must be text",
        ),
        (
            header.unsigned("minus").map(drop),
            "key `minus`: is the integer -7, but must be a non-negative integer",
        ),
        (
            header.float("n").map(drop),
            "key `n`: is the integer 7, but must be a float",
        ),
        (
            header.texts("ids").map(drop),
            "key `ids`: is a list whose first element is a signed integer",
        ),
        (
            header.floats("name").map(drop),
            "key `name`: is text, but must be a list of floats",
        ),
    ];
    for (result, expected) in messages {
        let message = result.expect_err("refused").to_string();
        assert!(
            message.contains("model.gguf: ") && message.contains(expected),
            "{message}"
        );
    }
}

#[test]
fn block_sizes_are_those_of_ggml() {
    let bits_per_weight = |name| {
        let block = BLOCKS.iter().find(|b| b.name == name).expect("a type");
        block.bytes as f64 * 8.0 / block.elements as f64
    };
    // As ggml's documentation of the k-quants gives them.
    for (name, bits) in [
        ("Q2_K", 2.625),
        ("Q3_K", 3.4375),
        ("Q4_K", 4.5),
        ("Q5_K", 5.5),
        ("Q6_K", 6.5625),
    ] {
        assert_eq!(bits_per_weight(name), bits, "{name}");
    }
    for (name, bits) in [
        ("Q4_0", 4.5),
        ("Q4_1", 5.0),
        ("Q5_0", 5.5),
        ("Q5_1", 6.0),
        ("Q8_0", 8.5),
        ("BF16", 16.0),
    ] {
        assert_eq!(bits_per_weight(name), bits, "{name}");
    }
    assert_eq!(block(4), None);
}

fn sound() -> Writer {
    Writer::new()
        .entry("general.architecture", 8, &text("llama"))
        .entry("general.alignment", 4, &32_u32.to_le_bytes())
        .entry(
            "tokens",
            9,
            &list(8, 3, &[text("a"), text("b"), text("")].concat()),
        )
        .entry(
            "nested",
            9,
            &list(9, 2, &[list(0, 1, &[1]), list(6, 1, &[0; 4])].concat()),
        )
        .tensor("blk.0.attn_q.weight", &[256, 2], 12, 0)
        .tensor("output_norm.weight", &[8], 0, 288)
        .data(320)
}

proptest! {
    /// Whatever the bytes, reading ends with a header whose tensors lie in the file, or with an
    /// error naming the file.
    #[test]
    fn changed_bytes_never_lead_out_of_the_file(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut bytes = sound().bytes();
        for (index, byte) in changes {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        match read(&bytes) {
            Ok(header) => for tensor in &header.tensors {
                prop_assert!(tensor.offset + tensor.length <= bytes.len() as u64);
            },
            Err(error) => prop_assert!(error.to_string().contains("model.gguf")),
        }
    }

    /// A file cut anywhere before the last tensor's end is refused.
    #[test]
    fn a_cut_file_is_refused(cut in any::<prop::sample::Index>()) {
        let bytes = sound().bytes();
        prop_assert!(read(&bytes).is_ok());
        prop_assert!(read(&bytes[..cut.index(bytes.len())]).is_err());
    }

    /// Any tensors laid one after another are read back with their shapes and places.
    #[test]
    fn reads_back_what_was_written(tensors in prop::collection::vec((0..BLOCKS.len(), 1_u64..4, 1_u64..4), 0..8)) {
        let mut writer = Writer::new();
        let mut offset = 0_u64;
        let mut expected = vec![];
        for (index, &(kind, blocks, rows)) in tensors.iter().enumerate() {
            let block = BLOCKS[kind];
            let length = blocks * rows * block.bytes;
            writer = writer.tensor(&index.to_string(), &[blocks * block.elements, rows], block.ggml_type, offset);
            expected.push((vec![rows as usize, (blocks * block.elements) as usize], offset, length));
            offset = (offset + length).next_multiple_of(32);
        }
        let writer = writer.data(offset as usize);
        let start = writer.header().len().next_multiple_of(32) as u64;
        let header = writer.read().expect("sound");
        let found: Vec<_> = header.tensors.iter().map(|t| (t.shape.clone(), t.offset - start, t.length)).collect();
        prop_assert_eq!(found, expected);
    }
}
