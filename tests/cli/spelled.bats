# Command lines that stay: each spelling that people's scripts use, once, on
# small data.

load helper

# Made once for the file; every test works in a copy.
setup_file() {
    cd "$BATS_FILE_TMPDIR"
    mkdir made
    cd made
    repo_small project
    cat >arch.json <<'EOF'
{"model_type": "llama", "hidden_size": 32, "intermediate_size": 64,
 "num_hidden_layers": 2, "num_attention_heads": 4,
 "num_key_value_heads": 2, "max_position_embeddings": 512}
EOF
    gitscrape -q project | vocabtrain -q --size 300 -o tokenizer.json \
        --special '<|endoftext|>'
    gitscrape -q project | tokenize -q -t tokenizer.json |
        shard -q -o data --val 0.1 --test 0.2
    initmodel -q -t tokenizer.json -o model arch.json
    quantize -q --format int8 model | shard -q -o base
    train -q --data data --base base -o run --steps 3 --seq-len 64 --rank 4
}

setup() {
    cp -a "$BATS_FILE_TMPDIR/made" "$BATS_TEST_TMPDIR/made"
    cd "$BATS_TEST_TMPDIR/made"
}

# pipe COMMAND: run by bash; any part that fails is a failure.
pipe() {
    run -0 --separate-stderr bash -o pipefail -c "$1"
}

@test "gitscrape's options" {
    for options in '' --all --first-parent '--rev HEAD~3..HEAD' \
        '--since 2020-09-15' '--until 2020-09-20' "--path 'src/*'" \
        '--kind commit' '--kind file' '--context 3' '--context all'; do
        pipe "gitscrape $options project | tojsonl | wc -l"
        [ "$output" -gt 0 ]
    done
    pipe "gitscrape project project | shard -o two --expect 2"
}

@test "fromjsonl takes lines by their keys, from a file and from stdin" {
    echo '{"text": "a"}' >text
    echo '{"messages": [{"role": "user", "content": "a"}]}' >chat
    echo '{"prompt": "a", "completion": "b"}' >pair
    echo '{"ids": [1, 2], "mask": [0, 1]}' >ids
    for kind in text chat pair ids; do
        pipe "fromjsonl $kind | tojsonl"
        want=$output
        [ -n "$want" ]
        pipe "fromjsonl <$kind | tojsonl"
        [ "$output" = "$want" ]
    done
}

@test "fromfiles takes paths, with newlines or -0" {
    pipe "find project/src -name '*.c' | sort | fromfiles | tojsonl"
    want=$output
    [ "${#lines[@]}" -eq 3 ]
    pipe "find project/src -name '*.c' -print0 | sort -z | fromfiles -0 |
        tojsonl"
    [ "$output" = "$want" ]
}

@test "tojsonl shows a stream, a file, a set and weights" {
    pipe "gitscrape project >stream; tojsonl <stream | sed -n 1p"
    want=$output
    pipe "tojsonl stream | sed -n 1p"
    [ "$output" = "$want" ]
    pipe "tojsonl data | jq -e '.ids and .mask' | sort -u"
    [ "$output" = true ]
    pipe "tojsonl base | jq -r .kind | sort -u"
    [ "$output" = $'asset\ntensor' ]
}

@test "vocabtrain's special tokens come first" {
    pipe "gitscrape project | vocabtrain --size 300 -o t.json \
        --special '<a>' --special '<b>'"
    jq -e '[.added_tokens[].content] == ["<a>", "<b>"]' t.json
}

@test "tokenize's templates, threads, and the way back" {
    for template in plain commit message; do
        pipe "gitscrape project | tokenize -t tokenizer.json \
            --template $template --threads 2 | tojsonl | wc -l"
        [ "$output" -gt 0 ]
    done
    pipe "gitscrape --kind file project | tokenize -t tokenizer.json \
        --template file --max-tokens 100 | tojsonl | wc -l"
    pipe "echo '{\"text\": \"int x;\"}' | fromjsonl |
        tokenize -t tokenizer.json |
        tokenize -t tokenizer.json --decode | tojsonl | jq -r .text"
    [[ $output == "int x;"* ]]
}

