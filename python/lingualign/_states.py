"""Hidden states as the program captures them: safetensors of 32-bit floats and 64-bit integers."""

from __future__ import annotations

import importlib
import json
import math
import struct
import sys
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List

from ._errors import LingualignError, RecordError

_TYPES = {"F32": ("f", "<f4", 4), "I64": ("q", "<i8", 8)}


@dataclass(frozen=True)
class States:
    """One vector per item, layer and pooling. `states["last"]` has the shape (items, layers, hidden size): a numpy
    array, or lists in lists where numpy is not installed."""

    items: List[int]
    """Indices of the items in their file."""
    tokens: List[int]
    """Tokens of each prompt."""
    poolings: Dict[str, Any]
    """By pooling: `all`, `question`, `weighted`, `last`."""
    metadata: Dict[str, str]
    """Model, adapter, task, language, and what computed them."""

    def __getitem__(self, pooling: str) -> Any:
        if pooling not in self.poolings:
            raise LingualignError(f"no pooling `{pooling}` was captured; there are {', '.join(sorted(self.poolings))}")
        return self.poolings[pooling]


def read_states(path: Path) -> States:
    """Reads a file of `captures/`."""
    tensors, metadata = read_tensors(path)
    for key in ("items", "tokens"):
        if key not in tensors:
            raise RecordError(path, f"the tensor `{key}` is missing")
    items, tokens = ([int(value) for value in tensors.pop(key)] for key in ("items", "tokens"))
    return States(items, tokens, tensors, metadata)


def read_tensors(path: Path) -> Any:
    """All tensors of a file and its metadata."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RecordError(path, f"cannot be read: {error.strerror}") from error
    length = struct.unpack("<Q", data[:8])[0] if len(data) >= 8 else len(data)
    if length > len(data) - 8:
        raise RecordError(path, "no safetensors file, or cut off in its header")
    try:
        header = json.loads(data[8 : 8 + length])
        metadata = header.pop("__metadata__", {})
        values = memoryview(data)[8 + length :]
        return {name: _tensor(path, name, entry, values) for name, entry in header.items()}, metadata
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RecordError(path, f"the header is not that of a safetensors file: {error}") from error


def _tensor(path: Path, name: str, entry: Dict[str, Any], values: memoryview) -> Any:
    if entry["dtype"] not in _TYPES:
        raise RecordError(path, f"`{name}` has the number format {entry['dtype']}, which is none of {', '.join(_TYPES)}")
    code, numpy_code, size = _TYPES[entry["dtype"]]
    shape, (begin, end) = entry["shape"], entry["data_offsets"]
    if end - begin != size * math.prod(shape) or not 0 <= begin <= end <= len(values):
        raise RecordError(path, f"`{name}` is cut off, or its size is not that of its shape {shape}")
    try:
        numpy = importlib.import_module("numpy")
    except ImportError:
        return _nest(_numbers(code, values[begin:end]), shape)
    return numpy.frombuffer(values[begin:end], dtype=numpy_code).reshape(shape)


def _numbers(code: str, values: memoryview) -> List[Any]:
    numbers = array(code)
    numbers.frombytes(values)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tolist()


def _nest(numbers: List[Any], shape: List[int]) -> List[Any]:
    for size in reversed(shape[1:]):
        numbers = [numbers[at : at + size] for at in range(0, len(numbers), size)] if size else []
    return numbers
