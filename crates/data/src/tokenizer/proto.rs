//! Reads `tokenizer.model`, SentencePiece's file: a Protocol Buffers message, of which only the
//! pieces and a few settings are wanted. Never here: building a tokenizer.

use schema::disk::FETCH_AGAIN;

use super::sentencepiece::{Piece, PieceKind};

/// What is wanted of the file.
#[derive(Debug, PartialEq)]
pub(super) struct SentencePieceModel {
    pub(super) pieces: Vec<Piece>,
    /// Whether a space is put before the text.
    pub(super) add_dummy_prefix: bool,
    /// Whether spaces at the ends go, and several in a row become one.
    pub(super) remove_extra_whitespaces: bool,
    /// Whether spaces become `▁`.
    pub(super) escape_whitespaces: bool,
    /// Whether a character that no piece has becomes its bytes' pieces.
    pub(super) byte_fallback: bool,
    /// The piece that begins a text; none where training had none.
    pub(super) bos: Option<String>,
    /// The piece that ends a text, likewise.
    pub(super) eos: Option<String>,
}

/// `model_type` of byte pair encoding.
const BPE: u64 = 2;

/// Reads the message; the error says what is wrong and where.
pub(super) fn parse(bytes: &[u8]) -> Result<SentencePieceModel, String> {
    // What is absent has the format's default.
    let mut model = SentencePieceModel {
        pieces: Vec::new(),
        add_dummy_prefix: true,
        remove_extra_whitespaces: true,
        escape_whitespaces: true,
        byte_fallback: false,
        bos: Some("<s>".to_owned()),
        eos: Some("</s>".to_owned()),
    };
    let mut model_type = 1; // the format's default: unigram
    for field in WireFields::new(bytes) {
        match field? {
            (1, WireValue::Bytes(piece)) => {
                let index = model.pieces.len();
                model
                    .pieces
                    .push(parse_piece(piece).map_err(|e| format!("piece {index}: {e}"))?);
            }
            (2, WireValue::Bytes(trainer)) => {
                model_type = number(trainer, 3)?.unwrap_or(1);
                model.byte_fallback = number(trainer, 35)?.is_some_and(|flag| flag != 0);
                model.bos = special_piece(trainer, 41, 46, "<s>")?;
                model.eos = special_piece(trainer, 42, 47, "</s>")?;
            }
            (3, WireValue::Bytes(normalizer)) => {
                let flag = |wanted| -> Result<bool, String> {
                    Ok(number(normalizer, wanted)?.is_none_or(|flag| flag != 0))
                };
                model.add_dummy_prefix = flag(3)?;
                model.remove_extra_whitespaces = flag(4)?;
                model.escape_whitespaces = flag(5)?;
                check_normalizer(normalizer)?;
            }
            _ => {}
        }
    }
    if model.pieces.is_empty() {
        return Err("it holds no pieces, so it is not a SentencePiece model".to_owned());
    }
    if model_type != BPE {
        return Err(format!(
            "its model type is {model_type}, only {BPE} (BPE) is supported; convert it to tokenizer.json"
        ));
    }
    Ok(model)
}

/// The name of a special piece of the trainer's settings; none where its id is below 0.
fn special_piece(
    trainer: &[u8],
    id: u64,
    name: u64,
    usual: &str,
) -> Result<Option<String>, String> {
    if number(trainer, id)?.is_some_and(|id| (id as i32) < 0) {
        return Ok(None);
    }
    let mut found = usual.to_owned();
    for field in WireFields::new(trainer) {
        if let (number, WireValue::Bytes(bytes)) = field?
            && number == name
        {
            found = String::from_utf8_lossy(bytes).into_owned();
        }
    }
    Ok(Some(found))
}

fn parse_piece(bytes: &[u8]) -> Result<Piece, String> {
    let (mut text, mut score, mut kind) = (None, 0.0, 1);
    for field in WireFields::new(bytes) {
        match field? {
            (1, WireValue::Bytes(bytes)) => {
                text = Some(
                    std::str::from_utf8(bytes)
                        .map_err(|e| e.to_string())?
                        .to_owned(),
                )
            }
            (2, WireValue::Fixed32(bits)) => score = f32::from_bits(bits),
            (3, WireValue::Varint(number)) => kind = number as i64,
            _ => {}
        }
    }
    let text = text.ok_or("no text")?;
    let kind = PieceKind::from_number(kind)
        .ok_or_else(|| format!("`{text}` is of the unknown kind {kind}"))?;
    Ok(Piece { text, score, kind })
}

/// Llama's kind changes no characters; a table of changes is not supported.
fn check_normalizer(bytes: &[u8]) -> Result<(), String> {
    for field in WireFields::new(bytes) {
        if let (2, WireValue::Bytes(table)) = field?
            && !table.is_empty()
        {
            return Err(
                "it normalises characters by a table, which is not supported; convert it to tokenizer.json".to_owned()
            );
        }
    }
    Ok(())
}

/// The last varint with this field number.
fn number(bytes: &[u8], wanted: u64) -> Result<Option<u64>, String> {
    let mut found = None;
    for field in WireFields::new(bytes) {
        if let (number, WireValue::Varint(value)) = field?
            && number == wanted
        {
            found = Some(value);
        }
    }
    Ok(found)
}

/// A field's value, by its wire type.
enum WireValue<'a> {
    Varint(u64),
    Fixed64,
    Fixed32(u32),
    Bytes(&'a [u8]),
}

/// Fields of a message with their numbers; ends after the first error.
struct WireFields<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> WireFields<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let end = self
            .at
            .checked_add(count)
            .filter(|end| *end <= self.bytes.len());
        let end = end.ok_or_else(|| {
            format!(
                "cut off or damaged at byte {} of its part; {FETCH_AGAIN}",
                self.at
            )
        })?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn varint(&mut self) -> Result<u64, String> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(format!(
            "a number of more than 64 bits before byte {}; {FETCH_AGAIN}",
            self.at
        ))
    }

    fn field(&mut self) -> Result<(u64, WireValue<'a>), String> {
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => WireValue::Varint(self.varint()?),
            1 => {
                self.take(8)?;
                WireValue::Fixed64
            }
            2 => {
                let length = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
                WireValue::Bytes(self.take(length)?)
            }
            5 => {
                let mut bits = [0; 4];
                bits.copy_from_slice(self.take(4)?);
                WireValue::Fixed32(u32::from_le_bytes(bits))
            }
            other => {
                return Err(format!(
                    "unknown wire type {other} before byte {}; is it a SentencePiece model?",
                    self.at
                ));
            }
        };
        Ok((tag >> 3, value))
    }
}

impl<'a> Iterator for WireFields<'a> {
    type Item = Result<(u64, WireValue<'a>), String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.bytes.len() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.at = self.bytes.len();
        }
        Some(field)
    }
}
