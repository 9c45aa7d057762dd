//! What was trained, beside what it is meant to change: a table of each setting's translations
//! with the accuracy in the same language. Never here: measuring.

use compare::translation::{
    TranslationBlock, TranslationChange, TranslationLevel, TranslationSetting,
};
use schema::Language;

use crate::{
    format::{percent, points_interval},
    sheet::{ColumnHead, TableCell, align_left, push, start},
    table::ReportTable,
};

const BASE: [ColumnHead<'static>; 10] = [
    ("from", "from", false),
    ("into", "into", false),
    ("lines", "lines", false),
    ("chrF++", "chrf", true),
    ("BLEU", "bleu", true),
    ("other language", "wrong_language", true),
    ("copied", "copied", true),
    ("cut off", "without_end", false),
    ("validated", "validated", false),
    ("", "task", false),
];

const CHANGE: [ColumnHead<'static>; 14] = [
    ("from", "from", false),
    ("into", "into", false),
    ("seen", "seen", false),
    ("lines", "lines", false),
    ("chrF++", "chrf", true),
    ("change", "chrf_change", true),
    ("p (Holm)", "chrf_p_holm", false),
    ("BLEU", "bleu", true),
    ("change", "bleu_change", true),
    ("other language", "wrong_language", true),
    ("change", "wrong_language_change", true),
    ("copied", "copied", true),
    ("change", "copied_change", true),
    ("accuracy", "accuracy_change", true),
];

/// The base model's translations.
pub(crate) fn of_base(block: &TranslationBlock) -> ReportTable {
    let caption = "The base model's translations of lines that no adapter learns: chrF++ and BLEU (0 to 100), share of \
                   answers that are certain to be in another language and of those that are their source again, in %; \
                   answers that were cut off, and lines that an adapter was validated with.";
    let name = format!("translation.{}.base", block.task);
    let mut table = start(name, caption, &BASE);
    align_left(&mut table, &["from", "into"]);
    for level in &block.base {
        let TranslationLevel {
            from,
            into,
            lines,
            chrf,
            bleu,
            wrong_language,
            copied,
            without_end,
            validated,
        } = level;
        let cells = [
            named(*from),
            named(*into),
            TableCell::Count(*lines),
            TableCell::Level(*chrf),
            TableCell::Level(*bleu),
            TableCell::Level(*wrong_language),
            TableCell::Level(*copied),
            TableCell::Count(*without_end),
            TableCell::Count(*validated),
            TableCell::text(&block.task),
        ];
        push(&mut table, &BASE, &cells, false);
    }
    table
}

/// A setting's translations after, their changes, and the change of accuracy.
pub(crate) fn of_setting(block: &TranslationBlock, setting: &TranslationSetting) -> ReportTable {
    let caption = "After training, and the change from the base in points: chrF++ and BLEU (0 to 100), answers in another \
                   language and answers that are their source again, in %. p: sign flips of the lines' chrF++. Right: \
                   the change of the accuracy on the task's questions in the same language.";
    let name = format!("translation.{}.{}", block.task, setting.slug);
    let mut table = start(name, caption, &CHANGE);
    align_left(&mut table, &["from", "into", "seen"]);
    for change in &setting.directions {
        let TranslationChange {
            from,
            into,
            seen,
            lines,
            chrf,
            chrf_p_holm,
            bleu,
            wrong_language,
            copied,
            accuracy,
            ..
        } = change;
        let after = |of: &Option<compare::BeforeAfter>| TableCell::Level(of.map(|of| of.after));
        let moved = |of: &Option<compare::BeforeAfter>| TableCell::Change(of.map(|of| of.change));
        let cells = [
            named(*from),
            named(*into),
            TableCell::text(if *seen { "yes" } else { "no" }),
            TableCell::Count(*lines),
            after(chrf),
            moved(chrf),
            TableCell::P(Some(*chrf_p_holm)),
            after(bleu),
            moved(bleu),
            after(wrong_language),
            moved(wrong_language),
            after(copied),
            moved(copied),
            TableCell::Change(*accuracy),
        ];
        push(&mut table, &CHANGE, &cells, false);
    }
    table
}

fn named(language: Language) -> TableCell {
    TableCell::text(language.code())
}

/// What a reader is to know before the tables.
pub(crate) fn introduce(block: &TranslationBlock) -> String {
    format!(
        "Adapters learn to translate the questions of {}. Here they translate lines that none of them learnt. Header \
         words are left out of both sides. Scores equal sacrebleu's: {}.",
        block.task,
        block.signatures.join(", ")
    )
}

/// Whether a setting learnt what it was trained to do, and whether that goes with the transfer.
pub(crate) fn describe(setting: &TranslationSetting) -> Vec<String> {
    let mut sentences = Vec::new();
    if let Some(mean) = &setting.chrf_mean {
        let direction = match (mean.change.rises(), mean.change.falls()) {
            (true, _) => "It translates better than the base",
            (_, true) => "It translates worse than the base",
            _ => "It is not certain that it translates otherwise than the base",
        };
        sentences.push(format!(
            "{direction}: chrF++ {} before, {} after, {} on the mean of {} directions.",
            percent(mean.before.value, 1),
            percent(mean.after.value, 1),
            points_interval(&mean.change, 1),
            setting.directions.len()
        ));
    }
    let beside = setting.directions.iter();
    let beside = beside.filter(|change| change.accuracy.is_some() && change.chrf.is_some());
    match (setting.with_accuracy, beside.count()) {
        (Some(rho), languages) => sentences.push(format!(
            "Over {languages} languages the change of chrF++ and that of accuracy are correlated with Spearman's rho \
             {rho:+.2}; this describes these languages, and tests nothing."
        )),
        (None, 0) => sentences.push(
            "No accuracy was measured in these languages: there is no transfer to set it beside.".to_owned(),
        ),
        (None, _) => sentences.push(
            "These are too few languages, or too equal ones, to tell whether translation and accuracy change together."
                .to_owned(),
        ),
    }
    sentences
}
