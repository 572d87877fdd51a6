# Several adapters as one: exportadapter A B=WEIGHT, merge --adapter ...

load helper

edit() { python3 "$BATS_TEST_DIRNAME/safetensors.py" "$@"; }

# base, data, and runs on it: one and two, of other modules and scales.
setup_file() {
    cd "$BATS_FILE_TMPDIR"
    token_base 12
    trained one --rank 4 --targets q_proj,down_proj
    trained two --rank 6 --rslora --alpha 5 --targets down_proj,up_proj \
        --rank-pattern up_proj=3 --seed 5
}

setup() {
    cd "$BATS_TEST_TMPDIR"
    cp -r "$BATS_FILE_TMPDIR"/{arch.json,base,data,one,two} .
}

trained() {
    train -q --data data --base base -o "$1" --steps 3 --batch 1 \
        --seq-len 16 --lr 0.02 --threads 1 "${@:2}"
}

# loss NAME BASE [ADAPTER]: on the held-out records.
loss() {
    evalprompts -q --base "$1" ${2:+--adapter "$2"} --data data --seq-len 16 \
        --split val | jq 'select(.kind == "summary") |
        (.adapter // .base).loss'
}

# near X Y: two losses are the same but for rounding.
near() {
    awk -v x="$1" -v y="$2" 'BEGIN {
        d = x - y
        exit !(x != "" && y != "" && d < 2e-6 && d > -2e-6) }' ||
        { echo "$1, and $2"; false; }
}

refused() {
    local status_wanted=$1 part=$2
    shift 2
    run --separate-stderr "$1" -q -o out "${@:2}"
    [ "$status" -eq "$status_wanted" ]
    [ "${#stderr_lines[@]}" -eq 1 ]
    [[ $stderr == "$1: "*"$part"* ]]
    [ ! -e out ]
    no_leftovers .
}

@test "a sum of adapters is what they are one after the other" {
    exportadapter -q -o sum one two=-0.5
    merge -q --any-base --base base --adapter sum -o at-once
    merge -q --any-base --base base --adapter one --adapter two=-.5 -o merged
    merge -q --base base --adapter one -o first
    merge -q --any-base --base first --adapter two=-5e-1 -o second
    wanted=$(loss second)
    near "$(loss base sum)" "$wanted"
    near "$(loss at-once)" "$wanted"
    cmp at-once/config.json merged/config.json
    tail -c 9000 at-once/model.safetensors >x
    tail -c 9000 merged/model.safetensors >y
    cmp x y
    run ! near "$(loss first)" "$wanted"
    # Of q_proj one's rank, of up_proj two's, of down_proj both. PEFT takes
    # no 1e+01 for a rank.
    grep -q '"r": 10,' sum/adapter_config.json
    [ "$(jq -cS '[.rank_pattern, .alpha_pattern, .lora_alpha,
        .target_modules]' sum/adapter_config.json)" = '[{"mlp.up_proj":3,'\
'"self_attn.q_proj":4},{"mlp.up_proj":48,"self_attn.q_proj":64},160,'\
'["mlp.down_proj","mlp.up_proj","self_attn.q_proj"]]' ]
    # Where it comes from is in both.
    a=$(b2sum -l 256 one/adapter/adapter_model.safetensors | cut -c 1-64)
    head -c 1500 sum/adapter_model.safetensors | grep -aq "adapter=$a,"
    head -c 900 merged/model.safetensors | grep -aq "adapter=$a,"
}

@test "what is added and subtracted is gone, and half is half" {
    plain=$(loss base)
    exportadapter -q -o none one two one=-1 two=-1
    near "$(loss base none)" "$plain"
    jq '.lora_alpha /= 2' one/adapter/adapter_config.json >half.json
    cp -r one/adapter half
    mv half.json half/adapter_config.json
    exportadapter -q -o halved one=0.5
    near "$(loss base halved)" "$(loss base half)"
    run ! near "$(loss base halved)" "$plain"
    # The weight 1 changes no byte; others and zero are weights, too.
    exportadapter -q -o same one=1
    diff -r same one/adapter
    exportadapter -q -o zero one=0
    near "$(loss base zero)" "$plain"
    # Any of the formats.
    exportadapter -q -o twice two=2 two/adapter=-1
    exportadapter -q --format mlx -o mlx one one=0.25
    exportadapter -q -o sum mlx=2 one=-1.5
    near "$(loss base sum)" "$(loss base one)"
    exportadapter -q --format gguf --base base -o a.gguf one two=3
    # Once more is nothing to do, with another weight it is in the way.
    exportadapter -q -o twice two=2 two/adapter=-1
    run -6 --separate-stderr exportadapter -q -o twice two=2 two/adapter=-2
    one_line "exportadapter: twice: exists"
    # Another run can begin with it.
    trained next --init-adapter sum --lr 0
    near "$(loss base next)" "$(loss base one)"
}

