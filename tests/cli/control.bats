# control: what steers a run: its rate, its validation loss, steps that go
# wrong.

load helper

setup() {
    cd "$BATS_TEST_TMPDIR"
    token_base 60
    options="-q --data data --base base --rank 4 --batch 2 --seq-len 16
        --dropout 0.1 --threads 1"
}

# The members of metrics that do not depend on the clock.
steady() {
    jq -c 'del(.tok_s, .peak_bytes, .machine)' "$1/metrics.jsonl"
}

# resumed STEP RUN OPTION...: RUN, made with these and every checkpoint kept,
# is what it is when it goes on from that step.
resumed() {
    local step=$1 run=$2 file
    shift 2
    rm -rf again
    cp -r "$run" again
    rm again/manifest.json
    for file in again/checkpoints/step-*; do
        [ "${file##*-}" -le "$step" ] || rm -r "$file"
    done
    train "$@" --resume -o again
    cmp <(steady "$run") <(steady again)
    cmp "$run/adapter/adapter_model.safetensors" \
        again/adapter/adapter_model.safetensors
    cmp "$run/manifest.json" again/manifest.json
}

rates() {
    jq -sc 'map(.lr // empty)' "$1/metrics.jsonl"
}

@test "the rate follows the schedule, and warm-up may be a share" {
    options+=" --steps 8 --lr 0.5 --lr-floor 0 --clip 1e-9"
    train $options --schedule wsd --warmup 25% --decay-steps 4 -o wsd
    [ "$(rates wsd | jq -c 'map(. * 1000 | round)')" = \
        "[250,500,500,500,250,146,67,0]" ]
    train $options --schedule inverse_sqrt --warmup 2 -o sqrt
    [ "$(rates sqrt | jq -c 'map(. * 1000 | round)')" = \
        "[250,500,408,354,316,289,267,250]" ]
    jq -e '.identity.warmup == "25%" and .identity["decay-steps"] == 4' \
        wsd/config.json
}

@test "betas and epsilon are adamw's, and change what it does" {
    train $options --steps 3 -o plain
    for other in "--beta1 0.5" "--beta2 0.5" "--epsilon 0.1"; do
        rm -rf other
        train $options --steps 3 $other -o other
        run -1 cmp -s plain/adapter/adapter_model.safetensors \
            other/adapter/adapter_model.safetensors
    done
}

@test "what would not be obeyed is refused" {
    while IFS='|' read -r wrong text; do
        run -2 --separate-stderr train $options $wrong --steps 2 -o run
        one_line "train: $text"
    done <<'EOF'
--decay-steps 5|--decay-steps without --schedule wsd
--plateau-factor 0.1|--plateau-factor without --schedule plateau
--optimizer sgd --beta1 0.8|--beta1, --beta2 and --epsilon without
--schedule plateau|--schedule plateau without --eval-every
--patience 2|--patience without --eval-every
--keep-best|--keep-best without --eval-every
EOF
    [ ! -e run ]
    shard -q --val 0 --test 0 -o bare <tokens
    run -4 --separate-stderr train $options --data bare --steps 2 \
        --keep-best --eval-every 1 -o run
    one_line "train: bare: no records in the split val"
    [ ! -e run ]
}

