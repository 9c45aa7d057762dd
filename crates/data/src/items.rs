//! Items of the released JSON files, each text with its line, so that every complaint can name
//! it.

use std::{fs, path::Path};

use schema::disk::DiskError;
use serde_json::value::RawValue;

use crate::{DataError, error::quote, object::ObjectEntries};

/// An object whose values are still to be read.
type RawEntries<'a> = ObjectEntries<&'a RawValue>;

/// A text of an item and its line, from 1.
pub struct LocatedText {
    /// Never empty, unless it may be missing.
    pub text: String,
    /// From 1.
    pub line: usize,
}

/// One object: the texts of its fields in the order asked for, its answer, and its first line.
pub struct RawItem {
    /// In the order asked for.
    pub fields: Vec<String>,
    /// The text of `answer`.
    pub answer: LocatedText,
    /// Its first, from 1.
    pub line: usize,
}

/// Reads a file that is a list of objects with exactly the keys `fields` and `answer`, all
/// non-empty texts.
pub fn read<S: AsRef<str>>(path: &Path, fields: &[S]) -> Result<Vec<RawItem>, DataError> {
    parse(path, &read_text(path)?, fields)
}

/// As [`read`], but an item may lack its `answer`, whose text is then empty.
pub fn read_unlabelled<S: AsRef<str>>(
    path: &Path,
    fields: &[S],
) -> Result<Vec<RawItem>, DataError> {
    parse_items(path, &read_text(path)?, fields, false)
}

/// Bytes of a file that is read whole.
const MOST_BYTES: u64 = 1 << 30;

/// Refuses a file that is too large to be in memory whole.
///
/// # Errors
/// It is, or cannot be looked at.
pub fn check_size(path: &Path) -> Result<(), DataError> {
    let size = fs::metadata(path)
        .map_err(DiskError::at("read", path))?
        .len();
    if size > MOST_BYTES {
        let problem = format!(
            "has {size} bytes, and all of it would be in memory; divide it into files of at most {MOST_BYTES}"
        );
        return Err(DataError::unusable(path.display().to_string(), problem));
    }
    Ok(())
}

/// Reads a file of UTF-8 text.
pub fn read_text(path: &Path) -> Result<String, DataError> {
    check_size(path)?;
    let bytes = fs::read(path).map_err(DiskError::at("read", path))?;
    String::from_utf8(bytes).map_err(|e| {
        let valid = &e.as_bytes()[..e.utf8_error().valid_up_to()];
        let line = 1 + valid.iter().filter(|&&byte| byte == b'\n').count();
        DataError::syntax(path, line, "not UTF-8; write the file again in UTF-8")
    })
}

/// As [`read`], for text at hand; `path` is for messages.
pub fn parse<S: AsRef<str>>(
    path: &Path,
    text: &str,
    fields: &[S],
) -> Result<Vec<RawItem>, DataError> {
    parse_items(path, text, fields, true)
}

fn parse_items<S: AsRef<str>>(
    path: &Path,
    text: &str,
    fields: &[S],
    all_answered: bool,
) -> Result<Vec<RawItem>, DataError> {
    let keys: Vec<&str> = fields.iter().map(AsRef::as_ref).chain(["answer"]).collect();
    let objects: Vec<&RawValue> = serde_json::from_str(text).map_err(|e| broken(path, &e))?;
    if objects.is_empty() {
        return Err(DataError::syntax(
            path,
            1,
            "the list is empty; it must hold at least one item",
        ));
    }
    let lines = LineStarts::new(text);
    let mut items = Vec::with_capacity(objects.len());
    for (index, object) in objects.iter().enumerate() {
        let line = lines.of(object.get());
        let fail = |line, problem| DataError::item(path, index, line, problem);
        let entries: RawEntries<'_> = serde_json::from_str(object.get()).map_err(|_| {
            fail(
                line,
                format!("not an object; it must have the keys {}", quote(&keys)),
            )
        })?;
        check_keys(&entries, &keys, &lines, fail)?;
        let mut texts = Vec::with_capacity(fields.len());
        for field in fields {
            texts.push(pick(&entries, field.as_ref(), &lines, line, fail)?.text);
        }
        let answer = match entries.0.iter().any(|(key, _)| key == "answer") || all_answered {
            true => pick(&entries, "answer", &lines, line, fail)?,
            false => LocatedText {
                text: String::new(),
                line,
            },
        };
        items.push(RawItem {
            fields: texts,
            answer,
            line,
        });
    }
    Ok(items)
}

/// No key may be there that was not asked for, and none twice.
fn check_keys(
    entries: &RawEntries<'_>,
    keys: &[&str],
    lines: &LineStarts<'_>,
    fail: impl Fn(usize, String) -> DataError,
) -> Result<(), DataError> {
    for (index, (key, value)) in entries.0.iter().enumerate() {
        if !keys.contains(&key.as_str()) {
            let problem = format!(
                "key `{key}` does not belong here; the keys are {}",
                quote(keys)
            );
            return Err(fail(lines.of(value.get()), problem));
        }
        if entries.0[..index].iter().any(|(name, _)| name == key) {
            return Err(fail(
                lines.of(value.get()),
                format!("key `{key}` is given twice; keep one"),
            ));
        }
    }
    Ok(())
}

