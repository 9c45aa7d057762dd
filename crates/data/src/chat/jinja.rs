//! Jinja as transformers sets it up for chat templates (`utils/chat_template_utils.py`), on
//! minijinja: whitespace control, loop controls, `raise_exception`, `strftime_now`, `tojson` and
//! generation blocks, and the methods of Python's types. Never here: conversations.

use minijinja::{
    AutoEscape, Environment, Error, ErrorKind, State,
    syntax::SyntaxConfig,
    value::{Kwargs, Value, ValueKind},
};

use super::python_text;

/// The template's name within its environment.
const NAME: &str = "chat";

/// Steps after which a template is stopped: a thousand times what a long conversation needs.
const MOST_STEPS: u64 = 20_000_000;

/// The day that `strftime_now` tells. A clock would give the same question another prompt every
/// day, and so another answer; this is the date that Llama 3's templates fall back on.
const TODAY: [(char, &str); 12] = [
    ('d', "26"),
    ('b', "Jul"),
    ('B', "July"),
    ('m', "07"),
    ('Y', "2024"),
    ('y', "24"),
    ('a', "Fri"),
    ('A', "Friday"),
    ('j', "208"),
    ('H', "12"),
    ('M', "00"),
    ('S', "00"),
];

/// An environment that holds the one template.
pub(super) fn environment(text: &str) -> Result<Environment<'static>, String> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()
        .map_err(|error| error.to_string())?;
    environment.set_syntax(syntax);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_fuel(Some(MOST_STEPS));
    environment.set_unknown_method_callback(call_method);
    environment.set_formatter(|out, _, value| Ok(out.write_str(&python_text::str(value))?));
    environment.add_function("raise_exception", raise_exception);
    environment.add_function("strftime_now", strftime_now);
    environment.add_filter("tojson", to_json);
    environment.add_filter("string", |value: Value| python_text::str(&value));
    environment.add_test("sequence", is_sequence);
    environment.add_test("iterable", is_iterable);
    environment
        .add_template_owned(NAME, with_generation_blocks(text))
        .map_err(|error| describe(&error))?;
    Ok(environment)
}

/// Renders the template with these variables, or says why not.
pub(super) fn render(environment: &Environment<'_>, variables: Value) -> Result<String, String> {
    let template = environment
        .get_template(NAME)
        .map_err(|error| describe(&error))?;
    template
        .render(variables)
        .map_err(|error| match refusal(&error) {
            Some(reason) => format!("refuses the conversation: {reason}"),
            None => format!("fails: {}", describe(&error)),
        })
}

/// An error and its line, without the engine's own prefixes.
fn describe(error: &Error) -> String {
    let what = match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    };
    match error.line() {
        Some(line) => format!("{what} (line {line})"),
        None => what,
    }
}

/// What distinguishes a refusal from a failure.
const REFUSAL: &str = "raise_exception: ";

fn raise_exception(reason: String) -> Result<Value, Error> {
    Err(Error::new(
        ErrorKind::InvalidOperation,
        format!("{REFUSAL}{reason}"),
    ))
}

fn refusal(error: &Error) -> Option<&str> {
    error.detail()?.strip_prefix(REFUSAL)
}

fn strftime_now(format: &str) -> Result<String, Error> {
    let mut text = String::new();
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            text.push(letter);
            continue;
        }
        let asked = letters.next();
        let known = TODAY.iter().find(|(known, _)| Some(*known) == asked);
        match (known, asked) {
            (Some((_, part)), _) => text.push_str(part),
            (None, Some('%')) => text.push('%'),
            (None, _) => {
                let problem = format!("strftime_now: `{format}` has a part that is not known");
                return Err(Error::new(ErrorKind::InvalidOperation, problem));
            }
        }
    }
    Ok(text)
}

/// `json.dumps` with the arguments that transformers passes on: no escapes for HTML, and none
/// for what is not ASCII unless that is asked for.
fn to_json(value: Value, options: Kwargs) -> Result<String, Error> {
    let form = python_text::JsonForm {
        ascii: options
            .get::<Option<bool>>("ensure_ascii")?
            .unwrap_or(false),
        indent: options.get::<Option<usize>>("indent")?,
        separators: options.get::<Option<Vec<String>>>("separators")?,
        sorted: options.get::<Option<bool>>("sort_keys")?.unwrap_or(false),
    };
    options.assert_all_used()?;
    python_text::json(&value, &form)
}

/// Jinja's test is also true of texts and dictionaries.
fn is_sequence(value: &Value) -> bool {
    matches!(
        value.kind(),
        ValueKind::Seq | ValueKind::String | ValueKind::Map
    )
}

/// Jinja's test is not true of none, over which minijinja can iterate.
fn is_iterable(value: &Value) -> bool {
    !value.is_none() && value.try_iter().is_ok()
}

/// Python's methods: those of minijinja's own list, and some more of texts.
fn call_method(
    state: &mut State,
    value: &Value,
    method: &str,
    args: &[Value],
) -> Result<Value, Error> {
    let text = value.as_str().zip(args.first().and_then(Value::as_str));
    match (text, method) {
        (Some((text, prefix)), "removeprefix") => {
            Ok(text.strip_prefix(prefix).unwrap_or(text).into())
        }
        (Some((text, suffix)), "removesuffix") => {
            Ok(text.strip_suffix(suffix).unwrap_or(text).into())
        }
        (Some((text, at)), "partition") => Ok(match text.split_once(at) {
            Some((before, after)) => list(&[before, at, after]),
            None => list(&[text, "", ""]),
        }),
        (Some((text, at)), "rpartition") => Ok(match text.rsplit_once(at) {
            Some((before, after)) => list(&[before, at, after]),
            None => list(&["", "", text]),
        }),
        (Some((text, at)), "rsplit") => Ok(split_from_end(text, at, args.get(1))),
        _ => minijinja_contrib::pycompat::unknown_method_callback(state, value, method, args),
    }
}

/// Python's `rsplit` at a text, at most so often.
fn split_from_end(text: &str, at: &str, most: Option<&Value>) -> Value {
    let most = most.and_then(Value::as_usize).unwrap_or(usize::MAX - 1);
    let mut parts: Vec<&str> = text.rsplitn(most + 1, at).collect();
    parts.reverse();
    list(&parts)
}

fn list(texts: &[&str]) -> Value {
    texts.iter().copied().map(Value::from).collect()
}

/// Generation blocks mark what a model is trained on, and change no text: each becomes a scope,
/// which is what they are in transformers.
fn with_generation_blocks(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("{%") {
        let Some(end) = rest[start..].find("%}").map(|end| start + end + 2) else {
            break;
        };
        out.push_str(&rest[..start]);
        let tag = &rest[start..end];
        out.push_str(&as_scope(tag));
        rest = &rest[end..];
        if word_of(tag) == "raw" {
            // What is raw is text, up to the tag that ends it.
            let length = rest.find("endraw").unwrap_or(rest.len());
            out.push_str(&rest[..length]);
            rest = &rest[length..];
        }
    }
    out + rest
}

/// A tag `{% generation %}` or its end as the tag of a scope; any other as it is.
fn as_scope(tag: &str) -> String {
    let word = word_of(tag);
    match word {
        "generation" => tag.replacen(word, "with", 1),
        "endgeneration" => tag.replacen(word, "endwith", 1),
        _ => tag.to_owned(),
    }
}

/// What is in a tag.
fn word_of(tag: &str) -> &str {
    tag.trim_matches(|c: char| "{%}-+".contains(c) || c.is_whitespace())
}
