"""Tests of what needs neither llama.cpp nor a model: reading both outputs, medians, the table."""

import json
import tempfile
import unittest
from pathlib import Path

import llama_cpp
from process import BenchError

OURS = {"threads": 2, "kernels": "avx2", "precision": "packed"}


def llama_line(tokens, rates, generated=0):
    """As llama-bench writes it, without the keys that nothing here reads."""
    line = {"build_commit": "abc1234", "build_number": 7000, "n_prompt": tokens, "n_gen": generated, "samples_ts": rates}
    return json.dumps(line)


class LlamaCpp(unittest.TestCase):
    def log(self, *lines):
        file = Path(self.enterContext(tempfile.TemporaryDirectory())) / "log"
        file.write_text("\n".join(lines) + "\n")
        return file

    def test_rates_of_ours_are_medians_of_tokens_by_second(self):
        log = self.log(
            "a warning", json.dumps({**OURS, "tokens": 64, "seconds": [2.0, 0.5, 1.0]}), json.dumps({**OURS, "tokens": 8, "seconds": [2.0]})
        )
        self.assertEqual(llama_cpp.read_ours(log), ({64: 64.0, 8: 4.0}, "avx2"))

    def test_rates_of_llama_bench_are_those_of_prompts(self):
        log = self.log("load: ...", llama_line(64, [10.0, 30.0, 20.0]), llama_line(0, [5.0], generated=128))
        self.assertEqual(llama_cpp.read_llama(log), ({64: 20.0}, "abc1234 (7000)"))

    def test_an_output_without_results_is_shown(self):
        with self.assertRaisesRegex(BenchError, "no results in the output:\ncannot load"):
            llama_cpp.read_llama(self.log("cannot load"))

    def test_a_length_that_one_side_lacks_is_an_error(self):
        with self.assertRaisesRegex(BenchError, "m.gguf: not every length"):
            llama_cpp.summarise("m.gguf", [({64: 1.0}, {64: 1.0, 128: 1.0})], {})

    def test_a_record_has_the_medians_of_both_and_the_table_the_spread(self):
        rounds = [({64: 30.0}, {64: 10.0}), ({64: 10.0}, {64: 20.0}), ({64: 20.0}, {64: 40.0})]
        about = {"kernels": "avx512", "llama_cpp": "abc (1)", "threads": 2, "noisy": True}
        (record,) = llama_cpp.summarise("m.gguf", rounds, about)
        self.assertEqual((record["ours"], record["llama"], record["ratio"]), (20.0, 20.0, 1.0))
        table = llama_cpp.render([record], "a machine")
        self.assertIn("| m.gguf | 64 | 20 | 20 | 1.00 | 0.50 to 3.00 (noisy) |", table)
        self.assertIn("a machine, 2 threads, our kernels avx512, llama.cpp abc (1); medians of 3 alternating rounds", table)

    def test_both_sides_get_the_same_prompts_and_threads(self):
        arguments = llama_cpp.parse_arguments(["--llama-bench", "lb", "m.gguf", "--threads", "2", "--lengths", "64,512"])
        llama = [str(word) for word in llama_cpp.llama_command(Path("m.gguf"), arguments)]
        self.assertEqual(" ".join(llama), "lb -m m.gguf -p 64,512 -n 0 -t 2 -r 3 -o jsonl")
        ours = [str(word) for word in llama_cpp.ours_command(Path("m.gguf"), arguments)]
        self.assertEqual(ours[1:], ["m.gguf", "packed", "64,512", "3"])


if __name__ == "__main__":
    unittest.main()
