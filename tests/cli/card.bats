# tojsonl --card: what the card says is what the set holds.

load helper

# table HEADING COLUMN: from stdin, the rows of the table whose first column
# is called so, below that heading: their cells, parted by tabs.
table() {
    awk -v heading="## $1" -v column="| $2 |" '
        /^## / { on = $0 == heading; rows = 0 }
        on && index($0, column) == 1 { rows = 1; next }
        rows && !/^\|/ { rows = 0 }
        rows && !/^\| ---/ { gsub(/^\| | \|$/, ""); gsub(/ \| /, "\t"); print
        }'
}

# commit MEMBERS: a commit as fromjsonl takes it, with more.
commit() {
    jq -nc --argjson more "$1" '{kind: "commit", repo: "r", ordinal: 0,
        commit: "1", time: 5, author: "author_0", subject: "s", path: "p",
        change: "- 1\n@@ -0,0 +1,1 @@\n+x\n"} + $more'
}

@test "the card of a set of text has the numbers of its records" {
    repo_small r 14
    printf '#!/bin/sh\necho\n' >r/run.sh
    repo_commit r 'a script' 'Grace Hopper'
    gitscrape -q r | shard -q --val 0.1 --test 0.2 -o set
    tojsonl --card set >card
    for split in train val test; do
        tojsonl --split $split set | jq -rs --arg split $split '[$split,
            length, (map(.commit) | unique | length),
            (map(.change | utf8bytelength) | add)] | @tsv'
    done >want
    table Splits split <card | head -n 3 | cut -f 1,2,4,5 | diff want -
    tojsonl set | jq -rs 'group_by(.lang)[] | [.[0].lang // "\\(not told\\)",
        length, (map(.change | utf8bytelength) | add)] | @tsv' | sort >want
    table Languages language <card | sort | diff want -
    tojsonl set | jq -rs '[.[0].repo, length, (map(.commit) | unique
        | length), (map(.author) | unique | length), .[0].commit,
        .[-1].commit] | @tsv' >want
    table Sources repository <card | cut -f 1-6 | diff want -
    tojsonl set | jq '.change | utf8bytelength | log2 | floor' | sort -n |
        uniq -c | awk '{ print $1 }' >want
    table Lengths bytes <card | cut -f 2 | diff want -
    grep -q '^Time span: 2020-09-13 to 2020-09-27\.$' card
    grep -qx 'pretty_name: "r"' card
    grep -qx -- '- n<1K' card
    # wherever the set lies, and however often
    mv set elsewhere
    tojsonl --card elsewhere | cmp card -
}

