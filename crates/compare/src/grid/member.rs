//! One run of a grid: how far it is, and its rows.
//!
//! Never here: measuring, which is `results`; comparing runs.

use std::path::Path;

use schema::{Language, PromptForm, Protocol, listing::in_a_line};
use serde_json::Value;

use super::{
    AxisPoint, BASE_ROW, GridLanguage, GridMember, GridMemberState, GridResults, GridRow, GridTest,
    printed::{PrintedCell, PrintedFacts},
};
use crate::{
    AdapterName, LanguageChange, ResultBlock, SettingResult, compute,
    error::CompareError,
    folder::name_of,
    read_run,
    stats::{paired::PairedP, resample::Stop, standard_deviation},
};

/// The axis whose points are models.
pub(super) const MODEL_AXIS: &str = "model";
/// So many stages are named; the others are counted.
const NAMED_STAGES: usize = 3;

/// Reads and measures a run, and adds what it says.
pub(super) fn add(
    member: &GridMember,
    facts: &PrintedFacts,
    results: &mut GridResults,
    stop: Stop,
) -> Result<(), CompareError> {
    let name = &member.name;
    let mut state = GridMemberState {
        name: name.clone(),
        axes: points(member),
        folder: name_of(member.folder.root()),
        model: axis_model(member).unwrap_or_default(),
        done: 0,
        planned: 0,
        has_page: member.folder.report().join("index.html").is_file(),
    };
    let records = match read_run(&member.folder, stop) {
        Ok(records) => records,
        Err(CompareError::Nothing(_)) => {
            let gap = format!("`{name}` has no records yet: it is not in these results.");
            results.missing.push(gap);
            results.members.push(state);
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let own = records.model().map(str::to_owned);
    let of_recipe = text(&records.manifest, "/recipe/model").map(shorten);
    state.model = axis_model(member).or(of_recipe).or(own).unwrap_or_default();
    note_progress(&mut state, &records.manifest, &mut results.missing);
    let computed = compute(&records, stop)?;
    let said = |sentence: &String| format!("`{name}`: {sentence}");
    results.missing.extend(computed.gaps.iter().map(said));
    results.caveats.extend(computed.caveats.iter().map(said));
    let source = RowSource {
        member,
        model: &state.model,
        recipe: &records.manifest["recipe"],
        facts,
    };
    for block in &computed.blocks {
        results.rows.push(source.base(block));
        let settings = block.settings.iter();
        results
            .rows
            .extend(settings.map(|setting| source.setting(block, setting)));
    }
    results.members.push(state);
    Ok(())
}

fn points(member: &GridMember) -> Vec<AxisPoint> {
    let axes = member.axes.iter();
    axes.map(|(axis, point)| AxisPoint {
        axis: axis.clone(),
        point: point.clone(),
    })
    .collect()
}

/// The model as the grid names it; `None` if it is on no axis.
fn axis_model(member: &GridMember) -> Option<String> {
    let axis = member.axes.iter().find(|(axis, _)| axis == MODEL_AXIS);
    axis.map(|(_, point)| shorten(point))
}

/// A path of this machine by its last part, which the model has on any other too.
fn shorten(model: &str) -> String {
    if Path::new(model).is_absolute() {
        name_of(Path::new(model))
    } else {
        model.to_owned()
    }
}

fn text<'a>(manifest: &'a Value, pointer: &str) -> Option<&'a str> {
    manifest.pointer(pointer).and_then(Value::as_str)
}

fn names<'a>(manifest: &'a Value, key: &str) -> Vec<&'a str> {
    let names = manifest[key].as_array().into_iter().flatten();
    names.filter_map(Value::as_str).collect()
}

/// Counts the stages, and says what is not done.
fn note_progress(state: &mut GridMemberState, manifest: &Value, missing: &mut Vec<String>) {
    let (planned, current) = (names(manifest, "planned"), names(manifest, "current"));
    let open: Vec<String> = planned
        .iter()
        .filter(|stage| !current.contains(stage))
        .map(|stage| format!("`{stage}`"))
        .collect();
    state.planned = planned.len();
    state.done = planned.len() - open.len();
    if !open.is_empty() {
        let shown = in_a_line(&open, NAMED_STAGES);
        missing.push(format!(
            "`{}` is not finished: {} of {} stages are done; not yet: {shown}.",
            state.name, state.done, state.planned
        ));
    }
    if !state.has_page {
        missing.push(format!(
            "`{}` has no report of its own yet; its rows here are computed from its records.",
            state.name
        ));
    }
}

