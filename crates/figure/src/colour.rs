//! Numbers as colours: a sequential map and one that diverges from zero, both legible to the
//! colour-blind and in grey.
//!
//! Source: viridis (matplotlib, CC0), at nine of its points; the diverging map runs between two
//! of Okabe & Ito's colours through near-white. Never here: what the numbers mean.

const VIRIDIS: [[u8; 3]; 9] = [
    [68, 1, 84],
    [71, 44, 122],
    [59, 81, 139],
    [44, 113, 142],
    [33, 144, 141],
    [39, 173, 129],
    [92, 200, 99],
    [170, 220, 50],
    [253, 231, 37],
];
const DIVERGING: [[u8; 3]; 5] = [
    [166, 66, 0],
    [230, 159, 90],
    [246, 246, 243],
    [98, 170, 214],
    [0, 84, 140],
];

/// How values become colours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ramp {
    /// From the first value, dark, to the second, light.
    Sequential(f64, f64),
    /// From minus this, orange, through 0, white, to this, blue.
    Diverging(f64),
}

impl Ramp {
    /// Both ends.
    pub fn ends(self) -> (f64, f64) {
        match self {
            Self::Sequential(low, high) => (low, high),
            Self::Diverging(reach) => (-reach, reach),
        }
    }

    /// The colour of a value; values outside have that of the end.
    pub fn colour(self, value: f64) -> Colour {
        let (low, high) = self.ends();
        let share = if high > low {
            ((value - low) / (high - low)).clamp(0.0, 1.0)
        } else {
            0.5
        };
        match self {
            Self::Sequential(..) => Colour(blend(&VIRIDIS, share)),
            Self::Diverging(..) => Colour(blend(&DIVERGING, share)),
        }
    }
}

/// Red, green, blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour([u8; 3]);

impl Colour {
    /// `#440154`
    pub fn hex(self) -> String {
        let [red, green, blue] = self.0;
        format!("#{red:02x}{green:02x}{blue:02x}")
    }

    /// Class of a text that is legible on it.
    pub fn ink(self) -> &'static str {
        let linear = self.0.map(|part| (f64::from(part) / 255.0).powf(2.2));
        let luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
        if luminance > 0.18 {
            "on-light"
        } else {
            "on-dark"
        }
    }
}

fn blend(stops: &[[u8; 3]], share: f64) -> [u8; 3] {
    let place = share * (stops.len() - 1) as f64;
    let first = (place as usize).min(stops.len() - 2);
    let part = place - first as f64;
    [0, 1, 2].map(|channel| {
        let [a, b] = [first, first + 1].map(|stop| f64::from(stops[stop][channel]));
        (a + part * (b - a)).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_and_middles_are_the_maps() {
        let viridis = |value| Ramp::Sequential(2.0, 4.0).colour(value).hex();
        assert_eq!(
            [viridis(2.0), viridis(3.0), viridis(4.0), viridis(9.0)],
            ["#440154", "#21908d", "#fde725", "#fde725"]
        );
        assert_eq!(viridis(2.125), "#461767", "halfway between two stops");
        let diverging = |value| Ramp::Diverging(0.2).colour(value).hex();
        assert_eq!(
            [diverging(-0.2), diverging(0.0), diverging(0.2)],
            ["#a64200", "#f6f6f3", "#00548c"]
        );
        assert_eq!(
            Ramp::Sequential(1.0, 1.0).colour(1.0),
            Ramp::Sequential(0.0, 1.0).colour(0.5),
            "no span: the middle"
        );
    }

    #[test]
    fn text_on_a_colour_is_legible() {
        let ink = |ramp: Ramp, value| ramp.colour(value).ink();
        let sequential = Ramp::Sequential(0.0, 1.0);
        assert_eq!(
            [
                ink(sequential, 0.0),
                ink(sequential, 0.3),
                ink(sequential, 1.0)
            ],
            ["on-dark", "on-dark", "on-light"]
        );
        let diverging = Ramp::Diverging(1.0);
        assert_eq!(
            [
                ink(diverging, -1.0),
                ink(diverging, 0.0),
                ink(diverging, 1.0)
            ],
            ["on-dark", "on-light", "on-dark"]
        );
    }
}
