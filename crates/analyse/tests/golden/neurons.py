"""Values of neurons, silencing and patching by torch and transformers, on one of the repository's tiny models.

    python crates/analyse/tests/golden/neurons.py

writes neurons.json beside itself. Needs torch, transformers, numpy. Everything runs in f64, one whole prompt at a time.
The prompts are drawn here and stand in the file. Selection is the rule of RUCAIBox/Language-Specific-Neurons
(arXiv 2402.16438, identify.py) written again.
"""

import json
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForCausalLM

HERE = Path(__file__).parent
MODEL = HERE.parents[3] / "tests/golden/tiny_llama"
LANGUAGES = ["en", "de", "zh"]
ITEMS = 6
SEED = 5


def draw_prompts(random):
    """Prefix, suffixes of which two begin alike, ranges of the question, items, golds and label tokens of each language."""
    prompts = {}
    golds = [0, 1, 2, 1, 0, 2]
    for language in LANGUAGES:
        draw = lambda n: random.integers(3, 257, n).tolist()
        prefix, closing = draw(7), draw(2)
        questions = [draw(int(n)) for n in random.integers(3, 9, ITEMS)]
        questions[1] = questions[0][:3] + questions[1]
        questions[4] = questions[0][:3] + questions[4]
        opening = draw(2)
        prompts[language] = {
            "prefix": prefix,
            "suffixes": [opening + question + closing for question in questions],
            "questions": [[2, 2 + len(question)] for question in questions],
            "items": [10 + item for item in range(ITEMS)],
            "golds": golds,
            "label_sets": [sorted(set(draw(4))) for _ in range(3)],
        }
    return prompts


def run(model, ids, patch=None, gates=None):
    """Logits of the last token and its residual vector at every layer; `patch` = (layer, vector) replaces one of these."""
    layers = [model.model.embed_tokens, *model.model.layers]
    states, handles = [], []

    def look(layer):
        def hook(_module, _inputs, output):
            out = output[0] if isinstance(output, tuple) else output
            if patch is not None and patch[0] == layer:
                out = out.clone()
                out[0, -1] = patch[1]
            states.append(out[0, -1].clone())
            return (out, *output[1:]) if isinstance(output, tuple) else out

        return hook

    for number, layer in enumerate(layers):
        handles.append(layer.register_forward_hook(look(number)))
    if gates is not None:
        for block in model.model.layers:
            handles.append(block.mlp.gate_proj.register_forward_hook(lambda _m, _i, out: gates.append(out[0].clone())))
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0, -1]
    for handle in handles:
        handle.remove()
    return logits, states


def shares(logits, sets):
    p = torch.softmax(logits, -1)
    sums = torch.stack([p[ids].sum() for ids in sets])
    return (sums / sums.sum()).tolist()


def whole(prompts, at):
    return prompts["prefix"] + prompts["suffixes"][at]


def count(model, prompts):
    active, tokens, nearest = 0, 0, np.inf
    for at in range(ITEMS):
        gates = []
        run(model, whole(prompts, at), gates=gates)
        start, end = (len(prompts["prefix"]) + place for place in prompts["questions"][at])
        gates = torch.stack(gates)[:, start:end]
        nearest = min(nearest, gates.abs().min().item())
        active = active + (torch.nn.functional.silu(gates) > 0).sum(1)
        tokens += end - start
    assert nearest > 1e-6, f"a gate of {nearest} may be on the other side of 0 in f32; take another seed"
    return tokens, active.numpy()


