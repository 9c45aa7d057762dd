"""Asks one task through lm-evaluation-harness and through lingualign, and holds the two together. An optional check.

    python tests/golden/read_by_lm_eval.py --lingualign target/release/lingualign --model FOLDER --data DIR --work WORK \
        --task snli --languages en,de,th --few-shot head:6 --limit 60

FOLDER is a Hugging Face folder in f32. Tried with lm_eval 0.4.13, transformers 5.23, datasets 5 and torch 2.15 on a CPU;

    pip install 'lm_eval[hf]'

is all that is needed. What is in WORK already is not made again, so the same command goes on after a stop. Checked is that
 * lm_eval asks every exported language, and of the items at least 99.5 % are answered alike; each other one is shown with
   the log-probabilities of both;
 * the rows, and their hashes, are the same in both programs' samples;
 * lm-eval's own code reads our folder: its table of results, its tracker, which hashes our samples again and writes them,
   its names of files, and the loader of data sets;
 * `lingualign compare` reads theirs.

    python tests/golden/read_by_lm_eval.py --golden --lingualign ... --model FOLDER

makes the files in crates/import/tests/golden/lm_eval, from a few items of assets/mini.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("HF_DATASETS_OFFLINE", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "crates/import/tests/golden/lm_eval"
AT_LEAST = 0.995


def call(*command, **more):
    print("+", *command, file=sys.stderr)
    subprocess.run([str(part) for part in command], check=True, **more)


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def newest(folder, task):
    """The newest samples of a task below a folder."""
    found = sorted(folder.glob(f"*/samples_{task}_*.jsonl"), key=lambda path: path.name)
    return found[-1] if found else None


def run_lm_eval(include, tasks, model, out):
    arguments = ["--model", "hf", "--model_args", f"pretrained={model},dtype=float32", "--device", "cpu"]
    arguments += ["--include_path", include, "--tasks", tasks, "--batch_size", "4", "--log_samples", "--output_path", out]
    call(Path(sys.executable).parent / "lm_eval", *arguments)


def evaluate(args, languages):
    """Both programs' answers below args.work: `theirs` and `ours`."""
    work, asked = args.work, ["--task", args.task, "--data", args.data, "--few-shot", args.few_shot]
    asked += ["--languages", ",".join(languages), "--limit", str(args.limit)]
    for flag, value in [("--protocol", args.protocol), ("--labels", args.labels)]:
        asked += [flag, value] if value else []
    call(args.lingualign, "data", "lm-eval", *asked, "--out", work / "harness")
    for language in languages:
        task = f"{Path(args.task).stem}_{language}"
        if newest(work / "theirs", task) is None:
            run_lm_eval(work / "harness", task, args.model, work / "theirs")
    if not (work / "ours.jsonl").exists():
        more = ["--scoring", "sequence", "--dtype", "f32", "--lm-eval", work / "ours", "--out", work / "ours.jsonl"]
        call(args.lingualign, "eval", "--model", args.model, *asked, *more)


def best(sample):
    values = [float(response[0][0]) for response in sample["resps"]]
    return values.index(max(values)), values


def compare_answers(work, tasks):
    asked = alike = 0
    largest = 0.0
    for task in tasks:
        ours, theirs = lines(newest(work / "ours", task)), lines(newest(work / "theirs", task))
        assert [s["doc_id"] for s in ours] == [s["doc_id"] for s in theirs], f"{task}: other items"
        same = 0
        for a, b in zip(ours, theirs):
            for key in ["doc", "target", "arguments", "doc_hash", "prompt_hash", "target_hash", "filter", "metrics"]:
                assert a[key] == b[key], f"{task} {a['doc_id']}: {key} is {a[key]} here and {b[key]} there"
            assert list(a) == list(b), f"{task}: keys {list(a)} and {list(b)}"
            (chosen, of_ours), (other, of_theirs) = best(a), best(b)
            largest = max([largest] + [abs(x - y) for x, y in zip(of_ours, of_theirs)])
            assert a["acc"] == float(chosen == a["doc"]["gold"]), f"{task} {a['doc_id']}: acc is not of the answers"
            same += chosen == other
            if chosen != other:
                print(f"{task} item {a['doc']['item']}: ours {of_ours}, theirs {of_theirs}")
        print(f"{task}: {same} of {len(ours)} alike")
        asked, alike = asked + len(ours), alike + same
    print(f"all: {alike} of {asked} alike, {100 * alike / asked:.2f} %; largest difference of ln p {largest:.2e}")
    return alike / asked


