//! A run folder looked at: what is done, what the processes at work say, what came out so far.
//! Several processes may be changing it: what is not there yet is left out.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use compare::TrainingLog;
use report::live::{LiveAnswers, LiveKind, LivePage, LiveRun, LiveTraining, LiveWork, live_page};
use run::{
    estimate,
    time_left::{describe, kind},
};
use schema::{
    disk::{DiskError, whole_lines},
    escape::show_on_a_line,
    record::TrainRecord,
    run_folder::{BASE, RunFolder},
    work::WorkRecord,
    write_whole,
};
use serde::Deserialize;

use crate::error::{LiveError, Result};

/// A process that was silent for longer, in seconds, is not at work any more.
const SILENCE: u64 = 30;
/// The kinds of stages in words, in their order.
const KINDS: [(&str, &str); 12] = [
    ("audit", "Audit of the data"),
    ("data", "Training pairs"),
    ("questions", "Texts of questions"),
    ("eval", "Answers"),
    ("translate", "Translations"),
    ("train", "Trainings"),
    ("capture", "Hidden states"),
    ("lens", "Logit lens"),
    ("tuned-lens", "Tuned lens"),
    ("map", "Maps of states"),
    ("change", "Changes of states"),
    ("", "Other looks inside"),
];

/// What of the manifest is shown.
#[derive(Deserialize)]
struct ManifestView {
    recipe: RecipeView,
    #[serde(default)]
    planned: Vec<String>,
    #[serde(default)]
    current: Vec<String>,
    stages: BTreeMap<String, StageView>,
}

#[derive(Deserialize)]
struct RecipeView {
    name: String,
    #[serde(default)]
    title: String,
    model: String,
}

#[derive(Deserialize)]
struct StageView {
    seconds: f64,
    #[serde(default)]
    outputs: BTreeMap<String, serde::de::IgnoredAny>,
}

/// What of an answer is counted.
#[derive(Deserialize)]
struct AnswerView {
    correct: bool,
}

/// Looks at a run folder, or at all of a grid, again and again. What it has counted it keeps.
pub struct Viewer {
    root: RunFolder,
    /// Right answers and all, by file and its time.
    counted: BTreeMap<(PathBuf, SystemTime), (usize, usize)>,
}

/// Writes the page of a run folder once.
///
/// # Errors
/// As [`Viewer::page`].
pub fn write_page(folder: RunFolder) -> Result<()> {
    Viewer::new(folder).write()
}

impl Viewer {
    /// Of a run's or a grid's folder.
    pub fn new(root: RunFolder) -> Self {
        Self {
            root,
            counted: BTreeMap::new(),
        }
    }

    /// Writes `live.html` beside the manifest.
    ///
    /// # Errors
    /// As [`Self::page`].
    pub fn write(&mut self) -> Result<()> {
        let html = self.page()?;
        Ok(write_whole(&self.root.live_page(), html.as_bytes())?)
    }

    /// The page of this moment.
    ///
    /// # Errors
    /// No run is there; a record is damaged.
    pub fn page(&mut self) -> Result<String> {
        let mut runs = Vec::new();
        let mut is_at_work = false;
        let mut only_name = None;
        for (folder, address) in self.find_runs()? {
            let Some(text) = read(&folder.manifest())? else {
                continue;
            };
            let manifest: ManifestView = parse(&folder.manifest(), text.as_bytes())?;
            let work = read_work(&folder)?;
            if address.is_empty() {
                only_name = Some(manifest.recipe.name.clone());
            }
            is_at_work |= work.iter().any(is_alive);
            runs.push(self.view(&folder, &address, &manifest, &work)?);
        }
        if runs.is_empty() {
            return Err(LiveError::NoRun(self.root.root().display().to_string()));
        }
        let folder = self.root.root().file_name().unwrap_or_default();
        // A run's folder may be called `run`; a grid's has no recipe of its own.
        let name = only_name.unwrap_or_else(|| folder.to_string_lossy().into_owned());
        Ok(live_page(&LivePage {
            title: show_on_a_line(&name),
            is_at_work,
            written: written(),
            runs,
        })?)
    }

