use std::path::{Path, PathBuf};

use candle_core::{DType, Device};
use half::f16;
use hub::gguf::Header;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use super::*;

#[path = "../../../tests/models/gguf_writer.rs"]
#[allow(dead_code, reason = "it writes more for the tests of whole models")]
mod gguf_writer;

use gguf_writer::{Kind, Meta, Plain, Writer, interleave};

const SHAPES: [(&str, [usize; 2]); 5] = [
    ("plain.q_proj", [4, 192]),
    ("half.k_proj", [2, 128]),
    ("short.v_proj", [3, 50]),
    ("double.o_proj", [40, 416]),
    ("four.up_proj", [2, 128]),
];

fn golden(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/golden/nf4")
        .join(file)
}

fn open(file: &Path, precision: Precision) -> Result<WeightFiles> {
    WeightFiles::open_folder(&[file.to_owned()], precision, &Device::Cpu)
}

/// The matrix `<name>.weight`.
#[track_caller]
fn take(files: &mut WeightFiles, name: &str, shape: [usize; 2]) -> Matrix {
    files
        .take_matrix(&format!("{name}.weight"), shape)
        .expect("a matrix")
}

#[track_caller]
fn take_blocks(files: &mut WeightFiles, name: &str, shape: [usize; 2]) -> Blocks {
    match take(files, name, shape) {
        Matrix::Blocks(blocks) => blocks,
        Matrix::Tensor(tensor) => panic!("`{name}` is a tensor of {:?}", tensor.dtype()),
    }
}

#[track_caller]
fn take_tensor(files: &mut WeightFiles, name: &str, shape: [usize; 2]) -> (DType, Vec<f32>) {
    let Matrix::Tensor(tensor) = take(files, name, shape) else {
        panic!("`{name}` stayed in blocks")
    };
    let floats = tensor
        .to_dtype(DType::F32)
        .and_then(|t| t.flatten_all()?.to_vec1());
    (tensor.dtype(), floats.expect("values"))
}

