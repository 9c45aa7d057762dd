//! From a run folder to `report/`: index.html, report.md, results.json, tables, figures.

use std::collections::BTreeMap;

use compare::{
    AdapterName, ProbePoint, ResultBlock, Results, RunRecords, SettingResult, TrainingLog, compute,
    inside::{ModelView, list_views, select_layers},
    read_run, recipe_settings,
    translation::{TranslationBlock, measure_translations},
    write_results,
};
use schema::{record::ProbeRecord, run_folder::RunFolder, write_whole};
use serde_json::Value;

use crate::{
    audit,
    change_tables::tables_of,
    error::ReportError,
    figures,
    findings::describe_setting,
    format::{describe_asking, duration, thousands},
    lead::{describe_learning, lead},
    output::ReportFiles,
    page::{
        self, Downloads, PageBlock, PageData, PageProbes, PageSetting, PageTraining,
        PageTranslation, PageTranslationSetting, ReportPage, slugify,
    },
    provenance::{describe_making, list_facts, sum_stages},
    questions::{
        self,
        links::{all_questions, link_rows},
    },
    summary::Summary,
    tables, translation,
};

/// Computes and writes the report of a run. The same records give the same bytes.
///
/// # Errors
/// Broken or contradicting records, named by file and line; an empty run folder; a folder that
/// cannot be written. The report and [`Summary::gaps`] list what is only missing.
pub fn write(run: &RunFolder) -> Result<Summary, ReportError> {
    write_unless(run, &[], &|| false)
}

