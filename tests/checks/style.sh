#!/bin/bash
# What of the style a machine can see: width, blanks, length, calls that
# have safer ones, and that the library neither prints nor exits.
cd "$(dirname "$0")/../.."
n=0
# In a tree without git there would be nothing to look at.
git rev-parse --git-dir >/dev/null || { echo "not ok 1 a checkout"; exit 1; }
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
verdict "&& and || stand at a line's start" \
    grep -nE '(&&|\|\|)[[:blank:]]*\\?$' $code
verdict "sizeof has its parentheses" grep -nE '\bsizeof [^(]|sizeof \(' $code
verdict "nothing left to do in the source" \
    grep -nE '\b(TODO|FIXME|XX''X|HACK)\b' $code
# "! X" and "A && B" in a test: where X succeeds, or A fails, bash goes on.
# Strings, subshells, documents and functions in a test are passed over.
ignored() {
    awk '
    function bare(line,    i, c, out) {
        for (i = 1; i <= length(line); i++) {
            c = substr(line, i, 1)
            if (c == "\\" && quote != "\047") i++
            else if (quote == "" && c ~ /["\047]/) quote = c
            else if (c == quote) quote = ""
            else if (quote == "" && c == "#" && out ~ /(^|[ ;])$/) break
            else if (quote == "") out = out c
        }
        while (gsub(/\([^()]*\)/, "", out)) ;
        return out
    }
    FNR == 1 { inside = 0; quote = mark = within = "" }
    mark != "" { if ($0 == mark) mark = ""; next }
    /^@test / { inside = 1; next }
    /^}/ { inside = 0 }
    !inside { next }
    match($0, /<<-?.?[A-Z]+/) {
        mark = substr($0, RSTART, RLENGTH)
        gsub(/[^A-Z]/, "", mark)
    }
    within != "" { if ($0 == within) within = ""; next }
    /^ +[a-z_]+\(\) *\{$/ { within = $0; sub(/[a-z].*/, "}", within); next }
    { line = bare($0) }
    line ~ /^ *!/ || line ~ /&&/ && line !~ /\|\||^ *(if|while|until|elif) / {
        print FILENAME ":" FNR ": " $0
    }' "$@"
}
verdict "a test has no statement whose failure bash ignores" \
    ignored tests/cli/*.bats

# Where a handler runs, and what happens to the signals that a program was
# started to ignore, is decided in one place.
verdict "signals are set up in lib/base/signals.c alone" \
    grep -nE '(^|[^a-zA-Z0-9_])(signal|sigaction|sigaltstack)\(' \
    $(ls $code | grep -E '^(lib|bin|kernels)/' |
        grep -v '^lib/base/signals.c$')
# "NAME - see NAME.h" says nothing that the name does not.
verdict "every file begins by saying what it is" awk '
    FNR == 1 {
        name = FILENAME
        sub(/.*\//, "", name)
        if (index($0, "/* " name " - ") != 1 || / - see [a-z_0-9]+\.h/)
            print FILENAME
    }' $(ls $code | grep '\.[ch]$')
# rows FILE...: rows of option tables that don't name what they set, and tables
# that don't end as the others do.
rows() {
    awk '
    FNR == 1 { inside = 0 }
    /^(static )?const struct opt [a-z_]+\[\] = \{$/ { inside = 1; next }
    !inside { next }
    /^};$/ { inside = 0; if (last !~ /\{ \.name = NULL },$/) tell(last) }
    /^ *\{/ && !/^    \{ (\.name = |[A-Z_]+_OPTION,)/ { tell($0) }
    { last = $0 }
    function tell(line) { print FILENAME ":" FNR ": " line }' "$@"
}
verdict "rows of option tables name what they set" rows $code
# unnamed FILE...: rows of tables, and macros for rows, in which more than three
# fields stand without their names. Strings and what is in parentheses or inner
# braces are passed over; a row may go on for twelve lines.
unnamed() {
    awk '
    # Fields of the row in text that have no name; -1 when it goes on.
    function unnamed(text,    n) {
        gsub(/"([^"\\]|\\.)*"|\047([^\047\\]|\\.)+\047/, "s", text)
        sub(/^[^{]*\{/, "", text)
        while (gsub(/\([^()]*\)|\{[^{}]*\}/, "", text)) ;
        if (!sub(/,? *\}.*/, "", text)) return -1
        sub(/(^|,) *[.[].*/, "", text)
        return text ~ /[^ ]/ ? 1 + gsub(/,/, "", text) : 0
    }
    # "    {", "    [INDEX] = {" and what follows "#define NAME(x)".
    function begins(line) {
        sub(/^#define [A-Z_0-9]+(\([^)]*\))?/, "", line)
        return line ~ /^ +(\[[^]]*\] = )?\{[^}]*[a-zA-Z"]/
    }
    FNR == 1 { row = ""; at = 0 }
    row == "" && begins($0) { at = FNR }
    row != "" || at == FNR {
        row = row $0
        sub(/\\$/, "", row)
        n = unnamed(row)
        if (n > 3) print FILENAME ":" at ": " $0
        if (n >= 0 || FNR > at + 12) row = ""
    }' "$@"
}
verdict "at most three fields of a row stand without their names" \
    unnamed $(ls $code | grep -E '^(lib|kernels|bin)/')
verdict "the Makefile stays under 250 lines" \
    awk 'FNR == 250 { print FILENAME }' Makefile
echo "1..$n"
