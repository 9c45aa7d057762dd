//! The page of the questions: every question with its answers before and after, `questions.html`,
//! and beside it the data, in files that the page loads when they are looked at.
//!
//! A page that is opened as a file may load scripts and nothing else, so each file of data calls
//! the page's one function with its name and its value. Never here: a number that is not in a
//! record.

mod chunk;
mod columns;
pub(crate) mod links;
mod texts;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use compare::{AdapterName, AskedWay, CompareError, RunRecords, read_question_texts};
use schema::{Language, disk::DiskError, run_folder::RunFolder, write_whole};
use serde::Serialize;
use serde_json::Value;

use crate::{
    error::ReportError,
    page::{Downloads, render},
    questions::{
        chunk::write_chunk,
        columns::{ItemList, MOST_LABELS, join_items, list_answers, list_golds, list_scores},
        texts::gather_texts,
    },
};

/// The folder of the data, beside the page.
const FOLDER: &str = "questions";

/// What the template names.
#[derive(Serialize)]
struct QuestionsPage<'a> {
    title: &'a str,
    questions_css: &'static str,
}

/// What the page knows before anything is chosen.
#[derive(Serialize)]
struct PageIndex<'a> {
    /// The languages of which there are texts, by task; `None` where the recipe leaves texts out.
    texts: Option<BTreeMap<&'a str, Vec<Language>>>,
    languages: BTreeMap<&'a str, &'a str>,
    ways: Vec<IndexedWay<'a>>,
}

/// One way to ask.
#[derive(Serialize)]
struct IndexedWay<'a> {
    id: String,
    task: &'a str,
    title: String,
    labels: &'a [String],
    /// Names, and what they are called.
    models: Vec<(&'a str, String)>,
    /// In each language the items that any model was asked.
    items: Vec<(Language, ItemList)>,
}

