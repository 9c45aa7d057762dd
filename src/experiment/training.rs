//! The training stages: pairs drawn and written, then one adapter trained on them.

use std::path::Path;

use anyhow::{Context, Result, bail};
use data::{Draw, Example, Pair, example, pairs};
use schema::{
    recipe::{AdapterPlan, BuildRecipe, TrainRecipe},
    record::TrainRecord,
    task::ActivationCheckpointing,
    write_json_lines,
};
use serde_json::json;
use train::{Event, Outcome, Run, TrainError};

use super::{Experiment, Made, data_stage, train_stage};
use crate::{
    estimate::{Decision, Rows},
    machine,
    manifest::hash,
    progress::{Bar, interrupted, note},
    session,
};

impl Experiment {
    fn train_recipe(&self) -> Result<TrainRecipe> {
        self.recipe
            .train
            .clone()
            .context("the recipe has no [train] section")
    }

    /// Draws the pairs of one adapter and writes them as they will be learnt.
    pub(super) fn draw_pairs(&mut self, plan: &AdapterPlan) -> Result<()> {
        let train = self.train_recipe()?;
        let inputs = self.pair_inputs(plan)?;
        self.stage(&data_stage(plan), &inputs, |this| {
            let drawn = pairs::load(&Draw::of(&this.recipe, &train, plan)?)?;
            let file = this.folder.pairs(&plan.name);
            write_json_lines(&file, &drawn.pairs)?;
            drawn
                .describe()
                .iter()
                .for_each(|line| note(&format!("pairs {}: {line}", plan.name)));
            note(&format!(
                "{:<40} {} pairs",
                format!("pairs {}", plan.name),
                drawn.pairs.len()
            ));
            let removed: Vec<_> = drawn
                .origins
                .iter()
                .flat_map(|origin| &origin.removed)
                .collect();
            let notes = [
                ("pairs".to_owned(), json!(drawn.pairs.len())),
                ("removed".to_owned(), json!(removed)),
            ];
            Ok(Made {
                files: vec![file],
                notes: notes.into(),
            })
        })
    }

    /// Everything that the pairs of an adapter depend on.
    fn pair_inputs(&self, plan: &AdapterPlan) -> Result<Vec<String>> {
        let train = self.train_recipe()?;
        let mut inputs = vec![
            "pairs".to_owned(),
            plan.setting.to_string(),
            train.pairs.to_string(),
            plan.seed.to_string(),
        ];
        inputs.push(serde_json::to_string(&train.build)?);
        for path in Draw::of(&self.recipe, &train, plan)?.files()? {
            inputs.push(hub::hash_file(&path)?);
        }
        Ok(inputs)
    }

    /// Whether the pairs in the run folder are those of the recipe.
    pub(super) fn has_pairs(&self, plan: &AdapterPlan) -> Result<bool> {
        self.is_done(&data_stage(plan), self.pair_inputs(plan))
    }

    /// Everything that an adapter depends on, and its part of the recipe.
    fn train_inputs(&self, plan: &AdapterPlan) -> Result<(Vec<String>, TrainRecipe)> {
        // Settings and tasks of other adapters in the recipe change nothing here.
        let (settings, tasks) = (vec![plan.setting.clone()], vec![plan.task.clone()]);
        let own = TrainRecipe {
            settings,
            tasks,
            ..self.train_recipe()?
        };
        // Checkpointing of activations changes no number, and how pairs were made only what
        // they are.
        let build = BuildRecipe {
            split: own.build.split,
            ..BuildRecipe::paper()
        };
        let numbers = TrainRecipe {
            activation_checkpointing: ActivationCheckpointing::Auto,
            build,
            ..own.clone()
        };
        let mut inputs = self.base_inputs();
        let pairs = hub::hash_file(&self.folder.pairs(&plan.name))?;
        inputs.extend([
            "train".into(),
            serde_json::to_string(&numbers)?,
            plan.seed.to_string(),
            pairs,
        ]);
        Ok((inputs, own))
    }

    /// Whether the adapter in the run folder was trained as the recipe says, on the pairs that
    /// are there.
    pub(super) fn has_adapter(&self, plan: &AdapterPlan) -> Result<bool> {
        self.is_done(
            &train_stage(plan),
            self.train_inputs(plan).map(|(inputs, _)| inputs),
        )
    }

    /// Trains one adapter, going on from its checkpoint if there is one.
    pub(super) fn train(&mut self, plan: &AdapterPlan) -> Result<()> {
        let pairs_file = self.folder.pairs(&plan.name);
        if !self.has_pairs(plan)? {
            bail!(
                "{} is missing or of another recipe; run the stage `data` first",
                pairs_file.display()
            );
        }
        let (inputs, own) = self.train_inputs(plan)?;
        let checkpoint_inputs = hash(&inputs);
        self.stage(&train_stage(plan), &inputs, |this| {
            let all = read_pairs(&pairs_file)?;
            let examples = example::encode_all(this.session.parts()?.1, &all, own.cutoff_len)?;
            let (examples, validation) = pairs::split(&all, examples, &own, plan.seed);
            let decision = this.decide_checkpointing(&own, &examples)?;
            this.session
                .decoder()?
                .set_activation_checkpointing(decision.on);
            let outcome =
                this.run_training(plan, &own, &examples, &validation, checkpoint_inputs)?;
            this.keep_adapter(plan, &outcome, &decision)
        })
    }

