# helper.bash - what the bats files share: `load helper`.
#
# The programs are in PATH, the working directory is an empty one that bats
# removes ($BATS_TEST_TMPDIR), and nothing of the user's git configuration
# is seen. Expected:
#
#     run -2 --separate-stderr tokenize --wrong
#     one_line 'tokenize: unknown option'
#
# Binary output goes to a file and is compared by cmp; pipes run through
# `bash -o pipefail -c`.

bats_require_minimum_version 1.5.0

root=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
GRAFT_BUILD=${GRAFT_BUILD:-$root/build}
GRAFT_SHARED=${GRAFT_SHARED:-$root/../shared}
PATH=${GRAFT_FIRST:+$GRAFT_FIRST:}$GRAFT_BUILD/bin:$PATH
export LC_ALL=C GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
export GIT_TERMINAL_PROMPT=0 GIT_ADVICE=0

setup() {
    cd "$BATS_TEST_TMPDIR"
}

# need_shared FILE: skips, and says so, where the data of others is absent.
need_shared() {
    [ -e "$GRAFT_SHARED/$1" ] || skip "no shared data: $1"
}

# need_tool NAME...: skips where a program that is no part of us is absent.
need_tool() {
    local name
    for name; do
        command -v "$name" >/dev/null || skip "not installed: $name"
    done
}

# need_plain WHY: skips in a build with a sanitizer.
need_plain() {
    ! grep -aq __asan_init "$GRAFT_BUILD/bin/graft" ||
        skip "built with a sanitizer: $1"
}

# one_line PREFIX: after `run --separate-stderr`, stderr is one line that
# begins so, and stdout is empty.
one_line() {
    [ "${#stderr_lines[@]}" -eq 1 ] && [[ $stderr == "$1"* ]] &&
        [ -z "$output" ] && return
    printf 'stdout: %s\nstderr: %s\n' "$output" "$stderr"
    return 1
}

# on_terminal COMMAND...: its stdin, stdout and stderr are a terminal, whose
# lines end as a file's do; its exit status.
on_terminal() {
    python3 - "$@" <<'PY'
import os, pty, sys
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
while True:
    try:
        data = os.read(fd, 65536)
    except OSError:  # Linux: the other side has closed
        break
    if not data:
        break
    sys.stdout.buffer.write(data.replace(b"\r\n", b"\n"))
sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) % 256)
PY
}

# diff and cmp of what two commands print: where both print nothing, as when
# both fail, nothing was compared.
diff() { compare_some diff "$@"; }
cmp() { compare_some cmp "$@"; }

