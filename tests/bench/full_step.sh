#!/bin/bash
# full_step.sh - a step of full training in float32 against torch's eager one
# (full_torch.py), and the scans of Mamba and Mamba-2, forward and backward,
# against transformers'.
#
# PEERS names a virtual environment (or a python) with torch and transformers.
# MODELS ("dense mamba mamba2 moe"): dense has 25 million parameters and
# 8 x 512 tokens; mamba 2.8 and 2 x 256; mamba2 2.9 and 2 x 512; moe 14, of
# which 5 work on a token, and 4 x 512, also against a model without experts
# whose feed-forward is as wide as two. STEPS (2, after one that isn't timed),
# PAIRS (3), THREADS (one a processor; by 1 the processor's time is taken, so
# that other load matters less), OPTIONS (none; of train, as "--optimizer
# muon"). Sides take turns, and the ratio is the median over the pairs. Bars:
# dense at least 1.5 times torch's tokens a second in at most half of its
# memory, a mamba 3 times, a scan 5 times, moe 1.5 times, in at most 1.25 times
# the time of the other.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
build=${GRAFT_BUILD:-$top/build}
if [ -z "${PEERS:-}" ]; then
    echo "full_step: skipped: name a virtual environment with torch and" \
        "transformers by PEERS=..."
    exit 0
fi
[ ! -d "$PEERS" ] || PEERS=$PEERS/bin/python
PEERS=$(realpath -s "$PEERS")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
PATH=$build/bin:$PATH python3 - "$PEERS" "$top/tests/bench/full_torch.py" \
    "${OPTIONS:-}" "${MODELS:-dense mamba mamba2 moe}" "${STEPS:-2}" \
    "${PAIRS:-3}" "${THREADS:-$(nproc)}" <<'PY'
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import time

python, peer, options = sys.argv[1:4]
models = sys.argv[4].split()
steps, pairs, threads = map(int, sys.argv[5:])
ARCH = {
    "dense": {"model_type": "llama", "vocab_size": 32768, "hidden_size": 384,
              "intermediate_size": 1024, "num_hidden_layers": 7,
              "num_attention_heads": 6, "num_key_value_heads": 6,
              "max_position_embeddings": 512, "tie_word_embeddings": True},
    "mamba": {"model_type": "mamba", "vocab_size": 4096, "hidden_size": 256,
              "num_hidden_layers": 4, "tie_word_embeddings": True},
    "mamba2": {"model_type": "mamba2", "vocab_size": 4096, "hidden_size": 256,
               "num_hidden_layers": 4, "num_heads": 8, "head_dim": 64,
               "n_groups": 1, "state_size": 128,
               "tie_word_embeddings": True},
    "moe": {"model_type": "mixtral", "vocab_size": 4096, "hidden_size": 256,
            "intermediate_size": 512, "num_hidden_layers": 4,
            "num_attention_heads": 4, "num_key_value_heads": 2,
            "num_local_experts": 8, "num_experts_per_tok": 2,
            "max_position_embeddings": 512, "tie_word_embeddings": True},
    "active": {"model_type": "llama", "vocab_size": 4096, "hidden_size": 256,
               "intermediate_size": 1024, "num_hidden_layers": 4,
               "num_attention_heads": 4, "num_key_value_heads": 2,
               "max_position_embeddings": 512, "tie_word_embeddings": True},
}
SHAPE = {"dense": (8, 512), "mamba": (2, 256), "mamba2": (2, 512),
         "moe": (4, 512), "active": (4, 512)}
BAR = {"dense": 1.5, "mamba": 3, "mamba2": 3, "moe": 1.5}
# Of a layer's scan: its op, and its sizes beside the batch's.
SCAN = {"mamba": ("scan", "512x16"), "mamba2": ("ssd", "8x64x128")}


def sh(command, **kw):
    return subprocess.run(["bash", "-o", "pipefail", "-c", command],
                          check=True, capture_output=True, text=True,
                          **kw).stdout


def prepare(model):
    batch, seq = SHAPE[model]
    vocab = ARCH[model]["vocab_size"]
    with open("arch.json", "w") as f:
        json.dump(ARCH[model], f)
    for made in "base", "data":
        shutil.rmtree(made, ignore_errors=True)
    sh("initmodel -q -o base arch.json")
    rand = random.Random(0)
    data = "".join('{"ids": %s}\n' % [rand.randrange(vocab)
                                      for _ in range(seq + 1)]
                   for _ in range(batch * (steps + 1)))
    sh("fromjsonl -q --vocab %d | shard -q --val 0 --test 0 -o data"
       % vocab, input=data)
    return ["train", "-q", "--data", "data", "--base", "base", "--method",
            "full", "--batch", str(batch), "--seq-len", str(seq), "--steps",
            str(steps + 1), "--lr", "1e-4", "--schedule", "constant",
            "--save-every", "0", "--threads", str(threads)] + options.split()


