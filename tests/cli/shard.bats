#!/usr/bin/env bats
# Shard sets: cuts, splits, reruns, appends, refusals.

load helper

# docs FROM TO: a text stream of numbered documents.
docs() {
    seq -f '{"text":"document %.0f"}' "$1" "$2" | fromjsonl
}

# state DIR: every file with its inode and times.
state() {
    stat -c '%n %i %Y %Z %s' "$1" "$1"/* "$1"/.lock
}

# split NAME DIR: the ranges of a split.
split() {
    jq -c --arg name "$1" '.splits[] | select(.name == $name).ranges' \
        "$2/manifest.json"
}

@test "shard cuts into content-named files and names them in a manifest" {
    docs 1 100 | shard -q -o set --size 500
    jq -r '.files[].name' set/manifest.json | sort >named
    (cd set && ls *.graft) | cmp - named
    [ "$(wc -l <named)" -gt 4 ]
    while read -r name content; do
        [[ $name =~ ^[0-9]{5}-${content:0:16}\.graft$ ]]
    done < <(jq -r '.files[] | .name + " " + .content' set/manifest.json)
    [ "$(tojsonl set | jq -r .text | tail -n 1)" = 'document 100' ]
    no_leftovers .
}

@test "the same stream again touches no file" {
    docs 1 100 | shard -q -o set --size 500
    state set >before
    sleep 0.01
    run -0 bash -o pipefail -c 'seq -f "{\"text\":\"document %.0f\"}" 100 |
        fromjsonl | shard -o set --size 500'
    [ "$output" = 'shard: set: nothing new' ]
    state set | diff before -
}

@test "adding gives what building from nothing gives, and keeps files" {
    for size in 1 100 500 100000; do
        rm -rf set whole
        docs 1 100 | shard -q -o set --size $size
        (cd set && ls -i *.graft) >before
        docs 1 170 | shard -q -o set --size $size
        docs 1 170 | shard -q -o whole --size $size
        diff -r set whole
        (cd set && ls -i *.graft) >after
        kept=$(comm -12 before after | wc -l)
        [ "$kept" -ge $(($(wc -l <before) - 1)) ]
    done
}

@test "another content is refused, and the set stays as it is" {
    docs 1 100 | shard -q -o set --size 500
    state set >before
    for range in '2 100' '1 99' '1 20'; do
        docs $range >other.gs
        run -6 --separate-stderr shard -o set --size 500 other.gs
        one_line 'shard: set: holds another set'
    done
    echo '{"ids":[1]}' | fromjsonl >tokens.gs
    run -6 --separate-stderr shard -o set --size 500 tokens.gs
    one_line 'shard: set: holds another set'
    state set | diff before -
}

@test "other options are refused before the input is read" {
    docs 1 100 | shard -q -o set
    state set >before
    for option in '--val 0.1' '--test 0' '--split-by group' '--seed 2' \
        '--size 1M'; do
        run -6 --separate-stderr shard -o set $option missing.gs
        one_line 'shard: set: made with other options'
    done
    state set | diff before -
}

@test "shard --replace puts another set in its place" {
    docs 1 100 | shard -q -o set --size 500
    for range in '1 60' '3 90' '1 200'; do
        rm -rf new
        docs $range | shard -q -o new --size 400 --val 0.2
        docs $range | shard -q -o set --size 400 --val 0.2 --replace
        diff -r new set
    done
}

@test "shard holds out the end by default, and what is asked for" {
    docs 1 100 | shard -q -o set
    [ "$(split train set)" = '[[0,90]]' ]
    [ "$(split val set)" = '[[90,95]]' ]
    [ "$(split test set)" = '[[95,100]]' ]
    docs 1 100 | shard -q -o none --val 0 --test 0
    [ "$(split train none)" = '[[0,100]]' ]
    [ -z "$(split val none)$(split test none)" ]
}

@test "a split by time falls between commits" {
    repo_small repo 30
    gitscrape repo | shard -q -o set --val 0.2 --test 0.3
    for cut in $(jq '.splits[1,2].ranges[0][0]' set/manifest.json); do
        tojsonl set | jq -r .ordinal | sed -n "$cut,$((cut + 1))p" | uniq -d \
            >twice
        [ ! -s twice ]
        echo "$cut" >>cuts
    done
    [ "$(wc -l <cuts)" -eq 2 ]
    newest=$(tojsonl --split test set | jq .time | sort -n | head -n 1)
    tojsonl --split train set |
        jq -e --argjson newest "$newest" '.time < $newest' >old
}

@test "a split by time that is far from what was asked for is told" {
    for i in $(seq 100); do
        echo "{\"ids\": [1, 2], \"ordinal\": $((1 + (i > 60) + (i > 98)))}"
    done | fromjsonl -q >in.tokens
    run -0 --separate-stderr shard -o set in.tokens
    [[ $stderr == *'set: 38 of 100 records (38.0%) are held out to validate '*\
'with, not 5.0%'*'set: 2 of 100 records (2.0%) are held out to test with, '*\
'not 5.0%'* ]]
    run -0 --separate-stderr shard -o near --val 0.3 --test 0.03 in.tokens
    [[ $stderr != *'held out'* ]]
}

@test "a split by group keeps groups whole and does not show what it tests" {
    jq -nc 'range(800) | {ids: [.], ordinal: (. / 4 | floor),
        group: (. * 7 % 50)}' | fromjsonl >a.gs
    shard -q -o set --split-by group --val 0.1 --test 0.2 --seed 3 a.gs
    for name in train val test; do
        tojsonl --split $name set >$name
        jq -r .group $name | sort -u >$name.groups
        [ -s $name ]
    done
    [ -z "$(sort *.groups | uniq -d)" ]
    jq -r .ordinal train | sort -u >trained
    cat val test | jq -r .ordinal | sort -u >held
    [ -z "$(comm -12 trained held)" ]
    dropped=$((800 - $(cat train val test | wc -l)))
    [ "$dropped" -gt 0 ]
    [ "$(jq -c '.ledger[0] | [.program, .reason, .count]' \
        set/manifest.json)" = '["shard","commit-divided",'$dropped']' ]
    shard -q -o again --split-by group --val 0.1 --test 0.2 --seed 3 a.gs
    diff -r set again
    shard -q -o other --split-by group --val 0.1 --test 0.2 --seed 4 a.gs
    run ! cmp -s set/manifest.json other/manifest.json
}

@test "shard says what is in no split, and what it could not hold out" {
    # commits of four records, each group in two of them
    jq -nc 'range(800) | {ids: [.], ordinal: (. / 4 | floor),
        group: (. * 7 % 50)}' | fromjsonl >a.gs
    run -0 --separate-stderr shard -o set --split-by group --test 0.1 \
        --val 0 a.gs
    dropped=$(jq '.ledger[0].count' set/manifest.json)
    [ "$dropped" -gt 0 ]
    [ "$dropped" -le 40 ]
    [[ $stderr == *"set: $dropped of 800 records ("*"%) are in no split: "* ]]
    # of eight records of anything: what is held out loses too much
    python3 -c 'import random
draw = random.Random(1)
for i in range(800):
    print({"ids": [i], "ordinal": i // 8, "group": draw.randrange(40)})' |
        tr "'" '"' | fromjsonl >d.gs
    run -0 --separate-stderr shard -o less --split-by group --val 0.2 \
        --test 0.2 d.gs
    [[ $stderr == *'less: nothing is held out to test with'* ||
        $stderr == *'less: '*'% of the records are held out to test with, '* ]]
    [ "$(jq '[.ledger[].count] | add // 0' less/manifest.json)" -le 40 ]
    # alone in their commits, none is lost
    jq -nc 'range(800) | {ids: [.], ordinal: ., group: (. % 50)}' |
        fromjsonl >b.gs
    run -0 --separate-stderr shard -o alone --split-by group \
        --val 0.2 --test 0 b.gs
    one_line 'shard: alone: 800 records, '
    jq -nc 'range(9) | {ids: [.], ordinal: 1}' | fromjsonl >c.gs
    run -0 --separate-stderr shard -o one c.gs
    [[ $stderr == *'one: nothing is held out to test with'* ]]
    [[ $stderr == *'one: nothing is held out to validate with'* ]]
}

@test "commits of a repository are split by group of file" {
    repo_small repo 60
    gitscrape -q repo >a.gs
    for seed in 0 1 2 3 4 5 6 7; do
        shard -q -o set$seed --split-by group --test 0.5 --seed $seed a.gs
        [ -z "$(split test set$seed)" ] ||
            tojsonl --split test set$seed | jq -r .path >>tested
    done
    [ -s tested ]
    # README was renamed in between: its group has both names or none
    for seed in 0 1 2 3 4 5 6 7; do
        for name in train val test; do
            [ -z "$(split $name set$seed)" ] ||
                tojsonl --split $name set$seed | jq -r .path |
                sed -n "s/^README.*/$seed $name/p" | sort -u
        done
    done >readme
    [ -s readme ]
    [ -z "$(cut -d' ' -f1 readme | uniq -d)" ]
}

