#!/bin/bash
# rerun.sh - the pipeline a second time, with nothing new: under a second, and
# no file touched (neither content nor times). The repository and the training
# are small, as their size is of no concern; all else is as in make demo.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
build=${GRAFT_BUILD:-$top/build}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# repo_small, of the tests.
BATS_TEST_DIRNAME=$top/tests/cli
bats_require_minimum_version() { :; }
. "$top/tests/cli/helper.bash"
repo_small "$scratch/project" 40

pipeline() {
    make -s -f "$top/pipelines/repo.mk" REPO="$scratch/project" \
        WORK="$scratch/work" BIN="$build/bin" \
        PRETRAIN='--batch 2 --steps 2' LORA='--rank 2 --batch 2 --steps 2' \
        >"$scratch/log" 2>&1 || { cat "$scratch/log"; exit 1; }
}

state() {
    find "$scratch/work" -printf '%p %y %s %i %T@ %C@\n' | sort
}

pipeline
state >"$scratch/before"
for i in 1 2 3 4 5; do
    begin=$EPOCHREALTIME
    pipeline
    end=$EPOCHREALTIME
    echo $((${end/./} - ${begin/./}))
done | sort -n >"$scratch/times"
state >"$scratch/after"
touched=$(diff "$scratch/before" "$scratch/after" | grep -c '^>' || true)
diff "$scratch/before" "$scratch/after" | head -n 10 || true
awk -v touched="$touched" 'NR == 3 {
    holds = $1 < 1e6 && touched == 0
    printf "BAR rerun: %.2f s, %d files touched (bar under 1 s, none) %s\n",
        $1 / 1e6, touched, holds ? "ok" : "MISSED"
    exit !holds
}' "$scratch/times"
