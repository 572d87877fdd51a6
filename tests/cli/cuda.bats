# The CUDA back end from the command line, over the stand-in of tests/standin:
# programs beside a plugin that computes on this machine's processor.

load helper
load near

setup() {
    cd "$BATS_TEST_TMPDIR"
    token_base 24
    options="--data data --base base --rank 4 --batch 2 --seq-len 16
        --dropout 0.1 --lr 0.01"
    PATH=$GRAFT_BUILD/standin:$PATH
}

@test "a run on a card has the losses of the processor's" {
    train -q $options --steps 5 --device cpu -o cpu
    train -q $options --steps 5 --device cuda -o cuda
    near cuda cpu 0.0001
    train -q $options --steps 5 --device cuda:0 --recompute block -o again
    cmp cuda/adapter/adapter_model.safetensors \
        again/adapter/adapter_model.safetensors
    jq -e '.machine.backend == "cuda"' cuda/config.json
}

@test "a run on a card in bf16, from int8, and of all weights" {
    need_plain "it takes minutes"
    quantize -q --format int8 base | shard -q -o small
    for how in '--compute bf16' '--base small' '--base small --compute bf16' \
        '--method full --dropout 0' \
        '--method full --dropout 0 --compute bf16'; do
        share=0.0001
        [[ $how != *bf16* ]] || share=0.02
        train -q $options $how --compute f32 --steps 4 --device cpu -o cpu
        train -q $options $how --steps 4 --device cuda -o cuda
        near cuda cpu $share
        rm -r cpu cuda
    done
}

@test "a card that is lost in mid-run: the run goes on from the last step" {
    need_plain "it takes minutes"
    train -q $options --steps 6 --device cuda -o whole
    STANDIN_LOST=400 run -1 --separate-stderr train -q $options --steps 6 \
        --save-every 1 --device cuda -o run
    [[ $stderr == "train: the card: "*cudaErrorLaunchFailure* ]]
    [ -n "$(ls run/checkpoints)" ]
    run -2 --separate-stderr train -q $options --steps 6 --device cpu \
        -o run --resume
    train -q $options --steps 6 --save-every 1 --device cuda -o run --resume
    cmp whole/adapter/adapter_model.safetensors \
        run/adapter/adapter_model.safetensors
}

@test "activations that wait in the machine's memory change no byte" {
    need_plain "it takes minutes"
    jq '.num_hidden_layers = 4' arch.json >deep.json
    initmodel -q -o deep deep.json
    quantize -q --format int8 deep | shard -q -o small
    options=${options/--base base/--base deep}
    options+=' --eval-records 2'
    for how in '' '--compute bf16' '--base small' \
        '--method full --dropout 0'; do
        train -q $options $how --steps 2 --device cuda -o run
        for more in '' '--recompute block'; do
            train -q $options $how $more --offload activations --steps 2 \
                --device cuda -o waited
            cmp run/checkpoints/step-2/state.safetensors \
                waited/checkpoints/step-2/state.safetensors
            rm -r waited
        done
        rm -r run
    done
    # a run that began without goes on with it
    train -q $options --steps 6 --device cuda -o whole
    STANDIN_LOST=400 run -1 train -q $options --steps 6 --save-every 1 \
        --device cuda -o run
    [ -n "$(ls run/checkpoints)" ]
    train -q $options --steps 6 --save-every 1 --device cuda -o run --resume \
        --offload activations
    cmp whole/adapter/adapter_model.safetensors \
        run/adapter/adapter_model.safetensors
}

@test "the plan of a card tells what waits in the machine's memory" {
    train $options --device cuda --dry-run >plain
    train $options --device cuda --dry-run --offload activations >waits
    jq -es '.[1].host_bytes > .[0].host_bytes
        and .[1].arena_bytes < .[0].arena_bytes' plain waits
    run -0 on_terminal train $options --device cuda --dry-run \
        --offload activations
    n=$(jq '.host_bytes' waits | awk '{ printf "%.1f", $1 / 1048576 }')
    grep -E "^host +$n  in .* activations that wait" <<<"$output"
    for device in cpu auto; do
        STANDIN_CARDS=0 run -2 --separate-stderr train -q $options \
            --device $device --offload activations -o run
        one_line "train: --offload activations: on the processor"
    done
    [ ! -e run ]
}

