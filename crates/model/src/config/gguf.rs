//! GGUF metadata of the architectures in `gguf_families.rs` (Mistral's files are `llama`'s).

use std::path::Path;

use hub::gguf::{Header, Value};

use super::{
    ModelConfig, Rope, RopeScaling,
    families::Family,
    gguf_families::{ARCHITECTURES, Architecture, Factor, LocalTheta, RotatedLayers},
    gguf_keys,
    properties::{NormKind, PositionScale, QkNorm},
    rope::{LongRope, Yarn, yarn_mscale},
};
use crate::{
    error::{ModelError, Result},
    projection::Projection,
    weights::{
        gguf::{LONG_FACTORS, ROPE_FACTORS},
        gguf_names,
    },
};

/// llama.cpp's base where the file names none.
const DEFAULT_THETA: f64 = 10_000.0;

struct Metadata<'a> {
    file: &'a Path,
    header: &'a Header,
    architecture: String,
    known: &'static Architecture,
    family: &'static Family,
}

impl<'a> Metadata<'a> {
    /// Of one of the supported architectures.
    fn open(file: &'a Path, header: &'a Header) -> Result<Self> {
        let architecture = match header.metadata.get("general.architecture") {
            Some(Value::Text(name)) => name.clone(),
            _ => String::new(),
        };
        let known = Architecture::by_name(&architecture);
        let Some((known, family)) = known.and_then(|known| Some((known, known.family()?))) else {
            let names: Vec<&str> = ARCHITECTURES.iter().map(|known| known.name).collect();
            return Err(ModelError::Config {
                file: file.to_owned(),
                key: "general.architecture".into(),
                problem: format!(
                    "`{architecture}` is not supported; {} are",
                    names.join(", ")
                ),
            });
        };
        Ok(Self {
            file,
            header,
            architecture,
            known,
            family,
        })
    }

    fn error<T>(&self, key: &str, problem: impl Into<String>) -> Result<T> {
        Err(ModelError::Config {
            file: self.file.to_owned(),
            key: key.into(),
            problem: problem.into(),
        })
    }

    fn key(&self, key: &str) -> String {
        format!("{}.{key}", self.architecture)
    }

    /// A list is a value for each layer; all must be the same.
    fn size(&self, key: &str) -> Result<Option<usize>> {
        let key = self.key(key);
        let mut value = self.header.metadata.get(&key);
        if let Some(Value::List(list)) = value {
            if list.windows(2).any(|pair| pair[0] != pair[1]) {
                return self.error(&key, "differs from layer to layer, which is not supported");
            }
            value = list.first();
        }
        match value {
            None => Ok(None),
            Some(Value::Unsigned(n)) => Ok(Some(*n as usize)),
            Some(Value::Signed(n)) if *n >= 0 => Ok(Some(*n as usize)),
            Some(_) => self.error(&key, "is not a whole number"),
        }
    }

    fn number(&self, key: &str) -> Result<Option<f64>> {
        let key = self.key(key);
        match self.header.metadata.get(&key) {
            None => Ok(None),
            Some(Value::Float(x)) if x.is_finite() => Ok(Some(*x)),
            Some(Value::Unsigned(n)) => Ok(Some(*n as f64)),
            Some(_) => self.error(&key, "is not a number"),
        }
    }

    fn positive(&self, key: &str) -> Result<Option<f64>> {
        match self.number(key)? {
            Some(number) if number <= 0.0 => {
                self.error(&self.key(key), format!("{number} is not above 0"))
            }
            number => Ok(number),
        }
    }

    fn need<T>(&self, key: &str, value: Option<T>) -> Result<T> {
        value.map_or_else(|| self.error(&self.key(key), "is missing"), Ok)
    }

    fn need_size(&self, key: &str) -> Result<usize> {
        self.need(key, self.size(key)?)
    }
}

