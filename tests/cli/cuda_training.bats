# What train has options for, on a card: over the stand-in of tests/standin,
# beside the same on the processor.

load helper
load near

setup() {
    cd "$BATS_TEST_TMPDIR"
    token_base 24
    options="--data data --base base --rank 4 --batch 2 --seq-len 16
        --lr 0.01"
    PATH=$GRAFT_BUILD/standin:$PATH
}

# moments STATE: the names of its tensors and their types.
moments() {
    python3 -c 'import json, struct, sys
f = open(sys.argv[1], "rb")
h = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
print(*(k + ":" + h[k]["dtype"] for k in sorted(h) if k[0] in "mv"))' "$1"
}

# goes_on FILE: cuda and cpu, runs of four steps on either, end on a card from
# their second as cpu did, and the card's own with FILE as it was.
goes_on() {
    for from in cuda cpu; do
        cp -r $from again
        rm -r again/manifest.json again/checkpoints/step-[34]
        train -q $options --steps 4 --device cuda --resume --allow-inexact \
            -o again
        near again cpu 0.0001
        [ $from = cpu ] || cmp {cuda,again}/"$1"
        rm -r again
    done
}

# Matrices of 4096 elements and more have moments in 8 bits.
@test "moments in 8 bits on a card, also of a run that the processor began" {
    sed 's/"hidden_size": 16/"hidden_size": 128/' arch.json >wide.json
    initmodel -q -o wide wide.json
    options=${options/--base base --rank 4/--base wide --rank 32}
    options+=' --optimizer adamw8bit --save-every 1 --keep 99'
    train -q $options --steps 4 --device cpu -o cpu
    train -q $options --steps 4 --device cuda -o cuda
    near cuda cpu 0.0001
    [ "$(moments cuda/checkpoints/step-4/state.safetensors)" = \
        "m:F32 m8:U8 m_scale:F32 v:F32 v8:U8 v_scale:F32" ]
    train -q $options --compute bf16 --steps 4 --device cuda -o bf16
    near bf16 cpu 0.02
    goes_on adapter/adapter_model.safetensors
}

@test "an adapter with DoRA on a card" {
    options+=' --dora --dropout 0.1 --steps 4'
    train -q $options --device cpu -o cpu
    train -q $options --device cuda -o cuda
    near cuda cpu 0.0001
    train -q $options --device cuda --recompute block -o again
    cmp {cuda,again}/adapter/adapter_model.safetensors
    train -q $options --compute bf16 --device cuda -o bf16
    near bf16 cpu 0.02
    for device in cpu cuda; do
        evalprompts -q --base base --adapter cuda --data data --split val \
            --device $device |
            jq -e '.adapter.loss' >$device.loss
    done
    paste cpu.loss cuda.loss |
        awk '{ exit !($1 - $2 < 1e-4 && $2 - $1 < 1e-4) }'
}

@test "a z-loss on a card" {
    options+=' --z-loss 0.01 --steps 4 --batch 4'
    for device in cpu cuda; do
        train -q $options --device $device -o $device
        jq -c '.z_loss // empty' $device/metrics.jsonl >$device.z
    done
    near cuda cpu 0.0001
    paste cuda.z cpu.z | awk '
        { d = $1 - $2; bad = bad || d > 1e-4 * $2 || d < -1e-4 * $2 }
        END { exit bad || NR == 0 }'
}

# Of the embedding, which is the head, too, of both apart, and of one beside
# learned positions.
@test "rows of tokens that are trained on a card" {
    jq '.tie_word_embeddings = true' arch.json >tied.json
    initmodel -q -o tied tied.json
    echo '{"model_type": "gpt2", "vocab_size": 40, "n_embd": 16, "n_layer": 2,
        "n_head": 2, "n_positions": 64}' >gpt2.json
    initmodel -q -o gpt2 gpt2.json
    for case in 'tied 3-5,9' 'base 3-5,lm_head=0-9' 'gpt2 4'; do
        args="${options/--base base/--base ${case% *}}
            --trainable-token-indices ${case#* } --steps 4"
        train -q $args --device cpu -o cpu
        train -q $args --device cuda -o cuda
        near cuda cpu 0.0001
        train -q $args --compute bf16 --device cuda -o bf16
        near bf16 cpu 0.02
        train -q $args --device cuda --recompute block -o again
        cmp {cuda,again}/adapter/adapter_model.safetensors
        rm -r cpu cuda bf16 again
    done
}