/// As [`write()`], unless `stop` says so meanwhile. `remarks` on the whole run come before what is
/// missing.
///
/// # Errors
/// As [`write()`]; [`compare::CompareError::Stopped`].
pub fn write_unless(
    run: &RunFolder,
    remarks: &[String],
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Summary, ReportError> {
    write_pages(run, remarks, false, stop)
}

/// As [`write_unless`], and `report/single.html`: the page as one file that holds its tables, to be
/// sent or kept.
///
/// # Errors
/// As [`write_unless`].
pub fn write_single(
    run: &RunFolder,
    remarks: &[String],
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Summary, ReportError> {
    write_pages(run, remarks, true, stop)
}

fn write_pages(
    run: &RunFolder,
    remarks: &[String],
    is_single: bool,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Summary, ReportError> {
    let records = read_run(run, stop)?;
    let mut results = compute(&records, stop)?;
    results.gaps.splice(..0, remarks.iter().cloned());
    let mut views = list_views(
        &records.inside,
        &recipe_settings(&records.manifest),
        &mut results.gaps,
    )?;
    for view in &mut views {
        view.shown = select_layers(&records.manifest, view.layers, &mut results.gaps);
    }
    let translations = measure_translations(&records, &results.blocks, stop)?;
    let missing = translations
        .iter()
        .flat_map(|block| block.gaps.iter().cloned());
    results.gaps.extend(missing);
    let mut output = ReportFiles::default();
    let computed = (&results, translations.as_slice(), views.as_slice());
    let page = lay_out(run, &records, computed, &mut output);
    let folder = run.report();
    output.save(&folder)?;
    write_results(
        &folder.join("results.json"),
        &results,
        &translations,
        &views,
    )?;
    write_whole(
        &folder.join("report.md"),
        page::to_markdown(&page)?.as_bytes(),
    )?;
    questions::write_page(run, &records, (&page.title, &folder), stop)?;
    let index = folder.join("index.html");
    let html = page::to_html(&page, Downloads::Beside)?;
    write_whole(&index, html.as_bytes())?;
    if is_single {
        let html = page::to_html(&page, Downloads::Inlined(&folder))?;
        write_whole(&folder.join("single.html"), html.as_bytes())?;
    }
    Ok(Summary::new(&results, index))
}

/// Writes the page of the questions alone, `report/questions.html` and its data.
///
/// # Errors
/// As [`write_unless`].
pub fn write_questions(
    run: &RunFolder,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<(), ReportError> {
    let records = read_run(run, stop)?;
    let (title, _) = name_run(run, &records);
    questions::write_page(run, &records, (&title, &run.report()), stop)
}

/// Takes an entry out of an object; null where it has none.
fn take_entry(object: &mut Value, key: &str) -> Value {
    object
        .as_object_mut()
        .and_then(|entries| entries.remove(key))
        .unwrap_or_default()
}

/// A text of the manifest.
fn text<'a>(records: &'a RunRecords, pointer: &str) -> Option<&'a str> {
    records.manifest.pointer(pointer).and_then(Value::as_str)
}

/// The run's title and its name.
fn name_run(run: &RunFolder, records: &RunRecords) -> (String, String) {
    let folder = run
        .root()
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let name = text(records, "/recipe/name").map_or(folder, str::to_owned);
    let title = text(records, "/recipe/title").filter(|title| !title.is_empty());
    (title.unwrap_or(&name).to_owned(), name)
}

fn lay_out(
    run: &RunFolder,
    records: &RunRecords,
    (results, translations, looks): (&Results, &[TranslationBlock], &[ModelView]),
    output: &mut ReportFiles,
) -> ReportPage {
    let (title, name) = name_run(run, records);
    let model = text(records, "/recipe/model").map_or_else(
        || records.model().unwrap_or("unknown").to_owned(),
        str::to_owned,
    );
    let overview = figures::overview::draw(results).map(|figure| output.figure(figure));
    let mut facts = records.manifest.clone();
    let recipe = take_entry(&mut facts, "recipe");
    take_entry(&mut facts, "planned");
    take_entry(&mut facts, "current"); // says which answers were read; the page shows those
    let training = time_trainings(records);
    let making = describe_making(&records.manifest, &training);
    sum_stages(&mut facts, &training);
    let overview_table = output.table(tables::overview(results));
    let mut lead = lead(results, &model);
    // of one comparison the first screen has said it all
    let is_told = results.blocks.is_empty() || !lead.numbers.is_empty();
    lead.sentences.extend(tell_learning(records, results));
    ReportPage {
        title,
        subtitle: format!("Run {name}, model {model}"),
        overview: overview.filter(|_| !is_told),
        overview_table: (!is_told).then_some(overview_table),
        forms: (!results.forms.is_empty()).then(|| output.table(tables::forms(results))),
        gaps: results.gaps.clone(),
        caveats: results.caveats.clone(),
        data: records.audit.as_ref().map(|record| {
            let (sentence, table) = audit::describe(record);
            PageData {
                sentence,
                table: table.map(|table| output.table(table)),
            }
        }),
        blocks: results
            .blocks
            .iter()
            .map(|block| lay_out_block(block, &lead.sentences, output))
            .collect(),
        lead,
        translations: translations
            .iter()
            .map(|block| lay_out_translations(block, output))
            .collect(),
        inside: page::inside::lay_out(looks, output),
        trainings: lay_out_training(records, output),
        making,
        facts: list_facts(&facts),
        recipe: list_facts(&recipe),
    }
}

/// What the first screen has `told` is not told again.
fn lay_out_block(block: &ResultBlock, told: &[String], output: &mut ReportFiles) -> PageBlock {
    let id = block.slug();
    let table = tables::by_language(block);
    let table = output.table(table);
    let settings = match block.settings.as_slice() {
        [] => vec![PageSetting {
            id: format!("{id}.base"),
            title: "Base model".to_owned(),
            findings: None,
            accuracy: output.figure(figures::accuracy::draw_levels(
                format!("{id}.base.accuracy"),
                &block.base,
                block.label_names.len(),
            )),
            shares: None,
            table: output.table(tables::of_base(block)),
            questions: all_questions(block, None),
            more: Vec::new(),
        }],
        settings => settings
            .iter()
            .map(|setting| lay_out_setting((&id, block), setting, told, output))
            .collect(),
    };
    PageBlock {
        title: format!("{}, {}", block.task, describe_asking(block)),
        intro: introduce(block),
        map: figures::changes::draw(block).map(|figure| output.figure(figure)),
        table: (block.settings.len() > 1).then_some(table),
        id,
        settings,
    }
}

fn lay_out_translations(block: &TranslationBlock, output: &mut ReportFiles) -> PageTranslation {
    PageTranslation {
        id: format!("{}.translation", block.task),
        title: format!("{}, translation", block.task),
        intro: translation::introduce(block),
        base: output.table(translation::of_base(block)),
        settings: block
            .settings
            .iter()
            .map(|setting| PageTranslationSetting {
                id: format!("{}.translation.{}", block.task, slugify(&setting.name)),
                title: format!("Base model to {}", setting.name),
                sentences: translation::describe(setting),
                table: output.table(translation::of_setting(block, setting)),
            })
            .collect(),
    }
}

fn introduce(block: &ResultBlock) -> String {
    let items: Vec<usize> = block
        .base
        .languages
        .iter()
        .map(|level| level.items)
        .collect();
    let (fewest, most) = (
        items.iter().min().copied().unwrap_or(0),
        items.iter().max().copied().unwrap_or(0),
    );
    let items = if fewest == most {
        most.to_string()
    } else {
        format!("{fewest} to {most}")
    };
    let protocol = block
        .protocol
        .map_or_else(String::new, |protocol| format!(" Protocol “{protocol}”."));
    let ties = match block.base.tied {
        0 => String::new(),
        ties => format!(" {ties} of the base model's answers are ties of the two best labels."),
    };
    let languages = block.base.languages.len();
    format!(
        "{items} items in {}, labels {}; guessing gives {:.1} %.{protocol}{ties}",
        if languages == 1 {
            "one language".to_owned()
        } else {
            format!("each of {languages} languages")
        },
        block.label_names.join(", "),
        100.0 / block.label_names.len() as f64
    )
}

fn lay_out_setting(
    (id, block): (&str, &ResultBlock),
    setting: &SettingResult,
    told: &[String],
    output: &mut ReportFiles,
) -> PageSetting {
    let (id, changes) = (format!("{id}.{}", setting.slug), &setting.changes);
    let name = format!("{}.{}", block.slug(), setting.slug);
    let (main, rest) = tables_of(name, changes);
    let questions = all_questions(block, setting.adapters.first());
    let mut findings = describe_setting(changes);
    findings.details.retain(|sentence| !told.contains(sentence));
    PageSetting {
        title: format!("Base model to {}", setting.name),
        findings: Some(findings),
        accuracy: output.figure(figures::accuracy::draw_changes(
            format!("{id}.accuracy"),
            &setting.name,
            changes,
        )),
        shares: Some(output.figure(figures::shares::draw(
            format!("{id}.shares"),
            &setting.name,
            changes,
        ))),
        table: output.table(main).linked(link_rows(&questions, changes)),
        questions,
        more: rest.into_iter().map(|table| output.table(table)).collect(),
        id,
    }
}

/// What the adapters of the only comparison learnt.
fn tell_learning(records: &RunRecords, results: &Results) -> Option<String> {
    let settings = results.blocks.iter().flat_map(|block| &block.settings);
    let [setting] = settings.collect::<Vec<_>>()[..] else {
        return None;
    };
    let of_name = |name: &String| Some(TrainingLog::new(name, records.train_logs.get(name)?));
    let logs: Vec<TrainingLog> = setting.adapters.iter().filter_map(of_name).collect();
    describe_learning(&logs)
}

/// What the updates of each adapter took in all, by the name of its stage.
fn time_trainings(records: &RunRecords) -> BTreeMap<String, f64> {
    let logs = records.train_logs.iter();
    logs.map(|(adapter, log)| {
        let seconds = TrainingLog::new(adapter, log).seconds();
        (format!("train.{adapter}"), seconds)
    })
    .collect()
}

fn lay_out_training(records: &RunRecords, output: &mut ReportFiles) -> Vec<PageTraining> {
    let mut groups: BTreeMap<AdapterName, Vec<TrainingLog>> = BTreeMap::new();
    for (adapter, log) in &records.train_logs {
        groups
            .entry(AdapterName::parse(adapter))
            .or_default()
            .push(TrainingLog::new(adapter, log));
    }
    groups
        .iter()
        .map(|(name, seeds)| lay_out_adapter(name, seeds, records, output))
        .collect()
}

/// The losses of all seeds of one adapter.
fn lay_out_adapter(
    name: &AdapterName,
    seeds: &[TrainingLog],
    records: &RunRecords,
    output: &mut ReportFiles,
) -> PageTraining {
    let all: Vec<&TrainingLog> = seeds.iter().collect();
    let figure = figures::loss::draw(
        format!("loss.{}", name.group.replace(['.', '/', ' '], "-")),
        &all,
    );
    PageTraining {
        id: format!("training.{}", slugify(&name.group)),
        title: match (&name.setting, &name.task) {
            (Some(setting), Some(task)) => format!("{setting}, questions of {task}"),
            _ => name.group.clone(),
        },
        figure: output.figure(figure),
        sentences: seeds
            .iter()
            .map(|seed| describe_training(seed, seeds.len() > 1))
            .collect(),
        probes: seeds
            .iter()
            .filter_map(|seed| {
                let probes = records.probes.get(&seed.adapter)?;
                Some(lay_out_probes(&seed.adapter, probes, output))
            })
            .collect(),
    }
}

/// Where one training goes, by language.
fn lay_out_probes(adapter: &str, records: &[ProbeRecord], output: &mut ReportFiles) -> PageProbes {
    let points: Vec<ProbePoint> = records.iter().map(ProbePoint::new).collect();
    let items = points.iter().map(|point| point.items).max().unwrap_or(0);
    let caption = format!(
        "{adapter} on the way: {items} questions per language, the same at each update (update 0: before training); loss of \
         translating pairs of the validation split; CKA of the questions' states with the English ones after the middle \
         layer. So few questions show where a training goes, and are no result."
    );
    let name = format!("probes.{}", adapter.replace(['.', '/', ' '], "-"));
    let table = figures::probes::tabulate(name.clone(), &caption, &points);
    PageProbes {
        figure: output.figure(figures::probes::draw(name, &caption, &points)),
        table: output.table(table),
        caption,
    }
}

fn describe_training(training: &TrainingLog, named: bool) -> String {
    let who = if named {
        format!("{}: ", training.adapter)
    } else {
        String::new()
    };
    let (tokens, seconds) = (training.tokens(), training.seconds());
    let speed = if seconds > 0.0 {
        format!(", {} tokens/s", thousands((tokens as f64 / seconds) as u64))
    } else {
        String::new()
    };
    let best = training.best().map_or_else(
        || " There was no validation.".to_owned(),
        |best| {
            let start = training
                .validations
                .iter()
                .find(|validation| validation.step == 0);
            let from = start.map_or_else(String::new, |start| {
                format!(" from {:.3} before training", start.loss)
            });
            format!(
                " Lowest validation loss {:.3} at update {}{from}.",
                best.loss, best.step
            )
        },
    );
    format!(
        "{who}{} updates, {} tokens in {}{speed}.{best}",
        thousands(training.steps.len() as u64),
        thousands(tokens as u64),
        duration(seconds)
    )
}
