"""The Python package over a run folder that the program made (make_run.py), and over broken copies of it."""

import importlib.util
import json
import os
import shutil
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from fixture import GRID, RUN

import lingualign
from lingualign import _states


class Rows(unittest.TestCase):
    def setUp(self):
        self.run_folder = lingualign.open(RUN, tables="list")

    def test_answers_have_the_adapters_parts_and_a_column_per_label(self):
        rows = self.run_folder.answers()
        self.assertEqual(len(rows), 3 * 2 * (2 * 6 * 2))
        first = rows[0]
        self.assertEqual((first["model"], first["adapter"], first["setting"], first["seed"]), ("tiny", None, None, None))
        tuned = [row for row in rows if row["adapter"] == "emotion.sw-en.seed2"]
        self.assertEqual((tuned[0]["setting"], tuned[0]["trained_on"], tuned[0]["seed"]), ("sw=>en", "emotion", 2))
        self.assertEqual({row["prompt"] for row in rows}, {"plain", "chat"})
        self.assertEqual({row["few_shot"] for row in rows}, {"builtin", "head:1"})
        for row in rows:
            best = max(("negative", "positive"), key=lambda label: row[f"scores.{label}"])
            self.assertEqual(best, row["chosen"])
            self.assertEqual(row["correct"], row["chosen"] == row["gold"])

    def test_results_are_those_of_the_answers(self):
        rows = self.run_folder.results()
        (english,) = (
            row for row in rows
            if (row["setting"], row["language"], row["measure"], row["prompt"]) == ("sw=>en", "en", "accuracy", "plain")
        )  # fmt: skip
        answers = [row for row in self.run_folder.answers() if row["language"] == "en" and row["prompt"] == "plain"]
        answers = [row for row in answers if row["item"] > 0]  # an exemplar of `head:1`
        by_set = {}
        for row in answers:
            by_set.setdefault((row["adapter"], row["few_shot"]), {})[row["item"]] = row["correct"]
        common = set.intersection(*(set(items) for items in by_set.values()))
        share = lambda sets: sum(one[item] for one in sets for item in common) / (len(sets) * len(common))  # noqa: E731
        before = share([items for (adapter, _), items in by_set.items() if adapter is None])
        after = share([items for (adapter, _), items in by_set.items() if adapter is not None])
        self.assertEqual((english["items"], english["seeds"], english["seen"]), (len(common), 2, True))
        self.assertAlmostEqual(english["before"], before)
        self.assertAlmostEqual(english["after"], after)
        self.assertAlmostEqual(english["change"], after - before)
        self.assertEqual({row["measure"] for row in rows}, {"accuracy", "auc", "calibrated", "batch"})
        base = [row for row in rows if row["setting"] == "base"]
        self.assertTrue(all(row["after"] is None and row["before_low"] <= row["before"] <= row["before_high"] for row in base))

    def test_the_training_log_has_every_update_and_validation(self):
        rows = [row for row in self.run_folder.train_log() if row["adapter"] == "emotion.sw-en.seed1"]
        self.assertEqual([row["step"] for row in rows if row["kind"] == "step"], [1, 2, 3])
        self.assertEqual([row["step"] for row in rows if row["kind"] == "validation"], [0, 2, 3])
        self.assertEqual(sum(row["tokens"] for row in rows if row["kind"] == "step"), 2235)

    def test_the_other_records(self):
        run = self.run_folder
        self.assertEqual(run.models(), ["base", "emotion.sw-en.seed1", "emotion.sw-en.seed2"])
        self.assertEqual({(row["update"], row["language"]) for row in run.probes()}, {(0, "en"), (0, "sw"), (3, "en"), (3, "sw")})
        self.assertEqual((len(run.translations()), {row["from"] for row in run.translations()}), (6, {"sw"}))
        self.assertEqual(len(run.pairs()), 16)

    def test_measures(self):
        layers, items, models = 4, 6, 3
        lens = self.run_folder.measures("lens")
        self.assertEqual(len(lens), models * 2 * 2 * items * layers)
        self.assertEqual({row["language"] for row in lens}, {"en", "sw"})
        pca = self.run_folder.measures("pca")
        self.assertEqual({row["pooling"] for row in pca}, {"all", "last"})
        self.assertEqual({row["model"] for row in self.run_folder.measures("changes")}, set(self.run_folder.models()[1:]))
        self.assertEqual(len(self.run_folder.measures("neurons")), models * 3 * 2)
        self.assertEqual(len(self.run_folder.measures("neuron-overlap")), models)
        for kind in ("tuned-lens", "pairs", "silencing", "patching"):
            self.assertEqual({row["model"] for row in self.run_folder.measures(kind)}, set(self.run_folder.models()), kind)
        with self.assertRaisesRegex(ValueError, "no measures `lense`; there are lens, tuned-lens, pca"):
            self.run_folder.measures("lense")


