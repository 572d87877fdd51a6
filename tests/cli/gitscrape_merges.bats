# gitscrape: what merges give.

load helper
load scrape

setup() {
    cd "$BATS_TEST_TMPDIR"
    export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a GIT_COMMITTER_NAME=A
    export GIT_COMMITTER_EMAIL=a GIT_CONFIG_GLOBAL=/dev/null
}

# one LINE...: a commit of the file f with these lines.
one() {
    printf '%s\n' "$@" >r/f
    git -C r add -A
    git -C r commit -q --allow-empty -m "$*"
}

# same_as_git: what merges of r decided, edited line by edited line.
same_as_git() {
    python3 "$root/tests/remerged.py" git r >want
    gitscrape -q --context 0 r | tojsonl |
        python3 "$root/tests/remerged.py" ours r >got
    diff want got
}

# A merge of the branch side into main, with what f has now.
merge_as_is() {
    git -C r add -A
    git -C r commit -q -m merge
}

# change FIELD: of the last record.
change() {
    gitscrape -q "${@:2}" r | tojsonl | tail -n 1 | jq -r ".$1"
}

# two: main and side both changed line 3 of f, and side line 9; side is being
# merged.
two() {
    git init -q -b main r
    one 1 2 3 4 5 6 7 8 9
    git -C r checkout -q -b side
    one 1 2 three 4 5 6 7 8 nine
    git -C r checkout -q main
    one 1 2 drei 4 5 6 7 8 9
    run git -C r merge -q side
    [ "$status" -eq 1 ]
    grep -q '^<<<<<<<' r/f
}

