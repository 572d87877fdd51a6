# Models whose layers are scans on a card: over the stand-in of tests/standin,
# beside the same on the processor.

load helper
load near

setup() {
    cd "$BATS_TEST_TMPDIR"
    options="--data data --base base --batch 2 --seq-len 72 --lr 0.01
        --log-every 1"
    PATH=$GRAFT_BUILD/standin:$PATH
}

# scans TYPE: in arch.json's place, a model of as many tokens whose layers are
# scans; of jamba every other one, of experts, and the others are of attention;
# of mamba2 in groups of heads, whose numbers are more than a square's 64.
scans() {
    local more='{state_size: 5, time_step_rank: 3, intermediate_size: 48}'
    [ $1 != mamba2 ] || more='{state_size: 70, num_heads: 6, head_dim: 8,
        n_groups: 2}'
    [ $1 != jamba ] || more='{mamba_d_state: 5, mamba_dt_rank: 3,
        intermediate_size: 48,
        num_attention_heads: 2, num_key_value_heads: 1,
        attn_layer_period: 2, attn_layer_offset: 1, expert_layer_period: 2,
        expert_layer_offset: 0, num_experts: 3, num_experts_per_tok: 2,
        max_position_embeddings: 512}'
    jq "{model_type: \"$1\", vocab_size, hidden_size: 24,
        num_hidden_layers: 2} + $more" \
        arch.json >scan.json
    rm -rf base
    initmodel -q "${@:2}" -o base scan.json
}

@test "scans on a card have the processor's losses" {
    token_base 24
    for type in mamba mamba2 jamba; do
        scans $type
        for device in cpu cuda; do
            train -q $options --rank 4 --steps 4 --device $device -o $device
        done
        near cuda cpu 0.0001
        train -q $options --rank 4 --steps 4 --device cuda \
            --recompute block -o again
        cmp {cuda,again}/adapter/adapter_model.safetensors
        rm -r cpu cuda again
    done
}

@test "scans on a card in bf16, of an int8 base, and trained whole" {
    need_plain "it takes minutes"
    token_base 24
    for type in mamba mamba2 jamba; do
        scans $type
        quantize -q --format int8 base | shard -q -o small
        for how in '--rank 4 --compute bf16' '--rank 4 --base small' \
            '--method full' '--method full --compute bf16'; do
            share=0.0001
            [[ $how != *bf16* ]] || share=0.02
            train -q $options $how --compute f32 --steps 4 --device cpu -o cpu
            train -q $options $how --steps 4 --device cuda -o cuda
            near cuda cpu $share
            rm -r cpu cuda
        done
        rm -r small
    done
}

@test "a plan counts what scans take of a card, and a run takes no more" {
    token_base 24
    for type in mamba mamba2 jamba; do
        scans $type
        for how in '--rank 4' '--method full --compute bf16'; do
            train $options $how --dry-run --device cuda >plan
            run -0 --separate-stderr train -v $options $how --steps 1 \
                --device cuda -o run
            rm -r run
            [[ $stderr =~ :\ ([0-9]+)\ bytes\ taken,\ ([0-9]+)\ planned ]]
            [ "${BASH_REMATCH[2]}" -eq "$(jq .total_bytes plan)" ]
            [ "${BASH_REMATCH[1]}" -le $((BASH_REMATCH[2] + (64 << 20))) ]
        done
    done
}

@test "a card evaluates scans and completes prompts as the processor does" {
    text_base
    for type in mamba mamba2 jamba; do
        scans $type -t tok.json
        for i in 1 2 8 70; do
            jq -nc --arg text "$(seq -s ' ' 50 $((49 + i)))" \
                '{prompt: $text, max_tokens: 5}'
        done >prompts
        for device in cpu cuda; do
            evalprompts -q --base base --device $device prompts |
                jq -c '.completion // empty' >$device.said
            evalprompts -q --base base --data data --split test \
                --device $device >$device.json
        done
        cmp cpu.said cuda.said
        [ "$(wc -l <cpu.said)" -eq 4 ]
        jq -es '.[0].base.loss as $x | .[1].base.loss as $y
            | ($x - $y) | fabs < 0.0001 * $x' cpu.json cuda.json
    done
}
