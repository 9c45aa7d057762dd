//! What the repository ships for grids: recipes that expand, and templates that are what they say.

use std::{
    fs,
    path::{Path, PathBuf},
};

use grid::{GridFolder, Plan};
use saphyr::{LoadableYamlNode, Yaml};
use schema::recipe::Grid;

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

fn recipes(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(repository(folder)).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut paths: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|end| end == "toml"))
        .collect();
    paths.sort();
    paths
}

// Promise: every grid that is shipped expands, and each has its twin for two cores.
#[test]
fn shipped_grids_expand() {
    let (large, small) = (recipes("recipes/paper"), recipes("recipes/paper/small"));
    let names = |paths: &[PathBuf]| -> Vec<String> {
        let names = paths.iter().filter_map(|path| path.file_name());
        names
            .map(|name| name.to_string_lossy().into_owned())
            .collect()
    };
    assert_eq!(names(&large), names(&small));
    assert!(large.len() >= 8, "{large:?}");
    for path in large
        .iter()
        .chain(&small)
        .chain(&[repository("recipes/paper_small.toml")])
    {
        let grid = Grid::read(path, &[]).unwrap_or_else(|problem| panic!("{problem}"));
        let plan = Plan::new(grid, GridFolder::new("runs/x")).expect("a plan");
        assert!(plan.cells.len() > 1, "{}", path.display());
        let is_small = small.contains(path);
        assert!(
            !is_small || plan.cells.len() <= 40,
            "{}: {} cells",
            path.display(),
            plan.cells.len()
        );
    }
}

// Promise: 2 models x 4 settings x 3 tasks x 3 label sets x 3 seeds is one recipe of under 40 lines.
#[test]
fn a_study_is_a_short_recipe() {
    let text = fs::read_to_string(repository("docs/scale.md")).expect("the page");
    let recipe = text
        .split("```toml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .expect("a recipe");
    assert!(recipe.lines().count() < 40);
    let grid = Grid::parse(Path::new("study.toml"), recipe, &[])
        .unwrap_or_else(|problem| panic!("{problem}"));
    // 2 models x 3 tasks x 2 numbers of pairs, but for three; sw/hi=>en of paws has one seed.
    assert_eq!(grid.members.len(), 2 * 3 * 2 - 3);
    let adapters: usize = grid
        .members
        .iter()
        .map(|member| member.adapters().len())
        .sum();
    assert_eq!(adapters, 9 * 4 * 3 - 3 * 2);
}

// Promise: the templates are YAML with what their engines need, and call the program as it is.
#[test]
fn templates_are_yaml() {
    let load = |name: &str| {
        let text = fs::read_to_string(repository("docs/scale").join(name)).expect("a template");
        Yaml::load_from_str(&text).expect("YAML").remove(0)
    };
    let job = load("kubernetes.yaml");
    assert_eq!(job["kind"].as_str(), Some("Job"));
    assert_eq!(job["spec"]["completionMode"].as_str(), Some("Indexed"));
    let pod = &job["spec"]["template"]["spec"];
    let line = pod["containers"][0]["args"][0].as_str().expect("a line");
    assert!(
        line.contains(
            "lingualign --threads 8 grid run study.toml --cell \"$JOB_COMPLETION_INDEX\""
        ),
        "{line}"
    );
    let task = load("skypilot.yaml");
    assert!(
        task["run"]
            .as_str()
            .is_some_and(|run| run.contains("grid run study.toml --cell \"$CELLS\""))
    );
    assert_eq!(task["envs"]["CELLS"].as_str(), Some("0"));
}
