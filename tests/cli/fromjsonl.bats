#!/usr/bin/env bats
# JSON lines in: kinds by keys, what is accepted, what is refused.

load helper

# back LINE...: the lines through fromjsonl and tojsonl.
back() {
    printf '%s\n' "$@" | fromjsonl -q | tojsonl
}

# refused CODE TEXT [OPTION...]: stdin's lines are, with that message.
refused() {
    local code=$1 text=$2
    shift 2
    run -"$code" --separate-stderr fromjsonl "$@" in.jsonl
    one_line "fromjsonl: in.jsonl:"
    [[ $stderr == *"$text"* ]]
}

@test "fromjsonl tells kinds by the keys of each line" {
    run -0 back '{"text":"a"}' '{"messages":[{"role":"user","content":"b"}]}' \
        '{"prompt":"c","completion":"d"}'
    [ "${lines[0]}" = '{"kind":"doc","text":"a"}' ]
    [ "${lines[1]}" = \
        '{"kind":"chat","messages":[{"role":"user","content":"b"}]}' ]
    [[ ${lines[2]} == *'"user","content":"c"'*'"assistant","content":"d"'* ]]
    run -0 back '{"ids":[1,2],"mask":[0,1]}'
    [[ $output == '{"kind":"tokens","ids":[1,2],"mask":[0,1],'* ]]
}

@test "fromjsonl accepts blank lines, CRLF and a BOM" {
    printf '\xef\xbb\xbf{"text":"a"}\r\n\n \t\r\n{"text":"b"}\r\n' >in.jsonl
    run -0 bash -o pipefail -c 'fromjsonl in.jsonl | tojsonl'
    [ "${#lines[@]}" -eq 2 ]
    [ "${lines[0]}" = '{"kind":"doc","text":"a"}' ]
}

@test "fromjsonl takes no lines as an empty data set" {
    for text in '' '\n\n' '\xef\xbb\xbf'; do
        printf "$text" >in.jsonl
        run -0 --separate-stderr bash -o pipefail -c \
            'fromjsonl in.jsonl | tojsonl'
        [ -z "$output$stderr" ]
    done
}

@test "fromjsonl refuses a last line without a newline" {
    printf '{"text":"a"}\n{"text":"b"}' >in.jsonl
    refused 4 'in.jsonl:2: the last line has no newline'
    refused 4 'in.jsonl:2: the last line has no newline' --keep-going
}

