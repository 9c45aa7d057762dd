"""Reads what lingualign leaves in a run folder, and calls the program. Records: docs/records.md."""

from __future__ import annotations

from ._errors import Interrupted, LingualignError, ProgramError, ProgramNotFound, RecordError, UsageError
from ._program import compare, find_program, run
from ._run import Run, open
from ._states import States

__all__ = [
    "Interrupted",
    "LingualignError",
    "ProgramError",
    "ProgramNotFound",
    "RecordError",
    "Run",
    "States",
    "UsageError",
    "compare",
    "find_program",
    "open",
    "run",
]
