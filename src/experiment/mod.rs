//! One recipe in one run folder: data, base evaluation, training, evaluation after, analyses,
//! report. Each stage leaves files and an entry in the manifest, and is skipped when both still
//! fit.

mod analysis;
mod audit;
pub(crate) mod evaluation;
mod training;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{File, TryLockError},
    io::ErrorKind,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context, Result, bail};
use schema::{Answerer, Recipe, recipe::AdapterPlan, run_folder::RunFolder};

use audit::AUDIT;

use crate::{
    manifest::{MachineFacts, Manifest, ModelFacts, Stage, hash, program},
    progress::{self, note},
    session::Session,
};

/// Which parts are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) data: bool,
    pub(crate) train: bool,
    pub(crate) eval: bool,
    pub(crate) analyse: bool,
    pub(crate) report: bool,
}

impl Parts {
    /// From `--only`; nothing given is everything.
    pub(crate) fn only(names: &[String]) -> Self {
        let wanted = |name: &str| names.is_empty() || names.iter().any(|n| n == name);
        let (data, train, eval) = (wanted("data"), wanted("train"), wanted("eval"));
        Self {
            data,
            train,
            eval,
            analyse: wanted("analyse"),
            report: wanted("report"),
        }
    }
}

/// A recipe being run.
pub(crate) struct Experiment {
    recipe: Recipe,
    folder: RunFolder,
    manifest: Manifest,
    session: Session,
    /// Held until the end.
    _lock: File,
}

impl Experiment {
    /// Finds the model and opens the run folder.
    pub(crate) fn open(recipe: Recipe, out: Option<PathBuf>, device: &str) -> Result<Self> {
        let root = out.unwrap_or_else(|| PathBuf::from("runs").join(&recipe.name));
        let folder = RunFolder::new(root);
        let session = Session::open(&recipe.model, recipe.dtype, device)?;
        let lock = lock(&folder)?;
        let mut manifest = Manifest::open(&folder, &recipe)?;
        let model = &session.model;
        manifest.model = ModelFacts {
            name: model.name.clone(),
            revision: model.revision.clone(),
            fingerprint: hub::fingerprint(&model.files)?,
        };
        manifest.machine = MachineFacts {
            device: session.device_name(),
            instruction_set: model::instruction_set().name().into(),
            threads: rayon::current_num_threads(),
            peak_memory_bytes: None,
        };
        Ok(Self {
            recipe,
            folder,
            manifest,
            session,
            _lock: lock,
        })
    }

    /// Runs the parts in order.
    pub(crate) fn run(&mut self, parts: Parts) -> Result<()> {
        note(&format!(
            "{} -> {}",
            self.recipe.title,
            self.folder.root().display()
        ));
        self.manifest.current = self.find_current()?;
        self.manifest.write(&self.folder)?;
        let plans = self.recipe.adapters();
        if parts.data || parts.train || parts.eval || parts.analyse {
            self.audit()?;
        }
        if parts.data {
            for plan in &plans {
                self.draw_pairs(plan)?;
            }
        }
        if parts.eval {
            self.evaluate(None)?;
        }
        for plan in &plans {
            if parts.train {
                self.train(plan)?;
            }
            if parts.eval {
                self.evaluate(Some(plan))?;
            }
        }
        if parts.analyse {
            self.analyse(None)?;
            for plan in &plans {
                self.analyse(Some(plan))?;
            }
        }
        if parts.report {
            self.report()?;
        }
        progress::note_peak_memory();
        self.manifest.write(&self.folder)
    }

    /// Only the adapters.
    pub(crate) fn train_all(&mut self) -> Result<()> {
        self.run(Parts {
            data: true,
            train: true,
            eval: false,
            analyse: false,
            report: false,
        })
    }

    /// What every result depends on beside its own stage.
    fn base_inputs(&self) -> Vec<String> {
        let machine = &self.manifest.machine;
        vec![
            self.manifest.model.fingerprint.clone(),
            self.recipe.dtype.to_string(),
            machine.device.clone(),
            model::NUMERICS.into(),
        ]
    }

