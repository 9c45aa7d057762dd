//! What makes a number worth less than it looks: ties, one label everywhere, prompts beyond the
//! context, exemplars that are asked, a learning rate of 0. Counted from records, and said in the
//! same words wherever the number is printed. Never here: printing.

use std::collections::BTreeMap;

use crate::{
    AnswerRecord, Language,
    record::{Caveat, TrainRecord},
};

/// The answers of one model in one language, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnswerCounts {
    /// Answers.
    pub asked: usize,
    /// Of these, those whose best scores are equal.
    pub tied: usize,
    /// Of these, those whose scores are all equal.
    pub all_equal: usize,
    /// See [`Caveat::BeyondContext`].
    pub beyond_context: usize,
    /// See [`Caveat::IsExemplar`].
    pub exemplars: usize,
    /// How often each label is chosen, and how often it is the right one.
    pub labels: BTreeMap<String, (usize, usize)>,
}

impl AnswerCounts {
    /// Of some answers.
    pub fn of<'a>(records: impl IntoIterator<Item = &'a AnswerRecord>) -> Self {
        let mut counts = Self::default();
        records.into_iter().for_each(|record| counts.add(record));
        counts
    }

    /// Adds an answer.
    pub fn add(&mut self, record: &AnswerRecord) {
        let best = record.scores.values().copied().fold(f64::MIN, f64::max);
        let equal = record.scores.values().filter(|s| **s == best).count();
        self.asked += 1;
        self.tied += usize::from(equal > 1);
        self.all_equal += usize::from(equal > 1 && equal == record.scores.len());
        let has = |caveat| usize::from(record.caveats.contains(&caveat));
        self.beyond_context += has(Caveat::BeyondContext);
        self.exemplars += has(Caveat::IsExemplar);
        match self.labels.get_mut(&record.chosen) {
            Some((chosen, _)) => *chosen += 1,
            None => drop(self.labels.insert(record.chosen.clone(), (1, 0))),
        }
        match self.labels.get_mut(&record.gold) {
            Some((_, gold)) => *gold += 1,
            None => drop(self.labels.insert(record.gold.clone(), (0, 1))),
        }
    }

    /// The label of every answer, where there are several answers and not all should have it.
    fn only_label(&self) -> Option<&str> {
        let (label, (_, gold)) = self
            .labels
            .iter()
            .find(|(_, (chosen, _))| *chosen == self.asked)?;
        (self.asked > 1 && *gold < self.asked).then_some(label)
    }
}

/// The caveats of one model's answers, in sentences that name the languages they are of; empty
/// where there are none.
pub fn describe_answers(counts: &[(Language, &AnswerCounts)]) -> Vec<String> {
    let ties = list_counts(counts, |of| of.tied).map(|list| {
        let all = counts.iter().all(|(_, of)| of.tied == of.all_equal);
        let which = if all { "all" } else { "the best" };
        format!(
            "exact ties in {list}: {which} labels have equal scores and the first of them counts as the answer, so \
             whether it is right is an artefact"
        )
    });
    let beyond = list_counts(counts, |of| of.beyond_context).map(|list| {
        format!(
            "prompts longer than the model's context (max_position_embeddings) in {list}: the model was not made for \
             such positions"
        )
    });
    let exemplars = list_counts(counts, |of| of.exemplars).map(|list| {
        format!(
            "exemplars that are also asked in {list}: the prompt shows the right answer to its own question"
        )
    });
    let mut only: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (language, of) in counts {
        if let Some(label) = of.only_label() {
            only.entry(label).or_default().push(language.code());
        }
    }
    let only = only.into_iter().map(|(label, languages)| {
        format!(
            "one label for every item in {}: each answer is `{label}`, so the accuracy is the share of items with that label",
            languages.join(", ")
        )
    });
    ties.into_iter()
        .chain(only)
        .chain(beyond)
        .chain(exemplars)
        .collect()
}

/// That some of these inputs, `noun` in the plural, have more tokens than the model's context of
/// `context` positions; `None` where none has, or where the model does not say its context.
pub fn describe_long(
    noun: &str,
    lengths: impl IntoIterator<Item = usize>,
    context: usize,
) -> Option<String> {
    let (mut all, mut long, mut longest) = (0, 0, 0);
    for length in lengths {
        all += 1;
        long += usize::from(length > context);
        longest = longest.max(length);
    }
    (context > 0 && long > 0).then(|| {
        format!(
            "{noun} longer than the model's context (max_position_embeddings, {context}): {long} of {all}, the longest has \
             {longest} tokens; the model was not made for such positions"
        )
    })
}

