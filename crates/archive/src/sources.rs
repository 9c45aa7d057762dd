//! The files that a recipe reads: those of its data, and those that it names elsewhere. Never here: what is in them.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use audit::Scope;
use schema::Recipe;

use crate::{
    SourceFile,
    contents::FILES,
    error::{ArchiveError, Result},
};

/// Files by where they are.
pub(crate) struct Sources {
    /// Below the folder of data.
    pub(crate) data: BTreeMap<PathBuf, SourceFile>,
    /// Elsewhere: tasks and exemplars of the user's own.
    pub(crate) others: BTreeMap<PathBuf, SourceFile>,
}

impl Sources {
    /// Those of a recipe, hashed.
    ///
    /// # Errors
    /// One is missing or cannot be read.
    pub(crate) fn of_recipe(recipe: &Recipe) -> Result<Self> {
        let scope =
            Scope::of_recipe(recipe).map_err(|problem| ArchiveError::Unfit(problem.to_string()))?;
        let tests = scope.sources.iter().map(|source| source.path.clone());
        let exemplars = scope.exemplar_files().map(Path::to_owned);
        let tasks = recipe.own_task_files().into_iter().map(PathBuf::from);
        let (mut data, mut others) = (BTreeMap::new(), BTreeMap::new());
        for path in tests.chain(exemplars).chain(tasks) {
            let sha256 = hub::hash_file(&path)?;
            match path.strip_prefix(&recipe.data.dir) {
                Ok(inside) => {
                    let path_in_data = with_slashes(inside);
                    let file = SourceFile {
                        path: path_in_data,
                        sha256,
                    };
                    data.insert(path, file);
                }
                Err(_) => drop(others.insert(path, sha256)),
            }
        }
        let others = others.into_iter().enumerate().map(|(at, (path, sha256))| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let place = format!("{FILES}/{at}/{name}");
            (
                path,
                SourceFile {
                    path: place,
                    sha256,
                },
            )
        });
        Ok(Self {
            data,
            others: others.collect(),
        })
    }
}

/// A path with `/` on every system.
pub(crate) fn with_slashes(path: &Path) -> String {
    let parts: Vec<_> = path
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    parts.join("/")
}
