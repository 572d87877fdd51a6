# train: runs on tiny models, from the command line. All in one file, for
# tests/guarded runs it once more with programs of its own.

load helper

setup() {
    cd "$BATS_TEST_TMPDIR"
    token_base 60
    options="--data data --base base --rank 4 --batch 2 --seq-len 16
        --dropout 0.1 --lr 0.01"
}

# The members of metrics that do not depend on the clock.
steady() {
    jq -c 'del(.tok_s, .peak_bytes, .machine)' "$1/metrics.jsonl"
}

@test "train prints help and version" {
    run -0 --separate-stderr train --help
    [[ $output == *--rank* ]]
    run -0 --separate-stderr train --version
}

@test "train writes an adapter, metrics and a manifest, and prints Iter lines" {
    run -0 --separate-stderr train $options --steps 6 -o run
    [[ ${lines[0]} == "Iter 0: Val loss "* ]]
    [[ $output == *"Iter 6: Train loss "*", Learning Rate "*", It/sec "*", \
Tokens/sec "*", Trained Tokens "*", Peak mem "*" GB"* ]]
    [ "$(jq -s 'map(select(.loss)) | length' run/metrics.jsonl)" -eq 6 ]
    [ "$(jq -s 'map(select(.val_loss)) | length' run/metrics.jsonl)" -eq 2 ]
    jq -e '.r == 4 and (.target_modules | length) == 7' \
        run/adapter/adapter_config.json
    [ -s run/adapter/adapter_model.safetensors ]
    jq -e '.type == "run" and .steps == 6' run/manifest.json
    no_leftovers run
}

@test "train lowers the loss" {
    train -q $options --steps 60 -o run
    jq -se 'map(.val_loss // empty) | .[-1] < .[0] * 0.97' run/metrics.jsonl
}

@test "train warns of a warm-up that is longer than the run" {
    run -0 --separate-stderr train $options --steps 2 --warmup 3 -o run
    [[ $stderr == *"the warm-up of 3 steps is longer than the run of 2: "* ]]
    run -0 --separate-stderr train $options --steps 2 --warmup 2 -o all
    [[ $stderr != *warm-up* ]]
}

@test "train gives the same adapter at any thread count" {
    train -q $options --steps 5 --threads 1 -o one
    train -q $options --steps 5 --threads 3 -o three
    cmp one/adapter/adapter_model.safetensors \
        three/adapter/adapter_model.safetensors
}

# stop_at SIGNAL PATTERN RUN OPTION...: starts a run and sends it the signal
# as soon as it has printed a line that begins with PATTERN; its status, and
# what it said, in $status and $stderr.
stop_at() {
    run --separate-stderr python3 - "$@" <<'PY'
import signal, subprocess, sys
name, pattern, run, *options = sys.argv[1:]
p = subprocess.Popen(["train", *options, "-o", run], text=True,
                     stdout=subprocess.PIPE)
for line in p.stdout:
    if line.startswith(pattern):
        break
else:
    sys.exit("the run ended before it printed " + pattern)
p.send_signal(getattr(signal, "SIG" + name))
p.stdout.read()
status = p.wait()
sys.exit(status if status >= 0 else 128 - status)
PY
}

@test "a run that was stopped and resumed is the run that was not" {
    options+=" --steps 400 --threads 1"
    train -q $options -o whole
    for signal in USR1:75 TERM:143 INT:130 HUP:129; do
        rm -rf part
        stop_at ${signal%:*} "Iter 7:" part $options
        [ "$status" -eq "${signal#*:}" ]
        said=${stderr_lines[-1]}
        [[ $said == "train: part: stopped after step "*" --resume" ]]
        step=$(sed -E 's/.*after step ([0-9]+),.*/\1/' <<<"$said")
        [ "$step" -ge 7 ]
        [ "$step" -lt 400 ]
        [ "$(ls part/checkpoints)" = "step-$step" ]
        no_leftovers part
        train -q $options --resume -o part
        cmp whole/adapter/adapter_model.safetensors \
            part/adapter/adapter_model.safetensors
        cmp whole/checkpoints/step-400/state.safetensors \
            part/checkpoints/step-400/state.safetensors
        cmp <(steady whole) <(steady part)
    done
}

