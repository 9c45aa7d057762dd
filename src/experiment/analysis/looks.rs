//! What each look does: the model, prompts or captured states in, a file of records out. Never
//! here: which looks there are and on what they depend.

use std::{collections::BTreeMap, path::PathBuf};

use analyse::{
    Asked, Prompts, States, capture, geometry,
    geometry::{Draws, Rows, Space},
    lens::{self, LabelTokens},
    neurons,
    patching::{self, Patching},
    silencing::{self, Silencing},
    tuned_lens::{self, TunedLens, Tuning},
};
use anyhow::{Context, Result, bail};
use data::{label_tokens, prompt, tasks, testset};
use schema::{
    LabelSet, Language,
    inside::{Analysis, LensKind, Measure, NeuronsRecord, Pooling},
    write_json_lines, write_whole,
};
use serde_json::json;

use super::{
    super::{Experiment, Made},
    Look,
};
use crate::{
    experiment::answerer,
    progress::{Bar, interrupted},
};

/// One language's prompts, with the tokens that speak for its labels.
struct Encoded {
    prompts: Prompts,
    label_sets: Vec<Vec<u32>>,
}

impl Experiment {
    /// One language's prompts with one label set.
    fn encode(&mut self, look: &Look, labels: LabelSet, language: Language) -> Result<Prompts> {
        let set = testset::load(
            &self.recipe.data.dir,
            look.task,
            language,
            self.recipe.eval.asking.protocol,
        )?;
        let rendered = prompt::render(look.task, &set, &look.few_shot, labels)?;
        Ok(capture::encode(
            self.session.tokenizer()?,
            &rendered,
            look.limit,
        )?)
    }

    /// Every language's prompts with the labels that are evaluated.
    fn encode_all(&mut self, look: &Look) -> Result<BTreeMap<Language, Encoded>> {
        let mut all = BTreeMap::new();
        for &language in &look.languages {
            let prompts = self.encode(look, look.labels, language)?;
            let words = tasks::label_words(look.task, language, look.labels)?;
            let label_sets = label_tokens::prefix_sets(self.session.tokenizer()?, &words)?;
            all.insert(
                language,
                Encoded {
                    prompts,
                    label_sets,
                },
            );
        }
        Ok(all)
    }

