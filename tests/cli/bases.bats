# bases: what a base's files may say, the same for every program that reads
# one. tests/unit/keys.c goes through the keys one by one.

load helper

edit() { python3 "$BATS_TEST_DIRNAME/safetensors.py" "$@"; }

setup() {
    cd "$BATS_TEST_TMPDIR"
    text_base
    cp base/config.json good.json
}

# Every program that reads the base, one at a time, as "$@ OPTIONS".
each_reader() {
    "$@" verify base
    "$@" quantize base
    "$@" train --data data --base base --seq-len 32 --steps 1 -o run
    "$@" evalprompts --base base --data data --seq-len 32
}

# Refused with status 4, one line that holds $part, and nothing written.
refused() {
    run --separate-stderr bash -c '"$@" >out' - "$@"
    [ "$status" -eq 4 ]
    [ "${#stderr_lines[@]}" -eq 1 ]
    [[ $stderr == "$1: base"[:/]*"$part"* ]]
    [ ! -s out ]
    [ ! -e run ]
}

# Done, with one warning that holds $part.
warned() {
    run -0 --separate-stderr bash -c '"$@" >out' - "$@"
    [ "$(grep -c 'warning:' <<<"$stderr")" -eq 1 ]
    [[ $stderr == *"$1: warning: base"[:/]*"$part"* ]]
    rm -rf run
}

# Done without a warning.
accepted() {
    run -0 --separate-stderr bash -c '"$@" >out' - "$@"
    [[ $stderr != *warning:* ]]
    rm -rf run
}

