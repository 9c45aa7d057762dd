//! The checked recipe as TOML, every default written out: what `check` prints and a run
//! records. Never here: reading it back (`file`, `check`).

use std::{fmt::Display, path::Path};

use toml::Value;

use super::{
    AnalyseRecipe, BuildRecipe, EvalRecipe, LanguageRecipe, LoraRecipe, Recipe, TrainRecipe,
};
use crate::Language;

/// See [`Recipe::render`].
pub(super) fn render(recipe: &Recipe) -> String {
    let mut page = Page(String::new());
    for set in &recipe.overrides {
        page.line(&format!("# --set {}", set.escape_debug()));
    }
    page.text("name", &recipe.name);
    page.text("title", &recipe.title);
    page.text("model", &recipe.model);
    page.text("dtype", recipe.dtype);
    page.line(&format!("seeds = {:?}", recipe.seeds));
    for (language, LanguageRecipe { name, script }) in &recipe.languages {
        page.line(&format!("\n[languages.{language}]"));
        page.text("name", name);
        page.text("script", script);
    }
    page.line("\n[data]");
    page.path("dir", &recipe.data.dir);
    match recipe.data.accept.as_slice() {
        [] => page.line("# accept: not given, every error that the audit finds is refused"),
        kinds => page.list("accept", kinds),
    }
    match &recipe.train {
        Some(train) => render_train(&mut page, train),
        None => page.line("\n# no [train]: the base model alone is evaluated"),
    }
    render_eval(&mut page, &recipe.eval);
    match &recipe.analyse {
        Some(analyse) => render_analyse(&mut page, analyse),
        None => page.line("\n# no [analyse]: nothing inside the models is looked at"),
    }
    page.0
}

fn render_train(page: &mut Page, train: &TrainRecipe) {
    page.line("\n[train]");
    page.list("settings", &train.settings);
    page.list("tasks", &train.tasks);
    page.line(&format!("pairs = {}", train.pairs));
    page.number("epochs", train.epochs);
    page.optional("max_steps", train.max_steps, "`epochs` decides");
    page.line(&format!("batch_size = {}", train.batch_size));
    page.line(&format!(
        "micro_batch_tokens = {}",
        train.micro_batch_tokens
    ));
    page.word_or_switch("activation_checkpointing", train.activation_checkpointing);
    page.number("learning_rate", train.learning_rate);
    page.text("schedule", train.schedule);
    page.number("warmup_ratio", train.warmup_ratio);
    page.number("weight_decay", train.weight_decay);
    page.number("max_grad_norm", train.max_grad_norm);
    page.number("val_size", train.val_size);
    page.line(&format!("eval_steps = {}", train.eval_steps));
    page.line(&format!("save_steps = {}", train.save_steps));
    page.line(&format!("cutoff_len = {}", train.cutoff_len));
    let BuildRecipe {
        template,
        directions,
        control,
        remove_overlap,
        remove_duplicates,
        similarity,
        split,
    } = &train.build;
    page.line("\n[train.build]");
    page.text("template", template);
    page.text("directions", directions);
    page.text("control", control);
    page.text("remove_overlap", remove_overlap);
    page.text("remove_duplicates", remove_duplicates);
    page.number("similarity", *similarity);
    page.text("split", split);
    let LoraRecipe {
        rank,
        alpha,
        dropout,
        targets,
    } = &train.lora;
    page.line("\n[train.lora]");
    page.line(&format!("rank = {rank}"));
    page.number("alpha", *alpha);
    page.number("dropout", *dropout);
    page.list("targets", targets);
}

fn render_eval(page: &mut Page, eval: &EvalRecipe) {
    page.line("\n[eval]");
    page.list("tasks", &eval.tasks);
    page.languages(&eval.languages);
    let asking = &eval.asking;
    page.list("labels", &asking.labels);
    page.optional(
        "scoring",
        asking.scoring.map(quote),
        "each task's own, or prefix",
    );
    page.text("scorers", asking.scorers);
    page.line(&format!("greedy = {}", asking.greedy));
    page.optional(
        "protocol",
        asking.protocol.map(quote),
        "defective gold words are refused",
    );
    match asking.few_shot.as_slice() {
        [] => page.line("# few_shot: not given, each task's own, or head:K with its K"),
        [one] => page.text("few_shot", one),
        several => page.list("few_shot", several),
    }
    page.text("exemplar_language", asking.exemplar_language);
    page.text("header_language", asking.header_language);
    page.optional("limit", asking.limit, "all items");
    page.line(&format!("tokens_per_batch = {}", eval.tokens_per_batch));
}

fn render_analyse(page: &mut Page, analyse: &AnalyseRecipe) {
    page.line("\n[analyse]");
    page.list("kinds", &analyse.kinds);
    page.text("task", &analyse.task);
    page.languages(&analyse.languages);
    page.optional("limit", analyse.limit, "the items that are evaluated");
    page.list("poolings", &analyse.poolings);
    match analyse.layers.as_slice() {
        [] => page.line("# layers: not given, some of the upper half are shown"),
        layers => page.line(&format!("layers = {layers:?}")),
    }
    page.line(&format!("resamples = {}", analyse.resamples));
    page.line(&format!("permutations = {}", analyse.permutations));
    page.number("neuron_share", analyse.neuron_share);
    page.line(&format!("silenced_items = {}", analyse.silenced_items));
    page.line(&format!("patched_items = {}", analyse.patched_items));
    page.line(&format!("lens_steps = {}", analyse.lens_steps));
    page.line(&format!("lens_tokens = {}", analyse.lens_tokens));
}

struct Page(String);

impl Page {
    fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    fn text(&mut self, key: &str, value: impl Display) {
        self.line(&format!("{key} = {}", quote(value)));
    }

    /// A TOML boolean where the word is one.
    fn word_or_switch(&mut self, key: &str, word: impl Display) {
        match word.to_string().as_str() {
            switch @ ("true" | "false") => self.line(&format!("{key} = {switch}")),
            word => self.text(key, word),
        }
    }

    /// A checked recipe's paths are UTF-8.
    fn path(&mut self, key: &str, path: &Path) {
        self.text(key, path.display());
    }

    /// `5e-5`, as people write it; a checked number is finite, so this is TOML.
    fn number(&mut self, key: &str, number: f64) {
        self.line(&format!("{key} = {number:?}"));
    }

    fn list<T: Display>(&mut self, key: &str, items: &[T]) {
        let items: Vec<String> = items.iter().map(quote).collect();
        self.line(&format!("{key} = [{}]", items.join(", ")));
    }

    fn languages(&mut self, languages: &[Language]) {
        match languages {
            all if all == Language::ALL => self.text("languages", "all"),
            some => self.list("languages", some),
        }
    }

    /// What is not given stands as a comment, with what then holds.
    fn optional(&mut self, key: &str, value: Option<impl Display>, otherwise: &str) {
        match value {
            Some(value) => self.line(&format!("{key} = {value}")),
            None => self.line(&format!("# {key}: not given, {otherwise}")),
        }
    }
}

fn quote(value: impl Display) -> String {
    Value::String(value.to_string()).to_string()
}
