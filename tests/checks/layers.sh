#!/bin/bash
# Includes go down only: base; stream, repo, text, tensor; record, kernels;
# model; weights; data; eval; train; report; tool; cli; bin. Siblings never
# include each other. lib/tool stands apart: it knows base alone, and only cli
# and bin know it.
# A header that begins by saying that it is private is used in its folder
# alone, and by tests.
cd "$(dirname "$0")/../.."
git ls-files -co --exclude-standard 'lib/*.[ch]' 'kernels/*.[ch]' \
    'kernels/*.inc' |
    xargs grep -HoE '^ *# *include *"[^"]+"' |
    awk '
    BEGIN {
        rank["base"] = 1
        rank["stream"] = rank["repo"] = rank["text"] = rank["tensor"] = 2
        rank["record"] = rank["kernels"] = 3
        rank["model"] = 4
        rank["weights"] = 5
        rank["data"] = 6
        rank["eval"] = 7
        rank["train"] = 8
        rank["report"] = 9
        rank["tool"] = 10
        rank["cli"] = 11
    }
    {
        colon = index($0, ":")
        file = substr($0, 1, colon - 1)
        name = $0
        sub(/^[^"]*"/, "", name)
        sub(/"$/, "", name)
        split(file, part, "/")
        from = part[1] == "lib" ? part[2] : part[1]
        to = index(name, "/") ? name : from "/" name
        sub(/\/.*/, "", to)
        if (from == "kernels" && name ~ /^kernels\/(ref|cpu|cuda)\//) {
            split(name, to_part, "/")
            if (to_part[2] != part[2])
                bad("back ends do not know each other")
        }
        if (!(to in rank))
            bad("no layer has that name")
        else if (from == "tool" && to != "tool" && to != "base")
            bad("lib/tool knows base alone")
        else if (from != to && rank[to] >= rank[from])
            bad("includes go down only")
        else
            good++
    }
    function bad(why) {
        printf "# %s includes %s: %s\n", file, name, why
        wrong = 1
    }
    END {
        print (wrong || !good ? "not " : "") "ok 1 includes go down only"
    }'

# The headers whose opening comment calls them private.
private=$(git ls-files -co --exclude-standard 'lib/*.h' 'kernels/*.h' |
    xargs awk '
    FNR == 1 { text = "" }
    text == "over" { next }
    { text = text $0 }
    /\*\// {
        if (text ~ /[Pp]rivate( \*)? to/)
            print FILENAME
        text = "over"
    }')
found=$(for header in $private; do
    grep -lsF "#include \"${header#lib/}\"" \
        $(git ls-files -co --exclude-standard 'lib/*.[ch]' 'kernels/*.[ch]' \
            'kernels/*.inc' 'bin/*.c' | grep -v "^${header%/*}/[^/]*$") |
        sed "s|\$| includes $header|"
done)
[ -n "$private" ] && [ -z "$found" ] ||
    { sed 's/^/# /' <<<"$found"; printf 'not '; }
echo "ok 2 a header that is private to its folder is included there alone"
echo "1..2"
