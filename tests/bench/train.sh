#!/bin/bash
# train.sh - a training step against torch + PEFT: LoRA of rank 32 on all
# linears, dropout 0 on both sides, random tokens and weights.
#
# PEERS names a virtual environment (or a python) with torch, transformers and
# peft; its side is lora_torch.py in $GRAFT_SHARED/peers. SHAPE (gpt2-124m;
# qwen2-0.5b, tiny), SEQ (512), BATCH (2), STEPS (4, after one that isn't
# timed), PAIRS (5), COMPUTE (f32; bf16: torch's side is all in bfloat16). A
# base is stored as its side computes. Sides take turns, each with all
# processors; a side's rate is the median of its steps, and the ratio the
# median over the pairs. CPU=1 takes one thread's processor time instead,
# which other load changes less. Bars in f32: at least its tokens a second, in
# at most a third of its memory; in bf16: 1.3 times its tokens a second, and
# 1.6 times our own in f32. The share of the peak is the products' operations
# a second (dry run) over what sgemm reaches between the pairs.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
build=${GRAFT_BUILD:-$top/build}
peer=${GRAFT_SHARED:-$top/../shared}/peers/lora_torch.py
if [ -z "${PEERS:-}" ] || [ ! -f "$peer" ]; then
    echo "train: skipped: name a virtual environment with torch and peft" \
        "by PEERS=... and the folder of peers/lora_torch.py by GRAFT_SHARED=..."
    exit 0
fi
[ ! -d "$PEERS" ] || PEERS=$PEERS/bin/python
PEERS=$(realpath -s "$PEERS") peer=$(realpath "$peer")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
PATH=$build/bin:$PATH SGEMM=$build/bench/sgemm python3 - "$PEERS" "$peer" \
    "${SHAPE:-gpt2-124m}" "${SEQ:-512}" "${BATCH:-2}" "${STEPS:-4}" \
    "${PAIRS:-5}" "${COMPUTE:-f32}" "${CPU:-0}" <<'END'
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys

python, peer, shape = sys.argv[1:4]
seq, batch, steps, pairs = map(int, sys.argv[4:8])
compute, cpu = sys.argv[8], sys.argv[9] != "0"
threads = "1" if cpu else str(len(os.sched_getaffinity(0)))
RANK = 32
DTYPE = {"f32": "float32", "bf16": "bfloat16"}
ARCH = {
    "gpt2-124m": {"model_type": "gpt2", "vocab_size": 50257},
    "qwen2-0.5b": {
        "model_type": "qwen2", "vocab_size": 151936, "hidden_size": 896,
        "intermediate_size": 4864, "num_hidden_layers": 24,
        "num_attention_heads": 14, "num_key_value_heads": 2,
        "tie_word_embeddings": True},
    "tiny": {
        "model_type": "qwen2", "vocab_size": 8192, "hidden_size": 256,
        "intermediate_size": 1024, "num_hidden_layers": 6,
        "num_attention_heads": 8, "num_key_value_heads": 4,
        "tie_word_embeddings": True},
}


def sh(command, **kw):
    return subprocess.run(command, check=True, capture_output=True,
                          text=True, **kw).stdout


def prepare():
    for kind in {"f32", compute}:
        with open("arch.json", "w") as f:
            json.dump(dict(ARCH[shape], torch_dtype=DTYPE[kind]), f)
        sh(["initmodel", "-q", "-o", kind, "arch.json"])
    vocab = ARCH[shape]["vocab_size"]
    rand = random.Random(0)
    lines = "".join('{"ids": %s}\n' % [rand.randrange(vocab)
                                       for _ in range(seq + 1)]
                    for _ in range(batch * (steps + 1)))
    sh(["bash", "-o", "pipefail", "-c", "fromjsonl -q --vocab %d | "
        "shard -q --val 0 --test 0 -o data" % vocab], input=lines)


