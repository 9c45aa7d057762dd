//! A JSON object of a file, read key by key; every error names the file and the key.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::error::{ModelError, Result};

/// A JSON object, with the path of keys that led to it.
pub(super) struct Object<'a> {
    pub(super) file: PathBuf,
    at: &'static str,
    value: &'a Value,
}

impl<'a> Object<'a> {
    /// The file's outermost value.
    pub(super) fn new(file: &Path, value: &'a Value) -> Self {
        Self {
            file: file.to_owned(),
            at: "",
            value,
        }
    }

    /// A value within the file, whose keys are reported after `at`.
    pub(super) fn within(file: &Path, at: &'static str, value: &'a Value) -> Self {
        Self {
            file: file.to_owned(),
            at,
            value,
        }
    }

    /// What is said before its keys.
    pub(super) fn at(&self) -> &'static str {
        self.at
    }

    pub(super) fn error<T>(&self, key: &str, problem: impl Into<String>) -> Result<T> {
        Err(ModelError::Config {
            file: self.file.clone(),
            key: format!("{}{key}", self.at),
            problem: problem.into(),
        })
    }

    /// Everything in it; nothing for a value that is no object.
    pub(super) fn members(&self) -> Map<String, Value> {
        self.value.as_object().cloned().unwrap_or_default()
    }

    /// Whether the key is there, be it null.
    pub(super) fn has(&self, key: &str) -> bool {
        self.value.get(key).is_some()
    }

    /// The value; absent and null are the same.
    pub(super) fn get(&self, key: &str) -> Option<&'a Value> {
        self.value.get(key).filter(|v| !v.is_null())
    }

    pub(super) fn text(&self, key: &str) -> Option<&'a str> {
        self.get(key).and_then(Value::as_str)
    }

    /// The object under a key, whose own keys are reported after `at`; `None` where the key is
    /// absent or null, or the object empty.
    pub(super) fn object(&self, key: &str, at: &'static str) -> Result<Option<Object<'a>>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Object(members)) if members.is_empty() => Ok(None),
            Some(value @ Value::Object(_)) => Ok(Some(Object {
                file: self.file.clone(),
                at,
                value,
            })),
            Some(_) => self.error(key, "is not an object"),
        }
    }

    pub(super) fn number(&self, key: &str) -> Result<Option<f64>> {
        match self.get(key).map(Value::as_f64) {
            None => Ok(None),
            Some(Some(number)) if number.is_finite() => Ok(Some(number)),
            Some(_) => self.error(key, "is not a number"),
        }
    }

    pub(super) fn positive(&self, key: &str) -> Result<Option<f64>> {
        match self.number(key)? {
            Some(number) if number <= 0.0 => self.error(key, format!("{number} is not above 0")),
            number => Ok(number),
        }
    }

    pub(super) fn size(&self, key: &str) -> Result<Option<usize>> {
        match self.get(key).map(Value::as_u64) {
            None => Ok(None),
            Some(Some(size)) => Ok(Some(size as usize)),
            Some(None) => self.error(key, "is not a whole number"),
        }
    }

    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>> {
        match self.get(key).map(Value::as_bool) {
            None => Ok(None),
            Some(Some(flag)) => Ok(Some(flag)),
            Some(None) => self.error(key, "is neither true nor false"),
        }
    }

    pub(super) fn need_size(&self, key: &str) -> Result<usize> {
        self.need(key, self.size(key)?)
    }

    pub(super) fn need_positive(&self, key: &str) -> Result<f64> {
        self.need(key, self.positive(key)?)
    }

    /// A list of numbers above 0.
    pub(super) fn need_positives(&self, key: &str) -> Result<Vec<f64>> {
        let value = self.need(key, self.get(key))?;
        let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
        let numbers: Vec<f64> = list.iter().filter_map(Value::as_f64).collect();
        let is_list = value.is_array() && numbers.len() == list.len();
        match is_list && numbers.iter().all(|n| n.is_finite() && *n > 0.0) {
            true => Ok(numbers),
            false => self.error(key, "is not a list of numbers above 0"),
        }
    }

    pub(super) fn need_flag(&self, key: &str) -> Result<bool> {
        self.need(key, self.flag(key)?)
    }

    pub(super) fn need<T>(&self, key: &str, value: Option<T>) -> Result<T> {
        let problem = if self.has(key) {
            "is null"
        } else {
            "is missing"
        };
        value.map_or_else(|| self.error(key, problem), Ok)
    }
}
