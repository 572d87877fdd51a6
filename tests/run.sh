#!/bin/bash
# run.sh BUILD JOBS [JOB...] - runs tests and checks, several at a time.
#
# A job is unit/NAME (a program of BUILD/unit), cli/NAME (a bats file),
# guarded/NAME (the same file with the programs of BUILD/guarded) or
# checks/NAME (a script of tests/checks); without any named, all of them, and
# then that they left nothing behind. Each job's output goes to
# BUILD/check/KIND-NAME.log; skipped tests are listed, failures shown as they
# come and, for whoever sees the end of it alone, after all. The last line is
# "N passed, N failed" (and ", N skipped"), the sum of what the jobs' own lines
# say; a job of ten seconds says what it took, by the clock and of processors.
# A job that died before it said all is a failure, and so is one that has
# no test, one that takes more than LIMIT seconds (900), and a run without a
# job.
set -uo pipefail
cd "$(dirname "$0")/.."
unset MAKEFLAGS MAKELEVEL MFLAGS T # of the make that began this

export GRAFT_BUILD=$(mkdir -p "$1" && cd "$1" && pwd)
jobs=$2
shift 2
logs=$GRAFT_BUILD/check
export GRAFT_SHARED=${GRAFT_SHARED:-$(cd .. && pwd)/shared}
export LIMIT=${LIMIT:-900}
export LC_ALL=C GRAFT_MADE=$logs/made
export TMPDIR=$logs/tmp TORCHINDUCTOR_CACHE_DIR=$logs/torch
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
# In a build with SAN=address leaks are failures, too. Thread-local storage
# isn't searched: libasan of gcc 12 crashes there on OpenBLAS's threads.
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1}
LSAN_OPTIONS="suppressions='$PWD/tests/leaks.supp'"
export LSAN_OPTIONS+=:print_suppressions=0:use_tls=0
rm -rf "$logs"
mkdir -p "$TMPDIR"

# "PASSED FAILED SKIPPED" of a unit test's last line, or nothing.
count_unit() {
    local n='([0-9]+)'
    tail -n 1 "$1" |
        sed -nE "s/.*: $n passed, $n failed(, $n skipped)?\$/\1 \2 0\4/p"
}

# The same of TAP; a test that was planned and not reported has failed.
count_tap() {
    awk '/^1\.\.[0-9]+/ { split($1, range, "[.]+"); plan = range[2] }
         /^ok .*# skip/ { skip++; next }
         /^ok / { ok++ }
         /^not ok / { bad++ }
         END { seen = ok + bad + skip
               if (plan > seen) bad += plan - seen
               if (seen + bad) print ok + 0, bad + 0, skip + 0 }' "$1"
}

run_job() {
    local kind=${1%%/*} name=${1#*/} log counts status
    log=$GRAFT_BUILD/check/$kind-$name.log
    case $kind in
    unit) timeout -k 9 "$LIMIT" "$GRAFT_BUILD/unit/$name" ;;
    cli) timeout -k 9 "$LIMIT" bats --tap --print-output-on-failure \
             "tests/cli/$name.bats" ;;
    guarded) GRAFT_FIRST=$GRAFT_BUILD/guarded timeout -k 9 "$LIMIT" bats \
                 --tap --print-output-on-failure "tests/cli/$name.bats" ;;
    checks) timeout -k 9 "$LIMIT" bash "tests/checks/$name.sh" ;;
    esac >"$log" 2>&1 </dev/null
    status=$?
    case $kind in
    unit) counts=$(count_unit "$log") ;;
    *) counts=$(count_tap "$log") ;;
    esac
    set -- ${counts:-0 0 0}
    [ $status -eq 0 ] || [ "$2" -gt 0 ] || set -- "$1" 1 "$3"
    [ $(($1 + $2 + $3)) -gt 0 ] || set -- 0 1 0
    echo "$1 $2 $3" >"$log.counts"
    [ "$2" -eq 0 ] || sed "s|^|$kind/$name: |" "$log"
    printf '%s/%s: %d passed, %d failed' "$kind" "$name" "$1" "$2"
    [ "$3" -eq 0 ] || printf ', %d skipped' "$3"
    [ "$status" -eq 0 ] || printf ' (exit %d)' "$status"
    times >"$log.times" # in a pipe it would be another process's
    [ "$SECONDS" -lt 10 ] || printf ' (%d s, %d of a processor)' "$SECONDS" \
        "$(tail -n 1 "$log.times" | tr 'ms' '  ' |
            awk '{ print int($1 * 60 + $2 + $3 * 60 + $4) }')"
    echo
}
export -f run_job count_unit count_tap

