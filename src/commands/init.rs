//! `init`: an experiment of one's own to begin with, a task file, its data and a recipe, which runs before anything in it
//! is replaced. Its example is the review task of the small data set, in the languages that were asked for.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use data::{pairs::instruct, tasks};
use schema::{
    Language,
    language::check_known,
    recipe::EvalRecipe,
    task::{Task, TaskLanguage},
    write_whole,
};
use serde_json::json;

use super::quickstart::DATA;
use crate::{
    cli::InitArgs,
    progress::{note, result},
};

/// The task whose header words and label words are the example.
const EXAMPLE: &str = "emotion";
/// Rows of each test file; the other questions of the example become pairs.
const ROWS: usize = 12;
/// Before a text that is there in English because the program has none in the language.
const IN_ENGLISH: &str = "(in English) ";

/// Writes the folder and says what comes next; nothing is written over.
pub(super) fn run(args: &InitArgs) -> Result<()> {
    let name = name_of(&args.dir)?;
    let languages = with_english(&args.languages)?;
    ensure_empty(&args.dir)?;
    let experiment = Experiment::new(name, &languages)?;
    for (path, text) in experiment.files() {
        let path = args.dir.join(path);
        write_whole(&path, text.as_bytes())
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    for language in experiment.in_english() {
        note(&format!(
            "note: there are no sentences in {} ({language}) here: its rows are English ones, marked as such",
            language.name()
        ));
    }
    result(&format!(
        "wrote {}: {name}.toml (the task), data/ (its questions and pairs), recipe.toml. Next:\n  cd {}\n  \
         lingualign check recipe.toml\n  lingualign run recipe.toml",
        args.dir.display(),
        args.dir.display()
    ));
    Ok(())
}

/// The last part of the path names task and recipe.
fn name_of(dir: &Path) -> Result<&str> {
    let name = dir.file_name().and_then(|name| name.to_str());
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let is_name = |name: &&str| {
        name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(fits)
    };
    let name = name.filter(is_name).with_context(|| {
        format!(
            "`{}` cannot name a task; use letters, digits, `-` and `_`, a letter or digit first",
            dir.display()
        )
    })?;
    ensure!(
        !EvalRecipe::TASKS.contains(&name) && name != "recipe",
        "`{name}` is a name that the program has taken; choose another"
    );
    Ok(name)
}

/// English, which pairs are translated into, and the others.
fn with_english(asked: &[Language]) -> Result<Vec<Language>> {
    check_known(asked)?;
    let others = asked
        .iter()
        .copied()
        .filter(|&language| language != Language::En);
    let languages: Vec<Language> = std::iter::once(Language::En).chain(others).collect();
    ensure!(
        languages.len() > 1,
        "--languages: name another language than English, whose questions are translated into English"
    );
    Ok(languages)
}

/// A folder in which something is belongs to somebody.
fn ensure_empty(dir: &Path) -> Result<()> {
    let is_free = match fs::read_dir(dir) {
        Ok(mut entries) => entries.next().is_none(),
        Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => true,
        Err(problem) => {
            return Err(problem).with_context(|| format!("cannot write into {}", dir.display()));
        }
    };
    ensure!(
        is_free,
        "{} is not empty, and nothing is written over; name another folder",
        dir.display()
    );
    Ok(())
}

/// What is written.
struct Experiment<'a> {
    name: &'a str,
    example: &'static Task,
    english: Vec<Row>,
    languages: Vec<LanguageTexts>,
}

/// A question of the example and its gold label, in English.
#[derive(Clone)]
struct Row {
    text: String,
    answer: String,
}

/// The texts of one language, in the order of the English ones.
struct LanguageTexts {
    language: Language,
    texts: Vec<String>,
    /// Whether they are the English ones.
    are_english: bool,
}

impl<'a> Experiment<'a> {
    fn new(name: &'a str, languages: &[Language]) -> Result<Self> {
        let english = rows(Language::En)?.context("the example has no English questions")?;
        let of_language = |&language: &Language| -> Result<LanguageTexts> {
            let found = rows(language)?;
            Ok(LanguageTexts {
                language,
                are_english: found.is_none(),
                texts: match found {
                    Some(rows) => rows.into_iter().map(|row| row.text).collect(),
                    None => english
                        .iter()
                        .map(|row| format!("{IN_ENGLISH}{}", row.text))
                        .collect(),
                },
            })
        };
        Ok(Self {
            name,
            example: tasks::task(EXAMPLE)?,
            languages: languages.iter().map(of_language).collect::<Result<_>>()?,
            english,
        })
    }

    /// Those without sentences of their own.
    fn in_english(&self) -> impl Iterator<Item = Language> {
        let without = self.languages.iter().filter(|texts| texts.are_english);
        without.map(|texts| texts.language)
    }

    /// Every file, by its path in the folder.
    fn files(&self) -> Vec<(PathBuf, String)> {
        let mut files = vec![
            (format!("{}.toml", self.name).into(), self.task()),
            ("recipe.toml".into(), self.recipe()),
        ];
        for texts in &self.languages {
            files.push((
                format!("data/{}.csv", texts.language).into(),
                self.table(texts),
            ));
            if texts.language != Language::En {
                let count = self.english.len() - ROWS;
                let path = format!(
                    "data/{}_{}{count}_train_question.json",
                    self.name, texts.language
                );
                files.push((path.into(), self.pairs(texts)));
            }
        }
        files
    }

