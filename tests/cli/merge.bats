# merge: an adapter folded into its base.

load helper

edit() { python3 "$BATS_TEST_DIRNAME/safetensors.py" "$@"; }

setup() {
    cd "$BATS_TEST_TMPDIR"
}

# base and data of 12 records, and a run of a few steps on them; $1: the
# base's tokenizer_config.json.
small_run() {
    token_base 12
    [ $# -eq 0 ] || echo "$1" >base/tokenizer_config.json
    train -q --data data --base base -o run --steps 3 --batch 1 \
        --seq-len 16 --rank 4 --lr 0.01 --threads 1
}

# Refused with status $1 and one line that holds $2; nothing is made.
refused() {
    local status_wanted=$1 part=$2
    shift 2
    run --separate-stderr merge -q -o out "$@"
    [ "$status" -eq "$status_wanted" ]
    [ "${#stderr_lines[@]}" -eq 1 ]
    [[ $stderr == "merge: "*"$part"* ]]
    [ ! -e out ]
    no_leftovers .
}

@test "merge prints help and version" {
    run -0 --separate-stderr merge --help
    [[ $output == *--any-base* ]]
    run -0 merge --version
}

@test "a merged base has the loss of base and adapter" {
    small_run '{"x": 1}'
    run -0 --separate-stderr merge --base base --adapter run -o out
    [[ $stderr == *"14 of 14 linears, 21 tensors"* ]]
    [[ $stderr == *"weights are other numbers now; of 0 (0.00%)"* ]]
    [ -z "$output" ]
    diff base/config.json out/config.json
    diff base/tokenizer_config.json out/tokenizer_config.json
    [ "$(ls out)" = "config.json
model.safetensors
tokenizer_config.json" ]
    for base in base out; do
        evalprompts -q --base $base --data data --seq-len 16 --split val \
            $([ $base = out ] || echo --adapter run) >$base.json
    done
    jq -se '.[0].adapter.loss as $a | .[1].base.loss as $b |
        ($a - $b | fabs) < 1e-5 and ($a - .[0].base.loss | fabs) > 1e-3' \
        base.json out.json
    tojsonl out >listed
    verify -q out
}

@test "what it was made of is in the file, unless --no-prov" {
    small_run
    merge -q --base base --adapter run -o out
    head -c 1000 out/model.safetensors |
        grep -aEq '"graft.prov":"merge [0-9.]+ base=[0-9a-f]{64} '
    merge -q --no-prov --base base --adapter run -o bare
    run ! grep -aq graft.prov bare/model.safetensors
    merge -q --base base --adapter run --any-base -o any
    head -c 1000 any/model.safetensors | grep -aq 'any-base=true'
    [ "$(tail -c 20000 out/model.safetensors | sha256sum)" = \
        "$(tail -c 20000 any/model.safetensors | sha256sum)" ]
}

@test "merge refuses an adapter of another base" {
    small_run
    initmodel -q --seed 1 -o other arch.json
    for adapter in run run/adapter run/adapter/; do
        refused 4 "was trained on another base than other" --base other \
            --adapter $adapter
    done
    merge -q --base other --adapter run --any-base -o out
    rm -r out
    # Nobody knows what an adapter from elsewhere was trained on.
    cp -r run/adapter elsewhere
    merge -q --base other --adapter elsewhere -o out
    rm -r out
    edit adapter wrong model.layers.0.self_attn.q_proj:16:8
    refused 4 "q_proj of the adapter: maps 16 to 8, in the base 16 to 16" \
        --base base --adapter wrong
}

@test "merge refuses what is there, not there, or broken" {
    small_run
    mkdir old
    run -6 --separate-stderr merge -q --base base --adapter run -o old
    one_line 'merge: old: exists'
    [ -z "$(ls old)" ]
    refused 1 "none" --base none --adapter run
    refused 1 "none: no such run" --base base --adapter none
    refused 2 "expected f32" --base base --adapter run --dtype int8
    edit set base lm_head.weight 3 nan
    refused 4 "lm_head.weight: element 3 is nan" --base base \
        --adapter run/adapter --any-base
    printf x | dd of=run/adapter/adapter_model.safetensors bs=1 seek=3000 \
        conv=notrunc status=none
    refused 4 "differs from its manifest" --base base --adapter run
}

@test "a quantised base is widened, and says so" {
    small_run
    for format in int8 int8_row nf4; do
        quantize -q --format $format base | shard -q -o set
        merge -q --base set --adapter run --any-base -o out
        jq -e '.torch_dtype == "bfloat16"' out/config.json
        [ "$(tojsonl out | jq -r 'select(.shape).dtype' | sort -u)" = BF16 ]
        merge -q --dtype f32 --base set --adapter run --any-base -o wide
        jq -e '.torch_dtype == "float32"' wide/config.json
        for base in set wide; do
            evalprompts -q --base $base --data data --seq-len 16 \
                --split val $([ $base = wide ] || echo --adapter run) \
                >$base.json
        done
        jq -se '.[0].adapter.loss - .[1].base.loss | fabs < 1e-5' \
            set.json wide.json
        rm -r set out wide
    done
}

@test "merge writes the same bytes at any number of threads" {
    cat >arch.json <<'EOF'
{"model_type": "gpt2", "vocab_size": 500, "n_embd": 264, "n_layer": 1,
 "n_head": 4, "n_positions": 16, "torch_dtype": "bfloat16"}
EOF
    initmodel -q -o base arch.json
    edit adapter ad transformer.h.0.attn.c_attn:264:792 \
        transformer.h.0.mlp.c_proj:1056:264
    for n in 1 2 5; do
        merge --threads $n --base base --adapter ad -o $n 2>said.$n
    done
    cmp 1/model.safetensors 2/model.safetensors
    cmp 1/model.safetensors 5/model.safetensors
    cmp said.1 said.5
    grep -q 'the change was rounded away' said.1
}

# base: 160 MB of zeros that are nowhere.
sparse_base() {
    mkdir base
    python3 - <<'EOF'
import json
import struct
N, K = 2000, 6000
shapes = {"wte.weight": [40, N], "wpe.weight": [16, N],
          "ln_f.weight": [N], "ln_f.bias": [N]}
for n, s in (("attn.c_attn", [N, K]), ("attn.c_proj", [N, N]),
             ("mlp.c_fc", [N, K]), ("mlp.c_proj", [K, N])):
    shapes["h.0.%s.weight" % n] = s
    shapes["h.0.%s.bias" % n] = s[1:]
for n in "ln_1", "ln_2":
    shapes["h.0.%s.weight" % n] = shapes["h.0.%s.bias" % n] = [N]
head, at = {}, 0
for n, s in shapes.items():
    size = 4 * s[0] * (s[1] if len(s) > 1 else 1)
    head[n] = {"dtype": "F32", "shape": s, "data_offsets": [at, at + size]}
    at += size
text = json.dumps(head).encode()
text += b" " * (-len(text) % 8)
with open("base/model.safetensors", "wb") as f:
    f.write(struct.pack("<Q", len(text)) + text)
    f.truncate(8 + len(text) + at)
with open("base/config.json", "w") as f:
    json.dump({"model_type": "gpt2", "vocab_size": 40, "n_embd": N,
               "n_layer": 1, "n_head": 4, "n_inner": K, "n_positions": 16},
              f)
EOF
}

@test "a disk that is full and a signal leave nothing" {
    sparse_base
    edit adapter ad transformer.h.0.mlp.c_fc:2000:6000
    run -1 --separate-stderr bash -c \
        'ulimit -f 20000; exec merge -q --base base --adapter ad -o out'
    one_line 'merge: out'
    [[ $stderr == *'File too large' ]]
    [ ! -e out ]
    no_leftovers .
    for sig in INT TERM; do
        env --default-signal=INT merge -q --base base --adapter ad -o out &
        pid=$!
        until [ -n "$(find . -path '*.tmp.*/model.*' -size +1000k)" ]; do
            kill -0 $pid
        done
        kill -$sig $pid
        code=0
        wait $pid || code=$?
        [ "$code" -eq $((128 + $(kill -l $sig))) ]
        [ ! -e out ]
        no_leftovers .
    done
}

@test "merge says how far the logits are from base and adapter" {
    text_base
    edit adapter ad model.layers.0.self_attn.q_proj:16:16 \
        model.layers.1.mlp.down_proj:24:16
    # gap WORDS...: "GAP MOVED" of merge's line, of so many tokens
    gap() {
        rm -rf out
        merge "$@" --adapter ad -o out 2>said
        sed -nE "s/^merge: logits of ($tokens) tokens: at most ([^ ]*) .* by\
 ([^ ]*) \(.*/\2 \3/p" said | grep .
    }
    tokens=32
    read -r near moved < <(gap --base base)
    read -r far _ < <(gap --base base --dtype bf16)
    jq -en "$near < 1e-6 and $far > 1e-5 and $far < $moved and $moved > 0.01"
    tokens=[1-9]
    gap --base base -p 'line 3 says 1'
    tokens=64
    gap --base base -p "$(tojsonl text | jq -r .text)"
    rm -r out
    # an adapter of nothing is no perfect one
    merge --base base --adapter ad=0 --dtype bf16 -o out 2>said
    grep -q ' of which the adapter moves none; ' said
    rm -r out
    merge --base base --adapter ad --no-check -o out 2>said
    run ! grep -q logits said
    rm -r out
    refused 2 "--prompt with --no-check" --base base --adapter ad \
        --no-check -p x
    rm base/tokenizer.json
    refused 2 "base: has no tokenizer.json for --prompt" --base base \
        --adapter ad -p x
}

# What safetensors.py writes an adapter of, for the matrices of layer 0 (of
# scans', those that adapters are for; of mixtral's both layers, for PEFT has
# experts of all or of none, of qwen2_moe's none; of qwen3_moe's attention).
modules() {
    python3 - "$1" <<'EOF'
import json
import struct
import sys
with open(sys.argv[1] + "/model.safetensors", "rb") as f:
    head = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
for name, t in head.items():
    if (".layers." in name if "mixtral" in sys.argv[1] else ".0." in name) \
            and len(t.get("shape", [])) == 2 and not name.endswith(
            ("A_log", "dt_proj.weight", "mixer.out_proj.weight",
             "moe.gate.weight", "mlp.gate.weight")) and not (
                 "qwen2_moe" in sys.argv[1] and ".experts." in name) \
            and not ("qwen3_moe" in sys.argv[1] and ".mlp." in name):
        at = t["shape"] if "gpt2" in sys.argv[1] else t["shape"][::-1]
        print("%s:%d:%d" % (name[:-len(".weight")], *at))
EOF
}

@test "transformers and PEFT make the same of base and adapter" {
    [ -x "${PEERS:-}/bin/python" ] || skip "PEERS names no Python with peft"
    export PYTHONDONTWRITEBYTECODE=1
    for type in llama mistral qwen2 qwen3 granite olmo2 gemma gemma3 \
        starcoder2 gpt2 gpt_bigcode phi phi3 mixtral qwen2_moe qwen3_moe \
        mamba mamba2 jamba; do
        model=$root/tests/golden/models/$type
        edit adapter ad $(modules "$model")
        merge -q --dtype bf16 --base "$model" --adapter ad -o out
        "$PEERS/bin/python" "$root/tests/peft/merged.py" "$model" ad out
        rm -r ad out
    done
}

@test "ranks and alphas of modules, rsLoRA and DoRA are merged as by PEFT" {
    [ -x "${PEERS:-}/bin/python" ] || skip "PEERS names no Python with peft"
    export PYTHONDONTWRITEBYTECODE=1
    for type in llama gpt2; do
        model=$root/tests/golden/models/$type one=k_proj other=o_proj
        [ $type = llama ] || one=c_attn other=c_fc
        for more in '' ', "use_dora": true' \
            ', "modules_to_save": ["lm_head", "'$other'"],
             "exclude_modules": ["'$other'"]' \
            ', "trainable_token_indices": [9, 0, 95]'; do
            "$PEERS/bin/python" "$root/tests/peft/adapter.py" "$model" ad \
                '{"r": 3, "lora_alpha": 5, "use_rslora": true,
                  "rank_pattern": {"'$one'": 2},
                  "alpha_pattern": {"1.*'$other'": 9}'"$more}"
            merge -q --base "$model" --adapter ad -o out
            "$PEERS/bin/python" "$root/tests/peft/merged.py" "$model" ad out
            rm -r ad out
        done
    done
}

# loss FILE: of the base that it is about, or of the adapter.
loss() {
    jq 'select(.kind == "summary") | (.adapter // .base).loss' "$1"
}

@test "modules that were trained in full take the base's place" {
    echo '{"model_type": "gpt2", "vocab_size": 40, "n_embd": 16,
        "n_layer": 1, "n_head": 4, "n_positions": 32}' >arch.json
    initmodel -q -o base arch.json
    for i in {1..9}; do
        jq -cn --argjson i $i '{ids: [range(24) | (. * $i + 3) % 40]}'
    done | fromjsonl | shard -q -o data
    for options in "wte,ln_f" lm_head "wte --ensure-weight-tying"; do
        # shellcheck disable=SC2086
        train -q --data data --base base -o run --steps 2 --batch 1 \
            --seq-len 32 --rank 2 --lr 0.05 --modules-to-save $options
        merge -q --base base --adapter run -o out
        [ "$(jq .tie_word_embeddings out/config.json)" = \
            "$([[ $options == *tying ]] && echo null || echo false)" ]
        evalprompts -q --base base --adapter run --data data --split train \
            --seq-len 32 >of_run
        evalprompts -q --base out --data data --split train --seq-len 32 \
            >of_out
        jq -en "($(loss of_run) - $(loss of_out) | fabs) < 1e-6"
        rm -r run out
    done
}

@test "rows of tokens take the base's place" {
    echo '{"model_type": "gpt2", "vocab_size": 40, "n_embd": 16,
        "n_layer": 1, "n_head": 4, "n_positions": 32}' >arch.json
    for i in {1..9}; do
        jq -cn --argjson i $i '{ids: [range(24) | (. * $i + 3) % 40]}'
    done | fromjsonl | shard -q -o data
    for case in "true 3,7-9,39" "false 3-9,lm_head=0-5,lm_head=39"; do
        jq ".tie_word_embeddings = ${case% *}" arch.json >this.json
        initmodel -q -o base this.json
        train -q --data data --base base -o run --steps 2 --batch 1 \
            --seq-len 32 --rank 2 --lr 0.05 \
            --trainable-token-indices "${case#* }"
        merge -q --base base --adapter run -o out
        evalprompts -q --base base --adapter run --data data --split train \
            --seq-len 32 >of_run
        evalprompts -q --base out --data data --split train --seq-len 32 \
            >of_out
        jq -en "($(loss of_run) - $(loss of_out) | fabs) < 1e-6"
        rm -r base run out
    done
}

