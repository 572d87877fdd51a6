#!/usr/bin/env bats
# Conversations through the chat template of their base. What templates give
# is tested in tests/unit/jinja.c, what is learned in tests/unit/chat.c.

load helper

# base: a tokenizer with a few marks, and a chat template beside it.
base() {
    seq 400 | jq -R '{text: .}' -c | fromjsonl -q >some.text
    vocabtrain -q --size 300 --special '<|endoftext|>' --special '<|turn|>' \
        --special '<|/turn|>' -o tokenizer.json some.text
    cp "$root/tests/golden/chat/turns.jinja" chat_template.jinja
    echo '{"eos_token":"<|/turn|>"}' >tokenizer_config.json
}

# chat LINE...: their token records as JSON.
chat() {
    printf '%s\n' "$@" | fromjsonl -q >in.text
    tokenize -q -t tokenizer.json in.text >out.tokens
    tojsonl out.tokens
}

hi='{"messages":[{"role":"user","content":"1"},
    {"role":"assistant","content":"2"}]}'
hi=${hi//$'\n'/}

@test "tokenize lays a chat out by the template beside the tokenizer" {
    base
    chat "$hi" '{"text":"7"}' >out
    tokenize -t tokenizer.json -q -d --raw out.tokens >text
    printf '%s\n' '<|turn|>system' 'You are of help.<|/turn|>' \
        '<|turn|>user' '1<|/turn|>' '<|turn|>assistant' '2<|/turn|>' 7 |
        head -c -1 | diff - text
    # "2", the end of the turn, a newline; and no end behind it
    [ "$(jq -s '.[0].mask | add' out)" -eq 3 ]
    [ "$(jq -s '.[0].ids[-1] == .[1].ids[-1]' out)" = false ]
    head -n 20 out.tokens | grep -aq '^prov .* chat-template=[0-9a-f]*'
    verify -q out.tokens
}

@test "tokenize takes a chat template from tokenizer_config.json or an option" {
    base
    chat "$hi" >want
    jq -n --rawfile t chat_template.jinja '{chat_template: $t}' \
        >tokenizer_config.json
    rm chat_template.jinja
    chat "$hi" | cmp - want
    echo '{}' >tokenizer_config.json
    chat "$hi" >plain
    cmp <(jq -c .mask plain) <(jq -c '.mask | map(1)' plain)
    run -4 --separate-stderr tokenize -t tokenizer.json --template chat \
        in.text
    one_line 'tokenize: no chat template beside the tokenizer (expected'
    echo '{{ strftime_now("%d.%m.%Y") }}{% for m in messages %}{{
        m.content }}{% endfor %}' >own
    tokenize -q -t tokenizer.json --chat-template own --template chat \
        in.text | tokenize -q -t tokenizer.json -d --raw >text
    [ "$(cat text)" = 26.07.202412 ]
    tokenize -q -t tokenizer.json --chat-template own --template chat \
        --date 2031-02-03 in.text | tokenize -q -t tokenizer.json -d --raw \
        >text
    [ "$(cat text)" = 03.02.203112 ]
    for day in today 2031-02-30 2031-2-3 2031-02-03x; do
        run -2 --separate-stderr tokenize -t tokenizer.json --date "$day" \
            in.text
        one_line "tokenize: --date (found $day, expected YYYY-MM-DD)"
    done
}

@test "tokenize finds no special tokens in what people wrote" {
    base
    line='{"messages":[{"role":"user","content":"<|/turn|>"},
        {"role":"assistant","content":"<|turn|>"}]}'
    line=${line//$'\n'/}
    chat "$line" >out
    end=$(jq '.added_tokens[] | select(.content == "<|/turn|>") | .id' \
        tokenizer.json)
    [ "$(jq "[.ids[] | select(. == $end)] | length" out)" -eq 3 ]
    tokenize -q -t tokenizer.json --marks in.text | tojsonl >out
    [ "$(jq "[.ids[] | select(. == $end)] | length" out)" -eq 4 ]
}

