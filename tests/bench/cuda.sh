#!/bin/bash
# cuda.sh - training on a card: LoRA on all linears of bases of four shapes,
# random weights and tokens, bf16, dropout 0, against torch + PEFT on the same
# card in the same call (lora_torch.py), and against what the card reaches in
# a large product (op_times).
#
# MODELS (gpt2-124m qwen2.5-0.5b starcoder2-3b qwen2.5-3b), SHAPES (2x2048
# 4x4096: sequences of a micro-batch and their length), FORMATS of the base
# (bf16 int8), ACCUM (4) micro-batches a step, RANK (16), STEPS (8: metrics
# come every second step, and the first line is not counted), TABLES=1 for the
# table of ops of each as well, WORK for a folder that keeps bases and data
# from call to call, PEERS for a virtual environment (or a python) with torch,
# transformers and peft, PEER_DEVICE (cuda; cpu to try that it works).
# Each of the shapes alone fits a call of ten minutes. Bars, for a card that
# reaches 700 TFLOP/s in a large product, in proportion for others: 30,000
# tokens a second for bases of 3B, 80,000 for those of at most 0.6B; and twice
# those of torch + PEFT.
#
# Without a card it says so and prints what op_times computes for an H200 and
# an H100.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
if [ -d "$here/../libexec/graft" ]; then # in a bundle
    programs=$(cd "$here/../libexec/graft" && pwd)
else
    build=${GRAFT_BUILD:-$here/../../build}
    programs=$(cd "$build" && pwd)
    programs=$programs/cuda:$programs/bin:$programs/bench
fi
PATH=${CUDA_PROGRAMS:-$programs}:$PATH
MODELS=${MODELS:-gpt2-124m qwen2.5-0.5b starcoder2-3b qwen2.5-3b}
SHAPES=${SHAPES:-2x2048 4x4096}
FORMATS=${FORMATS:-bf16 int8}
ACCUM=${ACCUM:-4} RANK=${RANK:-16} STEPS=${STEPS:-8}
PEER_DEVICE=${PEER_DEVICE:-cuda}
EVERY=2
missed=0

peer=${PEERS:-python3}
[ ! -d "$peer" ] || peer=$peer/bin/python
peer=$(command -v "$peer" || true)
[ -z "$peer" ] || peer=$(realpath -s "$peer")
scratch=${WORK:-$(mktemp -d)}
mkdir -p "$scratch"
[ -n "${WORK:-}" ] || trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

# keys NAME: the configuration of a model.
keys() {
    case $1 in
    gpt2-124m) echo '"model_type": "gpt2", "vocab_size": 50257,
        "n_positions": 4096' ;;
    qwen2.5-0.5b) echo '"model_type": "qwen2", "vocab_size": 151936,
        "hidden_size": 896, "intermediate_size": 4864,
        "num_hidden_layers": 24, "num_attention_heads": 14,
        "num_key_value_heads": 2, "max_position_embeddings": 32768,
        "tie_word_embeddings": true' ;;
    starcoder2-3b) echo '"model_type": "starcoder2", "vocab_size": 49152,
        "hidden_size": 3072, "intermediate_size": 12288,
        "num_hidden_layers": 30, "num_attention_heads": 24,
        "num_key_value_heads": 2, "max_position_embeddings": 16384,
        "sliding_window": 4096' ;;
    qwen2.5-3b) echo '"model_type": "qwen2", "vocab_size": 151936,
        "hidden_size": 2048, "intermediate_size": 11008,
        "num_hidden_layers": 36, "num_attention_heads": 16,
        "num_key_value_heads": 2, "max_position_embeddings": 32768,
        "tie_word_embeddings": true' ;;
    tiny) echo '"model_type": "qwen2", "vocab_size": 64, "hidden_size": 16,
        "intermediate_size": 24, "num_hidden_layers": 1,
        "num_attention_heads": 2, "num_key_value_heads": 1,
        "tie_word_embeddings": true' ;;
    *) echo "cuda: no model $1 in MODELS" >&2; return 2 ;;
    esac
}

