//! Values of a recipe with rules of their own: tasks, languages, label sets, exemplars, folders.
//! Never here: in which section they are.

use std::path::{Path, PathBuf};

#[cfg(test)]
use proptest::{prelude::*, sample::subsequence};

use super::{
    keys::{KeyRule, Resolve, quote},
    page::Page,
    problem::{shorten, suggest, unknown_word},
    section::Section,
};
use crate::{
    few_shot::FewShot,
    language::Language,
    task::{LabelSet, Task},
};

/// The shipped tasks, the paper's three first.
pub(super) const SHIPPED_TASKS: &[&str] = &[
    "emotion",
    "snli",
    "paws",
    "xnli",
    "paws_x",
    "belebele",
    "xcopa",
    "xstorycloze",
    "global_mmlu",
    "sib200",
    "include",
    "mmlu_prox",
    "global_piqa",
    "global_piqa_parallel",
    "mubench_snli",
    "multiblimp",
];

const NOT_UTF8: &str = "the path to it is not UTF-8; rename the folder";

/// A folder, resolved.
pub(super) struct FolderPath;

impl KeyRule<PathBuf> for FolderPath {
    fn read(&self, section: &mut Section<'_>, key: &str) -> Option<PathBuf> {
        section.parse(key, |folder, resolve| match resolve(Path::new(folder)) {
            path if path.to_str().is_some() => Ok(path),
            _ => Err(NOT_UTF8.to_owned()),
        })
    }

    fn render(&self, page: &mut Page, key: &str, value: &PathBuf) {
        // A checked recipe's paths are UTF-8.
        page.text(key, value.display());
    }

    fn values(&self) -> String {
        "text: a folder".to_owned()
    }

    #[cfg(test)]
    fn any(&self) -> BoxedStrategy<PathBuf> {
        super::laws::any_text().prop_map(PathBuf::from).boxed()
    }
}

/// Tasks; the key is `tasks` in each section that has one.
pub(super) struct Tasks;

impl KeyRule<Vec<String>> for Tasks {
    fn read(&self, section: &mut Section<'_>, key: &str) -> Option<Vec<String>> {
        section.has(key).then(|| read_tasks(section))
    }

    fn render(&self, page: &mut Page, key: &str, value: &Vec<String>) {
        page.list(key, value);
    }

    fn values(&self) -> String {
        format!("list of {}, or paths of task files", quote(SHIPPED_TASKS))
    }

    #[cfg(test)]
    fn any(&self) -> BoxedStrategy<Vec<String>> {
        subsequence(SHIPPED_TASKS, 1..=3)
            .prop_map(|tasks| tasks.into_iter().map(str::to_owned).collect())
            .boxed()
    }
}

/// Languages; the key is `languages`.
pub(super) struct Languages;

impl KeyRule<Vec<Language>> for Languages {
    fn read(&self, section: &mut Section<'_>, _: &str) -> Option<Vec<Language>> {
        read_languages(section, false)
    }

    fn render(&self, page: &mut Page, key: &str, value: &Vec<Language>) {
        if value == Language::ALL {
            page.text(key, "all");
        } else {
            page.list(key, value);
        }
    }

    fn values(&self) -> String {
        "list of language codes, or `all`".to_owned()
    }

    #[cfg(test)]
    fn any(&self) -> BoxedStrategy<Vec<Language>> {
        subsequence(Language::ALL, 1..=20).boxed()
    }
}

/// Numbers of layers.
pub(super) struct Layers;

impl KeyRule<Vec<usize>> for Layers {
    fn read(&self, section: &mut Section<'_>, key: &str) -> Option<Vec<usize>> {
        let layers = section.wholes(key)?;
        Some(layers.into_iter().map(|layer| layer as usize).collect())
    }

    fn render(&self, page: &mut Page, key: &str, value: &Vec<usize>) {
        page.plain(key, format!("{value:?}"));
    }

    fn values(&self) -> String {
        "list of whole numbers from 0".to_owned()
    }

    #[cfg(test)]
    fn any(&self) -> BoxedStrategy<Vec<usize>> {
        subsequence(vec![0, 1, 12, 99], 1..=4).boxed()
    }
}

/// One set of exemplars as a text, several as a list.
pub(super) struct FewShots;

impl KeyRule<Vec<FewShot>> for FewShots {
    fn read(&self, section: &mut Section<'_>, key: &str) -> Option<Vec<FewShot>> {
        section.parse_all(key, read_few_shot)
    }

    fn render(&self, page: &mut Page, key: &str, value: &Vec<FewShot>) {
        match value.as_slice() {
            [one] => page.text(key, one),
            several => page.list(key, several),
        }
    }

