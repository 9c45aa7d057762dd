"""Every command that the documents show exists, with every flag that they give it."""

import re
import shlex
import subprocess
import unittest
from functools import lru_cache

from fixture import REPOSITORY
from program import find_program

FENCED = re.compile(r"^```[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
SPAN = re.compile(r"`(lingualign [^`]+)`")
WORD = re.compile(r"[a-z][a-z-]*")


def list_commands(text):
    """What follows `lingualign` in blocks and spans of code, up to the end of the command."""
    code = [line for block in FENCED.findall(text) for line in block.replace("\\\n", " ").splitlines()]
    code += SPAN.findall(re.sub(r"\s+", " ", FENCED.sub("", text)))
    for line in code:
        for found in re.findall(r"(?:^|[ ;(])lingualign ([a-z-][^|;&#]*)", line):
            yield found.strip()


@lru_cache(maxsize=None)
def read_help(command):
    """The help of a command; None where there is no such command."""
    done = subprocess.run([find_program(), *command, "--help"], capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else None


def list_subcommands(text):
    part = text.partition("Commands:\n")[2].partition("\n\n")[0]
    return re.findall(r"^  ([a-z][a-z-]*)", part, re.MULTILINE)


def find_fault(line):
    """What is wrong with a command; None where nothing is."""
    try:
        words = shlex.split(line)
    except ValueError:
        words = line.split()
    command = ()
    shown = read_help(command)
    while words and list_subcommands(shown):
        if words[0].startswith("-"):
            break
        if words[0] not in list_subcommands(shown):
            return f"no command `{words[0]}`"
        command += (words.pop(0),)
        shown = read_help(command)
    flags = [re.match(r"--[a-z-]+", word) for word in words]
    missing = sorted({flag[0] for flag in flags if flag} - set(re.findall(r"--[a-z-]+", shown + read_help(()))))
    return f"no flag {', '.join(missing)}" if missing else None


@unittest.skipUnless(find_program(), "no program: cargo build, or name it in LINGUALIGN")
class Commands(unittest.TestCase):
    maxDiff = None

    def test_every_command_of_the_documents_exists(self):
        faults, count = {}, 0
        for page in [*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/*.md"), *REPOSITORY.glob("bench/*.md")]:
            for line in list_commands(page.read_text(encoding="utf-8")):
                count += 1
                if fault := find_fault(line):
                    faults[f"{page.name}: lingualign {line}"] = fault
        self.assertGreater(count, 100)
        self.assertEqual(faults, {})

    def test_a_command_that_is_not_there_is_found(self):
        text = "`lingualign data audits x`\n```\nA=1 lingualign run x --out y --outer z; lingualign pack \\\n  --seal\n```\n"
        faults = [find_fault(line) for line in list_commands(text)]
        self.assertEqual(faults, ["no flag --outer", "no flag --seal", "no command `audits`"])


if __name__ == "__main__":
    unittest.main()
