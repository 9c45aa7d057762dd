#!/bin/bash
# A grid that is killed ten times at random moments and resumed each time, beside the same grid left alone: exits 0 if every
# result has the same bytes.
#
#   bench/grid_check.sh [PROGRAM] [RECIPE] [--set KEY=VALUE ...]      after `cargo build --release`
#
# Without arguments it is recipes/paper_small.toml in full, some three hours twice on two cores; in minutes:
#   bench/grid_check.sh target/release/lingualign recipes/paper_small.toml --set eval.limit=4 --set train.max_steps=4
set -euo pipefail
cd "$(dirname "$0")/.."
program=${1:-target/release/lingualign}
recipe=${2:-recipes/paper_small.toml}
shift $(($# < 2 ? $# : 2))
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Every result of a grid's folder; what is timed, and when, is left out.
digest() {
    (cd "$1" && find runs report -type f \( -path '*/answers/*.jsonl' -o -path '*/adapters/*' -o -path '*/data/*' \
        -o -path '*/inside/*' -o -path '*/questions/*' -o -path '*/report/tables/*' -o -path 'report/*' \) -print0 | sort -z | xargs -0 sha256sum)
}

start=$SECONDS
"$program" grid run "$recipe" --out "$work/alone" "$@" >"$work/alone.txt" 2>"$work/alone.log" || {
    tail -n 5 "$work/alone.log" >&2
    exit 1
}
whole=$((SECONDS - start))
echo "left alone: $whole s; $(tail -n 1 "$work/alone.log")"

killed=0
while [ "$killed" -lt 10 ]; do
    "$program" grid run "$recipe" --out "$work/killed" "$@" >/dev/null 2>>"$work/killed.log" &
    child=$!
    # A sixteenth of the time on the average.
    sleep "$(awk -v whole="$whole" -v seed="$RANDOM" 'BEGIN { srand(seed); print 0.3 + rand() * whole / 8 }')"
    if kill -9 "$child" 2>/dev/null; then
        killed=$((killed + 1))
        wait "$child" 2>/dev/null || true
        echo "killed $killed: $("$program" grid status "$recipe" --out "$work/killed" "$@" 2>&1 >/dev/null | head -n 1)"
    else
        echo "it was over after $killed kills: take a larger recipe" >&2
        exit 1
    fi
done
"$program" grid run "$recipe" --out "$work/killed" "$@" >/dev/null 2>>"$work/killed.log"
cmp <(digest "$work/alone") <(digest "$work/killed") || {
    diff <(digest "$work/alone") <(digest "$work/killed") | head -n 5 >&2
    echo "grid_check: results differ" >&2
    exit 1
}
echo "grid_check: killed ten times, the same $(digest "$work/alone" | wc -l) files"
