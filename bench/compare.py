#!/usr/bin/env python3
"""Times lingualign and its peers in alternation on the same work: `compare.py [CASE ...] [--json]`.

Each round runs ours once and the peer once; a result is the median over the rounds. Needs Python 3.11 and nothing else:
the peers get an environment of their own. README.md beside this file says what is timed.
"""

import argparse
import datetime
import json
import os
import shutil
import statistics
import sys
from pathlib import Path

import environment
import results
import workload
from cases import FEW_QUESTIONS, PROMPTS, QUESTIONS, SCRIPTS, all_cases, find_cases
from environment import BENCH, OFFLINE, note
from process import BenchError, Peer, is_noisy, run, stop_in_order
from workload import BATCH, MICRO_BATCH, TARGETS

LEARNING_RATE = 5e-5


def parse_arguments():
    usual, extra = all_cases()
    listed = "\n  ".join(case.name for case in usual)
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog=f"cases:\n  {listed}\nand, only by name:\n  " + "\n  ".join(case.name for case in extra),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("case", nargs="*", help="what to compare; default: all")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON (for each case)")
    parser.add_argument("--rounds", type=int, help="rounds of ours and the peer in turn; default 3")
    parser.add_argument("--steps", type=int, help="updates a round of training; default 5")
    parser.add_argument("--quick", action="store_true", help="1 round, 2 updates, a third of what is asked; keeps nothing")
    parser.add_argument("--limit", choices=list(environment.LIMITS), help="keep both sides to this instruction set")
    add_common_arguments(parser)
    return parser.parse_args()


def add_common_arguments(parser):
    """Those of scaling.py too."""
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="for both sides; default: all cores")
    parser.add_argument("--data", metavar="DIR", help="the paper's released layout; default: what this repository ships")
    parser.add_argument("--model", help="catalogue name, GGUF file or Hugging Face folder; default: SmolLM2-135M-Instruct")
    parser.add_argument("--program", metavar="FILE", help="our program; default: target/release/lingualign")
    parser.add_argument("--scratch", metavar="DIR", help="where environment, models and runs are kept; default: a cache folder")
    parser.add_argument("--venv", metavar="DIR", help="an environment that has the peers; default: one made in the scratch folder")
    parser.add_argument("--results", metavar="FILE", help="where results are kept; default bench/results.json")


class Bench:
    """What all cases share."""

    def __init__(self, arguments):
        self.arguments = arguments
        self.scratch = Path(arguments.scratch or environment.default_scratch()).resolve()
        self.scratch.mkdir(parents=True, exist_ok=True)
        self.program = environment.find_program(arguments.program)
        self.python = environment.prepare_python(self.scratch, arguments.venv)
        self.models = environment.prepare_models(self.scratch, self.program, self.python, arguments.model)
        self.version = environment.program_version(self.program)

    def log(self, name):
        """Where the output of a process goes."""
        return self.scratch / "logs" / f"{name}.log"

    def run_ours(self, name, recipe, stages):
        """Runs our program on a recipe in a fresh run folder; returns the folder and the cost."""
        folder = self.scratch / "runs" / name
        shutil.rmtree(folder, ignore_errors=True)
        command = [self.program, "run", recipe, "--out", folder, "--only", stages, "--device", "cpu"]
        cost = run([*command, "--threads", self.arguments.threads], self.log(f"{name}.ours"))
        return folder, cost

    def capture_ours(self, case, rows):
        """Runs our `capture` of a file of rows; returns the file of states and the cost."""
        out = self.scratch / "runs" / case.name / "states.safetensors"
        shutil.rmtree(out.parent, ignore_errors=True)
        command = [self.program, "capture", "--model", self.models[case.dtype], "--dtype", case.dtype, "--input", rows]
        command += ["--tensors", "hidden.mean", "--out", out, "--device", "cpu", "--threads", self.arguments.threads]
        return out, run(command, self.log(f"{case.name}.ours"))

    def open_peer(self, case, job):
        """Starts the peer of a case and waits until it has warmed up."""
        threads = self.arguments.threads
        job = {"model": str(self.models[case.dtype]), "dtype": case.dtype, "threads": threads, **job}
        env = {**OFFLINE, "OMP_NUM_THREADS": str(threads), "RAYON_NUM_THREADS": str(threads)}
        return Peer(self.python, BENCH / "peers" / SCRIPTS[case.peer], job, self.log(f"{case.name}.peer"), env)


