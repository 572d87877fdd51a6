#!/bin/bash
# memory.sh - the dry run's plan (base mapping, state, arena, batch) against
# the most memory that the run had resident. The bar: at most 64 MiB more, for
# programs and libraries. CASES chooses among those below.
set -euo pipefail
build=${GRAFT_BUILD:-$(cd "$(dirname "$0")/../.." && pwd)/build}
PATH=$build/bin:$PATH
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

cat >small.json <<'END'
{"model_type": "qwen2", "vocab_size": 8192, "hidden_size": 256,
 "intermediate_size": 1024, "num_hidden_layers": 6,
 "num_attention_heads": 8, "num_key_value_heads": 4,
 "tie_word_embeddings": true}
END
echo '{"model_type": "gpt2"}' >gpt2.json

# Random tokens below 8192, in records of all lengths up to 700.
records() {
    awk -v n="$1" 'BEGIN {
        srand(1)
        for (; n > 0; n--) {
            printf "{\"ids\": [%d", int(rand() * 8192)
            for (k = int(rand() * 700); k > 0; k--)
                printf ", %d", int(rand() * 8192)
            print "]}"
        }
    }'
}
records 400 | fromjsonl -q --vocab 8192 | shard -q --test 0 -o data

# base NAME: made when it is first asked for.
base() {
    local arch=${1%-int8}
    [ -d "$arch" ] || initmodel -q -o "$arch" "$arch.json"
    [ -d "$1" ] || quantize -q --format int8 "$arch" | shard -q -o "$1"
}

# NAME BASE OPTION...
cases=(
    "lora small --batch 4"
    "accumulated small --batch 1 --accum 4 --dropout 0.1"
    "recomputed small --batch 4 --recompute block"
    "int8 small-int8 --batch 4"
    "full small --method full --batch 4"
    "sgd small --method full --optimizer sgd --batch 1 --seq-len 1024"
    "gpt2-124m gpt2 --batch 2"
    "gpt2-124m-int8 gpt2-int8 --batch 2"
)
worst=0 n=0
printf '%-16s %10s %10s %8s   MiB\n' case plan peak more
for case in "${cases[@]}"; do
    set -- $case
    [[ " ${CASES:-$1} " == *" $1 "* ]] || continue
    name=$1 base=$2
    shift 2
    base "$base"
    set -- --data data --base "$base" --steps 2 "$@"
    plan=$(train "$@" --dry-run | jq .total_bytes)
    rm -rf run
    train -q "$@" -o run
    peak=$(jq -s 'map(.peak_bytes // 0) | max' run/metrics.jsonl)
    printf '%-16s %10d %10d %8d\n' "$name" $((plan >> 20)) $((peak >> 20)) \
        $(((peak - plan) / 1048576))
    more=$(((peak - plan + 1048575) / 1048576))
    [ $more -le $worst ] || worst=$more
    n=$((n + 1))
done
[ $n -gt 0 ]
if [ $worst -le 64 ]; then verdict=ok; else verdict=MISSED; fi
echo "BAR memory over the plan: $worst MiB (bar at most 64) $verdict"
[ $verdict = ok ]
