//! An archive written from a run's folder. Its bytes depend on the run alone, not on when or where it is packed.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Seek, Write},
    path::{Path, PathBuf},
};

use run::{FinishedRun, RunError, RunOptions, Stage, Watch, program};
use schema::{
    disk::{DiskError, write_with},
    run_folder::RunFolder,
};
use zip::{CompressionMethod, DateTime, ZipWriter, write::SimpleFileOptions};

use crate::{
    Contents,
    contents::{FORMAT, NAME, RECIPE, RUN},
    error::{ArchiveError, Result, bail},
    sources::{Sources, with_slashes},
};

/// What was packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packed {
    /// Files of the run.
    pub files: usize,
    /// Files of the run that are named by their hashes.
    pub left_out: usize,
    /// Files of data that are named by their hashes.
    pub data: usize,
    /// Bytes of the archive.
    pub bytes: u64,
}

/// Packs a finished run into the file `out`: recipe, manifest, every file of its stages, the report; data and model by
/// their hashes. Hidden states are left out unless `with_captures`,
/// texts of questions and pairs where the recipe keeps texts out of its report.
///
/// # Errors
/// The run is not finished; a file of it, or of its data, has changed since; a file cannot be read or written; an
/// interruption.
pub fn pack(
    folder: &RunFolder,
    out: &Path,
    with_captures: bool,
    watch: &mut dyn Watch,
) -> Result<Packed> {
    let finished = run::read_finished(folder)?;
    refuse_changes(&finished, folder, watch)?;
    let sources = Sources::of_recipe(&finished.recipe)?;
    let mut members = find_members(folder, &finished)?;
    let with_texts = finished.recipe.report.texts;
    let is_left_out = |name: &str| {
        let is_states = name.starts_with("captures/") && name.ends_with(".safetensors");
        let is_text = name.starts_with("questions/") || name.starts_with("data/");
        is_states && !with_captures || is_text && !with_texts
    };
    let left_out: BTreeMap<String, String> = members
        .extract_if(.., |name, _| is_left_out(name))
        .map(|(name, member)| (name, member.sha256))
        .collect();
    let contents = Contents {
        left_out,
        ..describe(&finished, &sources, &members)
    };
    watch.start("pack", members.len(), "files");
    let mut failure = None;
    let written = write_with(out, |file| {
        let mut zip = ZipWriter::new(file);
        let added = add_all(&mut zip, &contents, &finished, &sources, &members, watch);
        failure = added.err();
        match &failure {
            None => zip.finish().map(drop).map_err(io::Error::from),
            Some(_) => Err(io::Error::other("not packed")),
        }
    });
    if let Some(failure) = failure {
        return Err(failure);
    }
    written?;
    watch.finish("");
    let bytes = std::fs::metadata(out).map_err(DiskError::at("read", out))?;
    Ok(Packed {
        files: members.len(),
        left_out: contents.left_out.len(),
        data: sources.data.len(),
        bytes: bytes.len(),
    })
}

/// Hashes of today must be those of what the run read.
fn refuse_changes(finished: &FinishedRun, folder: &RunFolder, watch: &mut dyn Watch) -> Result<()> {
    let options = RunOptions {
        out: Some(folder.root().to_owned()),
        device: finished.device.clone(),
        ..RunOptions::whole()
    };
    let model = run::session::find(&finished.recipe.model, watch)?;
    let survey = run::survey(&finished.recipe, &options, &model)?;
    let is_changed =
        |status: &&run::StageStatus| !status.is_done && !matches!(status.stage, Stage::Report);
    if let Some(changed) = survey.stages.iter().find(is_changed) {
        bail!(
            "{}: `{}` would be made again, since data, model or files have changed; run its recipe again first",
            folder.root().display(),
            changed.stage.name()
        );
    }
    Ok(())
}

/// A file of the run.
struct Member {
    path: PathBuf,
    sha256: String,
}

/// The files of its stages, its manifest and its report, by their paths in the run's folder.
fn find_members(folder: &RunFolder, finished: &FinishedRun) -> Result<BTreeMap<String, Member>> {
    // Just found to be as the manifest has them.
    let outputs = finished.outputs().map(|(file, sha256)| {
        let path = folder.root().join(file);
        let sha256 = sha256.clone();
        (file.clone(), Member { path, sha256 })
    });
    let mut members: BTreeMap<_, _> = outputs.collect();
    let mut others = vec![folder.manifest()];
    list_files(&folder.report(), &mut others)?;
    for path in others {
        let inside = path.strip_prefix(folder.root()).unwrap_or(&path);
        let name = with_slashes(inside);
        let sha256 = hub::hash_file(&path)?;
        members.insert(name, Member { path, sha256 });
    }
    Ok(members)
}

fn list_files(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    let entries = folder.read_dir().map_err(DiskError::at("list", folder))?;
    for entry in entries {
        let path = entry.map_err(DiskError::at("list", folder))?.path();
        // Links are left out: what they lead to is not of this run.
        if path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            list_files(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

fn describe(
    finished: &FinishedRun,
    sources: &Sources,
    members: &BTreeMap<String, Member>,
) -> Contents {
    let others = sources.others.iter();
    Contents {
        format: FORMAT,
        program: program().to_owned(),
        name: finished.recipe.name.clone(),
        model: finished.recipe.model.clone(),
        model_fingerprint: finished.model_fingerprint.clone(),
        device: finished.device.clone(),
        instruction_set: finished.instruction_set.clone(),
        data: sources.data.values().cloned().collect(),
        files: others
            .map(|(path, file)| (with_slashes(path), file.clone()))
            .collect(),
        run: members
            .iter()
            .map(|(name, member)| (name.clone(), member.sha256.clone()))
            .collect(),
        left_out: BTreeMap::new(),
    }
}

fn add_all<W: Write + Seek>(
    zip: &mut ZipWriter<W>,
    contents: &Contents,
    finished: &FinishedRun,
    sources: &Sources,
    members: &BTreeMap<String, Member>,
    watch: &mut dyn Watch,
) -> Result<()> {
    let text =
        serde_json::to_string_pretty(contents).map_err(ArchiveError::damaged(Path::new(NAME)))?;
    add(zip, NAME, &mut text.as_bytes(), Path::new(NAME))?;
    let recipe = finished.recipe.render();
    add(zip, RECIPE, &mut recipe.as_bytes(), Path::new(RECIPE))?;
    for (path, file) in &sources.others {
        add_file(zip, &file.path, path)?;
    }
    for (done, (name, member)) in members.iter().enumerate() {
        if watch.is_interrupted() {
            let message = "interrupted while the run was packed; nothing was written";
            return Err(RunError::Interrupted(message.to_owned()).into());
        }
        add_file(zip, &format!("{RUN}/{name}"), &member.path)?;
        watch.advance(done + 1, name);
    }
    Ok(())
}

fn add_file<W: Write + Seek>(zip: &mut ZipWriter<W>, name: &str, path: &Path) -> Result<()> {
    let mut file = File::open(path).map_err(DiskError::at("read", path))?;
    add(zip, name, &mut file, path)
}

fn add<W: Write + Seek>(
    zip: &mut ZipWriter<W>,
    name: &str,
    content: &mut dyn io::Read,
    path: &Path,
) -> Result<()> {
    // Of no time, so that the same run has the same bytes; sizes beyond 4 GiB are allowed for.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644)
        .large_file(true);
    zip.start_file(name, options)
        .map_err(ArchiveError::of_zip(path))?;
    io::copy(content, zip).map_err(DiskError::at("pack", path))?;
    Ok(())
}
