//! The page and its Markdown twin: results laid out by two templates.
//!
//! Never here: a number that is not computed elsewhere; scripts, fonts or pictures from
//! elsewhere.

mod embed;
pub(crate) mod inside;

use std::path::{Path, PathBuf};

use figure::{DARK, LIGHT, css_variables, figure_css};
use minijinja::{
    AutoEscape, Environment, UndefinedBehavior, Value, syntax::SyntaxConfig, value::Serde,
};
use schema::escape::show_controls;
use serde::Serialize;

use crate::{
    error::ReportError,
    findings::Findings,
    lead::Lead,
    markdown::markdown,
    notes::{INSIDE_NOTES, INSIDE_REFERENCES, NOTES, Note, REFERENCES},
    output::{DrawnFigure, ShownTable},
    provenance::Fact,
};
use embed::{SCRIPT, inline_file, script_source};
use inside::PageInside;

/// The content of the page, in its order.
#[derive(Serialize)]
pub(crate) struct ReportPage {
    pub title: String,
    /// Run, model, tasks: a line under the title.
    pub subtitle: String,
    pub lead: Lead,
    pub overview: Option<DrawnFigure>,
    pub overview_table: Option<ShownTable>,
    /// Other forms of the prompts beside the plain one, if there are any.
    pub forms: Option<ShownTable>,
    pub gaps: Vec<String>,
    /// What makes a result worth less than it looks.
    pub caveats: Vec<String>,
    /// What the audit of the data found; `None` if it was not audited.
    pub data: Option<PageData>,
    pub blocks: Vec<PageBlock>,
    /// One per task whose questions were translated.
    pub translations: Vec<PageTranslation>,
    /// One per task that was looked at.
    pub inside: Vec<PageInside>,
    pub trainings: Vec<PageTraining>,
    /// Date, command, machine, time and versions.
    pub making: Vec<Fact>,
    pub facts: Vec<Fact>,
    pub recipe: Vec<Fact>,
}

/// The audit of the data.
#[derive(Serialize)]
pub(crate) struct PageData {
    pub sentence: String,
    pub table: Option<ShownTable>,
}

/// One task and label set.
#[derive(Serialize)]
pub(crate) struct PageBlock {
    pub id: String,
    pub title: String,
    pub intro: String,
    /// Settings x languages; only where there are several settings.
    pub map: Option<DrawnFigure>,
    /// The same as levels.
    pub table: Option<ShownTable>,
    pub settings: Vec<PageSetting>,
}

/// One setting, or the base model alone.
#[derive(Serialize)]
pub(crate) struct PageSetting {
    pub id: String,
    pub title: String,
    pub findings: Option<Findings>,
    pub accuracy: DrawnFigure,
    pub shares: Option<DrawnFigure>,
    pub table: ShownTable,
    /// Where its questions are.
    pub questions: String,
    /// Behind the main table.
    pub more: Vec<ShownTable>,
}

/// How well one task's questions are translated.
#[derive(Serialize)]
pub(crate) struct PageTranslation {
    pub id: String,
    pub title: String,
    pub intro: String,
    pub base: ShownTable,
    pub settings: Vec<PageTranslationSetting>,
}

/// By the adapters of one setting.
#[derive(Serialize)]
pub(crate) struct PageTranslationSetting {
    pub id: String,
    pub title: String,
    pub sentences: Vec<String>,
    pub table: ShownTable,
}

/// One setting's training.
#[derive(Serialize)]
pub(crate) struct PageTraining {
    pub id: String,
    pub title: String,
    pub figure: DrawnFigure,
    pub sentences: Vec<String>,
    pub probes: Vec<PageProbes>,
}

/// What was measured while one adapter was trained.
#[derive(Serialize)]
pub(crate) struct PageProbes {
    pub caption: String,
    pub figure: DrawnFigure,
    pub table: ShownTable,
}

/// Those of the inside only where there is one.
fn with(always: &[Note], inside: &[Note], page: &ReportPage) -> Vec<Note> {
    let inside = if page.inside.is_empty() { &[] } else { inside };
    [always, inside].concat()
}

/// Where the files are that a page offers.
#[derive(Clone, Copy)]
pub(crate) enum Downloads<'a> {
    /// In folders beside the page.
    Beside,
    /// In the page, read from this folder. Other pages cannot be reached.
    Inlined(&'a Path),
}

/// Everything a template may name.
#[derive(Serialize)]
struct PageValues<'a, P> {
    page: &'a P,
    notes: &'a [Note],
    references: &'a [Note],
    version: &'static str,
    css: &'static str,
    figure_css: &'static str,
    light: String,
    dark: String,
    script: &'static str,
    script_source: String,
}

