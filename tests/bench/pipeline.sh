#!/bin/bash
# pipeline.sh - a repository's history made into a set of tokens, gitscrape |
# tokenize | shard, and cleaned on the way, gitscrape | scrub | dedup |
# tokenize | shard, against `git log -p --no-renames` alone, taking turns on
# two processors. The bars: the medians of the ratios are at most 1.6 and 2.5,
# and the peaks of all programs' memory come to less than 1 GB.
#
# Variables: REPO, a repository of 10,000 commits or more; TOKENIZER, a
# tokenizer.json (gpt2's of GRAFT_SHARED); LENGTH, tokenize's --max-tokens
# (1024); PAIRS (5).
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH=$(cd "${GRAFT_BUILD:-build}/bin" && pwd):$PATH
json=${TOKENIZER:-${GRAFT_SHARED:-../shared}/tokenizers/gpt2/tokenizer.json}
if [ -z "${REPO:-}" ] || [ ! -e "$json" ]; then
    echo "pipeline: skipped: needs REPO, a repository of 10,000 commits, and" \
        "a tokenizer.json (TOKENIZER or GRAFT_SHARED)"
    exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "pipeline: $(git -C "$REPO" rev-list --count HEAD) commits of $REPO"
python3 - "$REPO" "$json" "${LENGTH:-1024}" "${PAIRS:-5}" "$work" <<'EOP'
import os
import shutil
import statistics
import subprocess
import sys
import time

repo, tokenizer, length, pairs, work = sys.argv[1:]
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
scrape = [["gitscrape", "-q", repo]]
clean = [["scrub", "-q"], ["dedup", "-q"]]
tokens = [["tokenize", "-q", "-t", tokenizer, "--template", "commit",
           "--max-tokens", length], ["shard", "-q", "-o", work + "/set"]]


def run(line):
    """Seconds that a line of programs takes, and their peaks in bytes."""
    shutil.rmtree(work + "/set", ignore_errors=True)
    begin, given, programs = time.monotonic(), None, []
    for words in line:
        last = words is line[-1]
        p = subprocess.Popen(
            words, stdin=given or subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if last else subprocess.PIPE)
        if given:
            given.close()
        given = p.stdout
        programs.append(p)
    peak = 0
    for p in programs:
        _, status, usage = os.wait4(p.pid, 0)
        if status:
            sys.exit("pipeline: %s ended badly" % p.args[0])
        peak += usage.ru_maxrss * 1024
    return time.monotonic() - begin, peak


def git_log():
    return run([["git", "-C", repo, "log", "-p", "--no-renames", "HEAD"]])[0]


git_log()
missed = False
for name, line, bar in (("as it is", scrape + tokens, 1.6),
                        ("cleaned", scrape + clean + tokens, 2.5)):
    ratios, peaks = [], []
    for _ in range(int(pairs)):
        ours, peak = run(line)
        git = git_log()
        ratios.append(ours / git)
        peaks.append(peak / 1e9)
        print("  %s %.2f s, git log -p %.2f s, ratio %.2f"
              % (name, ours, git, ratios[-1]))
    ratio, peak = statistics.median(ratios), max(peaks)
    held = ratio <= bar and peak < 1
    missed |= not held
    print("pipeline, %s: %.2f times git log -p (bar %.2f), %.2f GB"
          " (bar 1): %s" % (name, ratio, bar, peak,
                            "holds" if held else "MISSED"))
sys.exit(missed)
EOP
