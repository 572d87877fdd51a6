# evalprompts: base against adapter on held-out records and on prompts.

load helper

setup() {
    cd "$BATS_TEST_TMPDIR"
    made_once . evalprompts two_sets
}

two_sets() {
    text_base
    vocabtrain -q --size 280 --special '<|endoftext|>' -o other.json text
    tokenize -q -t other.json text | shard -q --test 0.3 -o otherdata
}

@test "evalprompts holds an adapter against the base on a split" {
    train -q --data data --base base --seq-len 32 --batch 2 --steps 20 \
        --lr 0.02 --rank 4 -o run
    run -0 --separate-stderr evalprompts -q --no-prov --base base \
        --data data --adapter run/adapter --seq-len 32
    [ "${#lines[@]}" -eq 1 ]
    jq -e '.kind == "summary" and .split == "test" and .records == 9 and
        .adapter.loss < .base.loss and .difference.loss < 0 and
        .base.perplexity_low <= .base.perplexity' <<<"$output"
    evalprompts -q --no-prov --base base --data data --adapter run \
        --seq-len 32 | cmp - <(echo "$output")
}

@test "evalprompts says why a directory has no adapter" {
    train -q --data data --base base --seq-len 32 --steps 1 --method full \
        -o full
    run -4 --separate-stderr evalprompts --base base --data data --adapter full
    one_line "evalprompts: full: was trained in full: the result is a base, fu"
    run -4 --separate-stderr evalprompts --base base --data data --adapter data
    one_line "evalprompts: data: holds no adapter"
    run -1 --separate-stderr evalprompts --base base --data data --adapter no
    one_line "evalprompts: no: no such run or adapter"
    train -q --data data --base base --seq-len 32 --steps 1 --rank 2 -o run
    rm run/manifest.json
    run -0 --separate-stderr evalprompts --base base --data data --adapter run
    [[ $stderr == *"run: the run is not complete, its adapter is what "* ]]
}

@test "evalprompts scores prompts one by one and in total" {
    cat >prompts.jsonl <<'JSON'
{"id": "any", "prompt": "line 3", "max_tokens": 4, "regex": ".*"}
{"id": "none", "prompt": "line 4", "max_tokens": 4, "exact": "\u0001"}
JSON
    run -0 --separate-stderr evalprompts -q --base base prompts.jsonl
    [ "${#lines[@]}" -eq 3 ]
    jq -se '.[0].passed and .[0].tokens == 4 and (.[1].passed | not) and
        .[2].prompts.n == 2 and .[2].prompts.base.passed == 1' <<<"$output"
}

@test "passed prompts are counted of those with checks, and one by one" {
    train -q --data data --base base --seq-len 32 --batch 2 --steps 20 \
        --lr 0.02 --rank 4 -o run
    for i in 1 2 3 4; do echo "{\"prompt\": \"line $i\"}"; done >bare
    run -0 --separate-stderr evalprompts -q --base base --adapter run bare
    jq -se 'all(.[:8][]; .passed == null) and (.[8].prompts | .n == 4 and
        .checked == 0 and .base.passed == 0 and .base.share == null and
        .base.share_low == null and .gained == 0)' <<<"$output"
    echo "$output" >said
    # a letter that the base says alone on 1 and 2, the adapter alone on 3
    python3 - >prompts <<'PY'
import base64, json
said = {}
for line in open("said"):
    r = json.loads(line)
    c = r.get("completion", "")
    text = base64.b64decode(c["b64"]) if isinstance(c, dict) else c.encode()
    said[r.get("id"), r.get("model")] = {chr(b) for b in text if 32 < b < 127}
for i, (own, other) in enumerate([("base", "adapter"), ("base", "adapter"),
                                  ("adapter", "base")], 1):
    letters = said[str(i), own] - said[str(i), other]
    print(json.dumps({"prompt": f"line {i}", "contains": min(letters)}))
PY
    tail -n 1 bare >>prompts
    run -0 --separate-stderr evalprompts -q --base base --adapter run prompts
    python3 "$root/tests/validate.py" "$root/schemas/score.schema.json" \
        <(echo "$output")
    jq -se '.[-1].prompts | .n == 4 and .checked == 3 and .base.passed == 2
        and .adapter.passed == 1 and .gained == 1 and .lost == 2
        and (.base.share_low - 0.207660 | fabs) < 1e-6
        and (.base.share_high - 0.938508 | fabs) < 1e-6' <<<"$output"
}