@test "tokenize names the chat that its template refuses" {
    base
    odd='{"messages":[{"role":"user","content":"1"},
        {"role":"narrator","content":"x"},{"role":"assistant","content":"2"}]}'
    cp "$root/tests/golden/chat/inst.jinja" chat_template.jinja
    printf '%s\n' "$hi" "${odd//$'\n'/}" "$hi" | fromjsonl -q >in.text
    echo '{"bos_token":"","eos_token":""}' >tokenizer_config.json
    run -4 --separate-stderr tokenize -q -t tokenizer.json in.text
    one_line "tokenize: in.text: record 1: ./chat_template.jinja:18: the \
chat template refuses: Roles must alternate"
    echo '{"messages":[{"role":"user","content":"1"}]}' |
        fromjsonl -q >in.text
    run -4 --separate-stderr tokenize -q -t tokenizer.json in.text
    one_line "tokenize: in.text: record 0: a conversation without a message of"
    tokenize -q -t tokenizer.json --loss all in.text | tojsonl |
        jq -e '.mask | all(. == 1)'
    echo '{% include "x" %}' >chat_template.jinja
    run -4 --separate-stderr tokenize -q -t tokenizer.json in.text
    one_line "tokenize: in.text: record 0: ./chat_template.jinja:1: the tag \
'include' is not supported"
    echo '{"text":"no chat"}' | fromjsonl -q |
        tokenize -q -t tokenizer.json >out
    verify -q out
    echo "$hi" | fromjsonl -q >in.text
    echo '{% for i in range(99999999) %}{% endfor %}' >chat_template.jinja
    run -5 --separate-stderr tokenize -q -t tokenizer.json in.text
    one_line "tokenize: in.text: record 0: "
}

@test "a template that has no end, or asks for what there is not, is told" {
    base
    for i in 1 2 3; do echo "$hi"; done | fromjsonl -q >in.text
    while IFS='|' read -r code text template; do
        printf %s "$template" >chat_template.jinja
        run -$code --separate-stderr tokenize -q -t tokenizer.json in.text
        one_line "tokenize: in.text: record 0: ./chat_template.jinja:1: $text"
    done <<'END'
5|over |{% for i in range(9999) %}{% set n = range(9999) | list %}{% endfor %}
5|nested more than |{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}
5|over |{% set s = 'aaaaaaaaa' * 9999999 %}{{ s ~ s ~ s }}
5|over |{{ 'a' * 99999999999 }}
4|the filter 'groupby' is not supported|{{ messages | groupby('role') }}
4|the attribute __class__ is not supported|{{ messages.__class__ }}
4|the tag 'extends' is not supported|{% extends 'x' %}
4|'open' is undefined|{{ open('/etc/passwd') }}
4|the chat template refuses: no|{{ raise_exception('no') }}
4|the template ends |{% for m in messages %}{{ m.content }}
END
    printf '{{ %s1%s }}' "$(printf '%099999d' 0 | tr 0 '(')" \
        "$(printf '%099999d' 0 | tr 0 ')')" >chat_template.jinja
    run -5 --separate-stderr tokenize -q -t tokenizer.json in.text
    one_line 'tokenize: in.text: record 0: ./chat_template.jinja:1: nested more'
}

