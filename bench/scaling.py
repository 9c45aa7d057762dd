#!/usr/bin/env python3
"""How our cost grows with what is asked: `scaling.py [CURVE ...]`; tables go into RESULTS.md.

Curves: `batch` (tokens/s by sequences an update), `rows` (tokens/s by pairs of data), `questions` (peak memory by
questions asked), `loading` (seconds a gigabyte of bf16 safetensors), `start` (to the quickstart's first update).
No peer is timed; their environment is used once, to make a model in safetensors.
"""

import argparse
import datetime
import json
import re
import shutil
import statistics
import struct
import sys
from pathlib import Path

import environment
import results
import workload
from compare import Bench, add_common_arguments, describe
from environment import BENCH, ROOT, note
from process import BenchError, is_noisy, run, stop_in_order

# A Llama of 0.92 billion weights, none of them meaningful: 1.85 GB in bf16, so that a gigabyte is not extrapolated.
HIDDEN, LAYERS, HEADS, KV_HEADS, MLP = 2048, 16, 32, 32, 5632


def main():
    curves = {"batch": by_batch, "rows": by_rows, "questions": by_questions, "loading": by_size, "start": to_first_step}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("curve", nargs="*", help=f"{', '.join(curves)}; default: all")
    parser.add_argument("--dtype", default="f32", choices=["f32", "bf16"], help="of training and evaluation; default f32")
    add_common_arguments(parser)
    arguments = parser.parse_args()
    stop_in_order()
    try:
        unknown = [name for name in arguments.curve if name not in curves]
        if unknown:
            raise BenchError(f"no curve {', '.join(unknown)}; there are: {', '.join(curves)}")
        bench = Bench(arguments)
        file = Path(arguments.results) if arguments.results else BENCH / "results.json"
        for name in arguments.curve or curves:
            note(f"{name} ...")
            part = curves[name](bench)
            part |= {
                "machine": environment.describe_machine(),
                "threads": arguments.threads,
                "date": datetime.date.today().isoformat(),
            }
            print(json.dumps({"curve": name, **part}, ensure_ascii=False))
            kept = results.read(file)
            kept.setdefault("scaling", {})[name] = part
            results.save(file, file.with_name("RESULTS.md"), kept)
    except (BenchError, ValueError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    return 0


def train(bench, name, steps, **settings):
    """Trains q and v; returns the updates after the first, the whole cost, and the data in words."""
    dtype = bench.arguments.dtype
    data, task = workload.find_data(bench.arguments.data, bench.scratch, "train", "snli")
    recipe = workload.training_recipe(
        bench.scratch / "recipes" / f"{name}.toml", bench.models[dtype], dtype, data, task, "qv", steps, **settings
    )
    folder, cost = bench.run_ours(name, recipe, "data,train")
    return workload.read_steps(folder)[1:], cost, describe(data, task)


def speed(records):
    """Tokens through the model a second, over all updates: batches of one differ too much in length for a median."""
    return sum(record["tokens"] for record in records) / sum(record["seconds"] for record in records)


def by_batch(bench):
    """64 sequences after the first update, whatever the batch. The budget of a micro-batch is far above any batch, so that
    a batch is run in one piece.
    """
    rows, costs = [], []
    for batch, steps in ((1, 65), (4, 17), (16, 5), (64, 2)):
        settings = {"pairs": shipped_limit(bench, batch * steps), "batch_size": batch, "micro_batch_tokens": 1_000_000}
        records, cost, origin = train(bench, f"scaling-batch-{batch}", steps, epochs=9, **settings)
        costs.append(cost)
        rows.append([batch, round(speed(records)), round(cost.peak_mb)])
    title = f"Training by sequences an update, each update in one piece (q, v; {bench.arguments.dtype}; {origin})."
    return table(title, ["sequences", "tokens/s", "peak MB"], rows, costs)


def by_rows(bench):
    """The same number of updates however many pairs there are."""
    rows, costs = [], []
    for wanted in (100, 1000):
        pairs = shipped_limit(bench, wanted)
        if rows and pairs == rows[-1][0]:
            break
        records, cost, origin = train(bench, f"scaling-rows-{wanted}", 6, pairs=pairs, epochs=9)
        costs.append(cost)
        rows.append([pairs, round(speed(records)), round(cost.peak_mb)])
    title = f"Training by pairs of data, 16 sequences an update (q, v; {bench.arguments.dtype}; {origin})."
    return table(title, ["pairs", "tokens/s", "peak MB"], rows, costs)


def shipped_limit(bench, pairs):
    """The shipped data have 120 pairs of a language."""
    return pairs if bench.arguments.data else min(pairs, 120)


def by_questions(bench):
    """Questions of one language of SNLI."""
    data, task = workload.find_data(bench.arguments.data, bench.scratch, "eval", "snli")
    dtype = bench.arguments.dtype
    rows, costs = [], []
    for limit in (50, 200, 500):
        asked = workload.render_prompts(data, task, limit)[2]
        if rows and asked == rows[-1][0]:
            break
        recipe = workload.evaluation_recipe(
            bench.scratch / "recipes" / "scaling-questions.toml", bench.models[dtype], dtype, data, task, [data.language], asked
        )
        folder, cost = bench.run_ours("scaling-questions", recipe, "eval")
        seconds = workload.read_answers(folder, task, data.language)[1]
        costs.append(cost)
        rows.append([asked, round(cost.peak_mb), round(asked / seconds, 2)])
    title = f"Evaluation by questions of one language (SNLI, {dtype}, {describe(data, task)}); the speed includes loading."
    return table(title, ["questions", "peak MB", "questions/s"], rows, costs)


def by_size(bench):
    """Seconds until the weights are ready, the file in the page cache, as our program logs them."""
    large = make_large_model(bench)
    rows, costs = [], []
    for folder in (bench.models["bf16"], large):
        gigabytes = sum(file.stat().st_size for file in folder.glob("*.safetensors")) / 1e9
        loads = []
        for _ in range(4):  # the first brings the file into the page cache
            log = bench.log("scaling-loading")
            command = [bench.program, "generate", "--model", folder, "--dtype", "bf16", "--prompt", "One", "-v"]
            command += ["--max-new-tokens", 1, "--device", "cpu", "--threads", bench.arguments.threads]
            costs.append(run(command, log, {"LINGUALIGN_LOG": "info", "NO_COLOR": "1"}))
            loads.append(read_loading_seconds(log))
        seconds = statistics.median(loads[1:])
        peak = round(costs[-1].peak_mb)
        rows.append([round(gigabytes, 2), round(seconds, 3), round(seconds / gigabytes, 3), peak])
    title = "Loading bf16 safetensors from a warm page cache until the weights are ready (the second model is made up)."
    return table(title, ["GB", "seconds", "seconds/GB", "peak MB"], rows, costs[1:])


def read_loading_seconds(log):
    """From the line `weights loaded` of our log."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", log.read_text(errors="replace"))
    found = re.search(r"weights loaded.*\bseconds=([0-9.eE+-]+)", text)
    if not found:
        raise BenchError(f"no line `weights loaded ... seconds=` in {log}")
    return float(found.group(1))


def to_first_step(bench):
    """A quickstart of one update, without validation: everything but the update itself is the way to it."""
    totals, firsts, costs = [], [], []
    for _ in range(3):
        folder = bench.scratch / "runs" / "scaling-start"
        shutil.rmtree(folder, ignore_errors=True)
        command = [bench.program, "run", ROOT / "recipes" / "quickstart.toml", "--out", folder, "--only", "data,train"]
        command += ["--set", "train.max_steps=1", "--set", "train.val_size=0", "--device", "cpu"]
        if bench.arguments.model:
            command += ["--set", f"model={bench.arguments.model}"]
        cost = run([*command, "--threads", bench.arguments.threads], bench.log("scaling-start"))
        costs.append(cost)
        totals.append(cost.seconds)
        firsts.append(workload.read_steps(folder)[0]["seconds"])
    before = statistics.median(total - first for total, first in zip(totals, firsts))
    row = [round(before, 2), round(statistics.median(firsts), 2), round(statistics.median(totals), 2)]
    title = "From the start of the program to the quickstart's first update (f32); writing the adapter is counted too."
    return table(title, ["seconds before the update", "the update", "whole process"], [row], costs)


def table(title, columns, rows, costs):
    """A part of the results."""
    noisy = is_noisy(costs)
    return {"title": title + (" Noisy." if noisy else ""), "columns": columns, "rows": rows, "noisy": noisy}


def make_large_model(bench):
    """A folder with a made-up model of `LAYERS` layers in bf16, and the tokenizer of the real one."""
    folder = bench.scratch / "models" / "made-up-bf16"
    if (folder / "complete").is_file():
        return folder
    note("making a model of 1.85 GB")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    small = bench.models["bf16"]
    for file in small.glob("*token*.json"):
        shutil.copy(file, folder)
    config = json.loads((small / "config.json").read_text(encoding="utf-8"))
    vocabulary = config["vocab_size"]
    config |= {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": HIDDEN,
        "intermediate_size": MLP,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "head_dim": HIDDEN // HEADS,
        "tie_word_embeddings": True,
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    write_safetensors(folder / "model.safetensors", large_shapes(vocabulary))
    (folder / "complete").touch()
    return folder


def large_shapes(vocabulary):
    """Names and shapes of a Llama's tensors."""
    shapes = {"model.embed_tokens.weight": (vocabulary, HIDDEN), "model.norm.weight": (HIDDEN,)}
    for layer in range(LAYERS):
        at = f"model.layers.{layer}"
        shapes |= {f"{at}.self_attn.{name}_proj.weight": (HIDDEN, HIDDEN) for name in "qo"}
        shapes |= {f"{at}.self_attn.{name}_proj.weight": (HIDDEN * KV_HEADS // HEADS, HIDDEN) for name in "kv"}
        shapes |= {f"{at}.mlp.{name}_proj.weight": (MLP, HIDDEN) for name in ("gate", "up")}
        shapes[f"{at}.mlp.down_proj.weight"] = (HIDDEN, MLP)
        shapes |= {f"{at}.{name}_layernorm.weight": (HIDDEN,) for name in ("input", "post_attention")}
    return shapes


def write_safetensors(path, shapes):
    """A safetensors file of bf16 tensors with small values: header length, JSON header, data without gaps."""
    header, end = {}, 0
    for name, shape in shapes.items():
        size = 2
        for dimension in shape:
            size *= dimension
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    # bf16 is the upper half of an f32: 0x3c00 to 0x3cff are values about 0.01; every other one negative.
    block = b"".join(struct.pack("<H", 0x3C00 | value | (value % 2) << 15) for value in range(256)) * 4096
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for start in range(0, end, len(block)):
            file.write(block[: min(len(block), end - start)])


if __name__ == "__main__":
    sys.exit(main())
