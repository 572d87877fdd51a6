# gitscrape: histories and what comes of them.

load helper
load scrape

@test "gitscrape prints help and version" {
    run -0 --separate-stderr gitscrape --help
    [[ $output == *--first-parent* ]]
    [ -z "$stderr" ]
    run -0 gitscrape --version
    [[ $output == gitscrape* ]]
}

@test "gitscrape refuses wrong use with one line" {
    run -2 --separate-stderr gitscrape
    one_line 'gitscrape: '
    run -2 --separate-stderr gitscrape --context many r
    one_line 'gitscrape: --context'
    run -2 --separate-stderr gitscrape --since yesterday r
    one_line 'gitscrape: --since'
    run -2 --separate-stderr gitscrape --until 2023-02-29 r
    one_line 'gitscrape: --until'
    run -2 --separate-stderr gitscrape --since 20240131 r
    one_line 'gitscrape: --since: bad date "20240131" (expected 2024, 2024-01,'
    run -2 --separate-stderr gitscrape --rev HEAD --all r
    one_line 'gitscrape: --rev'
}

@test "the same repository gives the same bytes" {
    repo_small r
    scrape r
    [ "$status" -eq 0 ]
    came 15 12
    mv out.graft first.graft
    gitscrape -q --no-prov r >plain.graft
    git -C r gc -q
    cp -r r elsewhere
    gitscrape -q --no-prov --name r elsewhere/.git | cmp - plain.graft
    scrape r
    cmp out.graft first.graft
}

@test "several repositories are several segments" {
    repo_small a 3
    repo_small b 4
    gitscrape -q a >a.graft
    gitscrape -q b >b.graft
    gitscrape -q a b >ab.graft
    cmp <(cat a.graft b.graft) ab.graft
}

@test "what was recorded stays when commits come on top" {
    repo_small r 12
    scrape --rev main~4 r
    came 10 8
    scrape --rev main~4..main r
    came 5 4
    scrape --rev '^main~4 main' r
    came 5 4
    scrape --rev main...main~4 r
    came 5 4
    scrape --rev 'main~4^!' r
    refused 4 'unsupported form'
    scrape --rev no-such-branch r
    refused 4 'no-such-branch: no such revision'
    scrape --rev "$(git -C r rev-parse --short=7 main~4)" r
    came 10 8
}

@test "a generated history gives what git counts" {
    "$root/tests/history.sh" r 2>/dev/null
    scrape r
    came 49 25
    left_out binary 3
    left_out lfs-pointer 1
    left_out symlink 4
    left_out submodule 2
    left_out mode-only 1
    scrape --all r
    came 50 26
    scrape --first-parent r
    [[ $stderr == *"of $(git -C r rev-list --first-parent --count main) "* ]]
    scrape --path '*.c' r
    came 17 25
    scrape --kind file r
    n=$(git -C r ls-tree -r main | grep -c '^100')
    [[ $stderr == *": $((n - 1)) records of 1 commits"* ]]
    left_out lfs-pointer 1
}

@test "since and until take commits by their time, both ends included" {
    repo_small r 12
    # one a day from 2020-09-13T12:26:40Z
    scrape --since 2020-09-15T12:26:40Z r
    [[ $stderr == *" of 10 commits "* ]]
    scrape --since 2020-09-15T12:26:41Z r
    [[ $stderr == *" of 9 commits "* ]]
    scrape --until 1600172800 r
    [[ $stderr == *" of 3 commits "* ]]
    scrape --since '2020-09-15 14:26+02:00' --until @1600172800 r
    [[ $stderr == *" of 1 commits "* ]]
    # a day, a month and a year are all of their seconds
    scrape --since 2020-09-15 --until 2020-09-15 r
    came 1 1
    scrape --since 2020-09 --until 2020-09 r
    came 15 12
    scrape --since 2021 r
    came 0 0
    scrape --until 2020 r
    came 15 12
    scrape --until 2019 r
    came 0 0
}

