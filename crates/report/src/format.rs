//! Numbers as text. Shares are shown in percent, their changes in percentage points, AUC as a
//! fraction.

use compare::{ResultBlock, stats::Estimate};
use schema::{LabelSet, PromptForm};

const NONE: &str = "–";

/// `64.2`; the `decimals` are given.
pub(crate) fn percent(share: f64, decimals: usize) -> String {
    fixed(100.0 * share, decimals)
}

/// `+6.8`, with a real minus sign.
pub(crate) fn points(change: f64, decimals: usize) -> String {
    signed(100.0 * change, decimals)
}

/// `+6.8 [+4.9, +8.7]`; dashes for the ends of an interval without a width: nothing varied, so it
/// is undefined.
pub(crate) fn points_interval(change: &Estimate, decimals: usize) -> String {
    let [value, low, high] = ends(change).map(|number| points(number, decimals));
    format!("{value} [{low}, {high}]")
}

/// The number and the ends of its interval, NaN where it has no width.
fn ends(change: &Estimate) -> [f64; 3] {
    if change.low < change.high {
        [change.value, change.low, change.high]
    } else {
        [change.value, f64::NAN, f64::NAN]
    }
}

/// `0.741`
pub(crate) fn area(area: f64) -> String {
    fixed(area, 3)
}

/// `+0.039 [+0.012, +0.066]`
pub(crate) fn area_interval(change: &Estimate) -> String {
    signed_interval(change, 3)
}

/// `+0.04 [−0.01, +0.09]`
pub(crate) fn signed_interval(change: &Estimate, decimals: usize) -> String {
    let [value, low, high] = ends(change).map(|number| signed(number, decimals));
    format!("{value} [{low}, {high}]")
}

/// `0.012`, or `<0.001`.
pub(crate) fn p_value(p: f64) -> String {
    if p < 0.001 {
        "<0.001".to_owned()
    } else {
        fixed(p, 3)
    }
}

/// A number that may be missing.
pub(crate) fn or_dash<T>(value: Option<T>, show: impl Fn(T) -> String) -> String {
    value.map_or_else(|| NONE.to_owned(), show)
}

/// `12,345`
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let grouped: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|part| std::str::from_utf8(part).unwrap_or(NONE))
        .collect();
    grouped.join(",")
}

/// `45 s`, `12 min 5 s`, `3 h 20 min`
pub(crate) fn duration(seconds: f64) -> String {
    let whole = seconds.round().max(0.0) as u64;
    match whole {
        _ if seconds < 10.0 => format!("{seconds:.1} s"),
        0..=99 => format!("{whole} s"),
        100..=5999 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

/// `4.2 GiB`
pub(crate) fn bytes(count: f64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let power = (0..units.len() - 1)
        .take_while(|&power| count >= 1024_f64.powi(power as i32 + 1))
        .count();
    let decimals = usize::from(power > 0);
    format!(
        "{} {}",
        fixed(count / 1024_f64.powi(power as i32), decimals),
        units[power]
    )
}

/// The first letter large, for the beginning of a sentence or a heading.
pub(crate) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

/// `a`, `a and b`, `a, b and c`
pub(crate) fn list(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// `1 item`, `2 items`
pub(crate) fn count(number: usize, noun: &str) -> String {
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{number} {noun}s")
    }
}

/// The label words, and the form of the prompts where it is not the plain one.
pub(crate) fn describe_asking(block: &ResultBlock) -> String {
    describe_way(block.labels, block.prompt)
}

/// The same of a label set and a form.
pub(crate) fn describe_way(labels: LabelSet, prompt: PromptForm) -> String {
    let labels = labels_title(labels);
    match prompt {
        PromptForm::Plain => labels.to_owned(),
        PromptForm::Chat => format!("{labels}, asked in a chat"),
        PromptForm::ChatOneTurn => format!("{labels}, asked in one turn of a chat"),
    }
}

/// What a label set is, for a heading.
fn labels_title(labels: LabelSet) -> &'static str {
    match labels {
        LabelSet::English => "English label words",
        LabelSet::Same => "label words of the question's language",
        LabelSet::Agnostic => "label words without meaning for the task",
        LabelSet::Own(_) => "label words of a set of the task's own",
    }
}

/// `0.95`; `−0.10`; a dash for what is undefined.
pub(crate) fn fixed(number: f64, decimals: usize) -> String {
    if number.is_nan() {
        return NONE.to_owned();
    }
    let text = format!("{number:.decimals$}");
    match text.strip_prefix('-') {
        Some(rest) if rest.bytes().all(|b| b == b'0' || b == b'.') => rest.to_owned(),
        Some(rest) => format!("−{rest}"),
        None => text,
    }
}

/// `+0.95`; `−0.10`; `0.00`
pub(crate) fn signed(number: f64, decimals: usize) -> String {
    let text = fixed(number, decimals);
    let is_zero = text.bytes().all(|b| b == b'0' || b == b'.');
    if number > 0.0 && !is_zero {
        format!("+{text}")
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_people_write_them() {
        assert_eq!(
            [points(0.068, 1), points(-0.068, 1), points(-0.0001, 1)],
            ["+6.8", "−6.8", "0.0"]
        );
        assert_eq!(
            points_interval(
                &Estimate {
                    value: 0.01,
                    low: -0.02,
                    high: 0.04
                },
                1
            ),
            "+1.0 [−2.0, +4.0]"
        );
        let still = Estimate {
            value: 0.0,
            low: 0.0,
            high: 0.0,
        };
        assert_eq!(points_interval(&still, 1), "0.0 [–, –]");
        assert_eq!(
            [p_value(0.0004), p_value(0.0126), p_value(1.0)],
            ["<0.001", "0.013", "1.000"]
        );
        assert_eq!(
            [thousands(7), thousands(1234), thousands(1_234_567)],
            ["7", "1,234", "1,234,567"]
        );
        assert_eq!(
            [
                duration(2.34),
                duration(71.0),
                duration(725.2),
                duration(12_000.0)
            ],
            ["2.3 s", "71 s", "12 min 5 s", "3 h 20 min"]
        );
        assert_eq!([bytes(512.0), bytes(4.5e9)], ["512 B", "4.2 GiB"]);
        assert_eq!([area(f64::NAN), or_dash(None, area)], ["–", "–"]);
    }
}
