#!/bin/bash
# report.sh - the page of 10 runs of 10,000 steps over one set: under a
# second; and of one run of a million steps: how large it is, and how large
# that of a thousand.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
build=${GRAFT_BUILD:-$top/build}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
export PATH=$build/bin:$PATH

# made_run NAME STEPS ID: a run of made-up numbers that learned from data.
made_run() {
    mkdir "$1"
    printf '{"identity": {"rank": 8, "run_steps": %d, "data_id": "%s"}, %s' \
        "$2" "$3" '"options": {"data": "data"}, "machine": {}}' \
        >"$1/config.json"
    echo '{"type": "run", "files": {}}' >"$1/manifest.json"
    awk -v n="$2" 'BEGIN { srand(n); for (i = 1; i <= n; i++)
        printf "{\"step\": %d, \"loss\": %.15f, \"lr\": %.15f, " \
            "\"grad_norm\": %.15f, \"tokens\": %d, \"tok_s\": %.10f, " \
            "\"peak_bytes\": 205725696, \"supervised\": %d, " \
            "\"skipped\": 0}\n", i, 2 + rand(), 1e-4 * (1 - i / n), rand(),
            4096 * i, 7600 + 50 * rand(), 4000 * i }' >"$1/metrics.jsonl"
}

for i in {1..20000}; do
    echo "{\"ids\": [$((i % 7)), 3, 4, 9, $((i % 11)), 1, 2, 5]}"
done | fromjsonl -q --vocab 40 | shard -q -o data
id=$(jq -r .content data/manifest.json)
for i in {1..10}; do made_run run$i 10000 "$id"; done
for i in 1 2 3 4 5; do
    TIMEFORMAT='%U %S'
    { time report -q -o r.html run{1..10}; } 2>&1
done | awk '{ print $1 + $2 }' | sort -n >times
made_run long 1000000 "$id"
made_run short 1000 "$id"
report -q -o long.html long
report -q -o short.html short
awk -v long="$(stat -c %s long.html)" -v short="$(stat -c %s short.html)" '
    NR == 3 {
        holds = $1 < 1 && long < 1.5 * short
        printf "BAR report: %.2f s of 10 runs of 10,000 steps, a page of a " \
            "million steps %.2f times that of a thousand (bars under 1 s, " \
            "1.5) %s\n", $1, long / short, holds ? "ok" : "MISSED"
        exit !holds
    }' times