compare_some() {
    local tool=$1 status=0 dir
    shift
    if ! [[ $# -eq 2 && $1 =~ ^(-|/dev/fd/.*)$ && $2 =~ ^(-|/dev/fd/.*)$ ]]
    then
        command "$tool" "$@"
        return
    fi
    dir=$(mktemp -d -p "$BATS_FILE_TMPDIR")
    cat -- "$1" >"$dir/1"
    cat -- "$2" >"$dir/2"
    if [ -s "$dir/1" ] || [ -s "$dir/2" ]; then
        command "$tool" "$dir/1" "$dir/2" || status=$?
    else
        echo "$tool: nothing to compare"
        status=1
    fi
    rm -r "$dir"
    return $status
}

# no_leftovers DIR: no temporary file stayed there.
no_leftovers() {
    [ -z "$(find "$1" -name '*.tmp.*')" ]
}

# made_once DIR NAME COMMAND...: DIR gets a copy of what COMMAND makes in an
# empty directory. It is run once under that NAME, for all files of a run of
# tests.
made_once() {
    local kept=${GRAFT_MADE:-$BATS_FILE_TMPDIR/made}/$2 own
    if [ ! -d "$kept" ]; then
        own=$kept.$BASHPID
        mkdir -p "$own"
        (cd "$own"; "${@:3}")
        # of two that made it at one time the first is kept
        mv -T "$own" "$kept" 2>/dev/null || rm -r "$own"
    fi
    mkdir -p "$1"
    cp -a "$kept/." "$1"
}

# token_base RECORDS: arch.json and base, a tiny model of 40 tokens; data, a
# set of that many short records of tokens, a fifth held out; tokens, the
# stream that it was made of.
token_base() { made_once . "tokens-$1" make_token_base "$1"; }

make_token_base() {
    cat >arch.json <<'EOF'
{"model_type": "llama", "vocab_size": 40, "hidden_size": 16,
 "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
 "num_key_value_heads": 1, "max_position_embeddings": 64}
EOF
    initmodel -q -o base arch.json
    for i in $(seq "$1"); do
        echo "{\"ids\": [$((i % 7)), $((i % 11)), 3, $((i % 5)), 4, 9, 1]}"
    done | fromjsonl -q --vocab 40 >tokens
    shard -q --val 0.2 --test 0 -o data <tokens
}

# text_base: in the working directory arch.json and a random llama of it in
# base, the text of 30 documents, tok.json of 300 tokens, and data, of which
# three tenths are held out to test.
text_base() { made_once . texts make_text_base; }

make_text_base() {
    cat >arch.json <<'JSON'
{"model_type": "llama", "vocab_size": 300, "hidden_size": 16,
 "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
 "num_key_value_heads": 1, "max_position_embeddings": 64}
JSON
    for i in $(seq 30); do
        echo "{\"text\": \"line $i says $((i * 37 % 11)) of $i things\"}"
    done | fromjsonl -q >text
    vocabtrain -q --size 300 --special '<|endoftext|>' -o tok.json text
    initmodel -q -t tok.json -o base arch.json
    tokenize -q -t tok.json text | shard -q --test 0.3 -o data
}

# ---- repositories whose object ids are always the same -------------------

# repo_init DIR: an empty repository; later repo_ calls with that DIR.
repo_init() {
    git init -q -b main "$1"
    git -C "$1" config commit.gpgsign false
    git -C "$1" config core.autocrlf false
}

# repo_commit DIR MESSAGE [AUTHOR]: everything in the work tree. The time
# is a day later for each commit that the repository has.
repo_commit() {
    local dir=$1 message=$2 author=${3:-Ada Lovelace} n when
    n=$(git -C "$dir" rev-list --all --count)
    when="$((1600000000 + n * 86400)) +0000"
    git -C "$dir" add -A
    GIT_AUTHOR_NAME=$author GIT_COMMITTER_NAME=$author \
        GIT_AUTHOR_EMAIL=$(tr 'A-Z ' 'a-z.' <<<"$author")@example.org \
        GIT_COMMITTER_EMAIL=committer@example.org \
        GIT_AUTHOR_DATE=$when GIT_COMMITTER_DATE=$when \
        git -C "$dir" commit -q --allow-empty -m "$message"
}

# repo_small DIR [N]: N commits (12) over a few C files: additions, edits,
# a rename and a deletion.
repo_small() { made_once "$1" "repo-${2:-12}" make_repo_small . "${2:-12}"; }

make_repo_small() {
    local dir=$1 n=$2 i j
    repo_init "$dir"
    mkdir "$dir/src"
    for ((i = 1; i <= n; i++)); do
        j=$((i % 3))
        {
            printf '/* part%d.c - edition %d */\n' "$j" "$i"
            printf '#include <stdio.h>\n\nint\npart%d(int x)\n{\n' "$j"
            printf '    printf("%%d\\n", x * %d);\n' "$i"
            printf '    return x + %d;\n}\n' "$((i * 7 % 5))"
        } >"$dir/src/part$j.c"
        [ "$i" -ne 5 ] || printf 'A small example.\n' >"$dir/README"
        [ "$i" -ne 8 ] || git -C "$dir" mv README README.md
        [ "$i" -ne 10 ] || git -C "$dir" rm -q README.md
        repo_commit "$dir" "Edition $i of part $j"
    done
}

# scraped_repo: repo_small r, r.gs of it, and t.json, a vocabulary for that.
scraped_repo() { made_once . scraped make_scraped_repo; }

make_scraped_repo() {
    repo_small r
    gitscrape -q r >r.gs
    vocabtrain -q --size 400 --special '<|endoftext|>' -o t.json r.gs
}
