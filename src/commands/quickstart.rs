//! `quickstart`: the first experiment, with recipe and data that are in the program itself.

use std::{fs, path::Path};

use anyhow::{Context, Result, bail};
use include_dir::{Dir, include_dir};
use run::{Parts, workers::Alone};
use schema::write_whole;

use super::{options, run_recipe};
use crate::{
    cli::{QuickstartArgs, RecipeArgs},
    progress::note,
};

/// The example reviews, in every language of the small data set.
pub(super) static DATA: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/assets/mini/ap_emotion");
const RECIPE: &str = include_str!("../../recipes/quickstart.toml");
/// Where the recipe finds its data in the repository.
const DATA_THERE: &str = "dir = \"../assets/mini\"";

/// Writes recipe and data where they are not yet, and runs the recipe.
pub(super) fn run(args: QuickstartArgs) -> Result<()> {
    let recipe = write(&args)?;
    let parts = Parts::only(&args.only);
    let out = Some(args.dir.join("run"));
    let options = options(out, args.device, parts, &args.finished);
    run_recipe(&recipe, &options, &mut Alone)
}

/// Writes recipe and data into the folder, and returns the recipe. Files that are there are kept if they are the same.
fn write(args: &QuickstartArgs) -> Result<RecipeArgs> {
    let recipe = args.dir.join("quickstart.toml");
    for file in DATA.files() {
        let path = args.dir.join("data/ap_emotion").join(file.path());
        write_once(&path, file.contents())?;
    }
    let text = RECIPE
        .replace(DATA_THERE, "dir = \"data\"")
        .replace("recipes/quickstart.toml", &recipe.display().to_string());
    write_once(&recipe, text.as_bytes())?;
    note(&format!(
        "the recipe is {}; its comments say what each key does",
        recipe.display()
    ));
    Ok(RecipeArgs {
        recipe,
        set: args.set.clone(),
    })
}

/// A file of another content is the user's.
fn write_once(path: &Path, content: &[u8]) -> Result<()> {
    match fs::read(path) {
        Ok(there) if there == content => Ok(()),
        Ok(_) => bail!(
            "{} is there already, and is another file; run the recipe itself with `lingualign run`, or name another folder \
             with --dir",
            path.display()
        ),
        Err(_) => write_whole(path, content).context("cannot write the quickstart"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recipe_finds_its_data_beside_it() {
        assert!(RECIPE.contains(DATA_THERE));
        let names: Vec<_> = DATA
            .files()
            .map(|file| file.path().display().to_string())
            .collect();
        assert!(
            names.iter().any(|name| name == "emotion_sw40_test.json"),
            "{names:?}"
        );
    }
}
