# --compute bf16 on a processor: what learns, and to which bits.

load helper

setup() {
    cd "$BATS_TEST_TMPDIR"
    grep -qw avx512_bf16 /proc/cpuinfo ||
        skip "this processor has no AVX512_BF16"
    token_base 60
    options="--data data --base base --batch 2 --seq-len 16 --lr 0.003"
    adapter="--rank 4 --dropout 0.1"
}

# A member of the lines of a run's steps.
steps() {
    jq "select(.loss).$2" "$1/metrics.jsonl"
}

# weights RUN: what it trained.
weights() {
    cat "$1"/{adapter,model}/*.safetensors 2>/dev/null || true
}

# learns OPTION...: 40 steps with the options begin with the gradient of the
# same steps in f32 and go down as they do, with other numbers; and at one, two
# and three threads they end in the same bytes, also where blocks are computed
# anew.
learns() {
    rm -rf wide narrow again
    train -q $options "$@" --steps 40 -o wide
    train -q $options "$@" --steps 40 --compute bf16 --threads 1 -o narrow
    run -1 cmp <(steps wide loss) <(steps narrow loss)
    paste <(steps wide grad_norm) <(steps narrow grad_norm) | awk '
        NR == 1 { d = $2 / $1 - 1; exit d * d > 1e-4 }'
    paste <(steps wide loss) <(steps narrow loss) | awk '
        NR > 20 { f32 += $1; bf16 += $2 }
        END { d = bf16 / f32 - 1; print f32 / 20, bf16 / 20
              exit NR != 40 || d * d > 2.5e-5 || f32 / 20 > 3.63 }'
    for how in '--threads 2' '--threads 3 --recompute block' \
        '--recompute attention'; do
        rm -rf again
        train -q $options "$@" --steps 40 --compute bf16 $how -o again
        cmp <(weights narrow) <(weights again)
    done
}

@test "in bf16 an adapter learns what it learns in f32" {
    learns $adapter
    learns --rank 40
    learns $adapter --dora
}

@test "in bf16 an adapter on a quantised base learns what it learns in f32" {
    for format in int8 nf4 bf16; do
        quantize -q --format $format base | shard -q -o small
        learns $adapter --base small
        rm -r small
    done
}

@test "in bf16 all weights learn what they learn in f32" {
    learns --method full
    [ "$(weights narrow | wc -c)" -gt 4000 ]
}

@test "in bf16 experts and scans learn what they learn in f32" {
    jq '. + {model_type: "mixtral", num_local_experts: 4}' arch.json >moe.json
    cat >scan.json <<'EOF'
{"model_type": "mamba", "vocab_size": 40, "hidden_size": 24,
 "num_hidden_layers": 2, "state_size": 5, "intermediate_size": 48,
 "time_step_rank": 3}
EOF
    jq '.model_type = "mamba2" | .num_heads = 6 | .head_dim = 8 |
        .n_groups = 2 | del(.intermediate_size, .time_step_rank)' \
        scan.json >ssd.json
    jq '. + {model_type: "qwen2_moe", num_experts: 4, num_experts_per_tok: 2,
        moe_intermediate_size: 24, shared_expert_intermediate_size: 24}' \
        arch.json >shared.json
    for arch in moe shared scan ssd; do
        initmodel -q -o $arch $arch.json
        learns --base $arch --method full
    done
}

@test "in bf16 a run that goes on from a checkpoint is the run that did not" {
    options+=" $adapter -q --compute bf16 --steps 12 --save-every 5 --keep 9"
    train $options -o whole
    cp -r whole part
    rm -r part/manifest.json part/checkpoints/step-1[02]
    train $options --resume -o part
    cmp <(weights whole) <(weights part)
    [ "$(weights whole | wc -c)" -gt 1000 ]
}

# bytes MEMBER OPTION...: of the plan.
bytes() {
    train -q $options --dry-run "${@:2}" | jq ".$1"
}

@test "in bf16 activations wait for the backward in half the memory" {
    jq '. + {hidden_size: 96, intermediate_size: 256, num_hidden_layers: 9}' \
        arch.json >deep.json
    initmodel -q -o deep deep.json
    options="--data data --base deep --batch 64 --seq-len 64 --rank 4
        --threads 1"
    wide=$(bytes arena_bytes)
    narrow=$(bytes arena_bytes --compute bf16)
    [ $((narrow * 100)) -lt $((wide * 62)) ]
    for how in attention block; do
        [ "$(bytes arena_bytes --compute bf16 --recompute $how)" -lt \
            "$(bytes arena_bytes --recompute $how)" ]
    done
    train -q $options --steps 2 --compute bf16 -o run
    plan=$(bytes total_bytes --compute bf16)
    need_plain "a sanitizer's own memory is in the peak"
    jq -se --argjson plan "$plan" \
        'map(.peak_bytes) | max <= $plan + 67108864' run/metrics.jsonl
}

@test "in bf16 a record's loss doesn't depend on what is beside it" {
    text_base
    train -q --data data --base base --seq-len 32 --steps 20 --lr 0.02 \
        --rank 4 --compute bf16 -o run
    score="evalprompts -q --no-prov --base base --adapter run --data data
        --split test"
    $score --compute bf16 --batch 1 --threads 1 --per-record one >summary
    $score --compute bf16 --batch 5 --threads 3 --per-record five
    cmp one five
    $score >wide
    jq -se '.[0].adapter.loss / .[1].adapter.loss - 1 |
        . != 0 and fabs < 0.01' summary wide
    jq -e '.difference.loss < 0' summary
    generate -q --base base --adapter run --compute bf16 --max-tokens 5 \
        --temperature 1 -p 'line 3' >said
    [ -s said ]
}
