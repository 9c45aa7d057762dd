"""Curves of the lens, computed with transformers: of a small random model in f64, and of SmolLM2-135M-Instruct in f32.

    pip install torch transformers tokenizers gguf
    python lens.py [path/to/SmolLM2-135M-Instruct.Q4_1.gguf]

Writes beside itself lens.json, of the model and the byte-level tokenizer of crates/eval/tests/golden, which
../lens/golden.rs compares with; and if the path is given lens_smollm2.json, which ../../examples/check_lens.rs compares
with. The tokens that speak for a label are found here by the rule's own words, and prompts are run whole, one by one.
Texts are this project's own.
"""
import json
import math
import pathlib
import sys
import tomllib

import torch
from tokenizers import pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM, PreTrainedTokenizerFast

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[3]
SMALL = ROOT / "crates" / "eval" / "tests" / "golden"
MINI = ROOT / "assets" / "mini" / "ap_emotion"
# The small tokenizer was made of such words. `bene` and `bread` begin alike, `oro` and `house` do not.
SMALL_WORDS = {"en": ["bread", "house"], "ru": ["хлеб", "дом"], "zh": ["面包", "房屋"], "it": ["bene", "oro"]}
SMALL_TEXTS = ["green light", "the river and the sea", "a stone"]
SHOTS, ITEMS = 2, 3


def token_set(tokenizer, word):
    """Every entry that is spelt as a beginning of the word, bare or after the space mark; the first token of each
    beginning by itself. (Both vocabularies are byte-level and have no byte entries.)"""
    vocabulary = tokenizer.get_vocab()
    found = set()
    for length in range(1, len(word) + 1):
        part = word[:length]
        found.update(vocabulary[entry] for entry in (part, "Ġ" + part) if entry in vocabulary)
        found.add(tokenizer(part, add_special_tokens=False).input_ids[0])
    return found


def translate(state, layer):
    """A translator that no training made: values of a formula, row-major."""
    width = state.numel()
    at = torch.arange(width * width, dtype=state.dtype)
    weight = 0.1 * torch.sin(0.37 * at + layer).view(width, width)
    return state + weight @ state + 0.2 * torch.cos(0.53 * torch.arange(width, dtype=state.dtype) + layer)


@torch.no_grad()
def curves(model, ids, own, english, gold, tuned):
    states = [state[0, -1] for state in model.model(torch.tensor([ids]), output_hidden_states=True).hidden_states]
    last = len(states) - 1  # it is after the final norm already
    sums = {"correct": [own[gold]], "correct_english": [english[gold]], "possible": own, "possible_english": english}
    lists = {name: [] for name in [*sums, "entropy"]}
    for layer, state in enumerate(states):
        if tuned and layer < last:
            state = translate(state, layer)
        normed = state if layer == last else model.model.norm(state)
        p = torch.softmax(model.lm_head(normed).double(), -1)
        for name, sets in sums.items():
            lists[name].append(p[sorted(set().union(*sets))].sum().item())
        lists["entropy"].append((torch.special.entr(p).sum() / math.log(2)).item())
    return {name: [float("%.7g" % value) for value in values] for name, values in lists.items()}


def prompts(model, tokenizer, language, words, texts, golds, english_words, with_tuned):
    own, english = ([token_set(tokenizer, word) for word in words] for words in (words, english_words))
    listed = []
    for text, gold in zip(texts, golds):
        shared = sorted(own[gold] & english[gold]) if language != "en" else []
        ids = tokenizer(text, add_special_tokens=False).input_ids
        prompt = {"text": text, "gold": gold, "shared": shared}
        if not shared:
            prompt["raw"] = curves(model, ids, own, english, gold, False)
        if not shared and with_tuned:
            prompt["tuned"] = curves(model, ids, own, english, gold, True)
        listed.append(prompt)
    return {"language": language, "words": words, "own": [sorted(s) for s in own], "prompts": listed}


def small():
    model = LlamaForCausalLM.from_pretrained(SMALL, dtype=torch.float64).eval()
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(SMALL / "byte_level.json"))
    languages = []
    for language, words in SMALL_WORDS.items():
        before = f'a day\nIs: "{words[1]}"\n'
        texts = [f'{before}{text}\nIs: "' for text in SMALL_TEXTS]
        languages.append(prompts(model, tokenizer, language, words, texts, [0, 1, 1], SMALL_WORDS["en"], True))
    return languages


def smollm2(path):
    folder, name = str(path.parent), path.name
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
    # transformers' conversion forgets that this tokenizer splits digits one by one.
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32, attn_implementation="eager")
    task = tomllib.loads((ROOT / "assets" / "tasks" / "emotion.toml").read_text())
    languages = []
    for language in ("en", "de", "zh", "ja", "ru", "th"):
        row = task["languages"][language]
        words, header = row["label_words"], row["headers"][-1]
        items = json.loads((MINI / f"emotion_{language}40_test.json").read_text())[:SHOTS + ITEMS]
        golds = [words.index(item["answer"]) for item in items]
        shots = "".join(f'{item["input"]}{header}{item["answer"]}"\n' for item in items[:SHOTS])
        texts = [f'{shots}{item["input"]}{header}' for item in items[SHOTS:]]
        languages.append(prompts(
            model.eval(), tokenizer, language, words, texts, golds[SHOTS:], task["labels"], False))
    return languages


def write(name, languages):
    (HERE / name).write_text(json.dumps(languages, ensure_ascii=False, indent=1) + "\n")
    for language in languages:
        print(name, language["language"], [prompt["shared"] for prompt in language["prompts"]])


write("lens.json", small())
if len(sys.argv) > 1:
    write("lens_smollm2.json", smollm2(pathlib.Path(sys.argv[1])))