    /// The run, or the runs of a grid, each with where it is from here.
    fn find_runs(&self) -> Result<Vec<(RunFolder, String)>> {
        if self.root.manifest().is_file() {
            return Ok(vec![(self.root.clone(), String::new())]);
        }
        let mut found: Vec<PathBuf> = list(&self.root.root().join("runs"))?;
        found.sort();
        let named = found.into_iter().map(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let address = format!("runs/{name}/");
            (RunFolder::new(path.clone()), address)
        });
        Ok(named.collect())
    }

    fn view(
        &mut self,
        folder: &RunFolder,
        address: &str,
        manifest: &ManifestView,
        work: &[WorkRecord],
    ) -> Result<LiveRun> {
        let is_done = |name: &&String| manifest.current.contains(name);
        let done = manifest.planned.iter().filter(is_done).count();
        let pages = [
            ("report/index.html", "Report"),
            ("report/questions.html", "Questions"),
        ];
        let links = pages
            .into_iter()
            .filter(|(page, _)| folder.root().join(page).is_file())
            .map(|(page, words)| (format!("{address}{page}"), words));
        let alive = work.iter().filter(|record| is_alive(record));
        Ok(LiveRun {
            title: show_on_a_line(&manifest.recipe.title),
            model: show_on_a_line(&manifest.recipe.model),
            state: describe_state(work, (done, manifest.planned.len())),
            done,
            planned: manifest.planned.len(),
            kinds: count_kinds(manifest),
            work: alive.filter_map(describe_work).collect(),
            trainings: read_trainings(folder)?,
            answers: self.count_answers(folder, manifest)?,
            links: links.collect(),
        })
    }

    fn count_answers(
        &mut self,
        folder: &RunFolder,
        manifest: &ManifestView,
    ) -> Result<Vec<LiveAnswers>> {
        let models = list_models(manifest);
        let mut rows: BTreeMap<(String, String), Row> = BTreeMap::new();
        for name in manifest.planned.iter().filter(|name| kind(name) == "eval") {
            let Some(asked) = AskedStage::parse(name, &models) else {
                continue;
            };
            let row = rows
                .entry((asked.asked, asked.model.to_owned()))
                .or_default();
            row.all += 1;
            let stage = manifest.stages.get(name);
            let Some(stage) = stage.filter(|_| manifest.current.contains(name)) else {
                continue;
            };
            let is_answers = |file: &&String| file.ends_with(".jsonl");
            if let Some(file) = stage.outputs.keys().find(is_answers) {
                let counts = self.count_file(&folder.root().join(file))?;
                let language = asked.language.to_owned();
                row.languages.extend(counts.map(|share| (language, share)));
            }
        }
        let begun = rows
            .into_iter()
            .filter(|(_, row)| !row.languages.is_empty());
        Ok(begun.map(|(names, row)| row.describe(names)).collect())
    }

    /// The share of right answers of a file, in per cent; `None` if it was taken away.
    fn count_file(&mut self, file: &Path) -> Result<Option<f64>> {
        let Ok(time) = fs::metadata(file).and_then(|facts| facts.modified()) else {
            return Ok(None);
        };
        let key = (file.to_owned(), time);
        if !self.counted.contains_key(&key) {
            let Some(text) = read(file)? else {
                return Ok(None);
            };
            let answers: Vec<AnswerView> = parse_lines(file, text.as_bytes())?;
            let right = answers.iter().filter(|answer| answer.correct).count();
            self.counted.insert(key.clone(), (right, answers.len()));
        }
        let (right, all) = self.counted[&key];
        Ok((all > 0).then(|| 100.0 * right as f64 / all as f64))
    }
}

/// A stage of answers by its name: `eval.<model>.<task>.<labels>.<language>`, and after that the
/// form of the prompt and the exemplars where they are not the usual ones.
struct AskedStage<'a> {
    model: &'a str,
    asked: String,
    language: &'a str,
}

impl<'a> AskedStage<'a> {
    fn parse(stage: &'a str, models: &BTreeSet<&'a str>) -> Option<Self> {
        let rest = stage.strip_prefix("eval.")?;
        let mut found = models.iter().filter_map(|model| {
            let asked = rest.strip_prefix(*model)?.strip_prefix('.')?;
            Some((*model, asked))
        });
        let (model, asked) = found.next()?;
        let mut parts = asked.splitn(4, '.');
        let (task, labels, language) = (parts.next()?, parts.next()?, parts.next()?);
        let more = parts
            .next()
            .map_or(String::new(), |more| format!(", {more}"));
        Some(Self {
            model,
            asked: format!("{task}, {labels} labels{more}"),
            language,
        })
    }
}

/// The base model and the adapters, by the stages that train them.
fn list_models(manifest: &ManifestView) -> BTreeSet<&str> {
    let stages = manifest.planned.iter().chain(manifest.stages.keys());
    let trained = stages.filter_map(|stage| stage.strip_prefix("train."));
    trained.chain([BASE]).collect()
}

/// The answers of one model in one way.
#[derive(Default)]
struct Row {
    all: usize,
    languages: Vec<(String, f64)>,
}

