"""PEFT in a hand-written loop: the shortest one that trains as LLaMA-Factory does for the paper.

One repetition: every update of the job's pairs once, micro-batches as they come, each padded to its longest.
"""

import time

import torch
from common import read_job, serve, versions
from training import collate, count_tokens, load

job = read_job()
model, examples, padding = load(job)
optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=job["learning_rate"])
micro, batch = job["micro_batch"], job["batch"]


def update(chosen):
    parts = [chosen[at : at + micro] for at in range(0, len(chosen), micro)]
    for part in parts:
        (model(**collate(part, padding)).loss / len(parts)).backward()
    optimizer.step()
    optimizer.zero_grad()


def measure():
    tokens, seconds = [], []
    for at in range(0, len(examples), batch):
        chosen = examples[at : at + batch]
        start = time.perf_counter()
        update(chosen)
        seconds.append(time.perf_counter() - start)
        tokens.append(count_tokens(chosen))
    return {"tokens": tokens, "seconds": seconds}


update(examples[:micro])  # outside the timing
serve(measure, versions=versions("peft"))
