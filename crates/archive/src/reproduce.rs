//! An archive's recipe run again, from data and a model with the same hashes, and what came out held against the archive.

use std::path::{Path, PathBuf};

use run::{OutputCheck, RunOptions, Watch};
use schema::{Recipe, listing::in_lines, run_folder::RunFolder, write_whole};
use serde::{Deserialize, Serialize};

use crate::{
    Archive, Contents, Likeness, StageDifference,
    contents::{NAME, RECIPE, RUN},
    differences::compare_runs,
    error::{ArchiveError, Result, bail},
};

/// Problems that a message lists.
const LISTED: usize = 8;

/// What is repeated, and where.
pub struct ReproductionRequest<'a> {
    /// The archive.
    pub archive: &'a Path,
    /// The folder for what is unpacked and made; `None`: `reproduced/` and the recipe's name.
    pub out: Option<&'a Path>,
    /// The folder of data, if it is not where the recipe says.
    pub data: Option<&'a Path>,
    /// The model, if it has another name here.
    pub model: Option<&'a str>,
    /// `auto`, `cpu`, `cuda`, `cuda:N` or `metal`.
    pub device: &'a str,
}

/// `reproduction.json`: what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reproduction {
    /// The recipe's name.
    pub name: String,
    /// What made the original: program, device and instruction set.
    pub original: [String; 3],
    /// What made it here.
    pub again: [String; 3],
    /// Every stage of the original.
    pub stages: Vec<StageDifference>,
    /// The folder with both.
    #[serde(skip)]
    pub folder: PathBuf,
}

impl Reproduction {
    /// Whether every answer came out again.
    pub fn has_same_answers(&self) -> bool {
        self.stages.iter().all(|stage| {
            matches!(
                stage.likeness,
                Likeness::Same | Likeness::Numbers { .. } | Likeness::Bytes { .. }
            )
        })
    }
}

/// Repeats the run of an archive. What is finished is kept, so the same call resumes.
///
/// # Errors
/// The archive is damaged; data or model are not there or have other hashes; as [`run::run_with`].
pub fn reproduce(request: &ReproductionRequest<'_>, watch: &mut dyn Watch) -> Result<Reproduction> {
    let mut archive = Archive::open(request.archive)?;
    let usual = Path::new("reproduced").join(&archive.contents.name);
    let folder = request.out.map_or(usual, Path::to_owned);
    let packed = folder.join("packed");
    let is_ours = |folder: &Path| folder.join("packed").join(NAME).is_file();
    OutputCheck::new(false)
        .reading("the archive", request.archive)
        .folder(&folder, &is_ours)?;
    refuse_another_archive(&packed, &archive.contents)?;
    // First of all, so that what is in the folder is known for this command's.
    archive.unpack(&packed, watch)?;
    let recipe = find_recipe(&mut archive, &packed, request)?;
    refuse_other_sources(&archive.contents, &recipe)?;
    refuse_another_model(&archive.contents, &recipe, watch)?;
    let again = RunFolder::new(folder.join("again"));
    let options = RunOptions {
        out: Some(again.root().to_owned()),
        device: request.device.to_owned(),
        ..RunOptions::whole()
    };
    run::run_with(&recipe, &options, watch)?;
    let reproduction = hold_against(&archive.contents, &packed.join(RUN), &again, &folder)?;
    let text = serde_json::to_string_pretty(&reproduction)
        .map_err(ArchiveError::damaged(request.archive))?;
    write_whole(&folder.join("reproduction.json"), (text + "\n").as_bytes())?;
    Ok(reproduction)
}

/// A folder belongs to one archive.
fn refuse_another_archive(packed: &Path, contents: &Contents) -> Result<()> {
    let file = packed.join(NAME);
    let Ok(text) = std::fs::read_to_string(&file) else {
        return Ok(());
    };
    match serde_json::from_str::<Contents>(&text) {
        Ok(there) if there == *contents => Ok(()),
        _ => bail!(
            "{} was unpacked from another archive; name another folder with --out",
            packed.display()
        ),
    }
}

/// The archive's recipe with data, model and task files where they are here.
fn find_recipe(
    archive: &mut Archive,
    packed: &Path,
    request: &ReproductionRequest<'_>,
) -> Result<Recipe> {
    let files = archive.contents.files.clone();
    let recipe = Recipe::parse(Path::new(RECIPE), &archive.recipe()?, &[])?;
    let mut recipe = recipe.with_task_files_at(|given| {
        let file = files.get(given)?;
        Some(packed.join(&file.path).to_string_lossy().into_owned())
    });
    if let Some(data) = request.data {
        recipe.data.dir = data.to_owned();
    }
    if let Some(model) = request.model {
        recipe.model = model.to_owned();
    }
    Ok(recipe)
}

/// Every file of data must be the one that the original read.
fn refuse_other_sources(contents: &Contents, recipe: &Recipe) -> Result<()> {
    let mut problems = Vec::new();
    let data = contents.data.iter();
    let of_data = data.map(|file| (recipe.data.dir.join(&file.path), &file.sha256));
    // Exemplars are named by their paths in records, so they stay where they were.
    let of_files = contents.files.iter();
    let exemplars = of_files.filter(|(given, _)| !given.ends_with(".toml"));
    let of_exemplars = exemplars.map(|(given, file)| (PathBuf::from(given), &file.sha256));
    for (path, sha256) in of_data.chain(of_exemplars) {
        if !path.is_file() {
            problems.push(format!("{} is not there", path.display()));
        } else if hub::hash_file(&path)? != *sha256 {
            problems.push(format!("{} is another file", path.display()));
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    bail!(
        "`{}` was made from other files:\n{}\nthe folder of data is named by --data; files outside of it are in the \
         archive, below `files`",
        contents.name,
        in_lines(&problems, LISTED)
    )
}

fn refuse_another_model(contents: &Contents, recipe: &Recipe, watch: &mut dyn Watch) -> Result<()> {
    let model = run::session::find(&recipe.model, watch)?;
    let fingerprint = hub::fingerprint(&model.files)?;
    if fingerprint == contents.model_fingerprint {
        return Ok(());
    }
    bail!(
        "`{}` was made with another model: the fingerprint of `{}` is {fingerprint} here and {} in the archive; name the \
         right one with --model",
        contents.name,
        recipe.model,
        contents.model_fingerprint
    )
}

fn hold_against(
    contents: &Contents,
    original: &Path,
    again: &RunFolder,
    folder: &Path,
) -> Result<Reproduction> {
    let before = run::read_finished(&RunFolder::new(original))?;
    let after = run::read_finished(again)?;
    let stages = compare_runs(
        (&before, original),
        &contents.left_out,
        (&after, again.root()),
    )?;
    Ok(Reproduction {
        name: contents.name.clone(),
        original: [&contents.program, &before.device, &before.instruction_set].map(String::clone),
        again: [run::program(), &after.device, &after.instruction_set].map(str::to_owned),
        stages,
        folder: folder.to_owned(),
    })
}
