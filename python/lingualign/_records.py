"""The lines of a file of records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping

from ._errors import RecordError

Record = Dict[str, Any]


def read_json(path: Path) -> Any:
    """One JSON value."""
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise RecordError(path, f"cannot be read: {error.strerror}") from error
    except json.JSONDecodeError as error:
        raise RecordError(path, f"no JSON: {error.msg}", error.lineno) from error
    except UnicodeDecodeError as error:
        raise RecordError(path, f"no UTF-8: {error.reason}") from error


def read_lines(path: Path, keys: Mapping[str, type]) -> Iterator[Record]:
    """One object a line; each has `keys` with values of these types."""
    try:
        lines = path.open("rb")
    except OSError as error:
        raise RecordError(path, f"cannot be read: {error.strerror}") from error
    with lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield _parse(path, number, line, keys)


def _parse(path: Path, number: int, line: bytes, keys: Mapping[str, type]) -> Record:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise RecordError(path, f"no JSON: {error}", number) from error
    if not isinstance(record, dict):
        raise RecordError(path, "the line is no JSON object", number)
    for key, wanted in keys.items():
        if key not in record:
            raise RecordError(path, f"the key `{key}` is missing", number)
        if not isinstance(record[key], wanted):
            raise RecordError(path, f"`{key}` is {record[key]!r}, which is no {wanted.__name__}", number)
    return record


def list_files(folder: Path, pattern: str) -> List[Path]:
    """Sorted; hidden files and those that are being written are left out."""
    found = (path for path in folder.glob(pattern) if path.is_file() and not path.name.startswith("."))
    return sorted(found)


def flatten(record: Mapping[str, Any], at: str = "") -> Record:
    """Maps become columns: `{"scores": {"yes": 1}}` is `{"scores.yes": 1}`. Lists stay."""
    flat: Record = {}
    for key, value in record.items():
        if isinstance(value, dict):
            flat.update(flatten(value, f"{at}{key}."))
        else:
            flat[f"{at}{key}"] = value
    return flat
