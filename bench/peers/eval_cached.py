"""The best Python way: keys and values of the shared prefix computed once and reused, questions in padded batches of
like length, only the last position of each through the head, inference mode.

One repetition computes the prefix anew, as ours does. The batch size is the best of a few, tried before.
"""

import time

import torch
from common import encode, label_sets, load_model, read_job, serve, versions
from transformers import DynamicCache

BATCH_SIZES = [8, 16]

job = read_job()
model, tokenizer = load_model(job)
decoder, head = model.model, model.lm_head


def prefix_states(ids):
    """Keys and values of the prefix, layer by layer."""
    cache = decoder(input_ids=torch.tensor([ids]), use_cache=True).past_key_values
    return [(layer.keys, layer.values) for layer in cache.layers]


def cache_for(states, rows):
    """A fresh cache that holds the prefix for every row of a batch; the prefix itself stays as it is."""
    cache = DynamicCache()
    for layer, (keys, values) in enumerate(states):
        cache.update(keys.expand(rows, -1, -1, -1), values.expand(rows, -1, -1, -1), layer)
    return cache


def score_batch(states, prefix_length, batch):
    """Probabilities of the next token after each question of a batch."""
    longest = max(map(len, batch))
    ids = torch.tensor([row + [0] * (longest - len(row)) for row in batch])
    mask = torch.tensor([[1] * (prefix_length + len(row)) + [0] * (longest - len(row)) for row in batch])
    cache = cache_for(states, len(batch))
    hidden = decoder(input_ids=ids, attention_mask=mask, past_key_values=cache, use_cache=True).last_hidden_state
    last = hidden[torch.arange(len(batch)), torch.tensor([len(row) - 1 for row in batch])]
    return torch.softmax(head(last).float(), dim=-1)


def answer(questions, batch_size):
    sets, prefix = label_sets(tokenizer, job["labels"]), encode(tokenizer, job["prefix"])
    whole = [encode(tokenizer, job["prefix"] + question) for question in questions]
    # A merge over the end of the prefix would make the reuse wrong.
    assert all(ids[: len(prefix)] == prefix for ids in whole)
    suffixes = [ids[len(prefix) :] for ids in whole]
    order = sorted(range(len(suffixes)), key=lambda at: -len(suffixes[at]))
    choices = [0] * len(suffixes)
    with torch.inference_mode():
        states = prefix_states(prefix)
        for at in range(0, len(order), batch_size):
            chosen = order[at : at + batch_size]
            rows = score_batch(states, len(prefix), [suffixes[index] for index in chosen])
            for row, index in zip(rows, chosen):
                scores = [row[ids].sum().item() for ids in sets]
                choices[index] = scores.index(max(scores))
    return choices, [len(ids) for ids in whole]


def measure(batch_size):
    start = time.perf_counter()
    choices, tokens = answer(job["questions"], batch_size)
    return {"seconds": time.perf_counter() - start, "choices": choices, "tokens": tokens}


answer(job["questions"][:2], 2)  # outside the timing, and so is the choice of the batch size
best = min(BATCH_SIZES, key=lambda size: measure(size)["seconds"])
serve(lambda: measure(best), versions=versions(), batch_size=best)
