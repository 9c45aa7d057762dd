//! SentencePiece BPE as Llama 2 and Mistral use it. The pieces carry scores instead of merges;
//! the merges are rebuilt from them as the `transformers` library does, so that ids agree with
//! it.

use std::collections::HashMap;

use tokenizers::{
    AddedToken, PreTokenizerWrapper, SplitDelimiterBehavior, Tokenizer,
    decoders::{
        DecoderWrapper, byte_fallback::ByteFallback, fuse::Fuse, sequence::Sequence as Decoders,
        strip::Strip,
    },
    models::bpe::{BPE, Vocab},
    normalizers::{
        NormalizerWrapper, Prepend, Replace, Sequence as Normalizers, replace::ReplacePattern,
    },
    pre_tokenizers::{
        metaspace::{Metaspace, PrependScheme},
        sequence::Sequence as PreTokenizers,
        split::{Split, SplitPattern},
    },
};

use super::proto::SentencePieceModel;

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
fn decoder(space_first: bool, byte_fallback: bool) -> tokenizers::Result<Decoders> {
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

/// The tokenizer that transformers' `TokenizersBackend` builds from SentencePiece's file: by the
/// settings in the file. `legacy`: every stretch of text between special tokens gets a space
/// before it, else only the first.
pub(super) fn build_by_file(
    model: &SentencePieceModel,
    legacy: bool,
) -> tokenizers::Result<Tokenizer> {
    let pieces = &model.pieces;
    let of_kind = |kind| pieces.iter().filter(move |piece| piece.kind == kind);
    let user_defined: Vec<&str> = of_kind(PieceKind::UserDefined)
        .map(|piece| piece.text.as_str())
        .collect();
    let mut bpe = BPE::builder()
        .vocab_and_merges(merges_by_id(pieces).0, merges_by_score(pieces))
        .fuse_unk(true)
        .byte_fallback(model.byte_fallback)
        .ignore_merges(!user_defined.is_empty());
    if let Some(unknown) = of_kind(PieceKind::Unknown).next() {
        bpe = bpe.unk_token(unknown.text.clone());
    }
    let mut tokenizer = Tokenizer::new(bpe.build()?);
    let expression = |text: &str| ReplacePattern::Regex(text.to_owned());
    let mut steps: Vec<NormalizerWrapper> = Vec::new();
    if model.remove_extra_whitespaces {
        steps.push(Replace::new(expression(r"\A +| +\z"), "")?.into());
        steps.push(Replace::new(expression(" {2,}"), " ")?.into());
    }
    if model.escape_whitespaces {
        steps.push(Replace::new(" ", SPACE)?.into());
    }
    if model.add_dummy_prefix && legacy {
        // The step below adds nothing to a text that begins with the mark; SentencePiece does.
        steps.push(Replace::new(expression(r"\A▁"), "▁▁")?.into());
    }
    tokenizer.with_normalizer(Some(NormalizerWrapper::from(Normalizers::new(steps))))?;
    let mut steps: Vec<PreTokenizerWrapper> = Vec::new();
    if model.add_dummy_prefix {
        let scheme = match legacy {
            true => PrependScheme::Always,
            false => PrependScheme::First,
        };
        steps.push(Metaspace::new('▁', scheme, false).into());
    }
    if !user_defined.is_empty() {
        let pattern = SplitPattern::Regex(any_of(user_defined));
        steps.push(Split::new(pattern, SplitDelimiterBehavior::Isolated, false)?.into());
    }
    if !steps.is_empty() {
        tokenizer.with_pre_tokenizer(Some(PreTokenizers::new(steps)));
    }
    tokenizer.with_decoder(Some(decoder(model.add_dummy_prefix, model.byte_fallback)?));
    Ok(tokenizer)
}

/// An expression for any of the texts, the longest first.
fn any_of(mut texts: Vec<&str>) -> String {
    texts.sort_by_key(|text| std::cmp::Reverse(length(text)));
    let escape = |text: &&str| -> String {
        let characters = text.chars().flat_map(|character| {
            // Others must stay bare: `\\<` would mean the beginning of a word.
            let special = r"\.+*?()|[]{}^$#&-~".contains(character);
            special.then_some('\\').into_iter().chain([character])
        });
        characters.collect()
    };
    texts.iter().map(escape).collect::<Vec<_>>().join("|")
}

/// The merges of normal pieces, by the score and then the place of what they make.
fn merges_by_score(pieces: &[Piece]) -> Vec<(String, String)> {
    let normal: HashMap<&str, (f32, usize)> = pieces
        .iter()
        .enumerate()
        .filter(|(_, piece)| piece.kind == PieceKind::Normal)
        // Adding zero makes the two zeros equal.
        .map(|(id, piece)| (piece.text.as_str(), (piece.score + 0.0, id)))
        .collect();
    let mut merges: Vec<(f32, usize, &str, &str)> = Vec::new();
    for (text, (score, id)) in &normal {
        let cuts = text.char_indices().skip(1);
        for (left, right) in cuts.map(|(at, _)| text.split_at(at)) {
            if normal.contains_key(left) && normal.contains_key(right) {
                merges.push((*score, *id, left, right));
            }
        }
    }
    merges.sort_by(|a, b| {
        let by_place = || (a.1, a.2, a.3).cmp(&(b.1, b.2, b.3));
        b.0.total_cmp(&a.0).then_with(by_place)
    });
    let pairs = merges.into_iter();
    pairs
        .map(|(.., left, right)| (left.to_owned(), right.to_owned()))
        .collect()
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
