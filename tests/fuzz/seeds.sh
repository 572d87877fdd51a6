#!/bin/bash
# seeds.sh DIR - what the libFuzzer targets begin with: DIR/TARGET/*, one
# input a file, and DIR/TARGET.dict, the words of each format.
set -euo pipefail
layouts=$(cd "$(dirname "$0")/../../templates" && pwd)
mkdir -p "$1"
cd "$1"

# seed TARGET: the input on stdin, one more of that target.
seed() {
    mkdir -p "$1"
    cat >"$1/$(find "$1" -type f | wc -l)"
}

# words TARGET WORD...: its dictionary; \\ is a backslash, \x0a a newline.
words() {
    local target=$1 word
    shift
    for word; do printf '"%s"\n' "${word//\"/\\\"}"; done >"$target.dict"
}

rm -rf change jsonl tokenizer jinja records template manifest import gguf \
    base adapter kept rules source

# ---- change ----

seed change <<'END'
3 4
@@ -1,3 +1,4 @@ int f(void)
 a
-b
+c
+d
 e
END
printf '%s\n' '- 1' '@@ -0,0 +1,1 @@' +a '\ No newline at end of file' |
    seed change
printf '%s\n' '2 -' '@@ -1,2 +0,0 @@' -a -b | seed change
printf '%s\n' '9 8' '@@ -1,1 +0,0 @@ x' -a '@@ -8,2 +7,2 @@' ' a' -b +c |
    seed change
words change '@@ -1,1 +1,1 @@' '\x0a@@ -' '\x0a-' '\x0a+' '\x0a ' \
    '\x0a\\ No newline at end of file\x0a' '- 1' '1 -' '0,0'

# ---- jsonl ----

# lines: the JSON values on stdin, a line each, as one input.
lines() { jq -c . | seed jsonl; }

lines <<'END'
{"kind": "commit", "repo": "r", "ordinal": 1, "time": -5, "subject": "s",
 "path": {"b64": "/w=="}}
{"text": "a", "path": "x", "other": [1, {"a": null}]}
{"messages": [
    {"role": "user", "content": "a"},
    {"role": "assistant", "content": null, "tool_calls": [{"id": 1.5e3}]},
    {"role": "tool", "content": [{"type": "text", "text": "b"}], "name": "f"}],
 "tools": [{}], "chat_template_kwargs": {"a": true}}
{"prompt": "a", "completion": "b"}
{"prompt": [{"role": "user", "content": "a"}],
 "completion": [{"role": "assistant", "content": "b"}]}
END
lines <<'END'
{"ids": [1, 2, 70000], "mask": [0, 1, 1], "ordinal": 3, "time": -1,
 "quality": -2, "group": "00000000000000ff"}
{"kind": "tokens", "ids": [1], "mask": [1]}
{"input_ids": [1, 2], "labels": [-100, 2]}
{"input_ids": [1, 2], "completion_mask": [0, 1], "assistant_masks": [1, 1]}
{"input_ids": [0, 1, 2, 0], "labels": [-100, -100, 2, -100],
 "attention_mask": [0, 1, 1, 0]}
{"kind": "asset", "name": "a", "data": "b"}
{"kind": "tensor", "name": "w", "dtype": "F16", "shape": [2, 1]}
{"kind": "data", "b64": "AQID"}
{"graft": 1, "type": "text", "keys": {"a": "b"},
 "after": {"n": 1, "oid": "x"}, "part": 2, "prov": ["a b"]}
{"graft": 1, "inputs": [], "ledger": [["a", "b", 1]]}
END
seed jsonl <<'END'
{"text":"a\u00e9\ud83d\ude00\n"}
END
words jsonl '"kind":' '"text":' '"messages":' '"role":' '"content":' \
    '"prompt":' '"completion":' '"ids":' '"mask":' '"input_ids":' \
    '"labels":' '"completion_mask":' '"assistant_masks":' \
    '"attention_mask":' '"b64":' \
    '"tools":' '"tool_calls":' '"message_json":' '"chat_template_kwargs":' \
    '"graft":' '"keys":' '"after":' '"prov":' '"inputs":' '"ledger":' \
    '"ordinal":' '"group":' '"text_id":' '"tensor"' '"asset"' '"data"' \
    '"chat"' '"commit"' '"file"' '"doc"' '"tokens"' null true '\\u00e9' -100

