//! The small emotion data set that ships with the program, written for this project: test files in 20 languages.
//! The quickstart runs on it.

use std::path::{Path, PathBuf};

use schema::write_whole;

use crate::DataError;

macro_rules! files {
    ($($name:literal),+ $(,)?) => {
        &[$((
            concat!("ap_emotion/emotion_", $name, ".json"),
            include_str!(concat!("../../../assets/mini/ap_emotion/emotion_", $name, ".json")),
        )),+]
    };
}

/// Path below the data folder, and content, of every file.
#[rustfmt::skip]
pub const FILES: &[(&str, &str)] = files![
    "en40_test", "zh40_test", "de40_test", "fr40_test", "es40_test", "it40_test", "nl40_test", "ja40_test",
    "ru40_test", "sv40_test", "sl40_test", "pl40_test", "bg40_test", "no40_test", "ms40_test", "is40_test",
    "hi40_test", "th40_test", "sw40_test", "bn40_test",
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
