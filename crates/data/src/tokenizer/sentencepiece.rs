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

/// Builds the tokenizer as llama.cpp reads it; `space_first`: whether every stretch of text
/// between special tokens gets a space before it.
pub(super) fn build(pieces: &[Piece], space_first: bool) -> tokenizers::Result<Tokenizer> {
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
    let mut steps: Vec<NormalizerWrapper> = vec![Replace::new(" ", SPACE)?.into()];
    if space_first {
        steps.insert(0, Prepend::new(SPACE.to_owned()).into());
    }
    tokenizer.with_normalizer(Some(NormalizerWrapper::from(Normalizers::new(steps))))?;
    tokenizer.with_decoder(Some(decoder(space_first, true)?));
    tokenizer.add_tokens(special_pieces(pieces))?;
    Ok(tokenizer)
}

/// Pieces to text; `space_first`: a space at the beginning was put there by encoding.
pub(super) fn decoder(space_first: bool, byte_fallback: bool) -> tokenizers::Result<Decoders> {
    let mut steps: Vec<DecoderWrapper> = vec![Replace::new(SPACE, " ")?.into()];
    if byte_fallback {
        steps.push(ByteFallback::new().into());
    }
    if byte_fallback || space_first {
        steps.push(Fuse::new().into());
    }
    if space_first {
        steps.push(Strip::new(' ', 1, 0).into());
    }
    Ok(Decoders::new(steps))
}

/// The vocabulary of the pieces, and the merges as transformers' `LlamaTokenizer` orders them:
/// by the id of what they make, whatever the scores say.
pub(super) fn merges_by_id(pieces: &[Piece]) -> (Vocab, Vec<(String, String)>) {
    let vocab: Vocab = pieces
        .iter()
        .zip(0..)
        .map(|(piece, id)| (piece.text.clone(), id))
        .collect();
    let mut merges = Vec::new();
    for piece in pieces {
        let cuts = piece.text.char_indices().skip(1);
        for (left, right) in cuts.map(|(at, _)| piece.text.split_at(at)) {
            if vocab.contains_key(left) && vocab.contains_key(right) {
                merges.push((left.to_owned(), right.to_owned()));
            }
        }
    }
    (vocab, merges)
}

/// The tokenizer that transformers' `LlamaTokenizer` builds from a vocabulary. Not `legacy`, the
/// default there, a space goes only before the beginning of a text that has none.
pub(super) fn build_llama(
    vocab: Vocab,
    merges: Vec<(String, String)>,
    space_first: bool,
    legacy: bool,
) -> tokenizers::Result<Tokenizer> {
    let model = BPE::builder()
        .vocab_and_merges(vocab, merges)
        .fuse_unk(true)
        .byte_fallback(true)
        .build()?;
    let mut tokenizer = Tokenizer::new(model);
    let scheme = match (space_first, legacy) {
        (false, _) => PrependScheme::Never,
        (true, true) => PrependScheme::Always,
        (true, false) => PrependScheme::First,
    };
    tokenizer.with_pre_tokenizer(Some(Metaspace::new('▁', scheme, false)));
    tokenizer.with_decoder(Some(decoder(space_first, true)?));
    Ok(tokenizer)
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

fn length(text: &str) -> usize {
    text.chars().count()
}

/// Every way to put a piece together from two others, best first: by the piece's score, then
/// the longer left part, then the longer right part, in characters.
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
