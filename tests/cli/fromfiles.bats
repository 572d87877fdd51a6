#!/usr/bin/env bats
# Plain files in.

load helper

@test "fromfiles makes a record of each file that is named" {
    mkdir src
    printf 'int x;\n' >src/a.c
    printf 'A\xff' >'a b'
    : >empty.h
    run -0 --separate-stderr bash -o pipefail -c \
        'printf "./src/a.c\n\na b\nempty.h\n" | fromfiles | tojsonl'
    [ "${lines[0]}" = \
        '{"kind":"file","path":"src/a.c","lang":"c","text":"int x;\n"}' ]
    [ "${lines[1]}" = \
        '{"kind":"file","path":"a b","text":{"b64":"Qf8="}}' ]
    [[ ${lines[2]} == *'"path":"empty.h"'*'"text":""}' ]]
    [ "${#lines[@]}" -eq 3 ]
    [ -z "$stderr" ]
}

@test "fromfiles -0 takes names with newlines" {
    printf x >$'new\nline'
    run -0 bash -o pipefail -c \
        'find . -type f -print0 | fromfiles -0 | tojsonl'
    [ "$output" = '{"kind":"file","path":"new\nline","text":"x"}' ]
}

@test "fromfiles leaves out binary and large files, and counts them" {
    printf 'a\0b' >bin
    printf '%9000s\0' a >late
    printf '0123456789' >large
    run -0 bash -o pipefail -c 'printf "bin\nlate\nlarge\n" |
        fromfiles -q --max-size 9100 >out && tojsonl out | jq -r .path'
    [ "$output" = $'late\nlarge' ]
    grep -aq '^ledger fromfiles binary 1$' out
    run -0 bash -o pipefail -c 'printf "bin\nlate\nlarge\n" |
        fromfiles --max-size 9 >out && tojsonl out'
    [ "$output" = \
        'fromfiles: 3 files left out: binary or over the size limit' ]
    grep -aq '^ledger fromfiles too-large 2$' out
}

@test "fromfiles refuses files that are missing or none, unless told to" {
    printf x >good
    mkdir dir
    mkfifo fifo
    run -1 --separate-stderr bash -c 'echo missing | fromfiles'
    one_line 'fromfiles: missing: No such file or directory'
    for name in dir fifo; do
        run -2 --separate-stderr bash -c "echo $name | fromfiles"
        one_line "fromfiles: $name: not a regular file"
    done
    run -3 --separate-stderr bash -c 'printf "missing\ndir\ngood\n" |
        fromfiles -k >out; rc=$?; tojsonl out; exit $rc'
    [ "$output" = '{"kind":"file","path":"good","text":"x"}' ]
    [ "${stderr_lines[2]}" = 'fromfiles: 2 files could not be read' ]
    grep -aq '^ledger fromfiles unreadable 2$' out
}

@test "fromfiles refuses a list that was cut short" {
    printf x >good
    run -4 --separate-stderr bash -c 'printf good | fromfiles'
    one_line 'fromfiles: stdin:1: the last path has no newline'
    run -4 --separate-stderr bash -c 'printf "good\0go" | fromfiles -0'
    one_line 'fromfiles: stdin:2: the last path has no NUL byte'
    run -4 --separate-stderr bash -c 'printf "good\0good\n" | fromfiles'
    one_line 'fromfiles: stdin:1: NUL byte in a path'
}

@test "fromfiles takes an empty list as an empty data set" {
    run -0 --separate-stderr bash -o pipefail -c \
        'fromfiles </dev/null | tojsonl'
    [ -z "$output$stderr" ]
}
