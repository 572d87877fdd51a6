# Lines of progress, and messages among them, as a person sees them: on a
# terminal that tests/terminal.py plays.

load helper

setup_file() {
    cd "$BATS_FILE_TMPDIR"
    # bytes that don't compress, so that programs hand on what they have
    awk 'BEGIN { srand(1); for (; n < 60000; n++)
                     printf "%c%s", 33 + 90 * rand(), n % 40 ? "" : "\n" }' \
        >a.h
    (cat a.h; awk 'BEGIN { srand(2); for (; n < 600000; n++)
                     printf "%c%s", 33 + 90 * rand(), n % 40 ? "" : "\n" }') \
        >b.h
    printf '%s\n' a.h b.h | fromfiles >text
    vocabtrain -q --size 280 -o tok.json text
    tokenize -q -t tok.json text >tokens
    ${CC:-cc} -std=c11 -D_GNU_SOURCE -O2 -shared -fPIC \
        "$BATS_TEST_DIRNAME/../preload/terminal.c" -o terminal.so
}

setup() {
    cd "$BATS_FILE_TMPDIR"
    export t="tokenize -t tok.json"
}

# feed FILE [N]: the stream N times, five times a second; without N until
# there is a file `seen`, and four times more.
feed() {
    local i last=$2
    for ((i = 0; i < ${last:-300}; i++)); do
        [ -n "$last" ] || [ ! -e seen ] || last=$((i + 4))
        cat "$1"
        sleep 0.2
    done
}
export -f feed

# slow N: hands on N bytes three times a second for two seconds, then all.
slow() {
    local i
    for i in {1..6}; do sleep 0.3; head -c "$1"; done
    cat
}
export -f slow

# haltingly COMMAND...: runs it for a moment now and then; a machine can't be
# too fast for who wants to look at it.
haltingly() {
    local i pid
    "$@" &
    pid=$!
    for i in {1..40}; do
        kill -STOP $pid 2>/dev/null || break
        sleep 0.15
        kill -CONT $pid
        sleep 0.03
    done
    wait $pid
}
export -f haltingly

terminal() {
    rm -f seen
    python3 "$BATS_TEST_DIRNAME/../terminal.py" "$@"
}

# preloaded VARIABLE=VALUE COMMAND...: the command with what preload/terminal.c
# makes of a clock and a terminal.
preloaded() {
    env LD_PRELOAD="$BATS_FILE_TMPDIR/terminal.so" "$@"
}
export -f preloaded

# a time of a second or more
second='(0:0[1-9]|0:[1-9][0-9]|[1-9][0-9:]+)'

# unmixed FRAMES: no line of any screen has two programs in it.
unmixed() {
    local mixed=0
    tr '\f' '\n' <"$1" |
        grep -E '(tokenize|fromfiles):.*(tokenize|fromfiles):' && mixed=1
    [ $mixed -eq 0 ]
}

@test "a program says how far it is, and what it did last stays" {
    terminal --frames frames bash -c 'feed text 6 | $t >out' >screen
    tr '\f' '\n' <frames | grep -v '12 records' |
        grep -qE '^tokenize: [0-9]+ records(, [0-9.]+/s)?, 0:'
    grep -qE "^tokenize: 12 records, [0-9.]+/s, $second\$" screen
    grep -qx 'tokenize: 12 records' screen
    [ "$(wc -l <screen)" -eq 2 ]
}

@test "where the input is a file, a bar and the time left are shown" {
    for i in {1..60}; do
        seq -f "$((RANDOM)) %.0f $i" 50000 >"big$i.h"
        echo "big$i.h"
    done | fromfiles >big
    rm big*.h
    terminal --frames frames bash -c 'haltingly $t --threads 1 big >out' \
        >screen
    rm big
    shown 'tokenize: \[=+ +\] +[0-9]+%  [0-9]+ records, [^,]*, 0:[0-9]+ left'
    grep -qE '^tokenize: \[=+\] 100%  60 records, [^,]*, 0:[0-9]+$' screen
}