def read_ours(work, tasks):
    """Everything of lm-eval that reads or writes such files."""
    from datasets import load_dataset
    from lm_eval import utils
    from lm_eval.loggers import EvaluationTracker

    (folder,) = (work / "ours").iterdir()
    (path,) = folder.glob("results_*.json")
    results = json.loads(path.read_text(encoding="utf-8"))
    print(utils.make_table(results))
    print(utils.make_table(results, "groups"))
    names = sorted(str(file) for file in folder.iterdir())
    samples = utils.get_sample_results_filenames(names)
    assert utils.get_results_filenames(names) == [str(path)]
    assert {utils.get_file_task_name(Path(name).name) for name in samples} == set(tasks)
    dates = {utils.get_file_datetime(Path(name).name) for name in samples}
    assert dates == {utils.get_file_datetime(path.name).replace(".json", "")}
    assert folder.name == utils.sanitize_model_name(results["model_name"])
    logged = {}
    for name in samples:
        rows = load_dataset("json", data_files=name, split="train", cache_dir=str(work / "cache"))
        logged[utils.get_file_task_name(Path(name).name)] = rows
        assert rows.num_rows == len(lines(Path(name)))
    again = EvaluationTracker(output_path=str(work / "again"))
    again.general_config_tracker.log_experiment_args("lingualign", results["config"]["model_args"], None, None, False)
    assert again.general_config_tracker.model_name == results["model_name"], "another name of the model"
    in_memory = {task: lines(newest(work / "ours", task)) for task in tasks}
    # The tracker takes what an evaluation holds in memory: pairs of arguments, not the file's objects.
    for sample in (sample for task in in_memory.values() for sample in task):
        sample["arguments"] = [(pair["arg_0"], pair["arg_1"]) for pair in sample["arguments"].values()]
    again.save_results_aggregated(dict(results), in_memory)
    for task, rows in in_memory.items():
        again.save_results_samples(task, rows)
        path = newest(work / "again", task)
        assert lines(path) == lines(newest(work / "ours", task)), f"{task}: written again it is another file"
    (path,) = (work / "again").glob("*/results_*.json")
    written = json.loads(path.read_text(encoding="utf-8"))
    assert written["task_hashes"] == results["task_hashes"], "lm-eval makes other hashes of our samples"
    print(f"lm-eval reads our results and {len(samples)} files of samples, and writes them again as they are")


def check(args):
    languages = args.languages.split(",")
    evaluate(args, languages)
    tasks = [f"{Path(args.task).stem}_{language}" for language in languages]
    share = compare_answers(args.work, tasks)
    with tempfile.TemporaryDirectory(dir=args.work) as scratch:
        (args.work / "again").exists() and call("rm", "-r", args.work / "again")
        os.environ["HF_DATASETS_CACHE"] = scratch
        read_ours(args.work, tasks)
    (theirs,) = (args.work / "theirs").iterdir()
    call(args.lingualign, "compare", args.work / "ours.jsonl", theirs)
    if share < AT_LEAST:
        sys.exit(f"{100 * share:.2f} % are alike, fewer than {100 * AT_LEAST} %")


def make_golden(args):
    """A few items in two scripts, as lm-eval leaves them, without what is of this machine."""
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        asked = ["--task", "snli", "--data", ROOT / "assets/mini", "--languages", "de,th", "--few-shot", "head:2"]
        call(args.lingualign, "data", "lm-eval", *asked, "--limit", "3", "--out", scratch / "harness")
        (scratch / "smollm2").symlink_to(args.model.resolve())
        arguments = ["--model", "hf", "--model_args", "pretrained=./smollm2,dtype=float32", "--device", "cpu"]
        arguments += ["--include_path", "harness", "--tasks", "snli", "--log_samples", "--output_path", "out"]
        call(Path(sys.executable).parent / "lm_eval", *arguments, cwd=scratch)
        (folder,) = (scratch / "out").iterdir()
        GOLDEN.mkdir(parents=True, exist_ok=True)
        for old in GOLDEN.iterdir():
            old.unlink()
        for file in folder.iterdir():
            if file.suffix == ".json":
                results = json.loads(file.read_text(encoding="utf-8"))
                del results["pretty_env_info"]
                for config in results["configs"].values():
                    del config["dataset_kwargs"]
                text = json.dumps(results, indent=2, ensure_ascii=False) + "\n"
                (GOLDEN / file.name).write_text(text, encoding="utf-8")
            else:
                (GOLDEN / file.name).write_bytes(file.read_bytes())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lingualign", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--golden", action="store_true")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--task", default="snli")
    parser.add_argument("--languages", default="en,de")
    parser.add_argument("--few-shot", default="head:6")
    parser.add_argument("--labels")
    parser.add_argument("--protocol")
    parser.add_argument("--limit", type=int, default=60)
    args = parser.parse_args()
    args.lingualign = args.lingualign.resolve()
    make_golden(args) if args.golden else check(args)


if __name__ == "__main__":
    main()
