#!/bin/bash
# decode.sh - tokens a second, one after the other, against what the memory
# gives: a token reads every weight once. Random weights in each format.
#
# SHAPE (qwen2-0.5b; gpt2-124m), FORMATS ("f32 bf16 int8 nf4" and GGUF's "q4_0
# q4_1 q8_0 q4_k q6_k", which have the shape of Qwen3-0.6B), GGUFS (files
# beside them, none), TOKENS (40), PEERS (a virtual environment with
# llama-cpp-python: of GGUF, llama.cpp's tokens a second beside ours), THREADS
# (one a processor; by 1 the processor's time is taken, so that other load
# matters less). After each token a buffer as large as the weights is read by
# the same threads (decode.c); the medians are compared. Bars: 0.8 of the
# memory's rate, and 0.9 of llama.cpp's, which rounds activations to 8 bits
# where ours have 24.
set -euo pipefail
build=${GRAFT_BUILD:-$(cd "$(dirname "$0")/../.." && pwd)/build}
PATH=$build/bin:$PATH
shape=${SHAPE:-qwen2-0.5b}
threads=${THREADS:-$(nproc)}
tokens=${TOKENS:-40}
bench=$(cd "$(dirname "$0")" && pwd)
peer=${PEERS:+$(realpath -s "$PEERS")}
gguf="q4_0 q4_1 q8_0 q4_k q6_k"
files=()
for file in ${GGUFS:-}; do
    files+=("$(realpath "$file")")
done
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

# measure WHAT BASE: the memory's share.
measure() {
    "$build/bench/decode" "$2" "$threads" "$tokens" >said
    awk -v what="$1, $threads threads" '
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
}

# compare WHAT FILE: with llama.cpp, after measure.
compare() {
    [ -n "$peer" ] || return 0
    "$peer/bin/python" "$bench/llama_decode.py" "$2" "$threads" "$tokens" \
        >>said 2>log || { tail -n 3 log >&2; return 1; }
    awk -v what="$1, $threads threads" '
        { v[$1] = $2 }
        END {
            theirs = v["llama_tokens_per_second"]
            ratio = v["tokens_per_second"] / theirs
            printf "BAR decode %s: %.2f of the %.1f tokens/s of llama.cpp ",
                what, ratio, theirs
            ok = ratio >= 0.9
            printf "(bar at least 0.90) %s\n", ok ? "ok" : "MISSED"
            exit !ok
        }' said || missed=1
}

for format in ${FORMATS:-f32 bf16 int8 nf4 $gguf}; do
    case " $gguf " in
    *" $format "*)
        python3 "$bench/gguf_random.py" "$format" "$format.gguf"
        files+=("$PWD/$format.gguf")
        continue ;;
    esac
    [ "$format" = f32 ] || quantize -q --format "$format" f32 |
        shard -q -o "$format"
    measure "$shape $format" "$format"
    [ "$format" = f32 ] || rm -r "$format"
done
for file in ${files[@]+"${files[@]}"}; do
    measure "${file##*/}" "$file"
    compare "${file##*/}" "$file"
done
exit $missed
