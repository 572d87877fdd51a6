#!/bin/bash
# What of the style a machine can see: width, blanks, length, calls that
# have safer ones, and that the library neither prints nor exits.
cd "$(dirname "$0")/../.."
n=0
code=$(git ls-files -co --exclude-standard '*.c' '*.h' '*.inc' '*.cu' \
    '*.cuh' | xargs ls 2>/dev/null)
text="$code $(git ls-files -co --exclude-standard '*.sh' '*.bats' '*.bash' \
    '*.py' | xargs ls 2>/dev/null)"

# verdict NAME COMMAND...: the command prints what is wrong, a line each.
verdict() {
    local name=$1 found
    shift
    n=$((n + 1))
    found=$("$@" 2>&1 | head -n 40)
    [ -z "$found" ] || { sed 's/^/# /' <<<"$found"; printf 'not '; }
    echo "ok $n $name"
}

verdict "no line over 80 columns" awk \
    'length > 80 { print FILENAME ":" FNR ": " length " columns" }' $text
verdict "no blanks at line ends" \
    grep -nE '[[:blank:]]+$' $text Makefile $(ls README.md 2>/dev/null)
verdict "no tabs" grep -nP '^ *\t' $text
verdict "no function over 100 lines" awk '
    /^\{/ { start = FNR }
    /^\}/ { if (start && FNR - start - 1 > 100)
                print FILENAME ":" start ": " FNR - start - 1 " lines"
            start = 0 }' $code
verdict "no file over 800 lines" awk 'FNR == 801 { print FILENAME }' $code

banned='strcpy|strcat|sprintf|vsprintf|strtok|gets|atoi|atol|atoll|atof'
banned="$banned|ctime|asctime|gmtime|localtime|tmpnam|mktemp|rand|alloca"
verdict "no banned calls" \
    grep -nE "(^|[^a-zA-Z0-9_.>])($banned|system|popen|assert)\(" $code

loud='printf|vprintf|puts|putchar|perror|exit|abort|getenv'
quiet=$(ls $code | grep -E '^(lib|kernels)/' |
    grep -vE '^lib/tool/|^lib/base/mem.c$')
verdict "the library neither prints nor exits nor reads the environment" \
    grep -nE "(^|[^a-zA-Z0-9_])($loud)\(|[( ](stderr|stdout)[,)]" $quiet
verdict "nothing left to do in the source" \
    grep -nE '\b(TODO|FIXME|XX''X|HACK)\b' $code
verdict "every file begins by saying what it is" awk '
    FNR == 1 && !/^\/\* / { print FILENAME }' $(ls $code | grep '\.[ch]$')
verdict "the Makefile stays under 250 lines" \
    awk 'FNR == 250 { print FILENAME }' Makefile
echo "1..$n"
