//! From the recipe as written to the checked one, in one place: every key, its default and its
//! range. Defaults are the paper's (section 4, appendix B) and stand beside the structs. Never
//! here: looking at the disk.

use std::path::{Component, Path, PathBuf};

use crate::{
    AskingRecipe, FewShot, LabelSet, Language, Protocol, Scorers, Scoring, Setting, Task,
    few_shot::PromptLanguage, finding::Kind,
};

use super::{
    ActivationCheckpointing, BuildRecipe, Control, DataRecipe, Directions, EvalRecipe,
    LanguageRecipe, LoraRecipe, Precision, Recipe, Removal, Schedule, Split, TrainRecipe,
    analyse::read_analyse,
    file::RecipeFile,
    problem::{Origin, RecipeError, shorten, suggest, unknown_word},
    section::Section,
};

/// Every key of a recipe, in the order in which it is rendered.
pub(super) const KEYS: &[&str] = &[
    "name",
    "title",
    "model",
    "dtype",
    "seeds",
    "seed",
    "data.dir",
    "data.accept",
    "train.settings",
    "train.tasks",
    "train.pairs",
    "train.epochs",
    "train.max_steps",
    "train.batch_size",
    "train.micro_batch_tokens",
    "train.activation_checkpointing",
    "train.learning_rate",
    "train.schedule",
    "train.warmup_ratio",
    "train.weight_decay",
    "train.max_grad_norm",
    "train.val_size",
    "train.eval_steps",
    "train.save_steps",
    "train.cutoff_len",
    "train.build.template",
    "train.build.directions",
    "train.build.control",
    "train.build.remove_overlap",
    "train.build.remove_duplicates",
    "train.build.similarity",
    "train.build.split",
    "train.lora.rank",
    "train.lora.alpha",
    "train.lora.dropout",
    "train.lora.targets",
    "eval.tasks",
    "eval.languages",
    "eval.labels",
    "eval.scoring",
    "eval.scorers",
    "eval.greedy",
    "eval.protocol",
    "eval.few_shot",
    "eval.exemplar_language",
    "eval.header_language",
    "eval.limit",
    "eval.tokens_per_batch",
    "analyse.kinds",
    "analyse.task",
    "analyse.languages",
    "analyse.limit",
    "analyse.poolings",
    "analyse.layers",
    "analyse.resamples",
    "analyse.permutations",
    "analyse.neuron_share",
    "analyse.silenced_items",
    "analyse.patched_items",
    "analyse.lens_steps",
    "analyse.lens_tokens",
];

/// The recipe, or all that is wrong with it.
pub(super) fn check(file: RecipeFile) -> Result<Recipe, RecipeError> {
    let RecipeFile {
        path,
        table,
        overrides,
        mut problems,
    } = file;
    let folder = path.parent().unwrap_or(Path::new(""));
    let stem = path
        .file_stem()
        .map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    let recipe = Section::read_root(table, folder, KEYS, &mut problems, |root| {
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
    let data = root.section("data", read_data).unwrap_or(DataRecipe {
        dir: PathBuf::new(),
        accept: Vec::new(),
    });
    let train = root.optional_section("train", read_train);
    let eval = root
        .section("eval", read_eval)
        .unwrap_or_else(|| EvalRecipe::paper(Vec::new()));
    let analyse = root.optional_section("analyse", |section| {
        read_analyse(section, &eval.tasks, &eval.languages)
    });
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
            Origin::Absent,
        );
    }
    stem.to_owned()
}

/// A language that the recipe makes known.
fn read_new_language(
    row: &mut Section<'_>,
    code: &str,
    origin: Origin,
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
    let dir = data.parse("dir", |dir, resolve| match resolve(Path::new(dir)) {
        path if path.to_str().is_some() => Ok(path),
        _ => Err("the path to it is not UTF-8; rename the folder".to_owned()),
    });
    DataRecipe {
        dir: dir.unwrap_or_default(),
        accept: data.words("accept", read_kind).unwrap_or_default(),
    }
}

fn read_kind(kind: &str) -> Result<Kind, String> {
    kind.parse().map_err(|_| unknown_word(kind, Kind::WORDS))
}