@test "commits and conversations have one answer to what is learned" {
    base
    cp "$root/tests/golden/chat/inst.jinja" chat_template.jinja
    echo '{"bos_token":"","eos_token":""}' >tokenizer_config.json
    hi='{"messages":[{"role":"user","content":"1"},
        {"role":"assistant","content":"2"}]}'
    hi=${hi//$'\n'/} doc='{"text":"no chat"}'
    commit='{"kind":"commit","path":"a","subject":"s",
        "change":"- 1\n@@ -0,0 +1,1 @@\n+x\n"}'
    commit=${commit//$'\n'/}
    says() { # LINE...
        printf '%s\n' "$@" | fromjsonl -q >in.text
        tokenize -q -t tokenizer.json in.text | tojsonl --exact |
            jq -r '.keys.loss // empty'
    }
    [ "$(says "$hi")" = target ]
    [ "$(says "$commit")" = all ]
    [ "$(says "$doc")" = all ]
    # of a document all is the target
    [ "$(says "$doc" "$hi" "$doc")" = target ]
    [ "$(says "$doc" "$commit" "$doc")" = all ]
    printf '%s\n' "$doc" "$commit" "$hi" | fromjsonl -q >in.text
    run -4 --separate-stderr tokenize -q -t tokenizer.json in.text
    one_line "tokenize: in.text: record 2: what is learned of a chat (found \
target, expected all, as of the first records): --loss is for all of them"
    printf '%s\n' "$hi" "$commit" | fromjsonl -q >in.text
    run -4 --separate-stderr tokenize -q -t tokenizer.json in.text
    one_line "tokenize: in.text: record 1: what is learned of a commit (found"
    for loss in all target; do
        tokenize -q -t tokenizer.json --loss $loss in.text | tojsonl >$loss
    done
    cmp all target
    # one layout for all, and one answer for all segments
    cat <(fromjsonl -q <<<"$commit") <(fromjsonl -q <<<"$hi") >both.text
    run -4 tokenize -q -t tokenizer.json both.text
    tokenize -q -t tokenizer.json --template chat both.text | verify -q -
}

@test "a message of the assistant's that has no weight is not learned" {
    base
    talk() { # WEIGHT WEIGHT: the masked text of a chat of two answers
        echo "{\"messages\":[{\"role\":\"user\",\"content\":\"1\"},
            {\"role\":\"assistant\",\"content\":\"2\"$1},
            {\"role\":\"user\",\"content\":\"3\"},
            {\"role\":\"assistant\",\"content\":\"4\"$2}]}" |
            tr -d '\n' >in.jsonl
        echo >>in.jsonl
        fromjsonl -q in.jsonl >in.text
        tokenize -q -t tokenizer.json --template chat in.text | tojsonl |
            jq -c '[.ids, .mask] | transpose | map(select(.[1] == 1)[0])'
    }
    tagged='{% for m in messages %}{% if m.role == "assistant" %}'
    tagged+='{% generation %}{{ m.content }}{% endgeneration %}{% else %}'
    tagged+='{{ m.content }}{% endif %}{% endfor %}'
    for template in "$(<chat_template.jinja)" "$tagged"; do
        echo "$template" >chat_template.jinja
        both=$(talk '' ',"weight":1')
        second=$(talk ',"weight":0' '')
        first=$(talk '' ',"weight":0')
        jq -n --argjson a "$first" --argjson b "$second" \
            --argjson both "$both" -e '$a + $b == $both and $a != []
            and $b != []'
        [ "$(talk ',"weight":0' ',"weight":0')" = '[]' ]
    done
    run talk '' ',"weight":0.5'
    run -4 --separate-stderr tokenize -q -t tokenizer.json in.text
    one_line "tokenize: in.text: record 0: messages[3]: weight (found 0.5"
}

@test "tokenize names a message that the template passes over" {
    base
    echo '{% for m in messages if m.role != "alien" %}{{ m.content }}
        {%- endfor %}' >chat_template.jinja
    odd='{"messages":[{"role":"user","content":"1"},
        {"role":"alien","content":"x"},{"role":"assistant","content":"2"}]}'
    printf '%s\n' "$hi" "${odd//$'\n'/}" | fromjsonl -q >in.text
    run -4 --separate-stderr tokenize -q -t tokenizer.json in.text
    one_line "tokenize: in.text: record 1: messages[1] of role 'alien': the \
chat template writes nothing of it"
    echo '{% for m in messages %}{% if m.role != "system" or loop.first %}{{
        m.content }}{% endif %}{% endfor %}' >chat_template.jinja
    echo "${odd//$'\n'/}" | sed 's/"user"/"system"/; s/"alien"/"system"/' |
        fromjsonl -q >in.text
    tokenize -t tokenizer.json --stats stats.json in.text >out 2>err
    grep -q '1 left out: system-message (0 of 0 edited lines, 1 tokens)' err
    [ "$(jq -c '.reasons["system-message"]' stats.json)" = \
        '{"parts":1,"edited_lines":0,"tokens":1}' ]
    [ "$(tokenize -q -t tokenizer.json -d --raw out)" = 12 ]
}

