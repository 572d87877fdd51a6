#!/bin/bash
# quantize.sh - quantize on one core against bitsandbytes, which has the
# weights in memory and neither reads, hashes nor writes; by processor time,
# in turns. Beside it: what the encoders alone do, quantize and shard together,
# two threads against one by the clock, the memory that it takes, and how long
# a base of 3 GB takes to open, which is train's dry run on it.
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

# base DIR LAYERS [VALUES]: a llama in bf16, with as much of it in embeddings as
# TinyLlama's 22 layers have, of normal values where VALUES is given, without a
# byte of disk otherwise; DIR.gguf: the same in f16, without values.
base() {
    python3 - "$@" <<'END'
import json
import os
import random
import struct
import sys
path, layers = sys.argv[1], int(sys.argv[2])
H, F, V = 2048, 5632, 32000 * layers // 22
TOP = {"token_embd": ("model.embed_tokens", (V, H)),
       "output": ("lm_head", (V, H)), "output_norm": ("model.norm", (H,))}
EACH = {"attn_%s" % m: ("self_attn.%s_proj" % m, (H, H)) for m in "qkv"}
EACH["attn_output"] = ("self_attn.o_proj", (H, H))
for m, s in (("gate", (F, H)), ("up", (F, H)), ("down", (H, F))):
    EACH["ffn_" + m] = ("mlp.%s_proj" % m, s)
EACH["attn_norm"] = ("input_layernorm", (H,))
EACH["ffn_norm"] = ("post_attention_layernorm", (H,))
tensors = [(a, b, s) for a, (b, s) in TOP.items()]
for i in range(layers):
    tensors += [("blk.%d.%s" % (i, a), "model.layers.%d.%s" % (i, b), s)
                for a, (b, s) in EACH.items()]


def count(s):
    return s[0] * (s[1] if len(s) > 1 else 1)


head, at = {}, 0
for _, name, s in tensors:
    n = 2 * count(s)
    head[name + ".weight"] = {"dtype": "BF16", "shape": s,
                              "data_offsets": [at, at + n]}
    at += n
text = json.dumps(head).encode()
text += b" " * (-len(text) % 8)
os.mkdir(path)
with open(path + "/model.safetensors", "wb") as f:
    f.write(len(text).to_bytes(8, "little") + text)
    rand = random.Random(1)
    some = b"".join(struct.pack("<f", rand.gauss(0, 0.02))[2:]
                    for _ in range(1 << 18))
    for left in range(at * (len(sys.argv) > 3), 0, -len(some)):
        f.write(some[:left])
    f.truncate(8 + len(text) + at)
with open(path + "/config.json", "w") as f:
    json.dump({"model_type": "llama", "vocab_size": V, "hidden_size": H,
               "intermediate_size": F, "num_hidden_layers": layers,
               "num_attention_heads": 16, "num_key_value_heads": 16,
               "max_position_embeddings": 2048,
               "tie_word_embeddings": False}, f)


def string(s):
    return struct.pack("<Q", len(s)) + s.encode()


keys = {"context_length": 2048, "embedding_length": H, "block_count": layers,
        "feed_forward_length": F, "attention.head_count": 16,
        "vocab_size": V}
text = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(keys) + 2)
text += string("general.architecture") + struct.pack("<I", 8)
text += string("llama")
for key, v in keys.items():
    text += string("llama." + key) + struct.pack("<II", 4, v)
text += string("llama.attention.layer_norm_rms_epsilon")
text += struct.pack("<If", 6, 1e-5)
at = 0
for name, _, s in tensors:
    f16 = len(s) > 1
    text += string(name + ".weight") + struct.pack("<I", len(s))
    text += struct.pack("<%dQ" % len(s), *reversed(s))
    text += struct.pack("<IQ", f16, at)
    at += (4 - 2 * f16) * count(s)
with open(path + ".gguf", "wb") as f:
    f.write(text)
    f.truncate(len(text) + -len(text) % 32 + at)
END
}
base small 4 values
base large 26

cat >peer.py <<'END'
import sys
import time
import torch
import bitsandbytes.functional as F
torch.set_num_threads(1)
g = torch.Generator().manual_seed(1)
x = torch.randn(5632, 2048, generator=g).mul(0.02).bfloat16()
by_row = lambda: F.int8_vectorwise_quant(x.half())
run = {"nf4": lambda: F.quantize_4bit(x, blocksize=64, quant_type="nf4"),
       "int8": by_row, "int8_row": by_row}[sys.argv[1]]
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


def ours(*args, into=None):
    """GB/s by processor time and by the clock, and KiB at most, of quantize
    and, with into, of what reads it."""
    start = time.time()
    with open("/dev/null", "wb") as null:
        p = subprocess.Popen(["quantize", "-q"] + list(args),
                             stdout=subprocess.PIPE if into else null)
        both = [p]
        if into:
            both.append(subprocess.Popen(into, stdin=p.stdout))
            p.stdout.close()
        ends = [os.wait4(q.pid, 0)[1:] for q in both]
    assert not any(status for status, _ in ends)
    return (size / 1e9 / sum(u.ru_utime + u.ru_stime for _, u in ends),
            size / 1e9 / (time.time() - start), ends[0][1].ru_maxrss)


for form in "int8", "int8_row", "nf4":
    cpu, ratio, two, pipe, most = [], [], [], [], 0
    for _ in range(pairs):
        one = ours("--format", form, "--threads", "1", "small")
        both = ours("--format", form, "--threads", "2", "small")
        pipe.append(ours("--format", form, "--threads", "1", "small",
                         into=["shard", "-q", "--replace", "-o", "set"])[0])
        subprocess.run(["rm", "-r", "set"], check=True)
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
    print("quantize: %s: with shard behind it %.2f GB/s a core" %
          (form, m(pipe)))
    print("quantize: %s: %.0f MiB, %.0f more than the largest tensor "
          "(bar: 64)" % (form, most / 1024, most / 1024 - 22))
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
# opened BASE: medians of 9 dry runs, in milliseconds
cat >opened.py <<'END'
import os
import statistics
import subprocess
import sys
import time
wall, cpu = [], []
for _ in range(9):
    start = time.time()
    p = subprocess.Popen(
        "train -q --dry-run --data data --rank 1 --seq-len 64 --batch 1 "
        "--steps 1 --warmup 0 -o run --base".split() + sys.argv[1:],
        stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(p.pid, 0)
    wall.append(1e3 * (time.time() - start))
    cpu.append(1e3 * (used.ru_utime + used.ru_stime))
    assert status == 0
print("quantize: train --dry-run on %s of 3 GB: %.1f ms, %.1f of them "
      "processor time (bar: 50)" % (sys.argv[1], statistics.median(wall),
                                    statistics.median(cpu)))
END
python3 opened.py large
python3 opened.py large.gguf
