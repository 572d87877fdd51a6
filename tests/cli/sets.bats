# A set's directory in the place of a stream, and files of a set on their own.

load helper

# two_repos: a text stream of two repositories, and a set of it in files of a
# few records.
two_repos() {
    repo_small one 14
    repo_small two 9
    head -c 3000 /dev/zero >one/zeros.bin
    repo_commit one binary
    gitscrape -q one two >two.gs
    shard -q -o set --size 1500 two.gs
    [ "$(ls set/*.graft | wc -l)" -gt 4 ]
    vocabtrain -q --size 300 -o t.json two.gs
}

# trailers FILE: what the segments were made of, and what was left out.
trailers() {
    tr '\0' '\n' <"$1" | grep -a '^\(ledger\|input\|content\) '
}

@test "a set is read as the stream that it was made of" {
    two_repos
    tokenize -q --no-prov -t t.json two.gs >a.gs
    tokenize -q --no-prov -t t.json set >b.gs
    cmp <(verify - <a.gs) <(verify - <b.gs)
    diff <(trailers a.gs | grep -v ledger) <(trailers b.gs | grep -v ledger)
    tojsonl a.gs | cmp - <(tojsonl b.gs)
    # and so it is divided like the stream
    tokenize -q -t t.json two.gs | shard -q --no-prov -o from-stream
    tokenize -q -t t.json set | shard -q --no-prov -o from-set
    for member in splits files inputs 'ledger | sort'; do
        diff <(jq ".$member" from-stream/manifest.json) \
            <(jq ".$member" from-set/manifest.json)
    done
    vocabtrain -q --size 300 -o again.json set
    cmp t.json again.json
    shard -q --no-prov -o copy --size 1500 set
    diff <(jq 'del(.prov, .check)' set/manifest.json) \
        <(jq 'del(.prov, .check)' copy/manifest.json)
    tokenize -q -t t.json set | tokenize --decode -t t.json >back.gs
    cmp <(verify - <back.gs) <(tokenize -q -t t.json two.gs |
        tokenize --decode -t t.json | verify -)
}

@test "the ledger of a set goes on with its records" {
    two_repos
    [ "$(jq -c '[.ledger[].program] | unique' set/manifest.json)" = \
        '["gitscrape"]' ]
    tokenize -q -t t.json --max-tokens 120 set | shard -q -o data
    diff <(jq -S '.ledger[]' set/manifest.json) <(jq -S '.ledger[] |
        select(.program == "gitscrape")' data/manifest.json)
    jq -e '[.ledger[].program] | unique | length == 2' data/manifest.json
    # what shard left out of the splits is in the set
    seq 0 399 | jq -c '{ids: [.], ordinal: (. / 4 | floor),
        group: (. * 7 % 50)}' | fromjsonl >t.gs
    shard -q -o groups --split-by group --test 0.2 t.gs
    [ "$(jq -r '.ledger[].program' groups/manifest.json)" = shard ]
    tojsonl --exact groups | tail -n 1 | grep -q '"kind":"tokens"'
}

