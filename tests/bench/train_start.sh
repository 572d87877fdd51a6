#!/bin/bash
# train_start.sh - from train's start to its first step, on a set of many
# records: what a resumed run, or the first line of a long one, waits for.
#
# RECORDS (100000) of 100 to 300 tokens, a tenth of them to validate with, and
# a base so small that the step itself is a few milliseconds. RUNS (7), of
# which the median is told, with the bytes of the set that were mapped in by
# then (resident pages of its files). Bar: half a second.
set -euo pipefail
build=${GRAFT_BUILD:-$(cd "$(dirname "$0")/../.." && pwd)/build}
PATH=$build/bin:$PATH
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
python3 - "${RECORDS:-100000}" <<'END' | fromjsonl -q --vocab 5000 |
import random
import sys
rand = random.Random(0)
for i in range(int(sys.argv[1])):
    ids = rand.choices(range(5000), k=rand.randrange(100, 300))
    print('{"ids":%s,"ordinal":%d,"time":%d}' %
          (ids, i // 3, 10 ** 9 + i // 3))
END
    shard -q --val 0.1 --test 0 -o data
cat >arch.json <<'END'
{"model_type": "llama", "vocab_size": 5000, "hidden_size": 16,
 "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
 "num_key_value_heads": 1, "max_position_embeddings": 1024}
END
initmodel -q -o base arch.json
python3 - "${RUNS:-7}" <<'END'
import os
import shutil
import statistics
import subprocess
import sys
import time

command = ["train", "-q", "--data", "data", "--base", "base", "--rank", "1",
           "--seq-len", "320", "--batch", "1", "--steps", "1000000",
           "--warmup", "0", "--log-every", "1", "--eval-records", "1",
           "--threads", "1", "-o", "run"]
BAR = 0.5


def resident(pid):
    """MiB of the set's shards that the process has in its memory."""
    total = shard = 0
    with open("/proc/%d/smaps" % pid) as f:
        for line in f:
            word = line.split()
            if len(word) >= 5 and "-" in word[0]:
                shard = line.rstrip().endswith(".graft") and "/data/" in line
            elif shard and word[0] == "Rss:":
                total += int(word[1])
    return total / 1024


def stepped():
    try:
        with open("run/metrics.jsonl") as f:
            return '"loss"' in f.read()
    except FileNotFoundError:
        return False


def once():
    begin = time.monotonic()
    p = subprocess.Popen(command)
    while not stepped():
        if p.poll() is not None:
            sys.exit("train_start: train ended with %d" % p.returncode)
        time.sleep(0.001)
    seconds, mib = time.monotonic() - begin, resident(p.pid)
    p.kill()
    p.wait()
    shutil.rmtree("run")
    return seconds, mib


once()
runs = [once() for _ in range(int(sys.argv[1]))]
seconds = statistics.median(r[0] for r in runs)
size = sum(os.path.getsize("data/" + f) for f in os.listdir("data"))
print("train_start: %.0f ms from train's start to its first step "
      "(%.0f to %.0f), %.1f of the set's %.0f MiB mapped in by then" %
      (1000 * seconds, 1000 * min(runs)[0], 1000 * max(runs)[0],
       statistics.median(r[1] for r in runs), size / 2 ** 20))
print("BAR train start: %.2f s (bar at most %.1f s) %s" %
      (seconds, BAR, "ok" if seconds <= BAR else "MISSED"))
sys.exit(seconds > BAR)
END
