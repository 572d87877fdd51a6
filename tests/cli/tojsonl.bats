#!/usr/bin/env bats
# Streams and sets as JSON lines.

load helper

# docs N: a text stream of N documents.
docs() {
    seq -f '{"text":"document %.0f"}' "$1" | fromjsonl
}

@test "tojsonl shows a stream from a file, a pipe and a set alike" {
    docs 50 >a.gs
    shard -q -o set --size 200 a.gs
    tojsonl a.gs >file.jsonl
    docs 50 | tojsonl >pipe.jsonl
    tojsonl - <a.gs >dash.jsonl
    tojsonl set >set.jsonl
    [ "$(wc -l <file.jsonl)" -eq 50 ]
    jq -e . file.jsonl >jq.out
    for how in pipe dash set; do cmp file.jsonl $how.jsonl; done
}

@test "tojsonl --split shows a part of a set" {
    docs 40 | shard -q -o set --val 0.1 --test 0.2
    tojsonl set >all.jsonl
    cat <(tojsonl --split train set) <(tojsonl --split val set) \
        <(tojsonl --split test set) | cmp - all.jsonl
    [ "$(tojsonl --split test set | wc -l)" -eq 8 ]
    run -2 --separate-stderr tojsonl --split wrong set
    one_line 'tojsonl: set: no split "wrong"'
    docs 1 >a.gs
    run -2 --separate-stderr tojsonl --split test a.gs
    one_line 'tojsonl: a.gs: --split needs a shard set'
}

@test "tojsonl --exact of a set gives the content id of the stream" {
    docs 50 >a.gs
    shard -q -o set --size 200 a.gs
    tojsonl --exact set | fromjsonl >back.gs
    diff <(grep -a '^content ' a.gs) <(grep -a '^content ' back.gs)
    [ "$(ls set/*.graft | wc -l)" -gt 3 ]
}

@test "tojsonl --exact and fromjsonl hand on inputs and ledger" {
    repo_small r
    head -c 3000 /dev/zero >r/zeros.bin
    repo_commit r binary
    vocabtrain -q --size 300 -o t.json <(gitscrape -q r)
    for more in '' r; do
        gitscrape -q r $more | tokenize -q -t t.json --max-tokens 100 >a.gs
        tojsonl --exact a.gs | fromjsonl >b.gs
        for word in raw content input ledger; do
            tr '\0' '\n' <a.gs | grep -a "^$word " >want
            tr '\0' '\n' <b.gs | grep -a "^$word " | diff want -
        done
        grep -q tokenize want
        grep -q gitscrape want
    done
    head='{"graft":1,"type":"text"}'
    for end in '{"graft":1,"inputs":["00"],"ledger":[]}' \
        '{"graft":1,"inputs":[],"ledger":[["a","b",0]]}' \
        '{"graft":1,"inputs":[],"ledger":[["a","b"]]}' \
        '{"graft":1,"inputs":[],"ledger":[["a","b",1,2]]}' \
        '{"graft":1,"inputs":[],"ledger":[["a b","c",1]]}' \
        '{"graft":1,"inputs":[],"ledger":[["a","c",1],["a","c",1]]}' \
        '{"graft":1,"inputs":[],"ledger":[],"more":1}' \
        '{"graft":1,"ledger":[]}'; do
        run -4 --separate-stderr fromjsonl <<<"$head"$'\n'"$end"
        [[ $stderr == 'fromjsonl: stdin:2'* ]]
    done
    run -4 --separate-stderr fromjsonl <<<'{"graft":1,"inputs":[],"ledger":[]}'
    [[ $stderr == 'fromjsonl: stdin:1: the end of a segment without'* ]]
}

@test "tojsonl prints all segments, with --exact a header line for each" {
    docs 2 >a.gs
    docs 3 >>a.gs
    [ "$(tojsonl a.gs | wc -l)" -eq 5 ]
    [ "$(tojsonl --exact a.gs | jq -c 'select(.graft).type' | wc -l)" -eq 2 ]
}

