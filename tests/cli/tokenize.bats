#!/usr/bin/env bats
# Text to tokens and back: templates, threads, limits, refusals. The ids
# themselves are tested in tests/unit/encode.c.

load helper

# trained: tokenizer.json, learnt from the commits in project.text.
trained() {
    repo_small project
    gitscrape -q project >project.text
    vocabtrain -q --size 350 --special '<|endoftext|>' -o tokenizer.json \
        project.text
}

# round TEMPLATE: what project.text looks like in it.
round() {
    tokenize -q -t tokenizer.json --template "$1" project.text |
        tokenize -q -t tokenizer.json --decode --raw
}

@test "tokenize gives ids below the vocabulary and says whose they are" {
    trained
    tokenize -q -t tokenizer.json project.text >tokens
    head -n 5 tokens >head
    grep -qx 'type tokens' head
    n=$(jq '.model.vocab | length' tokenizer.json)
    grep -qx "key vocab $n" head
    grep -qx 'key eos 0' head
    grep -aqx "key tokenizer [0-9a-f]\{64\}" head
    tojsonl tokens | jq -c "select(.ids[-1] != 0 or (.ids | max) >= $n)" >bad
    [ ! -s bad ]
    [ "$(tojsonl tokens | wc -l)" -eq 14 ]
    verify -q tokens
}

@test "tokenize --decode gives plain text back byte for byte" {
    trained
    printf '{"text":"a\\u00e9\\u0000 \\n\\n  b"}\n{"text":""}\n' >in.jsonl
    printf '{"text":{"b64":"gP/+YcMo"}}\n' >>in.jsonl
    fromjsonl -q in.jsonl >in
    tojsonl in >want
    tokenize -q -t tokenizer.json in >tokens
    tokenize -q -t tokenizer.json --decode tokens | tojsonl | cmp - want
    tokenize -q -t tokenizer.json -d --raw tokens |
        cmp - <(printf 'a\xc3\xa9\0 \n\n  b\x80\xff\xfea\xc3(')
    tokenize -q -t tokenizer.json --end none in |
        tokenize -q -t tokenizer.json -d | tojsonl | cmp - want
}

@test "tokenize chooses the layout by the kind of the record" {
    trained
    round auto | grep -qx '### Before:'
    round message | grep -qx '### Diff:'
    round message >out
    run ! grep '### After' out
    echo project/src/part1.c | fromfiles |
        tokenize -q -t tokenizer.json |
        tokenize -q -t tokenizer.json -d --raw | head -n 1 |
        grep -qx '### File: project/src/part1.c'
    run -0 --separate-stderr tokenize -t tokenizer.json --template file \
        project.text
    [[ $stderr == *"15 left out: kind-without-layout"* ]]
}

@test "only the message of a message record is learnt" {
    trained
    tokenize -q -t tokenizer.json --template message project.text | tojsonl |
        jq -c 'select(([.mask[] | select(. == 1)] | length) > 30)' >bad
    [ ! -s bad ]
    tokenize -q -t tokenizer.json --template message project.text |
        tojsonl | jq -e '.mask[0] == 0 and .mask[-1] == 1' >/dev/null
}

@test "the output is the same at any number of threads" {
    trained
    for t in auto message plain; do
        for n in 1 2 7; do
            tokenize -q -t tokenizer.json --template $t --max-tokens 150 \
                --threads $n project.text >out.$n
        done
        cmp out.1 out.2
        cmp out.1 out.7
    done
}

@test "tokenize waits for a stream that stalls, and a signal ends it" {
    trained
    awk 'BEGIN { for (i = 0; i < 6000; i++) {
        s = ""; for (k = 0; k < 300; k++) s = s " " i * k
        printf "{\"text\":\"%s\"}\n", s } }' | fromjsonl -q >text
    half=$(($(stat -c %s text) / 2))
    tokenize -q -t tokenizer.json --threads 1 text >want
    for n in 1 2; do
        { head -c $half text; sleep 0.3; tail -c +$((half + 1)) text; } |
            tokenize -q -t tokenizer.json --threads $n | cmp - want
        mkfifo fifo
        tokenize -q -t tokenizer.json --threads $n fifo >out &
        exec 7>fifo
        head -c $half text >&7
        until [ -s out ]; do kill -0 $!; sleep 0.01; done
        kill -TERM $!
        rc=0
        wait $! || rc=$?
        [ $rc -eq 143 ]
        exec 7>&-
        rm fifo
    done
}