OURS = ["train", "--data", "data", "--rank", str(RANK), "--alpha",
        str(2 * RANK), "--batch", str(batch), "--seq-len", str(seq), "--clip",
        "0", "--lr", "1e-4", "--schedule", "constant", "--threads", threads]


def run(kind, n):
    """Metrics and processor seconds of a run of n steps."""
    def used():
        r = resource.getrusage(resource.RUSAGE_CHILDREN)
        return r.ru_utime + r.ru_stime

    before = used()
    sh(OURS + ["--base", kind, "--compute", kind, "--steps", str(n), "-q",
               "-o", "run"])
    with open("run/metrics.jsonl") as f:
        lines = [json.loads(line) for line in f]
    shutil.rmtree("run")
    return lines, used() - before


def ours(kind):
    """Tokens a second, peak MiB."""
    lines, seconds = run(kind, steps + 1)
    rate = statistics.median(x["tok_s"] for x in lines if x["step"] > 1)
    if cpu:
        rate = seq * batch * steps / (seconds - run(kind, 1)[1])
    return rate, max(x["peak_bytes"] for x in lines) / 2 ** 20


BY_PROCESSOR = """
import runpy, sys, time
time.time = time.process_time
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def theirs():
    by = ["-c", BY_PROCESSOR] if cpu else []
    out = sh([python] + by + [peer, shape, DTYPE[compute], str(seq),
              str(batch), str(steps), str(RANK)],
             env=dict(os.environ, OMP_NUM_THREADS=threads))
    got = json.loads(out.strip().splitlines()[-1])
    return got["tok_s"], got["maxrss_mib"]


def sgemm():
    out = sh([os.environ["SGEMM"], threads])
    return float(out.strip().splitlines()[-1].split()[1])


prepare()
plan = json.loads(sh(OURS + ["--base", compute, "--steps", "1",
                             "--dry-run"]))
flops = plan["flops_per_step"] / plan["positions_per_step"]
print("train: %s, LoRA rank %d, %s, %d x %d tokens, %s threads, "
      "%d steps, %.0f MFLOP a token" %
      (shape, RANK, DTYPE[compute], batch, seq, threads, steps, flops / 1e6),
      flush=True)
rate, memory, share, peaks, wide = [], [], [], [], []
for i in range(pairs):
    peaks.append(sgemm())
    if i % 2 == 0:
        a, b = ours(compute), theirs()
    else:
        b, a = theirs(), ours(compute)
    if compute != "f32":
        wide.append(a[0] / ours("f32")[0])
    rate.append(a[0] / b[0])
    memory.append(a[1] / b[1])
    share.append(a[0])
    print("  graft %7.1f tok/s %6.0f MiB   torch+peft %7.1f tok/s %6.0f MiB"
          "   ratio %.2f%s   sgemm %.0f GFLOP/s" %
          (a + b + (rate[-1], "".join("   of f32 %.2f" % x
                                      for x in wide[-1:]), peaks[-1])),
          flush=True)
peak = max(peaks)


def bar(name, value, text, holds):
    print("BAR %s: %s (bar %s) %s" %
          (name, value, text, "ok" if holds else "MISSED"))
    return holds


speed, mib = statistics.median(rate), statistics.median(memory)
reached = statistics.median(share) * flops / 1e9
print("train: %.0f GFLOP/s are %.0f%% of the sgemm peak of %.0f" %
      (reached, 100 * reached / peak, peak))
if compute == "f32":
    good = bar("train speed", "%.2f of torch + PEFT" % speed,
               "at least 1.00", speed >= 1)
    good &= bar("train memory", "%.2f of torch + PEFT" % mib, "at most 0.33",
                mib <= 1 / 3)
else:
    good = bar("train speed in bf16", "%.2f of torch + PEFT" % speed,
               "at least 1.30", speed >= 1.3)
    own = statistics.median(wide)
    good &= bar("train speed in bf16", "%.2f of f32" % own, "at least 1.60",
                own >= 1.6)
    print("train: its memory is %.2f of torch + PEFT" % mib)
sys.exit(not good)
END
