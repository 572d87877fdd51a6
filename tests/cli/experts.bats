# experts: what is refused of a mixture of experts, and that it trains.

load helper

edit() { python3 "$BATS_TEST_DIRNAME/safetensors.py" "$@"; }

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    cat >arch.json <<'JSON'
{"model_type": "mixtral", "vocab_size": 40, "hidden_size": 16,
 "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4,
 "num_key_value_heads": 2, "max_position_embeddings": 32,
 "num_local_experts": 4, "output_router_logits": true,
 "router_aux_loss_coef": 0.5}
JSON
    for i in {1..20}; do
        jq -cn --argjson i $i '{ids: [range(24) | (. * $i + 3) % 40]}'
    done | fromjsonl | shard -q -o data
}

# with JQ: bad.json is that of the architecture.
with() {
    jq "$1" arch.json >bad.json
    run -4 --separate-stderr initmodel -q -o none bad.json
    [ ! -e none ]
}

@test "experts that can't be chosen are refused by the name of their key" {
    with '.num_local_experts = 0'
    one_line "initmodel: bad.json: num_local_experts (found 0, expected "
    with '.num_experts_per_tok = 5'
    one_line "initmodel: bad.json: num_experts_per_tok (found 5, expected at \
most the 4 experts that there are)"
    with '.num_experts_per_tok = 0'
    one_line "initmodel: bad.json: num_experts_per_tok (found 0, expected "
    with '.router_jitter_noise = 0.1'
    one_line "initmodel: bad.json: router_jitter_noise (found 0.1, expected "
}

@test "a router with a value that is not finite is refused" {
    initmodel -q -o base arch.json
    edit set base model.layers.1.block_sparse_moe.gate.weight 3 nan
    run -4 --separate-stderr train -q --data data --base base -o run \
        --steps 1 --batch 1 --seq-len 32 --lr 0.01
    [[ $stderr == *"tensor model.layers.1.block_sparse_moe.gate.weight: a \
router with a value that is not finite"* ]]
    [ ! -e run ]
}

@test "what balances the experts is told beside the loss" {
    initmodel -q -o base arch.json
    train -q --data data --base base -o run --method full --steps 30 \
        --batch 2 --seq-len 32 --lr 0.01 --log-every 1
    # 0.5 times 2, the experts of a token, where all have as many, at least
    jq -es '[.[] | select(.loss) | .router_aux_loss]
        | length == 30 and all(. > 0.999 and . < 2)' run/metrics.jsonl
    jq '.output_router_logits = false' base/config.json >c
    mv c base/config.json
    train -q --data data --base base -o plain --method full --steps 1 \
        --batch 2 --seq-len 32 --lr 0.01 --log-every 1
    jq -es 'all(has("router_aux_loss") | not)' plain/metrics.jsonl
}

shared_arch() {
    cat >arch.json <<'JSON'
{"model_type": "qwen2_moe", "vocab_size": 40, "hidden_size": 16,
 "intermediate_size": 24, "num_hidden_layers": 3, "num_attention_heads": 4,
 "num_key_value_heads": 2, "max_position_embeddings": 32, "num_experts": 4,
 "num_experts_per_tok": 2, "moe_intermediate_size": 8,
 "shared_expert_intermediate_size": 12, "mlp_only_layers": [1],
 "output_router_logits": true, "router_aux_loss_coef": 0.5}
JSON
}

@test "an expert for all tokens is refused by the name of its key" {
    shared_arch
    with '.shared_expert_intermediate_size = 0'
    one_line "initmodel: bad.json: shared_expert_intermediate_size (found 0, "
    with '.num_experts = 0'
    one_line "initmodel: bad.json: num_experts (found 0, expected "
    with '.num_experts_per_tok = 5'
    one_line "initmodel: bad.json: num_experts_per_tok (found 5, expected at \
most the 4 experts that there are)"
    with '.mlp_only_layers = [3]'
    one_line "initmodel: bad.json: mlp_only_layers (found 3, expected layers \
from 0 to 2)"
    with '.mlp_only_layers = [0, 1, 2]'
    one_line "initmodel: bad.json: output_router_logits (found true, and no \
layer has experts)"
}

