# initmodel: architectures to model directories.

load helper

setup() {
    cd "$BATS_TEST_TMPDIR"
    cat >llama.json <<'EOF'
{"model_type": "llama", "vocab_size": 40, "hidden_size": 16,
 "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4,
 "num_key_value_heads": 2, "max_position_embeddings": 32}
EOF
}

# Refused with status $1 and one line that holds $2; nothing is left.
refused() {
    local status_wanted=$1 part=$2
    shift 2
    run --separate-stderr initmodel "$@"
    [ "$status" -eq "$status_wanted" ]
    [ "${#stderr_lines[@]}" -eq 1 ]
    [[ $stderr == *"$part"* ]]
    [ -z "$output" ]
    [ -z "$(find . -name '*.tmp.*')" ]
}

@test "initmodel prints help and version" {
    run -0 --separate-stderr initmodel --help
    [[ $output == *--tokenizer* ]]
    run -0 initmodel --version
    [[ $output == *initmodel* ]]
}

@test "initmodel makes a directory and leaves it alone the second time" {
    initmodel -q -o base llama.json
    [ "$(ls base)" = "config.json
model.safetensors" ]
    jq -e '.architectures == ["LlamaForCausalLM"] and .vocab_size == 40
           and .torch_dtype == "float32" and .eos_token_id == null' \
        base/config.json
    before=$(stat -c '%i %y' base base/*)
    initmodel -q -o base llama.json
    [ "$(stat -c '%i %y' base base/*)" = "$before" ]
    refused 6 "base: exists" --seed 1 -o base llama.json
    [ "$(stat -c '%i %y' base base/*)" = "$before" ]
}

@test "initmodel makes the same bytes of the same seed" {
    initmodel -q --seed 7 -o a llama.json
    initmodel -q --seed 7 -o b llama.json
    initmodel -q --seed 8 -o c llama.json
    cmp a/model.safetensors b/model.safetensors
    run ! cmp -s a/model.safetensors c/model.safetensors
}

@test "initmodel writes the type that dtype names" {
    jq '.dtype = "bfloat16"' llama.json >half.json
    initmodel -q -o whole llama.json
    initmodel -q -o half half.json
    head -c 3000 half/model.safetensors | grep -aq '"BF16"'
    [ "$(stat -c %s half/model.safetensors)" -lt \
      "$(stat -c %s whole/model.safetensors)" ]
}

@test "initmodel takes the vocabulary's size from the tokenizer" {
    cat >tokenizer.json <<'EOF'
{"added_tokens": [{"id": 5, "content": "<|endoftext|>"}],
 "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "c": 4}, "merges": []}}
EOF
    jq 'del(.vocab_size)' llama.json >open.json
    initmodel -q -t tokenizer.json -o base open.json
    cmp tokenizer.json base/tokenizer.json
    jq -e '.vocab_size == 6 and .eos_token_id == 5 and .bos_token_id == 5' \
        base/config.json
    jq -e '.eos_token == "<|endoftext|>"' base/tokenizer_config.json
    initmodel -q -t tokenizer.json -o padded llama.json
    jq -e '.vocab_size == 40' padded/config.json
    jq '.vocab_size = 5' llama.json >small.json
    refused 4 "vocab_size is 5, the tokenizer needs 6" \
        -t tokenizer.json -o x small.json
    jq -c '.model.vocab.c = -1' tokenizer.json >bad.json
    refused 4 "bad.json: byte" -t bad.json -o x open.json
    echo '{}' >bad.json
    refused 4 "bad.json: holds no vocabulary" -t bad.json -o x open.json
    [ ! -e x ]
}

@test "initmodel refuses keys that would be ignored, naming the nearest" {
    jq '.hiden_size = 8' llama.json >bad.json
    refused 4 'no key "hiden_size" (the nearest is "hidden_size")' \
        -o x bad.json
    jq '.n_embd = 8' llama.json >bad.json
    refused 4 'llama models have no key "n_embd"' -o x bad.json
    jq '.model_type = "bloom"' llama.json >bad.json
    refused 4 'unknown model_type "bloom"' -o x bad.json
    jq 'del(.model_type)' llama.json >bad.json
    refused 4 "has no model_type" -o x bad.json
}

@test "initmodel refuses sizes that don't fit together" {
    jq '.num_attention_heads = 3' llama.json >bad.json
    refused 4 "bad.json: " -o x bad.json
    jq '.hidden_size = 1e12' llama.json >bad.json
    refused 4 "bad.json: " -o x bad.json
    jq '.dtype = "int8"' llama.json >bad.json
    refused 4 "expected float32, bfloat16 or float16" -o x bad.json
}

@test "initmodel refuses what is no architecture" {
    : >empty.json
    refused 4 "empty.json: " -o x empty.json
    head -c 50 llama.json >cut.json
    refused 4 "cut.json: " -o x cut.json
    refused 1 "none.json: No such file" -o x none.json
    refused 2 "is a directory" -o x .
}

@test "initmodel refuses wrong use" {
    refused 2 "--output is missing" llama.json
    refused 2 "ARCH.json" -o x
    refused 2 "seed" --seed -1 -o x llama.json
    refused 1 "/dev/full/x" -o /dev/full/x llama.json
}

@test "initmodel says how large a model is, and makes nothing" {
    initmodel --dry-run llama.json >size
    [ "$(wc -l <size)" -eq 1 ]
    jq -e '.model_type == "llama" and .parameters == 5200
        and .token_parameters == 1280 and .layers == 2 and .vocab_size == 40
        and .bytes == 20800 and .training_bytes == 83200' size
    initmodel -q -o base llama.json
    jq -r '.parameters' size |
        cmp - <(tojsonl base | jq -s 'map(select(.shape) | .shape
            | reduce .[] as $n (1; . * $n)) | add')
    jq '.tie_word_embeddings = true | .dtype = "bfloat16"' llama.json >tied.json
    initmodel --dry-run -o none tied.json |
        jq -e '.parameters == 4560 and .token_parameters == 640
            and .bytes == 9120'
    [ ! -e none ]
    run -0 --separate-stderr on_terminal initmodel --dry-run llama.json
    [[ $output =~ ^'parameters '\ +'5200'$'\n' ]]
    refused 2 "--output is missing" llama.json
    jq '.num_attention_heads = 3' llama.json >bad.json
    refused 4 "bad.json: " --dry-run bad.json
    run -1 bash -c 'initmodel --dry-run llama.json >/dev/full'
}

# By hand: embedding 32768 d, which is the head; a layer 2 d d + 2 d k (the
# keys of k numbers) + 3 d f + 2 d; d of the last norm. Of mamba, with e = 2 d,
# r = d / 16 and 16 states, a layer 2 d e + 5 e + e (r + 32) + r e + e + 16 e +
# e + e d + d. Of hybrid, m layers of those, with norms of r and twice 16, and a
# of attention, each with 3 d f + 2 d. Of moe, a layer that of dense with 8
# times 3 d f, and 8 d.
@test "the architectures of pipelines are as large as they are called" {
    for row in dense-nano,1311872 dense-tiny,137113344 \
        dense-small,349234176 dense-medium,755062272 \
        dense-large,1010911232 dense-xlarge,1501693952 \
        mamba-nano,1457280 mamba-tiny,138316032 mamba-small,353584128 \
        mamba-medium,766305792 mamba-large,1019013120 \
        mamba-xlarge,1494964224 \
        hybrid-nano,1317368 hybrid-tiny,138075840 \
        hybrid-small,348633792 hybrid-medium,757700352 \
        hybrid-large,1019535712 hybrid-xlarge,1499596064 \
        moe-nano,1512576 moe-tiny,139522560 moe-small,352445184 \
        moe-medium,746791936 moe-large,1002685440 moe-xlarge,1505015040; do
        size=$(initmodel --dry-run \
            "$root/pipelines/configs/scratch/${row%,*}.json")
        [ "$(jq .parameters <<<"$size")" -eq "${row#*,}" ]
        [[ $row == *-nano,* ]] || [ "$(jq .vocab_size <<<"$size")" -eq 32768 ]
        sizes=${sizes:-0}+1
    done
    # none is forgotten, each size has its run files, and these are such
    [ $((sizes)) -eq "$(ls "$root"/pipelines/configs/scratch/*-*.json |
        grep -vc '/stage')" ]
    for file in "$root"/pipelines/configs/scratch/*-*.json; do
        name=$(basename "$file" .json)
        case $name in
        stage?-*) train --config "$file" --print-config >options
            jq -e '.method == "full" and .["seq-len"] <= 2048' options ;;
        *) [ -f "${file%/*}/stage1-${name##*-}.json" ]
            [ -f "${file%/*}/stage2-${name##*-}.json" ] ;;
        esac
    done
}

@test "transformers loads what initmodel makes, no key missing or left over" {
    [ -x "${PEERS:-}/bin/python" ] || skip "PEERS names no Python with torch"
    export PYTHONDONTWRITEBYTECODE=1
    small='"vocab_size": 40, "eos_token_id": 0, "bos_token_id": 0'
    sizes='"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
           "num_attention_heads": 4, "num_key_value_heads": 2'
    echo "{\"model_type\": \"gpt2\", $small, \"n_embd\": 16, \"n_layer\": 2,
           \"n_head\": 4, \"n_positions\": 32}" >gpt2.json
    types='mistral qwen2 qwen3 granite olmo2 gemma gemma3_text starcoder2 phi
        phi3 jamba mixtral qwen2_moe qwen3_moe'
    echo "{\"model_type\": \"mamba\", $small, \"hidden_size\": 16,
           \"num_hidden_layers\": 2}" >mamba.json
    jq '.model_type = "mamba2" | .num_heads = 4 | .head_dim = 8 |
        .n_groups = 2' mamba.json >mamba2.json
    for type in $types; do
        echo "{\"model_type\": \"$type\", $small, $sizes}" >$type.json
    done
    jq '.pad_token_id = null' phi3.json >unpadded.json
    mv unpadded.json phi3.json
    jq '.attn_layer_period = 2 | .attn_layer_offset = 1 | .num_experts = 3' \
        jamba.json >hybrid.json
    mv hybrid.json jamba.json
    jq '.num_experts = 4 | .num_experts_per_tok = 3 | .mlp_only_layers = [1]
        | .moe_intermediate_size = 8 | .shared_expert_intermediate_size = 12' \
        qwen2_moe.json >sparse.json
    mv sparse.json qwen2_moe.json
    jq '.model_type = "qwen3_moe" | del(.shared_expert_intermediate_size)' \
        qwen2_moe.json >qwen3_moe.json
    jq '.tie_word_embeddings = true' qwen2.json >tied.json
    jq '.tie_word_embeddings = true' phi.json >tied_phi.json
    jq '.model_type = "gpt_bigcode"' gpt2.json >gpt_bigcode.json
    for type in llama gpt2 gpt_bigcode $types mamba mamba2 tied tied_phi; do
        initmodel -q -o $type $type.json
    done
    "$PEERS/bin/python" "$BATS_TEST_DIRNAME/../peft/base.py" \
        llama gpt2 gpt_bigcode $types mamba mamba2 tied tied_phi
}

@test "--scaled-residual is another model, of gpt2 the same" {
    echo '{"model_type": "llama", "vocab_size": 40, "hidden_size": 16,
        "intermediate_size": 24, "num_hidden_layers": 2,
        "num_attention_heads": 2}' >llama.json
    echo '{"model_type": "gpt2", "vocab_size": 40, "n_embd": 16, "n_layer": 2,
        "n_head": 2}' >gpt2.json
    for type in llama gpt2; do
        initmodel -q -o $type $type.json
        initmodel -q --scaled-residual -o $type-scaled $type.json
    done
    run -6 initmodel -q --scaled-residual -o llama llama.json
    run -1 cmp llama/model.safetensors llama-scaled/model.safetensors
    tail -c 4096 gpt2/model.safetensors |
        cmp - <(tail -c 4096 gpt2-scaled/model.safetensors)
}
