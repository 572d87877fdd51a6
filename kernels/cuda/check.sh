#!/bin/bash
# check.sh - of a bundle, on a machine with a card: the instructions that ops
# are made of against the manual, every op against plain C, a run against the
# processor's losses, the same bits again and after a stop, and memory against
# the plan. Prints "ok" and "not ok" lines.
set -u
here=$(cd "$(dirname "$0")" && pwd)
export PATH=$here/../libexec/graft:$PATH
export GRAFT_CUDA=$here/../libexec/graft/graft-cuda.so
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || exit
n=0 failed=0

result() { # STATUS NAME
    n=$((n + 1))
    [ "$1" -eq 0 ] || { printf 'not '; failed=1; }
    echo "ok $n $2"
}

"$here/instructions" | sed 's/^/# /'
result "${PIPESTATUS[0]}" "instructions do what the PTX manual says"
"$here/cuda_ops"
result $? "every op agrees with the reference"

cat >arch.json <<'EOF'
{"model_type": "llama", "vocab_size": 512, "hidden_size": 128,
 "intermediate_size": 320, "num_hidden_layers": 4, "num_attention_heads": 2,
 "num_key_value_heads": 1, "max_position_embeddings": 512}
EOF
initmodel -q -o base arch.json
for i in {1..120}; do
    echo "{\"ids\": [$((i % 7)), $((i % 11)), 3, $((i % 5)), 4, 9, $i]}"
done | fromjsonl -q --vocab 512 | shard -q --val 0.2 --test 0 -o data
options="-q --data data --base base --rank 8 --batch 2 --seq-len 64
    --dropout 0.1 --lr 0.001 --steps 6"

# near A B SHARE: the losses of two runs.
near() {
    paste <(sed -nE 's/.*"(val_)?loss": ([0-9.]+).*/\2/p' "$1/metrics.jsonl") \
        <(sed -nE 's/.*"(val_)?loss": ([0-9.]+).*/\2/p' "$2/metrics.jsonl") |
        awk -v share="$3" '
            { d = $1 - $2; if (d < 0) d = -d
              if (NF != 2 || !(d <= share * $2)) { print "# " $0; bad = 1 } }
            END { exit bad || !NR }'
}

same() {
    cmp "$1/adapter/adapter_model.safetensors" \
        "$2/adapter/adapter_model.safetensors"
}

train $options --device cpu -o cpu
train $options --device cuda -o card && near card cpu 0.001
result $? "f32: the losses are the processor's"
train $options --device cuda --compute bf16 -o card16 && near card16 cpu 0.02
result $? "bf16: the losses are near"
quantize -q --format int8 base | shard -q -o small
train $options --base small --device cpu -o small_cpu
train $options --base small --device cuda -o small_card &&
    near small_card small_cpu 0.001
result $? "an int8 base has the processor's losses"
sed 's/llama/mixtral/; s/_layers": 4/_layers": 2, "num_local_experts": 4/
    s/320/96/' arch.json >experts.json
initmodel -q -o experts experts.json
experts="$options --base experts --dropout 0"
train $experts --device cpu -o experts_cpu
train $experts --device cuda -o experts_card &&
    near experts_card experts_cpu 0.001
result $? "a mixture of experts has the processor's losses"
train $experts --device cuda --compute bf16 -o experts_16 &&
    near experts_16 experts_cpu 0.02
result $? "in bf16 they are near"
train $experts --device cuda -o experts_again &&
    same experts_card experts_again
result $? "a mixture of experts has the same bits again"
echo '{"model_type": "mamba", "vocab_size": 512, "hidden_size": 128,
    "num_hidden_layers": 2}' >scan.json
initmodel -q -o scan scan.json
echo '{"model_type": "mamba2", "vocab_size": 512, "hidden_size": 128,
    "num_hidden_layers": 2, "num_heads": 4, "n_groups": 2}' >heads.json
initmodel -q -o heads heads.json
for scan in scan heads; do
    for device in cpu cuda; do
        train $options --base $scan --seq-len 160 --device $device \
            -o ${scan}_$device
    done
    near ${scan}_cuda ${scan}_cpu 0.001
    result $? "scans have the processor's losses ($scan)"
