//! A repository on the hub: `org/name[@revision]`. Never here: network.

use std::{fmt, str::FromStr};

/// A repository and the branch, tag or commit of it that is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubId {
    /// `org/name`.
    pub id: String,
    /// Branch, tag or commit; `main` unless given.
    pub revision: String,
}

/// The revision of an id that names none.
const DEFAULT_REVISION: &str = "main";

/// The text is no hub id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no hub id; one looks like `org/name` or `org/name@revision`")]
pub struct NoHubId(String);

impl HubId {
    /// The id at its default revision, `main`.
    pub(crate) fn at_default(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            revision: DEFAULT_REVISION.to_owned(),
        }
    }
}

impl FromStr for HubId {
    type Err = NoHubId;

    fn from_str(text: &str) -> Result<Self, NoHubId> {
        let (id, revision) = text.split_once('@').unwrap_or((text, DEFAULT_REVISION));
        let named =
            matches!(id.split_once('/'), Some((org, name)) if is_part(org) && is_part(name));
        if !named || !revision.split('/').all(is_part) {
            return Err(NoHubId(text.to_owned()));
        }
        Ok(Self {
            id: id.to_owned(),
            revision: revision.to_owned(),
        })
    }
}

/// The hub's own rule. It also keeps a part usable as a folder's name: no `..`, no leading dot,
/// and `--` free as a separator.
fn is_part(part: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let edge = |c: char| matches!(c, '-' | '.');
    !part.is_empty()
        && part.len() <= 96
        && part.chars().all(allowed)
        && !part.starts_with(edge)
        && !part.ends_with(edge)
        && !part.contains("..")
        && !part.contains("--")
}

impl fmt::Display for HubId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.id, self.revision)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_ids_with_and_without_revision() {
        let id: HubId = "Qwen/Qwen1.5-4B".parse().expect("an id");
        assert_eq!(
            (id.id.as_str(), id.revision.as_str()),
            ("Qwen/Qwen1.5-4B", "main")
        );
        let id: HubId = "a/b_c@refs/pr/1".parse().expect("an id");
        assert_eq!(id.to_string(), "a/b_c@refs/pr/1");
    }

    #[test]
    fn refuses_what_could_leave_the_cache() {
        for text in [
            "a", "a/b/c", "/b", "a/", "../b", "a/..", "./b", "a/b@", "a/b@../c", "a/b@x@y",
            "a b/c", "a/b--c", "a/b..c", "a/b%2F",
        ] {
            assert!(text.parse::<HubId>().is_err(), "{text}");
        }
    }
}