fn read_train(train: &mut Section<'_>) -> TrainRecipe {
    train.require("settings", "a list such as [\"zh/de=>en\"]");
    train.require("tasks", "a list of tasks such as [\"emotion\"]");
    let settings = train.words("settings", read_setting).unwrap_or_default();
    let tasks = read_tasks(train);
    let paper = TrainRecipe::paper(settings, tasks);
    TrainRecipe {
        pairs: train.whole("pairs").unwrap_or(paper.pairs),
        epochs: train
            .number("epochs", "must be above 0", |x| x > 0.0)
            .unwrap_or(paper.epochs),
        max_steps: train.count("max_steps"),
        batch_size: train.count("batch_size").unwrap_or(paper.batch_size),
        micro_batch_tokens: train
            .count("micro_batch_tokens")
            .unwrap_or(paper.micro_batch_tokens),
        activation_checkpointing: train
            .word_or_switch("activation_checkpointing", ActivationCheckpointing::WORDS)
            .unwrap_or(paper.activation_checkpointing),
        learning_rate: train
            .number("learning_rate", "must be above 0 and at most 1", |x| {
                x > 0.0 && x <= 1.0
            })
            .unwrap_or(paper.learning_rate),
        schedule: train
            .word("schedule", Schedule::WORDS)
            .unwrap_or(paper.schedule),
        warmup_ratio: train
            .number("warmup_ratio", "must be at least 0 and at most 1", |x| {
                (0.0..=1.0).contains(&x)
            })
            .unwrap_or(paper.warmup_ratio),
        weight_decay: train
            .number("weight_decay", "must be at least 0", |x| x >= 0.0)
            .unwrap_or(paper.weight_decay),
        max_grad_norm: train
            .number(
                "max_grad_norm",
                "must be at least 0 (0: no clipping)",
                |x| x >= 0.0,
            )
            .unwrap_or(paper.max_grad_norm),
        val_size: train
            .number("val_size", SHARE, is_share)
            .unwrap_or(paper.val_size),
        eval_steps: train.count("eval_steps").unwrap_or(paper.eval_steps),
        save_steps: train.count("save_steps").unwrap_or(paper.save_steps),
        cutoff_len: train.count("cutoff_len").unwrap_or(paper.cutoff_len),
        build: train.section("build", read_build).unwrap_or(paper.build),
        lora: train.section("lora", read_lora).unwrap_or(paper.lora),
        ..paper
    }
}

const SHARE: &str = "must be at least 0 and below 1";

fn is_share(x: f64) -> bool {
    (0.0..1.0).contains(&x)
}

fn read_build(build: &mut Section<'_>) -> BuildRecipe {
    let paper = BuildRecipe::paper();
    BuildRecipe {
        template: build
            .parse("template", |text, _| text.parse())
            .unwrap_or(paper.template),
        directions: build
            .word("directions", Directions::WORDS)
            .unwrap_or(paper.directions),
        control: build
            .word("control", Control::WORDS)
            .unwrap_or(paper.control),
        remove_overlap: build
            .word("remove_overlap", Removal::WORDS)
            .unwrap_or(paper.remove_overlap),
        remove_duplicates: build
            .word("remove_duplicates", Removal::WORDS)
            .unwrap_or(paper.remove_duplicates),
        similarity: build
            .number("similarity", "must be above 0 and at most 1", |x| {
                x > 0.0 && x <= 1.0
            })
            .unwrap_or(paper.similarity),
        split: build.word("split", Split::WORDS).unwrap_or(paper.split),
    }
}

fn read_lora(lora: &mut Section<'_>) -> LoraRecipe {
    let paper = LoraRecipe::paper();
    LoraRecipe {
        rank: lora.count("rank").unwrap_or(paper.rank),
        alpha: lora
            .number("alpha", "must be above 0", |x| x > 0.0)
            .unwrap_or(paper.alpha),
        dropout: lora
            .number("dropout", SHARE, is_share)
            .unwrap_or(paper.dropout),
        targets: lora
            .words("targets", |word| read_known(word, LoraRecipe::TARGETS))
            .unwrap_or(paper.targets),
    }
}

fn read_eval(eval: &mut Section<'_>) -> EvalRecipe {
    eval.require("tasks", "a list of tasks such as [\"emotion\"]");
    let paper = EvalRecipe::paper(read_tasks(eval));
    let has_file = paper.tasks.iter().any(|task| is_file(task));
    EvalRecipe {
        languages: read_languages(eval, has_file).unwrap_or(paper.languages),
        asking: read_asking(eval),
        tokens_per_batch: eval
            .count("tokens_per_batch")
            .unwrap_or(paper.tokens_per_batch),
        ..paper
    }
}

fn read_asking(eval: &mut Section<'_>) -> AskingRecipe {
    let paper = AskingRecipe::paper();
    AskingRecipe {
        labels: eval.words("labels", read_labels).unwrap_or(paper.labels),
        scoring: eval.word("scoring", Scoring::WORDS),
        scorers: eval
            .word("scorers", Scorers::WORDS)
            .unwrap_or(paper.scorers),
        greedy: eval.whole("greedy").unwrap_or(paper.greedy),
        protocol: eval.word("protocol", Protocol::WORDS),
        few_shot: eval
            .parse_all("few_shot", read_few_shot)
            .unwrap_or_default(),
        exemplar_language: eval
            .word("exemplar_language", PromptLanguage::WORDS)
            .unwrap_or(paper.exemplar_language),
        header_language: eval
            .word("header_language", PromptLanguage::WORDS)
            .unwrap_or(paper.header_language),
        limit: eval.count("limit"),
    }
}

