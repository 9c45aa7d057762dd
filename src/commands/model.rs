//! `model list | pull | show`.

use anyhow::Result;
use hub::{Cache, ModelFiles, catalogue};
use run::session;

use crate::{
    cli::ModelCommand,
    progress::{Terminal, note, result},
};

pub(super) fn run(command: ModelCommand) -> Result<()> {
    match command {
        ModelCommand::List => list(),
        ModelCommand::Pull { name } => {
            let model = session::find(&name, &mut Terminal::default())?;
            result(&format!("{}\t{}", model.name, describe(&model.files)));
            if let Some(revision) = model.revision {
                note(&format!("from {revision}"));
            }
            Ok(())
        }
        ModelCommand::Show { model } => show(&model),
    }
}

fn list() -> Result<()> {
    let cache = Cache::from_env()?;
    for entry in catalogue::ENTRIES {
        let here = if hub::find_local(entry.name, &cache)?.is_some() {
            "here"
        } else {
            "-"
        };
        result(&format!(
            "{:<26} {:>8.2} B  {here:<5} {}",
            entry.name,
            entry.parameters as f64 / 1e9,
            entry.title
        ));
    }
    for cached in cache.list()? {
        let origin = cached
            .origin
            .map_or("not finished".to_owned(), |o| format!("{o:?}"));
        note(&format!(
            "{}  {:.1} MB  {origin}",
            cached.dir.display(),
            cached.bytes as f64 / 1e6
        ));
    }
    Ok(())
}

fn describe(files: &ModelFiles) -> String {
    match files {
        ModelFiles::Folder { dir, .. } => dir.display().to_string(),
        ModelFiles::Gguf { path } => path.display().to_string(),
    }
}

fn show(name: &str) -> Result<()> {
    let model = session::find(name, &mut Terminal::default())?;
    let config = session::config(&model.files)?;
    result(&format!("name        {}", model.name));
    result(&format!("files       {}", describe(&model.files)));
    result(&format!(
        "source      {}",
        model.revision.as_deref().unwrap_or("local")
    ));
    result(&format!("fingerprint {}", hub::fingerprint(&model.files)?));
    result(&format!("{config:#?}"));
    Ok(())
}
