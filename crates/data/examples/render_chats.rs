//! Renders conversations with chat templates, for `tests/differential/chat_templates.py`: one JSON
//! object a line on stdin, `{"template": ..., "tokens": {...}, "messages": [...], "asks": true}`,
//! and one answer each on stdout, the text, or why it was refused.

use std::{
    collections::BTreeMap,
    io::{self, BufRead, Write},
};

use data::{
    DataError,
    chat::{ChatTemplate, Message},
};
use serde_json::{Value, json};

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let asked: Value = serde_json::from_str(&line?)?;
        let answer = match render(&asked) {
            Ok(text) => json!({ "text": text }),
            Err(error) => json!({"refused": error.to_string()}),
        };
        writeln!(out, "{answer}")?;
    }
    Ok(())
}

fn render(asked: &Value) -> Result<String, DataError> {
    let text = |value: &'_ Value| value.as_str().unwrap_or_default().to_owned();
    let tokens = asked["tokens"].as_object().into_iter().flatten();
    let tokens: BTreeMap<String, String> = tokens
        .map(|(name, token)| (name.clone(), text(token)))
        .collect();
    let template = ChatTemplate::new("template", &text(&asked["template"]), tokens)?;
    let messages = asked["messages"].as_array().map_or(&[][..], Vec::as_slice);
    let messages: Vec<Message> = messages
        .iter()
        .map(|message| {
            let content = message["content"].as_str().unwrap_or_default();
            match message["role"] == "assistant" {
                true => Message::assistant(content),
                false => Message::user(content),
            }
        })
        .collect();
    template.render(&messages, asked["asks"] == true)
}
