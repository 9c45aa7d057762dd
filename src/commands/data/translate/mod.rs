//! `data translate`: the texts of a file through an engine, into a file of the same or the
//! pairs' layout.

mod args;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use data::tasks;
use hub::Cache as ModelCache;
use import::texts::{self, Texts, TextsLayout};
use run::{
    OutputCheck,
    model_engine::{ModelEngine, ModelEngineSettings},
    nothing_is_ours,
};
use schema::{Language, Task};
use translate::{
    Engine, TranslationCache,
    engines::{self, Settings},
    facts,
    job::{self, JobEvents, JobPlan, Pace},
};

pub(crate) use self::args::{AFTER_HELP, TranslateArgs};
use crate::progress::{self, Bar, Terminal, interrupted, note};

pub(super) fn run(args: &TranslateArgs) -> Result<ExitCode> {
    let task = args.task.as_deref().map(tasks::task).transpose()?;
    let texts = read(args, task)?;
    let engine = open_engine(args)?;
    let cache_path = cache_path(args)?;
    if args.dry_run {
        // A file that is not there yet holds nothing, and counting must not make it.
        let cache = cache_path
            .exists()
            .then(|| TranslationCache::open(&cache_path))
            .transpose()?;
        let plan = job::plan(&*engine, &texts.texts(), cache.as_ref())?;
        progress::result(&describe(args, &plan)?);
        return Ok(ExitCode::SUCCESS);
    }
    let Some(out) = &args.out else {
        bail!("name the result with --out")
    };
    check_out(args, task, &texts, out)?;
    let cache = TranslationCache::open(&cache_path)?;
    let translations = translate(args, &*engine, &texts.texts(), &cache)?;
    let items = texts.translated(args.to, &translations, TextsLayout::of(out))?;
    texts::write(out, &items, TextsLayout::of(out))?;
    note(&format!("wrote {} ({} items)", out.display(), items.len()));
    Ok(ExitCode::SUCCESS)
}

fn read(args: &TranslateArgs, task: Option<&Task>) -> Result<Texts> {
    let path = &args.input;
    let layout = TextsLayout::of(path);
    if args.protocol.is_some()
        && (layout, out_layout(args)) != (TextsLayout::Labelled, Some(TextsLayout::Labelled))
    {
        bail!(
            "--protocol is for the gold words of questions with labels, from {}; leave it out",
            path.display()
        );
    }
    let mut texts = match (layout, task) {
        (TextsLayout::Lines, None) => Texts::read_lines(path, args.from)?,
        (TextsLayout::Lines, Some(_)) => bail!(
            "{} holds plain lines, which have no task: leave --task out",
            path.display()
        ),
        (_, None) => bail!(
            "{} holds questions: name their task with --task",
            path.display()
        ),
        // Pairs hold no labels, and counting needs none: then a question without one is as good
        // as another.
        (TextsLayout::Labelled, Some(task)) if out_layout(args) != Some(TextsLayout::Labelled) => {
            Texts::read_questions(path, task, args.from)?
        }
        (TextsLayout::Labelled, Some(task)) => {
            Texts::read_labelled(path, task, args.from, args.protocol)?
        }
        (TextsLayout::Pairs, Some(task)) => Texts::read_pairs(path, task, args.from)?,
    };
    if let Some(count) = args.limit {
        texts.truncate(count);
    }
    Ok(texts)
}

fn out_layout(args: &TranslateArgs) -> Option<TextsLayout> {
    args.out.as_deref().map(TextsLayout::of)
}

fn open_engine(args: &TranslateArgs) -> Result<Box<dyn Engine>> {
    if args.engine != "model" {
        if args.local.adapter.is_some() {
            bail!(
                "engine {}: --adapter has no effect on it; remove it",
                args.engine
            );
        }
        let service = &args.service;
        return Ok(engines::open(&Settings {
            engine: &args.engine,
            from: args.from,
            to: args.to,
            source_code: service.source_code.clone(),
            target_code: service.target_code.clone(),
            url: service.url.clone(),
            model: service.model.clone(),
            temperature: service.temperature.map(|temperature| temperature.0),
            timeout: args.pace.timeout.map(Duration::from_secs_f64),
            lines_per_request: args.pace.lines_per_request,
            command: service.command.clone(),
            is_dry: args.dry_run,
            lookup: &|name| {
                std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
            },
        })?);
    }
    open_model(args)
}

/// A model of ours as the engine.
fn open_model(args: &TranslateArgs) -> Result<Box<dyn Engine>> {
    check_flags(args)?;
    let Some(model) = &args.service.model else {
        bail!("engine model: name the model with --model")
    };
    let local = &args.local;
    let settings = ModelEngineSettings {
        model,
        adapter: local.adapter.as_deref(),
        dtype: local.dtype,
        device: &local.device.device,
        max_new_tokens: local.max_new_tokens,
        from: args.from,
        to: args.to,
        stop: interrupted,
    };
    let engine = ModelEngine::open(&settings, &mut Terminal::default())?;
    Ok(Box::new(engine))
}

