//! From the recipe as written to the checked one: the keys outside of sections, the order in
//! which sections are read, and what one section's rules take from another. The other keys are
//! in the files of their sections. Never here: looking at the disk.

use std::path::{Component, Path, PathBuf};

use super::{
    DataRecipe, EvalRecipe, LanguageRecipe, Recipe, ReportRecipe, TrainRecipe,
    analyse::read_analyse,
    file::{GRID, RecipeFile},
    keys::KeySection,
    problem::{Problem, RecipeError, ValueOrigin, shorten},
    reference::list_keys,
    section::Section,
    train::{check_lora, read_setting},
    values::{is_file, read_languages, read_tasks},
};
use crate::{AskingRecipe, FewShot, Language, PromptForm, task::Precision};

/// The name of every key, in the order in which it is rendered.
pub(super) fn keys() -> Vec<String> {
    list_keys().into_iter().map(|entry| entry.key).collect()
}

/// The recipe, or all that is wrong with it.
pub(super) fn check(file: RecipeFile) -> Result<Recipe, RecipeError> {
    let RecipeFile {
        path,
        table,
        overrides,
        mut problems,
    } = file;
    if let Some(grid) = table.get(GRID) {
        // What else is wrong with it is seen when its axes are read.
        let message = "this recipe stands for several; run it with `lingualign grid run`";
        problems = vec![Problem::new(GRID, message, grid.origin)];
        return Err(RecipeError::Problems { path, problems });
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let stem = path
        .file_stem()
        .map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    let recipe = Section::read_root(table, folder, &keys(), &mut problems, |root| {
        read_recipe(root, &stem, overrides)
    });
    if problems.is_empty() {
        return Ok(recipe);
    }
    problems.sort_by_key(|problem| problem.origin);
    Err(RecipeError::Problems { path, problems })
}

// Below, a value that is missing or wrong is replaced by an empty one or its default: `check`
// returns the problems then, and nobody sees the recipe.

fn read_recipe(root: &mut Section<'_>, stem: &str, overrides: Vec<String>) -> Recipe {
    let name = read_name(root, stem);
    // Before anything that may speak of them.
    let languages = root
        .sections("languages", read_new_language)
        .into_iter()
        .flatten()
        .collect();
    root.require(
        "model",
        "a catalogue name, a folder, a `.gguf` file or a hub id",
    );
    let title = root
        .text("title", check_title)
        .unwrap_or_else(|| name.clone());
    let model = root.parse("model", read_model).unwrap_or_default();
    let dtype = root
        .word("dtype", Precision::WORDS)
        .unwrap_or(Precision::F32);
    let seeds = read_seeds(root);
    let data = root
        .section("data", read_data)
        .unwrap_or_else(DataRecipe::defaults);
    let train = root.optional_section("train", read_train);
    let eval = root
        .section("eval", read_eval)
        .unwrap_or_else(|| EvalRecipe::paper(Vec::new()));
    let analyse = root.optional_section("analyse", |section| {
        read_analyse(section, &eval.tasks, &eval.languages)
    });
    let report = root
        .optional_section("report", |section| {
            ReportRecipe::read(section, ReportRecipe::defaults())
        })
        .unwrap_or_else(ReportRecipe::defaults);
    Recipe {
        name,
        title,
        model,
        dtype,
        seeds,
        languages,
        data,
        train,
        eval,
        analyse,
        report,
        overrides,
    }
}

fn read_name(root: &mut Section<'_>, stem: &str) -> String {
    if root.has("name") {
        return root.text("name", check_name).unwrap_or_default();
    }
    if let Err(message) = check_name(stem) {
        root.report(
            "name",
            &format!("missing, and the file's own will not do: {message}"),
            ValueOrigin::Absent,
        );
    }
    stem.to_owned()
}

/// A language that the recipe makes known.
fn read_new_language(
    row: &mut Section<'_>,
    code: &str,
    origin: ValueOrigin,
) -> Option<(Language, LanguageRecipe)> {
    row.require("name", "its English name");
    row.require(
        "script",
        "the ISO 15924 code of its script, such as \"Latn\"",
    );
    let (name, script) = (
        row.text("name", check_title),
        row.text("script", check_title),
    );
    let (name, script) = (name?, script?);
    match Language::add(code, &name, &script) {
        Ok(language) => Some((language, LanguageRecipe { name, script })),
        Err(message) => row.refuse_whole(&message, origin),
    }
}

fn check_name(name: &str) -> Result<(), String> {
    let fits = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    if name.starts_with(char::is_alphanumeric) && name.chars().all(fits) && name.len() <= 100 {
        return Ok(());
    }
    Err(format!(
        "`{}` cannot name a run's folder; use letters, digits, `-`, `_` and `.`, at most 100 bytes, \
         a letter or digit first",
        shorten(name)
    ))
}

fn check_title(title: &str) -> Result<(), String> {
    if title.contains(char::is_control) {
        Err("must be one line without control characters".to_owned())
    } else {
        Ok(())
    }
}

/// Only what looks like a path is resolved: `org/name` is a hub id.
fn read_model(model: &str, resolve: &dyn Fn(&Path) -> PathBuf) -> Result<String, String> {
    let starts_with_dots = |path: &Path| {
        matches!(
            path.components().next(),
            Some(Component::CurDir | Component::ParentDir)
        )
    };
    let is_gguf = model.ends_with(".gguf");
    if !is_gguf && !starts_with_dots(Path::new(model)) {
        return Ok(model.to_owned());
    }
    let path = resolve(Path::new(model));
    // `./m` in `recipes/` has become `recipes/m`, which must not be taken for a hub id.
    let path = if path.is_absolute() || is_gguf || starts_with_dots(&path) {
        path
    } else {
        Path::new(".").join(path)
    };
    path.into_os_string()
        .into_string()
        .map_err(|_| "the path to it is not UTF-8; rename the folder".to_owned())
}

fn read_seeds(root: &mut Section<'_>) -> Vec<u64> {
    if root.has("seed") && root.has("seeds") {
        root.report(
            "seed",
            "give `seed` or `seeds`, not both",
            root.origin("seed"),
        );
    }
    let one = root.wholes("seed");
    root.wholes("seeds").or(one).unwrap_or_else(|| vec![1])
}

fn read_data(data: &mut Section<'_>) -> DataRecipe {
    data.require(
        "dir",
        "the folder of the data, here or with `--set data.dir=FOLDER`",
    );
    DataRecipe::read(data, DataRecipe::defaults())
}

// Keys on which a default or a rule of others depends are read before the rest.

fn read_train(train: &mut Section<'_>) -> TrainRecipe {
    train.require("settings", "a list such as [\"zh/de=>en\"]");
    train.require("tasks", "a list of tasks such as [\"emotion\"]");
    let settings = train.words("settings", read_setting).unwrap_or_default();
    let tasks = read_tasks(train);
    let dora = train.origin_in("lora", "dora");
    let recipe = TrainRecipe::read(train, TrainRecipe::paper(settings, tasks));
    check_lora(train, &recipe.lora, dora);
    recipe
}

fn read_eval(eval: &mut Section<'_>) -> EvalRecipe {
    eval.require("tasks", "a list of tasks such as [\"emotion\"]");
    let mut paper = EvalRecipe::paper(read_tasks(eval));
    let has_file = paper.tasks.iter().any(|task| is_file(task));
    if let Some(languages) = read_languages(eval, has_file) {
        paper.languages = languages;
    }
    let origin = eval.origin("few_shot");
    let read = EvalRecipe::read(eval, paper);
    check_turns(eval, &read.asking, origin);
    read
}

/// A file's text has no questions and answers that could be turns.
fn check_turns(eval: &mut Section<'_>, asking: &AskingRecipe, origin: ValueOrigin) {
    let is_text = |set: &FewShot| matches!(set.source(), FewShot::File(_));
    if asking.prompt.contains(&PromptForm::Chat) && asking.few_shot.iter().any(is_text) {
        let message = "the text of a file cannot be cut into the turns of `prompt = \"chat\"`; choose `chat-one-turn`, or \
                       exemplars that are items (head:K, seed:SEED:K, builtin)";
        eval.report("few_shot", message, origin);
    }
}
