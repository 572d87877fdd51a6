#!/bin/bash
# tokenize.sh - tokenize, the whole program on a stream of files, against
# Hugging Face's tokenizers and tiktoken, which are timed without their start:
# one thread, and two against one. There is so much text that the program's
# own start hardly counts. deepseek-v4's pre-tokenizer goes through PCRE2.
#
# Sides take turns, PAIRS times; the last lines have the medians of the ratios.
# Variables: PEERS, a Python environment with tokenizers (and tiktoken);
# GRAFT_SHARED; FILES, a folder of C sources (/usr/include); TOKENIZERS,
# folders of $GRAFT_SHARED/tokenizers; PAIRS (5); MEGABYTES (50), of
# which fewer are taken where there are no more.
set -euo pipefail
cd "$(dirname "$0")/../.."
bin=${GRAFT_BUILD:-build}/bin
shared=${GRAFT_SHARED:-../shared}
peers=$shared/peers
pairs=${PAIRS:-5}
if [ -z "${PEERS:-}" ] || [ ! -e "$shared/tokenizers" ] ||
    [ ! -e "$peers/tok_speed.py" ]; then
    echo "tokenize: skipped: needs PEERS, a Python environment with" \
        "tokenizers, and GRAFT_SHARED"
    exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Valid UTF-8 only: the other side reads text.
total=0
while [ $total -lt $((${MEGABYTES:-50} * 1000000)) ] && IFS= read -r f; do
    iconv -f utf-8 -t utf-8 "$f" >/dev/null 2>&1 || continue
    total=$((total + $(stat -c %s "$f")))
    echo "$f"
done < <(find "${FILES:-/usr/include}" -type f -name '*.[ch]' -size +1k |
    sort) >"$work/list"
"$bin/fromfiles" -q <"$work/list" >"$work/text"
bytes=$total
mapfile -t files <"$work/list"
echo "tokenize: $bytes bytes in ${#files[@]} files"

# ours JSON THREADS: MB/s
ours() {
    local start end
    start=$(date +%s%N)
    "$bin/tokenize" -q --threads "$2" --template plain --end none -t "$1" \
        "$work/text" >"$work/tokens" || return 1
    end=$(date +%s%N)
    awk -v b="$bytes" -v ns=$((end - start)) \
        'BEGIN { printf "%.2f\n", b / ns * 1000 }'
}

# theirs SCRIPT JSON: MB/s, of all files by one run
theirs() {
    "$PEERS/bin/python" "$peers/$1" "$2" "${files[@]}" >"$work/peer" || return 1
    jq .mb_s "$work/peer"
}

ratio() {
    awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f\n", a / b }'
}

# told WHAT BAR FILE: the median of the file's ratios
told() {
    echo "tokenize: $1: $(sort -n "$3" | sed -n $(((pairs + 1) / 2))p)" \
        "(bar: $2)"
}

tik=tik_speed.py
"$PEERS/bin/python" -c 'import tiktoken' 2>/dev/null || tik=
[ -n "$tik" ] || echo "tokenize: no tiktoken in PEERS: not compared"
for name in ${TOKENIZERS:-gpt2 qwen2.5 deepseek-v4}; do
    json=$shared/tokenizers/$name/tokenizer.json
    bar=50
    [ "$name" != deepseek-v4 ] || bar=5
    rm -f "$work"/ratio.*
    for ((i = 0; i < pairs; i++)); do
        two=$(ours "$json" 2)
        one=$(ours "$json" 1)
        hf=$(theirs tok_speed.py "$json")
        cp "$work/peer" "$work/hf"
        echo "$name: tokenize $one MB/s, $two by two threads, tokenizers $hf"
        ratio "$one" "$hf" >>"$work/ratio.hf"
        ratio "$two" "$one" >>"$work/ratio.two"
        [ -n "$tik" ] && [ $bar != 5 ] || continue
        peer=$(theirs $tik "$json")
        ratio "$one" "$peer" >>"$work/ratio.tik"
    done
    ids=$("$bin/tojsonl" "$work/tokens" | jq -n '[inputs.ids | length] | add')
    [ "$ids" = "$(jq .ids "$work/hf")" ] ||
        echo "$name: $ids ids, tokenizers $(jq .ids "$work/hf")"
    told "$name, times tokenizers, one thread" $bar "$work/ratio.hf"
    [ $bar = 5 ] ||
        told "$name, two threads against one" 1.8 "$work/ratio.two"
    [ ! -e "$work/ratio.tik" ] ||
        told "$name, times tiktoken, one thread" 6 "$work/ratio.tik"
done
