"""Sums up runs, keeps results in a JSON file, and renders them into the marked sections of RESULTS.md.

Never here: timing. Text outside the markers is never touched.
"""

import json
import os
import statistics
from pathlib import Path

from cases import PEER_NAMES, UNITS, all_cases


def summarise(case, ours_runs, peer_runs, **more):
    """The record of one case: medians over the rounds and their ratio."""
    ours, peer = statistics.median(ours_runs), statistics.median(peer_runs)
    return {
        "case": case.name,
        "ours": significant(ours),
        "peer": significant(peer),
        "ratio": significant(ours / peer),
        "unit": case.unit,
        "ours_runs": [significant(run) for run in ours_runs],
        "peer_runs": [significant(run) for run in peer_runs],
        **more,
    }


def significant(value, digits=4):
    """Rounded to what a timing can tell."""
    return float(f"{value:.{digits}g}")


def read(path):
    """`{"compare": {case: record}, "scaling": {...}}`; empty if there is no file yet."""
    path = Path(path)
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def write(path, results):
    """Writes the file whole."""
    write_whole(path, json.dumps(results, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def write_whole(path, text):
    """To a temporary name, then renamed."""
    temporary = Path(f"{path}.tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


def replace_section(text, name, content):
    """`text` with what stands between the markers of section `name` replaced; the section is added if it is not there.

    Raises ValueError if only one of its markers is there, or they stand in the wrong order.
    """
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    section = f"{begin}\n{content.strip()}\n{end}"
    if begin not in text and end not in text:
        return f"{text.rstrip()}\n\n{section}\n"
    start, stop = text.find(begin), text.find(end)
    if start < 0 or stop < start:
        raise ValueError(f"RESULTS.md: the markers of `{name}` are not a pair")
    return text[:start] + section + text[stop + len(end) :]


def save(results_file, document, results):
    """Writes the results, and renders them into the document."""
    write(results_file, results)
    document = Path(document)
    text = document.read_text(encoding="utf-8") if document.exists() else "# Measured\n"
    text = replace_section(text, "compare", render_comparison(results.get("compare", {})))
    text = replace_section(text, "scaling", render_scaling(results.get("scaling", {})))
    write_whole(document, text)


def render_comparison(records):
    """Tables of all cases that were measured, for each machine and number of threads."""
    lines = ["## Beside the peers", ""]
    if not records:
        return "\n".join([*lines, "Nothing is measured yet: `python3 bench/compare.py`."])
    lines += ["Made by `bench/compare.py`: medians of alternating runs. [README.md](README.md) says what is timed.", ""]
    groups = {}
    for record in records.values():
        groups.setdefault((record["machine"], record["threads"], record["data"]), []).append(record)
    for (machine, threads, data), group in groups.items():
        lines += [f"{machine}; {count(threads, 'thread')}; data: {data}; {join_versions(group)}.", ""]
        for kind, head in [("train", "targets"), ("eval", "task"), ("capture", "task")]:
            lines += render_table(group, kind, [head])
    return "\n".join(lines)


def render_table(records, kind, heads):
    """One table of the cases of a kind, in the order of the command line."""
    usual, extra = all_cases()
    rows = []
    for case in usual + extra:
        record = next((record for record in records if record["case"] == case.name), None)
        if record and case.kind == kind:
            rows.append(render_row(case, record))
    if not rows:
        return []
    unit = UNITS[kind]
    columns = [*heads, "dtype", "peer", f"ours, {unit}", f"peer, {unit}", "ratio", "goal", "peak MB, ours", "peer"]
    rule = ["---"] * (len(heads) + 2) + ["---:"] * 6
    return [table_line(columns), "|" + "|".join(rule) + "|", *map(table_line, rows), ""]


def render_row(case, record):
    """The cells of one case."""
    ratio = f"{record['ratio']:.2f}" + (" (noisy)" if record.get("noisy") else "")
    goal = f"{case.goal:g}" if case.goal else ""
    speeds = [f"{record[side]:.3g}" if record[side] < 100 else f"{record[side]:.0f}" for side in ("ours", "peer")]
    peaks = [f"{record[f'{side}_peak_mb']:.0f}" for side in ("ours", "peer")]
    return [case.what, case.dtype, PEER_NAMES[case.peer], *speeds, ratio, goal, *peaks]


def render_scaling(scaling):
    """How cost grows with what is asked, one table for each curve."""
    lines = ["## How cost grows", ""]
    if not scaling:
        return "\n".join([*lines, "Nothing is measured yet: `python3 bench/scaling.py`."])
    for setting in sorted({(part["machine"], part["threads"]) for part in scaling.values()}):
        lines += [f"Made by `bench/scaling.py`: {setting[0]}; {count(setting[1], 'thread')}.", ""]
        for part in scaling.values():
            if (part["machine"], part["threads"]) == setting:
                rule = "|" + "|".join(["---:"] * len(part["columns"])) + "|"
                lines += [f"{part['title']}", "", table_line(part["columns"]), rule]
                lines += [table_line(map(format_cell, row)) for row in part["rows"]] + [""]
    return "\n".join(lines)


def join_versions(records):
    """Every program and version that took part."""
    found = {}
    for record in records:
        for name, version in record["versions"].items():
            found.setdefault(name, set()).add(version)
    return ", ".join(f"{name} {' and '.join(sorted(versions))}" for name, versions in found.items())


def format_cell(cell):
    """A number as a table shows it."""
    return f"{cell:.4g}" if isinstance(cell, float) else str(cell)


def table_line(cells):
    """A row of a Markdown table."""
    return "| " + " | ".join(cells) + " |"


def count(number, noun):
    """`1 thread`, `2 threads`."""
    return f"{number} {noun}" + ("" if number == 1 else "s")
