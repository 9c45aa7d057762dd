//! Every form in which test questions come, on rows of our own: the shipped tasks' published
//! files, a user's tables, and the released layout of a user's task. A defect of every kind is
//! planted in each.

use std::{collections::BTreeMap, fs, path::Path};

use audit::Scope;
use schema::{Language, finding::AuditRecord};
use serde_json::{Map, Value, json};

/// Rows of every language.
pub(crate) const ROWS: usize = 24;

#[derive(Clone, Copy, PartialEq)]
enum Written {
    Tsv,
    Csv,
    Lines,
    List,
}

/// One form.
pub(crate) struct Form {
    /// As the user calls the task; `.toml`: written into the folder.
    pub(crate) task: &'static str,
    /// Text of the task's file, if it is not a shipped one.
    toml: &'static str,
    /// `{}` is the language as the files spell it.
    path: &'static str,
    written: Written,
    /// Columns of the fields, the choices and the answer.
    pub(crate) columns: &'static [&'static str],
    /// Which of the columns are choices.
    pub(crate) choices: std::ops::Range<usize>,
    /// The words in the answer's column; of the choices' own texts none.
    pub(crate) answers: &'static [&'static str],
    /// Columns whose value is one of two words.
    words: Option<(usize, [&'static str; 2])>,
    language_column: bool,
    /// Code and spelling; the first is the one that is broken.
    pub(crate) languages: &'static [(&'static str, &'static str)],
}

const USUAL: &[(&str, &str)] = &[("de", "de"), ("en", "en"), ("fr", "fr")];
const SPANISH: &[(&str, &str)] = &[("es", "es"), ("en", "en"), ("ru", "ru")];

const TABLE: &str = "name = \"mine\"\ntitle = \"Own\"\nfields = [\"text\"]\nshots = 0\nlabels = [\"sport\", \"food\", \"money\"]\n\
    [[files]]\npath = \"own/{language}.csv\"\ncolumns = { answer = \"topic\" }\n[default]\nheaders = [\"Text: \", \"\\nTopic: \\\"\"]\n";
const RELEASED: &str = "name = \"plain\"\ntitle = \"Own\"\nfolder = \"p\"\nfields = [\"text\"]\nshots = 0\nlabels = [\"yes\", \"no\"]\n\
    [default]\nheaders = [\"Text: \", \"\\nAnswer: \\\"\"]\n";
const TEXTS: &str = "name = \"ends\"\ntitle = \"Own\"\nfields = [\"story\"]\nshots = 0\nlabels = [\"one\", \"two\", \"three\"]\n\
    scoring = \"sequence\"\n[choices]\nfields = [\"a\", \"b\", \"c\"]\nanswers = \"texts\"\n[default]\nheaders = [\"\", \"\\nEnd: \\\"\"]\n";

pub(crate) const FORMS: &[Form] = &[
    Form {
        task: "xnli",
        toml: "",
        path: "XNLI-1.0/xnli.test.tsv",
        written: Written::Tsv,
        columns: &["sentence1", "sentence2", "gold_label"],
        choices: 0..0,
        answers: &["entailment", "neutral", "contradiction"],
        words: None,
        language_column: true,
        languages: USUAL,
    },
    Form {
        task: "xnli",
        toml: "",
        path: "XNLI-1.0/xnli.test.jsonl",
        written: Written::Lines,
        columns: &["sentence1", "sentence2", "gold_label"],
        choices: 0..0,
        answers: &["entailment", "neutral", "contradiction"],
        words: None,
        language_column: true,
        languages: SPANISH,
    },
    Form {
        task: "paws_x",
        toml: "",
        path: "x-final/{}/test_2k.tsv",
        written: Written::Tsv,
        columns: &["sentence1", "sentence2", "label"],
        choices: 0..0,
        answers: &["1", "0"],
        words: None,
        language_column: false,
        languages: USUAL,
    },
    Form {
        task: "belebele",
        toml: "",
        path: "data/{}.jsonl",
        written: Written::Lines,
        columns: &[
            "flores_passage",
            "question",
            "mc_answer1",
            "mc_answer2",
            "mc_answer3",
            "mc_answer4",
            "correct_answer_num",
        ],
        choices: 2..6,
        answers: &["1", "2", "3", "4"],
        words: None,
        language_column: false,
        languages: &[("pl", "pol_Latn"), ("en", "eng_Latn"), ("sv", "swe_Latn")],
    },
    Form {
        task: "global_mmlu",
        toml: "",
        path: "{}/test.csv",
        written: Written::Csv,
        columns: &[
            "question", "option_a", "option_b", "option_c", "option_d", "answer",
        ],
        choices: 1..5,
        answers: &["A", "B", "C", "D"],
        words: None,
        language_column: false,
        languages: USUAL,
    },
    Form {
        task: "xcopa",
        toml: "",
        path: "data/{}/test.{}.jsonl",
        written: Written::Lines,
        columns: &["premise", "question", "choice1", "choice2", "label"],
        choices: 2..4,
        answers: &["0", "1"],
        words: Some((1, ["cause", "effect"])),
        language_column: false,
        languages: &[("it", "it"), ("sw", "sw"), ("th", "th")],
    },
    Form {
        task: "xstorycloze",
        toml: "",
        path: "spring2016.val.{}.tsv.split_20_80_eval.tsv",
        written: Written::Tsv,
        columns: &[
            "InputSentence1",
            "InputSentence2",
            "InputSentence3",
            "InputSentence4",
            "RandomFifthSentenceQuiz1",
            "RandomFifthSentenceQuiz2",
            "AnswerRightEnding",
        ],
        choices: 4..6,
        answers: &["1", "2"],
        words: None,
        language_column: false,
        languages: SPANISH,
    },
    Form {
        task: "mine.toml",
        toml: TABLE,
        path: "own/{}.csv",
        written: Written::Csv,
        columns: &["text", "topic"],
        choices: 0..0,
        answers: &["sport", "food", "money"],
        words: None,
        language_column: false,
        languages: USUAL,
    },
    Form {
        task: "plain.toml",
        toml: RELEASED,
        path: "p/plain_{}24_test.json",
        written: Written::List,
        columns: &["text", "answer"],
        choices: 0..0,
        answers: &["yes", "no"],
        words: None,
        language_column: false,
        languages: USUAL,
    },
    Form {
        task: "ends.toml",
        toml: TEXTS,
        path: "ends_{}24_test.json",
        written: Written::List,
        columns: &["story", "a", "b", "c", "answer"],
        choices: 1..4,
        answers: &[],
        words: None,
        language_column: false,
        languages: SPANISH,
    },
];

/// Cells by row and column.
type Rows = Vec<Vec<String>>;

/// The rows of a form's languages, to be broken and written.
#[derive(Clone)]
pub(crate) struct Tables {
    /// By language, the cells by column.
    pub(crate) rows: BTreeMap<&'static str, Vec<Vec<String>>>,
    /// Text behind the last row of the first language's file.
    pub(crate) tail: &'static str,
    /// Further files of the folder.
    pub(crate) more: BTreeMap<String, Value>,
}

impl Form {
    /// The language that is broken.
    pub(crate) fn language(&self) -> &'static str {
        self.languages[0].0
    }

    pub(crate) fn has_english(&self) -> bool {
        self.languages.iter().any(|(code, _)| *code == "en")
    }

    /// The name of the task, as findings give it.
    pub(crate) fn name(&self) -> &'static str {
        self.task.strip_suffix(".toml").unwrap_or(self.task)
    }

    pub(crate) fn labels(&self) -> usize {
        match self.answers.len() {
            0 => self.choices.len(),
            count => count,
        }
    }

    /// Sound rows.
    pub(crate) fn tables(&self) -> Tables {
        let rows = self
            .languages
            .iter()
            .map(|(code, _)| (*code, self.sound(code)));
        Tables {
            rows: rows.collect(),
            tail: "",
            more: BTreeMap::new(),
        }
    }

    fn sound(&self, code: &str) -> Vec<Vec<String>> {
        let texts = texts(code);
        let last = self.columns.len() - 1;
        let row = |at: usize| {
            let mut row: Vec<String> = (0..last)
                .map(|column| texts[(at + 9 * column) % texts.len()].clone())
                .collect();
            if let Some((column, words)) = self.words {
                row[column] = words[at % 2].to_owned();
            }
            let gold = (at * at + at / 3) % self.labels();
            row.push(self.word(&row, gold));
            row
        };
        (0..ROWS).map(row).collect()
    }

    /// What stands in the answer's column for a label.
    pub(crate) fn word(&self, row: &[String], label: usize) -> String {
        match self.answers.get(label) {
            Some(word) => (*word).to_owned(),
            None => row[self.choices.start + label].clone(),
        }
    }

    /// The label that the answer's column says.
    pub(crate) fn label(&self, row: &[String]) -> usize {
        let found = (0..self.labels()).find(|&label| self.word(row, label) == row[row.len() - 1]);
        found.expect("a sound answer")
    }

    /// Writes the tables and audits them.
    pub(crate) fn audit(&self, tables: &Tables) -> AuditRecord {
        let folder = tempfile::tempdir().expect("a folder");
        let task = self.write(folder.path(), tables);
        audit_folder(folder.path(), Some(&task))
    }

    /// Writes the tables of a shipped task and audits them without its name: by their columns they
    /// are found.
    pub(crate) fn audit_unnamed(&self, tables: &Tables) -> AuditRecord {
        let folder = tempfile::tempdir().expect("a folder");
        self.write(folder.path(), tables);
        audit_folder(folder.path(), None)
    }

    pub(crate) fn is_shipped(&self) -> bool {
        self.toml.is_empty()
    }

    /// Returns the name of the task.
    fn write(&self, dir: &Path, tables: &Tables) -> String {
        let mut files = BTreeMap::<String, Vec<(&str, &Rows)>>::new();
        for (code, spelled) in self.languages {
            let path = self.path.replace("{}", spelled);
            let table = (*code, &tables.rows[code]);
            files.entry(path).or_default().push(table);
        }
        for (path, tables) in &files {
            write(dir, path, self.text(tables));
        }
        let first = dir.join(self.path.replace("{}", self.languages[0].1));
        let text = fs::read_to_string(&first).expect("written") + tables.tail;
        fs::write(first, text).expect("writes");
        for (name, value) in &tables.more {
            write(dir, name, value.to_string());
        }
        if self.is_shipped() {
            return self.task.to_owned();
        }
        write(dir, self.task, self.toml.to_owned());
        dir.join(self.task).display().to_string()
    }

    fn text(&self, tables: &[(&str, &Rows)]) -> String {
        let rows = tables
            .iter()
            .flat_map(|(code, rows)| rows.iter().map(move |row| (*code, row)));
        let columns: Vec<&str> = match self.language_column {
            true => ["language"].iter().chain(self.columns).copied().collect(),
            false => self.columns.to_vec(),
        };
        let rows = rows.map(|(code, row)| {
            let code = self.language_column.then(|| code.to_owned());
            code.into_iter().chain(row.iter().cloned()).collect()
        });
        let rows: Vec<Vec<String>> = rows.collect();
        match self.written {
            Written::Tsv => lines(&columns, &rows, "\t", ""),
            Written::Csv => lines(&columns, &rows, ",", "\""),
            Written::Lines => {
                let objects = rows
                    .iter()
                    .map(|row| object(&columns, row).to_string() + "\n");
                objects.collect()
            }
            Written::List => {
                let objects: Vec<Value> = rows.iter().map(|row| object(&columns, row)).collect();
                Value::from(objects).to_string()
            }
        }
    }

    /// The question of a row as a prompt has it, for a file of exemplars.
    pub(crate) fn exemplars(&self, row: &[String]) -> Value {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(self.task);
        let given = match self.toml {
            "" => self.task.to_owned(),
            text => {
                fs::write(&path, text).expect("writes");
                path.display().to_string()
            }
        };
        let task = data::tasks::task(&given).expect("a task");
        let language: Language = self.language().parse().expect("a code");
        let headers = &data::tasks::row(task, language).expect("a row").headers;
        let mut text = String::new();
        for (at, (field, header)) in task.fields.iter().zip(headers).enumerate() {
            let shown = data::testset::show_value(task, language, field, &row[at]);
            text += &format!("{header}{}", shown.expect("known"));
        }
        text += &format!("{}x\"\n", headers[headers.len() - 1]);
        json!({self.name(): {self.language(): text}})
    }
}

