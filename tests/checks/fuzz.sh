#!/bin/bash
# The libFuzzer targets of tests/fuzz, each on its seeds and some thousands of
# inputs made from them, the same ones each time. `make fuzz` runs for long.
cd "$(dirname "$0")/../.."
unset MAKEFLAGS MAKELEVEL MFLAGS
build=build/fuzz
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
targets=$(cd tests/fuzz && ls ./*.c | sed 's|./||; s|\.c$||')
plan=$(wc -w <<<"$targets")

# How many inputs take a second or two.
runs() {
    case $1 in
    jinja | rules) echo 2000 ;;
    tokenizer | manifest | import | base | adapter | kept | source)
        echo 3000 ;;
    *) echo 20000 ;;
    esac
}

# all RESULT WHY: the same of every target.
all() {
    local n=0 f
    for f in $targets; do echo "$1 $((n += 1)) $f$2"; done
    echo "1..$plan"
    exit 0
}

echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' |
    clang -fsanitize=fuzzer -x c -o "$logs/try" - 2>"$logs/why" ||
    all ok ' # skip clang has no fuzzer here'
# Programs of an earlier build would pass for those of this one.
if ! make -s fuzz-build >"$logs/make" 2>&1 ||
    ! bash tests/fuzz/seeds.sh "$logs/seeds" 2>>"$logs/make"; then
    tail -n 20 "$logs/make" | sed 's/^/# /'
    all 'not ok' ': not built, or without seeds'
fi
n=0
for f in $targets; do
    mkdir "$logs/$f"
    "$build/bin/fuzz-$f" -seed=1 -runs="$(runs "$f")" -timeout=20 \
        -rss_limit_mb=4096 -dict="$logs/seeds/$f.dict" -max_len=2000 \
        -artifact_prefix="$logs/found-" "$logs/$f" "$logs/seeds/$f" \
        >"$logs/out" 2>&1 || {
        grep -E 'runtime error|not so|ERROR|^ *#[0-9]+ .*(lib|tests)/' \
            "$logs/out" | head -n 20 | sed 's/^/# /'
        tail -n 3 "$logs/out" | sed 's/^/# /'
        printf 'not '
    }
    echo "ok $((n += 1)) $f: $(runs "$f") inputs"
done
echo "1..$plan"