# poison TOKEN: records with it have a loss that is not finite.
poison() {
    python3 - "$1" <<'PY'
import json, struct, sys
with open("base/model.safetensors", "r+b") as f:
    n = struct.unpack("<Q", f.read(8))[0]
    name = "model.embed_tokens.weight"
    at = json.loads(f.read(n))[name]["data_offsets"][0]
    f.seek(8 + n + at + 4 * 16 * int(sys.argv[1]))
    f.write(struct.pack("<f", float("nan")) * 16)
PY
}

# said RUN: what metrics.jsonl says, but for clocks.
said() {
    jq -c 'del(.tok_s, .peak_bytes, .machine)' "$1/metrics.jsonl"
}

@test "the host waits for a card at lines alone" {
    need_plain "it takes minutes"
    for n in 1 4 7; do
        STANDIN_CALLS=calls train -q $options --steps $n --log-every $n \
            --device cuda -o run
        jq -c '[.waits, .pageable, .allocations]' calls >>waits
        jq .event_waits calls >>slots
        rm -r run
    done
    cat waits slots
    [ "$(sort -u waits | wc -l)" -eq 1 ]
    # a ring of four micro-batches: the fifth waits for the first's place
    [ "$(sed -n 2p slots)" -eq "$(sed -n 1p slots)" ]
    [ "$(sed -n 3p slots)" -eq $(($(sed -n 1p slots) + 3)) ]
}

@test "steps left out on a card are those of the processor" {
    need_plain "it takes minutes"
    poison 10
    options+=' --steps 6 --accum 2'
    for device in cpu cuda; do
        train $options --device $device --log-every 4 -o $device 2>&1 |
            grep 'left out' >$device.warned
        jq -c '[.step, .tokens, .skipped, .supervised]' \
            $device/metrics.jsonl >$device.counts
    done
    cat cpu.warned
    [ "$(wc -l <cpu.warned)" -ge 2 ]
    cmp cpu.warned cuda.warned
    cmp cpu.counts cuda.counts
    near cuda cpu 0.0001
    # and with a line for each step
    train -q $options --device cuda --log-every 1 -o lines
    cmp {cuda,lines}/adapter/adapter_model.safetensors
    for run in cuda lines; do
        jq -c 'select(.step % 4 == 0) | [.step, .lr, .grad_norm, .tokens,
            .val_loss, .skipped]' $run/metrics.jsonl >$run.fours
    done
    cmp cuda.fours lines.fours
}

@test "a run that is stopped while steps are under way goes on to its bits" {
    need_plain "it takes minutes"
    poison 10
    options+=' --steps 6 --accum 2 --device cuda --log-every 4'
    train -q $options -o whole
    for launch in 250 350 550; do
        STANDIN_STOP=$launch run -143 --separate-stderr train -q $options \
            -o run
        [[ $stderr == *"train: run: stopped after step "*" --resume" ]]
        train -q $options -o run --resume
        cmp {whole,run}/adapter/adapter_model.safetensors
        cmp <(said whole) <(said run)
        rm -r run
    done
}

@test "evaluation and prompts on a card" {
    train -q $options --steps 3 --device cuda -o run
    echo '{"id": "a", "prompt": [1, 2, 3], "expect": [4], "max_tokens": 4}' \
        >prompts
    for device in cpu cuda; do
        evalprompts -q --base base --adapter run --data data --split val \
            --device $device >$device.json
    done
    cat cpu.json cuda.json
    jq -es '.[0].base.loss as $x | .[1].base.loss as $y
        | ($x - $y) | fabs < 0.0001 * $x' cpu.json cuda.json
    jq -es '.[0].adapter.loss as $x | .[1].adapter.loss as $y
        | ($x - $y) | fabs < 0.0001 * $x' cpu.json cuda.json
}

@test "prompts on a card are completed as on the processor" {
    rm -r base data
    text_base
    jq '.max_position_embeddings = 256' arch.json >long.json
    initmodel -q -t tok.json -o long long.json
    train -q --data data --base long --rank 4 --batch 2 --seq-len 16 \
        --steps 3 --lr 0.05 --device cpu -o run
    # of 1 to 150 tokens, which is more than go in at one time
    for i in 1 2 3 5 8 70; do
        jq -nc --arg text "$(seq -s ' ' 50 $((49 + i)))" \
            '{prompt: $text, max_tokens: ($text | length % 7 + 2)}'
    done >prompts
    for device in cpu cuda; do
        evalprompts -q --base long --adapter run --device $device prompts |
            grep completion >$device.jsonl
    done
    cmp cpu.jsonl cuda.jsonl
    [ "$(wc -l <cpu.jsonl)" -eq 12 ]
    [ "$(jq -s 'map(.prompt_tokens) | max' cpu.jsonl)" -gt 64 ]
    [ "$(jq -c .completion cpu.jsonl | sort -u | wc -l)" -gt 6 ]
}

