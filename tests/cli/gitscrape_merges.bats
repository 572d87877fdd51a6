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
    made_history <<'PY'
import random

draw = random.Random(5)
word = 0
has = {}  # commit to files


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


def made(parents, files):
    n = commit(parents, files)
    has[n] = files
    return n


first = {"d%d/f%d" % (i % 2, i): ["line %d of %d" % (k, i)
                                  for k in range(60)] for i in range(6)}
tips = [made([], first)] * 3
for i in range(150):
    k = draw.randrange(3)
    files = {n: edited(t) if draw.random() < 0.4 else t
             for n, t in has[tips[k]].items()}
    if draw.random() < 0.3:
        other = draw.choice([t for t in tips if t != tips[k]] or [0])
        if other:
            # half of each, and something of its own now and then
            theirs = has[other]
            files = {n: (theirs[n] if draw.random() < 0.3 else
                         t[:30] + theirs[n][30:]) if n in theirs else t
                     for n, t in files.items()}
            tips[k] = made([tips[k], other], files)
            continue
    tips[k] = made([tips[k]], files)
commit([tips[0], tips[1], tips[2]] if len(set(tips)) == 3 else tips[:1],
       has[tips[0]])
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

# text NAME [SED...]: 20 lines, as sed leaves them.
text() {
    seq 20 | sed "s|\$| of $1|" | sed "${2:-}"
}

# sides: git -C r is on main, and what side() does is on the branch side, both
# from one commit; then side is being merged into main.
sides() {
    one base
    git -C r checkout -q -b side
    theirs
    one theirs
    git -C r checkout -q main
    ours
    one ours
    git -C r merge -q side >/dev/null || :
}

@test "what one side renamed, the other side's edits follow" {
    git init -q -b main r
    for i in a b c d e f; do
        text $i >r/$i
    done
    ours() {
        git -C r mv a a2                 # and edited there
        git -C r mv b b2
        text b '10s/.*/ours/' >r/b2      # by both
        git -C r mv c c2                 # and removed there
        git -C r mv d d2
        text d 1,8d >r/d2                # more than half is left
        git -C r mv e e2
        text e 1,14d >r/e2               # less is left
        text f 3s/.*/ours/ >r/f
    }
    theirs() {
        text a 2s/.*/theirs/ >r/a
        text b '10s/.*/theirs/' >r/b
        rm r/c
        text d 18s/.*/theirs/ >r/d
        text e 18s/.*/theirs/ >r/e
        git -C r mv f f2
        text f 9s/.*/theirs/ >r/f2
    }
    sides
    for i in a2 b2 c2 d2 e2 f2; do
        echo evil >>r/$i
    done
    sed -i '/^[<=>]/d' r/b2
    merge_as_is
    same_as_git
    gitscrape -q --context 0 r | tojsonl |
        jq -r 'select(.path == "a2").change' |
        sed '$d' | tail -n 3 >got
    printf '%s\n' '20 21' '@@ -20,0 +21,1 @@ theirs' +evil | diff - got
}

@test "renames of both sides, and renames that meet" {
    git init -q -b main r
    for i in a b c d e x; do
        text $i >r/$i
    done
    ours() {
        git -C r mv a same
        text a 2s/.*/ours/ >r/same
        git -C r mv b b1
        text b 2s/.*/ours/ >r/b1
        git -C r mv c met
        text c 2s/.*/ours/ >r/met
        git -C r mv x added
        text x 2s/.*/ours/ >r/added
    }
    theirs() {
        git -C r mv a same
        text a 2s/.*/theirs/ >r/same
        git -C r mv b b2
        text b 2s/.*/theirs/ >r/b2
        text c 9s/.*/theirs/ >r/c
        git -C r mv d met
        text d 2s/.*/theirs/ >r/met
        text x 2s/.*/theirs/ >r/x
        text other >r/added
    }
    sides
    for i in same b1 b2 met added; do
        echo evil >>r/$i
    done
    text back >r/c
    text back >r/b
    merge_as_is
    same_as_git
    [ "$(cut -d ' ' -f 2 want | sort -u | tr '\n' ' ')" = \
        'added b b1 b2 c f met same ' ]
    grep -q -- '-<<<<<<<<$' want # of one merge within another
}

@test "following renames ends at a limit, which is told" {
    # 80 files of 30000 lines went, 80 came: 6400 pairs, all to be compared
    made_history <<'PY'
def text(i, k):
    return "".join("%x\n" % (80 * (n + n % k * 30000) + i)
                   for n in range(30000))


base = commit([])
for i in range(80):
    put("old%d" % i, text(i, 1))
ours = commit([base])
for i in range(80):
    print("D old%d" % i)
    put("new%d" % i, text(i, 2))
theirs = commit([base])
for i in range(80):
    print("D old%d" % i)
commit([ours, theirs])
put("new0", "evil\n")
PY
    scrape --rev main~1..main r
    left_out too-different 1
    scrape --rev main~1..main --merges first-parent r
    came 81 2
}

@test "a file that may have been renamed can't be read" {
    git init -q -b main r
    text a >r/a
    text b >r/b
    ours() {
        git -C r mv a a2
        text a 3s/.*/ours/ >r/a2
    }
    theirs() {
        text a 9s/.*/theirs/ >r/a
        text b 9s/.*/theirs/ >r/b
    }
    sides
    echo evil >>r/a2
    merge_as_is
    rm "r/.git/objects/$(git -C r rev-parse main~1:a2 | sed 's,..,&/,')"
    run ! gitscrape -q --rev main~1..main r
    scrape -k --rev main~1..main r
    [ "$status" -eq 3 ]
    left_out unreadable 2 # looked at as a candidate, and to be merged
}