    /// The example's words in a language; the English ones where it has none.
    fn words(&self, language: Language) -> (&TaskLanguage, bool) {
        match self.example.languages.get(&language) {
            Some(words) => (words, true),
            None => (&self.example.languages[&Language::En], false),
        }
    }

    fn task(&self) -> String {
        let labels = quote_all(&self.example.labels);
        let mut text = format!(
            r#"# A task, as `lingualign init` writes it: the EXAMPLE runs as it is. What is marked REPLACE becomes your own; all keys
# are in docs/tasks.md. The questions are in data/LANGUAGE.csv, the same ones in the same order in every language.

name = "{}"
# REPLACE: what is asked, for people.
title = "Is the review positive or negative? (an example)"
# REPLACE: the parts of a question, which are columns of the files, in the order of the prompt.
fields = ["text"]
# Exemplars before each question, from the head of each file.
shots = 2
# REPLACE: the answers, in English.
labels = [{labels}]

# The column `answer` has the right one; in every language in English.
[[files]]
path = "{{language}}.csv"
answers = [{labels}]

# REPLACE, in each language: what is written before each field and before the answer, and what the answers are called.
"#,
            self.name
        );
        for texts in &self.languages {
            let (words, is_own) = self.words(texts.language);
            let remark = match is_own {
                true => "",
                false => " # English words: translate them",
            };
            let label_words = match words.label_words.as_slice() {
                [] => &self.example.labels,
                given => given,
            };
            text += &format!(
                "\n[languages.{}]{remark}\nheaders = [{}]\nlabel_words = [{}]\n",
                texts.language,
                quote_all(&words.headers),
                quote_all(label_words),
            );
        }
        text
    }

    fn table(&self, texts: &LanguageTexts) -> String {
        let mut table = "text,answer\n".to_owned();
        for (text, english) in texts.texts.iter().zip(&self.english).take(ROWS) {
            table += &format!("\"{}\",{}\n", text.replace('"', "\"\""), english.answer);
        }
        table
    }

    /// Questions that no test file has, each with the English one.
    fn pairs(&self, texts: &LanguageTexts) -> String {
        let question = |language, text: &str| {
            let (words, _) = self.words(language);
            let around = (words.headers.first(), words.headers.last());
            let (before, after) = (
                around.0.map_or("", String::as_str),
                around.1.map_or("", String::as_str),
            );
            format!("{before}{text}{after}")
        };
        let instruction = instruct(texts.language, Language::En);
        let pairs = texts.texts.iter().zip(&self.english).skip(ROWS);
        let lines: Vec<String> = pairs
            .map(|(text, english)| {
                let input = question(texts.language, text);
                json!({"input": format!("{input}\n{instruction}\n"), "answer": question(Language::En, &english.text)})
                    .to_string()
            })
            .collect();
        format!("[\n{}\n]\n", lines.join(",\n"))
    }

    fn recipe(&self) -> String {
        let codes: Vec<&str> = self
            .languages
            .iter()
            .map(|texts| texts.language.code())
            .collect();
        let sources: Vec<&str> = codes.iter().skip(1).take(2).copied().collect();
        let accept = match self.in_english().next() {
            Some(_) => {
                "# Some rows are English ones in place of others. When they are translated, take this line out, and the audit\n\
                 # sees what is not.\naccept = [\"language\", \"untranslated\"]\n"
            }
            None => "",
        };
        format!(
            r#"# An experiment, as `lingualign init` writes it. Every key: docs/recipe.md; a task of your own, step by step:
# docs/tutorial.md and docs/tasks.md.
#
#   lingualign check recipe.toml      prints this recipe with every default written out, and what a run would do
#   lingualign run recipe.toml        trains, evaluates, writes runs/{name}/report/index.html

name = "{name}"
# A small model that runs anywhere; any other of `lingualign model list`, a folder, a `.gguf` file or a hub id.
model = "smollm2-135m-instruct"

[data]
dir = "data"
{accept}
[train]
# Questions in these languages are translated into English. More settings make more adapters.
settings = ["{sources}=>en"]
tasks = ["{name}.toml"]
# From each source language: all that there are.
pairs = 0
epochs = 3
batch_size = 8
# For so few updates; with thousands of pairs the default, 5e-5.
learning_rate = 2e-4
eval_steps = 5

[eval]
tasks = ["{name}.toml"]
languages = [{languages}]
"#,
            name = self.name,
            sources = sources.join("/"),
            languages = quote_all(&codes),
        )
    }
}

/// The example's questions in a language; `None` where there are none.
fn rows(language: Language) -> Result<Option<Vec<Row>>> {
    let Some(file) = DATA.get_file(format!("{EXAMPLE}_{language}40_test.json")) else {
        return Ok(None);
    };
    let items: Vec<serde_json::Value> = serde_json::from_slice(file.contents())?;
    let text = |item: &serde_json::Value, key| {
        let text = item[key].as_str().map(str::to_owned);
        text.context("an example without text")
    };
    let row = |item| {
        Ok(Row {
            text: text(item, "input")?,
            answer: text(item, "answer")?,
        })
    };
    items.iter().map(row).collect::<Result<_>>().map(Some)
}

/// `"a", "b"`, as TOML has it.
fn quote_all<T: AsRef<str>>(texts: &[T]) -> String {
    let quoted: Vec<String> = texts
        .iter()
        .map(|text| json!(text.as_ref()).to_string())
        .collect();
    quoted.join(", ")
}
