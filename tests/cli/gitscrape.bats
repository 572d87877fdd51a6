# gitscrape: good repositories, and bad ones.

load helper

# scrape ARGUMENT...: to the file out.graft, never for long.
scrape() {
    run --separate-stderr timeout 60 bash -c \
        'gitscrape "$@" >out.graft' - "$@"
}

# refused STATUS TEXT: one line on stderr that holds TEXT; no whole stream.
refused() {
    [ "$status" -eq "$1" ] && [ "${#stderr_lines[@]}" -eq 1 ] &&
        [[ $stderr == "gitscrape: "*"$2"* ]] && ! ended && return
    printf 'status %s: %s\n' "$status" "$stderr"
    return 1
}

# The stream has its trailer.
ended() {
    tail -c 200 out.graft | tr '\0' '\n' | grep -aqx end
}

# came RECORDS COMMITS: what the summary says came out.
came() {
    [[ $stderr == *": $1 records of $2 commits by "* ]] && ended && return
    printf 'status %s: %s\n' "$status" "$stderr"
    return 1
}

# left_out REASON COUNT: a line of the ledger.
left_out() {
    tr '\0' '\n' <out.graft | grep -aqx "ledger gitscrape $1 $2" && return
    tr '\0' '\n' <out.graft | grep -a '^ledger'
    return 1
}

# bad CASE [N]: the repository r, N commits, and one bad thing more.
bad() {
    repo_small r "${2:-3}"
    python3 "$root/tests/badrepo.py" "$1" r
}

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
    repo_commit r one 'Ada Lovelace'
    repo_commit r two 'Grace Hopper'
    repo_commit r three 'Ada Lovelace'
    scrape --authors who r
    [ "$(stat -c %a who)" = 600 ]
    [ "$(tr '\t' '|' <who)" = "r|author_0|Ada Lovelace|ada.lovelace@example.org
r|author_1|Grace Hopper|grace.hopper@example.org" ]
}

@test "--authors refuses what can't be its file before any work" {
    repo_small r 2
    mkdir dir
    run -6 --separate-stderr gitscrape --authors dir r
    one_line 'gitscrape: dir: output exists (found a directory'
    run -1 --separate-stderr gitscrape --authors none/who r
    one_line 'gitscrape: none/who: No such file or directory'
    run -2 --separate-stderr gitscrape --authors - r
    one_line 'gitscrape: --authors needs a file'
}

@test "a full disk is an error" {
    repo_small r 3
    run -1 --separate-stderr bash -c 'gitscrape -q r >/dev/full'
    [[ $stderr == "gitscrape: "*"No space left"* ]]
}

@test "row 1: no repository, empty, unborn, shallow, partial" {
    scrape nowhere
    refused 1 'nowhere: No such file'
    scrape /proc
    refused 4 '/proc: not a git repository'
    touch file
    scrape file
    refused 4 'file: not a git repository'
    repo_init empty
    scrape empty
    [ "$status" -eq 0 ]
    [[ $stderr == *"empty repository"* ]]
    came 0 0
    repo_small r 3
    git -C r symbolic-ref HEAD refs/heads/gone
    scrape r
    refused 4 'HEAD is unborn (it names refs/heads/gone'
    scrape --all r
    [ "$status" -eq 0 ]
    came 3 3
    git -C r symbolic-ref HEAD refs/heads/main
    git clone -q --depth 1 "file://$PWD/r" shallow
    scrape shallow
    refused 4 'a shallow clone'
    refused 4 'git -C shallow/.git fetch --unshallow'
    git -C shallow fetch -q --unshallow
    scrape shallow
    came 3 3
}

@test "a partial clone is read if it has everything" {
    repo_small r 5
    git -C r config uploadpack.allowFilter true
    git clone -q --filter=blob:none "file://$PWD/r" partial
    scrape partial
    refused 4 'in this partial clone: git -C partial/.git fetch --refetch'
    eval "$(sed 's/.*clone: //;s/ first$//' <<<"$stderr")"
    git -C partial config --get remote.origin.promisor
    scrape --name r partial
    came 6 5
    gitscrape -q --name r r | cmp - out.graft
    git -C partial config extensions.partialClone origin
    git -C partial config core.repositoryFormatVersion 1
    scrape --name r partial
    came 6 5
}

@test "what a byte order mark precedes is configuration, too" {
    repo_small r 3
    printf '\357\273\277[core]\n\trepositoryformatversion = 99\n' \
        >r/.git/config
    scrape r
    refused 4 'unsupported repository format (found 99'
    # a path is in its error once, however it is written
    mv r $'odd\nname'
    scrape $'odd\nname'
    refused 4 'odd\nname/.git: unsupported'
    [[ $stderr != *odd*odd* ]]
}

