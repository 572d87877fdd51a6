# pipelines/two-stage.mk, with sizes that take seconds: from texts and code to
# a model.

load helper

# texts, 40 pages with a word of their own each; 'a project', a repository; a
# model and runs that take a moment.
setup() {
    cd "$BATS_TEST_TMPDIR"
    mkdir -p 'some texts/more'
    for i in $(seq 40); do
        echo "Page $i has the word w${i}w, and is of $((i * 37 % 11)) things" \
            "that are $((i * 7 % 13)) each." >"some texts/more/p $i.txt"
    done
    repo_small 'a project' 20
    cat >arch.json <<'JSON'
{"model_type": "llama", "vocab_size": 400, "hidden_size": 16,
 "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2,
 "num_key_value_heads": 1, "max_position_embeddings": 128}
JSON
    echo '{"seq-len": 64, "batch": 2, "steps": 6, "lr": 0.01,
        "eval-every": 3}' >one.json
    echo '{"seq-len": 32, "batch": 2, "steps": 4, "log-every": 3}' >two.json
    echo '{"prompt": "Page ", "max_tokens": 4}' >prompts.jsonl
    makefile=$root/pipelines/two-stage.mk
}

stages() {
    make -s -f "$makefile" BIN="$GRAFT_BUILD/bin" TEXT='some texts' \
        CODE='a project' ARCH=arch.json STAGE1=one.json STAGE2=two.json \
        PROMPTS=prompts.jsonl THREADS=1 \
        SPLIT='--split-by group --val 0.1 --test 0.1' "$@"
}

state() {
    find work -printf '%p %s %T@\n' | sort
}

# first_of STATE: what the second stage's run has no part in.
first_of() {
    grep -v -e stage2 -e needs -e history -e sample -e score -e '^work ' \
        -e '^work/key ' "$1"
}

# words SET: those of the pages that each split of it has, as "train w1w".
words() {
    local split
    for split in train val test; do
        tojsonl --split $split --exact "$1" | fromjsonl -q >part
        [[ $1 != *tokens ]] || {
            tokenize -q -d -t work/tokenizer.json part >text
            mv text part
        }
        tojsonl part | grep -o 'w[0-9]*w' | sort -u | sed "s/^/$split /"
    done
}

@test "two stages make a model, rest, and redo what changed" {
    ln -s "$PWD/one.json" 'some texts/link'
    mkdir 'some texts/.git'
    echo secret >'some texts/.git/config'
    cp 'a project/src/part0.c' 'some texts'
    run -0 --separate-stderr stages
    [[ $stderr == *'TEXT: symbolic links left out: 1'* ]]
    [[ $stderr == *'stage 1: 6 steps of 128 tokens'*'of memory'* ]]
    [[ $output == *'arch: 14,768 parameters, llama, 400 tokens'* ]]
    [[ $output == *'after stage 1  after stage 2'*'> Page '* ]]
    python3 "$root/tests/validate.py" "$root/schemas/history.schema.json" \
        work/history.json
    # every line of both, and what the second began with
    jq -e '[.stages[].steps[].step] == [1, 2, 3, 4, 5, 6, 3, 4]
        and [.stages[0].evaluations[].step] == [0, 3, 6]
        and .stages[1].options["seq-len"] == 32
        and (.samples | length) == 1' work/history.json
    cmp <(jq .identity.base_id work/stage2/config.json) \
        <(jq 'select(.kind == "summary") | .models.base.id' \
            work/code.score.json)
    # held out by documents, in all that is made of them
    words work/text >in_text
    words work/text-tokens >in_tokens
    cmp in_text in_tokens
    [ "$(wc -l <in_text)" -eq 40 ]
    [ "$(cut -d' ' -f2 in_text | sort -u | wc -l)" -eq 40 ]
    [ "$(grep -c '^t\(rain\|est\)' in_text)" -gt "$(grep -c train in_text)" ]
    tojsonl work/text | run -1 grep -e secret -e seq-len
    # files and commits, without the file that is a text of the first stage
    tojsonl work/code | jq -r 'if .kind == "file" then .path else .kind end' |
        sort -u | cmp - <(printf '%s\n' commit src/part1.c src/part2.c)

    state >before
    stages >/dev/null
    state | cmp - before
    need_plain "the rest runs the same programs"
    echo '{"seq-len": 32, "batch": 2, "steps": 5}' >two.json
    first_of before >kept
    run -0 --separate-stderr stages TRAIN2=--extend
    [[ $stderr != *'stage 1: arch'* ]]
    [[ $stderr == *'going on after step 4 of 5'* ]]
    [ ! -e work/stage2.old ]
    jq -e '[.stages[1].steps[].step] == [3, 4, 5]
        and .stages[1].done == 5' work/history.json
    first_of <(state) | cmp - kept
}

