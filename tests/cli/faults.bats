#!/usr/bin/env bats
# The N-th call of a function of the C library fails, N = 1, 2, 3 ... until
# none does: one line on stderr, exit 1, nothing half done.

load helper

setup_file() {
    ${CC:-cc} -std=c11 -D_GNU_SOURCE -O2 -fno-builtin -shared -fPIC \
        "$BATS_TEST_DIRNAME/../preload/fault.c" -o "$BATS_FILE_TMPDIR/fault.so"
}

setup() {
    cd "$BATS_TEST_TMPDIR"
    need_plain "its library has to be the first that is loaded"
    lines=6
    seq -f '{"text":"document %.0f"}' $lines >in.jsonl
    fromjsonl in.jsonl >text.gs
    seq -f '{"text":"document %.0f"}' $((lines + 4)) | fromjsonl >more.gs
    seq 2 | jq -c '{ids: [range(.)]}' | fromjsonl >ids.gs
    seq 3 | jq -c '{ids: [range(.)]}' | fromjsonl >more-ids.gs
    echo in.jsonl >stdin
}

# fault CALL N COMMAND...: its status in $code, whether the fault came in
# $hit, stderr in the file err.
fault() {
    local call=$1 n=$2
    shift 2
    rm -f mark
    code=0
    FAULT_CALL=$call FAULT_N=$n FAULT_ERRNO=28 FAULT_MARK=mark \
        LD_PRELOAD=$BATS_FILE_TMPDIR/fault.so "$@" <stdin >out 2>err ||
        code=$?
    hit=
    [ ! -e mark ] || hit=1
}

# each_fault CALL GOOD BAD COMMAND...: GOOD has to hold where the command
# ends well, BAD where it fails, which it has to with one line and status 1.
# before is run before each.
each_fault() {
    local call=$1 good=$2 bad=$3 n
    shift 3
    for ((n = 1; ; n++)); do
        before
        fault "$call" $n "$@"
        if [ "$code" -eq 0 ]; then
            $good || { echo "$call $n: ended well, and $good fails"; false; }
        else
            [ "$code" -eq 1 ] && [ "$(wc -l <err)" -eq 1 ] && $bad || {
                echo "$call $n: exit $code, $bad"
                cat err
                false
            }
        fi
        [ -n "$hit" ] || break
        # closing or reading something that does not matter may fail
        [ "$code" -ne 0 ] || [[ $call =~ ^(close|read|malloc)$ ]] || {
            echo "$call $n: failed, and nobody noticed"
            false
        }
    done
    [ $n -gt 1 ]
}

before() {
    rm -rf set out
}

whole_set() {
    diff -r set good && no_leftovers .
}

# Closing stdout comes after the set is made.
all_or_nothing() {
    [ ! -e set ] || diff -r set good && no_leftovers .
}

@test "shard leaves no set when a call fails" {
    for input in text ids; do
        rm -rf good
        shard -q -o good --size 60 $input.gs
        for call in write fsync rename close read malloc; do
            each_fault $call whole_set all_or_nothing shard -q -o set \
                --size 60 $input.gs
        done
    done
}

old_or_new() {
    tojsonl set >shown
    { cmp -s shown old.jsonl || cmp -s shown new.jsonl; } &&
        no_leftovers set && { [ ! -x "$GRAFT_BUILD/bin/verify" ] ||
        verify -q set >verified; }
}

# adds OLD NEW: a set of OLD is added to until it is one of NEW.
adds() {
    rm -rf old good
    shard -q -o old --size 60 "$1"
    shard -q -o good --size 60 "$2"
    tojsonl old >old.jsonl
    tojsonl good >new.jsonl
    before() {
        rm -rf set
        cp -r old set
    }
    for call in write fsync rename close read malloc; do
        each_fault $call whole_set old_or_new shard -q -o set --size 60 "$2"
    done
}

@test "adding to a set leaves the old one or the new one" {
    adds text.gs more.gs
}

@test "adding to a set of tokens does, with its lengths" {
    adds ids.gs more-ids.gs
}

same_out() {
    cmp -s out good
}

# Both files of the pair, or neither.
whole_pair() {
    cmp out.bin good.bin && cmp out.idx good.idx && no_leftovers .
}
no_pair() { # closing stdout comes after they are there
    if [ -e out.bin ] || [ -e out.idx ]; then whole_pair; fi &&
        no_leftovers .
}
whole_file() {
    cmp out.llmc good.llmc && no_leftovers .
}
no_file() { # syncing the directory comes after the file is there
    [ ! -e out.llmc ] || whole_file && no_leftovers .
}