@test "what is no root of a repository is said to be none" {
    local url
    repo_small r 3
    scrape r/src
    refused 2 "r/src: is inside the repository at $PWD/r: name that"
    scrape -k r/src
    refused 2 'name that'
    (cd r/src && scrape . && refused 2 ".: is inside the repository at")
    scrape r/.git/refs/heads
    refused 2 "the repository at $PWD/r/.git: name that"
    for url in https://example.org/x/y.git git@example.org:x/y.git \
        ssh://example.org/x example.org:y file:///x; do
        scrape r "$url"
        refused 2 "$url: clone it first: git clone --mirror $url"
        [ ! -s out.graft ]
    done
    cp -r r a:b
    scrape a:b
    came 3 3
}

@test "bare repositories, work trees and submodules are read" {
    repo_small r 5
    gitscrape -q --name r r >want
    git clone -q --mirror r bare.git
    gitscrape -q --name r bare.git | cmp - want
    git -C r worktree add -q --detach ../tree
    scrape tree
    refused 4 'tree/.git: not a directory but a pointer to one; use --trust'
    gitscrape -q --trust --name r tree | cmp - want
    # which has a HEAD of its own
    git -C tree checkout -q --detach main~2
    scrape --trust tree
    came 3 3
    repo_init top
    git -C top -c protocol.file.allow=always submodule --quiet add "$PWD/r" sub
    gitscrape -q --trust --name r top/sub | cmp - want
}

@test "row 2: other formats are named" {
    git init -q --object-format=sha256 sha256
    scrape sha256
    refused 4 'extensions.objectformat (found sha256)'
    repo_small r 3
    sed -i 's/\(repositoryformatversion = \)0/\199/' r/.git/config
    scrape r
    refused 4 'unsupported repository format (found 99'
    sed -i 's/\(repositoryformatversion = \)99/\11/' r/.git/config
    printf '[Extensions]\n\tsomethingNew\n' >>r/.git/config
    scrape r
    refused 4 'extensions.somethingNew'
}

@test "row 3: a repository of another user" {
    [ "$(id -u)" -eq 0 ] || skip "only root can give files away"
    repo_small r 3
    chown -R 12345 r
    scrape r
    refused 4 'owned by uid 12345'
    [[ $stderr == *--trust-owner* ]]
    scrape --trust-owner r
    [ "$status" -eq 0 ]
    came 3 3
}

@test "row 4: a FIFO in a file's place hangs nothing" {
    local f
    for f in config packed-refs HEAD shallow; do
        rm -rf r
        repo_small r 3
        rm -f "r/.git/$f"
        mkfifo "r/.git/$f"
        scrape r
        refused 4 "$f: "
    done
    rm -rf r
    repo_small r 3
    mkfifo r/.git/objects/pack/pack-1.idx
    scrape r
    refused 4 'pack-1.idx: neither file nor directory'
    rm -rf r
    bad fifo
    scrape r
    refused 4 'not a regular file'
    scrape -k r
    [ "$status" -eq 3 ]
    came 4 4
}

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
        came 4 4
        left_out bad-commit 2
    done
}