def lines():
    try:
        with open("run/metrics.jsonl") as f:
            return [json.loads(x) for x in f if x.endswith("\n")]
    except FileNotFoundError:
        return []


def processor(pid):
    """Seconds of the processor that the process has had."""
    with open("/proc/%d/stat" % pid) as f:
        ticks = f.read().rsplit(")", 1)[1].split()[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def ours(command, tokens):
    """Seconds a step, MiB."""
    p = subprocess.Popen(command + ["-o", "run"])
    used = {}
    while True:
        used.setdefault(len(lines()), processor(p.pid))
        if p.poll() is not None:
            break
        time.sleep(0.01)
    said = lines()
    shutil.rmtree("run")
    if p.returncode != 0:
        sys.exit("full_step: train has failed")
    mib = max(x["peak_bytes"] for x in said) / 2 ** 20
    if threads == 1:
        return (used[steps + 1] - used[1]) / steps, mib
    return tokens / statistics.median(x["tok_s"] for x in said[1:]), mib


def torch(*what):
    out = subprocess.run(
        [python, peer, *what, str(steps), str(threads)], check=True,
        capture_output=True, text=True,
        env=dict(os.environ, OMP_NUM_THREADS=str(threads))).stdout
    return json.loads(out.strip().splitlines()[-1])


def bar(name, value, text, holds):
    print("BAR %s: %.2f of torch (bar %s) %s" %
          (name, value, text, "ok" if holds else "MISSED"))
    return holds


def run(model):
    command = prepare(model)
    shape = "%dx%d" % SHAPE[model]
    tokens = SHAPE[model][0] * SHAPE[model][1]
    plan = json.loads(sh(" ".join(command) + " --dry-run"))
    print("full_step: %s, %.1f million parameters, %s tokens, %d threads, "
          "plan %.0f MiB %s" % (model, plan["parameters"] / 1e6, shape,
                                threads, plan["total_bytes"] / 2 ** 20,
                                options), flush=True)
    rate, memory = [], []
    for i in range(pairs):
        turns = [lambda: ours(command, tokens),
                 lambda: torch("arch.json", shape)]
        got = [turn() for turn in turns[::1 - i % 2 * 2]][::1 - i % 2 * 2]
        a, b = got[0], (got[1]["seconds"], got[1]["mib"])
        rate.append(b[0] / a[0])
        memory.append(a[1] / b[1])
        print("  graft %6.2f s %6.0f MiB   torch %6.2f s %6.0f MiB   ratio "
              "%.2f" % (a + b + (rate[-1],)), flush=True)
    speed, mib = statistics.median(rate), statistics.median(memory)
    good = bar("full_step " + model, speed, "at least %g" % BAR[model],
               speed >= BAR[model])
    if model == "dense":
        good &= bar("full_step memory", mib, "at most 0.5", mib <= 0.5)
    return good


def our_scan(command, op):
    """Seconds of one layer's scan in a step, by train's own table."""
    sh(" ".join(command) + " --profile -o run")
    with open("run/profile.json") as f:
        rows = json.load(f)["rows"]
    shutil.rmtree("run")
    return sum(r["seconds"] / r["runs"] for r in rows
               if r["op"] in (op, op + "_bwd"))


def run_scan(model):
    command = prepare(model)
    op, sizes = SCAN[model]
    shape = "%dx%dx%s" % (*SHAPE[model], sizes)
    rate = []
    for i in range(pairs):
        a = our_scan(command, op)
        b = torch("--" + op, shape)["seconds"]
        rate.append(b / a)
        print("  graft %8.5f s   torch %8.5f s   ratio %.1f"
              % (a, b, rate[-1]), flush=True)
    speed = statistics.median(rate)
    return bar(op, speed, "at least 5", speed >= 5)


def run_active():
    tokens = SHAPE["moe"][0] * SHAPE["moe"][1]
    rate = []
    for i in range(pairs):
        a, b = (ours(prepare(m), tokens)[0] for m in ("moe", "active"))
        rate.append(a / b)
        print("  moe %6.2f s   as wide without experts %6.2f s   ratio %.2f"
              % (a, b, rate[-1]), flush=True)
    times = statistics.median(rate)
    print("BAR moe: %.2f times the time of a token without experts (bar at "
          "most 1.25) %s" % (times, "ok" if times <= 1.25 else "MISSED"))
    return times <= 1.25


good = [run(model) for model in models]
good += [run_scan(model) for model in models if model in SCAN]
if "moe" in models:
    good.append(run_active())
sys.exit(not all(good))
PY
