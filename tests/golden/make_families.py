"""Golden values of tiny random decoders of every family, from transformers and PEFT (f32, eager attention).

    python tests/golden/make_families.py OUT SEED [CASE...]

OUT/CASE gets `config.json`, `tensors.json` (each tensor's shape and what its values scatter about: they are made again from
their names by `families.rs` beside this script), `golden.json`, and of an adapter its configuration, its tensors and its
gradients. The folder `families` beside this script was made with seed 1 (torch 2.15, transformers 5.24, peft 0.21).
"""

import json
import os
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

os.environ["TRANSFORMERS_VERBOSITY"] = "error"
warnings.filterwarnings("ignore")

import numpy as np
import torch
import transformers
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

BASE = dict(
    vocab_size=257,
    hidden_size=48,
    intermediate_size=80,
    num_hidden_layers=4,
    num_attention_heads=6,
    num_key_value_heads=2,
    max_position_embeddings=512,
    bos_token_id=1,
    eos_token_id=2,
    pad_token_id=0,
)
RMS = dict(rms_norm_eps=1e-5)
MIXED = ["sliding_attention", "sliding_attention", "full_attention", "sliding_attention"]
SLIDES = dict(sliding_window=16, layer_types=MIXED)
GEMMA = dict(RMS, head_dim=16, query_pre_attn_scalar=20)
COHERE = dict(layer_norm_eps=1e-5, logit_scale=0.25)
LONG = dict(rope_type="longrope", original_max_position_embeddings=64, factor=8.0)
GROWS = dict(rope_type="yarn", rope_theta=1e4, factor=4.0, original_max_position_embeddings=32, llama_4_scaling_beta=0.3)
YARN = dict(rope_type="yarn", rope_theta=5e4, factor=4.0, original_max_position_embeddings=128, attention_factor=1.2)

# The class, and what differs from BASE: every property of the family is away from its neutral value.
CASES = {
    "qwen3": ("Qwen3", dict(RMS, head_dim=16, tie_word_embeddings=True)),
    "qwen3_slides": (
        "Qwen3",
        dict(RMS, head_dim=8, use_sliding_window=True, sliding_window=16, max_window_layers=2, attention_bias=True),
    ),
    "gemma": ("Gemma", dict(RMS, head_dim=16)),
    "gemma2": ("Gemma2", dict(GEMMA, sliding_window=16, attn_logit_softcapping=4.0, final_logit_softcapping=6.0)),
    "gemma3": ("Gemma3Text", dict(GEMMA, **SLIDES)),
    "gemma3_scaled": (
        "Gemma3Text",
        dict(
            GEMMA,
            **SLIDES,
            final_logit_softcapping=5.0,
            attention_bias=True,
            rope_parameters={
                "full_attention": {"rope_type": "linear", "factor": 4.0, "rope_theta": 5e4},
                "sliding_attention": {"rope_type": "default", "rope_theta": 2e3},
            },
        ),
    ),
    "smollm3": ("SmolLM3", dict(RMS, no_rope_layer_interval=2, tie_word_embeddings=True)),
    "smollm3_slides": ("SmolLM3", dict(RMS, no_rope_layers=[1, 0, 0, 1], use_sliding_window=True, sliding_window=16)),
    "apertus": ("Apertus", dict(RMS, tie_word_embeddings=False)),
    "cohere": ("Cohere", COHERE),
    "cohere_qk_norm": ("Cohere", dict(COHERE, use_qk_norm=True, attention_bias=True)),
    "cohere2": ("Cohere2", dict(COHERE, **SLIDES)),
    "olmo2": ("Olmo2", RMS),
    "olmo3": ("Olmo3", dict(RMS, **SLIDES)),
    "olmo3_yarn": (
        "Olmo3",
        dict(RMS, **SLIDES, rope_parameters={"full_attention": YARN, "sliding_attention": {"rope_type": "default", "rope_theta": 900.0}}),
    ),
    "phi3": ("Phi3", dict(RMS, partial_rotary_factor=0.5, sliding_window=33)),
    "phi3_long": (
        "Phi3",
        dict(
            RMS,
            original_max_position_embeddings=64,
            partial_rotary_factor=0.75,
            rope_parameters=dict(LONG, short_factor=[1.0, 1.1, 1.3], long_factor=[1.5, 3.0, 7.0]),
        ),
    ),
    "granite": (
        "Granite",
        dict(RMS, embedding_multiplier=6.0, attention_multiplier=0.2, residual_multiplier=0.4, logits_scaling=3.0, mlp_bias=True),
    ),
    "glm4": ("Glm4", dict(RMS, head_dim=8, partial_rotary_factor=0.5)),
    "exaone4": ("Exaone4", dict(RMS, **SLIDES)),
    "exaone4_full": ("Exaone4", dict(RMS, sliding_window=None, layer_types=["full_attention"] * 4)),
    "hunyuan": ("HunYuanDenseV1", dict(RMS, head_dim=8)),
    "hunyuan_alpha": (
        "HunYuanDenseV1",
        dict(RMS, head_dim=16, rope_parameters={"rope_type": "dynamic", "alpha": 50.0, "factor": 1.0, "rope_theta": 1e4}),
    ),
    "ministral": ("Ministral", dict(RMS, head_dim=16, **SLIDES)),
    "ministral3": ("Ministral3", dict(RMS, head_dim=16, rope_parameters=GROWS)),
    "seed_oss": ("SeedOss", dict(RMS, head_dim=16, attention_out_bias=True)),
    "ernie4_5": ("Ernie4_5", dict(RMS, head_dim=8, use_bias=True)),
    "helium": ("Helium", dict(RMS, head_dim=8, attention_bias=True, mlp_bias=True)),
}
# Their angles depend on the longest text of a batch: only rows that are run alone are compared.
ROWS_ONLY = {"phi3_long"}
# At 1e-2 the losses of some cases differ by 1e-3 between f32 and f64: nothing to compare with.
RATE = 2e-3
LENGTHS, PROMPTS = (150, 9, 40), (70, 3, 15)


