use std::path::Path;

use super::*;

const PAPER: &str = r#"
name = "study"
title = "A study"
seeds = [1, 2, 3]
dtype = "bf16"
[data]
dir = "data"
[train]
settings = ["zh/es=>en", "zh/de=>en", "zh/it=>en", "sw/hi=>en"]
epochs = 3
[eval]
labels = ["english", "same", "agnostic"]
[grid]
model = ["mistral-7b", "org/qwen-14b"]
task = ["emotion", "snli", { task = "paws", train.epochs = 1 }]
"#;

fn grid(text: &str, sets: &[(&str, &str)]) -> Result<Grid, RecipeError> {
    let sets: Vec<_> = sets
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    Grid::parse(Path::new("grid.toml"), text, &sets)
}

fn refuse(text: &str, sets: &[(&str, &str)]) -> String {
    grid(text, sets).expect_err("a bad grid").to_string()
}

fn names(grid: &Grid) -> Vec<&str> {
    grid.members
        .iter()
        .map(|member| member.name.as_str())
        .collect()
}

#[test]
fn axes_are_crossed_in_their_order() {
    let grid = grid(PAPER, &[]).expect("a grid");
    assert_eq!(
        (grid.name.as_str(), grid.title.as_str()),
        ("study", "A study")
    );
    assert_eq!(
        names(&grid),
        [
            "mistral-7b.emotion",
            "mistral-7b.snli",
            "mistral-7b.paws",
            "qwen-14b.emotion",
            "qwen-14b.snli",
            "qwen-14b.paws"
        ]
    );
    let cells: usize = grid
        .members
        .iter()
        .map(|member| member.adapters().len())
        .sum();
    assert_eq!(cells, 2 * 3 * 4 * 3);
}

#[test]
fn a_point_sets_all_of_its_keys() {
    let grid = grid(PAPER, &[]).expect("a grid");
    let paws = &grid.members[5];
    assert_eq!(paws.recipe.model, "org/qwen-14b");
    assert_eq!(paws.recipe.eval.tasks, ["paws"]);
    let train = paws.recipe.train.as_ref().expect("trains");
    assert_eq!(
        (train.tasks.as_slice(), train.epochs),
        (["paws".to_owned()].as_slice(), 1.0)
    );
    assert_eq!(
        grid.members[4]
            .recipe
            .train
            .as_ref()
            .expect("trains")
            .epochs,
        3.0
    );
    let points = [("model", "org/qwen-14b"), ("task", "paws")];
    assert_eq!(
        paws.points,
        points.map(|(axis, point)| (axis.to_owned(), point.to_owned()))
    );
    assert_eq!(paws.recipe.title, "A study: org/qwen-14b, paws");
}

#[test]
fn what_names_one_kind_of_tasks_decides() {
    let table = "{ task = \"paws\", train.epochs = 1 }";
    let text = PAPER.replace(
        table,
        "{ task = \"paws\", eval.tasks = [\"snli\", \"emotion\"] }",
    );
    let grid = grid(&text, &[]).expect("a grid");
    let paws = &grid.members[2].recipe;
    assert_eq!(paws.eval.tasks, ["snli", "emotion"]);
    assert_eq!(paws.train.as_ref().expect("trains").tasks, ["paws"]);
}

#[test]
fn conditions_leave_out_members_and_adapters() {
    let text = format!(
        "{PAPER}leave_out = [{{ model = \"mistral-7b\", task = [\"snli\", \"paws\"] }}, {{ task = \"emotion\", setting = \"sw/hi=>en\", seed = [2, 3] }}]\n"
    );
    let grid = grid(&text, &[]).expect("a grid");
    assert_eq!(
        names(&grid),
        [
            "mistral-7b.emotion",
            "qwen-14b.emotion",
            "qwen-14b.snli",
            "qwen-14b.paws"
        ]
    );
    assert_eq!(grid.members[0].adapters().len(), 10);
    assert_eq!(grid.members[2].adapters().len(), 12);
    assert!(grid.members[1].left_out.contains("emotion.sw-hi-en.seed2"));
}

