#!/bin/bash
# lora_step.sh - a step of plain LoRA over float32 against one over a quantised
# base, and against one of each variant.
#
# Rank 32 on all linears, 2 x 512 random tokens, random weights. SHAPES
# ("gpt2-124m qwen2-0.5b"), FORMATS ("int8 nf4 q4_k"; q4_k is a GGUF file, in
# which matrices whose rows are no whole blocks of 256 are Q5_0, as llama.cpp
# has it), VARIANTS ("dora rslora loraplus recompute", the last keeping what a
# layer reads alone, --recompute block), SEQ (512), BATCH (2), STEPS (2,
# after one that isn't timed), ROUNDS (3), THREADS (one a processor; by 1 the
# processor's time is taken, so that other load matters less). They take turns,
# and the ratio is the median over the rounds. Bars, of plain LoRA's tokens a
# second: 0.85 over a quantised base, 0.8 for DoRA, 1 / 1.3 for recomputing,
# 0.97 for what should cost nothing. The memory is what the dry run plans.
set -euo pipefail
build=${GRAFT_BUILD:-$(cd "$(dirname "$0")/../.." && pwd)/build}
bench=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
PATH=$build/bin:$PATH BENCH=$bench python3 - "${SHAPES:-gpt2-124m qwen2-0.5b}" \
    "${FORMATS-int8 nf4 q4_k}" "${VARIANTS-dora rslora loraplus recompute}" \
    "${SEQ:-512}" "${BATCH:-2}" "${STEPS:-2}" "${ROUNDS:-3}" \
    "${THREADS:-$(nproc)}" <<'END'
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import time

shapes, formats, variants = [x.split() for x in sys.argv[1:4]]
seq, batch, steps, rounds, threads = map(int, sys.argv[4:])
RANK = 32
OPTIONS = {"dora": ["--dora"], "rslora": ["--rslora"],
           "loraplus": ["--loraplus-lr-ratio", "16"],
           "recompute": ["--recompute", "block"]}
BAR = {"dora": 0.8, "rslora": 0.97, "loraplus": 0.97, "recompute": 1 / 1.3}
ARCH = {
    "gpt2-124m": {"model_type": "gpt2", "vocab_size": 50257},
    "qwen2-0.5b": {
        "model_type": "qwen2", "vocab_size": 151936, "hidden_size": 896,
        "intermediate_size": 4864, "num_hidden_layers": 24,
        "num_attention_heads": 14, "num_key_value_heads": 2,
        "tie_word_embeddings": True},
}


def sh(command, **kw):
    return subprocess.run(["bash", "-o", "pipefail", "-c", command],
                          check=True, capture_output=True, text=True,
                          **kw).stdout


def prepare(shape):
    """Bases in folders or files of their names, and data."""
    with open("arch.json", "w") as f:
        json.dump(ARCH[shape], f)
    sh("initmodel -q -o f32 arch.json")
    for name in formats:
        if name == "q4_k":
            sh("python3 $BENCH/gguf_random.py q4_k q4_k " + shape)
        else:
            sh("quantize -q --format %s f32 | shard -q -o %s" % (name, name))
    vocab = ARCH[shape]["vocab_size"]
    rand = random.Random(0)
    data = "".join('{"ids": %s}\n' % [rand.randrange(vocab)
                                      for _ in range(seq + 1)]
                   for _ in range(batch * (steps + 1)))
    sh("fromjsonl -q --vocab %d | shard -q --val 0 --test 0 -o data" % vocab,
       input=data)


def command(case):
    """Of a base, or of a variant over float32."""
    base = "f32" if case in OPTIONS else case
    return ["train", "--data", "data", "--base", base, "--rank", str(RANK),
            "--alpha", str(2 * RANK), "--batch", str(batch), "--seq-len",
            str(seq), "--steps", str(steps + 1), "--schedule", "constant",
            "--threads", str(threads)] + OPTIONS.get(case, [])


def lines():
    try:
        with open("run/metrics.jsonl") as f:
            return [json.loads(line) for line in f if line.endswith("\n")]
    except FileNotFoundError:
        return []


def processor(pid):
    """Seconds of the processor that the process has had."""
    with open("/proc/%d/stat" % pid) as f:
        ticks = f.read().rsplit(")", 1)[1].split()[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def rate(case):
    """Tokens a second, after the first step."""
    p = subprocess.Popen(command(case) + ["-q", "-o", "run"])
    used = {}
    while True:
        used.setdefault(len(lines()), processor(p.pid))
        if p.poll() is not None:
            break
        time.sleep(0.01)
    said = lines()
    shutil.rmtree("run")
    if p.returncode != 0:
        sys.exit("lora_step: train has failed")
    if threads == 1:
        return steps * batch * seq / (used[steps + 1] - used[1])
    return statistics.median(x["tok_s"] for x in said if x["step"] > 1)


good = True
for shape in shapes:
    prepare(shape)
    cases = ["f32"] + formats + variants
    plan = {c: json.loads(sh(" ".join(command(c)) + " --dry-run"))
            for c in cases}
    got = {c: [] for c in cases}
    for _ in range(rounds):
        for c in cases:
            got[c].append(rate(c))
    for c in cases:
        print("lora_step: %s %s, %d threads: %.1f tokens/s, memory %.0f MiB"
              % (shape, c, threads, statistics.median(got[c]),
                 plan[c]["total_bytes"] / 2 ** 20))
    for c in formats + variants:
        ratio = statistics.median(x / y for x, y in zip(got[c], got["f32"]))
        ok = ratio >= BAR.get(c, 0.85)
        good &= ok
        print("BAR lora_step %s %s: %.2f of plain LoRA over float32 (bar at "
              "least %.2f) %s" % (shape, c, ratio, BAR.get(c, 0.85),
                                  "ok" if ok else "MISSED"), flush=True)
    for b in ["f32"] + formats:
        (os.remove if os.path.isfile(b) else shutil.rmtree)(b)
    shutil.rmtree("data")
sys.exit(not good)
END
