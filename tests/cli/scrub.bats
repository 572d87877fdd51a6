#!/usr/bin/env bats
# Text without secrets.

load helper

token=ghp_q8ZrT2vXw5YbN7mKj4HsD9fGc3LpAeRu6WtB
other=ghp_A1sD2fG3hJ4kL5zX6cV7bN8mQ9wE0rT1yU2i

# texts LINE...: a document of each.
texts() {
    local line
    for line; do jq -nc --arg text "$line" '{$text}'; done | fromjsonl -q
}

# A repository whose second commit puts another secret into the place of one.
secret_repo() {
    git init -q "$1"
    seq 40 | sed 's/.*/line & of it/' >"$1/a.c"
    sed -i "20s/.*/key = \"$token\"; by ada@acme.org/" "$1/a.c"
    git -C "$1" add a.c
    git_commit "$1" "Begin"
    sed -i "20s/$token/$other/" "$1/a.c"
    git_commit "$1" "Not $token any more

Signed-off-by: Ada Lovelace <ada@acme.org>"
}

git_commit() {
    GIT_AUTHOR_NAME='Ada Lovelace' GIT_AUTHOR_EMAIL=ada@acme.org \
        GIT_COMMITTER_NAME='Ada Lovelace' GIT_COMMITTER_EMAIL=ada@acme.org \
        git -C "$1" commit -qam "$2"
}

@test "scrub replaces a secret on both sides and in the message" {
    secret_repo repo
    gitscrape -q --authors who repo >text
    scrub -q --names who --report where text >clean
    tojsonl clean >got
    run -1 grep -aE "$token|$other|acme|Lovelace" got where
    [ "$(sed -n 2p got | jq -r '.subject, .body')" = "Not <KEY_1> any more
Signed-off-by: <NAME_1> <<EMAIL_1>>" ]
    sed -n 2p got | jq -r .change | grep '^[-+]' >lines
    diff lines - <<'END'
-key = "<KEY_1>"; by <EMAIL_1>
+key = "<KEY_2>"; by <EMAIL_1>
END
    [ "$(stat -c %a where)" = 600 ]
    diff - <(jq -c 'select(.record == 1) |
        [.field, .side, .line, .rule, .placeholder]' where) <<'END'
["change","before",20,"github-token","<KEY_1>"]
["change","before",20,"email","<EMAIL_1>"]
["change","after",20,"github-token","<KEY_2>"]
["change","after",20,"email","<EMAIL_1>"]
["subject",null,1,"github-token","<KEY_1>"]
["body",null,1,"author-name","<NAME_1>"]
["body",null,1,"email","<EMAIL_1>"]
END
    grep -aq '^ledger scrub replaced.github-token 4$' clean
}

@test "scrub leaves what has no secret as it is, and its own output" {
    repo_small repo
    gitscrape -q --no-prov repo >text
    scrub -q --no-prov text >clean
    cmp <(tojsonl text) <(tojsonl clean)
    secret_repo other
    gitscrape -q other | scrub -q --no-prov >once
    scrub -q --no-prov once >twice
    cmp <(tojsonl once) <(tojsonl twice)
    grep -aq '^ledger scrub replaced.github-token 4$' twice
}

@test "scrub gives the same bytes at any number of threads" {
    python3 "$root/tests/planted.py" --each 6 | jq -c '{text: .line}' |
        fromjsonl -q >text
    scrub -q --threads 1 --report one text >clean1
    scrub -q --threads 3 --report three text >clean3
    cmp clean1 clean3
    cmp one three
}

@test "scrub gives the same records in one segment and in several" {
    texts "a $token" "b $other" >ab
    texts "a $token" >a
    texts "b $other" >b
    cat a b | scrub -q >parts
    scrub -q ab >whole
    cmp <(tojsonl parts) <(tojsonl whole)
    [ "$(grep -ac '^ledger scrub replaced.github-token 1$' parts)" -eq 2 ]
    tojsonl whole | grep -c '<KEY_1>'
    : | fromjsonl -q | scrub -q | verify -
    shard -q -o set ab
    cmp <(tojsonl whole) <(scrub -q set | tojsonl)
}

@test "scrub finds what is planted, by every rule" {
    python3 "$root/tests/planted.py" --each 3 >planted
    jq -c '{text: (.line + "\n")}' planted | fromjsonl -q |
        scrub -q --generic --report where >clean
    # Nothing of any line of any secret is left.
    jq -r .text <(tojsonl clean) >left
    jq -r '.secret | split("\n")[] | select(length > 5)' planted >secrets
    run -1 grep -Ff secrets left
    cmp <(jq -r .rule planted | sort -u) \
        <(jq -r .rule where | sort -u)
}

@test "scrub keeps what is no secret" {
    texts 'AKIAIOSFODNN7EXAMPLE' 'std::map<a::b> 1.2.3.4 v81.2.69.142' \
        'see 127.0.0.1, 10.1.2.3, 8.8.8.8 and ::1' 'x@example.com git@h.org' \
        '@app.route x = y @ z' 'http://user:password@host/' \
        'da39a3ee5e6b4b0d3255bfef95601890afd80709' '+1 2 3' '12:34:56' \
        'phone 000-000-0000' 'password = "hunter2"' >text
    scrub text >clean 2>err
    cmp <(tojsonl text) <(tojsonl clean)
    diff err - <<<'scrub: 11 records, 0 secrets replaced in 0'
    texts 'password = "hunter2x"' | scrub -q --generic | tojsonl |
        grep -F '<PASSWORD_1>'
}

@test "scrub takes rules of one's own" {
    echo '{"built_in": false, "rules": [
        {"id": "two", "type": "KEY", "regex": "a(\\d+)\\nb", "secret": 0,
         "multiline": true, "keywords": ["a0"]},
        {"id": "any", "type": "ANY", "regex": "z+"}]}' >rules
    run -0 bash -c "printf '%s\n' '{\"text\":\"a12\nb zz $token\"}' |
        fromjsonl -q | scrub -q --rules rules | tojsonl"
    want='{"kind":"doc","text":"<KEY_1>\n<KEY_2> <ANY_1> '$token'"}'
    [ "$output" = "$want" ]
    scrub --print-rules >printed
    texts "$token" | scrub --rules printed 2>&1 >/dev/null |
        grep -Fx 'scrub: 1 replaced: github-token'
    echo '{"disable": ["github-token"]}' >rules
    texts "$token" | scrub -q --rules rules | tojsonl | grep "$token"
    texts "$token" >text
    id=$(b2sum -l 256 rules | cut -d' ' -f1)
    scrub --rules rules text | head -c 4000 |
        grep -aq "^prov scrub .*rules=$id"
}

