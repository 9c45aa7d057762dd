//! What would end a run in its middle, found before its first minute: the same for `check` and `run`. Never here: what is
//! wrong with single items (the audit), settings that ask for memory by themselves (`limits`).

use std::collections::BTreeSet;

use analyse::geometry::FEWEST_ITEMS;
use data::{Draw, prompt, tasks, testset};
use hub::catalogue::Shape;
use schema::{Recipe, Task, inside::Analysis};

use crate::{
    RunError,
    error::Result,
    estimate::{self, CheckpointingDecision, MicroBatchSize, gigabytes},
    parts::Parts,
    stages::list_held_out,
};

/// More are counted, not listed.
const LISTED: usize = 10;

/// Why the recipe's parts cannot be made from the files that are there: a task or label set that does not exist, a missing
/// test or pair file, too few items for the exemplars. Reads the test sets; needs no model.
pub fn find_data_problems(recipe: &Recipe, parts: Parts) -> Vec<String> {
    let mut problems = Problems::default();
    if parts.data {
        find_pair_problems(recipe, &mut problems);
    }
    if parts.eval {
        for task in &recipe.eval.tasks {
            match tasks::task(task) {
                Err(problem) => problems.add(problem),
                Ok(task) => find_question_problems(recipe, task, &mut problems),
            }
        }
    }
    if parts.data || parts.eval {
        find_translation_problems(recipe, &mut problems);
    }
    if parts.analyse
        && let Err(problem) = check_items_of_maps(recipe)
    {
        problems.add(problem);
    }
    problems.list
}

/// Maps and measures of languages are of some items at least, in every language.
fn check_items_of_maps(recipe: &Recipe) -> Result<()> {
    let Some(analyse) = recipe
        .analyse
        .as_ref()
        .filter(|analyse| analyse.asks(Analysis::Pca) || analyse.asks(Analysis::Alignment))
    else {
        return Ok(());
    };
    let (dir, task) = (&recipe.data.dir, tasks::task(&analyse.task)?);
    let way = recipe.eval.asking.first_way(task);
    let limit = analyse.limit.or(way.limit).unwrap_or(usize::MAX);
    let mut few = Vec::new();
    for language in testset::asked(dir, task, &analyse.languages)? {
        let set = testset::load(dir, task, language, way.protocol)?;
        let asked = prompt::render(task, &set, &way.few_shot, way.labels)?;
        let items = asked.prompts.len().min(limit);
        if items < FEWEST_ITEMS {
            few.push(format!("{items} of {language}"));
        }
    }
    match few.is_empty() {
        true => Ok(()),
        false => Err(RunError::Unfit(format!(
            "analyse.limit: the maps and measures of languages need {FEWEST_ITEMS} or more items in each, and there are {}; raise \
             `analyse.limit` or `eval.limit`, or leave `pca` and `alignment` out of `analyse.kinds`",
            few.join(", ")
        ))),
    }
}

/// Files of the questions that are to be translated.
fn find_translation_problems(recipe: &Recipe, problems: &mut Problems) {
    match list_held_out(recipe) {
        Err(problem) => problems.add(problem),
        Ok(lines) => lines
            .iter()
            .filter_map(|lines| lines.files(&recipe.data.dir).err())
            .for_each(|problem| problems.add(problem)),
    }
}

/// Why the recipe's parts do not fit into so many bytes of memory on the CPU.
pub fn find_memory_problems(
    recipe: &Recipe,
    shape: &Shape,
    parts: Parts,
    room: u64,
) -> Vec<String> {
    let weights = estimate::weight_bytes(shape, recipe.dtype);
    if weights > room {
        return vec![format!(
            "dtype: the weights of `{}` take {} in {}, and there is {}; take a narrower dtype or a smaller model",
            recipe.model,
            gigabytes(weights),
            recipe.dtype,
            gigabytes(room)
        )];
    }
    let mut problems = Vec::new();
    let asked = estimate::evaluation_bytes(shape, recipe.dtype, recipe.eval.tokens_per_batch);
    if parts.eval && asked > room {
        problems.push(format!(
            "eval.tokens_per_batch: to ask {} tokens at once takes {}, and there is {}; lower it",
            recipe.eval.tokens_per_batch,
            gigabytes(asked),
            gigabytes(room)
        ));
    }
    if let Some(train) = recipe.train.as_ref().filter(|_| parts.train) {
        let rows = MicroBatchSize::of_budget(train);
        let decision = CheckpointingDecision::new(shape, recipe.dtype, train, rows, Some(room));
        if decision.is_too_large() {
            problems.push(format!(
                "train.micro_batch_tokens: to learn {} tokens at once takes about {}; lower it",
                rows.tokens,
                decision.describe()
            ));
        }
    }
    problems
}

