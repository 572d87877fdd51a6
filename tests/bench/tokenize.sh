#!/bin/bash
# tokenize.sh - tokenize, the whole program on a stream of files, against
# Hugging Face's tokenizers and tiktoken, which are timed without their start
# and don't read or write: one thread, and two against one. How long tokenize
# takes to start (to read tokenizer.json, mostly) is told beside, and the
# ratios that would be without, as is how much two processes at once get done
# on the machine: it is the most that two threads can. deepseek-v4's
# pre-tokenizer goes through PCRE2.
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

# Valid UTF-8 without carriage returns only: the other side reads text, and
# Python's open makes a line feed of each CR LF.
total=0
while [ $total -lt $((${MEGABYTES:-50} * 1000000)) ] && IFS= read -r f; do
    iconv -f utf-8 -t utf-8 "$f" >/dev/null 2>&1 || continue
    ! grep -q $'\r' "$f" || continue
    total=$((total + $(stat -c %s "$f")))
    echo "$f"
done < <(find "${FILES:-/usr/include}" -type f -name '*.[ch]' -size +1k |
    sort) >"$work/list"
"$bin/fromfiles" -q <"$work/list" >"$work/text"
"$bin/fromfiles" -q </dev/null >"$work/nothing"
bytes=$total
mapfile -t files <"$work/list"
echo "tokenize: $bytes bytes in ${#files[@]} files"

# ours JSON THREADS [TEXT [OUT]]: seconds
ours() {
    local start end
    start=$(date +%s%N)
    "$bin/tokenize" -q --threads "$2" --template plain --end none -t "$1" \
        "${3:-$work/text}" >"${4:-$work/tokens}" || return 1
    end=$(date +%s%N)
    awk -v ns=$((end - start)) 'BEGIN { printf "%.3f\n", ns / 1e9 }'
}

# both JSON: seconds of two processes at once
both() {
    local start end
    start=$(date +%s%N)
    ours "$1" 1 "$work/text" "$work/other" >/dev/null &
    ours "$1" 1 >/dev/null
    wait $!
    end=$(date +%s%N)
    awk -v ns=$((end - start)) 'BEGIN { printf "%.3f\n", ns / 1e9 }'
}

# theirs SCRIPT JSON: MB/s, of all files by one run
theirs() {
    "$PEERS/bin/python" "$peers/$1" "$2" "${files[@]}" >"$work/peer" || return 1
    jq .mb_s "$work/peer"
}

# calc EXPRESSION
calc() {
    awk "BEGIN { printf \"%.2f\\n\", $1 }"
}

# median FILE
median() {
    sort -n "$1" | sed -n $((($(wc -l <"$1") + 1) / 2))p
}

# told WHAT BAR NAME: the median of the ratios, and of those without the start
told() {
    echo "tokenize: $1: $(median "$work/ratio.$3") (bar: $2)," \
        "without the start $(median "$work/bare.$3")"
}

tik=tik_speed.py
"$PEERS/bin/python" -c 'import tiktoken' 2>/dev/null || tik=
[ -n "$tik" ] || echo "tokenize: no tiktoken in PEERS: not compared"
for name in ${TOKENIZERS:-gpt2 qwen2.5 deepseek-v4}; do
    json=$shared/tokenizers/$name/tokenizer.json
    bar=50
    [ "$name" != deepseek-v4 ] || bar=5
    rm -f "$work"/ratio.* "$work"/bare.*
    for ((i = 0; i < pairs; i++)); do
        start=$(ours "$json" 1 "$work/nothing")
        two=$(ours "$json" 2)
        one=$(ours "$json" 1)
        calc "2 * $one / $(both "$json")" >>"$work/ratio.both"
        hf=$(theirs tok_speed.py "$json")
        cp "$work/peer" "$work/hf"
        echo "$name: tokenize $one s, of which $start to start, $two by two" \
            "threads; tokenizers $hf MB/s"
        mb=$(calc "$bytes / 1e6")
        calc "$mb / $one / $hf" >>"$work/ratio.hf"
        calc "$mb / ($one - $start) / $hf" >>"$work/bare.hf"
        calc "$one / $two" >>"$work/ratio.two"
        calc "($one - $start) / ($two - $start)" >>"$work/bare.two"
        [ -n "$tik" ] && [ $bar != 5 ] || continue
        peer=$(theirs $tik "$json")
        calc "$mb / $one / $peer" >>"$work/ratio.tik"
        calc "$mb / ($one - $start) / $peer" >>"$work/bare.tik"
    done
    ids=$("$bin/tojsonl" "$work/tokens" | jq -n '[inputs.ids | length] | add')
    [ "$ids" = "$(jq .ids "$work/hf")" ] ||
        echo "$name: $ids ids, tokenizers $(jq .ids "$work/hf")"
    told "$name, times tokenizers, one thread" $bar hf
    if [ $bar != 5 ]; then
        told "$name, two threads against one" 1.8 two
        echo "tokenize: $name, two processes against one:" \
            "$(median "$work/ratio.both")"
    fi
    [ ! -e "$work/ratio.tik" ] ||
        told "$name, times tiktoken, one thread" 6 tik
done
