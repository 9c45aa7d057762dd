//! Encodes texts with the tokenizers of many folders, for `tests/differential/tokenizer_folders.py`: one
//! JSON object a line on stdin, `{"dir": ..., "texts": [...]}`, and one answer each on stdout, the
//! ids and what they are decoded to, or why the folder or a text was refused.

use std::{
    io::{self, BufRead, Write},
    path::Path,
};

use data::{DataError, Tokenizer};
use serde_json::{Value, json};

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let asked: Value = serde_json::from_str(&line?)?;
        let answer = answer(&asked).unwrap_or_else(|error| json!({"refused": error.to_string()}));
        writeln!(out, "{answer}")?;
    }
    Ok(())
}

fn answer(asked: &Value) -> Result<Value, DataError> {
    let tokenizer = Tokenizer::from_folder(Path::new(asked["dir"].as_str().unwrap_or_default()))?;
    let texts = asked["texts"].as_array().map_or(&[][..], Vec::as_slice);
    let ids = texts
        .iter()
        .map(|text| tokenizer.encode(text.as_str().unwrap_or_default()))
        .collect::<Result<Vec<_>, _>>()?;
    let decoded = ids
        .iter()
        .map(|ids| tokenizer.decode(ids))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(json!({
        "ids": ids, "decoded": decoded, "bos": tokenizer.bos(), "eos": tokenizer.eos(),
    }))
}