/// What bitsandbytes computed: `plain.q_proj.dequantised` and its like.
fn expected(name: &str, shape: &[usize]) -> Vec<f32> {
    let tensor = open(&golden("floats.safetensors"), Precision::F32)
        .and_then(|mut f| f.take_f32(name, shape));
    tensor
        .expect("expected")
        .flatten_all()
        .and_then(|t| t.to_vec1())
        .expect("values")
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

#[test]
fn a_checkpoint_of_bitsandbytes_is_read() {
    let mut files = open(&golden("codes.safetensors"), Precision::Packed).expect("opens");
    for (name, shape) in SHAPES {
        let blocks = take_blocks(&mut files, name, shape);
        let format = if name.starts_with("four") {
            BlockFormat::Fp4
        } else {
            BlockFormat::Nf4
        };
        assert_eq!(
            (blocks.format(), blocks.rows(), blocks.width()),
            (format, shape[0], shape[1]),
            "{name}"
        );
        if name.starts_with("double") {
            // Its scales were quantised: they are what must come back; a largest magnitude is
            // the scale itself.
            let scales = expected("double.o_proj.scales", &[260]);
            let largest = |block: &[f32]| block.iter().fold(0.0f32, |most, v| most.max(v.abs()));
            let found: Vec<f32> = blocks.to_floats().chunks(64).map(largest).collect();
            assert_eq!(bits(&found), bits(&scales));
        } else {
            let want = expected(&format!("{name}.dequantised"), &shape);
            assert_eq!(bits(&blocks.to_floats()), bits(&want), "{name}");
        }
    }
    files
        .finish()
        .expect("every tensor beside a weight is taken with it");
}

#[test]
fn floats_are_quantised_as_bitsandbytes_does() {
    let mut floats = open(&golden("floats.safetensors"), Precision::Nf4).expect("opens");
    let mut codes = open(&golden("codes.safetensors"), Precision::Nf4).expect("opens");
    for (name, shape) in &SHAPES[..3] {
        let (ours, theirs) = (
            take_blocks(&mut floats, name, *shape),
            take_blocks(&mut codes, name, *shape),
        );
        assert_eq!(ours.format(), BlockFormat::Nf4);
        assert_eq!(bits(&ours.to_floats()), bits(&theirs.to_floats()), "{name}");
        assert_eq!(ours.bytes(), theirs.bytes());
    }
    let error = codes
        .take_matrix("four.up_proj.weight", [2, 128])
        .err()
        .expect("fp4")
        .to_string();
    assert!(
        error.ends_with("tensor `four.up_proj.weight` is stored as fp4; use dtype packed"),
        "{error}"
    );
}

#[test]
fn a_checkpoint_of_bitsandbytes_is_widened() {
    for (precision, dtype) in [(Precision::F32, DType::F32), (Precision::Bf16, DType::BF16)] {
        let mut files = open(&golden("codes.safetensors"), precision).expect("opens");
        let (found, values) = take_tensor(&mut files, "plain.q_proj", [4, 192]);
        let want = expected("plain.q_proj.dequantised", &[4, 192]);
        let round = |v: &f32| {
            if dtype == DType::BF16 {
                half::bf16::from_f32(*v).to_f32()
            } else {
                *v
            }
        };
        assert_eq!((found, values), (dtype, want.iter().map(round).collect()));
    }
}

/// `codes.safetensors` with tensors changed or left out.
fn damaged(change: impl Fn(&str, &[usize], &[u8]) -> Option<(Vec<usize>, Vec<u8>)>) -> String {
    let bytes = std::fs::read(golden("codes.safetensors")).expect("codes");
    let whole = SafeTensors::deserialize(&bytes).expect("safetensors");
    let parts: Vec<_> = whole
        .tensors()
        .into_iter()
        .filter_map(|(name, view)| {
            Some((
                change(&name, view.shape(), view.data())?,
                name,
                view.dtype(),
            ))
        })
        .collect();
    let views = parts.iter().map(|((shape, data), name, dtype)| {
        (
            name.as_str(),
            TensorView::new(*dtype, shape.clone(), data).expect("a view"),
        )
    });
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("model.safetensors");
    std::fs::write(
        &file,
        safetensors::serialize(views, None).expect("serializes"),
    )
    .expect("writes");
    let all = open(&file, Precision::Packed).and_then(|mut files| {
        for (name, shape) in SHAPES {
            files.take_matrix(&format!("{name}.weight"), shape)?;
        }
        files.finish()
    });
    let error = all.expect_err("was not refused").to_string();
    assert_eq!(
        error.matches("model.safetensors").count(),
        1,
        "the file is named once: {error}"
    );
    error
}

#[track_caller]
fn check(error: &str, part: &str) {
    assert!(
        error.contains(part) && !error.contains('\n'),
        "`{part}` is not in: {error}"
    );
}

#[test]
fn lost_tensors_are_named() {
    let state = "double.o_proj.weight.quant_state.bitsandbytes__nf4";
    for part in [
        "",
        ".absmax",
        ".quant_map",
        ".nested_absmax",
        ".nested_quant_map",
    ] {
        let lost = format!("double.o_proj.weight{part}");
        let error =
            damaged(|name, shape, data| (name != lost).then(|| (shape.to_vec(), data.to_vec())));
        check(
            &error,
            &format!("tensor `{lost}` is missing, which `{state}` speaks of"),
        );
    }
    let error =
        damaged(|name, shape, data| (name != state).then(|| (shape.to_vec(), data.to_vec())));
    check(
        &error,
        "tensor `double.o_proj.weight` has shape [8320, 1], the configuration needs [40, 416]",
    );
}

#[test]
fn tensors_that_lie_are_named() {
    let with = |target: &str, to: &dyn Fn(&[u8]) -> Vec<u8>| {
        damaged(|name, shape, data| {
            let data = if name == target {
                to(data)
            } else {
                data.to_vec()
            };
            let per = if name.contains("absmax") || name.contains("_map") {
                4
            } else {
                1
            };
            let shape = if name == target {
                vec![data.len() / per]
            } else {
                shape.to_vec()
            };
            Some((shape, data))
        })
    };
    let cut = |data: &[u8]| data[..data.len() - 4].to_vec();
    let q = "tensor `plain.q_proj.weight`: ";
    check(
        &with("plain.q_proj.weight", &cut),
        &format!("{q}380 bytes of codes, but 4 rows of 192 values are 4 x 96"),
    );
    check(
        &with("plain.q_proj.weight.absmax", &cut),
        &format!("{q}11 scales, but 768 values in blocks of 64 need 12"),
    );
    check(
        &with("plain.q_proj.weight.quant_map", &cut),
        &format!("{q}its quant_map has 15 values, not 16"),
    );
    let o = "tensor `double.o_proj.weight`: ";
    check(
        &with("double.o_proj.weight.nested_quant_map", &cut),
        &format!("{o}its table of scales has 255 values"),
    );
    check(
        &with("double.o_proj.weight.nested_absmax", &cut),
        &format!("{o}1 scales of scales do not fit 260 scales"),
    );

    let state = "plain.q_proj.weight.quant_state.bitsandbytes__nf4";
    check(
        &with(state, &cut),
        &format!("tensor `{state}` does not describe a 4-bit weight ("),
    );
    let json = |text: &'static str| with(state, &move |_| text.as_bytes().to_vec());
    check(&json(r#"{"shape": [4, 192]}"#), "missing field `blocksize`");
    check(
        &json(r#"{"blocksize": 64, "shape": [-4, 192]}"#),
        "does not describe a 4-bit weight",
    );
    check(
        &json(r#"{"blocksize": 64, "shape": [2, 384]}"#),
        "has shape [2, 384], the configuration needs [4, 192]",
    );
    check(
        &json(r#"{"blocksize": 0, "shape": [4, 192]}"#),
        &format!("{q}blocks of 0 values"),
    );
    check(
        &json(r#"{"blocksize": 64, "shape": [4, 192], "nested_offset": 0.1}"#),
        "nested_blocksize and nested_offset come together",
    );
}

/// A file of the `llama` architecture, two heads of 32 rows: q in blocks, k and the embedding
/// as they are.
fn write_gguf(dir: &Path) -> (Header, Plain) {
    let values = |shift: f32| {
        (0..64 * 64)
            .map(|i| (i as f32 * 0.37 + shift).sin())
            .collect()
    };
    let plain = |shift| Plain {
        shape: vec![64, 64],
        values: values(shift),
    };
    let mut writer = Writer::default();
    writer
        .meta("general.architecture", Meta::Text("llama"))
        .meta("llama.embedding_length", Meta::Unsigned(64))
        .meta("llama.feed_forward_length", Meta::Unsigned(64))
        .meta("llama.block_count", Meta::Unsigned(1))
        .meta("llama.attention.head_count", Meta::Unsigned(2))
        .meta("llama.attention.layer_norm_rms_epsilon", Meta::Float(1e-5))
        .tensor(
            "blk.0.attn_q.weight",
            &interleave(&plain(0.0), 2),
            Kind::Q8_0,
        )
        .tensor(
            "blk.0.attn_k.weight",
            &interleave(&plain(1.0), 2),
            Kind::F32,
        )
        .tensor("token_embd.weight", &plain(2.0), Kind::Q4_0);
    let path = dir.join("model.gguf");
    std::fs::write(&path, writer.bytes()).expect("writes");
    (Header::read(&path).expect("a header"), plain(0.0))
}

#[test]
fn gguf_blocks_stay_in_the_file() {
    let dir = tempfile::tempdir().expect("a folder");
    let (header, q) = write_gguf(dir.path());
    let config = crate::ModelConfig::from_gguf(&header.path, &header).expect("a configuration");
    let open = |precision| {
        WeightFiles::open_gguf(&header, &config, precision, &Device::Cpu).expect("opens")
    };
    let (mut floats, mut packed, mut nf4) = (
        open(Precision::F32),
        open(Precision::Packed),
        open(Precision::Nf4),
    );
    let (q_name, k_name) = (
        "model.layers.0.self_attn.q_proj",
        "model.layers.0.self_attn.k_proj",
    );
    let square = [64, 64];

    let (_, want) = take_tensor(&mut floats, q_name, square);
    let off = want
        .iter()
        .zip(&q.values)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max);
    assert!(
        off < 0.005,
        "rows in Hugging Face's order, rounded to 8 bits: {off}"
    );
    let blocks = take_blocks(&mut packed, q_name, square);
    assert_eq!(
        (blocks.format(), bits(&blocks.to_floats())),
        (BlockFormat::Q8_0, bits(&want))
    );
    assert_eq!(
        blocks.bytes(),
        64 * (2 * 34 + 4),
        "34 bytes for 32 values, and the order of the rows"
    );
    let direct = Blocks::quantise_nf4(&want, (64, 64)).expect("fits");
    let again = take_blocks(&mut nf4, q_name, square);
    assert_eq!(
        (again.format(), bits(&again.to_floats())),
        (BlockFormat::Nf4, bits(&direct.to_floats()))
    );

    let (_, want) = take_tensor(&mut floats, k_name, square);
    assert_eq!(
        take_tensor(&mut packed, k_name, square),
        (DType::F32, want),
        "floats are not quantised"
    );
    assert_eq!(
        take_blocks(&mut nf4, k_name, square).format(),
        BlockFormat::Nf4
    );

    let embedding = "model.embed_tokens";
    assert_eq!(
        take_blocks(&mut packed, embedding, square).format(),
        BlockFormat::Q4_0
    );
    assert_eq!(
        take_tensor(&mut nf4, embedding, square).0,
        DType::BF16,
        "only projections are NF4"
    );
}

#[test]
fn halves_are_packed_as_bf16() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("model.safetensors");
    let data: Vec<u8> = (0..64)
        .flat_map(|i| f16::from_f32(i as f32 / 64.0).to_le_bytes())
        .collect();
    let view = TensorView::new(Dtype::F16, vec![2, 32], &data).expect("a view");
    std::fs::write(
        &file,
        safetensors::serialize([("a.q_proj.weight", view)], None).expect("serializes"),
    )
    .expect("writes");
    let (dtype, values) = take_tensor(
        &mut open(&file, Precision::Packed).expect("opens"),
        "a.q_proj",
        [2, 32],
    );
    assert_eq!((dtype, values[63]), (DType::BF16, 63.0 / 64.0));
}

#[test]
fn values_that_are_not_finite_cannot_be_nf4() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("model.safetensors");
    let data: Vec<u8> = (0..64)
        .flat_map(|i| (1.0 / (i as f32 - 9.0)).to_le_bytes())
        .collect();
    let view = TensorView::new(Dtype::F32, vec![2, 32], &data).expect("a view");
    std::fs::write(
        &file,
        safetensors::serialize([("a.q_proj.weight", view)], None).expect("serializes"),
    )
    .expect("writes");
    let error = open(&file, Precision::Nf4)
        .and_then(|mut files| files.take_matrix("a.q_proj.weight", [2, 32]));
    check(
        &error.err().expect("infinity").to_string(),
        "tensor `a.q_proj.weight` cannot be NF4: a value is not finite",
    );
}

#[test]
fn only_the_cpu_multiplies_blocks() {
    assert_eq!(need_cpu("x", Precision::Packed, "cpu"), Ok(()));
    let error = need_cpu("a.weight", Precision::Nf4, "cuda").expect_err("no product there");
    check(
        &error,
        "tensor `a.weight` would stay quantised with dtype nf4, which cuda has no product for; use device cpu",
    );
}
