//! An adapter made ready for others: its PEFT folder with the hub's name of the base model, and a
//! card with languages, data, numbers and how to load it. Never here: the network, statistics
//! (`compare`).

use std::{fmt::Write, fs, path::Path};

use compare::{ModelLevels, stats::Estimate};
use hub::HubId;
use schema::{
    recipe::{AdapterPlan, TrainRecipe},
    run_folder::RunFolder,
    write_whole,
};
use serde_json::{Value, json};

use crate::{
    error::{At, Result, bail},
    facts::{adapter_files, hub_name, name_of_adapter, program},
    manifest::{Manifest, Recorded},
    watch::{Watch, interruptible},
};

/// The files of a published adapter.
pub const FILES: [&str; 3] = [
    "README.md",
    "adapter_config.json",
    "adapter_model.safetensors",
];

/// What is published, and as what.
#[derive(Clone, Copy, Debug)]
pub struct Publication<'a> {
    /// The run.
    pub run: &'a RunFolder,
    /// The adapter's name; it may be left out where the run has one.
    pub adapter: Option<&'a str>,
    /// What the hub is to call it: `org/name`.
    pub id: &'a str,
    /// What the hub calls the base model, if the catalogue does not know.
    pub base: Option<&'a str>,
}

/// Writes the three [`FILES`] to `out`; returns the adapter's name.
///
/// # Errors
/// No such adapter, or one whose base has no name on the hub; records that cannot be read; files
/// that cannot be written.
pub fn prepare(wanted: &Publication<'_>, out: &Path, watch: &mut dyn Watch) -> Result<String> {
    let run = wanted.run;
    let manifest: Manifest = serde_json::from_value(Recorded::read(run)?.text().clone())
        .at(|| format!("{} is missing or damaged", run.manifest().display()))?;
    let plan = choose(wanted, manifest.recipe.adapters())?;
    let base = name_base(wanted.base, &manifest.recipe.model)?;
    let [weights, config] = adapter_files(&run.adapter(&plan.name));
    let text = fs::read_to_string(&config).at_path("read", &config)?;
    let mut settings: Value =
        serde_json::from_str(&text).at(|| format!("{} cannot be understood", config.display()))?;
    settings["base_model_name_or_path"] = json!(base);
    let measured = interruptible(&*watch, |stop| {
        let records = compare::read_run(run, stop)?;
        compare::measure_models(&records, stop)
    })?;
    let Some(train) = &manifest.recipe.train else {
        bail!("{} trains no adapter", run.root().display());
    };
    let card = Card {
        id: wanted.id,
        base: &base,
        plan: &plan,
        train,
        settings: &settings,
        pairs: count_lines(&run.pairs(&plan.name))?,
        measured: &measured,
    };
    write_whole(&out.join(FILES[0]), card.render().as_bytes())?;
    let weights_out = out.join(FILES[2]);
    let bytes = fs::read(&weights).at_path("read", &weights)?;
    write_whole(&weights_out, &bytes)?;
    write_whole(&out.join(FILES[1]), format!("{settings:#}\n").as_bytes())?;
    Ok(plan.name)
}

/// What the hub calls the base model.
fn name_base(given: Option<&str>, model: &str) -> Result<String> {
    if let Some(given) = given {
        return Ok(given.to_owned());
    }
    let name = hub_name(model);
    let is_path = Path::new(model).exists();
    if is_path || name.parse::<HubId>().is_err() {
        bail!(
            "nobody else knows where `{model}` is; say what the hub calls it with --base ORG/NAME"
        );
    }
    Ok(name)
}

fn choose(wanted: &Publication<'_>, plans: Vec<AdapterPlan>) -> Result<AdapterPlan> {
    let there: Vec<AdapterPlan> = plans
        .into_iter()
        .filter(|plan| wanted.run.adapter(&plan.name).is_dir())
        .collect();
    let names = || {
        there
            .iter()
            .map(|plan| plan.name.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let found = match wanted.adapter {
        Some(name) => there.iter().find(|plan| plan.name == name),
        None if there.len() == 1 => there.first(),
        None => None,
    };
    match found {
        Some(plan) => Ok(plan.clone()),
        None if there.is_empty() => {
            bail!(
                "{} has no adapter yet; run its recipe first",
                wanted.run.root().display()
            )
        }
        None => bail!("say which adapter with --adapter; there are: {}", names()),
    }
}

fn count_lines(file: &Path) -> Result<usize> {
    let text = fs::read_to_string(file).at_path("read", file)?;
    Ok(text.lines().count())
}

/// What the card is made of.
struct Card<'a> {
    id: &'a str,
    base: &'a str,
    plan: &'a AdapterPlan,
    train: &'a TrainRecipe,
    settings: &'a Value,
    pairs: usize,
    measured: &'a [ModelLevels],
}

/// The levels of the base and of the adapter, asked in one way.
struct Compared<'a> {
    before: Option<&'a ModelLevels>,
    after: &'a ModelLevels,
}