def alternate(bench, case, rounds, ours, job, rate):
    """Runs ours and the peer in turn. `ours()` gives a rate, what came out, and the cost; `rate` is a peer's answer's.

    The first run of ours comes before the peer is started, because the peer may need what it left behind.
    """
    ours_runs, peer_runs, costs, found = [], [], [], None
    note(f"{case.name}: ours, round 1")
    first = ours()
    note(f"{case.name}: starting the peer")
    with bench.open_peer(case, job) as peer:
        for number in range(1, rounds + 1):
            speed, found, cost = first if number == 1 else ours()
            answer, peer_cost = peer.repeat()
            ours_runs.append(speed)
            peer_runs.append(rate(answer))
            costs.append((cost, peer_cost))
            note(f"{case.name}: round {number} of {rounds}: ours {speed:.4g}, peer {peer_runs[-1]:.4g} {case.unit}")
        peer_peak = peer.finish()
        about = peer.about
    more = {
        "ours_peak_mb": round(statistics.median(cost.peak_mb for cost, _ in costs)),
        "peer_peak_mb": round(peer_peak),
        "threads": bench.arguments.threads,
        "noisy": is_noisy([cost for pair in costs for cost in pair]),
        "machine": environment.describe_machine() + describe_limit(bench.arguments.limit),
        "versions": {"ours": bench.version.removeprefix("lingualign "), **about.pop("versions")},
        "date": datetime.date.today().isoformat(),
        **about,
    }
    return results.summarise(case, ours_runs, peer_runs, **more), found, answer


def describe_limit(limit):
    return f", kept to {limit.upper()}" if limit else ""


def compare_training(bench, case):
    """Real tokens a second, the median over the updates of a round."""
    arguments = bench.arguments
    steps = arguments.steps or (2 if arguments.quick else 5)
    data, task = workload.find_data(arguments.data, bench.scratch, "train", "snli")
    recipe = workload.training_recipe(
        bench.scratch / "recipes" / f"{case.name}.toml", bench.models[case.dtype], case.dtype, data, task, case.what, steps
    )
    place = bench.scratch / "runs" / case.name

    def ours():
        folder, cost = bench.run_ours(case.name, recipe, "data,train")
        records = workload.read_steps(folder)
        tokens = [record["tokens"] + BATCH for record in records]
        # The first update asks the system for its memory: a warm-up, as the peer has had one.
        warm = 1 if len(records) > 1 else 0
        return median_rate(tokens[warm:], [record["seconds"] for record in records[warm:]]), sum(tokens), cost

    job = {
        "pairs": str(place / "data" / f"{task}.{data.language}-en.seed1.jsonl"),
        "targets": TARGETS[case.what],
        "rank": 8,
        "alpha": 16,
        "learning_rate": LEARNING_RATE,
        "batch": BATCH,
        "micro_batch": MICRO_BATCH,
    }
    rounds = arguments.rounds or (1 if arguments.quick else 3)
    record, ours_tokens, answer = alternate(
        bench, case, rounds, ours, job, lambda answer: median_rate(answer["tokens"], answer["seconds"])
    )
    return {**record, "data": describe(data, task), "steps": steps, "same_tokens": ours_tokens == sum(answer["tokens"])}


def median_rate(tokens, seconds):
    return statistics.median(count / time for count, time in zip(tokens, seconds, strict=True))