@test "the card of a set of tokens has theirs, and its layout" {
    repo_small r 14
    git -C r show HEAD~11:src/part2.c >r/copy.c # as it began
    repo_commit r 'A copy'
    gitscrape -q r >texts
    vocabtrain -q --size 300 -o t.json texts
    tokenize -q -t t.json --max-tokens 200 --loss target texts |
        shard -q --test 0.2 -o set
    tojsonl --card set >card
    for split in train val test; do
        tojsonl --split $split set | jq -rs --arg split $split '[$split,
            length, (map(.ordinal) | unique | length),
            (map(.ids | length) | add),
            (map(.mask[1:] | add // 0) | add)] | @tsv'
    done >want
    table Splits split <card | head -n 3 | cut -f 1,2,4,5,6 | diff want -
    tojsonl set | jq -rs 'group_by(.lang)[] | [.[0].lang // "\\(not told\\)",
        length, (map(.ids | length) | add),
        (map(.mask[1:] | add // 0) | add)] | @tsv' | sort >want
    table Languages language <card | sort | diff want -
    tojsonl set | jq -rs '[.[0].repo, length, (map(.commit_id) | unique
        | length)] | @tsv' >want
    table Sources repository <card | cut -f 1-3 | diff want -
    jq -r '.splits as $s | .leaks[] | .split as $n | .edit as $e | ($s[]
        | select(.name == $n).records) as $r | [$n, $r, "\($e)"] | @tsv' \
        set/manifest.json >want
    jq -e '[.leaks[].edit] | add == 1' set/manifest.json
    grep -qx -- '- 1 of 3 records of test have an edit that is .*' card
    table Splits 'held out' <card | cut -f 1-3 | sed 's/ (.*//' | diff want -
    jq -r '.ledger[] | [.program, .reason, .count] | @tsv' \
        set/manifest.json >want
    table 'What was left out' program <card | diff want -
    grep -q "^- tokenizer .*: $(jq -r .keys.tokenizer set/manifest.json)$" \
        card
    grep -qx -- '- learned: the target of a record alone' card
    grep -qx -- '- tokens a record at most: 200' card
    grep -q '^- rows of the vocabulary. 300$' card
    # the set was made of another one: what was done last counts
    run -1 grep 'draws records' card
    shard -q --split-by group --test 0.2 --sample lang:c=2 -o groups set
    tojsonl --card groups | grep -qx -- '- lang\\:c=2'
    tojsonl --card groups | grep -q '^Files with all of their history'
}

@test "licences are those of the records, by SPDX and by the Hub's names" {
    for license in MIT MIT GPL-2.0-or-later 'MIT OR Apache-2.0'; do
        commit "{\"license\": \"$license\"}"
    done | fromjsonl -q | shard -q -o set
    tojsonl --card set >card
    sed -n '/^license:/,/^language:/p' card |
        diff <(printf 'license:\n- gpl-2.0\n- mit\n- other\nlanguage:\n') -
    table Licences licence <card | cut -f 1,2 | diff <(printf \
        'MIT\t2\nGPL-2.0-or-later\t1\nMIT OR Apache-2.0\t1\n') -
    run -1 grep 'no licence is' card
    {
        commit '{"license": "ISC"}'
        commit '{}'
    } | fromjsonl -q | shard -q -o part
    tojsonl --card part >card
    sed -n '/^license:/,/^language:/p' card |
        diff <(printf 'license:\n- isc\n- unknown\nlanguage:\n') -
    grep -q '^- Of 1 of 2 records no licence is recorded' card
}

@test "tokens have the licences of their sources" {
    repo_small r 3
    cp "$root/LICENSE" r/src # not of all
    repo_commit r 'A licence'
    vocabtrain -q --size 300 -o t.json <(gitscrape -q r)
    for want in unknown apache-2.0; do
        gitscrape -q r | tokenize -q -t t.json | shard -q -o "$want"
        tojsonl --card "$want" | sed -n '/^license:/,/^language:/p' |
            diff <(printf 'license:\n- %s\nlanguage:\n' "$want") -
        cp "$root/LICENSE" r
        repo_commit r 'The licence'
    done
    tojsonl --card apache-2.0 | table Sources source | cut -f 1,3 |
        diff <(printf 'r\tApache-2.0\n') -
    { gitscrape -q r; fromjsonl -q <<<'{"text": "x"}'; } |
        tokenize -q -t t.json | shard -q -o both
    tojsonl --card both | sed -n '/^license:/,/^language:/p' |
        diff <(printf 'license:\n- apache-2.0\n- unknown\nlanguage:\n') -
}

@test "what scrub and dedup did, and whether they ran, is told" {
    repo_small r 6
    echo 'mail ada@lovelace.net' >r/note
    repo_commit r 'a note'
    cp r/note r/copy
    repo_commit r 'a copy'
    gitscrape -q r | tee raw | scrub -q | dedup -q | shard -q -o clean
    shard -q -o raw-set raw
    tojsonl --card clean >card
    table 'Secrets and personal data' program <card |
        diff <(printf 'scrub\temail\t2\n') -
    [ "$(grep -c 'it ran over all\.' card)" -eq 3 ]
    table 'What was left out' program <card |
        diff <(printf 'dedup\texact\t1\n') -
    tojsonl --card raw-set >card
    [ "$(grep -c 'it did not run\.' card)" -eq 3 ]
    grep -q 'Take it that keys' card
    shard -q --no-prov -o bare raw
    tojsonl --card bare >card
    [ "$(grep -c 'is not recorded\.' card)" -ge 4 ]
}

@test "sets of any origin have a card: conversations, nothing, one split" {
    {
        echo '{"messages":[{"role":"user","content":"hi"},{"role":' \
            '"assistant","content":"ho!"}]}'
        echo '{"text":"four"}'
    } | fromjsonl -q | shard -q --val 0 --test 0 -o set
    tojsonl --card set >card
    grep -q '2 records of 9 bytes: 1 document, 1 conversation\.' card
    grep -qx 'Time span: not recorded\.' card
    grep -qx -- '- und' card
    grep -q 'Nothing is held out' card
    table Splits split <card | cut -f 1,2 |
        diff <(printf 'train\t2\nall\t2\n') -
    fromjsonl -q </dev/null | shard -q -o empty
    tojsonl --card empty >card
    grep -qx 'There are no records\.' card
    echo '{"ids":[1,2,3],"mask":[0,1,1]}' | fromjsonl -q | shard -q -o ids
    tojsonl --card ids >card
    grep -q '1 record of 3 tokens, 2 of them learned' card
}

@test "nothing of a repository is obeyed by Markdown" {
    evil=$'a|b`c\n## d\e[31m<script>*e*\\ [f](http://g) \xe2\x80\xae'
    {
        for key in repo lang author commit path license; do
            commit "$(jq -nc --arg k $key --arg v "$evil" '{($k): $v}')"
        done
        commit '{"time": "when"}'
        commit '{"repo": {"b64": "/yAt"}, "time": "99999999999999999"}'
    } | fromjsonl -q | shard -q -o set
    tojsonl --card set >card
    # no control characters, all tables as wide as their heads
    run -1 grep -aP '[\x00-\x09\x0b-\x1f\x7f]|\xe2\x80\xae' card
    run -1 bash -c "sed '/^pretty_name: /d; /^- n<1K/d' card | grep '[<>]'"
    awk -F '|' '/^\|/ { if (!n) n = NF; if (NF != n) exit 1 }
        !/^\|/ { n = 0 }' card
    grep -qF 'a&#124;b\`c\\x0a\#\# d\\x1b\[31m&#60;script&#62;\*e\*' card
    [ "$(grep -c "^## " card)" -eq 9 ]
    grep -qF '\\xff -' card
    grep -q '@99999999999999999' card
    sed -n 's/^pretty_name: //p' card | jq -e 'contains("a|b`c\\x0a")'
}

@test "what is no set of text or tokens has no card" {
    fromjsonl -q <<<'{"text":"x"}' >a.gs
    shard -q -o set a.gs
    token_base 10
    quantize -q base | shard -q -o weights
    while IFS='|' read -r code words said; do
        run -"$code" --separate-stderr tojsonl $words
        one_line "tojsonl: $said"
    done <<'END'
2|--card weights|weights: a set of weights (expected text or tokens)
2|--card|--card needs the directory of a shard set
2|--card -|--card needs the directory of a shard set
2|--card --no-prov set|--card goes with no other option
2|--card --exact set|--card goes with no other option
2|--card --format trl set|--card goes with no other option
4|--card a.gs|a.gs: not a complete set
4|--card base|base: not a complete set
1|--card nowhere|nowhere/manifest.json:
END
    printf 'x' | dd of="$(echo set/*.graft)" bs=1 seek=300 conv=notrunc \
        status=none
    run -4 --separate-stderr tojsonl --card set
    one_line 'tojsonl: set/'
    run -1 --separate-stderr bash -c 'tojsonl --card data >/dev/full'
    one_line 'tojsonl: stdout: '
}

@test "a set of two repositories is of both, whatever each went through" {
    repo_small one 10
    repo_init two
    for i in $(seq 8); do
        seq $((i * 1000)) $((i * 1003)) >two/numbers$i
        echo "mail ada$i@lovelace.net" >two/note$i
        repo_commit two "Numbers of $i"
    done
    gitscrape -q one >one.gs
    gitscrape -q two >two.gs
    vocabtrain -q --size 300 -o t.json one.gs
    cat one.gs two.gs | scrub -q | dedup -q | tee clean |
        tokenize -q -t t.json | shard -q --test 0.2 -o tokens
    shard -q --test 0.2 -o texts clean
    heads="one	$(git -C one rev-parse HEAD)
two	$(git -C two rev-parse HEAD)"
    for set in tokens texts; do
        tojsonl --card $set >card
        table Sources source <card | cut -f 1,2 | diff <(echo "$heads") -
        [ "$(grep -c 'it ran over all\.' card)" -eq 3 ]
        grep -qx 'pretty_name: "one, two"' card
        # the last commits of both are held out, whole
        [ "$(jq '.splits[] | select(.name == "test") | .ranges | length' \
            $set/manifest.json)" -eq 2 ]
    done
    tojsonl --split test texts | jq -r '[.repo, .commit] | @tsv' |
        sort -u >held
    cut -f 1 held | sort -u | diff <(printf 'one\ntwo\n') -
    run -1 bash -c 'tojsonl --split train texts |
        jq -r "[.repo, .commit] | @tsv" | grep -Ff held'
    # one of them alone went through scrub: that is not told of both
    { scrub -q one.gs; cat two.gs; } | shard -q -o part
    { cat two.gs; scrub -q one.gs; } | shard -q -o swapped
    for set in part swapped; do
        tojsonl --card $set >card
        [ "$(grep -c 'it ran over a part, or' card)" -eq 2 ]
        table Sources source <card | cut -f 1,2 | diff <(echo "$heads") -
    done
    { scrub -q one.gs; gitscrape -q --no-prov two; } | shard -q -o unknown
    tojsonl --card unknown | grep -q '^- Secrets.*: it ran over a part'
    # nor of a set that is made of a set of each
    for repo in one two; do
        if [ $repo = one ]; then scrub -q one.gs; else cat two.gs; fi |
            shard -q --test 0.2 -o set-$repo
    done
    shard -q -o merged set-one set-two
    tojsonl --card merged >card
    table Sources source <card | cut -f 1,2 | diff <(echo "$heads") -
    grep -q '^- Secrets.*: it ran over a part' card
    grep -q '^It was made of sets: ' card
    # its tokens are those of both, in the order of the stream
    tokenize -q -t t.json texts | shard -q --test 0.2 -o again
    tojsonl tokens | cmp - <(tojsonl again)
}

@test "repositories of the same name are told of" {
    mkdir a b
    repo_small a/r 3
    repo_small b/r 4
    run -0 --separate-stderr gitscrape a/r b/r >/dev/null
    [[ $stderr == *'b/r: another repository is called r, too: --name '* ]]
    gitscrape -q a/r b/r | shard -q -o set
    tojsonl --card set | grep -q '^Sources of the same name are counted as'
    { gitscrape a/r --name r1; gitscrape b/r; } 2>err | shard -q -o named
    run -1 grep another err
    run -1 bash -c 'tojsonl --card named | grep "^Sources of the same"'
}