@test "runs stopped at random moments end in a checkpoint and go on" {
    mkdir stops
    cd stops
    python3 "$root/tests/stops.py" 12
}

@test "a run whose output has no reader any more leaves a checkpoint" {
    python3 - $options <<'PY'
import signal, subprocess, sys
p = subprocess.Popen(["train", *sys.argv[1:], "--steps", "4000", "-o", "run"],
                     stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                     text=True)
p.stdout.readline()
p.stdout.close()
assert "go on with --resume" in p.stderr.read()
assert p.wait() == -signal.SIGPIPE, p.wait()
PY
    [ "$(ls run/checkpoints)" != "" ]
}

# Evaluating takes most of this run's time: 12 records of 60 are held out,
# and each step has two rows.
@test "a signal does not wait for an evaluation, which is then done anew" {
    options+=" --steps 300 --eval-every 1 --threads 1"
    train -q $options -o whole
    stop_at TERM "Iter 20: Val" part $options
    [ "$status" -eq 143 ]
    train -q $options --resume -o part
    cmp <(steady whole) <(steady part)
    cmp whole/adapter/adapter_model.safetensors \
        part/adapter/adapter_model.safetensors
}

@test "a line over several steps is the same when the run stopped within" {
    options+=" --steps 400 --log-every 100 --eval-every 7 --threads 1"
    train -q $options -o whole
    stop_at TERM "Iter 14: Val" part $options
    [ "$status" -eq 143 ]
    train -q $options --resume -o part
    cmp <(steady whole) <(steady part)
}

@test "checkpoints come by time, too" {
    train -q $options --steps 3000 --save-every 1s --keep 90 -o run
    ls run/checkpoints >saved
    [ "$(wc -l <saved)" -ge 2 ]
    [ "$(wc -l <saved)" -le 60 ]
    grep -qx step-3000 saved
    jq -e '.options["save-every"] == "1s"' run/config.json
}

@test "metrics that a checkpoint counts and that are gone end the run" {
    train -q $options --steps 6 --save-every 3 -o run
    rm run/manifest.json
    cp run/metrics.jsonl full
    for size in 0 100; do
        truncate -s $size run/metrics.jsonl
        run -4 --separate-stderr train -q $options --steps 6 --save-every 3 \
            --resume -o run
        one_line "train: run/metrics.jsonl: shorter than when the \
checkpoint was made (found $size bytes, expected $(jq .metrics \
            run/checkpoints/step-6/state.json)): put the file back, or \
remove checkpoints/step-6 to"
        [ "$(stat -c %s run/metrics.jsonl)" -eq $size ]
    done
    head -c "$(jq .metrics run/checkpoints/step-3/state.json)" full \
        >run/metrics.jsonl
    rm -r run/checkpoints/step-6
    train -q $options --steps 6 --save-every 3 --resume -o run
    cmp <(steady run) <(jq -c 'del(.tok_s, .peak_bytes, .machine)' full)
}

@test "peak memory is the run's own, not its parent's" {
    python3 - $options <<'PY'
import subprocess, sys
big = b"x" * (400 << 20)
subprocess.run(["train", "-q", *sys.argv[1:], "--steps", "2", "-o", "run"],
               check=True)
PY
    jq -se 'map(.peak_bytes // empty) | max < 300e6' run/metrics.jsonl
}

@test "resuming from an earlier checkpoint gives the same bits, too" {
    train -q $options --steps 12 --save-every 5 --keep 9 -o run
    cp -r run again
    rm -r again/manifest.json again/checkpoints/step-1[02]
    train -q $options --steps 12 --save-every 5 --keep 9 --resume -o again
    cmp run/adapter/adapter_model.safetensors \
        again/adapter/adapter_model.safetensors
    cmp <(steady run) <(steady again)
}