@test "max-tokens holds, and the ledger tells what it cost" {
    trained
    for n in 120 60 20; do
        tokenize -q -t tokenizer.json --max-tokens $n project.text >tokens
        tojsonl tokens | jq -c "select((.ids | length) > $n)" >bad
        [ ! -s bad ]
    done
    grep -aq '^ledger tokenize no-edit 1$' tokens
    grep -aq '^ledger tokenize over-max-tokens [1-9]' tokens
    grep -aq '^ledger tokenize edited-lines-left-out [1-9]' tokens
    grep -aq '^ledger tokenize tokens-left-out [1-9]' tokens
    run -0 --separate-stderr tokenize -t tokenizer.json --max-tokens 20 \
        project.text
    said='left out: over-max-tokens'
    grep -Eq "$said \([0-9]+ of [0-9]+ edited lines, [0-9]+ tokens\)" \
        <<<"$stderr"
    run -0 --separate-stderr tokenize -t tokenizer.json --max-tokens 3 \
        project.text
    [[ $stderr == 'tokenize: 0 records'*': warning: all of the input was l'* ]]
    echo '{"text":"a"}' | fromjsonl | tokenize -t tokenizer.json >/dev/null \
        2>said
    fromjsonl </dev/null | tokenize -t tokenizer.json >/dev/null 2>>said
    run -1 grep warning said
}

@test "a special token spelled in the text is text, unless asked for" {
    trained
    echo '{"text":"<|endoftext|>"}' | fromjsonl >in
    [ "$(tokenize -q -t tokenizer.json in | tojsonl |
        jq '.ids | length')" -gt 2 ]
    [ "$(tokenize -q -t tokenizer.json --marks in | tojsonl |
        jq -c .ids)" = '[0,0]' ]
    [ "$(tokenize -q -t tokenizer.json --end '<|endoftext|>' --marks in |
        tojsonl | jq -c .ids)" = '[0,0]' ]
    [ "$(tokenize -q -t tokenizer.json --end none --marks in | tojsonl |
        jq -c .ids)" = '[0]' ]
    run -4 --separate-stderr tokenize -t tokenizer.json --end '<eos>' in
    one_line 'tokenize: tokenizer.json: no token "<eos>" (--end)'
}

@test "segments stay segments, and an empty stream is one" {
    trained
    cat project.text project.text >two
    tokenize -q -t tokenizer.json two >tokens
    [ "$(grep -ao 'graft stream 1$' tokens | wc -l)" -eq 2 ]
    fromjsonl </dev/null | tokenize -q -t tokenizer.json >empty
    [ "$(tojsonl empty | wc -l)" -eq 0 ]
    verify -q empty
}

@test "tokenize refuses input that is no whole text stream" {
    trained
    : >empty
    run -4 --separate-stderr tokenize -t tokenizer.json empty
    one_line 'tokenize: empty: '
    head -c -1 project.text >cut
    code=0
    tokenize -q -t tokenizer.json cut >out 2>err || code=$?
    [ "$code" -eq 4 ]
    [ "$(wc -l <err)" -eq 1 ]
    tokenize -q -t tokenizer.json project.text >tokens
    run -4 --separate-stderr tokenize -t tokenizer.json tokens
    one_line 'tokenize: tokens: '
    run -4 --separate-stderr tokenize -t tokenizer.json -d project.text
    one_line 'tokenize: project.text: '
}

@test "tokenize refuses tokens of another tokenizer" {
    trained
    tokenize -q -t tokenizer.json project.text >tokens
    sed 's/"version": "1.0"/"version": "1.1"/' tokenizer.json >other.json
    run -4 --separate-stderr tokenize -t other.json -d tokens
    one_line 'tokenize: tokens: made with another tokenizer (found '
}

