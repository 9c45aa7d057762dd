"""Every relative link of the repository's Markdown files leads to a file that is there, and to a heading of it."""

import pathlib
import re
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[1]
FOLDERS = ["docs", "bench", "recipes", "python", "assets", "ci", "crates", "tests", "fuzz"]
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"`[^`\n]*`")
HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
OUTSIDE = ("http:", "https:", "mailto:")


def find_pages():
    below = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.md")]
    return [path for path in [*ROOT.glob("*.md"), *below] if "target" not in path.relative_to(ROOT).parts]


def list_anchors(text):
    """What GitHub calls the headings: small letters, no punctuation, hyphens for spaces, a number behind the second of a name."""
    anchors = []
    for heading in HEADING.findall(FENCED.sub("", text)):
        heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        name = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        same = sum(1 for anchor in anchors if re.fullmatch(re.escape(name) + r"(-\d+)?", anchor))
        anchors.append(f"{name}-{same}" if same else name)
    return anchors


def is_dead(page, text, link):
    path, _, anchor = link.partition("#")
    target = page.parent / path if path else page
    if not target.exists():
        return True
    if not anchor or target.suffix != ".md":
        return False
    return anchor not in list_anchors(text if target == page else target.read_text(encoding="utf-8"))


def find_dead(page, text):
    links = LINK.findall(CODE.sub("`", FENCED.sub("", text)))
    return [link for link in links if not link.startswith(OUTSIDE) and is_dead(page, text, link)]


class Links(unittest.TestCase):
    def test_relative_links_lead_somewhere(self):
        pages = find_pages()
        self.assertGreater(len(pages), 24)
        dead = {str(page.relative_to(ROOT)): find_dead(page, page.read_text(encoding="utf-8")) for page in pages}
        self.assertEqual({name: links for name, links in dead.items() if links}, {})

    @unittest.skipUnless((ROOT / ".git").exists(), "no repository")
    def test_every_markdown_file_of_the_repository_is_looked_at(self):
        listed = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
        looked = {path.relative_to(ROOT).as_posix() for path in find_pages()}
        self.assertEqual(sorted(set(listed) - looked), [])

    def test_every_page_of_the_documents_can_be_reached_from_the_readme(self):
        reached, left = set(), [ROOT / "README.md"]
        while left:
            page = left.pop().resolve()
            if page not in reached and page.suffix == ".md" and page.is_file():
                reached.add(page)
                text = CODE.sub("`", FENCED.sub("", page.read_text(encoding="utf-8")))
                left += [page.parent / link.split("#")[0] for link in LINK.findall(text) if not link.startswith((*OUTSIDE, "#"))]
        pages = (ROOT / "docs").rglob("*.md")
        self.assertEqual([page.name for page in pages if page not in reached], [])

    def test_a_dead_link_is_found_and_code_is_none(self):
        page = ROOT / "README.md"
        text = "## Here it is\n[a](docs/none.md) [b](docs/data.md#auditing) `[c](d)`\n```\n[e](f)\n```\n[g](docs/data.md#x) [h](#here-it-is) [i](#there)"
        self.assertEqual(find_dead(page, text), ["docs/none.md", "docs/data.md#x", "#there"])

    def test_headings_are_named_as_github_names_them(self):
        text = "# What `check` says: all, at once\n```\n# no heading\n```\n## `label_words`\n### Twice\n### Twice\n## [A link](x.md) and *more* #\n"
        self.assertEqual(list_anchors(text), ["what-check-says-all-at-once", "label_words", "twice", "twice-1", "a-link-and-more"])


if __name__ == "__main__":
    unittest.main()