/// The text of `key` in the object that begins on `line`; it must be there, a text, and not
/// empty.
fn pick(
    entries: &RawEntries<'_>,
    key: &str,
    lines: &LineStarts<'_>,
    line: usize,
    fail: impl Fn(usize, String) -> DataError,
) -> Result<LocatedText, DataError> {
    let Some((_, value)) = entries.0.iter().find(|(name, _)| name == key) else {
        return Err(fail(line, format!("key `{key}` is missing; add it")));
    };
    let line = lines.of(value.get());
    let text: String = serde_json::from_str(value.get()).map_err(|_| {
        fail(
            line,
            format!("`{key}` is {}, not a text in quotes", value.get()),
        )
    })?;
    if text.trim().is_empty() {
        return Err(fail(
            line,
            format!("`{key}` is empty; fill it in or take the item out"),
        ));
    }
    Ok(LocatedText { text, line })
}

/// A broken file, from what the JSON reader said.
pub fn broken(path: &Path, error: &serde_json::Error) -> DataError {
    let problem = format!("not the JSON that is expected here: {error}; correct it there");
    DataError::syntax(path, error.line().max(1), problem)
}

/// Starts of the lines of a text.
struct LineStarts<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> LineStarts<'a> {
    fn new(text: &'a str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self {
            text,
            starts: ends.map(|(at, _)| at + 1).collect(),
        }
    }

    /// Line, from 1, on which `part`, a slice of the text, begins.
    fn of(&self, part: &str) -> usize {
        let at = (part.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        1 + self.starts.partition_point(|start| *start <= at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        match parse(Path::new("f.json"), text, &["input"]) {
            Ok(_) => "fine".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn texts_come_in_the_order_asked_for_with_their_lines() {
        let text = "[\n  {\n    \"answer\": \"a\",\n    \"input\": \"i\\n\\u00e9\"\n  }\n]";
        let items = parse(Path::new("f.json"), text, &["input"]).expect("sound");
        let RawItem {
            fields,
            answer,
            line,
        } = &items[0];
        assert_eq!((fields[0].as_str(), answer.text.as_str()), ("i\né", "a"));
        assert_eq!((*line, answer.line), (2, 3));
    }

    #[test]
    fn an_answer_may_be_missing_where_that_is_allowed() {
        let text = "[\n{\"input\": \"i\"},\n{\"input\": \"j\", \"answer\": \"a\"}]";
        let items = parse_items(Path::new("f.json"), text, &["input"], false).expect("sound");
        let read: Vec<_> = items
            .iter()
            .map(|item| (item.answer.text.as_str(), item.answer.line))
            .collect();
        assert_eq!(read, [("", 2), ("a", 3)]);
        assert_eq!(
            message(text),
            "f.json item 0 (line 2): key `answer` is missing; add it"
        );
        let empty = parse_items(
            Path::new("f.json"),
            "[{\"input\": \"i\", \"answer\": \"\"}]",
            &["input"],
            false,
        );
        assert!(empty.is_err_and(|error| error.to_string().contains("`answer` is empty")));
    }

    #[test]
    fn what_is_wrong_is_named_with_item_and_line() {
        let cases = [
            ("[\n{\"input\": \"i\", \"answer\": \"a\"}\n]", "fine"),
            (
                "[\n{\"input\": \"i\", \"answer\": \"a\"},\n{\"input\": \"i\"}]",
                "f.json item 1 (line 3): key `answer` is missing",
            ),
            (
                "[{\"input\": \"i\", \"answer\": \"a\",\n\"note\": \"n\"}]",
                "f.json item 0 (line 2): key `note` does not",
            ),
            (
                "[{\"input\": \" \",\n\"answer\": \"a\"}]",
                "f.json item 0 (line 1): `input` is empty",
            ),
            (
                "[{\"input\": \"i\",\n\"answer\": 3}]",
                "f.json item 0 (line 2): `answer` is 3, not a text",
            ),
            (
                "[{\"input\": \"i\", \"input\": \"j\", \"answer\": \"a\"}]",
                "f.json item 0 (line 1): key `input` is given twice",
            ),
            ("[\n7]", "f.json item 0 (line 2): not an object"),
            ("[]", "f.json line 1: the list is empty"),
            (
                "[\n{\"input\": \"i\",\n\"answer\" \"a\"}]",
                "f.json line 3: not the JSON",
            ),
            ("{}", "f.json line 1: not the JSON"),
        ];
        for (text, wanted) in cases {
            assert!(
                message(text).starts_with(wanted),
                "{text}: {}",
                message(text)
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[\\[\\]{}\",:a-c\\n1]{0,40}") {
            if let Ok(items) = parse(Path::new("f.json"), &text, &["a"]) {
                proptest::prop_assert!(!items.is_empty());
            }
        }
    }
}
