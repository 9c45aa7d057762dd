"""docs/audit.md says what the code does: the kinds, the thresholds, and what each example's fault raises."""

import json
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from fixture import REPOSITORY
from make_run import make_model
from program import find_program

PAGE = REPOSITORY / "docs" / "audit.md"
WORDS = REPOSITORY / "crates/schema/src/finding.rs"
AUDIT = REPOSITORY / "crates/audit/src"
MINI = REPOSITORY / "assets/mini/ap_emotion"

# File and constant; the kind whose section names the value, and how it does.
THRESHOLDS = [
    ("set.rs", "WRONG_ITEMS", None, "at least {} items"),
    ("set.rs", "WRONG_SHARE", None, "{percent} % of the file"),
    ("balance.rs", "DEVIATIONS", "class_balance", "{} standard deviations"),
    ("labels.rs", "CERTAIN", "label_words", "{percent} % of its English golds"),
    ("relabelling.rs", "UNRELATED", "label_order", "more than {percent} % of the golds"),
    ("relabelling.rs", "PERMUTED", "label_order", "up to {} labels"),
    ("align/mod.rs", "FEWEST", "label_order", "at least {} items"),
    ("align/lowest_cost.rs", "BAND", "item_count", "{} places"),
    ("language/mod.rs", "LETTERS", "language", "{} letters"),
    ("language/mod.rs", "SYLLABLES", "language", "{} of a script"),
    ("language/mod.rs", "SURE", "language", "confidence of {}"),
    ("language/mod.rs", "CLOSE_SHARE", "language", "{percent} % of the texts"),
    ("language/mod.rs", "USUAL_SCRIPT", "language", "{percent} % of the file"),
    ("language/mod.rs", "SCRIPT_LETTERS", "language", "{} letters or more"),
    ("untranslated.rs", "NEAR", "untranslated", "{percent} % of the words"),
    ("untranslated.rs", "NEAR_WORDS", "untranslated", "{} words"),
    ("length.rs", "FEWEST", "length_ratio", "{} texts"),
    ("length.rs", "FEWEST", "sentences", "{} texts"),
    ("length.rs", "KEPT", "sentences", "{percent} %"),
    ("length.rs", "SENTENCE_SURE", "sentences", "{} deviations"),
    ("numbers.rs", "SPELT", "numbers", "up to {}"),
    ("numbers.rs", "RARE", "numbers", "{percent} % of the file's numbers"),
    ("names.rs", "LETTERS", "names", "{} letters"),
    ("names.rs", "CONSONANTS", "names", "{} consonants"),
    ("names.rs", "CARRIED", "names", "{percent} % of the file's names"),
    ("names.rs", "SURE", "names", "{} names"),
    ("quotation.rs", "CUSTOM", "quotation", "{percent} % of the quoted texts"),
    ("leakage.rs", "NEAR", "leakage", "similarity of {}"),
    ("scope/tables.rs", "LOOKED_AT", "coverage", "first {} rows"),
]
# The three limits of an odd length: deviations and factor.
ODD = re.compile(r"const ODD: .*?= \[(.*?)\];", re.DOTALL)


