"""Makes tasks/: a few questions of seven shipped tasks in the layout in which each was published, and what lm_eval answers.

    pip install 'lm_eval[hf]' pyarrow
    python tests/golden/make_tasks.py

Tried with lm_eval 0.4.13, transformers 5.23, datasets 5 and torch 2.15 on a CPU. The questions are this project's own text.

`tasks/<task>/` holds the questions; `tasks/byte_level.json` and `tasks/byte_fallback.json` are tokenizers made from them,
the first without a token that begins texts; `tasks/lm_eval.json` has, of the tasks that lm_eval has, every request of
lm_eval's own task with its log-probability, and what its three measures say. The model is
crates/eval/tests/golden/model.safetensors. lm_eval's tasks run as they are shipped; only what loads a data set from the hub
reads the files of `tasks/` instead.
"""

import csv
import json
import shutil
import tempfile
from pathlib import Path

import datasets
import evaluate
import pyarrow
import pyarrow.parquet
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

HERE = Path(__file__).parent / "tasks"
MODEL = Path(__file__).parents[2] / "crates/eval/tests/golden"
VOCABULARY = 640
END = "<end>"
POSITIONS = 256

SIB200 = {
    "eng_Latn": [
        (12, "science/technology", "The telescope found water on a small moon."),
        (7, "travel", 'Ask for a "quiet" room, and ride the night train.'),
        (30, "sports", "She won the final in two short sets."),
    ],
    "swh_Latn": [
        (12, "science/technology", "Darubini ilipata maji kwenye mwezi mdogo."),
        (7, "travel", "Omba chumba tulivu, na upande treni ya usiku."),
        (30, "sports", "Alishinda fainali kwa seti mbili fupi."),
    ],
}

# language, domain, question, choices, answer
INCLUDE = {
    "German": [
        ("Social Science", " Welcher Fluss fließt durch Dresden? ", ["Rhein", "Elbe", "Oder", "Isar"], 1),
        ("Driving License", "Was gilt bei Gelb?", ["Halten", "Hupen", "Wenden", "Parken"], 0),
        ("Social Science", "Wer wählt den Kanzler?", ["Bundesrat", "Volk", "Länder", "Bundestag"], 3),
    ],
    "North Macedonian": [
        ("STEM", "Колку е 2 + 3?", ["4", "6", "5", "7"], 2),
        ("STEM", "Што е лед?", ["вода", "злато", "дрво", "воздух"], 0),
    ],
}

# question, choices, letter
MMLU_PROX = {
    "de": [
        ("Was ist 2 + 3?", ["4", "6", "5"], "C"),
        ("Welches Gas atmen wir vor allem ein?", ["Argon", "Helium", "Neon", "Stickstoff", "Xenon", "Radon", "Krypton", "Ozon",
                                                 "Methan", "Chlor"], "D"),
    ],
    "en": [
        ("What is 2 + 3?", ["4", "6", "5"], "C"),
        ("Which gas do we breathe in most?", ["Argon", "Helium", "Neon", "Nitrogen", "Xenon", "Radon", "Krypton", "Ozone",
                                              "Methane", "Chlorine"], "D"),
    ],
}

# prompt, solutions, label
NONPARALLEL = {
    "deu_latn": [
        ("Damit der Teig aufgeht,", ["stellt man ihn warm.", "friert man ihn ein."], 0),
        ('Ein "kalter Hund" wird', ["an der Leine geführt.", "aus Keksen und Kakao geschichtet, kalt."], 1),
    ],
    "jpn_jpan": [
        ("お茶を入れるときは", ["水で皿を洗う。", "湯を少し冷ます。"], 1),
        ("雨の日には", ["傘を持って出る。", "傘を家に置く。"], 0),
    ],
}

PARALLEL = {
    "eng_latn": [
        ("To open a jar,", ["warm the lid.", "cool the lid.", "shake the table.", "read the label aloud."], 0),
        ("To dry a cup,", ["fill it.", "hide it.", "turn it over.", "paint it."], 2),
    ],
    "fra_latn_cana": [
        ("Pour ouvrir un pot,", ["chauffe le couvercle.", "refroidis-le.", "secoue la table.", "lis l'étiquette."], 0),
        ("Pour sécher une tasse,", ["remplis-la.", "cache-la.", "retourne-la.", "peins-la."], 2),
    ],
}

# whole question, choices, label
MUBENCH_SNLI = {
    "de": [
        ("Prämisse: Ein Kind schläft.\nHypothese: Ein Kind ist wach.\nAntwort:", ["Folge", "Neutral", "Widerspruch"], 2),
        ("Prämisse: Zwei Hunde rennen.\nHypothese: Tiere rennen.\nAntwort: ", ["Folge", "Neutral", "Widerspruch"], 0),
    ],
    "en": [
        ("Premise: A child sleeps.\nHypothesis: A child is awake.\nAnswer:", ["Entailment", "Neutral", "Contradiction"], 2),
        ("Premise: Two dogs run.\nHypothesis: Animals run.\nAnswer: ", ["Entailment", "Neutral", "Contradiction"], 0),
    ],
}

