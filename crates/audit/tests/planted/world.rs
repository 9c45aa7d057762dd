//! The repository's small data set in memory, dressed with what it lacks (numbers, names and
//! quotation marks in every script), changed by a test, and written to a folder.

use std::{collections::BTreeMap, fs, path::Path};

use schema::{Finding, Language};
use serde_json::{Value, json};

/// A file's name, relative to the folder.
pub(crate) type Name = String;

/// Items of every dressed file that hold a number, a name and a quotation.
pub(crate) const DRESSED: std::ops::Range<usize> = 5..17;

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) files: BTreeMap<Name, Vec<Value>>,
    /// Files that are no list of items.
    pub(crate) raw: BTreeMap<Name, Vec<u8>>,
}

/// Number, name and quotation of a dressed item as a language writes them.
pub(crate) fn dress(language: &str, item: usize) -> [String; 3] {
    let number = (1900 + 7 * item + 1).to_string();
    let number = match language {
        "hi" => in_digits(&number, '०'),
        "bn" => in_digits(&number, '০'),
        "th" => in_digits(&number, '๐'),
        _ => number,
    };
    let name = match language {
        "ru" | "bg" => "Карлсберг Монтана",
        "hi" => "कार्ल्सबर्ग मोंटाना",
        "bn" => "কার্লসবার্গ মন্টানা",
        "th" => "คาร์ลสเบิร์ก มอนทานา",
        "zh" | "ja" => "…",
        _ => "Carlsberg Montana",
    };
    let quotation = match language {
        "zh" | "sw" | "en" => "“abc”",
        "ja" => "「abc」",
        "fr" | "ru" => "«abc»",
        "de" | "bg" | "sl" => "„abc“",
        _ => "\"abc\"",
    };
    [number, name.to_owned(), quotation.to_owned()]
}

fn in_digits(number: &str, zero: char) -> String {
    let digit = |c: char| {
        c.to_digit(10)
            .and_then(|value| char::from_u32(u32::from(zero) + value))
    };
    number.chars().map(|c| digit(c).expect("a digit")).collect()
}

impl World {
    /// The repository's set, dressed.
    pub(crate) fn new() -> Self {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/mini"));
        let mut files = BTreeMap::new();
        for task in ["ap_emotion", "snli", "paws"] {
            for entry in fs::read_dir(root.join(task)).expect("a task's folder") {
                let path = entry.expect("an entry").path();
                let name = path
                    .file_name()
                    .expect("a name")
                    .to_string_lossy()
                    .into_owned();
                let items =
                    serde_json::from_slice(&fs::read(&path).expect("a file")).expect("a list");
                files.insert(format!("{task}/{name}"), items);
            }
        }
        let mut world = Self {
            files,
            raw: BTreeMap::new(),
        };
        for name in world.tests() {
            let (language, field) = (language_of(&name), world.fields(&name)[0].clone());
            for item in DRESSED {
                let text = world.text(&name, item, &field)
                    + &format!(" ({})", dress(&language, item).join(", "));
                world.files.get_mut(&name).expect("a file")[item][&field] = json!(text);
            }
        }
        world
    }

    /// Names of the test files.
    pub(crate) fn tests(&self) -> Vec<Name> {
        self.files
            .keys()
            .filter(|name| name.ends_with("_test.json"))
            .cloned()
            .collect()
    }

    /// Names of the files of translation pairs.
    pub(crate) fn pairs(&self) -> Vec<Name> {
        self.files
            .keys()
            .filter(|name| name.ends_with("_train_question.json"))
            .cloned()
            .collect()
    }

    /// The test file of the same task in another language.
    pub(crate) fn other(&self, name: &str, language: &str) -> Name {
        let start = format!(
            "{}_{language}",
            name.rsplit_once('_')
                .expect("a name")
                .0
                .rsplit_once('_')
                .expect("a name")
                .0
        );
        self.tests()
            .into_iter()
            .find(|other| other.starts_with(&start))
            .expect("every language is there")
    }

    /// The keys of an item but the last, which is the answer.
    pub(crate) fn fields(&self, name: &str) -> Vec<String> {
        let keys: Vec<String> = self.files[name][0]
            .as_object()
            .expect("an object")
            .keys()
            .cloned()
            .collect();
        keys.into_iter().filter(|key| key != "answer").collect()
    }

    pub(crate) fn text(&self, name: &str, item: usize, key: &str) -> String {
        self.files[name][item][key]
            .as_str()
            .expect("a text")
            .to_owned()
    }

    pub(crate) fn set(&mut self, name: &str, item: usize, key: &str, text: impl Into<String>) {
        self.files.get_mut(name).expect("a file")[item][key] = json!(text.into());
    }

    pub(crate) fn len(&self, name: &str) -> usize {
        self.files[name].len()
    }

    /// Writes all and audits it; `few_shot` is the text of a file of exemplars.
    pub(crate) fn audit(&self, few_shot: Option<&Value>) -> Vec<Finding> {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("creates");
            fs::write(path, bytes).expect("writes");
        };
        for (name, items) in &self.files {
            write(name, &serde_json::to_vec_pretty(items).expect("JSON"));
        }
        for (name, bytes) in &self.raw {
            write(name, bytes);
        }
        if let Some(text) = few_shot {
            write("few_shot.json", &serde_json::to_vec(text).expect("JSON"));
        }
        let scope = audit::Scope::of_folder(folder.path(), None).expect("a scope");
        audit::audit(&scope, &mut |_, _, _| true)
            .expect("an audit")
            .findings
    }
}

/// `de` of `snli/snli_de30_test.json`.
pub(crate) fn language_of(name: &str) -> String {
    let stem = name
        .rsplit_once('/')
        .expect("a folder")
        .1
        .split('_')
        .nth(1)
        .expect("a language");
    let code: String = stem.chars().take_while(char::is_ascii_alphabetic).collect();
    assert!(code.parse::<Language>().is_ok(), "{name}");
    code
}
