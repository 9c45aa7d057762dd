//! Output for people: bars on a terminal, plain lines otherwise, logs, and Ctrl-C as a flag. All
//! on stderr, results on stdout.

use std::{
    ffi::OsString,
    fmt,
    io::{self, IsTerminal, Write},
    sync::{
        LazyLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};
use run::{
    StagePlace, Watch,
    estimate::{gigabytes, seconds},
    machine,
    time_left::{self, Pace},
};
use schema::escape::{show_controls, show_message, show_on_a_line};
use serde_json::{Value, json};

/// All bars: whatever else is written to stderr takes them away first and puts them back, or the
/// terminal would keep a part of an old one.
static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);
static INTERRUPTED: AtomicBool = AtomicBool::new(false);
static IS_READER: AtomicBool = AtomicBool::new(false);
static IS_SILENT: AtomicBool = AtomicBool::new(false);
static RESULT_LOST: AtomicBool = AtomicBool::new(false);
static IS_JSON: AtomicBool = AtomicBool::new(false);

/// How often progress that is not finished is told: to a program, and in lines.
const JSON_PAUSE: Duration = Duration::from_secs(1);
const LINE_PAUSE: Duration = Duration::from_secs(15);

/// Messages and progress are for a program: a JSON object a line.
pub(crate) fn speak_json() {
    IS_JSON.store(true, Ordering::Relaxed);
}

fn speaks_json() -> bool {
    IS_JSON.load(Ordering::Relaxed)
}

/// An object on a line of stderr.
fn emit(event: &Value) {
    // Where stderr is closed, nobody reads it.
    let _ = BesideBars.write_all(format!("{event}\n").as_bytes());
}

/// Whether Ctrl-C was pressed: stages stop at the next whole step.
pub(crate) fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// How long a command that writes nothing may look for its own way to stop.
const GRACE: Duration = Duration::from_secs(1);

/// The command writes nothing, or all at its end: an interruption ends it soon, whatever it does.
pub(crate) fn expect_reader() {
    IS_READER.store(true, Ordering::Relaxed);
}

/// The first Ctrl-C asks to stop in good order, the second ends the program.
pub(crate) fn catch_interrupts() -> anyhow::Result<()> {
    Ok(ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            std::process::exit(grid::INTERRUPTED.into());
        }
        if IS_READER.load(Ordering::Relaxed) {
            std::thread::sleep(GRACE);
            error("interrupted");
            std::process::exit(grid::INTERRUPTED.into());
        }
        if !IS_SILENT.load(Ordering::Relaxed) {
            note("stopping after the step in hand; once more to stop at once");
        }
    })?)
}

/// Another process says what there is to say, and ends this one.
#[cfg(feature = "mpi")]
pub(crate) fn be_silent() {
    IS_SILENT.store(true, Ordering::Relaxed);
}

/// Logs go to stderr: warnings, or more with `-v`, or as LINGUALIGN_LOG says.
pub(crate) fn start_logging(verbose: u8) {
    let level = ["warn", "info", "debug"][usize::from(verbose.min(2))];
    let filter = match std::env::var("LINGUALIGN_LOG") {
        Ok(filter) => tracing_subscriber::EnvFilter::try_new(&filter).unwrap_or_else(|problem| {
            note(&format!(
                "LINGUALIGN_LOG=`{filter}` is not a filter ({problem}); showing {level} and above"
            ));
            level.into()
        }),
        Err(_) => level.into(),
    };
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| BesideBars)
        .with_ansi(wants_colour())
        .with_target(false);
    // A closed stderr does not end the program; reporting it there would panic.
    logs.log_internal_errors(false).init();
}

/// Stderr, without the bars while it is written to.
struct BesideBars;

