# gitscrape: objects, commits and trees that are not what they should be.

load helper
load scrape

@test "rows 5 and 6: loose objects whose size or end is wrong" {
    local c
    for c in short-header long-header cut; do
        rm -rf r
        bad $c
        scrape r
        [ "$status" -eq 4 ]
        refused 4 'loose object 1'
        scrape -k r
        [ "$status" -eq 3 ]
        came 8 6
        left_out unreadable 2
    done
}

@test "row 13: a missing, mistyped or forged object is named" {
    local c
    for c in 'wrong-hash 14' 'missing 15' 'wrong-type 4b'; do
        rm -rf r
        bad "${c% *}"
        scrape r
        refused 4 "object ${c#* }"
        scrape -k r
        [ "$status" -eq 3 ]
        came 8 6
        left_out unreadable 2
    done
    rm -rf r
    bad missing-tree
    scrape r
    refused 4 'object 16'
    rm -rf r
    bad missing-parent
    scrape r
    refused 4 'object 17'
    scrape -k r
    [ "$status" -eq 3 ]
    [[ $stderr == *"object 1717171717"* ]]
    ended
}

@test "-k loses only what needs the object that can't be read" {
    local gone f

    # lose REVISION: without the object that it names
    lose() {
        gone=$(git -C r rev-parse "$1")
        rm -f "r/.git/objects/${gone::2}/${gone:2}"
        scrape -k r
        [ "$status" -eq 3 ]
        [[ $stderr == *"object $gone: missing; "*'left out'* ]]
        tojsonl <out.graft >got.jsonl
    }
    # made: main with three commits and a merge that decided something
    made() {
        rm -rf r
        git init -q -b main r
        mkdir r/sub
        for f in a b sub/c sub/d; do
            seq 9 | sed "s,^,$f ," >"r/$f"
        done
        git -C r add .
        git -C r commit -qm one
        git -C r checkout -qb side
        sed -i '3s/$/ on the side/' r/a r/sub/c
        git -C r commit -qam two
        git -C r checkout -q main
        sed -i '3s/$/ on main/' r/a r/b r/sub/c
        git -C r commit -qam three
        run git -C r merge -q side
        seq 8 >r/a
        seq 7 >r/sub/c
        git -C r commit -qam merge
        gitscrape -q r | tojsonl >all.jsonl
        [ "$(wc -l <all.jsonl)" -eq 11 ]
    }

    export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a GIT_COMMITTER_NAME=A
    export GIT_COMMITTER_EMAIL=a
    made
    lose main~1:b # which is but one commit's
    left_out unreadable 1
    jq -c "select(.after_id != \"$gone\")" all.jsonl | diff - got.jsonl
    made
    lose main~1:a # is what the merge was made of, too
    left_out unreadable 2
    jq -c 'select(.path != "a" or .subject == "one" or .subject == "two")' \
        all.jsonl | diff - got.jsonl
    made
    lose main~1:sub
    left_out unreadable 2
    jq -c 'select((.path | startswith("sub/") | not) or .subject == "one" or
        .subject == "two")' all.jsonl | diff - got.jsonl
    made
    lose main^2:sub/c
    left_out unreadable 2
    jq -c 'select(.path != "sub/c" or .subject == "one" or
        .subject == "three")' all.jsonl | diff - got.jsonl
    # nothing of a commit can be had without its first tree
    made
    lose 'main~1^{tree}'
    left_out bad-commit 2
    jq -c 'select(.subject == "one" or .subject == "two")' all.jsonl |
        diff - got.jsonl
}

@test "a malformed parent line does not make a root of its commit" {
    local c
    for c in blanks cr long tab late; do
        rm -rf r
        bad parent-$c
        scrape r
        refused 4 "bad commit: "
        scrape -k r
        [ "$status" -eq 3 ]
        came 0 0
        left_out history-cut 1
    done
}

@test "what came before an unreadable commit is said to be lost, too" {
    repo_small r 4
    first=$(git -C r rev-parse main~3)
    python3 "$root/tests/badrepo.py" unreadable-commit r
    scrape -k r
    [ "$status" -eq 3 ]
    # the one above has nothing to be compared with; four are not reached
    came 1 1
    left_out bad-commit 2
    left_out history-cut 1
    [[ $stderr == *'object 1b1b'*'; left out, and so is what came before it'* ]]
    [[ $stderr == *'and 2 commits left out, and what came before 1 of them'* ]]
    # reachable otherwise, it is not lost
    echo "$first" >r/.git/refs/heads/side
    scrape --all -k r
    [ "$status" -eq 3 ]
    came 2 2
}

