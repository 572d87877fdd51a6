#!/usr/bin/env bats
# Records as the JSON lines that mlx-lm and TRL read, and back.

load helper

# lines FILE: the records of a stream without what only graft needs.
lines() {
    tojsonl "$1" | jq -c 'if .ids then [.ids, .mask] else del(.kind) end'
}

tokens() {
    jq -nc '{ids: [1, 2, 3], mask: [0, 1, 1]}, {ids: [4], mask: [0]}' |
        fromjsonl -q --vocab 9
}

chats() {
    jq -nc '
    {messages: [{role: "user", content: "What is 2 + 2?"},
                {role: "assistant", content: "4"}]},
    {messages: [
        {role: "user", content: "Light, please."},
        {role: "assistant", content: null, tool_calls: [
            {type: "function", function: {name: "light",
             arguments: {room: "hall"}}}]},
        {role: "tool", content: "on", name: "light"},
        {role: "assistant", content: "Done. \u00e9"}],
     tools: [{type: "function", function: {name: "light", parameters: {
         type: "object", properties: {room: {type: "string"}}}}}]}' |
        fromjsonl -q
}

@test "trl: documents and files are text" {
    printf '%s\n' '{"text":"a \"b\"\n"}' '{"text":"c","path":"c.c"}' |
        fromjsonl -q >a.gs
    echo '{"kind":"file","repo":"r","commit":"00","path":"x","text":"x\n"}' |
        fromjsonl -q >>a.gs
    run -0 --separate-stderr tojsonl -f trl a.gs
    [ "$stderr" = 'tojsonl: 3 records' ]
    [ "$output" = '{"text":"a \"b\"\n"}'$'\n''{"text":"c"}'$'\n'$(
        )'{"text":"x\n"}' ]
    tojsonl -q -f trl -o out a.gs
    cmp out <(printf '%s\n' "$output")
    cmp <(fromjsonl -q out | tojsonl | jq .text) <(tojsonl a.gs | jq .text)
}

@test "trl: chats keep their tools and calls, and come back the same" {
    chats >a.gs
    tojsonl -q -f trl a.gs >a.jsonl
    [ "$(jq -c keys_unsorted a.jsonl)" = \
        '["messages"]'$'\n''["messages","tools"]' ]
    cmp <(jq -cS . a.jsonl) <(tojsonl a.gs | jq -cS 'del(.kind)')
    fromjsonl -q a.jsonl >b.gs
    diff <(grep -a '^content ' a.gs) <(grep -a '^content ' b.gs)
}

@test "trl: the diff of a commit is the prompt, its message the completion" {
    repo_init r
    printf 'one\n' >r/a
    repo_commit r $'First line\n\nIts body.\n'
    printf 'two\n' >r/a
    : >r/empty
    repo_commit r Second
    gitscrape -q r >a.gs
    run -0 --separate-stderr tojsonl -f trl a.gs
    [ "${stderr_lines[0]}" = 'tojsonl: 2 records' ]
    [ "${stderr_lines[1]}" = 'tojsonl: 1 left out: no edit' ]
    [ "${#stderr_lines[@]}" -eq 2 ]
    [ "$(jq -c .completion <<<"$output")" = \
        '"First line\n\nIts body."'$'\n''"Second"' ]
    jq -j 'select(.completion == "Second").prompt' <<<"$output" >patch
    git -C r checkout -q HEAD^
    git -C r apply "$PWD/patch"
    [ "$(cat r/a)" = two ]
    run -0 bash -c 'tojsonl -q -f trl a.gs | fromjsonl -q | tojsonl'
    [ "$(jq -c '[.messages[].role]' <<<"$output" | sort -u)" = \
        '["user","assistant"]' ]
}

@test "trl: tokens carry their loss as labels, which come back as a mask" {
    tokens >a.gs
    run -0 --separate-stderr tojsonl -f trl a.gs
    [ "$output" = '{"input_ids":[1,2,3],"labels":[-100,2,3]}'$'\n'$(
        )'{"input_ids":[4],"labels":[-100]}' ]
    [ "$stderr" = 'tojsonl: 2 records, 4 tokens' ]
    cmp <(lines a.gs) <(tojsonl -q -f trl a.gs | fromjsonl -q | lines -)
}

