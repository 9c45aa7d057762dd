//! Answers as files of lm-evaluation-harness: renders their prompts again and holds them
//! against what was asked. Never here: the files' format (`import::lm_eval`).

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use compare::{CheckedAnswers, CompareError, LocatedRecord, NamedAnswers};
use data::{prompt, tasks, testset};
use import::lm_eval::{
    self as format, Doc,
    results::{HarnessRun, LanguageAnswers},
};
use schema::{
    AnswerRecord, Asking, Language, Provenance, Recipe, Task,
    record::{AnswersMeta, meta_path},
    run_folder::RunFolder,
    task::Precision,
};

use crate::{
    RunError,
    error::{At, Result, bail},
    manifest::Manifest,
    output::OutputCheck,
    watch::{Watch, interruptible},
};

/// The answers of one model in one language, and what they were made from.
pub struct HarnessAnswers {
    /// The task.
    pub task: &'static Task,
    /// Name of the group of the task's languages in lm-eval's files.
    pub group: String,
    /// Their provenance.
    pub provenance: Provenance,
    /// The answers.
    pub records: Vec<AnswerRecord>,
    /// Wall-clock time of asking, where it is known.
    pub seconds: Option<f64>,
}

/// Writes the answers of every model into a folder of its own under `out`. `dir`: the data that
/// was asked.
pub fn write_all(
    out: &Path,
    dir: &Path,
    evaluated: &[HarnessAnswers],
    watch: &mut dyn Watch,
) -> Result<()> {
    let adapters: BTreeSet<Option<&String>> = evaluated
        .iter()
        .map(|one| one.provenance.adapter.as_ref())
        .collect();
    for adapter in adapters {
        let of_model: Vec<&HarnessAnswers> = evaluated
            .iter()
            .filter(|one| one.provenance.adapter.as_ref() == adapter)
            .collect();
        let answered = of_model
            .iter()
            .map(|one| render(dir, one))
            .collect::<Result<Vec<_>>>()?;
        let files = format::results::write(out, &describe(&of_model)?, &answered)?;
        if let Some(file) = files.last() {
            watch.note(&format!("wrote {} and its samples", file.display()));
        }
    }
    Ok(())
}

/// Fails before the work is done where the folder could not be written. What others put there
/// stays: every file of ours has a name with its time.
///
/// # Errors
/// As [`OutputCheck::folder`].
pub fn check_out(check: &OutputCheck, out: &Path) -> Result<()> {
    check.folder(out, &|_| true)
}

/// As [`check_out`], for the files of a task that the harness reads.
///
/// # Errors
/// As [`OutputCheck::file`] for each file.
pub fn check_task_out(
    check: &OutputCheck,
    out: &Path,
    group: &str,
    languages: &[Language],
) -> Result<()> {
    check_out(check, out)?;
    for file in format::export::files(out, group, languages) {
        check.file(&file, &format::export::is_ours)?;
    }
    Ok(())
}

/// The questions of one language, all that are scored.
pub struct HarnessQuestions {
    /// The questions.
    pub docs: Vec<Doc>,
    /// The repairs of the protocol.
    pub repairs: Vec<String>,
    prompts_sha256: String,
}

impl HarnessQuestions {
    /// Reads and renders them from the folder `dir`.
    ///
    /// # Errors
    /// No such test set, or a broken one.
    pub fn render(dir: &Path, task: &Task, asking: &Asking, language: Language) -> Result<Self> {
        if !asking.prompt.is_plain() {
            bail!(
                "{} in {language}: answers to `{}` prompts cannot be written for lm-evaluation-harness, which has chat \
                 templates of its own; write those of `plain` alone",
                task.name,
                asking.prompt
            );
        }
        let set = testset::load(dir, task, language, asking.protocol)?;
        let rendered = prompt::render(task, &set, &asking.few_shot, asking.labels)?;
        let docs = format::docs(
            task,
            asking,
            &rendered,
            &eval::find_groups(task, &set.items),
        );
        Ok(Self {
            docs,
            repairs: set.repairs,
            prompts_sha256: eval::hash_prompts(&rendered),
        })
    }
}

/// Renders the prompts of the answers again.
fn render<'a>(dir: &Path, evaluated: &'a HarnessAnswers) -> Result<LanguageAnswers<'a>> {
    let HarnessAnswers {
        task,
        group,
        provenance,
        records,
        ..
    } = evaluated;
    let language = provenance.language;
    let HarnessQuestions {
        docs,
        prompts_sha256,
        ..
    } = HarnessQuestions::render(dir, task, &provenance.asking, language)?;
    if prompts_sha256 != provenance.prompts_sha256 {
        bail!(
            "{} in {language}: the prompts rendered from {} are not those that were asked (prompts_sha256 is {}, the \
             answers' {}); give the data that was asked, or evaluate again",
            task.name,
            dir.display(),
            &prompts_sha256[..16],
            provenance
                .prompts_sha256
                .get(..16)
                .unwrap_or(&provenance.prompts_sha256)
        );
    }
    Ok(LanguageAnswers {
        task,
        group: group.clone(),
        language,
        docs,
        records: records.clone(),
        few_shot: provenance.asking.few_shot.clone(),
    })
}