class Tables(unittest.TestCase):
    @unittest.skipUnless(importlib.util.find_spec("pandas"), "pandas is not installed")
    def test_with_pandas(self):
        frame = lingualign.open(RUN).answers()
        self.assertEqual(frame.shape[0], 144)
        self.assertEqual(len(lingualign.open(RUN).answers(tables="list")), 144)

    def test_without_pandas(self):
        with mock.patch.dict(sys.modules, {"pandas": None}):
            self.assertIsInstance(lingualign.open(RUN).train_log(), list)
            with self.assertRaisesRegex(lingualign.LingualignError, r"pandas is not installed: pip install 'lingualign\[data\]'"):
                lingualign.open(RUN).train_log(tables="pandas")
        with self.assertRaisesRegex(ValueError, "tables='polars': expected one of 'auto', 'pandas', 'list'"):
            lingualign.open(RUN, tables="polars")


class Captured(unittest.TestCase):
    def test_without_numpy_states_are_lists_of_the_same_numbers(self):
        with mock.patch.dict(sys.modules, {"numpy": None}):
            states = lingualign.open(RUN).states("base", "emotion", "en")
        self.assertEqual((states.items, len(states.tokens)), (list(range(6)), 6))
        self.assertEqual((len(states["all"]), len(states["all"][0]), len(states["all"][0][0])), (6, 4, 48))
        self.assertEqual(states.metadata["language"], "en")
        if importlib.util.find_spec("numpy"):
            arrays = lingualign.open(RUN).states("base", "emotion", "en")
            self.assertEqual(arrays["all"].shape, (6, 4, 48))
            self.assertEqual(arrays["last"].tolist(), states["last"])

    def test_what_is_not_there_is_named(self):
        run = lingualign.open(RUN)
        with self.assertRaisesRegex(lingualign.RecordError, "emotion.fr.safetensors: not captured; there are: base, emotion.en; base"):
            run.states("base", "emotion", "fr")
        with self.assertRaisesRegex(lingualign.LingualignError, "no pooling `mean` was captured; there are all, last"):
            run.states("base", "emotion", "en")["mean"]


class Broken(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name) / "run"
        shutil.copytree(RUN, self.folder)

    def refused(self, pattern):
        return self.assertRaisesRegex(lingualign.RecordError, pattern)

    def test_a_broken_line_is_named_by_file_and_line(self):
        path = self.folder / "answers/base/emotion.english.sw.jsonl"
        whole = path.read_text("utf-8").splitlines(keepends=True)
        cases = [
            ("{\"model\": \n", "emotion.english.sw.jsonl, line 3: no JSON: "),
            ("[1]\n", "line 3: the line is no JSON object"),
            (whole[2].replace('"gold":', '"golden":'), "line 3: the key `gold` is missing"),
            (whole[2].replace('"item":2', '"item":"2"'), "line 3: `item` is '2', which is no int"),
        ]
        for line, message in cases:
            path.write_text("".join([*whole[:2], line, *whole[3:]]), "utf-8")
            with self.refused(message) as caught:
                lingualign.open(self.folder, "list").answers()
            self.assertEqual((caught.exception.path, caught.exception.line), (path, 3))

    def test_a_cut_capture_is_refused(self):
        path = self.folder / "captures/base/emotion.en.safetensors"
        whole = path.read_bytes()
        for cut, message in [(4, "cut off in its header"), (100, "cut off in its header"), (-1, "`last` is cut off")]:
            path.write_bytes(whole[:cut])
            with self.refused(message):
                lingualign.open(self.folder).states("base", "emotion", "en")
        path.write_bytes(whole[:8] + b"x" + whole[9:])
        with self.refused("not that of a safetensors file"):
            lingualign.open(self.folder).states("base", "emotion", "en")
        self.assertEqual(_states._nest([1, 2, 3, 4, 5, 6], [3, 2]), [[1, 2], [3, 4], [5, 6]])

    def test_what_belongs_to_another_recipe_is_left_out(self):
        path = self.folder / "manifest.json"
        manifest = json.loads(path.read_text("utf-8"))
        manifest["current"] = [name for name in manifest["current"] if not name.startswith("eval.emotion")]
        manifest["current"].remove("capture.base.emotion.en")
        path.write_text(json.dumps(manifest), "utf-8")
        run = lingualign.open(self.folder, "list")
        self.assertEqual({row["adapter"] for row in run.answers()}, {None})
        with self.refused("captured with another recipe"):
            run.states("base", "emotion", "en")

    def test_other_folders_are_refused(self):
        with self.refused("no run folder: it has no manifest.json"):
            lingualign.open(self.folder / "answers")
        with self.refused("the folder of a grid; open one of its runs"):
            lingualign.open(GRID)
        with self.refused("keeps no texts of its questions"):
            lingualign.open(self.folder).questions()

    def test_questions_are_put_together(self):
        (self.folder / "questions").mkdir()
        path = self.folder / "questions/paws.en.jsonl"
        asked = {"kind": "asked", "labels": "english", "prompt": "plain", "few_shot": "head:0"}
        lines = [
            {**asked, "frame": ["A: ", "\nB: ", "\nSame: \""], "whole": [[7, "all of it"]]},
            {"kind": "question", "item": 1, "fields": ["one", "two"], "gold": "no"},
            {"kind": "question", "item": 7, "fields": ["one", "two"], "gold": "yes"},
        ]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
        rows = lingualign.open(self.folder, "list").questions()
        self.assertEqual([(row["item"], row["text"]) for row in rows], [(1, "A: one\nB: two\nSame: \""), (7, "all of it")])
        self.assertEqual((rows[0]["task"], rows[0]["language"], rows[0]["gold"]), ("paws", "en", "no"))


