#!/bin/bash
# vocabtrain.sh - a vocabulary of 32,000 tokens, the whole program on a stream
# of files, against Hugging Face's BpeTrainer with all processors, which is
# timed without its start. The two files must be the same, byte for byte.
#
# Sides take turns, PAIRS times; the last line has the median of the ratios.
# Variables: PEERS, a Python environment with tokenizers; GRAFT_SHARED; FILES,
# folders of text ("/usr/include /usr/lib/python3"); MEGABYTES (100), of which
# fewer are taken where there are no more; SIZE (32000); PAIRS (1).
set -euo pipefail
cd "$(dirname "$0")/../.."
bin=${GRAFT_BUILD:-build}/bin
peer=${GRAFT_SHARED:-../shared}/peers/vocab_speed.py
pairs=${PAIRS:-1}
size=${SIZE:-32000}
if [ -z "${PEERS:-}" ] || [ ! -e "$peer" ]; then
    echo "vocabtrain: skipped: needs PEERS, a Python environment with" \
        "tokenizers, and GRAFT_SHARED"
    exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Files of about 10 MB, so that their names fit one command line; valid UTF-8
# without carriage returns only: the other side reads text, and Python's open
# makes a line feed of each CR LF.
total=0
while [ $total -lt $((${MEGABYTES:-100} * 1000000)) ] && IFS= read -r f; do
    iconv -f utf-8 -t utf-8 "$f" >/dev/null 2>&1 || continue
    ! grep -q $'\r' "$f" || continue
    cat "$f" >>"$work/part$((total / 10000000))"
    total=$((total + $(stat -Lc %s "$f")))
done < <(find ${FILES:-/usr/include /usr/lib/python3 "$PEERS/lib"} -type f \
    \( -name '*.[ch]' -o -name '*.hpp' -o -name '*.py' \) -size +1k | sort)
ls "$work"/part* >"$work/list"
"$bin/fromfiles" -q --max-size 60000000 <"$work/list" >"$work/text"

ours() {
    local start end
    start=$(date +%s%N)
    "$bin/vocabtrain" -q --size "$size" --special '<|endoftext|>' \
        -o "$work/ours.json" "$work/text"
    end=$(date +%s%N)
    awk -v ns=$((end - start)) 'BEGIN { printf "%.2f\n", ns / 1e9 }'
}

theirs() {
    xargs -d '\n' "$PEERS/bin/python" "$peer" "$size" "$work/theirs.json" \
        <"$work/list" | jq .s
}

for ((i = 0; i < pairs; i++)); do
    a=$(ours)
    b=$(theirs)
    ratio=$(awk -v a="$a" -v b="$b" 'BEGIN { printf "%.1f", b / a }')
    echo "vocabtrain $a s, BpeTrainer $b s, ratio $ratio, $total bytes"
    echo "$ratio" >>"$work/ratios"
done
cmp "$work/ours.json" "$work/theirs.json"
median=$(sort -n "$work/ratios" | sed -n $(((pairs + 1) / 2))p)
echo "vocabtrain: $median times BpeTrainer (bar: 8)"