    /// Whether this training keeps activations or runs blocks again; tells the user where it is
    /// not the usual way.
    fn decide_checkpointing(&self, recipe: &TrainRecipe, examples: &[Example]) -> Result<Decision> {
        let shape = session::config(&self.session.model.files)?.shape();
        let rows = Rows::of_examples(recipe, examples);
        let room = if self.session.is_on_cpu() {
            machine::memory_for_this_process()
        } else {
            None
        };
        let decision = Decision::new(&shape, self.recipe.dtype, recipe, rows, room);
        let on = decision.on;
        tracing::info!(
            on,
            tokens = rows.tokens,
            "activation checkpointing; estimates: {}",
            decision.describe()
        );
        if on && recipe.activation_checkpointing == ActivationCheckpointing::Auto {
            note(&format!(
                "activation checkpointing is on: about {}",
                decision.describe()
            ));
        }
        if decision.is_too_large() {
            note(&format!(
                "note: this training may not fit into memory (about {}); lower train.micro_batch_tokens",
                decision.describe()
            ));
        }
        Ok(decision)
    }

    fn run_training(
        &mut self,
        plan: &AdapterPlan,
        recipe: &TrainRecipe,
        examples: &[Example],
        validation: &[Example],
        inputs: String,
    ) -> Result<Outcome> {
        let checkpoint = self.folder.checkpoint(&plan.name).join("state.safetensors");
        let run = Run {
            recipe,
            seed: plan.seed,
            examples,
            validation,
            checkpoint,
            inputs,
        };
        let log = self.folder.train_log(&plan.name);
        let label = format!("train {}", plan.name);
        let mut bar: Option<Bar> = None;
        let mut message = String::new();
        let mut failed = None;
        let (decoder, _) = self.session.parts()?;
        let outcome = train::train(decoder, &run, &mut |event| {
            match event {
                Event::Start { steps, done } => {
                    let mut new = Bar::new(&label, steps, "steps");
                    new.set(done, "");
                    bar = Some(new);
                }
                Event::Record(TrainRecord::Step(step)) => {
                    message = format!(
                        "loss {:.4}, {:.0} tokens/s",
                        step.loss,
                        step.tokens as f64 / step.seconds
                    );
                    if let Some(bar) = &mut bar {
                        bar.set(step.step, &message);
                    }
                }
                Event::Record(TrainRecord::Validation(_)) => {}
                Event::Saved(records) => {
                    failed = failed.take().or(write_json_lines(&log, records).err())
                }
            }
            failed.is_none() && !interrupted()
        });
        if let Some(error) = failed {
            return Err(error.into());
        }
        let outcome = outcome.map_err(|error| match error {
            TrainError::Stopped(step) => {
                anyhow::anyhow!(
                    "stopped after step {step} of {}; run the same command again to go on",
                    plan.name
                )
            }
            other => anyhow::Error::new(other).context(format!("training {}", plan.name)),
        })?;
        write_json_lines(&log, &outcome.records)?;
        if let Some(bar) = bar {
            bar.finish(&format!("{message}; best at step {}", outcome.step));
        }
        Ok(outcome)
    }

    /// Writes the PEFT folder, then removes the checkpoint.
    fn keep_adapter(
        &mut self,
        plan: &AdapterPlan,
        outcome: &Outcome,
        memory: &Decision,
    ) -> Result<Made> {
        let folder = self.folder.adapter(&plan.name);
        outcome.adapter.write(&folder, &self.manifest.model.name)?;
        let checkpoint = self.folder.checkpoint(&plan.name);
        if checkpoint.exists() {
            std::fs::remove_dir_all(&checkpoint)
                .with_context(|| format!("cannot remove {}", checkpoint.display()))?;
        }
        let steps = outcome.records.iter().filter_map(|r| {
            if let TrainRecord::Step(s) = r {
                Some(s)
            } else {
                None
            }
        });
        let (tokens, seconds) = steps.fold((0, 0.0), |(t, s), r| (t + r.tokens, s + r.seconds));
        let notes = [
            ("best_step".to_owned(), json!(outcome.step)),
            ("parameters".to_owned(), json!(outcome.adapter.parameters())),
            ("tokens".to_owned(), json!(tokens)),
            ("activation_checkpointing".to_owned(), json!(memory.on)),
            (
                "estimated_bytes".to_owned(),
                json!(if memory.on {
                    memory.with
                } else {
                    memory.without
                }),
            ),
            ("available_bytes".to_owned(), json!(memory.room)),
            (
                "tokens_per_second".to_owned(),
                json!(tokens as f64 / f64::max(seconds, 1e-9)),
            ),
        ];
        let files = vec![
            folder.join(model::adapter::peft::WEIGHTS),
            folder.join(model::adapter::peft::CONFIG),
            self.folder.train_log(&plan.name),
        ];
        Ok(Made {
            files,
            notes: notes.into(),
        })
    }
}

fn read_pairs(file: &Path) -> Result<Vec<Pair>> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    (1..)
        .zip(text.lines())
        .map(|(line, content)| {
            serde_json::from_str(content)
                .with_context(|| format!("{}, line {line}: no pair", file.display()))
        })
        .collect()
}
