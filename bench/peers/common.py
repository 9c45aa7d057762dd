"""What every peer needs: its job, the model, the labels' tokens, and the loop that measures when asked.

Runs in the peers' environment. stdout carries the answers alone; whatever a library prints goes to stderr.
"""

import importlib.metadata
import json
import os
import sys
from pathlib import Path

answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

import torch  # noqa: E402  (after stdout is saved)
from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: E402

DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16}


def read_job():
    """The job named on the command line; also sets the number of threads."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    torch.set_num_threads(job["threads"])
    torch.manual_seed(0)
    return job


def load_model(job):
    """Model and tokenizer of a job."""
    tokenizer = AutoTokenizer.from_pretrained(job["model"])
    model = AutoModelForCausalLM.from_pretrained(job["model"], dtype=DTYPES[job["dtype"]])
    return model.eval(), tokenizer


def encode(tokenizer, text):
    """Token ids without anything added."""
    return tokenizer(text, add_special_tokens=False).input_ids


def label_sets(tokenizer, labels):
    """For each label the ids of all vocabulary entries that are a beginning of it, bare or after a space."""
    vocabulary = tokenizer.get_vocab()
    marks = ["", "\u0120", "\u2581"]  # byte-level and SentencePiece vocabularies write a space so
    sets = []
    for label in labels:
        entries = {mark + label[:end] for mark in marks for end in range(1, len(label) + 1)}
        sets.append(sorted(vocabulary[entry] for entry in entries if entry in vocabulary))
    return sets


def write_states(job, states):
    """Leaves the states of all prompts, each (layers, E), as f32 in the job's file, for compare.py to hold against ours."""
    Path(job["states"]).write_bytes(torch.stack(states).contiguous().numpy().tobytes())


def versions(*packages):
    """Installed versions by name."""
    return {name: importlib.metadata.version(name) for name in ("torch", "transformers", *packages)}


def serve(measure, **about):
    """Says that the peer is ready, then measures once for every line on stdin, until it is closed."""
    print(json.dumps(about), file=answers, flush=True)
    for _ in sys.stdin:
        print(json.dumps(measure()), file=answers, flush=True)