    /// Puts the look's adapter on, or takes one off; says what the model is now.
    fn wear(&mut self, look: &Look) -> Result<BTreeMap<String, String>> {
        let adapter = look
            .plan
            .as_ref()
            .map(|plan| self.folder.adapter(&plan.name));
        self.session.set_adapter(adapter.as_deref())?;
        let answerer = answerer(&self.session, adapter.as_deref())?;
        Ok([
            ("model", self.manifest.model.name.clone()),
            (
                "adapter",
                look.plan
                    .as_ref()
                    .map_or(String::new(), |plan| plan.name.clone()),
            ),
            ("task", look.task.name.clone()),
            ("answerer", serde_json::to_string(&answerer)?),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .into())
    }

    pub(super) fn capture(&mut self, look: &Look, language: Language) -> Result<Made> {
        let prompts = self.encode(look, look.labels, language)?;
        let mut about = self.wear(look)?;
        about.insert("language".to_owned(), language.to_string());
        let file = self.folder.capture(look.model(), &look.task.name, language);
        let mut bar = Bar::new(
            &format!("capture {} {language}", look.model()),
            prompts.len(),
            "prompts",
        );
        let poolings = &look.recipe.poolings;
        capture::capture_language(
            self.session.decoder()?,
            &prompts,
            poolings,
            &file,
            about,
            &mut |done, _| {
                bar.set(done, "");
                !interrupted()
            },
        )?;
        bar.finish(&format!("{} prompts", prompts.len()));
        Ok(made(file))
    }

    /// Components and measures of pairs, layer by layer, from the captured states alone.
    pub(super) fn map(&mut self, look: &Look, pooling: Pooling) -> Result<Made> {
        let states = Captured::open(self, look.model(), look)?;
        let measures = look.measures();
        let (mut maps, mut pairs) = (Vec::new(), Vec::new());
        let mut bar = Bar::new(
            &format!("map {} {pooling}", look.model()),
            states.layers,
            "layers",
        );
        for layer in 0..states.layers {
            let space = states.space(pooling, layer)?;
            if look.recipe.asks(Analysis::Pca) {
                maps.extend(geometry::pca(&space));
            }
            pairs.extend(geometry::pairs(&space, &measures, look.draws()));
            bar.set(layer + 1, "");
            stop_if_interrupted()?;
        }
        bar.finish(&format!(
            "{} items in {} languages",
            states.items.len(),
            look.languages.len()
        ));
        let name = |kind: &str| {
            self.folder.inside(
                look.model(),
                &format!("{kind}.{}.{pooling}.jsonl", look.task.name),
            )
        };
        let files = [name("pca"), name("pairs")];
        write_json_lines(&files[0], &maps)?;
        write_json_lines(&files[1], &pairs)?;
        Ok(Made {
            files: files.into(),
            notes: states.notes(),
        })
    }

    /// How the adapter changed every measure.
    pub(super) fn change(&mut self, look: &Look, pooling: Pooling) -> Result<Made> {
        let [before, after] =
            [super::BASE, look.model()].map(|model| Captured::open(self, model, look));
        let (before, after) = (before?, after?);
        let mut changes = Vec::new();
        let mut bar = Bar::new(
            &format!("change {} {pooling}", look.model()),
            after.layers,
            "layers",
        );
        for layer in 0..after.layers {
            let (first, second) = (before.space(pooling, layer)?, after.space(pooling, layer)?);
            changes.extend(geometry::changes(&first, &second, &look.measures())?);
            bar.set(layer + 1, "");
            stop_if_interrupted()?;
        }
        bar.finish(&format!("{} measures", changes.len()));
        let file = self.folder.inside(
            look.model(),
            &format!("changes.{}.{pooling}.jsonl", look.task.name),
        );
        write_json_lines(&file, &changes)?;
        Ok(made(file))
    }

    pub(super) fn tune_lens(&mut self, look: &Look) -> Result<Made> {
        let prompts: Vec<Prompts> = self
            .encode_all(look)?
            .into_values()
            .map(|encoded| encoded.prompts)
            .collect();
        let about = self.wear(look)?;
        let file = self.tuned_lens_file(look);
        let decoder = self.session.decoder()?;
        let total = look.recipe.lens_steps * decoder.config().num_hidden_layers;
        let mut bar = Bar::new(&format!("tuned lens {}", look.model()), total, "updates");
        let tuning = Tuning {
            model: decoder,
            prompts: &prompts,
            steps: look.recipe.lens_steps,
            tokens: look.recipe.lens_tokens,
            seed: look.seed,
            resamples: look.recipe.resamples,
            about,
        };
        let records = tuned_lens::train(&tuning, &file, &mut |done| {
            bar.set(done, "");
            !interrupted()
        })?;
        bar.finish(&format!("{} layers", records.len()));
        let log = file.with_extension("jsonl");
        write_json_lines(&log, &records)?;
        Ok(Made {
            files: vec![file, log],
            ..Made::default()
        })
    }

    fn tuned_lens_file(&self, look: &Look) -> PathBuf {
        self.folder.inside(
            look.model(),
            &format!("tuned-lens.{}.safetensors", look.task.name),
        )
    }

    pub(super) fn read_lens(&mut self, look: &Look, language: Language) -> Result<Made> {
        let prompts = self.encode(look, LabelSet::Same, language)?;
        let sets = LabelTokens::new(self.session.tokenizer()?, look.task, language)?;
        self.wear(look)?;
        let tuned = match look.recipe.asks(Analysis::TunedLens) {
            true => Some(TunedLens::open(
                &self.tuned_lens_file(look),
                self.session.decoder()?.device(),
            )?),
            false => None,
        };
        let mut bar = Bar::new(
            &format!("lens {} {language}", look.model()),
            prompts.len(),
            "prompts",
        );
        let tokens = self.recipe.eval.tokens_per_batch;
        let records = lens::read(
            self.session.decoder()?,
            &prompts,
            &sets,
            tuned.as_ref(),
            tokens,
            &mut |done| {
                bar.set(done, "");
                !interrupted()
            },
        )?;
        let dropped = records
            .iter()
            .filter(|record| record.lens == LensKind::Raw && record.is_dropped())
            .count();
        bar.finish(&format!("{} prompts, {dropped} dropped", prompts.len()));
        let file = self.folder.inside(
            look.model(),
            &format!("lens.{}.{language}.jsonl", look.task.name),
        );
        write_json_lines(&file, &records)?;
        Ok(Made {
            files: vec![file],
            notes: BTreeMap::from([("dropped".to_owned(), json!(dropped))]),
        })
    }

    pub(super) fn find_neurons(&mut self, look: &Look) -> Result<Made> {
        self.wear(look)?;
        let mut counts = BTreeMap::new();
        for (language, encoded) in self.encode_all(look)? {
            let mut bar = Bar::new(
                &format!("neurons {} {language}", look.model()),
                encoded.prompts.len(),
                "prompts",
            );
            let found =
                neurons::count(self.session.decoder()?, &encoded.prompts, &mut |done, _| {
                    bar.set(done, "");
                    !interrupted()
                })?;
            bar.finish(&format!("{} tokens", found.tokens));
            counts.insert(language, found);
        }
        let record = neurons::select(&counts, look.recipe.neuron_share)?;
        let file = self.neurons_file(look);
        write_whole(&file, (serde_json::to_string(&record)? + "\n").as_bytes())?;
        Ok(made(file))
    }

    fn neurons_file(&self, look: &Look) -> PathBuf {
        self.folder
            .inside(look.model(), &format!("neurons.{}.json", look.task.name))
    }

    pub(super) fn silence(&mut self, look: &Look) -> Result<Made> {
        let file = self.neurons_file(look);
        let text = std::fs::read_to_string(&file)
            .with_context(|| format!("cannot read {}", file.display()))?;
        let found: NeuronsRecord = serde_json::from_str(&text)
            .with_context(|| format!("{} is damaged; delete it", file.display()))?;
        self.wear(look)?;
        let encoded = self.encode_all(look)?;
        let asked = ask_all(&encoded);
        let mut bar: Option<Bar> = None;
        let label = format!("silencing {}", look.model());
        let silencing = Silencing {
            items: look.recipe.silenced_items,
            resamples: look.recipe.resamples,
            seed: look.seed,
        };
        let records = silencing::silence(
            self.session.decoder()?,
            &found,
            &asked,
            silencing,
            &mut |done, total| {
                bar.get_or_insert_with(|| Bar::new(&label, total, "questions"))
                    .set(done, "");
                !interrupted()
            },
        )?;
        if let Some(bar) = bar {
            bar.finish(&format!("{} measured", records.len()));
        }
        let file = self
            .folder
            .inside(look.model(), &format!("silencing.{}.jsonl", look.task.name));
        write_json_lines(&file, &records)?;
        Ok(made(file))
    }

    pub(super) fn patch(&mut self, look: &Look) -> Result<Made> {
        self.wear(look)?;
        let encoded = self.encode_all(look)?;
        let asked = ask_all(&encoded);
        let patching = Patching {
            items: look.recipe.patched_items,
            resamples: look.recipe.resamples,
            seed: look.seed,
        };
        let mut bar: Option<Bar> = None;
        let label = format!("patching {}", look.model());
        let records = patching::intervene(
            self.session.decoder()?,
            &asked,
            patching,
            &mut |done, total| {
                bar.get_or_insert_with(|| Bar::new(&label, total, "questions"))
                    .set(done, "");
                !interrupted()
            },
        )?;
        if let Some(bar) = bar {
            bar.finish(&format!("{} effects", records.len()));
        }
        let file = self
            .folder
            .inside(look.model(), &format!("patching.{}.jsonl", look.task.name));
        write_json_lines(&file, &records)?;
        Ok(made(file))
    }
}

impl Look {
    /// The measures of pairs that are asked for.
    pub(super) fn measures(&self) -> Vec<Measure> {
        let of_components = [Measure::Pearson, Measure::PearsonCentred];
        let wanted = |measure: &Measure| match of_components.contains(measure) {
            true => self.recipe.asks(Analysis::Pca),
            false => self.recipe.asks(Analysis::Alignment),
        };
        Measure::ALL.into_iter().filter(wanted).collect()
    }

