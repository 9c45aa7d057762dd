//! One line of a file of samples: the answers with their log-probabilities, and which is right.

use std::path::Path;

use data::DataError;
use schema::{
    LabelSet, Language, Protocol, Scoring,
    scores::{Measures, Priors, score},
};
use serde::Deserialize;
use serde_json::{Map, Value};

/// A sample.
pub(super) struct LoggedSample {
    /// In its file, from 1.
    pub(super) number: usize,
    pub(super) doc_id: usize,
    pub(super) doc: Map<String, Value>,
    /// The row, where `lingualign data lm-eval` wrote it.
    pub(super) own: Option<OwnDoc>,
    pub(super) filter: Option<String>,
    /// What was scored after the prompt.
    pub(super) choices: Vec<String>,
    /// ln p of each, nats.
    pub(super) log_probs: Vec<f64>,
    target: Value,
    accuracy: Option<f64>,
}

/// What a row of ours says beyond its text; see [`super::super::Doc`].
#[derive(Deserialize)]
pub(super) struct OwnDoc {
    pub(super) item: usize,
    pub(super) group: Option<u64>,
    pub(super) language: Language,
    pub(super) task: String,
    pub(super) label_set: LabelSet,
    pub(super) few_shot: String,
    pub(super) protocol: Option<Protocol>,
    pub(super) labels: Vec<String>,
    pub(super) label: String,
    gold: i64,
}

/// The right answer.
pub(super) struct RightAnswer {
    pub(super) name: String,
    /// Whether an answer can be right at all.
    pub(super) counts: bool,
}

/// A line as lm-eval writes it; what is not needed is passed over.
#[derive(Deserialize)]
struct RawSample {
    doc_id: usize,
    doc: Map<String, Value>,
    target: Value,
    arguments: Value,
    resps: Vec<Value>,
    filter: Option<String>,
    acc: Option<f64>,
    acc_mutual_info: Option<Value>,
}

impl LoggedSample {
    /// Reads line `number`.
    pub(super) fn parse(path: &Path, number: usize, text: &str) -> Result<Self, DataError> {
        let raw: RawSample = serde_json::from_str(text).map_err(|error| {
            let column = error.column();
            let said = error.to_string();
            let said = said.split(" at line ").next().unwrap_or_default();
            let problem = format!(
                "not a sample of lm-eval: {said} (column {column}); give a file that it wrote, or evaluate again"
            );
            DataError::syntax(path, number, problem)
        })?;
        Self::from_raw(number, raw).map_err(|problem| DataError::syntax(path, number, problem))
    }

    fn from_raw(number: usize, raw: RawSample) -> Result<Self, String> {
        let mut choices = choices(&raw.arguments)?;
        let mut log_probs = raw
            .resps
            .iter()
            .map(log_prob)
            .collect::<Result<Vec<_>, _>>()?;
        if choices.len() != log_probs.len() {
            return Err(format!(
                "`arguments` has {} answers, `resps` {}",
                choices.len(),
                log_probs.len()
            ));
        }
        if raw.acc_mutual_info.is_some() {
            // The second half are the answers without a prompt.
            choices.truncate(choices.len() / 2);
            log_probs.truncate(choices.len());
        }
        if choices.len() < 2 {
            let count = choices.len();
            return Err(format!(
                "{count} answer; only tasks in which one of several is chosen can be compared"
            ));
        }
        if log_probs.iter().all(|log| *log == f64::NEG_INFINITY) {
            return Err("no answer has a probability above 0".to_owned());
        }
        let own = match raw.doc.contains_key("label_set") {
            true => Some(
                OwnDoc::deserialize(Value::from(raw.doc.clone()))
                    .map_err(|e| format!("`doc`: {e}"))?,
            ),
            false => None,
        };
        Ok(Self {
            number,
            doc_id: raw.doc_id,
            doc: raw.doc,
            own,
            filter: raw.filter,
            choices,
            log_probs,
            target: raw.target,
            accuracy: raw.acc,
        })
    }

    /// An error at this line.
    pub(super) fn refuse(&self, path: &Path, problem: String) -> DataError {
        DataError::syntax(path, self.number, problem)
    }

    /// The number of the item where the row gives one.
    pub(super) fn item(&self) -> Option<usize> {
        self.doc
            .get("item")
            .and_then(|item| usize::try_from(item.as_u64()?).ok())
    }

