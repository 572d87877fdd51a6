# quantize: model directories to weights streams.

load helper

edit() { python3 "$BATS_TEST_DIRNAME/safetensors.py" "$@"; }

setup() {
    cd "$BATS_TEST_TMPDIR"
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
    [[ $output == *int8* ]]
    [[ $output != *nf4* ]]
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
    refused 2 "--format" --format nf4 base
    refused 2 "MODELDIR"
}

@test "quantize reports a full disk" {
    run --separate-stderr bash -c 'quantize -q base >/dev/full'
    [ "$status" -eq 1 ]
    [[ $stderr == *"No space left"* ]]
}