@test "--authors lists who the authors are, for the owner alone" {
    repo_init r
    for who in 'Ada Lovelace' 'Grace Hopper' 'Ada Lovelace'; do
        echo x >>r/f
        repo_commit r "of $who" "$who"
    done
    scrape --authors who r
    [ "$(stat -c %a who)" = 600 ]
    [ "$(tr '\t' '|' <who)" = "r|author_0|Ada Lovelace|ada.lovelace@example.org
r|author_1|Grace Hopper|grace.hopper@example.org" ]
    [[ $stderr == *" commits by 2 authors; "* ]]
    # those of the records are told, whoever was there before
    scrape --rev HEAD~1..HEAD r
    [[ $stderr == *" of 1 commits by 1 authors; "* ]]
}

@test "--authors refuses what can't be its file before any work" {
    repo_small r 2
    mkdir dir
    run -6 --separate-stderr gitscrape --authors dir r
    one_line 'gitscrape: dir: output exists (found a directory'
    run -1 --separate-stderr gitscrape --authors none/who r
    one_line 'gitscrape: none/who: No such file or directory'
    run -2 --separate-stderr gitscrape --authors - r
    one_line "gitscrape: --authors is a file's name"
    run -2 --separate-stderr bash -c 'gitscrape --authors out r >out'
    one_line "gitscrape: --authors is a file's name: stdout has the output"
    [ ! -s out ]
}

@test "where --authors can't be written the stream has no end" {
    local i
    repo_init r
    for i in $(seq 30); do
        repo_commit r "number $i" "A person of the name $i"
    done
    repo_small more 2
    gitscrape -q --authors who r more >r.gs
    [ "$(wc -c <who)" -gt 1024 ]
    rm who
    run -4 bash -o pipefail -c \
        '(ulimit -f 1; gitscrape --authors who r more) | shard -o set'
    [[ $output == *'gitscrape: who: write: File too large'* ]]
    [[ $output == *'shard: stdin: '* ]]
    [ ! -e set ]
    [ ! -e who ]
    no_leftovers .
}

@test "a full disk is an error" {
    repo_small r 3
    run -1 --separate-stderr bash -c 'gitscrape -q r >/dev/full'
    [[ $stderr == "gitscrape: "*"No space left"* ]]
}

@test "row 15: bytes that are no text are told apart by one rule" {
    repo_init r
    printf 'h\0i\0' >r/utf16
    printf 'bad \377 utf-8\n' >r/latin
    printf 'a\rb\rc' >r/mac
    head -c 1000000 /dev/zero | tr '\0' 'l' >r/one-line
    repo_commit r one
    scrape r
    came 3 1
    left_out binary 1
}

@test "earlier heads give prefixes of what a later one gives" {
    "$root/tests/history.sh" r 2>/dev/null
    gitscrape -q r | tojsonl >all.jsonl
    last=$(wc -l <all.jsonl)
    [ "$last" -eq 49 ]
    for ((k = 1; k < 14; k++)); do
        gitscrape -q --rev "main~$k" r | tojsonl >part.jsonl
        n=$(wc -l <part.jsonl)
        [ "$n" -gt 0 ]
        [ "$n" -le "$last" ]
        cmp part.jsonl <(head -n "$n" all.jsonl)
        last=$n
    done
    [ "$last" -lt 49 ]
    # so do further references
    gitscrape -q --all r | tojsonl | head -n "$(wc -l <all.jsonl)" |
        cmp - all.jsonl
    # and what is left out changes nothing in the rest
    gitscrape -q --rev main~3..main r | tojsonl >part.jsonl
    [ -s part.jsonl ]
    tail -n "$(wc -l <part.jsonl)" all.jsonl | cmp - part.jsonl
    gitscrape -q --path '*.c' --since 2017-07-14T12:00:00 r | tojsonl |
        sort >part.jsonl
    [ -s part.jsonl ]
    [ -z "$(comm -23 part.jsonl <(sort all.jsonl))" ]
}

@test "ranges are those of git rev-list" {
    local range
    "$root/tests/history.sh" r 2>/dev/null
    for range in main topic 'main~2' 'main~^2' main~4..main topic..main \
        main...topic '^left main' 'right third ^main~5' v1 v1..main \
        left..third 'main~2^2..main' 'main~1^2^{}' ..topic 'clash1...clash2'; do
        scrape --rev "$range" r
        [ "$status" -eq 0 ]
        # shellcheck disable=SC2086
        n=$(git -C r rev-list --count $range --)
        [[ $stderr == *" of $n commits "* ]] || {
            echo "$range: git has $n: $stderr"
            false
        }
    done
    git -C r rev-list --first-parent --reverse main >want
    gitscrape -q --first-parent r | tojsonl | jq -r .commit | uniq >got
    # one commit is empty, and one changes what is no text
    diff got want | grep '^>' >missing
    [ "$(wc -l <missing)" -eq 2 ]
    [ -z "$(diff got want | grep '^<')" ]
}

@test "the order is: first parent's history, what a merge brings, the merge" {
    "$root/tests/history.sh" r 2>/dev/null
    gitscrape -q r | tojsonl | jq -r '"\(.ordinal) \(.subject)"' 2>/dev/null |
        uniq | tail -n 12 >got
    cat >want <<'END'
13 left
15 clash one
17 clash two
18 evil merge
19 right
20 third
22 second root
24 after the tag
END
    tail -n 8 got | diff - want
}

@test "subject, body, parent and time are git's" {
    "$root/tests/history.sh" r 2>/dev/null
    # messages of every shape, and in encodings of their own
    python3 - <<'END'
import subprocess

messages = [
    (None, b"\n\n  odd \n lines\t\n\n\n\nbody  \n\nmore\n\n"),
    (None, b"no newline"), (None, b""), (None, b"\n"), (None, b"\n \t\r\n"),
    (None, b"one\r\ntwo\r\n\r\n\r\n  three\r\n"), (None, b"s\n\n b"),
    (None, b"s\n\x0b\nt\n\x0c\n\n\x0b\n"), (None, b"s\n\nbody\0and after"),
    (None, b"a\0b\n\nc\n"), (None, b"caf\xe9\n\nb\xff\n"),
    (b"ISO-8859-1", b"caf\xe9\n\nna\xefve\n"), (b"latin-1", b"caf\xe9\n"),
    (b"windows-1251", b"\xcf\xf0\xe8\n\n\xe2\xe5\xf2\n"),
    (b"ISO-8859-15", b"\xa4\n"), (b"UTF-8", b"caf\xe9\n\n\xc3\xa9\n"),
    (b"EUC-JP", b"\xc6\xfc\xcb\xdc\n\n\xb8\xec\n"),
    (b"Shift_JIS", b"\x93\xfa\n\n\x81\n"), (b"nonsense", b"\xe9\n"),
    (b"ISO-2022-JP", b"\x1b$BF|K\\\x1b(B\n\nb\n"), (b"gbk", b"\xc4\xe3\n"),
]


def git(*args, data=None):
    return subprocess.run(["git", "-C", "r", *args], input=data, check=True,
                          stdout=subprocess.PIPE).stdout.strip().decode()


for i, (encoding, message) in enumerate(messages):
    with open("r/new", "w") as f:
        f.write("%d\n" % i)
    git("add", "new")
    who = "A <a@b> %d +0000\n" % (1700000000 + i)
    head = "tree %s\nparent %s\nauthor %scommitter %s" % (
        git("write-tree"), git("rev-parse", "HEAD"), who, who)
    text = head.encode()
    if encoding:
        text += b"encoding " + encoding + b"\n"
    git("update-ref", "HEAD", git("hash-object", "-t", "commit", "-w",
        "--literally", "--stdin", data=text + b"\n" + message))
END
    gitscrape -q r | tojsonl >got.jsonl
    git -C r log --reverse --format='%x01%H %P%x01%ct%x01%s%x01%b%x02' >want
    python3 - <<'END'
import base64
import json


def raw(value):
    if isinstance(value, dict):
        return base64.b64decode(value["b64"])
    return str(value).encode()


want = {}
with open("want", "rb") as f:
    for part in f.read().split(b"\x02\n")[:-1]:
        ids, time, subject, body = part.split(b"\x01")[1:]
        ids = ids.split()
        want[ids[0]] = (ids[1] if len(ids) > 1 else b"", time, subject, body)
seen = {}
with open("got.jsonl", "rb") as f:
    for line in f:
        r = json.loads(line)
        seen[raw(r["commit"])] = tuple(
            raw(r.get(k, "")) for k in ("parent", "time", "subject", "body"))
assert len(seen) > 35, len(seen)
for commit, fields in seen.items():
    assert fields == want[commit], (commit, fields, want[commit])
END
}

@test "row 16: a repository that is repacked while it is read" {
    git init -q -b main r
    python3 - <<'END' | git -C r fast-import --quiet
import random
import sys

draw = random.Random(1)
for i in range(300):
    text = "".join("%064x\n" % draw.getrandbits(256) for _ in range(600))
    print("commit refs/heads/main\ncommitter A <a@b> %d +0000\ndata 0" %
          (1700000000 + i))
    print("M 100644 inline f%d\ndata %d\n%s" % (i % 7, len(text), text))
END
    gitscrape -q r >whole.graft
    # the reader waits on a full pipe while the packs are replaced
    gitscrape -q r | {
        head -c 100000
        git -C r gc -q --prune=now
        git -C r repack -adfq --depth=3
        cat
    } >out.graft
    cmp whole.graft out.graft
}

@test "it does not matter how objects are stored" {
    local p
    "$root/tests/history.sh" r 2>/dev/null
    gitscrape -q --all r >loose.graft
    same() {
        gitscrape -q --all r | cmp - loose.graft
    }
    git -C r repack -adq --depth=50 --window=50
    git -C r pack-refs --all
    git -C r prune --expire=now
    [ -z "$(find r/.git/objects -path '*/??/*' -type f)" ]
    same
    # deltas by id, an index of version 1
    git -C r -c repack.useDeltaBaseOffset=false -c pack.indexVersion=1 \
        repack -adfq
    p=$(ls r/.git/objects/pack/*.pack)
    [ "$(head -c 4 "${p%.pack}.idx" | tr -dc tOc)" != tOc ]
    same
    rm -f "${p%.pack}.idx" "${p%.pack}.rev"
    # offsets of 64 bits
    git index-pack --index-version=2,0x40 "$p" >/dev/null
    same
    # a dozen packs, and an index over them
    mv "$p" whole
    rm -f r/.git/objects/pack/*
    git -C r unpack-objects -q <whole
    same
    git -C r rev-list --all --objects | cut -c 1-40 | sort >ids
    split -n l/12 ids
    for p in xa?; do
        git -C r pack-objects -q .git/objects/pack/pack <"$p" >/dev/null
    done
    git -C r prune-packed -q
    git -C r multi-pack-index write --no-progress
    [ "$(ls r/.git/objects/pack/*.pack | wc -l)" -eq 12 ]
    same
}

@test "the edits of long texts and what they are in are those of git" {
    git init -q -b main r
    python3 - <<'END' | git -C r fast-import --quiet
import random

draw = random.Random(1)
line = ["", " ", "\t", "   \t ", "}", "    }", "x", "\tx = 1", " " * 210,
        "_y \r", "$z" + " " * 90, "f" + "\u00e9" * 60]
old = [draw.choice(line) + draw.choice(["", "", "%d" % draw.randrange(99)])
       for _ in range(30000)]
new = []
for text in old:
    roll = draw.random()
    if roll > 0.02:
        new.append(text)
    if roll < 0.04:
        new.extend(draw.choices(line, k=draw.randrange(4)))
for i, lines in enumerate((["a"] + old + ["b"], ["c"] + new + ["d"])):
    text = "\n".join(lines) + "\n"
    print("commit refs/heads/main\ncommitter A <a@b> %d +0000\ndata 0" %
          (1700000000 + i))
    print("M 100644 inline f\ndata %d\n%s" % (len(text.encode()), text))
END
    gitscrape -q --rev main~..main --context 0 r | tojsonl |
        jq -r .change | grep '^@@' >got
    git -C r diff -U0 --indent-heuristic main~ main | grep '^@@' |
        sed -E ':a s/^(@@ .*[-+][0-9]+) (.*@@)/\1,1 \2/;ta' >want
    [ "$(wc -l <want)" -gt 500 ]
    diff got want
}