fn describe(of_model: &[&HarnessAnswers]) -> Result<HarnessRun> {
    let first = &of_model
        .first()
        .ok_or_else(|| RunError::Unfit("no answers".to_owned()))?
        .provenance;
    let now = chrono::Utc::now();
    let seconds: Option<Vec<f64>> = of_model.iter().map(|one| one.seconds).collect();
    Ok(HarnessRun {
        model: first.model.clone(),
        adapter: first.adapter.clone(),
        dtype: match first.answerer.dtype {
            Precision::F32 => "float32".to_owned(),
            Precision::Bf16 => "bfloat16".to_owned(),
            other @ (Precision::Packed | Precision::Nf4) => other.to_string(),
        },
        device: first.answerer.device.clone(),
        program: first.answerer.program.clone(),
        limit: first.asking.limit,
        date: (
            now.timestamp_micros() as f64 / 1e6,
            now.format("%Y-%m-%dT%H-%M-%S%.6f").to_string(),
        ),
        seconds: seconds.map(|all| all.iter().sum()),
    })
}

/// Writes the answers of a run folder that its recipe asks for. `data`: the recipe's data, if
/// it has moved since.
pub fn write_run(
    out: &Path,
    run: &RunFolder,
    data: Option<&Path>,
    watch: &mut dyn Watch,
) -> Result<()> {
    let path = run.manifest();
    let text = fs::read_to_string(&path)
        .at(|| format!("cannot read {}, which names the data", path.display()))?;
    let manifest: Manifest =
        serde_json::from_str(&text).at(|| format!("{} is damaged", path.display()))?;
    for (language, facts) in &manifest.recipe.languages {
        Language::add(language.code(), &facts.name, &facts.script).map_err(RunError::Unfit)?;
    }
    let mut evaluated = Vec::new();
    for stage in manifest
        .current
        .iter()
        .filter_map(|name| manifest.stages.get(name))
    {
        let answers = stage
            .outputs
            .keys()
            .filter(|file| file.starts_with("answers") && file.ends_with(".jsonl"));
        for file in answers {
            let seconds = stage
                .notes
                .get("asking_seconds")
                .and_then(serde_json::Value::as_f64);
            evaluated.push(read_stage(
                &manifest.recipe,
                &run.root().join(file),
                seconds,
            )?);
        }
    }
    if evaluated.is_empty() {
        bail!(
            "{} has no answers that its recipe asks for; run `lingualign run` first",
            run.root().display()
        );
    }
    let all = evaluated.len();
    evaluated.retain(|one| one.provenance.asking.prompt.is_plain());
    if evaluated.len() < all {
        watch.note(
            "answers in a chat are left out: lm-evaluation-harness has chat templates of its own",
        );
    }
    evaluated.sort_by_key(|one| (one.group.clone(), one.provenance.language));
    write_all(
        out,
        data.unwrap_or(&manifest.recipe.data.dir),
        &evaluated,
        watch,
    )
}

/// A file of answers of a run.
fn read_stage(recipe: &Recipe, file: &Path, seconds: Option<f64>) -> Result<HarnessAnswers> {
    let meta = meta_path(file);
    let text = fs::read_to_string(&meta).at(|| format!("cannot read {}", meta.display()))?;
    let AnswersMeta {
        answers_sha256,
        evaluations,
    } = serde_json::from_str(&text)
        .at(|| format!("{} is damaged; evaluate again", meta.display()))?;
    let [provenance] = evaluations.as_slice() else {
        bail!(
            "{} is of {} evaluations, not of one",
            meta.display(),
            evaluations.len()
        );
    };
    if hub::hash_file(file)? != answers_sha256 {
        bail!(
            "{} is not the file that {} is of; evaluate again",
            file.display(),
            meta.display()
        );
    }
    let given = recipe
        .eval
        .tasks
        .iter()
        .find(|given| Task::name_of(given) == provenance.task);
    let task = tasks::task(given.unwrap_or(&provenance.task))?;
    let first = recipe.eval.asking.first_way(task);
    let group = name_group(task, &provenance.asking, &first);
    let records = compare::read_answers(file)?
        .into_iter()
        .map(|(.., record)| record)
        .collect();
    Ok(HarnessAnswers {
        task,
        group,
        provenance: provenance.clone(),
        records,
        seconds,
    })
}

