//! Any command that reads lines and writes as many lines, such as `apertium -u eng-spa`. Run
//! without a shell. Never here: retries.

use std::{
    io::{Read, Write},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use super::Settings;
use crate::{Engine, EngineFailure, EngineProperties, TranslateError};

const LOOK: Duration = Duration::from_millis(5);
/// So many of the last characters of what the command said on stderr are shown.
const MOST_SAID: usize = 300;

/// A command as an engine.
pub struct CommandEngine {
    properties: EngineProperties,
    words: Vec<String>,
    timeout: Duration,
}

impl CommandEngine {
    pub(super) fn open(settings: &Settings<'_>) -> Result<Self, TranslateError> {
        settings.check_unused(false, false)?;
        let Some(line) = &settings.command else {
            return Err(settings.refuse(
                "name the command with --command, such as --command 'apertium -u eng-spa'",
            ));
        };
        let Some(words) = shlex::split(line).filter(|words| !words.is_empty()) else {
            return Err(settings.refuse(format!(
                "--command `{line}` has no word, or a quotation mark without its partner"
            )));
        };
        let identity = format!(
            "command {line} {}>{}",
            settings.source()?,
            settings.target()?
        );
        Ok(Self {
            properties: settings.properties(identity, false)?,
            words,
            timeout: settings.timeout()?,
        })
    }

    fn start(&self) -> Result<Child, EngineFailure> {
        let mut command = Command::new(&self.words[0]);
        command
            .args(&self.words[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.spawn().map_err(|e| {
            EngineFailure::ends(
                format!("cannot start `{}`: {e}", self.words[0]),
                "is it installed? try it in a terminal",
            )
        })
    }
}

impl Engine for CommandEngine {
    fn properties(&self) -> &EngineProperties {
        &self.properties
    }

    fn translate(&self, lines: &[&str]) -> Result<Vec<String>, EngineFailure> {
        let mut child = self.start()?;
        let mut input = lines.join("\n");
        input.push('\n');
        let stdin = child.stdin.take();
        // A command may write before it has read everything: neither side may wait for the
        // other.
        thread::spawn(move || stdin.map(|mut stdin| stdin.write_all(input.as_bytes())));
        let (stdout, stderr) = (collect(child.stdout.take()), collect(child.stderr.take()));
        let deadline = Instant::now() + self.timeout;
        let status = wait(&mut child, deadline)?;
        let rest = deadline.saturating_duration_since(Instant::now()) + LOOK;
        let (Ok(stdout), Ok(stderr)) = (stdout.recv_timeout(rest), stderr.recv_timeout(rest))
        else {
            return Err(EngineFailure::passing(
                "the command has ended, but a process that it started still holds its output",
            ));
        };
        if !status.success() {
            let problem = format!("the command ended with {status}{}", quote(&stderr));
            return Err(EngineFailure::ends(
                problem,
                "try it in a terminal with one line of the input",
            ));
        }
        let text = String::from_utf8(stdout)
            .map_err(|_| EngineFailure::split("the command's output is not UTF-8"))?;
        Ok(text
            .strip_suffix('\n')
            .unwrap_or(&text)
            .split('\n')
            .map(|line| line.trim_end_matches('\r').to_owned())
            .collect())
    }
}

/// Everything that comes out of a pipe, once it is closed.
fn collect(pipe: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe
            && let Err(problem) = pipe.read_to_end(&mut bytes)
        {
            tracing::warn!(%problem, "the command's output broke off");
        }
        // Nobody listens any more once the command took too long.
        let _ = sender.send(bytes);
    });
    receiver
}

/// Waits for the end of the command, and ends it when its time is over.
fn wait(child: &mut Child, deadline: Instant) -> Result<ExitStatus, EngineFailure> {
    loop {
        if let Some(status) = child.try_wait().map_err(cannot_wait)? {
            return Ok(status);
        }
        if Instant::now() >= deadline {
            child.kill().map_err(cannot_wait)?;
            child.wait().map_err(cannot_wait)?;
            return Err(EngineFailure::passing(
                "the command took too long and was stopped; raise --timeout",
            ));
        }
        thread::sleep(LOOK);
    }
}

fn cannot_wait(e: std::io::Error) -> EngineFailure {
    EngineFailure::ends(
        format!("cannot wait for the command: {e}"),
        "run the same command again",
    )
}

fn quote(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let text = text.trim();
    let from = text
        .char_indices()
        .rev()
        .nth(MOST_SAID)
        .map_or(0, |(at, _)| at);
    if text.is_empty() {
        String::new()
    } else {
        format!(": {}", &text[from..])
    }
}
