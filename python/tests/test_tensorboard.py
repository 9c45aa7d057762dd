"""`report --tensorboard` is read back by TensorBoard's own reader; skipped where that or the program is not there."""

import importlib.util
import json
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from program import find_program

RUN = Path(__file__).resolve().parent / "run"
PROGRAM = find_program()


@unittest.skipIf(PROGRAM is None, "the program is not built")
@unittest.skipIf(importlib.util.find_spec("tensorboard") is None, "tensorboard is not installed")
class TensorBoard(unittest.TestCase):
    def test_curves_are_those_of_the_logs(self):
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        with tempfile.TemporaryDirectory() as folder:
            run = Path(folder, "run")
            shutil.copytree(RUN, run)
            out = Path(folder, "board")
            subprocess.run([PROGRAM, "report", run, "--tensorboard", out], check=True, capture_output=True)
            logs = [path for path in run.glob("train/*.jsonl") if not path.name.endswith(".probes.jsonl")]
            self.assertEqual({path.name for path in out.iterdir()}, {path.stem for path in logs})
            for log in logs:
                self.compare(EventAccumulator(str(out / log.stem)).Reload(), log)

    def compare(self, board, log):
        records = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
        for kind, tag in [("step", "train/loss"), ("validation", "validation/loss")]:
            expected = [(record["step"], record["loss"]) for record in records if record["kind"] == kind]
            found = [(event.step, event.value) for event in board.Scalars(tag)]
            self.assertEqual([step for step, _ in found], [step for step, _ in expected])
            for (_, value), (_, loss) in zip(found, expected):
                self.assertAlmostEqual(value, loss, places=5)
        probes = log.with_name(f"{log.stem}.probes.jsonl")
        if probes.is_file():
            first = json.loads(probes.read_text("utf-8").splitlines()[0])
            right = sum(answer["correct"] for answer in first["answers"])
            event = board.Scalars(f"probe/accuracy/{first['language']}")[0]
            self.assertAlmostEqual(event.value, right / len(first["answers"]), places=5)


if __name__ == "__main__":
    unittest.main()
