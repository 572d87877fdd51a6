# pipelines/repo.mk, with sizes that take seconds.

load helper

setup() {
    cd "$BATS_TEST_TMPDIR"
    mkdir include
    for i in $(seq 30); do
        printf '/* Header %s. */\nint f%s(int x);\n' $i $i >"include/h $i.h"
    done
    sed 's/"hidden_size": 128/"hidden_size": 16/
        s/"intermediate_size": 384/"intermediate_size": 24/
        s/"num_hidden_layers": 4/"num_hidden_layers": 1/
        s/4096/400/' "$root/pipelines/configs/scratch/dense-nano.json" \
        >arch.json
    repo_small 'a project' 20
    LORA='--rank 2 --batch 2 --steps 2'
    makefile=$root/pipelines/repo.mk
}

# given: what the pipeline is given here, in $given.
given() {
    given=(-f "$makefile" BIN="$GRAFT_BUILD/bin"
        HEADERS="${HEADERS-include}" HEADER_FILES=20 VOCAB=400
        ARCH="${ARCH-arch.json}" SEQ_LEN=512 THREADS=1
        PRETRAIN='--batch 2 --steps 2' LORA="$LORA")
}

pipeline() {
    given
    make -s "${given[@]}" "$@"
}

# begin ARGUMENT...: the pipeline in a process group of its own, $pid.
begin() {
    given
    env "${signals---default-signal=INT,QUIT}" setsid \
        make -s "${given[@]}" "$@" >out 2>err 3>&- &
    pid=$!
}

# until_step RUN N: a run has logged that step.
until_step() {
    until grep -qs "\"step\": $2," "$1/metrics.jsonl"; do
        kill -0 $pid
        sleep 0.01
    done
}

# free WORK: its lock can be had, and so nothing is at work there.
free() {
    flock -w 60 "$1/key/lock" true
}

# ended: begin's pipeline is, with a failure.
ended() {
    local status=0
    wait $pid || status=$?
    [ $status -ne 0 ]
}

# Waits for the last of them, which would write where bats removes.
teardown() {
    [ -n "${pid-}" ] || return 0
    kill -KILL -- -"$pid" 2>/dev/null || true
    wait "$pid" || true
    [ ! -e work/key/lock ] || free work
}

state() {
    find work -printf '%p %s %T@\n' | sort
}

same_adapter() {
    cmp "$1/run/adapter/adapter_model.safetensors" \
        "$2/run/adapter/adapter_model.safetensors" &&
        cmp <(jq -c 'del(.models[].path)' "$1/score.json") \
            <(jq -c 'del(.models[].path)' "$2/score.json")
}

@test "the pipeline goes from a repository to a table, and then rests" {
    run -0 --separate-stderr pipeline REPO='a project'
    [[ $output == *'Held out: 2 commits, 2 records'*base*adapter*difference* ]]
    [[ $stderr == *'the history of a project as tokens'* ]]
    [ "$(jq .records work/score.json)" -eq 2 ]
    [[ $output == *'published: work/data-card.md'* ]]
    grep -qx 'pretty_name: "a project"' work/data-card.md
    [[ $output == *'as a page:'*'work/report.html'* ]]
    grep -q '<h1>a project</h1>' work/report.html
    jq -e '.forgetting.difference and .strata.language' work/score.json
    state >before
    run -0 --separate-stderr pipeline REPO='a project'
    [ -z "$stderr" ]
    state | cmp - before
}

@test "the pipeline redoes what another repository changes, and no more" {
    need_plain "its programs are run by other tests"
    pipeline REPO='a project' 2>/dev/null
    state | grep work/pretrain >before
    mv 'a project' other
    run -0 --separate-stderr pipeline REPO='~/other' HOME="$PWD"
    [[ $stderr == '* the history of other as tokens'* ]]
    state | grep work/pretrain | cmp - before
}

@test "in a hook of another repository it is the one that was named" {
    need_plain "its programs are run by other tests"
    pipeline REPO='a project' 2>/dev/null
    state >before
    repo_small other 3
    export GIT_DIR=$PWD/other/.git GIT_INDEX_FILE=$PWD/other/.git/index
    run -0 --separate-stderr pipeline REPO='a project'
    [ -z "$stderr" ]
    state | cmp - before
}

