"""Where the tests find the package and the run folders."""

import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parent
REPOSITORY = TESTS.parents[1]
RUN = TESTS / "run"
GRID = TESTS / "grid"

sys.path.insert(0, str(TESTS.parent))
