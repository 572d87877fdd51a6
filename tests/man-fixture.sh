#!/bin/bash
# man-fixture.sh - what the examples of the man pages work on, made in the
# current directory:
#
#     project/         a git repository of 12 commits over C files
#     docs.jsonl       3 documents, {"text": ...} a line
#     chat.jsonl       2 conversations, {"messages": ...} a line
#     arch.json        a llama of two layers
#     prompts.jsonl    2 prompts with checks
#     tokenizer.json   300 tokens, learnt from project (vocabtrain)
#     model/           a random base of arch.json and tokenizer.json
#     data/            a shard set of project's commits (tokenize | shard)
#     base/            model, quantised to int8, as a shard set
#     run/             24 steps of training on them
#
# The last five need programs; where one is not built yet, so is not its
# output. Everything is the same each time.
set -euo pipefail
BATS_TEST_DIRNAME=$(cd "$(dirname "$0")" && pwd)/cli
bats_require_minimum_version() { :; }
. "$BATS_TEST_DIRNAME/helper.bash"

have() {
    local name
    for name; do command -v "$name" >/dev/null || return 1; done
}

repo_small project

cat >docs.jsonl <<'END'
{"text": "The quick brown fox jumps over the lazy dog.\n"}
{"text": "Pack my box with five dozen liquor jugs.\n"}
{"text": "Sphinx of black quartz, judge my vow.\n"}
END
chat() {
    printf '{"messages": [{"role": "user", "content": "%s"}, ' "$1"
    printf '{"role": "assistant", "content": "%s"}]}\n' "$2"
}
chat 'What is 2 + 2?' 4 >chat.jsonl
chat 'Say hello.' Hello. >>chat.jsonl
cat >arch.json <<'END'
{"model_type": "llama", "hidden_size": 32, "intermediate_size": 64,
 "num_hidden_layers": 2, "num_attention_heads": 4,
 "num_key_value_heads": 2, "max_position_embeddings": 256,
 "rms_norm_eps": 1e-05, "rope_theta": 10000.0,
 "tie_word_embeddings": false, "vocab_size": 300,
 "bos_token_id": null, "eos_token_id": 0}
END
cat >prompts.jsonl <<'END'
{"id": "include", "prompt": "#include ", "max_tokens": 8, "contains": "<"}
{"id": "return", "prompt": "    return x + ", "max_tokens": 4, "regex": "[0-9]"}
END

have gitscrape vocabtrain || exit 0
gitscrape project | vocabtrain --size 300 --special '<|endoftext|>' \
    -o tokenizer.json
have initmodel tokenize shard || exit 0
initmodel -t tokenizer.json --seed 1 -o model arch.json
gitscrape project | tokenize -t tokenizer.json |
    shard -o data --val 0.1 --test 0.2
have quantize || exit 0
quantize --format int8 model | shard -o base
have train || exit 0
train --data data --base base -o run --steps 24 --batch 1 --seq-len 64 \
    --rank 4 --warmup 0 --threads 1
