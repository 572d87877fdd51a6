#!/bin/bash
# tokenize.sh - tokenize, one thread, the whole program on a stream of files,
# against Hugging Face's tokenizers, which is timed without its start.
#
# Sides take turns, PAIRS times; the last line has the median of the ratios.
# Variables: PEERS, a Python environment with tokenizers; GRAFT_SHARED; FILES,
# a folder of C sources (/usr/include); TOKENIZER, a folder of
# $GRAFT_SHARED/tokenizers (starcoder2); PAIRS (5); MEGABYTES (12).
set -euo pipefail
cd "$(dirname "$0")/../.."
bin=${GRAFT_BUILD:-build}/bin
shared=${GRAFT_SHARED:-../shared}
json=$shared/tokenizers/${TOKENIZER:-starcoder2}/tokenizer.json
peer=$shared/peers/tok_speed.py
pairs=${PAIRS:-5}
if [ -z "${PEERS:-}" ] || [ ! -e "$json" ] || [ ! -e "$peer" ]; then
    echo "tokenize: skipped: needs PEERS, a Python environment with" \
        "tokenizers, and GRAFT_SHARED"
    exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Valid UTF-8 only: the other side reads text.
total=0
while [ $total -lt $((${MEGABYTES:-12} * 1000000)) ] && IFS= read -r f; do
    iconv -f utf-8 -t utf-8 "$f" >/dev/null 2>&1 || continue
    total=$((total + $(stat -c %s "$f")))
    echo "$f"
done < <(find "${FILES:-/usr/include}" -type f -name '*.[ch]' -size +1k |
    sort) >"$work/list"
"$bin/fromfiles" -q <"$work/list" >"$work/text"

ours() {
    local start end bytes
    bytes=$(xargs -d '\n' cat <"$work/list" | wc -c)
    start=$(date +%s%N)
    "$bin/tokenize" -q --threads 1 --template plain --end none -t "$json" \
        "$work/text" >"$work/tokens"
    end=$(date +%s%N)
    awk -v b="$bytes" -v ns=$((end - start)) \
        'BEGIN { printf "%.2f\n", b / ns * 1000 }'
}

theirs() {
    xargs -d '\n' "$PEERS/bin/python" "$peer" "$json" <"$work/list" |
        tee "$work/peer" | jq .mb_s
}

for ((i = 0; i < pairs; i++)); do
    a=$(ours)
    b=$(theirs)
    ratio=$(awk -v a="$a" -v b="$b" 'BEGIN { printf "%.1f", a / b }')
    echo "tokenize $a MB/s, tokenizers $b MB/s, ratio $ratio"
    echo "$ratio" >>"$work/ratios"
done
ids=$("$bin/tojsonl" "$work/tokens" | jq -n '[inputs.ids | length] | add')
[ "$ids" = "$(jq .ids "$work/peer")" ] ||
    echo "tokenize: $ids ids, tokenizers $(jq .ids "$work/peer")"
median=$(sort -n "$work/ratios" | sed -n $(((pairs + 1) / 2))p)
echo "tokenize: $median times tokenizers, one thread (bar: 20)"