@test "an epoch is every position once, and its last step holds the rest" {
    # 48 records of 6 positions, two a sequence: 24 sequences
    for rows in "5 1 5" "2 5 3" "1 7 4"; do
        read -r batch accum steps <<<"$rows"
        rm -rf whole part
        options="--data data --base base --rank 4 --seq-len 16 --epochs 1
            --batch $batch --accum $accum --save-every 1 --keep 9 -q"
        train $options -o whole
        jq -se --argjson steps $steps 'map(select(.loss))[-1] |
            .tokens == 48 * 6 and .step == $steps' whole/metrics.jsonl
        cp -r whole part
        rm -r part/manifest.json part/checkpoints/step-$steps
        train $options --resume -o part
        cmp whole/adapter/adapter_model.safetensors \
            part/adapter/adapter_model.safetensors
        cmp <(steady whole) <(steady part)
    done
    train -q --data data --base base --rank 4 --seq-len 16 --batch 4 \
        --accum 2 --tokens 150 -o some
    # 13 sequences of 12 positions are the first with 150
    jq -se 'map(select(.loss))[-1] | .tokens == 156 and .step == 2' \
        some/metrics.jsonl
}

@test "a damaged checkpoint is passed over, and that is said" {
    train -q $options --steps 6 --save-every 3 -o run
    cp -r run again
    rm again/manifest.json
    printf x >>again/checkpoints/step-6/state.safetensors
    run -0 --separate-stderr train $options --steps 6 --save-every 3 \
        --resume -o again
    [[ $stderr == *"step-6/state.safetensors"*"damaged"* ]]
    cmp run/adapter/adapter_model.safetensors \
        again/adapter/adapter_model.safetensors
}

@test "train does nothing where the run is complete, and refuses another's" {
    train -q $options --steps 2 -o run
    find run -type f -printf '%p %T@\n' | sort >before
    train -q $options --steps 2 -o run
    find run -type f -printf '%p %T@\n' | sort >after
    cmp before after
    run -6 --separate-stderr train $options --steps 2 --lr 0.02 -o run
    one_line "train: run: a run with another lr (found 0.01, expected 0.02)"
    run -6 --separate-stderr train $options --steps 2 --lr 0.02 --resume \
        -o run
    one_line "train: run: a run with another lr (found 0.01, expected 0.02)"
    run -6 --separate-stderr train $options --steps 2 -o arch.json
    mkdir foreign
    touch foreign/letter
    run -6 --separate-stderr train $options --steps 2 -o foreign
    one_line "train: foreign: exists and is no run (it holds letter)"
    [ "$(ls -A foreign)" = letter ]
    ls -A base >before
    run -6 --separate-stderr train $options --steps 2 -o base
    one_line "train: base/config.json: exists and is no run's"
    ls -A base | cmp - before
}

@test "a run goes on elsewhere only when told that bits may differ" {
    train -q $options --steps 4 --save-every 2 -o run
    rm run/manifest.json
    sed -i 's/"arithmetic": "[^"]*"/"arithmetic": "abacus"/' run/config.json
    run -2 --separate-stderr train $options --steps 4 --save-every 2 \
        --resume -o run
    one_line 'train: run: a run with another arithmetic (found "abacus"'
    train -q $options --steps 4 --save-every 2 --resume --allow-inexact \
        -o run
}

@test "a begun run needs --resume" {
    train -q $options --steps 4 --save-every 2 -o run
    rm run/manifest.json
    run -6 --separate-stderr train $options --steps 4 --save-every 2 -o run
    one_line "train: run: a run that was begun and not finished"
}

@test "a second writer of a run exits at once" {
    mkdir run
    python3 -c 'import fcntl, time
f = open("run/.lock", "w")
fcntl.lockf(f, fcntl.LOCK_EX)
open("held", "w").close()
time.sleep(60)' 3>&- &
    pid=$!
    while [ ! -e held ]; do sleep 0.01; done
    run -6 --separate-stderr train $options --steps 2 -o run
    kill $pid
    one_line "train: run: locked by process $pid"
    [ ! -e run/config.json ]
}

