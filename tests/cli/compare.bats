# evalprompts --compare: one base against another on held-out records.

load helper

setup() {
    cd "$BATS_TEST_TMPDIR"
    made_once . compare bases
}

bases() {
    text_base
    quantize -q --format int8 base | shard -q -o int8
    quantize -q --format nf4 base | shard -q -o nf4
}

# compare BASE OTHER [OPTION...]
compare() {
    evalprompts -q --base "$1" --compare "$2" --data data "${@:3}"
}

@test "a base is as far from itself as nothing" {
    compare base base >score
    python3 "$root/tests/validate.py" "$root/schemas/score.schema.json" score
    jq -e 'def none: .base == .compare and .difference.loss == 0
            and all(.kl_divergence[]; . == 0)
            and .same_top == {share: 1, half_width: 0};
        none and (.all | none) and .base.loss > 0 and .tokens > 40' score
}

@test "a base is held against what was made of it, in any format" {
    evalprompts -q --base base --data data >base.score
    for pair in base:int8 base:nf4 int8:base nf4:int8; do
        evalprompts -q --base ${pair#*:} --data data >other.score
        compare ${pair%:*} ${pair#*:} --per-record records >score
        python3 "$root/tests/validate.py" "$root/schemas/score.schema.json" \
            score records
        # the losses are those that each has without the other
        jq -se 'def near(a; b): a.loss - b.loss | fabs < 1e-5;
            def far(a): a.kl_divergence | 0 < .mean and .mean < 0.01
                and .half_width > 0 and .median <= .p90 and .p90 <= .p99
                and .p99 <= .p99_9 and .p99_9 <= .max;
            .[0] as $s | near($s.compare; .[1].base)
            and near($s.all.compare; .[1].all.base)
            and ($s.difference.loss - $s.compare.loss + $s.base.loss
                 | fabs < 1e-9)
            and far($s) and far($s.all) and $s.same_top.share > 0.5
            and $s.same_top.share < 1' score other.score
        # and the means those of the records
        jq -se 'def mean(f): (map(.tokens * f) | add) / (map(.tokens) | add);
            def near(a; b): a - b | fabs < 1e-9;
            .[0] as $s | .[1:] | near($s.base.loss; mean(.base))
            and near($s.compare.loss; mean(.compare))
            and near($s.kl_divergence.mean; mean(.kl_divergence))
            and near($s.same_top.share; mean(.same_top))' score records
    done
    compare base nf4 >far
    compare base int8 >close
    jq -se '.[0].kl_divergence.mean > 3 * .[1].kl_divergence.mean' far close
}

@test "commits are what counts for a divergence, too" {
    for n in 1 2 3 4 5 6; do
        for i in 1 2 3; do
            echo "{\"ids\": [$n, $((i * n)), $((i + 9)), $n, 9, 4]," \
                "\"ordinal\": $((n / 2)), \"time\": $((n / 2))}"
        done
    done | fromjsonl -q --vocab 300 | shard -q --val 0 --test 0 -o commits
    evalprompts -q --base base --compare nf4 --data commits --split train \
        --per-record records >score
    jq -e '.clusters == 4 and .records == 18' score
    # the jackknife over 4 clusters: Student's t for 3 degrees of freedom
    jq -se 'def half(f): (map(f * .tokens) | add) as $s
            | (map(.tokens) | add) as $n | group_by(.cluster)
            | map((($s - (map(f * .tokens) | add))
                   / ($n - (map(.tokens) | add)) - $s / $n) | . * .)
            | add * 3 / 4 | sqrt * 3.182446305284263;
        def near(a; b): b as $b | a - $b | fabs <= 1e-9 * $b;
        .[0] as $s | .[1:]
        | near($s.kl_divergence.half_width; half(.kl_divergence))
        and near($s.same_top.half_width; half(.same_top))' score records
}

@test "batch and threads change no byte of a comparison" {
    compare base nf4 --seq-len 8 --per-record a >score
    jq -e '.cut > 0' score
    for options in '--batch 1' '--batch 7 --threads 1' '--threads 3'; do
        compare base nf4 --seq-len 8 --per-record b $options | cmp - score
        cmp a b
    done
}

@test "a GGUF file is compared as any base is" {
    for i in $(seq 12); do
        echo "{\"ids\": [$((i * 7 % 96)), $((i * i % 96)), 3, $i, 40, 95]}"
    done | fromjsonl -q --vocab 96 | shard -q --val 0 --test 0 -o ids
    golden=$root/tests/golden
    for pair in gguf/llama_q8_0.gguf:models/llama \
        models/qwen2:gguf/llama_k.gguf; do
        evalprompts -q --base "$golden/${pair%:*}" --data ids --split train \
            --compare "$golden/${pair#*:}" >score
        jq -e '.tokens == 60 and .kl_divergence.mean > 0.1' score
    done
}

@test "what can't be compared is refused in a line" {
    jq '.vocab_size = 320' arch.json >wide.json
    initmodel -q -t tok.json -o wide wide.json
    run -4 --separate-stderr compare base wide
    one_line "evalprompts: wide: another vocabulary than that of base (found 3"
    jq -c '{text: (.text | ascii_upcase)}' <(tojsonl text) | fromjsonl -q |
        vocabtrain -q --size 300 -o upper.json
    initmodel -q -t upper.json -o upper arch.json
    run -4 --separate-stderr compare base upper
    one_line "evalprompts: upper: token "
    [[ $stderr == *" is not the one that it is in base: not the same "* ]]
    run -1 --separate-stderr compare base no/such
    one_line "evalprompts: no/such: "
    run -2 --separate-stderr compare base nf4 --adapter run
    one_line "evalprompts: --compare with --adapter: two bases are compared"
    echo '{"prompt": "line 3"}' >prompts
    run -2 --separate-stderr compare base nf4 prompts
    one_line "evalprompts: --compare with a prompt file: bases are compared"
    run -2 --separate-stderr evalprompts --base base --compare nf4
    one_line "evalprompts: --compare without --data"
    run -6 --separate-stderr compare base nf4 --per-record nf4/x
    one_line "evalprompts: nf4/x: is of the input nf4, too"
    cp -r base bad
    python3 "$root/tests/cli/safetensors.py" set bad model.norm.weight 3 nan
    for pair in base:bad bad:base; do
        run -4 --separate-stderr compare ${pair%:*} ${pair#*:} --per-record x
        one_line "evalprompts: bad: the model's output is not finite"
        [ ! -e x ]
    done
}

@test "the data may be of the tokenizer of either base" {
    jq -c . tok.json >same.json # in other words
    initmodel -q -t same.json -o same arch.json
    run -4 --separate-stderr evalprompts -q --base same --data data
    one_line "evalprompts: data: made with another tokenizer than"
    for pair in base:same same:base; do
        compare ${pair%:*} ${pair#*:} >score
        jq -e '.kl_divergence.mean == 0 and .tokens > 40' score
    done
    initmodel -q -t same.json -o twin arch.json
    run -4 --separate-stderr compare same twin
    one_line "evalprompts: data: made with another tokenizer than"
}
