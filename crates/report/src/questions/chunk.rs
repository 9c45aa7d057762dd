//! A file of data that the page loads as a script: one call with a name and a value. Never here:
//! what the value is.

use std::path::Path;

use schema::{disk::DiskError, write_whole};
use serde::Serialize;

/// Writes `lingualign(NAME, VALUE)`.
pub(super) fn write_chunk(
    path: &Path,
    name: &str,
    value: &impl Serialize,
) -> Result<(), DiskError> {
    let json = |problem: serde_json::Error| DiskError::at("write", path)(problem.into());
    let mut call = String::from("lingualign(");
    call += &script_safe(&serde_json::to_string(name).map_err(json)?);
    call.push(',');
    call += &script_safe(&serde_json::to_string(value).map_err(json)?);
    call += ");\n";
    write_whole(path, call.as_bytes())
}

/// JSON with nothing that ends a script or a line of one: such characters are within texts only,
/// where they may be written as numbers.
fn script_safe(json: &str) -> String {
    json.replace('<', "\\u003c")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_ends_the_script() {
        let text = "</script><!--\u{2028}\u{2029}\u{0}\u{202e}\"\\ \u{7f}".to_owned();
        let json = serde_json::to_string(&text).expect("JSON");
        let safe = script_safe(&json);
        assert!(
            !safe.contains(['<', '\u{2028}', '\u{2029}', '\u{0}']),
            "{safe}"
        );
        assert_eq!(serde_json::from_str::<String>(&safe).expect("JSON"), text);
    }
}