@test "a file of a set, or all of them joined, is no stream" {
    two_repos
    for program in 'tokenize -t t.json' 'shard -o new' \
        'vocabtrain --size 300 -o new'; do
        run -2 --separate-stderr $program set/00000-*
        one_line "${program%% *}: set/00000-"
        [[ $stderr == *"is file 0 of a shard set"*"name its directory"* ]]
        run -2 --separate-stderr bash -c "cat set/*.graft | $program -"
        one_line "${program%% *}: stdin: is file 0 of a shard set"
        run -2 --separate-stderr bash -c \
            "cat two.gs set/00002-* | $program -"
        one_line "${program%% *}: stdin: is file 2 of a shard set"
        [ ! -e new ]
    done
    # to look at it is another thing
    cmp <(cat set/*.graft | tojsonl) <(tojsonl set)
    run -0 verify set/00001-*
    tojsonl --exact set/00001-* | fromjsonl >part.gs
    run -2 --separate-stderr tokenize -t t.json part.gs
    one_line 'tokenize: part.gs: is file 1 of a shard set'
    diff <(trailers part.gs) <(trailers "$(echo set/00001-*)")
}

@test "a set that is not whole is no stream" {
    two_repos
    file=$(ls set/*.graft | sed -n 3p)
    mv $file kept
    run -4 --separate-stderr tokenize -t t.json set
    [[ $stderr == "tokenize: $file: is missing (named in set/manifest.json)" ]]
    cp "$(ls set/*.graft | sed -n 1p)" $file
    run -4 --separate-stderr tokenize -t t.json set
    [[ $stderr == "tokenize: $file: is not the file in the manifest"* ]]
    head -c -64 kept >$file
    run -4 --separate-stderr tokenize -t t.json set
    [[ $stderr == "tokenize: $file:"* ]]
    { cat kept; cat kept; } >$file
    run -4 --separate-stderr tokenize -t t.json set
    [[ $stderr == "tokenize: $file: "* ]]
    mv kept $file
    mkdir empty
    run -4 --separate-stderr tokenize -t t.json empty
    one_line 'tokenize: empty: not a complete set (no manifest.json)'
    run -4 --separate-stderr shard -o new empty
    one_line 'shard: empty: not a complete set (no manifest.json)'
    echo '{"type": "run"}' >empty/manifest.json
    run -4 --separate-stderr tojsonl empty
    [[ $stderr == *'empty/manifest.json: '*'not the manifest of a set'* ]]
    fromjsonl <<<'{"ids": [1]}' | shard -q -o tokens
    run -4 --separate-stderr tokenize -t t.json tokens
    one_line 'tokenize: tokens/manifest.json: '
}

@test "a set can be divided anew, also in its own place" {
    two_repos
    shard -q -o set --size 1500 --test 0.5 --replace set
    shard -q -o new --size 1500 --test 0.5 two.gs
    diff <(jq .splits set/manifest.json) <(jq .splits new/manifest.json)
    verify set
}

@test "a set of weights is a stream, too" {
    cat >arch.json <<'END'
{"model_type": "gpt2", "vocab_size": 50, "n_embd": 16, "n_layer": 2,
 "n_head": 2, "n_positions": 16}
END
    initmodel -q -o model arch.json
    quantize -q --format int8 model >w.gs
    shard -q -o base --size 2000 w.gs
    [ "$(ls base/*.graft | wc -l)" -gt 2 ]
    tojsonl --exact base | fromjsonl >back.gs
    diff <(trailers w.gs | grep content) <(trailers back.gs | grep content)
    shard -q -o copy --size 2000 base
    diff <(jq .files base/manifest.json) <(jq .files copy/manifest.json)
}

# sets_of_two: one.set and two.set, tokens of two repositories, divided
# differently, and fork.set, of a longer copy of the first.
sets_of_two() {
    repo_small one 14
    repo_small two 9
    echo of two >two/README
    repo_commit two readme
    cp -r one fork
    echo more >fork/more
    repo_commit fork more
    gitscrape -q one two >both.gs
    vocabtrain -q --size 300 -o t.json both.gs
    for name in one two fork; do
        gitscrape -q $name | tokenize -q -t t.json >$name.gs
    done
    shard -q -o one.set --test 0.3 one.gs
    shard -q -o two.set --test 0.1 --val 0 two.gs
    shard -q -o fork.set --val 0.2 fork.gs
}

@test "sets are merged with their splits, and no commit comes twice" {
    sets_of_two
    n=$(jq .records one.set/manifest.json)
    run -0 --separate-stderr shard -o all one.set fork.set
    [[ $stderr == "shard: all: $n records are left out: a set before has "* ]]
    verify -q all
    python3 "$BATS_TEST_DIRNAME/../reader.py" all >read
    for name in train val test; do
        tojsonl --split $name all >merged
        tojsonl --split $name one.set >apart
        [ $name != test ] || tojsonl fork.set | tail -n 1 >>apart
        diff apart merged
    done
    [ "$(jq -c '[.ledger[] | select(.program == "shard")] |
        map([.reason, .count])' all/manifest.json)" = \
        "[[\"commit-repeated\",$n]]" ]
    [ "$(jq -c .segments all/manifest.json)" = "[$n,1]" ]
    [ "$(jq '[.leaks[].commit] | add' all/manifest.json)" -eq 0 ]
    # as one stream the fork's records come again
    cat one.gs fork.gs | shard -q -o twice
    [ "$(jq .records twice/manifest.json)" -eq $((2 * n + 1)) ]
    # what was left out stays known; and again, it is the same
    shard -q -o copy --split-by kept all
    diff <(jq -c '[.splits, .ledger, .leaks]' all/manifest.json) \
        <(jq -c '[.splits, .ledger, .leaks]' copy/manifest.json)
    run -0 --separate-stderr shard -o all one.set fork.set
    [[ $stderr == *'shard: all: nothing new' ]]
    # divided anew
    shard -q -o anew --split-by time --test 0.5 one.set fork.set
    [ "$(jq '.splits[2].records' anew/manifest.json)" -ge 7 ]
}

@test "sets that do not fit are not merged" {
    sets_of_two
    vocabtrain -q --size 280 -o u.json both.gs
    gitscrape -q two | tokenize -q -t u.json | shard -q -o other.set
    run -4 --separate-stderr shard -o all one.set other.set
    one_line 'shard: other.set: header: key vocab (found 280, expected 300)'
    run -2 --separate-stderr shard -o all one.set two.gs
    one_line 'shard: two.gs: is no set (several operands are sets to be'
    run -1 --separate-stderr shard -o all one.set missing
    one_line 'shard: missing: No such file or directory'
    for option in '--val 0.1' '--test 0.1' '--seed 1'; do
        run -2 --separate-stderr shard -o all $option one.set two.set
        one_line "shard: ${option% *}: the splits are those of the sets"
    done
    run -2 --separate-stderr shard -o all --split-by kept one.gs
    one_line 'shard: --split-by: kept is for sets'
    shard -q -o ruled --sample repo:one=2 --split-by kept one.set
    run -2 --separate-stderr shard -o all ruled two.set
    one_line 'shard: the sets have different rules of sampling'
    [ ! -e all ]
    shard -q -o all --sample none ruled two.set
    [ "$(jq .sampling all/manifest.json)" = null ]
    shard -q -o again --split-by time ruled
    [ "$(jq -c .sampling again/manifest.json)" = '["repo:one=2"]' ]
    # rules that come with the set are options like those that are given
    shard -q -o into --split-by time ruled
    run -6 --separate-stderr shard -o into --split-by time one.set
    one_line 'shard: into: made with other options'
    for name in config model; do echo '{"kind":"asset","name":"'$name'",' \
        '"data":"{}"}' | fromjsonl | shard -q -o $name; done
    run -2 --separate-stderr shard -o all2 config model
    one_line "shard: config: weights can't be merged"
    [ ! -e all2 ]
}
