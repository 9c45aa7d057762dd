"""Every relative link of the repository's Markdown files leads to a file that is there."""

import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[1]
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)


def dead_links(path, text):
    links = LINK.findall(CODE.sub("", text))
    relative = [link.split("#")[0] for link in links if not link.startswith(("http:", "https:", "mailto:", "#"))]
    return [link for link in relative if not (path.parent / link).exists()]


class Links(unittest.TestCase):
    def test_relative_links_lead_somewhere(self):
        pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("bench/*.md")]
        self.assertGreater(len(pages), 20)
        dead = {page.name: dead_links(page, page.read_text(encoding="utf-8")) for page in pages}
        self.assertEqual({name: links for name, links in dead.items() if links}, {})

    def test_a_dead_link_is_found_and_code_is_none(self):
        page = ROOT / "README.md"
        text = "[a](docs/none.md) [b](docs/data.md#x) `[c](d)`\n```\n[e](f)\n```"
        self.assertEqual(dead_links(page, text), ["docs/none.md"])


if __name__ == "__main__":
    unittest.main()