def select(tokens, active, share):
    """Neurons of each language, and the gap of entropies at the end of the selection."""
    p = active / np.array(tokens)  # (L, F, languages)
    total = p.sum(-1, keepdims=True)
    q = np.divide(p, total, out=np.zeros_like(p), where=total > 0)
    entropy = -(q * np.log(q, out=np.zeros_like(q), where=q > 0)).sum(-1)
    ranked = np.sort(p.flatten())
    threshold = ranked[round(len(ranked) * 0.95) - 1]
    entropy[(p > threshold).sum(-1) == 0] = np.inf
    order = np.argsort(entropy.flatten(), kind="stable")
    wanted = round(entropy.size * share)
    chosen = np.sort(order[:wanted])
    gap = entropy.flatten()[order[wanted]] - entropy.flatten()[order[wanted - 1]]
    width = entropy.shape[1]
    of = lambda k: [[int(n) // width + 1, int(n) % width] for n in chosen if p[n // width, n % width, k] > threshold]
    return {language: of(k) for k, language in enumerate(LANGUAGES)}, float(threshold), gap


def classes(tokens, active, threshold):
    p = active / np.array(tokens)
    active_in = (p > threshold).sum(-1)
    total = p.sum(-1, keepdims=True)
    q = np.divide(p, total, out=np.zeros_like(p), where=total > 0)
    entropy = -(q * np.log2(q, out=np.zeros_like(q), where=q > 0)).sum(-1)
    k = len(LANGUAGES)
    one = lambda c, e, t: {
        "specific": int((c == 1).sum()),
        "related": int(((c > 1) & (c < k)).sum()),
        "general": int((c == k).sum()),
        "inactive": int((c == 0).sum()),
        "mean_entropy": float(e[t[:, 0] > 0].mean()),
    }
    return [one(c, e, t) for c, e, t in zip(active_in, entropy, total)]


def silenced(model, neurons, prompts):
    """Shares of all labels in every language with neurons off."""
    handles = []
    for number, block in enumerate(model.model.layers, 1):
        off = [index for layer, index in neurons if layer == number]

        def zero(_module, inputs, off=off):
            x = inputs[0].clone()
            x[..., off] = 0
            return (x,)

        handles.append(block.mlp.down_proj.register_forward_pre_hook(zero))
    found = {
        language: [shares(run(model, whole(own, at))[0], own["label_sets"]) for at in range(ITEMS)]
        for language, own in prompts.items()
    }
    for handle in handles:
        handle.remove()
    return found


def patched(model, prompts, language, donors):
    """Shares after each kind, layer and item: {kind: (layers, items, labels)}."""
    own, english = prompts[language], prompts["en"]
    states = {k: torch.stack([torch.stack(run(model, whole(v, at))[1]) for at in range(ITEMS)]) for k, v in prompts.items()}
    here, there = states[language], states["en"]  # (items, L + 1, E)
    difference = there - here
    steering = (difference.sum(0, keepdim=True) - difference) / (ITEMS - 1)
    vectors = {
        "patch-parallel": there,
        "patch-other": there[donors],
        "patch-same": here[donors],
        "steer": here + steering,
    }
    found = {}
    for kind, vector in vectors.items():
        one = lambda layer, at: shares(run(model, whole(own, at), patch=(layer, vector[at, layer]))[0], own["label_sets"])
        found[kind] = [[one(layer, at) for at in range(ITEMS)] for layer in range(here.shape[1])]
    return found


def main():
    model = AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float64, attn_implementation="eager")
    prompts = draw_prompts(np.random.default_rng(SEED))
    counted = {language: count(model, own) for language, own in prompts.items()}
    tokens = [counted[language][0] for language in LANGUAGES]
    active = np.stack([counted[language][1] for language in LANGUAGES], -1)
    share = next(s for s in np.arange(0.05, 0.15, 0.002) if 1e-9 < select(tokens, active, s)[2] < np.inf)
    selected, threshold, _ = select(tokens, active, share)
    donors = [1, 0, 0, 2, 3, 4]
    record = {
        "model": MODEL.name,
        "prompts": prompts,
        "tokens": dict(zip(LANGUAGES, tokens)),
        "active": {language: counted[language][1].flatten().tolist() for language in LANGUAGES},
        "share": float(share),
        "threshold": threshold,
        "selected": selected,
        "classes": classes(tokens, active, threshold),
        "silenced": silenced(model, selected["de"], prompts),
        "donors": donors,
        "patched": patched(model, prompts, "zh", donors),
    }
    rounded = lambda x: round(x, 9) if isinstance(x, float) else x
    walk = lambda x: {k: walk(v) for k, v in x.items()} if isinstance(x, dict) else [walk(v) for v in x] if isinstance(x, list) else rounded(x)
    record = {**walk(record), "share": float(share), "threshold": threshold}
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in record.items())
    (HERE / "neurons.json").write_text("{\n" + lines + "\n}\n")


main()
