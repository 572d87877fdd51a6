#!/usr/bin/env bats
# Token records in the files of other trainers, and back: Megatron-LM, llm.c.
# What those programs write themselves is in golden/trainers.json.

load helper

golden=$root/tests/golden/trainers.json

# documents VOCAB: a stream of the JSON lists of ids on stdin.
documents() {
    jq -c '{ids: .}' | fromjsonl -q --vocab "$1"
}

# ids FILE: the lists of ids of a stream.
ids() {
    tojsonl "$1" | jq -c .ids
}

some() {
    printf '[%s]\n' 7,299,0 0 5,6,7,8,0 | documents 300 >a.gs
}

@test "what is written is byte for byte what those programs write" {
    for i in $(seq 0 $(($(jq '.write | length' "$golden") - 1))); do
        jq -c ".write[$i]" "$golden" >case
        jq -c '.documents[]' case | documents "$(jq .vocab case)" >$i.gs
        tojsonl -q --format megatron -o $i $i.gs
        tojsonl -q --format llm.c -o $i.llmc $i.gs
        for what in bin idx llmc; do
            jq -r .$what case | base64 -d | cmp - $i.$what
        done
    done
    [ "$i" -eq 4 ]
}

@test "what those programs write is read: types, sequences, no ids at all" {
    for k in $(seq 0 $(($(jq '.read | length' "$golden") - 1))); do
        jq -c ".read[$k]" "$golden" >case
        for what in bin idx; do
            jq -r .$what case | base64 -d >$k.$what
        done
        run -0 --separate-stderr bash -c "fromjsonl -f megatron $k >$k.gs"
        [ "${stderr_lines[1]}" = 'fromjsonl: 2 left out: empty' ]
        cmp <(jq -c '.documents[] | select(. != [])' case) <(ids $k.gs)
        verify -v $k.gs 2>&1 | grep -q 'left out 2: empty-document'
    done
    [ "$k" -eq 5 ]
    jq -r .before.llmc "$golden" | base64 -d >eot.bin
    fromjsonl -q -f llm.c --end 50256 eot.bin >eot.gs
    cmp <(jq -c '.before.documents[]' "$golden") <(ids eot.gs)
}

@test "ids come back as they went; the loss does not, and that is said" {
    some
    jq -nc '{ids: [1, 2, 3, 0], mask: [0, 0, 1, 1]}' |
        fromjsonl -q --vocab 300 >b.gs
    cat a.gs b.gs >c.gs
    for format in megatron llm.c; do
        run -0 --separate-stderr tojsonl -f $format -o $format c.gs
        [ "${stderr_lines[0]}" = 'tojsonl: 4 records, 13 tokens' ]
        [[ ${stderr_lines[1]} == *'warning: 2 tokens are not learned, wh'* ]]
        fromjsonl -q --end 0 --vocab 300 -f $format $format >back.gs
        cmp <(ids c.gs) <(ids back.gs)
        [ "$(tojsonl back.gs | jq -c .mask[] | sort -u)" = 1 ]
        [ "$(tojsonl back.gs | jq -c .ordinal | tr '\n' ' ')" = '0 1 2 3 ' ]
    done
    fromjsonl -q -f llm.c - <llm.c >back.gs
    cmp <(ids c.gs | jq -sc add) <(ids back.gs)
    # where all is learned, nothing is lost
    tojsonl --exact c.gs | jq -c 'if .type then .keys.loss = "all" else . end' |
        fromjsonl -q >all.gs
    for format in megatron llm.c; do
        run -0 --separate-stderr tojsonl -f $format -o all.$format all.gs
        [ "${stderr_lines[0]}" = 'tojsonl: 4 records, 13 tokens' ]
        [[ $stderr != *learned* ]]
    done
    cmp llm.c all.llm.c
    cmp megatron.bin all.megatron.bin
}

@test "records whose end llm.c does not see are told" {
    fromjsonl -q <<<'{"ids": [1, 2, 0]}' --vocab 9 >a.gs
    run -0 --separate-stderr tojsonl -f llm.c -o l a.gs
    [[ $stderr == *'warning: 1 records do not end with the token that par'* ]]
    some_text=$(seq 40 | jq -Rc '{text: .}')
    fromjsonl -q <<<"$some_text" >t.gs
    vocabtrain -q --size 270 --special '<|endoftext|>' -o tokenizer.json t.gs
    tokenize -q -t tokenizer.json t.gs >b.gs
    run -0 --separate-stderr tojsonl -f llm.c -o b b.gs
    [[ $stderr == "tojsonl: 40 records, "*" tokens" ]]
}

