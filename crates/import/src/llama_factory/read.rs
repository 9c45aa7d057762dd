//! Folders with a `dataset_info.json`, as LLaMA-Factory reads them and `data build` writes
//! them: alpaca, sharegpt and openai forms, of which each row becomes a translation pair. Names
//! and defaults as in its `data/README.md`.

use std::{
    collections::BTreeMap,
    fs,
    path::{Component, Path, PathBuf},
};

use data::{
    DataError, items,
    table::{TableFormat, TableLayout},
};
use schema::disk::DiskError;
use serde::Deserialize;
use serde_json::Value;

use super::DATASET_INFO;
use crate::{convert::Conversation, refuse};

/// One data set of a folder.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedDataset {
    /// Its name in the list.
    pub name: String,
    /// Its files, by name.
    pub files: Vec<(PathBuf, TableLayout)>,
    /// Where a row has its prompt and response.
    pub conversation: Conversation,
    /// What of the entry is not followed, and what to do about it.
    pub notes: Vec<String>,
}

#[derive(Deserialize)]
struct DatasetEntry {
    file_name: Option<String>,
    #[serde(default)]
    formatting: Option<String>,
    #[serde(default)]
    columns: Option<BTreeMap<String, String>>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    #[serde(default)]
    ranking: bool,
    num_samples: Option<usize>,
    split: Option<String>,
}

/// Reads the entry `name` of `folder`'s list; the only one if no name is given.
///
/// # Errors
/// There is no list, or it is broken; no such entry, or several and no name; an entry that has
/// no local file, or that is not supervised data; a file that is missing or of an unknown
/// format.
pub fn read(folder: &Path, name: Option<&str>) -> Result<ListedDataset, DataError> {
    let path = folder.join(DATASET_INFO);
    let text = items::read_text(&path)?;
    let mut list: BTreeMap<String, Value> =
        serde_json::from_str(&text).map_err(|e| items::broken(&path, &e))?;
    let names: Vec<String> = list.keys().cloned().collect();
    let name = match name {
        Some(name) => name.to_owned(),
        None if names.len() == 1 => names[0].clone(),
        None => {
            return Err(refuse(
                &path.display().to_string(),
                format!("lists several data sets; name one of: {}", names.join(", ")),
            ));
        }
    };
    let what = format!("{} `{name}`", path.display());
    let Some(value) = list.remove(&name) else {
        return Err(DataError::unknown("data set", name, names.join(", ")));
    };
    let is_elsewhere = value
        .get("hf_hub_url")
        .or_else(|| value.get("ms_hub_url"))
        .or_else(|| value.get("script_url"))
        .is_some();
    let entry: DatasetEntry = serde_json::from_value(value)
        .map_err(|e| refuse(&what, format!("is not an entry: {e}")))?;
    if entry.ranking {
        return Err(refuse(
            &what,
            "is preference data (`ranking`); a pair has one response",
        ));
    }
    let Some(file_name) = &entry.file_name else {
        let advice = if is_elsewhere {
            "it is on a hub; import it from there"
        } else {
            "add it"
        };
        return Err(refuse(&what, format!("has no `file_name`: {advice}")));
    };
    check_below(file_name, &what)?;
    let files = find_files(&folder.join(file_name), &what)?;
    let conversation = read_form(&entry, &what)?;
    Ok(ListedDataset {
        name,
        files,
        conversation,
        notes: describe_rest(&entry),
    })
}

fn describe_rest(entry: &DatasetEntry) -> Vec<String> {
    let samples = entry.num_samples.map(|count| {
        format!("`num_samples` = {count} is not applied: all rows are taken; say how many to take, and with which seed")
    });
    let split = entry.split.as_ref().filter(|split| *split != "train");
    let split = split
        .map(|split| format!("`split` = `{split}` is not applied: a local file has no splits"));
    samples.into_iter().chain(split).collect()
}

