"""Compares this program with transformers and PEFT on generated configurations and adapters.

Run by hand (README.md beside this file). Each case is a small change of a tiny model of
tests/golden: its folder is loaded by both, and the logits of the last token are compared.
"""

import argparse
import collections
import json
import logging
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ["TRANSFORMERS_VERBOSITY"] = "critical"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TQDM_DISABLE"] = "1"
warnings.filterwarnings("ignore")
logging.disable(logging.CRITICAL)

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "golden"))
from make_families import scattered

IDS = [121, 66, 189, 242, 33, 6, 240, 132, 119, 98, 240, 243]
GOLDEN = Path(__file__).resolve().parent.parent / "golden"
FAMILIES = ["llama", "mistral", "qwen2"]
# The tiny models of the other families, in folders of this folder.
OTHERS = sorted(folder.name for folder in (GOLDEN / "families").iterdir())
PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
TOLERANCE = 1e-4
ABSENT = object()
# Their defaults fit no tiny model: left out, they are refused by both.
SHAPES = ["model_type", "vocab_size", "hidden_size", "intermediate_size", "num_attention_heads", "num_hidden_layers"]


# Configurations


def rope_section(draw):
    kind = draw.choice(["default", "linear", "llama3", "yarn", "yarn", "dynamic", "su"])
    section = {draw.choice(["rope_type", "rope_type", "type"]): kind}
    if draw.random() < 0.1:
        section = {"rope_type": "default", "type": kind}
    if kind == "linear":
        section["factor"] = draw.choice([2.0, 2, 4.0, 0.5])
    if kind in ("llama3", "yarn", "dynamic"):
        section["factor"] = draw.choice([2.0, 8.0, 4])
        section["original_max_position_embeddings"] = draw.choice([16, 64, 256])
    if kind == "llama3":
        section |= {"low_freq_factor": draw.choice([1.0, 1]), "high_freq_factor": draw.choice([4.0, 2.0])}
    if kind == "yarn":
        for key, values in {
            "attention_factor": [None, 1.0, 1.3],
            "beta_fast": [None, 0, 32, 16],
            "beta_slow": [None, 0, 1, 2],
            "mscale": [0.7, 1.0, 0],
            "mscale_all_dim": [1.0, 0.5],
            "truncate": [True, False, None],
        }.items():
            if draw.random() < 0.3:
                section[key] = draw.choice(values)
    if draw.random() < 0.4:
        section["rope_theta"] = draw.choice([10000.0, 5000.0, 1000000, None])
    if draw.random() < 0.2 and len(section) > 1:
        section.pop(draw.choice(list(section)))
    if draw.random() < 0.1:
        section[draw.choice(["partial_rotary_factor", "alpha", "short_factor"])] = draw.choice([1.0, 0.5])
    return section


# What each key may become; every family draws from all of them, so that most are foreign to it.
VALUES = {
    "rms_norm_eps": [1e-5, 1e-6, 0.01, None],
    "hidden_act": ["silu", "swish", "gelu", None],
    "num_key_value_heads": [2, None, 3],
    "head_dim": [8, None],
    "tie_word_embeddings": [True, False, None],
    "attention_bias": [True, False, None],
    "mlp_bias": [True, False, None],
    "sliding_window": [4, 7, None, 100, 0],
    "use_sliding_window": [True, False, None],
    "max_window_layers": [0, 1, 2, 28, None],
    "layer_types": [
        None,
        ["full_attention"] * 3,
        ["sliding_attention"] * 3,
        ["full_attention", "sliding_attention", "full_attention"],
        ["full_attention"],
    ],
    "max_position_embeddings": [256, 64, 512],
    "original_max_position_embeddings": [16, 64],
    "rope_theta": [10000.0, 500.0, 1000000, None],
    "partial_rotary_factor": [1.0, 0.5],
    "is_causal": [True, False],
    "num_hidden_layers": [3, 2],
    "use_cache": [True, False],
    "attention_dropout": [0.0, 0.5],
    "pretraining_tp": [1, 2],
    "torch_dtype": ["float32", "bfloat16", None],
    "dtype": ["float32", None],
    "logit_scale": [0.5, 1.0],
    "quantization_config": [None],
    "per_layer_config": [None, {"0": {"rms_norm_eps": 0.5}}],
    "is_decoder": [True],
    "num_labels": [2, 3],
}


