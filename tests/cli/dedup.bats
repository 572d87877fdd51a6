#!/usr/bin/env bats
# Records that are like earlier ones are left out, and no others.

load helper

# words N [WORD]: N words, the last of which is WORD.
words() {
    seq -s ' ' -f 'w%.0f' $(($1 - 1)) | tr -d '\n'
    echo " ${2:-last}"
}

# texts TEXT...: docs of these in the file text.
texts() {
    printf '%s\n' "$@" | jq -cR '{text: .}' | fromjsonl -q >text
}

# kept [OPTION...]: dedup's texts of the file text, a line each.
kept() {
    dedup -q "$@" text | tojsonl | jq -r .text
}

# made FILE: a stream of 600 texts, many of them alike.
made() {
    awk 'BEGIN { for (i = 0; i < 600; i++) {
        printf "{\"text\": \""
        for (k = 0; k < 12 + i % 5 * 4; k++) printf "%d ", i * 37 % 400 * 6 + k
        print "\"}" } }' | fromjsonl -q >"$1"
}

@test "dedup drops what is the same and what is nearly so, and counts both" {
    texts "$(words 30)" "$(words 30)" "$(words 30 other)" "$(words 9)" \
        "$(words 30 | sed 's/ /, /g')" 'a b' 'a b' 'a  b' ''
    run -0 --separate-stderr bash -c 'dedup text >out'
    [ "$stderr" = 'dedup: 5 records of 9
dedup: 2 left out: exact
dedup: 2 left out: near' ]
    run -0 bash -c 'tojsonl out | jq -r .text'
    [ "$output" = "$(words 30)
$(words 9)
a b
a  b" ]
    run -0 bash -c 'verify -v out 2>&1 | grep ledger'
    [ "$output" = 'verify: ledger: dedup left out 2: exact
verify: ledger: dedup left out 2: near' ]
    run -0 bash -c 'dedup -v text 2>&1 >/dev/null | grep record'
    [ "${lines[0]}" = 'dedup: record 1 left out: the same as record 0' ]
    [ "${lines[1]}" = 'dedup: record 2 left out: 0.93 like record 0' ]
    [ "${lines[2]}" = 'dedup: record 4 left out: 1.00 like record 0' ]
}

@test "dedup's threshold decides, and what was dropped is compared with none" {
    # each has 7 of 10 runs of the one before, and 4 of the one before that
    for i in 1 4 7; do seq -s ' ' -f 'w%.0f' $i $((i + 16)); done >lines
    mapfile -t each <lines
    texts "${each[@]}"
    run -0 kept
    [ "${#lines[@]}" -eq 3 ] # 10 of 16 runs
    run -0 kept --threshold 0.625
    [ "$output" = "${each[0]}"$'\n'"${each[2]}" ]
    run -0 kept --threshold 0.626
    [ "${#lines[@]}" -eq 3 ]
    texts "${each[0]}" "${each[0]}" "$(tr ' ' , <<<"${each[0]}")" \
        "$(words 17)"
    run -0 kept --threshold 1
    [ "${#lines[@]}" -eq 2 ]
}

@test "dedup compares a commit's edits: no message, path, context, sign" {
    repo_init r
    mkdir r/a r/b
    words 30 | tr ' ' '\n' >r/a/one
    repo_commit r one
    cp r/a/one r/b/copy
    printf 'x\n' >>r/a/one
    repo_commit r 'a copied folder, and an edit'
    sed -i 's/w5/new words are on this line now/' r/a/one
    repo_commit r edit
    sed -i 's/.*new.*/w5/' r/a/one
    repo_commit r 'its reversal'
    sed -i 's/w1$/other/; s/w5/new words are on this line now/' r/b/copy
    repo_commit r 'the edit elsewhere, and more'
    sed -i 's/w5/new words are on this line now/' r/a/one
    repo_commit r 'the edit again'
    git -C r mv a/one a/two
    repo_commit r 'a file is renamed'
    git -C r mv a/two a/one
    repo_commit r 'and back'
    gitscrape -q r >text
    run -0 bash -c 'dedup -q text | tojsonl | jq -r "[.subject, .path] | @tsv"'
    [ "$output" = "$(printf '%s\t%s\n' one a/one \
        'a copied folder, and an edit' a/one edit a/one \
        'its reversal' a/one 'the edit elsewhere, and more' b/copy \
        'a file is renamed' a/two 'and back' a/one)" ]
}

@test "dedup compares records of one kind" {
    words 30 >file
    {
        echo "{\"text\": \"$(cat file)\"}"
        jq -cRn '[inputs] | {messages: [{role: "user", content: .[0]},
                     {role: "assistant", content: "yes"}]}' file
        jq -cRn '[inputs] | {messages: [{role: "user", content: .[0]},
                     {role: "assistant", content: "no"}]}' file
    } | fromjsonl -q >text
    echo file | fromfiles -q >>text
    run -0 bash -c 'dedup -q text | tojsonl | jq -r .kind'
    [ "$output" = $'doc\nchat\nfile' ]
}

