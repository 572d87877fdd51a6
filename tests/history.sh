#!/bin/sh
# history.sh DIR: makes a git repository with every kind of change that
# gitscrape knows. The same one every time: same dates, same ids.
set -eu

dir=$1
export GIT_AUTHOR_NAME='Ada Ex' GIT_AUTHOR_EMAIL=ada@example.org
export GIT_COMMITTER_NAME='Ada Ex' GIT_COMMITTER_EMAIL=ada@example.org
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
export LC_ALL=C TZ=UTC
now=1500000000

git -c init.defaultBranch=main init -q "$dir"
cd "$dir"
git config core.autocrlf false
git config commit.gpgsign false
git config gc.auto 0

commit() {
    now=$((now + 3600))
    GIT_AUTHOR_DATE="$now +0000" GIT_COMMITTER_DATE="$now +0000" \
        git commit -q --allow-empty "$@"
}
merge() {
    now=$((now + 3600))
    GIT_AUTHOR_DATE="$now +0000" GIT_COMMITTER_DATE="$now +0000" \
        git merge -q --no-ff "$@"
}
all() {
    git add -A
    commit "$@"
}
lines() { # from to
    seq "$1" "$2" | sed 's/.*/line & of a longer file/'
}

# additions of every sort
latin=$(printf 'caf\351.txt')
lines 1 300 >long.c
printf 'int main(void)\n{\n\treturn 0;\n}\n' >small.c
: >empty
printf 'no newline at the end' >tail
printf 'one\r\ntwo\r\nthree\r\n' >crlf.txt
printf 'lone\rcarriage\rreturns\n' >cr.txt
printf 'latin \344\366\374 and \377\376 bytes\n' >"$latin"
printf '\n\n\n\n' >newlines
mkdir -p dir/deep "with space"
printf 'print(1)\n' >dir/b.py
printf 'x\n' >dir/deep/x
printf 'quoted\n' >'dir/say "hi"\there'
printf 'odd\n' >"$(printf 'line\nfeed\tand\033escape')"
printf '#!/bin/sh\necho\n' >run.sh
chmod +x run.sh
printf 'space\n' >'with space/a b.md'
all -m 'Everything begins

A body of
two lines.

Signed-off-by: Ada Ex <ada@example.org>'

# edits: several hunks, ends of files, line ends
lines 1 300 | sed '3s/.*/third/;4d;150s/$/!/;151s/^/> /;299d' >long.c
printf 'no newline at the end, still' >tail
printf 'one\ntwo\r\nthree\r\nfour' >crlf.txt
printf 'latin \344\326\374 and \377\376 bytes\n' >"$latin"
printf '\n\nx\n\n\n' >newlines
all -m "$(printf 'subject with a tab\tand latin \344')" 2>/dev/null
printf 'no newline at the end, still\nbut now\n' >tail
printf '\n' >empty
all -m 'newline comes, empty grows'
printf 'no newline at the end, still\nbut now' >tail
: >empty
all -m 'newline goes, empty again'

# renames, modes, deletions, an empty commit
git mv small.c dir/small.c
git mv dir/b.py moved.py
printf 'print(2)\n' >>moved.py
chmod -x run.sh
all -m 'renames and modes'
rm tail "with space/a b.md"
all -m 'deletions'
commit -m 'nothing at all'
cp long.c copy1.c
cp long.c copy2.c
all -m 'copies'
mkdir sub
git mv copy1.c sub/copy2.c
git mv copy2.c sub/copy1.c
all -m 'two renames of one blob'

# what is no text
printf 'a\0b\n' >binary
{ lines 1 400; printf 'late\0nul\n'; } >late-nul
printf 'version https://git-lfs.github.com/spec/v1\n' >pointer
printf 'oid sha256:%064d\nsize 12345\n' 7 >>pointer
ln -s long.c link
git update-index --add --cacheinfo \
    160000,1234567890123456789012345678901234567890,module
mkdir module
all -m 'no text'
printf 'a\0c\n' >binary
git update-index --cacheinfo \
    160000,2234567890123456789012345678901234567890,module
ln -sf small.c link
git add binary link
commit -m 'no text, changed'
printf 'now text\n' >binary
rm link
printf 'a file now\n' >link
rm dir/small.c
ln -s ../long.c dir/small.c
git add binary link dir/small.c
commit -m 'changes of type'

# a file becomes a directory and the reverse
rm dir/deep/x
rmdir dir/deep
printf 'deep is a file\n' >dir/deep
rm moved.py
mkdir moved.py
printf 'inside\n' >moved.py/inside
git add -A dir moved.py
commit -m 'files and directories'

# merges: clean, with its own content, of three, of another root
git checkout -q -b left
lines 1 20 >left.c
git add left.c
commit -m 'left'
git checkout -q -b right main
lines 21 40 >right.c
git add right.c
commit -m 'right'
git checkout -q -b third main
lines 41 60 >third.c
git add third.c
commit -m 'third'
git checkout -q main
merge -m 'clean merge' left
git checkout -q -b clash1
lines 1 20 | sed '10s/.*/ten from one/' >left.c
all -m 'clash one'
git checkout -q -b clash2 main
lines 1 20 | sed '10s/.*/ten from two/' >left.c
all -m 'clash two'
git checkout -q main
merge -m 'fast' clash1
now=$((now + 3600))
git merge -q --no-commit clash2 >/dev/null 2>&1 || true
lines 1 20 | sed '10s/.*/ten from both/' >left.c
printf 'came with the merge\n' >evil.c
git rm -q --cached "$latin"
rm "$latin"
git add left.c evil.c
commit -m 'evil merge'
merge -m 'octopus' right third >/dev/null
git checkout -q --orphan other
git rm -rfq --cached .
git clean -fdxq
printf 'a second root\n' >second-root
git add second-root
commit -m 'second root'
git checkout -qf main
merge --allow-unrelated-histories -m 'two roots' other
git tag -a -m 'a tag' v1
lines 5 305 >long.c
all -m 'after the tag'
git checkout -q -b topic HEAD~2
printf 'on a topic\n' >topic.c
git add topic.c
commit -m 'never merged'
git checkout -qf main
