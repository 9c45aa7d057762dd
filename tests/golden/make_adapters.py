"""Adapters of other kinds than plain LoRA on the tiny models beside this script, by transformers and PEFT (f32, eager
attention): for each its folder as PEFT saves it, and the logits, loss, gradients and ten losses that PEFT computes with it.

Needs torch, transformers and peft. Run by hand from the repository's root:

    python tests/golden/make_adapters.py
"""
import json
import pathlib
import tempfile

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.optimizers import create_loraplus_optimizer
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

HERE = pathlib.Path(__file__).parent
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
PROMPT_LEN = [15, 3, 9]
STEPS = 10
KINDS = {
    "dora_llama": ("tiny_llama", dict(use_dora=True)),
    "dora_mistral": ("tiny_mistral", dict(use_dora=True, use_rslora=True)),
    "dora_qwen2": ("tiny_qwen2", dict(use_dora=True)),
    "rslora_llama": ("tiny_llama", dict(use_rslora=True, rank_pattern={"layers.1.mlp.down_proj": 2},
                                        alpha_pattern={"o_proj": 5})),
    "loraplus_qwen2": ("tiny_qwen2", {}),
    "pissa_mistral": ("tiny_mistral", dict(init_lora_weights="pissa", use_rslora=True)),
    "pissa_qwen2": ("tiny_qwen2", dict(init_lora_weights="pissa")),
}


def rounded(values):
    return [float("%.8g" % value) for value in values]


def batch(rows):
    longest = max(map(len, rows))
    pad = lambda row, filler: row + [filler] * (longest - len(row))
    ids = torch.tensor([pad(row, 2) for row in rows])
    mask = torch.tensor([pad([1] * len(row), 0) for row in rows])
    labels = torch.tensor([pad([-100] * n + row[n:], -100) for row, n in zip(rows, PROMPT_LEN)])
    return dict(input_ids=ids, attention_mask=mask, labels=labels)


def last_logits(model, rows):
    with torch.no_grad():
        return [rounded(model(input_ids=torch.tensor([row])).logits[0, -1].tolist()) for row in rows]


def plain_name(name):
    return name.replace(".default", "").replace("lora_magnitude_vector.weight", "lora_magnitude_vector")


def make(kind, name, more):
    torch.manual_seed(7)
    base = AutoModelForCausalLM.from_pretrained(HERE / name, dtype=torch.float32, attn_implementation="eager").eval()
    rows = [row["ids"] for row in json.load(open(HERE / name / "golden.json"))["rows"]]
    is_pissa = more.get("init_lora_weights") == "pissa"
    config = LoraConfig(r=4, lora_alpha=12, lora_dropout=0.0, target_modules=TARGETS, task_type="CAUSAL_LM", **more)
    model = get_peft_model(base, config).eval()
    trained = {n: p for n, p in model.named_parameters() if "lora_" in n}
    draw = torch.Generator().manual_seed(11)
    for n, p in trained.items():
        noise = torch.randn(p.shape, generator=draw)
        if "magnitude" in n:
            p.data.mul_(1 + 0.2 * noise)
        elif not is_pissa:
            p.data.copy_(noise * 0.1)
    out = HERE / "adapters" / kind
    scratch = tempfile.TemporaryDirectory()
    if is_pissa:
        model.save_pretrained(f"{scratch.name}/start")
        start = {plain_name(n): p.detach().clone().contiguous() for n, p in trained.items()}
        out.mkdir(parents=True, exist_ok=True)
        save_file(start, out / "start.safetensors")
    else:
        model.save_pretrained(out)
    data = batch(rows)
    golden = {"model": name, "prompt_len": PROMPT_LEN, "target_tokens": int((data["labels"][:, 1:] != -100).sum()),
              "logits_last": last_logits(model, rows)}
    loss = model(**data).loss
    golden["loss"] = rounded([loss.item()])[0]
    loss.backward()
    save_file({plain_name(n): p.grad.contiguous() for n, p in trained.items()}, out / "grads.safetensors")
    if kind.startswith("loraplus"):
        optimiser = create_loraplus_optimizer(model, torch.optim.AdamW, lr=2e-3, loraplus_lr_ratio=8.0,
                                              loraplus_weight_decay=0.01)
    else:
        optimiser = torch.optim.AdamW(list(trained.values()), lr=1e-2, weight_decay=0.01)
    golden["losses"] = []
    for _ in range(STEPS):
        optimiser.zero_grad()
        loss = model(**data).loss
        golden["losses"].append(rounded([loss.item()])[0])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(list(trained.values()), 1.0)
        optimiser.step()
    golden["logits_last_trained"] = last_logits(model, rows)
    if is_pissa:
        model.save_pretrained(out, path_initial_model_for_weight_conversion=f"{scratch.name}/start")
    (out / "README.md").unlink(missing_ok=True)
    json.dump(golden, open(out / "golden.json", "w"))
    print(kind, golden["losses"][0], golden["losses"][-1], sorted(path.name for path in out.iterdir()))


for kind, (name, more) in KINDS.items():
    make(kind, name, more)
