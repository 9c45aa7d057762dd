"""What both of PEFT's loops share: the model with its adapter, the examples, and a batch padded to its longest."""

import json
from pathlib import Path

import torch
from common import encode, load_model
from peft import LoraConfig, get_peft_model


def load(job):
    """Model with a fresh LoRA adapter, and `[(ids, labels)]` of the job's pairs; only target tokens are learnt."""
    model, tokenizer = load_model(job)
    model.config.use_cache = False
    lora = LoraConfig(
        r=job["rank"], lora_alpha=job["alpha"], lora_dropout=0.0, target_modules=job["targets"], task_type="CAUSAL_LM"
    )
    model = get_peft_model(model, lora).train()
    examples = []
    for line in Path(job["pairs"]).read_text(encoding="utf-8").splitlines():
        pair = json.loads(line)
        source, target = encode(tokenizer, pair["source"]), encode(tokenizer, pair["target"])
        target.append(tokenizer.eos_token_id)
        examples.append((source + target, [-100] * len(source) + target))
    padding = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    return model, examples, padding


def collate(examples, padding):
    """A batch of tensors, padded on the right to its longest example."""
    longest = max(len(ids) for ids, _ in examples)

    def stack(rows, filler):
        return torch.tensor([row + [filler] * (longest - len(row)) for row in rows])

    ids = [ids for ids, _ in examples]
    return {
        "input_ids": stack(ids, padding),
        "labels": stack([labels for _, labels in examples], -100),
        "attention_mask": stack([[1] * len(row) for row in ids], 0),
    }


def count_tokens(examples):
    """Real tokens: without padding."""
    return sum(len(ids) for ids, _ in examples)
