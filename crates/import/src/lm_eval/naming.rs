//! Names in lm-eval's folders. Never here: paths beyond a file's name.

use schema::Language;

/// The name of a task in one language.
pub fn name_task(group: &str, language: Language) -> String {
    format!("{group}_{language}")
}

/// A model's name as the name of its folder: as lm-eval makes it, and never one that means
/// another folder.
pub fn sanitize_model(name: &str) -> String {
    let mut clean = String::with_capacity(name.len());
    let mut in_run = false;
    for character in name.chars() {
        let is_odd = "\"<>:/|\\?*[]".contains(character);
        match (is_odd, in_run) {
            (true, false) => clean.push_str("__"),
            (true, true) => {}
            (false, _) => clean.push(character),
        }
        in_run = is_odd;
    }
    if clean.chars().all(|c| c == '.') {
        format!("__{clean}")
    } else {
        clean
    }
}

/// Takes the language off the end of a task's name, whichever spelling it has: `xnli_de`,
/// `belebele_deu_Latn`. The longest ending that is a language is one.
pub(super) fn split_language(task: &str) -> Option<(&str, Language)> {
    let cuts = task
        .match_indices('_')
        .map(|(at, _)| at)
        .filter(|&at| at > 0);
    cuts.filter_map(|at| Some((&task[..at], task[at + 1..].parse().ok()?)))
        .next()
}

/// The parts of `samples_<task>_<date>.jsonl`: task and date.
pub(super) fn split_samples(file_name: &str) -> Option<(&str, &str)> {
    let rest = file_name.strip_prefix("samples_")?.strip_suffix(".jsonl")?;
    rest.rsplit_once('_').filter(|(task, _)| !task.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_named_as_lm_eval_names_them() {
        let names = [
            "org/name",
            "./a//b:c",
            "smollm2-135m-instruct",
            "..",
            "C:\\m[1]",
        ];
        assert_eq!(
            names.map(sanitize_model),
            [
                "org__name",
                ".__a__b__c",
                "smollm2-135m-instruct",
                "__..",
                "C__m__1__"
            ]
        );
    }

    #[test]
    fn the_longest_ending_that_is_a_language_is_one() {
        let found = |name| split_language(name).map(|(task, language)| (task, language.code()));
        assert_eq!(found("snli_de"), Some(("snli", "de")));
        assert_eq!(found("belebele_zho_Hans"), Some(("belebele", "zh")));
        assert_eq!(found("paws_x_ja"), Some(("paws_x", "ja")));
        assert_eq!(
            (found("arc_easy"), found("_de"), found("de")),
            (None, None, None)
        );
        assert_eq!(
            split_samples("samples_a_b_2026-01-02T03-04-05.6.jsonl"),
            Some(("a_b", "2026-01-02T03-04-05.6"))
        );
        assert_eq!(
            (
                split_samples("samples_x.jsonl"),
                split_samples("a_b_c.jsonl")
            ),
            (None, None)
        );
    }
}
