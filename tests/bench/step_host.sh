#!/bin/bash
# step_host.sh - the host's own time for a step of training that a card
# computes meanwhile: four micro-batches of 2 x 2048 tokens, of records of 100
# to 300. Bar: half a millisecond, since launches come on top.
set -euo pipefail
build=${GRAFT_BUILD:-$(cd "$(dirname "$0")/../.." && pwd)/build}
PATH=$build/bin:$PATH
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
python3 - <<'END' | fromjsonl -q --vocab 50000 | shard -q --test 0 -o data
import random
rand = random.Random(0)
for i in range(20000):
    ids = [rand.randrange(50000) for _ in range(rand.randrange(100, 300))]
    print('{"ids":%s}' % ids)
END
cat >arch.json <<'END'
{"model_type": "llama", "vocab_size": 50000, "hidden_size": 64,
 "intermediate_size": 128, "num_hidden_layers": 4, "num_attention_heads": 2,
 "max_position_embeddings": 2048}
END
initmodel -q -o base arch.json
"$build/bench/step_host" base data | tee said
awk '{ s = $1 <= 500 ? "ok" : "MISSED"
       print "BAR host work of a step: " $1 " us (bar at most 500 us) " s
       exit s != "ok" }' said