@test "tojsonl shows a tensor by type, shape and the id of its data" {
    printf '%s\n' \
        '{"kind":"tensor","name":"w","dtype":"F16","shape":[2,1]}' \
        '{"kind":"data","b64":"AQIDBA=="}' | fromjsonl >w.gs
    shard -q -o set w.gs
    id=$(printf '\1\2\3\4' | b2sum -l 256 | cut -c1-64)
    for what in w.gs set; do
        run -0 tojsonl $what
        [ "$output" = '{"kind":"tensor","name":"w","dtype":"F16",'$(
            )'"shape":[2,1],"id":"'$id'"}' ]
    done
}

@test "tojsonl refuses a stream that was cut short, and says where" {
    docs 20 >a.gs
    head -c -100 a.gs >cut.gs
    run -4 --separate-stderr tojsonl cut.gs
    [ "${#stderr_lines[@]}" -eq 1 ]
    [[ $stderr == 'tojsonl: cut.gs:'* ]]
    run -4 --separate-stderr bash -c 'tojsonl </dev/null'
    one_line 'tojsonl: stdin: empty input, no header'
    run -4 --separate-stderr bash -c 'echo text | tojsonl'
    [[ $stderr == 'tojsonl: stdin:'* ]]
}

@test "a reader that has enough ends tojsonl quietly, by SIGPIPE" {
    docs 20000 >a.gs
    shard -q -o set a.gs
    for what in a.gs set; do
        run -0 --separate-stderr bash -c \
            "tojsonl $what | head -n 1; echo \${PIPESTATUS[0]}"
        [ "${lines[1]}" = 141 ]
        [ -z "$stderr" ]
    done
}

@test "tojsonl tells a missing file, a directory and a full device" {
    run -1 --separate-stderr tojsonl missing
    one_line 'tojsonl: missing: No such file or directory'
    mkdir dir
    run -4 --separate-stderr tojsonl dir
    one_line 'tojsonl: dir: not a complete set (no manifest.json)'
    docs 1 >a.gs
    run -1 --separate-stderr bash -c 'tojsonl a.gs >/dev/full'
    one_line 'tojsonl: stdout: write: No space left on device'
}

@test "tojsonl shows a model directory like the weights stream of it" {
    jq -n '{model_type: "llama", hidden_size: 16, intermediate_size: 32,
        num_hidden_layers: 1, num_attention_heads: 2,
        max_position_embeddings: 64, vocab_size: 32}' >arch.json
    initmodel -q -o model arch.json
    quantize -q --format f32 model | tojsonl >stream.jsonl
    tojsonl model >model.jsonl
    [ "$(grep -c '"kind":"tensor"' model.jsonl)" -gt 5 ]
    diff <(grep '"kind":"tensor"' stream.jsonl | sort) \
        <(grep '"kind":"tensor"' model.jsonl | sort)
    head -n 1 model.jsonl | jq -e '.name == "config.json"'
    tojsonl --exact model | fromjsonl | tojsonl | cmp - model.jsonl
    run -2 --separate-stderr tojsonl --split test model
    one_line 'tojsonl: model: --split needs a shard set'
}

@test "on a terminal weights are a table, and records JSON as ever" {
    jq -n '{model_type: "gpt2", vocab_size: 300, n_embd: 64, n_layer: 1,
        n_head: 2, n_positions: 16}' >arch.json
    initmodel -q -o model arch.json
    quantize -q --format f32 model >w.gs
    shard -q -o base --size 20000 w.gs
    on_terminal tojsonl model >table
    n=$(tojsonl model | jq -r .kind | grep -c tensor)
    [ "$(wc -l <table)" -eq $(($(tojsonl model | wc -l) + 2)) ]
    [ "$(head -n 1 table | tr -s ' ')" = 'name type shape MiB' ]
    grep -q '^transformer.wte.weight  *F32  *300x64  *0.07$' table
    grep -q '^config.json  *file  *0.00$' table
    total=$(tail -n 1 table)
    [[ $total == *" files, $n tensors "* ]]
    awk 'NR > 1 { n = length; if (last && n != last) exit 1; last = n }' table
    for what in w.gs base; do
        on_terminal tojsonl $what >other
        [ "$(tail -n 1 other)" = "$total" ]
        diff <(sort table) <(sort other)
    done
    on_terminal tojsonl --exact model >exact
    head -n 1 exact | jq -e '.graft == 2'
    docs 2 >a.gs
    on_terminal tojsonl a.gs | cmp - <(tojsonl a.gs)
}
