"""The program itself: found beside Python or on the PATH, called, its exit codes turned into exceptions."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Type, Union

from ._errors import Interrupted, LingualignError, ProgramError, ProgramNotFound, UsageError
from ._run import Run
from ._run import open as open_run

PathLike = Union[str, "os.PathLike[str]"]


def find_program() -> Path:
    """The program: in the scripts folder of this Python, of the user's packages, then on the PATH."""
    name = "lingualign.exe" if os.name == "nt" else "lingualign"
    user = "nt_user" if os.name == "nt" else "posix_user"
    folders = [sysconfig.get_path("scripts"), sysconfig.get_path("scripts", user)]
    for folder in folders:
        if os.access(Path(folder) / name, os.X_OK):
            return Path(folder) / name
    found = shutil.which(name)
    if found is None:
        places = ", ".join(folders)
        raise ProgramNotFound(f"the program `{name}` is neither in {places} nor on the PATH: pip install lingualign")
    return Path(found)


def run(
    recipe: PathLike,
    *,
    out: Optional[PathLike] = None,
    only: Optional[str] = None,
    redo: bool = False,
    new: bool = False,
    device: Optional[str] = None,
    threads: Optional[int] = None,
    quiet: bool = False,
    keys: Optional[Mapping[str, Any]] = None,
    **set: Any,
) -> Run:
    """Runs a recipe, or resumes it, and opens the run folder.

    `eval__limit=4` is `--set eval.limit=4`; `keys={"eval.limit": 4}` is the same. The other arguments are the flags of
    `lingualign run`. Progress goes to the standard error unless `quiet`.
    """
    if only is not None and "report" not in only.split(",") and out is None:
        raise ValueError("with `only` and without the stage `report`, say the run folder by `out`")
    flags = {"--out": out, "--only": only, "--device": device, "--threads": threads}
    command = ["run", os.fspath(recipe)]
    command += [part for flag, value in flags.items() if value is not None for part in (flag, str(value))]
    command += [flag for flag, wanted in (("--redo", redo), ("--new", new)) if wanted]
    overrides = {**(keys or {}), **{key.replace("__", "."): value for key, value in set.items()}}
    command += [part for key, value in overrides.items() for part in ("--set", f"{key}={_toml(value)}")]
    printed = _call(command, quiet)
    return open_run(_folder_of(printed, out))


def compare(a: PathLike, b: PathLike) -> str:
    """Paired statistics of two files of answers: the text that `lingualign compare A B` prints."""
    return _call(["compare", os.fspath(a), os.fspath(b)], quiet=True)


def _folder_of(printed: str, out: Optional[PathLike]) -> Path:
    reports = [line[len("report: ") :] for line in printed.splitlines() if line.startswith("report: ")]
    if reports:
        return Path(reports[-1]).parent.parent
    if out is None:
        raise LingualignError("the program did not say where its report is; give `out`")
    return Path(out)


def _toml(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(json.dumps(one, ensure_ascii=False) for one in value) + "]"
    return value if isinstance(value, str) else json.dumps(value)


def _call(arguments: Sequence[str], quiet: bool) -> str:
    command = [str(find_program()), *arguments]
    with tempfile.TemporaryFile() as printed:  # a pipe that nobody reads meanwhile would stop a long table
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=printed, stderr=subprocess.PIPE) as process:
            told = _follow(process, quiet)
        if process.returncode != 0:
            raise _error(command, process.returncode, told)
        printed.seek(0)
        return printed.read().decode("utf-8", "replace")


def _follow(process: "subprocess.Popen[bytes]", quiet: bool) -> List[str]:
    """The lines of the standard error, shown as they come."""
    told: List[str] = []
    try:
        for line in process.stderr or ():
            told.append(line.decode("utf-8", "replace").rstrip("\r\n"))
            if not quiet:
                print(told[-1], file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        process.terminate()  # it keeps what is done
        raise
    return told


def _error(command: Sequence[str], code: int, told: List[str]) -> ProgramError:
    begins = next((at for at, line in enumerate(told) if line.startswith("error:")), max(0, len(told) - 5))
    message = "\n".join(told[begins:]) or f"the program ended with exit code {code} and without a message"
    kinds: Dict[int, Type[ProgramError]] = {2: UsageError, 130: Interrupted}
    return kinds.get(code, ProgramError)(command, code, message)
