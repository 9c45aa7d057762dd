//! Streams of random numbers, each purpose its own, so that a change of one shifts no other.
//! Never here: what is drawn.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The purpose of a draw.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// Items, with replacement, for an interval.
    Items = 1,
    /// Neurons in place of a language's.
    Control,
    /// Another item, to be patched in.
    Donor,
    /// A direction in place of a steering vector's.
    Direction,
    /// Tokens of the vocabulary that an update of the tuned lens sees.
    Vocabulary,
}

/// Generator of the draws for `purpose`; `number`, below 2^48, selects one of its streams.
pub(crate) fn generator(seed: u64, purpose: Purpose, number: u64) -> ChaCha8Rng {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream((purpose as u64) << 48 | number);
    generator
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::*;

    #[test]
    fn seed_purpose_and_number_each_tell_streams_apart() {
        let draw = |seed, purpose, number| generator(seed, purpose, number).random::<u64>();
        let drawn = [
            draw(1, Purpose::Items, 0),
            draw(1, Purpose::Items, 1),
            draw(1, Purpose::Control, 0),
            draw(1, Purpose::Donor, 0),
            draw(1, Purpose::Direction, 0),
            draw(2, Purpose::Items, 0),
        ];
        assert!(
            (0..6).all(|at| !drawn[..at].contains(&drawn[at])),
            "{drawn:?}"
        );
        assert_eq!(draw(1, Purpose::Items, 1), drawn[1]);
    }
}