@test "modules of some layers stay those" {
    rm -r one two
    trained one --rank 4 --targets '.*layers.1.*q_proj'
    trained two --rank 4 --targets q_proj
    exportadapter -q -o sum one two=0.5
    [ "$(jq -c '[.r, .rank_pattern, .target_modules]' \
        sum/adapter_config.json)" = '[4,{"model.layers.1.self_attn.q_proj":'\
'8},["model.layers.0.self_attn.q_proj","model.layers.1.self_attn.q_proj"]]' ]
    merge -q --base base --adapter one --adapter two=0.5 -o merged
    near "$(loss merged)" "$(loss base sum)"
}

@test "a name that ends as a weight does is reached" {
    edit adapter a=2 model.layers.0.self_attn.q_proj:16:16
    edit adapter a=x model.layers.0.self_attn.q_proj:16:16
    exportadapter -q -o x a=2/
    exportadapter -q -o y a=2=1
    exportadapter -q -o z a=x
    diff -r x y
    diff -r x z
    refused 1 "a: no such run or adapter" exportadapter a=2
    refused 2 "a: a weight is a number (found inf)" exportadapter a=inf
    refused 1 ": no such run or adapter" exportadapter =2
}

@test "what can't be combined is refused by name" {
    q=model.layers.0.self_attn.q_proj
    edit adapter small $q:16:16 model.layers.0.mlp.up_proj:16:24
    edit adapter wide $q:16:32
    refused 4 "module $q: maps 16 to 16 in small, and 16 to 32 in wide" \
        exportadapter small wide
    trained dora --dora --rank 2
    refused 2 "dora: an adapter with DoRA can't be combined with others" \
        exportadapter small dora
    refused 2 "merge one after the other" merge --base base --adapter small \
        --adapter dora --any-base
    refused 2 "dora: an adapter with DoRA" exportadapter dora=0.5
    refused 4 "up_proj: times 1e+39, a value is too great for F32" \
        exportadapter small=1e39
    refused 1 "none: no such run" exportadapter small none
    # One of them is damaged; each is asked which base it is for.
    trained run --rank 2
    initmodel -q --seed 3 -o other arch.json
    refused 4 "run: was trained on another base than other" merge \
        --base other --adapter small --adapter run=0.5
    printf x | dd of=run/adapter/adapter_model.safetensors bs=1 seek=3000 \
        conv=notrunc status=none
    refused 4 "adapter_model.safetensors: differs from its manifest" \
        exportadapter small run=-1
}

@test "a warning says that adapters name other bases" {
    edit adapter a model.layers.0.self_attn.q_proj:16:16
    cp -r a b
    for x in a b; do
        jq ".base_model_name_or_path = \"of-$x\"" a/adapter_config.json >x
        cp x $x/adapter_config.json
    done
    run -0 --separate-stderr exportadapter -o out a b
    [[ $stderr == *"a is for the base of-a, b for of-b"* ]]
    [ "$(jq -r .base_model_name_or_path out/adapter_config.json)" = of-a ]
}

@test "what an adapter is is listed" {
    exportadapter -q --format mlx -o mlx one
    exportadapter --list one two/adapter mlx >list
    [ "$(jq -c '[.path, .format, .kind, .rank, .ranks, .alpha, .modules,
        .parameters, .targets, .base]' list)" = \
'["one","peft","lora",4,[4,4],64,4,576,["mlp.down_proj",'\
'"self_attn.q_proj"],"base"]
["two/adapter","peft","rslora",6,[3,6],5,4,720,["mlp.down_proj",'\
'"mlp.up_proj"],"base"]
["mlx","mlx","lora",4,[4,4],64,4,576,["mlp.down_proj","self_attn.q_proj"],'\
'"base"]' ]
    python3 "$root/tests/validate.py" "$root/schemas/adapter.schema.json" list
    id=$(jq -r .identity.base_id one/config.json)
    [ "$(jq -r .base_id list)" = "$id
$id
null" ]
    run -0 on_terminal exportadapter --list two
    [ "$output" = "two: peft, rslora, rank 3 to 6, alpha 5, 4 modules \
(mlp.down_proj mlp.up_proj), 720 parameters, for base" ]
    run -1 --separate-stderr exportadapter --list one none
    [ "${#lines[@]}" -eq 1 ]
    [[ $stderr == "exportadapter: none: no such run or adapter" ]]
    run -1 --separate-stderr bash -c 'exportadapter --list one >/dev/full'
}

@test "an mlx-lm adapter is merged and taken up" {
    exportadapter -q --format mlx -o mlx one
    merge -q --base base --adapter mlx -o merged
    near "$(loss merged)" "$(loss base one)"
    trained next --init-adapter mlx --lr 0
    near "$(loss base next)" "$(loss base one)"
}
