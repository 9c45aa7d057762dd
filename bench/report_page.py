"""The report's page in Chromium: tables sorted by keyboard, folded parts in print, one pooling at a time, no
sideways scroll, nothing on the console; screenshots and axe-core on request, with all folded parts open.

    python3 bench/report_page.py runs/quickstart/report/index.html [--shots DIR] [--axe axe.min.js]

Standard library only; `chromium` is on the path. Never here: a check of the numbers (the tests of `report`).
"""

import argparse
import base64
import pathlib
import re
import sys
import time
import zlib

from questions_page import VIEWS, Browser

OPEN_ALL = "document.querySelectorAll('details').forEach((one) => one.open = true)"
# the language column of the first table that can be sorted, without its means
ROWS = "[...document.querySelectorAll('main table:has(thead button) ')[0].tBodies[0].rows]"


def show(browser, page):
    browser.call("Page.navigate", url="about:blank")
    browser.call("Page.navigate", url=page)
    for _ in range(600):
        if browser.run("location.href !== 'about:blank' && document.readyState === 'complete'"):
            return
        time.sleep(0.05)
    sys.exit(f"{page}: not ready after 30 s")


def sort_by_keyboard(browser, page):
    """What is wrong with sorting by Tab and Enter."""
    show(browser, page)
    names = f"{ROWS}.map((row) => row.cells[0].textContent)"
    pinned = f"{ROWS}.filter((row) => row.classList.contains('strong')).map((row) => row.cells[0].textContent)"
    before, means = browser.run(names), browser.run(pinned)
    browser.run("document.querySelector('main table thead button').focus()")
    faults = []
    for expected in ["ascending", "descending", None]:
        browser.press("Enter", 13, "\r")
        time.sleep(0.1)
        said = browser.run("document.querySelector('main table thead button').closest('th').getAttribute('aria-sort')")
        if said != expected:
            faults.append(f"aria-sort is {said}, not {expected}")
        now = [name for name in browser.run(names) if name not in means]
        wanted = [name for name in before if name not in means]
        if expected:
            wanted = sorted(wanted, reverse=expected == "descending", key=str.casefold)
        if now != wanted:
            faults.append(f"{expected}: {now}")
        if browser.run(pinned) != means:
            faults.append("the means moved")
    if browser.run(names) != before:
        faults.append("the third press does not bring the first order back")
    return faults


def choose_pooling(browser):
    """What is wrong with the choice of a pooling by arrow key; nothing where there is none."""
    if not browser.run("document.querySelector('.choice input')"):
        return []
    shown = "[...document.querySelector('.choice').querySelectorAll('.panel')].map((one) => one.checkVisibility())"
    first = browser.run(shown)
    browser.run("document.querySelector('.choice input').focus()")
    browser.press("ArrowRight", 39)
    second = browser.run(shown)
    is_right = first.index(True) == 0 and second.index(True) == 1 and first.count(True) == second.count(True) == 1
    return [] if is_right else [f"poolings shown: {first}, then {second}"]


def count_pages(pdf):
    """Pages of a PDF file, whose objects may be compressed."""
    text = pdf
    for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.S):
        try:
            text += zlib.decompress(stream)
        except zlib.error:
            pass
    return max(len(re.findall(rb"/Type\s*/Page\b", text)), 1)


def print_folded(browser, page):
    """Pages with all folded parts closed and open; they must be as many, with the script and without."""
    counts = []
    for has_script, opened in [(True, False), (False, False), (True, True)]:
        browser.call("Emulation.setScriptExecutionDisabled", value=not has_script)
        if has_script:
            show(browser, page)
        else:
            browser.call("Page.navigate", url=page)
            time.sleep(2)
        if opened:
            browser.run(OPEN_ALL)
        counts.append(count_pages(base64.b64decode(browser.call("Page.printToPDF")["data"])))
    browser.call("Emulation.setScriptExecutionDisabled", value=False)
    print(f"pages in print: {counts[0]}, without the script {counts[1]}, opened by hand {counts[2]}")
    return [] if min(counts) == max(counts) else ["what is folded is not printed"]


def look(browser, page, axe, shots):
    """Violations by axe-core in every view, and screenshots."""
    faults = []
    for width, scheme, media in VIEWS:
        for name in ["closed", "open"]:
            browser.look(width, scheme, media)
            show(browser, page)
            if name == "open":
                browser.run(OPEN_ALL)
            view = f"{name}-{width}-{media or scheme}"
            if not media and browser.run("document.documentElement.scrollWidth") > width:
                faults.append(f"{view}: the page scrolls sideways")
            if shots:
                browser.shot(shots / f"{view}.png", whole=name == "closed")
            if axe:
                faults.extend(f"{view}: {one}" for one in browser.violations(axe))
    return faults


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("page", type=pathlib.Path)
    arguments.add_argument("--shots", type=pathlib.Path)
    arguments.add_argument("--axe", type=pathlib.Path)
    given = arguments.parse_args()
    page = given.page.resolve().as_uri()
    browser = Browser()
    try:
        faults = sort_by_keyboard(browser, page) + choose_pooling(browser) + print_folded(browser, page)
        if given.shots:
            given.shots.mkdir(parents=True, exist_ok=True)
        if given.shots or given.axe:
            faults += look(browser, page, given.axe and given.axe.read_text(), given.shots)
        faults += [f"console: {one}" for one in browser.complaints]
    finally:
        browser.close()
    print("\n".join(faults) or "no fault")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
