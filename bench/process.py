"""Runs programs and peers as processes of their own: wall time, peak memory, and how much others computed meanwhile.

Never here: what is run, and what its numbers mean.
"""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

# Above this share of the machine taken by others, a run is called noisy.
NOISE_LIMIT = 0.10


def stop_in_order():
    """A request to end becomes an exception, so that no child is left computing."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


class BenchError(Exception):
    """Something is missing or failed; the text says what to do."""


@dataclasses.dataclass
class Cost:
    """What a piece of work took."""

    seconds: float
    # Share of all cores that other processes took meanwhile; None where the system does not tell.
    foreign: float | None
    # Only of a whole process.
    peak_mb: float | None = None


def busy_seconds():
    """Seconds that all cores have computed for anybody, the host's other guests included; None without /proc/stat."""
    try:
        with open("/proc/stat") as file:
            ticks = [int(word) for word in file.readline().split()[1:9]]
    except OSError:
        return None
    idle_and_waiting = ticks[3] + ticks[4]
    return (sum(ticks) - idle_and_waiting) / os.sysconf("SC_CLK_TCK")


def process_seconds(pid):
    """Seconds that all threads of a living process have computed; None without /proc."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text.rsplit(")", 1)[1].split()  # the name before may hold spaces
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def foreign_share(busy_before, own_seconds, wall):
    """Share of the machine that was computing, but not for us, in the last `wall` seconds."""
    busy_now = busy_seconds()
    if busy_before is None or busy_now is None or own_seconds is None or wall <= 0:
        return None
    return max(0.0, busy_now - busy_before - own_seconds) / (wall * (os.cpu_count() or 1))


def is_noisy(costs):
    """Whether any run was disturbed; None if that is not known of one."""
    shares = [cost.foreign for cost in costs]
    if any(share is not None and share > NOISE_LIMIT for share in shares):
        return True
    return None if None in shares else False


def tail(log):
    """The last lines of a log, for an error message."""
    return "\n".join(Path(log).read_text(errors="replace").splitlines()[-15:])


def run(command, log, env=None):
    """Runs a command to its end, its output into `log`; returns its cost.

    Raises BenchError with the end of the log if it fails.
    """
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    busy, start = busy_seconds(), time.perf_counter()
    with open(log, "w") as file:
        child = subprocess.Popen(
            [str(word) for word in command],
            stdout=file,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **(env or {})},
        )
        try:
            _, status, usage = os.wait4(child.pid, 0)
        except BaseException:
            child.kill()
            child.wait()
            raise
    child.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - start
    if child.returncode != 0:
        raise BenchError(f"failed ({child.returncode}): {' '.join(map(str, command))}\n{tail(log)}")
    foreign = foreign_share(busy, usage.ru_utime + usage.ru_stime, wall)
    return Cost(seconds=wall, foreign=foreign, peak_mb=peak_mb(usage))


def peak_mb(usage):
    """Peak resident memory in MB (10^6 bytes) out of what wait4 says."""
    unit = 1 if os.uname().sysname == "Darwin" else 1024
    return usage.ru_maxrss * unit / 1e6


class Peer:
    """A peer's process: loads and warms up once, then measures one repetition each time it is asked.

    It reads a job (JSON) from the file named as its argument; its first line says that it is ready, with versions; then
    a line on its stdin makes it do one repetition and answer with one line of JSON.
    """

    def __init__(self, python, script, job, log, env):
        Path(log).parent.mkdir(parents=True, exist_ok=True)
        self.log = log
        job_file = Path(log).with_suffix(".job.json")
        job_file.write_text(json.dumps(job, ensure_ascii=False))
        self.log_file = open(log, "w")
        self.child = subprocess.Popen(
            [str(python), str(script), str(job_file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log_file,
            text=True,
            env={**os.environ, **env},
        )

    def __enter__(self):
        self.about = self.read()
        return self

    def __exit__(self, kind, *_):
        if self.child.poll() is None and kind is not None:
            self.child.kill()
            self.child.wait()
        self.child.stdin.close()
        self.child.stdout.close()
        self.log_file.close()

    def read(self):
        """The next answer."""
        line = self.child.stdout.readline()
        if not line:
            self.child.wait()
            raise BenchError(f"a peer stopped ({self.child.returncode}); the end of {self.log}:\n{tail(self.log)}")
        return json.loads(line)

    def repeat(self):
        """One repetition: the peer's answer, and the cost of it."""
        own, busy, start = process_seconds(self.child.pid), busy_seconds(), time.perf_counter()
        self.child.stdin.write("once\n")
        self.child.stdin.flush()
        answer = self.read()
        wall = time.perf_counter() - start
        own_now = process_seconds(self.child.pid)
        spent = None if own is None or own_now is None else own_now - own
        return answer, Cost(seconds=wall, foreign=foreign_share(busy, spent, wall))

    def finish(self):
        """Ends the process; returns its peak memory in MB."""
        self.child.stdin.close()
        _, status, usage = os.wait4(self.child.pid, 0)
        self.child.returncode = os.waitstatus_to_exitcode(status)
        if self.child.returncode != 0:
            raise BenchError(f"a peer failed at its end ({self.child.returncode}):\n{tail(self.log)}")
        return peak_mb(usage)