    /// Runs `work` unless the stage is done with these inputs; `work` returns the files it
    /// wrote and what to note.
    fn stage(
        &mut self,
        name: &str,
        inputs: &[String],
        work: impl FnOnce(&mut Self) -> Result<Made>,
    ) -> Result<()> {
        let inputs = hash(inputs);
        if self.manifest.is_done(&self.folder, name, &inputs)? {
            tracing::info!(stage = name, "done before with the same inputs; skipped");
            self.manifest.current.insert(name.to_owned());
            return Ok(());
        }
        let start = Instant::now();
        let made = work(self)?;
        let stage = Stage {
            inputs,
            outputs: BTreeMap::new(),
            seconds: start.elapsed().as_secs_f64(),
            notes: made.notes,
        };
        self.manifest.finish(&self.folder, name, stage, &made.files)
    }

    /// The stages that are done with what the recipe asks for. An adapter's answers are among
    /// them only if the adapter is, and that only if its pairs are.
    fn find_current(&self) -> Result<BTreeSet<String>> {
        let mut current = BTreeSet::new();
        if self.has_audit()? {
            current.insert(AUDIT.to_owned());
        }
        self.add_current_answers(None, &mut current)?;
        self.add_current_analyses(None, &mut current)?;
        for plan in self.recipe.adapters() {
            if !self.has_pairs(&plan)? {
                continue;
            }
            current.insert(data_stage(&plan));
            if self.has_adapter(&plan)? {
                current.insert(train_stage(&plan));
                self.add_current_answers(Some(&plan), &mut current)?;
                self.add_current_analyses(Some(&plan), &mut current)?;
            }
        }
        Ok(current)
    }

    /// Whether a stage is done with these inputs. Where they cannot be told, a file among them
    /// is missing; the stage itself says which.
    fn is_done(&self, name: &str, inputs: Result<Vec<String>>) -> Result<bool> {
        inputs.map_or(Ok(false), |inputs| {
            self.manifest.is_done(&self.folder, name, &hash(&inputs))
        })
    }

    fn report(&mut self) -> Result<()> {
        self.manifest.write(&self.folder)?;
        let summary = report::write(&self.folder)?;
        progress::result(&summary.render_text());
        Ok(())
    }
}

/// Keeps other processes out of the run folder while the returned file is open; the system lets
/// go of it whatever ends the process.
fn lock(folder: &RunFolder) -> Result<File> {
    let (root, path) = (folder.root(), folder.lock());
    std::fs::create_dir_all(root).with_context(|| format!("cannot create {}", root.display()))?;
    let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => bail!(
            "another process is at work in {}; wait until it has ended, or give another folder with --out",
            root.display()
        ),
        // Some network file systems have no locks; two runs at once are then the user's to
        // avoid.
        Err(TryLockError::Error(e)) if e.kind() == ErrorKind::Unsupported => {
            note(&format!(
                "note: {} cannot be locked; start no second run in it",
                root.display()
            ));
        }
        Err(TryLockError::Error(e)) => {
            return Err(e).with_context(|| format!("cannot lock {}", path.display()));
        }
    }
    Ok(file)
}

fn data_stage(plan: &AdapterPlan) -> String {
    format!("data.{}", plan.name)
}

fn train_stage(plan: &AdapterPlan) -> String {
    format!("train.{}", plan.name)
}

/// What a stage made.
#[derive(Default)]
struct Made {
    files: Vec<PathBuf>,
    notes: BTreeMap<String, serde_json::Value>,
}

/// What answers, with the adapter of a PEFT folder.
pub(crate) fn answerer(session: &Session, adapter: Option<&Path>) -> Result<Answerer> {
    let adapter_files = |dir: &Path| -> Result<Vec<String>> {
        let files = [model::adapter::peft::WEIGHTS, model::adapter::peft::CONFIG];
        files
            .iter()
            .map(|file| Ok(hub::hash_file(&dir.join(file))?))
            .collect()
    };
    Ok(Answerer {
        program: program().to_owned(),
        numerics: model::NUMERICS.to_owned(),
        model_fingerprint: hub::fingerprint(&session.model.files)?,
        adapter_sha256: adapter
            .map(|dir| adapter_files(dir).map(|files| files.join(" ")))
            .transpose()?,
        dtype: session.precision(),
        device: session.device_name(),
        instruction_set: model::instruction_set().name().to_owned(),
    })
}