@test "dedup writes the same bytes at any number of threads" {
    made text
    dedup -q --threads 1 text >one
    dedup -q --threads 3 text >three
    cmp one three
    run -0 bash -c 'tojsonl one | wc -l'
    [ "$output" -gt 100 ]
    [ "$output" -lt 500 ]
    # and of a set, and of segments
    shard -q -o set text
    dedup -q set >of-set
    cmp <(tojsonl one) <(tojsonl of-set)
    tojsonl text >lines
    (head -n 250 lines | fromjsonl -q; tail -n +251 lines | fromjsonl -q) |
        dedup -q >two
    cmp <(tojsonl one) <(tojsonl two)
    run -0 verify two
    [[ $output == *'segments 2,'* ]]
}

@test "dedup in parts, with an index, drops what it drops of the whole" {
    made text
    tojsonl text >lines
    dedup -q --index whole text >one
    : >parts
    for from in 1 201 202; do
        to=$((from == 1 ? 200 : from == 201 ? 201 : 600))
        sed -n "$from,${to}p" lines | fromjsonl -q | dedup -q --index seen |
            tojsonl >>parts
    done
    cmp parts <(tojsonl one)
    cmp whole seen
    run -0 head -n 1 seen
    [[ $output == 'graft dedup-index 2 threshold 0.7 seen 600 kept '* ]]
    # once more, all of it is known
    run -0 --separate-stderr bash -c 'dedup --index seen text | tojsonl'
    [ -z "$output" ]
    [[ $stderr == *'all of the input was left out' ]]
}

@test "dedup refuses an index of other options, of others, and damaged ones" {
    texts "$(words 30)"
    dedup -q --index seen text >/dev/null
    cp seen before
    run -6 --separate-stderr dedup --index seen --threshold 0.8 text
    one_line 'dedup: seen: made with another threshold (found 0.7, expected'
    printf x >none
    run -4 --separate-stderr dedup --index none text
    one_line 'dedup: none: no index of dedup'
    truncate -s -1 seen
    run -4 --separate-stderr dedup --index seen text
    one_line 'dedup: seen: damaged'
    sed 's/index 2/index 9/' before >seen
    run -4 --separate-stderr dedup --index seen text
    one_line 'dedup: seen: an index of version 9'
    run -6 --separate-stderr dedup --index . text
    one_line 'dedup: .: output exists'
    run -2 --separate-stderr dedup --index - text
    one_line 'dedup: --index'
    # what goes wrong leaves it as it was
    cp before seen
    head -c -20 text >short
    run -4 --separate-stderr dedup --index seen short
    run -1 --separate-stderr bash -c 'dedup --index seen text >/dev/full'
    one_line 'dedup: stdout: write'
    cmp before seen
    # another run has written it while this one read
    mkfifo slow
    dedup --index seen slow >/dev/null 2>err &
    pid=$!
    exec 9>slow
    cat text >&9
    while ! ls seen.tmp.* >/dev/null 2>&1; do sleep 0.02; done
    texts 'a b c d e f g'
    dedup -q --index seen text >/dev/null
    exec 9>&-
    code=0
    wait $pid || code=$?
    [ $code -eq 6 ]
    grep -q '^dedup: seen: another run has written it' err
    no_leftovers .
}

@test "dedup's stream has no end where its index has no place" {
    echo '{"text":"one"}' | fromjsonl -q >a.gs
    dedup -q --index other a.gs >whole
    # another run writes the index while this one is at work
    run -6 --separate-stderr bash -o pipefail -c '{
        until ls idx.tmp.* >/dev/null 2>&1; do sleep 0.01; done
        cp other idx
        cat a.gs
    } | dedup -q --index idx | cat >cut'
    one_line 'dedup: idx: another run has written it meanwhile'
    cmp idx other
    no_leftovers .
    [ "$(wc -c <cut)" -lt "$(wc -c <whole)" ]
}

