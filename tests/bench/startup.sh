#!/bin/bash
# startup.sh - median time from starting a program to its end, for every
# program's --version, against /bin/true. The bar: at most 10 ms.
set -euo pipefail
build=${GRAFT_BUILD:-$(cd "$(dirname "$0")/../.." && pwd)/build}
runs=41

# median COMMAND...: in milliseconds, the runs of $runs.
median() {
    local i begin end
    for ((i = 0; i < runs; i++)); do
        begin=$EPOCHREALTIME
        "$@" >/dev/null
        end=$EPOCHREALTIME
        echo $((${end/./} - ${begin/./}))
    done | sort -n | awk '{ t[NR] = $1 }
        END { printf "%.2f\n", t[int((NR + 1) / 2)] / 1000 }'
}

missed=0
true_ms=$(median /bin/true)
printf '%-16s %8s   of /bin/true   bar 10 ms\n' program ms
printf '%-16s %8s\n' /bin/true "$true_ms"
for program in "$build"/bin/*; do
    ms=$(median "$program" --version)
    awk -v ms="$ms" 'BEGIN { exit ms > 10 }' || missed=1
    awk -v p="${program##*/}" -v ms="$ms" -v t="$true_ms" 'BEGIN {
        printf "%-16s %8.2f   %5.1f times     %s\n", p, ms, ms / t,
            ms <= 10 ? "holds" : "MISSED" }'
done
exit $missed