@test "tokenize refuses a tokenizer that it does not know exactly" {
    trained
    fromjsonl </dev/null >in
    while IFS='|' read -r edit text; do
        jq "$edit" tokenizer.json >bad.json
        run -4 --separate-stderr tokenize -t bad.json in
        one_line 'tokenize: bad.json: byte '
        [[ $stderr == *"$text"* ]]
    done <<'END'
.normalizer = {"type": "Lowercase"}|normalizer "Lowercase" is not supported
.pre_tokenizer.type = "Bert"|pre-tokenizer "Bert" is not supported (
.model.type = "Unigram"|model "Unigram" is not supported
.model.byte_fallback = 1|true or false
.model.merges[3] = ["x", "zzz"]|merge 3: "zzz" is not in the vocabulary
END
    run -1 --separate-stderr tokenize -t none.json in
    one_line 'tokenize: none.json: '
    run -2 --separate-stderr tokenize in
    one_line 'tokenize: --tokenizer is missing'
    run -2 --separate-stderr tokenize -t tokenizer.json --raw in
    one_line 'tokenize: --raw goes with --decode'
}

# huge BEFORE CHAR BEHIND: huge.json, a file of 64 MiB, most of it that
# character.
huge() {
    n=$(((64 << 20) - ${#1} - ${#3}))
    { printf %s "$1"; head -c $n /dev/zero | tr '\0' "$2"; printf %s "$3"; } \
        >huge.json
}

@test "a tokenizer.json of 64 MiB of one token is refused in one line" {
    echo '{"text":"a"}' | fromjsonl -q >in
    rest='"merges":[]},"pre_tokenizer":{"type":"ByteLevel"}}'
    huge '{"model":{"type":"BPE","vocab":{"' a "\":0},$rest"
    run -5 --separate-stderr tokenize -t huge.json in
    one_line 'tokenize: huge.json: byte 67108811: a token of 67108776 bytes, '
    echo >>huge.json
    run -5 --separate-stderr tokenize -t huge.json in
    one_line 'tokenize: huge.json: file too long (limit 67108864 bytes)'
    huge '{"added_tokens":[{"id":1,"special":true,"content":"' a \
        "\"}],\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},$rest"
    run -5 --separate-stderr tokenize -t huge.json in
    one_line 'tokenize: huge.json: byte '
    [[ $stderr == *': a token of '*' bytes, limit 4096' ]]
    huge '{"model":{"type":"BPE","vocab":{"a":' 1 "},$rest"
    run -4 --separate-stderr tokenize -t huge.json in
    one_line 'tokenize: huge.json: byte 36: integer over 2^64 - 1'
    huge '{"model":{"type":"BPE","vocab":{"a":0},"merges":["a ' a \
        '"]},"pre_tokenizer":{"type":"ByteLevel"}}'
    run -4 --separate-stderr tokenize -t huge.json in
    one_line 'tokenize: huge.json: byte '
    [ ${#stderr} -lt 300 ]
}

@test "bytes without a token are left out, told and counted" {
    trained
    jq '.model.vocab |= (to_entries | map(select(.key != "\u00f1")) |
        sort_by(.value) | to_entries | map({key: .value.key, value: .key}) |
        from_entries)' tokenizer.json >lacking.json
    printf '{"text":{"b64":"YfFi8Q=="}}\n' | fromjsonl >in
    run -0 --separate-stderr tokenize -t lacking.json in
    [[ $stderr == *'2 bytes left out: the tokenizer has no token for them'* ]]
    tokenize -q -t lacking.json in >tokens
    grep -aq '^ledger tokenize bytes-without-token 2$' tokens
    [ "$(tokenize -q -t lacking.json -d --raw tokens)" = ab ]
}

# begins NAME: begins.json, a tokenizer that puts that token before a text.
begins() {
    jq --arg name "$1" '.post_processor = {type: "Sequence", processors: [
        {type: "ByteLevel"}, {type: "TemplateProcessing", single: [
        {SpecialToken: {id: $name, type_id: 0}},
        {Sequence: {id: "A", type_id: 0}}]}]}' own.json >begins.json
}

@test "what the post-processor puts before a text begins each record" {
    trained
    vocabtrain -q --size 350 -o own.json --special '</s>,<s>,<reponame>' \
        --special '<filename>,<commit_before>,<commit_msg>,<commit_after>' \
        project.text
    begins '<s>'
    printf '{"text":"ab"}\n{"text":""}\n' | fromjsonl -q >in
    first() {
        tokenize -q -t begins.json "$@" | tojsonl | jq -c '.ids[0]' |
            sort -u | tr '\n' ' '
    }
    [ "$(first in)" = '1 ' ]
    [ "$(first project.text)" = '1 ' ]
    [ "$(first --begin none project.text)" = '2 ' ]
    [ "$(first --begin '<filename>' in)" = '3 ' ]
    tokenize -q -t begins.json in | tokenize -q -t begins.json -d |
        tojsonl >back
    tojsonl in | cmp - back
    # it is not learned, and a record that begins with it has it once
    tokenize -q -t begins.json project.text | tojsonl |
        jq -s -e 'all(.[]; .ids[1] == 2 and .mask[0] == 0)'
    begins '<reponame>'
    tokenize -q -t own.json project.text | tojsonl >without
    tokenize -q -t begins.json project.text | tojsonl | cmp - without
    # once in a record of many files
    begins '<s>'
    find project -name '*.c' | sort | fromfiles -q >files
    tokenize -q -t begins.json --max-tokens 4000 files | tojsonl >packed
    tokenize -q -t own.json --max-tokens 3999 files | tojsonl >without
    jq -c '.ids[1:]' packed | cmp - <(jq -c .ids without)
    [ "$(jq -c '.ids[] | select(. == 1)' packed | wc -l)" -eq \
        "$(wc -l <packed)" ]
    [ "$(wc -l <packed)" -lt "$(tojsonl files | wc -l)" ]

    run -4 --separate-stderr tokenize -t begins.json --begin '<no>' in
    one_line 'tokenize: begins.json: no token "<no>" (--begin)'
    begins '<no>'
    run -4 --separate-stderr tokenize -t begins.json in
    one_line 'tokenize: begins.json: byte '
}

@test "a tokenizer over characters gives plain text back, too" {
    need_shared tokenizers/phi3-mini
    local json=$GRAFT_SHARED/tokenizers/phi3-mini/tokenizer.json
    printf '{"text":"  a\\u00e9\\u0000 \\n\\n  b\\u4e2d "}\n{"text":""}\n' >in
    printf '{"text":{"b64":"gP/+YcMo"}}\n' >>in
    fromjsonl -q in | tokenize -q -t "$json" >tokens
    tokenize -q -t "$json" -d --raw tokens |
        cmp - <(printf '  a\xc3\xa9\0 \n\n  b\xe4\xb8\xad \x80\xff\xfea\xc3(')
}

@test "the encoder agrees with tokenizers on random texts" {
    [ -x "${PEERS:-}/bin/python" ] || skip "PEERS names no Python"
    need_shared tokenizers
    [ -x "$GRAFT_BUILD/bench/encode" ] || skip "make bench-programs first"
    trained
    echo '{"text": "a"}' | fromjsonl >one
    known=()
    for file in "$GRAFT_SHARED"/tokenizers/*/tokenizer.json; do
        # what is refused by name is no matter of agreement
        run tokenize -q -t "$file" one
        if [ "$status" -eq 0 ]; then
            known+=("$file")
        else
            [[ $output == *"not supported"* ]]
            echo "# refused: $output" >&3
        fi
    done
    [ ${#known[@]} -ge 5 ]
    "$PEERS/bin/python" "$root/tests/golden/fuzz.py" -n 300 -s $RANDOM \
        "$GRAFT_BUILD/bench/encode" tokenizer.json "${known[@]}"
    "$PEERS/bin/python" "$root/tests/golden/pretok.py" --fuzz \
        "$GRAFT_BUILD/bench/encode" 100 $RANDOM
}

@test "a text that the pre-tokenizer gives up on is told" {
    trained
    jq '.pre_tokenizer = {type: "Sequence", pretokenizers: [{type: "Split",
        pattern: {Regex: "(?:a+)+b"}, behavior: "Isolated", invert: false},
        .pre_tokenizer]}' tokenizer.json >slow.json
    for text in ab "$(head -c 64 /dev/zero | tr '\0' a)" ba; do
        jq -n --arg text "$text" '{$text}'
    done | jq -c . | fromjsonl >in
    for n in 1 2; do
        run -5 --separate-stderr tokenize -t slow.json --threads $n in
        one_line "tokenize: in: record 1: the pre-tokenizer's regular express"
    done
}

@test "a layout that is built in is a file that does the same" {
    trained
    vocabtrain -q --size 350 --special '<fim_prefix>' --special \
        '<fim_suffix>' --special '<fim_middle>' --special '<|endoftext|>' \
        --special '<reponame>' --special '<filename>' -o tokenizer.json \
        project.text
    for f in "$BATS_TEST_DIRNAME"/../../templates/*.template; do
        name=${f##*/}
        name=${name%.template}
        tokenize --print-template $name >own.template
        cmp own.template "$f"
        tokenize --help | grep -q "[|:]$name\b\|[|: ]$name|"
        [ $name != chat ] || continue
        tokenize -q --no-prov -t tokenizer.json --template $name \
            project.text >built.in
        tokenize -q --no-prov -t tokenizer.json --template own.template \
            project.text >own
        cmp built.in own
    done
}

@test "provenance has a layout file by its content" {
    trained
    tokenize --print-template message >a.template
    mkdir -p d
    cp a.template d/b
    tokenize -q -t tokenizer.json --template a.template project.text >a
    tokenize -q -t tokenizer.json --template d/b project.text >b
    cmp a b
    grep -aqE '^prov tokenize .* template=[0-9a-f]{64} loss=auto ' a
    echo '# other' >>d/b
    tokenize -q -t tokenizer.json --template d/b project.text >b
    run -1 cmp a b
    tokenize -q -t tokenizer.json project.text | grep -aq ' template=auto '
}

@test "a layout that is no layout is refused with its line" {
    trained
    refused() { # CODE MESSAGE ARG...
        code=$1 said=$2
        shift 2
        run -$code --separate-stderr tokenize -t tokenizer.json \
            --template "$@" project.text
        [ -z "$output" ]
        [ "$stderr" = "tokenize: $said" ]
    }
    printf 'records commit\nfamily x\nlearn mesage\n' >bad.template
    refused 4 "bad.template:3: unknown word (found mesage, did you mean \
message?)" bad.template
    printf 'family x\ntoken a <none>\nlearn message\n' >bad.template
    refused 4 "./bad.template: the tokenizer is of none of its families \
(x has <none>)" ./bad.template
    run -4 --separate-stderr tokenize -t tokenizer.json --template fim \
        project.text
    one_line 'tokenize: fim: the tokenizer is of none of its families (star'
    printf 'family x\nlearn message before diff\n' >bad.template
    refused 4 "bad.template: family x has more than one of: before and \
after; diff; text; prefix, middle and suffix" bad.template
    head -c 70000 /dev/zero | tr '\0' '#' >bad.template
    run -5 tokenize -t tokenizer.json --template bad.template project.text
    run -1 tokenize -t tokenizer.json --template none.template project.text
    mkfifo fifo.template
    run -4 timeout 10 tokenize -t tokenizer.json --template fifo.template \
        project.text
    run -2 --separate-stderr tokenize -t none --template comit project.text
    [[ $stderr == *"no layout comit, did you mean commit? (expected auto|"* ]]
    run -2 tokenize -t none --template xyzzy project.text
    run -2 tokenize --print-template own.template
}

# says OPTION...: the key loss of what tokenize makes of the project.
says() {
    tokenize -q -t tokenizer.json "$@" project.text >made
    tojsonl --exact made | jq -r '.keys.loss // empty'
}

@test "the loss is a key of the stream, and changes no record" {
    trained
    for t in commit message review; do
        [ "$(says --template $t --loss target)" = target ]
        tojsonl made >target
        [ "$(says --template $t --loss all)" = all ]
        tojsonl made | cmp - target
        jq -se 'map(.mask[0]) | max == 0' target
        jq -se 'map(.mask[-1]) | min == 1' target
    done
    # and no text has it
    [ "$(tokenize -q -t tokenizer.json -d made | tojsonl --exact |
        jq -c 'select(.graft and .type) | .keys')" = null ]
}

@test "what is learned is as the layout says" {
    trained
    for t in auto commit review plain; do
        [ "$(says --template $t)" = all ]
        [ "$(says --template $t --loss auto)" = all ]
    done
    [ "$(says --template message)" = target ]
    tokenize --print-template commit >own.template
    [ "$(says --template own.template)" = all ]
    sed -i 's/^loss all/loss target/' own.template
    [ "$(says --template own.template)" = target ]
    [ "$(says --template own.template --loss all)" = all ]
    sed -i '/^loss/d' own.template
    [ "$(says --template own.template)" = target ]
    for t in file fim chat; do
        tokenize --print-template $t | grep -q '^loss '
    done
    # of nothing, as of commits
    [ "$(fromjsonl -q </dev/null | tokenize -q -t tokenizer.json |
        tojsonl --exact | jq -r '.keys.loss // empty')" = all ]
}