@test "shard merges segments of one kind, and refuses others" {
    { docs 1 10; docs 11 20; } | shard -q -o set --expect 2
    [ "$(tojsonl set | wc -l)" -eq 20 ]
    [ "$(jq '.inputs | length' set/manifest.json)" -eq 2 ]
    { docs 1 10; echo '{"ids":[1]}' | fromjsonl; } >mixed.gs
    run -4 --separate-stderr shard -o other mixed.gs
    one_line 'shard: mixed.gs'
    [ ! -e other ]
    { echo '{"ids":[1]}' | fromjsonl --vocab 5
      echo '{"ids":[1]}' | fromjsonl --vocab 6; } >keys.gs
    run -4 --separate-stderr shard -o other keys.gs
    one_line 'shard: keys.gs'
    [ ! -e other ]
}

@test "shard --expect counts segments" {
    { docs 1 10; docs 11 20; } >two.gs
    run -4 --separate-stderr shard -o set --expect 3 two.gs
    one_line 'shard: two.gs: wrong number of segments (found 2, expected 3)'
    [ ! -e set ]
}

@test "shard leaves nothing of a stream that is cut or damaged" {
    docs 1 3000 >a.gs
    head -c -70 a.gs >cut.gs
    cp a.gs flip.gs
    printf 'X' | dd of=flip.gs bs=1 seek=$(($(stat -c %s a.gs) / 3)) \
        conv=notrunc status=none
    : >empty.gs
    for what in cut flip empty; do
        run -4 --separate-stderr shard --size 1000 -o set $what.gs
        one_line "shard: $what.gs"
        [ ! -e set ]
    done
    docs 1 100 | shard -q -o set --size 1000
    state set >before
    run -4 --separate-stderr shard --size 1000 -o set cut.gs
    one_line 'shard: cut.gs'
    diff <(cut -d' ' -f1,2,3,5 before | tail -n +2) \
        <(state set | cut -d' ' -f1,2,3,5 | tail -n +2)
}

