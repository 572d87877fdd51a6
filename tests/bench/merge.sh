#!/bin/bash
# merge on a llama in bf16 of 0.37 GB with an adapter of rank 32 on every
# linear: MB/s of the base by processor time and by the clock, without and with
# the comparison of logits; the memory that it takes; and, in turns with it,
# PEFT's merge_and_unload and save_pretrained. Both write to /dev/shm, where it
# is: how fast a disk is, is another question.
#
# Variables: PEERS, a Python environment with torch, transformers and peft
# (without: no comparison); PAIRS (3), of which medians are told.
set -euo pipefail
build=${GRAFT_BUILD:-$(cd "$(dirname "$0")/../.." && pwd)/build}
PATH=$build/bin:$PATH
python=${PEERS:+$PEERS/bin/}python3
work=$(mktemp -d -p "$([ -w /dev/shm ] && echo /dev/shm || echo /tmp)")
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 - <<'END'
import json
import os
import random
import struct
H, F, V, LAYERS, RANK = 2048, 5632, 5818, 4, 32
rand = random.Random(1)
some = [rand.gauss(0, 0.02) for _ in range(1 << 18)]


def write(path, dtype, shapes):
    """Tensors of the same values again and again."""
    size, one = (2, b"".join(struct.pack("<f", x)[2:] for x in some)) \
        if dtype == "BF16" else (4, struct.pack("<%df" % len(some), *some))
    head, at = {}, 0
    for name, s in shapes.items():
        n = size * s[0] * (s[1] if len(s) > 1 else 1)
        head[name] = {"dtype": dtype, "shape": s, "data_offsets": [at, at + n]}
        at += n
    head["__metadata__"] = {"format": "pt"}
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(len(text).to_bytes(8, "little") + text)
        for left in range(at, 0, -len(one)):
            f.write(one[:left])


linears = {"self_attn.%s_proj" % m: (H, H) for m in "qkvo"}
linears.update({"mlp.gate_proj": (F, H), "mlp.up_proj": (F, H),
                "mlp.down_proj": (H, F)})
base = {"model.embed_tokens.weight": (V, H), "lm_head.weight": (V, H),
        "model.norm.weight": (H,)}
lora = {}
for i in range(LAYERS):
    layer = "model.layers.%d." % i
    for norm in "input_layernorm", "post_attention_layernorm":
        base[layer + norm + ".weight"] = (H,)
    for name, (n_out, n_in) in linears.items():
        base[layer + name + ".weight"] = (n_out, n_in)
        at = "base_model.model." + layer + name
        lora[at + ".lora_A.weight"] = (RANK, n_in)
        lora[at + ".lora_B.weight"] = (n_out, RANK)
os.mkdir("base")
os.mkdir("adapter")
write("base/model.safetensors", "BF16", base)
write("adapter/adapter_model.safetensors", "F32", lora)
json.dump({"model_type": "llama", "architectures": ["LlamaForCausalLM"],
           "vocab_size": V, "hidden_size": H, "intermediate_size": F,
           "num_hidden_layers": LAYERS, "num_attention_heads": 16,
           "num_key_value_heads": 16, "max_position_embeddings": 2048,
           "dtype": "bfloat16", "tie_word_embeddings": False},
          open("base/config.json", "w"))
json.dump({"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": RANK,
           "lora_alpha": 64, "lora_dropout": 0.0, "bias": "none",
           "target_modules": sorted(n.split(".")[1] for n in linears)},
          open("adapter/adapter_config.json", "w"))
END

cat >peer.py <<'END'
import resource
import time
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM
start, before = time.time(), time.process_time()
model = AutoModelForCausalLM.from_pretrained("base", dtype=torch.bfloat16)
model = PeftModel.from_pretrained(model, "adapter").merge_and_unload()
model.save_pretrained("theirs")
print(time.time() - start, time.process_time() - before,
      resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
END

cat >times.py <<'END'
import os
import shutil
import statistics
import subprocess
import sys
import time
peer, pairs = sys.argv[1], int(sys.argv[2])
size = os.path.getsize("base/model.safetensors") / 1e6
lora = os.path.getsize("adapter/adapter_model.safetensors")


def ours(*args):
    """Seconds by the clock and of the processors, and KiB at most."""
    start = time.time()
    p = subprocess.Popen("merge -q --base base --adapter adapter -o ours"
                         .split() + list(args))
    _, status, used = os.wait4(p.pid, 0)
    wall = time.time() - start
    assert status == 0
    shutil.rmtree("ours")
    return wall, used.ru_utime + used.ru_stime, used.ru_maxrss


def theirs():
    out = subprocess.run([peer, "peer.py"], check=True, capture_output=True,
                         text=True).stdout
    shutil.rmtree("theirs")
    return [float(x) for x in out.split()[-3:]]


m, rows = statistics.median, {"plain": [], "check": [], "peer": []}
ours("--no-check")
for _ in range(pairs):
    rows["plain"].append(ours("--no-check"))
    rows["check"].append(ours())
    if peer:
        rows["peer"].append(theirs())
wall, cpu, most = [m(x) for x in zip(*rows["plain"])]
print("merge: %.0f MB/s of base by the clock (bar: 500), %.0f a core" %
      (size / wall, size / cpu))
print("merge: %.0f MiB, %.0f more than the adapter and the largest tensor "
      "(bar: 64)" % (most / 1024, most / 1024 - lora / 2 ** 20 - 22.7))
print("merge: with the logits compared %.0f MB/s" %
      (size / m(x[0] for x in rows["check"])))
if peer:
    theirs = [m(x) for x in zip(*rows["peer"])]
    print("merge: PEFT, without its imports: %.1f times as long by the "
          "clock, %.1f times the processor time, %.1f times the memory" %
          (theirs[0] / wall, theirs[1] / cpu, theirs[2] / most))
END
peer=
"$python" -c 'import peft, torch, transformers' 2>/dev/null && peer=$python ||
    echo "merge: no peft in PEERS: not compared"
python3 times.py "$peer" "${PAIRS:-3}"