@test "dedup --against drops what overlaps a benchmark, by name" {
    need_shared samples/HumanEval.jsonl.gz
    gz=$GRAFT_SHARED/samples/HumanEval.jsonl.gz
    mbpp=$GRAFT_SHARED/samples/mbpp.jsonl
    zcat "$gz" | sed -n 3p | jq -c '{text: ("# ours\n" + .prompt)}' >lines
    sed -n 601p "$mbpp" | jq -c '{text: .code}' >>lines
    echo '{"text": "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16"}' >>lines
    echo "{\"text\": \"$(words 30)\"}" >>lines
    fromjsonl -q <lines >text
    run -0 --separate-stderr bash -c \
        'dedup --against "$0" --against "$1" text >out' "$gz" "$mbpp"
    [ "$stderr" = 'dedup: 2 records of 4
dedup: 1 left out: against HumanEval
dedup: 1 left out: against mbpp' ]
    grep -aq '^ledger dedup against-HumanEval 1$' out
    grep -aq '^ledger dedup against-mbpp 1$' out
    grep -aEq '^prov dedup [^ ]+ threshold=0.7 against=[0-9a-f]{64}$' out
    run -0 bash -c 'dedup -v --against "$0" text 2>&1 >/dev/null' "$gz"
    [[ $output == *"record 0 left out: overlaps $gz:3"* ]]
    head -c 9000 "$gz" >cut.gz
    run -4 --separate-stderr dedup --against cut.gz text
    one_line 'dedup: cut.gz: gzip'
}

@test "dedup --against looks at all that a commit shows" {
    repo_init r
    words 30 context | tr ' ' '\n' >r/f
    repo_commit r "$(seq -s ' ' -f 's%.0f' 9)"
    sed -i 's/w15/x y/' r/f
    repo_commit r edit
    gitscrape -q r >text
    echo '["s1 s2 s3 s4 s5 s6 s7 s8"]' >subject.jsonl
    echo "{\"a\": [\"b\", {\"c\": \"$(words 30 | cut -d ' ' -f 10-22)\"}]}" \
        >before.jsonl
    echo "\"w9 w10 w11 w12 w13 w14 x y w16\"" >after.jsonl
    for name in subject before after; do
        dedup -q --against $name.jsonl text | tojsonl | jq -r .subject \
            >$name.out
    done
    [ "$(cat subject.out)" = edit ]
    [ ! -s before.out ]
    [ "$(cat after.out)" = 's1 s2 s3 s4 s5 s6 s7 s8 s9' ]
}

@test "dedup refuses benchmarks that are none" {
    texts 'a b c d e f g'
    echo '{"a": "b c d"}' >short.jsonl
    run -4 --separate-stderr dedup --against short.jsonl text
    one_line 'dedup: short.jsonl: nothing to look for'
    printf '{}\n{"a": }\n' >bad.jsonl
    run -4 --separate-stderr dedup --against bad.jsonl text
    one_line 'dedup: bad.jsonl:2: '
    run -1 --separate-stderr dedup --against missing text
    one_line 'dedup: missing: No such file'
    run -2 --separate-stderr dedup --against . text
    one_line 'dedup: .: '
}

@test "dedup refuses what is no text, increments and wrong thresholds" {
    echo '{"ids": [1, 2]}' | fromjsonl -q >tokens
    run -4 --separate-stderr bash -c 'dedup tokens >out'
    one_line 'dedup: tokens: '
    run -4 --separate-stderr bash -c 'dedup </dev/null >out'
    one_line 'dedup: stdin: empty input'
    printf '%s\n' '{"graft":1,"type":"text","after":{"n":3,"oid":"ab"}}' \
        '{"kind":"doc","text":"a"}' \
        '{"graft":1,"inputs":[],"ledger":[]}' | fromjsonl -q >text
    run -4 --separate-stderr bash -c 'dedup text >out'
    one_line 'dedup: text: an increment (after 3)'
    for t in 0.2 1.1 nan; do
        run -2 --separate-stderr dedup --threshold $t text
        one_line 'dedup: --threshold'
    done
}

@test "dedup of nothing is nothing" {
    fromjsonl -q </dev/null >text
    run -0 --separate-stderr bash -c 'dedup text | tojsonl'
    [ -z "$output" ]
    [ "$stderr" = 'dedup: 0 records of 0' ]
}

@test "dedup leaves nothing in the temporary directory, and needs room there" {
    made text
    mkdir temp
    TMPDIR=$PWD/temp dedup -q text >out
    run -1 --separate-stderr dedup --temp missing text
    one_line 'dedup: missing: no temporary file'
    mkfifo slow
    dedup --temp temp --index seen slow >/dev/null &
    pid=$!
    exec 9>slow
    head -c 3000 text >&9
    while ! ls seen.tmp.* >/dev/null 2>&1; do sleep 0.02; done
    kill -TERM $pid
    code=0
    wait $pid || code=$?
    [ $code -eq 143 ]
    exec 9>&-
    [ -z "$(ls -A temp)" ]
    [ ! -e seen ]
    no_leftovers .
    run -0 unshare -rm bash -c 'mount -t tmpfs -o size=256k none temp ||
        exit 0; dedup --temp temp text >full 2>err; echo $?; cat err' ||
        skip "no file systems of a user's own"
    [ "$output" != '' ] || skip "no file systems of a user's own"
    [[ $output == '1
dedup: temp: '*' bytes for a temporary file: No space left on device' ]]
}
