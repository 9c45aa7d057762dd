//! The terminal's summary of a finished run.

use std::path::PathBuf;

use compare::{BeforeAfter, Results, stats::Estimate};

use crate::{
    format::{area, percent, points_interval},
    table::{ReportTable, TableRow},
};

/// Means and changes of a run, and where its page is.
#[derive(Clone, Debug)]
pub struct Summary {
    /// One per task and label set.
    pub rows: Vec<SummaryRow>,
    /// What could not be computed and why.
    pub gaps: Vec<String>,
    /// What makes a result worth less than it looks.
    pub caveats: Vec<String>,
    /// `report/index.html`
    pub page: PathBuf,
}

/// One task and label set.
#[derive(Clone, Debug)]
pub struct SummaryRow {
    /// Task name.
    pub task: String,
    /// Label set, and the form of the prompts where it is not the plain one.
    pub labels: String,
    /// Languages of the base model's answers.
    pub languages: usize,
    /// The base model's mean accuracy, a fraction of 1.
    pub base: Estimate,
    /// Each setting.
    pub settings: Vec<SummarySetting>,
}

/// One setting of one task and label set.
#[derive(Clone, Debug)]
pub struct SummarySetting {
    /// As the paper prints it: `zh/de=>en`.
    pub name: String,
    /// Languages compared.
    pub languages: usize,
    /// Mean accuracy over languages and seeds.
    pub mean: Estimate,
    /// Its change from the base.
    pub change: Estimate,
    /// The mean AUC before and after, where it is defined.
    pub auc: Option<BeforeAfter>,
    /// Seeds.
    pub seeds: usize,
}

impl Summary {
    pub(crate) fn new(results: &Results, page: PathBuf) -> Self {
        let rows = results.blocks.iter().map(|block| SummaryRow {
            task: block.task.clone(),
            labels: block.asked_with(),
            languages: block.base.languages.len(),
            base: block.base.mean,
            settings: block
                .settings
                .iter()
                .map(|setting| SummarySetting {
                    name: setting.name.clone(),
                    languages: setting.changes.mean.languages,
                    mean: setting.changes.mean.after,
                    change: setting.changes.mean.change,
                    auc: setting.changes.mean.auc,
                    seeds: setting.adapters.len(),
                })
                .collect(),
        });
        Self {
            rows: rows.collect(),
            gaps: results.gaps.clone(),
            caveats: results.caveats.clone(),
            page,
        }
    }

    /// A table, the gaps, the caveats, and the page's path; ends with a line feed.
    pub fn render_text(&self) -> String {
        let columns = [
            "task",
            "labels",
            "setting",
            "languages",
            "seeds",
            "accuracy %",
            "change, points [95 %]",
            "separates labels (AUC)",
        ];
        let mut table = ReportTable::new("", "", &columns);
        for column in [1, 2, 7] {
            table.columns[column].numeric = false;
        }
        for row in &self.rows {
            table.rows.push(TableRow::plain(row.base_cells()));
            for setting in &row.settings {
                table.rows.push(TableRow::plain(row.setting_cells(setting)));
            }
        }
        let gaps: String = self
            .gaps
            .iter()
            .map(|gap| format!("missing: {gap}\n"))
            .collect();
        let caveats: String = self
            .caveats
            .iter()
            .map(|caveat| format!("note: {caveat}\n"))
            .collect();
        let table = if self.rows.is_empty() {
            String::new()
        } else {
            table.to_text() + "\n"
        };
        format!("{table}{gaps}{caveats}report: {}\n", self.page.display())
    }
}

impl SummaryRow {
    fn base_cells(&self) -> Vec<String> {
        vec![
            self.task.clone(),
            self.labels.clone(),
            "base".to_owned(),
            self.languages.to_string(),
            String::new(),
            percent(self.base.value, 2),
            String::new(),
            String::new(),
        ]
    }

    fn setting_cells(&self, setting: &SummarySetting) -> Vec<String> {
        vec![
            self.task.clone(),
            self.labels.clone(),
            setting.name.clone(),
            setting.languages.to_string(),
            setting.seeds.to_string(),
            percent(setting.mean.value, 2),
            points_interval(&setting.change, 2),
            setting
                .auc
                .map_or_else(|| "undefined".to_owned(), |auc| describe(&auc)),
        ]
    }
}

/// `0.595 → 0.608 (unclear)`
fn describe(auc: &BeforeAfter) -> String {
    let direction = match &auc.change {
        change if change.rises() => "better",
        change if change.falls() => "less well",
        _ => "unclear",
    };
    format!(
        "{} → {} ({direction})",
        area(auc.before.value),
        area(auc.after.value)
    )
}
