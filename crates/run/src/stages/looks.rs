//! What each analysis does: the model, prompts or captured states in, a file of records out.
//! Never here: which analyses there are and on what they depend.

use std::{collections::BTreeMap, fs, path::PathBuf};

use analyse::{
    JoinedStates, LabelledPrompts, Prompts, StateFile, capture, geometry,
    lens::{self, LabelTokens},
    neurons,
    patching::{self, Patching},
    silencing::{self, Silencing},
    tuned_lens::{self, TunedLens, Tuning},
};
use data::{label_tokens, prompt, tasks, testset};
use schema::{
    Asking, LabelSet, Language,
    inside::{Analysis, LensKind, NeuronsRecord, Pooling},
    run_folder::BASE,
    write_json_lines, write_whole,
};
use serde_json::json;

use super::{
    Made, Workbench,
    inspection::{AnalysisStep, Inspection},
};
use crate::{
    RunError,
    error::{At, Result},
    watch::Watch,
};

/// One language's prompts, with the tokens that speak for its labels.
struct EncodedLanguage {
    prompts: Prompts,
    label_sets: Vec<Vec<u32>>,
}

/// Takes one step.
pub(super) fn make(
    bench: &mut Workbench<'_>,
    inspection: &Inspection,
    step: AnalysisStep,
) -> Result<Made> {
    let mut look = LookInside { bench, inspection };
    match step {
        AnalysisStep::Capture(language) => look.capture(language),
        AnalysisStep::Map(pooling) => look.map(pooling),
        AnalysisStep::Change(pooling) => look.compare_states(pooling),
        AnalysisStep::TunedLens => look.tune_lens(),
        AnalysisStep::Lens(language) => look.read_lens(language),
        AnalysisStep::Neurons => look.find_neurons(),
        AnalysisStep::Silencing => look.silence(),
        AnalysisStep::Patching => look.patch(),
    }
}

/// A model being looked into.
struct LookInside<'a, 'b> {
    bench: &'a mut Workbench<'b>,
    inspection: &'a Inspection,
}

impl LookInside<'_, '_> {
    /// One language's prompts with one label set.
    fn encode(&mut self, labels: LabelSet, language: Language) -> Result<Prompts> {
        let dir = &self.bench.experiment.recipe.data.dir;
        let Inspection { task, limit, .. } = self.inspection;
        let asking = Asking {
            labels,
            ..self.inspection.asking.clone()
        };
        let set = testset::load(dir, task, language, asking.protocol)?;
        let tokenizer = self.bench.session.tokenizer()?;
        let rendered = prompt::ask(tokenizer, task, &set, &asking)?;
        Ok(capture::encode(tokenizer, &rendered, *limit)?)
    }

    /// Every language's prompts with the labels that are evaluated.
    fn encode_all(&mut self) -> Result<BTreeMap<Language, EncodedLanguage>> {
        let inspection = self.inspection;
        let mut all = BTreeMap::new();
        for &language in &inspection.languages {
            let prompts = self.encode(inspection.asking.labels, language)?;
            let words = tasks::label_words(inspection.task, language, inspection.asking.labels)?;
            let label_sets = label_tokens::prefix_sets(self.bench.session.tokenizer()?, &words)?;
            all.insert(
                language,
                EncodedLanguage {
                    prompts,
                    label_sets,
                },
            );
        }
        Ok(all)
    }