# A rate at which the validation loss rises sooner or later.
@test "the best evaluation is the result, and patience ends the run" {
    options+=" --schedule constant --lr 0.3 --save-every 4 --keep 99"
    steer="$options --steps 400 --eval-every 3 --patience 3"
    train $steer -o run
    best=$(jq -s 'map(select(.val_loss and .step > 0)) | min_by(.val_loss)
        | .step' run/metrics.jsonl)
    last=$(jq .steps run/manifest.json)
    [ "$last" -lt 400 ]
    [ "$last" -eq $((best + 9)) ]
    jq -e --argjson best "$best" \
        '.best.step == $best and .ended == "patience"' run/manifest.json
    train $options --steps "$best" -o short
    cmp run/adapter/adapter_model.safetensors \
        short/adapter/adapter_model.safetensors
    verify -q run
    for step in $((best - 1)) "$best" $((last - 1)) "$last"; do
        resumed "$step" run $steer
    done
}

@test "the checkpoint of the best evaluation outlives newer ones" {
    options+=" --schedule constant --warmup 24 --lr 3
        --save-every 1 --keep 1"
    run -0 --separate-stderr train ${options/-q/} --steps 12 --eval-every 2 \
        --keep-best -o run
    best=$(jq .best.step run/manifest.json)
    [ "$best" -lt 12 ]
    [[ $stderr == *"run: the result is that of step $best,"* ]]
    [ "$(ls run/checkpoints | sort)" = \
        "$(printf 'step-%s\n' "$best" 12 | sort)" ]
    run -0 --separate-stderr train ${options/-q/} --steps 12 \
        --eval-every 2 -o last
    [[ $stderr == *"last: the validation loss was least after step $best"* ]]
    run -6 --separate-stderr train $options --steps 12 --eval-every 3 \
        --keep-best -o run
    one_line "train: run: a run with another eval-every"
}

@test "a plateau cuts the rate, also of a run that goes on" {
    options+=" --schedule plateau --lr 0.3 --plateau-patience 0 --lr-floor 0
        --steps 30 --eval-every 2 --save-every 5 --keep 99"
    train $options -o run
    rates run | jq -e '.[0] == 0.3 and .[-1] <= 0.15'
    for step in 10 25; do
        resumed "$step" run $options
    done
}

@test "steps that are not finite are left out, and end the run" {
    options+=" --optimizer sgd --lr 1000 --alpha 1000000 --clip 0
        --schedule constant --steps 60 --save-every 1 --keep 99"
    run -1 --separate-stderr train $options --max-bad-steps 4 -o run
    [[ $stderr == *"not finite for 4 steps in a row (--max-bad-steps)" ||
        $stderr == *"a parameter or a moment is not finite: nothing of it "* ]]
    [ ! -e run/manifest.json ]
}

# A rate that doesn't depend on the number of steps.
@test "a run that is extended is the longer run" {
    options+=" --schedule inverse_sqrt --warmup 3 --lr 0.05 --save-every 4
        --keep 99 --eval-every 2 --keep-best"
    train $options --steps 12 -o long
    train $options --steps 7 -o run
    run -2 --separate-stderr train $options --steps 6 --extend -o run
    one_line "train: run: a run of more steps (found 7, expected at most"
    run -6 --separate-stderr train $options --steps 12 --lr 0.1 --extend \
        -o run
    one_line "train: run: a run with another lr"
    [ "$(jq .steps run/manifest.json)" -eq 7 ]
    cp -r run cut
    train $options --steps 12 --extend -o run
    cmp <(steady long) <(steady run)
    cmp long/adapter/adapter_model.safetensors \
        run/adapter/adapter_model.safetensors
    cmp <(jq .best long/manifest.json) <(jq .best run/manifest.json)
    verify -q run
    train $options --steps 12 --extend -o run
    # stopped on its way: it is still the one that it extends
    rm -r run/manifest.json run/checkpoints/step-12 run/checkpoints/step-8
    run -4 verify run
    run -0 --separate-stderr train ${options/-q/} --steps 12 --resume -o run
    [[ $stderr == *"going on after step 7 of 12"* ]]
    cmp <(steady long) <(steady run)
    verify -q run
}

@test "a run whose patience was at its end can be extended" {
    options+=" --schedule constant --lr 0.3 --eval-every 3 --patience 1"
    train $options --steps 200 -o run
    last=$(jq .steps run/manifest.json)
    [ "$last" -lt 200 ]
    train $options --steps 201 --extend -o run
    [ "$(jq .steps run/manifest.json)" -gt "$last" ]
    run -2 --separate-stderr train $options --steps 9 --extend -o none
    one_line "train: none: no run that --extend could extend"
    run -2 --separate-stderr train $options --epochs 1 --extend -o run
    one_line "train: --extend without --steps"
}

@test "what can't be extended stays what it was" {
    train $options --steps 4 --save-every 2 -o run
    cp -r run was
    for state in run/checkpoints/*/state.safetensors; do
        truncate -s -4 "$state"
    done
    run -4 --separate-stderr train $options --steps 6 --extend -o run
    [[ $stderr == *"run/checkpoints: no good checkpoint among 2" ]]
    cmp was/manifest.json run/manifest.json
    cmp was/config.json run/config.json
    rm -r run/checkpoints
    run -4 --separate-stderr train $options --steps 6 --extend -o run
    one_line "train: run: has no checkpoint, from which --extend could go on"
    rm -r was/checkpoints
    diff -r was run
    run -2 --separate-stderr train $options --lr-find --extend --steps 9
    one_line "train: --lr-find begins anew: not with --extend"
    run -2 --separate-stderr train $options --lr-find --resume -o run
    one_line "train: --lr-find begins anew: not with --resume"
}

@test "numbers that are nearly the same are not" {
    train $options --steps 1 --seed 9007199254740990 -o run
    run -6 --separate-stderr train $options --steps 1 \
        --seed 9007199254740991 -o run
    one_line "train: run: a run with another seed"
    train $options --steps 1 --seed 9007199254740990 -o run
}

@test "a range test that is stopped prints what it has" {
    python3 - $options --lr-find --steps 1000000000000 <<'PY' >curve
import os, signal, subprocess, sys, time
p = subprocess.Popen(["train", *sys.argv[1:]])
while p.poll() is None:
    time.sleep(0.05)
    with open(f"/proc/{p.pid}/stat") as f:
        spent = int(f.read().rsplit(")", 1)[1].split()[11])
    if spent > os.sysconf("SC_CLK_TCK"):
        break
p.send_signal(signal.SIGUSR1)
assert p.wait() == 75
PY
    jq -se 'length > 0 and all(has("lr"))' curve
}

@test "the range test of rates prints a curve and leaves nothing" {
    ls -A >before
    train $options --lr-find --threads 1 >one
    train $options --lr-find --threads 3 >three
    cmp one three
    ls -A | grep -vx -e one -e three -e before | cmp - \
        <(grep -vx before before)
    jq -se '.[:-1] | .[0].lr == 1e-6 and length > 20 and length <= 100
        and (map(.lr) | . == sort)' one
    jq -se '.[-1] | .steepest > 1e-6 and .steepest <= 1 and .tenth < 1' one
    [ "$(train $options --lr-find --steps 20 | wc -l)" -eq 21 ]
    run -0 --separate-stderr train ${options/-q/} --lr-find --lr 5 -o run
    [[ $stderr == *"--lr-find: the loss fell most at "* ]]
    [ ! -e run ]
}

@test "the machine is looked at, and its bounds are obeyed" {
    train $options --steps 3 -o run
    jq -se 'map(.machine // empty) | length >= 1
        and (.[0].load >= 0 and .[0].free_bytes > 0)' run/metrics.jsonl
    run -2 --separate-stderr train $options --steps 3 --watch load=4:wran \
        -o other
    one_line "train: --watch (found 'load=4:wran', expected temperature,"
    [ ! -e other ]
    run -2 --separate-stderr train $options --steps 3 \
        --watch throttled=9:pause -o other
    one_line "train: --watch (found 'throttled=9:pause': it is counted, and"
    run -75 --separate-stderr train ${options/-q/} --steps 3 \
        --watch memory=1000000G:stop -o other
    [[ $stderr == *"warning: step 0: stopped, memory: "* ]]
    [[ $stderr == *"train: other: stopped after step 0, go on with"* ]]
    run -0 --separate-stderr train ${options/-q/} --steps 3 --resume \
        --watch memory=1000000G:warn -o other
    [ "$(grep -c 'step 0: memory: ' <<<"$stderr")" -eq 1 ]
    # what is not shown is told, once
    unseen=$(jq -s '[.[].machine // empty] | .[0]
        | [has("temperature"), has("throttled")] | map(select(not)) | length' \
        run/metrics.jsonl)
    run -0 --separate-stderr train ${options/-q/} --steps 3 -o seen \
        --watch temperature=900:warn,throttled=1000000:warn
    [ "$(grep -c 'of no effect, the system' <<<"$stderr")" -eq "$unseen" ]
    cmp run/adapter/adapter_model.safetensors \
        other/adapter/adapter_model.safetensors
}

@test "a pause has a checkpoint, and ends when it is told to" {
    python3 - ${options/-q/} --steps 3 -o run \
        --watch memory=1000000G:pause <<'PY'
import signal, subprocess, sys, time
p = subprocess.Popen(["train", *sys.argv[1:]], stderr=subprocess.PIPE,
                     stdout=subprocess.DEVNULL, text=True)
for line in p.stderr:
    if "warning: step 0: paused, memory: " in line:
        break
else:
    sys.exit("no pause")
began = time.monotonic()
p.send_signal(signal.SIGTERM)
p.wait()
assert p.returncode == -signal.SIGTERM and time.monotonic() - began < 20
PY
    [ "$(ls run/checkpoints)" = step-0 ]
    train $options --steps 3 --resume -o run
}

@test "--profile tells where the time of the steps goes" {
    quantize -q --format int8 base | shard -q -o base8
    options="${options/-q/} --base base8 --recompute block --accum 2"
    run -0 --separate-stderr train $options --steps 3 --profile -o run
    [[ $stderr == *"steps 1 to 3 took "*" of peak"*"backward"*"other"* ]]
    python3 "$root/tests/validate.py" "$root/schemas/profile.schema.json" \
        run/profile.json
    jq -e '.seconds > 0 and .tokens > 0 and .first_step == 1 and
        .last_step == 3 and .threads == 1 and
        ((.rows | map(.seconds) | add) / .seconds - 1 | fabs < 1e-6)' \
        run/profile.json
    for row in forward/linear forward/widen backward/linear \
        backward/linear_bwd backward/widen head/head_ce head/widen \
        update/adamw data/read; do
        jq -e --arg row $row '.rows | map(.phase + "/" + .op)
            | index($row)' run/profile.json
    done
    # the same bits, and no more files without
    train -q $options --steps 3 --save-every 1 -o plain
    [ ! -e plain/profile.json ]
    cmp run/adapter/adapter_model.safetensors \
        plain/adapter/adapter_model.safetensors
    # a run that goes on has what it did since
    rm -r plain/manifest.json plain/checkpoints/step-3
    train -q $options --steps 3 --resume --profile -o plain
    jq -e '.first_step == 3 and .last_step == 3' plain/profile.json
    verify -q plain
    for text in "--dry-run" "--lr-find"; do
        run -2 --separate-stderr train $options --profile $text -o none
        one_line "train: --profile with $text: there are no steps of a run"
    done
    # a page and a text of it
    report -q -o r.html run
    python3 "$root/tests/cli/page.py" r.html
    grep -q '<h2>Time by op</h2>' r.html
    report -q --text run | grep -Eq '^    [a-z]+ [a-z_]+ +[0-9.e-]+ s .*%'
    [ "$(report -q plain | grep -c '<h2>Time by op')" -eq 1 ]
}

@test "moments in 8 bits take less memory, and go on as they were" {
    sed 's/"hidden_size": 16/"hidden_size": 128/
        s/"intermediate_size": 24/"intermediate_size": 256/' arch.json \
        >wide.json
    initmodel -q -o wide wide.json
    options="-q --data data --base wide --method full --batch 2 --seq-len 16
        --threads 1 --lr 0.01"
    state() {
        train $options --steps 1 --dry-run --optimizer "$1" | jq .state_bytes
    }
    n=$(train $options --steps 1 --dry-run | jq .trainable)
    saved=$(($(state adamw) - $(state adamw8bit)))
    # 6 bytes a parameter, but for those of less than 4096 and scales
    [ "$saved" -gt $((n * 11 / 2)) ]
    [ "$saved" -lt $((n * 6)) ]
    train $options --optimizer adamw8bit --steps 4 --save-every 1 --keep 99 \
        -o run
    jq -e '.identity.optimizer == "adamw8bit"' run/config.json
    python3 -c 'import json, struct, sys
f = open("run/checkpoints/step-2/state.safetensors", "rb")
h = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
print(*(k + ":" + h[k]["dtype"] for k in sorted(h) if k[0] != "_"))' >tensors
    cp -r run again
    rm -r again/manifest.json again/checkpoints/step-[34]
    train $options --optimizer adamw8bit --steps 4 --save-every 1 --keep 99 \
        --resume -o again
    cmp run/model/model.safetensors again/model/model.safetensors
    cmp run/checkpoints/step-4/state.safetensors \
        again/checkpoints/step-4/state.safetensors
    cat tensors
    [ "$(cat tensors)" = \
        "m:F32 m8:U8 m_scale:F32 params:F32 v:F32 v8:U8 v_scale:F32" ]
}
