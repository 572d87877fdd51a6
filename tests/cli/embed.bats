# embed and nearest: texts as vectors, and which are alike.

load helper

setup_file() {
    cd "$BATS_FILE_TMPDIR"
    export golden=$BATS_TEST_DIRNAME/../golden
    token_base 40
    embed -q --base base data >vectors
    jq -c '{ids: .}' <<<"$(jq -c '.ids[]' "$golden/hidden.json")" |
        fromjsonl -q --vocab 96 >texts
}

setup() {
    cd "$BATS_FILE_TMPDIR"
}

# agrees MODEL POOL: what embed makes of the texts is what transformers does,
# but for the rounding of float32.
agrees() {
    embed -q --base "$golden/models/$1" --pool "$2" --batch 1 --seq-len 64 \
        texts | tojsonl |
        jq -se --slurpfile want "$golden/hidden.json" \
            --arg model "$1" --arg pool "$2" '
        [.[].vector] as $got | $want[0].models[$model][$pool] as $want
        | ($want | flatten | map(fabs) | max) as $most
        | ($got | map(length)) == ($want | map(length))
          and ([$got | flatten, ($want | flatten)] | transpose
               | all((.[0] - .[1] | fabs) < 1e-5 * $most))' >found ||
        { echo "$1, $2: not as transformers has it"; return 1; }
}

@test "vectors are the mean, or the last, of transformers' hidden states" {
    for model in $(jq -r '.models | keys[]' "$golden/hidden.json"); do
        agrees "$model" mean
        agrees "$model" last
    done
}

@test "records that share a batch, or are divided, make the same vectors" {
    embed -q --base base --threads 1 data | cmp - vectors
    embed -q --base base --batch 1 --seq-len 7 data | tojsonl >alone
    jq -ces --slurpfile alone alone '[map(.vector), ($alone | map(.vector))]
        | map(flatten) | transpose | all((.[0] - .[1] | fabs) < 1e-6)' \
        <(tojsonl vectors)
    # three pieces of a text, which start anew
    echo '{"ids": [1,2,3,4,5,6,7]}' | fromjsonl -q --vocab 40 |
        embed -q --base base --seq-len 3 | tojsonl >whole
    printf '{"ids": [%s]}\n' 1,2,3 4,5,6 7 | fromjsonl -q --vocab 40 |
        embed -q --base base --seq-len 3 | tojsonl >parts
    jq -es '(.[1:] | map(.vector) | transpose
             | map((3 * .[0] + 3 * .[1] + .[2]) / 7)) as $mean
            | [.[0].vector, $mean] | transpose
            | all((.[0] - .[1] | fabs) < 1e-6)' whole parts
}

@test "an adapter counts, and is told" {
    train -q --data data --base base -o run --steps 3 --rank 2 --lr 0.05
    embed -q --base base --adapter run data >adapted
    run -1 cmp -s adapted vectors
    [ "$(head -n 20 adapted | grep -ac '^key adapter [0-9a-f]*$')" -eq 1 ]
    run -4 nearest -q --in vectors adapted
    [[ $output == *"adapted: vectors that can't be compared: adapter "* ]]
}

@test "a stream of vectors is as good as another" {
    head -n 20 vectors | grep -aq '^key dim 16$'
    head -n 20 vectors | grep -aq '^key pool mean$'
    verify -q vectors
    tojsonl --exact vectors | fromjsonl -q | tojsonl |
        cmp - <(tojsonl vectors)
    shard -q -o set vectors
    verify -q set
    [ "$(tojsonl set | sha256sum)" = "$(tojsonl vectors | sha256sum)" ]
    [ "$(jq -c .splits set/manifest.json)" = '[]' ]
    run -2 --separate-stderr shard --val 0.1 -o other vectors
    one_line "shard: --val: vectors have no splits"
    [ ! -e other ]
}

# by_hand K: what nearest says, from all pairs of vectors; no two are as alike.
by_hand() {
    tojsonl vectors | jq -c --argjson k "$1" -s '
        def dot($a; $b): [$a, $b] | transpose | map(.[0] * .[1]) | add;
        map(.vector) as $v | $v[] | . as $q
        | [range($v | length) as $i
           | {i: $i, s: (dot($q; $v[$i])
                         / (dot($q; $q) * dot($v[$i]; $v[$i]) | sqrt))}]
        | sort_by(-.s, .i) | .[:$k] | map(.s)'
}

