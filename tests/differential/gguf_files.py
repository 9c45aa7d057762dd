"""Compares this program with llama.cpp on generated GGUF files.

Run by hand (README.md beside this file). Each case is a tiny model with keys changed, left out or added; the logits of its
last token are compared. llama.cpp rounds what it multiplies with rounded weights, so it reads a twin in f32.
"""

import argparse
import collections
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

IDS = [121, 66, 189, 242, 33, 6, 240, 132, 119, 98, 240, 243]
# Absolute, or of the largest logit: random blocks make logits near 100.
TOLERANCE, SHARE = 1e-4, 1e-5
LAYERS, HEADS, KV_HEADS, VOCAB = 3, 4, 2, 257
ABSENT = object()
# How many bytes a block has and where its halves are: random bytes elsewhere are a valid block.
BLOCKS = {
    "Q4_K": (144, [0, 2]),
    "Q5_K": (176, [0, 2]),
    "Q6_K": (210, [208]),
    "Q2_K": (84, [80, 82]),
    "Q3_K": (110, [108]),
}
MADE = ["F32", "F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"]


# Cases


def metadata(architecture, width, inner, draw):
    head = width // HEADS
    base = {
        "context_length": 256,
        "embedding_length": width,
        "block_count": LAYERS,
        "feed_forward_length": inner,
        "attention.head_count": HEADS,
        "attention.head_count_kv": KV_HEADS,
        "attention.layer_norm_rms_epsilon": 1e-5,
        "rope.freq_base": 10000.0,
        "vocab_size": VOCAB,
    }
    values = {
        "context_length": [64, 512, ABSENT, 8],
        "attention.head_count": [ABSENT, [HEADS] * LAYERS, [4, 4, 2]],
        "attention.head_count_kv": [ABSENT, 0, [KV_HEADS] * LAYERS, [2, 2, 4]],
        "attention.key_length": [head, head, head // 2],
        "attention.value_length": [head, head, head // 2],
        "attention.layer_norm_rms_epsilon": [1e-6, 0.01, ABSENT, 0.0],
        "attention.layer_norm_epsilon": [1e-5, 0.3],
        "attention.sliding_window": [0, 4, 4096],
        "attention.causal": [True, True, False],
        "attention.scale": [0.0, 0.5],
        "attention.clamp_kqv": [0.0, 0.0, 1.0],
        "attn_logit_softcapping": [0.0, 0.0, 5.0],
        "block_count": [2, ABSENT],
        "embedding_scale": [0.0, 1.0, 0.0, 1.0, 2.0],
        "expert_count": [0, 0, 0, 2],
        "expert_used_count": [0, 0, 0, 2],
        "feed_forward_length": [[inner] * LAYERS, ABSENT],
        "final_logit_softcapping": [0.0, 0.0, 5.0],
        "logit_scale": [0.0, 1.0, 0.0, 1.0, 0.5],
        "nextn_predict_layers": [0, 0, 1],
        "pooling_type": [0, 1],
        "residual_scale": [0.0, 1.0, 0.0, 1.0, 0.5],
        "rope.dimension_count": [head, head, head // 2],
        "rope.freq_base": [500.0, 1e6, ABSENT],
        "rope.freq_base_swa": [500.0],
        "rope.scale_linear": [2.0, 0.0],
        "rope.scaling.alpha": [0.0, 1.0, 0.0, 1.0, 50.0],
        "rope.scaling.attn_factor": [1.0, 1.5],
        "rope.scaling.factor": [0.0, 1.0, 2.0, 8.0],
        "rope.scaling.finetuned": [True, False],
        "rope.scaling.original_context_length": [16, 64],
        "rope.scaling.type": ["none", "linear", "yarn", "yarn", "longrope", "other"],
        "rope.scaling.yarn_beta_fast": [32.0, 32.0, 32.0, 8.0],
        "rope.scaling.yarn_beta_slow": [1.0, 1.0, 1.0, 2.0],
        "rope.scaling.yarn_ext_factor": [-1.0, -1.0, 1.0, 0.5],
        "rope.scaling.yarn_log_multiplier": [0.0, 0.0, 0.0, 0.1],
        "use_parallel_residual": [False, False, True],
        "vocab_size": [VOCAB, VOCAB, 300],
    }
    keys = draw.sample(list(values), draw.choice([0, 1, 2, 3, 5]))
    if draw.random() < 0.5:
        keys += draw.sample([key for key in values if key.startswith("rope.scal")], 2)
    changes = {key: draw.choice(values[key]) for key in keys}
    kept = {key: value for key, value in (base | changes).items() if value is not ABSENT}
    return {f"{architecture}.{key}": value for key, value in kept.items()}, changes


def tensor_shapes(width, inner, layers):
    head = width // HEADS
    shapes = {"token_embd.weight": (VOCAB, width), "output.weight": (VOCAB, width), "output_norm.weight": (width,)}
    for layer in range(layers):
        for name, shape in {
            "attn_norm": (width,),
            "attn_q": (width, width),
            "attn_k": (KV_HEADS * head, width),
            "attn_v": (KV_HEADS * head, width),
            "attn_output": (width, width),
            "ffn_norm": (width,),
            "ffn_gate": (inner, width),
            "ffn_up": (inner, width),
            "ffn_down": (width, inner),
        }.items():
            shapes[f"blk.{layer}.{name}.weight"] = shape
    return shapes


def changed_tensors(architecture, shapes, width, draw):
    """Adds and removes tensors; what was done."""
    done = []

    def biases(names, layers):
        for layer in layers:
            for name in names:
                shapes[f"blk.{layer}.{name}.bias"] = (shapes[f"blk.{layer}.{name}.weight"][0],)
        done.append(f"biases of {names} in {list(layers)}")

    if architecture == "qwen2":
        biases(["attn_q", "attn_k", "attn_v"], range(LAYERS))
    if draw.random() < 0.15:
        biases(draw.sample(["attn_q", "attn_k", "attn_v", "attn_output", "ffn_up", "ffn_down", "ffn_gate"], 2), range(LAYERS))
    if draw.random() < 0.06:
        biases(["attn_q"], [draw.randrange(LAYERS)])
    if draw.random() < 0.3:
        shapes.pop("output.weight")
        done.append("tied")
    if draw.random() < 0.12:
        shapes["rope_freqs.weight"] = (width // HEADS // 2,)
        done.append("rope_freqs")
    for name, shape in {
        "output.bias": (VOCAB,),
        "blk.0.attn_q_norm.weight": (width // HEADS,),
        "blk.1.attn_rot_embd.weight": (4,),
        "blk.1.post_attention_norm.weight": (width,),
        "token_embd_norm.weight": (width,),
    }.items():
        if draw.random() < 0.03:
            shapes[name] = shape
            done.append(f"with {name}")
    if draw.random() < 0.05:
        name = draw.choice(sorted(shapes))
        shapes.pop(name)
        done.append(f"without {name}")
    return done


def make_case(draw):
    architecture = draw.choice(["llama", "llama", "qwen2"])
    wide = draw.random() < 0.25
    width, inner = (256, 256) if wide else (64, 96)
    keys, changes = metadata(architecture, width, inner, draw)
    shapes = tensor_shapes(width, inner, LAYERS)
    done = changed_tensors(architecture, shapes, width, draw)
    kinds = list(BLOCKS) if wide else MADE
    dtypes = {name: draw.choice(kinds) if len(shape) == 2 else "F32" for name, shape in shapes.items()}
    if not wide and draw.random() < 0.5:
        dtypes = dict.fromkeys(dtypes, "F32")
    about = {key: "absent" if value is ABSENT else value for key, value in changes.items()}
    about = {"keys": about, "tensors": done, "dtypes": sorted(set(dtypes.values()))}
    seed = draw.randrange(1 << 30)
    return {"architecture": architecture, "keys": keys, "shapes": shapes, "dtypes": dtypes, "seed": seed, "about": about}


# The files


def random_values(name, shape, draw):
    if name == "rope_freqs.weight":
        return draw.uniform(1.0, 8.0, shape).astype(np.float32)
    if "norm" in name:
        return draw.uniform(0.5, 1.5, shape).astype(np.float32)
    return (draw.standard_normal(shape) * 0.3 / (shape[-1] / 16) ** 0.5).astype(np.float32)


def random_blocks(kind, shape, draw):
    size, halves = BLOCKS[kind]
    blocks = draw.integers(0, 256, (shape[0], shape[1] // 256, size), dtype=np.uint8)
    for place in halves:
        scale = draw.uniform(0.0002, 0.001, blocks.shape[:2]).astype(np.float16)
        blocks[:, :, place : place + 2] = scale[..., None].view(np.uint8)
    return blocks.reshape(shape[0], -1)


def write_files(folder, case):
    """`model.gguf` as it is, `twin.gguf` with the same values in f32."""
    from gguf import GGMLQuantizationType, GGUFWriter
    from gguf.quants import dequantize, quantize

    writers = [GGUFWriter(folder / name, case["architecture"]) for name in ("model.gguf", "twin.gguf")]
    for writer in writers:
        writer.add_tokenizer_model("no_vocab")
        for key, value in case["keys"].items():
            add_value(writer, key, value)
    draw = np.random.default_rng(case["seed"])
    for name, shape in case["shapes"].items():
        kind = GGMLQuantizationType[case["dtypes"][name]]
        if kind.name in BLOCKS:
            data = random_blocks(kind.name, shape, draw)
        else:
            data = quantize(random_values(name, shape, draw), kind)
        writers[0].add_tensor(name, data, raw_dtype=kind)
        writers[1].add_tensor(name, dequantize(data, kind))
    for writer in writers:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()


def add_value(writer, key, value):
    if isinstance(value, list):
        writer.add_array(key, value)
    elif isinstance(value, bool):
        writer.add_bool(key, value)
    elif isinstance(value, int):
        writer.add_uint32(key, value)
    elif isinstance(value, float):
        writer.add_float32(key, value)
    else:
        writer.add_string(key, value)


# The two programs


def llama_cpp_logits(file):
    """In a process of its own: llama.cpp ends the process where an assertion fails."""
    import llama_cpp as llama

    quiet = llama.llama_log_callback(lambda *_: None)
    llama.llama_log_set(quiet, None)
    llama.llama_backend_init()
    how = llama.llama_model_default_params()
    how.n_gpu_layers = 0
    model = llama.llama_model_load_from_file(file.encode(), how)
    if not model:
        raise SystemExit("not loaded")
    how = llama.llama_context_default_params()
    how.n_ctx, how.n_batch, how.n_ubatch, how.n_threads, how.n_threads_batch = 64, 64, 64, 1, 1
    how.type_k = how.type_v = 0
    how.flash_attn_type = 0
    context = llama.llama_init_from_model(model, how)
    if not context:
        raise SystemExit("no context")
    ids = (llama.llama_token * len(IDS))(*IDS)
    if llama.llama_decode(context, llama.llama_batch_get_one(ids, len(IDS))):
        raise SystemExit("not decoded")
    logits = llama.llama_get_logits_ith(context, -1)
    print(json.dumps([logits[i] for i in range(VOCAB)]))


def reference(folder):
    command = [sys.executable, __file__, "--reference", folder / "twin.gguf"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit {done.returncode}"]
        return next((line for line in lines if "GGML_ASSERT" in line), lines[-1])
    return np.array(json.loads(done.stdout.splitlines()[-1]), dtype=np.float32)


def ours(program, folder):
    from safetensors.numpy import load_file

    (folder / "rows.jsonl").write_text(json.dumps({"ids": IDS}) + "\n")
    out = folder / "out.safetensors"
    command = [program, "capture", "--model", folder / "model.gguf", "--input", folder / "rows.jsonl"]
    command += ["--tensors", "logits.last", "--out", out, "--threads", "1"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        return (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1]
    return load_file(out)["logits.last"].flatten()


def judged(program, case, folder):
    folder.mkdir()
    write_files(folder, case)
    want, got = reference(folder), ours(program, folder)
    shutil.rmtree(folder)
    if isinstance(got, str):
        return ("refused by both" if isinstance(want, str) else "refused here, accepted there"), reason(got)
    if isinstance(want, str):
        return "accepted here, refused there", reason(want)
    apart = float(np.abs(want - got).max())
    largest = float(np.abs(want).max())
    verdict = "equal" if apart <= max(TOLERANCE, SHARE * largest) else "DIFFERENT"
    return verdict, f"{apart:.2g} of {largest:.2g}"


def reason(message):
    """A refusal without its file and numbers."""
    return re.sub(r"\d+(\.\d+)?", "N", re.sub(r"/\S*/", "", message))[:120]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", default="target/debug/lingualign")
    parser.add_argument("--cases", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--reference", help="print llama.cpp's logits of this file")
    arguments = parser.parse_args()
    if arguments.reference:
        return llama_cpp_logits(arguments.reference)
    draw = random.Random(arguments.seed)
    cases = [make_case(draw) for _ in range(arguments.cases)]
    counts, reasons = collections.Counter(), collections.defaultdict(collections.Counter)
    with tempfile.TemporaryDirectory() as base, ThreadPoolExecutor(arguments.jobs) as pool:
        folders = [Path(base) / str(number) for number in range(len(cases))]
        verdicts = pool.map(lambda case, folder: judged(arguments.program, case, folder), cases, folders)
        for case, (verdict, text) in zip(cases, verdicts):
            counts[verdict] += 1
            if verdict != "equal":
                reasons[verdict][text] += 1
            if verdict in ("DIFFERENT", "accepted here, refused there"):
                print(f"{verdict} ({text}), {case['architecture']}: {case['about']}")
    for verdict, count in counts.most_common():
        print(f"{count:5} {verdict}")
        for text, times in reasons[verdict].most_common():
            print(f"      {times:5} {text}")
    raise SystemExit(1 if counts["DIFFERENT"] else 0)


if __name__ == "__main__":
    main()
