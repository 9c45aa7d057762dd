"""docs/troubleshooting.md quotes messages that the program's source has."""

import re
import unittest
from functools import lru_cache

from fixture import REPOSITORY

PAGE = REPOSITORY / "docs" / "troubleshooting.md"
TOKEN = re.compile(
    r"//[^\n]*|/\*.*?\*/|'(?:\\.[^']*|[^\\'])'|r(?P<hashes>#+)\"(?P<raw>.*?)\"(?P=hashes)|\"(?P<text>(?:[^\"\\]|\\.)*)\"", re.DOTALL
)
PLACE = re.compile(r"\{\{|\}\}|\{[^{}]*\}")
SHORTEST = 12  # characters of a part of a text that say where it is from
MEAN = 6  # characters of such parts, so that no text is spelt letter by letter
SYSTEM = ["No such file or directory (os error 2)", "No space left on device (os error 28)"]


def fixed_parts(source):
    """What a Rust source's texts hold between their `{}`."""
    for token in TOKEN.finditer(source):
        text = token["raw"] or token["text"]
        if text:
            text = re.sub(r"\\\n\s*", "", text).replace('\\"', '"').replace("\\n", "\n").replace("\\\\", "\\")
            braces = {"{{": "{", "}}": "}"}
            yield from re.split("[\0\n]", PLACE.sub(lambda place: braces.get(place[0], "\0"), text))


@lru_cache(maxsize=None)
def corpus():
    parts = set(SYSTEM)
    for path in [*REPOSITORY.glob("crates/*/src/**/*.rs"), *REPOSITORY.glob("src/**/*.rs")]:
        if "tests" not in path.relative_to(REPOSITORY).parts and path.name != "tests.rs":
            parts.update(fixed_parts(path.read_text(encoding="utf-8").split("#[cfg(test)]\nmod tests {")[0]))
    return parts | {part.strip() for part in parts}, "\0".join(sorted(parts))


def is_within_word(text, at):
    """Whether a word goes on at this place."""
    return 0 < at < len(text) and text[at - 1].isalnum() and text[at].isalnum()


def is_piece(text, start, end):
    """Whether a stretch of a quoted text cuts no word, here or there, and is a text's whole part or a long piece of one."""
    if is_within_word(text, start) or is_within_word(text, end):
        return False
    parts, source = corpus()
    piece = text[start:end]
    if piece in parts or end - start < SHORTEST:
        return piece in parts
    at = source.find(piece)
    while at >= 0:
        after = at + len(piece)
        if not (is_within_word(source, at) or is_within_word(source, after)):
            return True
        at = source.find(piece, at + 1)
    return False


def is_of_the_source(fragment):
    """Whether the fragment is a row of whole parts of texts and of long pieces of such, and of few of them."""
    fewest = {0: 0}
    for end in range(1, len(fragment) + 1):
        fits = [fewest[start] for start in range(end) if start in fewest and is_piece(fragment, start, end)]
        if fits:
            fewest[end] = 1 + min(fits)
    return fewest.get(len(fragment), len(fragment)) <= 1 + len(fragment) // MEAN


def quoted(text):
    """The lines of blocks that quote the program."""
    return "".join(re.findall(r"^```text\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)).splitlines()


def unknown_fragments(line):
    fragments = (fragment.strip() for fragment in line.removeprefix("error: ").split("…"))
    return [fragment for fragment in fragments if fragment and not is_of_the_source(fragment)]


class Quotes(unittest.TestCase):
    maxDiff = None

    def test_texts_are_taken_out_of_a_source(self):
        source = 'let a = \'"\'; // "no"\nf("one {x} two {{}} \\\n    three \\"q\\""); r#"raw "x" {}"#'
        self.assertEqual(list(fixed_parts(source)), ["one ", ' two {} three "q"', 'raw "x" ', ""])

    def test_a_text_that_is_not_there_is_found(self):
        self.assertEqual(unknown_fragments("… has … pairs, … were asked for"), [])
        self.assertEqual(unknown_fragments("… has … pears, … were asked for"), ["pears,"])
        self.assertEqual(unknown_fragments("eval.tokens_per_batch: to ask … tokens at once takes …, and there is …; lower is"), ["; lower is"])

    def test_every_quoted_message_is_in_the_source(self):
        lines = quoted(PAGE.read_text(encoding="utf-8"))
        self.assertGreater(len(lines), 40)
        unknown = {line: unknown_fragments(line) for line in lines}
        self.assertEqual({line: fragments for line, fragments in unknown.items() if fragments}, {})


if __name__ == "__main__":
    unittest.main()