@test "a config that one program refuses, every program refuses" {
    while IFS='|' read -r change part; do
        jq "$change" good.json >base/config.json
        each_reader refused
        jq "$change" arch.json >bad.json
        [[ $change == *vocab_size* || $change == *attention_bias* ]] ||
            run -4 --separate-stderr initmodel -o new bad.json
    done <<'EOF'
.num_hidden_layers = true|num_hidden_layers (found true, expected a whole
.hidden_act = 7|hidden_act (found 7, expected one of
.hidden_act = "quick_gelu"|hidden_act (found "quick_gelu"
.rope_theta = 0|rope_theta (found 0, expected a number from
.intermediate_size = 0|intermediate_size (found 0, expected
.rms_norm_eps = null|rms_norm_eps (found null, expected
.is_causal = false|is_causal (found false, expected true
.quantization_config = {"bits": 4}|quantization_config (found {"bits":4}
.rope_scaling = {"type": "dynamic", "factor": 2}|rope_scaling: rope_type
.rope_scaling = {"type": "linear"}|rope_scaling: factor (found nothing
.model_type = "bloom"|unknown model_type
.vocab_size = 301|embed_tokens.weight: bad shape
.attention_bias = true|self_attn.q_proj.bias is missing
EOF
}

@test "a generation config without sense is refused by every program" {
    while IFS='|' read -r text part; do
        echo "$text" >base/generation_config.json
        part="generation_config.json: $part" each_reader refused
    done <<'EOF'
{"eos_token_id": "x"}|eos_token_id (found "x", expected a token id
{"eos_token_id": [1, true]}|eos_token_id (found [1,true], expected a token id
{"pad_token_id": 1.5}|pad_token_id (found 1.5, expected a token id
[]|no JSON object
{"eos_token_id": 1|byte
EOF
    echo '{"eos_token_id": [1, 2], "pad_token_id": null}' \
        >base/generation_config.json
    each_reader accepted
}

@test "a base without tensors is none for any program" {
    printf '\2\0\0\0\0\0\0\0{}' >base/model.safetensors
    part="tensor model.embed_tokens.weight is missing" each_reader refused
}

@test "tensors that the model does not use are named, once" {
    jq '.num_hidden_layers = 1' good.json >base/config.json
    part="does not use 9 of 21 tensors: model.layers.1.input_layernorm.weight,"
    each_reader warned
    cp good.json base/config.json
    each_reader accepted
}

@test "a tied config with a head of its own uses it, and says so" {
    evalprompts -q --no-prov --base base --data data --seq-len 32 >own
    jq '.tie_word_embeddings = true' good.json >base/config.json
    part="the head's weight differs from the embedding's"
    each_reader warned
    evalprompts -q --no-prov --base base --data data --seq-len 32 >tied
    cmp own tied
    edit copy base model.embed_tokens.weight lm_head.weight
    each_reader accepted
    evalprompts -q --no-prov --base base --data data --seq-len 32 >tied
    run ! cmp -s own tied
}

@test "an adapter that one program refuses, every program refuses" {
    train -q --data data --base base --seq-len 32 --steps 1 --rank 4 -o first
    cp -r first/adapter a
    cp a/adapter_config.json good
    while IFS='|' read -r change part; do
        jq "$change" good >a/adapter_config.json
        for command in "verify a" "exportadapter -o run a" \
            "evalprompts --base base --adapter a --data data --seq-len 32" \
            "train --init-adapter a --data data --base base --steps 1 -o run"
        do
            run -4 --separate-stderr bash -c "$command >out"
            [ "${#stderr_lines[@]}" -eq 1 ]
            [[ $stderr == *"a/adapter_config.json: $part"* ]]
            [ ! -s out ]
            [ ! -e run ]
        done
    done <<'EOF'
.lora_alpha = null|lora_alpha (found null, expected a number
.use_rslora = "false"|use_rslora (found "false", expected true or false
.r = true|r (found true, expected a whole number
.target_modules = ["q_proj"]|target_modules leaves out module model.layers.0.
.alpha_pattern = {"q_proj": "1"}|q_proj (found "1", expected a number
EOF
}

@test "train says once which dropouts of the config it leaves out" {
    jq '.attention_dropout = 0.25' good.json >base/config.json
    part="attention_dropout 0.25: not applied"
    warned train --data data --base base --seq-len 32 --steps 1 -o run
    accepted evalprompts --base base --data data --seq-len 32
    accepted quantize base
    cat >arch.json <<'JSON'
{"model_type": "gpt2", "vocab_size": 300, "n_embd": 16, "n_layer": 1,
 "n_head": 2, "n_positions": 64, "attn_pdrop": 0}
JSON
    rm -rf base
    initmodel -q -t tok.json -o base arch.json
    part="resid_pdrop 0.1, embd_pdrop 0.1: not applied"
    warned train --data data --base base --seq-len 32 --steps 1 -o run
}

# Both from tests/golden/four_bit.py.
@test "4-bit checkpoints of bitsandbytes are bases" {
    for i in 0 1 2 3; do
        echo "{\"ids\": [3, 5, $((7 + i)), 9, 11, 13, 2, 4], \"ordinal\": $i}"
    done | fromjsonl -q --vocab 24 | shard -q --val 0 --test 0.5 -o ids
    for name in nf4 nf4_double; do
        golden=$BATS_TEST_DIRNAME/../golden/four_bit/$name
        verify -q "$golden"
        evalprompts -q --no-prov --base "$golden" --data ids --seq-len 8 >scored
        jq -e '.base.loss > 3 and .base.loss < 4' scored
        train -q --data ids --base "$golden" --rank 2 --seq-len 8 \
            --steps 2 -o "run-$name"
        quantize -q --format nf4 "$golden" | shard -q -o "set-$name"
        evalprompts -q --no-prov --base "set-$name" --data ids --seq-len 8 |
            cmp - scored
    done
}

# From tests/golden/eight_bit.py, with losses in double precision; GPT-2's
# matrices are turned. Records 2 and 3 are tested.
@test "8-bit checkpoints of bitsandbytes are bases" {
    for i in 0 1 2 3; do
        echo "{\"ids\": [3, 5, $((7 + i)), 9, 11, 13, 2, 4], \"ordinal\": $i}"
    done | fromjsonl -q --vocab 24 | shard -q --val 0 --test 0.5 -o ids
    for name in llama gpt2; do
        golden=$BATS_TEST_DIRNAME/../golden/eight_bit/$name
        verify -q "$golden"
        evalprompts -q --no-prov --base "$golden" --data ids --seq-len 8 >scored
        jq -e --slurpfile want "$golden/loss.json" '.base.loss
            - ($want[0][2] + $want[0][3]) / 2 | fabs < 1e-6' scored
        train -q --data ids --base "$golden" --rank 2 --seq-len 8 \
            --steps 2 -o "run-$name"
        for format in f32 int8_row; do
            quantize -q --format $format "$golden" |
                shard -q -o "$format-$name"
            verify -q "$format-$name"
            evalprompts -q --no-prov --base "$format-$name" --data ids \
                --seq-len 8 | cmp - scored
        done
    done
}

@test "what bitsandbytes' config says has to be what its tensors are" {
    rm -rf base
    mkdir base
    cp "$BATS_TEST_DIRNAME"/../golden/four_bit/nf4/* base
    cp base/config.json good.json
    part="quantization_config (found"
    for change in '.load_in_4bit = false' '.bnb_4bit_quant_type = "fp4"' \
        '.quant_method = "gptq"' '.load_in_8bit = true'; do
        jq ".quantization_config |= ($change)" good.json >base/config.json
        refused verify base
        refused evalprompts --base base --data data --seq-len 32
    done
    cp "$BATS_TEST_DIRNAME"/../golden/eight_bit/llama/*.* base
    cp base/config.json good.json
    for change in '.load_in_8bit = false' '.quant_method = "gptq"' \
        '.load_in_4bit = true'; do
        jq ".quantization_config |= ($change)" good.json >base/config.json
        refused verify base
    done
}
