//! Training examples: a pair as token ids, of which only the target's are learnt (Eq. 2 of the
//! paper).
//!
//! Never here: batches, labels as a shifted copy of the ids.

use rayon::prelude::*;
use schema::PromptForm;
use serde::{Deserialize, Serialize};

use crate::{
    DataError, Tokenizer, TranslationPair,
    chat::{ChatTemplate, Message},
    prefix,
    prompt::AnswerTurn,
};

/// One training example.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// Source and target.
    pub input_ids: Vec<u32>,
    /// Tokens of the source; those after them have a loss.
    pub prompt_len: usize,
}

/// The examples of many pairs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedPairs {
    /// In the order of the pairs.
    pub examples: Vec<Example>,
    /// How many of them were cut.
    pub cut: usize,
}

impl Example {
    /// Tokens in all.
    pub fn len(&self) -> usize {
        self.input_ids.len()
    }

    /// Whether there is no token at all.
    pub fn is_empty(&self) -> bool {
        self.input_ids.is_empty()
    }

    /// Tokens with a loss.
    pub fn target_len(&self) -> usize {
        self.input_ids.len() - self.prompt_len
    }
}

/// Encodes a pair: source = what the tokenizer's configuration adds before a text, and the
/// source text; target = the target text and EOS. The two are encoded apart, without a chat
/// template, and cut to `cutoff_len` tokens together.
///
/// # Errors
/// The tokenizer has no EOS; `cutoff_len` leaves no target token to learn.
pub fn encode(
    tokenizer: &Tokenizer,
    pair: &TranslationPair,
    cutoff_len: usize,
) -> Result<Example, DataError> {
    encode_one(tokenizer, pair, cutoff_len).map(|(example, _)| example)
}

/// As [`encode`], and whether the pair had to be cut.
fn encode_one(
    tokenizer: &Tokenizer,
    pair: &TranslationPair,
    cutoff_len: usize,
) -> Result<(Example, bool), DataError> {
    let eos = tokenizer
        .eos()
        .ok_or_else(|| tokenizer.error("no EOS token, so no example can be ended".to_owned()))?;
    let mut input_ids = tokenizer.added_before().to_vec();
    input_ids.extend(tokenizer.encode_plain(&pair.source)?);
    let mut target = tokenizer.encode_plain(&pair.target)?;
    target.push(eos);
    let (prompt_len, target_len) = cut_lengths(input_ids.len(), target.len(), cutoff_len);
    if target_len == 0 {
        return Err(tokenizer.error(format!(
            "a cutoff of {cutoff_len} tokens leaves no target to learn; raise it"
        )));
    }
    let is_cut = prompt_len < input_ids.len() || target_len < target.len();
    input_ids.truncate(prompt_len);
    input_ids.extend(&target[..target_len]);
    let example = Example {
        input_ids,
        prompt_len,
    };
    Ok((example, is_cut))
}

/// Every pair, on all threads: plain as [`encode`], or as a question and an answer of the chat
/// template that comes with `tokenizer`.
///
/// # Errors
/// As [`encode`]; no chat template, or one that cannot be used.
pub fn encode_all(
    tokenizer: &Tokenizer,
    pairs: &[TranslationPair],
    cutoff_len: usize,
    form: PromptForm,
) -> Result<EncodedPairs, DataError> {
    let encoded: Result<Vec<(Example, bool)>, DataError> = match (form, pairs) {
        (PromptForm::Plain, _) | (_, []) => pairs
            .par_iter()
            .map(|pair| encode_one(tokenizer, pair, cutoff_len))
            .collect(),
        (_, [first, ..]) => {
            let template = tokenizer.chat_template()?;
            let question = [Message::user(first.source.trim_end())];
            let turn = AnswerTurn::find_without_thought(&template, tokenizer, &question)?;
            let encode = |pair| encode_chat(tokenizer, (&template, &turn), pair, cutoff_len);
            pairs.par_iter().map(encode).collect()
        }
    };
    let (examples, cut): (Vec<Example>, Vec<bool>) = encoded?.into_iter().unzip();
    Ok(EncodedPairs {
        examples,
        cut: cut.into_iter().filter(|is_cut| *is_cut).count(),
    })
}

