# A mixture of experts on a card: over the stand-in of tests/standin, beside
# the same on the processor.

load helper
load near

setup() {
    cd "$BATS_TEST_TMPDIR"
    options="--data data --base base --batch 2 --seq-len 16 --lr 0.01
        --log-every 1"
    PATH=$GRAFT_BUILD/standin:$PATH
}

# experts TYPE: base, of arch.json but with experts.
experts() {
    jq --arg type "$1" '. + {model_type: $type, num_experts_per_tok: 2,
        num_local_experts: 4, num_experts: 4, moe_intermediate_size: 8,
        shared_expert_intermediate_size: 12, output_router_logits: true,
        router_aux_loss_coef: 0.5} | if $type == "mixtral"
        then del(.num_experts, .moe_intermediate_size,
            .shared_expert_intermediate_size)
        else del(.num_local_experts) + {mlp_only_layers: [1]} end' \
        arch.json >experts.json
    rm -rf base
    initmodel -q "${@:2}" -o base experts.json
}

# balanced A B: what balances the experts is told alike.
balanced() {
    paste <(jq '.router_aux_loss // empty' "$1/metrics.jsonl") \
        <(jq '.router_aux_loss // empty' "$2/metrics.jsonl") | awk '
        { d = $1 - $2; if (NF != 2 || d * d > 1e-10) { print "# " $0; bad = 1 }
        } END { exit bad || !NR }'
}

@test "a mixture of experts on a card has the processor's losses" {
    token_base 24
    for type in mixtral qwen2_moe; do
        experts $type
        options=${options/ --targets*/}
        # PEFT's names for experts that transformers keeps together
        [ $type = mixtral ] ||
            options+=" --targets experts.gate_up_proj,experts.down_proj"
        for device in cpu cuda; do
            train -q $options --rank 4 --steps 4 --device $device -o $device
        done
        near cuda cpu 0.0001
        balanced cuda cpu
        train -q $options --rank 4 --steps 4 --device cuda \
            --recompute block -o again
        cmp {cuda,again}/adapter/adapter_model.safetensors
        rm -r cpu cuda again
    done
}

@test "experts on a card in bf16, from stored formats, and trained whole" {
    need_plain "it takes minutes"
    token_base 24
    for type in mixtral qwen2_moe; do
        experts $type
        for format in int8 nf4; do
            quantize -q --format $format base | shard -q -o $format.$type
        done
        for how in '--compute bf16' "--base int8.$type --rank 40" \
            "--base nf4.$type --compute bf16" '--method full' \
            '--method full --compute bf16 --offload activations'; do
            share=0.0001
            [[ $how != *bf16* ]] || share=0.02
            cpu=${how/--offload activations/}
            train -q $options ${cpu/--compute bf16/} --compute f32 --steps 3 \
                --device cpu -o cpu
            train -q $options $how --steps 3 --device cuda -o cuda
            near cuda cpu $share
            [ $share = 0.02 ] || balanced cuda cpu
            rm -r cpu cuda
        done
    done
}

@test "experts on a card are evaluated, and prompts are completed" {
    text_base
    jq '.max_position_embeddings = 128' arch.json >long.json
    mv long.json arch.json
    # of 1 to 12 words: as many rows, and tiles of them
    for i in 1 2 12; do
        jq -nc --arg text "$(seq -s ' ' 50 $((49 + i)))" \
            '{prompt: $text, max_tokens: 3}'
    done >prompts
    for type in mixtral qwen2_moe; do
        experts $type -t tok.json
        train -q $options --lr 0.05 --steps 3 --device cpu -o run
        for device in cpu cuda; do
            evalprompts -q --base base --adapter run --device $device \
                --data data --split test --seq-len 16 prompts >$device.jsonl
            grep completion $device.jsonl >$device.said
        done
        cmp cpu.said cuda.said
        [ "$(wc -l <cpu.said)" -eq 6 ]
        for of in base adapter; do
            tail -qn 1 cpu.jsonl cuda.jsonl | jq -es --arg of $of 'map(.[$of]
                | .loss) | (.[0] - .[1] | fabs) < 0.0001 * .[0]'
        done
        rm -r run
    done
}

@test "a dry run plans experts for a card without one, to the byte" {
    export STANDIN_WORKSPACE=$((32 << 20)) # as cuBLASLt's
    token_base 24
    for type in mixtral qwen2_moe; do
        experts $type
        quantize -q --format int8 base | shard -q -o $type
        for how in '' "--base $type --compute bf16" '--method full' \
            '--offload activations --recompute block'; do
            train $options $how --dry-run --device cuda |
                jq -c 'del(.used_bytes)' >there
            "$GRAFT_BUILD/bin/train" $options $how --dry-run --device cuda |
                jq -c . >here
            cmp here there
        done
    done
}