@test "a layout of one's own is a part of what the data are made of" {
    need_plain "its programs are run by other tests"
    export PATH=$GRAFT_BUILD/bin:$PATH
    tokenize --print-template commit >mine.template
    pipeline REPO='a project' TEMPLATE=mine.template 2>/dev/null
    state >before
    pipeline REPO='a project' TEMPLATE=mine.template
    state | cmp - before
    sed -i 's/### After:/### Then:/' mine.template
    run -0 --separate-stderr pipeline REPO='a project' TEMPLATE=mine.template
    [[ $stderr == *'the history of a project as tokens'* ]]
}

@test "what scrub and dedup take out is counted, and their files are read" {
    need_plain "its programs are run by other tests"
    echo 'int x = 1; /* ask ada@acme.org */' >'a project/x.c'
    cp 'a project/x.c' 'a project/copy.c'
    repo_commit 'a project' 'Two alike'
    echo '{"allow": {"regexes": ["nobody"]}}' >rules.json
    run -0 --separate-stderr pipeline SCRUB='--rules rules.json' \
        REPO='a project'
    [[ $output == *'scrub, email '* ]]
    [[ $output == *'dedup, exact '* ]]
    tokenize -q --decode -t work/tokenizer.json work/data | tojsonl |
        run -1 grep acme.org
    ls -l --time-style=full-iso work/data/manifest.json >before
    echo '{"allow": {"regexes": ["@acme"]}}' >rules.json
    run -0 --separate-stderr pipeline SCRUB='--rules rules.json' \
        REPO='a project' DEDUP=none
    [[ $output != *'scrub, '* ]]
    [[ $output != *'dedup, '* ]]
    ls -l --time-style=full-iso work/data/manifest.json | run -1 cmp - before
}

@test "what is learned is as the layout says, or LOSS" {
    need_plain "its programs are run by other tests"
    pipeline REPO='a project' 2>/dev/null
    [ "$(jq -r .identity.loss work/run/config.json)" = all ]
    jq -e '.tokens < .all.tokens' work/score.json
    run -0 --separate-stderr pipeline REPO='a project' LOSS=target
    [[ $stderr != *'as tokens'* ]]
    [ "$(jq -r .identity.loss work/run/config.json)" = target ]
}

@test "another run in the place of one keeps that" {
    need_plain "its programs are run by other tests"
    pipeline REPO='a project' 2>/dev/null
    cp -r work before
    LORA='--rank 2 --batch 2 --steps 3'
    run -0 --separate-stderr pipeline REPO='a project'
    [[ $stderr == *'(found 2, expected 3)'*'is kept as work/run.old'* ]]
    diff -r before/run work/run.old
    [ "$(jq .options.steps work/run/config.json)" -eq 3 ]
}

@test "a run is extended, where there is one" {
    need_plain "its programs are run by other tests"
    LORA='--rank 2 --batch 2 --schedule constant --extend --steps 2'
    pipeline REPO='a project' 2>/dev/null
    [ "$(jq .steps work/run/manifest.json)" -eq 2 ]
    LORA=${LORA/%2/4}
    run -0 --separate-stderr pipeline REPO='a project'
    [[ $stderr == *'going on after step 2 of 4'* ]]
    [ ! -e work/run.old ]
    state >before
    pipeline REPO='a project'
    state | cmp - before
}