@test "shard cuts weights between tensors and refuses splits for them" {
    {
        echo '{"kind":"asset","name":"config.json","data":"{}"}'
        for i in 1 2 3 4 5; do
            echo '{"kind":"tensor","name":"w'$i'","dtype":"U8",' \
                '"shape":[300]}'
            printf '{"kind":"data","b64":"%s"}\n' \
                "$(head -c 300 /dev/zero | tr '\0' "$i" | base64 -w0)"
        done
    } | fromjsonl >w.gs
    shard -q -o set --size 700 w.gs
    [ "$(jq -c '[.files[].tensors]' set/manifest.json)" = '[2,2,1]' ]
    [ "$(jq -c '.splits' set/manifest.json)" = '[]' ]
    diff <(tojsonl w.gs) <(tojsonl set)
    state set >before
    shard -q -o set --size 700 w.gs
    state set | diff before -
    for option in '--val 0.05' '--test 0' '--split-by time' '--seed 0'; do
        run -2 --separate-stderr shard -o other $option w.gs
        one_line 'shard: --'
        [ ! -e other ]
    done
}

@test "shard refuses the weights of two models in one stream" {
    tensors 1 2 >one.gs
    cat one.gs one.gs >two.gs
    run -4 --separate-stderr shard -o set two.gs
    one_line "shard: two.gs: segment 1: weights of one more model (expected"
    [ ! -e set ]
}