@test "the dry run names the memory that the run then takes" {
    train $options --steps 3 --dry-run >plan
    jq -e '.total_bytes == .base_bytes + .state_bytes + .arena_bytes
        + .batch_bytes and .steps == 3' plan
    [ ! -e run ]
    train -q $options --steps 3 -o run
    jq -se --slurpfile plan plan 'map(.peak_bytes // empty) | max
        <= $plan[0].total_bytes + 64 * 1024 * 1024' run/metrics.jsonl
}

@test "weights are compared with their hashes when they are used" {
    quantize -q --format f32 base | shard -q -o set
    file=$(echo set/0*)
    at=$(grep -ao '^data-at [0-9]*' "$file" | tail -n 1 | cut -d' ' -f2)
    printf '\x55' | dd of="$file" bs=1 seek="$at" conv=notrunc 2>dd.err
    diff <(train $options --base set --steps 3 --dry-run) \
        <(train $options --steps 3 --dry-run)
    run -4 --separate-stderr train $options --base set --steps 3 -o run
    one_line "train: $file:$at: tensor data do not match their hash"
    [ ! -e run ]
}

# within MIB COMMAND...: with so much address space.
within() { (ulimit -v $(($1 * 1024)) && shift && exec "$@"); }

# The address space, in MiB, that leaves 20 to the plan of train $options.
tight() {
    local text
    text=$(within 1000 train $options --batch 65536 --dry-run 2>&1 >plan)
    [[ $text =~ \)\ and\ ([0-9]+)\ for\ .*\;\ ([0-9]+)\ MiB\ of\ address ]]
    echo $((1000 - BASH_REMATCH[2] + BASH_REMATCH[1] + 20))
}

@test "a plan that does not fit is refused with what would, and no more" {
    options="--data data --base base --rank 4 --seq-len 64 --steps 1
        --threads 1"
    need_plain "its address space is no measure"
    limit=$(tight)
    run -5 --separate-stderr within $limit train $options --batch 512 -o run
    one_line "train: base: training takes "
    [[ $stderr == *" MiB (base "*", state "*", arena "*", batch "*") and "*\
" for programs and libraries; "*" MiB of address space are free "*\
"(RLIMIT_AS, ulimit -v): --batch "*" would fit; --force goes on as it is" ]]
    [ ! -e run ]
    [[ $stderr =~ --batch\ ([0-9]+)\ --accum\ ([0-9]+)\ would ]]
    batch=${BASH_REMATCH[1]} accum=${BASH_REMATCH[2]}
    [ $((batch * accum)) -eq 512 ]
    within $limit train -q $options --batch $batch --accum $accum -o advised
    [ -e advised/manifest.json ]
    # twice of it would have been advised, did it fit
    run -5 --separate-stderr within $limit train $options \
        --batch $((batch * 2)) --accum $((accum / 2)) -o run
    [ ! -e run ]
}

@test "--force goes on, and memory that is not there leaves nothing" {
    options="--data data --base base --rank 4 --seq-len 64 --steps 1
        --threads 1"
    need_plain "its address space is no measure"
    limit=$(tight)
    run -1 --separate-stderr within $limit train $options --batch 65536 \
        --force -o run
    [[ ${stderr_lines[0]} == "train: warning: base: training takes "* ]]
    [[ ${stderr_lines[1]} == "train: "*" bytes for the arena: Cannot "* ]]
    [ ! -e run ]
    # a dry run tells, and does not refuse
    run -0 --separate-stderr within $limit train $options --batch 512 \
        --dry-run
    [ "${#stderr_lines[@]}" -eq 1 ]
    [[ $stderr == "train: warning: base: training takes "* ]]
    jq -e .total_bytes <<<"$output"
}

@test "a run that is there is what it is, however little memory there is" {
    options="--data data --base base --rank 4 --seq-len 64 --steps 2
        --threads 1 --save-every 1"
    need_plain "its address space is no measure"
    limit=$(tight)
    train -q $options --batch 512 -o run
    run -0 --separate-stderr within $limit train $options --batch 512 -o run
    [ "$stderr" = "train: run: complete already" ]
    rm -r run/manifest.json run/checkpoints/step-2
    find run -type f -exec sha256sum {} + | sort >before
    run -6 --separate-stderr within $limit train $options --batch 512 -o run
    run -5 --separate-stderr within $limit train $options --batch 512 \
        --resume -o run
    find run -type f -exec sha256sum {} + | sort | cmp - before
}

