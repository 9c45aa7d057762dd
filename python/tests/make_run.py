"""Makes the run folders that the tests read: `python3 python/tests/make_run.py PATH/TO/lingualign`.

A model of three small layers whose tokens are bytes, every kind of record that a recipe can ask for, and a grid of two
cells. Kept are the records; the report's pages and the adapters' weights are not. Commit what it writes.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
KEPT = Path(__file__).resolve().parent

RECIPE = """
name = "run"
model = "tiny"
seeds = [1, 2]

[data]
dir = "mini"

[train]
settings = ["sw=>en"]
tasks = ["emotion"]
pairs = 8
max_steps = 3
batch_size = 4
val_size = 0.2
eval_steps = 2
learning_rate = 0.2

[train.probe]
every = 3
items = 5
languages = ["en", "sw"]

[eval]
tasks = ["emotion"]
languages = ["en", "sw"]
labels = ["english"]
few_shot = ["builtin", "head:1"]
prompt = ["plain", "chat"]
greedy = 1
limit = 6

[eval.translation]
lines = 2
languages = ["sw"]
max_new_tokens = 8

[analyse]
task = "emotion"
kinds = ["lens", "tuned-lens", "pca", "alignment", "neurons", "silencing", "patching"]
languages = ["en", "sw"]
poolings = ["all", "last"]
neuron_share = 0.05
permutations = 20
resamples = 20
"""

GRID = """
name = "grid"
seeds = [1]

[data]
dir = "mini"

[train]
settings = ["sw=>en"]
tasks = ["emotion"]
pairs = 8
max_steps = 1
batch_size = 4

[eval]
tasks = ["emotion"]
languages = ["en", "sw"]
few_shot = "builtin"
limit = 3

[grid]
model = ["tiny"]
"""


def byte_alphabet() -> list[str]:
    """GPT-2's way to write bytes."""
    printed = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return [chr(byte) if byte in printed else chr(next(others)) for byte in range(256)]


def make_model(folder: Path) -> None:
    """The golden model with a tokenizer whose ids are byte values; 256 ends a text."""
    folder.mkdir()
    for name in ("config.json", "model.safetensors"):
        shutil.copy(REPOSITORY / "tests/golden/tiny_llama" / name, folder / name)
    step = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    end = {"id": 256, "content": "<end>", "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    vocabulary = {character: byte for byte, character in enumerate(byte_alphabet())}
    bpe = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
           "fuse_unk": False, "byte_fallback": False, "vocab": {**vocabulary, "<end>": 256}, "merges": []}
    tokenizer = {"version": "1.0", "truncation": None, "padding": None, "normalizer": None, "post_processor": None,
                 "pre_tokenizer": step, "decoder": step, "added_tokens": [end], "model": bpe}
    template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"
    config = {"tokenizer_class": "GPT2Tokenizer", "bos_token": None, "eos_token": "<end>", "chat_template": template}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")


def keep(made: Path, kept: Path) -> None:
    """Replaces `kept` by the records of `made`."""
    shutil.rmtree(kept, ignore_errors=True)
    left_out = ("index.html", "report.md", "tables", "figures", ".lock*", "adapters", "checkpoints", "tuned-lens.*.safetensors", "runs")
    shutil.copytree(made, kept, ignore=shutil.ignore_patterns(*left_out))
    for path in kept.glob("cells/*.json"):
        cell = {**json.loads(path.read_text(encoding="utf-8")), "host": "node1", "pid": 1, "attempt": "1-1"}
        path.write_text(json.dumps({**cell, "started": "2000-01-01T00:00:00Z"}, indent=2) + "\n", encoding="utf-8")


def main(program: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        make_model(scratch / "tiny")
        shutil.copytree(REPOSITORY / "assets/mini", scratch / "mini")
        for command, recipe, text in (["run"], "run", RECIPE), (["grid", "run"], "grid", GRID):
            (scratch / f"{recipe}.toml").write_text(text, encoding="utf-8")
            subprocess.run([program, *command, f"{recipe}.toml"], cwd=scratch, check=True)
            keep(scratch / "runs" / recipe, KEPT / recipe)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
