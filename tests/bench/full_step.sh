#!/bin/bash
# full_step.sh - a step of full training, of a dense model of 25 million
# parameters in float32, against torch's eager one (full_torch.py).
#
# PEERS names a virtual environment (or a python) with torch and transformers.
# BATCH (8), SEQ (512), STEPS (2, after one that isn't timed), PAIRS (3),
# THREADS (one a processor; by 1 the processor's time is taken, so that other
# load matters less), OPTIONS (none; of train, as "--optimizer muon"). Sides
# take turns, and the ratio is the median over the pairs. Bars: at least 1.5
# times its tokens a second, in at most half of its memory.
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
    "${OPTIONS:-}" "${BATCH:-8}" "${SEQ:-512}" "${STEPS:-2}" "${PAIRS:-3}" \
    "${THREADS:-$(nproc)}" <<'PY'
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import time

python, peer, options = sys.argv[1:4]
batch, seq, steps, pairs, threads = map(int, sys.argv[4:])
ARCH = {"model_type": "llama", "vocab_size": 32768, "hidden_size": 384,
        "intermediate_size": 1024, "num_hidden_layers": 7,
        "num_attention_heads": 6, "num_key_value_heads": 6,
        "max_position_embeddings": max(512, seq), "tie_word_embeddings": True}


def sh(command, **kw):
    return subprocess.run(["bash", "-o", "pipefail", "-c", command],
                          check=True, capture_output=True, text=True,
                          **kw).stdout


def prepare():
    with open("arch.json", "w") as f:
        json.dump(ARCH, f)
    sh("initmodel -q -o base arch.json")
    rand = random.Random(0)
    data = "".join('{"ids": %s}\n' % [rand.randrange(ARCH["vocab_size"])
                                      for _ in range(seq + 1)]
                   for _ in range(batch * (steps + 1)))
    sh("fromjsonl -q --vocab %d | shard -q --val 0 --test 0 -o data"
       % ARCH["vocab_size"], input=data)


OURS = ["train", "-q", "--data", "data", "--base", "base", "--method", "full",
        "--batch", str(batch), "--seq-len", str(seq), "--steps",
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


def ours():
    """Seconds a step, MiB."""
    p = subprocess.Popen(OURS + ["-o", "run"])
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
    return batch * seq / statistics.median(x["tok_s"]
                                           for x in said[1:]), mib


def torch():
    out = subprocess.run(
        [python, peer, "arch.json", "%dx%d" % (batch, seq), str(steps),
         str(threads)], check=True, capture_output=True, text=True,
        env=dict(os.environ, OMP_NUM_THREADS=str(threads))).stdout
    got = json.loads(out.strip().splitlines()[-1])
    return got["seconds"], got["mib"]


prepare()
plan = json.loads(subprocess.run(OURS + ["--dry-run"], check=True,
                                 capture_output=True, text=True).stdout)
print("full_step: %.1f million parameters, %d x %d tokens, %d threads, plan "
      "%.0f MiB %s" % (plan["parameters"] / 1e6, batch, seq, threads,
                       plan["total_bytes"] / 2 ** 20, options), flush=True)
rate, memory = [], []
for i in range(pairs):
    a, b = (ours(), torch()) if i % 2 == 0 else (torch(), ours())[::-1]
    rate.append(b[0] / a[0])
    memory.append(a[1] / b[1])
    print("  graft %6.2f s %6.0f MiB   torch %6.2f s %6.0f MiB   ratio %.2f"
          % (a + b + (rate[-1],)), flush=True)


def bar(name, value, text, holds):
    print("BAR %s: %.2f of torch (bar %s) %s" %
          (name, value, text, "ok" if holds else "MISSED"))
    return holds


speed, mib = statistics.median(rate), statistics.median(memory)
good = bar("full_step speed", speed, "at least 1.50", speed >= 1.5)
good &= bar("full_step memory", mib, "at most 0.50", mib <= 0.5)
sys.exit(not good)
PY