@test "programs of a pipeline have a line each" {
    need_plain "its lines are drawn by other tests"
    terminal --frames frames bash -c \
        'feed text 8 | $t | $t -d | $t >out' >screen
    unmixed frames
    # three lines at one time, each somewhere else in the data
    tr '\n\f' '~\n' <frames |
        grep -qE '^(tokenize: [0-9]+ records, [^~]*/s, [0-9:]+~){3}$'
    # and what stays are the three last states, and two summaries
    [ "$(grep -cE '^tokenize: 16 records, ' screen)" -eq 3 ]
    [ "$(grep -cx 'tokenize: 16 records' screen)" -eq 2 ]
    [ "$(wc -l <screen)" -eq 5 ]
}

@test "a message of one program stands above the lines of all" {
    need_plain "its lines are drawn by other tests"
    terminal --frames frames bash -c '
        for i in {1..8}; do echo a.h; echo none$i; sleep 0.2; done |
            fromfiles -k | $t | $t -d | tojsonl >out' >screen || true
    unmixed frames
    for i in {1..8}; do
        grep -qx "fromfiles: warning: none$i: No such file or directory" \
            screen
    done
    [ "$(grep -c 'warning' screen)" -eq 8 ]
}

@test "a row stays where it is while somebody else writes" {
    need_plain "its library has to be the first that is loaded"
    terminal --frames frames bash -c \
        'feed text 6 | preloaded BUSY=1 $t >out' >screen
    grep -qE '^tokenize: 12 records, ' screen
    [ "$(wc -l <screen)" -eq 2 ]
}

@test "a row's last state stays though another program has the cursor" {
    need_plain "its library has to be the first that is loaded"
    terminal --frames frames bash -c \
        'feed text 6 | preloaded HELD=1 $t >out' >screen
    grep -qE '^tokenize: 12 records, ' screen
    [ "$(wc -l <screen)" -eq 2 ]
}

@test "nothing is shown but on a terminal that can, unless asked not to" {
    feed text 5 | $t 2>plain >out
    [ "$(cat plain)" = 'tokenize: 10 records' ]
    terminal --type dumb --raw raw bash -c 'feed text 5 | $t >out'
    [ "$(tr -d '\r' <raw)" = 'tokenize: 10 records' ]
    terminal --raw raw bash -c 'unset TERM; feed text 5 | $t >out'
    [ "$(tr -d '\r' <raw)" = 'tokenize: 10 records' ]
    terminal --raw raw bash -c 'feed text 5 | $t -q >out'
    [ ! -s raw ]
    terminal --raw raw bash -c 'feed text 5 | $t 2>err >out'
    [ ! -s raw ]
    cmp err plain
}

@test "what takes no time shows nothing" {
    need_plain "its library has to be the first that is loaded"
    terminal --raw raw bash -c 'preloaded CLOCK_STEP=0 $t text >out'
    [ "$(tr -d '\r' <raw)" = 'tokenize: 2 records' ]
    terminal bash -c 'preloaded CLOCK_STEP=600 $t text >out' >screen
    sed -n 1p screen | grep -qE '^tokenize: \[=+\] 100%  2 records, '
    [ "$(sed 1d screen)" = 'tokenize: 2 records' ]
}

@test "a terminal that is somebody else's is left alone" {
    # a pager's, which turned line mode off; and that of a job in front
    terminal --raw raw bash -c 'stty -icanon; feed text 6 | $t >out'
    [ "$(tr -d '\r' <raw)" = 'tokenize: 12 records' ]
    terminal --raw raw bash -mc 'feed text 6 | $t >out & sleep 2; wait'
    [ "$(tr -d '\r' <raw | grep -v '^\[1\]')" = 'tokenize: 12 records' ]
}