/// `ja 6 of 6, th 2 of 6`; `None` where there is none in any language.
fn list_counts(
    counts: &[(Language, &AnswerCounts)],
    count: impl Fn(&AnswerCounts) -> usize,
) -> Option<String> {
    let found: Vec<String> = counts
        .iter()
        .filter(|(_, of)| count(of) > 0)
        .map(|(language, of)| format!("{language} {} of {}", count(of), of.asked))
        .collect();
    (!found.is_empty()).then(|| found.join(", "))
}

/// The caveats of a finished training, of which so many `examples` were cut.
pub fn describe_training(records: &[TrainRecord], cut: usize) -> Vec<String> {
    let mut rates = records.iter().filter_map(|record| match record {
        TrainRecord::Step(step) => Some(step.learning_rate),
        TrainRecord::Validation(_) => None,
    });
    let untrained = rates.clone().next().is_some() && rates.all(|rate| rate == 0.0);
    let untrained = untrained.then(|| {
        "nothing was trained: the learning rate was 0 in every update (a warm-up begins at 0; raise train.max_steps or \
         lower the warm-up)"
            .to_owned()
    });
    let cut = (cut > 0).then(|| {
        format!(
            "examples cut to train.cutoff_len tokens, so that the model does not see their ends: {cut}"
        )
    });
    untrained.into_iter().chain(cut).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::StepRecord;

    fn answer(chosen: &str, gold: &str, scores: [f64; 2]) -> AnswerRecord {
        let record = serde_json::json!({
            "model": "m", "adapter": null, "task": "emotion", "language": "ja", "item": 0,
            "gold": gold, "chosen": chosen, "correct": gold == chosen, "scoring": "prefix",
            "scores": {"negative": scores[0], "positive": scores[1]}, "labels": "same",
            "protocol": null, "few_shot": "head:0", "prompt_tokens": 9,
        });
        serde_json::from_value(record).expect("a record")
    }

    fn say(records: &[AnswerRecord]) -> Vec<String> {
        describe_answers(&[(Language::Ja, &AnswerCounts::of(records))])
    }

    #[test]
    fn ties_and_a_single_label_are_said() {
        let tied = [
            answer("positive", "positive", [0.0, 0.0]),
            answer("positive", "negative", [0.0, 0.0]),
        ];
        assert_eq!(
            say(&tied),
            [
                "exact ties in ja 2 of 2: all labels have equal scores and the first of them counts as the answer, so \
                 whether it is right is an artefact",
                "one label for every item in ja: each answer is `positive`, so the accuracy is the share of items with \
                 that label",
            ]
        );
    }

    #[test]
    fn what_is_as_it_should_be_is_not_said() {
        let fine = [
            answer("positive", "positive", [0.1, 0.2]),
            answer("negative", "positive", [0.2, 0.1]),
        ];
        assert!(say(&fine).is_empty());
        let all_gold = [
            answer("positive", "positive", [0.1, 0.2]),
            answer("positive", "positive", [0.1, 0.2]),
        ];
        assert!(say(&all_gold).is_empty(), "the only label is right");
        assert!(say(&fine[..1]).is_empty(), "one item has one label");
    }

    #[test]
    fn long_prompts_and_shown_questions_are_counted() {
        let mut marked = answer("positive", "positive", [0.1, 0.2]);
        marked.caveats = vec![Caveat::BeyondContext, Caveat::IsExemplar];
        let fine = answer("negative", "positive", [0.2, 0.1]);
        let said = say(&[marked, fine]);
        assert!(said[0].starts_with(
            "prompts longer than the model's context (max_position_embeddings) in ja 1 of 2:"
        ));
        assert!(said[1].starts_with("exemplars that are also asked in ja 1 of 2:"));
    }

    #[test]
    fn inputs_beyond_the_context_are_counted() {
        assert_eq!(
            describe_long("rows", [3, 8, 9, 12], 8).expect("two are"),
            "rows longer than the model's context (max_position_embeddings, 8): 2 of 4, the longest has 12 tokens; the \
             model was not made for such positions"
        );
        assert_eq!(describe_long("rows", [3, 8], 8), None);
        assert_eq!(describe_long("rows", [3, 8], 0), None, "not said");
    }

    #[test]
    fn a_training_that_trains_nothing_says_so() {
        let step = |learning_rate| {
            TrainRecord::Step(StepRecord {
                step: 1,
                epoch: 0.1,
                loss: 2.0,
                learning_rate,
                grad_norm: 1.0,
                tokens: 9,
                target_tokens: 3,
                seconds: 0.1,
            })
        };
        assert_eq!(describe_training(&[step(0.0), step(1e-4)], 0), [""; 0]);
        assert_eq!(describe_training(&[], 0), [""; 0]);
        assert!(
            describe_training(&[step(0.0)], 0)[0]
                .starts_with("nothing was trained: the learning rate was 0")
        );
        assert!(describe_training(&[], 3)[0].ends_with(": 3"));
    }
}