@test "a finished run is not lost to one that was only begun" {
    need_plain "its programs are run by other tests"
    pipeline REPO='a project' 2>/dev/null
    cp -r work before
    LORA='--rank 2 --batch 2 --steps 100000'
    begin REPO='a project'
    until_step work/run 5
    kill -TERM -- -$pid
    ended
    diff -r before/run work/run.old
    # another one after that
    LORA='--rank 2 --batch 2 --steps 3'
    run -0 --separate-stderr pipeline REPO='a project'
    [[ $stderr == *'finished one before it is kept as work/run.older'* ]]
    diff -r before/run work/run.older
    [ -d work/run.old/checkpoints ]
    # back to the one that was begun, and to the first
    LORA='--rank 2 --batch 2 --steps 100000'
    rm err
    begin REPO='a project'
    until grep -qs Iter err; do kill -0 $pid; sleep 0.01; done
    kill -TERM -- -$pid
    ended
    grep -q 'is kept as work/run.old, and what was there taken' err
    grep -q 'going on after step' err
    LORA='--rank 2 --batch 2 --steps 2 --log-every 2'
    run -0 --separate-stderr pipeline REPO='a project'
    [[ $stderr == *'work/run: complete already'* ]]
    cmp {before,work}/run/adapter/adapter_model.safetensors
    cmp {before,work}/run/metrics.jsonl
    # with another base none of them is, and the last one is kept
    jq -c .identity.steps work/run{,.old,.older}/config.json >steps
    cmp steps <(printf '%s\n' 2 3 100000)
    LORA='--rank 2 --batch 2 --steps 3'
    run -0 --separate-stderr pipeline REPO='a project' FORMAT=f32
    [[ $stderr == *'a run with another base_id'* ]]
    jq -c .identity.steps work/run{,.old,.older}/config.json >steps
    cmp steps <(printf '%s\n' 3 2 100000)
}

@test "what options of training and scoring name is a part of its step" {
    need_plain "its programs are run by other tests"
    pipeline REPO='a project' 2>/dev/null
    cp -r work/run/adapter start
    LORA='--batch 2 --steps 2 --init-adapter start'
    SCORE="--forget-data 'other set' --per-record records"
    cp -r work/corpus 'other set'
    export SCORE
    pipeline REPO='a project' 2>/dev/null
    state >before
    pipeline REPO='a project'
    state | cmp - before
    cp work/pretrain/manifest.json 'other set'
    run ! --separate-stderr pipeline REPO='a project'
    [[ $stderr == *'evalprompts: other set/manifest.json: '* ]]
    cp work/corpus/manifest.json 'other set'
    cp work/run/adapter/adapter_model.safetensors start
    run -0 --separate-stderr pipeline REPO='a project'
    [[ $stderr == *'a run with another init_adapter_id'* ]]
}

@test "an option that does not change a run does not begin it anew" {
    need_plain "its programs are run by other tests"
    LORA='--rank 2 --batch 2 --steps 100000'
    begin REPO='a project'
    until_step work/run 5
    kill -TERM -- -$pid
    ended
    LORA='--steps 100000 --batch 2 --rank 2 --save-every 1h --log-every 2'
    rm err
    begin REPO='a project'
    until grep -qs Iter err; do kill -0 $pid; sleep 0.01; done
    grep -q 'going on after step' err
    # A train by hand has a run, so a make that finds it there lets it be.
    LORA='--rank 2 --steps 1'
    mkdir other
    cp -r work/[!r]* other
    ln -s ../work/run other/run
    run ! --separate-stderr pipeline REPO='a project' WORK=other
    [[ $stderr == *'train: other/run: locked by process '* ]]
    [ -L other/run ]
    kill -0 $pid
}

@test "a pipeline that is stopped goes on at the checkpoint of its training" {
    need_plain "it takes minutes"
    LORA='--rank 2 --batch 2 --steps 300'
    pipeline REPO='a project' WORK=whole >/dev/null 2>&1
    pipeline REPO='a project' LORA='--rank 2 --batch 2 --steps 1' \
        >/dev/null 2>&1
    for signal in TERM INT HUP; do
        rm -rf work/run
        begin REPO='a project'
        until_step work/run 5
        kill -$signal -- -$pid
        ended
        free work
        grep -q 'stopped; the same command goes on from here' err
        [ ! -e work/run/manifest.json ]
        ls -d work/run/checkpoints/step-*
        run -0 --separate-stderr pipeline REPO='a project'
        [[ $stderr == *'going on after step '* ]]
        same_adapter whole work
    done
}

@test "a signal to make alone stops what works for it" {
    need_plain "its programs are run by other tests"
    LORA='--rank 2 --batch 2 --steps 100000'
    begin REPO='a project'
    until_step work/run 5
    kill -TERM $pid
    ended
    free work
    ls -d work/run/checkpoints/step-*
}

