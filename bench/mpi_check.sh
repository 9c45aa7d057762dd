#!/usr/bin/env bash
# One training over MPI: 1, 2 and 3 workers give the same adapter, also after one of them is killed and another number
# resumes; a worker with other kernels is refused, once. All this with a small made-up model. Prints the speed of two workers
# of one thread beside one worker of two, with SmolLM2 from the cache or its package (98 MB). Exits 0 or 1. Takes Open MPI
# from Debian's packages, and builds the program unless LINGUALIGN names one that was built with `--features mpi`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

adapter=emotion.zh-de-en.seed1

fail() {
    echo "mpi check: FAILED: $*" >&2
    exit 1
}

if ! command -v mpirun >/dev/null || ! command -v mpicc >/dev/null; then
    as_root=()
    if ((EUID != 0)); then as_root=(sudo); fi
    "${as_root[@]}" apt-get update -q
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y libopenmpi-dev openmpi-bin
fi
program=${LINGUALIGN:-}
if [[ -z $program ]]; then
    cargo build --release --features mpi
    program=${CARGO_TARGET_DIR:-target}/release/lingualign
fi
program=$(realpath "$program")
# A container's only user is root, and two cores are to carry three workers.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
mpi=(mpirun --oversubscribe --bind-to none)

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/config.json" <<'JSON'
{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 256, "intermediate_size": 768, "num_hidden_layers": 6,
 "num_attention_heads": 4, "num_key_value_heads": 4, "vocab_size": 8192, "max_position_embeddings": 2048, "rms_norm_eps": 1e-5,
 "rope_theta": 10000.0, "hidden_act": "silu", "tie_word_embeddings": true, "torch_dtype": "float32"}
JSON
"$program" model random --like "$folder/config.json" --out "$folder/model" 2>/dev/null
model=$folder/model
steps=12

# arguments NAME: the same training in another folder, in many micro-batches per update.
arguments() {
    printf '%s\n' train recipes/quickstart.toml --set "model=$model" --set "train.max_steps=$steps" \
        --set train.save_steps=2 --set train.eval_steps=4 --set train.micro_batch_tokens=160 --device cpu --out "$folder/$1"
}

# over WORKERS NAME FLAGS...
over() {
    local workers=$1 name=$2
    shift 2
    mapfile -t list < <(arguments "$name")
    "${mpi[@]}" -n "$workers" "$program" "$@" "${list[@]}" --workers mpi
}

# the_same NAME: adapter and log, but for its seconds, are those of one process without MPI.
the_same() {
    local file
    for file in adapter_model.safetensors adapter_config.json; do
        cmp "$folder/alone/adapters/$adapter/$file" "$folder/$1/adapters/$adapter/$file" || fail "$1: another $file"
    done
    for file in alone "$1"; do
        sed -E 's/"seconds":[^,}]*//' "$folder/$file/train/$adapter.jsonl" >"$folder/log.$file"
    done
    cmp "$folder/log.alone" "$folder/log.$1" || fail "$1: another log"
    echo "mpi check: $1: the same bytes"
}

# speed NAME: tokens per second of its one training.
speed() { sed -n 's/.*"tokens_per_second": *\([0-9.]*\).*/\1/p' "$folder/$1/manifest.json"; }

mapfile -t list < <(arguments alone)
"$program" "${list[@]}" 2>"$folder/alone.err" || fail "alone: $(cat "$folder/alone.err")"
for workers in 1 2 3; do
    over "$workers" "mpi$workers" 2>"$folder/err" || fail "$workers workers: $(cat "$folder/err")"
    the_same "mpi$workers"
done

# process_of MPIRUN RANK
process_of() {
    local process
    for process in $(pgrep -P "$1"); do
        if tr '\0' '\n' <"/proc/$process/environ" | grep -qx "OMPI_COMM_WORLD_RANK=$2"; then echo "$process"; fi
    done
}

# killed NAME WORKERS RANK: kills the worker of this rank when the first checkpoint is there.
killed() {
    local name=$1 workers=$2 rank=$3 process victim
    mapfile -t list < <(arguments "$name")
    "${mpi[@]}" -n "$workers" "$program" "${list[@]}" --workers mpi 2>"$folder/$name.err" &
    process=$!
    until [[ -e $folder/$name/checkpoints/$adapter/state.safetensors ]]; do
        kill -0 "$process" 2>/dev/null || fail "$name ended by itself: $(cat "$folder/$name.err")"
        sleep 0.05
    done
    victim=$(process_of "$process" "$rank")
    [[ -n $victim ]] || fail "$name: no worker $rank"
    kill -KILL "$victim"
    if wait "$process"; then fail "$name: mpirun succeeded without worker $rank"; fi
    [[ ! -e $folder/$name/adapters ]] || fail "$name: there is an adapter already"
}

killed kill2of3 3 2
over 2 kill2of3 -v 2>"$folder/err" || fail "resumed: $(cat "$folder/err")"
grep -q 'resumes from its checkpoint' "$folder/err" || fail "started over: $(cat "$folder/err")"
the_same kill2of3

killed kill0of2 2 0
over 3 kill0of2 -v 2>"$folder/err" || fail "resumed: $(cat "$folder/err")"
grep -q 'resumes from its checkpoint' "$folder/err" || fail "started over: $(cat "$folder/err")"
the_same kill0of2

mapfile -t list < <(arguments other)
if timeout 120 "${mpi[@]}" -n 1 "$program" "${list[@]}" --workers mpi : \
    -n 1 -x LINGUALIGN_KERNELS=portable "$program" "${list[@]}" --workers mpi 2>"$folder/err"; then
    fail "a worker with other kernels took part"
fi
said=$(grep -c 'worker 1 of 2: its numbers would differ' "$folder/err") || true
[[ $said == 1 ]] || fail "the failure was said $said times: $(cat "$folder/err")"
echo "mpi check: other kernels: refused"

"$program" model pull smollm2-135m-instruct@package >/dev/null
model=smollm2-135m-instruct@package
steps=4
# In turn, the best of three: the cores may be shared.
for turn in 1 2 3; do
    mapfile -t list < <(arguments "one$turn")
    "$program" --threads 2 "${list[@]}" 2>/dev/null
    over 2 "two$turn" --threads 1 2>/dev/null
done
best() { for turn in 1 2 3; do speed "$1$turn"; done | sort -n | tail -1; }
[[ -n $(best one) && -n $(best two) ]] || fail "no speed in the manifest"
printf 'mpi check: one worker of two threads: %.0f tokens/s; two workers of one thread: %.0f tokens/s\n' "$(best one)" "$(best two)"
echo "mpi check: passed"
