"""Golden values of SmolLM2-135M-Instruct made with transformers and peft (f32, eager attention), on this project's own texts.

    pip install torch transformers peft gguf
    python make_smollm2.py path/to/SmolLM2-135M-Instruct.Q4_1.gguf

Writes smollm2_forward_f32.json and smollm2_lora_f32.json beside itself. `crates/train/examples/check_smollm2.rs` compares.
"""
import json
import math
import pathlib
import sys

import torch
from peft import LoraConfig, get_peft_model
from tokenizers import pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer

HERE = pathlib.Path(__file__).resolve().parent
MINI = HERE.parent.parent / "assets" / "mini" / "ap_emotion"
HEADERS = {"en": "Emotion", "de": "Emotion", "zh": "情感", "ja": "感情", "hi": "भावना", "sw": "Hisia"}
TARGETS, RANK, ALPHA = ["q_proj", "v_proj"], 8, 16


def short(value):
    return float("%.8g" % value)


def load(path):
    folder, name = str(path.parent), path.name
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
    # transformers' conversion forgets that this tokenizer splits digits one by one.
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32, attn_implementation="eager")
    return model.eval(), tokenizer


def prompt(language, shots):
    items = json.loads((MINI / f"emotion_{language}40_test.json").read_text())
    text = "".join(f'{x["input"]}\n{HEADERS[language]}: "{x["answer"]}"\n' for x in items[:shots])
    return text + f'{items[shots]["input"]}\n{HEADERS[language]}: "'


@torch.no_grad()
def forward(model, tokenizer):
    lens_ids = [tokenizer.get_vocab()[word] for word in ("pos", "neg", "positive")]
    prompts = []
    for language, shots in (("en", 4), ("de", 4), ("zh", 3), ("ja", 2), ("hi", 2), ("sw", 4)):
        text = prompt(language, shots)
        ids = tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids
        out = model(ids, output_hidden_states=True)
        logits = out.logits[0, -1].double()
        states = [h[0, -1] for h in out.hidden_states]  # the last one is after the final norm
        lens = []
        for i, state in enumerate(states):
            normed = state if i == len(states) - 1 else model.model.norm(state)
            lens.append([short(p) for p in torch.softmax(model.lm_head(normed).double(), -1)[lens_ids].tolist()])
        top = logits.topk(20)
        prompts.append({
            "lang": language, "text": text, "ids": ids[0].tolist(),
            "top20": [[i, short(v)] for i, v in zip(top.indices.tolist(), top.values.tolist())],
            "logsumexp": short(torch.logsumexp(logits, -1).item()),
            "hidden_l2": [short(s.double().norm().item()) for s in states],
            "hidden_first8": [[short(v) for v in s[:8].tolist()] for s in states],
            "lens_prob": lens,
        })
    return {"lens_ids": lens_ids, "prompts": prompts}


def encode(tokenizer, pair):
    source = tokenizer(pair["input"], add_special_tokens=False).input_ids
    return source, tokenizer(pair["answer"], add_special_tokens=False).input_ids + [tokenizer.eos_token_id]


def batch(rows, pad):
    longest = max(len(s) + len(t) for s, t in rows)
    fill = lambda part, value: part + [value] * (longest - len(part))
    return {
        "input_ids": torch.tensor([fill(s + t, pad) for s, t in rows]),
        "attention_mask": torch.tensor([fill([1] * len(s + t), 0) for s, t in rows]),
        "labels": torch.tensor([fill([-100] * len(s) + t, -100) for s, t in rows]),
    }


def fill_by_formula(model):
    """A[t] = 0.02 sin(0.37 t + 1.3 l + c), B[t] = 0.02 sin(0.53 t + 1.3 l + c + 0.5), t row-major, layer l, module c."""
    matrices = []
    for name, parameter in model.named_parameters():
        if "lora_" not in name:
            continue
        parts = name.split(".")
        layer, module = int(parts[parts.index("layers") + 1]), parts[parts.index("self_attn") + 1]
        step, offset = (0.37, 0.0) if "lora_A" in name else (0.53, 0.5)
        offset += 1.3 * layer + TARGETS.index(module)
        values = [0.02 * math.sin(step * t + offset) for t in range(parameter.numel())]
        parameter.data.copy_(torch.tensor(values, dtype=torch.float64).float().view(parameter.shape))
        matrices.append((layer, module, "A" if "lora_A" in name else "B", parameter))
    return matrices


def lora(model, tokenizer):
    pairs = json.loads((MINI / "emotion_de120_train_question.json").read_text())[:4]
    rows = [encode(tokenizer, pair) for pair in pairs]
    inputs = batch(rows, tokenizer.eos_token_id)
    with torch.no_grad():
        without = short(model(**inputs).loss.item())
    model = get_peft_model(model, LoraConfig(r=RANK, lora_alpha=ALPHA, lora_dropout=0.0, target_modules=TARGETS, task_type="CAUSAL_LM"))
    model.eval()
    matrices = fill_by_formula(model)
    loss = model(**inputs).loss
    loss.backward()
    result = {
        "r": RANK, "alpha": ALPHA, "targets": TARGETS, "ids": [s + t for s, t in rows], "prompt_len": [len(s) for s, _ in rows],
        "target_tokens": sum(len(t) for _, t in rows), "loss_without_lora": without, "loss": short(loss.item()),
        "grads": [{"layer": l, "module": m, "matrix": half, "l2": short(p.grad.double().norm().item()),
                   "first4": [short(v) for v in p.grad.flatten()[:4].tolist()]} for l, m, half, p in matrices],
        "loss_after_step": [],
    }
    optimiser = torch.optim.AdamW([p for *_, p in matrices], lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01)
    for _ in range(5):
        optimiser.zero_grad()
        model(**inputs).loss.backward()
        optimiser.step()
        with torch.no_grad():
            result["loss_after_step"].append(short(model(**inputs).loss.item()))
    return result


if __name__ == "__main__":
    model, tokenizer = load(pathlib.Path(sys.argv[1]))
    for name, values in (("forward", forward(model, tokenizer)), ("lora", lora(model, tokenizer))):
        (HERE / f"smollm2_{name}_f32.json").write_text(json.dumps(values, ensure_ascii=False) + "\n")