# ---- tokenizer ----

# tokenizer TEXT: with the JSON on stdin.
tokenizer() { { printf '%s\0' "$1" && cat; } | seed tokenizer; }

tokenizer 'ab <s>abc' <<'END'
{"added_tokens": [{"id": 4, "content": "<s>", "special": true, "lstrip": true,
    "rstrip": false, "single_word": false, "normalized": false}],
 "normalizer": {"type": "NFC"},
 "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": true},
 "decoder": {"type": "ByteLevel"},
 "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2, "Ġ": 3},
    "merges": ["a b"]}}
END
tokenizer "It's 12 a" <<'END'
{"pre_tokenizer": {"type": "Sequence", "pretokenizers": [
    {"type": "Split", "behavior": "Isolated", "invert": false, "pattern": {
        "Regex": "(?i:'s|'t)|\\p{N}{1,3}|[^\\s\\p{L}]+|\\s+(?!\\S)|\\p{L}+"}},
    {"type": "Digits", "individual_digits": true},
    {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}]},
 "model": {"type": "BPE", "ignore_merges": true,
    "vocab": {"a": 0, "1": 1, "2": 2, "12": 3}, "merges": [["1", "2"]]}}
END
tokenizer '▁a é' <<'END'
{"normalizer": {"type": "Sequence", "normalizers": [
    {"type": "Prepend", "prepend": "▁"},
    {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
 "pre_tokenizer": null,
 "decoder": {"type": "Sequence", "decoders": [
    {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
    {"type": "ByteFallback"}, {"type": "Fuse"},
    {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
 "model": {"type": "BPE", "unk_token": "<unk>", "fuse_unk": true,
    "byte_fallback": true, "vocab": {"<unk>": 0, "▁": 1, "a": 2, "▁a": 3,
        "<0xC3>": 4, "<0xA9>": 5}, "merges": ["▁ a"]}}
END
tokenizer 'a b' <<'END'
{"pre_tokenizer": {"type": "Metaspace", "replacement": "▁",
    "prepend_scheme": "first", "split": false},
 "model": {"type": "BPE", "unk_token": "<unk>",
    "vocab": {"<unk>": 0, "▁": 1, "a": 2, "▁a": 3}, "merges": ["▁ a"]}}
END
words tokenizer '"type":' '"BPE"' '"Sequence"' '"Split"' '"ByteLevel"' \
    '"Metaspace"' '"Digits"' '"Regex":' '"String":' '"pattern":' \
    '"behavior":' '"Isolated"' '"Removed"' '"MergedWithPrevious"' \
    '"MergedWithNext"' '"Contiguous"' '"invert":true' '"NFC"' '"NFKC"' \
    '"Prepend"' '"Replace"' '"ByteFallback"' '"Fuse"' '"Strip"' \
    '"byte_fallback":true' '"ignore_merges":true' '"fuse_unk":true' \
    '"unk_token":' '"added_tokens":[' '"special":true' '"normalized":true' \
    '"lstrip":true' '"rstrip":true' '"single_word":true' '"merges":' \
    '"vocab":' '"normalizer":' '"pre_tokenizer":' '"decoder":' \
    '"prepend_scheme":' '"always"' '"never"' '"first"' '\\\\p{L}' '\\\\p{M}' \
    '(?:' '(?=' '(?!' '(?i:' '\\\\s+' '{1,3}' '++' '*+' '[^' ']' '|'

# ---- jinja ----

seed jinja <<'END'
{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' -%}
<|user|>{{ m.content | trim }}{% elif m.role == "assistant" %}
{% generation %}{{ m['content'] + eos_token }}{% endgeneration %}
{%- else %}{{ raise_exception('no ' ~ m.role) if loop.first and false }}
{%- endif %}{% endfor %}{% if add_generation_prompt %}<a>{% endif %}
END
seed jinja <<'END'
{%- macro f(x, y=2) %}{{ x }}:{{ y }}{% endmacro -%}
{%- set ns = namespace(i=0, s='') %}{# a comment #}
{%- if tools is defined and tools %}{% for t in tools %}
{{ t | tojson(indent=2) }}
{{ f(t.function.name, y=loop.index0) }}{% endfor %}{% endif %}
{%- for m in messages[1:][::-1] if m.tool_calls is not none %}
{%- set ns.i = ns.i + 1 %}{{ ns.i % 2 }}{{ loop.last }}{{ m.content is string }}
{%- if m.tool_calls %}{% for c in m.tool_calls %}
{{ c.function.arguments | items | list }}{% endfor %}{% endif %}
{%- if ns.i > 3 %}{% break %}{% endif %}{% endfor %}
{{ messages | map(attribute='role') | join(', ') }}
{{ messages | selectattr('role', 'equalto', 'user') | list | length }}
{{ 'a b'.split(' ')[-1].upper() }}
{{ [1, 2.5, none, true] | tojson }}{{ {'a': 1}['a'] // 2 }}{{ range(3) | list }}
{{ strftime_now('%d %b %Y') }}
{{ "x" if not x else x | default('y', true) }}{% raw %}{{ }}{% endraw %}
END
words jinja '{{' '}}' '{%' '%}' '{%-' '-%}' '{#' '#}' ' for ' ' in ' endfor \
    ' if ' elif else endif ' set ' endset macro endmacro call endcall filter \
    generation endgeneration break continue namespace loop.index loop.first \
    loop.last loop.previtem messages tools content role ' is ' ' not ' \
    ' and ' ' or ' defined none mapping string iterable '| trim' '| tojson' \
    '| length' '| list' '| items' '| join' '| default(' '| map(' \
    '| selectattr(' '| replace(' '| reverse' '| first' '| last' '| int' \
    '.split(' '.strip()' '.startswith(' '.get(' 'range(' 'raise_exception(' \
    '[::-1]' '**' '//' '~' 'true' 'false' raw endraw

# ---- records ----

printf '\0\1\2subject\0\1spath\0\3a/b' | seed records
printf '\0\4\2role\0\4usercontent\0\1a' | seed records
{
    printf '\1\1\2\0\0\0\0\0\0'
    head -c 24 /dev/zero
    head -c 32 /dev/zero
    printf '\2\2\1\1\1\0\2\0'
} | seed records
{
    printf '\3\1\0\0\0\0\0\0\0'
    head -c 48 /dev/zero
    printf '\1a\1c\0\0\200?'
} | seed records
{
    printf '\2graft stream 1\n'
    printf '%s\n' 'type text' 'key a b' 'after 3 00ff' 'part 1' 'prov x' end
} | seed records
words records 'graft stream 1' 'type ' 'key ' 'after ' 'part ' 'prov ' end \
    role content message_json ordinal

# ---- template ----

for layout in "$layouts"/*.template; do seed template <"$layout"; done
seed template <<'END'
records commit doc
family first second
    token a <a> -
    token b <b> <|endoftext|>
    gap @a "\n"
    if not repo text "x" @b
    learn if path path
    end
END
words template 'records ' 'family ' 'token ' 'gap ' 'if ' 'not ' 'learn ' \
    'end' 'variant ' repo path text before message after diff scope prefix \
    suffix middle commit file doc chat '"\\n"' '@' '#' '<a>' '<b>'

# ---- manifest ----

# of CHARACTER: a hash of it alone, which the target puts right if it must be.
of() { printf "%064d" 0 | tr 0 "$1"; }

# manifest TYPE RECORDS TENSORS: with its members from "keys" on on stdin.
manifest() {
    {
        printf '{\n  "format": "graft set",\n  "version": 1,\n'
        printf '  "type": "%s",\n  "content": "%s",\n' "$1" "$(of 0)"
        printf '  "records": %s,\n  "tensors": %s,\n' "$2" "$3"
        cat
        printf '  "check": "%s"\n}\n' "$(of 0)"
    } | seed manifest
}

manifest tokens 9 0 <<END
  "keys": {
    "vocab": "300",
    "eos": "2"
  },
  "prov": [
    "tokenize -t é",
    "shard -o d"
  ],
  "files": [
    {"name": "00000-aaaaaaaaaaaaaaaa.graft", "bytes": 4096, "records": 5, \
"tensors": 0,
     "content": "$(of a)",
     "file": "$(of b)"},
    {"name": "00001-cccccccccccccccc.graft", "bytes": 8192, "records": 4, \
"tensors": 0,
     "content": "$(of c)",
     "file": "$(of d)"}
  ],
  "lengths": {"name": "lengths-eeeeeeeeeeeeeeee", "bytes": 99,
    "file": "$(of e)"},
  "splits": [
    {"name": "train", "records": 5, "tokens": 70,
     "ranges": [[0, 3], [5, 7]]},
    {"name": "val", "records": 2, "tokens": 9,
     "ranges": [[3, 5]]}
  ],
  "sampling": ["lang:c=2", "half-life=365.5", "quality"],
  "leaks": [
    {"split": "val", "edit": 2, "content": 1, "commit": 0}
  ],
  "inputs": [
    "$(of f)",
    "$(of 1)"
  ],
  "segments": [6, 3],
  "ledger": [
    {"program": "tokenize", "reason": "too-long", "count": 3},
    {"program": "shard", "reason": "a", "count": 1}
  ],
END
manifest weights 1 2 <<END
  "keys": {},
  "prov": [],
  "files": [
    {"name": "00000-aaaaaaaaaaaaaaaa.graft", "bytes": 4096, "records": 1, \
"tensors": 2,
     "content": "$(of a)",
     "file": "$(of b)"}
  ],
  "splits": [],
  "inputs": [],
  "ledger": [],
END
manifest text 0 0 <<'END'
  "keys": {
    "a": "b"
  },
  "prov": [],
  "files": [],
  "splits": [
    {"name": "test", "records": 0, "tokens": 0,
     "ranges": []}
  ],
  "inputs": [],
  "ledger": [],
END
words manifest '"name": ' '"bytes": ' '"records": ' '"tensors": ' \
    '"content": ' '"file": ' '"tokens": ' '"ranges": [' '"lengths": {' \
    '"segments": [' '"sampling": [' '"leaks": [' '"edit": ' \
    '"program": ' '"reason": ' '"count": ' '], [' '},\x0a    ' \
    '[]' '{}' 18446744073709551615 9223372036854775808 '\\u0000' '\\n' \
    00000-aaaaaaaaaaaaaaaa.graft lengths-aaaaaaaaaaaaaaaa

# ---- import ----

# le BYTES NUMBER...: each as so many bytes, the lowest first.
le() {
    local bytes=$1 v i
    shift
    for v; do
        for ((i = 0; i < bytes; i++)); do
            printf "\\x$(printf %02x $((v >> 8 * i & 255)))"
        done
    done
}

# llmc FIRST BYTES-OF-ID ID...
llmc() {
    local first=$1 bytes=$2
    shift 2
    le 1 "$first"
    if [ "$bytes" -eq 2 ]; then le 4 20240520 1 $#; else le 4 20240801 7 $#; fi
    le "$bytes" "$@"
}
llmc 0x28 2 1 2 3 2 65535 | seed import
llmc 0x2a 2 2 1 3 2 9 | seed import
llmc 0x2a 2 1 3 2 2 9 2 | seed import
llmc 0x0c 4 1 70000 3 | seed import

# megatron FIRST TYPE BYTES-OF-ID: documents of two sequences, none and one.
megatron() {
    le 1 "$1"
    le 2 $((34 + 3 * 12 + 4 * 8))
    printf 'MMIDIDX\0\0'
    le 8 1
    le 1 "$2"
    le 8 3 4
    le 4 2 1 3
    le 8 0 $((2 * $3)) $((1 * $3))
    le 8 0 2 2 3
    le "$3" 4 5 6 7
}
for type in 1 2; do megatron 0x0d $type 1 | seed import; done
for type in 3 8; do megatron 0x0d $type 2 | seed import; done
megatron 0x0d 4 4 | seed import
megatron 0x0d 5 8 | seed import
megatron 5 8 2 | seed import
words import 'MMIDIDX\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00' \
    '\xff\xff' '\xff\xff\xff\xff' '\x00\x00\x00\x80' '\x01\x00\x00\x00'

# ---- gguf ----

# text STRING: as GGUF files have it. key NAME TYPE, with its value behind.
text() { le 8 ${#1} && printf %s "$1"; }
key() { text "$1" && le 4 "$2"; }

# head VERSION TENSORS KEYS
head_of() { printf GGUF && le 4 "$1" && le 8 "$2" "$3"; }

# filled TO: what is on stdin, and zeros up to a multiple of TO bytes.
filled() {
    cat >filled
    local n
    n=$(wc -c <filled)
    cat filled
    head -c $(((n + $1 - 1) / $1 * $1 - n)) /dev/zero
    rm filled
}

head_of 2 0 0 | seed gguf
{
    head_of 3 2 6
    key general.architecture 8 && text llama
    key general.alignment 4 && le 4 16
    key llama.block_count 10 && le 8 3
    key words 9 && le 4 8 && le 8 2 && text one && text ''
    key scores 9 && le 4 6 && le 8 2 && le 4 0 0x3f800000
    key on 7 && le 1 1
    text token_embd.weight && le 4 2 && le 8 32 2 && le 4 8 && le 8 0
    text output_norm.weight && le 4 1 && le 8 3 && le 4 0 && le 8 80
} | filled 16 | { cat && head -c 92 /dev/zero; } | seed gguf
words gguf GGUF '\x03\x00\x00\x00' '\x08\x00\x00\x00' '\x09\x00\x00\x00' \
    general.alignment '\x00\x00\x00\x00\x00\x00\x00\x00' \
    '\x01\x00\x00\x00\x00\x00\x00\x00' '\x20\x00\x00\x00\x00\x00\x00\x00' \
    '\xff\xff\xff\xff\xff\xff\xff\xff' '\x00\x00\x00\x00\x00\x00\x00\x80'

# ---- base ----

# header: a line "NAME DTYPE BYTES SHAPE" for each tensor on stdin, in the
# order of their data, as the header of a .safetensors file.
header() {
    jq -Rc 'split(" ") | {name: .[0], dtype: .[1], bytes: (.[2] | tonumber),
            shape: (.[3] | "[\(.)]" | fromjson)}' |
        jq -sc 'reduce .[] as $t ({at: 0};
            .t[$t.name] = {dtype: $t.dtype, shape: $t.shape,
                data_offsets: [.at, .at + $t.bytes]} | .at += $t.bytes) | .t'
}

# base BYTES CONFIG [END]: with the tensors on stdin.
base() {
    { le 2 "$1" && printf '%s\0' "$2" && header | tr -d '\n' &&
        printf ${3+'\0%s'} "${3-}"; } | seed base
}

small='"vocab_size":2,"hidden_size":64,"intermediate_size":1,
"num_hidden_layers":1,"num_attention_heads":1,"head_dim":2,
"num_key_value_heads":1,"max_position_embeddings":8,
"tie_word_embeddings":true'
tensors() {
    echo model.embed_tokens.weight F16 256 2,64
    for w in q k v; do
        echo "model.layers.0.self_attn.${w}_proj.weight F16 256 2,64"
    done
    echo model.layers.0.self_attn.o_proj.weight F16 256 64,2
    echo model.layers.0.mlp.up_proj.weight F16 128 1,64
    echo model.layers.0.mlp.down_proj.weight F16 128 64,1
    for w in layers.0.input_layernorm layers.0.post_attention_layernorm norm
    do echo "model.$w.weight BF16 128 64"; done
}
gate=model.layers.0.mlp.gate_proj.weight
base 2048 "{\"model_type\":\"llama\",$small}" < <(tensors
    echo $gate F16 128 1,64)
base 2048 "{\"model_type\":\"mistral\",$small,\"rope_parameters\":{
\"rope_type\":\"yarn\",\"factor\":2.0,\"rope_theta\":1e4}}" < <(tensors
    echo $gate F16 128 1,64)
base 1 '{"model_type":"gpt2","n_embd":2,"n_head":1}' <<<'a U8 1 1'
state='{"quant_type":"nf4","blocksize":64,"dtype":"float16","shape":[1,64]}'
base $((64 + 1920 + 32 + 4 + ${#state})) "{\"model_type\":\"llama\",$small}" \
    "$state" < <(echo $gate.quant_map F32 64 16
        tensors
        echo $gate U8 32 32,1
        echo $gate.absmax F32 4 1
        echo "$gate.quant_state.bitsandbytes__nf4 U8 ${#state} ${#state}")
base $((4 + 1920 + 64 + 1)) "{\"model_type\":\"llama\",$small}" < <(
    echo ${gate%weight}SCB F32 4 1
    tensors
    echo $gate I8 64 1,64
    echo ${gate}_format U8 1 1)
words base '"model_type":' '"llama"' '"qwen3"' '"gemma3_text"' '"granite"' \
    '"olmo2"' '"rope_scaling":' '"rope_type":' '"yarn"' '"llama3"' '"linear"' \
    '"factor":' '"layer_types":' '"sliding_attention"' '"head_dim":' \
    '"num_key_value_heads":' '"quantization_config":' '"dtype":' '"shape":' \
    '"data_offsets":' '"__metadata__":' '"F32"' '"U8"' '"I8"' '.nested_absmax' \
    '.absmax' '.quant_map' '.SCB' 'weight_format' '.scale' \
    18446744073709551615 -1 1e308 null

# ---- adapter ----

# adapter LAYOUT BYTES CONFIG: with the tensors on stdin.
adapter() {
    { le 1 "$1" && le 1 "$2" && printf '%s\0' "$3" && header | tr -d '\n'; } |
        seed adapter
}

peft=base_model.model.model.layers.0
adapter 0 64 '{"peft_type":"LORA","r":2,"lora_alpha":4,"target_modules":["q",
"up"],"rank_pattern":{"up":1}}' <<END
$peft.q.lora_A.weight F32 24 2,3
$peft.q.lora_B.weight F32 24 3,2
$peft.up.lora_A.weight F32 8 1,2
$peft.up.lora_B.weight F32 8 2,1
END
adapter 0 36 '{"peft_type":"LORA","r":1,"target_modules":".*q","use_dora":true,
"use_rslora":true,"alpha_pattern":{".*":3}}' <<END
$peft.q.lora_A.weight F32 12 1,3
$peft.q.lora_B.weight F32 16 4,1
$peft.q.lora_magnitude_vector BF16 8 4
END
adapter 1 48 '{"num_layers":-1,"lora_parameters":{"rank":2,"scale":20.0,
"dropout":0.1,"keys":["q"]}}' <<END
model.h.0.q.lora_a F32 24 3,2
model.h.0.q.lora_b F32 24 2,3
END
adapter 1 36 '{"num_layers":1,"fine_tune_type":"dora","lora_parameters":{
"rank":2,"scale":1,"dropout":0}}' <<END
model.layers.7.q.lora_a F16 12 3,2
model.layers.7.q.lora_b BF16 12 2,3
model.layers.7.q.m F32 12 3
END
words adapter '"peft_type":' '"LORA"' '"r":' '"lora_alpha":' '"use_dora":' \
    '"use_rslora":' '"rank_pattern":' '"alpha_pattern":' '"target_modules":' \
    '"exclude_modules":' '"layers_to_transform":' '"num_layers":' '"keys":' \
    '"fine_tune_type":' '"dora"' '"lora_parameters":' '"rank":' '"scale":' \
    '"dropout":' '"dtype":' '"shape":' '"data_offsets":' '"F32"' '"BF16"' \
    .lora_A.weight .lora_B.weight .lora_magnitude_vector .lora_a .lora_b .m \
    base_model.model. transformer.h. model.h. model.layers.0. true null -1

# ---- kept ----

# entry ID NUMBER [LEAST...]: of an index at a threshold of 1; a sketch of
# these hashes, all of a set.
entry() {
    local least
    printf '%032d' "$1" && le 8 "$2" && shift 2
    [ $# -gt 0 ] || { le 4 0 && return; }
    le 4 $((0x80000000 + $#)) && le 4 7
    for least; do le 4 "$least"; done
}

# kept SEEN KEPT: the index of the entries on stdin.
kept() {
    cat >entries
    { printf 'graft dedup-index 1 threshold 1 seen %s kept %s bytes %s\n' \
        "$1" "$2" "$(stat -c %s entries)" && cat entries; } | seed kept
    rm entries
}

kept 0 0 </dev/null
{ entry 1 0 && entry 2 3 5 9 12; } | kept 4 2
{ entry 1 0 1 2 && entry 2 1 1 2 && entry 4 2 3; } | kept 3 3
words kept 'graft dedup-index ' ' threshold ' ' seen ' ' kept ' ' bytes ' \
    '\x0a' '\x00\x00\x00\x00' '\x01\x00\x00\x80' '\x00\x01\x00\x00'

# ---- rules ----

seed rules <<'END'
"rules":[{"id":"a","type":"KEY","regex":"acme_([0-9a-f]{8})","secret":1,
"keywords":["acme_"],"entropy":2.5,"allow":{"stopwords":["x"]}}]}
END
seed rules <<'END'
"allow":{"regexes":["^<"],"lines":["zz"]},"disable":["b"],"rules":[
{"id":"b","type":"A","regex":"(a+)+$"},{"id":"c","type":"P","armour":true,
"keywords":["PRIVATE KEY"]},{"id":"m","type":"M","multiline":true,
"regex":"a0.*\\nb","keywords":["a0"]},{"id":"e","type":"EMAIL","check":"mail",
"regex":"[\\w.]+@[\\w.]+","keywords":["@"],"generic":true}]}
END
words rules '"id":' '"type":' '"regex":' '"secret":' '"keywords":' \
    '"entropy":' \
    '"check":' '"multiline":true' '"armour":true' '"generic":' '"allow":' \
    '"regexes":' '"lines":' '"stopwords":' '"disable":' '"rules":' '"ipv4"' \
    '"ipv6"' '"phone"' '"card"' '"iban"' '(?i)' '(?<=' '(?:' '{1,9}' '\\\\b'

# ---- source ----

printf '%s\n' a/b.c '/* Do not edit this file. @generated */' \
    ' * SPDX-License-Identifier: (MIT OR ISC) AND GPL-2.0+ WITH x */' |
    seed source
printf '%s\n' deps/a.go '// Code generated by x. DO NOT EDIT.' \
    'Redistribution and use in source and binary forms, with or without' \
    'binary form must reproduce; endorse or promote' | seed source
printf '%s\n' vendor/x.h '[attr]made linguist-generated' \
    '"a b"/* made -linguist-vendored' '**/x.[ch] !linguist-vendored' \
    '*.h linguist-vendored=false' '/vendor/** linguist-documentation' |
    seed source
words source 'SPDX-License-Identifier: ' ' AND ' ' OR ' ' WITH ' MIT '(' ')' \
    '@generated' 'automatically generated' 'do not edit' 'made by gnu bison' \
    linguist-generated linguist-vendored '[attr]' '**' '/' '\x0a' '*/' \
    'gnu general public license' 'version 2' 'any later version' \
    'permission is hereby granted, free of charge, to any person ' .min.js