@test "evalprompts refuses data of another tokenizer, or no data at all" {
    run -4 --separate-stderr evalprompts --base base --data otherdata
    one_line "evalprompts: otherdata: made with another tokenizer than the"
    run -2 --separate-stderr evalprompts --base base
    one_line "evalprompts: nothing to measure"
    run -4 --separate-stderr evalprompts --base data --data data
    one_line "evalprompts: data/manifest.json: type (found tokens"
    run -4 --separate-stderr evalprompts --base base --data base
    one_line "evalprompts: base: not a complete set"
}

@test "evalprompts on a full disk is an error" {
    run -1 --separate-stderr bash -c \
        'evalprompts -q --base base --data data --seq-len 32 >/dev/full'
    one_line "evalprompts: stdout: write: No space left on device"
}

# record ORDINAL TIME N: N token records of one commit.
record() {
    local i
    for ((i = 0; i < $3; i++)); do
        echo "{\"ids\": [$1, $((i % 7)), $((i + $1)), $1, 9]," \
            "\"ordinal\": $1, \"time\": $2}"
    done
}

# Two repositories: ordinals begin anew, and some are the same in both.
two_histories() {
    { record 0 100 9; record 1 101 3; record 2 102 2; record 3 103 8; } |
        fromjsonl -q --vocab 300 >one
    { record 0 200 5; record 1 201 1; record 2 202 4; } |
        fromjsonl -q --vocab 300 >two
    cat one two | shard -q --val 0.4 --test 0.4 -o histories
}

# The half width from the lines of --per-record, by the definition: T is
# Student's for one degree less than there are clusters.
jackknife() {
    jq -s --argjson t "$1" --arg of "$2" '
        map(select(.tokens > 0) | {cluster, n: .tokens, s: (.tokens *
            (if $of == "difference" then .adapter - .base else .[$of] end))})
        | (map(.s) | add) as $s | (map(.n) | add) as $n
        | group_by(.cluster) | length as $g
        | map((($s - (map(.s) | add)) / ($n - (map(.n) | add)) - $s / $n)
              | . * .) | add | . * ($g - 1) / $g | sqrt * $t' records
}

# close_to A B: to 9 digits.
close_to() {
    jq -ne --argjson a "$1" --argjson b "$2" \
        '(($a - $b) | fabs) <= 1e-9 * ($b | fabs)'
}

@test "intervals count commits, not records" {
    two_histories
    train -q --data histories --base base --seq-len 32 --steps 3 --lr 0.01 \
        --rank 4 -o run
    evalprompts -q --base base --adapter run/adapter --data histories \
        --per-record records >score
    jq -e '.clusters == 2 and .records == 12 and .tokens == 48' score
    for of in base adapter difference; do
        close_to "$(jq ".$of.half_width" score)" \
            "$(jackknife 12.706204736174705 $of)"
    done
    # train's validation counts in the same way
    jq -se '.[0].val_clusters == 3 and .[0].val_records == 6' run/metrics.jsonl
    evalprompts -q --base base --data histories --split val >score
    close_to "$(jq -s '.[0].val_half_width' run/metrics.jsonl)" \
        "$(jq .base.half_width score)"
}

@test "a commit is known by ordinal and time, wherever its records are" {
    { record 3 50 2; record 4 50 1; record 3 51 1; record 3 50 1
      record 7 0 2; record 8 0 1; record 7 0 1; } |
        fromjsonl -q --vocab 300 | shard -q --val 0 --test 0 -o mixed
    evalprompts -q --base base --data mixed --split train \
        --per-record records
    jq -se 'map([.record, .ordinal, .cluster]) == [[0, 3, 0], [1, 3, 0],
        [2, 4, 1], [3, 3, 2], [4, 3, 0], [5, 7, 3], [6, 7, 3], [7, 8, 4],
        [8, 7, 5]]' records
}

@test "documents that came one by one are no one document" {
    for i in 0 1 2; do
        record 0 0 $((1 + i % 2)) | fromjsonl -q --vocab 300
    done | shard -q --val 0 --test 0 -o joined
    evalprompts -q --base base --data joined --split train \
        --per-record records
    jq -se 'map(.cluster) == [0, 1, 1, 2]' records
}