pub(super) fn read(file: &Path, header: &Header) -> Result<ModelConfig> {
    let meta = Metadata::open(file, header)?;
    if let Some((key, value)) = gguf_keys::refused(header, meta.known) {
        return meta.error(&meta.key(key), format!("{value} is not supported"));
    }
    let heads = meta.need_size("attention.head_count")?;
    let hidden_size = meta.need_size("embedding_length")?;
    let layers = meta.need_size("block_count")?;
    let head_dim = head_dim(&meta, hidden_size, heads)?;
    let window = window(&meta, layers)?;
    let (norm_kind, norm_eps) = norm(&meta)?;
    let rope = Rope {
        theta: meta.number("rope.freq_base")?.unwrap_or(DEFAULT_THETA),
        scaling: scaling(&meta)?,
    };
    let mut model = ModelConfig {
        vocab_size: vocab_size(&meta)?,
        hidden_size,
        intermediate_size: meta.need_size("feed_forward_length")?,
        num_hidden_layers: layers,
        num_attention_heads: heads,
        num_key_value_heads: meta.size("attention.head_count_kv")?.unwrap_or(heads),
        head_dim,
        norm_kind,
        norm_eps,
        norms: meta.family.norms,
        qk_norm: qk_norm(&meta),
        local_rope: window.and(local_rope(&meta, &rope)?),
        rope,
        rotary_dim: meta.size("rope.dimension_count")?.unwrap_or(head_dim),
        rope_pairs: meta.family.rope.pairs,
        sliding_windows: Vec::new(),
        rotated: Vec::new(),
        score_scale: score_scale(&meta, (layers, hidden_size, heads))?,
        position_scale: position_scale(&meta)?,
        attention_soft_cap: cap(&meta, "attn_logit_softcapping", meta.known.attention_cap)?,
        activation: meta.known.activation,
        embedding_multiplier: factor_of(&meta, meta.known.embedding, hidden_size)?,
        residual_multiplier: factor_of(&meta, meta.known.residual, hidden_size)?,
        logits_multiplier: factor_of(&meta, meta.known.logits, hidden_size)?,
        final_soft_cap: cap(&meta, "final_logit_softcapping", meta.known.final_cap)?,
        biases: biases(&meta),
        merged_qkv: meta.family.merged_qkv,
        merged_gate_up: meta.family.merged_gate_up,
        tie_word_embeddings: !header.tensors.iter().any(|t| t.name == "output.weight"),
        max_position_embeddings: meta.size("context_length")?.unwrap_or(0),
    }
    .check(file)?;
    // Only now: nothing is allocated for an absurd number of layers.
    model.sliding_windows = windows(&meta, window, layers)?;
    model.rotated = rotated(&meta, &model.sliding_windows);
    Ok(model)
}

/// Files hold Gemma's 1 + w.
fn norm(meta: &Metadata<'_>) -> Result<(NormKind, f64)> {
    let (kind, key) = match meta.family.norm_kind {
        NormKind::LayerNorm => (NormKind::LayerNorm, "attention.layer_norm_epsilon"),
        NormKind::Rms | NormKind::RmsPlusOne => (NormKind::Rms, "attention.layer_norm_rms_epsilon"),
    };
    Ok((kind, meta.need(key, meta.number(key)?)?))
}

/// Metadata is silent about norms of queries and keys that only some files of a family have.
fn qk_norm(meta: &Metadata<'_>) -> Option<QkNorm> {
    let is_there = meta.header.tensor("blk.0.attn_q_norm.weight").is_some();
    let norm = meta.family.qk_norm;
    norm.filter(|_| meta.family.qk_norm_flag.is_none() || is_there)
}

fn score_scale(
    meta: &Metadata<'_>,
    (layers, hidden_size, heads): (usize, usize, usize),
) -> Result<Option<f64>> {
    if meta.known.scale_of_hidden == Some(layers) {
        return Ok(Some(((hidden_size / heads.max(1)) as f64).powf(-0.5)));
    }
    match meta.known.scores {
        Factor::Key(key) => Ok(meta.number(key)?.filter(|scale| *scale != 0.0)),
        _ => Ok(None),
    }
}

fn factor_of(meta: &Metadata<'_>, factor: Factor, hidden_size: usize) -> Result<f64> {
    let read = |key| {
        Ok(meta
            .number(key)?
            .filter(|factor| *factor != 0.0)
            .unwrap_or(1.0))
    };
    match factor {
        Factor::One => Ok(1.0),
        Factor::Key(key) => read(key),
        Factor::InverseOf(key) => Ok(1.0 / read(key)?),
        Factor::RootOfHidden => Ok((hidden_size as f64).sqrt()),
    }
}

/// `default`: of a family that has such a cap.
fn cap(meta: &Metadata<'_>, key: &str, default: Option<f64>) -> Result<Option<f64>> {
    let Some(default) = default else {
        return Ok(None);
    };
    let cap = meta.number(key)?.unwrap_or(default);
    Ok((cap != 0.0).then_some(cap))
}

fn position_scale(meta: &Metadata<'_>) -> Result<Option<PositionScale>> {
    let key = "attention.temperature_scale";
    let beta = meta.number(key)?.filter(|beta| *beta != 0.0);
    let Some(beta) = beta.filter(|_| meta.known.grows) else {
        return Ok(None);
    };
    let context = original_context(meta)? as f64;
    Ok(Some(PositionScale { beta, context }))
}

