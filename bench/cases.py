"""The cases: what each times, which peer, and how fast ours is meant to be. Never here: timing."""

import dataclasses

DTYPES = ["f32", "bf16"]
TASKS = ["snli", "paws", "emotion"]
# Questions for ours and for the cached peer: the exemplars are read once for all of them.
QUESTIONS = {"snli": 144, "paws": 96, "emotion": 48}
# The others read the exemplars again for each question, so that a few questions tell as much.
FEW_QUESTIONS = {
    "authors": {"snli": 8, "paws": 8, "emotion": 6},
    "lm-eval": {"snli": 8, "paws": 8, "emotion": 4},
}
# Prompts for ours, whose exemplars are read once, and for the peers, which read them again for each prompt.
PROMPTS = {"ours": 144, "notebook": 8, "padded": 16}
SCRIPTS = {
    "hand": "train_hand.py",
    "trainer": "train_trainer.py",
    "authors": "eval_authors.py",
    "cached": "eval_cached.py",
    "lm-eval": "eval_lm_eval.py",
    "notebook": "capture_authors.py",
    "padded": "capture_padded.py",
}
PEER_NAMES = {
    "hand": "PEFT, hand-written loop",
    "trainer": "PEFT in transformers' Trainer",
    "authors": "the authors' loop",
    "cached": "transformers, prefix cache, batched",
    "lm-eval": "lm-evaluation-harness",
    "notebook": "the authors' notebook",
    "padded": "transformers, padded batches",
}
UNITS = {"train": "tokens/s", "eval": "questions/s", "capture": "prompts/s"}
# The peer that a case has if it names none.
DEFAULT_PEERS = ["hand", "notebook"]
# Ratios that the project has set itself.
EVAL_GOALS = {
    "authors": {"snli": 10, "paws": 7, "emotion": 4.5},
    "lm-eval": {"snli": 20},
    "cached": {"snli": 1.6, "paws": 1.6, "emotion": 1.6},
}
CAPTURE_GOALS = {"notebook": 2.2}
TRAIN_GOALS = {("qv", "f32"): 1.9, ("qv", "bf16"): 2.2, ("all", "f32"): 1.9, ("all", "bf16"): 1.9}


@dataclasses.dataclass(frozen=True)
class Case:
    """One comparison."""

    kind: str  # `train`, `eval` or `capture`
    what: str  # adapter targets or task
    peer: str
    dtype: str

    @property
    def name(self):
        """As on the command line."""
        what = [self.what] if self.kind != "capture" else []  # which has one task
        peer = [self.peer] if self.peer not in DEFAULT_PEERS else []
        return "-".join([self.kind, *what, *peer, self.dtype])

    @property
    def unit(self):
        """What is counted a second."""
        return UNITS[self.kind]

    @property
    def goal(self):
        """The ratio that ours is meant to reach, or None."""
        if self.kind == "eval":
            return EVAL_GOALS[self.peer].get(self.what)
        if self.kind == "capture":
            return CAPTURE_GOALS.get(self.peer)
        return TRAIN_GOALS[self.what, self.dtype] if self.peer == "hand" else None


def all_cases():
    """`(run without a name, run only by name)`."""
    train = [Case("train", what, "hand", dtype) for what in ("qv", "all") for dtype in DTYPES]
    evaluate = [
        Case("eval", task, peer, dtype) for task in TASKS for peer in ("authors", "cached", "lm-eval") for dtype in DTYPES
    ]
    capture = [Case("capture", "emotion", peer, dtype) for peer in ("notebook", "padded") for dtype in DTYPES]
    trainer = [dataclasses.replace(case, peer="trainer") for case in train]
    return train + evaluate + capture, trainer


def find_cases(names):
    """The named cases, or all but the extra ones. Raises ValueError for an unknown name."""
    usual, extra = all_cases()
    if not names:
        return usual
    known = {case.name: case for case in usual + extra}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"no case {', '.join(unknown)}; there are: {', '.join(known)}")
    return [known[name] for name in names]
