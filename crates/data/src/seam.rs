//! The one place where a panic of a library is caught and becomes an error. Libraries that read
//! files from anywhere (Parquet, tokenizers) panic on some damaged ones. Never here: panics of
//! our own, which are faults to be mended.

use std::{
    cell::Cell,
    panic::{self, AssertUnwindSafe},
    sync::Once,
};

thread_local! {
    /// Whether this thread is within [`guard`], where a panic is no news for the terminal.
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

static QUIET: Once = Once::new();

/// Runs `read`; a panic within becomes an error with the panic's words.
pub(crate) fn guard<T>(read: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    QUIET.call_once(keep_guarded_panics_quiet);
    let outer = GUARDED.replace(true);
    // What a panic leaves half done is dropped with the reader: nobody goes on with it.
    let result = panic::catch_unwind(AssertUnwindSafe(read));
    GUARDED.set(outer);
    result.unwrap_or_else(|payload| {
        let words = match (
            payload.downcast_ref::<&str>(),
            payload.downcast_ref::<String>(),
        ) {
            (Some(words), _) => (*words).to_owned(),
            (None, Some(words)) => words.clone(),
            (None, None) => "of an unknown kind".to_owned(),
        };
        Err(format!("its reader failed ({words}): the file is damaged"))
    })
}

fn keep_guarded_panics_quiet() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |information| {
        if !GUARDED.get() {
            before(information);
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_and_the_next_one_is_seen() {
        let failed: Result<(), String> = guard(|| panic!("index {} out of range", 7));
        assert_eq!(
            failed.expect_err("panicked"),
            "its reader failed (index 7 out of range): the file is damaged"
        );
        assert!(!GUARDED.get());
        assert_eq!(guard(|| Ok(1)), Ok(1));
    }
}