@test "fromjsonl refuses what is no JSON or no record, by line and byte" {
    local line
    while IFS='~' read -r line text; do
        printf '{"text":"a"}\n%s\n' "$line" >in.jsonl
        refused 4 "in.jsonl:2: $text"
    done <<'END'
{"text":"a","text":"b"}~byte 12: duplicate key
{"text":"a"~byte 11: ',' or '}'
{"text":"\ud800"}~byte 15: half of a surrogate pair
{"text":01}~byte 9: number with a leading zero
{"a\u0000b":1}~byte 9: NUL character in a key
{"text":"a"} {}~byte 13: trailing bytes
{"other":1}~no known keys (found "other"
{"text":"a","ids":[1]}~ambiguous
["text"]~byte 0: found an array, expected an object
{"kind":"blog"}~byte 8: unknown kind "blog"
END
    printf '{"text":"\xff"}\n' >in.jsonl
    refused 4 'in.jsonl:1: byte 9: invalid UTF-8'
}

@test "fromjsonl refuses nesting of a million levels" {
    head -c 1000000 /dev/zero | tr '\0' '[' >in.jsonl
    echo >>in.jsonl
    refused 4 'nested more than 64 deep'
}

@test "fromjsonl refuses a stream of mixed types" {
    printf '{"text":"a"}\n{"ids":[1]}\n' >in.jsonl
    refused 4 'in.jsonl:2: kinds are mixed (found tokens, expected text)'
}

@test "fromjsonl --keep-going leaves out bad lines and exits 3" {
    printf '{"text":"a"}\n{bad}\n{"text":"b"}\n' >in.jsonl
    run -3 --separate-stderr bash -c \
        'fromjsonl -k in.jsonl >out; rc=$?; tojsonl out; exit $rc'
    [ "${#lines[@]}" -eq 2 ]
    [[ ${stderr_lines[0]} == *'in.jsonl:2: byte 1:'* ]]
    [ "${stderr_lines[1]}" = 'fromjsonl: 1 bad lines left out' ]
    grep -aq '^ledger fromjsonl bad-line 1$' out
}

@test "fromjsonl checks ids against --vocab and records the tokenizer" {
    echo '{"ids":[9]}' >in.jsonl
    echo '{}' >tokenizer.json
    fromjsonl --vocab 10 -t tokenizer.json in.jsonl >out
    grep -aq '^key vocab 10$' out
    grep -aq "^key tokenizer $(b2sum -l 256 <tokenizer.json | cut -c1-64)$" \
        out
    refused 4 'in.jsonl:1: ' --vocab 9
}

@test "fromjsonl tells a missing file from a directory" {
    run -1 --separate-stderr fromjsonl none.jsonl
    one_line 'fromjsonl: none.jsonl: No such file or directory'
    run -2 --separate-stderr fromjsonl .
    one_line 'fromjsonl: .: is a directory'
    run -2 --separate-stderr bash -c 'fromjsonl <&-'
    one_line 'fromjsonl: stdin: not open for reading'
}

@test "what --exact wrote comes back with the same content id" {
    {
        printf '%s\n' '{"text":"a"}' '{"prompt":"c","completion":"d"}' |
            fromjsonl
        printf '%s\n' '{"text":{"b64":"/w=="},"time":5}' | fromjsonl
    } >text.gs
    printf '%s\n' '{"ids":[1,70000],"mask":[0,1]}' '{"ids":[2]}' |
        fromjsonl --vocab 70001 >tokens.gs
    printf '%s\n' '{"kind":"asset","name":"config.json","data":"{}"}' \
        '{"kind":"tensor","name":"w","dtype":"F32","shape":[1]}' \
        '{"kind":"data","b64":"AACA"}' '{"kind":"data","b64":"Pw=="}' |
        fromjsonl >weights.gs
    for type in text tokens weights; do
        tojsonl --exact $type.gs >lines
        fromjsonl lines >back.gs
        diff <(grep -a '^content ' $type.gs) <(grep -a '^content ' back.gs)
        diff <(tojsonl $type.gs) <(tojsonl back.gs)
    done
    [ "$(grep -ac '^content ' text.gs)" -eq 2 ]
}

@test "fromjsonl refuses tensor data that end early or go on too long" {
    local tensor='{"kind":"tensor","name":"w","dtype":"F32","shape":[1]}'
    printf '%s\n' "$tensor" '{"kind":"data","b64":"AACA"}' >in.jsonl
    refused 4 'tensor data end early (1 bytes missing)'
    printf '%s\n' "$tensor" '{"kind":"data","b64":"AACAPwA="}' >in.jsonl
    refused 4 'data without a tensor to take them'
    printf '%s\n' "$tensor" "$tensor" >in.jsonl
    refused 4 "a record amid a tensor's data (4 bytes missing)"
}

@test "fromjsonl reads the examples of its schema, and no others" {
    jq -c '.examples[]' "$root/schemas/jsonl.schema.json" >lines
    [ "$(wc -l <lines)" -ge 5 ]
    while read -r line; do
        echo "$line" | fromjsonl | tojsonl >out
        [ "$(wc -l <out)" -eq 1 ]
    done <lines
    # each kind by its required keys, and none beside another
    keys=$(jq -c '[.oneOf[].required]' "$root/schemas/jsonl.schema.json")
    [ "$keys" = '[["text"],["messages"],["prompt","completion"],["ids"],'$(
        )'["input_ids"]]' ]
    for both in '{"text":"a","ids":[1]}' '{"text":"a","messages":[]}' \
        '{"prompt":"a","completion":"b","text":"c"}' \
        '{"input_ids":[1],"ids":[1]}'; do
        echo "$both" >in.jsonl
        refused 4 ambiguous
    done
}