@test "trl: labels are what is learned" {
    tokens >a.gs
    says() { # LOSS: the same with that key
        tojsonl --exact a.gs | jq -c --arg loss $1 'if .graft and .type
            then .keys.loss = $loss else . end' | fromjsonl -q
    }
    says target | tojsonl -q -f trl | cmp - <(tojsonl -q -f trl a.gs)
    [ "$(says all | tojsonl -q -f trl | jq -c .labels | tr '\n' ' ')" = \
        '[1,2,3] [4] ' ]
    says all | shard -q --val 0 --test 0 -o all
    [ "$(tojsonl -q -f trl --split train all | jq -c .labels |
        tr '\n' ' ')" = '[1,2,3] [4] ' ]
    says some >c.gs
    run -4 --separate-stderr tojsonl -f trl c.gs
    one_line 'tojsonl: c.gs: record 0: stream: header: key loss (found some, '
    run -4 --separate-stderr shard -q -o none c.gs
    one_line 'shard: c.gs: header: key loss (found some, expected target or a'
    run -4 verify -q c.gs
    # those of one answer alone go together
    cat <(says all) <(says target) >c.gs
    run -4 --separate-stderr tojsonl -f trl c.gs
    one_line 'tojsonl: c.gs: record 0: segments: header: key loss (found targ'
    run -4 --separate-stderr shard -q -o none c.gs
    one_line 'shard: c.gs: header: key loss (found target, expected all)'
    cat <(says all) a.gs >c.gs
    run -4 --separate-stderr shard -q -o none c.gs
    one_line 'shard: c.gs: header: key loss (found none, expected all)'
    [ ! -e none ]
}

@test "trl: ids of two tokenizers are not mixed" {
    tokens >a.gs
    fromjsonl -q <<<'{"text":"some words"}' >doc.gs
    vocabtrain -q --size 257 -o t.json doc.gs
    tokenize -q -t t.json doc.gs >b.gs
    cat a.gs b.gs >c.gs
    run -4 --separate-stderr tojsonl -f trl -o lines c.gs
    one_line 'tojsonl: c.gs: record 0: segments: header: '
    [ ! -e lines ]
    cat a.gs a.gs | tojsonl -q -f trl -o lines
    [ "$(wc -l <lines)" -eq 4 ]
}

@test "TRL's own columns of tokens are read" {
    back() {
        cmp <(echo "$2") <(fromjsonl -q <<<"$1" | lines -)
    }
    back '{"input_ids":[5,6,7]}' '[[5,6,7],[1,1,1]]'
    back '{"input_ids":[5,6,7],"completion_mask":[0,1,1]}' '[[5,6,7],[0,1,1]]'
    back '{"input_ids":[5,6,7],"assistant_masks":[1,0,1]}' '[[5,6,7],[1,0,1]]'
    back '{"input_ids":[5,6],"assistant_masks":[1,0],"completion_mask":[0,1]}' \
        '[[5,6],[0,0]]'
    back '{"input_ids":[5,6],"loss_mask":[0,1]}' '[[5,6],[0,1]]'
    back '{"labels":[-100,6],"input_ids":[5,6],"assistant_masks":[1,1]}' \
        '[[5,6],[0,1]]'
    back '{"labels":[-100,6,7],"input_ids":[5,6,7],"completion_mask":[1,0,1]}' \
        '[[5,6,7],[0,0,1]]'
    back '{"prompt":[{"role":"user","content":"a"}],"completion":'$(
        )'[{"role":"assistant","content":"b"}]}' \
        '{"messages":[{"role":"user","content":"a"},'$(
        )'{"role":"assistant","content":"b"}]}'
    run -0 --separate-stderr bash -c \
        'fromjsonl <<<'\''{"input_ids":[1],"token_type_ids":[0]}'\'' >out'
    one_line "fromjsonl: 1 keys ignored (the first is 'token_type_ids')"
    bad() {
        run -4 --separate-stderr fromjsonl <<<"$1"
        one_line "fromjsonl: stdin:1: $2"
    }
    bad '{"input_ids":[5,6],"labels":[5,7]}' \
        'byte 31: label 1 is neither -100 nor the id'
    bad '{"input_ids":[5,6],"labels":[5]}' \
        'byte 28: labels and input_ids differ in length (found 1, expected 2)'
    bad '{"input_ids":[5],"labels":[5,6]}' 'byte 29: label 1 is neither'
    bad '{"input_ids":[5],"labels":[-1000]}' 'byte 27: '
    for label in -100.5 -100.0 -100e2; do
        bad '{"input_ids":[5],"labels":['$label']}' 'byte 27: '
    done
    bad '{"input_ids":[5],"labels":[]}' 'byte 26: labels and input_ids differ'
    bad '{"input_ids":[5],"completion_mask":[2]}' 'byte 36: bad mask (found 2'
    bad '{"input_ids":[5],"ids":[5]}' 'ambiguous'
    bad '{"prompt":[{"role":"user","content":"a"}],"completion":"b"}' 'byte 55'
}

