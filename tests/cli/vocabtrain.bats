#!/usr/bin/env bats
# Training a vocabulary. That the merges are BpeTrainer's is tested in
# tests/unit/encode.c, too.

load helper

# docs TEXT...: a text stream of documents, JSON string contents given.
docs() {
    printf '{"text":"%s"}\n' "$@" | fromjsonl
}

# tokens FILE: the vocabulary in the order of ids, from the first merge on.
tokens() {
    jq -r '.model.vocab | to_entries | sort_by(.value)[].key' "$1" |
        tail -n "+$((1 + 256 + $2))"
}

@test "vocabtrain merges the most frequent pair, then the smallest ids" {
    docs 'abab abab ab cd cd' | vocabtrain -q --size 259 -o t.json
    [ "$(tokens t.json 0 | tr '\n' ' ')" = 'ab cd Ġab ' ]
    jq -e '.model.vocab | length == 259' t.json
    jq -e '.added_tokens == []' t.json
}

@test "special tokens get the first ids, in their order" {
    docs 'x y' | vocabtrain -q --size 258 --special '<b>,<|endoftext|>' \
        -o t.json
    jq -e '.model.vocab["<b>"] == 0 and .model.vocab["<|endoftext|>"] == 1' \
        t.json
    jq -e '[.added_tokens[] | [.id, .content, .special]] ==
        [[0, "<b>", true], [1, "<|endoftext|>", true]]' t.json
}

@test "a line is a unit if asked for" {
    docs 'a\n  b\n  c\n  d' >in
    vocabtrain -q --size 258 -o text.json in
    vocabtrain -q --size 258 --unit line -o line.json in
    run ! cmp -s text.json line.json
}

@test "min-frequency and texts that run out of pairs stop early" {
    docs 'ab ab cd' >in
    run -0 --separate-stderr vocabtrain --size 400 -o t.json in
    [[ $stderr == *'tokens instead of 400'* ]]
    vocabtrain -q --size 400 --min-frequency 2 -o two.json in
    [ "$(tokens two.json 0 | sort | tr '\n' ' ')" = 'ab ' ]
}

@test "commits, files and conversations are counted by their text" {
    repo_small project
    gitscrape -q project | vocabtrain -q --size 300 -o a.json
    find project -name '*.c' | sort | fromfiles -q |
        vocabtrain -q --size 300 -o b.json
    printf '{"prompt":"zqzq","completion":"zqzq"}\n' | fromjsonl |
        vocabtrain -q --size 257 -o c.json
    [ "$(tokens c.json 0)" = zq ]
    jq -e '.model.merges | length == 44' a.json b.json
}

@test "the same text gives the same file, which is not touched again" {
    docs 'some words and some words' >in
    vocabtrain -q --size 270 -o t.json in
    stat -c '%i %y' t.json >before
    sleep 0.01
    vocabtrain -q --size 270 -o t.json in
    stat -c '%i %y' t.json | cmp - before
    vocabtrain -q --size 265 -o t.json in
    [ "$(stat -c '%i %y' t.json)" != "$(cat before)" ]
    no_leftovers .
}

@test "an empty stream of text gives the bytes" {
    fromjsonl </dev/null | vocabtrain -q --size 256 -o t.json
    jq -e '.model.vocab | length == 256' t.json
    fromjsonl </dev/null | tokenize -q -t t.json >tokens
}

@test "nothing is written of a stream that is not whole" {
    docs 'some words' >in
    head -c -1 in >cut
    for input in cut /dev/null; do
        run -4 --separate-stderr vocabtrain --size 300 -o t.json $input
        one_line "vocabtrain: $input:"
        [ ! -e t.json ]
    done
    tokens=$(docs x | vocabtrain -q --size 256 -o ok.json; docs x |
        tokenize -q -t ok.json | base64)
    base64 -d <<<"$tokens" >tokens
    run -4 --separate-stderr vocabtrain --size 300 -o t.json tokens
    one_line 'vocabtrain: tokens: '
    [ ! -e t.json ]
}

@test "wrong use is told" {
    docs x >in
    run -2 --separate-stderr vocabtrain in
    one_line 'vocabtrain: --size, --output are missing'
    run -2 --separate-stderr vocabtrain --size 300 in
    one_line 'vocabtrain: --output is missing'
    run -2 --separate-stderr vocabtrain --size 256 --special '<a>' -o t.json in
    one_line 'vocabtrain: --size 256 is below 257'
    run -2 --separate-stderr vocabtrain --size 300 --special x -o t.json in
    one_line 'vocabtrain: special token "x": '
    run -2 --separate-stderr vocabtrain --size 300 --special '<a>,<a>' \
        -o t.json in
    one_line 'vocabtrain: special token "<a>" twice'
    run -6 --separate-stderr vocabtrain --size 300 -o . in
    [ ! -e t.json ]
}