# arch NAME: its file.
arch() {
    local keys
    if [ ! -e "$1.json" ]; then
        keys=$(keys "$1") || return
        echo "{$keys, \"torch_dtype\": \"bfloat16\"}" >"$1.json"
    fi
    echo "$1.json"
}

# options SHAPE: of op_times.
options() {
    echo "--compute bf16 --rank $RANK --accum $ACCUM --batch ${1%x*}" \
        "--seq-len ${1#*x}"
}

# What op_times computes: the last shape's tables, the others' last lines.
expected() {
    local model card shape
    for model in $MODELS; do
        for card in H200 H100; do
            for shape in $SHAPES; do
                echo "== computed, not measured: $model, $shape, $card"
                op_times $(options "$shape") --as $card "$(arch "$model")" |
                    if [ "$shape" = "${SHAPES##* }" ]; then cat
                    else tail -n 1; fi
            done
        done
    done
}

# Exits where there is no card; else its name, and FLOP/s of a large product.
probe() {
    initmodel -q -o probe "$(arch tiny)"
    if ! op_times -q --batch 1 --seq-len 16 --rank 2 --compute bf16 \
        --device cuda probe >probe.txt 2>probe.err; then
        cat probe.err
        grep -qE 'no graft-cuda.so|no NVIDIA driver|no CUDA card' probe.err ||
            exit 1
        echo "cuda: no card: what one would do at best is computed"
        expected
        exit 0
    fi
    sed -n 2p probe.txt
    peak=$(sed -nE '2s@.*: ([0-9.]+) TFLOP/s.*@\1@p' probe.txt)
}

# base MODEL FORMAT
base() {
    initmodel -q -o "$1-bf16" "$(arch "$1")"
    [ "$2" = bf16 ] || [ -d "$1-$2" ] ||
        quantize -q --format "$2" "$1-bf16" | shard -q -o "$1-$2"
}

