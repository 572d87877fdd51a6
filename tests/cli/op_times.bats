# The table of tests/bench/op_times.c: on the processor, over the stand-in of
# a card, and computed for a card.

load helper

setup() {
    cd "$BATS_TEST_TMPDIR"
    PATH=$GRAFT_BUILD/standin:$PATH
    cat >arch.json <<'JSON'
{"model_type": "llama", "vocab_size": 64, "hidden_size": 16,
 "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
 "num_key_value_heads": 1, "max_position_embeddings": 64}
JSON
    shape="--batch 1 --seq-len 4 --rank 2"
}

# rows TABLE COLUMN...: of its rows and their sum.
rows() {
    local table=$1
    shift
    awk -v list="$*" '
        /^(start|fwd|head|bwd|update|sum) / {
            if ($1 == "sum") $0 = "sum - - " substr($0, 4)
            n = split(list, column, " ")
            for (i = 1; i <= n; i++) printf "%s ", $column[i]
            print "" }' "$table"
}

@test "the same ops on the processor, on a card, and computed for one" {
    initmodel -q -o base arch.json
    quantize -q --format int8 base | shard -q -o small
    op_times -q $shape --device cpu base >cpu
    op_times -q $shape --compute bf16 --device cuda small >cuda
    op_times -q $shape --compute bf16 --as H200 --format int8 arch.json >none
    cat cpu cuda none
    grep -q '^fwd  *linear  *q|k|v ' cpu
    grep -q '^head  *head_ce  *head ' cpu
    grep -q '^update  *adamw  *- ' cpu
    rows cpu 1 2 3 4 5 >ops
    rows cuda 1 2 3 4 5 | cmp - ops
    rows none 1 2 3 4 5 | cmp - ops
    rows cuda 6 >bytes
    rows none 6 | cmp - bytes
    # Every row was timed, and none where there is no card.
    rows cpu 9 10 | awk '!($1 >= 0 && $2 ~ /%$/) { exit 1 }'
    rows cuda 9 10 | awk '!($1 >= 0 && $2 ~ /%$/) { exit 1 }'
    [ -z "$(rows none 9 | tr -d ' \n')" ]
    grep -q '^as measured: ' cuda
    [ -z "$(grep measured none)" ]
}

@test "what the rows say adds up, and is the plan's work" {
    initmodel -q -o base arch.json
    for i in {1..40}; do echo "{\"ids\": [$i, 2, 3, 4, 5, 6, 7, 8, 9]}"
    done | fromjsonl -q --vocab 64 | shard -q --val 0 --test 0 -o data
    big="--batch 64 --seq-len 64 --rank 2 --accum 32"
    for recompute in none block; do
        op_times $big --recompute $recompute --as H100 arch.json >table
        cat table
        rows table 1 4 5 | awk '
            $1 != "sum" { ops += $2; work += $3 }
            $1 == "sum" { d = work - $3
                          exit !(ops == $2 && d * d < 0.0001) }'
        train -q $big --data data --base base --steps 1 --device cpu -o run \
            --dry-run --recompute $recompute >plan
        jq -e --argjson work "$(rows table 1 5 | awk '$1 == "sum" {
            print $2 }')" '.flops_per_step * 1e-9 - $work | fabs < 0.001' plan
    done
}

@test "a card that is not in the list, and an architecture that is none" {
    run -2 --separate-stderr op_times --as H300 arch.json
    one_line "op_times: bad --as (found 'H300', expected "
    run -1 --separate-stderr op_times --as H200 nothing.json
    one_line "op_times: nothing.json: "
    echo '{"model_type": "none"}' >none.json
    run -4 --separate-stderr op_times --as H200 none.json
    [[ $stderr == *none* ]]
}

@test "bench-cuda computes where there is no card, and measures on one" {
    need_plain "it takes minutes"
    export CUDA_PROGRAMS=$GRAFT_BUILD/standin:$GRAFT_BUILD/bin MODELS=tiny
    export SHAPES="1x8 2x8" FORMATS=int8 ACCUM=1 RANK=2 STEPS=4 PEERS=none
    STANDIN_CARDS=0 run -0 --separate-stderr bash "$root/tests/bench/cuda.sh"
    [ -z "$stderr" ]
    [[ $output == *"no CUDA card was found"*"== computed, not measured: "* ]]
    [[ $output == *": tiny, 2x8, H200"*"a step of 16 tokens at the floor: "* ]]
    SHAPES=1x8 run --separate-stderr bash "$root/tests/bench/cuda.sh"
    printf '%s\n' "$output" "$stderr"
    [ "$status" -eq 0 ]
    [ -z "$stderr" ]
    [[ $output == "stand-in, "*"torch + PEFT skipped"* ]]
    [[ $output =~ "tiny 1x8 int8: "[1-9][0-9]*" tokens/s" ]]
    [[ $output == *"BAR tiny 1x8 int8 tokens/s: "*" ok" ]]
    CUDA_PROGRAMS=$GRAFT_BUILD/standin:$GRAFT_BUILD/bin MODELS=huge \
        run -2 --separate-stderr bash "$root/tests/bench/cuda.sh"
    [[ $stderr == "cuda: no model huge in MODELS" ]]
}
