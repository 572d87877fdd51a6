# What holds for every program, whichever there are.

load helper

programs() {
    local path
    for path in "$GRAFT_BUILD"/bin/*; do
        [ ! -x "$path" ] || echo "${path##*/}"
    done
}

# for_all FUNCTION: called with each program; every failure is told.
for_all() {
    local name bad=0 n=0
    for name in $(programs); do
        n=$((n + 1))
        "$1" "$name" || { echo "-- $name"; bad=1; }
    done
    [ $n -gt 0 ] && [ $bad -eq 0 ]
}

# outcome STATUS COMMAND...: the command ends so; its output is in out, err.
outcome() {
    local want=$1 status=0
    shift
    timeout 20 "$@" >out 2>err </dev/null || status=$?
    [ $status -eq "$want" ] && return
    echo "exit $status, not $want: $*"
    head -n 5 err
    return 1
}

# complaint NAME: err is one line that begins with the program's name.
complaint() {
    [ "$(wc -l <err)" -eq 1 ] && grep -q "^$1: " err && return
    echo "stderr:"
    cat err
    return 1
}

@test "help goes to stdout and begins with the usage" {
    help() {
        outcome 0 "$1" --help && [ ! -s err ] &&
            grep -q "^usage: $1 " out && outcome 0 "$1" -h
    }
    for_all help
}

@test "what a program can't do without is marked, and missed" {
    # A required option stands in the usage, in its own line and in what is
    # said when it isn't given; no other words claim one.
    needs() {
        local option rest=
        outcome 0 "$1" --help
        sed -nE 's/^  (-.,|   ) --([a-z0-9-]+) .*/\2 &/p; t
                 s/^ {20,}(.*)/ \1/p' out |
            awk '/^[a-z]/ { if (l) print l; l = $0; next } { l = l $0 }
                 END { print l }' |
            sed -nE 's/ .*\(required( unless.*)?\)$//p' >required
        while read -r option; do
            sed -n 1p out | grep -Eq -- " (--$option|-[a-z]) [A-Z]" ||
                { echo "--$option is not in the usage"; return 1; }
            rest="$rest, --$option"
        done <required
        [ -n "$rest" ] || { ! sed -n 1p out | grep -q ' -'; return; }
        echo "$1" >>with
        outcome 2 "$1" && complaint "$1" &&
            grep -q "^$1: ${rest#, } \(is\|are\) missing (see $1 --help)" err
    }
    for_all needs
    grep -x train with
}

@test "help fits 80 columns" {
    narrow() {
        outcome 0 "$1" --help && ! awk 'length > 79' out | grep .
    }
    for_all narrow
}

@test "the version names program, format and libraries" {
    version() {
        outcome 0 "$1" --version && [ ! -s err ] &&
            grep -Eq "^$1 \(graft\) [0-9]+\.[0-9]+\.[0-9]+$" out &&
            grep -q '^stream format [0-9]' out &&
            grep -q '^cJSON [0-9]' out
    }
    for_all version
}

@test "the version names the libraries that are loaded, and no others" {
    version() {
        outcome 0 "$1" --version || return
        sed -nE 's/^([A-Za-z0-9]+) [0-9]+\.[0-9].*/\1/p' out | sort >named
        ldd "$GRAFT_BUILD/bin/$1" | sed -nE '
            s/^\tlibcjson\.so.*/cJSON/p; s/^\tlib(git2)\.so.*/lib\1/p
            s/^\tlib(sodium)\.so.*/lib\1/p; s/^\tlib(pcre2)-8\.so.*/\1/p
            s/^\tlib(utf8proc|zstd)\.so.*/\1/p' | sort | diff - named
    }
    for_all version
}

@test "the format of --version is that of the newest streams, of weights" {
    token_base 5
    quantize -q --format bf16 base | head -n 1 >first
    want=$(sed -n 's/^graft stream //p' first)
    [ -n "$want" ]
    tojsonl --version | grep -qx "stream format $want"
}

@test "an unknown option is wrong use and gets the nearest name" {
    unknown() {
        outcome 2 "$1" --versoin && complaint "$1" &&
            grep -q 'did you mean --version' err && [ ! -s out ] &&
            outcome 2 "$1" -@ && complaint "$1"
    }
    for_all unknown
}

@test "an option without its value is wrong use" {
    valueless() {
        local option
        outcome 0 "$1" --help
        sed -nE 's/^  (-.,|   ) --([a-z0-9-]+) [^ a-z].*/\2/p' out >options
        for option in $(cat options); do
            outcome 2 "$1" "--$option" && complaint "$1" || return 1
            echo "$1 --$option" >>tried
        done
    }
    for_all valueless
    [ "$(wc -l <tried)" -gt 80 ]
}

@test "a number must be one as a whole" {
    number() {
        local option
        outcome 0 "$1" --help
        sed -nE 's/^  (-.,|   ) --([a-z0-9-]+) (N|X)( .*)?$/\2/p' out \
            >options
        for option in $(cat options); do
            outcome 2 "$1" "--$option=1x" && complaint "$1" || return 1
            outcome 2 "$1" "--$option=" && complaint "$1" || return 1
            outcome 2 "$1" "--$option=99999999999999999999999" &&
                complaint "$1" || return 1
            echo "$1 --$option" >>tried
        done
    }
    for_all number
    [ "$(wc -l <tried)" -gt 30 ]
}