# right, wrong, up to the verb, verb, other verb
MULTIBLIMP = {
    "deu": [
        ('Die Kinder rufen "Halt" laut.', 'Die Kinder ruft "Halt" laut.', "Die Kinder", "rufen", "ruft"),
        ("Der Fluss war still.", "Der Fluss waren still.", "Der Fluss", "war", "waren"),
    ],
    "rus": [
        ("Дети поют песню.", "Дети поёт песню.", "Дети", "поют", "поёт"),
        ("Река была тихой.", "Река были тихой.", "Река", "была", "были"),
    ],
}

#: Our task, our language, lm_eval's tasks, and the file that is loaded instead of the hub's data set.
CASES = [
    ("sib200", "en", ["sib_eng_prompt_1"], "sib200/data/eng_Latn/test.tsv"),
    ("sib200", "sw", ["sib_swa_prompt_1"], "sib200/data/swh_Latn/test.tsv"),
    ("include", "de", ["include_base_44_german_social_science", "include_base_44_german_driving_license"],
     "include/German/test-00000-of-00001.parquet"),
    ("include", "mk", ["include_base_44_north_macedonian_stem"], "include/North Macedonian/test-00000-of-00001.parquet"),
    ("global_piqa", "de", ["global_piqa_nonparallel_cloze_deu_latn"], "global_piqa/data/nonparallel_deu_latn.tsv"),
    ("global_piqa", "ja", ["global_piqa_nonparallel_cloze_jpn_jpan"], "global_piqa/data/nonparallel_jpn_jpan.tsv"),
    ("global_piqa_parallel", "en", ["global_piqa_parallel_cloze_eng_latn"], "global_piqa_parallel/data/parallel_eng_latn.tsv"),
    ("global_piqa_parallel", "fr_CA", ["global_piqa_parallel_cloze_fra_latn_cana"],
     "global_piqa_parallel/data/parallel_fra_latn_cana.tsv"),
    ("multiblimp", "de", ["multiblimp_deu"], "multiblimp/deu/data.tsv"),
    ("multiblimp", "ru", ["multiblimp_rus"], "multiblimp/rus/data.tsv"),
]


def write_tsv(path, columns, rows):
    """As pandas writes the published tables: a field that holds a quote is in quotes, with the quotes doubled."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter="\t", lineterminator="\n").writerows([columns, *rows])


def write_parquet(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)


def write_data():
    for code, rows in SIB200.items():
        write_tsv(HERE / f"sib200/data/{code}/test.tsv", ["index_id", "category", "text"], rows)
    for name, rows in INCLUDE.items():
        keys = ["option_a", "option_b", "option_c", "option_d"]
        rows = [{"language": name, "domain": domain, "question": question, **dict(zip(keys, choices)), "answer": answer}
                for domain, question, choices, answer in rows]
        write_parquet(HERE / f"include/{name}/test-00000-of-00001.parquet", rows)
    for code, rows in MMLU_PROX.items():
        rows = [{"question_id": at, "question": question, **{f"option_{n}": [*choices, *[None] * 10][n] for n in range(10)},
                 "answer": letter, "answer_index": "ABCDEFGHIJ".index(letter), "category": "other"}
                for at, (question, choices, letter) in enumerate(rows)]
        write_parquet(HERE / f"mmlu_prox/{code}/test-00000-of-00001.parquet", rows)
    for folder, kind, languages in [("global_piqa", "nonparallel", NONPARALLEL), ("global_piqa_parallel", "parallel", PARALLEL)]:
        for code, rows in languages.items():
            solutions = [f"solution{at}" for at in range(len(rows[0][1]))]
            rows = [[prompt, *choices, label, code, f"{code}_{at}"] for at, (prompt, choices, label) in enumerate(rows)]
            columns = ["prompt", *solutions, "label", "language", "example_id"]
            write_tsv(HERE / f"{folder}/data/{kind}_{code}.tsv", columns, rows)
    for code, rows in MUBENCH_SNLI.items():
        path = HERE / f"mubench_snli/SNLIDataset/local_template_{code}_test.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = [{"_id": at, "prompt": prompt, "choices": choices, "label": label}
                for at, (prompt, choices, label) in enumerate(rows)]
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    for code, rows in MULTIBLIMP.items():
        columns = ["sen", "wrong_sen", "prefix", "verb", "wrong_verb", "phenomenon"]
        write_tsv(HERE / f"multiblimp/{code}/data.tsv", columns, [[*row, "SV-#"] for row in rows])


def read_rows(path):
    """The rows of a file of ours, for lm_eval."""
    if path.suffix == ".parquet":
        return pyarrow.parquet.read_table(path).to_pylist()
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    for row in rows:
        if "label" in row:
            row["label"] = int(row["label"])
    return rows


def learn(tokenizer, size, **more):
    trainer = trainers.BpeTrainer(vocab_size=size, show_progress=False, **more)
    texts = [SIB200, INCLUDE, NONPARALLEL, PARALLEL, MULTIBLIMP]
    tokenizer.train_from_iterator([json.dumps(text, ensure_ascii=False) for text in texts], trainer)
    return tokenizer


def make_byte_level():
    """Byte-level BPE with few merges, and a token that ends texts but none that begins them."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return learn(tokenizer, VOCABULARY, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), special_tokens=[END])


