#!/bin/bash
# decode.sh - tokens a second, one after the other, against what the memory
# gives: a token reads every weight once. Random weights in each format.
#
# SHAPE (qwen2-0.5b; gpt2-124m), FORMATS ("f32 bf16 int8 nf4"), TOKENS (40),
# THREADS (one a processor; by 1 the processor's time is taken, so that other
# load matters less). After each token a buffer as large as the weights is
# read by the same threads (decode.c); the medians are compared. Bar: 0.8 of
# the memory's rate.
set -euo pipefail
build=${GRAFT_BUILD:-$(cd "$(dirname "$0")/../.." && pwd)/build}
PATH=$build/bin:$PATH
shape=${SHAPE:-qwen2-0.5b}
threads=${THREADS:-$(nproc)}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
case $shape in
gpt2-124m)
    echo '{"model_type": "gpt2", "vocab_size": 50257}' ;;
qwen2-0.5b)
    echo '{"model_type": "qwen2", "vocab_size": 151936, "hidden_size": 896,
        "intermediate_size": 4864, "num_hidden_layers": 24,
        "num_attention_heads": 14, "num_key_value_heads": 2,
        "tie_word_embeddings": true}' ;;
*)
    echo "decode: no such shape: $shape" >&2
    exit 2 ;;
esac >arch.json
initmodel -q -o f32 arch.json
missed=0
for format in ${FORMATS:-f32 bf16 int8 nf4}; do
    [ "$format" = f32 ] || quantize -q --format "$format" f32 |
        shard -q -o "$format"
    "$build/bench/decode" "$format" "$threads" "${TOKENS:-40}" >said
    awk -v what="$shape $format, $threads threads" '
        { v[$1] = $2 }
        END {
            printf "decode: %s: %.1f tokens/s of %d MB, %.1f GB/s, ",
                what, v["tokens_per_second"], v["weights_mb"],
                v["weights_gb_s"]
            printf "memory %.1f GB/s\n", v["memory_gb_s"]
            ok = v["share"] >= 0.8
            printf "BAR decode %s: %.2f of the memory (bar at least 0.80) %s\n",
                what, v["share"], ok ? "ok" : "MISSED"
            exit !ok
        }' said || missed=1
    [ "$format" = f32 ] || rm -r "$format"
done
exit $missed