@test "a full disk is an error, also for help and version" {
    full() {
        local what
        for what in --help --version --help=man --help=complete; do
            status=0
            "$1" $what >/dev/full 2>err </dev/null || status=$?
            [ $status -eq 1 ] && complaint "$1" &&
                grep -q 'No space left' err || return 1
        done
    }
    for_all full
}

@test "a closed stdout is an error, a closed stdin or stderr is none" {
    closed() {
        local status=0
        "$1" --version >&- 2>err </dev/null || status=$?
        [ $status -eq 1 ] && complaint "$1" || return 1
        "$1" --version 2>&- >out </dev/null && [ -s out ] || return 1
        "$1" --version <&- >out 2>err && [ -s out ] && [ ! -s err ]
    }
    for_all closed
}

@test "all of 0, 1 and 2 closed ends without a crash" {
    dark() {
        local status=0
        timeout 20 "$1" <&- >&- 2>&- || status=$?
        [ $status -gt 0 ] && [ $status -le 6 ] && return
        echo "exit $status"
        return 1
    }
    for_all dark
    [ -z "$(ls)" ]
}

@test "a directory on stdin is wrong use" {
    directory() {
        local status=0
        timeout 20 "$1" <. >out 2>err || status=$?
        [ $status -eq 2 ] && complaint "$1" && [ ! -s out ]
    }
    for_all directory
}

@test "no bytes at all end at once with a code that is in the page" {
    empty() {
        local status=0
        timeout 20 "$1" >out 2>err </dev/null || status=$?
        case $status in
        0) ;;
        2 | 4) complaint "$1" && [ ! -s out ] ;;
        *) echo "exit $status"; return 1 ;;
        esac
    }
    for_all empty
}

@test "an extra operand or option after -- is an operand" {
    dashes() {
        [ "$1" != graft ] || return 0
        local status=0
        timeout 20 "$1" -- --version >out 2>err </dev/null || status=$?
        [ $status -ne 0 ] && complaint "$1" && ! grep -q '^stream' out
    }
    for_all dashes
}

@test "an empty name is wrong use" {
    # As of a variable of a script that was never set.
    empty_name() {
        local option names='FILE|[A-Z]*DIR|RUN|PATH'
        wrong_use "$1" '' || return 1
        for option in $("$1" --help |
            sed -nE "s/^  .* (--[a-z-]*) ($names)( .*)?$/\1/p"); do
            [ "$option" = --config ] || wrong_use "$1" "$option=" || return 1
            echo "$1 $option" >>tried
        done
    }
    wrong_use() {
        local status=0
        timeout 20 "$@" >out 2>err </dev/null || status=$?
        [ $status -eq 2 ] && complaint "$1" && [ ! -s out ]
    }
    for_all empty_name
    [ "$(wc -l <tried)" -gt 15 ]
}

@test "the locale changes nothing" {
    local_words() {
        local what
        for what in --help --version; do
            LC_ALL=C "$1" $what >c </dev/null &&
                LC_ALL=tr_TR.UTF-8 LANG=tr_TR.UTF-8 LC_NUMERIC=de_DE.UTF-8 \
                    "$1" $what >tr </dev/null && cmp c tr || return 1
        done
    }
    for_all local_words
}

@test "a reader that leaves early ends a program quietly" {
    early() {
        "$1" --help 2>err </dev/null | true
        [ ! -s err ]
    }
    for_all early
}

@test "the completion is a script that bash takes" {
    completion() {
        "$1" --help=complete >script && bash -n script &&
            grep -q -- --version script
    }
    for_all completion
}

@test "a stream is refused by a terminal before any work is done" {
    repo_small repo 2
    printf 'int x;\n' >a.h
    echo a.h | fromfiles >text
    vocabtrain -q --size 257 -o tok.json text
    tokenize -t tok.json text >tokens
    mkdir model
    cp "$root"/tests/golden/models/llama/{config.json,model.safetensors} \
        model
    refused() {
        local status=0
        python3 "$root/tests/terminal.py" --size 200,24 bash -c "$1" \
            >screen || status=$?
        [ $status -eq 2 ] && [ "$(wc -l <screen)" -eq 1 ] &&
            grep -qE "^[a-z]+: stdout: is a terminal.* tojsonl" screen && return
        echo "exit $status: $1"
        cat screen
        return 1
    }
    refused 'gitscrape repo'
    refused 'echo none.h | fromfiles'
    refused 'echo bad | fromjsonl'
    refused 'echo bad | tokenize -t tok.json text'
    refused 'tokenize -d -t tok.json tokens'
    refused 'quantize --format int8 model'
    # text may go there
    python3 "$root/tests/terminal.py" tokenize -d --raw -t tok.json tokens \
        >screen
    grep -qx 'int x;' screen
}