/// A list may come from anywhere: no file in it is outside of its folder.
fn check_below(file_name: &str, what: &str) -> Result<(), DataError> {
    let mut parts = Path::new(file_name).components();
    if !file_name.is_empty()
        && parts.all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
    {
        return Ok(());
    }
    let problem = format!(
        "`file_name` is {file_name:?}, which is no path below the folder; copy the file there"
    );
    Err(refuse(what, problem))
}

fn find_files(path: &Path, what: &str) -> Result<Vec<(PathBuf, TableLayout)>, DataError> {
    let mut paths = vec![path.to_owned()];
    if path.is_dir() {
        paths.clear();
        for entry in fs::read_dir(path).map_err(DiskError::at("list", path))? {
            paths.push(entry.map_err(DiskError::at("list", path))?.path());
        }
        paths.sort();
    }
    let mut files = Vec::new();
    for path in paths {
        let format = TableFormat::of(&path).ok_or_else(|| {
            refuse(
                what,
                format!(
                    "{} has none of the extensions {}",
                    path.display(),
                    TableFormat::WORDS.join(", ")
                ),
            )
        })?;
        if !path.is_file() {
            return Err(refuse(what, format!("there is no file {}", path.display())));
        }
        let is_lines = format == TableFormat::Json && begins_with_object(&path)?;
        files.push((
            path,
            TableLayout::usual(if is_lines {
                TableFormat::JsonLines
            } else {
                format
            }),
        ));
    }
    Ok(files)
}

/// LLaMA-Factory reads a `.json` file of one object a line too.
fn begins_with_object(path: &Path) -> Result<bool, DataError> {
    use std::io::{BufRead, BufReader};
    let mut reader = BufReader::new(fs::File::open(path).map_err(DiskError::at("read", path))?);
    let begin = reader.fill_buf().map_err(DiskError::at("read", path))?;
    Ok(begin.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{'))
}

fn read_form(entry: &DatasetEntry, what: &str) -> Result<Conversation, DataError> {
    match entry.formatting.as_deref().unwrap_or("alpaca") {
        "alpaca" => Ok(Conversation::Alpaca {
            prompt: entry.needed_column("prompt", "instruction", what)?,
            query: entry.column("query", Some("input")),
            response: entry.needed_column("response", "output", what)?,
            history: entry.column("history", None),
            system: entry.column("system", None),
        }),
        "sharegpt" => entry.messages("conversations", ["from", "value", "human", "gpt"], what),
        "openai" => entry.messages("messages", ["role", "content", "user", "assistant"], what),
        other => Err(refuse(
            what,
            format!("`formatting` is `{other}`; alpaca, sharegpt and openai are read"),
        )),
    }
}

impl DatasetEntry {
    /// Where `columns` is given, a column that it leaves out is not read; where it is missing,
    /// the usual names hold.
    fn column(&self, key: &str, usual: Option<&str>) -> Option<String> {
        match &self.columns {
            Some(columns) => columns.get(key).cloned(),
            None => usual.map(str::to_owned),
        }
    }

    fn needed_column(&self, key: &str, usual: &str, what: &str) -> Result<String, DataError> {
        self.column(key, Some(usual))
            .ok_or_else(|| refuse(what, format!("`columns` has no `{key}`; add it")))
    }

    fn tag(&self, key: &str, usual: &str) -> String {
        self.tags.get(key).map_or(usual, String::as_str).to_owned()
    }

    /// A list of messages; `usual` are the form's own tags for role, content, user and assistant.
    fn messages(
        &self,
        usual_column: &str,
        usual: [&str; 4],
        what: &str,
    ) -> Result<Conversation, DataError> {
        let [role, content, user, assistant] = usual;
        Ok(Conversation::Messages {
            messages: self.needed_column("messages", usual_column, what)?,
            role: self.tag("role_tag", role),
            content: self.tag("content_tag", content),
            user: self.tag("user_tag", user),
            assistant: self.tag("assistant_tag", assistant),
            system_role: self.tag("system_tag", "system"),
            system: self.column("system", None),
        })
    }
}
