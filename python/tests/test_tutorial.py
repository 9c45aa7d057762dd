"""docs/tutorial.md runs as it stands: its files are written, its commands run, and what it quotes is compared.

The program is named by LINGUALIGN; without it the one that cargo built last is taken, and the test is skipped where there
is none. A tiny made-up model stands for the real one, whose numbers then do not count; LINGUALIGN_TUTORIAL_MODEL=real
runs the page word for word.
"""

import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

from fixture import REPOSITORY
from make_run import make_model
from program import find_program

PAGE = REPOSITORY / "docs" / "tutorial.md"
MODEL = "smollm2-135m-instruct"
IS_REAL = os.environ.get("LINGUALIGN_TUTORIAL_MODEL") == "real"
BLOCK = re.compile(r"^(?:`(?P<name>[^`\n]+)`:\n\n)?```(?P<kind>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"[+−-]?\d+(?:\.\d+)?")
FILE = re.compile(r"`(runs/support/[^`\s]+)`")


def blocks(text):
    """The fenced blocks in their order: the name of a file if there is one above, the kind, the text."""
    return [(found["name"], found["kind"], found["body"]) for found in BLOCK.finditer(text)]


def loosen(line):
    """The line without spaces, marks and numbers, which another model changes."""
    return re.sub(r"\\textbf|[\s\[\],–&$\\{}]", "", NUMBER.sub("", line))


def missing_lines(quoted, output, is_exact):
    """The quoted lines that the output lacks; `…` in one stands for anything."""
    show = str.rstrip if is_exact else loosen
    lines = [show(line) for line in output.splitlines()]

    def is_there(line):
        pattern = ".*".join(re.escape(part) for part in show(line).split("…"))
        return any(re.fullmatch(pattern, other) for other in lines)

    return [line for line in quoted.splitlines() if not is_there(line)]


class Checker(unittest.TestCase):
    def test_blocks_have_names_and_kinds(self):
        text = "`a.csv`:\n\n```csv\nx\n```\n\nsay\n\n```sh\nlingualign a\n```\n\n```text smollm2\n1\n```\n"
        expected = [("a.csv", "csv", "x\n"), (None, "sh", "lingualign a\n"), (None, "text smollm2", "1\n")]
        self.assertEqual(blocks(text), expected)

    def test_a_line_that_is_not_there_is_missing(self):
        output = "base   44.44\n2 items\n"
        self.assertEqual(missing_lines("2 items\n3 items\n", output, True), ["3 items"])
        self.assertEqual(missing_lines("base 50.00\ntuned 1.0\n", output, False), ["tuned 1.0"])
        self.assertEqual(missing_lines("base …\n… files\n", output, True), ["… files"])


@unittest.skipUnless(find_program(), "no program: cargo build, or name it in LINGUALIGN")
class Tutorial(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name) / "empty"
        tools = Path(scratch.name) / "bin"
        self.folder.mkdir()
        tools.mkdir()
        (tools / "lingualign").symlink_to(find_program())
        self.environment = {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
        self.text = PAGE.read_text(encoding="utf-8")
        if not IS_REAL:
            make_model(Path(scratch.name) / "tiny")

    def adapt(self, text):
        return text if IS_REAL else text.replace(MODEL, "../tiny")

    def run_commands(self, commands):
        done = subprocess.run(
            ["sh", "-euc", self.adapt(commands)], cwd=self.folder, env=self.environment, text=True, encoding="utf-8",
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        self.assertEqual(done.returncode, 0, f"{commands}\n{done.stdout}")
        return done.stdout

    def test_the_page_runs_as_it_stands(self):
        output, commands = "", 0
        for name, kind, body in blocks(self.text):
            if name:
                (self.folder / name).write_text(self.adapt(body), encoding="utf-8")
            elif kind == "sh":
                output = self.run_commands(body)
                commands += 1
            elif kind.startswith("text"):
                self.assertEqual(missing_lines(body, output, IS_REAL or kind == "text"), [], output)
            else:
                self.assertEqual(kind, "latex", body)
        self.assertEqual(commands, 10 + 1, "ten commands, and one for the other form of file")
        named = set(FILE.findall(self.text))
        named |= {f"runs/support/report/tables/{table}" for table in re.findall(r"`([a-z.-]+\.tex)`", self.text)}
        self.assertGreater(len(named), 5)
        self.assertEqual([path for path in sorted(named) if not (self.folder / path).exists()], [])
        self.assertTrue((self.folder / "support.zip").is_file())
        used = re.search(r"\\input\{([^}]+)\}", self.text)[1]
        self.assertTrue((self.folder / used).is_file(), used)


if __name__ == "__main__":
    unittest.main()