    /// Attaches the adapter or removes the one that is there; returns metadata that describes the
    /// model.
    fn attach_adapter(&mut self) -> Result<BTreeMap<String, String>> {
        let experiment = self.bench.experiment;
        let plan = self.inspection.plan.as_ref();
        let adapter = experiment.adapter_folder(plan);
        let answerer = self.bench.session.attach_adapter(adapter.as_deref())?;
        Ok([
            ("model", experiment.model.name.clone()),
            (
                "adapter",
                plan.map_or(String::new(), |plan| plan.name.clone()),
            ),
            ("task", self.inspection.task.name.clone()),
            ("answerer", serde_json::to_string(&answerer)?),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .into())
    }

    /// `inside/<model>/<kind>.<task>.<rest>`
    fn file(&self, kind: &str, rest: &str) -> PathBuf {
        let Inspection { task, .. } = self.inspection;
        let name = format!("{kind}.{}.{rest}", task.name);
        let folder = &self.bench.experiment.folder;
        folder.inside(self.inspection.model(), &name)
    }

    /// Shows work on this model.
    fn start(&mut self, what: &str, of: &str, total: usize, unit: &str) {
        let label = format!("{what} {} {of}", self.inspection.model());
        self.bench.watch.start(label.trim_end(), total, unit);
    }

    fn capture(&mut self, language: Language) -> Result<Made> {
        let inspection = self.inspection;
        let prompts = self.encode(inspection.asking.labels, language)?;
        let mut about = self.attach_adapter()?;
        about.insert("language".to_owned(), language.to_string());
        let file = self.bench.experiment.folder.capture(
            inspection.model(),
            &inspection.task.name,
            language,
        );
        self.start("capture", language.code(), prompts.len(), "prompts");
        let watch = &mut *self.bench.watch;
        capture::capture_language(
            self.bench.session.decoder()?,
            &prompts,
            &inspection.recipe.poolings,
            &file,
            about,
            &mut |done, _| watch.step(done),
        )?;
        watch.finish(&format!("{} prompts", prompts.len()));
        Ok(made(file))
    }

    /// The captured states of one model.
    fn open_states(&self, model: &str) -> Result<JoinedStates> {
        let Inspection {
            task, languages, ..
        } = self.inspection;
        let mut states = BTreeMap::new();
        for &language in languages {
            let file = self
                .bench
                .experiment
                .folder
                .capture(model, &task.name, language);
            let found = StateFile::open(&file).at(|| format!("states of {model} in {language}"))?;
            states.insert(language, found);
        }
        Ok(JoinedStates::new(states)?)
    }

    /// Components and measures of pairs, layer by layer, from the captured states alone.
    fn map(&mut self, pooling: Pooling) -> Result<Made> {
        let inspection = self.inspection;
        let states = self.open_states(inspection.model())?;
        let measures = inspection.measures();
        let (mut maps, mut pairs) = (Vec::new(), Vec::new());
        self.start("map", &pooling.to_string(), states.layers(), "layers");
        for layer in 0..states.layers() {
            let space = states.space(pooling, layer)?;
            if inspection.recipe.asks(Analysis::Pca) {
                maps.extend(geometry::pca(&space));
            }
            pairs.extend(geometry::pairs(&space, &measures, inspection.draws()));
            step_or_stop(self.bench.watch, layer + 1)?;
        }
        self.bench.watch.finish(&format!(
            "{} items in {} languages",
            states.items().len(),
            inspection.languages.len()
        ));
        let files = ["pca", "pairs"].map(|kind| self.file(kind, &format!("{pooling}.jsonl")));
        write_json_lines(&files[0], &maps)?;
        write_json_lines(&files[1], &pairs)?;
        Ok(Made {
            files: files.into(),
            notes: BTreeMap::from([("items".to_owned(), json!(states.items().len()))]),
            ..Made::default()
        })
    }

    /// How the adapter changed every measure.
    fn compare_states(&mut self, pooling: Pooling) -> Result<Made> {
        let before = self.open_states(BASE)?;
        let after = self.open_states(self.inspection.model())?;
        let measures = self.inspection.measures();
        let mut changes = Vec::new();
        self.start("change", &pooling.to_string(), after.layers(), "layers");
        for layer in 0..after.layers() {
            let first = before.space(pooling, layer)?;
            let second = after.space(pooling, layer)?;
            changes.extend(geometry::changes(&first, &second, &measures)?);
            step_or_stop(self.bench.watch, layer + 1)?;
        }
        self.bench
            .watch
            .finish(&format!("{} measures", changes.len()));
        let file = self.file("changes", &format!("{pooling}.jsonl"));
        write_json_lines(&file, &changes)?;
        Ok(made(file))
    }

    fn tune_lens(&mut self) -> Result<Made> {
        let Inspection { recipe, seed, .. } = self.inspection;
        let prompts: Vec<Prompts> = self
            .encode_all()?
            .into_values()
            .map(|encoded| encoded.prompts)
            .collect();
        let about = self.attach_adapter()?;
        let file = self.file("tuned-lens", "safetensors");
        let layers = self.bench.session.decoder()?.config().num_hidden_layers;
        self.start("tuned lens", "", recipe.lens_steps * layers, "updates");
        let watch = &mut *self.bench.watch;
        let tuning = Tuning {
            model: self.bench.session.decoder()?,
            prompts: &prompts,
            steps: recipe.lens_steps,
            tokens: recipe.lens_tokens,
            vocabulary: recipe.lens_vocabulary,
            seed: *seed,
            resamples: recipe.resamples,
            about,
        };
        let records = tuned_lens::train(&tuning, &file, &mut |done| watch.step(done))?;
        watch.finish(&format!("{} layers", records.len()));
        let log = file.with_extension("jsonl");
        write_json_lines(&log, &records)?;
        Ok(Made {
            files: vec![file, log],
            ..Made::default()
        })
    }

    fn read_lens(&mut self, language: Language) -> Result<Made> {
        let prompts = self.encode(LabelSet::Same, language)?;
        let task = self.inspection.task;
        let sets = LabelTokens::new(self.bench.session.tokenizer()?, task, language)?;
        self.attach_adapter()?;
        let tuned = if self.inspection.recipe.asks(Analysis::TunedLens) {
            let file = self.file("tuned-lens", "safetensors");
            Some(TunedLens::open(
                &file,
                self.bench.session.decoder()?.device(),
            )?)
        } else {
            None
        };
        self.start("lens", language.code(), prompts.len(), "prompts");
        let watch = &mut *self.bench.watch;
        let records = lens::read(
            self.bench.session.decoder()?,
            &prompts,
            &sets,
            tuned.as_ref(),
            self.bench.experiment.recipe.eval.tokens_per_batch,
            &mut |done| watch.step(done),
        )?;
        let dropped = records
            .iter()
            .filter(|record| record.lens == LensKind::Raw && record.is_dropped())
            .count();
        watch.finish(&format!("{} prompts, {dropped} dropped", prompts.len()));
        let file = self.file("lens", &format!("{language}.jsonl"));
        write_json_lines(&file, &records)?;
        Ok(Made {
            files: vec![file],
            notes: BTreeMap::from([("dropped".to_owned(), json!(dropped))]),
            ..Made::default()
        })
    }

    fn find_neurons(&mut self) -> Result<Made> {
        self.attach_adapter()?;
        let mut counts = BTreeMap::new();
        for (language, encoded) in self.encode_all()? {
            self.start("neurons", language.code(), encoded.prompts.len(), "prompts");
            let watch = &mut *self.bench.watch;
            let decoder = self.bench.session.decoder()?;
            let found = neurons::count(decoder, &encoded.prompts, &mut |done, _| watch.step(done))?;
            watch.finish(&format!("{} tokens", found.tokens));
            counts.insert(language, found);
        }
        let record = neurons::select(&counts, self.inspection.recipe.neuron_share)?;
        let file = self.file("neurons", "json");
        write_whole(&file, (serde_json::to_string(&record)? + "\n").as_bytes())?;
        Ok(made(file))
    }

    fn silence(&mut self) -> Result<Made> {
        let file = self.file("neurons", "json");
        let text = fs::read_to_string(&file).at_path("read", &file)?;
        let found: NeuronsRecord = serde_json::from_str(&text)
            .at(|| format!("{} is damaged; delete it", file.display()))?;
        self.attach_adapter()?;
        let encoded = self.encode_all()?;
        let Inspection { recipe, seed, .. } = self.inspection;
        let silencing = Silencing {
            items: recipe.silenced_items,
            resamples: recipe.resamples,
            seed: *seed,
        };
        let mut questions =
            InterventionProgress::new("silencing", self.inspection, self.bench.watch);
        let records = silencing::silence(
            self.bench.session.decoder()?,
            &found,
            &ask_all(&encoded),
            silencing,
            &mut |done, total| questions.step(done, total),
        )?;
        questions.finish(&format!("{} measured", records.len()));
        let file = self.file("silencing", "jsonl");
        write_json_lines(&file, &records)?;
        Ok(made(file))
    }

    fn patch(&mut self) -> Result<Made> {
        self.attach_adapter()?;
        let encoded = self.encode_all()?;
        let Inspection { recipe, seed, .. } = self.inspection;
        let patching = Patching {
            items: recipe.patched_items,
            resamples: recipe.resamples,
            seed: *seed,
        };
        let mut questions =
            InterventionProgress::new("patching", self.inspection, self.bench.watch);
        let records = patching::intervene(
            self.bench.session.decoder()?,
            &ask_all(&encoded),
            patching,
            &mut |done, total| questions.step(done, total),
        )?;
        questions.finish(&format!("{} effects", records.len()));
        let file = self.file("patching", "jsonl");
        write_json_lines(&file, &records)?;
        Ok(made(file))
    }
}

/// InterventionProgress asked during an intervention, shown when their number is known.
struct InterventionProgress<'a> {
    label: String,
    watch: &'a mut dyn Watch,
    is_shown: bool,
}

