"""Tests of what needs no peer: cases, prompts, medians, and the rendering of results. `python3 -m unittest discover bench`."""

import json
import struct
import tempfile
import unittest
from pathlib import Path

import cases
import process
import results
import scaling
import workload


def record(name, **more):
    """A result of a case as compare.py keeps it."""
    (case,) = cases.find_cases([name])
    facts = {"ours_peak_mb": 1000, "peer_peak_mb": 2500, "threads": 2, "noisy": False, "machine": "a machine, 2 cores"}
    facts |= {"data": "released layout", "versions": {"ours": "0.1.0", "torch": "2.15.0"}}
    return results.summarise(case, [31.0, 10.0, 20.0], [5.0, 4.0, 40.0], **{**facts, **more})


class Cases(unittest.TestCase):
    def test_without_a_name_all_twenty_six(self):
        names = [case.name for case in cases.find_cases([])]
        self.assertEqual(len(names), 26)
        self.assertEqual(names[:4], ["train-qv-f32", "train-qv-bf16", "train-all-f32", "train-all-bf16"])
        self.assertIn("eval-snli-lm-eval-bf16", names)
        self.assertEqual(names[-4:], ["capture-f32", "capture-bf16", "capture-padded-f32", "capture-padded-bf16"])
        self.assertEqual(len(set(names)), 26)

    def test_an_unknown_name_is_refused_with_the_known_ones(self):
        with self.assertRaisesRegex(ValueError, "no case eval-xnli-cached-f32; there are: train-qv-f32, "):
            cases.find_cases(["eval-xnli-cached-f32"])

    def test_goals_and_units_are_those_of_the_case(self):
        found = cases.find_cases(["capture-bf16", "capture-padded-bf16", "train-qv-bf16", "eval-snli-authors-f32"])
        self.assertEqual([case.goal for case in found], [2.2, None, 2.2, 10])
        self.assertEqual([case.unit for case in found], ["prompts/s", "prompts/s", "tokens/s", "questions/s"])

    def test_every_peer_has_a_script(self):
        here = Path(cases.__file__).parent / "peers"
        usual, extra = cases.all_cases()
        for case in usual + extra:
            self.assertTrue((here / cases.SCRIPTS[case.peer]).is_file(), case.name)


class Summaries(unittest.TestCase):
    def test_medians_and_their_ratio(self):
        found = record("eval-snli-cached-f32")
        self.assertEqual((found["ours"], found["peer"], found["ratio"]), (20.0, 5.0, 4.0))
        self.assertEqual(found["unit"], "questions/s")
        self.assertEqual(found["ours_runs"], [31.0, 10.0, 20.0])

    def test_noise_of_one_run_is_noise_and_not_knowing_is_said(self):
        quiet, loud, unknown = (process.Cost(1.0, share) for share in (0.01, 0.2, None))
        self.assertIs(process.is_noisy([quiet, loud, unknown]), True)
        self.assertIs(process.is_noisy([quiet, quiet]), False)
        self.assertIsNone(process.is_noisy([quiet, unknown]))


class Rendering(unittest.TestCase):
    def test_rows_in_the_order_of_the_cases_with_goal_and_noise(self):
        kept = {name: record(name) for name in ("train-all-f32", "train-qv-f32")}
        kept["eval-paws-lm-eval-f32"] = record("eval-paws-lm-eval-f32", noisy=True)
        text = results.render_comparison(kept)
        self.assertIn("a machine, 2 cores; 2 threads; data: released layout; ours 0.1.0, torch 2.15.0.", text)
        first = "| qv | f32 | PEFT, hand-written loop | 20 | 5 | 4.00 | 1.9 | 1000 | 2500 |"
        self.assertLess(text.index(first), text.index("| all | f32 |"))
        self.assertEqual(text.count(first), 1)
        self.assertIn("| paws | f32 | lm-evaluation-harness | 20 | 5 | 4.00 (noisy) |  | 1000 | 2500 |", text)

    def test_captures_have_a_table_of_their_own(self):
        text = results.render_comparison({name: record(name) for name in ("capture-padded-f32", "capture-f32", "train-qv-f32")})
        self.assertIn("| task | dtype | peer | ours, prompts/s | peer, prompts/s |", text)
        first = "| emotion | f32 | the authors' notebook | 20 | 5 | 4.00 | 2.2 | 1000 | 2500 |"
        second = "| emotion | f32 | transformers, padded batches | 20 | 5 | 4.00 |  | 1000 | 2500 |"
        self.assertLess(text.index(first), text.index(second))

    def test_other_machines_get_tables_of_their_own(self):
        kept = {"a": record("train-qv-f32"), "b": record("train-qv-bf16", machine="another")}
        self.assertEqual(results.render_comparison(kept).count("| targets |"), 2)

    def test_a_limited_run_is_a_machine_of_its_own(self):
        import compare

        self.assertEqual(compare.describe_limit("avx2"), ", kept to AVX2")
        self.assertEqual(compare.describe_limit(None), "")

    def test_every_row_has_as_many_cells_as_its_head(self):
        part = {"title": "T.", "columns": ["x", "y"], "rows": [[1, 2.5]], "machine": "m", "threads": 1}
        for text in (results.render_comparison({"a": record("train-qv-f32")}), results.render_scaling({"rows": part})):
            widths = {line.count("|") for line in text.splitlines() if line.startswith("|")}
            self.assertEqual(len(widths), 1, text)

    def test_only_the_marked_section_changes(self):
        text = "# Measured\n\nby hand\n\n<!-- compare:begin -->\nold\n<!-- compare:end -->\n\nmore by hand\n"
        new = results.replace_section(text, "compare", "new")
        self.assertEqual(new, text.replace("old", "new"))
        self.assertEqual(results.replace_section(new, "compare", "new"), new)
        added = results.replace_section(text, "scaling", "table")
        self.assertEqual(added, text + "\n<!-- scaling:begin -->\ntable\n<!-- scaling:end -->\n")

    def test_half_a_pair_of_markers_is_refused(self):
        for text in ("<!-- compare:begin -->", "<!-- compare:end -->\n<!-- compare:begin -->"):
            with self.assertRaisesRegex(ValueError, "the markers of `compare` are not a pair"):
                results.replace_section(text, "compare", "new")

    def test_results_are_kept_beside_each_other(self):
        with tempfile.TemporaryDirectory() as folder:
            file, document = Path(folder) / "results.json", Path(folder) / "RESULTS.md"
            self.assertEqual(results.read(file), {})
            document.write_text("# Measured\n\nby hand\n")
            results.save(file, document, {"compare": {"train-qv-f32": record("train-qv-f32")}})
            self.assertEqual(list(results.read(file)["compare"]), ["train-qv-f32"])
            self.assertTrue(document.read_text().startswith("# Measured\n\nby hand\n"))
            self.assertIn("| qv | f32 |", document.read_text())
            self.assertEqual(sorted(p.name for p in Path(folder).iterdir()), ["RESULTS.md", "results.json"])


