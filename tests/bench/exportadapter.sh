#!/bin/bash
# exportadapter.sh - an adapter of rank 32 on every linear of a 3B shape
# (Qwen2.5-3B's), in each format, from and to /dev/shm: seconds by the clock
# and of the processors, MB/s of the adapter, and the memory that it takes. A
# base is there by its header alone: its numbers are not read.
#
# Variables: RUNS (5), of which medians are told.
set -euo pipefail
build=${GRAFT_BUILD:-$(cd "$(dirname "$0")/../.." && pwd)/build}
work=$(mktemp -d -p "$([ -w /dev/shm ] && echo /dev/shm || echo /tmp)")
trap 'rm -rf "$work"' EXIT
cd "$work"
PATH=$build/bin:$PATH python3 - "${RUNS:-5}" <<'END'
import json
import os
import shutil
import statistics
import struct
import subprocess
import sys
import time
H, F, KV, V, LAYERS, RANK = 2048, 11008, 256, 151936, 36, 32
runs = int(sys.argv[1])


def write(path, size, dtype, shapes):
    """A safetensors file, of zeros that take no room where it is a base."""
    head, at = {}, 0
    for name, s in shapes.items():
        n = size * s[0] * (s[1] if len(s) > 1 else 1)
        head[name] = {"dtype": dtype, "shape": s, "data_offsets": [at, at + n]}
        at += n
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(len(text).to_bytes(8, "little") + text)
        if dtype == "BF16":
            f.truncate(8 + len(text) + at)
            return 0
        some = struct.pack("<4096f", *(k % 89 / 890 for k in range(4096)))
        for left in range(at, 0, -len(some)):
            f.write(some[:left])
    return at


linears = {"self_attn.q_proj": (H, H), "self_attn.k_proj": (KV, H),
           "self_attn.v_proj": (KV, H), "self_attn.o_proj": (H, H),
           "mlp.gate_proj": (F, H), "mlp.up_proj": (F, H),
           "mlp.down_proj": (H, F)}
base = {"model.embed_tokens.weight": (V, H), "model.norm.weight": (H,)}
lora = {}
for i in range(LAYERS):
    layer = "model.layers.%d." % i
    for norm in "input_layernorm", "post_attention_layernorm":
        base[layer + norm + ".weight"] = (H,)
    for name, (n_out, n_in) in linears.items():
        base[layer + name + ".weight"] = (n_out, n_in)
        if name[-6] in "qkv" and "attn" in name:
            base[layer + name + ".bias"] = (n_out,)
        at = "base_model.model." + layer + name
        lora[at + ".lora_A.weight"] = (RANK, n_in)
        lora[at + ".lora_B.weight"] = (n_out, RANK)
os.mkdir("base")
os.mkdir("adapter")
write("base/model.safetensors", 2, "BF16", base)
size = write("adapter/adapter_model.safetensors", 4, "F32", lora) / 1e6
json.dump({"model_type": "qwen2", "vocab_size": V, "hidden_size": H,
           "intermediate_size": F, "num_hidden_layers": LAYERS,
           "num_attention_heads": 16, "num_key_value_heads": 2,
           "max_position_embeddings": 32768, "tie_word_embeddings": True},
          open("base/config.json", "w"))
json.dump({"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": RANK,
           "lora_alpha": 64, "lora_dropout": 0.0, "bias": "none",
           "target_modules": sorted(n.split(".")[1] for n in linears)},
          open("adapter/adapter_config.json", "w"))


def export(form):
    """Seconds by the clock and of the processors, and KiB at most."""
    start = time.time()
    p = subprocess.Popen(["exportadapter", "-q", "--format", form, "--base",
                          "base", "-o", "out", "adapter"])
    _, status, used = os.wait4(p.pid, 0)
    wall = time.time() - start
    if status != 0:
        sys.exit("exportadapter: has failed")
    (shutil.rmtree if os.path.isdir("out") else os.remove)("out")
    return wall, used.ru_utime + used.ru_stime, used.ru_maxrss


good = True
for form in "peft", "mlx", "gguf":
    export(form)
    wall, cpu, most = map(statistics.median,
                          zip(*(export(form) for _ in range(runs))))
    good &= wall < 1
    print("BAR exportadapter %s: %.2f s (%.2f of the processors), %.0f MB/s, "
          "%.0f MiB (bar: under 1 s) %s" %
          (form, wall, cpu, size / wall, most / 1024,
           "ok" if wall < 1 else "MISSED"), flush=True)
sys.exit(not good)
END