/// Writes a value into a page: what would steer the reader's program is shown, and markup of
/// texts is escaped, unless the template calls it safe.
fn write_value(
    out: &mut minijinja::Output,
    state: &mut minijinja::State,
    value: &Value,
) -> Result<(), minijinja::Error> {
    let Some(text) = value.as_str() else {
        // only texts have markup
        return match state.auto_escape() {
            AutoEscape::Html => minijinja::escape_formatter(out, state, value),
            _ if value.is_undefined() => Err(minijinja::ErrorKind::UndefinedError.into()),
            _ => Ok(write!(out, "{value}")?),
        };
    };
    match (state.auto_escape(), value.is_safe()) {
        (_, true) => Ok(out.write_str(&show_controls(text))?),
        (AutoEscape::Html, false) => {
            minijinja::escape_formatter(out, state, &Value::from(show_controls(text).as_ref()))
        }
        (_, false) => Ok(out.write_str(&markdown(text))?),
    }
}

/// A file name as part of an address, for a template.
fn address(name: &str) -> Value {
    Value::from_safe_string(encode(name))
}

/// A text as part of an address.
pub(crate) fn encode(name: &str) -> String {
    let mut address = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                address.push(char::from(byte))
            }
            _ => address += &format!("%{byte:02X}"),
        }
    }
    address
}

/// The attributes of a link to one of the page's files, `tables/overview.csv`.
fn link_file(path: &str, folder: Option<&Path>) -> Result<Value, minijinja::Error> {
    let Some(folder) = folder else {
        let parts: Vec<String> = path.split('/').map(encode).collect();
        return Ok(Value::from_safe_string(format!(
            "href=\"{}\"",
            parts.join("/")
        )));
    };
    let file = folder.join(path);
    let address = inline_file(&file).map_err(|problem| {
        let said = format!("cannot read {}: {problem}", file.display());
        minijinja::Error::new(minijinja::ErrorKind::InvalidOperation, said)
    })?;
    let name = path.rsplit('/').next().unwrap_or(path);
    let name = minijinja::HtmlEscape(name).to_string();
    Ok(Value::from_safe_string(format!(
        "href=\"{address}\" download=\"{name}\""
    )))
}

/// A text as part of an anchor: `zh-de-en`.
pub(crate) fn slugify(text: &str) -> String {
    let parts = text.split(|c: char| !c.is_ascii_alphanumeric());
    let parts: Vec<String> = parts
        .filter(|part| !part.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    parts.join("-")
}

/// What all templates are rendered with: `.html` escapes, a name that is not given is an error.
pub(crate) fn environment() -> Result<Environment<'static>, ReportError> {
    let mut environment = Environment::new();
    environment.set_syntax(
        SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()?,
    );
    environment.set_auto_escape_callback(|name| {
        if name.ends_with(".html") {
            AutoEscape::Html
        } else {
            AutoEscape::Custom("markdown".into())
        }
    });
    environment.set_formatter(write_value);
    environment.add_filter("address", address);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    Ok(environment)
}

/// Fills a template with a page and the notes at its end.
pub(crate) fn render<P: Serialize>(
    name: &'static str,
    template: &'static str,
    page: &P,
    (notes, references): (&[Note], &[Note]),
    downloads: Downloads<'_>,
) -> Result<String, ReportError> {
    let mut environment = environment()?;
    let folder: Option<PathBuf> = match downloads {
        Downloads::Beside => None,
        Downloads::Inlined(folder) => Some(folder.to_owned()),
    };
    environment.add_global("single", folder.is_some());
    environment.add_filter("file", move |path: &str| link_file(path, folder.as_deref()));
    environment.add_template(name, template)?;
    let values = PageValues {
        page,
        notes,
        references,
        version: env!("CARGO_PKG_VERSION"),
        css: include_str!("page.css"),
        figure_css: figure_css(),
        light: css_variables(&LIGHT),
        dark: css_variables(&DARK),
        script: SCRIPT,
        script_source: script_source(),
    };
    Ok(environment
        .get_template(name)?
        .render(Value::from(Serde(values)))?)
}

fn render_with_notes(
    name: &'static str,
    template: &'static str,
    page: &ReportPage,
    downloads: Downloads<'_>,
) -> Result<String, ReportError> {
    let notes = with(NOTES, INSIDE_NOTES, page);
    let references = with(REFERENCES, INSIDE_REFERENCES, page);
    render(name, template, page, (&notes, &references), downloads)
}

/// One HTML file.
pub(crate) fn to_html(page: &ReportPage, downloads: Downloads<'_>) -> Result<String, ReportError> {
    const TEMPLATE: &str = concat!(
        include_str!("macros.html"),
        include_str!("parts.html"),
        include_str!("lead.html"),
        include_str!("head.html"),
        include_str!("page.html"),
        include_str!("notes.html"),
    );
    Ok(keep_together(&render_with_notes(
        "page.html",
        TEMPLATE,
        page,
        downloads,
    )?))
}

/// A line must not end inside `95 %` or an interval.
pub(crate) fn keep_together(html: &str) -> String {
    html.replace(" %", "\u{a0}%")
        .replace(", +", ",\u{a0}+")
        .replace(", −", ",\u{a0}−")
}

/// The same in Markdown; figures are linked.
pub(crate) fn to_markdown(page: &ReportPage) -> Result<String, ReportError> {
    render_with_notes("page.md", include_str!("page.md"), page, Downloads::Beside)
}