@test "too little memory for the matrix libraries is called that" {
    need_plain "its address space is no measure"
    for mib in 30 60 100; do
        run -5 --separate-stderr within $mib train $options --steps 1 -o run
        one_line "train: no memory for "
        run -5 --separate-stderr within $mib evalprompts --base base \
            --data data --split val
        one_line "evalprompts: no memory for "
    done
    [ ! -e run ]
}

@test "evalprompts refuses what does not fit, too" {
    options="--data data --base base --seq-len 64 --threads 1"
    need_plain "its address space is no measure"
    limit=$(tight)
    options+=" --split val"
    run -5 --separate-stderr within $limit evalprompts $options --batch 8192
    one_line "evalprompts: base: evaluation takes "
    [[ $stderr =~ \ --batch\ ([0-9]+)\ would\ fit\;\ --force ]]
    within $limit evalprompts $options --batch ${BASH_REMATCH[1]}
    run -1 --separate-stderr within $limit evalprompts $options \
        --batch 65536 --force
    [[ ${stderr_lines[0]} == "evalprompts: warning: base: evaluation "* ]]
    echo '{"prompt": "x"}' >prompts.jsonl
    run -5 --separate-stderr within $limit evalprompts --base base \
        --context 1048576 --threads 1 prompts.jsonl
    one_line "evalprompts: base: generation takes "
    [[ $stderr =~ \ --context\ [0-9]+\ would\ fit ]]
}

@test "on a terminal the dry run is a table of the same numbers" {
    train $options --steps 3 --dry-run >plan
    run -0 on_terminal train $options --steps 3 --dry-run
    [[ ${lines[0]} =~ ^memory\ +MiB$ ]]
    for part in base state arena batch total; do
        n=$(jq ".${part}_bytes" plan)
        n=$(awk -v n="$n" 'BEGIN { printf "%.1f", n / 1048576 }')
        grep -E "^$part +$n  [a-z]" <<<"$output"
    done
    grep -xE "trainable +$(jq .trainable plan)" <<<"$output"
    grep -xE "steps +3" <<<"$output"
    grep -xE "tokens a step +$(jq .positions_per_step plan)  with padding" \
        <<<"$output"
    [ "$(wc -l <<<"$output")" -eq 12 ]
}

@test "full training makes a model that can be a base" {
    train -q --data data --base base --method full --steps 40 --batch 2 \
        --seq-len 16 --lr 0.01 -o run
    cmp base/config.json run/model/config.json
    train -q $options --base run/model --steps 1 -o next
    jq -se 'map(.val_loss // empty) | .[-1] < .[0] * 0.7' run/metrics.jsonl
    cmp <(jq -s '.[0].val_loss | numbers' next/metrics.jsonl) \
        <(jq -s '.[-1].val_loss | numbers' run/metrics.jsonl)
}

@test "an adapter can be gone on with" {
    train -q $options --steps 10 -o first
    options=${options/--rank 4/}
    train -q $options --steps 1 --init-adapter first/adapter -o second
    train -q $options --steps 1 --init-adapter first -o same
    cmp second/adapter/adapter_model.safetensors \
        same/adapter/adapter_model.safetensors
    jq -e .identity.init_adapter_id same/config.json
    train -q --data data --base base --method full --steps 1 -o full
    run -4 --separate-stderr train $options --steps 1 --init-adapter full -o no
    one_line "train: full: was trained in full: the result is a base, full/mod"
    [ ! -e no ]
    cmp <(jq .val_loss second/metrics.jsonl | grep -m 1 '[0-9]') \
        <(jq .val_loss first/metrics.jsonl | grep '[0-9]' | tail -n 1)
    run -2 --separate-stderr train $options --rank 4 --steps 1 \
        --init-adapter first/adapter -o third
    one_line "train: --init-adapter sets rank, alpha, their patterns, rslora"
}

