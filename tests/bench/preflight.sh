#!/bin/bash
# preflight.sh - what preflight takes for all but the step that it times: of a
# base of the shape of Qwen2-0.5B in float32, and a set of 1,000 records.
#
# RUNS (5), of which the median is told. Bar: 2 seconds.
set -euo pipefail
build=${GRAFT_BUILD:-$(cd "$(dirname "$0")/../.." && pwd)/build}
PATH=$build/bin:$PATH
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
cat >arch.json <<'END'
{"model_type": "qwen2", "vocab_size": 151936, "hidden_size": 896,
 "intermediate_size": 4864, "num_hidden_layers": 24,
 "num_attention_heads": 14, "num_key_value_heads": 2,
 "tie_word_embeddings": true}
END
initmodel -q -o base arch.json
python3 -c '
import random
rand = random.Random(0)
for i in range(1000):
    ids = rand.choices(range(151936), k=rand.randrange(100, 500))
    print("{\"ids\":%s,\"ordinal\":%d}" % (ids, i))
' | fromjsonl -q --vocab 151936 | shard -q --val 0.1 --test 0 -o data
for ((i = 0; i < ${RUNS:-5}; i++)); do
    start=$(date +%s%N)
    preflight -q --no-measure --data data --base base --rank 32 --batch 2 \
        --seq-len 512 >/dev/null
    echo $((($(date +%s%N) - start) / 1000000))
done | sort -n | awk '
    { ms[NR] = $1 }
    END {
        s = ms[int((NR + 1) / 2)] / 1000
        printf "BAR preflight: %.2f s beside the step that is timed (bar " \
            "under 2 s) %s\n", s, s < 2 ? "ok" : "MISSED"
        exit s >= 2
    }'
