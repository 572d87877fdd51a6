# The layout fim on the tokenizers of real models: a history and documents,
# put together again from what comes out.

load helper

tokenizers='starcoder2 qwen2.5 deepseek-v4'

# names TOKENIZER: prefix, suffix and middle as it spells them, and its end.
names() {
    case $1 in
        starcoder2) echo '<fim_prefix>' '<fim_suffix>' '<fim_middle>' \
                         '<|endoftext|>' ;;
        qwen2.5) echo '<|fim_prefix|>' '<|fim_suffix|>' '<|fim_middle|>' \
                      '<|endoftext|>' ;;
        deepseek-v4) echo '<｜fim▁begin｜>' '<｜fim▁hole｜>' \
                          '<｜fim▁end｜>' '<｜end▁of▁sentence｜>' ;;
    esac
}

# documents: C files of this project, one as long as several records.
documents() {
    (cd "$root" && ls lib/base/*.[ch] lib/text/uclass_data.c) |
        sed "s|^|$root/|" | fromfiles -q | tojsonl |
        jq -c '{text}' | fromjsonl -q >texts
}

@test "documents can be put together again from what fim makes of them" {
    local of pre suf mid end
    documents
    for of in $tokenizers; do
        need_shared tokenizers/$of/tokenizer.json
        t=$GRAFT_SHARED/tokenizers/$of/tokenizer.json
        read -r pre suf mid end <<<"$(names $of)"
        tokenize -q -t "$t" --template fim --max-tokens 700 texts >tokens
        tojsonl tokens | jq -se 'map(.ids | length) | max <= 700' >&2
        tokenize -q -t "$t" --end none -d tokens | tojsonl |
            jq -c --arg p "$pre" --arg s "$suf" --arg m "$mid" --arg e "$end" '
            .text | rtrimstr($e) | if startswith($p) then ltrimstr($p)
            | split($s) as [$a, $b] | ($b | split($m)) as [$c, $d]
            | (if $a == "" then "spm" else "psm" end), $a + $d + $c
            else "whole", . end' >parts
        sed -n 'n;p' parts | jq -j . | cmp - <(tojsonl texts | jq -j .text)
        sed -n 'p;n' parts | sort | uniq -c >modes
        [ "$(wc -l <modes)" -eq 3 ]
        awk '$1 < 10 { bad = 1 } END { exit bad }' modes
    done
}

@test "prefix, suffix and middle are encoded apart" {
    local of pre suf mid end
    documents
    for of in $tokenizers; do
        need_shared tokenizers/$of/tokenizer.json
        t=$GRAFT_SHARED/tokenizers/$of/tokenizer.json
        read -r pre suf mid end <<<"$(names $of)"
        tojsonl texts | head -n 12 | jq -c '{text: .text[:300]}' |
            fromjsonl -q >short
        fim() { tokenize -q -t "$t" --template fim --fim-rate 1 --end none \
                    --fim-spm-rate "$1" short; }
        # the same cuts in the other order, where the middle is by itself
        fim 0 | tokenize -q -t "$t" --end none -d | tojsonl |
            jq -c --arg m "$mid" '{text: (.text | split($m)[1])}' |
            fromjsonl -q | tokenize -q -t "$t" --template plain --end none |
            tojsonl | jq -c .ids >want
        fim 1 | tojsonl | jq -c '[.ids, .mask // (.ids | map(1))] | transpose
            | map(select(.[1] == 1)[0])' | cmp - want
    done
}

@test "a history as fim depends on no thread, and on its seed" {
    local of n r
    repo_small project
    gitscrape -q project >history
    for of in $tokenizers; do
        need_shared tokenizers/$of/tokenizer.json
        t=$GRAFT_SHARED/tokenizers/$of/tokenizer.json
        for n in 1 2 5; do
            tokenize -q --no-prov -t "$t" --template fim --threads $n \
                history >tokens$n
        done
        cmp tokens1 tokens2
        cmp tokens1 tokens5
        tokenize -q -t "$t" --template fim history | shard -q -o $of
        verify -q $of
    done
    tokenize -q --no-prov -t "$t" --template fim --seed 1 history >other
    run ! cmp -s tokens1 other
    for r in 0 1; do # 0: the prefix first, 1: the suffix
        tokenize -q -t "$t" --template fim --fim-spm-rate $r history |
            tokenize -q -t "$t" --end none -d | tojsonl | jq -r .text |
            grep -c '<｜fim▁begin｜><｜fim▁hole｜>' >spm$r || true
    done
    [ "$(cat spm0)" -lt "$(cat spm1)" ]
}

@test "tokenizers without the tokens are refused by name" {
    documents
    vocabtrain -q --size 300 --special '<|endoftext|>' -o tok.json texts
    run -4 --separate-stderr tokenize -t tok.json --template fim texts
    one_line "tokenize: fim: the tokenizer is of none of its families"
    run -2 --separate-stderr tokenize -t tok.json --fim-rate 1.5 texts
    [[ $stderr == *"--fim-rate"* ]]
}