@test "padding, as attention_mask has it, is left off and told" {
    padded() {
        cmp <(echo "$2") <(fromjsonl -q --vocab 9 <<<"$1" | lines -)
    }
    padded '{"input_ids":[1,2,3],"attention_mask":[1,1,0]}' '[[1,2],[1,1]]'
    padded '{"attention_mask":[0,0,1,0],"input_ids":[9,9,3,9]}' '[[3],[1]]'
    padded '{"input_ids":[1,2],"attention_mask":[1,1]}' '[[1,2],[1,1]]'
    padded '{"input_ids":[1,2],"attention_mask":[0,0]}' '[[],[]]'
    padded '{"input_ids":[],"attention_mask":[]}' '[[],[]]'
    padded '{"input_ids":[9,1,2,9],"labels":[-100,-100,2,-100],'$(
        )'"attention_mask":[0,1,1,0]}' '[[1,2],[0,1]]'
    padded '{"input_ids":[9,1,2,3],"completion_mask":[1,0,1,1],'$(
        )'"attention_mask":[0,1,1,1]}' '[[1,2,3],[0,1,1]]'
    printf '%s\n' '{"input_ids":[7,7,1],"attention_mask":[0,0,1]}' \
        '{"input_ids":[1,7],"attention_mask":[1,0]}' \
        '{"input_ids":[7],"attention_mask":[0],"time":"x"}' >in
    run -3 --separate-stderr bash -c 'fromjsonl -k <in >out'
    [ "${stderr_lines[1]}" = 'fromjsonl: 3 tokens of padding left off' ]
    tojsonl --exact out |
        jq -e '.ledger | select(.) | contains([["fromjsonl",
            "padding-token", 3]])'
    bad() {
        run -4 --separate-stderr fromjsonl <<<"$1"
        one_line "fromjsonl: stdin:1: byte 38: $2"
    }
    bad '{"input_ids":[5,6,7],"attention_mask":[1,0,1]}' 'attention_mask: '$(
        )'token 1 (found 0 amid ones, expected padding at the ends alone)'
    bad '{"input_ids":[5,6,7],"attention_mask":[1,1]}' \
        'mask and ids differ in length (found 2, expected 3)'
    bad '{"input_ids":[5,6,7],"attention_mask":null}' ''
    run -4 --separate-stderr fromjsonl \
        <<<'{"input_ids":[5],"attention_mask":[2]}'
    one_line 'fromjsonl: stdin:1: byte 35: bad mask (found 2, expected 0 or 1)'
}

