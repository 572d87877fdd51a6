# quantize: model directories to weights streams.

load helper

edit() { python3 "$BATS_TEST_DIRNAME/safetensors.py" "$@"; }

setup() {
    cd "$BATS_TEST_TMPDIR"
    made_once . quantize small_base
}

small_base() {
    cat >arch.json <<'EOF'
{"model_type": "gpt2", "vocab_size": 40, "n_embd": 24, "n_layer": 1,
 "n_head": 4, "n_positions": 16}
EOF
    initmodel -q -o base arch.json
}

# Refused with status $1 and one line that holds $2; a stream that began has
# no trailer.
refused() {
    local status_wanted=$1 part=$2
    shift 2
    run --separate-stderr bash -c '"$@" >out' - quantize "$@"
    [ "$status" -eq "$status_wanted" ]
    [ "${#stderr_lines[@]}" -eq 1 ]
    [[ $stderr == "quantize: "*"$part"* ]]
    run ! grep -aq '^content ' out
}

@test "quantize prints help and version" {
    run -0 --separate-stderr quantize --help
    [[ $output == *int8*int8_row*nf4* ]]
    [[ $output != *q4_k* ]]
    run -0 quantize --version
}

@test "quantize writes assets, then every tensor in the format asked for" {
    echo '{"x": 1}' >base/tokenizer_config.json
    quantize -q --format f32 base >f32
    quantize -q --format bf16 base >bf16
    quantize -q --format int8 base >int8
    for f in f32 bf16 int8; do
        head -n 3 $f | grep -aqx "key format $f"
        grep -aq 'records 2$' $f
    done
    [ "$(grep -ac '^tensor ' f32)" -eq 16 ]
    # Six matrices have scales: two embeddings, four linears.
    [ "$(grep -ac '^tensor ' int8)" -eq 22 ]
    params=$((40 * 24 + 16 * 24 + 24 * 72 + 24 * 24 + 24 * 96 * 2 + \
              72 + 24 + 96 + 24 + 6 * 24))
    grep -aqx "data $((4 * params))" f32
    grep -aqx "data $((2 * params))" bf16
}

@test "nf4 is for the layers' matrices, and leaves all else as it is" {
    quantize -q --format nf4 base >nf4
    head -n 3 nf4 | grep -aqx "key format nf4"
    tojsonl nf4 | jq -rs '.[] | select(.shape)
        | "\(.name) \(.dtype) \(.shape | join("x"))"' >listed
    [ "$(grep -c ' NF4 ' listed)" -eq 4 ]
    grep -qx 'transformer.h.0.attn.c_attn.weight NF4 24x72' listed
    grep -qx 'transformer.h.0.attn.c_attn.weight.scale F32 24x2' listed
    grep -qx 'transformer.wte.weight F32 40x24' listed
    # A row of 72: 36 bytes of codes.
    tojsonl --exact nf4 | fromjsonl >again
    cmp <(grep -a '^content ' again) <(grep -a '^content ' nf4)
    quantize -q --format bf16 base | shard -q -o half
    quantize -q --format nf4 half | tojsonl | jq -rs '.[] | select(.shape)
        | "\(.name) \(.dtype)"' >from_half
    grep -qx 'transformer.wte.weight BF16' from_half
    shard -q -o set nf4
    verify -q set
}