def compare_evaluation(bench, case):
    """Questions a second; the exemplars are part of the timed work on both sides."""
    arguments = bench.arguments
    data, task = workload.find_data(arguments.data, bench.scratch, "eval", case.what)
    divisor = 3 if arguments.quick else 1
    prefix, questions, count = workload.render_prompts(data, task, QUESTIONS[task] // divisor)
    few = FEW_QUESTIONS.get(case.peer, QUESTIONS)[task] // divisor
    warm = workload.warm_language(data, task)
    if warm is None:
        raise BenchError(f"--data: {task} is there in one language only; another one is needed to warm up on")
    recipe = workload.evaluation_recipe(
        bench.scratch / "recipes" / f"{case.name}.toml",
        bench.models[case.dtype],
        case.dtype,
        data,
        task,
        [warm, data.language],
        count,
    )

    def ours():
        folder, cost = bench.run_ours(case.name, recipe, "eval")
        answers, seconds = workload.read_answers(folder, task, data.language)
        return count / seconds, answers, cost

    labels = workload.load_task(task)["labels"]
    job = {"prefix": prefix, "questions": questions[: max(1, few)], "labels": labels}
    rounds = arguments.rounds or (1 if arguments.quick else 3)
    record, answers, answer = alternate(
        bench, case, rounds, ours, job, lambda answer: len(answer["choices"]) / answer["seconds"]
    )
    asked = len(answer["choices"])
    tokens = [line["prompt_tokens"] for line in answers[:asked]]
    agree = sum(line["chosen"] == labels[chosen] for line, chosen in zip(answers, answer["choices"]))
    checks = {"same_tokens": tokens == answer["tokens"]} if "tokens" in answer else {}
    # The harness takes whole words' likelihoods, which is another rule: its choices may differ.
    checks |= {"same_choices": f"{agree}/{asked}"} if case.peer != "lm-eval" else {}
    return {**record, "data": describe(data, task), "questions": [count, asked], **checks}


def compare_capture(bench, case):
    """Prompts a second: the mean state of every layer of whole few-shot prompts. Ours is the whole process."""
    arguments = bench.arguments
    data, task = workload.find_data(arguments.data, bench.scratch, "eval", case.what)
    divisor = 3 if arguments.quick else 1
    prefix, questions, count = workload.render_prompts(data, task, PROMPTS["ours"] // divisor)
    prompts = [prefix + question for question in questions]
    few = max(1, PROMPTS[case.peer] // divisor)
    rows = workload.write_rows(bench.scratch / "runs" / f"{case.name}.rows.jsonl", prompts)
    peer_states = bench.scratch / "runs" / f"{case.name}.peer.f32"

    def ours():
        file, cost = bench.capture_ours(case, rows)
        return count / cost.seconds, file, cost

    job = {"prompts": prompts[:few], "states": str(peer_states)}
    rounds = arguments.rounds or (1 if arguments.quick else 3)
    record, file, answer = alternate(
        bench, case, rounds, ours, job, lambda answer: len(answer["tokens"]) / answer["seconds"]
    )
    shape, values = workload.read_tensor(file, "hidden.mean")
    difference = workload.largest_difference(shape, values, workload.read_floats(peer_states.read_bytes()))
    asked = len(answer["tokens"])
    return {
        **record,
        "data": describe(data, task),
        "prompts": [count, asked],
        "tokens_per_prompt": round(sum(answer["tokens"]) / asked),
        "largest_difference": results.significant(difference, 2),
    }


COMPARISONS = {"train": compare_training, "eval": compare_evaluation, "capture": compare_capture}
# States further from the peer's than this, as a share of the largest, are not of the same tokens and weights.
STATES_APART = {"f32": 1e-3, "bf16": 0.1}


def describe(data, task):
    """The data in a few words. The released ones are meant by the case itself."""
    return data.origin if data.origin == "released layout" else f"{data.origin} ({task})"


def main():
    arguments = parse_arguments()
    stop_in_order()
    try:
        chosen = find_cases(arguments.case)
        # Every process started from here on has these.
        os.environ.update(environment.LIMITS.get(arguments.limit, {}))
        bench = Bench(arguments)
        file = Path(arguments.results) if arguments.results else None if arguments.quick else BENCH / "results.json"
        records = []
        for case in chosen:
            record = COMPARISONS[case.kind](bench, case)
            records.append(record)
            if record.get("same_tokens") is False:
                note(f"{case.name}: WARNING: the two sides did not see the same tokens; the ratio means little")
            if record.get("largest_difference", 0) > STATES_APART[case.dtype]:
                note(f"{case.name}: WARNING: the two sides have other states; the ratio means little")
            if record["noisy"]:
                note(f"{case.name}: WARNING: other processes took part of the machine; run it again")
            if file:
                kept = results.read(file)
                place = f"{case.name} ({arguments.limit})" if arguments.limit else case.name
                kept.setdefault("compare", {})[place] = record
                results.save(file, file.with_name("RESULTS.md"), kept)
    except (BenchError, ValueError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    if arguments.json:
        for record in records:
            print(json.dumps(record, ensure_ascii=False))
    else:
        for record in records:
            print("{case:28} {ours:9.4g} {peer:9.4g} {unit:12} {ratio:6.2f}x".format(**record))
    return 0


if __name__ == "__main__":
    sys.exit(main())
