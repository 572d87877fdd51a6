# The schemas of the files that users write agree with what the programs read.

load helper

schemas=$root/schemas

# valid SCHEMA FILE, invalid SCHEMA FILE
valid() { python3 "$root/tests/validate.py" "$schemas/$1.json" "$2"; }
invalid() { run -3 valid "$1" "$2"; }

tiny_run() {
    cat >arch.json <<'EOF'
{"model_type": "llama", "vocab_size": 40, "hidden_size": 16,
 "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2,
 "max_position_embeddings": 64}
EOF
    initmodel -q -o base arch.json
    echo '{"ids": [1, 2, 3, 4]}' | fromjsonl -q --vocab 40 |
        shard -q --val 0 --test 0 -o data
    train -q --data data --base base --steps 1 -o run
}

# What the examples of the man pages work on, made once.
setup_file() {
    mkdir "$BATS_FILE_TMPDIR/made"
    cd "$BATS_FILE_TMPDIR/made"
    bash "$root/tests/man-fixture.sh"
}

made=$BATS_FILE_TMPDIR/made

gitscrape_set() {
    gitscrape -q "$made/project" | shard -q -o commits
}

@test "every schema is a JSON object with a title" {
    for file in "$schemas"/*.json; do
        jq -e '.title and .type == "object"' "$file"
    done
}

@test "run-config.schema.json has train's options and no other key" {
    tiny_run
    cmp <(jq -r '.options | keys[]' run/config.json) \
        <(jq -r '.properties | keys[]' "$schemas/run-config.schema.json")
}

@test "run-config.schema.json has train's defaults" {
    tiny_run
    jq -n --slurpfile run run/config.json \
        --slurpfile schema "$schemas/run-config.schema.json" '
        $run[0].options as $o | $schema[0].properties | to_entries[]
        | select(.value | has("default")) | select(.value.default != $o[.key])
        | .key' >wrong
    [ "$(cat wrong)" = '"loss"' ] # there is what auto came to
}

# The keys of a run file and those of the schema go through the same door:
# each choice that the schema names is taken, another is not.
@test "run-config.schema.json has train's choices and bounds" {
    jq -c '.properties | to_entries[] | .key as $k | .value
        | (.enum // [.minimum, .maximum])[] | select(. != null) | {($k): .}' \
        "$schemas/run-config.schema.json" >good
    jq -c '.properties | to_entries[]
        | select(.value.maximum) | {(.key): (2 * .value.maximum + 1)}' \
        "$schemas/run-config.schema.json" >bad
    [ "$(wc -l <good)" -gt 40 ]
    [ "$(wc -l <bad)" -gt 15 ]
    # An option that is fine leaves the missing --data to complain of.
    while read -r line; do
        echo "$line" >file
        run -2 --separate-stderr train --config file
        one_line "train: --data, --base, --out are missing"
    done <good
    while read -r line; do
        echo "$line" >file
        run -4 --separate-stderr train --config file
        one_line "train: file: "
    done <bad
}

@test "prompts.schema.json has the keys of a prompt and no other" {
    # A value of the wrong type is told of, where the key is known.
    jq -r '.properties | keys[]' "$schemas/prompts.schema.json" >keys
    [ "$(wc -l <keys)" -ge 8 ]
    while read -r key; do
        jq -nc --arg key "$key" '{prompt: "x", ($key): {}}' >file
        run -4 --separate-stderr evalprompts --base "$made/model" file
        [[ $stderr == *"file:1:"*"$key"* ]]
        [[ $stderr != *"unknown key"* ]]
    done <keys
    echo '{"prompt": "x", "colour": 1}' >file
    run -4 --separate-stderr evalprompts --base "$made/model" file
    [[ $stderr == *"unknown key 'colour'"* ]]
    for key in exact contains regex forbidden stop id max_tokens; do
        jq -e --arg key "$key" '.properties[$key]' \
            "$schemas/prompts.schema.json"
    done
}

@test "what the programs write is what the schemas say" {
    tiny_run
    valid set-manifest.schema data/manifest.json
    valid run-manifest.schema run/manifest.json
    valid metrics.schema run/metrics.jsonl
    gitscrape_set
    valid set-manifest.schema commits/manifest.json
    quantize -q --format int8 base | shard -q -o base8
    valid set-manifest.schema base8/manifest.json
    cp "$made/prompts.jsonl" .
    evalprompts -q --base "$made/model" --adapter "$made/run/adapter" \
        --data "$made/data" --seq-len 64 prompts.jsonl >score
    valid score.schema score
    [ "$(wc -l <score)" -eq 5 ]
    valid metrics.schema "$made/run/metrics.jsonl"
    valid prompts.schema prompts.jsonl
    valid arch arch.json
    valid arch "$made/arch.json"
    jq -c '.options | del(.epochs, .tokens)' run/config.json >file
    valid run-config.schema file
    train --config file 2>&1
}

@test "every family is in arch.json, initmodel's page and the README" {
    echo '{"model_type": ""}' >file
    run -4 --separate-stderr initmodel -o x file
    [[ $stderr == *' (expected one of '*')' ]]
    names=${stderr##*' (expected one of '}
    tr -d ' )' <<<"$names" | tr , '\n' >known
    [ "$(wc -l <known)" -ge 5 ]
    cmp known <(jq -r '.properties.model_type.enum[]' "$schemas/arch.json")
    # 'llama, qwen2 and phi', in a line or over several
    list=$(paste -sd , known | sed 's/,/, /g; s/\(.*\), /\1 and /')
    tr -s '\n ' ' ' <"$root/README.md" | grep -qF "of the types $list:"
    mandoc -T utf8 "$root/man/man1/initmodel.1" | col -b | tr -s '\n ' ' ' |
        grep -qF "model_type is one of $list."
}

@test "the schemas refuse what is wrong" {
    tiny_run
    jq -c '.files[0].bytes = -1' data/manifest.json >file
    invalid set-manifest.schema file
    jq -c 'del(.key)' run/manifest.json >file
    invalid run-manifest.schema file
    jq -c '.files."config.json" = "x"' run/manifest.json >file
    invalid run-manifest.schema file
    jq -c '.los = 1' run/metrics.jsonl >file
    invalid metrics.schema file
    echo '{"prompt": "x", "contain": "y"}' >file
    invalid prompts.schema file
    echo '{"rank": 0}' >file
    invalid run-config.schema file
    echo '{"hidden_size": 1}' >file
    invalid arch file
}

@test "scrub-rules.schema.json has the keys of a rule and no other" {
    valid scrub-rules.schema "$root/rules/scrub.json"
    schema=$schemas/scrub-rules.schema.json
    # Of each key a value that is none is refused in its own words.
    for key in $(jq -r '.properties.rules.items.properties | keys[]' \
        "$schema"); do
        jq -n --arg key "$key" '{rules: [{id: "a", type: "KEY", regex: "a"}
            + {($key): {}}]}' >rules
        run -4 --separate-stderr scrub --rules rules /dev/null
        [[ $stderr != *"unknown key"* ]]
    done
    echo '{"rules": [{"id": "a", "type": "KEY", "regexp": "a"}]}' >rules
    invalid scrub-rules.schema rules
    run -4 --separate-stderr scrub --rules rules /dev/null
    [[ $stderr == *"unknown key"* ]]
}

@test "scrub-report.schema.json has what scrub reports" {
    echo '{"kind": "file", "path": "vendor/\u0061", "text": "a@b.org"}' >texts
    echo '{"kind": "file", "path": "a", "text": "ada@acme.org"}' >>texts
    fromjsonl -q texts | scrub -q --report where >clean
    [ "$(wc -l <where)" -eq 2 ]
    while read -r line; do
        echo "$line" >one
        valid scrub-report.schema one
    done <where
    # The filters are those that the program has.
    for name in $(jq -r '.properties.left_out.enum[]' \
        "$schemas/scrub-report.schema.json"); do
        [ "$name" = license ] ||
            fromjsonl -q texts | scrub -q --drop "$name" >clean
    done
    jq -c '.left_out = "nonesuch"' one >bad
    invalid scrub-report.schema bad
}