@test "some records are spread over the split, not taken from its beginning" {
    two_histories
    evalprompts -q --base base --data histories --per-record records >whole
    evalprompts -q --base base --data histories --records 3 \
        --per-record three >score
    # 0, 4 and 8 of the split's 12
    cmp <(jq .record three) <(jq -s '.[0, 4, 8].record' records)
    jq -e '.records == 3 and .clusters == 2' score
    for n in 12 13; do
        evalprompts -q --base base --data histories --records $n >score
        cmp score whole
    done
    train -q --data histories --base base --seq-len 32 --steps 1 \
        --eval-records 3 -o few
    jq -se '.[0].val_records == 3 and .[0].val_clusters == 2' \
        few/metrics.jsonl
}

@test "one commit has no interval, and that is said" {
    record 3 50 3 | fromjsonl -q --vocab 300 |
        shard -q --val 0 --test 0 -o single
    run -0 --separate-stderr evalprompts --base base --data single \
        --split train
    [[ $stderr == *"single: all of it is one commit or document: "* ]]
    jq -e '.clusters == 1 and .records == 3 and .base.half_width == null and
        .base.perplexity_low == null and .base.loss > 0' <<<"$output"
}

@test "evalprompts writes a line a record, as the schema says" {
    echo '{"ids": [5]}' >>lines # nothing to predict
    record 1 1 2 >>lines
    fromjsonl -q --vocab 300 lines | shard -q --val 0 --test 0 -o short
    echo old >records
    evalprompts -q --base base --data short --split train --batch 1 \
        --per-record records >score
    [ "$(wc -l <records)" -eq 3 ]
    python3 "$root/tests/validate.py" "$root/schemas/score.schema.json" records
    jq -se '.[0] == {record: 0, ordinal: 0, cluster: 0, tokens: 0, base: null,
        all: {tokens: 0, base: null}} and .[1].tokens == 4' records
    jq -e '.records == 2 and .clusters == 1' score
    close_to "$(jq .base.loss score)" \
        "$(jq -s 'map(select(.tokens > 0).base) | add / length' records)"
}

@test "the loss of the target and that of all tokens are told apart" {
    masks() { record 0 100 3; record 1 101 2; record 2 102 4; }
    split() { fromjsonl -q --vocab 300 | shard -q --val 0 --test 0 -o $1; }
    masks | split whole
    masks | jq -c '. + {mask: [0, 0, 1, 0, 1]}' | split masked
    train -q --data masked --base base --seq-len 32 --steps 3 --lr 0.01 \
        --rank 4 -o run
    for set in whole masked; do
        evalprompts -q --base base --adapter run --data $set --split train \
            --seq-len 32 --per-record $set.records >$set.score
        python3 "$root/tests/validate.py" "$root/schemas/score.schema.json" \
            $set.records $set.score
    done
    # what is learned changes nothing of the loss of all
    cmp <(jq .all whole.score) <(jq .all masked.score)
    cmp <(jq .all whole.records) <(jq .all masked.records)
    jq -e '.tokens == 36 and .all.tokens == 36 and .base == .all.base and
        .adapter == .all.adapter and .difference == .all.difference' whole.score
    jq -e '.tokens == 18 and .all.tokens == 36 and .base != .all.base and
        .all.difference.loss < 0 and .all.clusters == 3' masked.score
}

@test "evalprompts does not write records over what it reads, nor elsewhere" {
    cp tok.json mine.json
    echo '{"prompt": "line"}' >prompts
    cp -r data kept
    for file in data/manifest.json base/new mine.json prompts /dev/full .; do
        run -6 --separate-stderr evalprompts --base base --data data \
            -t mine.json --per-record $file prompts
        one_line "evalprompts: $file: "
    done
    run -2 --separate-stderr evalprompts --base base --data data --per-record -
    one_line "evalprompts: --per-record is a file's name"
    run -2 --separate-stderr evalprompts --base base --per-record x prompts
    one_line "evalprompts: --per-record without --data"
    run -2 --separate-stderr bash -c \
        'evalprompts --base base --data data --per-record x >x'
    one_line "evalprompts: --per-record is a file's name: stdout has the"
    rm x
    run -1 --separate-stderr bash -c 'ulimit -f 1; evalprompts --base base \
        --data data --split train --per-record x'
    one_line "evalprompts: x: write: File too large"
    run -1 --separate-stderr evalprompts --base base --data data \
        --per-record no/x
    one_line "evalprompts: no/x: No such file or directory"
    run -4 --separate-stderr evalprompts --base base --data data --split no \
        --per-record x
    [ ! -e x ]
    diff -r data kept
    no_leftovers .
}

