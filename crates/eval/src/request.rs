//! What an evaluation asks of which model. Never here: asking it.

use std::path::Path;

use schema::{Asking, Recipe, Task};

/// What is asked, and how.
#[derive(Clone, Debug)]
pub struct Ask<'a> {
    /// Name of the model for the records.
    pub model: &'a str,
    /// Name of its adapter; `None`: the base model.
    pub adapter: Option<&'a str>,
    /// The task.
    pub task: &'a Task,
    /// Folder in the released layout.
    pub dir: &'a Path,
    /// How it is asked.
    pub asking: &'a Asking,
    /// Rows run at once: question tokens, those that several questions begin with counted once;
    /// never changes a result.
    pub tokens_per_batch: usize,
}

impl<'a> Ask<'a> {
    /// Of the base model and the data of `recipe`, until an adapter is named.
    pub fn of(recipe: &'a Recipe, task: &'a Task, asking: &'a Asking) -> Self {
        Self {
            model: &recipe.model,
            adapter: None,
            task,
            dir: &recipe.data.dir,
            asking,
            tokens_per_batch: recipe.eval.tokens_per_batch,
        }
    }
}