@test "an adapter that is gone on with keeps its dropout unless told" {
    train -q $options --alpha 2 --steps 2 -o first
    options="--data data --base base --batch 2 --seq-len 16 --steps 2
        --init-adapter first/adapter -q"
    train $options -o kept
    train $options --dropout 0.1 -o same
    train $options --dropout 0 -o none
    for run in kept same; do
        jq -e '.lora_dropout == 0.1 and .r == 4 and .lora_alpha == 2' \
            $run/adapter/adapter_config.json
        jq -e '.options | .dropout == 0.1 and .rank == 4 and .alpha == 2' \
            $run/config.json
    done
    cmp {kept,same}/adapter/adapter_model.safetensors
    jq -e '.lora_dropout == 0' none/adapter/adapter_config.json
    run ! cmp -s {kept,none}/adapter/adapter_model.safetensors
    sed -i 's/"lora_dropout": [0-9.]*/"lora_dropout": 1/' \
        first/adapter/adapter_config.json
    run -4 --separate-stderr train $options -o all
    one_line "train: first/adapter: a dropout of 1 leaves nothing"
    [ ! -e all ]
}

@test "all-linear is every linear but the head, and stands alone" {
    train -q $options --steps 2 -o run
    train -q $options --steps 2 --targets all-linear -o linear
    diff -r run/adapter linear/adapter
    run -0 --separate-stderr train $options --steps 2 \
        --targets all-linear -o run
    [ "$stderr" = "train: run: complete already" ]
    for list in all-linear,q_proj q_proj,all-linear; do
        run -2 --separate-stderr train $options --targets $list -o two
        one_line "train: --targets: all-linear stands alone (found 'q_proj'"
    done
    [ ! -e two ]
    run -2 --separate-stderr train --data data --base base --method full \
        --targets all-linear -o two
    one_line "train: --method full has no adapter"
}

@test "sequences longer than the base's positions are refused, or told" {
    python3 -c 'for n in 6, 64, 65, 66, 200: print({"ids": [3] * n})' |
        sed "s/'/\"/g" | fromjsonl -q --vocab 40 |
        shard -q --val 0 --test 0 -o long
    options="--base base --rank 4 --batch 1 --steps 1 --dry-run"
    run -0 --separate-stderr train $options --data long --seq-len 64
    [ -z "$stderr" ]
    run -0 --separate-stderr train $options --data long --seq-len 65
    [ "${#stderr_lines[@]}" -eq 1 ]
    [ "$stderr" = "train: warning: base: was made for 64 positions \
(max_position_embeddings), --seq-len is 65: 2 of 5 records go beyond" ]
    echo '{"model_type": "gpt2", "vocab_size": 40, "n_embd": 16, "n_layer": 1,
        "n_head": 2, "n_positions": 64}' >gpt2.json
    initmodel -q -o gpt2 gpt2.json
    train -q $options --base gpt2 --data long --seq-len 64 >/dev/null
    run -2 --separate-stderr train -q $options --base gpt2 --data long \
        --seq-len 65
    one_line "train: gpt2: has 64 learned positions (max_position_embeddings)\
, too few for --seq-len 65"
    # others than the short factors are for longer texts alone
    echo '{"model_type": "phi3", "vocab_size": 40, "hidden_size": 16,
        "intermediate_size": 24, "num_hidden_layers": 1,
        "num_attention_heads": 2, "pad_token_id": null,
        "max_position_embeddings": 128,
        "original_max_position_embeddings": 64, "rope_scaling": {"type":
        "longrope", "short_factor": [1, 1, 1.5, 2],
        "long_factor": [2, 3, 4, 5]}}' >phi3.json
    initmodel -q -o phi3 phi3.json
    train -q $options --base phi3 --data long --seq-len 64 >/dev/null
    run -2 --separate-stderr train -q $options --base phi3 --data long \
        --seq-len 65
    one_line "train: phi3: has 64 positions with short factors \
(original_max_position_embeddings), too few for --seq-len 65"
    jq 'del(.original_max_position_embeddings)' phi3.json >none.json
    run -4 --separate-stderr initmodel -q -o none none.json
    one_line "initmodel: none.json: rope_scaling: \
original_max_position_embeddings (found nothing, expected this key"
    jq '.rope_scaling.short_factor = [1]' phi3.json >short.json
    run -4 --separate-stderr initmodel -q -o short short.json
    one_line "initmodel: short.json: rope_scaling: short_factor (found [1], \
expected a list of 4 numbers)"
}

