# train --init pissa: adapters that begin with the base's singular values.

load helper

setup() {
    cd "$BATS_TEST_TMPDIR"
    token_base 12
}

# trained RUN OPTION...: three steps.
trained() {
    train -q --data data --base base -o "$1" --steps 3 --batch 1 \
        --seq-len 16 --rank 4 --lr 0.01 --threads 1 "${@:2}"
}

# near X Y: two losses are the same but for rounding.
near() {
    awk -v x="$1" -v y="$2" 'BEGIN {
        d = x - y
        exit !(x != "" && y != "" && d < 2e-6 && d > -2e-6) }' ||
        { echo "$1, and $2"; false; }
}

# loss base|adapter RUN: on the held-out records.
loss() {
    evalprompts -q --base base --adapter "$2" --data data --seq-len 16 \
        --split val | jq "select(.kind == \"summary\") | .$1.loss"
}

# The first, or the last, evaluation that a run wrote.
first_val() { jq -s 'map(.val_loss // empty) | first' "$1/metrics.jsonl"; }
last_val() { jq -s 'map(.val_loss // empty) | last' "$1/metrics.jsonl"; }

# It begins as the base, learns, and what is saved is for the base itself.
check() {
    rm -rf run
    trained run --init pissa "$@"
    near "$(first_val run)" "$(loss base run)"
    near "$(last_val run)" "$(loss adapter run)"
    run ! near "$(first_val run)" "$(last_val run)"
}

@test "a run begins with the loss of its base, and what it saves is for that" {
    check
    [ "$(jq -c '[.r, .lora_alpha, .init_lora_weights, .use_rslora]' \
        run/adapter/adapter_config.json)" = '[8,128,true,false]' ]
    cp -r run exact
    check --rslora --rank-pattern q_proj=3 --alpha-pattern 'up_proj=7' \
        --targets q_proj,k_proj,up_proj,down_proj
    [ "$(jq -c '[.r, .rank_pattern]' run/adapter/adapter_config.json)" = \
        '[8,{"q_proj":6}]' ]
    # Other targets than all, dropout, LoRA+.
    check --targets '.*1.*proj' --dropout 0.2 --loraplus-lr-ratio 4
    trained other
    run ! near "$(last_val other)" "$(last_val exact)"
    # Nearly the same by iterations.
    trained niter --init pissa_niter_8
    near "$(last_val niter)" "$(last_val exact)"
    run -1 cmp -s niter/adapter/adapter_model.safetensors \
        exact/adapter/adapter_model.safetensors
    merge -q --base base --adapter exact -o merged
    rm -r base
    mv merged base
    near "$(last_val exact)" "$(loss base exact)"
}

@test "the same bytes at any thread count, stopped or not" {
    trained whole --init pissa --targets q_proj,v_proj,down_proj
    trained two --init pissa --targets q_proj,v_proj,down_proj --threads 2
    trained again --init pissa --targets q_proj,v_proj,down_proj \
        --recompute block
    cmp whole/adapter/adapter_model.safetensors \
        two/adapter/adapter_model.safetensors
    cmp whole/adapter/adapter_model.safetensors \
        again/adapter/adapter_model.safetensors
    trained cut --init pissa --targets q_proj,v_proj,down_proj --save-every 1
    rm -r cut/manifest.json cut/checkpoints/step-3 cut/adapter
    run -6 --separate-stderr trained cut --init kaiming --resume \
        --targets q_proj,v_proj,down_proj
    trained cut --init pissa --targets q_proj,v_proj,down_proj --resume
    cmp whole/adapter/adapter_model.safetensors \
        cut/adapter/adapter_model.safetensors
    trained niter --init pissa_niter_2
    trained niter2 --init pissa_niter_2 --threads 2
    cmp niter/adapter/adapter_model.safetensors \
        niter2/adapter/adapter_model.safetensors
}

@test "a base that is quantised, or the other way round, is begun with, too" {
    quantize -q --format nf4 base | shard -q -o set
    rm -r base
    mv set base
    check
    rm -r base
    echo '{"model_type": "gpt2", "vocab_size": 40, "n_embd": 16,
        "n_layer": 2, "n_head": 4, "n_positions": 32}' >gpt2.json
    initmodel -q -o base gpt2.json
    check
}

@test "what can't be begun with is refused" {
    refused() {
        run -"$1" --separate-stderr trained bad --init "${@:3}"
        one_line "train: "
        [[ $stderr == *"$2"* ]]
        [ ! -e bad ]
    }
    refused 2 "q_proj: the rank 17 is more than the 16" pissa --rank 17
    refused 2 "k_proj: the rank 9 is more than the 8" pissa_niter_2 \
        --rank-pattern k_proj=9
    refused 2 "an alpha of 0" pissa --alpha 0
    refused 2 "--init pissa with --dora" pissa --dora
    refused 2 "not with --method full" pissa --method full
    refused 2 "found 'pissa_niter_0'" pissa_niter_0
    refused 2 "found 'pissa_niter_3x'" pissa_niter_3x
    refused 2 "found 'gauss'" gauss
    trained start
    run -2 --separate-stderr train -q --data data --base base -o bad \
        --init pissa --init-adapter start
    one_line "train: --init pissa is the start of a new adapter: not with"
}
