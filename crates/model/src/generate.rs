//! Greedy decoding, for a look at what a model says.

use candle_core::{D, DType, Tensor};

use crate::{
    decoder::{Decoder, KvCache},
    error::{ModelError, Result},
};

/// Continues `input_ids` by the likeliest token until `stop` holds for one or `most` are made;
/// the stop token is not part of the result. `on_token` sees each token as it comes.
pub fn greedy(
    model: &Decoder,
    input_ids: &[u32],
    most: usize,
    stop: impl Fn(u32) -> bool,
    on_token: &mut dyn FnMut(u32),
) -> Result<Vec<u32>> {
    if input_ids.is_empty() {
        return Err(ModelError::Input("the prompt has no tokens".into()));
    }
    let (mut cache, hidden) = model.prefill(input_ids, None)?;
    let mut next = likeliest(model, &hidden)?;
    let mut made = Vec::new();
    while made.len() < most && !stop(next) {
        made.push(next);
        on_token(next);
        if made.len() < most {
            let (longer, hidden): (KvCache, Tensor) = model.prefill(&[next], Some(&cache))?;
            cache = longer;
            next = likeliest(model, &hidden)?;
        }
    }
    Ok(made)
}

/// Continues each of `texts` as [`greedy`] does, side by side and to the same tokens, until
/// `stop` holds for its index and a token or it has `most`; the stop token is not part of the
/// result.
pub fn greedy_each(
    model: &Decoder,
    texts: &[&[u32]],
    most: usize,
    stop: &mut dyn FnMut(usize, u32) -> bool,
) -> Result<Vec<Vec<u32>>> {
    let mut made = vec![Vec::new(); texts.len()];
    if texts.iter().any(|text| text.is_empty()) {
        return Err(ModelError::Input("the prompt has no tokens".into()));
    }
    if texts.is_empty() || most == 0 {
        return Ok(made);
    }
    let (mut caches, mut hidden) = model.prefill_each(texts)?;
    let mut running: Vec<usize> = (0..texts.len()).collect();
    loop {
        let next = likeliest_each(model, &hidden)?;
        let mut ids = Vec::with_capacity(next.len());
        let mut unfinished = Vec::with_capacity(next.len());
        for ((text, cache), id) in running.into_iter().zip(caches).zip(next) {
            if stop(text, id) {
                continue;
            }
            made[text].push(id);
            if made[text].len() < most {
                ids.push(id);
                unfinished.push((text, cache));
            }
        }
        if unfinished.is_empty() {
            return Ok(made);
        }
        (running, caches) = unfinished.into_iter().unzip();
        hidden = model.extend_each(&ids, &mut caches)?;
    }
}

/// The token that most likely follows the last row of `hidden` (N, E).
///
/// # Errors
/// A logit is not finite: any token would do.
pub fn likeliest(model: &Decoder, hidden: &Tensor) -> Result<u32> {
    let last = hidden.dims2()?.0 as u32 - 1;
    Ok(likeliest_each(model, &model.select(hidden, &[last])?)?[0])
}

/// The token that most likely follows each row of `hidden` (N, E).
fn likeliest_each(model: &Decoder, hidden: &Tensor) -> Result<Vec<u32>> {
    let logits = model.logits(hidden)?; // (N, V)
    let values: Vec<f32> = logits.flatten_all()?.to_dtype(DType::F32)?.to_vec1()?;
    if !values.iter().all(|logit| logit.is_finite()) {
        return Err(ModelError::NotFinite("a logit of the next token".into()));
    }
    Ok(logits.argmax(D::Minus1)?.to_vec1::<u32>()?)
}
