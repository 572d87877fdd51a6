# curve: a model from nothing learns as it does in torch.

load helper

@test "300 steps of a nano model on real text go as in torch" {
    [ -x "${PEERS:-}/bin/python" ] || skip "PEERS names no Python with torch"
    need_plain "it takes minutes"
    export PYTHONDONTWRITEBYTECODE=1
    printf '%s\n' "$root"/man/man?/*.[157] "$root"/lib/*/*.c |
        fromfiles -q >text
    vocabtrain -q --size 4096 --special '<|endoftext|>' -o tok.json text
    tokenize -q -t tok.json --template plain text | tojsonl |
        jq -c '.ids[]' | head -n $((1200 * 129)) | paste -sd, |
        jq -Rc 'split(",") | map(tonumber) | _nwise(129) | {ids: .}' \
            >records.jsonl
    [ "$(wc -l <records.jsonl)" -eq 1200 ]
    fromjsonl -q --vocab 4096 records.jsonl |
        shard -q --val 0 --test 0 -o data
    for arch in ${ARCHES:-dense-nano}; do
        initmodel -q -t tok.json -o $arch \
            "$root/pipelines/configs/scratch/$arch.json"
        train -q --data data --base $arch --method full --loss all \
            --epochs 1 --batch 4 --seq-len 128 --lr 0.001 --warmup 20 \
            --save-every 0 -o run-$arch
        [ "$(jq -s 'map(select(.lr)) | length' \
            run-$arch/metrics.jsonl)" -eq 300 ]
        "$PEERS/bin/python" "$root/tests/peft/curve.py" $arch records.jsonl \
            run-$arch >told
        cat told >&3
    done
}
