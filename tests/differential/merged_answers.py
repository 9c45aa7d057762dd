"""Answers of a merged model beside those of the base with its adapter, both in transformers:

    merged_answers.py --model BASE --adapter DIR --merged FOLDER [--items 200] [--threads 1]

BASE and FOLDER are Hugging Face folders; both are computed in f32, so that only what the merge rounded differs. Questions are the
first items of five languages of `assets/mini` (emotion), each followed by its two labels, whose tokens' log-probabilities are added
up. An answer may change only where the two labels lie closer together than the scores moved.
"""
import argparse
import json
import pathlib

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

LANGUAGES = ["en", "de", "zh", "es", "sw"]
LABELS = ["positive", "negative"]
DATA = pathlib.Path(__file__).parents[2] / "assets/mini/ap_emotion"


def questions(count):
    for language in LANGUAGES:
        file = next(DATA.glob(f"emotion_{language}*_test.json"))
        for item in json.loads(file.read_text())[: count // len(LANGUAGES)]:
            yield f'{item["input"]}\nEmotion: "'


def scores(model, tokenizer, texts):
    found = []
    for text in texts:
        prompt = tokenizer(text).input_ids
        of_labels = []
        for label in LABELS:
            ids = tokenizer(text + label + '"').input_ids
            assert ids[: len(prompt) - 1] == prompt[:-1]
            with torch.no_grad():
                log_p = model(torch.tensor([ids])).logits[0].log_softmax(-1)
            places = range(len(prompt) - 1, len(ids))
            of_labels.append(sum(log_p[at - 1, ids[at]].item() for at in places))
        found.append(of_labels)
    return torch.tensor(found, dtype=torch.float64)


def main():
    parser = argparse.ArgumentParser()
    for name in ["model", "adapter", "merged"]:
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--items", type=int, default=200)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    load = lambda folder: AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    tokenizer = AutoTokenizer.from_pretrained(arguments.model)
    texts = list(questions(arguments.items))
    base = load(arguments.model)
    plain = scores(base, tokenizer, texts[:20])
    before = scores(PeftModel.from_pretrained(base, arguments.adapter).eval(), tokenizer, texts)
    after = scores(load(arguments.merged), tokenizer, texts)
    moved = (after - before).abs().max(1).values
    lead, lead_after = (s[:, 0] - s[:, 1] for s in (before, after))
    changed = (lead.sign() != lead_after.sign()).nonzero().flatten().tolist()
    print(f"{len(texts)} questions; the adapter moves a label by {(before[:20] - plain).abs().mean():.2f} on average; the merge moved the "
          f"label that moved further by {moved.mean():.1e} on average, {moved.max():.1e} at most, the lead by "
          f"{(lead_after - lead).abs().max():.1e} at most; {len(changed)} answers changed")
    for at in changed:
        print(f"  question {at}: lead {lead[at]:.4f} before, {lead_after[at]:.4f} after")
        assert lead[at].abs() <= 2 * moved[at], at


main()
