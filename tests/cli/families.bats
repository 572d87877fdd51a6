# families: what graft-bases(7) says of each family is so, by the programs.

load helper

# sizes TYPE: the architecture of a tiny model of that type.
sizes() {
    case $1 in
    gpt2 | gpt_bigcode) echo '"n_embd": 16, "n_layer": 2, "n_head": 2,
        "n_positions": 64' ;;
    mamba) echo '"hidden_size": 16, "num_hidden_layers": 2' ;;
    qwen2_moe) echo '"hidden_size": 16, "intermediate_size": 24,
        "num_hidden_layers": 3, "num_attention_heads": 2,
        "num_key_value_heads": 1, "max_position_embeddings": 64,
        "num_experts": 4, "num_experts_per_tok": 2,
        "moe_intermediate_size": 16, "mlp_only_layers": [1],
        "shared_expert_intermediate_size": 24' ;;
    phi3) echo '"hidden_size": 16, "intermediate_size": 24,
        "num_hidden_layers": 2, "num_attention_heads": 2,
        "num_key_value_heads": 1, "pad_token_id": null' ;;
    qwen3_moe) echo '"hidden_size": 16, "intermediate_size": 24,
        "num_hidden_layers": 3, "num_attention_heads": 2,
        "num_key_value_heads": 1, "max_position_embeddings": 64,
        "num_experts": 4, "num_experts_per_tok": 2,
        "moe_intermediate_size": 16, "mlp_only_layers": [1]' ;;
    mamba2) echo '"hidden_size": 16, "num_hidden_layers": 2, "num_heads": 4,
        "head_dim": 8, "n_groups": 2' ;;
    jamba) echo '"hidden_size": 16, "intermediate_size": 24,
        "num_hidden_layers": 2, "num_attention_heads": 2,
        "num_key_value_heads": 1, "max_position_embeddings": 64,
        "attn_layer_period": 2, "attn_layer_offset": 1, "num_experts": 1' ;;
    *) echo '"hidden_size": 16, "intermediate_size": 24,
        "num_hidden_layers": 2, "num_attention_heads": 2,
        "num_key_value_heads": 1, "max_position_embeddings": 64' ;;
    esac
}

# steps RUN OPTION...: trains for two steps.
steps() {
    train -q --data data -o "$@" --steps 2 --batch 1 --seq-len 32 --lr 0.01 \
        --threads 1
}

# done_all TYPE: "yes" for each column of the page that the programs do.
done_all() {
    local type=$1 column
    rm -rf base run full small small_run
    echo "{\"model_type\": \"$type\", \"vocab_size\": 300, $(sizes "$type")}" \
        >arch.json
    initmodel -q -t tok.json -o base arch.json || return
    for column in full lora quantised evaluate generate; do
        if "do_$column"; then echo yes; else echo no; fi
    done
}

do_full() {
    steps full --base base --method full &&
        [ -s full/model/model.safetensors ]
}

do_lora() {
    steps run --base base && [ -s run/adapter/adapter_model.safetensors ]
}

do_quantised() {
    for format in int8 int8_row nf4; do
        rm -rf small small_run
        quantize -q --format $format base | shard -q -o small &&
            steps small_run --base small || return
    done
}

do_evaluate() {
    evalprompts -q --base base --adapter run --data data --seq-len 32 |
        jq -e '.base.loss > 0 and .adapter.loss > 0' >/dev/null
}

do_generate() {
    local with
    for with in '' '--adapter run'; do
        # shellcheck disable=SC2086
        generate -q --base base $with --max-tokens 3 -p 'line 1' >said ||
            return
    done
}

@test "every family does what its row of graft-bases(7) says" {
    text_base
    rm -rf base
    page=$root/man/man7/graft-bases.7
    echo '{"model_type": ""}' >file
    run -4 --separate-stderr initmodel -o x file
    names=${stderr##*' (expected one of '}
    for type in $(tr -d ',)' <<<"$names"); do
        row=$(sed -n "s/^\.It Cm $type Ta //p" "$page")
        [ "$row" = "$(done_all "$type" 2>err | paste -sd ' ' |
            sed 's/ / Ta /g')" ] || { echo "$type: $row"; cat err; false; }
    done
}