fn read_known(word: &str, known: &[&str]) -> Result<String, String> {
    if known.contains(&word) {
        Ok(word.to_owned())
    } else {
        Err(unknown_word(word, known))
    }
}

/// Shipped names and paths of task files. Two files of one name would write the same records.
fn read_tasks(section: &mut Section<'_>) -> Vec<String> {
    let origin = section.origin("tasks");
    let tasks = section.words_at("tasks", read_task).unwrap_or_default();
    let names: Vec<&str> = tasks.iter().map(|task| Task::name_of(task)).collect();
    if let Some((at, name)) = names
        .iter()
        .enumerate()
        .find(|(at, name)| names[..*at].contains(name))
    {
        let message = format!(
            "`{}` and another are both called `{name}`; rename a file",
            shorten(&tasks[at])
        );
        section.report("tasks", &message, origin);
    }
    tasks
}

pub(super) fn read_task(task: &str, resolve: &dyn Fn(&Path) -> PathBuf) -> Result<String, String> {
    if !is_file(task) {
        return read_known(task, EvalRecipe::TASKS);
    }
    let path = resolve(Path::new(task)).into_os_string().into_string();
    path.map_err(|_| "the path to it is not UTF-8; rename the folder".to_owned())
}

pub(super) fn is_file(task: &str) -> bool {
    task.ends_with(".toml")
}

/// Reads the name of a label set, as a recipe and the command line have it: one that is nearly
/// one of those that every task may have is taken for a slip, any other for a set of the task's
/// own.
///
/// # Errors
/// A slip, with what was meant; a text that cannot be a name.
pub fn read_labels(labels: &str) -> Result<LabelSet, String> {
    let is_slip = !LabelSet::WORDS.contains(&labels)
        && suggest(labels, LabelSet::WORDS.iter().copied()).is_some();
    match labels.parse() {
        Ok(set) if !is_slip => Ok(set),
        _ => Err(unknown_word(labels, LabelSet::WORDS)),
    }
}

fn read_setting(setting: &str) -> Result<Setting, String> {
    setting.parse().map_err(|error| format!("{error}"))
}

/// `has_file`: a task's own file may add languages; whether it does is seen when it is read.
pub(super) fn read_languages(eval: &mut Section<'_>, has_file: bool) -> Option<Vec<Language>> {
    let origin = eval.origin("languages");
    let lists = eval.words("languages", |word| match word {
        "all" => Ok(Language::ALL.to_vec()),
        code => match read_language(code) {
            Err(message) if has_file => Language::of_record(code)
                .map(|language| vec![language])
                .map_err(|_| message),
            read => read.map(|language| vec![language]),
        },
    })?;
    if lists.len() > 1 && lists.iter().any(|list| list.len() > 1) {
        return eval.refuse(
            "languages",
            "`all` stands with others; write `languages = \"all\"` alone",
            origin,
        );
    }
    Some(lists.concat())
}

/// A code; for a suggestion the English name will do.
fn read_language(code: &str) -> Result<Language, String> {
    code.parse().map_err(|error| {
        let known = Language::known();
        let named = known
            .iter()
            .find(|language| language.name().eq_ignore_ascii_case(code));
        let meant = named.map(|language| language.code());
        match meant.or_else(|| suggest(code, known.iter().map(|language| language.code()))) {
            Some(meant) => format!(
                "unknown language `{}`; did you mean `{meant}`?",
                shorten(code)
            ),
            None => format!("{error}"),
        }
    })
}

fn read_few_shot(text: &str, resolve: &dyn Fn(&Path) -> PathBuf) -> Result<FewShot, String> {
    let few_shot = match text.parse()? {
        FewShot::File(path) => FewShot::File(resolve(&path)),
        FewShot::Varied(source, variation) => match *source {
            FewShot::File(path) => {
                FewShot::Varied(Box::new(FewShot::File(resolve(&path))), variation)
            }
            other => FewShot::Varied(Box::new(other), variation),
        },
        other => other,
    };
    match few_shot.source() {
        FewShot::File(path) if path.to_str().is_none() => {
            Err("the path to it is not UTF-8; rename the folder".to_owned())
        }
        _ => Ok(few_shot),
    }
}