impl Row {
    fn describe(self, (asked, model): (String, String)) -> LiveAnswers {
        let count = self.languages.len();
        let sum: f64 = self.languages.iter().map(|(_, share)| share).sum();
        let by_language = self
            .languages
            .iter()
            .map(|(language, share)| format!("{language}\u{a0}{share:.1}"));
        LiveAnswers {
            asked,
            model,
            languages: (count, self.all),
            mean: format!("{:.1}", sum / count as f64),
            by_language: by_language.collect::<Vec<_>>().join(", "),
        }
    }
}

fn is_alive(record: &WorkRecord) -> bool {
    now().saturating_sub(record.written) <= SILENCE
}

/// The sentence that leads.
fn describe_state(work: &[WorkRecord], (done, planned): (usize, usize)) -> String {
    let alive: Vec<&WorkRecord> = work.iter().filter(|record| is_alive(record)).collect();
    let longest = alive
        .iter()
        .filter_map(|record| Some((record.seconds_left?, record.is_at_least)))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let left = longest.map_or(String::new(), |(seconds, is_at_least)| {
        format!(", {}", describe(seconds, is_at_least))
    });
    match (alive.len(), done < planned) {
        (1, _) => format!("At work: {done} of {planned} stages done{left}."),
        (0, false) => format!("Done: all {planned} stages."),
        (0, true) => format!(
            "Nobody is at work: {done} of {planned} stages done. The same command goes on where it stopped."
        ),
        (several, _) => {
            format!("{several} processes at work: {done} of {planned} stages done{left}.")
        }
    }
}

fn describe_work(record: &WorkRecord) -> Option<LiveWork> {
    (!record.label.is_empty()).then(|| LiveWork {
        label: show_on_a_line(&record.label),
        done: record.done,
        total: record.total,
        unit: record.unit.clone(),
        remark: show_on_a_line(&record.remark),
    })
}

fn count_kinds(manifest: &ManifestView) -> Vec<LiveKind> {
    let mut counts = [(0, 0, 0.0); KINDS.len()];
    for name in &manifest.planned {
        let is_kind = |(key, _): &(&str, &str)| *key == kind(name);
        let at = KINDS.iter().position(is_kind).unwrap_or(KINDS.len() - 1);
        let count = &mut counts[at];
        count.1 += 1;
        if manifest.current.contains(name) {
            count.0 += 1;
            count.2 += manifest.stages.get(name).map_or(0.0, |stage| stage.seconds);
        }
    }
    let named = KINDS.iter().zip(counts);
    let there = named.filter(|(_, (_, planned, _))| *planned > 0);
    there
        .map(|((_, what), (done, planned, seconds))| LiveKind {
            what,
            done,
            planned,
            took: match done {
                0 => String::new(),
                _ => estimate::seconds(seconds),
            },
        })
        .collect()
}

fn read_trainings(folder: &RunFolder) -> Result<Vec<LiveTraining>> {
    let mut files = list(&folder.root().join("train"))?;
    files.sort();
    let mut trainings = Vec::new();
    for file in &files {
        let Some(adapter) = RunFolder::adapter_of_log(file) else {
            continue;
        };
        let Some(text) = read(file)? else {
            continue;
        };
        let records: Vec<TrainRecord> = parse_lines(file, text.as_bytes())?;
        trainings.push(LiveTraining::new(&TrainingLog::new(adapter, &records)));
    }
    Ok(trainings)
}

fn read_work(folder: &RunFolder) -> Result<Vec<WorkRecord>> {
    let mut records = Vec::new();
    for file in list(&folder.work())? {
        // The beginning of a record's name while it is written.
        if file.extension().is_some_and(|ending| ending == "json")
            && let Some(text) = read(&file)?
        {
            records.push(parse(&file, text.as_bytes())?);
        }
    }
    Ok(records)
}

/// The text of a file; `None` if it is not there (any more).
fn read(file: &Path) -> Result<Option<String>> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(problem) => Err(DiskError::at("read", file)(problem).into()),
    }
}

fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = match folder.read_dir() {
        Ok(entries) => entries,
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(problem) => return Err(DiskError::at("list", folder)(problem).into()),
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let paths: io::Result<Vec<PathBuf>> = paths.collect();
    Ok(paths.map_err(DiskError::at("list", folder))?)
}

fn parse<T: for<'de> Deserialize<'de>>(file: &Path, bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|problem| LiveError::Record {
        file: file.display().to_string(),
        problem,
    })
}

/// The records of the whole lines of a file.
fn parse_lines<T: for<'de> Deserialize<'de>>(file: &Path, bytes: &[u8]) -> Result<Vec<T>> {
    let whole = &bytes[..whole_lines(bytes)];
    let lines = whole.split(|&byte| byte == b'\n');
    let filled = lines.filter(|line| !line.is_empty());
    filled.map(|line| parse(file, line)).collect()
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

fn written() -> String {
    chrono::Utc::now()
        .format("%Y-%m-%d %H:%M:%S UTC")
        .to_string()
}