# gguf_case TYPE: a base of text_base's sizes and of that type, with the
# tokenizer, in TYPE, and an adapter for its first layer in TYPE.ad.
gguf_case() {
    jq ".model_type = \"$1\" | .num_hidden_layers = 1 | $2" arch.json >$1.json
    initmodel -q -t tok.json -o $1 $1.json
    edit adapter $1.ad $(modules $1)
}

# gpt2_case: as gguf_case, of a model that knows other keys.
gpt2_case() {
    jq '{model_type: "gpt2", vocab_size, n_embd: 32, n_layer: 1, n_head: 2,
         n_positions: 64}' arch.json >gpt2.json
    initmodel -q -t tok.json -o gpt2 gpt2.json
    edit adapter gpt2.ad $(modules gpt2)
}

@test "a merged GGUF file is the model, with its tokenizer" {
    text_base
    echo '{"eos_token": "<|endoftext|>", "chat_template": "{{ 1 }}"}' \
        >base/tokenizer_config.json
    edit adapter ad model.layers.0.self_attn.q_proj:16:16 \
        model.layers.0.self_attn.k_proj:16:8
    merge -q --base base --adapter ad -o dir
    merge --format gguf --base base --adapter ad -o a.gguf 2>said
    grep -q '2 of 14 linears, 21 tensors' said
    gap=$(sed -nE 's/.*: at most ([^ ]*) .*/\1/p' said)
    jq -en "$gap < 1e-6"
    verify -q a.gguf
    for base in dir a.gguf; do
        evalprompts -q --base $base --data data --seq-len 16 --split test |
            jq .base.loss
    done >losses
    [ "$(sort -u losses | wc -l)" -eq 1 ]
    cmp <(tokenize -q -t tok.json text | tojsonl | jq -c .ids) \
        <(tokenize -q -t a.gguf text | tojsonl | jq -c .ids)
    grep -aq 'tokenizer.chat_template' a.gguf
    # From there it goes on, with what the file says of itself.
    merge -q --format gguf --no-prov --base a.gguf --adapter ad -o b.gguf
    grep -aq 'tokenizer.chat_template' b.gguf
    run ! grep -aq graft.prov b.gguf
    merge -q --base dir --adapter ad -o twice
    for base in twice b.gguf; do
        tojsonl $base | jq -S 'select(.shape)|[.name,.shape,.dtype]'
    done | sort | uniq -c | grep -q ' 2 '
    for base in twice b.gguf; do
        evalprompts -q --base $base --data data --seq-len 16 --split test |
            jq .base.loss
    done >losses
    [ "$(sort -u losses | wc -l)" -eq 1 ]
}

