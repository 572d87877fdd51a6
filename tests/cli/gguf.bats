# A GGUF file as a base, in every program that takes one. What is read of it
# is in tests/unit/gguf*.c.

load helper

setup() {
    cd "$BATS_TEST_TMPDIR"
    files=$root/tests/golden/gguf
    cp "$files"/llama_q4.gguf base.gguf
}

# tokens: data, a set of short records below 40, some of them held out.
tokens() {
    for i in $(seq 20); do
        echo "{\"ids\": [$((i % 7)), $((i % 11)), 3, $((i % 5)), 4, 9, 1]}"
    done | fromjsonl -q --vocab 40 | shard -q --val 0.2 --test 0.2 -o data
}

# loss BASE: of the held-out records.
loss() {
    evalprompts -q --base "$1" --data data --split test --seq-len 16 |
        jq .base.loss
}

@test "verify reads a GGUF file, and says where one ends too early" {
    for f in "$files"/*.gguf; do
        run -0 --separate-stderr verify "$f"
        [[ $output == *" model, tensors "* ]]
    done
    head -c 20000 base.gguf >short.gguf
    run -4 --separate-stderr verify short.gguf
    [[ $stderr == "verify: short.gguf: tensor "*" past the end of the file "* ]]
    [ "${#stderr_lines[@]}" -eq 1 ]
}

@test "an adapter is trained on a GGUF file, measured and exported" {
    tokens
    train -q --data data --base base.gguf --rank 2 --batch 2 --seq-len 16 \
        --lr 0.01 --steps 20 -o run
    jq -e '.base_model_name_or_path == "base.gguf"
        and (.fan_in_fan_out | not)' run/adapter/adapter_config.json
    evalprompts -q --base base.gguf --adapter run/adapter --data data \
        --split test --seq-len 16 | jq -e '.difference.loss < 0'
    run -0 exportadapter --format peft --base base.gguf -o adapter run
    [[ $output == *"14 of 14 linears of base.gguf"* ]]
    run -0 --separate-stderr verify run
}

@test "experts in a GGUF file are trained, and stay where they are" {
    tokens
    cp "$files"/qwen3moe.gguf moe.gguf
    options="--data data --base moe.gguf --rank 2 --batch 2 --seq-len 16 \
--lr 0.01"
    train -q $options --steps 20 -o run \
        --targets q_proj,experts.gate_up_proj,experts.down_proj
    evalprompts -q --base moe.gguf --adapter run/adapter --data data \
        --split test --seq-len 16 | jq -e '.difference.loss < 0'
    quantize -q --format f32 moe.gguf | shard -q -o set
    jq -ne --argjson a "$(loss moe.gguf)" --argjson b "$(loss set)" \
        '$a - $b | fabs < 1e-5'
    run -2 --separate-stderr exportadapter -q --format gguf -o out.gguf run
    one_line "exportadapter: module model.layers.0.mlp.experts.0.gate_proj: \
llama.cpp has all experts of a layer in one tensor: "
    run -2 --separate-stderr merge -q --base moe.gguf --adapter run/adapter \
        --format gguf -o out.gguf
    one_line "merge: moe.gguf: models of type qwen3_moe are not written as GGUF"
    [ ! -e out.gguf ]
    train -q $options --steps 2 -o attention
    exportadapter -q --format gguf -o out.gguf attention
    head -c 9000 out.gguf | grep -qa qwen3moe
}

@test "what quantize makes of a GGUF file is the same model" {
    tokens
    quantize -q --format f32 base.gguf | shard -q -o set
    run -0 --separate-stderr verify set
    jq -ne --argjson a "$(loss base.gguf)" --argjson b "$(loss set)" \
        '$a - $b | fabs < 1e-5'
}

@test "GPT-2's matrices stay turned round in a set, and are not trained" {
    tokens
    quantize -q --format int8 "$files"/gpt2.gguf | shard -q -o set
    jq -ne --argjson a "$(loss "$files"/gpt2.gguf)" \
        --argjson b "$(loss set)" '$a - $b | fabs < 0.05'
    train -q --data data --base "$files"/gpt2.gguf --rank 2 --batch 2 \
        --seq-len 16 --steps 1 -o run
    jq -e .fan_in_fan_out run/adapter/adapter_config.json
    quantize -q --format f32 "$files"/gpt2.gguf | shard -q -o floats
    run -2 --separate-stderr train -q --method full --data data \
        --base floats --batch 2 --seq-len 16 --steps 1 -o full
    [[ $stderr == "train: floats: full training of a gpt2 with \
fan_in_fan_out false "* ]]
    [ ! -e full ]
}

@test "what a GGUF file may not be is refused in one line" {
    head -c 3000 /dev/urandom >noise.gguf
    run -4 --separate-stderr quantize noise.gguf
    [ "$stderr" = "quantize: noise.gguf:0: no GGUF file" ]
    run -1 --separate-stderr quantize none.gguf
    mkfifo pipe.gguf
    run -4 --separate-stderr timeout 9 quantize pipe.gguf
    [ "${#stderr_lines[@]}" -eq 1 ]
}
