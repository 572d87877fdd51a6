#!/bin/bash
# Each header compiles alone, with both compilers; the stand-in's are C++.
set -u
cd "$(dirname "$0")/../.."
flags="-std=c11 -D_GNU_SOURCE -Wall -Wextra -Wshadow -Wstrict-prototypes
    -Wmissing-prototypes -Wwrite-strings -Wvla -Werror -Ilib -I. -Itests/unit"
n=0
headers=$(git ls-files -co --exclude-standard '*.h')
for cc in gcc clang; do
    n=$((n + 1))
    bad=0
    [ -n "$headers" ] || bad=1
    for h in $headers; do
        # A unit test's header has static functions for a program to use.
        case $h in
        tests/standin/*) as="-std=c++17 -Wall -Werror -Itests/standin -x c++" ;;
        tests/*) as="$flags -Wno-unused -x c" ;;
        *) as="$flags -x c" ;;
        esac
        echo "#include \"$h\"" |
            $cc $as -fsyntax-only - || { echo "# $h"; bad=1; }
    done
    [ $bad -eq 0 ] || printf 'not '
    echo "ok $n every header compiles alone with $cc"
done
echo "1..$n"
