# The schemas of the files that users write agree with what the programs read.

load helper

schemas=$root/schemas

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
    [ ! -s wrong ]
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
    # An option that is fine leaves the missing --data to complain of.
    while read -r line; do
        echo "$line" >file
        run -2 --separate-stderr train --config file
        one_line "train: --data is missing"
    done <good
    while read -r line; do
        echo "$line" >file
        run -4 --separate-stderr train --config file
        one_line "train: file: "
    done <bad
}

@test "prompts.schema.json has the keys of a prompt and no other" {
    tiny_run
    jq -c '.properties | keys[] | {prompt: "x", (.): 1}' \
        "$schemas/prompts.schema.json" >lines
    while read -r line; do
        echo "$line" >file
        run evalprompts --base base file
        [[ $output != *"unknown key"* ]]
    done <lines
    for key in exact contains regex forbidden stop id max_tokens; do
        jq -e --arg key "$key" '.properties[$key]' \
            "$schemas/prompts.schema.json"
    done
}
