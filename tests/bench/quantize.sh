#!/bin/bash
# quantize.sh - quantize on one core against bitsandbytes, which has the
# weights in memory and neither reads, hashes nor writes; by processor time,
# in turns. Beside it: what the encoders alone do, two threads against one by
# the clock, the memory that it takes, and how long a base of 3 GB takes to
# open, which is train's dry run on it.
#
# Variables: PEERS, a Python environment with torch, safetensors and
# bitsandbytes (without: no comparison); PAIRS (5), of which medians are told.
set -euo pipefail
build=${GRAFT_BUILD:-$(cd "$(dirname "$0")/../.." && pwd)/build}
PATH=$build/bin:$PATH
python=${PEERS:+$PEERS/bin/}python3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
"$build/bench/codec"

# base DIR LAYERS: a llama in bf16 without a byte of disk.
base() {
    python3 - "$@" <<'END'
import json
import os
import sys
path, layers = sys.argv[1], int(sys.argv[2])
H, F, V = 2048, 5632, 32000
shapes = {"model.embed_tokens.weight": (V, H), "lm_head.weight": (V, H),
          "model.norm.weight": (H,)}
for i in range(layers):
    at = "model.layers.%d." % i
    for m in "qkvo":
        shapes[at + "self_attn.%s_proj.weight" % m] = (H, H)
    for m, s in (("gate", (F, H)), ("up", (F, H)), ("down", (H, F))):
        shapes[at + "mlp.%s_proj.weight" % m] = s
    for m in ("input", "post_attention"):
        shapes[at + m + "_layernorm.weight"] = (H,)
head, at = {}, 0
for name, s in shapes.items():
    n = 2 * s[0] * (s[1] if len(s) > 1 else 1)
    head[name] = {"dtype": "BF16", "shape": s, "data_offsets": [at, at + n]}
    at += n
text = json.dumps(head).encode()
text += b" " * (-len(text) % 8)
os.mkdir(path)
with open(path + "/model.safetensors", "wb") as f:
    f.write(len(text).to_bytes(8, "little") + text)
    f.truncate(8 + len(text) + at)
with open(path + "/config.json", "w") as f:
    json.dump({"model_type": "llama", "vocab_size": V, "hidden_size": H,
               "intermediate_size": F, "num_hidden_layers": layers,
               "num_attention_heads": 16, "num_key_value_heads": 16,
               "max_position_embeddings": 2048,
               "tie_word_embeddings": False}, f)
END
}
base small 2
base large 27

cat >peer.py <<'END'
import sys
import time
import torch
import bitsandbytes.functional as F
torch.set_num_threads(1)
g = torch.Generator().manual_seed(1)
x = torch.randn(5632, 2048, generator=g).mul(0.02).bfloat16()
run = {"nf4": lambda: F.quantize_4bit(x, blocksize=64, quant_type="nf4"),
       "int8": lambda: F.int8_vectorwise_quant(x.half())}[sys.argv[1]]
run()
start = time.process_time()
run()
print(2e-9 * x.numel() / (time.process_time() - start))
END

cat >times.py <<'END'
import os
import resource
import statistics
import subprocess
import sys
import time
peer, pairs = sys.argv[1], int(sys.argv[2])
size = os.path.getsize("small/model.safetensors")


def ours(*args):
    """GB/s by processor time and by the clock, and KiB at most."""
    start = time.time()
    with open("/dev/null", "wb") as null:
        p = subprocess.Popen(["quantize", "-q"] + list(args), stdout=null)
        _, status, used = os.wait4(p.pid, 0)
    assert status == 0
    return (size / 1e9 / (used.ru_utime + used.ru_stime),
            size / 1e9 / (time.time() - start), used.ru_maxrss)


for form in "int8", "nf4":
    cpu, ratio, two, most = [], [], [], 0
    for _ in range(pairs):
        one = ours("--format", form, "--threads", "1", "small")
        both = ours("--format", form, "--threads", "2", "small")
        cpu.append(one[0])
        two.append(both[1] / one[1])
        most = max(most, one[2], both[2])
        if peer:
            out = subprocess.run([peer, "peer.py", form], check=True,
                                 capture_output=True, text=True)
            ratio.append(one[0] / float(out.stdout))
    m = statistics.median
    print("quantize: %s: %.2f GB/s of bf16 a core (bar: 1), two threads "
          "%.2f times one" % (form, m(cpu), m(two)))
    print("quantize: %s: %.0f MiB, %.0f more than the largest tensor "
          "(bar: 64)" % (form, most / 1024, most / 1024 - 125))
    if ratio:
        print("quantize: %s: %.1f times bitsandbytes (bar: 3)" %
              (form, m(ratio)))
END
peer=
"$python" -c 'import bitsandbytes, torch' 2>/dev/null && peer=$python ||
    echo "quantize: no bitsandbytes in PEERS: not compared"
python3 times.py "$peer" "${PAIRS:-5}"

printf '{"ids":[1,2,3],"ordinal":%d,"time":1}\n' 0 1 2 3 |
    fromjsonl -q --vocab 32000 | shard -q --val 0 --test 0 -o data
# opened DIR: the median of 9 dry runs, in milliseconds
opened() {
    for _ in 1 2 3 4 5 6 7 8 9; do
        start=$(date +%s%N)
        train -q --dry-run --data data --base "$1" --rank 1 --seq-len 64 \
            --batch 1 --steps 1 --warmup 0 -o run >/dev/null
        echo $((($(date +%s%N) - start) / 1000))
    done | sort -n | awk 'NR == 5 { printf "%.1f\n", $1 / 1000 }'
}
echo "quantize: train --dry-run on a base of" \
    "$(($(stat -c %s large/model.safetensors) / 1000000)) MB:" \
    "$(opened large) ms (bar: 50)"
