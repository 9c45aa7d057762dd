"""What can go wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Optional, Sequence


class LingualignError(Exception):
    """Any error of this package."""


class RecordError(LingualignError):
    """A file of a run folder is missing or not as the program writes it."""

    def __init__(self, path: Path, problem: str, line: Optional[int] = None) -> None:
        place = str(path) if line is None else f"{path}, line {line}"
        super().__init__(f"{place}: {problem}")
        self.path = path
        self.line = line


class ProgramNotFound(LingualignError):
    """The program is neither beside Python nor on the PATH."""


class ProgramError(LingualignError):
    """The program ended with another exit code than 0; the text is its message."""

    def __init__(self, command: Sequence[str], code: int, message: str) -> None:
        super().__init__(message)
        self.command = list(command)
        self.code = code


class UsageError(ProgramError):
    """Exit code 2: a wrong flag or argument."""


class Interrupted(ProgramError):
    """Exit code 130: the program was interrupted, and the same call resumes."""