@test "with an expert for all tokens training has one result" {
    shared_arch
    initmodel -q -o base arch.json
    for threads in 1 2; do
        train -q --data data --base base -o full$threads --method full \
            --steps 8 --batch 2 --seq-len 32 --lr 0.01 --log-every 1 \
            --threads $threads
        train -q --data data --base base -o lora$threads --rank 2 --steps 4 \
            --batch 2 --seq-len 32 --lr 0.01 --threads $threads
    done
    jq -es '[.[] | select(.loss) | .router_aux_loss]
        | length == 8 and all(. > 0.999 and . < 2)' full1/metrics.jsonl
    cmp full1/model/model.safetensors full2/model/model.safetensors
    cmp lora1/adapter/adapter_model.safetensors \
        lora2/adapter/adapter_model.safetensors
    head -c 20000 lora1/adapter/adapter_model.safetensors | tr -cs \
        'a-zA-Z0-9_.' '\n' | grep -o 'layers.*lora_A' | sed 's/.lora_A//' |
        sort >names
    for layer in 0 2; do
        for at in gate_proj up_proj down_proj; do
            grep -qx "layers.$layer.mlp.shared_expert.$at" names
        done
        grep -qx "layers.$layer.mlp.shared_expert_gate" names
    done
    grep -qx layers.1.mlp.gate_proj names
    # of attention in three layers, those of two layers, those of one
    [ "$(wc -l <names)" -eq $((3 * 4 + 2 * 4 + 3)) ]
    run -2 --separate-stderr train -q --data data --base base -o no --steps 1 \
        --batch 1 --seq-len 32 --lr 0.01 --targets mlp.gate
    one_line "train: target 'mlp.gate' is no linear module of a qwen2_moe layer"
}

# by_parameters TARGETS N: an adapter of these and of experts is read again,
# added, merged and computed with as it was made; N modules of it are no
# expert's.
by_parameters() {
    local parameters='["experts.down_proj", "experts.gate_up_proj"]'
    rm -rf base run again four five sum by_*
    initmodel -q -o base arch.json
    train -q --data data --base base -o run --rank 2 --steps 4 --batch 2 \
        --seq-len 32 --lr 0.05 --targets "$1" \
        --targets experts.gate_up_proj,experts.down_proj
    jq -e --arg targets "$1" '.target_modules == ($targets | split(","))
        and .target_parameters == '"$parameters"'
        and .rank_pattern == {"experts.gate_up_proj": 4}
        and .alpha_pattern["experts.gate_up_proj"] == 2 * .lora_alpha' \
        run/adapter/adapter_config.json
    # read again, it is what it was
    exportadapter -q --base base -o again run
    cmp run/adapter/adapter_config.json again/adapter_config.json
    cmp run/adapter/adapter_model.safetensors again/adapter_model.safetensors
    # as it was made with transformers 4
    cp -r run/adapter four
    jq '.target_modules += ["gate_proj", "up_proj", "down_proj"]
        | del(.target_parameters, .rank_pattern, .alpha_pattern)' \
        run/adapter/adapter_config.json >four/adapter_config.json
    for adapter in run four; do
        merge -q --no-prov --base base --adapter $adapter -o by_$adapter
    done
    cmp by_run/model.safetensors by_four/model.safetensors
    exportadapter -q --base base -o five four four
    jq -e '.target_parameters == '"$parameters"'
        and .rank_pattern == {"experts.gate_up_proj": 8}' \
        five/adapter_config.json
    exportadapter -q --base base -o sum run run=0.5
    jq -e --argjson n "$2" '(.target_modules | length) == $n
        and .rank_pattern == {"experts.gate_up_proj": 8}' \
        sum/adapter_config.json
    for adapter in run/adapter sum four; do
        rm -rf out
        merge -q --base base --adapter $adapter -o out
        run -1 cmp -s base/model.safetensors out/model.safetensors
        [ -x "${PEERS:-}/bin/python" ] || continue
        [[ $adapter != four || ${3:-} = converts ]] || continue
        "$PEERS/bin/python" "$root/tests/peft/merged.py" base $adapter out
    done
}

@test "experts get adapters by the names of their parameters, as in PEFT" {
    export PYTHONDONTWRITEBYTECODE=1
    shared_arch
    by_parameters q_proj,shared_expert_gate 5
    jq '.model_type = "qwen3_moe" | del(.shared_expert_intermediate_size)' \
        arch.json >without
    mv without arch.json
    by_parameters q_proj 3 converts
    [ -x "${PEERS:-}/bin/python" ] || skip "PEERS names no Python"
}
