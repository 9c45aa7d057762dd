//! Grouped-query self-attention: project, norm, rotate, attend, project.

use candle_core::Tensor;

use crate::{
    adapter::Gradients,
    config::ModelConfig,
    error::{ModelError, Result},
    linear::{Backward, Keep, Linear, LinearSaved, Lowered},
    norm::Norm,
    ops::{
        attend::{self, Heads, LayerKv},
        rope::{self, Angles, Rotation},
    },
    projection::{LayerProjection, Projection},
    rows::Rows,
    weights::WeightFiles,
};

/// One layer's attention.
pub(crate) struct Attention {
    /// Queries, keys and values; or the three as one.
    pub(crate) inputs: Vec<Linear>,
    pub(crate) o_proj: Linear,
    qk_norm: Option<[Norm; 2]>,
    norm_after_rope: bool,
    is_rotated: bool,
    heads: Heads,
}

/// Cosines and sines of one kind of layer.
#[derive(Clone)]
pub(crate) struct QkAngles {
    pub(crate) q: Angles,
    pub(crate) k: Angles,
}

/// Of the kinds of layers.
pub(crate) struct RowAngles {
    /// Of all layers that rotate, or of those that do not slide.
    pub(crate) wide: QkAngles,
    /// Of layers that slide, where they have their own.
    pub(crate) local: Option<QkAngles>,
}

/// Rows that attention works on, and where they stand.
#[derive(Clone, Copy)]
pub(crate) struct AttentionRows<'a> {
    pub(crate) rows: &'a Rows,
    pub(crate) angles: &'a RowAngles,
}

/// What backward needs.
pub(crate) struct AttentionSaved {
    inputs: Vec<LinearSaved>,
    o_proj: LinearSaved,
    /// Queries and keys as their norms saw them, where there are norms.
    before_norm: Option<[Tensor; 2]>,
    q: Tensor,
    kv: LayerKv,
    attend: attend::AttendKept,
}

impl Attention {
    pub(crate) fn load(
        files: &mut WeightFiles,
        config: &ModelConfig,
        layer: usize,
    ) -> Result<Self> {
        let heads = config.heads(layer);
        let inputs: &[Projection] = match config.merged_qkv {
            true => &[Projection::Qkv],
            false => &[Projection::Q, Projection::K, Projection::V],
        };
        let inputs = inputs
            .iter()
            .map(|&projection| Linear::load(files, config, LayerProjection { layer, projection }))
            .collect::<Result<_>>()?;
        let projection = Projection::O;
        let o_proj = Linear::load(files, config, LayerProjection { layer, projection })?;
        let mut norm = |name: &str, count| {
            let span = config.qk_norm.map(|norm| norm.span);
            let shape = span.map_or_else(Vec::new, |span| span.weight_shape(count, heads.size));
            let name = format!("model.layers.{layer}.self_attn.{name}");
            Norm::load(files, config, &name, &shape)
        };
        let qk_norm = match config.qk_norm {
            None => None,
            Some(qk) => Some([
                norm(qk.names[0], heads.query)?,
                norm(qk.names[1], heads.key_value)?,
            ]),
        };
        Ok(Self {
            inputs,
            o_proj,
            qk_norm,
            norm_after_rope: config.qk_norm.is_some_and(|norm| norm.after_rope),
            is_rotated: config.rotated[layer],
            heads,
        })
    }

    /// The attention of `x` (N, E), which is after the norm, plus `residual` (N, E) where it is
    /// given; the layer's keys and values, and what backward needs. Of the rows `wanted` alone
    /// where they are given: (n, E), and nothing for backward.
    pub(crate) fn forward(
        &self,
        at: AttentionRows<'_>,
        x: &Tensor,
        residual: Option<&Tensor>,
        prefix: Option<&LayerKv>,
        wanted: Option<&Tensor>,
        keep: Keep,
    ) -> Result<(Tensor, LayerKv, AttentionSaved)> {
        let mut lowered = self
            .inputs
            .iter()
            .map(|input| input.lower(x, keep))
            .collect::<Result<Vec<_>>>()?;
        let [q, k, v] = self.project(x, &mut lowered)?; // (N, H · D), (N, G · D) twice
        let turned = self.place(&q, &k, self.angles(at.angles))?;
        let (out, attend) =
            attend::forward(&self.heads, at.rows, &turned.q, &turned.k, &v, prefix)?; // (N, H · D)
        let (y, o_proj) = match wanted {
            None => self.o_proj.forward(&out, residual, keep)?, // (N, E)
            Some(index) => {
                let residual = residual.map(|x| x.index_select(index, 0)).transpose()?;
                let out = out.index_select(index, 0)?;
                self.o_proj.forward(&out, residual.as_ref(), keep)? // (n, E)
            }
        };
        let kv = LayerKv::new(turned.k, v);
        let saved = AttentionSaved {
            inputs: lowered.into_iter().map(Lowered::into_saved).collect(),
            o_proj,
            before_norm: turned.before_norm,
            q: turned.q,
            kv: kv.clone(),
            attend,
        };
        Ok((y, kv, saved))
    }