@test "what can't be read is one path, however often a merge asks for it" {
    git init -q -b main r
    # tip LINES PARENT...: a commit of a file, of which LINES are for sed
    tip() {
        local lines=$1 tree

        shift
        tree=$(printf '100644 blob %s\tf\n' "$(seq 40 | sed "$lines" |
            git -C r hash-object -w --stdin)" | git -C r mktree)
        git -C r commit-tree -m c "${@/#/-p}" "$tree"
    }
    first=$(tip '')
    x=$(tip 3s/^/x/ "$first")
    y=$(tip 9s/^/y/ "$first")
    # x and y are what each two of these come from
    for i in 1 2 3; do
        tips[i]=$(tip "${i}5s/^/$i/" "$x" "$y")
    done
    export GIT_COMMITTER_DATE='2030-01-01 00:00:00 +0000'
    git -C r update-ref refs/heads/main "$(tip 30s/^/all/ "${tips[@]}")"
    rm "r/.git/objects/$(git -C r rev-parse "$x:f" | sed 's,..,&/,')"
    scrape -k --since 2029-01-01 r
    [ "$status" -eq 3 ]
    left_out unreadable 1
}

@test "what one side adds to a directory goes where the other renamed it" {
    git init -q -b main r
    mkdir -p r/d/sub r/two r/kept
    for i in d/a d/b d/sub/c two/a two/b kept/a kept/b x; do
        text $i >r/$i
    done
    ours() {
        mkdir r/e
        git -C r mv d e/d
        text d/b 3s/.*/ours/ >r/e/d/b
        mkdir r/one
        git -C r mv two/a one/a            # to two directories: to neither
        git -C r mv two/b kept/c
        git -C r mv kept/a one/kept        # not all of it
    }
    theirs() {
        text new >r/d/new
        text d/b 9s/.*/theirs/ >r/d/b
        text below >r/d/sub/new
        text deep >r/d/sub/c2
        git -C r mv x d/x
        text x 3s/.*/theirs/ >r/d/x
        text new >r/two/new
        text new >r/kept/new
    }
    sides
    for i in new b sub/new sub/c2 x; do
        [ -f r/e/d/$i ]
        echo evil >>r/e/d/$i
    done
    echo evil >>r/two/new
    echo evil >>r/kept/new
    merge_as_is
    same_as_git
    [ "$(grep -c '+evil$' want)" -eq 7 ]
    [ "$(cut -d ' ' -f 1,2 got | sort | uniq -c | awk '$1 > 4')" = '' ]
}

@test "random renames are followed as git follows them" {
    made_history <<'PY'
import random

draw = random.Random(5)
word = 0


def new(n):
    global word
    word += 1
    out = ["line %d of %d" % (k, word) for k in range(n)]
    # something of what others have, too
    shared = draw.randrange(3)
    return out + ["shared %d %d" % (shared, k)
                  for k in range(draw.randrange(n))]


def edited(text, much):
    global word
    out = []
    for line in text:
        word += 1
        if draw.random() > much:
            out.append(line)
        if draw.random() < much / 2:
            out.append("word %d" % word)
    return out


def name():
    return "d%d/%s%d" % (draw.randrange(3), draw.choice("abc"),
                         draw.randrange(8))


def changed(files):
    out = {}
    for path, text in files.items():
        roll = draw.random()
        much = draw.choice([0.02, 0.1, 0.3, 0.6])
        if roll < 0.1 or path.endswith("keep"):
            if roll > 0.1:
                out[path] = text
            elif path.endswith("keep"):
                out[path] = edited(text, 0.02)
            continue
        if roll < 0.5:
            text = edited(text, much)
        if roll > 0.3:
            to = name()
            if to not in out and to not in files:
                path = to
        out[path] = text
    for i in range(2):
        path = name()
        if path not in out and path not in files:
            out[path] = new(20)
    if draw.random() < 0.5:
        dirs = sorted(set(p.rsplit("/", 1)[0] for p in out))
        old = draw.choice(dirs) + "/"
        to = draw.choice(["d0", "d1", "d2", "e/d1", "e/f", "g"]) + "/"
        moved = {to + p[len(old):] if p.startswith(old) else p: t
                 for p, t in out.items()}
        if len(moved) == len(out):
            return moved, (old, to)
    return out, None


files = {"d%d/keep" % i: new(9) for i in range(3)}
for i in range(10):
    files[name()] = new(20)
tip = commit([], files)
def along(files, move):
    """Now and then what is in a directory that moved moves, too."""
    return {move[1] + p[len(move[0]):] if move and p.startswith(move[0])
            and draw.random() < 0.7 else p: t for p, t in files.items()}


for i in range(30):
    (ours, o), (theirs, t) = changed(files), changed(files)
    a, b = commit([tip], ours), commit([tip], theirs)
    both = dict(sorted({**along(theirs, o), **along(ours, t)}.items()))
    files = {p: edited(text, 0.02) + ["merge %d" % i]
             for p, text in both.items()
             if draw.random() < 0.8 or p.endswith("keep")}
    tip = commit([a, b], files)
PY
    git -C r reset -q --hard
    same_as_git
    [ "$(cut -d ' ' -f 1,2 want | sort -u | wc -l)" -gt 500 ]
}
