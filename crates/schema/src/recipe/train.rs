//! `[train]` and `[train.lora]`: how adapters are trained. Defaults are the paper's (section 4,
//! appendix B; LLaMA-Factory's where the paper is silent).

use super::{
    build::BuildRecipe,
    keys::{
        FromOne, FromZero, KeyRule, KeySection, MOST, Number, Subsection, Switch, Text, TextList,
        Word, WordOrSwitch, quote, section,
    },
    optional::{Decided, Optional},
    page::Page,
    probe::ProbeRecipe,
    problem::{ValueOrigin, unknown_word},
    section::Section,
    values::Tasks,
};
use crate::{asking::PromptForm, setting::Setting, task::ActivationCheckpointing, words::words};

words! {
    /// How the learning rate falls.
    Schedule {
        /// Half a cosine to zero.
        Cosine "cosine",
        /// A line to zero.
        Linear "linear",
        /// It stays.
        Constant "constant",
    }
}

words! {
    /// Where an adapter begins.
    LoraInit {
        /// A random, B zero.
        Zero "zero",
        /// Both in the first directions of the weight (arXiv 2404.02948).
        Pissa "pissa",
    }
}

section! {
    /// `[train]`
    TrainRecipe {
        "Source languages and the target, `zh/de=>en`; each setting is trained alone."
        settings: Vec<Setting> = Vec::new() => Decided(TextList {
            kind: "list of texts: codes with `/` between them, `=>`, a code",
            read: |setting, _| read_setting(setting),
            samples: &["zh/de=>en", "en=>zh", "fr/bn/th=>is"],
        }, "must be given"),
        "Tasks whose questions are translated; each is trained alone."
        tasks: Vec<String> = Vec::new() => Decided(Tasks, "must be given"),
        "Pairs drawn from each source language; 0: all." ["pairs"]
        pairs: usize = 10_000 => FromZero(MOST),
        "Passes over the training split; not used where `max_steps` is given. The paper's 3, and its 1 where only `paws` is trained (appendix B: less overfitting)." ["epochs"]
        epochs: f64 = 3.0 => Number::ABOVE_0,
        "Length of the training, instead of `epochs`." ["updates"]
        max_steps: Option<usize> = None => Optional(FromOne(MOST), "`epochs` decides"),
        "Pairs of one optimiser update." ["pairs"]
        batch_size: usize = 16 => FromOne(1_000_000),
        "Tokens that run through the model at once; changes memory and speed, not the result beyond rounding." ["tokens"]
        micro_batch_tokens: usize = 640 => FromOne(MOST),
        "Whether blocks keep only their input for backward; changes memory and speed, never a result."
        #[serde(default = "decide_by_estimate")]
        activation_checkpointing: ActivationCheckpointing
            = ActivationCheckpointing::Auto => WordOrSwitch,
        "Peak learning rate."
        learning_rate: f64 = 5e-5 => Number::ABOVE_0_TO_1,
        "How the rate falls after warm-up."
        schedule: Schedule = Schedule::Cosine => Word,
        "Share of the updates in which the rate rises." ["share"]
        warmup_ratio: f64 = 0.1 => Number::FROM_0_TO_1,
        "Decoupled weight decay (arXiv 1711.05101)."
        weight_decay: f64 = 0.0 => Number::FROM_0,
        "Largest norm of all gradients together; 0: no clipping."
        max_grad_norm: f64 = 1.0 => Number {
            range: "must be at least 0 (0: no clipping)",
            ..Number::FROM_0
        },
        "Share of the pairs that is kept for validation." ["share"]
        val_size: f64 = 0.05 => Number::FROM_0_BELOW_1,
        "Updates between validations; the adapter with the lowest validation loss is kept." ["updates"]
        eval_steps: usize = 50 => FromOne(MOST),
        "Updates between checkpoints, from which a killed training resumes." ["updates"]
        save_steps: usize = 50 => FromOne(MOST),
        "Longest example; longer ones are cut as LLaMA-Factory cuts." ["tokens"]
        cutoff_len: usize = 2048 => FromOne(MOST),
        "Form in which pairs reach the model: plain, or as a question and an answer of its chat template."
        #[serde(default = "PromptForm::plain", skip_serializing_if = "PromptForm::is_plain")]
        prompt: PromptForm = PromptForm::Plain => Text {
            kind: "one of `plain`, `chat`",
            read: |form, _| read_form(form),
            pattern: "plain|chat",
        },
        "What is measured on the way; never changes the adapter."
        #[serde(default, skip_serializing_if = "Option::is_none")]
        probe: Option<ProbeRecipe> = None
            => Optional(Subsection, "nothing is measured on the way"),
        "How pairs are made from the files."
        /// Records of the default leave it out, as those from before there was a choice.
        #[serde(default = "BuildRecipe::paper", skip_serializing_if = "BuildRecipe::is_paper")]
        build: BuildRecipe = BuildRecipe::paper() => Subsection,
        "The adapter."
        lora: LoraRecipe = LoraRecipe::paper() => Subsection,
    }
}

/// A pair has no exemplars, so that it has one form of a chat alone.
fn read_form(form: &str) -> Result<PromptForm, String> {
    const FORMS: [&str; 2] = ["plain", "chat"];
    let read = form.parse().ok().filter(|_| FORMS.contains(&form));
    read.ok_or_else(|| unknown_word(form, &FORMS))
}

/// Recipes recorded before there was a choice.
fn decide_by_estimate() -> ActivationCheckpointing {
    ActivationCheckpointing::Auto
}