# What the keys of the other families may become; each is drawn for the families that have it, and now and then for one that has
# not. The spellings are those of released models.
FAMILY_VALUES = {
    "sliding_window": [4, 7, None, 100],
    "sliding_window_pattern": [2, 3, 6, None, "LLLG"],
    "layer_types": [
        None,
        ["full_attention"] * 4,
        ["sliding_attention"] * 4,
        ["sliding_attention", "full_attention", "sliding_attention", "full_attention"],
    ],
    "use_sliding_window": [True, False],
    "max_window_layers": [0, 2, 28],
    "no_rope_layers": [None, [1, 0, 1, 0], [1, 1, 1, 0, 1], [0, 0, 0, 0], [1]],
    "no_rope_layer_interval": [1, 2, 3, 4],
    "query_pre_attn_scalar": [8, 64, 256],
    "attn_logit_softcapping": [None, 2.0, 50.0],
    "final_logit_softcapping": [None, 3.0, 30.0],
    "hidden_activation": ["gelu_pytorch_tanh", "silu", None],
    "hidden_act": ["gelu_pytorch_tanh", "silu", "gelu_new", "gelu", "relu", "xielu"],
    "rope_theta": [500.0, 10000.0, 1000000],
    "rope_local_base_freq": [100.0, 10000],
    "partial_rotary_factor": [0.5, 0.25, 1.0],
    "use_qk_norm": [True, False, None],
    "logit_scale": [0.5, 1, 0.0625],
    "layer_norm_eps": [1e-5, 0.01],
    "rms_norm_eps": [1e-5, 1e-6, 0.01],
    "embedding_multiplier": [1.0, 12, 0.5],
    "attention_multiplier": [0.5, 0.015625],
    "residual_multiplier": [1.0, 0.22],
    "logits_scaling": [1.0, 8, 16.0],
    "attention_bias": [True, False],
    "attention_out_bias": [True, False],
    "mlp_bias": [True, False],
    "use_bias": [True, False, None],
    "tie_word_embeddings": [True, False],
    "use_bidirectional_attention": [None, False],
    "original_max_position_embeddings": [4, 64, 4096],
    "max_position_embeddings": [64, 512],
    "cache_implementation": ["hybrid"],
    "num_experts": [0, 8],
}


def older_spelling(config, draw):
    """The same decoder in the keys that transformers 4 wrote."""
    rope = config.pop("rope_parameters", None)
    if isinstance(rope, dict) and isinstance(rope.get("full_attention"), dict):
        full, sliding = rope["full_attention"], rope["sliding_attention"]
        config["rope_theta"] = full.get("rope_theta")
        if full.get("rope_type", "default") != "default":
            config["rope_scaling"] = {k: v for k, v in full.items() if k != "rope_theta"}
        if "rope_theta" in sliding:
            config["rope_local_base_freq"] = sliding["rope_theta"]
    elif isinstance(rope, dict):
        section = {k: v for k, v in rope.items() if k not in ("rope_theta", "partial_rotary_factor")}
        for key in ("rope_theta", "partial_rotary_factor"):
            if key in rope:
                config[key] = rope[key]
        if section.get("rope_type", "default") != "default":
            if draw.random() < 0.5:
                section["type"] = section.pop("rope_type")
            config["rope_scaling"] = section
        elif draw.random() < 0.5:
            config["rope_scaling"] = None


