//! A key of `config.json`: its default, and what is done with it. Never here: keys.

/// A key of a class that has a part in the decoder, or looks as if it had. The harmless others
/// are in `keys.rs`.
pub(super) struct Key {
    pub(super) name: &'static str,
    /// As JSON; `None`: an absent key means something that no value says.
    pub(super) default: Option<&'static str>,
    pub(super) nullable: bool,
    /// The values that are not refused, as JSON; none: all are used.
    pub(super) only: &'static [&'static str],
}

pub(super) const fn used(name: &'static str, default: &'static str) -> Key {
    Key {
        name,
        default: Some(default),
        nullable: false,
        only: &[],
    }
}

/// Null is a value of the class's type.
pub(super) const fn nullable(name: &'static str, default: &'static str) -> Key {
    Key {
        nullable: true,
        ..used(name, default)
    }
}

/// Whoever reads it looks at the file itself.
pub(super) const fn as_written(name: &'static str) -> Key {
    Key {
        default: None,
        ..nullable(name, "")
    }
}

/// The class does not read it, and files have it: another program's word for what is always so.
pub(super) const fn idle(name: &'static str) -> Key {
    as_written(name)
}

/// This decoder has no part for any other value; the first is the default.
pub(super) const fn refused(name: &'static str, only: &'static [&'static str]) -> Key {
    Key {
        only,
        ..nullable(name, only[0])
    }
}
