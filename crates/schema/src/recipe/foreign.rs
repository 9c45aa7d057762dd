//! Keys of other programs, and what they are called here: hints for those who come from them. Never here: reading them.

/// LLaMA-Factory's, transformers', PEFT's and lm-evaluation-harness' names, each with what to write.
const FOREIGN: &[(&str, &str)] = &[
    (
        "adapter_name_or_path",
        "adapters are trained here; `eval --adapter` asks one that is there",
    ),
    ("bf16", "`dtype = \"bf16\"`"),
    ("cutoff_length", "`train.cutoff_len`"),
    ("dataset", "`data.dir` and `train.tasks`"),
    ("dataset_dir", "`data.dir`"),
    ("device", "the flag `--device`"),
    ("do_eval", "`--only eval` runs the evaluation alone"),
    ("do_train", "`lingualign train` trains alone"),
    (
        "early_stopping_patience",
        "the checkpoint with the lowest validation loss is kept (`train.eval_steps`)",
    ),
    ("eval_batch_size", "`eval.tokens_per_batch`, in tokens"),
    (
        "fewshot_as_multiturn",
        "`eval.prompt = \"chat\"` asks in a chat",
    ),
    (
        "finetuning_type",
        "adapters are LoRA, or DoRA with `train.lora.dora = true`",
    ),
    ("fp16", "`dtype = \"bf16\"` or `\"f32\"`"),
    (
        "gradient_accumulation_steps",
        "`train.batch_size` is the whole batch; `train.micro_batch_tokens` cuts it",
    ),
    ("gradient_checkpointing", "`train.activation_checkpointing`"),
    ("include_path", "`eval.tasks` takes the path of a task file"),
    ("limit_samples", "`eval.limit`"),
    ("load_in_4bit", "`dtype = \"nf4\"`"),
    (
        "load_in_8bit",
        "`dtype = \"nf4\"`, or a GGUF file with `dtype = \"packed\"`",
    ),
    ("logging_steps", "every update is logged"),
    ("lora_alpha", "`train.lora.alpha`"),
    ("lora_dropout", "`train.lora.dropout`"),
    ("lora_r", "`train.lora.rank`"),
    ("lora_rank", "`train.lora.rank`"),
    ("lora_target", "`train.lora.targets`"),
    ("lr", "`train.learning_rate`"),
    ("lr_scheduler", "`train.schedule`"),
    ("lr_scheduler_type", "`train.schedule`"),
    ("max_grad_norm", "`train.max_grad_norm`"),
    ("max_length", "`train.cutoff_len`"),
    ("max_samples", "`train.pairs`, or `eval.limit`"),
    ("max_seq_length", "`train.cutoff_len`"),
    ("model_name_or_path", "`model`"),
    (
        "num_fewshot",
        "`eval.few_shot = \"head:K\"`, or `\"builtin\"`",
    ),
    ("num_train_epochs", "`train.epochs`"),
    ("output_dir", "the flag `--out`"),
    ("overwrite_output_dir", "the flag `--redo`"),
    (
        "per_device_eval_batch_size",
        "`eval.tokens_per_batch`, in tokens",
    ),
    (
        "per_device_train_batch_size",
        "`train.batch_size`, the whole batch",
    ),
    ("preprocessing_num_workers", "the flag `--threads`"),
    ("pretrained", "`model`"),
    ("quantization_bit", "`dtype = \"nf4\"`"),
    ("resume_from_checkpoint", "the same command resumes"),
    (
        "save_total_limit",
        "one checkpoint is kept, and the best adapter",
    ),
    ("seed", "`seeds`, a list"),
    ("target_modules", "`train.lora.targets`"),
    (
        "template",
        "`eval.prompt` and `train.prompt` take the model's own chat template",
    ),
    ("use_dora", "`train.lora.dora`"),
    ("use_rslora", "`train.lora.rslora`"),
    (
        "warmup_steps",
        "`train.warmup_ratio`, a share of all updates",
    ),
];

/// What to write instead of another program's key.
pub(super) fn hint(key: &str) -> Option<&'static str> {
    let at = FOREIGN.binary_search_by_key(&key, |(name, _)| name).ok()?;
    Some(FOREIGN[at].1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::check;

    #[test]
    fn the_list_is_in_order() {
        assert!(FOREIGN.is_sorted_by_key(|(name, _)| name));
    }

    #[test]
    fn every_key_that_a_hint_names_is_there() {
        let keys = check::keys();
        for (name, hint) in FOREIGN {
            let words = hint.split('`').skip(1).step_by(2);
            // Flags, values and commands are no keys.
            let is_key = |word: &&str| {
                !word.starts_with(['-', '"'])
                    && !word.starts_with("lingualign")
                    && !word.contains(" --")
            };
            for word in words.filter(is_key) {
                let key = word.split(" =").next().unwrap_or(word);
                assert!(keys.iter().any(|known| known == key), "{name}: {key}");
            }
        }
    }

    #[test]
    fn what_is_no_other_programs_key_has_no_hint() {
        assert_eq!(
            hint("num_fewshot"),
            Some("`eval.few_shot = \"head:K\"`, or `\"builtin\"`")
        );
        assert_eq!(hint("colour"), None);
    }
}