    /// The words that were scored, without quotes and spaces.
    pub(super) fn words(&self) -> Vec<&str> {
        let bare = self.choices.iter().map(|choice| choice.trim());
        bare.map(|word| word.strip_suffix('"').unwrap_or(word))
            .collect()
    }

    /// Scores as in our records: shares of the probabilities, or what the logarithms are of.
    pub(super) fn scores(&self, scoring: Scoring) -> Result<Vec<f64>, String> {
        let scores = match scoring {
            Scoring::Sequence => {
                let measures = Measures {
                    log_probs: self.log_probs.clone(),
                    ..Measures::default()
                };
                score(scoring, &measures, &Priors::default(), &[])
            }
            _ => self.log_probs.iter().map(|log| log.exp()).collect(),
        };
        match scores.iter().all(|score| score.is_finite()) {
            true => Ok(scores),
            false => Err("`resps` are no log-probabilities".to_owned()),
        }
    }

    /// The right answer among `names`.
    pub(super) fn right(&self, names: &[String]) -> Result<RightAnswer, String> {
        if let Some(own) = &self.own {
            let found = usize::try_from(own.gold).ok();
            let fits = names.contains(&own.label)
                && found.is_none_or(|gold| names.get(gold) == Some(&own.label));
            return match fits {
                true => Ok(RightAnswer {
                    name: own.label.clone(),
                    counts: found.is_some(),
                }),
                false => Err(format!(
                    "`doc`: `gold` {} and `label` `{}` are not the same label",
                    own.gold, own.label
                )),
            };
        }
        let text = self
            .target
            .as_str()
            .map_or_else(|| self.target.to_string(), |text| text.trim().to_owned());
        let at = text
            .parse()
            .ok()
            .or_else(|| self.words().iter().position(|word| *word == text));
        match at.and_then(|at: usize| names.get(at)) {
            Some(name) => Ok(RightAnswer {
                name: name.clone(),
                counts: true,
            }),
            None => Err(format!(
                "`target` `{text}` is none of the {} answers; only tasks with one right answer can be compared",
                names.len()
            )),
        }
    }

    /// Fails if lm-eval counts the answer otherwise.
    pub(super) fn check_accuracy(
        &self,
        correct: bool,
        chosen: &str,
        gold: &str,
    ) -> Result<(), String> {
        match self.accuracy {
            Some(said) if (said == 1.0) != correct => Err(format!(
                "`acc` is {said}, but the likeliest answer is `{chosen}` and the right one `{gold}`"
            )),
            _ => Ok(()),
        }
    }
}

const GENERATED: &str = "generated text and no log-probabilities (a generation task); only multiple-choice tasks can be \
                         compared";

/// What was scored: `{"gen_args_0": {"arg_0": prompt, "arg_1": answer}}`, or a list of such
/// pairs in older files.
fn choices(arguments: &Value) -> Result<Vec<String>, String> {
    let answers: Vec<Option<&Value>> = match arguments {
        Value::Object(pairs) => (0..pairs.len())
            .map(|at| pairs.get(&format!("gen_args_{at}"))?.get("arg_1"))
            .collect(),
        Value::Array(pairs) => pairs.iter().map(|pair| pair.get(1)).collect(),
        _ => return Err("`arguments` is neither an object nor a list".to_owned()),
    };
    let mut texts = Vec::with_capacity(answers.len());
    for (at, answer) in answers.into_iter().enumerate() {
        match answer {
            Some(Value::String(text)) => texts.push(text.clone()),
            Some(Value::Object(_)) => return Err(format!("`arguments` are of {GENERATED}")),
            _ => return Err(format!("`arguments` lacks the text of answer {at}")),
        }
    }
    Ok(texts)
}

/// ln p of `[[ln p, is_greedy]]`: of the first of several repeats.
fn log_prob(response: &Value) -> Result<f64, String> {
    let first = response.get(0).ok_or("`resps` holds an empty response")?;
    let number = match first.get(0) {
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(value) => value.as_f64(),
        None => return Err(format!("`resps` holds {GENERATED}")),
    };
    match number {
        Some(log) if log < f64::INFINITY => Ok(log),
        _ => Err(format!(
            "`resps` holds {first} instead of ln p and whether it is greedy"
        )),
    }
}