@test "files for other trainers are whole, or not there, when a call fails" {
    echo '{"ids": [1, 2, 3]}' | fromjsonl -q --vocab 4 >ids.gs
    tojsonl -q -f megatron -o good ids.gs
    tojsonl -q -f llm.c -o good.llmc ids.gs
    before() {
        rm -f out.*
    }
    for call in write fsync close rename; do
        each_fault $call whole_pair no_pair \
            tojsonl -q -f megatron -o out ids.gs
    done
    for call in write pwrite fsync close rename; do
        each_fault $call whole_file no_file \
            tojsonl -q -f llm.c -o out.llmc ids.gs
    done
    each_fault read true true fromjsonl -q -f llm.c good.llmc
}

@test "filters to stdout end with a message when a call fails" {
    for filter in 'fromjsonl in.jsonl' 'tojsonl text.gs' fromfiles; do
        $filter <stdin >good
        for call in write read malloc; do
            each_fault $call same_out true $filter
        done
    done
}

# killed START INPUT: a set of INPUT is made from nothing or from START.
killed() {
    rm -rf good
    shard -q -o good --size 60 "$2"
    for call in write fsync rename close; do
        for ((n = 1; ; n++)); do
            rm -rf set
            [ "$1" = none ] || cp -r "$1" set
            fault $call $n shard -q -o set --size 60 "$2"
            [ -n "$hit" ] || break
            [ "$code" -eq 137 ]
            if [ -e set/manifest.json ]; then
                verify -q set >verified
            fi
            shard -q -o set --size 60 "$2"
            diff -r set good
        done
        [ $n -gt 1 ]
    done
}

@test "killed before any call, the next run ends as if nothing had been" {
    shard -q -o old --size 60 text.gs
    shard -q -o old-ids --size 60 ids.gs
    export FAULT_KILL=1
    killed none more.gs
    killed old more.gs
    killed none more-ids.gs
    killed old-ids more-ids.gs
}

@test "train killed before any call goes on to the same adapter" {
    jq -n '{model_type: "llama", hidden_size: 16, intermediate_size: 32,
        num_hidden_layers: 1, num_attention_heads: 2, num_key_value_heads: 1,
        max_position_embeddings: 64, rms_norm_eps: 1e-5, rope_theta: 1e4,
        tie_word_embeddings: false, vocab_size: 32, bos_token_id: null,
        eos_token_id: 0}' >arch.json
    initmodel -q -o model arch.json
    jq -nc 'range(40) | {ids: [range(., . + 20) | . * 7 % 31 + 1]}' |
        fromjsonl --vocab 32 | shard -q -o data
    train=(train -q --data data --base model --steps 4 --save-every 2
        --batch 1 --seq-len 20 --rank 2 --warmup 0 --threads 1 -o)
    "${train[@]}" good
    export FAULT_KILL=1
    for call in write fsync rename; do
        for ((n = 1; ; n++)); do
            rm -rf run
            fault $call $n "${train[@]}" run
            [ -n "$hit" ] || break
            "${train[@]}" run --resume
            diff -r good/adapter run/adapter || {
                echo "$call $n"
                false
            }
            verify -q run >verified
        done
        [ $n -gt 1 ]
    done
}

# tiny_run: a base and data, and in $train a run of them.
tiny_run() {
    echo '{"model_type": "gpt2", "vocab_size": 40, "n_embd": 8,
        "n_layer": 1, "n_head": 2, "n_positions": 16}' >arch.json
    initmodel -q -o model arch.json
    jq -nc 'range(20) | {ids: [range(., . + 9) | . % 31 + 1]}' |
        fromjsonl --vocab 40 | shard -q --val 0.2 -o data
    train=(train -q --data data --base model --save-every 1 --batch 1
        --seq-len 16 --threads 1 --keep 1 --lr 0.01 -o run)
}

@test "train killed at a rename has a checkpoint, where it had one" {
    tiny_run
    export FAULT_KILL=1
    for ((n = 1; ; n++)); do
        rm -rf run
        fault rename $n "${train[@]}" --rank 2 --steps 2 --eval-every 1 \
            --keep-best
        [ ! -e run/adapter ] || ls run/checkpoints | grep -q '^step-[0-9]*$'
        [ -n "$hit" ] || break
    done
    [ $n -gt 1 ]
}

@test "train has a model until the next is whole" {
    tiny_run
    for ((n = 1; ; n++)); do
        rm -rf run
        fault write $n "${train[@]}" --method full --steps 2
        [ ! -e run/checkpoints/step-2 ] || [ -s run/model/config.json ]
        [ -n "$hit" ] || break
    done
    [ $n -gt 1 ]
    no_leftovers run
}

@test "merge leaves no model when a call fails" {
    echo '{"model_type": "gpt2", "vocab_size": 40, "n_embd": 24,
        "n_layer": 1, "n_head": 4, "n_positions": 16}' >arch.json
    initmodel -q -o base arch.json
    python3 "$BATS_TEST_DIRNAME/safetensors.py" adapter ad \
        transformer.h.0.attn.c_attn:24:72
    merge -q --base base --adapter ad -o good
    for call in write fsync rename; do
        each_fault $call whole_set all_or_nothing merge -q \
            --base base --adapter ad -o set
    done
}