@test "nearest names the most alike of all, best first" {
    nearest -q --in vectors -k 5 vectors >found
    [ "$(wc -l <found)" -eq 40 ]
    by_hand 5 >want
    jq -ces --slurpfile want want '
        [map(.nearest | map(.score)), $want] | map(flatten) | transpose
        | all((.[0] - .[1] | fabs) < 2e-6)' found
    jq -es 'map(.query.record) == [range(40)]' found
    jq -e '.nearest | map(.score) == (map(.score) | sort | reverse)' found
    nearest -q --in vectors -k 5 --threads 1 <vectors | cmp - found
    nearest -q --in vectors -k 1000 vectors |
        jq -e '.nearest | length == 40
            and (map(.record) | unique | length) == 40'
}

@test "equals come in the order of the set, and zeros are like none" {
    printf '{"kind": "vector", "vector": [%s]}\n' 1,0 2,0 0,0 0,3 1,0 |
        fromjsonl -q >five
    nearest -q --in five -k 3 five | jq -c '.nearest | map(.record)' >found
    printf '%s\n' '[0,1,4]' '[0,1,4]' '[0,1,2]' '[3,0,1]' '[0,1,4]' |
        cmp - found
    nearest -q --in five -k 5 five | jq -es '.[0].nearest[3:] | map(.score)
        == [0, 0]'
}

@test "earlier is what comes before in its repository, or in time" {
    line='{"kind": "vector", "vector": [1, 1], "ordinal": %s, "time": %s,
           "repo": "%s"}\n'
    printf "${line//$'\n'/}" 0 10 a 1 20 a 1 20 a 2 5 a 0 15 b | tr -s ' ' |
        fromjsonl -q >commits
    nearest -q --in commits --earlier commits |
        jq -c '.nearest | map(.record)' >found
    printf '%s\n' '[3]' '[0,4]' '[0,4]' '[0,1,2]' '[0,3]' >want
    sed -i '1s/.*/[]/' want
    sed -i '4s/.*/[0,1,2]/' want
    cmp found want
}

@test "what is no vector, or can't be compared, is refused" {
    run -4 --separate-stderr embed --base base <<<''
    one_line 'embed: stdin: '
    echo '{"text": "x"}' | fromjsonl -q >doc
    run -4 --separate-stderr embed --base base doc
    one_line 'embed: doc: '
    fromjsonl -q --vocab 50 <<<'{"ids": [45]}' >large
    run -4 --separate-stderr embed --base base large
    one_line "embed: large: vocabulary of 50 over the model's 40"
    embed -q --base base --pool last data >last
    run -4 --separate-stderr nearest --in vectors last
    one_line "nearest: last: vectors that can't be compared: pool (found \
last, expected mean)"
    run -4 --separate-stderr nearest --in tokens vectors
    one_line 'nearest: tokens: '
    head -c 3000 vectors >short
    run -4 --separate-stderr nearest --in vectors short
    run -4 --separate-stderr fromjsonl <<<'{"kind": "vector", "vector": []}'
    one_line 'fromjsonl: stdin:1:'
    printf '{"kind": "vector", "vector": [%s]}\n' 1,2 1,2,3 >mixed
    run -4 --separate-stderr fromjsonl mixed
    one_line 'fromjsonl: mixed:2:'
    run -4 --separate-stderr fromjsonl \
        <<<'{"kind": "vector", "vector": [1e300]}'
    one_line 'fromjsonl: stdin:1: element 0 of a vector (found inf, expected'
    run -2 --separate-stderr nearest --in - <vectors
    one_line "nearest: --in: standard input is for the queries"
}

@test "a record without a token is left out and counted" {
    printf '{"ids": [%s]}\n' 1,2 '' 3 | fromjsonl -q --vocab 40 >gap
    run -0 --separate-stderr bash -c 'embed --base base gap >two'
    [[ $stderr == *'2 vectors of 16 elements'* ]]
    [[ $stderr == *'1 left out: no token'* ]]
    tojsonl --exact two | tail -n 1 | jq -e '.ledger
        == [["embed", "no-token", 1]]'
}