/// Writes `questions.html` and the folder `questions/` to `out`; takes away what an earlier report
/// had there and this one has not.
///
/// # Errors
/// Broken texts; a folder that cannot be written; [`CompareError::Stopped`].
pub(crate) fn write_page(
    run: &RunFolder,
    records: &RunRecords,
    (title, out): (&str, &Path),
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<(), ReportError> {
    let ways = records.ways();
    let ids = name_ways(&ways);
    let mut written = Written::new(out);
    let items: Vec<_> = ways.iter().map(join_items).collect();
    for ((way, id), items) in ways.iter().zip(&ids).zip(&items) {
        write_way(&mut written, (way, id), items, stop)?;
    }
    let asked = list_asked(&ways);
    let leaves_out = records.manifest.pointer("/recipe/report/texts") == Some(&Value::Bool(false));
    let texts = match leaves_out {
        true => None,
        false => Some(write_texts(run, &mut written, (&ways, &ids), &asked, stop)?),
    };
    let languages = asked.iter().map(|(_, language)| language);
    let index = PageIndex {
        texts,
        languages: languages
            .map(|language| (language.code(), language.name()))
            .collect(),
        ways: index_ways(&ways, &ids, items),
    };
    written.chunk("index", &index)?;
    written.file("data.js", include_bytes!("data.js"))?;
    written.file("page.js", include_bytes!("page.js"))?;
    written.remove_others()?;
    let page = QuestionsPage {
        title,
        questions_css: include_str!("page.css"),
    };
    let html = render(
        "questions.html",
        include_str!("page.html"),
        &page,
        (&[], &[]),
        Downloads::Beside,
    )?;
    Ok(write_whole(&out.join("questions.html"), html.as_bytes())?)
}

/// Right labels and answers over all languages, scores language by language.
fn write_way(
    written: &mut Written,
    (way, id): (&AskedWay<'_>, &str),
    items: &BTreeMap<Language, ItemList>,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<(), ReportError> {
    if way.label_names.len() > MOST_LABELS {
        return Err(ReportError::TooManyLabels {
            task: way.task.to_owned(),
            labels: way.label_names.len(),
            most: MOST_LABELS,
        });
    }
    written.chunk(&format!("{id}/gold"), &list_golds(way, items))?;
    for model in &way.models {
        go_on(stop)?;
        let name = format!("{id}/answers.{}", model.name);
        written.chunk(&name, &list_answers(model, items))?;
    }
    for (language, list) in items {
        go_on(stop)?;
        let name = format!("{id}/scores.{language}");
        written.chunk(&name, &list_scores(way, *language, list))?;
    }
    Ok(())
}

/// The texts, one task and language in memory at a time; returns of which there are any.
fn write_texts<'a>(
    run: &RunFolder,
    written: &mut Written,
    (ways, ids): (&[AskedWay<'_>], &[String]),
    asked: &BTreeSet<(&'a str, Language)>,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<BTreeMap<&'a str, Vec<Language>>, ReportError> {
    let mut kept: BTreeMap<&str, Vec<Language>> = BTreeMap::new();
    for &(task, language) in asked {
        go_on(stop)?;
        let Some(texts) = read_question_texts(run, task, language)? else {
            continue;
        };
        let name = format!("texts/{task}.{language}");
        written.chunk(&name, &gather_texts(ways, ids, (task, language), texts))?;
        kept.entry(task).or_default().push(language);
    }
    Ok(kept)
}

fn go_on(stop: &(dyn Fn() -> bool + Sync)) -> Result<(), ReportError> {
    match stop() {
        true => Err(CompareError::Stopped.into()),
        false => Ok(()),
    }
}

fn index_ways<'a>(
    ways: &'a [AskedWay<'a>],
    ids: &[String],
    items: Vec<BTreeMap<Language, ItemList>>,
) -> Vec<IndexedWay<'a>> {
    let named = ways.iter().zip(ids).zip(items);
    let indexed = named.map(|((way, id), items)| IndexedWay {
        id: id.clone(),
        task: way.task,
        title: describe(way),
        labels: way.label_names,
        models: way
            .models
            .iter()
            .map(|model| (model.name, describe_model(way.task, model.name)))
            .collect(),
        items: items.into_iter().collect(),
    });
    indexed.collect()
}

/// `emotion, english labels, head:2`
fn describe(way: &AskedWay<'_>) -> String {
    let form = match way.prompt.is_plain() {
        true => String::new(),
        false => format!(", {}", way.prompt),
    };
    format!(
        "{}, {} labels{form}, {}",
        way.task, way.labels, way.few_shot
    )
}

fn describe_model(task: &str, name: &str) -> String {
    if name == schema::run_folder::BASE {
        return "base model".to_owned();
    }
    let title = AdapterName::parse(name).title(task);
    match name.rsplit_once(".seed") {
        Some((_, seed)) => format!("{title}, seed {seed}"),
        None => title,
    }
}

/// A name for each way, as part of files and addresses; the first exemplars' is the block's of the
/// report.
fn name_ways(ways: &[AskedWay<'_>]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut ids = Vec::new();
    for way in ways {
        let mut id = format!("{}.{}", way.task, way.labels);
        if !way.prompt.is_plain() {
            id += &format!(".{}", way.prompt);
        }
        if !way.is_first {
            let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
            id += &format!(".{}", way.few_shot.chars().map(plain).collect::<String>());
        }
        while !seen.insert(id.clone()) {
            id.push('+');
        }
        ids.push(id);
    }
    ids
}

/// Every task and language that was asked, each once.
fn list_asked<'a>(ways: &'a [AskedWay<'a>]) -> BTreeSet<(&'a str, Language)> {
    let models = ways
        .iter()
        .flat_map(|way| way.models.iter().map(move |model| (way.task, model)));
    models
        .flat_map(|(task, model)| model.languages().map(move |language| (task, language)))
        .collect()
}

/// The files of the data that were written.
struct Written {
    folder: PathBuf,
    names: BTreeSet<PathBuf>,
}

impl Written {
    fn new(out: &Path) -> Self {
        Self {
            folder: out.join(FOLDER),
            names: BTreeSet::new(),
        }
    }

    fn chunk(&mut self, name: &str, value: &impl Serialize) -> Result<(), ReportError> {
        let path = self.folder.join(format!("{name}.js"));
        write_chunk(&path, name, value)?;
        self.names.insert(path);
        Ok(())
    }

    fn file(&mut self, name: &str, bytes: &[u8]) -> Result<(), ReportError> {
        let path = self.folder.join(name);
        write_whole(&path, bytes)?;
        self.names.insert(path);
        Ok(())
    }

    /// Removes other scripts: texts of an earlier report must not stay where this one has none.
    fn remove_others(&self) -> Result<(), ReportError> {
        for folder in list(&self.folder)?.into_iter().chain([self.folder.clone()]) {
            if !folder.is_dir() {
                continue;
            }
            for path in list(&folder)? {
                let is_script = path.extension().is_some_and(|ending| ending == "js");
                if is_script && !self.names.contains(&path) {
                    fs::remove_file(&path).map_err(DiskError::at("remove", &path))?;
                }
            }
        }
        Ok(())
    }
}

fn list(folder: &Path) -> Result<Vec<PathBuf>, DiskError> {
    let entries = fs::read_dir(folder).map_err(DiskError::at("list", folder))?;
    entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<_>>()
        .map_err(DiskError::at("list", folder))
}
