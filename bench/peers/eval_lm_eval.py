"""lm-evaluation-harness: the likelihood of every label word after the whole prompt, as its `multiple_choice` asks.

Timed is its scoring alone, not the set-up of its tasks. The batch size is the best of a few, tried before.
"""

import time

from common import load_model, read_job, serve, versions
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM

BATCH_SIZES = [1, 8]

job = read_job()
model, tokenizer = load_model(job)


def make(batch_size):
    return HFLM(pretrained=model, tokenizer=tokenizer, device="cpu", batch_size=batch_size)


def answer(harness, questions):
    requests = [
        Instance(request_type="loglikelihood", doc={}, arguments=(job["prefix"] + question, label), idx=at)
        for question in questions
        for at, label in enumerate(job["labels"])
    ]
    found = [likelihood for likelihood, _ in harness.loglikelihood(requests, disable_tqdm=True)]
    count = len(job["labels"])
    rows = [found[at : at + count] for at in range(0, len(found), count)]
    return [row.index(max(row)) for row in rows]


def measure(harness):
    start = time.perf_counter()
    choices = answer(harness, job["questions"])
    return {"seconds": time.perf_counter() - start, "choices": choices}


answer(make(1), job["questions"][:1])  # outside the timing, and so is the choice of the batch size
best = min(BATCH_SIZES, key=lambda size: measure(make(size))["seconds"])
harness = make(best)
serve(lambda: measure(harness), versions=versions("lm_eval"), batch_size=best)