@test "a tree entry without a mode is counted" {
    bad no-mode
    scrape r
    [ "$status" -eq 0 ]
    left_out bad-mode 2
}

@test "-k leaves out a reference that is none" {
    local c
    for c in "" nonsense 'ref: refs/heads/bad' 'ref: HEAD' \
        "$(printf 'x%.0s' {1..5000})"; do
        rm -rf r
        repo_small r 3
        echo "$c" >r/.git/refs/heads/bad
        scrape r
        came 3 3
        scrape --all r
        [[ $status == [45] ]]
        refused "$status" 'refs/heads/bad'
        scrape --all -k r
        [ "$status" -eq 3 ]
        came 3 3
        left_out bad-commit 1
        echo "$c" >r/.git/refs/heads/worse
        scrape --all -k r
        left_out bad-commit 2
        echo 'ref: refs/heads/worse' >r/.git/HEAD
        scrape -k r
        [[ $status == [45] ]]
        scrape --all -k r
        came 3 3
        left_out bad-commit 3
    done
}

@test "where nothing at all can be read -k writes nothing and fails" {
    bad missing-tree
    rm -r r/.git/objects/??
    scrape -k r
    [ "$status" -eq 4 ]
    [ ! -s out.graft ]
    [[ ${stderr_lines[1]} == 'gitscrape: no repository could be read' ]]
    scrape -k r /proc nowhere
    [ "$status" -eq 1 ]
    [ ! -s out.graft ]
    repo_small good 3
    scrape -k r good
    [ "$status" -eq 3 ]
    came 3 3
    # one reference that leads nowhere is not all of them
    git -C good update-ref refs/heads/a main
    printf '%040d\n' 7 >good/.git/refs/heads/b
    scrape --all good
    refused 4 'refs/heads/b: object 00'
    scrape --all -k good
    [ "$status" -eq 3 ]
    came 3 3
    left_out bad-commit 1
    printf '%040d\n' 8 >good/.git/refs/heads/main
    scrape -k good
    [ "$status" -eq 4 ]
    [ ! -s out.graft ]
    scrape --all -k good
    [ "$status" -eq 3 ]
    came 3 3
    left_out bad-commit 2
    rm good/.git/refs/heads/a
    scrape --all -k good
    [ "$status" -eq 4 ]
    [ ! -s out.graft ]
    [[ $stderr == *': none of the references can be followed'* ]]
}

@test "a forged object in a pack is named" {
    repo_small r 3
    git -C r repack -adq
    p=$(ls r/.git/objects/pack/*.idx)
    id=$(git -C r rev-parse main:src/part1.c)
    chmod u+w "$p"
    # another id in the index for the same bytes, in its place by order
    python3 - "$p" "$id" <<'END'
import sys

path, name = sys.argv[1], bytes.fromhex(sys.argv[2])
data = open(path, "rb").read()
at = data.index(name)
forged = name[:-1] + bytes([name[-1] ^ 1])
open(path, "wb").write(data[:at] + forged + data[at + 20:])
END
    scrape r
    refused 4 "object $id: missing"
    # a tree that asks for the forged one
    python3 - r "$id" <<'END'
import hashlib
import os
import sys
import zlib

repo, name = sys.argv[1], bytes.fromhex(sys.argv[2])
forged = name[:-1] + bytes([name[-1] ^ 1])


def store(kind, body):
    data = kind + b" %d\0" % len(body) + body
    oid = hashlib.sha1(data).hexdigest()
    path = "%s/.git/objects/%s/%s" % (repo, oid[:2], oid[2:])
    os.makedirs(os.path.dirname(path), exist_ok=True)
    open(path, "wb").write(zlib.compress(data))
    return oid.encode()


tree = store(b"tree", b"100644 f\0" + forged)
who = b" A <a@b> 1700000000 +0000\n"
top = store(b"commit", b"tree " + tree + b"\nauthor" + who + b"committer" +
            who + b"\nforged\n")
open(repo + "/.git/refs/heads/main", "wb").write(top + b"\n")
END
    scrape r
    refused 4 'content does not match its id'
}
