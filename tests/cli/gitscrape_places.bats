# gitscrape: what is a repository, and what lies around it.

load helper
load scrape

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
    came 8 6
    left_out unreadable 2
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
