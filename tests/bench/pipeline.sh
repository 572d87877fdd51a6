#!/bin/bash
# pipeline.sh - a repository's history made into a set of tokens, gitscrape |
# tokenize | shard, against `git log -p --no-renames` alone, taking turns on
# two processors. The bar: the median of the ratios is at most 1.6.
#
# Variables: REPO, a repository of 10,000 commits or more; TOKENIZER, a
# tokenizer.json (gpt2's of GRAFT_SHARED); LENGTH, tokenize's --max-tokens
# (1024); PAIRS (5).
set -euo pipefail
cd "$(dirname "$0")/../.."
bin=${GRAFT_BUILD:-build}/bin
pairs=${PAIRS:-5}
json=${TOKENIZER:-${GRAFT_SHARED:-../shared}/tokenizers/gpt2/tokenizer.json}
if [ -z "${REPO:-}" ] || [ ! -e "$json" ]; then
    echo "pipeline: skipped: needs REPO, a repository of 10,000 commits, and" \
        "a tokenizer.json (TOKENIZER or GRAFT_SHARED)"
    exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
two=$(python3 -c 'import os
print(*sorted(os.sched_getaffinity(0))[:2], sep=",")')
taskset -pc "$two" $$ >/dev/null

ours() {
    rm -rf "$work/set"
    "$bin/gitscrape" -q "$REPO" |
        "$bin/tokenize" -q -t "$json" --template commit \
            --max-tokens "${LENGTH:-1024}" |
        "$bin/shard" -q -o "$work/set"
}

git_log() {
    git -C "$REPO" log -p --no-renames HEAD >/dev/null
}

# seconds COMMAND
seconds() {
    local begin=$EPOCHREALTIME end
    "$@" || return 1
    end=$EPOCHREALTIME
    echo $((${end/./} - ${begin/./})) | awk '{ printf "%.2f\n", $1 / 1e6 }'
}

echo "pipeline: $(git -C "$REPO" rev-list --count HEAD) commits of $REPO, on" \
    "processors $two"
seconds git_log >/dev/null
for ((i = 0; i < pairs; i++)); do
    a=$(seconds ours)
    b=$(seconds git_log)
    ratio=$(awk -v a="$a" -v b="$b" 'BEGIN { printf "%.2f", a / b }')
    echo "  pipeline $a s, git log -p $b s, ratio $ratio"
    echo "$ratio" >>"$work/ratios"
done
median=$(sort -n "$work/ratios" | sed -n $(((pairs + 1) / 2))p)
awk -v m="$median" 'BEGIN {
    printf "pipeline: %.2f times git log -p (bar 1.60): %s\n", m,
        m <= 1.6 ? "holds" : "MISSED"
    exit m > 1.6 }'