@test "scrub refuses rules and names that are none, in a line" {
    texts x >text
    bad() { # STATUS MESSAGE, the file on stdin
        cat >bad
        run "-$1" --separate-stderr scrub --rules bad text
        one_line "scrub: bad: $2"
    }
    bad 4 'byte 2: ' <<<'{'
    bad 4 'rules[0] (a): unknown key "regexp" (did you mean regex?)' \
        <<<'{"rules": [{"id": "a", "type": "KEY", "regexp": "x"}]}'
    printf 'a\tb\n' >bad
    run -4 --separate-stderr scrub --names bad text
    one_line 'scrub: bad:1: expected a name, or repository'
    run -1 --separate-stderr scrub --rules missing text
    one_line 'scrub: missing: No such file'
    run -6 --separate-stderr scrub --report text text
    one_line 'scrub: '
}

@test "scrub says which rule takes too many steps" {
    echo '{"rules": [{"id": "slow", "type": "KEY", "keywords": ["aaaa"],
        "regex": "(a+)+(a+)+(a+)+(a+)+$"}]}' >rules
    texts fine "$(printf 'a%.0s' {1..200})!" "$token" >text
    run -5 --separate-stderr scrub --rules rules text
    [ "$stderr" = 'scrub: text: record 1: rule slow takes more than 2000000'\
' steps to match' ]
    run -3 --separate-stderr bash -c 'scrub -k --rules rules text >clean
        rc=$?; tojsonl clean; exit $rc'
    [ "${#lines[@]}" -eq 2 ]
    [[ ${lines[1]} == *'<KEY_1>'* ]]
    grep -aq '^ledger scrub limit 1$' clean
}

@test "scrub leaves no report and no end where it fails" {
    texts "$token" "$other" >text
    head -c -20 text >cut
    run -4 --separate-stderr bash -c 'scrub --report where cut >clean'
    [ ! -e where ]
    run -4 tojsonl clean
    # a report that can't be written, of a stream that could
    for i in {1..20}; do cat text; done >many
    run -1 --separate-stderr bash -o pipefail -c \
        '(ulimit -f 1; trap "" XFSZ; scrub --report where many) | cat >clean'
    one_line 'scrub: where: '
    run -4 tojsonl clean
    run -1 --separate-stderr bash -c 'scrub --report where text >/dev/full'
    [[ $stderr == *'No space left'* ]]
    no_leftovers .
}
