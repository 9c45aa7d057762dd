"""Pooled hidden states and neurons of a few prompts, computed with transformers in f64 from the tiny models, one prompt at
a time, the whole of it; ../../src/capture/tests compares with them.

    pip install torch transformers
    python states.py

Writes states.json beside itself. Token ids are the bytes of the texts, which are this project's own. The last layer is
taken before the final norm, by a hook: what transformers calls the last hidden state is after it.
"""
import json
import pathlib

import torch
from transformers import AutoModelForCausalLM

HERE = pathlib.Path(__file__).resolve().parent
MODELS = ["tiny_llama", "tiny_mistral", "tiny_qwen2"]
EXEMPLARS = 'Der Regen hört nicht auf.\nEmotion: "negative"\n'
CLOSING = '\nEmotion: "'
QUESTIONS = ["Die Sonne scheint", "Die Sonne scheint, und das Brot ist warm.", "Öl"]


def shared(lists):
    """How many entries all lists begin with."""
    return next((at for at, column in enumerate(zip(*lists)) if len(set(column)) > 1), min(map(len, lists)))


def run(model, ids):
    """Residual stream after the embedding and each block, before the final norm, and each block's neurons."""
    streams, neurons = [], []
    hooks = [layer.register_forward_hook(lambda *a: streams.append(a[-1][0] if isinstance(a[-1], tuple) else a[-1]))
             for layer in [model.model.embed_tokens, *model.model.layers]]
    hooks += [layer.mlp.down_proj.register_forward_pre_hook(lambda _, inputs: neurons.append(inputs[0]))
              for layer in model.model.layers]
    with torch.no_grad():
        model(torch.tensor([ids]))
    for hook in hooks:
        hook.remove()
    return [[x.reshape(len(ids), -1) for x in found] for found in (streams, neurons)]


def pool(x, question):
    """Every pooling of one layer (tokens, E)."""
    part = x[question]
    places = torch.arange(1, len(part) + 1, dtype=x.dtype)[:, None]
    return {"all": x.mean(0), "question": part.mean(0), "weighted": (places * part).sum(0) / places.sum(), "last": x[-1]}


def numbers(x):
    return [float("%.7g" % value) for value in x.tolist()]


texts = [EXEMPLARS + question + CLOSING for question in QUESTIONS]
prompts = [list(text.encode()) for text in texts]
before, after = shared(prompts), shared([ids[::-1] for ids in prompts])
found = {"few_shot": EXEMPLARS, "texts": texts, "models": {}}
for name in MODELS:
    folder = HERE.parents[3] / "tests" / "golden" / name
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64, attn_implementation="eager").eval()
    kept = found["models"][name] = {key: [] for key in ("all", "question", "weighted", "last", "mlp.last", "mlp.mean")}
    for ids in prompts:
        streams, neurons = run(model, ids)
        pooled = [pool(x, slice(before, len(ids) - after)) for x in streams]
        for pooling in pooled[0]:
            kept[pooling].append([numbers(layer[pooling]) for layer in pooled])
        kept["mlp.last"].append([numbers(x[-1]) for x in neurons])
        kept["mlp.mean"].append([numbers(x.mean(0)) for x in neurons])
(HERE / "states.json").write_text(json.dumps(found, ensure_ascii=False).replace("]]], ", "]]],\n") + "\n")
