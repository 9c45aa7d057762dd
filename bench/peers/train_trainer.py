"""PEFT in transformers' Trainer, with the same pairs, micro-batches and updates as the hand-written loop.

One repetition trains the job's pairs once; an update is timed from its first micro-batch to its optimiser step.
"""

import tempfile
import time

import torch
from common import read_job, serve, versions
from training import collate, count_tokens, load
from transformers import Trainer, TrainerCallback, TrainingArguments

job = read_job()
model, examples, padding = load(job)
micro, batch = job["micro_batch"], job["batch"]


class Clock(TrainerCallback):
    """Seconds of each update."""

    def __init__(self):
        self.seconds = []

    def on_step_begin(self, *_, **__):
        self.start = time.perf_counter()

    def on_step_end(self, *_, **__):
        self.seconds.append(time.perf_counter() - self.start)


class OrderedTrainer(Trainer):
    """Takes the examples as they come, so that the tokens of an update are known."""

    def _get_train_sampler(self, *_, **__):
        return torch.utils.data.SequentialSampler(self.train_dataset)


def train(chosen):
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            per_device_train_batch_size=micro,
            gradient_accumulation_steps=batch // micro,
            max_steps=max(1, len(chosen) // batch),
            learning_rate=job["learning_rate"],
            use_cpu=True,
            report_to=[],
            save_strategy="no",
            logging_strategy="no",
            dataloader_pin_memory=False,
            disable_tqdm=True,
        )
        rows = [{"input_ids": ids, "labels": labels} for ids, labels in chosen]
        OrderedTrainer(
            model=model,
            args=arguments,
            train_dataset=rows,
            data_collator=lambda part: collate([(row["input_ids"], row["labels"]) for row in part], padding),
            callbacks=[clock],
        ).train()
    return clock.seconds


def measure():
    seconds = train(examples)
    return {
        "tokens": [count_tokens(examples[at : at + batch]) for at in range(0, len(examples), batch)],
        "seconds": seconds,
    }


train(examples[:batch])  # outside the timing
serve(measure, versions=versions("peft", "accelerate"))
