//! From measures to the records of one language: a pure pass over all its questions, made when
//! all are measured, because some scorings look at all of them. Never here: models, files.

use std::collections::BTreeMap;

use data::{prompt::Rendered, testset::Item};
use schema::{
    AnswerRecord, Language, Scoring,
    scores::{Measures, Priors, choose, mean_shares, score},
};

use crate::{Ask, error::EvalError, journal::Found, questions::Questions, say::Said};

/// One language's questions and all that was measured of them.
pub(crate) struct Answered<'a> {
    pub(crate) language: Language,
    pub(crate) rendered: &'a Rendered,
    pub(crate) questions: &'a Questions,
    /// See [`find_groups`].
    pub(crate) groups: &'a BTreeMap<usize, u64>,
    /// Items that are scored: the first ones.
    pub(crate) scored: usize,
    pub(crate) found: &'a Found,
    /// What the labels are after the closing header alone: for all, for each scored item, or
    /// not measured.
    pub(crate) domains: Vec<Measures>,
}

impl Answered<'_> {
    /// ln p of the labels of the scored item at this index after the closing header alone.
    fn domain(&self, at: usize) -> &[f64] {
        let found = if self.domains.len() == 1 {
            self.domains.first()
        } else {
            self.domains.get(at)
        };
        found.map_or(&[], |measures| &measures.log_probs)
    }
}

/// The records of one language and what else the same measures say.
pub(crate) struct Built {
    pub(crate) records: Vec<AnswerRecord>,
    pub(crate) choices: BTreeMap<Scoring, Vec<usize>>,
    pub(crate) said: Said,
}

/// Makes the records.
pub(crate) fn build(ask: &Ask<'_>, answered: &Answered<'_>) -> Result<Built, EvalError> {
    let all = answered.questions.questions.len();
    let items = collect(answered, 0..answered.scored)?;
    let content_free = collect(answered, answered.rendered.prompts.len()..all)?;
    // Where the answers are each question's own, a label is only a place among them, and no
    // place has a prior.
    let priors = if answered.rendered.has_common_words() {
        Priors::new(&items, &content_free)
    } else {
        Priors::default()
    };
    let score_item = |scoring, (at, item): (usize, &Measures)| {
        score(scoring, item, &priors, answered.domain(at))
    };
    let by = |scoring| {
        items
            .iter()
            .enumerate()
            .map(|item| score_item(scoring, item))
            .collect::<Vec<_>>()
    };
    let scores = by(ask.asking.scoring);
    let content_free: Vec<_> = content_free
        .iter()
        .map(|m| score_item(ask.asking.scoring, (0, m)))
        .collect();
    let shared = Shared {
        ask,
        answered,
        priors: &priors,
        prior: mean_shares(&content_free),
    };
    let mut said = Said::default();
    let mut records = Vec::with_capacity(items.len());
    for (at, (measures, scores)) in items.iter().zip(&scores).enumerate() {
        let record = shared.record(at, measures, scores);
        if let Some(text) = &record.said {
            said.count(text, answered.rendered.words_of(at), choose(scores).0);
        }
        records.push(record);
    }
    let mut choices = BTreeMap::new();
    for scoring in Scoring::ALL {
        let scores = by(*scoring);
        if scores.iter().all(|scores| !scores.is_empty()) {
            choices.insert(
                *scoring,
                scores.iter().map(|scores| choose(scores).0).collect(),
            );
        }
    }
    Ok(Built {
        records,
        choices,
        said,
    })
}

/// The measures of some questions, all of which there are, and all finite.
fn collect(
    answered: &Answered<'_>,
    questions: std::ops::Range<usize>,
) -> Result<Vec<Measures>, EvalError> {
    let get = |at: usize| answered.found.measures.get(&at).cloned();
    let missing = |at| {
        EvalError::Internal(format!(
            "question {at} of {} was not measured",
            answered.language
        ))
    };
    questions
        .map(|at| get(at).ok_or_else(|| missing(at)))
        .collect()
}