def hashed(name, seed):
    """FNV-1a of a tensor's name, with the seed in it."""
    h = 0xCBF29CE484222325
    for byte in name.encode() + seed.to_bytes(8, "little"):
        h = (h ^ byte) * 0x100000001B3 % 2**64
    return h


def scattered(name, shape, centre, spread, seed):
    """Uniform values of a tensor, by SplitMix64 from the hash of its name."""
    count = int(np.prod(shape, dtype=np.int64))
    with np.errstate(over="ignore"):
        z = np.uint64(hashed(name, seed)) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    unit = (z >> np.uint64(40)).astype(np.float32) / np.float32(8388608) - np.float32(1)
    return torch.from_numpy((unit * np.float32(spread) + np.float32(centre)).reshape(shape))


def centre_and_spread(name, parameter, kind):
    if "act_fn" in name:
        return 0.2, 0.3
    if parameter.ndim == 2 and "norm" not in name:
        return 0.0, 0.4
    return (1.0 if "norm" in name and not kind.startswith("Gemma") else 0.0), 0.2


def fill(model, kind, seed):
    """Gives every parameter its values; what they follow from."""
    entries = {}
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            centre, spread = centre_and_spread(name, parameter, kind)
            parameter.copy_(scattered(name, parameter.shape, centre, spread, seed))
            entries[name] = [list(parameter.shape), centre, spread]
    return entries


def stored(model, entries):
    """The entries of the tensors that a file of the model holds; buffers with their values."""
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        tensors = load_file(Path(folder) / "model.safetensors")
        config = (Path(folder) / "config.json").read_text()
    kept = {}
    for name, tensor in sorted(tensors.items()):
        kept[name] = entries.get(name) or [list(tensor.shape), tensor.item(), 0.0]
    return kept, config


def rounded(values):
    return [float(f"{v:.7g}") for v in values]


