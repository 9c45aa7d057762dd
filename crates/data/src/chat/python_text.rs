//! Values as Python writes them: `str`, `repr` and `json.dumps`. Never here: templates.

use minijinja::{
    Error, ErrorKind,
    value::{Value, ValueKind},
};

/// How `json.dumps` is asked to write.
pub(super) struct JsonForm {
    /// Whether what is not ASCII is escaped.
    pub(super) ascii: bool,
    /// Spaces of each level; `None`: on one line.
    pub(super) indent: Option<usize>,
    /// Between entries, and between key and value.
    pub(super) separators: Option<Vec<String>>,
    /// Whether keys are sorted.
    pub(super) sorted: bool,
}

/// Python's `str`.
pub(super) fn str(value: &Value) -> String {
    match value.kind() {
        ValueKind::Undefined => String::new(),
        ValueKind::String => value.as_str().unwrap_or_default().to_owned(),
        _ => repr(value),
    }
}

/// Python's `repr`.
fn repr(value: &Value) -> String {
    match value.kind() {
        ValueKind::None => "None".to_owned(),
        ValueKind::Bool => if value.is_true() { "True" } else { "False" }.to_owned(),
        ValueKind::String => quote(value.as_str().unwrap_or_default()),
        ValueKind::Seq => {
            let items = value.try_iter().into_iter().flatten();
            let items: Vec<String> = items.map(|item| repr(&item)).collect();
            format!("[{}]", items.join(", "))
        }
        ValueKind::Map => {
            let keys = value.try_iter().into_iter().flatten();
            let entries = keys.map(|key| {
                let of = value.get_item(&key).unwrap_or_default();
                format!("{}: {}", repr(&key), repr(&of))
            });
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        _ => value.to_string(),
    }
}

/// A text in the quotes that Python chooses.
fn quote(text: &str) -> String {
    let mark = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    let mut out = String::from(mark);
    for letter in text.chars() {
        match letter {
            '\n' => out += "\\n",
            '\r' => out += "\\r",
            '\t' => out += "\\t",
            '\\' => out += "\\\\",
            letter if letter == mark => {
                out.push('\\');
                out.push(letter);
            }
            letter => out.push(letter),
        }
    }
    out.push(mark);
    out
}

/// Python's `json.dumps`.
pub(super) fn json(value: &Value, form: &JsonForm) -> Result<String, Error> {
    let mut out = String::new();
    write_json(&mut out, value, form, 0)?;
    Ok(out)
}

fn write_json(out: &mut String, value: &Value, form: &JsonForm, level: usize) -> Result<(), Error> {
    match value.kind() {
        ValueKind::None => out.push_str("null"),
        ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
        ValueKind::Number => out.push_str(&value.to_string()),
        ValueKind::String => write_text(out, value.as_str().unwrap_or_default(), form.ascii),
        ValueKind::Seq | ValueKind::Iterable => {
            let items: Vec<Value> = value.try_iter()?.collect();
            write_entries(out, ['[', ']'], items.len(), form, level, |out, at| {
                write_json(out, &items[at], form, level + 1)
            })?;
        }
        ValueKind::Map => {
            let mut keys: Vec<Value> = value.try_iter()?.collect();
            if form.sorted {
                keys.sort();
            }
            let colon = part(form, 1, ": ");
            write_entries(out, ['{', '}'], keys.len(), form, level, |out, at| {
                write_text(out, &str(&keys[at]), form.ascii);
                out.push_str(&colon);
                write_json(out, &value.get_item(&keys[at])?, form, level + 1)
            })?;
        }
        kind => {
            let problem = format!("tojson: {kind} cannot be written as JSON");
            return Err(Error::new(ErrorKind::InvalidOperation, problem));
        }
    }
    Ok(())
}

/// Writes what is between two brackets.
fn write_entries(
    out: &mut String,
    [open, close]: [char; 2],
    count: usize,
    form: &JsonForm,
    level: usize,
    mut write: impl FnMut(&mut String, usize) -> Result<(), Error>,
) -> Result<(), Error> {
    let comma = part(form, 0, if form.indent.is_some() { "," } else { ", " });
    out.push(open);
    for at in 0..count {
        if at > 0 {
            out.push_str(&comma);
        }
        break_line(out, form, level + 1);
        write(out, at)?;
    }
    if count > 0 {
        break_line(out, form, level);
    }
    out.push(close);
    Ok(())
}

fn break_line(out: &mut String, form: &JsonForm, level: usize) {
    if let Some(indent) = form.indent {
        out.push('\n');
        out.extend(std::iter::repeat_n(' ', indent * level));
    }
}

/// A separator that was given, or the usual one.
fn part(form: &JsonForm, at: usize, usual: &str) -> String {
    let given = form.separators.as_ref().and_then(|parts| parts.get(at));
    given.map_or(usual, String::as_str).to_owned()
}

fn write_text(out: &mut String, text: &str, ascii: bool) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            letter if letter < ' ' || (ascii && !letter.is_ascii()) => {
                let mut units = [0; 2];
                for unit in letter.encode_utf16(&mut units) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
            letter => out.push(letter),
        }
    }
    out.push('"');
}
