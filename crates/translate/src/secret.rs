//! A key that is never shown. Never here: where it is sent.

use std::fmt;

use crate::TranslateError;

/// A key or token, for an `Authorization` header or the like. It prints as `***`.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Reads the variable `name` through `lookup`; `None` if it is not set or blank.
    ///
    /// # Errors
    /// The value cannot be sent in a header; the message names the variable, not the value.
    pub fn look_up(
        engine: &str,
        name: &str,
        lookup: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, TranslateError> {
        let Some(value) = lookup(name) else {
            return Ok(None);
        };
        let value = value.trim();
        if !value.bytes().all(|byte| byte.is_ascii_graphic()) {
            let problem = format!(
                "the value of {name} has characters that are not allowed in a key; set it again"
            );
            return Err(TranslateError::Settings {
                engine: engine.to_owned(),
                problem,
            });
        }
        Ok((!value.is_empty()).then(|| Self(value.to_owned())))
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    /// `text` with every occurrence of the secret blotted out.
    pub(crate) fn redact(&self, text: &str) -> String {
        text.replace(&self.0, "***")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_shown() {
        let found = Secret::look_up("deepl", "KEY", &|_| Some(" s3cret:fx\n".to_owned()))
            .expect("sound")
            .expect("set");
        assert_eq!(found.reveal(), "s3cret:fx");
        assert_eq!(format!("{found:?}"), "***");
        assert_eq!(found.redact("bad key s3cret:fx!"), "bad key ***!");
        assert!(
            Secret::look_up("deepl", "KEY", &|_| Some("  ".to_owned()))
                .expect("sound")
                .is_none()
        );
        let error = Secret::look_up("deepl", "KEY", &|_| Some("a b".to_owned()))
            .expect_err("a blank within");
        assert_eq!(
            error.to_string(),
            "engine deepl: the value of KEY has characters that are not allowed in a key; set it again"
        );
    }
}
