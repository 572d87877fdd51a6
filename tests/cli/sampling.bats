#!/usr/bin/env bats
# How often records are drawn: what shard --sample records and train obeys.

load helper

# world: a base of 32 rows and a.gs, 200 token records of two languages and
# repositories, one a day.
world() {
    cat >arch.json <<'JSON'
{"model_type": "gpt2", "vocab_size": 32, "n_embd": 16, "n_layer": 1,
 "n_head": 2, "n_positions": 16}
JSON
    initmodel -q -o base arch.json
    jq -nc 'range(200) | {ids: [range(. % 9 + 4) + . % 5], ordinal: .,
        time: (1600000000 + 86400 * .), repo: "r\(. / 50 | floor)",
        quality: (. % 3), lang: (if . % 4 == 0 then "c" else "py" end)}' |
        fromjsonl -q --vocab 32 >a.gs
}

# run_train DATA OUT OPTION...
run_train() {
    train --data "$1" --base base -o "$2" --seq-len 16 --batch 2 --rank 2 \
        --steps 8 "${@:3}"
}

@test "train draws by the weights of the set, and says what comes of it" {
    world
    shard -q -o plain a.gs
    shard -q -o set --sample lang:c=9 --sample repo:r0=0 a.gs
    [ "$(jq -c .sampling set/manifest.json)" = '["lang:c=9","repo:r0=0"]' ]
    [ "$(jq .content set/manifest.json)" != \
        "$(jq .content plain/manifest.json)" ]
    verify -q set
    python3 "$BATS_TEST_DIRNAME/../reader.py" set >read
    run -0 --separate-stderr run_train set one --threads 1
    # of tokens a third as many are c's, nine times as often
    [[ $stderr == *'by language: c 7'?'.'?'% (2'?'.'?'%), py 2'* ]]
    [[ $stderr == *'r0 0.0% (2'* ]]
    run_train set two --threads 2
    cmp one/adapter/*.safetensors two/adapter/*.safetensors
    # stopped and gone on with
    run_train set part --save-every 3
    rm -r part/manifest.json part/checkpoints/step-8
    run_train set part --save-every 3 --resume
    cmp one/adapter/*.safetensors part/adapter/*.safetensors
    run_train plain plain.run
    run ! cmp -s one/adapter/*.safetensors plain.run/adapter/*.safetensors
    # equal weights change nothing
    shard -q -o equal --sample lang:c=3 --sample lang:py=3 a.gs
    run_train equal equal.run
    cmp equal.run/adapter/*.safetensors plain.run/adapter/*.safetensors
    # each rule is obeyed
    for rule in half-life=20 quality curriculum=length curriculum=age; do
        shard -q -o "set.$rule" --sample $rule a.gs
        run_train "set.$rule" "run.$rule"
        run ! cmp -s "run.$rule"/adapter/*.safetensors \
            plain.run/adapter/*.safetensors
    done
}

@test "a document's quality goes with its tokens" {
    printf '%s\n' '{"text":"a","quality":7}' '{"text":"b","quality":"high"}' \
        '{"text":"c"}' '{"text":"d","quality":-3}' | fromjsonl -q >text.gs
    vocabtrain -q --size 260 -o t.json text.gs
    tokenize -q -t t.json text.gs >tokens.gs
    [ "$(tojsonl tokens.gs | jq .quality | tr '\n' ' ')" = '7 0 0 -3 ' ]
    run -4 --separate-stderr shard -o set --sample quality tokens.gs
    one_line 'shard: tokens.gs: segment 0, record 3: quality -3 is no weight'
    [ ! -e set ]
}

@test "shard refuses rules that can't be obeyed" {
    world
    for rule in lang:c=-1 lang:c=nan lang:c=inf lang:c= repo:r0=0x2 \
        'lang:c= 1' half-life=0 half-life=-2 lang:c=1e9; do
        run -2 --separate-stderr shard -o set --sample "$rule" a.gs
        one_line "shard: --sample: '$rule': bad number (expected"
    done
    for rule in '' lang:c langs:c=1 quality=2 curriculum=size lang=2; do
        run -2 --separate-stderr shard -o set --sample "$rule" a.gs
        one_line 'shard: --sample: '
    done
    run -2 --separate-stderr shard -o set --sample lang:go=2 a.gs
    one_line "shard: --sample: no record is of language 'go'"
    run -2 --separate-stderr shard -o set --sample quality --sample quality \
        a.gs
    one_line "shard: --sample: 'quality': there is a rule for that already"
    run -2 --separate-stderr shard -o set --sample lang:c=0 \
        --sample lang:py=0 a.gs
    one_line 'shard: --sample: every record to train on has weight 0'
    echo '{"text":"a"}' | fromjsonl >text.gs
    run -2 --separate-stderr shard -o set --sample lang:c=2 text.gs
    one_line 'shard: --sample: is for tokens (found a stream of text)'
    [ ! -e set ]
}
