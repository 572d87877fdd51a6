# What is found before a run, and that it is what train then does.

load helper

setup_file() {
    mkdir "$BATS_FILE_TMPDIR/made"
    cd "$BATS_FILE_TMPDIR/made"
    cat >arch.json <<'EOF'
{"model_type": "llama", "vocab_size": 40, "hidden_size": 16,
 "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2,
 "max_position_embeddings": 64}
EOF
    initmodel -q -o base arch.json
    for i in 1 2 3 4 5 6 7 8; do
        echo "{\"ids\": [$i, 2, 3, 4, 5, 6, 7, 8, 9, $i]}"
    done >ids
    fromjsonl -q --vocab 40 ids | shard -q --val 0.2 --test 0 -o data
}

made=$BATS_FILE_TMPDIR/made

# look STATUS OPTION...: what is found, in $json and as names in $names.
look() {
    local want=$1
    shift
    run -"$want" --separate-stderr preflight --json --no-measure \
        --base "$made/base" --data "$made/data" --seq-len 16 --batch 1 "$@"
    json=$output
    names=$(jq -r '.findings[] | "\(.level) \(.name)"' <<<"$json")
}

found() { grep -qx "$1" <<<"$names" || { echo "$names"; return 1; }; }
unfound() { run -1 grep -x "$1" <<<"$names"; }

@test "a sound run has no warning that matters, and is measured" {
    preflight --base "$made/base" --data "$made/data" --seq-len 16 \
        --batch 1 --steps 4 --json -o run >json
    python3 "$root/tests/validate.py" \
        "$root/schemas/preflight.schema.json" json
    jq -e '.exit == 0 and .errors == 0' json
    jq -e '.findings[] | select(.name == "time.run")
           | .values.step_seconds > 0' json
    jq -e '.findings[] | select(.name == "memory.peak")' json
    [ ! -e run ]
    cmp <(jq -S .plan json) <(train --base "$made/base" \
        --data "$made/data" --seq-len 16 --batch 1 --steps 4 --dry-run |
        jq -S .)
}

@test "what nothing is learned of is told" {
    jq -c '. + {mask: [range(10) | 0]}' "$made/ids" >masked
    { head -n 4 "$made/ids"; tail -n 4 masked; } |
        fromjsonl -q --vocab 40 | shard -q --val 0 --test 0 -o some
    look 0 --data some --loss target
    found 'warning data.masked'
    found 'warning data.validation'
    jq -e '.findings[] | select(.name == "data.masked")
           | .values.records == 4' <<<"$json"
    fromjsonl -q --vocab 40 masked | shard -q --val 0 --test 0 -o none
    look 4 --data none --loss target
    found 'error data.open'
    run -4 train --base "$made/base" --data none --loss target -o run
    look 0 --data none --loss all
    unfound 'error data.open'
}

@test "records that are too long, a warm-up without end, much padding" {
    look 0 --seq-len 4
    found 'warning data.cut'
    look 0 --seq-len 64 --steps 3 --warmup 3 --lr 0
    found 'warning plan.warmup'
    found 'warning plan.rate'
    look 0 --seq-len 64
    unfound 'warning plan.warmup'
    look 0 --steps 1000
    found 'warning plan.epochs'
}

@test "records that do not end as the base does are told" {
    look 0
    unfound 'note data.end'
    cp -r "$made/base" base
    jq -c '.eos_token_id = 39' base/config.json >config
    mv config base/config.json
    look 0 --base base
    found 'note data.end'
    jq -c '.eos_token_id = [39, 8]' base/config.json >config
    mv config base/config.json
    look 0 --base base # 8 stands last but two
    unfound 'note data.end'
}

@test "an error has train's own exit status, and its remedy" {
    look 4 --data "$made/ids"
    found 'error data.open'
    found 'ok base.model'
    cp -r "$made/base" short
    truncate -s -8 short/model.safetensors
    look 4 --base short
    found 'error base.open'
    found 'ok data.split'
    look 2 --base "$made/ids"
    look 1 --base nowhere
    look 2 --steps 1 --epochs 1
    found 'error options.check'
    jq -e '.exit == 2' <<<"$json"
    look 1 --device cuda:99
    found 'error machine.device'
    found 'ok memory.plan'
}

