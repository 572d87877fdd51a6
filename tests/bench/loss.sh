#!/usr/bin/env bash
# loss.sh - what it is good for to learn the target alone (train --loss target)
# and what it costs, against learning every token (--loss all): for each
# repository a base is trained in both ways, on the same set with the same
# steps and seed, and both adapters are measured on the same held-out commits,
# on the tokens of the target and on all.
#
#     BASE=~/SmolLM2-135M REPOS="~/jq ~/requests ~/gin" tests/bench/loss.sh
#
# STEPS, SEQ_LEN, RECORDS (of the test split; 0: all), RANK, LR and TEMPLATE
# as they are set below. There is no bar: it tells what is so.
#
# With EXPORT=FILE.gguf, a base is made first of a GGUF file, by transformers
# of the Python environment PEERS, in the directory BASE.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
PATH=${GRAFT_BUILD:-$top/build}/bin:$PATH less=$top/tests/bench/paired.jq
STEPS=${STEPS:-100} SEQ_LEN=${SEQ_LEN:-512} RECORDS=${RECORDS:-0}
RANK=${RANK:-16} LR=${LR:-5e-4} TEMPLATE=${TEMPLATE:-commit}

if [ -z "${BASE:-}" ] || [ -z "${REPOS:-}" ]; then
    echo "loss: skipped: BASE and REPOS are not given"
    exit 0
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# A GGUF file's weights, widened to what transformers holds them in.
if [ -n "${EXPORT:-}" ] && [ ! -e "$BASE/config.json" ]; then
    "${PEERS:?}/bin/python" - "$EXPORT" "$BASE" <<'PY'
import os, sys
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

folder, name = os.path.split(os.path.abspath(sys.argv[1]))
read = {'pretrained_model_name_or_path': folder, 'gguf_file': name}
model = AutoModelForCausalLM.from_pretrained(**read, dtype=torch.float32)
# one that was never quantised, as transformers refuses to save the other
del model.config.quantization_config
plain = type(model)(model.config)
plain.load_state_dict(model.state_dict())
plain.to(torch.bfloat16).save_pretrained(sys.argv[2])
AutoTokenizer.from_pretrained(**read).save_pretrained(sys.argv[2])
PY
fi

# data REPO: its records, tokenized, as a set.
data() {
    gitscrape -q --trust "$1" |
        tokenize -q -t "$BASE/tokenizer.json" --template "$TEMPLATE" \
            --max-tokens "$SEQ_LEN" |
        shard -q -o "$scratch/data"
}

# row NAME LOSS: target and all tokens, base, adapter, difference and half
# the width of its interval.
row() {
    jq -r --arg name "$1" --arg loss "$2" '
        def n: if . == null then "-" else . * 10000 | round / 10000 end;
        def row: [.base.loss, .adapter.loss, .difference.loss,
                  .difference.half_width] | map(n);
        [$name, $loss] + row + (.all | row) | @tsv' "$scratch/score.$2"
}

# The adapter that learned the target less the one that learned all.
paired() {
    jq -rn --slurpfile a "$scratch/records.target" \
        --slurpfile b "$scratch/records.all" \
        --arg name "$1" --arg what "target less all" -f "$less"
}

echo "loss: $STEPS steps of $SEQ_LEN tokens, rank $RANK, lr $LR;" \
    "loss of target, then of all tokens: base, adapter, difference, +-"
for repo in $REPOS; do
    rm -rf "$scratch"/*
    data "$repo"
    for loss in target all; do
        train -q --data "$scratch/data" --base "$BASE" --steps "$STEPS" \
            --loss "$loss" --seq-len "$SEQ_LEN" --batch 1 --rank "$RANK" \
            --lr "$LR" --eval-records 1 -o "$scratch/run.$loss"
        evalprompts -q --base "$BASE" --adapter "$scratch/run.$loss" \
            --data "$scratch/data" --records "$RECORDS" --batch 1 \
            --seq-len "$SEQ_LEN" --per-record "$scratch/records.$loss" \
            >"$scratch/score.$loss"
        row "$repo" "$loss"
    done
    paired "$repo"
done
