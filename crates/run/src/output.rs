//! Whether a result can be written, before the work is done.

use std::path::Path;

use crate::{
    RunError,
    error::{At, Result},
};

/// Fails where `file` could not be written.
///
/// # Errors
/// It is a folder, or its folder cannot be made or written into.
pub fn check_out(file: &Path) -> Result<()> {
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    if file.is_dir() {
        return Err(RunError::Unfit(format!(
            "cannot write {}: it is a folder",
            file.display()
        )));
    }
    std::fs::create_dir_all(folder).at_path("create", folder)?;
    tempfile::tempfile_in(folder).at(|| format!("cannot write into {}", folder.display()))?;
    Ok(())
}
