//! `[grid]`: one recipe written as many. Its axes are crossed; each combination of their points,
//! a member, is an ordinary recipe. Never here: where members are run, and what of them is done.

mod axes;
mod conditions;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, path::Path};

use self::{
    axes::{Axis, Point},
    conditions::Condition,
};
use super::{
    AdapterPlan, Recipe, check,
    file::{GRID, RecipeFile, TomlValue},
    problem::{Problem, RecipeError, ValueOrigin},
};

/// More members are taken for a mistake: each has a folder, and a study of that size is several.
const MOST_MEMBERS: usize = 10_000;

/// A recipe with its `[grid]`; one without has a single member.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    /// Name of its folder.
    pub name: String,
    /// One line for the report's head.
    pub title: String,
    /// At least one, in the order of the axes' points, the first axis slowest.
    pub members: Vec<GridMember>,
}

/// One combination of points.
#[derive(Clone, Debug, PartialEq)]
pub struct GridMember {
    /// Name of its run folder: its points, `mistral-7b.snli`.
    pub name: String,
    /// Each axis with the name of the point.
    pub points: Vec<(String, String)>,
    /// What is run.
    pub recipe: Recipe,
    /// Adapters of the recipe that a condition leaves out.
    pub left_out: BTreeSet<String>,
}

impl GridMember {
    /// The adapters that are trained.
    pub fn adapters(&self) -> Vec<AdapterPlan> {
        let mut plans = self.recipe.adapters();
        plans.retain(|plan| !self.left_out.contains(&plan.name));
        plans
    }
}

impl Grid {
    /// Reads and checks the file at `path`, with `--set key=value` pairs applied in their order.
    ///
    /// # Errors
    /// No such file, no TOML, or every problem of the grid and its members at once.
    pub fn read(path: &Path, overrides: &[(String, String)]) -> Result<Self, RecipeError> {
        expand(RecipeFile::read(path, overrides)?)
    }

    /// As [`Grid::read`], from the text of a file at `path`, which need not exist.
    ///
    /// # Errors
    /// As [`Grid::read`], but for the missing file.
    pub fn parse(
        path: &Path,
        text: &str,
        overrides: &[(String, String)],
    ) -> Result<Self, RecipeError> {
        expand(RecipeFile::parse(path, text, overrides)?)
    }
}

fn expand(mut file: RecipeFile) -> Result<Grid, RecipeError> {
    let mut problems = Vec::new();
    let (mut axes, mut conditions) = (Vec::new(), Vec::new());
    match file
        .table
        .remove(GRID)
        .map(|entry| (entry.value, entry.origin))
    {
        None => {}
        Some((TomlValue::Table(mut table), _)) => {
            conditions = conditions::read(table.remove(conditions::KEY), &mut problems);
            axes = axes::read(table, &mut problems);
        }
        Some((_, origin)) => problems.push(Problem::new(GRID, "must be a section", origin)),
    }
    axes::refuse_overrides(&axes, &file, &mut problems);
    conditions::check_names(&mut conditions, &axes, &mut problems);
    let count = axes
        .iter()
        .map(|axis| axis.points.len())
        .fold(1, usize::saturating_mul);
    if count > MOST_MEMBERS {
        let message =
            format!("{count} combinations; at most {MOST_MEMBERS}: write several recipes");
        problems.push(Problem::new(GRID, &message, axes[0].origin));
    }
    if !problems.is_empty() {
        problems.append(&mut file.problems);
        return Err(refusal(&file, problems));
    }
    let grid = make_members(&file, &axes, &conditions)?;
    match conditions::find_idle(&conditions, &grid) {
        idle if !idle.is_empty() => Err(refusal(&file, idle)),
        _ if grid.members.is_empty() => {
            let message = "every combination is left out";
            let origin = conditions.first().map_or(ValueOrigin::Absent, |c| c.origin);
            Err(refusal(
                &file,
                vec![Problem::new("grid.leave_out", message, origin)],
            ))
        }
        _ => Ok(grid),
    }
}