/// A pair as a conversation: the source is the question, the target the answer, learnt with the
/// end of its turn. Encoded as one text, as a question of the evaluation is.
fn encode_chat(
    tokenizer: &Tokenizer,
    (template, turn): (&ChatTemplate, &AnswerTurn),
    pair: &TranslationPair,
    cutoff_len: usize,
) -> Result<(Example, bool), DataError> {
    let source = pair.source.trim_end();
    let prompt = turn.render(template, &[Message::user(source)])?;
    let alone = tokenizer.encode_plain(&prompt)?;
    let (before, after) = (&turn.frame.before, &turn.frame.after);
    if after.is_empty() {
        return Err(template.error("does not end an answer, and the tokenizer has no EOS token"));
    }
    let answer = format!("{before}{}{after}", pair.target);
    let mut input_ids = tokenizer.encode_plain(&(prompt.clone() + &answer))?;
    let prompt_len = prefix::common_length(&alone, &input_ids).min(input_ids.len() - 1);
    if input_ids.len() <= cutoff_len {
        let example = Example {
            input_ids,
            prompt_len,
        };
        return Ok((example, false));
    }
    // The source loses its end, never what the template writes behind it.
    let behind = prompt
        .rfind(source)
        .map(|start| &prompt[start + source.len()..]);
    let behind = tokenizer.encode_plain(behind.unwrap_or(&prompt))?.len();
    let (kept, learnt) = cut_lengths(prompt_len, input_ids.len() - prompt_len, cutoff_len);
    if learnt == 0 || kept <= behind {
        return Err(tokenizer.error(format!(
            "a cutoff of {cutoff_len} tokens leaves no room for a question and an answer of the chat template; raise it"
        )));
    }
    input_ids.truncate(prompt_len + learnt);
    input_ids.drain(kept - behind..prompt_len - behind);
    let example = Example {
        input_ids,
        prompt_len: kept,
    };
    Ok((example, true))
}

/// How many tokens of source and target stay within `cutoff`, as LLaMA-Factory decides: a short
/// target stays whole, else a short source does, else both are cut in proportion. The EOS is
/// cut off with the target's end.
fn cut_lengths(source: usize, target: usize, cutoff: usize) -> (usize, usize) {
    let allowed = if target * 2 < cutoff {
        cutoff
    } else if source * 2 < cutoff {
        cutoff - source
    } else {
        // Rounded down after floating-point division, as there, so that lengths agree to the
        // token.
        (cutoff as f64 * (target as f64 / (source + target) as f64)) as usize
    };
    let target = target.min(allowed);
    (source.min(cutoff - target.min(cutoff)), target)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tokenizer::tests::{byte_level, sentencepiece};
    use schema::Language;

    #[test]
    fn lengths_as_llama_factory_cuts() {
        let cases = [
            ((10, 10, 100), (10, 10)),
            ((200, 30, 100), (70, 30)),
            ((30, 200, 100), (30, 70)),
            ((150, 150, 100), (50, 50)),
            ((71, 29, 50), (36, 14)),
            ((60, 50, 100), (55, 45)),
        ];
        for ((source, target, cutoff), wanted) in cases {
            assert_eq!(
                cut_lengths(source, target, cutoff),
                wanted,
                "{source} {target} {cutoff}"
            );
        }
    }

    #[test]
    fn source_and_target_are_encoded_apart_and_ended() {
        let pair = TranslationPair {
            source: "ab ".into(),
            target: "ab".into(),
            language: Language::De,
            into: None,
            item: 0,
        };
        let tokenizer = byte_level();
        let example = encode(&tokenizer, &pair, 512).expect("encodes");
        let (source, target) = (
            tokenizer.encode_plain("ab ").expect("ids"),
            tokenizer.encode_plain("ab").expect("ids"),
        );
        let eos = tokenizer.eos().expect("has one");
        assert_eq!(example.prompt_len, source.len());
        assert_eq!(example.input_ids, [source, target, vec![eos]].concat());
        assert_eq!(example.target_len(), 2);

        let example = encode(&sentencepiece(), &pair, 512).expect("encodes");
        assert_eq!(
            example.input_ids[0], 1,
            "BOS, as this tokenizer's configuration asks"
        );

        let pairs = [pair.clone(), pair.clone()];
        let of =
            |cutoff| encode_all(&tokenizer, &pairs, cutoff, PromptForm::Plain).expect("encodes");
        let whole = of(512).examples[0].len();
        assert_eq!([of(whole).cut, of(whole - 1).cut], [0, 2], "cut, counted");

        let error = encode(&tokenizer, &pair, 0).expect_err("nothing to learn");
        assert!(error.to_string().contains("cutoff of 0 tokens"), "{error}");
    }

    proptest! {
        #[test]
        fn never_longer_than_the_cutoff_nor_than_the_pair(source in 0usize..300, target in 1usize..300, cutoff in 0usize..300) {
            let (s, t) = cut_lengths(source, target, cutoff);
            prop_assert!(s + t <= cutoff && s <= source && t <= target);
            prop_assert!(source + target > cutoff || (s, t) == (source, target));
        }
    }
}