@test "a conflict that was resolved: markers before, the resolution after" {
    two
    printf '%s\n' 1 2 'drei or three' 4 5 6 7 8 nine >r/f
    merge_as_is
    [ "$(change change --context 0)" = "13 9
@@ -3,5 +3,1 @@
-<<<<<<< ours
-drei
-=======
-three
->>>>>>> theirs
+drei or three" ]
    [ "$(change status)" = M ]
    # the ids are those of the texts: of what no tree has, too
    [ "$(change before_id)" = "$(printf '%s\n' 1 2 '<<<<<<< ours' drei \
        ======= three '>>>>>>> theirs' 4 5 6 7 8 nine |
        git hash-object --stdin)" ]
    [ "$(change after_id)" = "$(git -C r rev-parse main:f)" ]
    same_as_git
}

@test "a merge that decided nothing gives nothing" {
    git init -q -b main r
    one 1 2 3 4 5 6 7 8 9
    git -C r checkout -q -b side
    one 1 2 3 4 5 6 7 8 nine
    git -C r checkout -q main
    one eins 2 3 4 5 6 7 8 9
    git -C r merge -q -m clean side
    scrape r
    came 3 4
    # its file is like no parent's, so against the first it is one
    scrape --merges first-parent r
    came 4 4
    [ "$(change change --merges first-parent --context 0)" = "9 9
@@ -9,1 +9,1 @@ eins
-9
+nine" ]
    scrape --merges skip r
    came 3 3
    # one that was resolved to a parent's file is like that parent's
    rm -rf r
    two
    git -C r checkout -q --theirs f
    merge_as_is
    scrape r
    came 3 4
}

@test "a merge gives what was done in it beside the merging" {
    two
    printf '%s\n' 1 2 3 4 evil 6 7 8 nine >r/f
    echo new >r/g
    merge_as_is
    [ "$(change path)" = g ]
    [ "$(change status)" = A ]
    scrape r
    came 5 4
    same_as_git
}

@test "files that were removed on one side, added on both, or are no files" {
    git init -q -b main r
    echo b >r/b
    seq 20 >r/gone
    seq 20 >r/both
    one 1 2 3
    git -C r checkout -q -b side
    git -C r rm -q gone
    printf 'side %s\n' 1 2 3 >r/added
    ln -s f r/link
    seq 21 >r/both
    one 1 2 3
    git -C r checkout -q main
    seq 2 20 >r/gone
    printf 'main %s\n' 1 2 3 >r/added
    ln -s b r/link
    seq 0 20 >r/both
    one 1 2 3
    run git -C r merge -q side
    [ "$status" -eq 1 ]
    git -C r rm -q --cached link
    rm r/link
    ln -s both r/link
    printf 'gone, but not lost\n' >r/gone
    printf 'one of both\n' >r/added
    rm r/both
    merge_as_is
    scrape r
    left_out symlink 3
    same_as_git
    gitscrape -q r | tojsonl | tail -n 3 | jq -r '.status + .path' >got
    printf '%s\n' Madded Dboth Mgone | diff - got
}

@test "merges of three, of two roots, and of histories that crossed" {
    local i
    two
    printf '%s\n' 1 2 drei 4 5 6 7 8 nine >r/f # as each, and as none
    merge_as_is
    # two that merged one another before
    git -C r checkout -q -b x main~1
    git -C r checkout -q -b y side
    git -C r merge -q x >/dev/null || :
    one 1 2 drei-y 4 5 6 7 8 nine
    git -C r checkout -q x
    git -C r merge -q side >/dev/null || :
    one 1 2 drei-x 4 5 6 7 8 nine
    git -C r checkout -q main
    git -C r merge -q x >/dev/null || :
    one 1 2 drei-x 4 5 6 7 8 nine neuf
    git -C r merge -q y >/dev/null || :
    one 1 2 vier 4 5 6 7 8 nine neuf
    [ "$(git -C r merge-base --all main~1 main^2 | wc -l)" -eq 2 ]
    # another root
    git -C r checkout -q --orphan other
    git -C r rm -rfq .
    one other
    git -C r checkout -q main
    git -C r merge -q --allow-unrelated-histories other >/dev/null || :
    one both
    same_as_git
    # three at once: the merge of the first two is merged with the third
    for i in 1 2 3; do
        git -C r checkout -q -b "o$i" main
        seq "$i" 40 >"r/o$i"
        one "both $i"
    done
    git -C r read-tree -m o1
    one 'all of them'
    i=$(git -C r commit-tree -p o1~1 -p o2 -p o3 -m octopus 'o3^{tree}')
    git -C r update-ref refs/heads/main "$i"
    git -C r checkout -qf main
    one 'after it'
    scrape r
    [ "$status" -eq 0 ]
    same_as_git
}

@test "random histories are merged as git merges them" {
    git init -q -b main r
    python3 - <<'PY' | git -C r fast-import --quiet
import random

draw = random.Random(5)
word = 0
marks, texts = [], {}


def edited(text):
    global word
    out = []
    for line in text:
        roll = draw.random()
        word += 1
        if roll > 0.04:
            out.append(line)
        if roll < 0.06:
            out.append("word %d" % word)
    return out


def commit(parents, files):
    mark = len(marks) + 1
    marks.append(files)
    print("commit refs/heads/main\nmark :%d\ncommitter A <a@b> %d +0000\n"
          "data 0" % (mark, 1700000000 + mark))
    for i, p in enumerate(parents):
        print("%s :%d" % ("merge" if i else "from", p))
    print("deleteall")
    for name, text in files.items():
        data = "".join(x + "\n" for x in text)
        print("M 100644 inline %s\ndata %d\n%s" % (name, len(data), data))
    return mark


first = {"d%d/f%d" % (i % 2, i): ["line %d of %d" % (k, i)
                                  for k in range(60)] for i in range(6)}
tips = [commit([], first)] * 3
for i in range(150):
    k = draw.randrange(3)
    files = {n: edited(t) if draw.random() < 0.4 else t
             for n, t in marks[tips[k] - 1].items()}
    if draw.random() < 0.3:
        other = draw.choice([t for t in tips if t != tips[k]] or [0])
        if other:
            # half of each, and something of its own now and then
            theirs = marks[other - 1]
            files = {n: (theirs[n] if draw.random() < 0.3 else
                         t[:30] + theirs[n][30:]) if n in theirs else t
                     for n, t in files.items()}
            tips[k] = commit([tips[k], other], files)
            continue
    tips[k] = commit([tips[k]], files)
commit([tips[0], tips[1], tips[2]] if len(set(tips)) == 3 else tips[:1],
       marks[tips[0] - 1])
PY
    git -C r reset -q --hard
    [ "$(git -C r rev-list --merges --count main)" -gt 20 ]
    same_as_git
    [ "$(wc -l <want)" -gt 1000 ]
    # a merge depends on nothing later
    gitscrape -q r | tojsonl >all.jsonl
    for i in 3 9 20; do
        gitscrape -q --rev "main~$i" r | tojsonl >part.jsonl
        cmp part.jsonl <(head -n "$(wc -l <part.jsonl)" all.jsonl)
    done
}

@test "long texts are merged as short ones are" {
    git init -q -b main r
    seq 20000 | sed '5000s/.*//;5001s/.*/  /' >r/long
    one 1
    git -C r checkout -q -b side
    sed -i '10s/.*/ten/;15000s/.*/side/;5000d' r/long
    printf 'no newline' >>r/long
    one 1
    git -C r checkout -q main
    sed -i '10s/.*/zehn/;19000s/.*/main/;5001s/.*/   /' r/long
    one 1
    git -C r merge -q side >/dev/null || :
    sed -i '/^[<=>]/d' r/long
    merge_as_is
    same_as_git
    [ -s want ]
}