fn refusal(file: &RecipeFile, mut problems: Vec<Problem>) -> RecipeError {
    problems.sort_by_key(|problem| problem.origin);
    RecipeError::Problems {
        path: file.path.clone(),
        problems,
    }
}

/// Every combination that no condition leaves out; a problem that several have is told once.
fn make_members(
    file: &RecipeFile,
    axes: &[Axis],
    conditions: &[Condition],
) -> Result<Grid, RecipeError> {
    let names = axes::unique_names(axes);
    let mut grid = Grid {
        name: String::new(),
        title: String::new(),
        members: Vec::new(),
    };
    let mut problems: Vec<Problem> = Vec::new();
    for combination in combinations(axes) {
        let points: Vec<&Point> = axes
            .iter()
            .zip(&combination)
            .map(|(axis, &at)| &axis.points[at])
            .collect();
        match make_recipe(file, &points) {
            Ok(recipe) => {
                grid.name.clone_from(&recipe.name);
                grid.title.clone_from(&recipe.title);
                grid.members
                    .extend(make_member(axes, &combination, &names, recipe, conditions));
            }
            Err(RecipeError::Problems {
                problems: found, ..
            }) => {
                let new = found
                    .into_iter()
                    .filter(|problem| !problems.contains(problem));
                problems.extend(new.collect::<Vec<_>>());
            }
            Err(other) => return Err(other),
        }
    }
    match problems.is_empty() {
        true => Ok(grid),
        false => Err(refusal(file, problems)),
    }
}

/// The recipe at these points.
fn make_recipe(file: &RecipeFile, points: &[&Point]) -> Result<Recipe, RecipeError> {
    let mut file = file.clone();
    let mut keys: Vec<_> = points.iter().flat_map(|point| &point.keys).collect();
    // What names one of the two kinds of tasks decides.
    keys.sort_by_key(|(key, _)| key != axes::TASK);
    for (key, value) in keys {
        axes::apply(&mut file, key, value);
    }
    check::check(file)
}

/// A member, unless a condition leaves it out as a whole.
fn make_member(
    axes: &[Axis],
    combination: &[usize],
    names: &[Vec<String>],
    mut recipe: Recipe,
    conditions: &[Condition],
) -> Option<GridMember> {
    let chosen = || axes.iter().zip(combination);
    let points: Vec<(String, String)> = chosen()
        .map(|(axis, &at)| (axis.name.clone(), axis.points[at].name.clone()))
        .collect();
    let met: Vec<&Condition> = conditions.iter().filter(|c| c.is_met_by(&points)).collect();
    if met.iter().any(|condition| condition.is_of_whole_members()) {
        return None;
    }
    let plans = recipe.adapters();
    let left_out = plans
        .iter()
        .filter(|plan| met.iter().any(|c| c.names(plan)));
    let left_out = left_out.map(|plan| plan.name.clone()).collect();
    let parts: Vec<&str> = names
        .iter()
        .zip(combination)
        .map(|(names, &at)| names[at].as_str())
        .collect();
    let name = match parts.as_slice() {
        [] => "all".to_owned(),
        parts => parts.join("."),
    };
    if !points.is_empty() {
        let said: Vec<&str> = points.iter().map(|(_, point)| point.as_str()).collect();
        recipe.title = format!("{}: {}", recipe.title, said.join(", "));
    }
    recipe.name.clone_from(&name);
    Some(GridMember {
        name,
        points,
        recipe,
        left_out,
    })
}

/// Places of points, the last axis fastest.
fn combinations(axes: &[Axis]) -> Vec<Vec<usize>> {
    axes.iter().fold(vec![Vec::new()], |begun, axis| {
        let extended = begun
            .iter()
            .flat_map(|begin| (0..axis.points.len()).map(|at| [begin.as_slice(), &[at]].concat()));
        extended.collect()
    })
}