@test "row 7: deltas that need each other are given up in time" {
    bad cycle
    scrape --max-stall 1 r
    refused 4 'object 2'
    scrape -k --max-stall 1 r
    [ "$status" -eq 3 ]
    came 4 4
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
    came 3 3
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

# limited_memory: skips where there is no limit of address space.
limited_memory() {
    if grep -aq __asan_init "$GRAFT_BUILD/bin/gitscrape"; then
        skip "built with a sanitizer, which has no limit of address space"
    fi
}

@test "the directories of long paths take memory once" {
    limited_memory
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

@test "row 10: paths are bytes, and never those of files" {
    bad odd-paths
    scrape r
    [ "$status" -eq 0 ]
    # five of them, one twice; the three of before go
    came 12 4
    left_out bad-mode 1
    [ -z "$(find . -name x)" ]
    [[ $stderr != *[^\ -~$'\n']* ]]
}

@test "row 11: a commit without a time that is one" {
    bad bad-time
    scrape r
    refused 4 'bad time "99999999999999999999'
    scrape -k r
    [ "$status" -eq 3 ]
    # three of before, and the one above the bad one: one file for another
    came 5 4
    rm -rf r
    bad odd-authors
    scrape --authors who r
    [ "$status" -eq 0 ]
    # the three of before go with the first of four
    came 10 7
    [ "$(wc -l <who)" -eq 5 ]
}

@test "row 12: nothing outside the repository is followed untrusted" {
    repo_small r 3
    git -C r worktree add -q ../w
    scrape w
    refused 4 'use --trust'
    scrape --trust w
    came 3 3
    git clone -q --shared r shared
    scrape shared
    refused 4 'info/alternates'
    scrape --trust shared
    came 3 3
    cp -r r i
    printf '[core]\n\tx = 1\n [ IncludeIf "gitdir:/"]\n' >>i/.git/config
    scrape i
    refused 4 'includes another file'
    scrape --trust i
    came 3 3
    cp -r r l
    mv l/.git/objects l/.git/really
    ln -s really l/.git/objects
    scrape l
    refused 4 'a symbolic link'
    scrape --trust l
    came 3 3
    cp -r r h
    git -C r rev-parse main >outside
    printf 'ref: ../../outside\n' >h/.git/HEAD
    scrape h
    refused 4 'points out of refs/'
    printf 'ref: refs/../../../outside\n' >h/.git/HEAD
    scrape --trust h
    refused 4 'points out of refs/'
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
        came 4 4
        left_out bad-commit 2
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

@test "grafts and replacements are not obeyed, and that is said" {
    repo_small r 3
    gitscrape -q r >want
    git -C r replace --graft main 2>/dev/null
    [ "$(git -C r rev-list --count main)" -eq 1 ]
    scrape r
    came 3 3
    cmp out.graft want
    [[ $stderr == *'r: has grafts or replace references: they are not'* ]]
    git -C r pack-refs --all
    scrape r
    [[ $stderr == *'r: has grafts or replace references'* ]]
    git -C r replace -d "$(git -C r rev-parse main)"
    scrape r
    [[ $stderr != *grafts* ]]
    git -C r rev-parse main >r/.git/info/grafts
    scrape r
    came 3 3
    cmp out.graft want
    [[ $stderr == *'r: has grafts or replace references'* ]]
}

@test "alternates that are none, gone, or in a circle" {
    local f=r/.git/objects/info/alternates
    repo_small r 3
    gitscrape -q r >want
    printf '\n# nowhere\n' >$f
    gitscrape -q r | cmp - want
    echo "$PWD/r/.git/objects/../objects" >$f
    scrape r
    refused 4 'objects outside the repository; use --trust'
    gitscrape -q --trust r | cmp - want
    echo /nowhere >$f
    scrape --trust r
    refused 4 'info/alternates names /nowhere: No such file'
    rm $f
    mkfifo $f
    scrape --trust r
    refused 4 'info/alternates: '
}

@test "a folder of references that is a symbolic link loses none" {
    local f
    for f in heads tags; do
        rm -rf r
        repo_small r 3
        git -C r tag v1 main~1
        git -C r branch side main~2
        gitscrape -q --all r | tojsonl >whole
        mv "r/.git/refs/$f" "r/.git/elsewhere"
        ln -s ../elsewhere "r/.git/refs/$f"
        scrape --all r
        refused 4 "refs/$f: a symbolic link"
        gitscrape -q --trust --all r | tojsonl | cmp - whole
    done
    scrape --rev v1 r
    refused 4 'refs/tags: a symbolic link'
    scrape --trust --rev v1 r
    came 2 2
    ln -s .. r/.git/elsewhere/loop
    scrape --trust --all r
    refused 4 'refs/tags/loop: a directory that holds itself'
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
    echo >r/new
    git -C r add new
    export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a GIT_COMMITTER_NAME=A
    export GIT_COMMITTER_EMAIL=a
    printf '\n\n  odd \n lines\t\n\n\n\nbody  \n\nmore\n\n' |
        git -C r commit -q --cleanup=verbatim -F -
    gitscrape -q r | tojsonl | jq -r 'select(.subject | type == "string") |
        "\(.commit) \(.parent // "") \(.time)\n\(.subject)\n\(.body)"' \
        >got
    gitscrape -q r | tojsonl | jq -r 'select(.subject | type == "string") |
        .commit' | while read -r id; do
        git -C r show -s --format='%H %P' "$id" | cut -d ' ' -f 1,2 |
            tr '\n' ' ' | sed 's/  *$/ /'
        git -C r show -s --format=%ct "$id"
        git -C r show -s --format=%s "$id"
        git -C r show -s --format=%b "$id" | sed '$!b;/^$/d'
    done >want
    [ -s want ]
    sed 's/  */ /g' got | grep -v '^$' >got1
    sed 's/  */ /g' want | grep -v '^$' >want1
    diff got1 want1
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

@test "the edits of long texts are those of git" {
    git init -q -b main r
    python3 - <<'END' | git -C r fast-import --quiet
import random

draw = random.Random(1)
line = ["", " ", "\t", "   \t ", "}", "    }", "x", "\tx = 1", " " * 210]
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
    print("M 100644 inline f\ndata %d\n%s" % (len(text), text))
END
    gitscrape -q --rev main~..main --context 0 r | tojsonl |
        jq -r .change | grep '^@@' >got
    git -C r diff -U0 --indent-heuristic main~ main | grep '^@@' |
        sed -E 's/(@@.*@@).*/\1/; s/([-+][0-9]+) /\1,1 /g' >want
    [ "$(wc -l <want)" -gt 500 ]
    diff got want
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
    limited_memory
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
