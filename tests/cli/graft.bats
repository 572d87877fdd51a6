# The front, and what make install lays out.

load helper

# make's words can't have blanks; a path from the checkout has none.
build() { realpath --relative-to="$root" "$GRAFT_BUILD"; }

@test "graft runs a program with its words and its exit code" {
    run -0 graft initmodel --version
    [[ ${lines[0]} == "initmodel (graft) "* ]]
    run -0 graft initmodel --help
    [[ ${lines[0]} == "usage: graft initmodel "* ]]
    run -2 --separate-stderr graft initmodel -o x
    one_line 'initmodel: missing operand (expected ARCH.json; see graft init'
    run -2 --separate-stderr graft initmodel --xyzzy
    one_line 'initmodel: unknown option'
    run -2 --separate-stderr graft -q initmodel --xyzzy
    one_line 'initmodel: unknown option'
}

@test "graft refuses what is no program of it" {
    for name in nosuch ../bin/initmodel /bin/true graft ''; do
        run -2 --separate-stderr graft "$name"
        one_line "graft: no program '$name'"
    done
    run -2 --separate-stderr graft
    one_line 'graft: missing operand'
}

@test "graft knows a program by its nearest name" {
    run -2 --separate-stderr graft trian
    one_line "graft: no program 'trian' (did you mean train?)"
    run -2 --separate-stderr graft gitscrap --help
    one_line "graft: no program 'gitscrap' (did you mean gitscrape?)"
    for name in x xyzzy graf; do
        run -2 --separate-stderr graft "$name"
        one_line "graft: no program '$name' (see graft --help)"
    done
}

@test "graft help shows the page, or --help where it can't" {
    need_tool man
    run -0 graft help train
    [[ $output == *GRAFT-TRAIN* ]]
    run -0 graft help graft
    [[ $output == *PROGRAM*ARGUMENT*DESCRIPTION* ]]
    run -2 --separate-stderr graft help trian
    one_line "graft: no program 'trian' (did you mean train?)"
    run -2 --separate-stderr graft help train shard
    one_line "graft: extra operand 'shard'"
    run -0 graft help
    [ "$output" = "$(graft --help)" ]
    mkdir none
    PATH=$PWD/none run -0 "$GRAFT_BUILD/bin/graft" help train
    [[ $output == "usage: graft train "* ]]
}

@test "graft --help lists the programs that there are" {
    run -0 graft --help
    for path in "$GRAFT_BUILD"/bin/*; do
        name=${path##*/}
        [ "$name" = graft ] || grep -Eq "^  $name +[a-z]" <<<"$output"
    done
}

@test "an installed graft finds its programs, wherever it was moved to" {
    make -s -C "$root" install BUILD="$(build)" \
        DESTDIR="$BATS_TEST_TMPDIR/dest" PREFIX=/usr >/dev/null
    need_tool man
    mv dest/usr "moved here"
    PATH=/usr/bin:/bin
    dir="$BATS_TEST_TMPDIR/moved here"
    [ "$("$dir/bin/graft" --exec-path)" = "$dir/libexec/graft" ]
    "$dir/bin/graft" initmodel --version | grep -q '^initmodel'
    [ "$(ls "$dir/bin")" = graft ]
    PATH="$("$dir/bin/graft" --exec-path):$PATH"
    initmodel --version | grep -q '^initmodel'
    "$dir/bin/graft" --help | grep -q '^  initmodel'
    [ -f "$dir/share/man/man1/graft.1" ]
    "$dir/bin/graft" help train | grep GRAFT-TRAIN
    for page in "$root"/man/man1/*.1; do
        name=$(basename "$page")
        [ "$name" = graft.1 ] || [ -f "$dir/share/man/man1/graft-$name" ]
    done
}

@test "what the pages and README cite is there, also where it is installed" {
    make -s -C "$root" install BUILD="$(build)" \
        DESTDIR="$BATS_TEST_TMPDIR/dest" PREFIX=/opt/g >/dev/null
    share=dest/opt/g/share
    words='[A-Za-z0-9_./-]*/[A-Za-z0-9_./-]*[A-Za-z0-9_]'
    grep -ohE "$words" $share/man/man?/* | grep -E '^/opt/' | sort -u >pages
    [ "$(grep -c '/schemas/' pages)" -ge 7 ]
    while read -r path; do [ -f "dest$path" ] || echo "$path"; done \
        <pages >missing
    grep -ohE "$words" $share/man/man?/* |
        grep -E '^(pipelines|schemas|man|tests)/' >>missing || true
    grep -ohE "$words" "$root/README.md" |
        grep -E '^(bin|kernels|lib|man|pipelines|schemas|tests)/' |
        sort -u >readme
    grep -qx pipelines/repo.mk readme
    while read -r path; do
        [ -e "$root/$path" ] || echo "$path"
        [[ $path != [ps]*/* ]] || [ -e "$share/graft/$path" ] ||
            echo "$path, installed"
    done <readme >>missing
    diff /dev/null missing
    cmp "$root/README.md" $share/doc/graft/README.md
    [ -f $share/doc/graft/LICENSE ]
}

@test "the installed completion offers programs and their options" {
    bash "$root/man/completion.sh" "$GRAFT_BUILD/bin" >completion
    . ./completion
    COMP_WORDS=(graft initm) COMP_CWORD=1
    _graft
    [ "${COMPREPLY[*]}" = initmodel ]
    COMP_WORDS=(graft help quan) COMP_CWORD=2
    _graft
    [ "${COMPREPLY[*]}" = quantize ]
    COMP_WORDS=(graft initmodel --see) COMP_CWORD=2
    _graft
    [ "${COMPREPLY[*]}" = --seed ]
    COMP_WORDS=(graft quantize --format b) COMP_CWORD=3
    _graft
    [ "${COMPREPLY[*]}" = bf16 ]
}
