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
    for from in cuda cpu; do
        cp -r $from again
        rm -r again/manifest.json again/checkpoints/step-[34]
        train -q $options --steps 4 --device cuda --resume --allow-inexact \
            -o again
        near again cpu 0.0001
        [ $from = cpu ] || cmp {cuda,again}/adapter/adapter_model.safetensors
        rm -r again
    done
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
