//! The small 20-language emotion data set that ships with the program, written for this project; the quickstart runs on
//! it.

use std::path::{Path, PathBuf};

use schema::write_whole;

use crate::DataError;

macro_rules! files {
    ($($code:literal),+ $(,)?) => {
        &[$((
            concat!("ap_emotion/emotion_", $code, "40_test.json"),
            include_str!(concat!("../../../assets/mini/ap_emotion/emotion_", $code, "40_test.json")),
        )),+]
    };
}

/// Path below the data folder, and content, of every file.
pub const FILES: &[(&str, &str)] = files![
    "en", "zh", "de", "fr", "es", "it", "nl", "ja", "ru", "sv", "sl", "pl", "bg", "no", "ms", "is", "hi", "th", "sw",
    "bn",
];

/// Writes all files below `dir` in the released layout and returns their paths.
///
/// # Errors
/// A file cannot be written.
pub fn write(dir: &Path) -> Result<Vec<PathBuf>, DataError> {
    let write = |(name, content): &(&str, &str)| {
        let path = dir.join(name);
        write_whole(&path, content.as_bytes())?;
        Ok(path)
    };
    FILES.iter().map(write).collect()
}

#[cfg(test)]
mod tests {
    use schema::Language;

    use super::*;
    use crate::{tasks, testset};

    #[test]
    fn every_language_is_whole_and_parallel() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(write(folder.path()).expect("writes").len(), 20);
        let task = tasks::task("emotion").expect("shipped");
        assert_eq!(testset::languages(folder.path(), task).expect("lists"), Language::ALL);
        let golds = |language| {
            let set = testset::load(folder.path(), task, language, None).expect("sound");
            set.items.iter().map(|item| item.gold).collect::<Vec<_>>()
        };
        let english = golds(Language::En);
        assert_eq!(english.len(), 40);
        for &language in Language::ALL {
            assert_eq!(golds(language), english, "{language}");
        }
    }
}