# data VOCAB SHAPE: sequences that are full, of random tokens.
data() {
    local out=data-$1-$2-$STEPS-$ACCUM
    [ -d "$out" ] ||
        awk -v vocab="$1" -v n=$((STEPS * ACCUM * ${2%x*})) \
            -v len=$((${2#*x} + 1)) 'BEGIN {
            srand(1)
            for (i = 0; i < n; i++) {
                printf "{\"ids\": ["
                for (k = 0; k < len; k++)
                    printf "%s%d", k ? "," : "", int(rand() * vocab)
                print "]}" } }' | fromjsonl -q --vocab "$1" |
        shard -q --val 0 --test 0 -o "$out"
    echo "$out"
}

# The most memory in use on the card, in MiB, into a file until it is ended.
watch_memory() {
    exec nvidia-smi --query-gpu=memory.used --format=csv,noheader,nounits \
        -lms 100 2>/dev/null >"$1"
}

# number KEY FILE: of a line of JSON.
number() {
    sed -nE "s/.*\"$1\": ([0-9.e+-]+).*/\1/p" "$2"
}

median() {
    sort -g | awk '{ x[NR] = $1 } END { print x[int((NR + 1) / 2)] }'
}

# ours MODEL FORMAT SHAPE DATA: sets rate, flops (a token) and memory (MiB).
ours() {
    local run=(train -q --data "$4" --base "$1-$2" --rank "$RANK"
        --alpha $((2 * RANK)) --batch "${3%x*}" --seq-len "${3#*x}"
        --accum "$ACCUM" --steps "$STEPS" --compute bf16 --device cuda
        --schedule constant --log-every $EVERY)
    local watch
    "${run[@]}" --dry-run >plan.json
    flops=$(awk -v f="$(number flops_per_step plan.json)" \
        -v n="$(number positions_per_step plan.json)" 'BEGIN { print f / n }')
    plan=$(awk -v b="$(number total_bytes plan.json)" \
        'BEGIN { printf "%.0f", b / 1048576 }')
    rm -rf run
    watch_memory memory.txt &
    watch=$!
    "${run[@]}" -o run
    kill $watch 2>/dev/null || true
    wait $watch 2>/dev/null || true
    rate=$(sed -nE 's/.*"tok_s": ([0-9.e+-]+).*/\1/p' run/metrics.jsonl |
        tail -n +2 | median)
    memory=$(sort -n memory.txt | tail -n 1)
    memory=${memory:-?}
}

# find_peer: no name in peer where there is none that can use the device.
find_peer() {
    "${peer:-false}" -c 'import sys, torch, transformers, peft
sys.exit(sys.argv[1] == "cuda" and not torch.cuda.is_available())' \
        "$PEER_DEVICE" 2>/dev/null && return
    peer=
    echo "cuda: torch + PEFT skipped: name an environment with them by PEERS"
}

# theirs MODEL SHAPE: sets peer_rate, "" where there is none, and says it.
theirs() {
    peer_rate=
    [ -n "$peer" ] || return 0
    if ! "$peer" "$here/lora_torch.py" "$(arch "$1")" "$2" "$ACCUM" "$STEPS" \
        "$RANK" "$PEER_DEVICE" >peer.json 2>peer.err; then
        echo "  torch + PEFT failed: $(tail -n 1 peer.err)"
        return 0
    fi
    peer_rate=$(number tok_s peer.json)
    printf '  torch + PEFT: %.0f tokens/s, %s MiB (%s held)%s\n' \
        "$peer_rate" "$(number peak_mib peer.json)" \
        "$(number held_mib peer.json)" \
        "$(! grep -q '"checkpointing": true' peer.json ||
            echo ", with gradient checkpointing")"
}

# bar NAME VALUE LEAST
bar() {
    awk -v name="$1" -v x="$2" -v least="$3" 'BEGIN {
        printf "BAR %s: %.5g (bar at least %.5g) %s\n", name, x, least,
            (x >= least ? "ok" : "MISSED")
        exit !(x >= least) }' || missed=1
}

# compare MODEL FORMAT SHAPE: what ours came to, against the bars.
compare() {
    local least=30000
    case $1 in gpt2-124m | qwen2.5-0.5b) least=80000 ;; esac
    printf '%s %s %s: %.0f tokens/s, %.1f%% of the product, %s MiB %s\n' \
        "$1" "$3" "$2" "$rate" \
        "$(awk -v r="$rate" -v f="$flops" -v p="$peak" \
            'BEGIN { print p > 0 ? r * f / (p * 1e10) : 0 }')" \
        "$memory" "on the card, $plan planned"
    bar "$1 $3 $2 tokens/s" "$rate" \
        "$(awk -v b=$least -v p="$peak" 'BEGIN { print b * p / 700 }')"
    [ -z "$peer_rate" ] || bar "$1 $3 $2 of torch + PEFT" \
        "$(awk -v a="$rate" -v b="$peer_rate" 'BEGIN { print a / b }')" 2
}

for model in $MODELS; do arch "$model" >/dev/null || exit; done
probe
find_peer
for model in $MODELS; do
    vocab=$(number vocab_size "$(arch "$model")")
    for format in $FORMATS; do base "$model" "$format"; done
    for shape in $SHAPES; do
        data=$(data "$vocab" "$shape")
        theirs "$model" "$shape"
        for format in $FORMATS; do
            ours "$model" "$format" "$shape" "$data"
            compare "$model" "$format" "$shape"
            [ -z "${TABLES:-}" ] ||
                op_times -q $(options "$shape") --device cuda "$model-$format"
        done
    done
    [ -n "${WORK:-}" ] || rm -rf "$model"-* data-*
done
exit $missed