@test "a merged GGUF file takes the data of its base" {
    text_base
    # what is made of the file's keys is the same tokenizer in other words
    jq . tok.json >base/tokenizer.json
    run -1 command cmp -s tok.json base/tokenizer.json
    tokenize -q -t base/tokenizer.json text | shard -q --test 0.3 -o own
    edit adapter ad model.layers.0.self_attn.q_proj:16:16
    merge -q --format gguf --base base --adapter ad -o a.gguf
    merge -q --format gguf --base a.gguf --adapter ad -o b.gguf
    quantize -q --format int8 b.gguf | shard -q -o c
    for base in base a.gguf b.gguf c; do
        evalprompts -q --base $base --data own --seq-len 16
    done
    # and no other's
    jq -c . tok.json >other.json
    tokenize -q -t other.json text | shard -q --test 0.3 -o others
    run -4 --separate-stderr evalprompts --base a.gguf --data others
    one_line 'evalprompts: others: made with another tokenizer'
}

@test "GGUF's types, at any number of threads" {
    text_base
    gguf_case llama '.hidden_size = 64 | .intermediate_size = 72'
    gguf_case starcoder2 '.'
    gpt2_case
    for type in llama starcoder2 gpt2; do
        for dtype in q8_0 bf16; do
            for n in 1 3; do
                merge --format gguf --dtype $dtype --threads $n \
                    --base $type --adapter $type.ad -o $n.gguf 2>said
            done
            cmp 1.gguf 3.gguf
            [ $type.$dtype != llama.q8_0 ] ||
                grep -q ': 1 matrices are in f16' said
            read -r gap moved < <(sed -nE "s/.*: at most ([^ ]*) .* by\
 ([^ ]*) \(.*/\1 \2/p" said)
            jq -en "$gap > 0 and $gap < 0.15 * $moved"
            run ! grep -E 'of [0-9]{9,}' said
            rm 1.gguf 3.gguf
        done
    done
}

