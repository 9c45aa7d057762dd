"""Rows of the records in `inside/`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Iterator

from ._errors import RecordError
from ._records import Record, read_json, read_lines

MEASURES = {
    "lens": "lens.*.jsonl",
    "tuned-lens": "tuned-lens.*.jsonl",
    "pca": "pca.*.jsonl",
    "pairs": "pairs.*.jsonl",
    "changes": "changes.*.jsonl",
    "neurons": "neurons.*.json",
    "neuron-overlap": "neurons.*.json",
    "silencing": "silencing.*.jsonl",
    "patching": "patching.*.jsonl",
}
"""By kind, the names of its files."""

_CURVES = ("correct", "correct_english", "possible", "possible_english", "entropy")
_KEYS: Dict[str, Dict[str, type]] = {
    "lens": {"item": int, "lens": str, **{curve: list for curve in _CURVES}},
    "tuned-lens": {"layer": int, "tokens": int},
    "pca": {"layer": int, "centred": bool, "explained": list, "items": list, "points": dict},
    "pairs": {"layer": int, "a": str, "b": str, "measure": str},
    "changes": {"layer": int, "a": str, "b": str, "measure": str},
    "silencing": {"silenced": str, "kind": str, "asked": str},
    "patching": {"language": str, "kind": str, "layer": int},
}


def inside_rows(kind: str, path: Path) -> Iterator[Record]:
    """Rows of one file, with what its name says: the task, and the language or the pooling."""
    named = _name_parts(kind, path)
    if kind in ("neurons", "neuron-overlap"):
        rows = _neuron_rows(kind, path)
    else:
        rows = (row for record in read_lines(path, _KEYS[kind]) for row in _expand(kind, record))
    return ({**named, **row} for row in rows)


def _name_parts(kind: str, path: Path) -> Record:
    parts = path.name.split(".")[1:-1]
    if kind == "lens" and len(parts) >= 2:
        return {"task": ".".join(parts[:-1]), "language": parts[-1]}
    if kind in ("pca", "pairs", "changes") and len(parts) >= 2:
        return {"task": ".".join(parts[:-1]), "pooling": parts[-1]}
    return {"task": ".".join(parts)}


def _expand(kind: str, record: Record) -> Iterator[Record]:
    if kind == "lens":
        return _lens_rows(record)
    if kind == "pca":
        return _pca_rows(record)
    return iter([record])


def _lens_rows(record: Record) -> Iterator[Record]:
    """A row per layer; an item that is left out of the curves has one row without a layer."""
    shared = record.get("shared_tokens", [])
    head = {"item": record["item"], "gold": record["gold"], "lens": record["lens"], "dropped": bool(shared)}
    if shared:
        yield {**head, "layer": None, **dict.fromkeys(_CURVES)}
    for layer, values in enumerate(zip(*(record[curve] for curve in _CURVES))):
        yield {**head, "layer": layer, **dict(zip(_CURVES, values))}


def _pca_rows(record: Record) -> Iterator[Record]:
    head = {"layer": record["layer"], "centred": record["centred"]}
    explained = {"explained_x": record["explained"][0], "explained_y": record["explained"][1]}
    for language, points in record["points"].items():
        for item, (x, y) in zip(record["items"], points):
            yield {**head, "language": language, "item": item, "x": x, "y": y, **explained}


def _neuron_rows(kind: str, path: Path) -> Iterator[Record]:
    record: Any = read_json(path)
    wanted = "layers" if kind == "neurons" else "overlap"
    if not isinstance(record, dict) or not isinstance(record.get(wanted), list):
        raise RecordError(path, f"the key `{wanted}` is missing")
    for row in record[wanted]:
        if kind == "neuron-overlap":
            yield row
            continue
        counts = {key: value for key, value in row.items() if key != "selected"}
        for language, selected in row["selected"].items():
            yield {**counts, "language": language, "selected": selected}
