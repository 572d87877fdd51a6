# The run files of pipelines/configs, each on a tiny model of its family, and
# learn.

load helper

setup() {
    cd "$BATS_TEST_TMPDIR"
    configs=$root/pipelines/configs
}

# arch NAME: the architecture of that run file's model, tiny.
arch() {
    local common='"vocab_size": 40, "hidden_size": 16,
        "num_hidden_layers": 2, "num_attention_heads": 2'
    local sizes="$common"', "intermediate_size": 24,
        "max_position_embeddings": 4096'
    case $1 in
    starcoder2-3b) echo "{\"model_type\": \"starcoder2\", $sizes,
        \"num_key_value_heads\": 1}" ;;
    qwen2.5-*) echo "{\"model_type\": \"qwen2\", $sizes,
        \"num_key_value_heads\": 1}" ;;
    phi-2) echo "{\"model_type\": \"phi\", $sizes}" ;;
    gpt2) echo '{"model_type": "gpt2", "vocab_size": 40, "n_embd": 16,
        "n_layer": 2, "n_head": 2, "n_positions": 1024}' ;;
    smollm2-135m) echo "{\"model_type\": \"llama\", $sizes,
        \"num_key_value_heads\": 1}" ;;
    esac
}

@test "each run file trains a model of its family" {
    token_base 60
    [ "$(ls "$configs"/*.json | wc -l)" -eq 5 ]
    for file in "$configs"/*.json; do
        name=$(basename "$file" .json)
        rm -rf arch.json base run
        arch "$name" >arch.json
        initmodel -q -o base arch.json
        train --config "$file" --data data --base base --dry-run >plan
        jq -e --slurpfile c "$file" '.positions_per_step
            == $c[0].batch * $c[0].accum * $c[0]["seq-len"]' plan
        train -q --config "$file" --data data --base base --seq-len 32 \
            --batch 2 --accum 1 --epochs 1 -o run
        # what it says is what the run was, but for what is given here
        jq -e --slurpfile c "$file" '.options as $o
            | $c[0] | del(.["seq-len"], .batch, .accum)
            | if .targets == ["all-linear"] then del(.targets) else . end
            | to_entries | all(.value == $o[.key])' run/config.json
        # every linear has an adapter, and only these
        jq -c '.target_modules | sort' run/adapter/adapter_config.json >named
        rm -r run
        train -q --data data --base base --seq-len 32 --steps 1 -o run
        jq -c '.target_modules | sort' run/adapter/adapter_config.json |
            cmp - named
    done
}

@test "train prints its options as a run file" {
    token_base 20
    train --print-config --rank 4 --lr 0.01 --batch 2 --seq-len 16 \
        --warmup 5% --targets q_proj,v_proj >file
    [ "$(wc -l <file)" -eq 1 ]
    jq -e '.rank == 4 and .data == null and .steps == null
        and .warmup == "5%" and .["print-config"] == false' file
    cmp file <(train --config file --print-config)
    train -q --config file --data data --base base --steps 2 -o run
    jq -e '.options.rank == 4 and .options.targets == ["q_proj", "v_proj"]' \
        run/config.json
    run -2 --separate-stderr train --print-config --patience 3
    one_line "train: --patience without --eval-every"
    run -1 bash -c 'train --print-config >/dev/full'
}

@test "a length of the command line wins over any of a run file" {
    token_base 20
    echo '{"epochs": 2, "rank": 4, "seq-len": 16}' >file
    train -q --config file --data data --base base --steps 3 -o run
    jq -e '.identity.run_steps == 3 and .identity.epochs == null' \
        run/config.json
    train -q --config file --data data --base base --tokens 40 -o other
    jq -e '.identity.tokens == 40 and .identity.epochs == null' \
        other/config.json
    run -2 --separate-stderr train --config file --print-config --steps 3 \
        --epochs 1
    one_line "train: give one of --steps, --epochs and --tokens"
    echo '{"epochs": 2, "steps": 4}' >file
    run -2 train --config file --print-config
    train --config file --print-config --tokens 9 |
        jq -e '[.steps, .epochs, .tokens] == [null, null, 9]'
}

@test "learn refuses what it can't do" {
    run -2 --separate-stderr learn x
    one_line "learn: --base is missing"
    run -2 --separate-stderr learn --base b x WORK=y
    one_line "learn: 'WORK=y' (expected NAME=VALUE"
    run -2 --separate-stderr learn --base b x SCRUBS=none
    one_line "learn: 'SCRUBS=none' (expected NAME=VALUE, such as SCRUB=none"
    run -2 --separate-stderr learn --base b --no-prov x
    one_line "learn: --no-prov: what is made here says how it was made"
    run -2 --separate-stderr learn --base b --config ./none x
    [[ $stderr == "repo.mk: CONFIG: ./none: no such file"* ]] ||
        [[ $stderr == "repo.mk: "*"x"* ]]
    echo '{"rnak": 3}' >wrong
    repo_small repo 3
    run -2 --separate-stderr learn --base b --config wrong repo
    [[ $stderr == "repo.mk: CONFIG: train: wrong: unknown key 'rnak' (did "* ]]
    [ ! -e work ]
    # the programs are those beside it
    mkdir -p own/build/bin
    ln -s "$root/pipelines" own
    cp "$(command -v learn)" own/build/bin
    run -2 --separate-stderr own/build/bin/learn --base b repo
    [[ $stderr == "repo.mk: $PWD/own/build/bin: none of the programs"* ]]
}

@test "learn makes a scored adapter with a run file, and does it once" {
    need_plain "its programs are tested one by one"
    repo_small repo 20
    sed 's/"hidden_size": 128/"hidden_size": 16/
        s/"intermediate_size": 384/"intermediate_size": 24/
        s/"num_hidden_layers": 4/"num_hidden_layers": 1/
        s/4096/400/' "$root/pipelines/configs/scratch/dense-nano.json" \
        >arch.json
    mkdir 'a base'
    initmodel -q -o base arch.json
    cp base/* 'a base'
    git -C repo log -p | jq -R '{text: .}' -c | fromjsonl -q |
        vocabtrain -q --size 400 --special '<|endoftext|>' \
            -o 'a base/tokenizer.json'
    echo '{"rank": 2, "steps": 2, "batch": 2, "seq-len": 256}' >'a file.json'
    learn --base 'a base' --config 'a file.json' -o 'a work' repo 2>&1
    jq -e '.options.rank == 2 and .options["seq-len"] == 256' \
        'a work/run/config.json'
    [ -s 'a work/score.json' ]
    stat -c %y 'a work/run/manifest.json' >before
    # every name of repo.mk's, as the environment might have it
    names=$(sed -n '/^PATHS :=/,/^#/p' "$root/pipelines/repo.mk" |
        grep -o '\b[A-Z_]*\b' | grep -vx -e PATHS -e OTHERS)
    grep -qx PRETRAIN <<<"$names"
    run -0 --separate-stderr env $(sed 's/$/=none/' <<<"$names") \
        learn -q --base 'a base' --config 'a file.json' -o 'a work' repo
    [ -z "$stderr" ]
    cmp before <(stat -c %y 'a work/run/manifest.json')
    # and what a make that it works for was told
    run -0 --separate-stderr env MAKEFLAGS='n -- LOSS=target' \
        GNUMAKEFLAGS=-n GRAFT_QUIET=1 \
        learn --base 'a base' --config 'a file.json' -o 'a work' repo
    [[ $output == *'Held out: '* ]]
    cmp before <(stat -c %y 'a work/run/manifest.json')
    echo '{"rank": 3, "steps": 2, "batch": 2, "seq-len": 256,
        "threads": 1, "log-every": 1}' >'a file.json'
    learn --base 'a base' --config 'a file.json' -o 'a work' repo 2>&1
    jq -e '.options | .rank == 3 and .threads == 1
        and .["log-every"] == 1' 'a work/run/config.json'
    [ -e 'a work/run.old' ]
}