impl<'a> InterventionProgress<'a> {
    fn new(what: &str, inspection: &Inspection, watch: &'a mut dyn Watch) -> Self {
        Self {
            label: format!("{what} {}", inspection.model()),
            watch,
            is_shown: false,
        }
    }

    fn step(&mut self, done: usize, total: usize) -> bool {
        if !self.is_shown {
            self.watch.start(&self.label, total, "questions");
            self.is_shown = true;
        }
        self.watch.step(done)
    }

    fn finish(self, summary: &str) {
        if self.is_shown {
            self.watch.finish(summary);
        }
    }
}

fn ask_all(
    encoded: &BTreeMap<Language, EncodedLanguage>,
) -> BTreeMap<Language, LabelledPrompts<'_>> {
    encoded
        .iter()
        .map(|(&language, one)| {
            (
                language,
                LabelledPrompts {
                    prompts: &one.prompts,
                    label_sets: &one.label_sets,
                },
            )
        })
        .collect()
}

fn made(file: PathBuf) -> Made {
    Made {
        files: vec![file],
        ..Made::default()
    }
}

/// Shows a layer done. Between layers nothing is lost that is not made again in seconds.
fn step_or_stop(watch: &mut dyn Watch, done: usize) -> Result<()> {
    if watch.step(done) {
        Ok(())
    } else {
        Err(RunError::Interrupted(
            "interrupted; run the same command again to resume".to_owned(),
        ))
    }
}
