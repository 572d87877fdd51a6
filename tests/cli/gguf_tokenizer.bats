#!/usr/bin/env bats
# The tokenizer of a GGUF file where a tokenizer.json is asked for. What its
# keys mean is tested in tests/unit/gguf_tokenizer.c.

load helper

made() { python3 "$BATS_TEST_DIRNAME/gguf_tokenizer.py" tokenizer.json "$@"; }

# base: a tokenizer.json, some.text, and the same tokenizer as made.gguf with
# a chat template.
base() {
    seq 400 | jq -R '{text: ("it'"'"'s  " + .)}' -c | fromjsonl -q >some.text
    vocabtrain -q --size 300 --special '<|endoftext|>' --special '<|turn|>' \
        --special '<|/turn|>' -o tokenizer.json some.text
    made made.gguf gpt2 gpt-2 \
        "$(cat "$root/tests/golden/chat/turns.jinja")"
}

# ids TOKENIZER FILE...: the ids of each record.
ids() { tokenize -q -t "$@" | tojsonl | jq -c .ids; }

@test "a GGUF file is a tokenizer" {
    base
    ids tokenizer.json some.text >want
    ids made.gguf some.text | cmp - want
    tokenize -q -t made.gguf some.text >tokens
    verify -q tokens
    grep -aqx "key tokenizer [0-9a-f]\{64\}" tokens
    tokenize -q -t made.gguf --decode tokens | tojsonl | jq -c .text |
        cmp - <(tojsonl some.text | jq -c .text)
    tojsonl tokens | fromjsonl -q --tokenizer made.gguf >again
    cmp <(grep -a '^key tokenizer' again) <(grep -a '^key tokenizer' tokens)
    # what a text begins with is what the kind of tokenizer puts there
    made begins.gguf gpt2 llama-bpe
    [ "$(ids begins.gguf some.text | head -n 1 | jq '.[0]')" -eq 0 ]
    # a file that can be read once
    ids <(cat tokenizer.json) some.text | cmp - want
}

@test "its chat template lays conversations out" {
    base
    echo '{"messages":[{"role":"user","content":"1"},
        {"role":"assistant","content":"2"}]}' | jq -c . | fromjsonl -q >in
    cp "$root/tests/golden/chat/turns.jinja" chat_template.jinja
    echo '{"bos_token":"<|endoftext|>","eos_token":"<|/turn|>"}' \
        >tokenizer_config.json
    tokenize -q -t tokenizer.json in | tojsonl >want
    mkdir elsewhere
    mv made.gguf elsewhere
    tokenize -q -t elsewhere/made.gguf in | tojsonl | cmp - want
    tokenize -q -t elsewhere/made.gguf --template chat in | tojsonl |
        cmp - want
    made none.gguf gpt2 gpt-2
    run -4 --separate-stderr tokenize -t none.gguf --template chat in
    one_line 'tokenize: no chat template'
    tokenize -q -t none.gguf --chat-template chat_template.jinja \
        --template chat in | tojsonl | cmp - want
}

@test "what can't be a tokenizer is refused by name" {
    base
    made spm.gguf llama default
    run -4 --separate-stderr tokenize -t spm.gguf some.text
    one_line 'tokenize: spm.gguf: tokenizers of kind "llama" are not supp'
    made other.gguf gpt2 kimi-k2
    run -4 --separate-stderr tokenize -t other.gguf some.text
    one_line 'tokenize: other.gguf: pre-tokenizer "kimi-k2" is not supported'
    head -c 1000 made.gguf >cut.gguf
    run -4 --separate-stderr tokenize -t cut.gguf some.text
    one_line 'tokenize: cut.gguf: '
    printf 'GGUF\3\0\0\0%024d' 0 | tr 0 '\0' >empty.gguf
    run -4 --separate-stderr tokenize -t empty.gguf some.text
    one_line 'tokenize: empty.gguf: tokenizers of kind ""'
}

# The ids are of tokenizers, each digit by itself as the model has it.
@test "SmolLM2's GGUF file has its tokenizer" {
    [[ ${GRAFT_SMOLLM2:-} == *.gguf ]] \
        || skip "GRAFT_SMOLLM2 names no GGUF file"
    echo '{"text":"Hello <|im_end|> world 12345  foo\n  bar"}' |
        fromjsonl -q >in
    [ "$(ids "$GRAFT_SMOLLM2" --marks in)" = \
        "[19556,216,2,905,216,33,34,35,36,37,216,29856,3805,2753,0]" ]
}

@test "SmolLM2's GGUF file answers by its own chat template" {
    [[ ${GRAFT_SMOLLM2:-} == *.gguf ]] \
        || skip "GRAFT_SMOLLM2 names no GGUF file"
    run -0 --separate-stderr generate -q --base "$GRAFT_SMOLLM2" \
        -p 'What is the capital of France?'
    [[ $output == *Paris* ]]
}
