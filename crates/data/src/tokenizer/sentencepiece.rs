//! SentencePiece BPE as Llama 2 and Mistral use it. The pieces carry scores instead of merges;
//! the merges are rebuilt from them as the `transformers` library does, so that ids agree with
//! it.

use std::collections::HashMap;

use tokenizers::{
    AddedToken, Tokenizer,
    decoders::{
        DecoderWrapper, byte_fallback::ByteFallback, fuse::Fuse, sequence::Sequence as Decoders,
        strip::Strip,
    },
    models::bpe::{BPE, Vocab},
    normalizers::{NormalizerWrapper, Prepend, Replace, Sequence as Normalizers},
    pre_tokenizers::metaspace::{Metaspace, PrependScheme},
};

const SPACE: &str = "▁";

/// What a piece is; the numbers are SentencePiece's, which GGUF took over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PieceKind {
    Normal = 1,
    Unknown = 2,
    Control = 3,
    UserDefined = 4,
    Unused = 5,
    Byte = 6,
}

impl PieceKind {
    /// The kind of this number.
    pub(super) fn from_number(number: i64) -> Option<Self> {
        let all = [
            Self::Normal,
            Self::Unknown,
            Self::Control,
            Self::UserDefined,
            Self::Unused,
            Self::Byte,
        ];
        all.into_iter().find(|kind| *kind as i64 == number)
    }
}

/// A vocabulary entry; its id is its place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Piece {
    pub(super) text: String,
    /// Higher is merged first.
    pub(super) score: f32,
    pub(super) kind: PieceKind,
}

/// How text is brought into the vocabulary's form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SpacePrefix {
    /// Before every stretch of text between special tokens: what `transformers` calls legacy,
    /// its default.
    Always,
    /// Only at the beginning, and only where the text does not begin with a space.
    First,
    /// None.
    Never,
}

/// Builds the tokenizer; `added` comes on top of the special pieces.
pub(super) fn build(
    pieces: &[Piece],
    prefix: SpacePrefix,
    added: Vec<AddedToken>,
) -> tokenizers::Result<Tokenizer> {
    let vocab: Vocab = pieces
        .iter()
        .zip(0..)
        .map(|(piece, id)| (piece.text.clone(), id))
        .collect();
    let byte_fallback = pieces.iter().any(|piece| piece.kind == PieceKind::Byte);
    let mut model = BPE::builder()
        .vocab_and_merges(vocab, merges(pieces))
        .fuse_unk(true)
        .byte_fallback(byte_fallback);
    if let Some(unknown) = pieces.iter().find(|piece| piece.kind == PieceKind::Unknown) {
        model = model.unk_token(unknown.text.clone());
    }
    let mut tokenizer = Tokenizer::new(model.build()?);
    set_spaces(&mut tokenizer, prefix)?;
    tokenizer.add_tokens(special_pieces(pieces).chain(added))?;
    Ok(tokenizer)
}

fn set_spaces(tokenizer: &mut Tokenizer, prefix: SpacePrefix) -> tokenizers::Result<()> {
    let mark = || Replace::new(" ", SPACE);
    match prefix {
        SpacePrefix::Always => {
            let steps = vec![Prepend::new(SPACE.to_owned()).into(), mark()?.into()];
            tokenizer.with_normalizer(Some(NormalizerWrapper::from(Normalizers::new(steps))))?;
        }
        SpacePrefix::First => {
            tokenizer.with_pre_tokenizer(Some(Metaspace::new('▁', PrependScheme::First, false)));
        }
        SpacePrefix::Never => {
            tokenizer.with_normalizer(Some(NormalizerWrapper::from(mark()?)))?;
        }
    }
    let mut steps: Vec<DecoderWrapper> = vec![
        Replace::new(SPACE, " ")?.into(),
        ByteFallback::new().into(),
        Fuse::new().into(),
    ];
    if prefix != SpacePrefix::Never {
        steps.push(Strip::new(' ', 1, 0).into());
    }
    tokenizer.with_decoder(Some(Decoders::new(steps)));
    Ok(())
}

/// Control and unknown pieces are recognised whole and skipped in decoding; user-defined ones
/// are only recognised whole.
fn special_pieces(pieces: &[Piece]) -> impl Iterator<Item = AddedToken> {
    pieces.iter().filter_map(|piece| {
        let special = match piece.kind {
            PieceKind::Control | PieceKind::Unknown => true,
            PieceKind::UserDefined => false,
            PieceKind::Normal | PieceKind::Unused | PieceKind::Byte => return None,
        };
        Some(AddedToken::from(piece.text.clone(), special).normalized(false))
    })
}

/// Every way to put a piece together from two others, best first: by the piece's score, then
/// the longer left part, then the longer right part, in characters.
fn length(text: &str) -> usize {
    text.chars().count()
}

fn merges(pieces: &[Piece]) -> Vec<(String, String)> {
    let ids: HashMap<&str, usize> = pieces
        .iter()
        .enumerate()
        .map(|(id, piece)| (piece.text.as_str(), id))
        .collect();
    let mut merges: Vec<(f32, &str, &str)> = Vec::new();
    for piece in pieces {
        let cuts = piece
            .text
            .char_indices()
            .skip(1)
            .map(|(at, _)| piece.text.split_at(at));
        let mut ways: Vec<_> = cuts
            .filter_map(|(l, r)| Some((ids.get(l)?, ids.get(r)?, l, r)))
            .collect();
        ways.sort_by_key(|(left, right, ..)| (**left, **right));
        // Adding zero makes the two zeros equal, as they are in the order that is followed.
        merges.extend(ways.into_iter().map(|(.., l, r)| (piece.score + 0.0, l, r)));
    }
    merges.sort_by(|a, b| {
        b.0.total_cmp(&a.0)
            .then_with(|| length(b.1).cmp(&length(a.1)))
            .then_with(|| length(b.2).cmp(&length(a.2)))
    });
    merges
        .into_iter()
        .map(|(_, left, right)| (left.to_owned(), right.to_owned()))
        .collect()
}