done
train $options --base heads --seq-len 160 --device cuda --compute bf16 \
    -o heads_16 && near heads_16 heads_cpu 0.02
result $? "in bf16 those of heads are near"
train $options --base heads --seq-len 160 --device cuda -o heads_again &&
    same heads_cuda heads_again
result $? "they have the same bits again"
full="$options --method full --dropout 0 --optimizer muon"
train $full --device cpu -o muon_cpu
train $full --device cuda -o muon_card && near muon_card muon_cpu 0.001
result $? "all weights, by Muon, have the processor's losses"
train $full --device cuda --compute bf16 -o muon_16 &&
    near muon_16 muon_cpu 0.02
result $? "in bf16 they are near"
train $full --device cuda -o muon_again &&
    cmp {muon_card,muon_again}/model/model.safetensors
result $? "and the same bits again"
train $options --device cuda --recompute block -o again && same card again
result $? "the same bits again, with recomputation"
train $options --device cuda --offload activations -o waited &&
    same card waited
result $? "the same bits where activations wait in the machine's memory"

# spent RUN: every op that ran took time, and all together no more than steps.
spent() {
    awk -F'"seconds": ' '/"phase"/ { n++; if (!($2 + 0 > 0)) { bad = 1
        print "# " $0 } } END { exit bad || n < 15 }' "$1/profile.json"
}

train ${options#-q} --device cuda --profile -o timed >timed.log 2>&1 &&
    same card timed && spent timed
result $? "ops are timed, with the same bits"
sed -n 's/^train: \([a-z]* .*[0-9%-]\)$/# \1/p' timed.log

# Stopped when it has a checkpoint, which leaves it most of its steps.
long="$options --steps 400 --save-every 2 --device cuda"
train $long -o whole
train $long -o stopped &
until ls stopped/checkpoints/step-* >found 2>&1; do
    kill -0 $! 2>/dev/null || break
    sleep 0.01
done
kill -TERM $! 2>/dev/null
wait $!
[ $? -eq 143 ] && train $long --resume -o stopped && same whole stopped
result $? "the same bits after a stop"
line=$(train -v ${options#-q} --steps 1 --device cuda -o taken 2>&1 |
    grep ' bytes taken, ')
echo "# $line"
[[ $line =~ ([0-9]+)\ bytes\ taken,\ ([0-9]+)\ planned ]] &&
    [ "${BASH_REMATCH[1]}" -le $((BASH_REMATCH[2] + (64 << 20))) ]
result $? "the card's memory is as planned"

# A step of models that are as small as can be: these take their time. Rows
# after the last expert's are nobody's, but GLU computes them with the others:
# initcheck would say so.
sanitized() { # TOOL
    local base compute status=0
    for base in "tiny" "few --dropout 0" "mild --seq-len 160" \
        "all --dropout 0 --method full --optimizer muon"; do
        [ "$1/${base%% --*}" != initcheck/few ] || continue
        for compute in f32 bf16; do
            compute-sanitizer --tool "$1" --error-exitcode 9 \
                "$here/../libexec/graft/train" $options --base $base \
                --batch 1 --steps 1 --device cuda --compute $compute \
                -o "$1-${base%% --*}-$compute" >sanitizer.log 2>&1 && continue
            status=1
            tail -n 20 sanitizer.log
        done
    done
    return $status
}

small='s/"hidden_size": 128/"hidden_size": 64/; s/_heads": 2/_heads": 1/
    s/_layers": [24]/_layers": 1/; s/320/96/'
sed "$small" arch.json >tiny.json
initmodel -q -o tiny tiny.json
initmodel -q -o all tiny.json
sed "$small" experts.json >few.json
initmodel -q -o few few.json
sed "$small"'; s/_heads": 4/_heads": 2/' heads.json >mild.json
initmodel -q -o mild mild.json
if command -v compute-sanitizer >/dev/null; then
    for tool in memcheck racecheck synccheck initcheck; do
        sanitized $tool
        result $? "compute-sanitizer's $tool finds nothing"
    done
fi
echo "1..$n"
exit $failed
