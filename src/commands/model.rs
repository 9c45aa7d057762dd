//! `model list | pull | verify | random | show`.

use std::process::ExitCode;

use anyhow::Result;
use hub::{Cache, FileState, ModelFiles, Sources, Upload, catalogue};
use run::{
    Downloads, OutputCheck,
    estimate::gigabytes,
    publish::{self, Publication},
    random_model::{self, RandomModelRequest},
    session,
};
use schema::run_folder::RunFolder;

use crate::{
    cli::{ModelCommand, PushArgs, RandomArgs},
    progress::{Terminal, note, note_peak_memory, result},
};

pub(super) fn run(command: ModelCommand) -> Result<ExitCode> {
    match command {
        ModelCommand::List => list()?,
        ModelCommand::Pull { name, force } => pull(&name, force)?,
        ModelCommand::Verify { name } => return verify(name.as_deref()),
        ModelCommand::Random(args) => random(&args)?,
        ModelCommand::Push(args) => push(&args)?,
        ModelCommand::Show { model } => show(&model)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn pull(name: &str, force: bool) -> Result<()> {
    let mut terminal = Terminal::default();
    let model = if force {
        let downloads = &mut Downloads::new(&mut terminal);
        hub::fetch_model_again(name, &Cache::from_env()?, &Sources::from_env(), downloads)?
    } else {
        session::find(name, &mut terminal)?
    };
    result(&format!("{}\t{}", model.name, describe(&model.files)));
    if let Some(revision) = model.revision {
        note(&format!("from {revision}"));
    }
    Ok(())
}

/// One line for each file; exit code 1 if one is not as it was fetched.
fn verify(name: Option<&str>) -> Result<ExitCode> {
    let mut terminal = Terminal::default();
    let cache = Cache::from_env()?;
    let checked = hub::verify(name, &cache, &mut Downloads::new(&mut terminal))?;
    let mut wrong = 0;
    for file in &checked {
        let (word, why) = match &file.state {
            FileState::Whole => ("whole", ""),
            FileState::Missing => ("missing", ""),
            FileState::Damaged(why) => ("damaged", why.as_str()),
        };
        wrong += usize::from(file.state != FileState::Whole);
        let line = format!("{word}\t{}\t{why}", file.path.display());
        result(line.trim_end());
    }
    if wrong == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    note(&format!(
        "{wrong} of {} files are not as they were fetched; `lingualign model pull NAME --force` fetches a model again, and \
         `data import --hub` a data set's damaged files",
        checked.len()
    ));
    Ok(ExitCode::from(1))
}

fn list() -> Result<()> {
    let cache = Cache::from_env()?;
    for entry in catalogue::entries() {
        let here = if hub::find_local(entry.name, &cache)?.is_some() {
            "here"
        } else {
            "-"
        };
        result(&format!(
            "{:<26} {:>8.2} B  {here:<5} {:<24} {}{}",
            entry.name,
            entry.parameters as f64 / 1e9,
            entry.title,
            entry.licence,
            if entry.is_gated { ", gated" } else { "" }
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

fn random(args: &RandomArgs) -> Result<()> {
    let request = RandomModelRequest {
        like: &args.like,
        format: args.dtype,
        seed: args.seed,
        layers: args.layers,
        out: &args.out,
        replace: args.replace,
    };
    let size = random_model::make(&request, &mut Terminal::default())?;
    note(&format!(
        "wrote {}: {:.2} B random weights, {}",
        args.out.display(),
        size.parameters as f64 / 1e9,
        gigabytes(size.bytes)
    ));
    note_peak_memory();
    Ok(())
}

/// Sends an adapter to the hub, or only writes what would be sent.
fn push(args: &PushArgs) -> Result<()> {
    let run = RunFolder::new(&args.run);
    let mut terminal = Terminal::default();
    let publication = Publication {
        run: &run,
        adapter: args.adapter.as_deref(),
        id: &args.id.id,
        base: args.base.as_deref(),
    };
    if let Some(out) = &args.out {
        OutputCheck::new(false).folder(out, &|_| false)?;
        publish::prepare(&publication, out, &mut terminal)?;
        result(&out.display().to_string());
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let adapter = publish::prepare(&publication, folder.path(), &mut terminal)?;
    let upload = Upload {
        id: &args.id,
        folder: folder.path(),
        files: &publish::FILES,
        is_private: args.private,
        summary: &format!("{adapter}, trained by lingualign"),
    };
    let downloads = &mut Downloads::new(&mut terminal);
    result(&hub::upload_model(
        &upload,
        &Sources::from_env(),
        downloads,
    )?);
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