def family_case(draw):
    family = draw.choice(OTHERS)
    config = json.loads((GOLDEN / "families" / family / "config.json").read_text())
    about = {"family": family}
    if draw.random() < 0.5:
        older_spelling(config, draw)
        about["spelling"] = "older"
    own = [key for key in FAMILY_VALUES if key in config]
    for key in draw.sample(own, draw.choice([0, 1, 1, 2])) + draw.sample(list(FAMILY_VALUES), draw.choice([0, 0, 1])):
        config[key] = about[key] = draw.choice(FAMILY_VALUES[key])
    for key in draw.sample(list(config), draw.choice([0, 0, 1, 2])):
        if key not in SHAPES + ["head_dim", "num_key_value_heads"]:
            config.pop(key)
            about[key] = "absent"
    return {"family": family, "config": config, "adapter": None, "about": about}


def config_case(draw):
    family = draw.choice(FAMILIES)
    config = json.loads((GOLDEN / f"tiny_{family}" / "config.json").read_text())
    changes = {}
    for key in draw.sample(list(VALUES), draw.choice([1, 2, 2, 3, 4])):
        changes[key] = draw.choice(VALUES[key])
    for key in draw.sample(list(config), draw.choice([0, 0, 1, 2, 4])):
        if key not in SHAPES:
            changes[key] = ABSENT
    if draw.random() < 0.5:
        changes["rope_parameters"] = draw.choice([ABSENT, None, {}, rope_section(draw), rope_section(draw)])
    if draw.random() < 0.4:
        changes["rope_scaling"] = draw.choice([None, {}, rope_section(draw), rope_section(draw)])
    for key, value in changes.items():
        if value is ABSENT:
            config.pop(key, None)
        else:
            config[key] = value
    return {"family": family, "config": config, "adapter": None, "about": shown(changes)}


def shown(changes):
    return {key: "absent" if value is ABSENT else value for key, value in changes.items()}


# Adapters


PATTERNS = [
    "q_proj",
    "^model.layers.1.self_attn.q_proj",
    r".*\.layers\.[0-1]\..*",
    r"(q|v)_proj",
    r".*mlp\..*",
    r"layers.0.self_attn.q_proj",
    r"self_attn\.[qk]_proj",
    r"model\.layers\.\d+\.mlp\.(up|gate)_proj",
    r"(?!.*mlp).*_proj",
    "j",
    "_proj",
    r"layers\.(0|2)\..*?_proj",
]
TARGETS = [
    "all-linear",
    r".*\.(self_attn|mlp)\.[a-z]+_proj",
    r"model\.layers\.[02]\.self_attn\.[qv]_proj",
    r"(?:.*?(?:self_attn|mlp).*?(?:q_proj|up_proj).*?)",
    ["q_proj", "v_proj"],
    ["self_attn.q_proj", "mlp.down_proj"],
    ["model.layers.0.self_attn.q_proj", "k_proj"],
    None,
]


def made_adapter(draw):
    """Arguments of LoraConfig: the adapter is made, filled at random and saved by PEFT."""
    arguments = {"r": draw.choice([2, 4]), "lora_alpha": draw.choice([1, 8, 16]), "task_type": "CAUSAL_LM"}
    arguments["target_modules"] = draw.choice(TARGETS + [draw.sample(PROJECTIONS, draw.randint(1, 7))] * 6)
    if isinstance(arguments["target_modules"], list) and draw.random() < 0.3:
        arguments["layers_to_transform"] = draw.choice([[0], [0, 2], 1])
        if draw.random() < 0.4:
            arguments["layers_pattern"] = draw.choice(["layers", ["h", "layers"], "model.layers"])
    if draw.random() < 0.2:
        arguments["exclude_modules"] = draw.choice([["v_proj"], r".*\.1\..*", ["lm_head"]])
    for key, numbers in (("rank_pattern", [1, 3, 6]), ("alpha_pattern", [1, 4, 30])):
        if draw.random() < 0.5:
            arguments[key] = {p: draw.choice(numbers) for p in draw.sample(PATTERNS, draw.randint(1, 3))}
    arguments["use_rslora"] = draw.random() < 0.3
    arguments["lora_dropout"] = draw.choice([0.0, 0.1])
    arguments["init_lora_weights"] = draw.choice(
        [True, True, True, False, "gaussian", "orthogonal", "pissa", "pissa_niter_4", "olora", "eva", "mica"]
    )
    if arguments["init_lora_weights"] == "orthogonal":
        arguments.pop("rank_pattern", None)
    for key, value in {
        "use_dora": True,
        "bias": "lora_only",
        "lora_bias": True,
        "modules_to_save": ["lm_head"],
        "alora_invocation_tokens": [3, 4],
        "trainable_token_indices": [1, 2],
        "fan_in_fan_out": True,
        "layer_replication": [[0, 2], [1, 3]],
    }.items():
        if draw.random() < 0.04:
            arguments[key] = value
    return arguments