@test "a split that is not there is named with those that are" {
    run -4 --separate-stderr evalprompts --base base --data data --split tset
    one_line "evalprompts: data: no split 'tset' (it has train, val, test)"
    echo '{"ids": [1]}' | fromjsonl -q --vocab 300 |
        shard -q --val 0 --test 0 -o one
    run -4 --separate-stderr evalprompts --base base --data one --split train
    one_line "evalprompts: one: nothing to measure in split 'train'"
    printf '{"ids": [1]}\n{"ids": [1, 2]}\n' | fromjsonl -q --vocab 300 |
        shard -q --val 0 --test 0 -o two
    run -4 --separate-stderr evalprompts --base base --data two \
        --split train --records 1
    one_line "evalprompts: two: nothing to measure in split 'train'"
    : >empty
    fromjsonl -q empty | tokenize -q -t tok.json | shard -q -o none
    run -4 --separate-stderr evalprompts --base base --data none
    one_line "evalprompts: none: no split 'test' (it has none)"
    run -4 --separate-stderr evalprompts --base base --data data --split tset \
        - <<<'{"prompt": "x"}' # before the prompts are completed
    one_line "evalprompts: data: no split 'tset'"
}

@test "the length of sequences is what the base has, up to 512" {
    run -0 --separate-stderr evalprompts -q --base base --data data
    jq -e '.seq_len == 64 and .cut == 0' <<<"$output"
    for n in 40 700; do
        jq ".max_position_embeddings = $n" arch.json >llama$n.json
        echo '{"model_type": "gpt2", "vocab_size": 300, "n_embd": 16,
            "n_layer": 1, "n_head": 2}' | jq ".n_positions = $n" >gpt2$n.json
        for base in llama$n gpt2$n; do
            initmodel -q -t tok.json -o $base $base.json
            run -0 --separate-stderr evalprompts -q --base $base --data data
            jq -e ".seq_len == ([$n, 512] | min)" <<<"$output"
        done
    done
    run -2 --separate-stderr evalprompts --base gpt240 --data data --seq-len 41
    one_line "evalprompts: gpt240: has 40 learned positions"
    run -0 --separate-stderr evalprompts --base llama40 --data data \
        --seq-len 41
    [[ $stderr == *": 0 of 9 records go beyond" ]]
    run -0 --separate-stderr evalprompts --base base --data data --seq-len 8
    [[ $stderr == *" of 9 records are longer than --seq-len 8 and "* ]]
    jq -e '.seq_len == 8 and .cut > 0' <<<"$output"
}

# ended DIR: how the completion of a prompt ends, and after how many tokens.
ended() {
    echo '{"prompt": "line 3", "max_tokens": 6}' |
        evalprompts -q --base "$@" - |
        jq -c 'select(.id) | [.finish, .tokens]'
}

# with_end FILE JSON: base/FILE with that eos_token_id.
with_end() {
    [ -e "base/$1" ] || echo '{}' >"base/$1"
    jq ".eos_token_id = $2" "base/$1" >new
    mv new "base/$1"
}

@test "a completion ends at the model's own end tokens" {
    all=$(jq -nc '[range(300)]')
    with_end config.json null
    [ "$(ended base)" = '["length",6]' ]
    # the token that comes first, found by halves
    low=0 high=300
    while [ $((high - low)) -gt 1 ]; do
        middle=$(((low + high) / 2))
        with_end config.json "$(jq -nc "[range($low; $middle)]")"
        case $(ended base) in
        '["end",1]') high=$middle ;;
        *) low=$middle ;;
        esac
    done
    with_end config.json $low
    [ "$(ended base)" = '["end",1]' ]
    quantize -q --format f32 base | shard -q -o set
    [ "$(ended set)" = '["end",1]' ]
    # the generation config wins where it says anything, in a set, too
    with_end generation_config.json null
    [ "$(ended base)" = '["end",1]' ]
    with_end generation_config.json "$(((low + 1) % 300))"
    [ "$(ended base)" != '["end",1]' ]
    with_end generation_config.json "[$(((low + 1) % 300)), $low]"
    with_end config.json null
    [ "$(ended base)" = '["end",1]' ]
    quantize -q --format f32 base | shard -q -o other
    [ "$(ended other)" = '["end",1]' ]
}

