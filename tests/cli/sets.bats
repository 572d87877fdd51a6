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
