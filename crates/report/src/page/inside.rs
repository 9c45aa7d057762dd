//! The inside of the models, as the templates take it: one section per task, in it one view per
//! adapter.
//!
//! Never here: a number.

use compare::inside::ModelView;
use serde::Serialize;

use crate::{
    inside::{CaptionedFigure, Foldout, InsideSection, parts},
    output::{DrawnFigure, ReportFiles, ShownTable},
    page::slugify,
    table::ReportTable,
};

/// One task's section.
#[derive(Serialize)]
pub(crate) struct PageInside {
    pub id: String,
    pub title: String,
    pub intro: String,
    pub looks: Vec<PageLook>,
}

/// One model before and after.
#[derive(Serialize)]
pub(crate) struct PageLook {
    id: String,
    title: String,
    parts: Vec<PagePart>,
}

#[derive(Serialize)]
struct PagePart {
    id: String,
    title: &'static str,
    sentences: Vec<String>,
    tables: Vec<ShownTable>,
    pictures: Vec<PagePicture>,
    choice: Option<PageChoice>,
    more: Vec<PageMore>,
}

/// Poolings, of which one is seen at a time.
#[derive(Serialize)]
struct PageChoice {
    id: String,
    alternatives: Vec<PageAlternative>,
}

#[derive(Serialize)]
struct PageAlternative {
    name: String,
    pictures: Vec<PagePicture>,
}

#[derive(Serialize)]
struct PagePicture {
    drawn: DrawnFigure,
    caption: String,
    /// Takes the whole width.
    wide: bool,
}

#[derive(Serialize)]
struct PageMore {
    summary: String,
    pictures: Vec<PagePicture>,
    tables: Vec<ShownTable>,
}

/// Draws and lays out every look.
pub(crate) fn lay_out(looks: &[ModelView], output: &mut ReportFiles) -> Vec<PageInside> {
    looks
        .chunk_by(|a, b| a.task == b.task)
        .filter_map(|looks| lay_out_task(looks, output))
        .collect()
}

fn lay_out_task(looks: &[ModelView], output: &mut ReportFiles) -> Option<PageInside> {
    let task = looks.first()?.task;
    Some(PageInside {
        id: format!("inside.{task}"),
        title: format!("Inside the model: {task}"),
        intro: introduce(looks),
        looks: looks
            .iter()
            .map(|look| lay_out_look(look, output))
            .collect(),
    })
}

fn introduce(looks: &[ModelView]) -> String {
    let layers = looks.iter().map(|look| look.layers).max().unwrap_or(0);
    if layers == 0 {
        return String::new(); // silencing alone knows no layer
    }
    format!(
        "Layers count from 0, the embedding, to {layers}, the last block; all before the final norm."
    )
}

fn lay_out_look(look: &ModelView, output: &mut ReportFiles) -> PageLook {
    let parts = parts(look)
        .into_iter()
        .map(|part| lay_out_part(part, &look.slug, output))
        .collect();
    PageLook {
        id: format!("inside.{}", look.slug),
        title: look.title.clone(),
        parts,
    }
}

fn lay_out_part(part: InsideSection, look: &str, output: &mut ReportFiles) -> PagePart {
    let InsideSection {
        title,
        sentences,
        tables,
        pictures,
        choice,
        more,
    } = part;
    let mut pictures = lay_out_pictures(pictures, output);
    let mut alternatives: Vec<PageAlternative> = choice
        .into_iter()
        .map(|of| PageAlternative {
            name: of.name,
            pictures: lay_out_pictures(of.pictures, output),
        })
        .collect();
    if alternatives.len() == 1 {
        let only = alternatives.drain(..).flat_map(|of| of.pictures);
        pictures.extend(only);
    }
    // a heading's words before a colon are short
    let short = title.split(':').next().unwrap_or(title);
    let id = format!("inside.{look}.{}", slugify(short));
    let choice = (!alternatives.is_empty()).then(|| PageChoice {
        id: format!("{id}.pooling"),
        alternatives,
    });
    PagePart {
        id,
        title,
        sentences,
        tables: lay_out_tables(tables, output),
        pictures,
        choice,
        more: more
            .into_iter()
            .map(|foldout| lay_out_foldout(foldout, output))
            .collect(),
    }
}

fn lay_out_tables(tables: Vec<ReportTable>, output: &mut ReportFiles) -> Vec<ShownTable> {
    tables
        .into_iter()
        .map(|table| output.table(table))
        .collect()
}

fn lay_out_foldout(foldout: Foldout, output: &mut ReportFiles) -> PageMore {
    PageMore {
        summary: foldout.summary,
        pictures: lay_out_pictures(foldout.pictures, output),
        tables: lay_out_tables(foldout.tables, output),
    }
}

fn lay_out_pictures(pictures: Vec<CaptionedFigure>, output: &mut ReportFiles) -> Vec<PagePicture> {
    pictures
        .into_iter()
        .map(|CaptionedFigure { figure, caption }| PagePicture {
            wide: figure.width > 600.0,
            drawn: output.figure(figure),
            caption,
        })
        .collect()
}
