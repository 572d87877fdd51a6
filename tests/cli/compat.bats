# compat: what was written once is read for ever, and means the same.

load helper

compat=$BATS_TEST_DIRNAME/../compat
reader() { python3 "$BATS_TEST_DIRNAME/../reader.py" "$@"; }

@test "streams of every version are read as when they were written" {
    for f in "$compat"/stream-*.gs; do
        verify -v "$f" 2>said
        diff <(cat "$compat"/stream-*.ids |
            awk -v f="${f##*/}" '$1 == f { print $4 }') \
            <(sed -n 's/.*: content //p' said)
    done
}

@test "the independent reader still reads every version" {
    for f in "$compat"/stream-*.gs; do
        diff <(grep -h "^${f##*/} " "$compat"/stream-*.ids |
            cut -d' ' -f2-) \
            <(reader "$f" | jq -r '"\(.records) \(.tensors) \(.content)"')
    done
}

@test "a set from before its files said so is one stream" {
    # two segments in four files of shard's first version
    cp -r "$compat/set-1" set
    run -0 verify set
    [ "$output" = "set: text set, files 4, records 12, tensors 0, $(
        )train 8, test 4" ]
    reader set
    shard -q -o new --size 300 --val 0 --test 0.3 set
    diff <(jq -c '[.records, .splits]' set/manifest.json) \
        <(jq -c '[.records, .splits]' new/manifest.json)
    tojsonl set | cmp - <(tojsonl new)
}

@test "a set of tokens from before there were lengths is what it was" {
    cp -r "$compat/set-1-tokens" set
    run -0 verify set
    [ "$output" = "set: tokens set, files 4, records 24, tensors 0, $(
        )train 16, val 4, test 4" ]
    reader set
    cat >arch.json <<'END'
{"model_type": "gpt2", "vocab_size": 32, "n_embd": 16, "n_layer": 1,
 "n_head": 2, "n_positions": 16}
END
    initmodel -q -o base arch.json
    options="--base base --seq-len 16 --batch 2 --rank 2 --steps 4
        --save-every 2 --threads 1"
    train -q --data set $options -o old
    evalprompts -q --base base --data set --split test --per-record a >a.json
    # begun with the old set, gone on with the new one
    cp -r old part
    rm -r part/manifest.json part/checkpoints/step-4
    # shard adds the lengths, and nothing else changes
    content=$(jq -r .content set/manifest.json)
    cp -r set before
    shard -q --no-prov -o set --size 500 --val 0.25 --test 0.1 before
    [ "$(jq -r .content set/manifest.json)" = "$content" ]
    jq -e .lengths set/manifest.json
    diff <(jq 'del(.lengths, .check)' set/manifest.json) \
        <(jq 'del(.check)' "$compat/set-1-tokens/manifest.json")
    verify set
    reader set
    train -q --data set $options -o new
    diff -r old/adapter new/adapter
    train -q --data set $options -o part --resume
    diff -r old/adapter part/adapter
    evalprompts -q --base base --data set --split test --per-record b >b.json
    cmp a b
    cmp a.json b.json
}

@test "tojsonl --exact and fromjsonl come back to the same content ids" {
    for f in "$compat"/stream-*.gs; do
        tojsonl --exact "$f" | fromjsonl >back.gs
        diff <(reader "$f" | jq -r .content) \
            <(reader back.gs | jq -r .content)
    done
}

@test "ids of three bytes are told by the head, and not joined to others" {
    tojsonl "$compat/stream-1-wide.gs" >lines
    fromjsonl --vocab 70001 lines >three.gs
    tojsonl three.gs | cmp - lines
    [ "$(reader three.gs | jq -c .keys)" = '{"vocab":"70001","id-bytes":"3"}' ]
    tojsonl --exact three.gs | fromjsonl >back.gs
    diff <(reader three.gs | jq .content) <(reader back.gs | jq .content)
    run -4 shard -q -o joined <(cat "$compat/stream-1-wide.gs" three.gs)
    [[ $output == *"header: key id-bytes (found 3, expected none)" ]]
    [ ! -e joined ]
    tojsonl --exact three.gs | sed 's/"vocab":"70001"/"vocab":"9"/' >bad
    run -4 fromjsonl bad
    [[ $output == *"key id-bytes (found 3, expected 3, beside a vocab "* ]]
}

@test "a set of weights, too, is the stream that it was made of" {
    for v in 1 2; do
        f=$compat/stream-$v-weights.gs
        shard -q -o set-$v "$f"
        reader set-$v
        [ "$(head -n 1 set-$v/0*.graft)" = "graft stream $v" ]
        shard -q --no-prov -o again-$v set-$v
        for set in set-$v again-$v; do
            [ "$(jq -r '.inputs[]' $set/manifest.json)" = \
                "$(reader "$f" | jq -r .content)" ]
        done
        cmp set-$v/0*.graft again-$v/0*.graft
    done
    # what they hold is the same
    shard -q -o set-1 "$compat/stream-2-weights.gs"
    diff <(jq .files set-1/manifest.json) <(jq .files again-1/manifest.json)
    cmp <(tojsonl set-1) <(tojsonl set-2)
}
