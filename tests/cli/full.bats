# full: what belongs to training every weight.

load helper

setup() {
    cd "$BATS_TEST_TMPDIR"
    token_base 60
    options="-q --data data --base base --batch 2 --seq-len 16 --threads 1"
}

# The members of metrics that do not depend on the clock.
steady() {
    jq -c 'del(.tok_s, .peak_bytes, .machine)' "$1/metrics.jsonl"
}

# resumed OPTION...: a run of four steps with these goes on from its second as
# it went on; a line of its metrics is of three.
resumed() {
    rm -rf run again
    train $options --steps 4 --save-every 2 --log-every 3 "$@" -o run
    cp -r run again
    rm -r again/manifest.json again/checkpoints/step-4
    train $options --steps 4 --save-every 2 --log-every 3 "$@" --resume \
        -o again
    cmp run/manifest.json again/manifest.json
    cmp run/checkpoints/step-4/state.safetensors \
        again/checkpoints/step-4/state.safetensors
    diff <(steady run) <(steady again)
}

@test "a z-loss is trained and told apart" {
    options+=" --lr 0.01 --eval-every 4"
    for method in "full" "lora --rank 4"; do
        rm -rf plain
        train $options --method $method --steps 4 -o plain
        jq -es 'all(has("z_loss") | not)' plain/metrics.jsonl
        resumed --method $method --z-loss 0.01
        jq -e '.identity["z-loss"] == 0.01' run/config.json
        jq -es '[.[] | select(.loss) | .z_loss > 0.1 and .z_loss < 1]
            | length == 2 and all' run/metrics.jsonl
        # losses are cross-entropies
        jq -es --slurpfile plain plain/metrics.jsonl '.[0] == $plain[0]
            and .[-1].val_loss != $plain[-1].val_loss' run/metrics.jsonl
    done
    run -2 --separate-stderr train $options --z-loss 1.5 --steps 1 -o bad
    [[ $stderr == "train: --z-loss"* ]]
}

@test "Muon moves the matrices of layers, and goes on as it was" {
    options+=" --lr 0.01 --weight-decay 0.1 --method full"
    state() {
        train $options --steps 1 --dry-run --optimizer "$1" | jq .state_bytes
    }
    # two layers of q, k, v, o and three of 16 x 24 have no second moment
    [ "$(($(state adamw) - $(state muon)))" -eq \
        $((4 * 2 * (2 * 256 + 2 * 128 + 3 * 16 * 24))) ]
    resumed --optimizer muon
    jq -e '.identity.optimizer == "muon"
        and .identity["muon-momentum"] == 0.95
        and .identity["muon-adjust-lr"] == "match_rms_adamw"' run/config.json
    # as many threads as there may be
    train $options --steps 4 --optimizer muon --threads 2 -o two
    cmp run/model/model.safetensors two/model/model.safetensors
    # what it is told, it does
    for more in "--muon-momentum 0.5" "--muon-adjust-lr original" \
        "--muon-lr-ratio 2"; do
        rm -rf other
        train $options --steps 4 --optimizer muon $more -o other
        run -1 cmp run/model/model.safetensors other/model/model.safetensors
    done
    run -2 --separate-stderr train $options --muon-lr-ratio 2 --steps 1 -o bad
    [ "$stderr" = "train: --muon-momentum, --muon-adjust-lr and $(
        )--muon-lr-ratio without --optimizer muon" ]
    run -2 --separate-stderr train $options --method lora --optimizer muon \
        --steps 1 -o bad
    [ "$stderr" = "train: --optimizer muon without --method full" ]
}

@test "full training tells how much a model sees, and where its loss goes" {
    options+=" --lr 0.01"
    train ${options#-q} --method full --steps 40 --save-every 35 -o run \
        2>said >/dev/null
    n=$(jq .plan.parameters run/config.json)
    grep -q "$n parameters, and at most 1280 tokens: 0\\.[0-9]* a parameter" \
        said
    seen=$(jq -s '.[-2].tokens' run/metrics.jsonl)
    grep -q "$seen tokens were seen, 0\\.[0-9]* a parameter" said
    grep -q "the trend of the training loss is at [0-9.]*$" said
    # from the 32nd step on; foretold, it is about what comes
    jq -es 'map(select(.loss)) | (map(has("loss_at_end"))
            == [range(1; 41) | . >= 32])
        and ((.[-8:] | map(.loss) | add / 8) as $last
            | .[31].loss_at_end / $last | . > 0.75 and . < 1.3)' \
        run/metrics.jsonl
    cp -r run again
    rm -r again/manifest.json again/checkpoints/step-40
    train $options --method full --steps 40 --save-every 35 --resume -o again
    diff <(steady run) <(steady again)
    report -q -o page.html run
    grep -q 'Loss after the last step' page.html
    train ${options#-q} --rank 4 --steps 33 -o lora 2>said >/dev/null
    run -1 grep -q 'a parameter\|trend' said
    jq -es 'all(has("loss_at_end") | not)' lora/metrics.jsonl
}
