#!/bin/bash
# dedup.sh - dedup on a stream in a file: MB of records a second of processor
# time by one thread (reading and writing included), two threads against one
# on the clock, and its memory. With datasketch in PEERS, a Python
# environment, against its MinHash and MinHashLSH (128 permutations, 0.7) on
# the same shingles' words, which is timed without reading and writing; and
# how many records each leaves out: datasketch takes what shares a band for a
# duplicate, an edit and its reversal as well.
#
# Runs take turns, PAIRS times (3); medians are told. REPO names a repository,
# else the C headers in /usr/include are taken. PEER_RECORDS (4000): as many
# datasketch gets. Bar: 25 MB/s.
set -euo pipefail
build=${GRAFT_BUILD:-$(cd "$(dirname "$0")/../.." && pwd)/build}
export PATH=$build/bin:$PATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ -n "${REPO:-}" ]; then
    gitscrape -q "$REPO" >"$work/text"
else
    find /usr/include -type f -name '*.h' | sort | fromfiles -q >"$work/text"
fi
raw=$(grep -a '^raw ' "$work/text" | tail -n 1 | cut -d ' ' -f 2)
tojsonl "$work/text" | head -n "${PEER_RECORDS:-4000}" >"$work/lines" || true
fromjsonl -q "$work/lines" >"$work/some"
cat >"$work/peer.py" <<'PY'
import json, re, sys, time
from datasketch import MinHash, MinHashLSH
token = re.compile(r"[A-Za-z0-9_\u0080-\U0010ffff]+")
texts = []
for line in open(sys.argv[1], encoding="utf-8"):
    d = json.loads(line)
    t = d.get("change", d.get("text"))
    texts.append(t if isinstance(t, str) else "")
start = time.process_time()
lsh = MinHashLSH(threshold=0.7, num_perm=128)
left = 0
for i, text in enumerate(texts):
    if "change" in d:
        text = "\n".join(x for x in text.split("\n")
                         if x[:1] in "+-")
    words = token.findall(text)
    grams = {" ".join(words[k:k + 5]).encode()
             for k in range(max(1, len(words) - 4))}
    if not words:
        continue
    m = MinHash(num_perm=128)
    m.update_batch(list(grams))
    if lsh.query(m):
        left += 1
    else:
        lsh.insert(str(i), m)
print(time.process_time() - start, left, len(texts))
PY
python3 - "$work" "$raw" "${PAIRS:-3}" "${PEERS:-}" <<'END'
import os
import statistics
import subprocess
import sys
import time

work, raw, pairs, peers = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), \
    sys.argv[4]


def run(threads, path):
    """Seconds on the clock, of processor time; MB resident; stderr."""
    start = time.monotonic()
    with open("/dev/null", "w") as null:
        child = subprocess.Popen(["dedup", "--threads", str(threads), path],
                                 stdout=null, stderr=subprocess.PIPE)
    told = child.stderr.read().decode()
    _, status, used = os.wait4(child.pid, 0)
    if status != 0:
        sys.exit(told)
    return (time.monotonic() - start, used.ru_utime + used.ru_stime,
            used.ru_maxrss / 1024, told)


one, ratio, peer = [], [], []
for _ in range(pairs):
    a = run(1, work + "/text")
    b = run(2, work + "/text")
    one.append(a[1])
    ratio.append(a[0] / b[0])
    if peers:
        c = run(1, work + "/some")
        out = subprocess.run([peers + "/bin/python", work + "/peer.py",
                              work + "/lines"], capture_output=True,
                             check=True, text=True).stdout.split()
        peer.append(float(out[0]) / c[1])
print(a[3], end="")
print("dedup: %.0f MB of records, %.1f MB/s of processor time (bar: 25), "
      "%.0f MB resident, of which the index is the page cache's"
      % (raw / 1e6, raw / 1e6 / statistics.median(one), a[2]))
print("dedup: two threads against one: %.2f" % statistics.median(ratio))
if peers:
    print("dedup: times datasketch, processor time of %s records: %.1f"
          % (out[2], statistics.median(peer)))
    print("dedup: left out by datasketch %s; by dedup: %s"
          % (out[1], "; ".join(c[3].splitlines())))
else:
    print("dedup: no PEERS: not compared with datasketch")
END
