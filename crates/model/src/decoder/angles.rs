//! The angles of a pass's rows: which kinds of layers rotate how. Never here: rotating.

use candle_core::Device;

use crate::{
    attention::{QkAngles, RowAngles},
    config::{ModelConfig, Rope, rope::RowPosition},
    error::{ModelError, Result},
    rows::Rows,
};

/// Those of the layers that see everything, and of those that slide where these have their own.
///
/// # Errors
/// LongRoPE has other angles for short texts than for long ones, and a row belongs to both.
pub(super) fn of_rows(config: &ModelConfig, rows: &Rows, device: &Device) -> Result<RowAngles> {
    let local = config.local_rope.as_ref();
    Ok(RowAngles {
        wide: angles(config, &config.rope, rows, device)?,
        local: local
            .map(|rope| angles(config, rope, rows, device))
            .transpose()?,
    })
}

fn angles(config: &ModelConfig, rope: &Rope, rows: &Rows, device: &Device) -> Result<QkAngles> {
    let part = config.rotated_part();
    let places = places(rope, rows)?;
    let k = rope.angles(&part, &places, None, device)?;
    let growth = config.position_scale.as_ref();
    let q = match growth {
        None => k.clone(),
        growth => rope.angles(&part, &places, growth, device)?,
    };
    Ok(QkAngles { q, k })
}

fn places(rope: &Rope, rows: &Rows) -> Result<Vec<RowPosition>> {
    let positions = rows.positions();
    let Some(context) = rope.short_context() else {
        let short = |position| RowPosition {
            position,
            is_long: false,
        };
        return Ok(positions.into_iter().map(short).collect());
    };
    let mut places = Vec::with_capacity(positions.len());
    for sequence in 0..rows.sequences() {
        let range = rows.range(sequence);
        let end = rows.first_position(sequence) + range.len();
        let before = match rows.parent(sequence) {
            Some(parent) => {
                let range = rows.range(parent.sequence);
                Some(rows.first_position(parent.sequence) + range.len())
            }
            None => Some(rows.first_position(sequence)).filter(|&before| before > 0),
        };
        let is_long = end > context;
        if before.is_some_and(|before| (before > context) != is_long) {
            return Err(ModelError::Input(format!(
                "a text of {end} tokens shares its beginning with one of another length, and this model's longrope has other angles up to {context} tokens than beyond: use texts of at most {context} tokens"
            )));
        }
        places.extend(
            positions[range]
                .iter()
                .map(|&position| RowPosition { position, is_long }),
        );
    }
    Ok(places)
}
