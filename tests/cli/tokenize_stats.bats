#!/usr/bin/env bats
# What tokenize tells of the texts that it took: --stats.

load helper

setup() {
    cd "$BATS_TEST_TMPDIR"
    scraped_repo
}

@test "the JSON has the form of its schema, and its sums are those there are" {
    tokenize -q -t t.json --max-tokens 120 --stats s.json r.gs >t.gs
    python3 "$root/tests/validate.py" \
        "$root/schemas/tokenize-stats.schema.json" s.json
    tojsonl t.gs >t.jsonl
    [ "$(jq .records s.json)" -eq "$(wc -l <t.jsonl)" ]
    [ "$(jq .tokens s.json)" -eq "$(jq -s 'map(.ids | length) | add' t.jsonl)" ]
    # all but the first of each: what a layout of commits says
    [ "$(jq .learned s.json)" -eq \
        "$(jq -s 'map(.ids | length - 1) | add' t.jsonl)" ]
    tokenize -q -t t.json --max-tokens 120 --loss target --stats target.json \
        r.gs >/dev/null
    [ "$(jq .learned target.json)" -eq \
        "$(jq -s 'map(.mask | add) | add' t.jsonl)" ]
    diff <(jq 'del(..|.learned?)' s.json) <(jq 'del(..|.learned?)' target.json)
    [ "$(jq '.vocabulary - .unused' s.json)" -eq \
        "$(jq -s 'map(.ids) | add | unique | length' t.jsonl)" ]
    [ "$(jq .texts s.json)" -eq "$(tojsonl r.gs | wc -l)" ]
    [ "$(jq .edited_lines s.json)" -eq \
        "$(tojsonl r.gs | jq -r '.change | split("\n")[1:][]' |
            grep -c '^[-+]')" ]
    for sum in texts edited_lines tokens learned bytes kept.tokens \
        left_out.tokens left_out.parts; do
        jq -e "(.languages | map(.$sum) | add) == .$sum" s.json
    done
    jq -e '.left_out.tokens == (.reasons | map(.tokens) | add)' s.json
    jq -e '.languages[0].lang == "c"' s.json
}

@test "bytes are those that the tokens spell" {
    for text in 'one two' 'three' ''; do echo "{\"text\": \"$text\"}"; done |
        fromjsonl -q >a.gs
    run -0 --separate-stderr bash -c \
        'tokenize -t t.json --stats s.json a.gs >t.gs'
    n=$(tokenize -q -t t.json --decode --raw t.gs | wc -c)
    [ "$n" -eq 12 ]
    [ "$(jq .bytes s.json)" -eq 12 ]
    # one token that is special ends each record
    jq -e '.bytes_per_token == 12 / (.tokens - 3)' s.json
    jq -e '.tokens_per_part == .tokens / 3' s.json
    [[ ${stderr_lines[1]} == "tokenize: $(jq .tokens s.json) tokens, "*$(
        )' bytes each; left out: 0.00% of records, 0.00% of edited lines, '$(
        )"0.00% of tokens; $(jq .unused s.json) of "*' tokens never used' ]]
}

@test "what is left out has its share" {
    # the file README was renamed
    tokenize -q -t t.json --stats s.json r.gs >t.gs
    jq -e '.reasons["no-edit"].parts == 1 and .left_out_texts == 1 / .texts' \
        s.json
    chats='{"messages": [{"role": "user", "content": "a"}]}'
    echo "$chats" | fromjsonl -q |
        tokenize -q -t t.json --template message --stats s.json >t.gs
    jq -e '.left_out_texts == 1 and .tokens == 0 and .bytes_per_token == 0' \
        s.json
}

@test "the numbers do not depend on the threads" {
    for n in 1 2 5; do
        tokenize -q -t t.json --max-tokens 120 --threads $n --stats $n.json \
            r.gs | cksum >$n.sum
        cmp 1.json $n.json
        cmp 1.sum $n.sum
    done
    tokenize -q -t t.json --max-tokens 120 r.gs | cksum | cmp - 1.sum
}

@test "nothing is written where --stats can't be, or the input is cut short" {
    run -2 --separate-stderr tokenize -t t.json --stats - r.gs
    one_line "tokenize: --stats is a file's name: stdout has the output"
    run -2 --separate-stderr tokenize -t t.json --decode --stats s r.gs
    one_line 'tokenize: --stats needs text to encode'
    mkdir d
    run -6 --separate-stderr tokenize -t t.json --stats d r.gs
    one_line 'tokenize: d: output exists'
    run -1 --separate-stderr tokenize -t t.json --stats none/s r.gs
    one_line 'tokenize: none/s: No such file or directory'
    head -c -80 r.gs >cut.gs
    run -4 --separate-stderr bash -c \
        'tokenize -t t.json --stats s cut.gs >out'
    [ ! -e s ]
    no_leftovers .
}

@test "--stats takes the place of nothing that is read or written" {
    tokenize --print-template plain >my.template
    echo '{{ messages[0].content }}' >chat.jinja
    shard -q -o texts r.gs
    mkdir kept
    cp -r t.json my.template chat.jinja r.gs texts kept
    for file in t.json my.template chat.jinja r.gs; do
        run -6 --separate-stderr tokenize -t t.json --template my.template \
            --chat-template chat.jinja --stats $file r.gs
        one_line "tokenize: $file: is of the input $file, too"
    done
    run -6 --separate-stderr tokenize -t t.json --stats texts/manifest.json \
        texts
    one_line 'tokenize: texts/manifest.json: is of the input texts, too'
    run -6 --separate-stderr bash -c \
        'tokenize -t t.json --stats r.gs <r.gs'
    one_line 'tokenize: r.gs: is the input, too'
    run -2 --separate-stderr bash -c 'tokenize -t t.json --stats s r.gs >s'
    one_line "tokenize: --stats is a file's name: stdout has the output"
    for file in t.json my.template chat.jinja r.gs texts; do
        diff -r $file kept/$file
    done
}

@test "where --stats can't be written the stream has no end" {
    tokenize -q -t t.json --stats s.json r.gs >t.gs
    [ "$(wc -c <s.json)" -gt 1024 ]
    run -4 bash -o pipefail -c \
        '(ulimit -f 1; tokenize -t t.json --stats s r.gs) | shard -o set'
    [[ $output == *'tokenize: s: write: File too large'* ]]
    [[ $output == *'shard: stdin: '* ]]
    [ ! -e set ]
    [ ! -e s ]
    no_leftovers .
}