/// The task's name, and in what the answers differ from those of the recipe's first label set
/// and exemplars.
fn name_group(task: &Task, asking: &Asking, first: &Asking) -> String {
    let mut name = task.name.clone();
    if asking.labels != first.labels {
        name += &format!("_{}", asking.labels);
    }
    if asking.few_shot != first.few_shot {
        name += &format!("_{}", asking.few_shot.slug());
    }
    name
}

/// Groups records by what they were made from, in the order of `evaluations`.
pub fn split_records(
    task: &'static Task,
    records: &[AnswerRecord],
    evaluations: &[(Provenance, f64)],
) -> Vec<HarnessAnswers> {
    let mut rest: BTreeMap<(Option<&str>, Language), Vec<AnswerRecord>> = BTreeMap::new();
    for record in records {
        rest.entry((record.adapter.as_deref(), record.language))
            .or_default()
            .push(record.clone());
    }
    let mut split = Vec::with_capacity(evaluations.len());
    for (provenance, seconds) in evaluations {
        let key = (provenance.adapter.as_deref(), provenance.language);
        split.push(HarnessAnswers {
            task,
            group: task.name.clone(),
            records: rest.get(&key).cloned().unwrap_or_default(),
            provenance: provenance.clone(),
            seconds: Some(*seconds),
        });
    }
    split
}

/// What changes from one side to the other, each a file of ours or samples of lm-evaluation-harness.
/// A folder of samples of several tasks gives those of the other side's.
///
/// # Errors
/// Files that cannot be read, or that have no task in common.
pub fn compare(a: &Path, b: &Path, watch: &mut dyn Watch) -> Result<compare::Comparison> {
    let (of_a, of_b) = (tasks_of_ours(a, watch)?, tasks_of_ours(b, watch)?);
    let task = of_a.iter().chain(&of_b).flatten().next().cloned();
    let before = match of_a {
        Some(tasks) => Side::Ours(a, tasks),
        None => Side::Harness(a, read_samples(a, task.as_deref(), watch)?),
    };
    let after = match of_b {
        Some(tasks) => Side::Ours(b, tasks),
        None => Side::Harness(b, read_samples(b, task.as_deref(), watch)?),
    };
    let (of_before, of_after) = (before.tasks(), after.tasks());
    let mut only = None;
    if of_before.len() > 1 || of_after.len() > 1 {
        let common: Vec<&String> = of_before.intersection(&of_after).collect();
        let [task] = common[..] else {
            bail!(
                "{} is of {}, {} of {}; name files of one task",
                a.display(),
                join(&of_before),
                b.display(),
                join(&of_after)
            );
        };
        only = Some(task.as_str());
    }
    Ok(interruptible(watch, |stop| {
        let (before, after) = rayon::join(|| before.check(only, stop), || after.check(only, stop));
        compare::compare_checked(before?, after?, stop)
    })?)
}

/// One side of a comparison.
enum Side<'a> {
    /// A file of ours, with its tasks.
    Ours(&'a Path, Vec<String>),
    /// Samples of the harness.
    Harness(&'a Path, Vec<LocatedRecord>),
}

impl Side<'_> {
    fn tasks(&self) -> BTreeSet<String> {
        match self {
            Self::Ours(_, tasks) => tasks.iter().cloned().collect(),
            Self::Harness(_, records) => records
                .iter()
                .map(|(.., record)| record.task.clone())
                .collect(),
        }
    }

    /// The answers to `task`, or to the only one.
    fn check(
        self,
        task: Option<&str>,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<CheckedAnswers, CompareError> {
        match self {
            Self::Ours(path, _) => CheckedAnswers::read(path, task, stop),
            Self::Harness(path, mut records) => {
                records.retain(|(.., record)| task.is_none_or(|task| record.task == task));
                CheckedAnswers::collect(NamedAnswers { path, records })
            }
        }
    }
}

/// The tasks of a file of ours; `None` where it is the harness's.
fn tasks_of_ours(path: &Path, watch: &dyn Watch) -> Result<Option<Vec<String>>> {
    if format::samples::is_lm_eval(path)? {
        return Ok(None);
    }
    let tasks = interruptible(watch, |stop| compare::read_tasks(path, stop))?;
    Ok(Some(tasks))
}

fn join(tasks: &BTreeSet<String>) -> String {
    tasks.iter().cloned().collect::<Vec<_>>().join(", ")
}

fn read_samples(
    path: &Path,
    task: Option<&str>,
    watch: &mut dyn Watch,
) -> Result<Vec<LocatedRecord>> {
    let samples = format::samples::read(path, task)?;
    for line in &samples.notes {
        watch.note(line);
    }
    match task {
        Some(task) if samples.records.is_empty() => {
            bail!("{} has no samples of {task}; name others", path.display())
        }
        _ => Ok(samples.records),
    }
}
