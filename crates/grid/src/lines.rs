//! A shell line for each cell, for whatever starts processes: GNU parallel, HyperQueue, xargs, an
//! indexed job of Kubernetes.

use std::path::{Path, PathBuf};

use crate::{
    Cell, Plan,
    error::{Result, bail},
};

/// How the program is called again.
#[derive(Clone, Debug)]
pub struct Call {
    /// The program.
    pub program: PathBuf,
    /// The recipe.
    pub recipe: PathBuf,
    /// `--set` pairs.
    pub set: Vec<(String, String)>,
    /// `--out`, where it was given.
    pub out: Option<PathBuf>,
    /// `--device`.
    pub device: String,
    /// `--threads`, where it was given.
    pub threads: Option<u16>,
    /// `--redo`.
    pub redo: bool,
}

impl Call {
    /// The words of `lingualign grid run RECIPE ... --plan ID`, without cells.
    ///
    /// # Errors
    /// A path that is not UTF-8.
    pub fn words(&self, plan: &Plan) -> Result<Vec<String>> {
        let mut words = vec![
            text(&self.program)?,
            "grid".into(),
            "run".into(),
            text(&self.recipe)?,
        ];
        for (key, value) in &self.set {
            words.extend(["--set".to_owned(), format!("{key}={value}")]);
        }
        if let Some(out) = &self.out {
            words.extend(["--out".to_owned(), text(out)?]);
        }
        if self.device != "auto" {
            words.extend(["--device".to_owned(), self.device.clone()]);
        }
        if let Some(threads) = self.threads {
            words.extend(["--threads".to_owned(), threads.to_string()]);
        }
        if self.redo {
            words.push("--redo".to_owned());
        }
        words.extend(["--plan".to_owned(), plan.id.clone()]);
        Ok(words)
    }

    /// The line for some cells.
    ///
    /// # Errors
    /// A path that is not UTF-8, or holds a NUL.
    pub fn line(&self, plan: &Plan, cells: &[&Cell]) -> Result<String> {
        let mut words = self.words(plan)?;
        words.extend(["--cell".to_owned(), numbers(cells)]);
        quote(&words)
    }
}

/// `3,4,7`
pub(crate) fn numbers(cells: &[&Cell]) -> String {
    let numbers: Vec<String> = cells.iter().map(|cell| cell.number.to_string()).collect();
    numbers.join(",")
}

/// Words as a shell reads them.
pub(crate) fn quote(words: &[String]) -> Result<String> {
    match shlex::try_join(words.iter().map(String::as_str)) {
        Ok(line) => Ok(line),
        Err(_) => bail!("a NUL character in the recipe's path or a `--set`"),
    }
}

pub(crate) fn text(path: &Path) -> Result<String> {
    match path.to_str() {
        Some(text) => Ok(text.to_owned()),
        None => bail!("the path {} is not UTF-8; rename it", path.display()),
    }
}
