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