@test "another vocabulary is told, with both numbers" {
    sed 's/"vocab_size": 40/"vocab_size": 30/' "$made/arch.json" >arch.json
    initmodel -q -o base arch.json
    look 4 --base base
    found 'error data.open'
    [[ $json == *'vocabulary of 40 over the model'*'30'* ]]
}

@test "too much memory is error 5, and with --force a warning" {
    need_plain 'a limit of address space'
    (
        ulimit -v 600000
        look 5 --batch 65536 --seq-len 64
        found 'error memory.plan'
        found 'ok memory.mapped'
        look 0 --batch 65536 --seq-len 64 --force
        found 'warning memory.plan'
    )
}

@test "a run that is there already, and a place that is none" {
    train -q --base "$made/base" --data "$made/data" --seq-len 16 \
        --batch 1 --steps 2 -o run
    rm run/manifest.json
    look 6 --steps 2 -o run
    found 'error disk.out'
    look 0 --steps 2 -o run --resume
    found 'ok disk.free'
    look 6 --steps 2 -o "$made/data"
    found 'error disk.out'
    touch file
    look 6 --steps 2 -o file
    found 'error disk.out'
    look 0 -o not/there/yet
    found 'ok disk.free'
    [ ! -e not ]
}

@test "a run that is there is what train would find it to be" {
    train=(train -q --base "$made/base" --data "$made/data" --seq-len 16
        --batch 1)
    "${train[@]}" --steps 2 -o run
    look 0 --steps 2 -o run
    found 'note disk.out'
    for options in "--steps 3" "--steps 2 --lr 1 --resume" "--steps 1 --extend"
    do
        status=0
        "${train[@]}" $options -o run 2>said || status=$?
        look "$status" $options -o run
        found 'error disk.out'
        text=$(jq -r '.findings[] | select(.name == "disk.out") | .text' \
            <<<"$json")
        [ "train: $text" = "$(cat said)" ]
    done
    look 0 --steps 3 --extend -o run
    unfound 'note disk.out'
    look 2 --steps 3 --extend -o none
    found 'error disk.out'
}

@test "the checkpoint of the best evaluation has its place" {
    bytes() {
        look 0 --steps 2 -o run --rank 4 --eval-every 1 "$@"
        jq '.findings[] | select(.name == "disk.free") | .values.bytes' \
            <<<"$json"
    }
    plain=$(bytes)
    best=$(bytes --keep-best)
    [ "$(bytes --patience 1)" -eq "$best" ]
    [ "$best" -gt "$plain" ]
    [ "$(bytes --init pissa)" -gt "$plain" ]
}

@test "bounds that would pause or stop the run at once are told" {
    look 0 --watch memory=1000000G:stop --steps 2
    found 'warning machine.watch'
    jq -e '.findings[] | select(.name == "machine.watch") | .text
        | startswith("--watch memory=1000000G:stop: the run would stop ")' \
        <<<"$json"
    run -75 train -q --base "$made/base" --data "$made/data" --seq-len 16 \
        --batch 1 --watch memory=1000000G:stop --steps 2 -o run
    look 0 --watch memory=1000000G:warn,memory=1:pause --steps 2
    unfound 'warning machine.watch'
}

@test "a full stdout is an error" {
    run -1 bash -c "preflight --no-measure --base '$made/base' \
        --data '$made/data' --seq-len 16 >/dev/full"
}

@test "every device computes what the reference does" {
    need_plain 'unit/selftest has some of it'
    preflight --selftest --json >json
    python3 "$root/tests/validate.py" \
        "$root/schemas/preflight.schema.json" json
    jq -e '.findings[] | select(.name == "selftest.device")
           | .values | .runs >= 25 and .bad == 0' json
}