EDITS = [
    {"target_modules": ["q_proj"]},
    {"target_modules": "all-linear"},
    {"lora_alpha": ABSENT},
    {"r": ABSENT},
    {"lora_alpha": 3.5},
    {"use_rslora": None},
    {"rank_pattern": None},
    {"alpha_pattern": {"v_proj": 2.5}},
    {"alpha_pattern": {"(?i)Q_PROJ": 2}},
    {"init_lora_weights": ABSENT},
    {"init_lora_weights": "pissa"},
    {"layers_to_transform": [0]},
    {"exclude_modules": ["k_proj"]},
    {"task_type": None},
    {"task_type": "SEQ_CLS"},
    {"peft_type": "IA3"},
    {"a_key_of_next_year": True},
    {"loftq_config": {"loftq_bits": 4}},
    {"inference_mode": ABSENT, "lora_dropout": ABSENT},
    {"use_dora": True},
]


def adapter_case(draw):
    family = draw.choice(FAMILIES)
    config = json.loads((GOLDEN / f"tiny_{family}" / "config.json").read_text())
    edit = draw.choice(EDITS) if draw.random() < 0.35 else {}
    renamed = draw.choice(["default", "lost", "extra"]) if draw.random() < 0.1 else None
    arguments = made_adapter(draw)
    about = {"made": arguments, "edited": shown(edit), "tensors": renamed}
    seed = draw.randrange(1 << 30)
    return {"family": family, "config": config, "adapter": (arguments, edit, renamed, seed), "about": about}


def write_adapter(folder, model_folder, adapter):
    """Whether PEFT made it at all."""
    arguments, edit, renamed, seed = adapter
    torch.manual_seed(seed)
    base = AutoModelForCausalLM.from_pretrained(model_folder, dtype=torch.float32)
    model = get_peft_model(base, LoraConfig(**arguments))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    model.save_pretrained(folder)
    file = folder / "adapter_config.json"
    config = json.loads(file.read_text())
    for key, value in edit.items():
        config.pop(key, None)
        if value is not ABSENT:
            config[key] = value
    file.write_text(json.dumps(config))
    if renamed:
        file = folder / "adapter_model.safetensors"
        tensors = load_file(file)
        names = sorted(tensors)
        if renamed == "default":
            tensors = {n.replace(".weight", ".default.weight"): t for n, t in tensors.items()}
        elif renamed == "lost":
            for name in names[:2]:
                tensors.pop(name)
        else:
            for name in names[:2]:
                tensors[name.replace(".layers.0.", ".layers.9.")] = tensors[name].clone()
        save_file(tensors, file)


# The two programs


def write_case(folder, case):
    model = folder / "model"
    model.mkdir()
    (model / "config.json").write_text(json.dumps(case["config"]))
    if case["family"] in OTHERS:
        made = json.loads((GOLDEN / "families" / case["family"] / "tensors.json").read_text())
        tensors = {n: scattered(n, shape, *numbers, made["seed"]) for n, (shape, *numbers) in made["tensors"].items()}
        save_file({n: t.contiguous() for n, t in tensors.items()}, model / "model.safetensors", metadata={"format": "pt"})
    else:
        shutil.copy(GOLDEN / f"tiny_{case['family']}" / "model.safetensors", model)
    (folder / "rows.jsonl").write_text(json.dumps({"ids": IDS}) + "\n")
    if case["adapter"]:
        write_adapter(folder / "adapter", model, case["adapter"])


