"""The loop of the notebook with which the paper's figures 2 and 4 were made: one prompt at a time, the whole of it, the
hidden states of all layers, the mean of each over all tokens.

Better than theirs: no gradients are kept.
"""

import time

import torch
from common import encode, load_model, read_job, serve, versions, write_states

job = read_job()
model, tokenizer = load_model(job)


def capture(prompts):
    states, tokens = [], []
    with torch.no_grad():
        for prompt in prompts:
            ids = encode(tokenizer, prompt)
            hidden = model(torch.tensor([ids]), output_hidden_states=True).hidden_states
            states.append(torch.stack([layer[0].mean(0) for layer in hidden]).float())
            tokens.append(len(ids))
    return states, tokens


def measure():
    start = time.perf_counter()
    states, tokens = capture(job["prompts"])
    seconds = time.perf_counter() - start
    write_states(job, states)
    return {"seconds": seconds, "tokens": tokens}


capture(job["prompts"][:1])  # outside the timing
serve(measure, versions=versions())