    fn values(&self) -> String {
        "text, or a list of them: [exemplars](tasks.md#exemplars)".to_owned()
    }

    #[cfg(test)]
    fn any(&self) -> BoxedStrategy<Vec<FewShot>> {
        let texts = [
            "head:0",
            "head:8",
            "file:a'b",
            "builtin",
            "seed:7:4",
            "seed:1:2:train+order:9",
        ];
        subsequence(texts.to_vec(), 1..=texts.len())
            .prop_map(|texts| {
                let sets = texts
                    .into_iter()
                    .map(|text| text.parse().expect("a source"));
                sets.collect()
            })
            .boxed()
    }
}

/// Shipped names and paths of task files. Two files of one name would write the same records.
pub(super) fn read_tasks(section: &mut Section<'_>) -> Vec<String> {
    let origin = section.origin("tasks");
    let tasks = section.words_at("tasks", read_task).unwrap_or_default();
    let names: Vec<&str> = tasks.iter().map(|task| Task::name_of(task)).collect();
    if let Some((at, name)) = names
        .iter()
        .enumerate()
        .find(|(at, name)| names[..*at].contains(name))
    {
        let message = format!(
            "`{}` and another are both called `{name}`; rename a file",
            shorten(&tasks[at])
        );
        section.report("tasks", &message, origin);
    }
    tasks
}

pub(super) fn read_task(task: &str, resolve: Resolve<'_>) -> Result<String, String> {
    if !is_file(task) {
        return if SHIPPED_TASKS.contains(&task) {
            Ok(task.to_owned())
        } else {
            Err(unknown_word(task, SHIPPED_TASKS))
        };
    }
    let path = resolve(Path::new(task)).into_os_string().into_string();
    path.map_err(|_| NOT_UTF8.to_owned())
}

pub(super) fn is_file(task: &str) -> bool {
    task.ends_with(".toml")
}

/// Reads the name of a label set, as a recipe and the command line have it: one that is nearly
/// one of those that every task may have is taken for a slip, any other for a set of the task's
/// own.
///
/// # Errors
/// A slip, with what was meant; a text that cannot be a name.
pub fn read_labels(labels: &str) -> Result<LabelSet, String> {
    let is_slip = !LabelSet::WORDS.contains(&labels)
        && suggest(labels, LabelSet::WORDS.iter().copied()).is_some();
    match labels.parse() {
        Ok(set) if !is_slip => Ok(set),
        _ => Err(unknown_word(labels, LabelSet::WORDS)),
    }
}

/// `has_file`: a task's own file may add languages; whether it does is seen when it is read.
pub(super) fn read_languages(eval: &mut Section<'_>, has_file: bool) -> Option<Vec<Language>> {
    let origin = eval.origin("languages");
    let lists = eval.words("languages", |word| match word {
        "all" => Ok(Language::ALL.to_vec()),
        code => match read_language(code) {
            Err(message) if has_file => Language::of_record(code)
                .map(|language| vec![language])
                .map_err(|_| message),
            read => read.map(|language| vec![language]),
        },
    })?;
    if lists.len() > 1 && lists.iter().any(|list| list.len() > 1) {
        return eval.refuse(
            "languages",
            "`all` and others are in one list; write `languages = \"all\"` alone",
            origin,
        );
    }
    Some(lists.concat())
}

/// A code; for a suggestion the English name will do.
fn read_language(code: &str) -> Result<Language, String> {
    code.parse().map_err(|error| {
        let known = Language::known();
        let named = known
            .iter()
            .find(|language| language.name().eq_ignore_ascii_case(code));
        let meant = named.map(|language| language.code());
        match meant.or_else(|| suggest(code, known.iter().map(|language| language.code()))) {
            Some(meant) => format!(
                "unknown language `{}`; did you mean `{meant}`?",
                shorten(code)
            ),
            None => format!("{error}"),
        }
    })
}

fn read_few_shot(text: &str, resolve: Resolve<'_>) -> Result<FewShot, String> {
    let few_shot = match text.parse()? {
        FewShot::File(path) => FewShot::File(resolve(&path)),
        FewShot::Varied(source, variation) => match *source {
            FewShot::File(path) => {
                FewShot::Varied(Box::new(FewShot::File(resolve(&path))), variation)
            }
            other => FewShot::Varied(Box::new(other), variation),
        },
        other => other,
    };
    match few_shot.source() {
        FewShot::File(path) if path.to_str().is_none() => Err(NOT_UTF8.to_owned()),
        _ => Ok(few_shot),
    }
}