fn check_flags(args: &TranslateArgs) -> Result<()> {
    if args.from == args.to {
        bail!(
            "engine model: from {0} to {0} there is nothing to translate",
            args.from
        );
    }
    let unused = [
        (args.service.url.is_some(), "--url"),
        (args.service.command.is_some(), "--command"),
        (args.service.source_code.is_some(), "--source-code"),
        (args.service.target_code.is_some(), "--target-code"),
        (args.service.temperature.is_some(), "--temperature"),
        (args.pace.lines_per_request.is_some(), "--lines-per-request"),
        (args.pace.timeout.is_some(), "--timeout"),
    ];
    match unused.iter().find(|(is_given, _)| *is_given) {
        Some((_, flag)) => bail!("engine model: {flag} has no effect on it; remove it"),
        None => Ok(()),
    }
}

fn cache_path(args: &TranslateArgs) -> Result<PathBuf> {
    Ok(match &args.cache {
        Some(path) => path.clone(),
        None => ModelCache::from_env()?.root().join("translations.redb"),
    })
}

/// Rejects a result that cannot be written before anything is paid for.
fn check_out(args: &TranslateArgs, task: Option<&Task>, texts: &Texts, out: &Path) -> Result<()> {
    let mut check = OutputCheck::new(args.replace).reading("the input", &args.input);
    if let (Some(model), "model") = (&args.service.model, args.engine.as_str()) {
        check = check.reading_model(model)?;
    }
    if let Some(adapter) = &args.local.adapter {
        check = check.reading("the adapter", adapter);
    }
    check
        .reading("the cache", &cache_path(args)?)
        .file(out, &nothing_is_ours)?;
    check_cache(args)?;
    if let Some(named) = task
        .and_then(|task| named_language(task, out))
        .filter(|named| *named != args.to)
    {
        bail!(
            "{} is a file in {} by its name, but --to is {}; change one of them",
            out.display(),
            named.name(),
            args.to
        );
    }
    let texts_as_they_are = texts.texts();
    texts
        .translated(args.to, &texts_as_they_are, TextsLayout::of(out))
        .with_context(|| out.display().to_string())?;
    Ok(())
}

/// Rejects a cache that is the input or no ordinary file; another's file is refused when it is
/// opened.
fn check_cache(args: &TranslateArgs) -> Result<()> {
    let check = OutputCheck::new(true).reading("the input", &args.input);
    let cache = cache_path(args)?;
    let rescue = PathBuf::from(format!("{}.rescue", cache.display()));
    check.file(&cache, &nothing_is_ours)?;
    Ok(check.file(&rescue, &nothing_is_ours)?)
}

/// The language in a name such as `snli_sw10k_train_question.json`.
fn named_language(task: &Task, path: &Path) -> Option<Language> {
    let rest = path
        .file_name()?
        .to_str()?
        .strip_prefix(&format!("{}_", task.name))?;
    let digits = rest.find(|c: char| c.is_ascii_digit())?;
    rest[..digits].parse().ok()
}

fn translate(
    args: &TranslateArgs,
    engine: &dyn Engine,
    texts: &[String],
    cache: &TranslationCache,
) -> Result<Vec<String>> {
    let plan = job::plan(engine, texts, Some(cache))?;
    let pace = Pace {
        parallel: if args.engine == "model" {
            1
        } else {
            args.pace.parallel.into()
        },
        requests_per_second: args.pace.requests_per_second,
        characters_per_minute: args.pace.characters_per_minute,
        tries: args.pace.tries,
        first_pause: Duration::from_secs_f64(args.pace.retry_pause),
    };
    let bar = Mutex::new(Bar::new(
        &format!("{} to {}", args.from, args.to),
        plan.unique,
        "lines",
        false,
    ));
    let watch = JobEvents {
        progress: &|done, _| lock(&bar).set(done, "", None),
        note: &note,
        stop: &interrupted,
    };
    let translations = job::run(engine, texts, cache, &pace, &watch)?;
    let bar = bar
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    bar.finish(&format!(
        "{} lines, {} of them from the cache",
        plan.unique, plan.cached
    ));
    Ok(translations)
}

fn lock(bar: &Mutex<Bar>) -> MutexGuard<'_, Bar> {
    bar.lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// The report of a dry run.
fn describe(args: &TranslateArgs, plan: &JobPlan) -> Result<String> {
    let facts = facts(&args.engine)?;
    let cost = match args.price_per_million.or(facts.price) {
        _ if plan.characters == 0 => "nothing: all of it is in the cache".to_owned(),
        Some(0.0) => "nothing per character".to_owned(),
        Some(price) => {
            let dollars = plan.characters as f64 / 1e6 * price;
            let source = match args.price_per_million {
                Some(_) => "as given".to_owned(),
                None => format!(
                    "list price when this was built, before free shares; see {}",
                    facts.page
                ),
            };
            format!("about {dollars:.2} US dollars ({price} per million characters, {source})")
        }
        None => {
            format!(
                "billed by tokens, not by characters: --price-per-million makes an estimate; see {}",
                facts.page
            )
        }
    };
    Ok(format!(
        "texts       {}\nlines       {}, {} different, {} of these in the cache\nto be sent  {} lines, {} characters, \
         {} requests\ncost        {cost}",
        plan.texts,
        plan.lines,
        plan.unique,
        plan.cached,
        plan.unique - plan.cached,
        plan.characters,
        plan.requests
    ))
}
