//! SentencePiece BPE by the settings in SentencePiece's own file. Never here: parsing the file,
//! classes with steps of their own.

use std::collections::HashMap;

use tokenizers::{
    PreTokenizerWrapper, SplitDelimiterBehavior, Tokenizer,
    models::bpe::BPE,
    normalizers::{NormalizerWrapper, Replace, Sequence as Normalizers, replace::ReplacePattern},
    pre_tokenizers::{
        metaspace::{Metaspace, PrependScheme},
        sequence::Sequence as PreTokenizers,
        split::{Split, SplitPattern},
    },
};

use super::{
    proto::SentencePieceModel,
    sentencepiece::{Piece, PieceKind, decoder, merges_by_id},
};

/// The tokenizer that transformers' `TokenizersBackend` builds from SentencePiece's file: by the
/// settings in the file. `legacy`: every stretch of text between special tokens gets a space
/// before it, else only the first.
pub(super) fn build(model: &SentencePieceModel, legacy: bool) -> tokenizers::Result<Tokenizer> {
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
        steps.push(Replace::new(" ", "▁")?.into());
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
    texts.sort_by_key(|text| std::cmp::Reverse(text.chars().count()));
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
