//! Which cells a grid has. Reads the recipe alone.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use schema::{
    Recipe,
    recipe::{Grid, GridMember},
    run_folder::BASE,
    write_whole,
};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::{
    GridFolder,
    error::{Result, bail},
};

/// The base model or one adapter of a member, with all that is asked of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// From 0, in the order of the plan.
    pub number: usize,
    /// Place of its member.
    pub member: usize,
    /// `base`, or the adapter's name.
    pub model: String,
}

/// A grid in its folder.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The members.
    pub grid: Grid,
    /// Where they are run.
    pub folder: GridFolder,
    /// All cells, member by member.
    pub cells: Vec<Cell>,
    /// Hash of all recipes: what was submitted with another one is not mixed up with this.
    pub id: String,
}

impl Plan {
    /// From a recipe's file, in the folder `out` or `runs/` and the grid's name.
    ///
    /// # Errors
    /// Every problem of the recipe.
    pub fn read(recipe: &Path, set: &[(String, String)], out: Option<&Path>) -> Result<Self> {
        let grid = Grid::read(recipe, set)?;
        let root = out.map_or_else(|| Path::new("runs").join(&grid.name), PathBuf::from);
        Self::new(grid, GridFolder::new(root))
    }

    /// As [`Plan::read`], of a grid that is read.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn new(grid: Grid, folder: GridFolder) -> Result<Self> {
        let mut cells = Vec::new();
        for (member, found) in grid.members.iter().enumerate() {
            let adapters = found.adapters().into_iter().map(|plan| plan.name);
            for model in std::iter::once(BASE.to_owned()).chain(adapters) {
                cells.push(Cell {
                    number: cells.len(),
                    member,
                    model,
                });
            }
        }
        let id = hash(&grid.members);
        Ok(Self {
            grid,
            folder,
            cells,
            id,
        })
    }

    /// The member that a cell is of.
    pub fn member(&self, cell: &Cell) -> &GridMember {
        &self.grid.members[cell.member]
    }

    /// `mistral-7b.snli/base`
    pub fn name(&self, cell: &Cell) -> String {
        format!("{}/{}", self.member(cell).name, cell.model)
    }

    /// The cells with these numbers (`3`, `5-9`) or names (a cell's or a member's), in their order;
    /// all where none is named.
    ///
    /// # Errors
    /// There is no such cell.
    pub fn choose(&self, wanted: &[String]) -> Result<Vec<&Cell>> {
        if wanted.is_empty() {
            return Ok(self.cells.iter().collect());
        }
        let mut chosen = BTreeSet::new();
        for word in wanted {
            let found = self.find(word);
            if found.is_empty() {
                bail!(
                    "no cell `{word}`: give a number from 0 to {}, a range of numbers, or a name as `lingualign grid \
                     plan` shows it",
                    self.cells.len().saturating_sub(1)
                );
            }
            chosen.extend(found);
        }
        Ok(chosen.into_iter().map(|at| &self.cells[at]).collect())
    }

    fn find(&self, word: &str) -> Vec<usize> {
        let numbers = word.split_once('-').unwrap_or((word, word));
        if let (Ok(first), Ok(last)) = (numbers.0.parse::<usize>(), numbers.1.parse::<usize>()) {
            let is_there = first <= last && last < self.cells.len();
            return if is_there {
                (first..=last).collect()
            } else {
                Vec::new()
            };
        }
        let is_meant = |cell: &&Cell| self.member(cell).name == word || self.name(cell) == word;
        let meant = self.cells.iter().filter(is_meant);
        meant.map(|cell| cell.number).collect()
    }

    /// Cells by the model that they need, so that each is loaded once: models in the order in which
    /// they come first.
    pub fn by_model<'a>(&self, cells: &[&'a Cell]) -> Vec<(&Recipe, Vec<&'a Cell>)> {
        let mut groups: Vec<(&Recipe, Vec<&Cell>)> = Vec::new();
        for cell in cells {
            let recipe = &self.member(cell).recipe;
            let known = groups
                .iter_mut()
                .find(|(known, _)| known.model == recipe.model && known.dtype == recipe.dtype);
            match known {
                Some((_, members)) => members.push(cell),
                None => groups.push((recipe, vec![cell])),
            }
        }
        groups
    }

    /// Writes `cells.json`: which cells there are, where, for people and scripts.
    ///
    /// # Errors
    /// The disk.
    pub fn write(&self) -> Result<()> {
        let cells = self.cells.iter().map(|cell| {
            let member = self.member(cell);
            let points: serde_json::Map<_, _> = member
                .points
                .iter()
                .map(|(axis, point)| (axis.clone(), point.clone().into()))
                .collect();
            json!({
                "number": cell.number,
                "run": format!("runs/{}", member.name),
                "points": points,
                "model": cell.model,
            })
        });
        let text = json!({
            "grid": self.grid.name,
            "title": self.grid.title,
            "id": self.id,
            "cells": cells.collect::<Vec<_>>(),
        });
        Ok(write_whole(
            &self.folder.cells(),
            format!("{text:#}\n").as_bytes(),
        )?)
    }
}

fn hash(members: &[GridMember]) -> String {
    let mut hasher = Sha256::new();
    for member in members {
        // A recipe is plain data: names, numbers and lists.
        let text = json!([member.name, member.recipe, member.left_out]).to_string();
        hasher.update((text.len() as u64).to_le_bytes());
        hasher.update(text);
    }
    let bytes = hasher.finalize();
    bytes
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