def rows_of(model, rows):
    found = []
    with torch.no_grad():
        for ids in rows:
            out = model(torch.tensor([ids]), output_hidden_states=True)
            found.append(
                {
                    "ids": ids,
                    "logits_last": rounded(out.logits[0, -1].tolist()),
                    "hidden_last_pos": [rounded(h[0, -1].tolist()) for h in out.hidden_states],
                    "hidden_mean_pos": [rounded(h[0].mean(0).tolist()) for h in out.hidden_states],
                }
            )
    return found


def tune(model, rows, folder, seed, golden):
    """Logits, gradients and ten losses of an adapter on every projection."""
    linear = [n for n, m in model.named_modules() if isinstance(m, torch.nn.Linear) and "lm_head" not in n]
    targets = sorted({name.rsplit(".", 1)[1] for name in linear})
    tuned = get_peft_model(model, LoraConfig(r=4, lora_alpha=12, lora_dropout=0.0, target_modules=targets, task_type="CAUSAL_LM"))
    lora = {n.replace(".default", ""): p for n, p in tuned.named_parameters() if "lora_" in n}
    with torch.no_grad():
        for name, parameter in lora.items():
            parameter.copy_(scattered(name, parameter.shape, 0.0, 0.17, seed))
    tuned.save_pretrained(folder / "adapter")
    (folder / "adapter" / "adapter_model.safetensors").unlink()
    (folder / "adapter" / "README.md").unlink(missing_ok=True)
    entries = {name: [list(p.shape), 0.0, 0.17] for name, p in sorted(lora.items())}
    write(folder / "adapter" / "tensors.json", {"seed": seed, "tensors": entries})
    length = max(map(len, rows))
    ids = torch.tensor([r + [2] * (length - len(r)) for r in rows])
    mask = torch.tensor([[1] * len(r) + [0] * (length - len(r)) for r in rows])
    labels = torch.tensor([[-100] * p + r[p:] + [-100] * (length - len(r)) for r, p in zip(rows, PROMPTS)])
    batch = dict(input_ids=ids, attention_mask=mask, labels=labels)
    out = tuned(**batch)
    out.loss.backward()
    golden["lora"] = {
        "prompt_len": list(PROMPTS),
        "target_tokens": int((labels[:, 1:] != -100).sum()),
        "loss": float(f"{out.loss.item():.8g}"),
        "logits_last": [rounded(out.logits[i, len(r) - 1].tolist()) for i, r in enumerate(rows)],
    }
    save_file({name: p.grad.contiguous() for name, p in lora.items()}, folder / "lora_grads.safetensors")
    optimizer = torch.optim.AdamW(list(lora.values()), lr=RATE, weight_decay=0.01)
    losses = []
    for _ in range(10):
        optimizer.zero_grad()
        loss = tuned(**batch).loss
        losses.append(float(f"{loss.item():.8g}"))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(list(lora.values()), 1.0)
        optimizer.step()
    golden["train"] = {"learning_rate": RATE, "losses": losses}


def write(path, value):
    path.write_text(json.dumps(value, separators=(",", ":")) + "\n")


def make(name, out, seed):
    kind, more = CASES[name]
    config = getattr(transformers, f"{kind}Config")(**{**BASE, **more})
    folder = out / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").float().eval()
    entries, text = stored(model, fill(model, kind, seed))
    (folder / "config.json").write_text(text)
    write(folder / "tensors.json", {"seed": seed, "tensors": entries})
    draw = np.random.default_rng(seed)
    rows = [[int(i) for i in draw.integers(3, 257, length)] for length in LENGTHS]
    golden = {"rows": rows_of(model, rows)}
    if name not in ROWS_ONLY:
        tune(model, rows, folder, seed, golden)
    write(folder / "golden.json", golden)
    losses = golden.get("train", {"losses": [0.0]})["losses"]
    print(f"{name}: {sum(f.stat().st_size for f in folder.rglob('*') if f.is_file()) // 1000} kB, losses {losses[0]} to {losses[-1]}")


def main():
    out, seed, names = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    torch.set_num_threads(1)
    for name in names or CASES:
        make(name, out, seed)


if __name__ == "__main__":
    main()
