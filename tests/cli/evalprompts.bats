# evalprompts: base against adapter on held-out records and on prompts.

load helper

setup() {
    cd "$BATS_TEST_TMPDIR"
    cat >arch.json <<'JSON'
{"model_type": "llama", "vocab_size": 300, "hidden_size": 16,
 "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
 "num_key_value_heads": 1, "max_position_embeddings": 64}
JSON
    for i in $(seq 30); do
        echo "{\"text\": \"line $i says $((i * 37 % 11)) of $i things\"}"
    done | fromjsonl -q >text
    vocabtrain -q --size 300 --special '<|endoftext|>' -o tok.json text
    vocabtrain -q --size 280 --special '<|endoftext|>' -o other.json text
    initmodel -q -t tok.json -o base arch.json
    tokenize -q -t tok.json text | shard -q --test 0.3 -o data
    tokenize -q -t other.json text | shard -q --test 0.3 -o otherdata
}

@test "evalprompts holds an adapter against the base on a split" {
    train -q --data data --base base --seq-len 32 --batch 2 --steps 20 \
        --lr 0.02 --rank 4 -o run
    run -0 --separate-stderr evalprompts -q --base base --data data \
        --adapter run/adapter --seq-len 32
    [ "${#lines[@]}" -eq 1 ]
    jq -e '.kind == "summary" and .split == "test" and .records == 9 and
        .adapter.loss < .base.loss and .difference.loss < 0 and
        .base.perplexity_low <= .base.perplexity' <<<"$output"
}

@test "evalprompts scores prompts one by one and in total" {
    cat >prompts.jsonl <<'JSON'
{"id": "any", "prompt": "line 3", "max_tokens": 4, "regex": ".*"}
{"id": "none", "prompt": "line 4", "max_tokens": 4, "exact": "\u0001"}
JSON
    run -0 --separate-stderr evalprompts -q --base base prompts.jsonl
    [ "${#lines[@]}" -eq 3 ]
    jq -se '.[0].passed and .[0].tokens == 4 and (.[1].passed | not) and
        .[2].prompts.n == 2 and .[2].prompts.base.passed == 1' <<<"$output"
}

@test "evalprompts refuses data of another tokenizer, or no data at all" {
    run -4 --separate-stderr evalprompts --base base --data otherdata
    one_line "evalprompts: otherdata: made with another tokenizer than the"
    run -4 --separate-stderr evalprompts --base base --data data --split no
    one_line "evalprompts: data: nothing to measure in split 'no'"
    run -2 --separate-stderr evalprompts --base base
    one_line "evalprompts: nothing to measure"
    run -4 --separate-stderr evalprompts --base data --data data
    one_line "evalprompts: data/manifest.json: type (found tokens"
    run -4 --separate-stderr evalprompts --base base --data base
    one_line "evalprompts: base: not a complete set"
}

@test "evalprompts on a full disk is an error" {
    run -1 --separate-stderr bash -c \
        'evalprompts -q --base base --data data --seq-len 32 >/dev/full'
    one_line "evalprompts: stdout: write: No space left on device"
}
