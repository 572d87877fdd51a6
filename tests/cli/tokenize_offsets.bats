#!/usr/bin/env bats
# Which bytes of a record's text its ids stand for: --offsets.

load helper

setup() {
    cd "$BATS_TEST_TMPDIR"
    scraped_repo
}

@test "the ids are those of the stream, and their bytes make up the text" {
    tokenize -q -t t.json --max-tokens 120 --offsets r.gs >lines
    tokenize -q -t t.json --max-tokens 120 r.gs | tojsonl >want
    jq -c '[.ids, .mask]' lines | cmp - <(jq -c '[.ids, .mask]' want)
    [ "$(jq -r .loss lines | sort -u)" = all ]
    tokenize -q -t t.json --loss target --offsets r.gs >target
    [ "$(jq -r .loss target | sort -u)" = target ]
    jq -c .mask target | cmp - <(tokenize -q -t t.json --loss all r.gs |
        tojsonl | jq -c .mask)
    # One behind the other, from the first byte to the last.
    jq -e '. as $r | .offsets | length == ($r.ids | length)
        and (map(.[0]) == [0] + (map(.[1])[:-1]))
        and .[-1][1] == ($r.text | utf8bytelength)' lines >all
    [ "$(sort -u all)" = true ]
    [ "$(jq -r '.text[.offsets[-1][0]:]' lines | sort -u)" = \
        '<|endoftext|>' ]
    # And what is in them can go back to a stream.
    jq -c '{ids, mask}' lines | fromjsonl -q | tojsonl | jq -c .ids |
        cmp - <(jq -c .ids want)
}

@test "an id stands for the bytes that it spells" {
    fromjsonl -q <<<'{"text":"if <|endoftext|> int"}' >a.gs
    tokenize -q -t t.json --end none --marks --offsets a.gs >line
    jq -e '(.ids | index(0)) as $i
        | .offsets[$i] == [3, 16] and .offsets[-1][1] == 20' line
    tokenize -q -t t.json --end none --offsets a.gs |
        jq -e '.ids | index(0) == null'
    # What is not text has no bytes.
    tokenize -q -t t.json --begin '<|endoftext|>' --offsets a.gs |
        jq -e '[.ids[0], .offsets[0], .offsets[1][0], .text[:2]]
            == [0, [0, 0], 0, "if"]'
    fromjsonl -q <<<'{"text":{"b64":"gP8="}}' |
        tokenize -q -t t.json --end none --offsets |
        jq -e '[.text, .offsets] == [{b64: "gP8="}, [[0, 1], [1, 2]]]'
}

@test "lines do not depend on threads, and are whole or an error" {
    tokenize -q -t t.json --offsets --threads 1 r.gs >one
    tokenize -q -t t.json --offsets --threads 3 r.gs | cmp - one
    [ -s one ]
    head -c -1 r.gs >cut.gs
    run -4 --separate-stderr tokenize -q -t t.json --offsets cut.gs
    run -1 bash -c 'tokenize -q -t t.json --offsets r.gs >/dev/full'
    run -2 tokenize -t t.json --offsets --stats s.json r.gs
    run -2 tokenize -t t.json --offsets --decode r.gs
    tokenize -q -t t.json --offsets < <(fromjsonl -q </dev/null) >none
    [ ! -s none ]
}
