//! The checked recipe as TOML, every default written out: what `check` prints and a run
//! records. Never here: reading it back (`file`, `check`).

use super::{LanguageRecipe, Recipe, keys::KeySection, page::Page};

/// See [`Recipe::render`].
pub(super) fn render(recipe: &Recipe) -> String {
    let mut page = Page::default();
    for set in &recipe.overrides {
        page.line(&format!("# --set {}", set.escape_debug()));
    }
    page.text("name", &recipe.name);
    page.text("title", &recipe.title);
    page.text("model", &recipe.model);
    page.text("dtype", recipe.dtype);
    page.plain("seeds", format!("{:?}", recipe.seeds));
    for (language, LanguageRecipe { name, script }) in &recipe.languages {
        page.open(&format!("languages.{language}"));
        page.text("name", name);
        page.text("script", script);
    }
    page.open("data");
    recipe.data.render(&mut page);
    match &recipe.train {
        Some(train) => {
            page.open("train");
            train.render(&mut page);
        }
        None => page.line("\n# no [train]: the base model alone is evaluated"),
    }
    page.open("eval");
    recipe.eval.render(&mut page);
    match &recipe.analyse {
        Some(analyse) => {
            page.open("analyse");
            analyse.render(&mut page);
        }
        None => page.line("\n# no [analyse]: nothing inside the models is looked at"),
    }
    page.open("report");
    recipe.report.render(&mut page);
    page.into_text()
}