@test "data on the terminal comes out whole" {
    need_plain "its lines are drawn by other tests"
    for i in {1..2000}; do
        echo "{\"text\": \"$RANDOM $RANDOM $RANDOM $RANDOM\"}"
    done | fromjsonl -q >docs
    terminal --size 1000,24 bash -c \
        'feed docs 8 | tojsonl & feed docs 8 | $t >out; wait' >screen
    grep -v '^tokenize: 16000 records' screen >data
    [ "$(jq -c 'select(.kind == "doc") | .text' data | wc -l)" -eq 16000 ]
}

@test "a line is cut to the terminal's width" {
    need_plain "its lines are drawn by other tests"
    terminal --size 20,10 --frames frames bash -c \
        'feed text 8 | $t | $t -d >out' >screen
    [ "$(tr '\f' '\n' <frames | awk 'length > 19' | grep -vcxE \
        'tokenize: 16 records' )" -eq 0 ]
    [ "$(grep -c ^tokenize: screen)" -eq 3 ]
    [ "$(wc -l <screen)" -eq 3 ]
}

@test "an error stands below how far the program came" {
    terminal bash -c \
        '(feed text 5; head -c 2000 text) | $t >out || echo $?' >screen
    sed -n 1p screen | grep -qE "^tokenize: 10 records, .*$second\$"
    sed -n 2p screen | grep -qE '^tokenize: stdin:[0-9]+: truncated: '
    [ "$(sed -n '3,$p' screen)" = 4 ]
}

# The ^C and ^Z that the terminal itself shows come some time after what they
# do, anywhere.
without_keys() {
    sed -E 's/\^[CZ]//g' "$1" >"$1.keyless"
    mv "$1.keyless" "$1"
}

@test "an interrupt leaves the terminal clean" {
    need_plain "its lines are drawn by other tests"
    terminal --when '^(tokenize: .*\n){3}' '\003' bash -c '
        trap : INT; feed text | $t | $t -d | $t >out; echo after' >screen
    without_keys screen
    tail -n 1 screen | grep -qx after
    [ "$(grep -cE '^tokenize: [0-9]+ records, .*[0-9:]+$' screen)" -eq 3 ]
    [ "$(wc -l <screen)" -eq 4 ]
}

@test "a stopped pipeline goes on below what the shell printed" {
    need_plain "its lines are drawn by other tests"
    terminal --frames frames --when '^(tokenize: .*\n){2}' '\032' \
        --seen 'stopped\n(.*\n)+(tokenize: .*\n){2}' seen \
        bash --norc -ic 'feed text | $t | $t -d >out
            echo stopped; fg' >screen
    unmixed frames
    without_keys screen
    [ "$(grep -cE '^tokenize: [0-9]+ records, .*[0-9:]+$' screen)" -eq 4 ]
    grep -qx stopped screen
    n=$(grep -xE 'tokenize: [0-9]+ records' screen)
    [ "$(grep -c "^$n, " screen)" -eq 2 ]
}

# shown PATTERN: some screen had a line of that form, and the last one has
# what became of it.
shown() {
    tr '\f' '\n' <frames | grep -qE "^$1" && return
    echo "nothing like: $1"
    tail -n 20 frames
    return 1
}

