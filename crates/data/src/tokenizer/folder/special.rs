//! Special and added tokens put on a built tokenizer, in the order of transformers 5: later ones
//! get later ids. Never here: reading files.

use std::collections::BTreeMap;

use schema::disk::FETCH_AGAIN;
use tokenizers::{AddedToken, Tokenizer};

use super::{Growth, class::TokenizerClass, config::TokenizerConfig, fail};
use crate::{DataError, seam};

/// The tokens that the vocabulary's own file brings.
#[derive(Default)]
pub(super) struct OwnTokens {
    /// Added tokens of `tokenizer.json`, with their ids.
    pub(super) saved: Vec<(u32, AddedToken)>,
    /// Control and user-defined pieces.
    pub(super) pieces: Vec<AddedToken>,
    /// Names of special tokens that it says itself.
    pub(super) named: Vec<(&'static str, String)>,
    /// Whether listed tokens are found in the text as it is, so that each stretch between them
    /// gets its space.
    pub(super) splits_before_normalising: bool,
}

/// Adds the tokens that the folder's files name, so that each is one id.
pub(super) fn add(
    inner: &mut Tokenizer,
    config: &TokenizerConfig,
    class: TokenizerClass,
    own: OwnTokens,
) -> Result<(), DataError> {
    let mut usual: Vec<(&str, &str)> = class.usual_tokens().to_vec();
    usual.extend(own.named.iter().map(|(key, text)| (*key, text.as_str())));
    let mut listed = config.added_tokens(own.saved)?;
    if own.splits_before_normalising {
        listed
            .values_mut()
            .for_each(|token| token.normalized = false);
    }
    let named = config.all_named(&usual)?;
    let extra = config.extra(!own.pieces.is_empty())?;
    let extra = extra.unwrap_or(own.pieces);

    let there = inner.get_added_tokens_decoder();
    let mut known: Vec<String> = there.values().map(|token| token.content.clone()).collect();
    known.extend(listed.values().map(|token| token.content.clone()));
    let is_named = |token: &AddedToken| named.iter().any(|name| name.content == token.content);
    let mut tokens: Vec<AddedToken> = listed
        .values()
        .cloned()
        .map(|token| {
            let special = token.special || is_named(&token);
            AddedToken { special, ..token }
        })
        .collect();
    let others = named.iter().chain(&extra);
    tokens.extend(
        others
            .filter(|token| !known.contains(&token.content))
            .cloned(),
    );
    add_all(inner, config, tokens)?;
    if class == TokenizerClass::Qwen2 {
        // It adds all special tokens once more, by their texts alone.
        let texts = named.iter().chain(&extra).map(|token| &token.content);
        let again = texts.map(|text| AddedToken::from(text.clone(), true));
        add_all(inner, config, again.collect())?;
    }
    check_ids(inner, config, &listed)
}

fn add_all(
    inner: &mut Tokenizer,
    config: &TokenizerConfig,
    tokens: Vec<AddedToken>,
) -> Result<(), DataError> {
    let longest = tokens.iter().map(|token| token.content.len()).max();
    let bound = Growth::of(inner);
    let added = seam::guard(|| {
        bound.check_encoding(longest.unwrap_or(0))?;
        inner.add_tokens(tokens).map_err(|error| error.to_string())
    });
    match added {
        Ok(_) => Ok(()),
        Err(problem) => Err(fail(
            &config.path(),
            format!("its special tokens cannot be added: {problem}"),
        )),
    }
}

/// Every listed token must have the id under which it is listed. A token that the vocabulary
/// lacks gets the next free one, whatever the list says.
fn check_ids(
    inner: &Tokenizer,
    config: &TokenizerConfig,
    listed: &BTreeMap<u32, AddedToken>,
) -> Result<(), DataError> {
    for (id, token) in listed {
        let found = inner.token_to_id(&token.content);
        if !token.content.is_empty() && found != Some(*id) {
            let found = found.map_or("none".to_owned(), |found| found.to_string());
            let problem = format!(
                "the added token `{}` is listed with id {id}, but with the vocabulary beside it it gets {found}; the files \
                 do not belong together: {FETCH_AGAIN}",
                token.content
            );
            return Err(fail(&config.path(), problem));
        }
    }
    Ok(())
}
