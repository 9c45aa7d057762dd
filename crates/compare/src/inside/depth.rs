//! The number of layers, which every file of a model must agree on.

use std::path::PathBuf;

use crate::error::CompareError;

/// What a file says of the number of layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// There are so many.
    Exactly(usize),
    /// There are at least so many: a layer may be missing where a measure is not defined.
    AtLeast(usize),
}

impl Depth {
    pub(crate) fn number(self) -> usize {
        match self {
            Self::Exactly(number) | Self::AtLeast(number) => number,
        }
    }
}

/// L, and the file that tells it.
pub(crate) fn agree(depths: &[(Depth, PathBuf)]) -> Result<(usize, PathBuf), CompareError> {
    let exact = depths
        .iter()
        .find(|(depth, _)| matches!(depth, Depth::Exactly(_)));
    let deepest = depths.iter().max_by_key(|(depth, _)| depth.number());
    let Some((chosen, source)) = exact.or(deepest) else {
        return Ok((0, PathBuf::new()));
    };
    let layers = chosen.number();
    let contradicts = |depth: Depth| match depth {
        Depth::Exactly(number) => number != layers,
        Depth::AtLeast(number) => number > layers,
    };
    match depths.iter().find(|(depth, _)| contradicts(*depth)) {
        None => Ok((layers, source.clone())),
        Some((depth, other)) => Err(CompareError::NotComparable {
            a: source.clone(),
            b: other.clone(),
            difference: format!("one has {layers} layers and the other {}", depth.number()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_agree_on_the_number_of_layers() {
        let depths = |all: &[Depth]| {
            all.iter()
                .enumerate()
                .map(|(n, d)| (*d, format!("f{n}").into()))
                .collect::<Vec<_>>()
        };
        let agreed = |all: &[Depth]| {
            agree(&depths(all))
                .map(|(layers, _)| layers)
                .map_err(|error| error.to_string())
        };
        assert_eq!(agreed(&[Depth::AtLeast(29), Depth::Exactly(30)]), Ok(30));
        assert_eq!(agreed(&[Depth::AtLeast(29), Depth::AtLeast(30)]), Ok(30));
        let error = "f0 and f1 cannot be compared: one has 30 layers and the other 31; evaluate both in the same way";
        assert_eq!(
            agreed(&[Depth::Exactly(30), Depth::AtLeast(31)]),
            Err(error.to_owned())
        );
        assert!(agreed(&[Depth::Exactly(30), Depth::Exactly(29)]).is_err());
    }
}
