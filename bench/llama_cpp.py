#!/usr/bin/env python3
"""Times prompt processing beside llama.cpp on the same GGUF files: `llama_cpp.py --llama-bench FILE MODEL.gguf ...`.

Both read a prompt of N random tokens in one pass, with the head on its last row alone. Each round runs ours once and
llama-bench once; a result is the median over the rounds. README.md beside this file says how both are built.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

from environment import describe_machine, note
from process import BenchError, is_noisy, run, stop_in_order, tail
from results import significant

ROOT = Path(__file__).resolve().parent.parent
OURS = ROOT / "target" / "release" / "examples" / "prompt_rate"


def parse_arguments(words=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="+", help="GGUF files")
    parser.add_argument("--llama-bench", required=True, metavar="FILE", help="llama.cpp's llama-bench")
    parser.add_argument("--ours", default=OURS, metavar="FILE", help="the example prompt_rate; default: %(default)s")
    parser.add_argument("--kernels", help="the instruction set that ours is limited to, such as avx2; default: the best one")
    parser.add_argument("--precision", default="packed", help="how ours keeps weights; default: packed, as the file has them")
    parser.add_argument("--lengths", default="64,128,512", help="tokens of a prompt; default: %(default)s")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="for both sides; default: all cores")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of ours and llama.cpp in turn; default: %(default)s")
    parser.add_argument("--repetitions", type=int, default=3, help="prompts of each length a round; default: %(default)s")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    return parser.parse_args(words)


def main():
    stop_in_order()
    arguments = parse_arguments()
    try:
        records = [record for model in arguments.model for record in compare(Path(model), arguments)]
    except (BenchError, ValueError, OSError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    print(render(records, describe_machine()))
    if arguments.json:
        print(json.dumps(records))
    return 0


def compare(model, arguments):
    """A record for each length."""
    if not model.is_file():
        raise BenchError(f"no file {model}")
    rounds, costs, about = [], [], {}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(1, arguments.rounds + 1):
            ours_log, theirs_log = Path(folder) / "ours.log", Path(folder) / "llama.log"
            env = {"RAYON_NUM_THREADS": str(arguments.threads)}
            if arguments.kernels:
                env["LINGUALIGN_KERNELS"] = arguments.kernels
            costs.append(run(ours_command(model, arguments), ours_log, env))
            costs.append(run(llama_command(model, arguments), theirs_log))
            ours, kernels = read_ours(ours_log)
            theirs, build = read_llama(theirs_log)
            about = {"kernels": kernels, "llama_cpp": build, "threads": arguments.threads}
            rounds.append((ours, theirs))
            shown = ", ".join(f"{n}: {ours[n]:.4g} against {theirs[n]:.4g}" for n in sorted(theirs))
            note(f"{model.name}: round {number} of {arguments.rounds}: tokens/s of {shown}")
    return summarise(model.name, rounds, {**about, "noisy": is_noisy(costs)})


def ours_command(model, arguments):
    return [arguments.ours, model, arguments.precision, arguments.lengths, arguments.repetitions]


def llama_command(model, arguments):
    command = [arguments.llama_bench, "-m", model, "-p", arguments.lengths, "-n", 0, "-t", arguments.threads]
    return [*command, "-r", arguments.repetitions, "-o", "jsonl"]


def read_lines(log):
    """The JSON objects of a log, in which other lines may stand."""
    lines = Path(log).read_text(errors="replace").splitlines()
    found = [json.loads(line) for line in lines if line.startswith("{")]
    if not found:
        raise BenchError(f"no results in the output:\n{tail(log)}")
    return found


def read_ours(log):
    """Tokens a second by length, the median of the repetitions; and the instruction set."""
    found = read_lines(log)
    rates = {one["tokens"]: one["tokens"] / statistics.median(one["seconds"]) for one in found}
    return rates, found[0]["kernels"]


def read_llama(log):
    """As `read_ours`, of `llama-bench -o jsonl`; and its build."""
    found = read_lines(log)
    rates = {one["n_prompt"]: statistics.median(one["samples_ts"]) for one in found if not one["n_gen"]}
    return rates, f"{one_word(found[0]['build_commit'])} ({found[0]['build_number']})"


def one_word(text):
    return str(text).strip() or "unknown"


def summarise(name, rounds, about):
    """A record for each length: medians over the rounds, their ratio, and the ratios of the rounds."""
    lengths = sorted(rounds[0][1])
    for ours, theirs in rounds:
        if sorted(ours) != lengths or sorted(theirs) != lengths:
            raise BenchError(f"{name}: not every length was measured on both sides: {sorted(ours)}, {sorted(theirs)}")
    records = []
    for length in lengths:
        ours_runs = [ours[length] for ours, _ in rounds]
        llama_runs = [theirs[length] for _, theirs in rounds]
        ours, llama = statistics.median(ours_runs), statistics.median(llama_runs)
        records.append({
            "model": name,
            "tokens": length,
            "ours": significant(ours),
            "llama": significant(llama),
            "ratio": significant(ours / llama),
            "ours_runs": [significant(run) for run in ours_runs],
            "llama_runs": [significant(run) for run in llama_runs],
            **about,
        })
    return records


def render(records, machine):
    """A table in Markdown."""
    first = records[0]
    lines = [
        f"Prompt processing, tokens/s: {machine}, {first['threads']} threads, our kernels {first['kernels']}, llama.cpp "
        f"{first['llama_cpp']}; medians of {len(first['ours_runs'])} alternating rounds.",
        "",
        "| model | tokens | ours | llama.cpp | ratio | rounds |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for one in records:
        ratios = [ours / llama for ours, llama in zip(one["ours_runs"], one["llama_runs"])]
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}" + (" (noisy)" if one["noisy"] else "")
        cells = [one["model"], one["tokens"], f"{one['ours']:g}", f"{one['llama']:g}", f"{one['ratio']:.2f}", spread]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
