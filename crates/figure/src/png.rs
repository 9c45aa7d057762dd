//! From SVG to PNG, twice as large, with the font of `assets/fonts` alone: the same bytes on
//! every machine.
//!
//! Never here: what a figure shows.

use std::sync::Arc;

use resvg::{
    tiny_skia::{Pixmap, Transform},
    usvg::{Options, Tree, fontdb::Database},
};

use crate::{canvas::Figure, error::FigureError};

/// Pixels of the file for one of the drawing.
const SCALE: f32 = 2.0;
const FONTS: [&[u8]; 2] = [
    include_bytes!("../../../assets/fonts/Inter-Regular.otf"),
    include_bytes!("../../../assets/fonts/Inter-SemiBold.otf"),
];
const FAMILY: &str = "Inter";

/// Paints figures; holds the fonts, which are read once.
pub struct Painter {
    options: Options<'static>,
}

impl Painter {
    /// Reads the fonts.
    pub fn new() -> Self {
        let mut fonts = Database::new();
        FONTS
            .iter()
            .for_each(|font| fonts.load_font_data(font.to_vec()));
        fonts.set_sans_serif_family(FAMILY);
        let options = Options {
            font_family: FAMILY.to_owned(),
            fontdb: Arc::new(fonts),
            ..Options::default()
        };
        Self { options }
    }

    /// The bytes of a PNG file.
    ///
    /// # Errors
    /// A figure without a size, or an SVG that is not one: a defect of this program.
    pub fn paint(&self, figure: &Figure) -> Result<Vec<u8>, FigureError> {
        let fail = |problem: String| FigureError {
            figure: figure.name.clone(),
            problem,
        };
        let tree = Tree::from_str(&figure.to_file(), &self.options)
            .map_err(|error| fail(error.to_string()))?;
        let [width, height] =
            [tree.size().width(), tree.size().height()].map(|side| (SCALE * side).ceil() as u32);
        let mut pixels =
            Pixmap::new(width, height).ok_or_else(|| fail(format!("{width} x {height} pixels")))?;
        resvg::render(
            &tree,
            Transform::from_scale(SCALE, SCALE),
            &mut pixels.as_mut(),
        );
        encode(&pixels).map_err(|error| fail(error.to_string()))
    }
}

/// A figure's ground is opaque, so that its colours are the pixels' as they are.
fn encode(pixels: &Pixmap) -> Result<Vec<u8>, png::EncodingError> {
    let colours: Vec<u8> = pixels
        .pixels()
        .iter()
        .flat_map(|p| [p.red(), p.green(), p.blue()])
        .collect();
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, pixels.width(), pixels.height());
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&colours)?;
    writer.finish()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use resvg::usvg::fontdb::{Family, Query, Weight};

    use super::*;
    use crate::canvas::Anchor;

    fn decode(bytes: &[u8]) -> Pixmap {
        Pixmap::decode_png(bytes).expect("a PNG")
    }

    fn ink_of(text: &str, class: &str) -> usize {
        let mut figure = Figure::new("f", "d", 60.0, 20.0);
        figure.text(class, (30.0, 14.0), Anchor::Middle, text);
        let picture = decode(&Painter::new().paint(&figure).expect("painted"));
        assert_eq!(
            (picture.width(), picture.height()),
            (120, 40),
            "twice the size"
        );
        picture
            .pixels()
            .iter()
            .filter(|pixel| pixel.red() < 128)
            .count()
    }

    #[test]
    fn a_picture_holds_text_in_the_shipped_fonts() {
        assert_eq!(ink_of("", ""), 0, "a white ground");
        let (plain, strong) = (ink_of("0.95", ""), ink_of("0.95", "strong"));
        assert!(
            plain > 50 && strong as f64 > 1.15 * plain as f64,
            "{plain} {strong}"
        );
        // an empty box for what no font has
        let tofu = ink_of("\u{e000}", "");
        for sign in [
            "−", "±", "→", "≥", "≤", "⇒", "…", "–", "×", "“", "é", "Ж", "Δ",
        ] {
            let ink = ink_of(sign, "");
            assert!(ink > 0 && ink != tofu, "{sign} {ink} {tofu}");
        }
    }

    #[test]
    fn both_weights_are_found_by_the_style_sheet() {
        let painter = Painter::new();
        let family = |weight| {
            let query = Query {
                families: &[Family::SansSerif],
                weight: Weight(weight),
                ..Query::default()
            };
            let id = painter.options.fontdb.query(&query).expect("found");
            painter.options.fontdb.face(id).map(|face| face.weight.0)
        };
        assert_eq!([family(400), family(600)], [Some(400), Some(600)]);
    }

    #[test]
    fn a_drawing_without_a_size_is_told() {
        let error = Painter::new()
            .paint(&Figure::new("empty", "d", 0.0, 10.0))
            .expect_err("no size")
            .to_string();
        assert!(
            error.starts_with("the figure empty could not be painted"),
            "{error}"
        );
    }
}