@test "a signal that was to be ignored is ignored" {
    need_plain "its programs are run by other tests"
    LORA='--rank 2 --batch 2 --steps 300' signals=--ignore-signal=INT
    begin REPO='a project'
    until_step work/run 5
    kill -INT -- -$pid
    wait $pid
    [ "$(jq .records work/score.json)" -eq 2 ]
}

@test "of two at the same work, the second says so and touches nothing" {
    need_plain "its programs are run by other tests"
    LORA='--rank 2 --batch 2 --steps 100000'
    begin REPO='a project'
    until_step work/run 5
    find work -path work/run -prune -o -printf '%p %s %T@\n' | sort >before
    run -2 --separate-stderr pipeline REPO='a project'
    [ "${stderr_lines[0]}" = 'repo.mk: work: another make is at work there' ]
    [ "${#stderr_lines[@]}" -eq 2 ]
    LORA='--rank 2 --batch 2 --steps 2'
    run -2 --separate-stderr pipeline REPO='a project'
    find work -path work/run -prune -o -printf '%p %s %T@\n' | sort |
        cmp - before
    kill -0 $pid
}

# Each time at a moment of its own, up to $within ms after it began; a pipeline
# that is done before it is met makes that less. What KILL leaves in TMPDIR,
# nobody could have removed.
@test "the pipeline can be stopped anywhere, by any signal, and goes on" {
    need_plain "it takes minutes"
    export TMPDIR=$BATS_TEST_TMPDIR
    LORA='--rank 2 --batch 2 --steps 40'
    began=$(date +%s%N)
    pipeline REPO='a project' WORK=whole >/dev/null 2>&1
    within=$((($(date +%s%N) - began) / 2000000))
    stops=0 met=0 complete=0 kinds=(INT TERM HUP KILL)
    RANDOM=${SEED:=$$}
    while [ $stops -lt "${STOPS:-12}" ] || [ $complete -eq 0 ]; do
        begin REPO='a project'
        ms=$((RANDOM % within))
        sleep $((ms / 1000)).$(printf %03d $((ms % 1000)))
        if [ $stops -lt "${STOPS:-12}" ] && kill -"${kinds[stops % 4]}" -- \
            -$pid 2>/dev/null; then
            stops=$((stops + 1)) met=$((met + 1))
            wait $pid || true
            [ ! -e work/key/lock ] || free work
        else
            echo "seed $SEED: stopped $met of $stops times within $within ms"
            wait $pid || { cat err; return 1; }
            same_adapter whole work
            rm -rf work
            [ $met -gt 0 ] || within=$((within / 2 + 100))
            met=0 complete=$((complete + 1))
        fi
    done
}

@test "a step that fails leaves nothing that a rerun takes for done" {
    need_plain "its programs are run by other tests"
    run ! --separate-stderr pipeline REPO='a project' SPLIT='--test 0'
    [[ ${stderr_lines[-3]} == "work/data: too little history, or too little \
of it held out (found "*" records to train on and 0 to test on"* ]]
    [ ! -e work/data ]
    pipeline REPO='a project' 2>/dev/null
    [ "$(jq .records work/score.json)" -eq 2 ]
}

@test "names with blanks, quotes and dollars are as good as others" {
    need_plain "its programs are run by other tests"
    mkdir 'a  checkout'
    cp -r "$root/pipelines" 'a  checkout'
    makefile="a  checkout/pipelines/repo.mk"
    HEADERS='C "headers"' ARCH="arch of 'it'.json"
    mv include "$HEADERS"
    mv arch.json "$ARCH"
    mv 'a project' "it's a \$HOME; \`x\`"
    run -0 --separate-stderr pipeline REPO="it's a \$HOME; \`x\`" \
        WORK="my \$work '1'"
    [ "$(jq .records "my \$work '1'/score.json")" -eq 2 ]
    [ "$(echo *work*)" = "my \$work '1'" ]

    cp -r "my \$work '1'/pretrain/model" './-a "base"'
    run -0 --separate-stderr pipeline REPO="it's a \$HOME; \`x\`" \
        WORK='-w  2' BASE='-a "base"'
    [[ $stderr != *vocabulary* ]]
    [ "$(jq .records './-w  2/score.json')" -eq 2 ]
    [ "$(jq -r .base_model_name_or_path \
        './-w  2/run/adapter/adapter_config.json')" = './-w  2/base' ]
}