@test "the token that ends a document is the tokenizer's" {
    echo '{"text": "one two one two"}' | fromjsonl -q |
        vocabtrain -q --size 260 --special '<|endoftext|>' -o t.json
    seq 3 | jq -c '{text: "document \(.)"}' | fromjsonl -q |
        tokenize -q -t t.json >a.gs
    tojsonl -q -f llm.c -o a.bin a.gs
    fromjsonl -q -f llm.c -t t.json --vocab 261 a.bin >b.gs
    cmp <(ids a.gs) <(ids b.gs)
    fromjsonl -q -f llm.c -t t.json --end '<|endoftext|>' a.bin >c.gs
    cmp <(ids a.gs) <(ids c.gs)
    [ "$(fromjsonl -q -f llm.c -t t.json --end none a.bin | ids -)" = \
        "$(ids a.gs | jq -sc add)" ]
    [ "$(tojsonl --exact b.gs | head -n 1 | jq -r .keys.eos)" -eq 0 ]
    run -4 --separate-stderr bash -c \
        'fromjsonl -f llm.c -t t.json --end "<x>" a.bin >out'
    one_line 'fromjsonl: t.json: no token "<x>" (--end)'
    run -2 --separate-stderr fromjsonl -f llm.c --end '<x>' a.bin
    one_line 'fromjsonl: --end <x> needs --tokenizer'
}

@test "a split of a set is written alone" {
    seq 20 | jq -c '[., 0]' | documents 300 | shard -q -o set --test 0.2
    tojsonl -q -f megatron --split test -o t set
    fromjsonl -q -f megatron t >t.gs
    cmp <(tojsonl --split test set | jq -c .ids) <(ids t.gs)
    run -2 --separate-stderr tojsonl -f megatron --split no -o u set
    one_line 'tojsonl: set: no split "no"'
    run -2 --separate-stderr bash -c 'tojsonl -f megatron --split x -o u t.gs'
    one_line 'tojsonl: t.gs: --split needs a shard set'
    no_leftovers .
    [ ! -e u.bin ]
}

@test "what is there is not replaced; what cannot be written is not begun" {
    some
    : >m.bin
    : >n.idx
    : >l.bin
    mkdir d
    for there in m.bin n.idx; do
        run -6 --separate-stderr tojsonl -f megatron -o ${there%.*} a.gs
        one_line "tojsonl: $there: exists"
    done
    for there in l.bin d; do
        run -6 --separate-stderr tojsonl -f llm.c -o $there a.gs
        one_line "tojsonl: $there: exists"
    done
    [ ! -s m.bin ]
    [ ! -e m.idx ]
    [ ! -e n.bin ]
    [ ! -s l.bin ]
    run -1 --separate-stderr tojsonl -f llm.c -o none/x a.gs
    one_line 'tojsonl: none/x: No such file or directory'
    run -2 --separate-stderr tojsonl -f llm.c a.gs
    one_line 'tojsonl: --format llm.c needs --output'
    run -2 --separate-stderr tojsonl -f llm.c -o - a.gs
    one_line 'tojsonl: -: needs a file of its own'
    run -2 --separate-stderr tojsonl -o x a.gs
    one_line 'tojsonl: --output goes with --format'
    run -2 --separate-stderr tojsonl -f llm.c --exact -o x a.gs
    one_line 'tojsonl: --exact is of JSON lines, not of llm.c'
    run -1 --separate-stderr bash -c \
        'fromjsonl -f megatron none >/dev/full'
    one_line 'fromjsonl: none.idx: No such file or directory'
    no_leftovers .
}

@test "records that a format is not for are refused, and nothing is left" {
    some
    refused() {
        run -4 --separate-stderr tojsonl -f $1 -o x $2
        one_line "tojsonl: $3"
        no_leftovers . && [ -z "$(find . -name 'x*')" ]
    }
    echo '{"text": "x"}' | fromjsonl -q >text.gs
    echo '{"ids": []}' | fromjsonl -q --vocab 9 >empty.gs
    echo '{"ids": [2147483648]}' | fromjsonl -q >large.gs
    echo '{"ids": [1]}' | fromjsonl -q --vocab 301 | cat a.gs - >two.gs
    printf '' | fromjsonl -q >none.gs
    head -c -80 a.gs >cut.gs
    for format in megatron llm.c; do
        refused $format text.gs \
            'text.gs: record 0: type of the stream (found text, expected tokens'
        refused $format empty.gs 'empty.gs: no tokens to write'
        refused $format none.gs 'none.gs: no tokens to write'
        refused $format two.gs 'two.gs: record 0: segments: '
        refused $format cut.gs 'cut.gs:'
    done
    refused megatron large.gs \
        'large.gs: record 0: token id (found 2147483648, expected at most 2147'
    refused llm.c large.gs \
        'large.gs: record 0: the stream does not say how large its vocabulary'
    mkdir none
    jq -n '{model_type: "gpt2", vocab_size: 300, n_embd: 64, n_layer: 1,
        n_head: 2, n_positions: 16}' >arch.json
    initmodel -q -o base arch.json
    quantize -q --format f32 base >w.gs
    refused megatron w.gs 'w.gs: '
}

