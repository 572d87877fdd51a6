#!/bin/bash
# gitscrape.sh - full records of a repository's history against
# `git log -p --no-renames`, taking turns. REPO names the repository (10,000
# commits or more); PAIRS how often (5). Bars: median ratio of the times at
# least 1, at most 300 MB resident in all processes of gitscrape together.
set -euo pipefail
build=${GRAFT_BUILD:-$(cd "$(dirname "$0")/../.." && pwd)/build}
if [ -z "${REPO:-}" ]; then
    echo "gitscrape: skipped: name a repository of 10,000 commits by REPO=..."
    exit 0
fi
exec python3 - "$build/bin/gitscrape" "$REPO" "${PAIRS:-5}" <<'END'
import os
import statistics
import subprocess
import sys
import time

program, repo, pairs = sys.argv[1], sys.argv[2], int(sys.argv[3])


def resident(pid):
    """MB in a process and its children."""
    total = 0
    try:
        with open("/proc/%d/statm" % pid) as f:
            total = int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            return total / 1e6 + sum(resident(int(c))
                                     for c in f.read().split())
    except OSError:
        return total / 1e6


def run(command):
    """Seconds on the clock, seconds of processor time, peak MB."""
    before = os.times()
    start = time.monotonic()
    with open("/dev/null", "w") as null:
        child = subprocess.Popen(command, stdout=null)
    peak = 0
    while child.poll() is None:
        peak = max(peak, resident(child.pid))
        time.sleep(0.02)
    clock = time.monotonic() - start
    after = os.times()
    if child.returncode != 0:
        sys.exit("%s: status %d" % (command[0], child.returncode))
    used = (after.children_user + after.children_system -
            before.children_user - before.children_system)
    return clock, used, peak


ours = [program, "-q", repo]
git = ["git", "-C", repo, "log", "-p", "--no-renames", "HEAD"]
count = subprocess.run(["git", "-C", repo, "rev-list", "--count", "HEAD"],
                       check=True, capture_output=True, text=True).stdout
print("gitscrape: %s commits of %s" % (count.strip(), repo))
run(ours), run(git)
ratio, used, peaks = [], [], []
for i in range(pairs):
    a, b = (run(ours), run(git)) if i % 2 == 0 else (run(git), run(ours))[::-1]
    ratio.append(b[0] / a[0])
    used.append(b[1] / a[1])
    peaks.append(a[2])
    print("  gitscrape %6.2f s (cpu %6.2f) %4.0f MB   git %6.2f s "
          "(cpu %6.2f) %4.0f MB   ratio %.2f" % (a + b + (ratio[-1],)))
median, peak = statistics.median(ratio), max(peaks)
print("gitscrape: %.2f times the speed of git log -p (bar 1.00), by "
      "processor time %.2f; peak %.0f MB (bar 300): %s" %
      (median, statistics.median(used), peak,
       "ok" if median >= 1 and peak < 300 else "MISSED"))
sys.exit(not (median >= 1 and peak < 300))
END