impl TrainRecipe {
    /// The paper's training of `tasks` in `settings`.
    pub fn paper(settings: Vec<Setting>, tasks: Vec<String>) -> Self {
        let only_paws = !tasks.is_empty() && tasks.iter().all(|task| task == "paws");
        Self {
            settings,
            tasks,
            epochs: if only_paws { 1.0 } else { 3.0 },
            ..Self::defaults()
        }
    }
}

/// Reads a setting, such as `zh/de=>en`.
pub(super) fn read_setting(setting: &str) -> Result<Setting, String> {
    setting.parse().map_err(|error| format!("{error}"))
}

section! {
    /// `[train.lora]` (arXiv 2106.09685); the targets are in the authors' instructions, not in
    /// the paper's text.
    LoraRecipe {
        "Rank of the update."
        rank: usize = 8 => FromOne(LoraRecipe::HIGHEST_RANK),
        "The update is scaled by alpha / rank."
        alpha: f64 = 16.0 => Number::ABOVE_0,
        "Share of the adapter's inputs that is set to zero in training." ["share"]
        dropout: f64 = 0.0 => Number::FROM_0_BELOW_1,
        "Projections that carry the adapter; `all-linear`: all that the model has."
        targets: Vec<String> = vec!["q_proj".to_owned(), "v_proj".to_owned()] => Targets,
        "Scale by alpha / sqrt(rank) instead (rsLoRA, arXiv 2312.03732)."
        /// Records of the default leave this and the keys below out, as those from before there was a
        /// choice.
        #[serde(default, skip_serializing_if = "is_off")]
        rslora: bool = false => Switch,
        "Train the lengths of the weight's rows too (DoRA, arXiv 2402.09353)."
        #[serde(default, skip_serializing_if = "is_off")]
        dora: bool = false => Switch,
        "Learning rate of B as a multiple of that of A (LoRA+, arXiv 2402.12354)."
        #[serde(default = "one", skip_serializing_if = "is_one")]
        lora_plus_ratio: f64 = 1.0 => Number::ABOVE_0,
        "Where the adapter begins: A random and B zero, or both in the first directions of the weight (PiSSA, arXiv 2404.02948)."
        #[serde(default = "at_zero", skip_serializing_if = "is_at_zero")]
        init: LoraInit = LoraInit::Zero => Word,
    }
}

fn is_off(switch: &bool) -> bool {
    !switch
}

fn one() -> f64 {
    1.0
}

fn is_one(ratio: &f64) -> bool {
    *ratio == 1.0
}

fn at_zero() -> LoraInit {
    LoraInit::Zero
}

fn is_at_zero(init: &LoraInit) -> bool {
    *init == LoraInit::Zero
}

/// Projections by name, or the word for all of them.
struct Targets;

impl KeyRule<Vec<String>> for Targets {
    fn read(&self, section: &mut Section<'_>, key: &str) -> Option<Vec<String>> {
        let named = section.words(key, read_target)?;
        if !named.iter().any(|name| name == LoraRecipe::ALL_TARGETS) {
            return Some(named);
        }
        Some(vec![LoraRecipe::ALL_TARGETS.to_owned()])
    }

    fn render(&self, page: &mut Page, key: &str, value: &Vec<String>) {
        page.list(key, value);
    }

    fn values(&self) -> String {
        let known = [LoraRecipe::TARGETS, &[LoraRecipe::ALL_TARGETS]].concat();
        format!("list of {}", quote(&known))
    }

    #[cfg(test)]
    fn any(&self) -> proptest::strategy::BoxedStrategy<Vec<String>> {
        use proptest::strategy::Strategy;
        let all: Vec<String> = LoraRecipe::TARGETS.iter().map(|&t| t.to_owned()).collect();
        proptest::sample::subsequence(all, 1..=LoraRecipe::TARGETS.len()).boxed()
    }
}

/// Reports keys of the adapter that do not go with `dora`, which was written at `origin`.
pub(super) fn check_lora(train: &mut Section<'_>, lora: &LoraRecipe, origin: ValueOrigin) {
    let others = [
        (
            lora.dropout > 0.0,
            "is trained without dropout; set `dropout` to 0",
        ),
        (
            lora.init == LoraInit::Pissa,
            "does not begin in the weights' first directions; set `init` to \"zero\"",
        ),
    ];
    for (_, message) in others.iter().filter(|(is_there, _)| lora.dora && *is_there) {
        train.report("lora.dora", message, origin);
    }
}

impl LoraRecipe {
    /// Above the width of every projection of every known model; a model's own width is asked
    /// before the adapter is made.
    pub const HIGHEST_RANK: usize = 65_536;

    /// Every projection of a decoder block that can carry an adapter.
    pub const TARGETS: &'static [&'static str] = &[
        "q_proj",
        "k_proj",
        "v_proj",
        "o_proj",
        "gate_proj",
        "up_proj",
        "down_proj",
        "qkv_proj",
        "gate_up_proj",
    ];

    /// The word for all of them, as in PEFT.
    pub const ALL_TARGETS: &'static str = "all-linear";

    /// Whether every projection that the model has carries the adapter.
    pub fn is_for_all(&self) -> bool {
        self.targets.iter().any(|name| name == Self::ALL_TARGETS)
    }

    /// The paper's adapter.
    pub fn paper() -> Self {
        Self::defaults()
    }
}

fn read_target(target: &str) -> Result<String, String> {
    let known = [LoraRecipe::TARGETS, &[LoraRecipe::ALL_TARGETS]].concat();
    if known.contains(&target) {
        Ok(target.to_owned())
    } else {
        Err(unknown_word(target, &known))
    }
}