fn original_context(meta: &Metadata<'_>) -> Result<usize> {
    match meta.size("rope.scaling.original_context_length")? {
        Some(context) => Ok(context),
        None => meta.need_size("context_length"),
    }
}

/// Positions of layers that slide, where they have their own.
fn local_rope(meta: &Metadata<'_>, rope: &Rope) -> Result<Option<Rope>> {
    let theta = match meta.known.local_theta {
        LocalTheta::Same => return Ok(None),
        LocalTheta::Unscaled => {
            let key = "rope.freq_base_swa";
            if let Some(other) = meta.number(key)?.filter(|theta| *theta != rope.theta) {
                return meta.error(
                    &meta.key(key),
                    format!("{other}: llama.cpp passes over it in this architecture; use the model's Hugging Face folder"),
                );
            }
            rope.theta
        }
        LocalTheta::Own(default) => meta.number("rope.freq_base_swa")?.unwrap_or(default),
    };
    Ok(Some(Rope {
        theta,
        scaling: RopeScaling::None,
    }))
}

/// The window of layers that slide; `None`: none does.
fn window(meta: &Metadata<'_>, layers: usize) -> Result<Option<usize>> {
    let key = "attention.sliding_window";
    let pattern = meta
        .known
        .windows
        .filter(|pattern| pattern.only_with.is_none_or(|only| only == layers));
    let Some(pattern) = pattern else {
        check_windows(meta)?;
        return Ok(None);
    };
    Ok(meta
        .size(key)?
        .or(pattern.default)
        .filter(|window| *window > 0))
}

/// Of each layer. A file may list the layers that slide, or say how many go together.
fn windows(
    meta: &Metadata<'_>,
    window: Option<usize>,
    layers: usize,
) -> Result<Vec<Option<usize>>> {
    let (Some(window), Some(pattern)) = (window, meta.known.windows) else {
        return Ok(vec![None; layers]);
    };
    let key = meta.key("attention.sliding_window_pattern");
    let every = match meta.header.metadata.get(&key) {
        None => pattern.every,
        Some(Value::List(list)) => {
            let slides: Option<Vec<bool>> = list.iter().map(as_flag).collect();
            return match slides.filter(|slides| slides.len() == layers) {
                Some(slides) => Ok(slides.into_iter().map(|is| is.then_some(window)).collect()),
                None => meta.error(&key, format!("is not a list of {layers} flags")),
            };
        }
        Some(Value::Unsigned(every)) => *every as usize,
        Some(_) => return meta.error(&key, "is neither a list of flags nor a number"),
    };
    let slides = |layer: usize| every == 0 || !(layer + 1).is_multiple_of(every);
    Ok((0..layers)
        .map(|layer| slides(layer).then_some(window))
        .collect())
}

fn as_flag(value: &Value) -> Option<bool> {
    gguf_keys::number(value).map(|number| number != 0.0)
}

fn rotated(meta: &Metadata<'_>, windows: &[Option<usize>]) -> Vec<bool> {
    let slides_any = windows.iter().any(Option::is_some);
    let of_layer = |(layer, window): (usize, &Option<usize>)| match meta.known.rotated {
        RotatedLayers::All => true,
        RotatedLayers::Sliding => window.is_some() || !slides_any,
        RotatedLayers::NotEach(every) => !(layer + 1).is_multiple_of(every),
    };
    windows.iter().enumerate().map(of_layer).collect()
}

/// LongRoPE with these divisors, which are tensors of the file.
pub(super) fn long_rope(
    header: &Header,
    short_factor: Vec<f64>,
    long_factor: Vec<f64>,
) -> Result<LongRope> {
    let meta = Metadata::open(&header.path, header)?;
    Ok(LongRope {
        short_factor,
        long_factor,
        original_max_position_embeddings: original_context(&meta)? as f64,
        attention_factor: meta.positive("rope.scaling.attn_factor")?.unwrap_or(1.0),
    })
}

/// Keys, values and what is rotated of them have one size.
fn head_dim(meta: &Metadata<'_>, hidden_size: usize, heads: usize) -> Result<usize> {
    let size = match meta.size("attention.key_length")? {
        Some(size) => size,
        None if heads > 0 && hidden_size.is_multiple_of(heads) => hidden_size / heads,
        None => return meta.error(&meta.key("attention.key_length"), "is missing"),
    };
    let mut same = vec![(
        "attention.value_length",
        "values of another size than keys are not supported",
    )];
    if meta.family.rope.share.is_none() {
        same.push((
            "rope.dimension_count",
            "rotating only a part of each head is not supported",
        ));
    }
    for (key, problem) in same {
        if let Some(other) = meta.size(key)?.filter(|other| *other != size) {
            return meta.error(
                &meta.key(key),
                format!("is {other} where keys have {size}: {problem}"),
            );
        }
    }
    Ok(size)
}

