//! Grouped-query self-attention: project, rotate, attend, project.

use candle_core::Tensor;

use crate::{
    adapter::Gradients,
    config::ModelConfig,
    error::{ModelError, Result},
    linear::{Backward, Keep, Linear, LinearSaved},
    ops::{
        attend::{self, Heads, LayerKv},
        linear,
        rope::{self, Angles, Rotation},
    },
    projection::{LayerProjection, Projection},
    rows::Rows,
    weights::WeightFiles,
};

/// One layer's attention.
pub(crate) struct Attention {
    pub(crate) q_proj: Linear,
    pub(crate) k_proj: Linear,
    pub(crate) v_proj: Linear,
    pub(crate) o_proj: Linear,
    heads: Heads,
}

/// What backward needs.
pub(crate) struct AttentionSaved {
    q_proj: LinearSaved,
    k_proj: LinearSaved,
    v_proj: LinearSaved,
    o_proj: LinearSaved,
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
        let (e, q, kv) = (
            config.hidden_size,
            heads.query * heads.size,
            heads.key_value * heads.size,
        );
        let mut linear = |projection, shape| {
            Linear::load(files, config, LayerProjection { layer, projection }, shape)
        };
        Ok(Self {
            q_proj: linear(Projection::Q, (q, e))?,
            k_proj: linear(Projection::K, (kv, e))?,
            v_proj: linear(Projection::V, (kv, e))?,
            o_proj: linear(Projection::O, (e, q))?,
            heads,
        })
    }

    /// `residual` (N, E) + the attention of `x` (N, E), which is after the norm; the layer's
    /// keys and values, and what backward needs. Of the rows `wanted` alone where it is given:
    /// (n, E), and nothing for backward.
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn forward(
        &self,
        rows: &Rows,
        angles: &Angles,
        x: &Tensor,
        residual: &Tensor,
        prefix: Option<&LayerKv>,
        wanted: Option<&Tensor>,
        keep: Keep,
    ) -> Result<(Tensor, LayerKv, AttentionSaved)> {
        let (mut q_low, mut k_low, mut v_low) = (
            self.q_proj.lower(x, keep)?,
            self.k_proj.lower(x, keep)?,
            self.v_proj.lower(x, keep)?,
        );
        let projections = [
            self.q_proj.projected(&q_low),
            self.k_proj.projected(&k_low),
            self.v_proj.projected(&v_low),
        ];
        let [q, k, v]: [Tensor; 3] = linear::forward_all(x, &projections, None)?
            .try_into()
            .map_err(|_| ModelError::op("attention", "three projections"))?; // (N, H · D), (N, G · D) twice
        let (q, k, v) = (
            self.q_proj.finish(q, None, &mut q_low)?,
            self.k_proj.finish(k, None, &mut k_low)?,
            self.v_proj.finish(v, None, &mut v_low)?,
        );
        let (q, k) = (
            rope::rotate(&q, angles, Rotation::Forward)?,
            rope::rotate(&k, angles, Rotation::Forward)?,
        );
        let (out, attend) = attend::forward(&self.heads, rows, &q, &k, &v, prefix)?; // (N, H · D)
        let (y, o_saved) = match wanted {
            None => self.o_proj.forward(&out, Some(residual), keep)?, // (N, E)
            Some(index) => {
                let (out, residual) = (
                    out.index_select(index, 0)?,
                    residual.index_select(index, 0)?,
                );
                self.o_proj.forward(&out, Some(&residual), keep)? // (n, E)
            }
        };
        let kv = LayerKv::new(k, v);
        let saved = AttentionSaved {
            q_proj: q_low.into_saved(),
            k_proj: k_low.into_saved(),
            v_proj: v_low.into_saved(),
            o_proj: o_saved,
            q,
            kv: kv.clone(),
            attend,
        };
        Ok((y, kv, saved))
    }

    /// `dy` (N, E) -> gradient of the normed rows, `None` if nothing below is trained.
    pub(crate) fn backward(
        &self,
        rows: &Rows,
        angles: &Angles,
        saved: &AttentionSaved,
        dy: &Tensor,
        need_dx: bool,
        gradients: &mut Gradients,
    ) -> Result<Option<Tensor>> {
        let d_out = Backward::sum(&[self.o_proj.backward(&saved.o_proj, dy, gradients)?])?;
        let grads = attend::backward(
            &self.heads,
            rows,
            &saved.q,
            &saved.kv.k,
            &saved.kv.v,
            &saved.attend,
            &d_out,
        )?;
        let dq = rope::rotate(&grads.q, angles, Rotation::Backward)?;
        let dk = rope::rotate(&grads.k, angles, Rotation::Backward)?;
        let q = self.q_proj.backward(&saved.q_proj, &dq, gradients)?;
        let k = self.k_proj.backward(&saved.k_proj, &dk, gradients)?;
        let v = self.v_proj.backward(&saved.v_proj, &grads.v, gradients)?;
        if need_dx {
            Ok(Some(Backward::sum(&[q, k, v])?))
        } else {
            Ok(None)
        }
    }
}