@test "of two cards the second" {
    export STANDIN_CARDS=2
    train -q $options --steps 2 --device cuda -o first
    train -q $options --steps 2 --device cuda:1 -o second
    cmp {first,second}/adapter/adapter_model.safetensors
    STANDIN_MEMORY=$((66 << 20)) run -5 --separate-stderr train $options \
        --steps 1 --seq-len 64 --batch 512 --device cuda:1 -o run
    [[ $stderr == *"are free (card 1, of 66 MiB)"* ]]
}

@test "a card that is lost anywhere: one line, and the run goes on" {
    need_plain "it takes minutes"
    options="$options --steps 4 --save-every 1 --eval-every 2"
    train -q $options --device cuda -o whole
    for ((n = 1; ; n += 211)); do
        status=0
        STANDIN_LOST=$n train -q $options --device cuda -o run 2>err ||
            status=$?
        [ $status -ne 0 ] || break
        [ $status -eq 1 ]
        [ "$(grep -c . err)" -eq 1 ]
        grep -q '^train: the card: .*cudaErrorLaunchFailure' err
        if [ -d run ]; then
            no_leftovers run
            train -q $options --device cuda -o run --resume
            cmp {whole,run}/adapter/adapter_model.safetensors
        fi
        rm -rf run
    done
    [ $n -gt 600 ]
    cmp {whole,run}/adapter/adapter_model.safetensors
    for n in 1 30 60; do
        STANDIN_LOST=$n run -1 --separate-stderr evalprompts --base base \
            --data data --split train --batch 1 --seq-len 8 \
            --per-record records --device cuda
        one_line "evalprompts: the card: "
        [ ! -e records ]
    done
}

@test "memory of a card that somebody else took in the meantime" {
    all=$(train $options --dry-run --device cuda | jq .total_bytes)
    for left in 0 $((all / 4)) $((all / 2)) $((all * 3 / 4)); do
        STANDIN_MEMORY=$((80 << 20)) STANDIN_OTHERS=$(((80 << 20) - left)) \
            run -1 --separate-stderr train -q $options --steps 1 \
            --device cuda -o run
        one_line "train: the card: "
        [[ $stderr == *' bytes for the '*': cudaErrorMemoryAllocation' ]]
        [ ! -e run ]
        echo "$stderr" >>said
    done
    [ "$(sed 's/.*for the //' said | sort -u | wc -l)" -gt 1 ]
}

# held COMMAND...: in the background, $pid, until the card has its memory, but
# for the base; goes on when the file held is removed.
held() {
    STANDIN_HOLD=$PWD/held "$@" >out 2>err 3>&- &
    pid=$!
    until [ -e held ]; do kill -0 $pid; sleep 0.01; done
}

@test "a base that is cut short while it goes up" {
    held train $options --steps 2 --device cuda -o run
    : >base/model.safetensors
    rm held
    status=0
    wait $pid || status=$?
    cat err
    [ $status -eq 1 ]
    [ "$(cat err)" = "train: base/model.safetensors: was cut short while it \
was being read" ]
    [ ! -e run/manifest.json ]
    no_leftovers .
}

@test "a signal while the base goes up stops the run" {
    train -q $options --steps 2 --device cuda -o whole
    held train $options --steps 2 --device cuda -o run
    kill -TERM $pid
    rm held
    status=0
    wait $pid || status=$?
    cat err
    [ $status -eq 143 ]
    [ ! -e run/manifest.json ]
    no_leftovers .
    [ ! -e run ] || resume=--resume
    train -q $options --steps 2 --device cuda -o run ${resume-}
    cmp {whole,run}/adapter/adapter_model.safetensors
}

@test "no card, no driver, too little of one: a line, and auto goes on" {
    export STANDIN_CARDS=0
    run -1 --separate-stderr train $options --steps 1 --device cuda -o run
    one_line "train: no CUDA card was found"
    run -0 --separate-stderr train $options --steps 1 -o auto
    [[ $stderr == *"train: computing on the processor: no CUDA card"* ]]
    jq -e '.machine.backend == "cpu"' auto/config.json
    STANDIN_DRIVER=0 run -1 --separate-stderr train $options --steps 1 \
        --device cuda -o run
    one_line "train: no NVIDIA driver was found"
    STANDIN_DRIVER=11080 run -1 --separate-stderr train $options --steps 1 \
        --device cuda -o run
    one_line "train: the NVIDIA driver is too old"
    export STANDIN_CARDS=2
    run -2 --separate-stderr train $options --steps 1 --device cuda:7 -o run
    one_line "train: no device cuda:7 (found 2 cards)"
    [ ! -e run ]
}

