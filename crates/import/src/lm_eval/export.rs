//! A task as lm-eval reads it: one YAML and one JSON Lines file a language, and the group of
//! them all. Never here: templates in the YAML; the prompts are rendered, so that both programs
//! ask the same text.

use std::path::{Path, PathBuf};

use data::DataError;
use schema::{Asking, Language, disk::DiskError, write_json_lines, write_whole};

use super::{Doc, name_task};

/// The first line of every YAML file begins so.
const MARK: &str = "# Written by `lingualign data lm-eval`";

/// The questions of one language.
pub type Questions = (Language, Vec<Doc>);

/// Writes `<group>_<language>.yaml` and `.jsonl` for each language, and `<group>.yaml`, into
/// `out`. Returns the files, the group's last.
///
/// The YAML names its data by an absolute path, because lm-eval takes a relative one from the
/// folder it is started in.
///
/// # Errors
/// A group's name that no file can have; a file that cannot be written.
pub fn write(
    out: &Path,
    group: &str,
    asking: &Asking,
    questions: &[Questions],
) -> Result<Vec<PathBuf>, DataError> {
    check_name(group)?;
    let out = std::path::absolute(out).map_err(DiskError::at("find", out))?;
    let mut files = Vec::new();
    for (language, docs) in questions {
        let name = name_task(group, *language);
        let rows = out.join(format!("{name}.jsonl"));
        write_json_lines(&rows, &docs.iter().map(Doc::to_json).collect::<Vec<_>>())?;
        let task = out.join(format!("{name}.yaml"));
        write_whole(&task, render_task(&name, &rows, asking)?.as_bytes())?;
        files.extend([rows, task]);
    }
    let names = questions
        .iter()
        .map(|(language, _)| name_task(group, *language));
    let whole = out.join(format!("{group}.yaml"));
    write_whole(&whole, render_group(group, names).as_bytes())?;
    files.push(whole);
    Ok(files)
}

/// The files that [`write()`] writes into `out`.
pub fn files(out: &Path, group: &str, languages: &[Language]) -> Vec<PathBuf> {
    let of_language = languages.iter().flat_map(|language| {
        let name = name_task(group, *language);
        [format!("{name}.jsonl"), format!("{name}.yaml")]
    });
    of_language
        .chain([format!("{group}.yaml")])
        .map(|name| out.join(name))
        .collect()
}

/// Whether a file was written here: the YAML says so, for its data too.
pub fn is_ours(file: &Path) -> bool {
    std::fs::read_to_string(file.with_extension("yaml")).is_ok_and(|text| text.starts_with(MARK))
}

/// A name that lm-eval takes on its command line, where commas and wildcards mean something.
fn check_name(group: &str) -> Result<(), DataError> {
    let fits = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    if !group.is_empty() && group.chars().all(fits) && !group.starts_with('.') {
        return Ok(());
    }
    let problem = "is not a name for lm-eval's files; use letters, digits, `-` and `_`".to_owned();
    Err(DataError::unusable(format!("task name `{group}`"), problem))
}

/// The settings of a task's YAML, in that order, without the path of its data.
pub(super) fn settings() -> [(&'static str, &'static str); 8] {
    [
        ("dataset_path", "json"),
        ("test_split", "test"),
        ("output_type", "multiple_choice"),
        ("doc_to_text", "{{prompt}}"),
        ("doc_to_choice", "{{choices}}"),
        ("doc_to_target", "gold"),
        ("target_delimiter", ""),
        ("num_fewshot", "0"),
    ]
}

fn render_task(name: &str, rows: &Path, asking: &Asking) -> Result<String, DataError> {
    let Some(rows) = rows.to_str() else {
        let problem = "is not UTF-8, which a YAML file must be; choose another folder".to_owned();
        return Err(DataError::unusable(
            format!("path {}", rows.display()),
            problem,
        ));
    };
    let mut text = format!(
        "{MARK}; the prompts are in the data, exemplars included.\ntask: {}\n",
        quote(name)
    );
    for (key, value) in settings() {
        let value = if key == "num_fewshot" {
            value.to_owned()
        } else {
            quote(value)
        };
        text += &format!("{key}: {value}\n");
        if key == "dataset_path" {
            text += &format!(
                "dataset_kwargs:\n  data_files:\n    test: {}\n",
                quote(rows)
            );
        }
    }
    text += "metric_list:\n  - metric: acc\n    aggregation: mean\n    higher_is_better: true\nmetadata:\n  version: 1.0\n";
    let protocol = asking
        .protocol
        .map_or("none".to_owned(), |protocol| protocol.to_string());
    let facts = [
        ("labels", asking.labels.to_string()),
        ("few_shot", asking.few_shot.to_string()),
        ("protocol", protocol),
    ];
    text.extend(facts.map(|(key, value)| format!("  {key}: {}\n", quote(&value))));
    Ok(text)
}

fn render_group(group: &str, tasks: impl Iterator<Item = String>) -> String {
    let list: String = tasks
        .map(|task| format!("  - {}\n", quote(&task)))
        .collect();
    format!(
        "# Written by `lingualign data lm-eval`.\ngroup: {}\ntask:\n{list}aggregate_metric_list:\n  - metric: acc\n    \
         aggregation: mean\n    weight_by_size: true\nmetadata:\n  version: 1.0\n",
        quote(group)
    )
}

/// A text as a scalar of YAML, in which a string of JSON is one.
fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
