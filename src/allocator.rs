//! mimalloc, set to keep freed memory: training and evaluation ask for the same large buffers
//! again and again, and giving them back in between costs a quarter of a step in page faults.

use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// `mi_option_purge_delay` of mimalloc's `mi_option_t`; the bindings do not name it.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// Keeps freed memory. A value that the user set in the environment stays.
pub(crate) fn retain_memory() {
    if std::env::var_os("MIMALLOC_PURGE_DELAY").is_none() {
        // SAFETY: called once before any other thread is started; the option exists and takes
        // -1 for never.
        unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, -1) };
    }
}