/// llama.cpp has no windows in these architectures. A window that no prompt of the context can
/// leave changes nothing; any other one would make one file two models.
fn check_windows(meta: &Metadata<'_>) -> Result<()> {
    let (key, context) = (
        "attention.sliding_window",
        meta.size("context_length")?.unwrap_or(usize::MAX),
    );
    match meta.size(key)? {
        Some(window) if window > 0 && window < context => meta.error(
            &meta.key(key),
            format!(
                "{window}: llama.cpp passes over windows of this architecture; use the model's Hugging Face folder"
            ),
        ),
        _ => Ok(()),
    }
}

/// Metadata is silent about biases: those of the first layer, which every other layer must then
/// have too.
fn biases(meta: &Metadata<'_>) -> Vec<Projection> {
    let of_first = |name: &str| {
        let part = name.strip_prefix("blk.0.")?.strip_suffix(".bias")?;
        gguf_names::projection(part, meta.family.merged_gate_up)
    };
    let tensors = meta.header.tensors.iter();
    let mut biases: Vec<Projection> = tensors.filter_map(|t| of_first(&t.name)).collect();
    biases.sort_unstable();
    biases
}

/// The embedding's rows; metadata may leave the size out, but not contradict it.
fn vocab_size(meta: &Metadata<'_>) -> Result<usize> {
    let Some([rows, _]) = meta
        .header
        .tensor("token_embd.weight")
        .map(|t| t.shape.as_slice())
    else {
        return meta.error("token_embd.weight", "is missing or not a matrix");
    };
    match meta.size("vocab_size")? {
        Some(size) if size != *rows => meta.error(
            &meta.key("vocab_size"),
            format!("is {size}, but token_embd.weight has {rows} rows"),
        ),
        _ => Ok(*rows),
    }
}

/// `rope_freqs.weight`, where it is there, is found when the weights are read.
fn scaling(meta: &Metadata<'_>) -> Result<RopeScaling> {
    let kind = match meta.header.metadata.get(&meta.key("rope.scaling.type")) {
        None => "linear",
        Some(Value::Text(kind)) => kind.as_str(),
        Some(_) => return meta.error(&meta.key("rope.scaling.type"), "is not a text"),
    };
    if !meta.known.divides_angles && meta.header.tensor(ROPE_FACTORS).is_some() {
        return meta.error(
            ROPE_FACTORS,
            "llama.cpp passes over it in this architecture",
        );
    }
    let factor = factor(meta)?;
    let sharper = meta.positive("rope.scaling.attn_factor")?.unwrap_or(1.0);
    if sharper != 1.0 && kind != "yarn" && meta.header.tensor(LONG_FACTORS).is_none() {
        return meta.error(
            &meta.key("rope.scaling.attn_factor"),
            format!("{sharper} is not supported without YaRN"),
        );
    }
    match kind {
        "none" => Ok(RopeScaling::None),
        // The factors are found when the weights are read.
        "longrope" if meta.header.tensor(LONG_FACTORS).is_some() => Ok(RopeScaling::None),
        "linear" if factor == 1.0 => Ok(RopeScaling::None),
        "linear" => Ok(RopeScaling::Linear { factor }),
        "yarn" => {
            let read = |key: &str, default| -> Result<f64> {
                match meta.known.reads(key) {
                    true => Ok(meta.number(key)?.unwrap_or(default)),
                    false => Ok(default),
                }
            };
            let flatter = match read("rope.scaling.yarn_log_multiplier", 0.0)? {
                0.0 => 1.0,
                all_dimensions => yarn_mscale(factor, all_dimensions),
            };
            Ok(RopeScaling::Yarn(Yarn {
                factor,
                original_max_position_embeddings: original_context(meta)? as f64,
                beta_fast: read("rope.scaling.yarn_beta_fast", 32.0)?,
                beta_slow: read("rope.scaling.yarn_beta_slow", 1.0)?,
                attention_factor: sharper * yarn_mscale(factor, 1.0) / flatter,
                truncate: true,
            }))
        }
        other => meta.error(
            &meta.key("rope.scaling.type"),
            format!(
                "`{other}` is not supported; none, linear, yarn, and longrope with its tensors are"
            ),
        ),
    }
}

/// The older key counts where the newer one is absent; 0 and nothing are 1.
fn factor(meta: &Metadata<'_>) -> Result<f64> {
    for key in ["rope.scaling.factor", "rope.scale_linear"] {
        match meta.number(key)? {
            None => (),
            Some(0.0) => return Ok(1.0),
            Some(_) => return meta.need(key, meta.positive(key)?),
        }
    }
    Ok(1.0)
}