    /// Queries, keys and values of `x` (N, E).
    fn project(&self, x: &Tensor, lowered: &mut [Lowered]) -> Result<[Tensor; 3]> {
        let mut outputs = Linear::forward_all(&self.inputs, x, lowered)?;
        if let [merged] = outputs.as_slice() {
            outputs = self.split(merged)?;
        }
        outputs
            .try_into()
            .map_err(|_| ModelError::op("attention", "three projections"))
    }

    /// Columns of queries, of keys and of values, each a tensor of its own.
    fn split(&self, merged: &Tensor) -> Result<Vec<Tensor>> {
        let mut from = 0;
        let widths = [self.heads.query, self.heads.key_value, self.heads.key_value];
        widths
            .map(|heads| heads * self.heads.size)
            .into_iter()
            .map(|width| {
                let part = merged.narrow(1, from, width)?.contiguous()?;
                from += width;
                Ok(part)
            })
            .collect()
    }

    /// The angles of this layer; `None`: it does not rotate.
    fn angles<'a>(&self, all: &'a RowAngles) -> Option<&'a QkAngles> {
        let local = all.local.as_ref().filter(|_| self.heads.window.is_some());
        self.is_rotated.then_some(local.unwrap_or(&all.wide))
    }

    /// Norms and rotation, in the family's order.
    fn place(&self, q: &Tensor, k: &Tensor, angles: Option<&QkAngles>) -> Result<PlacedQk> {
        let (q, k) = match self.norm_after_rope {
            true => rotate(q, k, angles, Rotation::Forward)?,
            false => (q.clone(), k.clone()),
        };
        let Some([q_norm, k_norm]) = &self.qk_norm else {
            let (q, k) = rotate(&q, &k, angles, Rotation::Forward)?;
            return Ok(PlacedQk {
                q,
                k,
                before_norm: None,
            });
        };
        let (q_normed, k_normed) = (q_norm.forward(&q)?, k_norm.forward(&k)?);
        let (q_placed, k_placed) = match self.norm_after_rope {
            true => (q_normed, k_normed),
            false => rotate(&q_normed, &k_normed, angles, Rotation::Forward)?,
        };
        Ok(PlacedQk {
            q: q_placed,
            k: k_placed,
            before_norm: Some([q, k]),
        })
    }

    /// Gradients of the projections' queries and keys from those of the placed ones.
    fn place_backward(
        &self,
        saved: &AttentionSaved,
        dq: &Tensor,
        dk: &Tensor,
        angles: Option<&QkAngles>,
    ) -> Result<(Tensor, Tensor)> {
        let (Some([q_norm, k_norm]), Some([q, k])) = (&self.qk_norm, &saved.before_norm) else {
            return rotate(dq, dk, angles, Rotation::Backward);
        };
        if self.norm_after_rope {
            let (dq, dk) = (q_norm.backward(q, dq, None)?, k_norm.backward(k, dk, None)?);
            return rotate(&dq, &dk, angles, Rotation::Backward);
        }
        let (dq, dk) = rotate(dq, dk, angles, Rotation::Backward)?;
        Ok((
            q_norm.backward(q, &dq, None)?,
            k_norm.backward(k, &dk, None)?,
        ))
    }

    /// `dy` (N, E) -> gradient of the normed rows, `None` if nothing below is trained.
    pub(crate) fn backward(
        &self,
        at: AttentionRows<'_>,
        saved: &AttentionSaved,
        dy: &Tensor,
        need_dx: bool,
        gradients: &mut Gradients,
    ) -> Result<Option<Tensor>> {
        let d_out = Backward::sum(&[self.o_proj.backward(&saved.o_proj, dy, gradients)?])?;
        let grads = attend::backward(
            &self.heads,
            at.rows,
            &saved.q,
            &saved.kv.k,
            &saved.kv.v,
            &saved.attend,
            &d_out,
        )?;
        let (dq, dk) = self.place_backward(saved, &grads.q, &grads.k, self.angles(at.angles))?;
        let outputs = match self.inputs.len() {
            1 => vec![Tensor::cat(&[&dq, &dk, &grads.v], 1)?],
            _ => vec![dq, dk, grads.v],
        };
        let shares = self
            .inputs
            .iter()
            .zip(&saved.inputs)
            .zip(&outputs)
            .map(|((input, saved), dy)| input.backward(saved, dy, gradients))
            .collect::<Result<Vec<_>>>()?;
        if need_dx {
            Ok(Some(Backward::sum(&shares)?))
        } else {
            Ok(None)
        }
    }
}

/// Queries and keys as attention sees them.
struct PlacedQk {
    q: Tensor,
    k: Tensor,
    before_norm: Option<[Tensor; 2]>,
}

fn rotate(
    q: &Tensor,
    k: &Tensor,
    angles: Option<&QkAngles>,
    way: Rotation,
) -> Result<(Tensor, Tensor)> {
    match angles {
        None => Ok((q.clone(), k.clone())),
        Some(angles) => Ok((
            rope::rotate(q, &angles.q, way)?,
            rope::rotate(k, &angles.k, way)?,
        )),
    }
}
