# gitscrape: what is too much, too deep, too large or too long.

load helper
load scrape

@test "row 7: deltas that need each other are given up in time" {
    bad cycle
    scrape --max-stall 1 r
    refused 4 'object 2'
    scrape -k --max-stall 1 r
    [ "$status" -eq 3 ]
    came 8 6
    left_out unreadable 2
}

@test "row 8: what is too large is not read" {
    repo_small r 3
    head -c 9000000 /dev/zero | tr '\0' 'x' >r/large
    repo_commit r large
    scrape r
    [ "$status" -eq 0 ]
    came 3 4
    left_out too-large 1
    scrape --max-blob 16M r
    came 4 4
    rm -rf r
    bad delta-bomb
    scrape r
    [ "$status" -eq 0 ]
    came 8 6
    left_out too-large 2
}

@test "rows 9 and 14: bombs, depth, and too many of anything" {
    bad bomb
    scrape r
    refused 5 'too many tree entries'
    rm -rf r
    bad deep
    scrape r
    refused 5 'directories too deep'
    scrape -k r
    [ "$status" -eq 3 ]
    came 6 4
    left_out unreadable 1
    rm -rf r
    bad many-parents
    scrape r
    refused 5 'too many parents'
    rm -rf r
    bad many-refs
    scrape r
    came 3 3
    scrape --all r
    refused 5 'too many references'
    rm -rf r
    bad long-message
    scrape r
    refused 5 'too long'
    # nothing is known of what came before it
    scrape -k r
    [ "$status" -eq 3 ]
    came 0 0
}

@test "the directories of long paths take memory once" {
    need_plain "no limit of address space"
    bad long-dirs
    scrape --max-memory 192M --path none r
    came 0 4
}

@test "long paths have a limit" {
    bad long-names
    scrape --path none r
    refused 5 'the changed paths of one commit are too long'
    scrape -k r
    [ "$status" -eq 3 ]
    came 3 3
    left_out bad-commit 1
}

@test "lines in another order do not take for ever to compare" {
    git init -q -b main r
    python3 - <<'END' | git -C r fast-import --quiet
import random

print("blob\nmark :1\ndata 2\nx")
for i in range(2):
    draw = random.Random(i)
    text = "\n".join(draw.choices("0123456789", k=4000000)) + "\n"
    print("commit refs/heads/main\ncommitter A <a@b> %d +0000\ndata 0" %
          (1700000000 + i))
    print("M 100644 inline hard\ndata %d\n%s" % (len(text), text))
    text = "".join("%016x\n" % draw.getrandbits(64) for _ in range(400000))
    print("M 100644 inline other\ndata %d\n%s" % (len(text), text))
    text = "%d\n%s%d\n" % (i, "0\n1\n" * 400000, i)
    print("M 100644 inline near\ndata %d\n%s" % (len(text), text))
print("commit refs/heads/main\ncommitter A <a@b> 1700000003 +0000\ndata 0")
print("D hard\nM 100644 :1 x")
END
    scrape --max-time 20 r
    came 7 3
    left_out too-different 1
}

@test "lines that are made to hash alike take no longer than others" {
    git init -q -b main r
    python3 - <<'END' | git -C r fast-import --quiet
import itertools
import random

# xdiff's hash: from state to state by pairs of letters with one result
letters = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
state, pairs = 5381, []
while len(pairs) < 17:
    seen = {}
    for a, b in itertools.product(letters, repeat=2):
        hashed = ((state * 33 ^ a) * 33 ^ b) % 2**64
        if hashed in seen:
            break
        seen[hashed] = bytes((a, b))
    pairs.append((seen[hashed], bytes((a, b))))
    state = hashed
lines = [b"".join(p[k >> i & 1] for i, p in enumerate(pairs)).decode() + "\n"
         for k in range(80000)]
for i in range(2):
    random.Random(i).shuffle(lines)
    text = "".join(lines)
    print("commit refs/heads/main\ncommitter A <a@b> %d +0000\ndata 0" %
          (1700000000 + i))
    print("M 100644 inline f\ndata %d\n%s" % (len(text), text))
END
    scrape --max-time 20 r
    came 2 2
}

@test "a reader that takes too long is stopped" {
    git init -q -b main r
    python3 - <<'END' | git -C r fast-import --quiet
print("blob\nmark :1\ndata 1\nx\nblob\nmark :2\ndata 1\ny")
for i in range(100000):
    print("commit refs/heads/main\ncommitter A <a@b> %d +0000\ndata 0" %
          (1700000000 + i))
    print("M 100644 :%d f%d" % (i // 60 % 2 + 1, i % 60))
END
    scrape --max-time 1 r
    refused 5 'r: reading took over 1 seconds'
}

@test "--max-time bounds all the readers of a repository together" {
    repo_small r 3
    python3 "$root/tests/badrepo.py" slow r
    scrape -k --max-time 2 --max-stall 1 r
    [ "$status" -eq 3 ]
    [[ $stderr == *'r: reading took over 2 seconds'* ]]
    left_out rest-of-history 1
}

@test "a reader that takes too much memory is stopped" {
    need_plain "no limit of address space"
    repo_small r 3
    python3 -c 'print("line\n" * 1000000)' >r/long
    repo_commit r one
    sed -n '1~2p' r/long | sed 's/line/edited/' >r/long2
    mv r/long2 r/long
    repo_commit r two
    scrape --max-memory 64M r
    [ "$status" -eq 5 ]
    [ "${#stderr_lines[@]}" -eq 1 ]
    scrape r
    came 5 5
    rm -rf r
    bad long-names
    scrape --max-memory 128M r
    refused 5 'r: the reader ran out of memory (limit 134217728 bytes)'
}