class Work(unittest.TestCase):
    def test_prompts_are_those_of_the_released_scripts(self):
        data, task = workload.find_data(None, None, "eval", "emotion")
        prefix, questions, count = workload.render_prompts(data, task, 3)
        self.assertEqual((count, len(questions)), (3, 3))
        self.assertEqual(prefix.count('\nEmotion: "positive"\n'), 2)
        self.assertTrue(prefix.endswith('"\n') and questions[0].endswith('\nEmotion: "'))
        self.assertEqual(workload.render_prompts(data, task, 100)[2], 38)

    def test_without_data_a_test_set_is_made_of_the_exemplars(self):
        with tempfile.TemporaryDirectory() as folder:
            for name, count in (("snli", 30), ("paws", 12)):
                data, task = workload.find_data(None, folder, "eval", name)
                self.assertEqual(data.origin, "made of the shipped exemplars")
                self.assertEqual(workload.warm_language(data, task), "en")
                self.assertEqual(workload.render_prompts(data, task, 72)[2], count)

    def test_a_folder_without_the_task_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            with self.assertRaisesRegex(process.BenchError, "no file snli/snli_LANGUAGE"):
                workload.find_data(folder, folder, "eval", "snli")

    def test_rows_are_what_capture_reads(self):
        with tempfile.TemporaryDirectory() as folder:
            path = workload.write_rows(Path(folder) / "new" / "rows.jsonl", ['Öl\nEmotion: "', "x"])
            self.assertEqual([json.loads(line) for line in path.read_text().splitlines()], [{"text": 'Öl\nEmotion: "'}, {"text": "x"}])

    def test_a_tensor_is_read_out_of_a_file(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "states.safetensors"
            header = {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}
            header["hidden.mean"] = {"dtype": "F32", "shape": [1, 2], "data_offsets": [4, 12]}
            text = json.dumps(header).encode()
            path.write_bytes(struct.pack("<Q", len(text)) + text + struct.pack("<3f", 7, 1.5, -2))
            self.assertEqual(workload.read_tensor(path, "hidden.mean"), ([1, 2], workload.array.array("f", [1.5, -2])))

    def test_states_differ_by_a_share_of_their_layer_and_the_last_is_left_out(self):
        # Two prompts of ours, one of the peer's; three layers of two.
        ours = [1.0, 10.0, 200.0, 100.0, 5.0, 6.0] + [0.0] * 6
        difference = lambda *peer: workload.largest_difference([2, 3, 2], ours, list(peer))
        self.assertEqual(difference(1.0, 10.0, 200.0, 100.0, 99.0, 99.0), 0)
        self.assertAlmostEqual(difference(1.5, 10.0, 200.0, 100.0, 5.0, 6.0), 0.05)
        self.assertAlmostEqual(difference(1.5, 10.0, 200.0, 80.0, 5.0, 6.0), 0.1)
        for wrong in ([], [1.0] * 5, [1.0] * 18):
            with self.assertRaisesRegex(process.BenchError, f"the peer gave {len(wrong)} values"):
                difference(*wrong)

    def test_recipes_are_toml(self):
        with tempfile.TemporaryDirectory() as folder:
            data = workload.Data(Path(folder), "de", "released layout")
            path = workload.training_recipe(Path(folder) / "r.toml", Path("m"), "bf16", data, "snli", "qv", 5)
            recipe = workload.tomllib.loads(path.read_text())
            self.assertEqual((recipe["train"]["pairs"], recipe["train"]["max_steps"]), (80, 5))
            self.assertEqual(recipe["train"]["lora"]["targets"], ["q_proj", "v_proj"])

    def test_the_made_up_model_is_a_safetensors_file(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.safetensors"
            scaling.write_safetensors(path, {"a": (3, 5), "b": (700, 900)})
            content = path.read_bytes()
            (length,) = struct.unpack("<Q", content[:8])
            header = json.loads(content[8 : 8 + length])
            self.assertEqual(header["b"]["data_offsets"], [30, 30 + 2 * 700 * 900])
            self.assertEqual(len(content), 8 + length + 30 + 2 * 700 * 900)


if __name__ == "__main__":
    unittest.main()
