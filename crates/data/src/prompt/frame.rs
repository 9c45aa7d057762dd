//! What all prompts of a file put around the fields of their questions. Never here: making
//! prompts.

use schema::{Asking, Language, Task, questions::fill};

use super::{Rendered, conversation::bare};
use crate::{DataError, tasks, testset::Item};

/// The texts between which the fields of `items` make the prompts of `rendered`, one more than
/// there are fields; empty if no prompt is found to be made so. A prompt may still differ, as
/// where a chat trims the spaces of a field.
///
/// # Errors
/// The task lacks the language.
pub fn find_frame(
    task: &Task,
    asking: &Asking,
    rendered: &Rendered,
    items: &[Item],
) -> Result<Vec<String>, DataError> {
    let language = match asking.few_shot.variation().english_headers {
        true => Language::En,
        false => rendered.language,
    };
    let headers = &tasks::row(task, language)?.headers;
    let plain = match task.quotes {
        true => headers.clone(),
        false => without_last_space(headers),
    };
    let shapes = [plain, without_ends(headers)];
    let item_of = |index| items.iter().find(|item| item.index == index);
    for prompt in &rendered.prompts {
        let Some(item) = item_of(prompt.item) else {
            continue;
        };
        for shape in &shapes {
            let question = fill(shape, &item.fields);
            if let Some(start) = prompt.text.rfind(&question) {
                let (before, rest) = prompt.text.split_at(start);
                return Ok(surround(shape, before, &rest[question.len()..]));
            }
        }
    }
    Ok(Vec::new())
}

/// Headers where the last white space goes to the answer.
fn without_last_space(headers: &[String]) -> Vec<String> {
    let mut shape = headers.to_vec();
    if let Some(last) = shape.last_mut() {
        last.truncate(last.trim_end().len());
    }
    shape
}

/// Headers as a turn of a chat has them.
fn without_ends(headers: &[String]) -> Vec<String> {
    let mut shape = headers.to_vec();
    if let Some(first) = shape.first_mut() {
        *first = first.trim_start().to_owned();
    }
    if let Some(last) = shape.last_mut() {
        // A question is trimmed as a whole, so what begins its last header stays.
        let inner = last.len() - last.trim_start().len();
        *last = format!("{}{}", &last[..inner], bare(last));
    }
    shape
}

fn surround(shape: &[String], before: &str, after: &str) -> Vec<String> {
    let mut frame = shape.to_vec();
    if let Some(first) = frame.first_mut() {
        first.insert_str(0, before);
    }
    if let Some(last) = frame.last_mut() {
        last.push_str(after);
    }
    frame
}