# reads_back IN VOCABTRAIN-OPTION...: what it writes, tokenize reads, and the
# text comes back; so does tokenizers, where there is it.
reads_back() {
    local in=$1
    shift
    vocabtrain -q -o back.json "$@" "$in"
    tokenize -q -t back.json --end none "$in" |
        tokenize -q -t back.json --decode --raw >back
    tojsonl "$in" | jq -j .text >want
    cmp want back
    [ ! -x "${PEERS:-}/bin/python" ] || "$PEERS/bin/python" -c '
from tokenizers import Tokenizer
Tokenizer.from_file("back.json")'
}

@test "what vocabtrain writes, tokenize reads" {
    docs 'ab ab the the \u0120t he <a> \u00e9\u00e9\t\ttt  \n\n' >in
    for special in '<a>' ab the Ġt ĠĠ éé ÃĠ Ã© 'a b' '  ' $'\n\n' \
        $'\t\x01' \
        '"\' $'a\u0301x' $'\u1100\u1161\u11a8' $'\u2028\u2028' \
        $'\U10ffff\U10ffff' \
        "$(printf '<%04094d>' 1)"; do
        reads_back in --size 280 --special "$special"
    done
    reads_back in --size 280 --special Ġt --special ĠtĠt --special ab
    reads_back in --size 2300 --special "$(seq -s, -f '<%.0f>' 2000)"
    # " t" is the likeliest pair, and would be spelled like the token
    docs 'x t x t x t' >spelled
    reads_back spelled --size 259 --special Ġt
    jq -e '.model.merges | index([["Ġ", "t"]]) == null' back.json
    # tokens double with each merge, as long as a reader takes them
    docs "$(printf '%020000d' 0 | tr 0 a)" >long
    reads_back long --size 290
    [ "$(jq '[.model.vocab | keys[] | length] | max' back.json)" -eq 4096 ]
}

@test "a vocabulary ends where its file would be too large to read" {
    # a word without blanks whose every place is another pair
    LC_ALL=C awk 'BEGIN { srand(3); printf "{\"text\":\""
        for (i = 0; i < 4000000; i++)
            printf "%c", 97 + int(26 * rand())
        print "\"}" }' | fromjsonl >in
    run -0 --separate-stderr vocabtrain --size 16000000 -o t.json in
    [[ $stderr == *'the file would be over the 64 MiB that tokenize reads'* ]]
    [ "$(stat -c %s t.json)" -le $((64 << 20)) ]
    tokenize -q -t t.json in | tokenize -q -t t.json -d --raw >back
    tojsonl in | jq -j .text | cmp - back
}

@test "special tokens that no reader takes are refused" {
    docs x >in
    run -5 --separate-stderr vocabtrain --size 300 -o t.json \
        --special '<a>' --special "$(printf '<%04095d>' 1)" in
    one_line 'vocabtrain: special token 2 of 4097 bytes, limit 4096'
    for special in $'\xff\xfe' $'a\xed\xa0\x80' $'\xc0\x80x' é Ġ 1; do
        run -2 --separate-stderr vocabtrain --size 300 -o t.json \
            --special "$special" in
        one_line 'vocabtrain: special token "'
    done
    [ ! -e t.json ]
}

@test "the file is the one that BpeTrainer saves" {
    [ -x "${PEERS:-}/bin/python" ] || skip "PEERS names no Python"
    need_shared peers/vocab_speed.py
    find /usr/include -maxdepth 1 -name '*.h' | sort | head -n 60 >list
    fromfiles -q <list |
        vocabtrain -q --size 3000 --special '<|endoftext|>' -o ours.json
    xargs "$PEERS/bin/python" "$GRAFT_SHARED/peers/vocab_speed.py" 3000 \
        theirs.json <list
    cmp ours.json theirs.json
}

@test "an output that can't be is refused before the input is read" {
    docs 'some words' >in
    cp in same
    run -6 --separate-stderr vocabtrain --size 270 -o in in
    one_line 'vocabtrain: in: is the input, too'
    run -6 --separate-stderr bash -c 'vocabtrain --size 270 -o in <in'
    one_line 'vocabtrain: in: is the input, too'
    cmp in same
    mkdir dir
    mkfifo silent
    run -6 --separate-stderr bash -c 'timeout 60 vocabtrain --size 270 \
        -o dir <>silent'
    one_line 'vocabtrain: dir: output exists (found a directory'
    run -1 --separate-stderr bash -c 'timeout 60 vocabtrain --size 270 \
        -o none/t.json <>silent'
    one_line 'vocabtrain: none/t.json: No such file or directory'
}
