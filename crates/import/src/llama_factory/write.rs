//! Pairs as LLaMA-Factory reads them: a file of rows and its entry in `dataset_info.json`.
//!
//! That tool asks with `instruction`, a newline and `input`; here all of the source is the
//! `instruction`, so that what is asked is the source to the letter. Language and item are in
//! every row for people; the tool drops what it does not map.
//! `tests/golden/read_by_llama_factory.py` compares a folder with what the tool itself reads.
//! Never here: reading such folders, writing files.

use data::TranslationPair;
use serde_json::{Map, Value, json};

schema::words! {
    /// The form of a row.
    RowForm {
        /// `instruction`, `input`, `output`.
        Alpaca "alpaca",
        /// `messages` of a `user` and an `assistant`, as in OpenAI's files.
        Messages "messages",
    }
}

/// A JSON list, one row per line.
pub fn render_rows(pairs: &[TranslationPair], format: RowForm) -> String {
    let rows: Vec<String> = pairs
        .iter()
        .map(|pair| row(pair, format).to_string())
        .collect();
    format!("[\n{}\n]\n", rows.join(",\n"))
}

fn row(pair: &TranslationPair, format: RowForm) -> Value {
    let mut row = match format {
        RowForm::Alpaca => json!({"instruction": pair.source, "input": "", "output": pair.target}),
        RowForm::Messages => json!({"messages": [
            {"role": "user", "content": pair.source},
            {"role": "assistant", "content": pair.target},
        ]}),
    };
    row["language"] = json!(pair.language);
    if let Some(into) = pair.into {
        row["into"] = json!(into);
    }
    row["item"] = json!(pair.item);
    row
}

/// `dataset_info.json` for files given by data set name and file name.
pub fn render_info(files: &[(String, String)], format: RowForm) -> String {
    let entries: Map<String, Value> = files
        .iter()
        .map(|(name, file)| (name.clone(), entry(file, format)))
        .collect();
    format!("{:#}\n", Value::Object(entries))
}

fn entry(file: &str, format: RowForm) -> Value {
    match format {
        RowForm::Alpaca => json!({
            "file_name": file,
            "formatting": "alpaca",
            "columns": {"prompt": "instruction", "query": "input", "response": "output"},
        }),
        // Every version of the tool knows this form by `sharegpt` and these tags; only newer
        // ones call it `openai`.
        RowForm::Messages => json!({
            "file_name": file,
            "formatting": "sharegpt",
            "columns": {"messages": "messages"},
            "tags": {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"},
        }),
    }
}

#[cfg(test)]
mod tests {
    use schema::Language;

    use super::*;

    fn pair() -> TranslationPair {
        TranslationPair {
            source: "\"Was?\"\nÜ:\n".into(),
            target: "中".into(),
            language: Language::De,
            into: None,
            item: 3,
        }
    }

    #[test]
    fn rows_are_one_a_line() {
        let swapped = TranslationPair {
            into: Some(Language::Zh),
            ..pair()
        };
        assert_eq!(
            render_rows(&[pair(), swapped], RowForm::Alpaca),
            "[\n{\"instruction\":\"\\\"Was?\\\"\\nÜ:\\n\",\"input\":\"\",\"output\":\"中\",\"language\":\"de\",\"item\":3},\n\
             {\"instruction\":\"\\\"Was?\\\"\\nÜ:\\n\",\"input\":\"\",\"output\":\"中\",\"language\":\"de\",\"into\":\"zh\",\"item\":3}\n]\n"
        );
        assert_eq!(
            render_rows(&[pair()], RowForm::Messages),
            "[\n{\"messages\":[{\"role\":\"user\",\"content\":\"\\\"Was?\\\"\\nÜ:\\n\"},\
             {\"role\":\"assistant\",\"content\":\"中\"}],\"language\":\"de\",\"item\":3}\n]\n"
        );
    }

    #[test]
    fn entries_name_file_and_columns() {
        let info = |format| -> Value {
            let text = render_info(&[("a.train".to_owned(), "a.train.json".to_owned())], format);
            serde_json::from_str(&text).expect("JSON")
        };
        let alpaca = &info(RowForm::Alpaca)["a.train"];
        assert_eq!(
            (&alpaca["file_name"], &alpaca["formatting"]),
            (&json!("a.train.json"), &json!("alpaca"))
        );
        assert_eq!(
            alpaca["columns"],
            json!({"prompt": "instruction", "query": "input", "response": "output"})
        );
        let messages = &info(RowForm::Messages)["a.train"];
        assert_eq!(
            (&messages["formatting"], &messages["columns"]),
            (&json!("sharegpt"), &json!({"messages": "messages"}))
        );
        assert_eq!(messages["tags"]["user_tag"], "user");
    }
}