/// What all rows of a run share.
struct RowSource<'a> {
    member: &'a GridMember,
    model: &'a str,
    recipe: &'a Value,
    facts: &'a PrintedFacts,
}

impl RowSource<'_> {
    fn base(&self, block: &ResultBlock) -> GridRow {
        let levels = &block.base.languages;
        let languages: Vec<GridLanguage> = levels
            .iter()
            .map(|level| GridLanguage {
                printed: None,
                language: level.language,
                items: level.items,
                seen: false,
                accuracy: level.accuracy,
                change: None,
                test: None,
            })
            .collect();
        let mut row = GridRow {
            mean: block.base.mean,
            ..self.start(block, BASE_ROW, None, languages)
        };
        self.set_printed(&mut row, block, None);
        row
    }

    fn setting(&self, block: &ResultBlock, setting: &SettingResult) -> GridRow {
        let adapter = setting.adapters.first().map_or("", String::as_str);
        let name = AdapterName::parse(adapter);
        let title = match &name.setting {
            Some(parsed) => parsed.to_string(),
            None => setting.name.clone(),
        };
        let changes = &setting.changes;
        let languages = changes.languages.iter().map(describe_language).collect();
        let mut row = GridRow {
            mean: changes.mean.after,
            base: Some(changes.mean.before),
            change: Some(changes.mean.change),
            test: changes.mean_p.map(untested),
            seed_sd: standard_deviation(&changes.seed_changes),
            seed_changes: changes.seed_changes.clone(),
            ..self.start(block, &title, name.task.clone(), languages)
        };
        if let (Some(_), Some(trained_on)) = (&name.setting, &name.task) {
            self.set_printed(&mut row, block, Some(trained_on));
        }
        row
    }

    /// A row whose numbers are not there yet.
    fn start(
        &self,
        block: &ResultBlock,
        setting: &str,
        trained_on: Option<String>,
        languages: Vec<GridLanguage>,
    ) -> GridRow {
        GridRow {
            member: self.member.name.clone(),
            model: self.model.to_owned(),
            task: block.task.clone(),
            trained_on,
            labels: block.labels,
            prompt: block.prompt,
            setting: setting.to_owned(),
            variant: points(self.member), // `rows` takes out what is not needed
            chance: 1.0 / block.label_names.len() as f64,
            mean: crate::stats::Estimate::UNDEFINED,
            base: None,
            change: None,
            test: None,
            seed_changes: Vec::new(),
            seed_sd: None,
            languages,
            printed: None,
        }
    }

    /// The paper's numbers, if the run is the paper's experiment.
    fn set_printed(&self, row: &mut GridRow, block: &ResultBlock, trained_on: Option<&str>) {
        let recipe = self.recipe;
        let facts = self.facts;
        let is_same = block.prompt == PromptForm::Plain
            && block.protocol != Some(Protocol::Corrected)
            && facts.is_same_recipe(recipe, &block.task, trained_on.is_some())
            && trained_on.is_none_or(|task| facts.is_same_training(recipe, task));
        let (true, Some(model)) = (is_same, recipe["model"].as_str()) else {
            return;
        };
        let setting = row.setting.clone();
        let cell = PrintedCell {
            model,
            task: &block.task,
            trained_on,
            setting: &setting,
            labels: block.labels,
        };
        let mut whole = Vec::new();
        for of in &mut row.languages {
            if facts.has_same_items(&block.task, of.items) {
                of.printed = facts.in_language(&cell, of.language);
                whole.push(of.language);
            }
        }
        row.printed = is_all(&whole, row).then(|| facts.mean_of(&cell)).flatten();
    }
}

/// Whether a row is over the paper's twenty languages and no other, each with all items.
fn is_all(whole: &[Language], row: &GridRow) -> bool {
    row.languages.len() == Language::ALL.len()
        && Language::ALL
            .iter()
            .all(|language| whole.contains(language))
}

fn describe_language(of: &LanguageChange) -> GridLanguage {
    GridLanguage {
        language: of.language,
        items: of.items,
        seen: of.seen,
        accuracy: of.after,
        change: Some(of.change),
        test: Some(untested(of.p)),
        printed: None,
    }
}

/// A test that is not adjusted yet.
fn untested(p: PairedP) -> GridTest {
    GridTest {
        p: p.exact,
        p_holm: f64::NAN,
    }
}
