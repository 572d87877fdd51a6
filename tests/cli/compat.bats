# compat: what was written once is read for ever, and means the same.

load helper

compat=$BATS_TEST_DIRNAME/../compat
reader() { python3 "$BATS_TEST_DIRNAME/../reader.py" "$@"; }

@test "streams of version 1 are read as when they were written" {
    for f in "$compat"/stream-1-*.gs; do
        verify -v "$f" 2>said
        diff <(awk -v f="${f##*/}" '$1 == f { print $4 }' \
            "$compat/stream-1.ids") <(sed -n 's/.*: content //p' said)
    done
}

@test "the independent reader still reads version 1" {
    for f in "$compat"/stream-1-*.gs; do
        diff <(grep "^${f##*/} " "$compat/stream-1.ids" | cut -d' ' -f2-) \
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

@test "tojsonl --exact and fromjsonl come back to the same content ids" {
    for f in "$compat"/stream-1-*.gs; do
        tojsonl --exact "$f" | fromjsonl >back.gs
        diff <(reader "$f" | jq -r .content) \
            <(reader back.gs | jq -r .content)
    done
}
