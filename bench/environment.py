"""What must be there before anything is timed: our program, the peers' Python environment, the model in a form that
both sides read. All of it outside the repository, made once.

Never here: timing.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from process import BenchError, run

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent
MODEL = "smollm2-135m-instruct"
# Nothing is fetched while something is timed, and no library asks a server for news.
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "PYTHONNOUSERSITE": "1",
}
# How both sides are kept to an instruction set that the processor has more than.
LIMITS = {
    "avx2": {
        "LINGUALIGN_KERNELS": "avx2",
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    },
}


def note(text):
    """Progress, for a person."""
    print(text, file=sys.stderr, flush=True)


def default_scratch():
    """Where everything is kept that can be made again."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "lingualign-bench"


def find_program(given):
    """Our program: the one given, or the release build of this checkout."""
    target = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
    program = Path(given) if given else target / "release" / "lingualign"
    if not program.is_file():
        raise BenchError(f"no program at {program}; run `cargo build --release`, or name it with --program")
    return program.resolve()


def prepare_python(scratch, given):
    """The peers' Python: that of the environment given, else of one made in `scratch` from bench/requirements.txt."""
    if given:
        python = Path(given) / "bin" / "python"
        if not python.is_file():
            raise BenchError(f"--venv: no {python}")
        return python
    venv, wanted = scratch / "venv", BENCH / "requirements.txt"
    python, stamp = venv / "bin" / "python", venv / "installed"
    digest = hashlib.sha256(wanted.read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text() == digest:
        return python
    note(f"installing the peers into {venv} (some 6 GB, once)")
    run([sys.executable, "-m", "venv", venv], scratch / "logs" / "venv.log")
    run([python, "-m", "pip", "install", "--disable-pip-version-check", "-r", wanted], scratch / "logs" / "pip.log")
    stamp.write_text(digest)
    return python


def prepare_models(scratch, program, python, given):
    """`{"f32": folder, "bf16": folder}`: the same weights for both sides, as Hugging Face folders.

    A folder is taken as it is; a name is fetched by our own program; a GGUF file is converted by transformers.
    """
    source = Path(given) if given and Path(given).exists() else pull(program, given or MODEL)
    if source.is_dir():
        return {"f32": source, "bf16": source}
    models = {dtype: scratch / "models" / f"{source.stem}-{dtype}" for dtype in ("f32", "bf16")}
    if not all((folder / "complete").is_file() for folder in models.values()):
        note(f"converting {source.name} into folders that transformers reads")
        for folder in models.values():
            shutil.rmtree(folder, ignore_errors=True)
        command = [python, BENCH / "peers" / "convert.py", source, models["f32"], models["bf16"]]
        run(command, scratch / "logs" / "convert.log", OFFLINE)
        for folder in models.values():
            (folder / "complete").touch()
    return models


def pull(program, name):
    """Path of a model's files, fetched if they are not there."""
    done = subprocess.run([str(program), "model", "pull", name], stdout=subprocess.PIPE, text=True)
    lines = [line for line in done.stdout.splitlines() if "\t" in line]
    if done.returncode != 0 or not lines:
        raise BenchError(f"`lingualign model pull {name}` failed; see its message above, or give --model PATH")
    return Path(lines[-1].split("\t")[1])


def describe_machine():
    """Processor, cores and memory, without names."""
    name = os.uname().machine
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                name = line.split(":", 1)[1].strip()
                break
    except OSError:
        pass
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return f"{name}, {os.cpu_count()} cores, {memory:.0f} GB"


def program_version(program):
    """What our program calls itself."""
    return subprocess.run([str(program), "--version"], capture_output=True, text=True).stdout.strip()
