# compat: what was written once is read for ever, and means the same.

load helper

compat=$BATS_TEST_DIRNAME/../compat
reader="python3 $BATS_TEST_DIRNAME/../reader.py"

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
            <($reader "$f" | jq -r '"\(.records) \(.tensors) \(.content)"')
    done
}

@test "tojsonl --exact and fromjsonl come back to the same content ids" {
    for f in "$compat"/stream-1-*.gs; do
        tojsonl --exact "$f" | fromjsonl >back.gs
        diff <($reader "$f" | jq -r .content) \
            <($reader back.gs | jq -r .content)
    done
}