impl Card<'_> {
    fn render(&self) -> String {
        let compared = self.compare();
        let name = self.id.rsplit('/').next().unwrap_or(self.id);
        format!(
            "---\n{}---\n\n# {name}\n\n{}\n\n{}\n\n{}\n\n{}\n",
            self.front_matter(&compared),
            self.describe_training(),
            describe_results(&compared),
            self.describe_loading(),
            format_args!(
                "Made by {}. Method: [Large Language Models are Good Spontaneous Multilingual \
                 Learners](https://arxiv.org/abs/2405.13816).",
                program()
            )
        )
    }

    fn compare(&self) -> Vec<Compared<'_>> {
        let is_own = |levels: &&ModelLevels| {
            let adapter = levels.adapter.as_deref();
            adapter.is_some_and(|path| name_of_adapter(path) == self.plan.name)
        };
        let own = self.measured.iter().filter(is_own);
        let compared = own.map(|after| {
            let same = |levels: &&ModelLevels| {
                levels.adapter.is_none()
                    && (&levels.task, levels.labels, levels.prompt)
                        == (&after.task, after.labels, after.prompt)
            };
            Compared {
                before: self.measured.iter().find(same),
                after,
            }
        });
        compared.collect()
    }

    /// JSON within YAML: every value is quoted as it must be.
    fn front_matter(&self, compared: &[Compared<'_>]) -> String {
        let setting = &self.plan.setting;
        let languages: Vec<String> = setting
            .sources
            .iter()
            .chain([&setting.target])
            .map(ToString::to_string)
            .collect();
        let results = compared.iter().map(|compared| {
            let levels = compared.after;
            json!({
                "task": {"type": "text-classification"},
                "dataset": {"name": format!("{}, {} labels", levels.task, levels.labels), "type": levels.task},
                "metrics": [{
                    "type": "accuracy",
                    "name": format!("mean accuracy over {} languages", levels.levels.languages.len()),
                    "value": levels.levels.mean.value,
                }],
            })
        });
        let results: Vec<Value> = results.collect();
        let lines = [
            ("base_model", json!(self.base)),
            ("base_model_relation", json!("adapter")),
            ("library_name", json!("peft")),
            ("pipeline_tag", json!("text-generation")),
            ("language", json!(languages)),
            (
                "tags",
                json!(["lora", "multilingual", "question-translation", "lingualign"]),
            ),
            (
                "model-index",
                json!([{"name": self.id.rsplit('/').next(), "results": results}]),
            ),
        ];
        lines.iter().fold(String::new(), |mut text, (key, value)| {
            let _ = writeln!(text, "{key}: {value}");
            text
        })
    }

    fn describe_training(&self) -> String {
        let AdapterPlan {
            setting,
            task,
            seed,
            ..
        } = self.plan;
        let sources: Vec<&str> = setting
            .sources
            .iter()
            .map(|language| language.name())
            .collect();
        let targets = self.settings["target_modules"]
            .as_array()
            .into_iter()
            .flatten();
        let targets: Vec<&str> = targets.filter_map(Value::as_str).collect();
        let length = match self.train.max_steps {
            Some(steps) => format!("{steps} updates"),
            None => format!("{} epochs", self.train.epochs),
        };
        format!(
            "An adapter for [{base}](https://huggingface.co/{base}). It was tuned to translate questions of the task \
             `{task}` from {} into {}, without any answer: {} pairs, {length}, batches of {}, learning rate {}, seed \
             {seed}; rank {}, alpha {} on {}.",
            sources.join(" and "),
            setting.target.name(),
            self.pairs,
            self.train.batch_size,
            self.train.learning_rate,
            self.settings["r"],
            self.settings["lora_alpha"],
            targets.join(", "),
            base = self.base,
        )
    }

    fn describe_loading(&self) -> String {
        format!(
            "## Use\n\n```python\nfrom peft import AutoPeftModelForCausalLM\nfrom transformers import AutoTokenizer\n\n\
             model = AutoPeftModelForCausalLM.from_pretrained(\"{}\")\ntokenizer = AutoTokenizer.from_pretrained(\"{}\")\n```",
            self.id, self.base
        )
    }
}

fn describe_results(compared: &[Compared<'_>]) -> String {
    if compared.is_empty() {
        return "It has not been evaluated.".to_owned();
    }
    let mut text = "## Results\n\nAccuracy in per cent with 95 % intervals, before (the base model) and after.\n".to_owned();
    for Compared { before, after } in compared {
        let few_shot = after.few_shots.join(", ");
        let _ = write!(
            text,
            "\n`{}`, {} labels, exemplars `{few_shot}`:\n\n| language | items | before | after |\n|---|---|---|---|\n",
            after.task, after.labels
        );
        let before_mean = before.map(|levels| levels.levels.mean);
        let mut rows = vec![(
            "mean".to_owned(),
            String::new(),
            before_mean,
            after.levels.mean,
        )];
        for level in &after.levels.languages {
            let of_base = before.and_then(|levels| {
                let mut languages = levels.levels.languages.iter();
                languages.find(|other| other.language == level.language)
            });
            let base = of_base.map(|level| level.accuracy);
            let items = level.items.to_string();
            rows.push((level.language.to_string(), items, base, level.accuracy));
        }
        for (language, items, before, after) in rows {
            let before = before.map_or("-".to_owned(), show);
            let _ = writeln!(
                text,
                "| {language} | {items} | {before} | {} |",
                show(after)
            );
        }
    }
    text.trim_end().to_owned()
}

fn show(estimate: Estimate) -> String {
    format!(
        "{:.1} [{:.1}, {:.1}]",
        100.0 * estimate.value,
        100.0 * estimate.low,
        100.0 * estimate.high
    )
}