/// An error that lists the problems; none if there are none.
pub(crate) fn refuse(problems: &[String]) -> Result<()> {
    match problems {
        [] => Ok(()),
        [one] => Err(RunError::Unfit(one.clone())),
        several => Err(RunError::Unfit(format!(
            "the recipe cannot be run as it is: {} problems\n  {}",
            several.len(),
            several.join("\n  ")
        ))),
    }
}

fn find_pair_problems(recipe: &Recipe, problems: &mut Problems) {
    let Some(train) = &recipe.train else {
        return;
    };
    for plan in recipe.adapters() {
        let files = Draw::of(recipe, train, &plan).and_then(|draw| draw.files());
        if let Err(problem) = files {
            problems.add(problem);
        }
    }
}

/// Renders every prompt, as the evaluation will; a test set is read once for all ways to ask.
fn find_question_problems(recipe: &Recipe, task: &Task, problems: &mut Problems) {
    let (dir, ways) = (&recipe.data.dir, recipe.eval.asking.ways(task));
    let languages = match testset::asked(dir, task, &recipe.eval.languages) {
        Ok(languages) => languages,
        Err(problem) => return problems.add(problem),
    };
    if let Err(problem) = schema::language::check_known(&languages) {
        problems.add(problem);
    }
    for language in languages {
        match testset::load(dir, task, language, recipe.eval.asking.protocol) {
            Err(problem) => problems.add(problem),
            Ok(set) => ways
                .iter()
                .filter_map(|way| prompt::render(task, &set, &way.few_shot, way.labels).err())
                .for_each(|problem| problems.add(problem)),
        }
    }
}

/// Each once, in the order found.
#[derive(Default)]
struct Problems {
    list: Vec<String>,
    known: BTreeSet<String>,
    left_out: usize,
}

impl Problems {
    fn add(&mut self, problem: impl Into<RunError>) {
        let text = problem.into().chain();
        if !self.known.insert(text.clone()) {
            return;
        }
        if self.list.len() < LISTED {
            return self.list.push(text);
        }
        self.left_out += 1;
        self.list.truncate(LISTED);
        self.list.push(format!("and {} more", self.left_out));
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn recipe() -> Recipe {
        let text = "name = \"x\"\nmodel = \"m\"\n[data]\ndir = \"d\"\n[train]\nsettings = [\"de=>en\"]\ntasks = \
                    [\"emotion\"]\n[eval]\ntasks = [\"emotion\"]\n";
        Recipe::parse(Path::new("x.toml"), text, &[]).expect("a recipe")
    }

    fn keys(room: u64) -> Vec<String> {
        let shape = hub::catalogue::entry("mistral-7b").expect("known").shape;
        let problems = find_memory_problems(&recipe(), &shape, Parts::ALL, room);
        let key = |problem: &String| problem.split(':').next().unwrap_or_default().to_owned();
        problems.iter().map(key).collect()
    }

    #[test]
    fn what_does_not_fit_is_named_by_its_key() {
        assert_eq!(keys(20_000_000_000), ["dtype"], "29 GB of weights alone");
        assert_eq!(
            keys(29_100_000_000),
            ["eval.tokens_per_batch", "train.micro_batch_tokens"]
        );
        assert_eq!(keys(200_000_000_000), Vec::<String>::new());
    }

    #[test]
    fn problems_are_listed_once_and_counted() {
        let mut problems = Problems::default();
        for number in 0..15 {
            let problem = std::io::Error::other(format!("problem {}", number % 12));
            problems.add(problem);
        }
        assert_eq!(problems.list.len(), LISTED + 1);
        assert_eq!(problems.list[LISTED], "and 2 more");
    }
}
