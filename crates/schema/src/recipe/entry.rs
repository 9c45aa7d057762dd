//! A key of a recipe as documentation: what it may hold, what it counts and means. Never here: which
//! keys there are.

/// What a section says of a key beside its type, default and rule.
#[derive(Clone, Copy)]
pub(super) struct KeyWords {
    pub(super) key: &'static str,
    pub(super) meaning: &'static str,
    /// Empty where it counts nothing.
    pub(super) unit: &'static str,
}

/// A key of a recipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyEntry {
    /// Dotted: `train.lora.rank`.
    pub key: String,
    /// Type and range, in Markdown.
    pub values: String,
    /// What it counts; empty where it counts nothing.
    pub unit: String,
    /// What holds where it is not given, in Markdown.
    pub default: String,
    /// A sentence or two.
    pub meaning: String,
}

impl KeyEntry {
    /// `rendered`: the default as a recipe is rendered, `key = value` or a comment.
    pub(super) fn new(prefix: &str, words: KeyWords, values: String, rendered: &str) -> Self {
        let rendered = rendered.trim_end();
        let not_given = format!("# {}: not given, ", words.key);
        let default = match rendered.strip_prefix(&not_given) {
            Some(otherwise) => otherwise.to_owned(),
            None => {
                let value = rendered
                    .split_once(" = ")
                    .map_or(rendered, |(_, value)| value);
                format!("`{}`", value.replace('\n', "\\n"))
            }
        };
        Self {
            key: format!("{prefix}{}", words.key),
            values,
            unit: words.unit.to_owned(),
            default,
            meaning: words.meaning.to_owned(),
        }
    }

    /// A key outside of every section that `section!` makes.
    pub(super) fn of_file(key: &str, values: &str, default: &str, meaning: &str) -> Self {
        Self {
            key: key.to_owned(),
            values: values.to_owned(),
            unit: String::new(),
            default: default.to_owned(),
            meaning: meaning.to_owned(),
        }
    }
}
