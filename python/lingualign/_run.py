"""A run folder as tables."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Set, Tuple, Union

from ._errors import RecordError
from ._inside import MEASURES, inside_rows
from ._records import Record, flatten, list_files, read_json, read_lines
from ._results import result_rows
from ._states import States, read_states
from ._tables import check_choice, make_table

_ADAPTER = re.compile(r"(?P<task>.+)\.(?P<sources>[^.]+)-(?P<target>[^.-]+)\.seed(?P<seed>\d+)")


def open(folder: Union[str, "os.PathLike[str]"], tables: str = "auto") -> "Run":
    """A run folder. `tables`: `pandas`, `list` (of dictionaries), or `auto`: pandas where it is installed."""
    return Run(Path(folder), tables)


class Run:
    """A run folder. Each method reads its files when it is called; each takes `tables`, as `open` does.

    Files that the manifest assigns to another recipe than the folder's are left out, as the report leaves them out.
    """

    def __init__(self, folder: Path, tables: str = "auto") -> None:
        self.folder = folder
        self.tables = check_choice(tables)
        if (folder / "cells.json").is_file():
            runs = ", ".join(str(path.parent) for path in sorted(folder.glob("runs/*/manifest.json")))
            raise RecordError(folder, f"the folder of a grid; open one of its runs: {runs}")
        if not (folder / "manifest.json").is_file():
            raise RecordError(folder, "no run folder: it has no manifest.json")
        self.manifest: Record = read_json(folder / "manifest.json")
        self._stale = _list_stale(self.manifest)

    def __repr__(self) -> str:
        return f"lingualign.open({str(self.folder)!r})"

    def models(self) -> List[str]:
        """`base` and the adapters that answered, trained or were looked into."""
        places = [self.folder / "answers", self.folder / "inside", self.folder / "captures"]
        found = {path.name for place in places if place.is_dir() for path in place.iterdir() if path.is_dir()}
        found |= {path.name[: -len(".jsonl")] for path in self._files("train", "*.jsonl") if not _is_probes(path)}
        return sorted(found, key=lambda name: (name != "base", name))

    def answers(self, tables: Optional[str] = None) -> Any:
        """One row per answered question. Maps are columns: `scores.positive`."""
        keys = {"task": str, "language": str, "item": int, "gold": str, "chosen": str, "correct": bool, "scores": dict}
        rows = (
            {**_adapter_parts(_below(self.folder / "answers", path)), **{"prompt": "plain"}, **flatten(record)}
            for path in self._files("answers", "**/*.jsonl")
            for record in read_lines(path, keys)
        )
        return self._table(rows, tables)

    def results(self, tables: Optional[str] = None) -> Any:
        """The report's numbers: one row per task, label set, form, setting, measure and language; `mean` is the mean
        over languages. Shares of 1, with 95 % intervals."""
        path = self.folder / "report" / "results.json"
        return self._table(result_rows(path, read_json(path)), tables)

    def train_log(self, tables: Optional[str] = None) -> Any:
        """One row per optimiser update (`kind` is `step`) and validation (`validation`)."""
        return self._table(self._logs(lambda path: not _is_probes(path), {"kind": str, "step": int, "loss": float}), tables)

    def probes(self, tables: Optional[str] = None) -> Any:
        """One row per probed update and language, with the answers as a list."""
        return self._table(self._logs(_is_probes, {"update": int, "language": str, "answers": list}), tables)

    def translations(self, tables: Optional[str] = None) -> Any:
        """One row per translated line."""
        rows = (
            {**_adapter_parts(_below(self.folder / "translations", path)), **record}
            for path in self._files("translations", "*/*.jsonl")
            for record in read_lines(path, {"from": str, "into": str, "item": int, "answer": str})
        )
        return self._table(rows, tables)

    def pairs(self, tables: Optional[str] = None) -> Any:
        """One row per translation pair that an adapter learns."""
        rows = (
            {"adapter": path.name[: -len(".jsonl")], **record}
            for path in self._files("data", "*.jsonl")
            if not path.name.startswith("held-out.")
            for record in read_lines(path, {"source": str, "target": str, "language": str, "item": int})
        )
        return self._table(rows, tables)

    def measures(self, kind: str, tables: Optional[str] = None) -> Any:
        """What is inside the models: `lens` (a row per item and layer), `tuned-lens`, `pca` (a row per language and
        item), `pairs` (a row per two languages, layer and measure), `changes`, `neurons`, `neuron-overlap`,
        `silencing`, `patching`."""
        if kind not in MEASURES:
            raise ValueError(f"no measures `{kind}`; there are {', '.join(MEASURES)}")
        rows = (
            {"model": path.parent.name, **row}
            for path in self._files("inside", f"*/{MEASURES[kind]}")
            for row in inside_rows(kind, path)
        )
        return self._table(rows, tables)

    def states(self, model: str, task: str, language: str) -> States:
        """Hidden states of one model (`base` or an adapter) on a task's prompts in one language."""
        path = self.folder / "captures" / model / f"{task}.{language}.safetensors"
        if not path.is_file():
            captured = [f"{one.parent.name}, {one.stem}" for one in list_files(self.folder, "captures/*/*.safetensors")]
            raise RecordError(path, f"not captured; there are: {'; '.join(captured) or 'none'}")
        if path.relative_to(self.folder).as_posix() in self._stale:
            raise RecordError(path, "captured with another recipe than the folder's")
        return read_states(path)

    def questions(self, tables: Optional[str] = None) -> Any:
        """One row per question and way to ask, with the prompt as the model read it (`text`)."""
        paths = self._files("questions", "*.jsonl")
        if not paths:
            raise RecordError(self.folder / "questions", "this run keeps no texts of its questions")
        return self._table((row for path in paths for row in _question_rows(path)), tables)

    def _table(self, rows: Iterator[Record], tables: Optional[str]) -> Any:
        return make_table(rows, self.tables if tables is None else tables)

    def _files(self, folder: str, pattern: str) -> List[Path]:
        found = list_files(self.folder / folder, pattern)
        return [path for path in found if path.relative_to(self.folder).as_posix() not in self._stale]

    def _logs(self, wanted: Callable[[Path], bool], keys: Dict[str, type]) -> Iterator[Record]:
        for path in filter(wanted, self._files("train", "*.jsonl")):
            adapter = path.name[: -len(".probes.jsonl" if _is_probes(path) else ".jsonl")]
            for record in read_lines(path, keys):
                yield {"adapter": adapter, **_adapter_parts(adapter), **flatten(record)}


