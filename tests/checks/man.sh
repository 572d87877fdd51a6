#!/bin/bash
# The man pages: there is one for each program, it is what the option table
# says, mandoc finds nothing to warn of, and its examples do what they show.
# How a page and its examples are written is in man/README.
set -u
cd "$(dirname "$0")/../.."
build=${GRAFT_BUILD:-$PWD/build}
top=$PWD
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
n=0

result() { # STATUS NAME
    n=$((n + 1))
    [ "$1" -eq 0 ] || printf 'not '
    echo "ok $n $2"
}

bash man/update.sh "$build/bin" --check
result $? "every program has a page and it agrees with its table"

status=0
for program in "$build"/bin/*; do
    name=${program##*/}
    want=$("$program" --help | sed -n "2s/^$name - //p")
    got=$(sed -n 's/^\.Nd //p' "man/man1/$name.1" 2>/dev/null)
    [ "$want" = "$got" ] && continue
    echo "# man/man1/$name.1: .Nd is '$got', the table has '$want'"
    status=1
done
result $status "the one-line summaries agree"

status=0
for program in "$build"/bin/*; do
    name=${program##*/}
    [ "$name" != graft ] || continue
    row=$("$program" --help | sed -n "2s/^$name - \(.*\)/| \`$name\` | \1 |/p")
    grep -qxF -- "$row" README.md && continue
    echo "# README.md: the table has no row '$row'"
    status=1
done
result $status "README's table has every program, with its summary"

mandoc -Tlint -W warning $(ls man/man?/*.[0-9])
result $? "mandoc has nothing to warn of"

# A first word that is the name of a macro, as In, is taken for one.
status=0
for page in man/man?/*.[0-9]; do
    while IFS= read -r heading; do
        mandoc -T utf8 "$page" | col -b | grep -qxF -- "   $heading" &&
            continue
        echo "# $page: '$heading' is not what its heading says"
        status=1
    done < <(sed -n '/\\[^&]/d; s/\\&//; s/"//g; s/^\.Ss //p' "$page")
done
result $status "headings say what is written"

# commands PAGE: for each example a line with the command, then its expected
# lines, each behind a "|".
commands() {
    awk '
    /^\.Sh / { examples = /^\.Sh EXAMPLES/ }
    !examples { next }
    /^\.Bd -literal/ { inside = 1; next }
    /^\.Ed/ { inside = 0; more = 0; next }
    !inside { next }
    {
        gsub(/\\&/, "")
        gsub(/\\-/, "-")
        gsub(/\\e/, "\\")
    }
    more || /^\$ / {
        line = line (more ? $0 : substr($0, 3))
        more = line ~ /\\$/
        if (more) { sub(/\\$/, "", line); next }
        print line
        line = ""
        next
    }
    { print "|" $0 }' "$1"
}

# matches EXPECTED GOT: the expected lines are the first ones of GOT.
matches() {
    awk 'NR == FNR { want[++n] = $0; if ($0 == "...") { n--; nextfile }
                     next }
         FNR <= n && $0 != want[FNR] {
             printf "# expected: %s\n#    found: %s\n", want[FNR], $0
             bad = 1
         }
         { seen = FNR }
         END { if (seen < n) { print "# expected: " want[seen + 1]
                               print "#    found: the end"; bad = 1 }
               exit bad }' "$1" "$2"
}

example() { # COMMAND EXPECTED
    local status
    timeout 120 bash -o pipefail -c "$1" >"$scratch/got" 2>"$scratch/err" \
        </dev/null
    status=$?
    if [ $status -ne 0 ]; then
        echo "# $1"
        echo "# exit $status: $(head -n 3 "$scratch/err")"
        return 1
    fi
    [ ! -s "$2" ] || matches "$2" "$scratch/got" || { echo "# $1"; return 1; }
}

# run_page PAGE: all its examples, in a directory of their own.
run_page() {
    local command= line status=0 count=0
    rm -rf "$scratch/work"
    cp -a "$scratch/fixture" "$scratch/work"
    cd "$scratch/work" || return 1
    : >"$scratch/want"
    while IFS= read -r line; do
        case $line in
        '|'*) printf '%s\n' "${line#|}" >>"$scratch/want"; continue ;;
        esac
        [ -z "$command" ] || example "$command" "$scratch/want" || status=1
        command=$line
        count=$((count + 1))
        : >"$scratch/want"
    done < <(commands "$top/$1"; echo)
    cd "$top"
    # The last line read is the empty one that commands is followed by.
    [ "$count" -gt 1 ] || { echo "# $1: has no example"; return 1; }
    return $status
}

export PATH=$build/bin:$PATH LC_ALL=C
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
mkdir "$scratch/fixture"
(cd "$scratch/fixture" && bash "$top/tests/man-fixture.sh") >"$scratch/log" \
    2>&1
status=$?
[ $status -eq 0 ] || sed 's/^/# /' "$scratch/log"
result $status "what the examples work on can be made"
for page in man/man1/*.1 $(grep -ls '^\.Sh EXAMPLES' man/man[57]/*); do
    run_page "$page"
    result $? "the examples of $page do what they show"
done
echo "1..$n"