# stopped SIGNAL STEP RUN: the pipeline gets that signal when the run is so far.
stopped() {
    env --default-signal=INT,QUIT setsid bash -c "$(declare -f stages)"'
        stages' >out 2>err 3>&- &
    pid=$!
    until grep -qs "\"step\": $2," "$3/metrics.jsonl"; do
        kill -0 $pid
        sleep 0.01
    done
    kill -"$1" -- -$pid
    wait $pid || true
    flock -w 60 work/key/lock true
    [ ! -e "$3/manifest.json" ]
}

@test "stages that are stopped go on, and come to the same model" {
    need_plain "its programs are run by other tests"
    export makefile GRAFT_BUILD
    echo '{"seq-len": 64, "batch": 2, "steps": 1200, "lr": 0.01,
        "save-every": 100, "log-every": 10}' >one.json
    sed 's/1200/1100/' one.json >two.json
    stages 2>/dev/null
    cp -r work whole
    rm -r work/stage1 work/stage2
    stopped INT 200 work/stage1
    grep -q 'stopped; the same command goes on from here' err
    stopped KILL 300 work/stage2
    run -0 --separate-stderr stages
    [[ $stderr == '* stage 2: '*'going on after step '* ]]
    cmp work/stage2/model/model.safetensors \
        whole/stage2/model/model.safetensors
    cmp <(jq -c '.stages[].steps[] | [.step, .loss]' work/history.json) \
        <(jq -c '.stages[].steps[] | [.step, .loss]' whole/history.json)
}

# refused TEXT ARGUMENT...: the pipeline says that, in a line, and makes
# nothing.
refused() {
    local text=$1
    shift
    run -2 --separate-stderr stages "$@"
    [[ ${stderr_lines[0]} == *"$text"* ]]
    [[ ${stderr_lines[1]} == make:* ]]
    [ ! -e work ]
}

@test "what can't be done is said before any work" {
    need_plain "no program does any work"
    refused 'two-stage.mk: TEXT: none: no such file or directory' TEXT=none
    refused 'two-stage.mk: TEXT is empty' TEXT=
    refused 'two-stage.mk: ARCH: dense-huge: no such file, and no such name' \
        ARCH=dense-huge
    refused 'two-stage.mk: STAGE1: stage1-arch: no such file' \
        STAGE1=stage1-arch
    mkdir empty
    refused 'CODE: empty: no file is in it' CODE=empty
    : >nothing
    refused 'TEXT: nothing: is empty' TEXT=nothing
    echo '{"method": "lora"}' >bad.json
    refused 'STAGE2: has method lora' STAGE2=bad.json
    echo '{"base": "x"}' >bad.json
    refused 'STAGE1: has base' STAGE1=bad.json
    echo '{"stesp": 1}' >bad.json
    refused "STAGE1: train: bad.json: unknown key 'stesp'" STAGE1=bad.json
    refused 'STAGE1: train: ' TRAIN1='--steps 1 --epochs 2'
    refused 'VOCAB: 401 tokens for the 400 rows' VOCAB=401
    refused 'SCRAPE: --kind' SCRAPE='--kind file'
    refused 'PROMPTS: arch.json: no prompts' PROMPTS=arch.json
    jq '.num_hidden_layers = 512 | .hidden_size = 65536
        | .intermediate_size = 65536 | .num_attention_heads = 64' \
        arch.json >bad.json
    refused 'whose training takes more memory than there is' ARCH=bad.json
}