    fn draws(&self) -> Draws {
        Draws {
            seed: self.seed,
            permutations: self.recipe.permutations,
        }
    }
}

/// The captured states of one model, and the items that every language has.
struct Captured {
    states: BTreeMap<Language, States>,
    items: Vec<usize>,
    layers: usize,
    width: usize,
}

impl Captured {
    fn open(experiment: &Experiment, model: &str, look: &Look) -> Result<Self> {
        let mut states = BTreeMap::new();
        for &language in &look.languages {
            let file = experiment.folder.capture(model, &look.task.name, language);
            let found =
                States::open(&file).with_context(|| format!("states of {model} in {language}"))?;
            states.insert(language, found);
        }
        let Some(first) = states.values().next() else {
            bail!("no language to look at")
        };
        let has = |item: &usize| {
            states
                .values()
                .all(|other: &States| other.items.contains(item))
        };
        let items: Vec<usize> = first
            .items
            .iter()
            .filter(|item| has(item))
            .copied()
            .collect();
        let (layers, width) = (first.layers(), first.width());
        Ok(Self {
            items,
            layers,
            width,
            states,
        })
    }

    /// The states of one layer, of the items that all have.
    fn space(&self, pooling: Pooling, layer: usize) -> Result<Space> {
        let mut read = Vec::with_capacity(self.states.len());
        for (&language, states) in &self.states {
            let all = states.layer(pooling, layer)?;
            let place = |item: &usize| states.items.iter().position(|other| other == item);
            let rows: Vec<usize> = self.items.iter().filter_map(place).collect();
            let tokens: Vec<usize> = rows.iter().map(|&row| states.tokens[row]).collect();
            let values: Vec<f32> = rows
                .iter()
                .flat_map(|row| &all[row * self.width..(row + 1) * self.width])
                .copied()
                .collect();
            read.push((language, tokens, values));
        }
        let rows: Vec<Rows<'_>> = read
            .iter()
            .map(|(language, tokens, values)| Rows {
                language: *language,
                items: &self.items,
                tokens,
                values,
            })
            .collect();
        Ok(Space::prepare(layer, self.width, &rows)?)
    }

    fn notes(&self) -> BTreeMap<String, serde_json::Value> {
        BTreeMap::from([("items".to_owned(), json!(self.items.len()))])
    }
}

fn ask_all(encoded: &BTreeMap<Language, Encoded>) -> BTreeMap<Language, Asked<'_>> {
    encoded
        .iter()
        .map(|(&language, one)| {
            (
                language,
                Asked {
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

/// Between layers nothing is lost that is not made again in seconds.
fn stop_if_interrupted() -> Result<()> {
    if interrupted() {
        bail!("stopped; run the same command again to go on");
    }
    Ok(())
}
