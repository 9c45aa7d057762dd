"""The evaluation loop of the paper's released scripts: one prompt at a time, the whole of it, logits and softmax at
every position, one `.item()` for each token that speaks for a label.

Better than theirs: no gradients are kept.
"""

import time

import torch
from common import encode, label_sets, load_model, read_job, serve, versions

job = read_job()
model, tokenizer = load_model(job)


def answer(questions):
    sets, choices, tokens = label_sets(tokenizer, job["labels"]), [], []
    with torch.no_grad():
        for question in questions:
            ids = encode(tokenizer, job["prefix"] + question)
            probabilities = torch.softmax(model(torch.tensor([ids])).logits, dim=-1)
            scores = [sum(probabilities[0][-1][token].item() for token in ids_of_label) for ids_of_label in sets]
            choices.append(scores.index(max(scores)))
            tokens.append(len(ids))
    return choices, tokens


def measure():
    start = time.perf_counter()
    choices, tokens = answer(job["questions"])
    return {"seconds": time.perf_counter() - start, "choices": choices, "tokens": tokens}


answer(job["questions"][:1])  # outside the timing
serve(measure, versions=versions())
