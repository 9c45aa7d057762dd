"""`results.json` as rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Iterator, Optional

from ._errors import RecordError
from ._records import Record

_MEASURES = ("auc", "calibrated", "batch")


def result_rows(path: Path, results: Any) -> Iterator[Record]:
    """One row per block, setting, measure and language. The base has rows of its own, with a level alone."""
    if not isinstance(results, dict) or not isinstance(results.get("blocks"), list):
        raise RecordError(path, "the key `blocks` is missing")
    for block in results["blocks"]:
        asked = {"task": block["task"], "labels": block["labels"], "prompt": block.get("prompt", "plain")}
        for row in _base_rows(block["base"]):
            yield {**asked, "setting": "base", "seeds": None, **row}
        for setting in block["settings"]:
            for row in _setting_rows(setting["changes"]):
                yield {**asked, "setting": setting["name"], "seeds": len(setting["adapters"]), **row}


def _base_rows(base: Record) -> Iterator[Record]:
    yield {"language": "mean", "measure": "accuracy", **_level(base["mean"])}
    for level in base["languages"]:
        for measure in ("accuracy", *_MEASURES):
            if level.get(measure) is not None:
                yield {"language": level["language"], "items": level["items"], "measure": measure, **_level(level[measure])}


def _level(estimate: Record) -> Record:
    """The base alone: its interval is that of the level."""
    ends = {"before_low": estimate["low"], "before_high": estimate["high"]}
    return {"before": estimate["value"], **ends, "after": None, "change": None, "low": None, "high": None}


def _setting_rows(changes: Record) -> Iterator[Record]:
    mean = {**changes["mean"], "p": changes.get("mean_p")}
    yield from _change_rows({"language": "mean", "seen": None, "items": None}, mean)
    for change in changes["languages"]:
        yield from _change_rows({key: change[key] for key in ("language", "seen", "items")}, change)


def _change_rows(head: Record, change: Record) -> Iterator[Record]:
    p: Optional[Dict[str, Any]] = change.get("p")
    tests = {
        "p": None if p is None else p["exact"],
        "p_holm": change.get("p_holm"),
        "p_bh": change.get("p_bh"),
        "verdict": change["attribution"]["verdict"],
    }
    yield {**head, "measure": "accuracy", **_change(change), **tests}
    for measure in _MEASURES:
        if change.get(measure) is not None:
            yield {**head, "measure": measure, **_change(change[measure])}


def _change(of: Record) -> Record:
    change = of["change"]
    values = {"before": of["before"]["value"], "after": of["after"]["value"], "change": change["value"]}
    return {**values, "low": change["low"], "high": change["high"]}
