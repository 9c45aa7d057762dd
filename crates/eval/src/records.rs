//! Makes the records of one language from its measures: a pure pass over all its questions,
//! once all are measured, because some scorings need all of them. Never here: models, files.

use std::collections::BTreeMap;

use data::{prompt::Rendered, testset::Item};
use schema::{
    AnswerRecord, Language, Scoring, Task,
    questions::prompt_hash,
    record::Caveat,
    scores::{Measures, Priors, choose, mean_shares, score},
};

use crate::{
    Ask, error::EvalError, free_answer::FreeAnswerCounts, journal::MeasuredSoFar,
    questions::EncodedQuestions,
};

/// One language's questions and all their measures.
pub(crate) struct MeasuredLanguage<'a> {
    pub(crate) language: Language,
    pub(crate) rendered: &'a Rendered,
    pub(crate) questions: &'a EncodedQuestions,
    /// See [`find_groups`].
    pub(crate) groups: &'a BTreeMap<usize, u64>,
    /// Items that are scored: the first ones.
    pub(crate) scored: usize,
    pub(crate) found: &'a MeasuredSoFar,
    /// Positions of the model; 0: unknown.
    pub(crate) context: usize,
    /// Measures of the labels after the closing header alone: one for all, one for each scored
    /// item, or none.
    pub(crate) domains: Vec<Measures>,
}

impl MeasuredLanguage<'_> {
    /// ln p of the labels of the scored item at this index after the closing header alone.
    fn domain(&self, at: usize) -> &[f64] {
        let found = if self.domains.len() == 1 {
            self.domains.first()
        } else {
            self.domains.get(at)
        };
        found.map_or(&[], |measures| &measures.log_probs)
    }

    /// The scores of each scored item's labels.
    fn score_all(&self, scoring: Scoring, items: &[Measures], priors: &Priors) -> Vec<Vec<f64>> {
        items
            .iter()
            .enumerate()
            .map(|(at, item)| score(scoring, item, priors, self.domain(at)))
            .collect()
    }
}

/// The records of one language, and what else follows from the same measures.
pub(crate) struct BuiltRecords {
    pub(crate) records: Vec<AnswerRecord>,
    pub(crate) choices: BTreeMap<Scoring, Vec<usize>>,
    pub(crate) said: FreeAnswerCounts,
}

/// Makes the records.
pub(crate) fn build(
    ask: &Ask<'_>,
    answered: &MeasuredLanguage<'_>,
) -> Result<BuiltRecords, EvalError> {
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
    let scores = answered.score_all(ask.asking.scoring, &items, &priors);
    let content_free: Vec<_> = content_free
        .iter()
        .map(|measures| score(ask.asking.scoring, measures, &priors, answered.domain(0)))
        .collect();
    let shared = CommonFields {
        ask,
        answered,
        priors: &priors,
        prior: mean_shares(&content_free),
    };
    let mut said = FreeAnswerCounts::default();
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
        let scores = answered.score_all(*scoring, &items, &priors);
        if scores.iter().all(|scores| !scores.is_empty()) {
            choices.insert(
                *scoring,
                scores.iter().map(|scores| choose(scores).0).collect(),
            );
        }
    }
    Ok(BuiltRecords {
        records,
        choices,
        said,
    })
}

/// The measures of some questions, all of which there are, and all finite.
fn collect(
    answered: &MeasuredLanguage<'_>,
    questions: std::ops::Range<usize>,
) -> Result<Vec<Measures>, EvalError> {
    questions
        .map(|at| {
            let measures = answered.found.measures.get(&at).cloned();
            measures.ok_or_else(|| {
                let language = answered.language;
                EvalError::Internal(format!("question {at} of {language} was not measured"))
            })
        })
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

/// The fields that all records of a language share.
struct CommonFields<'a> {
    ask: &'a Ask<'a>,
    answered: &'a MeasuredLanguage<'a>,
    priors: &'a Priors,
    prior: Vec<f64>,
}

impl CommonFields<'_> {
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
            scores: self.scores_by_label(scores),
            prior: self.by_label(&self.prior),
            prefix_scores: self.by_label(&measures.prefix),
            log_probs: self.by_label(&measures.log_probs),
            label_tokens: self.by_label(&measures.tokens),
            label_bytes: self.by_label(&measures.bytes),
            label_characters: self.by_label(&measures.characters),
            prior_log_probs: self.by_label(&self.priors.content_free),
            domain_log_probs: self.by_label(answered.domain(at)),
            said: answered.found.said.get(&at).cloned(),
            tied,
            scoring: ask.asking.scoring,
            labels: ask.asking.labels,
            protocol: ask.asking.protocol,
            few_shot: ask.asking.few_shot.to_string(),
            prompt: ask.asking.prompt,
            prompt_tokens: question.prompt_tokens,
            prompt_hash: Some(prompt_hash(&prompt.text)),
            caveats: self.caveats(at),
        }
    }

    /// What makes the answer to the question at this index worth less.
    fn caveats(&self, at: usize) -> Vec<Caveat> {
        let answered = self.answered;
        let positions = answered.questions.positions(at);
        let is_long = answered.context > 0 && positions > answered.context;
        let is_shown = answered.rendered.shows_own_answer(at);
        [
            (is_long, Caveat::BeyondContext),
            (is_shown, Caveat::IsExemplar),
        ]
        .into_iter()
        .filter_map(|(is, caveat)| is.then_some(caveat))
        .collect()
    }

    /// By English name; 0 for those that the question does not offer.
    fn scores_by_label(&self, scores: &[f64]) -> BTreeMap<String, f64> {
        let scores = scores.iter().copied().chain(std::iter::repeat(0.0));
        self.ask.task.labels.iter().cloned().zip(scores).collect()
    }

    /// By English name, for those that the question offers; empty if there are no values.
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

/// Items that share the text of the task's group field while another one differs, each with the
/// index of the first of them.
pub fn find_groups(task: &Task, items: &[Item]) -> BTreeMap<usize, u64> {
    let mut alike: BTreeMap<&str, Vec<&Item>> = BTreeMap::new();
    for item in items {
        if let Some(text) = item.fields.get(task.group_place()) {
            alike.entry(text).or_default().push(item);
        }
    }
    let mut groups = BTreeMap::new();
    for items in alike.values() {
        let first = items[0];
        if items.iter().any(|item| item.fields != first.fields) {
            groups.extend(items.iter().map(|item| (item.index, first.index as u64)));
        }
    }
    groups
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
        let mut task = data::tasks::task("snli").expect("shipped").clone();
        assert_eq!(
            find_groups(&task, &items),
            BTreeMap::from([(0, 0), (2, 0), (5, 0)])
        );
        task.group = Some(task.fields[1].clone());
        let by_second = [0, 1, 3, 4, 5].map(|index| (index, 0));
        assert_eq!(find_groups(&task, &items), BTreeMap::from(by_second));
    }
}
