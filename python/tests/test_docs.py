"""docs/records.md names every key of every record, and docs/notebook.ipynb runs."""

import importlib.util
import json
import os
import re
import struct
import unittest
from pathlib import Path

from fixture import GRID, REPOSITORY, RUN

DOCUMENT = REPOSITORY / "docs" / "records.md"
NOTEBOOK = REPOSITORY / "docs" / "notebook.ipynb"

# Below these keys are maps whose keys are data: labels, languages, stages, layers, poolings, keys of recipes.
MAPS = {
    "scores", "prior", "prefix_scores", "log_probs", "label_tokens", "label_bytes", "label_characters",
    "prior_log_probs", "domain_log_probs", "words", "whole", "points", "recipe", "outputs", "notes",
}  # fmt: skip
LANGUAGES = {"en", "de", "sw"}
OTHERS = {"raw", "tuned"}


def sections():
    """Text of the document by heading."""
    parts = re.split(r"^#{2,3} (.+)$", DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2]))


def section_of(path, root, known):
    """The heading whose pattern is the path."""
    name = path.relative_to(root).as_posix()
    if root == GRID and name == "report/results.json":
        return "`report/results.json` of a grid"
    if name.endswith(".meta.json"):
        return "`answers/.../*.jsonl.meta.json`"
    name = re.sub(r"^(answers/[^/]+/)(?:chat|few_shot)[^/]*/", r"\1", name)
    part = {"task": r"[a-z]+", "labels": r"[a-z]+", "from": "[a-z]+", "into": "[a-z]+", "pooling": "[a-z]+", "language": "[a-z]{2}"}
    found = []
    for heading in known:
        pattern = re.escape(heading.strip("`"))
        pattern = re.sub("<([a-z]+)>", lambda word: part.get(word[1], "[^/]+"), pattern)
        if heading.startswith("`") and re.fullmatch(pattern, name):
            found.append(heading)
    return max(found, key=lambda heading: len(re.sub("<[^>]*>", "", heading)), default=None)


def keys_of(value):
    """Every key at any depth that is a name and no datum."""
    if isinstance(value, list):
        return set().union(*(keys_of(one) for one in value))
    if not isinstance(value, dict):
        return set()
    found = set()
    for key, below in value.items():
        is_datum = key in LANGUAGES | OTHERS or re.fullmatch(r"\d+", key) or re.fullmatch(r"[a-z-]+\.(all|last)", key)
        if not is_datum:
            found.add(key)
        if key == "stages":
            found |= set().union(*(keys_of(stage) for stage in below.values()))
        elif key not in MAPS:
            found |= keys_of(below)
    return found


def read_keys(path):
    if path.suffix == ".safetensors":
        data = path.read_bytes()
        header = json.loads(data[8 : 8 + struct.unpack("<Q", data[:8])[0]])
        return set(header) - {"__metadata__"} | set(header["__metadata__"])
    if path.suffix == ".jsonl":
        return set().union(*(keys_of(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()))
    return keys_of(json.loads(path.read_text(encoding="utf-8")))


class Records(unittest.TestCase):
    maxDiff = None

    def test_every_key_of_every_record_is_in_its_section(self):
        known, used = sections(), set()
        for root in (RUN, GRID):
            for path in sorted(path for path in root.rglob("*") if path.is_file()):
                heading = section_of(path, root, known)
                self.assertIsNotNone(heading, f"{path.relative_to(root)} has no section in {DOCUMENT.name}")
                used.add(heading)
                # The report's results repeat records of `inside/`.
                repeated = [text for other, text in known.items() if "results" in heading and other.startswith("`inside/")]
                named = set(re.findall(r"`([^`]+)`", "".join([known[heading], *repeated])))
                missing = sorted(read_keys(path) - named)
                self.assertEqual(missing, [], f"{path.relative_to(root)}: not in the section {heading}")
        self.assertEqual(len(used), 22)

    def test_every_python_line_is_python(self):
        text = DOCUMENT.read_text(encoding="utf-8")
        lines = re.findall(r"`((?:run|pandas|json|lingualign)\.[^`]+)`", text)
        self.assertGreater(len(lines), 20)
        for line in lines:
            compile(line, DOCUMENT.name, "eval")


def has(*modules):
    return all(importlib.util.find_spec(module) for module in modules)


@unittest.skipUnless(has("pandas", "numpy"), "the notebook needs pandas and numpy")
class Notebook(unittest.TestCase):
    def setUp(self):
        os.environ["LINGUALIGN_RUN"] = str(RUN)
        self.addCleanup(os.environ.pop, "LINGUALIGN_RUN")
        self.cells = [
            "".join(cell["source"]) for cell in json.loads(NOTEBOOK.read_text("utf-8"))["cells"] if cell["cell_type"] == "code"
        ]

    def test_its_cells_run_as_a_script(self):
        names = {}
        for number, cell in enumerate(self.cells):
            exec(compile(cell, f"{NOTEBOOK.name}, cell {number}", "exec"), names)  # noqa: S102
        self.assertEqual(set(names["accuracy"].language), {"mean", "en", "sw"})
        self.assertEqual(names["last"].shape, (6, 4, 48))
        self.assertGreater(len(names["flipped"]), 0)
        self.assertEqual(len(names["cka"]), 4)

    @unittest.skipUnless(has("nbclient", "ipykernel"), "not run by Jupyter: nbclient and ipykernel are not installed")
    def test_jupyter_runs_it(self):
        import nbclient
        import nbformat

        path = os.pathsep.join([str(REPOSITORY / "python"), os.environ.get("PYTHONPATH", "")])
        kernel = {"env": {**os.environ, "PYTHONPATH": path}}
        notebook = nbformat.read(NOTEBOOK, as_version=4)
        nbclient.NotebookClient(notebook, timeout=300).execute(**kernel)
        outputs = [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]
        self.assertIn("(6, 4, 48)", str(outputs[-1]))


if __name__ == "__main__":
    unittest.main()