@test "a plan that a card can't hold is refused before anything is there" {
    export STANDIN_MEMORY=$((66 << 20))
    run -5 --separate-stderr train $options --steps 1 --seq-len 64 \
        --batch 512 --device cuda -o run
    [[ $stderr == *"are free (card 0, of 66 MiB)"* ]]
    [ ! -e run ]
}

# as_bf16 BASE: the run of it and of what quantize makes of it in bf16 are
# the same, and so is what they take.
as_bf16() {
    local of
    quantize -q --format bf16 "$1" | shard -q -o "$1.bf16"
    for of in "$1" "$1.bf16"; do
        train -q $options --base "$of" --compute bf16 --steps 1 --device cuda \
            -o run
        mv run/adapter/adapter_model.safetensors "$of.adapter"
        rm -r run
        train $options --base "$of" --compute bf16 --device cuda --dry-run |
            jq -c '[.arena_bytes, .base_bytes]' >"$of.plan"
    done
    cmp "$1.adapter" "$1.bf16.adapter"
    jq -s '.[0][0] == .[1][0] and .[0][1] < 1.1 * .[1][1]' "$1.plan" \
        "$1.bf16.plan" | grep -x true
}

@test "in bf16 a base of other floats is rounded once, on its way up" {
    quantize -q --format f16 base | shard -q -o half
    as_bf16 base
    as_bf16 half
}

@test "a dry run plans for a card without one, to the byte" {
    STANDIN_WORKSPACE=$((32 << 20)) # as cuBLASLt's
    export STANDIN_WORKSPACE
    quantize -q --format int8 base | shard -q -o small
    for how in '' '--compute bf16' '--base small --compute bf16' \
        '--method full --dropout 0 --compute bf16' '--recompute block' \
        '--offload activations' '--offload activations --recompute block'; do
        train $options $how --dry-run --device cuda |
            jq -c 'del(.used_bytes)' >there
        run -0 --separate-stderr "$GRAFT_BUILD/bin/train" $options $how \
            --dry-run --device cuda
        jq -c . <<<"$output" | cmp there -
        [ "$stderr" = "train: planning for a card that is not here: no \
graft-cuda.so is beside the program (make cuda builds it; or use --device \
cpu)" ]
    done
    STANDIN_CARDS=0 run -0 --separate-stderr train $options --dry-run \
        --device cuda
    [[ $stderr == "train: planning for a card that is not here: no CUDA "* ]]
    [ "${#stderr_lines[@]}" -eq 1 ]
    # what computes wants a card, and a plan the card that is named
    run -1 --separate-stderr "$GRAFT_BUILD/bin/train" $options --steps 1 \
        --device cuda -o run
    run -2 --separate-stderr train $options --dry-run --device cuda:7
    one_line "train: no device cuda:7 (found 1 card)"
    [ ! -e run ]
}

@test "heads that a card's attention has no tiles for are refused early" {
    rm -r base data
    text_base
    jq '.hidden_size = 600' arch.json >wide.json
    initmodel -q -t tok.json -o wide wide.json
    options="$options --base wide"
    said='heads of 300 columns are more than the 256 that attention on cuda'
    for how in '-o run' --dry-run; do
        run -2 --separate-stderr train $options --steps 1 --device cuda $how
        one_line "train: $said"
    done
    run -2 --separate-stderr "$GRAFT_BUILD/bin/train" $options --dry-run \
        --device cuda
    [ "${stderr_lines[-1]}" = "train: $said takes (use --device cpu)" ]
    [ ! -e run ]
    run -2 --separate-stderr evalprompts --base wide --data data --split val \
        --per-record records --device cuda
    one_line "evalprompts: $said"
    [ ! -e records ]
    # what is completed is, from a cache
    for device in cpu cuda; do
        evalprompts -q --base wide --device $device - \
            <<<'{"prompt": "line 3", "max_tokens": 3}' >$device.json
    done
    diff <(jq -c .completion cpu.json) <(jq -c .completion cuda.json)
}