@test "texts are what was named, and nothing besides" {
    texts=$root/pipelines/texts
    repo_small around 3
    mkdir around/inside
    echo 'within' >'around/inside/a file'
    ln -s ../src around/inside/link
    # a directory in a repository is no repository
    "$texts" -q CODE around/inside | tojsonl | jq -r '[.kind, .path] | @tsv' |
        cmp - <(printf 'file\ta file\n')
    "$texts" -q TEXT around/src/part1.c | tojsonl | jq -e '.kind == "file"'
    echo '{"text": "a line"}' >one.jsonl
    "$texts" -q TEXT one.jsonl | tojsonl | jq -e '.text == "a line"'
    "$texts" -q TEXT around | tojsonl |
        run -1 grep -e '"kind":"commit"' -e refs/
    mkfifo pipe
    run -2 "$texts" -q TEXT pipe
    [[ $output == *'no directory and no file'* ]]
}

@test "one text is cut into parts, of which some are held out" {
    need_plain "its programs are run by other tests"
    for i in $(seq 1000); do
        echo "Line $i: $((i * 7919 % 1009)) and $((i * 104729 % 997))."
    done >'the book.txt'
    run -0 --separate-stderr stages TEXT='the book.txt' SCRUB=none DEDUP=none
    [ -s work/history.json ]
    jq -e '.records > 20 and ([.splits[].records] | length == 3)' \
        work/text/manifest.json
    tojsonl work/text | jq -j .text | cmp - 'the book.txt'
    tojsonl work/text | jq -e '.path | endswith(".txt")' >/dev/null
    [ ! -e work/key/parts ]
    run -0 --separate-stderr stages TEXT='the book.txt' SCRUB=none DEDUP=none
    [ -z "$stderr" ]
}

@test "parts of a text of any size are none that fromfiles leaves out" {
    mkdir -p key programs
    # split, but for the work
    printf '#!/bin/bash\necho $2 >size; echo x >"${!#}00000.txt"\n' \
        >programs/split
    chmod +x programs/split
    truncate -s 20G 'huge.txt'
    WORK=$PWD PATH=$PWD/programs:$PATH "$root/pipelines/texts" TEXT huge.txt |
        tojsonl | jq -e '.path == "part.00000.txt"'
    [ "$(cat size)" -gt 1000000 ]
    [ "$(cat size)" -lt $((8 << 20)) ]
}

# A make that has made what two-stage.mk is asked for, without a model.
made() {
    local WORK ARCH TEXT CODE word
    for word; do
        case $word in
        WORK=* | ARCH=* | TEXT=* | CODE=*) declare "$word" ;;
        esac
    done
    [ -n "$(find "$TEXT" -name '*.txt')$(find "$TEXT" -name '*.[157]')" ]
    [ -n "$(find "$CODE" -name '*.[ch]')" ]
    mkdir -p "$WORK"/{text,code,text-tokens,code-tokens,key}
    touch "$WORK"/tokenizer.json "$WORK"/key/{text,code,vocab} \
        "$WORK"/key/{text,code}-tokens
    jq -n --arg name "$ARCH" '{$name, parameters: 1234,
        samples: [{prompt: "a", completion: "b"}, {}, {prompt: "c",
            completion: "\n"}],
        stages: [{steps: [{tokens: 10, tok_s: 5}],
            test: {after_stage_1: {loss: 2}}},
            {steps: [], test: {after_stage_2: {loss: 1.5}}}]}' \
        >"$WORK/history.json"
}

@test "the demo from nothing works in a folder as it was named" {
    echo '#!/bin/bash' >make
    declare -f made >>make
    echo 'made "$@"' >>make
    chmod +x make
    PAGES=3 HEADERS=5 MAKE=$PWD/make BIN=bin WORK='some work/demo' \
        "$root/pipelines/demo-scratch" >said
    [ "$(grep -c ' 1,234 *5 *2.0000 *1.5000$' said)" = \
        "$(ls "$root"/pipelines/configs/scratch/[a-z]*-nano.json |
            grep -cv stage)" ]
    grep -Fqx 'dense-nano > c ' said
    [ "$(find 'some work/demo/include' -name '*.h' | wc -l)" -ge 5 ]
}
