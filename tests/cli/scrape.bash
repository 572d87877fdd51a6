# scrape.bash - for the tests of gitscrape: running it, and how it ended.

# scrape ARGUMENT...: to the file out.graft, never for long.
scrape() {
    run --separate-stderr timeout 60 bash -c \
        'gitscrape "$@" >out.graft' - "$@"
}

# refused STATUS TEXT: one line on stderr that holds TEXT; no whole stream.
refused() {
    [ "$status" -eq "$1" ] && [ "${#stderr_lines[@]}" -eq 1 ] &&
        [[ $stderr == "gitscrape: "*"$2"* ]] && ! ended && return
    printf 'status %s: %s\n' "$status" "$stderr"
    return 1
}

# The stream has its trailer.
ended() {
    tail -c 200 out.graft | tr '\0' '\n' | grep -aqx end
}

# came RECORDS COMMITS: what the summary says came out.
came() {
    [[ $stderr == *": $1 records of $2 commits by "* ]] && ended && return
    printf 'status %s: %s\n' "$status" "$stderr"
    return 1
}

# left_out REASON COUNT: a line of the ledger.
left_out() {
    tr '\0' '\n' <out.graft | grep -aqx "ledger gitscrape $1 $2" && return
    tr '\0' '\n' <out.graft | grep -a '^ledger'
    return 1
}

# made_history: the repository r, of what a Python program on stdin prints with
# commit and put of fast_import.py.
made_history() {
    git init -q -b main r
    cat "$root/tests/cli/fast_import.py" - | python3 - |
        git -C r fast-import --quiet
}

# bad CASE [N]: the repository r, N commits, and one bad thing more.
bad() {
    repo_small r "${2:-3}"
    python3 "$root/tests/badrepo.py" "$1" r
}