@test "an installed pipeline finds its programs" {
    need_plain "its programs are run by other tests"
    # make's words can't have blanks; a path from the checkout has none
    build=$(realpath --relative-to="$root" "$GRAFT_BUILD")
    make -s -C "$root" install BUILD="$build" \
        DESTDIR="$PWD/dest" PREFIX=/usr >/dev/null
    makefile=dest/usr/share/graft/pipelines/repo.mk
    given
    given=("${given[@]/BIN=*/SEQ_LEN=512}")
    run -2 --separate-stderr make -s "${given[@]}"
    [[ ${stderr_lines[0]} == 'repo.mk: REPO is missing '* ]]
    run -0 --separate-stderr make -s "${given[@]}" REPO='a project'
    [[ $output == *"PATH=$(printf %q "$PWD")/dest/usr/libexec/graft:"* ]]
}

@test "another makefile may include the pipeline" {
    need_plain "its programs are run by other tests"
    local this
    mkdir 'a  checkout'
    cp -r "$root/pipelines" 'a  checkout'
    for this in "$makefile" 'a  checkout/pipelines/repo.mk'; do
        echo "include ${this// /\\ }" >mine.mk
        makefile=mine.mk
        run -0 --separate-stderr pipeline REPO='a project'
        [[ $output == *"make -f $(printf %q "$this") REPO=a\\ project "* ]]
    done
}

@test "what can't be done is refused at once, in a line" {
    mkdir empty model
    echo '{}' >model/config.json
    touch file
    repo_init unborn
    repo_small single 1
    refused() { # MESSAGE ARGUMENT...
        local message=$1
        shift
        run -2 --separate-stderr pipeline REPO='a project' "$@"
        printf '%s\n' "$stderr"
        [ "${#stderr_lines[@]}" -eq 2 ]
        [[ ${stderr_lines[0]} == "$message"* ]]
        [[ ${stderr_lines[1]} == 'make: *** '* ]]
        [ -z "$output" ]
        [ ! -e work ]
    }
    refused 'repo.mk: REPO is empty' REPO=
    refused 'gitscrape: nowhere: No such file' REPO=nowhere
    refused 'gitscrape: empty: ' REPO=empty
    refused 'gitscrape: https://example.org/x' REPO=https://example.org/x
    refused 'repo.mk: unborn: too little history (found 0,' REPO=unborn
    refused 'repo.mk: single: too little history (found 1,' REPO=single
    refused 'repo.mk: WORK is empty' WORK=
    refused 'repo.mk: WORK: file: not a directory' WORK=file
    refused 'repo.mk: WORK: include: holds other things' WORK=include
    refused 'repo.mk: BASE is empty' BASE=
    refused 'quantize: nowhere: No such file' BASE=nowhere
    refused 'quantize: empty: no model' BASE=empty
    refused 'quantize: model: ' BASE=model
    refused 'repo.mk: HEADERS: empty: no C headers' HEADERS=empty
    refused 'repo.mk: ARCH: nowhere: no such file' ARCH=nowhere
    refused 'repo.mk: empty: none of the programs' BIN=empty
    refused "repo.mk: LORA: train: unknown option --rnak" LORA='--rnak 2'
    refused 'repo.mk: LORA: --lr-find is for the pipeline' LORA='--lr-find'
    refused 'repo.mk: LORA: --dry-run is for the pipeline' LORA='--dry-run'
    refused 'repo.mk: LORA: --out is for the pipeline' LORA='-o elsewhere'
    refused 'repo.mk: LORA: --data is for the pipeline' LORA='--data include'
    refused 'repo.mk: LORA: has method full' LORA='--method full'
    refused 'repo.mk: LORA: asks for something else' LORA='--print-config'
    refused 'repo.mk: SCRUB: asks for something else' SCRUB=--help
    refused "repo.mk: PRETRAIN: train: " PRETRAIN='--steps x'
    refused "repo.mk: SPLIT: shard: " SPLIT='--test 2'
    refused "repo.mk: TEMPLATE: tokenize: " TEMPLATE=nonesuch
    refused 'repo.mk: TEMPLATE: no/such.template: no such file' \
        TEMPLATE=no/such.template
    (tokenize --print-template commit && echo nonsense) >broken.template
    refused 'tokenize: broken.template:' TEMPLATE=broken.template
    refused 'tokenize: fim: the tokenizer is of none' TEMPLATE=fim
    refused "repo.mk: LOSS: train: " LOSS=some
    refused "repo.mk: FORMAT: quantize: " FORMAT=int7
    refused "repo.mk: SCRAPE: gitscrape: " SCRAPE=--nonesuch
    refused "repo.mk: SCRUB: scrub: " SCRUB=--nonesuch
    refused "scrub: nowhere: " SCRUB='--rules nowhere'
    refused "repo.mk: DEDUP: dedup: " DEDUP='--threshold 2'
    refused "repo.mk: DEDUP: --index is for a stream in parts" \
        DEDUP='--index seen'
    refused "repo.mk: SCORE: evalprompts: " SCORE='--records x'
    refused "repo.mk: VOCAB: vocabtrain: " VOCAB=many
    refused "repo.mk: SEQ_LEN: tokenize: " SEQ_LEN=-1
    refused "repo.mk: THREADS: tokenize: " THREADS=x
    initmodel -q -o base arch.json
    refused 'repo.mk: BASE: base: has no tokenizer.json' BASE=base
    echo '{}' >base/tokenizer.json
    refused 'tokenize: base/tokenizer.json: ' BASE=base
}

