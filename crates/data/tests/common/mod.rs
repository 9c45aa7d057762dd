//! Small data folders in the released layout.

use std::fs;

use schema::Task;
use serde_json::json;
use tempfile::TempDir;

/// A folder with these files below the task's folder.
pub(crate) fn folder(task: &Task, files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let below = folder.path().join(&task.folder);
    fs::create_dir_all(&below).expect("creates");
    for (name, text) in files {
        fs::write(below.join(name), text).expect("writes");
    }
    folder
}

/// A test file with these gold words; the other fields say which item it is.
#[allow(dead_code, reason = "not every test file uses it")]
pub(crate) fn test_file(task: &Task, golds: &[&str]) -> String {
    let item = |(index, gold): (usize, &&str)| {
        let mut item = serde_json::Map::new();
        for field in &task.fields {
            item.insert(field.clone(), json!(format!("{field} {index}")));
        }
        item.insert("answer".to_owned(), json!(gold));
        item
    };
    serde_json::to_string_pretty(&golds.iter().enumerate().map(item).collect::<Vec<_>>())
        .expect("serialises")
}