# What lies in the checkout besides what is committed, and its state.
litter() {
    git status --porcelain --ignored -uall 2>/dev/null | grep -v ' build/'
}

# The longest first, so that none of them is at work alone at the end. In a
# build with sanitizers what says the same as without is left: a check that
# runs no program of BUILD, and guarded/NAME, which cli/NAME is there.
all_jobs() {
    local f job left=()
    for f in "$GRAFT_BUILD"/guarded/* tests/{cli,checks,unit}/*.{bats,sh,c}; do
        job=$(basename "$(dirname "$f")")/$(basename "${f%.*}")
        case ${GRAFT_BUILD##*/}/$job in
        san/guarded/*) left+=("$job") ;;
        san/checks/*)
            if grep -q GRAFT_BUILD "$f"; then echo "$job"; else
                left+=("$job")
            fi ;;
        *) echo "$job" ;;
        esac
    done
    [ ${#left[@]} -eq 0 ] ||
        echo "left to a build without sanitizers: ${left[*]}" >&2
}

shopt -s nullglob
before=$(litter)
if [ $# -gt 0 ]; then printf '%s\n' "$@"; else all_jobs; fi >"$logs/jobs"
xargs -P "$jobs" -I{} bash -c 'run_job {}' <"$logs/jobs"

if [ $# -eq 0 ]; then
    if [ "$before" != "$(litter)" ] || [ -n "$(ls -A "$TMPDIR")" ]; then
        echo "checks/untracked: the tests left something behind:"
        diff <(echo -n "${before:+$before$'\n'}") <(litter)
        ls -lA "$TMPDIR"
        echo 0 1 0
    else
        echo 1 0 0
    fi | tee "$logs/untracked.log" | grep -v '^[01] [01] 0$'
    tail -n 1 "$logs/untracked.log" >"$logs/untracked.log.counts"
fi
rm -rf "$TMPDIR"
grep -hE '^ok .*# skip|: [a-z0-9_]+ skipped: ' "$logs"/*.log |
    sed 's/^ok [0-9]* /skipped: /'
# What failed, once more.
for counts in "$logs"/*.counts; do
    read -r _ bad _ <"$counts"
    [ "${bad:-0}" -eq 0 ] && continue
    log=${counts%.counts}
    if grep -q '^not ok' "$log"; then
        awk '/^not ok/ { n = 0; on = 1 } /^ok/ { on = 0 }
             on && n++ < 30' "$log"
    else
        tail -n 30 "$log"
    fi | sed "s|^|failed: $(basename "$log" .log): |"
done
# A job that left no counts was stopped from outside.
while read -r job; do
    [ -e "$logs/${job%%/*}-${job#*/}.log.counts" ] && continue
    echo "run.sh: $job did not end"
    echo 0 1 0 >"$logs/${job%%/*}-${job#*/}.log.counts"
done <"$logs/jobs"
if [ ! -s "$logs/jobs" ]; then
    echo "run.sh: no tests"
    echo 0 1 0 >"$logs/none.counts"
fi
cat "$logs"/*.counts | awk '{ p += $1; f += $2; s += $3 }
    END { printf "%d passed, %d failed", p, f
          if (s) printf ", %d skipped", s
          print ""
          exit f > 0 || p == 0 }'