@test "tokenize leaves out and counts an exchange over the limit" {
    base
    long='{"messages":[{"role":"user","content":"11 12 13 14 15 16 17"},
        {"role":"assistant","content":"2"}]}'
    printf '%s\n' "$hi" "${long//$'\n'/}" | fromjsonl -q >in.text
    n=$(tokenize -q -t tokenizer.json in.text | tojsonl | head -n 1 |
        jq '.ids | length')
    tokenize -t tokenizer.json --max-tokens "$n" in.text >out 2>err
    grep -q '1 left out: over-max-tokens' err
    [ "$(tojsonl out | wc -l)" -eq 1 ]
}

@test "tokenize cuts a chat over the limit at its turns" {
    base
    jq -nc '{messages: [{role: "system", content: "7"}, (range(100) |
        {role: "user", content: "\(.)"},
        {role: "assistant", content: "\(. + 1)"})]}' | fromjsonl -q >in.text
    tokenize -q -t tokenizer.json --max-tokens 200 --stats stats.json \
        in.text >out
    tojsonl out >parts
    [ "$(wc -l <parts)" -gt 2 ]
    jq -e '.ids | length <= 200' parts >/dev/null
    # of one conversation, so of one group
    [ "$(jq -c '[.text_id, .ordinal, .group]' parts | sort -u | wc -l)" -eq 1 ]
    [ "$(jq .texts stats.json)" -eq 1 ]
    [ "$(jq .kept.parts stats.json)" -eq "$(wc -l <parts)" ]
    [ "$(jq .left_out.parts stats.json)" -eq 0 ]
    tokenize -q -t tokenizer.json --max-tokens 200 --offsets in.text >lines
    jq -e '.text | startswith("<|turn|>system\n7<|/turn|>\n<|turn|>user\n")
        and endswith("<|/turn|>\n")' lines
    jq -r '. as $l | [range(.ids | length) | select($l.mask[.] == 1) |
        $l.text[$l.offsets[.][0]:$l.offsets[.][1]]] | add' lines |
        sed '/^$/d; s/<.*//' | diff <(seq 100) -
}

@test "a chat's tokens do not depend on the number of threads" {
    base
    for i in $(seq 200); do
        echo "${hi/1/$i}"
    done | fromjsonl -q >in.text
    tokenize -q -t tokenizer.json --threads 1 in.text >one
    tokenize -q -t tokenizer.json --threads 2 in.text | cmp - one
}

# like_sft TOKENIZER NAME EOS [tools]: 1,000 conversations by TRL's template of
# that name, with its own for training, have TRL's ids and labels.
like_sft() {
    local json=$GRAFT_SHARED/tokenizers/$1/tokenizer.json peft=$root/tests/peft
    local templates
    templates=$("$PEERS/bin/python" -c \
        'import trl; print(trl.__path__[0])')/chat_templates
    ln -sf "$json" tokenizer.json
    jq -n --arg eos "$3" '{eos_token: $eos}' >tokenizer_config.json
    "$PEERS/bin/python" "$peft/chats.py" 1000 "${@:4}" >lines
    "$PEERS/bin/python" -W ignore "$peft/sft.py" "$json" lines "$2" "$3" \
        2>err | jq -c '.[]' >theirs
    fromjsonl -q lines | tokenize -q -t tokenizer.json \
        --chat-template "$templates/$2_training.jinja" | tojsonl |
        jq -c '.ids, .mask' >ours
    [ "$(wc -l <ours)" -eq 2000 ]
    cmp theirs ours # two lines for each: the ids, the labels that are not -100
}

@test "1,000 conversations have the ids and labels of TRL's SFTTrainer" {
    if ! "${PEERS:-none}/bin/python" -c 'import datasets, trl' 2>err; then
        skip "PEERS names no Python with trl"
    fi
    need_shared tokenizers/qwen2.5
    need_shared tokenizers/phi3-mini
    like_sft qwen2.5 qwen2_5 '<|im_end|>' tools
    like_sft phi3-mini phi3 '<|endoftext|>'
}
