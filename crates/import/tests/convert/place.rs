//! A folder with files to import, the plan for them, and what comes out.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use data::table::{TableFormat, TableLayout};
use import::convert::{
    self, ColumnMap, ImportPlan, ImportReport, ImportTarget, InputFile, QuestionSplit, RowSample,
};
use parquet::{
    basic::Compression,
    column::writer::ColumnWriter,
    data_type::ByteArray,
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::parser::parse_message_type,
};
use schema::{Language, Task};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file.
    pub(crate) fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("creates");
        fs::write(&path, text).expect("writes");
        path
    }

    /// All files below the folder that is written to, with their texts.
    pub(crate) fn written(&self) -> Vec<(String, String)> {
        list(&self.path("out"), &self.path("out"))
    }

    /// The items of the only file that was written.
    pub(crate) fn items(&self) -> Vec<Value> {
        let files = self.written();
        assert_eq!(
            files.len(),
            1,
            "{:?}",
            files.iter().map(|(name, _)| name).collect::<Vec<_>>()
        );
        serde_json::from_str(&files[0].1).expect("a JSON list")
    }

    pub(crate) fn plan<'a>(
        &self,
        inputs: Vec<InputFile>,
        target: ImportTarget<'a>,
    ) -> ImportPlan<'a> {
        ImportPlan {
            inputs,
            target,
            language_column: None,
            drop_labels: vec![],
            drop_texts: vec![],
            sample: RowSample {
                take: None,
                seed: 0,
                balance: false,
            },
            out: self.path("out"),
            replace: false,
        }
    }
}

fn list(root: &Path, folder: &Path) -> Vec<(String, String)> {
    let Ok(entries) = fs::read_dir(folder) else {
        return vec![];
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(list(root, &path));
        } else {
            let name = path
                .strip_prefix(root)
                .expect("below")
                .display()
                .to_string();
            found.push((name, fs::read_to_string(&path).expect("reads")));
        }
    }
    found.sort();
    found
}

pub(crate) fn task(name: &str) -> &'static Task {
    data::tasks::task(name).expect("shipped")
}

/// A file in the usual layout of its extension.
pub(crate) fn input(path: &Path, language: Language) -> InputFile {
    let layout = TableLayout::usual(TableFormat::of(path).expect("a known extension"));
    InputFile {
        path: path.to_owned(),
        layout,
        language: Some(language),
    }
}

pub(crate) fn map(pairs: &[(&str, &str)]) -> ColumnMap {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

/// Test questions of a task with columns of the fields' own names.
pub(crate) fn questions(name: &str) -> ImportTarget<'static> {
    ImportTarget::questions(
        task(name),
        QuestionSplit::Test,
        &ColumnMap::new(),
        ColumnMap::new(),
    )
    .expect("a target")
}

pub(crate) fn run(plan: &ImportPlan<'_>) -> ImportReport {
    convert::run(plan, &mut hub::Silent, &|| false)
        .expect("sound")
        .expect("not stopped")
}

pub(crate) fn refused(plan: &ImportPlan<'_>) -> String {
    convert::run(plan, &mut hub::Silent, &|| false)
        .expect_err("must be refused")
        .to_string()
}

/// Writes columns of texts and whole numbers, each row group of `group` rows.
pub(crate) fn write_parquet(
    path: &Path,
    texts: &[(&str, Vec<String>)],
    number: (&str, Vec<i64>),
    group: usize,
    compression: Compression,
) {
    let columns: String = texts
        .iter()
        .map(|(name, _)| format!("required binary {name} (UTF8); "))
        .collect();
    let schema = parse_message_type(&format!(
        "message rows {{ {columns} optional int64 {}; }}",
        number.0
    ))
    .expect("a schema");
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .build();
    let file = fs::File::create(path).expect("creates");
    let mut writer =
        SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties)).expect("a writer");
    for start in (0..number.1.len()).step_by(group.max(1)) {
        let end = (start + group).min(number.1.len());
        let mut rows = writer.next_row_group().expect("a row group");
        let mut left = texts.iter();
        while let Some(mut column) = rows.next_column().expect("no error") {
            match column.untyped() {
                ColumnWriter::ByteArrayColumnWriter(column) => {
                    let (_, texts) = left.next().expect("a column of texts");
                    let values: Vec<ByteArray> = texts[start..end]
                        .iter()
                        .map(|text| text.as_str().into())
                        .collect();
                    column.write_batch(&values, None, None).expect("writes");
                }
                ColumnWriter::Int64ColumnWriter(column) => {
                    let levels = vec![1; end - start];
                    column
                        .write_batch(&number.1[start..end], Some(&levels), None)
                        .expect("writes");
                }
                _ => panic!("no such column was asked for"),
            }
            column.close().expect("closes");
        }
        rows.close().expect("closes");
    }
    writer.close().expect("closes");
}