@test "a quantised base trains, and full training of it is refused" {
    for format in int8 nf4; do
        quantize -q --format $format base | shard -q -o $format
        train -q $options --base $format --steps 3 -o run-$format
        run -2 --separate-stderr train --data data --base $format \
            --seq-len 16 --method full --steps 3 -o full
        one_line "train: $format: full training needs a floating-point base"
    done
}

@test "a flipped bit in a base's shards is found before it is used" {
    quantize -q --format f32 base | shard -q -o shards
    file=$(ls shards/*.graft)
    size=$(stat -c %s "$file")
    printf '\377' | dd of="$file" bs=1 seek=$((size / 2)) conv=notrunc \
        status=none
    run -4 --separate-stderr train $options --base shards --steps 1 -o run
    one_line "train: shards/"
    [ ! -e run ]
}

@test "a base that is not finite is no base to train or to measure" {
    python3 - <<'EOF'
import struct
with open("base/model.safetensors", "r+b") as f:
    n = struct.unpack("<Q", f.read(8))[0]
    f.seek(8 + n)
    f.write(struct.pack("<f", float("nan")) * 400)
EOF
    run -4 --separate-stderr train -q $options --steps 3 -o run
    [[ $stderr == *"train: base: no step could be taken"* ]]
    [ ! -e run/manifest.json ]
    run -4 --separate-stderr evalprompts --base base --data data --split val
    one_line "evalprompts: base: the loss is not finite"
}

@test "options come from a run file, and the command line wins" {
    echo '{"rank": 2, "steps": 2, "seq-len": 16, "batch": 1}' >run.json
    train -q --config run.json --data data --base base --rank 3 -o run
    jq -e '.options.rank == 3 and .options.steps == 2' run/config.json
    train --config run.json --epochs 2 --print-config |
        jq -e '.epochs == 2 and .steps == null and .rank == 2'
    run -2 train --config run.json --epochs 2 --tokens 9 --print-config
    echo '{"rnk": 2}' >run.json
    run -4 --separate-stderr train --config run.json --data data --base base
    [[ $stderr == *"'rnk'"*rank* ]]
}

@test "wrong use is named" {
    run -2 --separate-stderr train --base base -o run
    one_line "train: --data is missing"
    run -2 --separate-stderr train $options --steps 1 --epochs 1 -o run
    run -2 --separate-stderr train $options --rank 0 -o run
    run -2 --separate-stderr train $options --targets q_prj -o run
    one_line "train: target 'q_prj' is no linear module"
    run -1 --separate-stderr train $options --data nowhere -o run
    [ ! -e run/config.json ]
}

@test "data that teaches nothing or is of another vocabulary is refused" {
    echo '{"ids": [1, 2, 3], "mask": [0, 0, 0]}' |
        fromjsonl -q --vocab 40 | shard -q --val 0 --test 0 -o silent
    run -4 --separate-stderr train $options --data silent --steps 1 -o run
    one_line "train: silent: no token of the training split is to be learned"
    echo '{"ids": [1, 2, 50]}' | fromjsonl -q --vocab 60 |
        shard -q --val 0 --test 0 -o large
    run -4 --separate-stderr train $options --data large --steps 1 -o run
    one_line "train: large: vocabulary of 60 over the model's 40"
}

@test "a full disk stops the run with the last checkpoint intact" {
    need_tool prlimit
    run -1 --separate-stderr \
        prlimit --fsize=20000 train -q $options --rank 64 --steps 2 -o run
    one_line "train: run/checkpoints/step-2.tmp."
    [ ! -e run/manifest.json ]
    no_leftovers run
}

@test "a signal that is ignored from the start stays ignored" {
    run -0 --separate-stderr python3 - $options <<'PY'
import os, signal, subprocess, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
p = subprocess.Popen(["train", *sys.argv[1:], "--steps", "2000",
                      "--threads", "1", "-o", "run"],
                     stdout=subprocess.PIPE, text=True,
                     restore_signals=False)
while not p.stdout.readline().startswith("Iter 3:"):
    pass
p.send_signal(signal.SIGINT)
lines = p.stdout.read().splitlines()
assert p.wait() == 0 and lines[-2].startswith("Iter 2000:"), lines[-2:]
PY
}

# masked SET MEMBER: a set of 60 records of six tokens, of which the last two
# and the first are the target; the header's keys have that member, too.
masked() {
    {
        echo '{"graft":1,"type":"tokens","keys":{"vocab":"40"'"$2"'}}'
        for i in $(seq 60); do
            echo "{\"ids\":[$((i % 7)),$((i % 11)),3,$((i % 5)),4,9],"$(
                )'"mask":[1,0,0,0,1,1]}'
        done
    } | fromjsonl -q | shard -q --val 0.2 --test 0 -o "$1"
}

@test "what is learned is what the set says, or --loss" {
    masked bare ''
    masked target ',"loss":"target"'
    masked all ',"loss":"all"'
    options=${options/--data data/}
    for rows in bare::target target::target all::all \
        bare:--loss=all:all all:--loss=target:target \
        all:--loss=auto:all target:--loss=all:all; do
        IFS=: read -r data loss what <<<"$rows"
        rm -rf run
        run -0 --separate-stderr train $options --data $data $loss --steps 4 \
            -o run
        # 48 records of 6 tokens; the first of each is not predicted
        n=96
        [ $what = target ] || n=240
        [[ $stderr == "train: $n of 288 tokens are learned (--loss $what)"* ]]
        jq -e --arg what $what '.identity.loss == $what and
            .options.loss == $what' run/config.json
        jq -se --arg what $what '($what == "all") as $all
            | (map(.val_tokens // empty) | unique) ==
                [if $all then 60 else 24 end]
            and (map(select(.tokens))[-1] |
                .supervised / .tokens == if $all then 1 else 0.4 end)' \
            run/metrics.jsonl
        sha256sum <run/adapter/adapter_model.safetensors >>sums.$what
        steady run >>steady.$what
    done
    # the same was learned of whichever set
    [ "$(sort -u sums.all | wc -l)" -eq 1 ]
    [ "$(sort -u sums.target | wc -l)" -eq 1 ]
    [ "$(cat sums.* | sort -u | wc -l)" -eq 2 ]
}

@test "a run goes on with what it has learned, and with nothing else" {
    masked target ',"loss":"target"'
    options="${options/--data data/--data target} --steps 4 --save-every 2"
    train -q $options -o run
    rm -r run/manifest.json run/checkpoints/step-4
    run -6 --separate-stderr train -q $options --loss all --resume -o run
    one_line 'train: run: a run with another loss (found "target", expect'
    echo '{"loss": "all"}' >run.json
    run -6 train -q $options --config run.json --resume -o run
    train -q $options --loss target --resume -o run
    run -0 --separate-stderr train $options -o run
    [ "$stderr" = 'train: run: complete already' ]
}

@test "where nothing is the target, all can be learned" {
    {
        echo '{"graft":1,"type":"tokens","keys":{"vocab":"40","loss":"all"}}'
        for i in $(seq 20); do echo '{"ids":[1,2,3],"mask":[1,0,0]}'; done
    } | fromjsonl -q | shard -q --val 0.2 --test 0.2 -o none
    options=${options/--data data/--data none}
    train -q $options --steps 2 -o run
    run -4 --separate-stderr train -q $options --loss target --steps 2 -o no
    one_line 'train: none: no token of the training split is to be learned (1'
    [ ! -e no ]
    run -2 train $options --loss some --dry-run
}