@test "what the driver says was taken is what was planned, and a little" {
    for how in '' '--compute bf16' '--method full --dropout 0'; do
        train $options $how --dry-run --device cuda >plan
        run -0 --separate-stderr train -v $options $how --steps 1 \
            --device cuda -o run
        rm -r run
        [[ $stderr =~ card\ 0,.*:\ ([0-9]+)\ bytes\ taken,\ ([0-9]+)\ planned ]]
        [ "${BASH_REMATCH[2]}" -eq "$(jq .total_bytes plan)" ]
        [ "${BASH_REMATCH[1]}" -le $((BASH_REMATCH[2] + (64 << 20))) ]
        [ $((BASH_REMATCH[1] + 16384)) -ge "${BASH_REMATCH[2]}" ]
    done
}

@test "what others have of a card is seen, and a second run refused" {
    export STANDIN_MEMORY=$((96 << 20)) STANDIN_WORKSPACE=$((1 << 20))
    train $options --dry-run --device cuda | jq -e '.used_bytes == 0'
    STANDIN_USED=$((60 << 20)) train $options --dry-run --device cuda \
        >plan 2>warned
    jq -e '.used_bytes == 60 * 1048576' plan
    grep -E '^train: warning: base: training takes .*; 36 MiB are free' warned
    STANDIN_USED=$((60 << 20)) run -5 --separate-stderr train $options \
        --steps 1 --device cuda -o run
    [[ $stderr == *"; 36 MiB are free (card 0, of 96 MiB)"* ]]
    [ ! -e run ]
    run -0 on_terminal train $options --dry-run --device cuda
    grep -E '^used +0\.0  of the card before' <<<"$output"
}

@test "a base with a NaN ends as it does on the processor" {
    need_plain "it takes minutes"
    python3 "$root/tests/cli/safetensors.py" set base \
        model.layers.0.mlp.up_proj.weight 3 nan
    for device in cpu cuda 'cuda --compute bf16'; do
        run -1 --separate-stderr train -q $options --steps 20 \
            --device $device -o run
        sed 's/^train: warning: .*//;/^$/d' <<<"$stderr" >>said
        rm -r run
    done
    [ "$(sort -u said | wc -l)" -eq 1 ]
    grep -x 'train: step 10: loss or gradient not finite for 10 .*' said
}

@test "a device that is none is named" {
    for device in gpu cuda: cuda:1x cuda:-1 cuda:99999999999999999999; do
        run -2 --separate-stderr train $options --device $device -o run
        one_line "train: bad --device (found '$device', expected auto, cpu"
    done
    [ ! -e run ]
}

@test "a plugin of another graft is not used" {
    mkdir elsewhere
    cp "$GRAFT_BUILD"/standin/train elsewhere
    echo nothing >elsewhere/graft-cuda.so
    run -1 --separate-stderr elsewhere/train $options --steps 1 \
        --device cuda -o run
    [[ $stderr == *graft-cuda.so* ]]
    # one of other structures, one of another version, and one of neither
    cat >plugin.c <<'END'
#include "kernels/plugin.h"
const struct plugin NAME = {
    ABI, sizeof(struct op), sizeof(struct backend), VERSION, 0
};
END
    plugin() {
        ${CC:-cc} -std=c11 -shared -fPIC -I"$root" -I"$root/lib" -DNAME=$1 \
            -DABI="$2" -DVERSION="\"$3\"" plugin.c -o elsewhere/graft-cuda.so
        run -1 --separate-stderr elsewhere/train $options --steps 1 \
            --device cuda -o run
    }
    version=$(train --version | grep -oE '[0-9][^ ]*' | head -n 1)
    plugin graft_plugin 'PLUGIN_ABI - 1' "$version"
    one_line "train: $PWD/elsewhere/graft-cuda.so: made for another graft \
(found version ?, interface "
    plugin graft_plugin PLUGIN_ABI 0.0.0
    one_line "train: $PWD/elsewhere/graft-cuda.so: made for another graft \
(found version 0.0.0, interface "
    plugin another PLUGIN_ABI "$version"
    one_line "train: $PWD/elsewhere/graft-cuda.so: no plugin of graft's"
    # who asks for the best that there is hears of it, and gets the processor
    run -0 --separate-stderr elsewhere/train $options --steps 1 -o auto
    [[ $stderr == *"train: computing on the processor: $PWD/elsewhere/"* ]]
    rm elsewhere/graft-cuda.so
    run -1 --separate-stderr elsewhere/train $options --steps 1 \
        --device cuda -o run
    one_line "train: no graft-cuda.so is beside the program"
}