# Of matrices that are wide and tall.
@test "Muon on a card, also of a run that the processor began" {
    options="${options/ --rank 4/} --method full --optimizer muon
        --weight-decay 0.1 --save-every 1 --keep 99"
    train -q $options --steps 4 --device cpu -o cpu
    train -q $options --steps 4 --device cuda -o cuda
    near cuda cpu 0.0001
    train -q $options --compute bf16 --steps 4 --device cuda -o bf16
    near bf16 cpu 0.02
    goes_on model/model.safetensors
    for more in "--muon-momentum 0.5" "--muon-adjust-lr original" \
        "--muon-lr-ratio 2"; do
        train -q $options $more --steps 4 --device cpu -o other_cpu
        train -q $options $more --steps 4 --device cuda -o other
        near other other_cpu 0.0001
        run -1 cmp {cuda,other}/model/model.safetensors
        rm -r other other_cpu
    done
}

# times RUN: of its ops, without what takes them, the copies aside.
times() {
    jq -c '.rows | map(select(.op | IN("widen", "stash", "fetch", "wait")
            | not) | [.phase, .op, .runs, .flops, .bytes]) | sort[]' \
        "$1/profile.json"
}

# Accumulating, ops run more often than there are events to time them by.
@test "--profile on a card: every run of every op, and the same bits" {
    options+=' --dropout 0.1 --accum 16 --steps 1 --recompute block'
    train $options --device cpu --profile -o cpu
    train -q $options --device cuda -o plain
    run -0 --separate-stderr train $options --device cuda --profile -o cuda
    printf '%s\n' "$stderr"
    [[ $stderr == *"steps 1 to 1 took "*" s on a card; measured before: "* ]]
    cmp {plain,cuda}/adapter/adapter_model.safetensors
    python3 "$root/tests/validate.py" "$root/schemas/profile.schema.json" \
        cuda/profile.json
    times cpu >expected
    times cuda | diff expected -
    jq -e '(has("threads") | not) and .peak_flops > 0 and .peak_bytes > 0
        and all(.rows[]; .seconds > 0)
        and ((.rows | map(.seconds) | add) / .seconds - 1 | fabs < 1e-6)
        and (.rows | map({(.op): .seconds}) | add
            | .sqnorm > 10 * .clip)' cuda/profile.json
    report -q -o r.html cuda
    python3 "$root/tests/cli/page.py" r.html
    grep -q ' on a card, which does ' r.html
    # copies go beside the ops, which wait for them
    train -q $options --device cuda --profile --offload activations -o waited
    cmp {plain,waited}/adapter/adapter_model.safetensors
    times waited | diff expected -
    jq -e '.rows | map(select(.op | IN("stash", "fetch", "wait")))
        | length == 4 and all(.[]; .runs > 0 and .share_of_peak == null)' \
        waited/profile.json
}

@test "--profile waits for a card once a step, and says when it is lost" {
    for n in 1 4; do
        STANDIN_CALLS=calls train -q $options --steps $n --log-every $n \
            --device cuda --profile -o run
        jq -c '[.waits, .pageable, .allocations]' calls >>told
        rm -r run
    done
    cat told
    jq -s -e '.[1][0] - .[0][0] == 3 and .[0][1:] == .[1][1:]' told
    STANDIN_LOST=4000 run -1 --separate-stderr train -q $options --steps 99 \
        --device cuda --profile -o run
    [[ $stderr == "train: the card: "*cudaErrorLaunchFailure* ]]
}
