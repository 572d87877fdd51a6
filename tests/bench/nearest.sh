#!/bin/bash
# nearest.sh - a query among a million vectors of 768 elements in memory: bar
# under a second. VECTORS: fewer, where there are no 3.1 GB.
set -euo pipefail
build=${GRAFT_BUILD:-$(cd "$(dirname "$0")/../.." && pwd)/build}
"$build/bench/nearest" "${VECTORS:-1000000}" |
    awk -v n="${VECTORS:-1000000}" '{
        printf "BAR nearest: one query among %d: %.3f s, 16 at a time %.3f " \
            "s each (bar 1) %s\n", n, $1, $2 / 16, $1 < 1 ? "ok" : "MISSED"
        exit $1 >= 1
    }'
