"""The work that both sides do: which data, the prompts as text, our recipes, and reading what our run left behind.

The prompts are those of the paper's released scripts (arXiv 2405.13816), rendered from `assets/tasks`, as our program
renders them; compare.py checks that both sides then see the same number of tokens.
Never here: running anything.
"""

import array
import dataclasses
import itertools
import json
import re
import sys
import tomllib
from pathlib import Path

from environment import ROOT
from process import BenchError

# Languages in the order of preference: what the results speak of, then what there is.
PREFERRED = ["de", "en", "es", "zh", "fr"]
BATCH = 16
# LLaMA-Factory's setting for the paper: 4 micro-batches of 4 make an update.
MICRO_BATCH = 4
TARGETS = {
    "qv": ["q_proj", "v_proj"],
    "all": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
}


@dataclasses.dataclass
class Data:
    """A folder in the released layout, and what of it is used."""

    folder: Path
    language: str
    # `released layout` or where the shipped data come from; for the results.
    origin: str


def load_task(name):
    """The task's file as a dictionary."""
    return tomllib.loads((ROOT / "assets" / "tasks" / f"{name}.toml").read_text(encoding="utf-8"))


def find_file(folder, task, language, ending):
    """`<task>_<language><count><ending>` below the task's folder, or None."""
    pattern = re.compile(rf"{task['name']}_{language}\d+k?{re.escape(ending)}")
    place = Path(folder) / task["folder"]
    found = sorted(p for p in place.glob(f"*{ending}") if pattern.fullmatch(p.name)) if place.is_dir() else []
    return found[0] if found else None


def find_data(given, scratch, kind, task_name):
    """Data for a kind of work (`eval`, `train`) on a task: in the folder given, else what this repository ships.

    Shipped training pairs are of the emotion task, whatever was asked for.
    """
    ending = "_train_question.json" if kind == "train" else "_test.json"
    if given:
        task = load_task(task_name)
        for language in [*PREFERRED, *task["languages"]]:
            if find_file(given, task, language, ending):
                return Data(Path(given).resolve(), language, "released layout"), task_name
        raise BenchError(f"--data {given}: no file {task['folder']}/{task_name}_LANGUAGE*{ending}")
    if kind == "train" or task_name == "emotion":
        return Data(ROOT / "assets" / "mini", "de", "assets/mini"), "emotion"
    return Data(make_test_set(scratch, task_name), "de", "made of the shipped exemplars"), task_name


def make_test_set(scratch, task_name):
    """A test set out of the builtin exemplars: they themselves, then every other combination of their fields.

    What the gold words say is without meaning there; for timing only the texts count. Returns the data folder.
    """
    task = load_task(task_name)
    exemplars_file = ROOT / "assets" / "tasks" / "exemplars" / f"{task_name}.json"
    exemplars = json.loads(exemplars_file.read_text(encoding="utf-8"))
    folder = Path(scratch) / "data" / task["folder"]
    folder.mkdir(parents=True, exist_ok=True)
    for language in ("de", "en"):
        words = task["languages"][language]["label_words"]
        head = exemplars[language][: task["shots"]]
        items = [{**item, "answer": words[task["labels"].index(item["answer"])]} for item in head]
        texts = [[item[field] for item in exemplars[language]] for field in task["fields"]]
        known = {tuple(item[field] for field in task["fields"]) for item in head}
        for at, fields in enumerate(f for f in itertools.product(*texts) if f not in known):
            items.append({**dict(zip(task["fields"], fields)), "answer": words[at % len(words)]})
        path = folder / f"{task_name}_{language}{len(items)}_test.json"
        path.write_text(json.dumps(items, ensure_ascii=False, indent=1), encoding="utf-8")
    return folder.parent


def render_prompts(data, task_name, count):
    """`(prefix, questions, items)`: the exemplars' text, the first `count` scored questions after it, their indices.

    The exemplars are the head of the file, with English label words, as `few_shot = "head:K"` makes them.
    """
    task = load_task(task_name)
    row = task["languages"][data.language]
    items = json.loads(find_file(data.folder, task, data.language, "_test.json").read_text(encoding="utf-8"))

    def question(item):
        parts = [header + item[field] for header, field in zip(row["headers"], task["fields"])]
        return "".join(parts) + row["headers"][-1]

    def exemplar(item):
        word = item["answer"]
        label = row.get("released_words", {}).get(word) or task["labels"][row["label_words"].index(word)]
        return f'{question(item)}{label}"\n'

    shots = task["shots"]
    scored = items[shots : shots + count]
    return "".join(map(exemplar, items[:shots])), [question(item) for item in scored], len(scored)


def warm_language(data, task_name):
    """Another language of the same data, asked first so that loading and warming up fall on it; None if there is none."""
    task = load_task(task_name)
    others = [language for language in ["en", *PREFERRED, *task["languages"]] if language != data.language]
    return next((other for other in others if find_file(data.folder, task, other, "_test.json")), None)


