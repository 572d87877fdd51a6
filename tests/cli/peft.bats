# Adapters that PEFT made, of every variant, under evalprompts.

load helper

setup() {
    [ -x "${PEERS:-}/bin/python" ] || skip "PEERS names no Python with peft"
    cd "$BATS_TEST_TMPDIR"
    export PYTHONDONTWRITEBYTECODE=1
    for i in {1..20}; do
        jq -cn --argjson i $i '{ids: [range(24) | (. * $i + 3) % 40]}'
    done | fromjsonl | shard -q -o data
    tojsonl --split train data >records
}

# each_loss N: of the base model/, evalprompts has the loss that losses has, of
# N adapters, for each.
each_loss() {
    local path theirs ours n=0
    while read -r path theirs; do
        ours=$(evalprompts -q --base model --adapter "$path" \
            --data data --split train | jq 'select(.kind == "summary") |
            .adapter.loss')
        awk -v a="$ours" -v b="$theirs" -v name="$path" 'BEGIN {
            d = (a - b) / b
            if (a == "" || b == "" || d > 2e-6 || d < -2e-6) {
                print name ": " a ", PEFT " b
                exit 1
            } }'
        n=$((n + 1))
    done <losses
    [ $n -eq "$1" ]
    [ "$(cut -d ' ' -f 2 losses | sort -u | wc -l)" -eq "$1" ]
}

# Of the base model/, each means what PEFT computes with it.
check_variants() {
    "$PEERS/bin/python" "$BATS_TEST_DIRNAME/../peft/made.py" model records \
        made >losses
    each_loss 15
}

# saved OPTION...: another run of model/ with something beside the matrices.
saved() {
    train -q --data data --base model -o "run$((++runs))" --steps 2 \
        --seq-len 32 --lr 0.02 --rank 4 "$@"
}

# PEFT finds every tensor of the runs, and computes what we do.
check_saved() {
    "$PEERS/bin/python" "$BATS_TEST_DIRNAME/../peft/loss.py" model records \
        run?/adapter >losses
    each_loss $runs
}

# What PEFT adds up with weights is what is made of the same adapters here,
# and PEFT reads it as that.
check_sums() {
    local theirs shares n=0
    combined() {
        "$PEERS/bin/python" "$BATS_TEST_DIRNAME/../peft/combined.py" "$@"
    }
    combined make model records made >sums
    while read -r theirs shares; do
        n=$((n + 1))
        # shellcheck disable=SC2086
        (cd made && exportadapter -q -o ../sum$n $shares)
        evalprompts -q --base model --adapter sum$n --data data \
            --split train | jq 'select(.kind == "summary") | .adapter.loss'
    done <sums >ours
    [ $n -eq 3 ]
    combined loss model records sum1 sum2 sum3 >of_peft
    paste sums ours of_peft | awk -F '[ \t]' '{
        d = ($(NF - 1) - $1) / $1
        f = ($NF - $1) / $1
        print "ours by " d ", of ours in PEFT by " f
        if (d > 2e-6 || d < -2e-6 || f > 2e-6 || f < -2e-6)
            exit 1 }'
}

@test "PEFT's adapters of a llama mean here what they mean there" {
    echo '{"model_type": "llama", "vocab_size": 40, "hidden_size": 16,
        "num_hidden_layers": 2, "num_attention_heads": 4,
        "intermediate_size": 24, "num_key_value_heads": 2,
        "max_position_embeddings": 32}' >arch.json
    initmodel -q -o model arch.json
    check_variants
    check_sums
}

@test "PEFT's adapters of a GPT-2 mean here what they mean there" {
    echo '{"model_type": "gpt2", "vocab_size": 40, "n_embd": 16,
        "n_layer": 2, "n_head": 4, "n_positions": 32}' >arch.json
    initmodel -q -o model arch.json
    check_variants
    check_sums
}

@test "modules and rows that we saved are PEFT's, too" {
    runs=0
    echo '{"model_type": "qwen2", "vocab_size": 40, "hidden_size": 16,
        "num_hidden_layers": 2, "num_attention_heads": 4,
        "intermediate_size": 24, "num_key_value_heads": 2,
        "tie_word_embeddings": true,
        "max_position_embeddings": 32}' >arch.json
    initmodel -q -o model arch.json
    saved --modules-to-save embed_tokens,norm,k_proj
    saved --modules-to-save lm_head --dora
    saved --modules-to-save embed_tokens,lm_head
    saved --modules-to-save lm_head --ensure-weight-tying
    saved --trainable-token-indices 3,7-9 --modules-to-save norm
    saved --trainable-token-indices embed_tokens=9,lm_head=9 --dora
    check_saved
    rm -rf run? model
    runs=0
    echo '{"model_type": "gpt2", "vocab_size": 40, "n_embd": 16,
        "n_layer": 2, "n_head": 4, "n_positions": 32}' >arch.json
    initmodel -q -o model arch.json
    saved --modules-to-save wte,mlp.c_proj
    saved --modules-to-save wpe,ln_1
    saved --modules-to-save wte --ensure-weight-tying
    saved --modules-to-save wpe --trainable-token-indices 3,39
    check_saved
    rm -rf run? model
    runs=0
    jq '.tie_word_embeddings = false' arch.json >untied.json
    initmodel -q -o model untied.json
    saved --trainable-token-indices 3-5
    saved --trainable-token-indices 3,lm_head=0-9
    saved --trainable-token-indices lm_head=7
    check_saved
}

@test "a run with --init pissa takes PEFT's first step" {
    local ours theirs
    for type in llama gpt2; do
        rm -rf model step
        echo "{\"model_type\": \"$type\", \"vocab_size\": 40}" | jq '. +
            if .model_type == "gpt2" then
            {n_embd: 16, n_layer: 2, n_head: 4, n_positions: 32} else
            {hidden_size: 16, num_hidden_layers: 2, num_attention_heads: 4,
            intermediate_size: 24, num_key_value_heads: 2,
            max_position_embeddings: 32} end' >arch.json
        initmodel -q -o model arch.json
        head -n 1 records >record
        [ -d one ] || fromjsonl -q --vocab 40 <record |
            shard -q --val 0 --test 0 -o one
        train -q --data one --base model -o step --init pissa --rank 4 \
            --alpha 6 --steps 1 --batch 1 --seq-len 32 --optimizer sgd \
            --schedule constant --lr 64 --clip 0 --loss all --threads 1
        theirs=$("$PEERS/bin/python" \
            "$BATS_TEST_DIRNAME/../peft/pissa.py" model record \
            step/adapter 64)
        ours=$(evalprompts -q --base model --adapter step --data one \
            --split train --seq-len 32 |
            jq 'select(.kind == "summary") | .adapter.loss')
        echo "$theirs $ours" | awk '{
            d = ($6 - $5) / $5
            exit NF < 6 || $1 > 1e-6 || $2 > 2e-5 || $3 > 1e-4 || \
                $4 > 1e-4 || d > 2e-6 || d < -2e-6 }' ||
            { echo "$type: $theirs $ours"; false; }
    done
}