@test "what a GGUF file can't say is refused before any of it is written" {
    text_base
    edit adapter ad model.layers.0.self_attn.q_proj:16:16
    gguf() { # STATUS PART FILTER-OF-CONFIG
        jq "$3" base/config.json >config
        rm -rf other
        cp -r base other
        mv config other/config.json
        refused "$1" "$2" --format gguf --base other --adapter ad
    }
    gguf 2 "architecture llama has no place for its activation" \
        '.hidden_act = "gelu"'
    gguf 4 "doesn't come back from a GGUF file" '.rope_scaling = {
        rope_type: "llama3", factor: 2, low_freq_factor: 1,
        high_freq_factor: 2, original_max_position_embeddings: 8}'
    gguf 2 "rotary settings" '.rope_scaling = {rope_type: "yarn", factor: 2,
        original_max_position_embeddings: 32, attention_factor: 2}'
    refused 2 "--dtype q8_0 without --format gguf" --base base --adapter ad \
        --dtype q8_0
    run -2 --separate-stderr merge -q --format gguf --base base \
        --adapter ad -o -
    mkdir there
    run -6 --separate-stderr merge -q --format gguf --base base \
        --adapter ad -o there
    one_line 'merge: there: exists'
    jq '.pre_tokenizer = {type: "Sequence", pretokenizers:
        [{type: "Punctuation"}, .pre_tokenizer]}' base/tokenizer.json >t
    mv t base/tokenizer.json
    refused 4 "llama.cpp has no name for its normalizer and pre_tokenizer" \
        --format gguf --base base --adapter ad
    rm base/tokenizer.json
    refused 2 "has no tokenizer.json" --format gguf --base base --adapter ad
}