def _list_stale(manifest: Record) -> Set[str]:
    """Outputs of stages that the manifest lists but does not count as current."""
    if "current" not in manifest:
        return set()
    current = set(manifest["current"])
    stages = manifest.get("stages", {}).items()
    return {output for name, stage in stages if name not in current for output in stage["outputs"]}


def _is_probes(path: Path) -> bool:
    return path.name.endswith(".probes.jsonl")


def _below(root: Path, path: Path) -> str:
    return path.relative_to(root).parts[0]


def _adapter_parts(name: str) -> Record:
    """Setting, task learnt and seed of an adapter: `emotion.zh-de-en.seed1` is `zh/de=>en`. None for `base`, and for
    a name of another form."""
    parts = _ADAPTER.fullmatch(name)
    if parts is None:
        return {"setting": None, "trained_on": None, "seed": None}
    setting = f"{parts['sources'].replace('-', '/')}=>{parts['target']}"
    return {"setting": setting, "trained_on": parts["task"], "seed": int(parts["seed"])}


def _question_rows(path: Path) -> Iterator[Record]:
    task, language = path.name[: -len(".jsonl")].rsplit(".", 1)
    asked: List[Tuple[Record, List[str], Dict[int, str]]] = []
    for number, record in enumerate(read_lines(path, {"kind": str}), 1):
        if record["kind"] == "asked":
            asked.append((record, record["frame"], dict(record.get("whole", []))))
            continue
        for way, frame, whole in asked:
            text = whole.get(record["item"])
            if text is None:
                if len(frame) != len(record["fields"]) + 1:
                    raise RecordError(path, f"{len(record['fields'])} fields for a frame of {len(frame)} texts", number)
                text = "".join(part for pair in zip(frame, [*record["fields"], ""]) for part in pair)
            way_keys = {key: way[key] for key in ("labels", "prompt", "few_shot")}
            row = {key: record[key] for key in ("item", "gold", "fields")}
            yield {"task": task, "language": language, **way_keys, **row, "text": text}