@test "shard's splits" {
    pipe "gitscrape project | shard -o a --val 0.1 --test 0.1"
    pipe "gitscrape project | shard -o b --split-by time"
    pipe "gitscrape project | shard -o c --split-by group --seed 3"
    pipe "gitscrape project | shard -o d --expect 1"
    run -4 --separate-stderr \
        bash -o pipefail -c 'gitscrape -q project | shard -q -o e --expect 2'
    [ ! -e e ]
}

@test "gitscrape, tokenize, shard, verify, tojsonl in a line" {
    pipe "gitscrape project | tokenize -t tokenizer.json | shard -o set &&
        verify set"
    run -0 --separate-stderr bash -c "tojsonl set | head"
    [ "${#lines[@]}" -eq 10 ]
}

@test "initmodel and quantize, whose formats are all bases" {
    pipe "initmodel -o other arch.json"
    for format in f32 bf16 f16 int8 int8_row nf4; do
        pipe "quantize --format $format model | shard -o base-$format"
        pipe "train --data data --base base-$format --steps 1 --dry-run"
        pipe "evalprompts --base base-$format --data data --split test"
    done
}

@test "train's options" {
    pipe "train --data data --base base -o a --method lora --rank 2 \
        --alpha 4 --dropout 0.1 --targets q_proj,v_proj --steps 2 --batch 1 \
        --accum 2 --seq-len 64 --lr 1e-4 --schedule linear --warmup 1 \
        --optimizer sgd --weight-decay 0.1 --clip 0.5 --save-every 1 \
        --eval-every 1 --seed 7 --device cpu --threads 2 --compute f32"
    [[ ${lines[0]} == "Iter 0: Val loss "* ]]
    [[ ${lines[1]} == "Iter 1: Train loss "* ]]
    pipe "train --data data --base model -o b --method full --epochs 1 \
        --seq-len 64 --device auto"
    pipe "train --data data --base base -o c --tokens 500 --seq-len 64"
    pipe "train --data data --base base -o d --steps 1 --seq-len 64 \
        --init-adapter run/adapter"
    pipe "train --data data --base base -o c --tokens 500 --seq-len 64 \
        --resume"
    echo '{"data": "data", "base": "base", "steps": 1, "seq-len": 64}' >e.json
    pipe "train --config e.json -o e"
    pipe "train --config e.json --dry-run"
    jq -e .total_bytes <<<"$output"
    pipe "verify a b c d e"
}

@test "a run directory holds what it is said to hold" {
    for file in config.json metrics.jsonl manifest.json \
        adapter/adapter_config.json adapter/adapter_model.safetensors \
        checkpoints/step-3/manifest.json; do
        [ -s "run/$file" ]
    done
    jq -se 'map(select(.loss)) | length == 3 and all(.step and .lr
        and .grad_norm and .tokens and .tok_s and .peak_bytes)' \
        run/metrics.jsonl
}

@test "evalprompts on data, on prompts, on both" {
    echo '{"prompt": "int ", "max_tokens": 4, "forbidden": "goto"}' >p.jsonl
    pipe "evalprompts --base base --adapter run/adapter --data data \
        --split test"
    jq -e '.base.loss and .adapter.loss and .difference.half_width' \
        <<<"$output"
    pipe "evalprompts --base base p.jsonl"
    pipe "evalprompts --base base --adapter run/adapter --data data p.jsonl"
    jq -e 'select(.kind == "summary") | .prompts.n == 1 and .base' \
        <<<"$output"
}

@test "exportadapter and verify" {
    pipe "exportadapter --format peft -o my-adapter run"
    pipe "verify data base run model my-adapter"
    [ "${#lines[@]}" -eq 5 ]
}