fn audit_folder(dir: &Path, task: Option<&str>) -> AuditRecord {
    let scope = Scope::of_folder(dir, task).expect("a scope");
    audit::audit(&scope, &mut |_, _, _| true).expect("an audit")
}

fn write(dir: &Path, name: &str, text: String) {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("creates");
    fs::write(path, text).expect("writes");
}

fn object(columns: &[&str], row: &[String]) -> Value {
    let entries = columns.iter().zip(row);
    let object: Map<String, Value> = entries
        .map(|(column, cell)| ((*column).to_owned(), json!(cell)))
        .collect();
    Value::Object(object)
}

fn lines(columns: &[&str], rows: &[Vec<String>], between: &str, quote: &str) -> String {
    let mut text = columns.join(between) + "\n";
    for row in rows {
        let cells: Vec<String> = row
            .iter()
            .map(|cell| format!("{quote}{}{quote}", cell.replace('"', "'")))
            .collect();
        text += &(cells.join(between) + "\n");
    }
    text
}

/// Forty texts of a language, the same in every language.
pub(crate) fn texts(code: &str) -> Vec<String> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/mini/ap_emotion");
    let path = format!("{root}/emotion_{code}40_test.json");
    let items: Vec<Value> =
        serde_json::from_slice(&fs::read(path).expect("shipped")).expect("a list");
    let text = |item: &Value| item["input"].as_str().expect("a text").replace('"', "'");
    items.iter().map(text).collect()
}