#[test]
fn a_number_is_named_with_its_key() {
    let text = PAPER.replace(
        "task = [\"emotion\", \"snli\", { task = \"paws\", train.epochs = 1 }]",
        "",
    );
    let text = format!("{text}\"train.lora.rank\" = [4, 8]\n\"train.tasks\" = [[\"emotion\"], [\"snli\", \"paws\"]]\n")
        .replace("[eval]", "[eval]\ntasks = [\"emotion\"]");
    let grid = grid(&text, &[]).expect("a grid");
    assert_eq!(grid.members[0].name, "mistral-7b.rank4.emotion");
    assert_eq!(grid.members[7].name, "qwen-14b.rank8.snli-paws");
    let train = grid.members[7].recipe.train.as_ref().expect("trains");
    assert_eq!((train.lora.rank, train.tasks.len()), (8, 2));
}

#[test]
fn a_recipe_without_axes_is_one_member() {
    let text = PAPER
        .split("[grid]")
        .next()
        .expect("a part")
        .replace("[data]", "model = \"m\"\n[data]");
    let text = text
        .replace("epochs = 3", "tasks = [\"snli\"]")
        .replace("labels", "tasks = [\"snli\"]\nlabels");
    let grid = grid(&text, &[]).expect("a grid");
    assert_eq!(names(&grid), ["all"]);
    assert_eq!(grid.name, "study");
}

#[test]
fn overrides_reach_members_and_axes() {
    let short = grid(PAPER, &[("eval.limit", "5"), ("grid.model", "[\"m\"]")]).expect("a grid");
    assert_eq!(names(&short), ["m.emotion", "m.snli", "m.paws"]);
    assert!(
        short
            .members
            .iter()
            .all(|member| member.recipe.eval.asking.limit == Some(5))
    );
    let idle = refuse(PAPER, &[("train.epochs", "2"), ("model", "m")]);
    assert!(idle.contains("model: has no effect"), "{idle}");
    assert!(idle.contains("train.epochs: has no effect"), "{idle}");
}

#[test]
fn what_is_no_grid_is_refused_by_its_key() {
    let with = |line: &str| refuse(&format!("{PAPER}{line}\n"), &[]);
    for (line, why) in [
        ("seed = 3", "grid.seed: must be a list"),
        ("seed = []", "grid.seed: must have at least one value"),
        (
            "\"train.pairs\" = [5, 5]",
            "grid.train.pairs: `5` is there twice",
        ),
        (
            "\"train.epochs\" = [5]",
            "`train.epochs` is set by the axis `task` too",
        ),
        ("\"train.ranks\" = [5]", "train.ranks: no such key"),
        ("\"train.pairs\" = [\"many\"]", "train.pairs: must be"),
        ("leave_out = [{ modle = \"m\" }]", "`modle` is no axis"),
        (
            "leave_out = [{ model = \"mistral\" }]",
            "did you mean `mistral-7b`?",
        ),
        ("leave_out = [{ setting = \"de=>en\" }]", "names no adapter"),
        (
            "leave_out = [{ task = [\"emotion\", \"snli\", \"paws\"] }]",
            "every combination is left out",
        ),
        ("leave_out = 3", "must be a list of tables"),
    ] {
        let message = with(line);
        assert!(message.contains(why), "{line}: {message}");
    }
    // A problem of every member is one problem.
    assert!(with("\"train.ranks\" = [5]").contains("has 1 problem\n"));
}

#[test]
fn a_grid_is_no_recipe() {
    let problem = Recipe::parse(Path::new("grid.toml"), PAPER, &[]).expect_err("a grid");
    assert!(
        problem.to_string().contains("lingualign grid run"),
        "{problem}"
    );
}
