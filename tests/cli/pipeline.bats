# pipelines/repo.mk, with sizes that take seconds.

load helper

setup() {
    cd "$BATS_TEST_TMPDIR"
    mkdir include
    for i in $(seq 30); do
        printf '/* Header %s. */\nint f%s(int x);\n' $i $i >include/h$i.h
    done
    sed 's/"hidden_size": 128/"hidden_size": 16/
        s/"intermediate_size": 384/"intermediate_size": 24/
        s/"num_hidden_layers": 4/"num_hidden_layers": 1/
        s/4096/400/' "$root/pipelines/demo-arch.json" >arch.json
    repo_small 'a project' 20
}

pipeline() {
    make -s -f "$root/pipelines/repo.mk" BIN="$GRAFT_BUILD/bin" WORK=work \
        HEADERS=include HEADER_FILES=20 VOCAB=400 ARCH=arch.json SEQ_LEN=512 \
        THREADS=1 PRETRAIN='--batch 2 --steps 2' \
        LORA='--rank 2 --batch 2 --steps 2' "$@"
}

state() {
    find work -printf '%p %s %T@\n' | sort
}

@test "the pipeline goes from a repository to a table, and then rests" {
    run -0 --separate-stderr pipeline REPO='a project'
    [[ $output == *'Held-out commits: 2, with 2 records, '* ]]
    [[ $output == *base*adapter*difference* ]]
    [[ $stderr == *'the history of a project as tokens'* ]]
    [ "$(jq .records work/score.json)" -eq 2 ]
    state >before
    run -0 --separate-stderr pipeline REPO='a project'
    [ -z "$stderr" ]
    state | cmp - before
}

@test "the pipeline redoes what another repository changes, and no more" {
    pipeline REPO='a project' 2>/dev/null
    state | grep work/pretrain >before
    mv 'a project' other
    run -0 --separate-stderr pipeline REPO='~/other' HOME="$PWD"
    [[ $stderr == '* the history of other as tokens'* ]]
    state | grep work/pretrain | cmp - before
}

@test "a step that fails leaves nothing that a rerun takes for done" {
    run ! --separate-stderr pipeline REPO=nowhere
    pipeline REPO='a project' 2>/dev/null
    [ "$(jq .records work/score.json)" -eq 2 ]
}

@test "the table says where there is no interval" {
    echo '{"records": 3, "clusters": 1, "tokens": 9,
        "base": {"loss": 2.5, "half_width": null, "perplexity": 12.182},
        "adapter": {"loss": 2, "half_width": null, "perplexity": 7.389},
        "difference": {"loss": -0.5, "half_width": null}}' >score.json
    run -0 --separate-stderr "$root/pipelines/table" score.json
    [[ $output == *'commits: 1, with 3 records, 9 tokens'*base*2.5*none* ]]
}