def reference(folder, case):
    """Logits, or why transformers or PEFT refused."""
    try:
        torch.manual_seed(0)
        model, info = AutoModelForCausalLM.from_pretrained(
            folder / "model", dtype=torch.float32, output_loading_info=True
        )
        if info["missing_keys"] or info["unexpected_keys"]:
            # Random weights, or weights that are passed over: no number to compare with.
            return f"weights: {sorted(info['missing_keys'])[:1]} {sorted(info['unexpected_keys'])[:1]}"
        if case["adapter"]:
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                model = PeftModel.from_pretrained(model, folder / "adapter")
            if any("missing adapter keys" in str(w.message) for w in said):
                return "PEFT: missing adapter keys"
        model.eval()
        with torch.no_grad():
            return model(torch.tensor([IDS])).logits[0, -1].float()
    except Exception as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0][:120] if str(error) else ''}"


def ours(program, folder, case):
    """Logits, or the message."""
    out = folder / "out.safetensors"
    command = [program, "capture", "--model", folder / "model", "--input", folder / "rows.jsonl"]
    command += ["--tensors", "logits.last", "--out", out, "--threads", "1"]
    if case["adapter"]:
        command += ["--adapter", folder / "adapter"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        return done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit {done.returncode}"
    return load_file(out)["logits.last"].flatten().float()


def reason(message):
    """A refusal without its file, names and numbers."""
    message = re.sub(r"/\S*/", "", message)
    key = re.search(r"`([^`]*)`: (.{0,50})", message)
    text = f"{key[1]}: {key[2]}" if key else message[:90]
    return re.sub(r"\d+(\.\d+)?", "N", text)


def run(arguments):
    torch.set_num_threads(1)
    draw = random.Random(arguments.seed)
    makers = {"all": [config_case, family_case, adapter_case], "families": [family_case]}[arguments.kind]
    cases = [makers[number % len(makers)](draw) for number in range(arguments.cases)]
    counts, reasons, worst = collections.Counter(), collections.defaultdict(collections.Counter), []
    with tempfile.TemporaryDirectory() as base, ThreadPoolExecutor(arguments.jobs) as pool:
        waiting = []
        for number, case in enumerate(cases):
            folder = Path(base) / str(number)
            folder.mkdir()
            try:
                write_case(folder, case)
            except Exception as error:
                counts["PEFT did not make it"] += 1
                reasons["PEFT did not make it"][reason(f"{type(error).__name__}: {error}")] += 1
                continue
            waiting.append((case, folder, pool.submit(ours, arguments.program, folder, case)))
            if len(waiting) == 40 or number + 1 == len(cases):
                judge(waiting, counts, reasons, worst)
                waiting = []
        judge(waiting, counts, reasons, worst)
    return counts, reasons, worst


def judge(waiting, counts, reasons, worst):
    for case, folder, future in waiting:
        want, got = reference(folder, case), future.result()
        shutil.rmtree(folder)
        if isinstance(got, str):
            verdict = "refused by both" if isinstance(want, str) else "refused here, accepted there"
            text = reason(got)
        elif isinstance(want, str):
            verdict, text = "accepted here, refused there", reason(want)
        else:
            apart = (want - got).abs().max().item()
            verdict = "equal" if apart <= TOLERANCE else "DIFFERENT"
            text = f"{apart:.2g}"
        counts[verdict] += 1
        if verdict != "equal":
            reasons[verdict][text] += 1
        if verdict in ("DIFFERENT", "accepted here, refused there"):
            worst.append((verdict, text, case["family"], case["about"]))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", default="target/debug/lingualign")
    parser.add_argument("--cases", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", choices=["all", "families"], default="all")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    counts, reasons, worst = run(arguments)
    for verdict, count in counts.most_common():
        print(f"{count:5} {verdict}")
    for verdict, texts in reasons.items():
        print(f"\n{verdict}:")
        for text, count in texts.most_common():
            print(f"{count:5} {text}")
    print()
    for verdict, text, family, about in worst:
        print(f"{verdict} ({text}), {family}: {about}")
    raise SystemExit(1 if counts["DIFFERENT"] else 0)


if __name__ == "__main__":
    main()
