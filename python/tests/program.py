"""Where the tests find the program."""

import os
from pathlib import Path

from fixture import REPOSITORY


def find_program():
    """The program that LINGUALIGN names, or the one that cargo built last; None where there is none."""
    if named := os.environ.get("LINGUALIGN"):
        return Path(named).resolve(strict=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
    built = [place for place in (target / "debug/lingualign", target / "release/lingualign") if place.is_file()]
    return max(built, key=lambda place: place.stat().st_mtime).resolve() if built else None