# damaged FORMAT WHAT: fromjsonl -f FORMAT d is refused by one line that
# begins with WHAT.
damaged() {
    run -4 --separate-stderr bash -c "fromjsonl -f $1 d >out"
    one_line "fromjsonl: $2"
}

@test "a damaged index of Megatron-LM is refused, wherever it is" {
    some
    tojsonl -q -f megatron -o m a.gs
    # with: m as d, with BYTES (hex) at OFFSET of the index
    with() {
        cp m.bin d.bin
        cp m.idx d.idx
        printf "$(sed 's/../\\x&/g' <<<"$2")" |
            dd of=d.idx bs=1 seek="$1" conv=notrunc status=none
    }
    with 0 00
    damaged megatron 'd.idx: not an index of Megatron-LM'
    with 9 02
    damaged megatron 'd.idx: version (found 2, expected 1)'
    for type in 00 06 07 09; do
        with 17 $type
        damaged megatron 'd.idx: type of ids (found '
    done
    with 18 04
    damaged megatron 'd.idx: size (found '
    with 18 ffffffffffffff7f
    damaged megatron 'd.idx: size (found '
    with 26 0000000000000000
    damaged megatron 'd.idx: no document indices'
    with 34 04000000
    with 42 06000000
    damaged megatron 'd.idx: sequence 2 of 6 ids at byte 8 is not in d.bin'
    with 34 ffffffff
    damaged megatron 'd.idx: sequence 0 of 4294967295 ids at byte 0'
    with 46 f8ffffffffffffff
    damaged megatron 'd.idx: sequence 0 of 3 ids at byte 18446744073709551608'
    with 70 01
    damaged megatron 'd.idx: document index 0 (found 1 '
    with 78 03
    damaged megatron 'd.idx: document index 2 (found 2 after 3 '
    with 94 02
    damaged megatron 'd.idx: document index 3 (found 2 '
    with 94 ffffffffffffffff
    damaged megatron 'd.idx: document index 3 (found '
    with 0 4d
    printf '\0\0\0' >>d.idx
    damaged megatron 'd.idx: has modes of sequences'
    with 17 03
    printf '\377\377' | dd of=d.bin bs=1 seek=4 conv=notrunc status=none
    damaged megatron 'd.bin: byte 4: an id that is negative'
    for n in 1 34 101; do
        head -c $n m.idx >d.idx
        damaged megatron 'd.idx: '
    done
    with 0 4d
    head -c 17 m.bin >d.bin
    damaged megatron 'd.idx: sequence 2 '
    cat m.bin m.bin >d.bin
    damaged megatron 'd.bin: size (found 36 bytes, expected 18 for the seq'
    run -4 --separate-stderr bash -c 'fromjsonl -f megatron --vocab 9 m >out'
    one_line 'fromjsonl: m.idx: document 0: token id (found 299, vocabulary '
    rm d.bin
    mkfifo d.bin
    damaged megatron 'd.bin: not a regular file'
}

@test "a damaged file of llm.c is refused, from a file and from a pipe" {
    some
    tojsonl -q -f llm.c -o l a.gs
    with() {
        cp l d
        printf "$(sed 's/../\\x&/g' <<<"$2")" |
            dd of=d bs=1 seek="$1" conv=notrunc status=none
    }
    with 0 00
    damaged llm.c 'd: not tokens of llm.c (found magic '
    with 4 02
    damaged llm.c 'd: not tokens of llm.c (found magic 20240520 version 2'
    with 11 80
    damaged llm.c 'd: number of tokens is negative'
    with 8 0a
    damaged llm.c 'd: size (found 1042 bytes, expected 1044 for 10 tokens)'
    run -4 --separate-stderr bash -c 'cat d | fromjsonl -f llm.c >out'
    one_line 'fromjsonl: stdin: byte 1042: cut short (1 tokens missing)'
    with 8 08
    run -4 --separate-stderr bash -c 'cat d | fromjsonl -f llm.c >out'
    one_line 'fromjsonl: stdin: bytes behind the last token'
    head -c 1000 l >d
    damaged llm.c 'd: header cut short (found 1000 bytes, expected 1024)'
    : >d
    damaged llm.c 'd: header cut short (found 0 bytes, expected 1024)'
}