@test "mlx-lm: the splits of a set are its three files" {
    seq 20 | jq -c '{text: "document \(.)"}' | fromjsonl -q |
        shard -q -o set --val 0.1 --test 0.2
    tojsonl -q -f mlx-lm -o all set
    [ "$(ls all | tr '\n' ' ')" = 'test.jsonl train.jsonl valid.jsonl ' ]
    for pair in train:train val:valid test:test; do
        cmp <(tojsonl --split ${pair%:*} set | jq -c '{text}') \
            all/${pair#*:}.jsonl
    done
    tojsonl -q -f mlx-lm --split val -o one set/
    [ "$(ls one)" = valid.jsonl ]
    tojsonl set | fromjsonl -q | tojsonl -q -f mlx-lm -o stream
    [ "$(ls stream)" = train.jsonl ]
    [ "$(wc -l <stream/train.jsonl)" -eq 20 ]
    run -2 --separate-stderr tojsonl -f mlx-lm --split no -o x set
    one_line 'tojsonl: set: no split "no"'
    seq 3 | jq -c '{text: "document \(.)"}' | fromjsonl -q |
        shard -q -o small --val 0 --test 0
    tojsonl -q -f mlx-lm -o few small
    [ "$(ls few)" = train.jsonl ]
    chats | tojsonl -q -f mlx-lm -o chat
    cmp chat/train.jsonl <(chats | tojsonl -q -f trl)
}

@test "what such lines can't be is refused or left out, and told" {
    tokens >ids.gs
    run -4 --separate-stderr tojsonl -f mlx-lm -o x ids.gs
    one_line "tojsonl: ids.gs: record 0: type of the stream (found tokens, "
    chats >mixed.gs
    echo '{"text": "x"}' | fromjsonl -q >>mixed.gs
    for format in trl mlx-lm; do
        run -4 --separate-stderr tojsonl -f $format -o x mixed.gs
        one_line 'tojsonl: mixed.gs: record 0: records of different kinds ('$(
            )'found text, expected conversations, as before)'
        printf '' | fromjsonl -q >none.gs
        run -4 --separate-stderr tojsonl -f $format -o x none.gs
        one_line 'tojsonl: none.gs: no records to write'
        chats | head -c -70 >cut.gs
        run -4 --separate-stderr tojsonl -f $format -o x cut.gs
        one_line 'tojsonl: cut.gs:'
        [ ! -e x ]
        mkdir x
        run -6 --separate-stderr bash -c "tojsonl -f $format -o x mixed.gs"
        one_line 'tojsonl: x: exists'
        rmdir x
    done
    no_leftovers .
    printf '%s\n' '{"text":""}' '{"text":{"b64":"/w=="}}' '{"text":"a"}' |
        fromjsonl -q >some.gs
    run -0 --separate-stderr tojsonl -f trl some.gs
    [ "$output" = '{"text":"a"}' ]
    [ "$stderr" = 'tojsonl: 1 records'$'\n'$(
        )'tojsonl: 1 left out: empty'$'\n''tojsonl: 1 left out: not UTF-8' ]
    run -1 --separate-stderr bash -c 'tojsonl -f trl some.gs >/dev/full'
    one_line 'tojsonl: stdout: write: No space left on device'
}

@test "TRL's SFTTrainer trains on what is told to it" {
    if ! "${PEERS:-none}/bin/python" -c 'import datasets, trl' 2>err; then
        skip "PEERS names no Python with trl"
    fi
    sft() {
        "$PEERS/bin/python" -W ignore "$BATS_TEST_DIRNAME/../peft/sft.py" \
            t.json "$1" 2>err | jq -c .
    }
    echo '{"text": "a"}' | fromjsonl -q |
        vocabtrain -q --size 257 --special '<|endoftext|>' -o t.json
    tokens | tojsonl -q -f trl >a.jsonl
    cmp <(sft a.jsonl) <(tokens | lines -)
    repo_small r
    gitscrape -q r | tojsonl -q -f trl >c.jsonl
    cmp <(sft c.jsonl | jq '.[1] | add') \
        <(jq '.completion | utf8bytelength + 1' c.jsonl)
    chats | tojsonl -q -f trl | head -n 1 >m.jsonl
    [ "$(sft m.jsonl | jq -c '.[1] | add')" = 2 ] # the 4 and its newline
}