@test "what llama.cpp has no place for is refused by name" {
    text_base
    edit adapter ad model.layers.0.self_attn.q_proj:16:16
    no_place() { # WHAT TYPE FILTER-OF-CONFIG
        rm -rf other
        jq ".model_type = \"$2\" | .num_hidden_layers = 1 |
            .head_dim = 8 | $3" arch.json >other.json
        initmodel -q -t tok.json -o other other.json
        refused 2 "architecture $1" --format gguf --base other --adapter ad
    }
    local q=model.layers.0.self_attn.q_proj
    no_place "qwen3 has no place for a bias of $q" qwen3 \
        '.attention_bias = true'
    no_place "olmo2 has no place for a bias of $q" olmo2 \
        '.attention_bias = true'
    no_place "starcoder2 needs a bias of $q" starcoder2 '.use_bias = false'
    for type in olmo2 phi; do
        no_place "${type/phi/phi2} has no place for a head that is the" \
            $type '.tie_word_embeddings = true'
    done
}

@test "llama.cpp computes with a merged file what transformers does" {
    "${PEERS:-none}/bin/python" -c 'import gguf, llama_cpp, transformers' ||
        skip "PEERS has no gguf, llama_cpp and transformers"
    export PYTHONDONTWRITEBYTECODE=1
    text_base
    types="llama mistral qwen2 qwen3 granite olmo2 starcoder2 gpt2 phi"
    for type in $types; do
        if [ $type = gpt2 ]; then
            gpt2_case
        else
            gguf_case $type '.'
        fi
        merge -q --no-check --base $type --adapter $type.ad -o $type.dir
        merge -q --format gguf --base $type --adapter $type.ad -o $type.gguf
    done
    "$PEERS/bin/python" "$BATS_TEST_DIRNAME/../peft/merged_gguf.py" $types
}

@test "llama.cpp says with a merged file what generate says" {
    [[ ${GRAFT_SMOLLM2:-} == *.gguf ]] || skip "GRAFT_SMOLLM2 names no file"
    "${PEERS:-none}/bin/python" -c 'import gguf, llama_cpp, safetensors' ||
        skip "PEERS has no gguf, llama_cpp and safetensors"
    llama() { "$PEERS/bin/python" "$BATS_TEST_DIRNAME/../peft/llama.py" "$@"; }
    llama adapter ad "$GRAFT_SMOLLM2"
    merge -q --format gguf --dtype f32 --base "$GRAFT_SMOLLM2" --adapter ad \
        -o merged.gguf
    text='The capital of France is Paris. The history of the city'
    llama greedy merged.gguf '' 50 "$text" >theirs
    generate -q --raw --base merged.gguf --temperature 0 --max-tokens 50 \
        -p "$text" >ours
    cmp ours theirs
    generate -q --raw --base "$GRAFT_SMOLLM2" --temperature 0 \
        --max-tokens 50 -p "$text" >ours
    run -1 cmp -s ours theirs
    rm merged.gguf
}