PROGRAM = """#!{python}
import sys
sys.stderr.write("stage 1\\n")
if "--set" in sys.argv: sys.stderr.write(repr(sys.argv[1:]) + "\\n")
if "fails.toml" in sys.argv: sys.stderr.write("error: fails.toml has 1 problem\\n  eval.limi: no such key\\n"); sys.exit(1)
if "stops.toml" in sys.argv: sys.stderr.write("interrupted\\n"); sys.exit(130)
if "usage.toml" in sys.argv: sys.stderr.write("error: unexpected argument\\n"); sys.exit(2)
sys.stdout.write("table\\n" * 20000 + "report: {run}/report/index.html\\n")
"""


@unittest.skipIf(os.name == "nt", "the stand-in for the program is a script")
class Program(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.program = Path(folder.name) / "lingualign"
        self.program.write_text(PROGRAM.format(python=sys.executable, run=RUN), "utf-8")
        self.program.chmod(0o755)
        found = mock.patch("sysconfig.get_path", return_value=folder.name)
        found.start()
        self.addCleanup(found.stop)

    def test_run_gives_keys_and_opens_the_folder(self):
        with mock.patch("sys.stderr") as told:
            run = lingualign.run("x.toml", out="o", redo=True, eval__limit=4, eval__languages=["de", "sw"], keys={"name": "n", "seeds": [1]})
        self.assertEqual(run.folder, RUN)
        shown = "".join(call.args[0] for call in told.write.call_args_list)
        wanted = ["run", "x.toml", "--out", "o", "--redo", "--set", "name=n", "--set", "seeds=[1]", "--set", "eval.limit=4"]
        self.assertIn(repr([*wanted, "--set", 'eval.languages=["de", "sw"]']), shown)
        self.assertIn("stage 1", shown)

    def test_exit_codes_are_exceptions_with_the_message(self):
        for recipe, kind, code, message in [
            ("fails.toml", lingualign.ProgramError, 1, "error: fails.toml has 1 problem\n  eval.limi: no such key"),
            ("usage.toml", lingualign.UsageError, 2, "error: unexpected argument"),
            ("stops.toml", lingualign.Interrupted, 130, "stage 1\ninterrupted"),
        ]:
            with self.assertRaises(kind) as caught:
                lingualign.run(recipe, quiet=True)
            self.assertEqual((type(caught.exception), caught.exception.code, str(caught.exception)), (kind, code, message))

    def test_a_long_table_is_whole(self):
        self.assertEqual(lingualign.compare("a", "b").count("table\n"), 20000)

    def test_a_program_that_is_not_there(self):
        self.program.unlink()
        with mock.patch.dict(os.environ, {"PATH": ""}):
            with self.assertRaisesRegex(lingualign.ProgramNotFound, "nor on the PATH: pip install lingualign"):
                lingualign.compare("a", "b")

    def test_a_folder_that_cannot_be_known_is_asked_for(self):
        with self.assertRaisesRegex(ValueError, "say the run folder by `out`"):
            lingualign.run("x.toml", only="train")


if __name__ == "__main__":
    unittest.main()