@test "an end token that is none is refused, one beyond the model said" {
    for wrong in true '"x"' 1.5 '[2, null]' '{}' 1e999; do
        with_end config.json "$wrong"
        run -4 --separate-stderr evalprompts --base base - <<<'{"prompt": "x"}'
        [[ $stderr == "evalprompts: base/config.json: "* ]]
    done
    with_end config.json '[300, 5]'
    run -0 --separate-stderr evalprompts --base base - <<<'{"prompt": "x"}'
    [[ $stderr == *"base/config.json: eos_token_id 300 is none of the "* ]]
}

@test "prompts whose results could not be told apart, or say nothing" {
    printf '{"prompt": "x", "id": "2"}\n{"prompt": "y"}\n' >prompts
    run -4 --separate-stderr evalprompts --base base prompts
    one_line "evalprompts: prompts:2: two prompts have the id '2'"
    for key in contains regex forbidden; do
        for value in '""' '["x", ""]'; do
            echo "{\"prompt\": \"x\", \"$key\": $value}" >prompts
            run -4 --separate-stderr evalprompts --base base prompts
            one_line "evalprompts: prompts:1: $key is an empty string"
        done
    done
    echo '{"prompt": "x", "exact": ""}' >prompts
    evalprompts -q --base base prompts
}

@test "an option that would not be obeyed is refused" {
    echo '{"prompt": "line 3"}' >prompts
    for option in '--split test' '--records 2' '--per-record x' '--batch 2' \
        '--seq-len 8'; do
        run -2 --separate-stderr evalprompts --base base $option prompts
        one_line "evalprompts: ${option% *} without --data"
    done
    for option in '-t tok.json' '--max-tokens 2' '--context 9' \
        '--temperature 1' '--top-p 0.5' '--seed 1'; do
        run -2 --separate-stderr evalprompts --base base --data data $option
        [[ $stderr == "evalprompts: --"*" without a prompt file"* ]]
    done
    run -2 --separate-stderr evalprompts --base base --top-p 0.5 prompts
    one_line "evalprompts: --top-p without --temperature"
}

# completion OPTION...: what the base says.
completion() {
    echo '{"prompt": "line 3", "max_tokens": 8}' |
        evalprompts -q --base base "$@" - | jq -c 'select(.id).completion'
}

@test "sampling obeys temperature, top-p and seed" {
    greedy=$(completion)
    hot=$(completion --temperature 1)
    [ "$hot" != "$greedy" ]
    [ "$(completion --temperature 1 --seed 0)" = "$hot" ]
    [ "$(completion --temperature 1 --seed 1)" != "$hot" ]
    [ "$(completion --temperature 1 --top-p 0.001)" = "$greedy" ]
    [ "$(completion --temperature 0.0001)" = "$greedy" ]
    [ "$(completion --seed 5)" = "$greedy" ]
}

@test "a base that is not finite completes nothing" {
    python3 "$root/tests/cli/safetensors.py" set base model.norm.weight 3 nan
    run -4 --separate-stderr evalprompts --base base - \
        <<<'{"prompt": "x", "id": "a", "regex": ".*"}'
    one_line "evalprompts: prompt a: the model's output is not finite"
}

@test "batch and threads change no byte" {
    evalprompts -q --base base --data data --seq-len 8 --per-record a >score
    for options in '--batch 1' '--batch 7 --threads 1' '--threads 3'; do
        evalprompts -q --base base --data data --seq-len 8 --per-record b \
            $options | cmp - score
        cmp a b
    done
}

@test "a signal in an evaluation ends it, without anything left" {
    jq '.hidden_size = 256 | .intermediate_size = 1024
        | .num_hidden_layers = 8' arch.json >large.json
    initmodel -q -t tok.json -o large large.json
    jq -nc 'range(3000) | {ids: [range(. % 7 + 1; 61)]}' |
        fromjsonl -q --vocab 300 | shard -q --val 0 --test 0 -o many
    evalprompts -q --base large --data many --split train --per-record x \
        >out 3>&- &
    # its data are open: minutes of work begin
    until grep -q "$PWD/many/" /proc/$!/maps; do sleep 0.01; done
    sleep 0.2
    kill -TERM $!
    code=0
    wait $! || code=$?
    [ $code -eq 143 ]
    [ ! -s out ]
    [ ! -e x ]
    no_leftovers .
}
