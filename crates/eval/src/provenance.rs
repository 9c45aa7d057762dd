//! What the answers of a language were made from, as hashes. Never here: what computes them
//! (`schema::record::Answerer` comes from the program).

use std::path::Path;

use data::{prompt::Rendered, testset};
use schema::{Language, Protocol, Task};

use crate::{error::EvalError, questions::EncodedQuestions, request::Ask};

/// Changes when a rule of `scorers`, `measure` or of the label tokens changes.
const RULES: &str = "1";

/// Hashes of what is asked in one language.
pub(crate) struct Hashes {
    pub(crate) data: String,
    pub(crate) prompts: String,
    pub(crate) scorer: String,
}

impl Hashes {
    pub(crate) fn new(
        ask: &Ask<'_>,
        language: Language,
        rendered: &Rendered,
        questions: &EncodedQuestions,
    ) -> Result<Self, EvalError> {
        let files = hash_data(ask.dir, ask.task, language, ask.asking.protocol)?;
        let mut scorer: Vec<Vec<u8>> = vec![RULES.into()];
        let own = rendered.prompts.iter().flat_map(|prompt| &prompt.choices);
        scorer.extend(
            ask.task
                .labels
                .iter()
                .chain(&rendered.words)
                .chain(own)
                .map(|word| word.clone().into_bytes()),
        );
        if rendered.answer.is_chat {
            let frame = [&rendered.answer.before, &rendered.answer.after];
            scorer.extend(frame.map(|part| part.clone().into_bytes()));
        }
        if questions
            .questions
            .iter()
            .any(|question| !question.bytes.is_empty())
        {
            scorer.push("lengths of the texts".into());
        }
        if rendered.answer.begins_text {
            scorer.push("no prompt".into());
        }
        scorer.extend(questions.label_sets.iter().map(|ids| id_bytes(ids)));
        scorer.extend(
            questions
                .domains
                .iter()
                .flat_map(|domain| &domain.continuations)
                .map(|ids| id_bytes(ids)),
        );
        Ok(Self {
            data: hash(&files),
            prompts: hash_prompts(rendered),
            scorer: hash(&scorer),
        })
    }
}

/// The hashes of the files in `dir` that the questions of a language are read from.
pub fn hash_data(
    dir: &Path,
    task: &Task,
    language: Language,
    protocol: Option<Protocol>,
) -> Result<Vec<String>, EvalError> {
    let mut files = vec![hub::hash_file(&testset::find(dir, task, language)?)?];
    if protocol == Some(Protocol::Corrected) {
        // An exchange of labels is seen beside the English file.
        let english = testset::find(dir, task, Language::En);
        files.push(english.map_or(Ok("no English file".to_owned()), |path| {
            hub::hash_file(&path)
        })?);
    }
    Ok(files)
}

/// The hash of [`schema::Provenance::prompts_sha256`].
pub fn hash_prompts(rendered: &Rendered) -> String {
    let mut texts = rendered.texts();
    texts.extend(rendered.content_free.iter().map(String::as_str));
    hash(&texts)
}

/// SHA-256 of a list of parts, each with its length, so that no two lists run together.
fn hash<P: AsRef<[u8]>>(parts: &[P]) -> String {
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend((part.as_ref().len() as u64).to_le_bytes());
        bytes.extend(part.as_ref());
    }
    hub::hash_bytes(&bytes)
}

fn id_bytes(ids: &[u32]) -> Vec<u8> {
    ids.iter().flat_map(|id| id.to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_together() {
        assert_ne!(hash(&["ab", "c"]), hash(&["a", "bc"]));
        assert_ne!(hash(&["ab"]), hash(&["ab", ""]));
        assert_eq!(hash(&["ab", "c"]).len(), 64);
    }
}