def make_byte_fallback():
    """Merges over characters, none across a space; what has no entry falls to pieces of bytes."""
    space = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="first")
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = space
    learnt = json.loads(learn(learner, VOCABULARY - 259, limit_alphabet=90).to_str())["model"]
    entries = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    entries += sorted(learnt["vocab"], key=learnt["vocab"].get)
    merges = [tuple(merge) for merge in learnt["merges"]]
    vocabulary = {entry: at for at, entry in enumerate(entries)}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.pre_tokenizer = space
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace(replacement="▁", prepend_scheme="first")])
    return tokenizer


def make_tokenizers():
    for name, make in [("byte_level", make_byte_level), ("byte_fallback", make_byte_fallback)]:
        tokenizer = make()
        assert tokenizer.get_vocab_size() <= VOCABULARY
        tokenizer.save(str(HERE / f"{name}.json"))


def load_model(kind, folder):
    from lm_eval.models.huggingface import HFLM

    names = {
        "byte_level": {"bos_token": None, "eos_token": END},
        "byte_fallback": {"bos_token": "<s>", "eos_token": "</s>"},
    }[kind]
    for name in ["config.json", "model.safetensors"]:
        shutil.copy(MODEL / name, folder / name)
    shutil.copy(HERE / f"{kind}.json", folder / "tokenizer.json")
    names["tokenizer_class"] = "PreTrainedTokenizerFast"
    (folder / "tokenizer_config.json").write_text(json.dumps(names))
    return HFLM(pretrained=str(folder), dtype="float32", device="cpu", batch_size=1)


def count_tokens(model, request):
    """Positions that a request takes: where they are too many, lm_eval leaves the beginning out."""
    return len(model.tok_encode("".join(request), add_special_tokens=False)) + 1


def ask(model, names, rows):
    """Every row of a file, in its order, as lm_eval's task of its part of the file asks it."""
    import lm_eval

    asked = {}
    original = datasets.load_dataset
    marked = [{**row, "row": at} for at, row in enumerate(rows)]
    splits = ["train", "validation", "test"]
    datasets.load_dataset = lambda *_, **__: datasets.DatasetDict({name: datasets.Dataset.from_list(marked) for name in splits})
    # A measure that is not compared would be loaded from the hub.
    evaluate.load = lambda name: type("Unused", (), {"compute": staticmethod(lambda **_: {name: 0.0})})
    try:
        found = lm_eval.simple_evaluate(model=model, tasks=names, num_fewshot=0, log_samples=True, bootstrap_iters=0)
    finally:
        datasets.load_dataset = original
    for name in names:
        for sample in found["samples"][name]:
            requests = [list(request) for request in sample["arguments"]]
            assert max(count_tokens(model, request) for request in requests) <= POSITIONS, f"{name}: {requests}"
            kept = {"prompt": requests[0][0], "continuations": [request[1] for request in requests],
                    "log_probs": [response[0][0] for response in sample["resps"]]}
            kept |= {key: sample[key] for key in ["acc", "acc_norm", "acc_bytes"] if key in sample}
            asked[sample["doc"]["row"]] = kept
    assert sorted(asked) == list(range(len(rows))), f"{names}: rows {sorted(asked)}"
    return [asked[at] for at in sorted(asked)]


def main():
    if HERE.exists():
        shutil.rmtree(HERE)
    HERE.mkdir()
    write_data()
    make_tokenizers()
    found = []
    for kind in ["byte_level", "byte_fallback"]:
        with tempfile.TemporaryDirectory() as folder:
            model = load_model(kind, Path(folder))
            for task, language, names, path in CASES:
                items = ask(model, names, read_rows(HERE / path))
                found.append({"tokenizer": kind, "task": task, "language": language, "items": items})
    text = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
    (HERE / "lm_eval.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
