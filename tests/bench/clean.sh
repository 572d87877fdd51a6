#!/usr/bin/env bash
# clean.sh - what it is good for to clean a history: two adapters of the same
# base, by the same steps and seed, one of what scrub and dedup leave of the
# first commits and one of all of them, measured on the same later
# commits, as they are when cleaned.
#
#     BASE=SmolLM2.gguf REPO=~/redis tests/bench/clean.sh
#
# STEPS, BATCH, SEQ_LEN, RECORDS (of the held-out ones; 0: all), RANK, LR,
# SCRUB and DEDUP (their options) as they are set below. There is no bar: it
# tells what is so. KEEP=DIR holds what was made.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
PATH=${GRAFT_BUILD:-$top/build}/bin:$PATH less=$top/tests/bench/paired.jq
STEPS=${STEPS:-100} BATCH=${BATCH:-2} SEQ_LEN=${SEQ_LEN:-512}
RECORDS=${RECORDS:-300} RANK=${RANK:-16} LR=${LR:-5e-4}
SCRUB=${SCRUB:-} DEDUP=${DEDUP:-}

if [ -z "${BASE:-}" ] || [ -z "${REPO:-}" ]; then
    echo "clean: skipped: BASE and REPO are not given"
    exit 0
fi
scratch=${KEEP:-$(mktemp -d)}
mkdir -p "$scratch"
[ -n "${KEEP:-}" ] || trap 'rm -rf "$scratch"' EXIT

quantize -q --format int8 "$BASE" | shard -q -o "$scratch/base"
tokenizer=$BASE
[ ! -d "$BASE" ] || tokenizer=$BASE/tokenizer.json

# set NAME SHARD_OPTION...: the text that comes, as a set.
set_of() {
    tokenize -q -t "$tokenizer" --template commit \
        --max-tokens "$SEQ_LEN" | shard -q -o "$scratch/$1" "${@:2}"
}

gitscrape -q --trust "$REPO" >"$scratch/history"
scrub -q $SCRUB "$scratch/history" | dedup -q $DEDUP |
    set_of clean --val 0.02 --test 0.05
first=$(jq '.splits[] | select(.name == "test") | .ranges[0][0] + 1' \
    "$scratch/clean/manifest.json")
first=$(tojsonl "$scratch/clean" | sed -n "${first}p" | jq .ordinal)
tojsonl --exact "$scratch/history" |
    jq -c --argjson first "$first" 'select(.graft or .ordinal < $first)' |
    fromjsonl -q | set_of all --val 0.02 --test 0

echo "clean: the first $first commits of $REPO, $STEPS steps of" \
    "$BATCH x $SEQ_LEN tokens, rank $RANK, lr $LR"
for data in clean all; do
    train -q --data "$scratch/$data" --base "$scratch/base" \
        --steps "$STEPS" --seq-len "$SEQ_LEN" --batch "$BATCH" \
        --rank "$RANK" --lr "$LR" --warmup 10 --eval-records 1 \
        -o "$scratch/run.$data"
    evalprompts -q --base "$scratch/base" --adapter "$scratch/run.$data" \
        --data "$scratch/clean" --records "$RECORDS" --seq-len "$SEQ_LEN" \
        --per-record "$scratch/records.$data" >"$scratch/score.$data"
    jq -r --arg name "$data" '
        def row: [.base.loss, .adapter.loss, .difference.loss,
            .difference.half_width] | map(numbers |= (. * 1e4 | round / 1e4));
        [$name] + row + (.all | row) | @tsv' "$scratch/score.$data"
done
jq -rn --slurpfile a "$scratch/records.clean" \
    --slurpfile b "$scratch/records.all" \
    --arg name "$REPO" --arg what "clean less all" -f "$less"
