#!/bin/bash
# update.sh BIN - writes the generated part of every page of man1 anew from
# `NAME --help=man`. With --check, prints each difference and exits 1.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$1
status=0

# page NAME: the page as it should be, on stdout.
page() {
    local generated
    generated=$("$bin/$1" --help=man)
    GENERATED=$generated awk '
        /^\.\\" generated: make man$/ {
            print; print ENVIRON["GENERATED"]; inside = 1; found = 1
        }
        /^\.\\" end generated$/ { inside = 0 }
        !inside { print }
        END { exit !found || inside }' "man/man1/$1.1"
}

for program in "$bin"/*; do
    name=${program##*/}
    file=man/man1/$name.1
    if [ ! -f "$file" ]; then
        echo "$file: is missing"
        status=1
    elif ! new=$(page "$name"); then
        echo "$file: no line '.\\\" generated: make man' with its end"
        status=1
    elif [ "${2-}" = --check ]; then
        diff -u "$file" <(echo "$new") || status=1
    else
        echo "$new" | cmp -s - "$file" || echo "$new" >"$file"
    fi
done
exit $status
