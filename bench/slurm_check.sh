#!/bin/bash
# A grid of 12 tiny cells on a real Slurm, on this machine alone: slurmctld and two slurmd on loopback, from Debian's packages.
# One node is drained half-way, two cells are killed by SIGKILL, one runs into its time limit; `grid retry`, `grid collect`.
# Exits 0 if all results are those of the same grid run by one process.
#
#   bench/slurm_check.sh [PROGRAM]      as root, after `cargo build --release`; about five minutes
set -euo pipefail
cd "$(dirname "$0")/.."
program=$(realpath "${1:-target/release/lingualign}")
work=$(mktemp -d)
daemons=()

fail() {
    echo "slurm_check: $*" >&2
    tail -n 5 "$work"/slurm/*.log >&2 || true
    exit 1
}

finish() {
    for pid in "${daemons[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT

install_slurm() {
    command -v slurmctld slurmd sbatch munged >/dev/null && return
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends slurmctld slurmd slurm-client munge
}

start_slurm() {
    mkdir -p "$work/slurm/state" "$work/slurm/n1" "$work/slurm/n2"
    local host key=$work/slurm/key socket=$work/slurm/munge.socket
    host=$(hostname -s)
    head -c 1024 /dev/urandom >"$key"
    chmod 700 "$work/slurm"
    chmod 400 "$key"
    munged --force --foreground --key-file="$key" --socket="$socket" --pid-file="$work/slurm/munged.pid" \
        --log-file="$work/slurm/munged.log" --seed-file="$work/slurm/seed" >/dev/null 2>&1 &
    daemons+=($!)
    export SLURM_CONF=$work/slurm/slurm.conf
    cat >"$SLURM_CONF" <<CONF
ClusterName=check
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=26817
AuthType=auth/munge
AuthInfo=socket=$socket,cred_expire=5
CryptoType=crypto/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$work/slurm/state
SlurmdSpoolDir=$work/slurm/%n
SlurmctldPidFile=$work/slurm/slurmctld.pid
SlurmdPidFile=$work/slurm/slurmd.%n.pid
SlurmctldLogFile=$work/slurm/slurmctld.log
SlurmdLogFile=$work/slurm/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
JobRequeue=1
KillWait=5
MpiDefault=none
NodeName=n1 NodeHostname=$host NodeAddr=127.0.0.1 Port=27001 CPUs=1 State=UNKNOWN
NodeName=n2 NodeHostname=$host NodeAddr=127.0.0.1 Port=27002 CPUs=1 State=UNKNOWN
PartitionName=check Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
CONF
    for _ in $(seq 50); do [ -S "$socket" ] && break; sleep 0.1; done
    slurmctld -D >/dev/null 2>&1 &
    daemons+=($!)
    for node in n1 n2; do
        slurmd -D -N "$node" >/dev/null 2>&1 &
        daemons+=($!)
    done
    for _ in $(seq 100); do
        [ "$(sinfo --noheader --format=%t 2>/dev/null | sort -u)" = idle ] && return
        sleep 0.3
    done
    sinfo >&2 || true
    fail "slurmctld and two slurmd did not come up"
}

# 4 runs of a base and two adapters; the last trains so long that its time limit comes first.
write_study() {
    "$program" model random --like tests/golden/tiny_llama/config.json --out "$work/model" >/dev/null 2>&1
    cat >"$work/study.toml" <<RECIPE
name = "study"
model = "$work/model"
seeds = [1, 2]
[data]
dir = "$PWD/assets/mini"
[train]
settings = ["sw=>en"]
tasks = ["emotion"]
pairs = 40
max_steps = 60
batch_size = 4
save_steps = 20
eval_steps = 1000
[eval]
tasks = ["emotion"]
languages = ["en", "de", "sw"]
few_shot = "builtin"
[grid]
"train.lora.rank" = [2, 4, 8, { train.lora.rank = 16, train.max_steps = ${LONG_STEPS:-6000} }]
RECIPE
}

grid() {
    local command=$1
    shift
    (cd "$work" && HF_HUB_OFFLINE=1 "$program" --threads 1 grid "$command" study.toml "$@")
}

# Every result of a grid's folder, without what is timed.
digest() {
    (cd "$1" && find runs -type f \( -path '*/answers/*.jsonl' -o -path '*/adapters/*' -o -path '*/data/*' -o -path '*/report/tables/*' \) \
        -print0 | sort -z | xargs -0 sha256sum)
}

wait_until() {
    local seconds=$1
    shift
    for _ in $(seq "$seconds"); do
        "$@" && return
        sleep 1
    done
    grid status >&2 || true
    squeue >&2 || true
    fail "never came: $*"
}

queue_is_empty() { [ -z "$(squeue --noheader)" ]; }
some_are_done() { [ "$(grid status 2>/dev/null | grep -c ' done ')" -ge 2 ]; }
has_processes() { [ "$(pgrep -c -f "$program.*--cell")" -ge 1 ]; }

install_slurm
start_slurm
write_study
grid submit --slurm "partition=check,time=1" --notice 20 --max-running 2
grid status | grep -q pending || fail "status does not show the queue"

wait_until 120 some_are_done
scontrol update nodename=n2 state=drain reason=check
for _ in 1 2; do
    wait_until 60 has_processes
    pkill -9 -o -f "$program.*--cell" || true
    sleep 2
done
sleep 5
scontrol update nodename=n2 state=resume
wait_until 600 queue_is_empty

echo "after the array: $(grid status 2>&1 >/dev/null | tail -n 1)"
grep -l "stopping after the step" "$work"/runs/study/logs/*.log >/dev/null || fail "no element ran into its time limit"
grid status | grep -q ' done ' || fail "nothing is done"
if [ "$(grid status 2>/dev/null | grep -c ' done ')" -lt 12 ]; then
    grid retry
    wait_until 600 queue_is_empty
fi
[ "$(grid status 2>/dev/null | grep -c ' done ')" -eq 12 ] || fail "not all cells are done after a retry"
grid collect

echo "the same grid by one process"
mkdir "$work/serial"
(cd "$work" && HF_HUB_OFFLINE=1 "$program" grid run study.toml --out "$work/serial" >/dev/null 2>"$work/serial.log") || fail "$(tail -n 3 "$work/serial.log")"
cmp <(digest "$work/runs/study") <(digest "$work/serial") || fail "results differ from those of one process"
echo "slurm_check: 12 cells by Slurm, with two killed, a node drained and a time limit: the same $(digest "$work/serial" | wc -l) files as by one process"