/// Fails if a measure is NaN or infinite: before it is written anywhere.
pub(crate) fn check_finite(
    ask: &Ask<'_>,
    language: Language,
    item: impl Fn() -> String,
    measures: &Measures,
) -> Result<(), EvalError> {
    for values in [&measures.prefix, &measures.log_probs] {
        if let Some(label) = values.iter().position(|value| !value.is_finite()) {
            let (label, score) = (ask.task.labels[label].clone(), values[label]);
            return Err(EvalError::NotFinite {
                language,
                item: item(),
                label,
                score,
            });
        }
    }
    Ok(())
}

/// What the records of a language have in common.
struct Shared<'a> {
    ask: &'a Ask<'a>,
    answered: &'a Answered<'a>,
    priors: &'a Priors,
    prior: Vec<f64>,
}

impl Shared<'_> {
    fn record(&self, at: usize, measures: &Measures, scores: &[f64]) -> AnswerRecord {
        let (ask, answered) = (self.ask, self.answered);
        let (prompt, question) = (
            &answered.rendered.prompts[at],
            &answered.questions.questions[at],
        );
        let (chosen, tied) = choose(scores);
        AnswerRecord {
            model: ask.model.to_owned(),
            adapter: ask.adapter.map(str::to_owned),
            task: ask.task.name.clone(),
            language: answered.language,
            item: prompt.item,
            group: answered.groups.get(&prompt.item).copied(),
            gold: ask.task.label_name(prompt.gold).to_owned(),
            chosen: ask.task.labels[chosen].clone(),
            correct: prompt.answerable && chosen == prompt.gold.0,
            scores: self.by_label(scores),
            prior: self.by_label(&self.prior),
            prefix_scores: self.by_label(&measures.prefix),
            log_probs: self.by_label(&measures.log_probs),
            label_tokens: self.by_label(&measures.tokens),
            prior_log_probs: self.by_label(&self.priors.content_free),
            domain_log_probs: self.by_label(answered.domain(at)),
            said: answered.found.said.get(&at).cloned(),
            tied,
            scoring: ask.asking.scoring,
            labels: ask.asking.labels,
            protocol: ask.asking.protocol,
            few_shot: ask.asking.few_shot.to_string(),
            prompt_tokens: question.prompt_tokens,
        }
    }

    /// By English name; empty if there are no values.
    fn by_label<T: Copy>(&self, values: &[T]) -> BTreeMap<String, T> {
        self.ask
            .task
            .labels
            .iter()
            .cloned()
            .zip(values.iter().copied())
            .collect()
    }
}

/// Items that share their first text while another one differs, each with the index of the
/// first of them.
pub fn find_groups(items: &[Item]) -> BTreeMap<usize, u64> {
    let mut alike: BTreeMap<&str, Vec<&Item>> = BTreeMap::new();
    for item in items {
        if let Some(first) = item.fields.first() {
            alike.entry(first).or_default().push(item);
        }
    }
    let differ = |items: &&Vec<&Item>| items.iter().any(|item| item.fields != items[0].fields);
    let number = |items: &Vec<&Item>| {
        let first = items[0].index as u64;
        items
            .iter()
            .map(|item| (item.index, first))
            .collect::<Vec<_>>()
    };
    alike.values().filter(differ).flat_map(number).collect()
}

#[cfg(test)]
mod tests {
    use schema::Label;

    use super::*;

    #[test]
    fn items_with_one_premise_are_a_group_and_copies_are_none() {
        let texts = [
            ["a", "1"],
            ["b", "1"],
            ["a", "2"],
            ["c", "1"],
            ["c", "1"],
            ["a", "1"],
        ];
        let items: Vec<Item> = texts
            .iter()
            .enumerate()
            .map(|(index, fields)| {
                let fields = fields.iter().map(|f| (*f).to_owned()).collect();
                Item {
                    index,
                    fields,
                    gold: Label(0),
                    answerable: true,
                    choices: Vec::new(),
                }
            })
            .collect();
        assert_eq!(
            find_groups(&items),
            BTreeMap::from([(0, 0), (2, 0), (5, 0)])
        );
    }
}