impl Write for BesideBars {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        BARS.suspend(|| io::stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Whether stderr takes colours: a terminal that does not ask for none (no-color.org).
fn wants_colour() -> bool {
    takes_colour(io::stderr().is_terminal(), &|name| std::env::var_os(name))
}

fn takes_colour(is_terminal: bool, variable: &dyn Fn(&str) -> Option<OsString>) -> bool {
    let is_plain = variable("NO_COLOR").is_some_and(|value| !value.is_empty());
    let is_dumb = variable("TERM").is_some_and(|term| term == "dumb");
    is_terminal && !is_plain && !is_dumb
}

/// Whether stdout takes colours.
pub(crate) fn result_takes_colour() -> bool {
    takes_colour(io::stdout().is_terminal(), &|name| std::env::var_os(name))
}

/// Colours of a terminal that are legible on light and on dark.
#[derive(Clone, Copy)]
pub(crate) enum Colour {
    /// What is worse, or wrong.
    Red = 31,
    /// What is better.
    Green = 32,
}

/// A text in a colour (ECMA-48, SGR).
pub(crate) fn paint(colour: Colour, text: &str) -> String {
    format!("\u{1b}[{}m{text}\u{1b}[0m", colour as u8)
}

/// A result, on stdout. A reader that closes the pipe early is not an error, and the files of a
/// run are still written; any other failure is reported, here and by the exit code.
pub(crate) fn result(text: &str) {
    write_result(&show_controls(text));
}

/// A text that the model wrote, on stdout, as it is: it is what was asked for.
pub(crate) fn text(text: &str) {
    write_result(text);
}

fn write_result(text: &str) {
    match BARS.suspend(|| writeln!(io::stdout(), "{}", text.trim_end())) {
        Err(problem)
            if problem.kind() != io::ErrorKind::BrokenPipe
                && !RESULT_LOST.swap(true, Ordering::Relaxed) =>
        {
            error(&format!("cannot write to stdout: {problem}"));
        }
        _ => {}
    }
}

/// Whether a result could not be printed.
pub(crate) fn result_lost() -> bool {
    RESULT_LOST.load(Ordering::Relaxed)
}

/// A message to the user. Texts of the data may be in it: no character of them steers the
/// terminal, and none of them is endless.
pub(crate) fn note(text: &str) {
    if speaks_json() {
        return emit(&json!({"event": "note", "text": text}));
    }
    // Where stderr is closed, nobody reads the message.
    let _ = BesideBars.write_all(format!("{}\n", show_message(text)).as_bytes());
}

/// The last line of what takes memory.
pub(crate) fn note_peak_memory() {
    if let Some(bytes) = machine::peak_memory() {
        note(&format!("peak memory: {}", gigabytes(bytes)));
    }
}

/// Why the program ends.
pub(crate) fn error(text: &str) {
    if speaks_json() {
        return emit(&json!({"event": "error", "text": text}));
    }
    let line = show_message(&format!("error: {text}"));
    let line = match wants_colour() {
        true => paint(Colour::Red, &line),
        false => line,
    };
    // Where stderr is closed, nobody reads the message.
    let _ = BesideBars.write_all(format!("{line}\n").as_bytes());
}

/// Progress of one piece of work with a known size.
pub(crate) struct Bar {
    /// `[7/25] `: the stage of a run that it is a part of.
    place: String,
    label: String,
    total: u64,
    start: Instant,
    /// A bar on a terminal; else lines now and then.
    bar: Option<ProgressBar>,
    last_line: Instant,
}

impl Bar {
    /// `unit` names what is counted: `steps`, `questions`. As a part of a run it leaves it to the
    /// run to say how long it takes.
    pub(crate) fn new(label: &str, total: usize, unit: &str, is_part: bool) -> Self {
        if speaks_json() {
            emit(&json!({"event": "start", "label": label, "total": total, "unit": unit}));
        }
        let is_shown = std::io::stderr().is_terminal() && !speaks_json();
        let bar = is_shown.then(|| {
            let bar = BARS.add(ProgressBar::new(total as u64));
            // Eighty columns at most, so that no line wraps.
            let own_time = if is_part { "" } else { "{left}" };
            let template = format!(
                "{{prefix:30!}} {{bar:10}} {{pos}}/{{len}} {unit}{{rate}}{own_time} {{wide_msg}}"
            );
            if let Ok(style) = ProgressStyle::with_template(&template) {
                let style = style
                    .with_key(
                        "rate",
                        |state: &ProgressState, text: &mut dyn fmt::Write| {
                            let _ = text.write_str(&rate(state.per_sec()));
                        },
                    )
                    .with_key(
                        "left",
                        |state: &ProgressState, text: &mut dyn fmt::Write| {
                            let _ = text.write_str(&left(state.pos(), state.eta()));
                        },
                    );
                bar.set_style(style);
            }
            bar.set_prefix(show_on_a_line(label));
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Self {
            place: String::new(),
            label: label.to_owned(),
            total: total as u64,
            start: Instant::now(),
            bar,
            last_line: Instant::now(),
        }
    }

    /// The stage of a run that it goes on with.
    fn move_to(&mut self, place: &str) {
        place.clone_into(&mut self.place);
        if let Some(bar) = &self.bar {
            bar.set_prefix(show_on_a_line(&format!("{place}{}", self.label)));
        }
    }

    /// `done` of the total, with what there is to say about it, and how long the run still takes.
    pub(crate) fn set(&mut self, done: usize, remark: &str, left: Option<(f64, bool)>) {
        let told = left.map(|(seconds, is_at_least)| time_left::describe(seconds, is_at_least));
        let parts = [told.as_deref().unwrap_or_default(), remark];
        let message = parts.iter().filter(|part| !part.is_empty());
        let message = message.copied().collect::<Vec<_>>().join("; ");
        if let Some(bar) = &self.bar {
            bar.set_position(done as u64);
            bar.set_message(show_on_a_line(&message));
            return;
        }
        let pause = match speaks_json() {
            true => JSON_PAUSE,
            false => LINE_PAUSE,
        };
        if self.last_line.elapsed() <= pause {
            return;
        }
        self.last_line = Instant::now();
        let (label, total) = (&self.label, self.total);
        match speaks_json() {
            true => emit(&json!({
                "event": "advance",
                "label": label,
                "done": done,
                "total": total,
                "remark": remark,
                "seconds_left": left.map(|(seconds, _)| seconds),
            })),
            false => note(&format!("{}{label}: {done}/{total} {message}", self.place)),
        }
    }

    /// Replaces the bar by one line with the time taken.
    pub(crate) fn finish(self, message: &str) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let took = self.start.elapsed().as_secs_f64();
        if speaks_json() {
            return emit(
                &json!({"event": "finish", "label": self.label, "summary": message, "seconds": took}),
            );
        }
        note(&format!(
            "{:<40} {message}  ({})",
            format!("{}{}", self.place, self.label),
            seconds(took)
        ));
    }
}

/// `, 12/s`, `, 3 s each`; nothing where nothing is known.
fn rate(per_second: f64) -> String {
    match per_second {
        none if !none.is_finite() || none <= 0.0 => String::new(),
        slow if slow < 0.8 => format!(", {:.0} s each", 1.0 / slow),
        few if few < 10.0 => format!(", {few:.1}/s"),
        many => format!(", {many:.0}/s"),
    }
}

/// `, 2 min left`; nothing before the first step.
fn left(done: u64, time: Duration) -> String {
    match done {
        0 => String::new(),
        _ => format!(", {} left", seconds(time.as_secs_f64())),
    }
}

/// A terminal, or whatever stderr is: what the work in progress is shown on.
#[derive(Default)]
pub(crate) struct Terminal {
    bar: Option<Bar>,
    /// `[7/25] `: the stage of a run.
    place: String,
    pace: Pace,
    /// Of the piece of work in hand.
    total: usize,
}

impl Watch for Terminal {
    fn note(&mut self, text: &str) {
        note(text);
    }

    fn stage(&mut self, place: &StagePlace) {
        self.pace.stage(&place.left);
        let StagePlace {
            name, place, of, ..
        } = place;
        if speaks_json() {
            let left = self.pace.seconds_left().map(|(seconds, _)| seconds);
            emit(&json!({
                "event": "stage",
                "stage": name,
                "place": place,
                "of": of,
                "seconds_left": left,
            }));
            return;
        }
        let width = of.to_string().len();
        self.place = format!("[{place:>width$}/{of}] ");
        // Several stages may be one piece of work.
        if let Some(bar) = &mut self.bar {
            bar.move_to(&self.place);
        }
    }

    fn start(&mut self, label: &str, total: usize, unit: &str) {
        self.pace.start();
        let mut bar = Bar::new(label, total, unit, !self.place.is_empty());
        bar.move_to(&self.place);
        self.bar = Some(bar);
        self.total = total;
    }

    fn advance(&mut self, done: usize, remark: &str) {
        self.pace.advance(done, self.total);
        if let Some(bar) = &mut self.bar {
            bar.set(done, remark, self.pace.seconds_left());
        }
    }

    fn finish(&mut self, summary: &str) {
        if let Some(bar) = self.bar.take() {
            bar.finish(summary);
        }
    }

    fn is_interrupted(&self) -> bool {
        interrupted()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_times_are_in_words_that_people_use() {
        assert_eq!(rate(0.0977), ", 10 s each");
        assert_eq!(
            (rate(2.34).as_str(), rate(123.4).as_str()),
            (", 2.3/s", ", 123/s")
        );
        assert_eq!(
            (rate(0.0), rate(f64::INFINITY)),
            (String::new(), String::new())
        );
        assert_eq!(left(0, Duration::ZERO), "");
        assert_eq!(
            left(3, Duration::from_secs(90)),
            format!(", {} left", seconds(90.0))
        );
    }

    #[test]
    fn colours_are_for_terminals_that_take_them() {
        let with = |name: &'static str, value: &'static str| {
            takes_colour(true, &move |asked| (asked == name).then(|| value.into()))
        };
        assert!(with("TERM", "xterm-256color") && with("NO_COLOR", ""));
        assert!(!with("NO_COLOR", "1") && !with("TERM", "dumb"));
        assert!(!takes_colour(false, &|_| None), "a file");
    }
}
