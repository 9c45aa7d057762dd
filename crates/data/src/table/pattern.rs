//! Names and paths of files against patterns with `*`. Never here: reading a folder.

use std::path::Path;

/// Whether the last parts of a path are like `pattern`, in which `*` matches anything but a
/// slash.
pub fn ends_like(path: &Path, pattern: &str) -> bool {
    let patterns: Vec<&str> = pattern.split('/').collect();
    let parts: Vec<String> = path
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    parts.len() >= patterns.len()
        && patterns
            .iter()
            .rev()
            .zip(parts.iter().rev())
            .all(|(pattern, part)| is_like(part, pattern))
}

/// Whether a name is like `pattern`, in which `*` matches anything.
pub fn is_like(name: &str, pattern: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else {
        return name == pattern;
    };
    let Some(rest) = name.strip_prefix(before) else {
        return false;
    };
    rest.char_indices()
        .map(|(at, _)| at)
        .chain([rest.len()])
        .any(|at| is_like(&rest[at..], after))
}