def sections():
    """Text of the page by kind; the introduction under None."""
    parts = re.split(r"^### `([a-z_]+)`$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {None: parts[0], **dict(zip(parts[1::2], parts[2::2]))}


def kinds():
    """The words of the code, in their order."""
    text = WORDS.read_text(encoding="utf-8")
    return re.findall(r'^\s+\w+ "([a-z_]+)",$', text[text.index("    Kind {") :].split("\n}\n")[0], re.MULTILINE)


def constant(file, name):
    text = (AUDIT / file).read_text(encoding="utf-8")
    return float(re.search(rf"const {name}: \w+ = ([\d._]+);", text)[1])


def show(value):
    return f"{value:g}"


def examples(section):
    """The lines of the section that the program says: severity, kind and evidence."""
    lines = "".join(re.findall(r"^```text\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)).splitlines()
    return [line for line in lines if line.split(" ")[0] in ("error", "warning", "note")]


class Page(unittest.TestCase):
    maxDiff = None

    def test_it_has_every_kind_that_the_code_knows_and_no_other(self):
        self.assertGreater(len(kinds()), 20)
        self.assertEqual([kind for kind in sections() if kind], kinds())

    def test_the_table_of_severities_lists_the_same_kinds(self):
        rows = re.findall(r"^\| \[`([a-z_]+)`\]\(#([a-z_]+)\) \|", sections()[None], re.MULTILINE)
        self.assertEqual([kind for kind, _ in rows], kinds())
        self.assertTrue(all(kind == anchor for kind, anchor in rows), rows)

    def test_thresholds_are_the_codes(self):
        for file, name, kind, phrase in THRESHOLDS:
            with self.subTest(file=file, name=name):
                value = constant(file, name)
                wanted = phrase.format(show(value), percent=show(100 * value))
                self.assertIn(wanted, re.sub(r"\s+", " ", sections()[kind]))

    def test_the_limits_of_odd_lengths_are_the_codes(self):
        source = (AUDIT / "length.rs").read_text(encoding="utf-8")
        pairs = re.findall(r"\(([\d.]+), ([\d.]+)\)", ODD.search(source)[1] + re.search(r"const VERY_ODD.*", source)[0])
        self.assertEqual(len(pairs), 4)
        for deviations, factor in pairs:
            self.assertIn(f"{show(float(deviations))} deviations and {show(float(factor))} times", re.sub(r"\s+", " ", sections()["length_ratio"]))


class Files:
    """The small data set's German and English files, to be spoilt."""

    def __init__(self, folder):
        self.folder = folder / "ap_emotion"
        self.folder.mkdir()
        self.lists = {name: json.loads((MINI / name).read_text(encoding="utf-8")) for name in (DE, EN, PAIRS)}

    def write(self):
        for name, items in self.lists.items():
            text = items if isinstance(items, str) else json.dumps(items, ensure_ascii=False)
            (self.folder / name).write_text(text, encoding="utf-8")


DE, EN, PAIRS = "emotion_de40_test.json", "emotion_en40_test.json", "emotion_de120_train_question.json"
CAKE = 3  # The apple cake was delicious.


def put(german, english=None):
    """German and English text of one item."""

    def spoil(lists):
        lists[DE][CAKE]["input"] = german
        if english:
            lists[EN][CAKE]["input"] = english

    return spoil


def exchange(lists):
    other = {"positiv": "negativ", "negativ": "positiv"}
    for item in lists[DE]:
        item["answer"] = other[item["answer"]]


def favour(lists):
    for name, word in (DE, "positiv"), (EN, "positive"):
        for item in lists[name][:34]:
            item["answer"] = word


def repeat(lists):
    for name in (DE, EN):
        lists[name][4]["input"] = lists[name][2]["input"]


def lose_name(lists):
    """Four English texts name Toronto, and one of the German ones does not."""
    for item in (CAKE, 5, 6, 8):
        lists[EN][item]["input"] = lists[EN][item]["input"].replace(".", " from Toronto.")
        if item != CAKE:
            lists[DE][item]["input"] = lists[DE][item]["input"].replace(".", " aus Toronto.")


def leak(lists):
    lists[PAIRS][0]["input"] = lists[PAIRS][0]["input"].replace(
        lists[PAIRS][0]["input"].split("\n")[0], lists[DE][CAKE]["input"])  # fmt: skip


SPOIL = {
    "syntax": lambda lists: lists.update({DE: json.dumps(lists[DE], indent=1)[:900]}),
    "missing_field": lambda lists: lists[DE][CAKE].pop("answer"),
    "extra_field": lambda lists: lists[DE][CAKE].update(note="checked"),
    "empty_field": put(" "),
    "field_type": put(3),
    "item_count": lambda lists: lists[DE].pop(10),
    "label_words": lambda lists: lists[DE][CAKE].update(answer="posotiv"),
    "label_order": exchange,
    "class_balance": favour,
    "template": lambda lists: lists[PAIRS][0].update(answer=lists[PAIRS][0]["answer"] + 'negative"'),
    "language": put("La tarte aux pommes était délicieuse."),
    "untranslated": put("The apple cake was delicious."),
    "sentences": put("Der Apfelkuchen war köstlich.", "The apple cake was delicious. We ate all of it and asked for more the same evening."),
    "length_ratio": put("Der Apfelkuchen war köstlich, " * 5),
    "characters": put("Der Apfelkuchen war kÃ¶stlich."),
    "numbers": put("Der Apfelkuchen für 74 Gäste war köstlich.", "The apple cake for 47 guests was delicious."),
    "names": lose_name,
    "quotation": put("Das ist kein Apfelkuchen, sagte er.", 'He said "this is no apple cake".'),
    "duplicates": repeat,
    "leakage": leak,
    "tokens": lambda lists: None,
    "choices": lambda lists: None,
    "coverage": lambda lists: lists.pop(EN),
}


def write_choices(folder):
    """A question of XCOPA, in Estonian, whose two choices are one text."""
    place = folder / "data/et"
    place.mkdir(parents=True)
    row = {"premise": "Vaas kukkus maha.", "choice1": "See läks katki.", "choice2": "See läks katki.", "question": "effect", "label": 0}
    (place / "test.et.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")


@unittest.skipUnless(find_program(), "no program: cargo build, or name it in LINGUALIGN")
class Examples(unittest.TestCase):
    def find(self, kind):
        """What the program says of the files with this fault."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            task, flags = "emotion", []
            if kind == "choices":
                write_choices(folder)
                task = "xcopa"
            else:
                files = Files(folder)
                SPOIL[kind](files.lists)
                files.write()
            if kind == "tokens":
                make_model(folder / "tiny")
                flags = ["--tokenizer", "tiny", "--cutoff-len", "160"]
            command = [find_program(), "data", "audit", ".", "--task", task, "--json", "found.json", *flags]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            self.assertIn(done.returncode, (0, 1), done.stderr)
            return [f"{one['severity']} {one['kind']}: {one['evidence']}" for one in json.loads((folder / "found.json").read_text("utf-8"))["findings"]]

    def test_every_example_is_what_the_program_says(self):
        for kind in kinds():
            with self.subTest(kind=kind):
                found, quoted = self.find(kind), examples(sections()[kind])
                self.assertTrue(any(f" {kind}: " in line for line in quoted), f"no example: {found}")
                for line in quoted:
                    self.assertTrue(any(said.startswith(line.removesuffix("…")) for said in found), f"{line}\n{found}")


if __name__ == "__main__":
    unittest.main()