# tells UNIT COMMAND: the program at its end shows how many it read.
tells() {
    local line program=${2##* | }
    line="${program%% *}: [0-9]+ $1, [0-9.]+(/s| s each), 0:"
    terminal --frames frames --seen "^$line" seen bash -c "$2"
    shown "$line"
}

@test "every program that reads what comes slowly tells how far it is" {
    printf 'a.h\nb.h\n' >list
    echo '{"text": "a"}' >line
    tells records 'feed text | verify -'
    tells records 'feed text | shard -o set'
    tells records 'feed text | vocabtrain --size 280 -o new.json'
    tells files 'feed list | fromfiles >out'
    tells records 'feed text | tojsonl >out'
    tells lines 'feed line | fromjsonl >out'
}

@test "a program whose reader is slow tells how far it is, and of how much" {
    rate='[0-9.]+(/s| s each)'
    repo_init repo
    for i in {1..12}; do
        (cat b.h b.h; echo "$i") >"repo/b$i.h"
        repo_commit repo "Number $i"
    done
    terminal --frames frames bash -c 'gitscrape repo | slow 1600000 >out'
    shown "gitscrape: \[=+ +\] +[0-9]+%  [0-9]+ of 12 commits, $rate, 0:"
    shown "gitscrape: \[=+\] 100%  12 of 12 commits, $rate, 0:[0-9]+$"
    terminal --frames frames bash -c \
        'gitscrape --kind file repo | slow 1600000 >out'
    shown "gitscrape: [0-9]+ files, $rate, 0:"
    arch 256 >arch.json
    initmodel -q -o model arch.json
    terminal --frames frames bash -c \
        'quantize --format f32 model | slow 200000 >out'
    shown "quantize: \[=* +\] +[0-9]+%  [0-9.]+ of [0-9.]+ MB, [0-9.]+ MB/s"
    shown "quantize: \[=+\] 100%  "
}

# arch HIDDEN: a llama of two layers for the tokens of tok.json.
arch() {
    cat <<END
{"model_type": "llama", "vocab_size": 280, "hidden_size": $1,
 "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4,
 "num_key_value_heads": 2, "max_position_embeddings": 256,
 "rms_norm_eps": 1e-05, "rope_theta": 10000, "tie_word_embeddings": true}
END
}

@test "train and evalprompts show every step, also of an evaluation" {
    for i in {1..300}; do
        head -c $((i * 40 + 900)) b.h | tail -c 900 |
            jq -Rsc "{text: (. + \"$i\")}"
    done | fromjsonl -q | tokenize -q -t tok.json |
        shard -q --val 0.1 --test 0.1 -o halves
    arch 64 >arch.json
    initmodel -q --tokenizer tok.json -o base arch.json
    terminal --size 200,24 --frames frames bash -c 'haltingly train \
        --data halves --base base -o run --seq-len 128 --batch 2 \
        --threads 1 --steps 40 --log-every 20 --eval-every 20' >screen
    # steps between the lines, and the parts of an evaluation
    shown 'train: \[=+ +\] +[0-9]+%  ([1-9]|1[0-9]) of 40 steps, .* left'
    shown 'train: .* 0 of 40 steps, .* evaluating [0-9]+ of [0-9]+'
    [ "$(grep -cE '^Iter (0|20|40): .*(took [0-9.]+s|GB)$' screen)" -eq 5 ]
    shown 'train: .* left, loss [0-9.]+, val [0-9.]+'
    grep -qE '^train: \[=+\] 100%  40 of 40 steps, .*[0-9]:[0-9]+, '\
"loss $(jq -r '.loss // empty' run/metrics.jsonl | tail -n 1 | cut -c 1-3)"\
'[0-9]*, val [0-9.]+$' screen
    # what isn't the terminal gets the lines and nothing else
    terminal --stdout lines train --data halves --base base -o run2 \
        --seq-len 128 --batch 2 --threads 1 --steps 3 --log-every 1
    [ "$(grep -cvE '^Iter ' lines)" -eq 0 ]
    terminal --size 1800,24 --frames frames bash -c 'haltingly evalprompts \
        --base base --adapter run/adapter --data halves --split test \
        --seq-len 16 --threads 1 --batch 1' >screen
    shown 'evalprompts: .* [01] of 2 models, .* evaluating [0-9]+ of [0-9]+'
    jq -es '.[0].kind == "summary"' <(grep '^{' screen)
}

@test "the lines are there under make, and in a step of a pipeline" {
    need_plain "its lines are drawn by other tests"
    printf 'out: FORCE\n\t@feed text 6 | $$t >$@\nFORCE:\n' >mk
    printf 'SHELL := bash\n' >>mk
    terminal --frames frames make -f mk out
    shown 'tokenize: [0-9]+ records, .*/s, 0:'
    mkdir -p work/key
    FROM=. WORK=work terminal --frames frames "$root/pipelines/step" \
        'tokens' out 'feed text 6 | $t >$OUT'
    shown 'tokenize: [0-9]+ records, .*/s, 0:'
}
