# exportadapter: a run's adapter for other programs.

load helper

edit() { python3 "$BATS_TEST_DIRNAME/safetensors.py" "$@"; }

setup() {
    cd "$BATS_TEST_TMPDIR"
    edit adapter run/adapter model.layers.0.self_attn.q_proj:16:16 \
        model.layers.0.mlp.down_proj:24:16
    cat >arch.json <<'EOF'
{"model_type": "llama", "vocab_size": 40, "hidden_size": 16,
 "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 4}
EOF
}

# Refused with status $1 and one line that holds $2; nothing is made.
refused() {
    local status_wanted=$1 part=$2
    shift 2
    run --separate-stderr exportadapter -q "$@"
    [ "$status" -eq "$status_wanted" ]
    [ "${#stderr_lines[@]}" -eq 1 ]
    [[ $stderr == "exportadapter: "*"$part"* ]]
    [ ! -e out ]
    [ -z "$(find . -name '*.tmp.*')" ]
}

@test "exportadapter prints help and version" {
    run -0 --separate-stderr exportadapter --help
    [[ $output == *peft* ]]
    run -0 exportadapter --version
}

@test "exportadapter copies PEFT's two files, once" {
    run -0 --separate-stderr exportadapter --format peft -o out run
    [[ $stderr == *"2 modules, rank 2, alpha 4"* ]]
    [ "$(ls out)" = "adapter_config.json
adapter_model.safetensors" ]
    diff -r run/adapter out
    before=$(stat -c '%i %y' out out/*)
    exportadapter -q -o out run
    [ "$(stat -c '%i %y' out out/*)" = "$before" ]
    run --separate-stderr exportadapter -q -o run/adapter out
    [ "$status" -eq 0 ]
    edit adapter other x:3:4
    run --separate-stderr exportadapter -q -o out other
    [ "$status" -eq 6 ]
    [ "$(stat -c '%i %y' out out/*)" = "$before" ]
}

@test "exportadapter goes to mlx-lm's directory and back" {
    train_run llama
    exportadapter -q --format mlx -o mlx run
    [ "$(ls mlx)" = "adapter_config.json
adapters.safetensors" ]
    [ "$(jq -c '[.fine_tune_type, .num_layers, .lora_parameters.rank,
        .lora_parameters.scale]' mlx/adapter_config.json)" = \
        '["lora",-1,4,16]' ]
    run -0 --separate-stderr exportadapter -o peft mlx
    [[ $stderr == *"14 modules, rank 4, alpha 64"* ]]
    exportadapter -q --format mlx -o again peft
    diff -r mlx again
    for adapter in run mlx peft; do
        evalprompts -q --no-prov --base model --adapter $adapter --data data \
            --split train >$adapter.json
    done
    cmp run.json mlx.json
    cmp run.json peft.json
    exportadapter -q --format mlx --base model --dtype bf16 -o half run
    [ "$(jq .num_layers half/adapter_config.json)" = 2 ]
    [ "$(stat -c %s half/adapters.safetensors)" -lt \
        "$(stat -c %s mlx/adapters.safetensors)" ]
    # What is there is left alone.
    before=$(stat -c '%i %y' mlx mlx/*)
    exportadapter -q --format mlx -o mlx/ run
    run -6 --separate-stderr exportadapter -q --format mlx --dtype f16 \
        -o mlx run
    one_line "exportadapter: mlx: exists"
    [ "$(stat -c '%i %y' mlx mlx/*)" = "$before" ]
    [ -z "$(find . -name '*.tmp.*')" ]
}

@test "exportadapter writes llama.cpp's file, once" {
    train_run llama
    exportadapter -q --format gguf -o a.gguf run
    [ "$(head -c 4 a.gguf)" = GGUF ]
    grep -aq 'blk.1.ffn_down.weight.lora_b' a.gguf
    before=$(stat -c '%i %y' a.gguf)
    exportadapter -q --format gguf --base model -o a.gguf run
    run -6 --separate-stderr exportadapter -q --format gguf --dtype f16 \
        -o a.gguf run
    one_line "exportadapter: a.gguf: exists"
    [ "$(stat -c '%i %y' a.gguf)" = "$before" ]
    mkdir directory
    run -6 --separate-stderr exportadapter -q --format gguf -o directory run
    run -2 --separate-stderr exportadapter -q --format gguf -o - run
    # The base that the run names is gone.
    mv model elsewhere
    refused 2 "--base is missing" --format gguf -o out run
    exportadapter -q --format gguf --base elsewhere -o b.gguf run
    cmp a.gguf b.gguf
    refused 2 "--dtype f16 is not for --format peft" --dtype f16 -o out run
}

@test "exportadapter says what a format has no place for" {
    train_run llama --rank-pattern q_proj=6 --targets q_proj,k_proj
    refused 2 "rank 6, where others have 4" --format mlx -o out run
    exportadapter -q --format gguf -o out.gguf run
    train_run llama --dora
    rm out.gguf
    refused 2 "the magnitudes of DoRA: merge" --format gguf -o out run
    exportadapter -q --format mlx -o mlx run
    [ "$(jq .fine_tune_type mlx/adapter_config.json)" = '"dora"' ]
    for adapter in run mlx; do
        evalprompts -q --no-prov --base model --adapter $adapter --data data \
            --split train >$adapter.json
    done
    cmp run.json mlx.json
    edit adapter head lm_head:16:40
    refused 2 "lm_head: is in no layer" --format mlx -o out head
    refused 4 "lm_head of the adapter: the base has no such linear" \
        --format gguf --base model -o out head
}

@test "exportadapter leaves nothing on a full disk" {
    need_tool prlimit
    train_run llama
    for format in peft mlx gguf; do
        run -1 --separate-stderr prlimit --fsize=3000 exportadapter -q \
            --format $format -o out run
        one_line "exportadapter: out"
        [ -z "$(ls -d out* 2>/dev/null)" ]
        run -1 --separate-stderr exportadapter -q --format $format \
            -o /dev/full/x run
        one_line "exportadapter: /dev/full/x"
    done
}

@test "exportadapter says how much of a base the adapter covers" {
    initmodel -q -o base arch.json
    run -0 --separate-stderr exportadapter --base base -o out run
    [[ $stderr == *"2 of 7 linears of base"* ]]
}

@test "exportadapter refuses an adapter of another base" {
    initmodel -q -o base arch.json
    edit adapter wrong/adapter model.layers.0.self_attn.q_proj:16:8
    refused 4 "q_proj of the adapter: maps 16 to 8, in the base 16 to 16" \
        --base base -o out wrong
    edit adapter deep/adapter model.layers.1.self_attn.q_proj:16:16
    refused 4 "layers.1.self_attn.q_proj of the adapter: the base has no" \
        --base base -o out deep
}

@test "exportadapter refuses a broken adapter" {
    cp -r run whole
    f=run/adapter/adapter_model.safetensors
    for n in 0 7 100 $(($(stat -c %s $f) - 1)); do
        head -c $n whole/adapter/adapter_model.safetensors >$f
        refused 4 "$f" -o out run
    done
    sed 's/lora_A/lora_C/' whole/adapter/adapter_model.safetensors >$f
    refused 4 "lora_" -o out run
    cp whole/adapter/adapter_model.safetensors $f
    jq '.use_dora = true' whole/adapter/adapter_config.json \
        >run/adapter/adapter_config.json
    refused 4 "has no lora_magnitude_vector, and the config" -o out run
    jq '.r = 4' whole/adapter/adapter_config.json \
        >run/adapter/adapter_config.json
    refused 4 "expected r = 4" -o out run
    rm run/adapter/adapter_config.json
    refused 1 "adapter_config.json: No such file" -o out run
}

@test "exportadapter names what is not there" {
    refused 1 "none: no such run" -o out none
    mkdir -p empty full/model
    refused 4 "empty: holds no adapter" -o out empty
    refused 4 "full: was trained in full" -o out full
    refused 2 "--output is missing" run
    refused 2 "expected peft|mlx|gguf" --format ggml -o out run
    refused 2 "RUN" -o out
}

# run/ becomes three steps of training of a model/ of type $1, with the
# options that follow.
train_run() {
    local sizes='"vocab_size": 40, "hidden_size": 16, "n_embd": 16,
        "num_hidden_layers": 2, "n_layer": 2, "num_attention_heads": 4,
        "n_head": 4, "intermediate_size": 24, "num_key_value_heads": 2,
        "max_position_embeddings": 32, "n_positions": 32'
    rm -rf run model out
    echo "{\"model_type\": \"$1\", $sizes}" | jq '
        if .model_type | startswith("gpt")
        then {model_type, vocab_size, n_embd, n_layer, n_head, n_positions}
        elif .model_type == "mamba"
        then {model_type, vocab_size, hidden_size, num_hidden_layers}
        elif .model_type == "mamba2"
        then {model_type, vocab_size, hidden_size, num_hidden_layers,
            num_heads: 4, head_dim: 8, n_groups: 2}
        else del(.n_embd, .n_layer, .n_head, .n_positions) end
        | if .model_type == "jamba" then .num_experts = 1
        | .attn_layer_period = 2 | .attn_layer_offset = 1
        elif .model_type == "qwen2_moe" then .num_experts = 3
        | .num_experts_per_tok = 2 | .moe_intermediate_size = 8
        | .shared_expert_intermediate_size = 12 | .mlp_only_layers = [1]
        elif .model_type == "qwen3_moe" then .num_experts = 3
        | .num_experts_per_tok = 2 | .moe_intermediate_size = 8
        elif .model_type == "phi3" then .pad_token_id = null
        else . end' >$1.json
    initmodel -q -o model $1.json
    [ -d data ] || for i in {1..20}; do
        jq -cn --argjson i $i '{ids: [range(24) | (. * $i + 3) % 40]}'
    done | fromjsonl | shard -q -o data
    train -q --data data --base model -o run --steps 3 --batch 1 \
        --seq-len 32 --rank 4 --lr 0.01 --threads 1 "${@:2}"
}

@test "exportadapter takes the adapter of a run, unless the run was damaged" {
    train_run llama
    exportadapter -q --base model -o out run
    cmp run/adapter/adapter_model.safetensors out/adapter_model.safetensors
    rm -r out
    printf x | dd of=run/adapter/adapter_model.safetensors bs=1 seek=3000 \
        conv=notrunc status=none
    refused 4 "adapter_model.safetensors: differs from its manifest" \
        -o out run
}

@test "PEFT loads exported adapters and computes what they define" {
    [ -x "${PEERS:-}/bin/python" ] || skip "PEERS names no Python with peft"
    export PYTHONDONTWRITEBYTECODE=1
    for type in llama mistral qwen2 qwen3 granite olmo2 gemma gemma3_text \
        starcoder2 gpt2 gpt_bigcode phi phi3 qwen2_moe qwen3_moe mamba \
        mamba2 jamba; do
        train_run $type
        exportadapter -q -o out run
        "$PEERS/bin/python" "$BATS_TEST_DIRNAME/../peft/load.py" model out
        [[ $type == *mba* || $type == *moe ]] || exported mlx
    done
    train_run llama --rslora --rank-pattern q_proj=6,layers.1.mlp.up_proj=2 \
        --alpha-pattern 'k_.*=3,q_proj=5' --targets '.*(q|k|up)_proj'
    exportadapter -q -o out run
    "$PEERS/bin/python" "$BATS_TEST_DIRNAME/../peft/load.py" model out
    exported
    train_run llama --rslora --alpha-pattern 'k_.*=3,q_proj=5'
    exportadapter -q -o out run
    exported mlx
    for type in llama gpt2; do
        train_run $type --dora
        exportadapter -q -o out run
        "$PEERS/bin/python" "$BATS_TEST_DIRNAME/../peft/load.py" model out
    done
}

# Of run, in out as PEFT has it: what llama.cpp and, with `mlx`, mlx-lm take
# from its exports is the same.
exported() {
    "$PEERS/bin/python" -c 'import gguf' || skip "PEERS has no gguf"
    rm -rf out.gguf mlx
    exportadapter -q --format gguf -o out.gguf run
    [ $# -eq 0 ] || exportadapter -q --format mlx -o mlx run
    "$PEERS/bin/python" "$BATS_TEST_DIRNAME/../peft/exported.py" model out \
        out.gguf "$@"
}

@test "llama.cpp says with an exported adapter what generate says" {
    [[ ${GRAFT_SMOLLM2:-} == *.gguf ]] || skip "GRAFT_SMOLLM2 names no file"
    "${PEERS:-none}/bin/python" -c 'import gguf, llama_cpp, safetensors' ||
        skip "PEERS has no gguf, llama_cpp and safetensors"
    llama() { "$PEERS/bin/python" "$BATS_TEST_DIRNAME/../peft/llama.py" "$@"; }
    llama floats "$GRAFT_SMOLLM2" base.gguf
    llama adapter peft base.gguf
    exportadapter -q --format gguf --base base.gguf -o lora.gguf peft
    text='The capital of France is Paris. The history of the city'
    llama greedy base.gguf lora.gguf 50 "$text" >theirs
    generate -q --raw --base base.gguf --adapter peft --temperature 0 \
        --max-tokens 50 -p "$text" >ours
    cmp ours theirs
    generate -q --raw --base base.gguf --temperature 0 --max-tokens 50 \
        -p "$text" >ours
    run -1 cmp -s ours theirs
}

@test "llama.cpp says with a trained adapter what generate says" {
    [[ ${GRAFT_SMOLLM2:-} == *.gguf ]] || skip "GRAFT_SMOLLM2 names no file"
    "${PEERS:-none}/bin/python" -c 'import gguf, llama_cpp, safetensors' ||
        skip "PEERS has no gguf, llama_cpp and safetensors"
    llama() { "$PEERS/bin/python" "$BATS_TEST_DIRNAME/../peft/llama.py" "$@"; }
    llama floats "$GRAFT_SMOLLM2" base.gguf
    jq -cRs '{text: .[:3000]}' "$root/README.md" | fromjsonl -q |
        tokenize -q --template plain -t base.gguf |
        shard -q --val 0 --test 0 -o set
    train -q --data set --base base.gguf -o real --steps 4 --batch 1 \
        --seq-len 128 --rank 8 --lr 0.002 --loss all --schedule constant
    exportadapter -q --format gguf --base base.gguf -o lora.gguf real
    merge -q --format gguf --dtype f32 --base base.gguf --adapter real \
        -o merged.gguf
    text='The capital of France is Paris. The history of the city'
    generate -q --raw --base base.gguf --adapter real --temperature 0 \
        --max-tokens 50 -p "$text" >ours
    llama greedy base.gguf lora.gguf 50 "$text" >exported
    cmp ours exported
    llama greedy merged.gguf '' 50 "$text" >merged
    cmp ours merged
    generate -q --raw --base base.gguf --temperature 0 --max-tokens 50 \
        -p "$text" >plain
    run -1 cmp -s ours plain
    rm ./*.gguf
}

@test "an adapter with DoRA is trained, taken up and evaluated" {
    train_run llama --dora --targets q_proj,down_proj
    exportadapter -q --base model -o out run
    [ "$(jq .use_dora out/adapter_config.json)" = true ]
    jq .use_dora=false out/adapter_config.json >plain.json
    rm -rf plain
    cp -r out plain
    mv plain.json plain/adapter_config.json
    run -4 evalprompts -q --base model --adapter plain --data data \
        --split train
    grep -q lora_magnitude_vector <<<"$output"
    evalprompts -q --no-prov --base model --adapter out --data data \
        --split train >ours
    rm -rf more
    train -q --data data --base model -o more --steps 1 --batch 1 --lr 0 \
        --seq-len 32 --threads 1 --init-adapter out
    evalprompts -q --no-prov --base model --adapter more --data data \
        --split train >theirs
    cmp ours theirs
    # Two threads make the bits of one.
    train_run llama --dora
    cp run/adapter/adapter_model.safetensors whole
    rm -rf run
    train -q --data data --base model -o run --steps 3 --batch 1 \
        --seq-len 32 --rank 4 --lr 0.01 --threads 2 --dora
    cmp run/adapter/adapter_model.safetensors whole
}

@test "ranks and alphas of modules are written, read and obeyed" {
    train_run llama --rslora --rank-pattern q_proj=6 --targets q_proj,k_proj \
        --alpha-pattern 'layers.1.*=3'
    exportadapter -q --base model -o out run
    cmp run/adapter/adapter_config.json out/adapter_config.json
    [ "$(jq -c '[.use_rslora, .rank_pattern, .alpha_pattern, .r]' \
        out/adapter_config.json)" = \
        '[true,{"q_proj":6},{"layers.1.*":3},4]' ]
    # Without the patterns its matrices don't fit, or count otherwise.
    cp -r out plain
    jq '.alpha_pattern = {}' out/adapter_config.json \
        >plain/adapter_config.json
    evalprompts -q --no-prov --base model --adapter out --data data \
        --split train >ours
    evalprompts -q --no-prov --base model --adapter plain --data data \
        --split train >theirs
    run -1 cmp -s ours theirs
    # A run that begins with it goes on in the same strength.
    rm -rf more
    train -q --data data --base model -o more --steps 1 --batch 1 --lr 0 \
        --seq-len 32 --threads 1 --init-adapter out
    evalprompts -q --no-prov --base model --adapter more --data data \
        --split train >theirs
    cmp ours theirs
}
