//! Typed access to GGUF metadata. `text` and its like return `None` for an absent key and an
//! error for a value of another kind; `need_text` and its like take absence for an error too.
//! Integers of any width and sign are one kind, because converters differ in their choice;
//! nothing else is converted. Never here: parsing.

use super::{Header, Value};
use crate::HubError;

impl Value {
    fn kind(&self) -> &'static str {
        match self {
            Self::Unsigned(_) => "an unsigned integer",
            Self::Signed(_) => "a signed integer",
            Self::Float(_) => "a float",
            Self::Bool(_) => "a truth value",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
        }
    }

    fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    fn as_unsigned(&self) -> Option<u64> {
        match *self {
            Self::Unsigned(number) => Some(number),
            Self::Signed(number) => u64::try_from(number).ok(),
            _ => None,
        }
    }

    fn as_signed(&self) -> Option<i64> {
        match *self {
            Self::Unsigned(number) => i64::try_from(number).ok(),
            Self::Signed(number) => Some(number),
            _ => None,
        }
    }

    fn as_float(&self) -> Option<f64> {
        match *self {
            Self::Float(number) => Some(number),
            _ => None,
        }
    }

    fn as_bool(&self) -> Option<bool> {
        match *self {
            Self::Bool(truth) => Some(truth),
            _ => None,
        }
    }

    fn as_list(&self) -> Option<&[Self]> {
        match self {
            Self::List(values) => Some(values),
            _ => None,
        }
    }
}

macro_rules! accessors {
    ($($(#[doc = $doc:literal])+ $name:ident $need:ident -> $kind:ty, $wanted:literal, $read:expr;)+) => {
        impl Header {
            $(
                $(#[doc = $doc])+
                ///
                /// # Errors
                /// [`HubError::Gguf`], naming file and key, if the value is of another kind or
                /// range.
                pub fn $name(&self, key: &str) -> Result<Option<$kind>, HubError> {
                    let read: fn(&Value) -> Option<$kind> = $read;
                    match self.metadata.get(key) {
                        None => Ok(None),
                        Some(value) => read(value).map(Some).ok_or_else(|| self.wrong_kind(key, value, $wanted)),
                    }
                }

                $(#[doc = $doc])+
                /// The key must be there.
                ///
                /// # Errors
                /// [`HubError::Gguf`], naming file and key, if it is absent or of another kind
                /// or range.
                pub fn $need(&self, key: &str) -> Result<$kind, HubError> {
                    self.$name(key)?.ok_or_else(|| self.absent(key, $wanted))
                }
            )+
        }
    };
}

accessors! {
    /// The text at `key`.
    text need_text -> &str, "text", Value::as_text;
    /// The integer at `key`, which is not negative.
    unsigned need_unsigned -> u64, "a non-negative integer", Value::as_unsigned;
    /// The integer at `key`.
    signed need_signed -> i64, "an integer", Value::as_signed;
    /// The float at `key`.
    float need_float -> f64, "a float", Value::as_float;
    /// The truth value at `key`.
    bool need_bool -> bool, "a truth value", Value::as_bool;
    /// The list at `key`.
    list need_list -> &[Value], "a list", Value::as_list;
    /// The list of texts at `key`.
    texts need_texts -> Vec<&str>, "a list of texts", |v| v.as_list()?.iter().map(Value::as_text).collect();
    /// The list of non-negative integers at `key`.
    unsigneds need_unsigneds -> Vec<u64>, "a list of non-negative integers",
        |v| v.as_list()?.iter().map(Value::as_unsigned).collect();
    /// The list of integers at `key`.
    integers need_integers -> Vec<i64>, "a list of integers", |v| v.as_list()?.iter().map(Value::as_signed).collect();
    /// The list of floats at `key`.
    floats need_floats -> Vec<f64>, "a list of floats", |v| v.as_list()?.iter().map(Value::as_float).collect();
}

impl Header {
    fn wrong_kind(&self, key: &str, value: &Value, wanted: &str) -> HubError {
        let found = match value {
            Value::Signed(number) => format!("the integer {number}"),
            Value::Unsigned(number) => format!("the integer {number}"),
            Value::List(values) => match values.first() {
                Some(first) => format!("a list whose first element is {}", first.kind()),
                None => "an empty list".into(),
            },
            other => other.kind().into(),
        };
        self.error(
            key,
            format!("is {found}, but must be {wanted}; the file comes from a faulty converter"),
        )
    }

    fn absent(&self, key: &str, wanted: &str) -> HubError {
        self.error(
            key,
            format!(
                "is absent, but must be {wanted}; convert the model again with a current converter"
            ),
        )
    }
}