@test "three commits are enough for a table, without an interval" {
    need_plain "its programs are run by other tests"
    repo_small few 3
    run -0 --separate-stderr pipeline REPO=few
    [[ $output == *'Held out: 1 commit, 1 record, '* ]]
    [[ $output == *'Nothing can be said: one commit gives no interval.'* ]]
}

@test "a damaged repository does with -k, and what is missing is told" {
    need_plain "its programs are run by other tests"
    local blob
    repo_small damaged 6
    blob=$(git -C damaged rev-parse 'HEAD~1^{tree}')
    blob=$(git -C damaged ls-tree -r "$blob" | awk 'NR == 1 { print $3 }')
    rm -f "damaged/.git/objects/${blob:0:2}/${blob:2}"
    run -2 --separate-stderr pipeline REPO=damaged
    [[ $stderr == "gitscrape: damaged: "*"missing"* ]]
    run -0 --separate-stderr pipeline REPO=damaged SCRAPE=-k
    [[ $stderr == *'gitscrape: warning: damaged: '*'left out'* ]]
    [[ $output == *'Held out: '* ]]
    verify -v work/data 2>&1 | grep -q 'left out [0-9]*: unreadable'
}

# table DIFFERENCE HALF_WIDTH [LEDGER [MORE]]: of a score with big and small
# numbers, behind a completion.
table() {
    jq -n --argjson d "$1" --argjson h "$2" '{id: "1", passed: true},
        ({kind: "summary", clusters: 40, records: 50,
        tokens: 12345, base: {loss: 1234.5, half_width: 0.5,
        perplexity: 4.5e30}, adapter: {loss: 0, half_width: 1e-9,
        perplexity: 1}, difference: {loss: $d, half_width: $h}}
        | .all = {base, adapter, difference: {loss: 0.25, half_width: null}}'"
        ${4:+| $4})" >score.json
    mkdir -p data
    echo "{\"ledger\": [$3]}" >data/manifest.json
    WORK=w GIVEN= BASE= THIS=m "$root/pipelines/table" score.json
}

