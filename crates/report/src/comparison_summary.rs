//! A comparison of two files of answers in eighty columns: the mean, and the languages in which the change is clear. Never
//! here: the tables (`comparison`), colours.

use compare::{Comparison, Direction, direction, stats::Estimate};

use crate::{
    findings::describe_setting,
    format::{count, percent, points_interval},
};

/// Columns of a terminal.
const WIDTH: usize = 80;
/// Of the names of languages.
const NAME_WIDTH: usize = 28;

/// How a line is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Neither.
    Plain,
    /// A clear rise of the accuracy.
    Better,
    /// A clear fall.
    Worse,
}

/// A line of a short comparison; at most eighty columns, unless a word or path alone is longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComparisonLine {
    /// How it is meant.
    pub tone: Tone,
    /// Without a line feed.
    pub text: String,
}

impl ComparisonLine {
    fn plain(text: impl Into<String>) -> Self {
        Self {
            tone: Tone::Plain,
            text: text.into(),
        }
    }
}

/// Files, differences, the mean, the languages whose change is clear (its 95 % interval lies on one side of 0), and why.
pub fn summarise_comparison(comparison: &Comparison) -> Vec<ComparisonLine> {
    let changes = &comparison.changes;
    let mut lines = head(comparison);
    let row = row_text("accuracy in %", "before", "after", "change [95 %]");
    lines.push(ComparisonLine::plain(row));
    let name = format!("mean of {}", count(changes.mean.languages, "language"));
    let mean = &changes.mean;
    lines.push(row_line(&name, [&mean.before, &mean.after, &mean.change]));
    let (mut clear, unclear): (Vec<_>, Vec<_>) = changes
        .languages
        .iter()
        .partition(|of| direction(&of.change) != Direction::Unclear);
    clear.sort_by(|a, b| b.change.value.total_cmp(&a.change.value));
    for of in &clear {
        let name = format!("{} ({})", of.language.name(), of.language);
        lines.push(row_line(&name, [&of.before, &of.after, &of.change]));
    }
    if !unclear.is_empty() {
        let codes: Vec<&str> = unclear.iter().map(|of| of.language.code()).collect();
        let text = format!("no clear change in {}: {}", codes.len(), codes.join(" "));
        lines.extend(wrap(&text));
    }
    lines.push(ComparisonLine::plain(""));
    lines.extend(wrap(&describe_setting(changes).verdict));
    let significant = changes
        .languages
        .iter()
        .filter(|of| of.p_holm < 0.05)
        .count();
    lines.extend(wrap(&format!(
        "A change is clear where its interval lies on one side of 0, each language by itself; {significant} of {} are \
         significant at 0.05 after Holm's adjustment.",
        changes.languages.len()
    )));
    lines.push(ComparisonLine::plain("All tables: --all"));
    lines
}

/// What is compared, and what makes it worth less.
fn head(comparison: &Comparison) -> Vec<ComparisonLine> {
    let mut lines = vec![
        ComparisonLine::plain(format!("{}, {} labels", comparison.task, comparison.labels)),
        ComparisonLine::plain(format!("before: {}", comparison.a.display())),
        ComparisonLine::plain(format!("after:  {}", comparison.b.display())),
    ];
    let remarks = [
        ("differs", &comparison.differences),
        ("missing", &comparison.gaps),
        ("note", &comparison.caveats),
    ];
    for (label, texts) in remarks {
        for text in texts {
            lines.extend(wrap(&format!("{label}: {text}")));
        }
    }
    lines.push(ComparisonLine::plain(""));
    lines
}

/// A name with its accuracy before and after, and the change.
fn row_line(name: &str, [before, after, change]: [&Estimate; 3]) -> ComparisonLine {
    let (tone, word) = match direction(change) {
        Direction::Rises => (Tone::Better, "  better"),
        Direction::Falls => (Tone::Worse, "  worse"),
        Direction::Unclear => (Tone::Plain, ""),
    };
    let (before, after) = (percent(before.value, 1), percent(after.value, 1));
    let row = row_text(name, &before, &after, &points_interval(change, 1));
    ComparisonLine {
        tone,
        text: row + word,
    }
}

fn row_text(name: &str, before: &str, after: &str, change: &str) -> String {
    let name = match name.chars().count() > NAME_WIDTH {
        true => name.chars().take(NAME_WIDTH - 1).chain(['…']).collect(),
        false => name.to_owned(),
    };
    format!("{name:<NAME_WIDTH$}  {before:>6}  {after:>6}  {change:>24}")
}

/// Lines of whole words; those after the first are indented.
fn wrap(text: &str) -> Vec<ComparisonLine> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let width = line.chars().count() + 1 + word.chars().count();
        if line.trim().is_empty() {
            line += word;
        } else if width <= WIDTH {
            line = format!("{line} {word}");
        } else {
            lines.push(ComparisonLine::plain(line));
            line = format!("  {word}");
        }
    }
    lines.push(ComparisonLine::plain(line));
    lines
}