@test "a quantised base is converted from what it stands for" {
    printf '{"ids": [3, 5, 7, %d], "ordinal": %d}\n' 9 0 11 1 |
        fromjsonl -q --vocab 40 | shard -q --val 0 --test 0.5 -o ids
    for format in int8 int8_row nf4; do
        quantize -q --format $format base | shard -q -o $format
        quantize -q --format $format $format | shard -q -o again
        cmp $format/*.graft again/*.graft
        quantize -q --format f32 $format | shard -q -o wide
        evalprompts -q --no-prov --base $format --data ids --seq-len 8 \
            >narrow.json
        evalprompts -q --no-prov --base wide --data ids --seq-len 8 >wide.json
        cmp narrow.json wide.json
        rm -rf again wide
    done
}

@test "int8_row is for the layers' matrices, with a scale for each row" {
    quantize -q --format int8_row base >rows
    head -n 3 rows | grep -aqx "key format int8_row"
    tojsonl rows | jq -rs '.[] | select(.shape)
        | "\(.name) \(.dtype) \(.shape | join("x"))"' >listed
    [ "$(grep -c ' I8_ROW ' listed)" -eq 4 ]
    grep -qx 'transformer.h.0.attn.c_attn.weight I8_ROW 24x72' listed
    grep -qx 'transformer.h.0.attn.c_attn.weight.scale F32 24x1' listed
    grep -qx 'transformer.wte.weight F32 40x24' listed
    tojsonl --exact rows | fromjsonl >again
    cmp <(grep -a '^content ' again) <(grep -a '^content ' rows)
}

@test "int8_row has the bytes that bitsandbytes makes of the same base" {
    golden=$BATS_TEST_DIRNAME/../golden/eight_bit/llama
    for base in "$golden" "$golden/plain"; do
        quantize -q --format int8_row "$base" | tojsonl --exact |
            jq -c 'select(.kind == "tensor" or .kind == "data")' >>tensors
    done
    n=$(($(wc -l <tensors) / 2))
    cmp <(head -n $n tensors) <(tail -n $n tensors)
}

@test "any number of threads gives the same bytes, and the same report" {
    cat >wide.json <<'EOF'
{"model_type": "gpt2", "vocab_size": 5000, "n_embd": 264, "n_layer": 2,
 "n_head": 4, "n_positions": 16}
EOF
    initmodel -q -o wide wide.json
    for format in bf16 int8 int8_row nf4; do
        for n in 1 2 5; do
            quantize -q --threads $n --format $format --report $n.jsonl \
                wide >$n
        done
        cmp 1 2
        cmp 1 5
        cmp 1.jsonl 2.jsonl
        cmp 1.jsonl 5.jsonl
    done
}

@test "--report tells how far each tensor is from what it was" {
    quantize -q --format int8 base >plain
    for format in bf16 int8 int8_row nf4; do
        quantize -q --format $format --report $format.jsonl base >$format
        [ "$(wc -l <$format.jsonl)" -eq 16 ]
        jq -s . $format.jsonl | jq -c '.[]' | while read -r line; do
            echo "$line" >line.json
            python3 "$root/tests/validate.py" \
                "$root/schemas/quantize-report.schema.json" line.json
        done
    done
    cmp plain int8
    # The error that there is, from the numbers that both streams hold.
    tojsonl --exact bf16 >bf16.exact
    quantize -q --format f32 base | tojsonl --exact >f32.exact
    python3 - <<'EOF'
import base64, json, math, struct

def tensors(path):
    found, name = {}, None
    for line in map(json.loads, open(path)):
        if line.get("kind") == "tensor":
            name, size = line["name"], line["dtype"]
            found[name] = [size, b""]
        elif line.get("kind") == "data":
            found[name][1] += base64.b64decode(line["b64"])
    return found

def floats(kind, raw):
    if kind == "F32":
        return struct.unpack(f"<{len(raw) // 4}f", raw)
    return [struct.unpack("<f", b"\0\0" + raw[i:i + 2])[0]
            for i in range(0, len(raw), 2)]

was, now = tensors("f32.exact"), tensors("bf16.exact")
for line in map(json.loads, open("bf16.jsonl")):
    x, y = floats(*was[line["name"]]), floats(*now[line["name"]])
    off = [abs(a - b) for a, b in zip(x, y)]
    assert len(x) == line["elements"], line
    assert max(off) == line["max"], line
    rms = math.sqrt(sum(d * d for d in off) / len(off))
    assert math.isclose(rms, line["rms"], rel_tol=1e-9, abs_tol=0), line
    length = math.hypot(*x) * math.hypot(*y)
    if length == 0:
        assert line["cosine"] is None, line
    else:
        cosine = sum(a * b for a, b in zip(x, y)) / length
        assert math.isclose(cosine, line["cosine"], rel_tol=1e-9), line
EOF
    run -2 --separate-stderr bash -c 'quantize --report - base >out'
    run ! quantize -q --report base/config.json base >out
    jq -e .n_embd base/config.json
}

@test "quantize gives the same bytes for one file and for several" {
    quantize -q --format int8 base >one
    edit shift base
    quantize -q --format int8 base >unaligned
    edit split base
    [ ! -e base/model.safetensors ]
    quantize -q --format int8 base >several
    cmp one unaligned
    cmp one several
}

@test "quantize refuses NaN and infinity unless asked" {
    edit set base transformer.h.0.mlp.c_fc.weight 77 nan
    refused 4 "base: tensor transformer.h.0.mlp.c_fc.weight: element 77 is" \
        --format bf16 base
    quantize -q --format bf16 --allow-nonfinite base >out
    refused 4 "int8 can't hold" --format int8 --allow-nonfinite base
    refused 4 "int8_row can't hold" --format int8_row --allow-nonfinite base
    refused 4 "nf4 can't hold" --format nf4 --allow-nonfinite base
    edit set base transformer.h.0.mlp.c_fc.weight 77 1e6
    refused 4 "element 77 is 1e+06, which F16 can't hold" --format f16 base
}

@test "quantize refuses an index that leaves the directory or lacks files" {
    edit split base
    index=base/model.safetensors.index.json
    cp $index saved
    sed 's|model-00001|../model-00001|g' saved >$index
    refused 4 "not the name of a file" base
    sed 's|model-00001|/tmp/model-00001|g' saved >$index
    refused 4 "not the name of a file" base
    cp saved $index
    rm base/model-0000*
    refused 4 "2 of 2 files are missing: model-00001-of-00002.safetensors, \
model-00002-of-00002.safetensors" base
}

@test "quantize refuses a broken safetensors file" {
    cp base/model.safetensors whole
    for n in 0 7 8 100 $(($(stat -c %s whole) - 1)); do
        head -c $n whole >base/model.safetensors
        refused 4 "base/model.safetensors:" base
    done
    { cat whole; echo; } >base/model.safetensors
    refused 4 "1 bytes after the last tensor" base
    { printf '\377\377\377\377\377\377\377\377'; tail -c +9 whole; } \
        >base/model.safetensors
    refused 4 "header of 18446744073709551615 bytes" base
    sed 's/"F32"/"F33"/' whole >base/model.safetensors
    refused 4 'unsupported dtype "F33"' base
}

@test "quantize names what is missing" {
    refused 1 "none: No such file or directory" none
    refused 2 "not a directory" arch.json
    mkdir empty
    refused 4 "neither model.safetensors nor" empty
    rm base/config.json
    refused 4 "has no config.json" base
    refused 2 "--format" --format q4_k base
    refused 2 "MODEL"
}

@test "quantize reports a full disk" {
    run --separate-stderr bash -c 'quantize -q base >/dev/full'
    [ "$status" -eq 1 ]
    [[ $stderr == *"No space left"* ]]
}

@test "--to writes the directory that transformers saves with bitsandbytes" {
    golden=$BATS_TEST_DIRNAME/../golden/four_bit/nf4
    run -0 --separate-stderr quantize -q --format nf4 --to again "$golden"
    [ -z "$output" ]
    cmp "$golden/model.safetensors" again/model.safetensors
    jq -e '.quantization_config.load_in_4bit' again/config.json
    cat >arch.json <<'EOF'
{"model_type": "llama", "vocab_size": 40, "hidden_size": 64,
 "intermediate_size": 320, "num_hidden_layers": 2, "num_attention_heads": 4,
 "num_key_value_heads": 2, "max_position_embeddings": 32}
EOF
    initmodel -q -o llama arch.json
    quantize -q --format nf4 --to four llama
    quantize -q --format nf4 llama | shard -q -o set
    quantize -q --format nf4 --to back set
    cmp four/model.safetensors back/model.safetensors
    printf '{"ids": [3, 5, 7, %d], "ordinal": %d}\n' 9 0 11 1 |
        fromjsonl -q --vocab 40 | shard -q --val 0 --test 0.5 -o ids
    evalprompts -q --no-prov --base four --data ids --seq-len 8 >of_dir
    evalprompts -q --no-prov --base set --data ids --seq-len 8 >of_set
    cmp of_dir of_set
}

@test "transformers and bitsandbytes take what --to writes" {
    [ -x "${PEERS:-}/bin/python" ] || skip "PEERS names no Python with torch"
    export PYTHONDONTWRITEBYTECODE=1
    loaded() {
        "$PEERS/bin/python" "$BATS_TEST_DIRNAME/../peft/quantized.py" "$@"
    }
    cat >arch.json <<'EOF'
{"model_type": "llama", "vocab_size": 40, "hidden_size": 64,
 "intermediate_size": 320, "num_hidden_layers": 2, "num_attention_heads": 4,
 "num_key_value_heads": 2, "max_position_embeddings": 32}
EOF
    initmodel -q -o llama arch.json
    quantize -q --format int8_row --to eight llama
    loaded eight
    quantize -q --format nf4 --to four llama
    printf '{"ids": [3, 5, 7, %d]}\n' 9 11 13 | fromjsonl -q --vocab 40 |
        shard -q --val 0 --test 0 -o ids
    train -q --data ids --base four -o run --steps 1 --batch 1 --seq-len 8 \
        --rank 1 --targets q_proj --loss all
    merge -q --base four --adapter run --dtype f32 -o wide
    loaded four wide q_proj
    quantize -q --format nf4 --double-quant --to double llama
    rm -r run wide
    train -q --data ids --base double -o run --steps 1 --batch 1 --seq-len 8 \
        --rank 1 --targets q_proj --loss all
    merge -q --base double --adapter run --dtype f32 -o wide
    loaded double wide q_proj
}

# Both from tests/golden/four_bit.py, of the same weights.
@test "--double-quant writes what bitsandbytes saves with it" {
    golden=$BATS_TEST_DIRNAME/../golden/four_bit
    quantize -q --format nf4 --double-quant --to double "$golden/nf4"
    cmp "$golden/nf4_double/model.safetensors" double/model.safetensors
    key=.quantization_config.bnb_4bit_use_double_quant
    jq -e $key double/config.json
    verify -q double
    quantize -q --format nf4 --to single double
    jq -e "$key == false" single/config.json
    run -2 --separate-stderr quantize --format nf4 --double-quant "$golden/nf4"
    [[ $stderr == *"--double-quant is for --format nf4 with --to" ]]
    run -2 quantize --format int8_row --double-quant --to out "$golden/nf4"
    [ ! -e out ]
}

# From tests/golden/eight_bit.py.
@test "--to writes in 8 bits what transformers saves with bitsandbytes" {
    golden=$BATS_TEST_DIRNAME/../golden/eight_bit
    for base in llama llama/plain gpt2; do
        rm -rf again
        quantize -q --format int8_row --to again "$golden/$base"
        cmp "$golden/${base%/plain}/model.safetensors" again/model.safetensors
        jq -e '.quantization_config.load_in_8bit' again/config.json
        jq -e 'has("fan_in_fan_out") | not' again/config.json
        verify -q again
    done
    quantize -q --format int8_row "$golden/llama" | shard -q -o set
    quantize -q --format int8_row --to back set
    cmp back/model.safetensors "$golden/llama/model.safetensors"
    cp -r "$golden/llama/plain" big
    edit set big model.layers.0.mlp.up_proj.weight 77 7e4
    run -4 --separate-stderr quantize --format int8_row --to out big
    [[ $stderr == *"up_proj.weight: element 77 is 70000, too large for"* ]]
    [ ! -e out ]
}

@test "what much depends on stays in floats, whatever the format" {
    for format in int8 int8_row nf4; do
        for row in mamba:A_log mixtral:gate.weight \
            qwen2_moe:gate.weight; do
            quantize -q --format $format \
                "$root/tests/golden/models/${row%:*}" | tojsonl |
                jq -r "select(.name // \"\" | endswith(\"${row#*:}\")).dtype" \
                    >types
            [ "$(sort -u types)" = F32 ]
            [ "$(wc -l <types)" -eq 2 ]
        done
    done
}

@test "--to refuses what bitsandbytes' files can't be" {
    run -2 quantize --format int8 --to out base
    run -2 quantize --format nf4 --report r --to out base
    run -4 --separate-stderr quantize --format nf4 --to out base
    [[ $stderr == *"c_attn: --to can't turn its matrix"* ]]
    run -4 --separate-stderr quantize --format nf4 --to out \
        "$root/tests/golden/models/mamba"
    [[ $stderr == *"dt_proj: with --to it would be none that"* ]]
    run -4 --separate-stderr quantize --format nf4 --to out \
        "$root/tests/golden/models/mixtral"
    [[ $stderr == *"experts.0.w1: --to is for linears, and transformers"* ]]
    cat >arch.json <<'EOF'
{"model_type": "llama", "vocab_size": 40, "hidden_size": 24,
 "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4,
 "num_key_value_heads": 2, "max_position_embeddings": 32}
EOF
    initmodel -q -o llama arch.json
    run -4 --separate-stderr quantize --format nf4 --to out llama
    [[ $stderr == *"rows of 24, which is no multiple of 64" ]]
    [ ! -e out ]
    mkdir out
    run -6 quantize --format nf4 --to out llama
}
