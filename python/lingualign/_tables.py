"""Rows as a pandas DataFrame or as a list of dictionaries."""

from __future__ import annotations

import importlib
from typing import Any, Iterable, List

from ._errors import LingualignError
from ._records import Record

CHOICES = ("auto", "pandas", "list")


def check_choice(choice: str) -> str:
    """`choice`, if it is one."""
    if choice not in CHOICES:
        raise ValueError(f"tables={choice!r}: expected one of {', '.join(map(repr, CHOICES))}")
    return choice


def make_table(rows: Iterable[Record], choice: str) -> Any:
    """A DataFrame, or a list whose rows all have the same keys, None where a record has none."""
    filled = _fill(list(rows))
    if check_choice(choice) == "list":
        return filled
    try:
        pandas = importlib.import_module("pandas")
    except ImportError as error:
        if choice == "auto":
            return filled
        raise LingualignError("tables='pandas', but pandas is not installed: pip install 'lingualign[data]'") from error
    return pandas.DataFrame(filled)


def _fill(rows: List[Record]) -> List[Record]:
    keys = dict.fromkeys(key for row in rows for key in row)
    return [{key: row.get(key) for key in keys} for row in rows]