def write_recipe(path, lines):
    """Writes `{section: {key: value}}` as TOML; strings, numbers and lists of strings are JSON's too."""
    text = ""
    for section, keys in lines.items():
        text += f"[{section}]\n" if section else ""
        text += "".join(f"{key} = {json.dumps(str(v) if isinstance(v, Path) else v)}\n" for key, v in keys.items())
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text, encoding="utf-8")
    return path


def training_recipe(path, model, dtype, data, task_name, targets, steps, **train):
    """One update is 16 pairs; every pair is used once, so that both sides learn the same set of pairs."""
    keys = {
        "settings": [f"{data.language}=>en"],
        "tasks": [task_name],
        "pairs": BATCH * steps,
        "max_steps": steps,
        "batch_size": BATCH,
        "epochs": 1,
        "val_size": 0.0,
        **train,
    }
    return write_recipe(
        path,
        {
            "": {"name": "bench", "model": model, "dtype": dtype},
            "data": {"dir": data.folder},
            "train": keys,
            "train.lora": {"rank": 8, "alpha": 16, "targets": TARGETS[targets]},
            "eval": {"tasks": [task_name], "languages": [data.language], "protocol": "paper"},
        },
    )


def evaluation_recipe(path, model, dtype, data, task_name, languages, limit):
    """English label words after the head of the file, counted as the paper's scorer does."""
    keys = {
        "tasks": [task_name],
        "languages": languages,
        "labels": "english",
        "scoring": "prefix",
        "protocol": "paper",
        "few_shot": f"head:{load_task(task_name)['shots']}",
        "scorers": "chosen",  # the peers measure one scoring
        "limit": limit,
    }
    lines = {"": {"name": "bench", "model": model, "dtype": dtype}, "data": {"dir": data.folder}, "eval": keys}
    return write_recipe(path, lines)


def write_rows(path, prompts):
    """The input of our `capture`: a text a line."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text("".join(json.dumps({"text": prompt}) + "\n" for prompt in prompts), encoding="utf-8")
    return path


def read_tensor(path, name):
    """`(shape, values)` of a tensor of f32 in a file of safetensors."""
    content = Path(path).read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    entry = json.loads(content[8:start])[name]
    if entry["dtype"] != "F32":
        raise BenchError(f"{path}: {name} is {entry['dtype']}, not F32")
    begin, end = entry["data_offsets"]
    return entry["shape"], read_floats(content[start + begin : start + end])


def read_floats(content):
    """Little-endian f32."""
    values = array.array("f", content)
    if sys.byteorder == "big":
        values.byteswap()
    return values


def largest_difference(shape, ours, peer):
    """How far the states `peer` of the first prompts are from ours, (prompts, layers, E), as a share of the largest value
    of that layer; without the last layer, which the peers give after the final norm."""
    _, layers, width = shape
    row = layers * width
    if len(peer) % row or len(peer) > len(ours) or not peer:
        raise BenchError(f"the peer gave {len(peer)} values, which are no states of {layers} layers of {width}")
    worst = 0.0
    for layer in range(layers - 1):
        starts = [prompt + layer * width for prompt in range(0, len(peer), row)]
        pairs = [(ours[at], peer[at]) for start in starts for at in range(start, start + width)]
        most = max(abs(theirs) for _, theirs in pairs)
        worst = max(worst, max(abs(a - b) for a, b in pairs) / most)
    return worst


def read_lines(path):
    """A file of JSON lines."""
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines() if line]


def only_file(folder, pattern):
    """The one file that matches; it is an error if there are others or none."""
    found = sorted(Path(folder).glob(pattern))
    if len(found) != 1:
        raise BenchError(f"{len(found)} files {pattern} in {folder}, not one")
    return found[0]


def read_steps(run_folder):
    """The updates of the one adapter in a run folder, each with `tokens` as trainers count them.

    Our record counts the tokens that run through the model, which leaves out each example's last one: nothing comes
    after it. PEFT's loop runs it too. Here, on both sides, an example counts with all of its tokens.
    """
    records = read_lines(only_file(run_folder, "train/*.jsonl"))
    return [record for record in records if record["kind"] == "step"]


def read_manifest(run_folder):
    """The run's manifest."""
    return json.loads((Path(run_folder) / "manifest.json").read_text(encoding="utf-8"))


def read_answers(run_folder, task_name, language):
    """The base model's answers in file order, and the seconds of their stage."""
    stage = f"eval.base.{task_name}.english.{language}"
    seconds = read_manifest(run_folder)["stages"][stage]["seconds"]
    return read_lines(Path(run_folder) / "answers" / "base" / f"{task_name}.english.{language}.jsonl"), seconds