# tensors BYTE...: a weights stream of a tensor of 2 MiB for each, filled
# with that byte, and with X at the end of the last.
tensors() {
    local n=0 size=$((2 << 20))
    for byte; do
        n=$((n + 1))
        echo '{"kind":"tensor","name":"w'$n'","dtype":"U8","shape":['$size']}'
        head -c $((size - 1)) /dev/zero | tr '\0' "$byte" | cat - <(
            [ $n -lt $# ] && printf "$byte" || printf X) |
            base64 -w 1048576 | sed 's/.*/{"kind":"data","b64":"&"}/'
    done | fromjsonl
}

@test "shard --replace keeps files of weights before the first difference" {
    tensors a b c >abc.gs
    tensors a b d >abd.gs
    tensors a b c c >abcc.gs
    for size in 1M 5M; do
        rm -rf set new
        shard -q -o set --size $size abc.gs
        run -6 --separate-stderr shard -o set --size $size abd.gs
        one_line 'shard: set: holds another set, which differs at tensor 2'
        for other in abd abcc abc; do
            ls -i set >before
            shard -q -o set --size $size --replace $other.gs
            shard -q -o new --size $size $other.gs
            diff -r set new
            ls -i set | comm -12 before - | grep -q ' 00000-'
            rm -rf new
        done
    done
}

@test "a damaged set is never taken for none" {
    docs 1 100 | shard -q -o good --size 500
    docs 1 100 >a.gs
    docs 5 90 >other.gs
    first=$(cd good && ls *.graft | head -n 1)
    for damage in 'rm set/$first' 'truncate -s -64 set/$first' \
        'echo >set/manifest.json' 'sed -i s/500/501/ set/manifest.json' \
        'printf X | dd of=set/$first bs=1 seek=150 conv=notrunc'; do
        rm -rf set
        cp -r good set
        eval "$damage" 2>damage.err
        state set >before
        for stream in a other; do
            run ! --separate-stderr shard -o set --size 500 $stream.gs
            [[ $status =~ ^[146]$ ]]
            one_line 'shard: set'
            state set | diff <(tail -n +2 before) <(tail -n +2)
        done
        shard -q -o set --size 500 --replace a.gs
        diff -r set good
    done
}

@test "shard refuses outputs that are no place for a set" {
    docs 1 2 >a.gs
    touch file
    mkfifo fifo
    ln -s elsewhere link
    mkdir -p used other
    touch used/mine
    for out in file fifo link used; do
        run -6 --separate-stderr shard -o $out a.gs
        one_line "shard: $out: "
    done
    [ ! -e elsewhere ]
    [ "$(ls -A used)" = mine ]
    run -1 --separate-stderr shard -o missing/set a.gs
    one_line 'shard: missing/set: No such file or directory'
    run -2 --separate-stderr shard -o - a.gs
    one_line 'shard: -: is standard output (expected a directory; ./- is one)'
    [ ! -e ./- ]
    run -2 --separate-stderr shard -o set --size 0 a.gs
    one_line "shard: --size: bad value (found '0', expected 1..112589990684262"
    run -2 --separate-stderr shard a.gs
    one_line 'shard: --output is missing'
    run -2 --separate-stderr shard -o set --val 0.6 --test 0.4 a.gs
    one_line 'shard: --val and --test leave nothing to train on'
    run -0 shard -o other a.gs
}

@test "the provenance of a set names each program once, itself last" {
    docs 1 2 >a.gs
    echo a.gs | fromfiles -q >b.gs
    cat a.gs b.gs a.gs | shard -q -o set
    [ "$(jq -r '.prov[] | split(" ")[0]' set/manifest.json | tr '\n' ' ')" \
        = 'fromjsonl fromfiles shard ' ]
}

# tokens FROM TO: a stream of token records of 1 to 9 ids, two a commit.
tokens() {
    jq -nc --argjson a "$1" --argjson b "$2" 'range($a; $b) |
        {ids: [range(. % 9 + 1)], ordinal: (. / 2 | floor)}' |
        fromjsonl --vocab 10
}

@test "a set of tokens has the lengths of its records beside them" {
    tokens 0 100 | shard -q -o set --size 500
    file=$(jq -r .lengths.name set/manifest.json)
    [ "$(ls set/lengths-*)" = "set/$file" ]
    [ "$(stat -c %s "set/$file")" -eq $((16 + 100 * 24)) ]
    [ "$(head -n 1 "set/$file")" = 'graft lengths 1' ]
    diff <(tail -c +17 "set/$file" | od -An -v -w24 -t u4 |
        awk '{ print $1, $2, $3 }') <(tojsonl set |
        jq -r '"\(.ids | length) \(.ids | length - 1) \(.ordinal)"')
    # of texts nothing is known
    docs 1 100 | shard -q -o texts
    [ "$(jq .lengths texts/manifest.json)" = null ]
    state set >before
    sleep 0.01
    tokens 0 100 | shard -q -o set --size 500
    state set | diff before -
}

@test "lengths grow with the set, of several segments and in any cut" {
    for size in 1 100 500 100000; do
        rm -rf set whole
        (tokens 0 50; tokens 0 30) | shard -q -o set --size $size
        (tokens 0 50; tokens 0 90) | shard -q -o set --size $size
        (tokens 0 50; tokens 0 90) | shard -q -o whole --size $size
        diff -r set whole
        verify -q set
    done
}

@test "shard adds the lengths that a set lacks, and mends with --replace" {
    tokens 0 100 >t.gs
    shard -q -o whole --size 500 t.gs
    cp -r whole set
    python3 - <<'END'
import hashlib, os, re
text = open("set/manifest.json").read()
text = re.sub(r'  "lengths": [^}]*},\n', "", text)
at = text.rindex('  "check"')
check = hashlib.blake2b(text[:at].encode(), digest_size=32).hexdigest()
open("set/manifest.json", "w").write(
    text[:at] + '  "check": "%s"\n}\n' % check)
END
    rm set/lengths-*
    run -0 verify set
    cp -r set old
    run -0 shard -o set --size 500 t.gs
    [ "$output" = "shard: set: 100 records, train 90, val 4, test 6, $(
        ls set/*.graft | wc -l) files" ]
    diff -r set whole
    # a set without them can grow, too
    tokens 0 130 | shard -q -o old --size 500
    tokens 0 130 | shard -q -o grown --size 500
    diff -r old grown
    file=$(ls set/lengths-*)
    printf x | dd of="$file" bs=1 seek=100 conv=notrunc status=none
    for program in 'verify set' 'shard -o set --size 500 t.gs'; do
        run -4 --separate-stderr $program
        one_line "${program%% *}: $file: does not match its hash"
    done
    shard -q -o set --size 500 --replace t.gs
    diff -r set whole
}

@test "a second shard into the same set is told who is at it" {
    mkfifo pipe
    shard -q -o set <pipe &
    first=$!
    exec 7>pipe
    until grep -qs " $first " /proc/locks; do kill -0 $first; done
    docs 1 2 >a.gs
    run -6 --separate-stderr shard -o set a.gs
    one_line "shard: set: locked by process $first"
    cat a.gs >&7
    exec 7>&-
    wait $first
    [ "$(tojsonl set | wc -l)" -eq 2 ]
}

# Whoever makes the directory, the other may lock it, and be done.
@test "of two shards that begin at once one at least makes the set" {
    docs 1 20 >a.gs
    for i in $(seq 40); do
        shard -q -o set$i a.gs 2>first.err &
        code=0
        shard -q -o set$i a.gs 2>second.err || code=$?
        other=0
        wait $! || other=$?
        echo "$i: $code $(<second.err), $other $(<first.err)"
        [ "$code" -eq 0 ] || [ "$code" -eq 6 ]
        [ "$other" -eq 0 ] || [ "$other" -eq 6 ]
        [ "$((code * other))" -eq 0 ]
        verify -q set$i
    done
}

# 170 commits of one file, and 415 of two each that nothing else touches.
@test "a group larger than a part is held out only where others don't do" {
    line='{"ids":[1],"ordinal":%d,"time":%d,"group":"%016x"}\n'
    for i in $(seq 170); do printf "$line" $i $i 1; done >large.jsonl
    for i in $(seq 171 585); do
        printf "$line$line" $i $i $((2 * i)) $i $i $((2 * i + 1))
    done | cat large.jsonl - | fromjsonl -q >in.tokens
    shares() {
        jq -c '[.splits[] | [.name, .records]] | sort' set/manifest.json
    }
    for seed in 0 1 2; do
        shard -q --replace -o set --split-by group --seed $seed in.tokens
        [ "$(shares)" = '[["test",50],["train",900],["val",50]]' ]
    done
    for i in $(seq 150); do printf "$line" $i $i $((i % 3)); done |
        fromjsonl -q | shard -q --replace -o set --split-by group \
        --val 0.1 --test 0.2
    [ "$(shares)" = '[["test",50],["train",100]]' ]
}

@test "a signal leaves no set, and the shell sees it" {
    for sig in INT TERM HUP; do
        mkfifo pipe.$sig
        # bash ignores SIGINT in what it starts behind: env restores it
        env --default-signal=INT shard -q -o set --size 100 <pipe.$sig &
        first=$!
        exec 7>pipe.$sig
        docs 1 3000 | head -c 5000 >&7
        until [ -e set/.lock ]; do sleep 0.02; done
        sleep 0.5
        kill -$sig $first
        code=0
        wait $first || code=$?
        exec 7>&-
        [ "$code" -eq $((128 + $(kill -l $sig))) ]
        [ ! -e set ]
    done
}

@test "what a killed shard left is cleared by the next" {
    for i in $(seq 900); do
        printf '{"text":"%s"}\n' "$(head -c 900 /dev/urandom | base64 -w0)"
    done | fromjsonl >a.gs
    mkfifo pipe
    shard -q -o set --size 200 <pipe &
    first=$!
    exec 7>pipe
    head -c 700000 a.gs >&7
    until ls set/*.graft >ls.out 2>&1; do sleep 0.02; done
    kill -9 $first
    wait $first || true
    exec 7>&-
    [ ! -e set/manifest.json ]
    shard -q -o set --size 200 a.gs
    shard -q -o whole --size 200 a.gs
    diff -r set whole
}

@test "umask is honoured, and locale and clock have no effect" {
    docs 1 50 >a.gs
    (umask 077 && LC_ALL=tr_TR.UTF-8 LANG=de_DE shard -q -o private a.gs)
    (umask 002 && shard -q -o shared a.gs)
    diff -r private shared
    [ "$(stat -c %a private)" = 700 ]
    [ "$(stat -c %a private/manifest.json)" = 600 ]
    [ "$(stat -c %a shared/manifest.json)" = 664 ]
}

# leaks DIR: [split, edit, content, commit] of each line of its leaks.
leaks() {
    jq -c '.leaks[] | [.split, .edit, .content, .commit]' "$1/manifest.json"
}

# leaky: a repository of ten commits, then one that copies a file and adds
# another, and one that makes the edit of the tenth in that.
leaky() {
    repo_init repo
    for i in 1 2 3 4 5 6 7 8 9; do
        seq $((10 * i)) $((10 * i + 9)) >repo/$i
        repo_commit repo "file $i"
    done
    echo a line more >>repo/1
    repo_commit repo more
    cp repo/2 repo/copy
    seq 500 520 >repo/new
    repo_commit repo copy
    echo a line more >>repo/new
    repo_commit repo again
}

@test "shard counts what is held out and in train, and verify again" {
    leaky
    gitscrape -q repo >text.gs
    run -0 shard -o texts --val 0 --test 0.23 text.gs
    [ "$(leaks texts)" = '["test",2,1,0]' ]
    [ "${lines[1]}" = "shard: texts: test: of 3 records 2 (66.7%) repeat an $(
        )edit of train, 1 (33.3%) leave a file as one there does, 0 (0.0%) $(
        )are of a commit there" ]
    vocabtrain -q --size 300 -o t.json text.gs
    # in pieces, each of which counts
    for limit in 0 60; do
        tokenize -q -t t.json --max-tokens $limit text.gs >tokens.gs
        shard -q -o set$limit --val 0 --test 0.23 tokens.gs
        run -0 verify set$limit
        [[ $output == *', test edits in train '*', test files in train '* ]]
        # the lines of JSON have it, too
        tojsonl --exact tokens.gs | fromjsonl >back.gs
        cmp <(verify -v back.gs 2>&1 | grep content) \
            <(verify -v tokens.gs 2>&1 | grep content)
        python3 "$BATS_TEST_DIRNAME/../reader.py" set$limit
    done
    [ "$(leaks set0)" = '["test",2,1,0]' ]
    # two histories of which one is longer
    (gitscrape -q --rev HEAD~2 repo; cat text.gs) |
        shard -q -o twice --val 0 --test 0.1
    [ "$(leaks twice | jq '.[3]')" -eq 1 ]
    dedup -q text.gs | shard -q -o less --val 0 --test 0.1
    [ "$(leaks less | jq '.[1]')" -eq 0 ]
    # nothing is known of ids alone
    tokens 0 50 | shard -q -o ids
    [ "$(jq .leaks ids/manifest.json)" = null ]
    # a set read again, and one whose manifest does not tell the truth
    shard -q -o again --val 0 --test 0.23 set60
    diff <(jq .leaks set60/manifest.json) <(jq .leaks again/manifest.json)
    python3 - <<'END2'
import hashlib
text = open("set0/manifest.json").read().replace('"edit": 2', '"edit": 1')
at = text.rindex('  "check"')
check = hashlib.blake2b(text[:at].encode(), digest_size=32).hexdigest()
open("set0/manifest.json", "w").write(
    text[:at] + '  "check": "%s"\n}\n' % check)
END2
    run -4 --separate-stderr verify set0
    one_line 'verify: set0: leaks of split test: edit, content, commit (found 2'
}
