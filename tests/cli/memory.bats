# A run keeps to the memory that it is given, and to what it chose then.

load helper

setup() {
    cd "$BATS_TEST_TMPDIR"
    token_base 60
    options="--data data --base base --rank 4 --seq-len 32 --threads 1"
}

# total OPTION...: bytes of the plan, with the 64 MiB of programs.
total() {
    echo $(($(train -q $options --dry-run "$@" | jq .total_bytes) + 67108864))
}

# chosen RUN: batch, accum and recompute of its config.
chosen() { jq -c '.options | [.batch, .accum, .recompute]' "$1/config.json"; }

@test "--max-memory makes micro-batches smaller, and as many more of them" {
    limit=$(total --batch 16 --accum 8)
    run -0 --separate-stderr train $options --batch 64 --accum 2 --steps 2 \
        --max-memory "$limit" -o run
    [[ $stderr == *"to keep to --max-memory: --batch 16 --accum 8 \
--recompute none"* ]]
    [ "$(chosen run)" = '[16,8,"none"]' ]
    train -q $options --batch 16 --accum 8 --steps 2 -o same
    cmp run/adapter/adapter_model.safetensors \
        same/adapter/adapter_model.safetensors
    preflight --no-measure --json $options --batch 64 --accum 2 --steps 2 \
        --max-memory "$limit" >json 2>err
    [ "$(jq '.plan.total_bytes + 67108864' json)" -eq "$limit" ]
}

@test "recomputation comes last, and not where it was refused" {
    limit=$(total --batch 1 --accum 4 --recompute block)
    [ "$limit" -lt "$(total --batch 1 --accum 4)" ]
    run -0 --separate-stderr train $options --batch 4 --steps 1 \
        --max-memory "$limit" -o run
    [ "$(chosen run)" = '[1,4,"block"]' ]
    run -5 --separate-stderr train $options --batch 4 --steps 1 \
        --max-memory "$limit" --recompute none -o none
    one_line "train: base: training takes "
    run -5 --separate-stderr train $options --batch 4 --steps 1 \
        --max-memory $((limit - 1)) -o none
    one_line "train: base: training takes "
    [ ! -e none ]
}

@test "a run goes on with what it chose, whatever the limit is by now" {
    limit=$(total --batch 2 --accum 4)
    train -q $options --batch 8 --steps 4 --save-every 2 \
        --max-memory "$limit" -o run
    cp -r run whole
    rm -r run/manifest.json run/checkpoints/step-4
    train -q $options --batch 8 --steps 4 --save-every 2 --resume \
        --max-memory 4G -o run
    [ "$(chosen run)" = '[2,4,"none"]' ]
    cmp run/adapter/adapter_model.safetensors \
        whole/adapter/adapter_model.safetensors
    run -6 --separate-stderr train $options --batch 9 --steps 4 --resume \
        --max-memory 4G -o run
    [[ $stderr == *"another batch"* ]]
}

@test "--recompute auto recomputes where memory is short alone" {
    need_plain "its address space is no measure"
    options="$options --batch 256 --steps 1"
    train -q $options --recompute auto -o wide
    [ "$(chosen wide)" = '[256,1,"none"]' ]
    text=$(ulimit -v 1000000; train $options --batch 65536 \
        --dry-run 2>&1 >plan)
    [[ $text =~ \)\ and\ ([0-9]+)\ for\ .*\;\ ([0-9]+)\ MiB\ of\ address ]]
    mapped=$((976 - BASH_REMATCH[2] + BASH_REMATCH[1] - 64))
    none=$(total)
    for more in attention block; do
        less=$(total --recompute $more)
        [ "$less" -lt "$none" ]
        (
            ulimit -v $(((none + less) / 2048 + mapped * 1024))
            run -5 train $options --recompute none -o none
            train -q $options --recompute auto -o $more
        )
        [ "$(chosen $more)" = "[256,1,\"$more\"]" ]
        cmp wide/adapter/adapter_model.safetensors \
            $more/adapter/adapter_model.safetensors
        none=$less
    done
}

# peak RUN: most bytes that were resident.
peak() { jq -s 'map(.peak_bytes // empty) | last' "$1/metrics.jsonl"; }

@test "what fills parameters at the start is not there on the way" {
    need_plain "a sanitizer has memory of its own"
    # 40 MB of embedding in the base; both names of it are in the adapter
    jq '.vocab_size = 40000 | .hidden_size = 256
        | .tie_word_embeddings = true' arch.json >big.json
    rm -r base
    initmodel -q -o base big.json
    options="-q --data data --base base --seq-len 16 --batch 1
        --threads 1 --steps 1"
    tied="--modules-to-save embed_tokens --ensure-weight-tying --rank 2"
    slack=$((36 << 20)) # of programs and libraries; an embedding is more
    plan=$(train $options $tied --dry-run | jq .total_bytes)
    train $options $tied -o run
    [ "$(peak run)" -le $((plan + slack)) ]
    train $options --init-adapter run -o next
    [ "$(peak next)" -le $((plan + slack)) ]
}

@test "a run that goes on keeps to its plan, too" {
    need_plain "a sanitizer has memory of its own"
    sed -i 's/"hidden_size": 16/"hidden_size": 256/
        s/"intermediate_size": 24/"intermediate_size": 512/' arch.json
    rm -r base
    initmodel -q -o base arch.json
    options="-q --data data --base base --rank 1280 --seq-len 16 --batch 1
        --threads 1 --steps 2"
    plan=$(train $options --dry-run | jq .total_bytes)
    train $options --save-every 1 -o run
    rm -r run/manifest.json run/checkpoints/step-2
    train $options --resume -o run
    peak=$(peak run)
    [ "$peak" -le $((plan + 67108864)) ] ||
        { echo "$peak of $plan"; false; }
}