@test "the table lines up and says in words what its numbers mean" {
    run -0 table -0.0711 0.0012
    [ "${lines[0]}" = 'Held out: 40 commits, 50 records, 12345 tokens' ]
    [ "${lines[1]}" = 'of the target       loss      +-  perplexity' ]
    [ "${lines[2]}" = 'base           1234.5000  0.5000     4.5e+30' ]
    [ "${lines[3]}" = 'adapter           0.0000  0.0000      1.0000' ]
    [ "${lines[4]}" = 'difference       -0.0711  0.0012' ]
    [ "${lines[5]}" = 'of all tokens' ]
    [ "${lines[6]}" = 'base           1234.5000  0.5000     4.5e+30' ]
    [ "${lines[8]}" = 'difference        0.2500       -' ]
    [[ $output == *'adapter is better: it lowers the loss by 0.0711,'* ]]
    [[ $output == *'-0.0723 to -0.0699, excludes zero.'* ]]
    run -0 table 0.0711 0.0012
    [[ $output == *'adapter is worse: it raises the loss by 0.0711,'* ]]
    [[ $output == *'0.0699 to 0.0723, excludes zero.'* ]]
    [[ $output != *'Left out'* ]]
    run -0 table -0.01 0.02 \
        '{"program": "gitscrape", "reason": "binary", "count": 3},
         {"program": "scrub", "reason": "vendored", "count": 5},
         {"program": "scrub", "reason": "vendored.lines", "count": 500},
         {"program": "scrub", "reason": "replaced.email", "count": 7},
         {"program": "tokenize", "reason": "too-long", "count": 12}'
    [[ $output == *$'Left out of the data:\n\ngitscrape, binary    3
scrub, vendored      5  500 lines
tokenize, too-long  12\n\nReplaced in the data:\n\nscrub, email  7\n\nWhat'* ]]
    [[ $output == *'No difference can be told: the loss changes by -0.0100'* ]]
    [[ $output == *'-0.0300 to 0.0100, includes zero.'* ]]
    run -0 table null null
    [[ $output == *'is no number.'* ]]
    run -0 table -0.1 0.2 '' '.forgetting.all = .all
        | .prompts = {n: 9, checked: 8, base: {share: 0.25},
            adapter: {share: 0.5}, difference: {share: 0.25, half_width: 0.4}}
        | .exactness = {spans: 1, base: {share: 0, right: 0.5},
            adapter: {share: 1, right: 1, right_half_width: 0.125},
            difference: {share: 1, half_width: null, right: 0.5,
                right_half_width: 0.25}}'
    [ "${lines[8]}" = 'difference                          0.2500       -' ]
    [ "${lines[9]}" = 'of all tokens of the other text' ]
    [ "${lines[12]}" = 'difference                          0.2500       -' ]
    [ "${lines[13]}" = 'of 8 prompts                        passed      +-' ]
    [ "${lines[14]}" = 'base                                0.2500' ]
    [ "${lines[16]}" = 'difference                          0.2500  0.4000' ]
    [ "${lines[17]}" = 'of 1 span                            exact      +-' ]
    [ "${lines[20]}" = 'difference                          1.0000       -' ]
    [ "${lines[21]}" = 'of the tokens of these               right      +-' ]
    [ "${lines[23]}" = 'adapter                             1.0000  0.1250' ]
    [ "${lines[24]}" = 'difference                          0.5000  0.2500' ]
    [[ "${lines[25]}" == 'No difference'* ]]
}

@test "the commands that the table closes with work" {
    need_plain "its programs are run by other tests"
    run -0 --separate-stderr pipeline REPO='a project' WORK='my work'
    steps=$(sed -n '/^What to do next/,$p' <<<"$output")
    eval "$(sed -n '1s/.*with //p' <<<"$steps")"
    eval "$(grep '^    exportadapter' <<<"$steps")"
    [ -f my-adapter/adapter_model.safetensors ]
    eval "$(grep -A 1 '^    echo' <<<"$steps")" >answers
    [ "$(jq -r '.model // .kind' answers | tr '\n' ' ')" = \
        'base adapter summary ' ]
    mkdir models
    mv 'my work/pretrain/model' models/base
    again=$(grep -A 1 '^    make' <<<"$steps")
    run -0 bash -c "${again/'~/models/starcoder2-3b'/models/base}"
    jq -e .difference work/score.json
    more=$(sed -n '/^    make/,$p' <<<"$output")
    run -0 bash -c "$more" 2>/dev/null
    [ "$(jq .options.rank work/run/config.json)" -eq 32 ]
    # What is not said is another thing for a real base than for the toy.
    [ "$(jq -c '[.options | .rank, .lr, .epochs]' \
        work/run.old/config.json)" = '[16,0.0002,1]' ]
}
