# --context-from: earlier records that stand before what a model is shown.

load helper

setup_file() {
    cd "$BATS_FILE_TMPDIR"
    token_base 1
    # twenty commits of one repository; what is learned is the end of each
    for i in $(seq 0 19); do
        echo "{\"ids\": [$((i % 3)), $((i % 7 + 3)), 9, $((i % 5 + 10))," \
            "$((i % 4 + 20)), 30, $((i % 6 + 31))]," \
            "\"mask\": [0, 0, 0, 0, 1, 1, 1]," \
            "\"ordinal\": $i, \"time\": $((100 + i)), \"repo\": \"r\"}"
    done | fromjsonl -q --vocab 40 >commits
    shard -q --val 0.1 --test 0.3 -o history commits
    embed -q --base base history >vectors
}

setup() {
    cd "$BATS_FILE_TMPDIR"
}

# with_context OPTION...: the held-out commits behind earlier ones.
with_context() {
    evalprompts -q --base base --data history --context-from history \
        --context-vectors vectors "$@"
}

# by_hand RECORDS TOKENS: the same commits, each with what embed and nearest
# find for what stands before its target, as one record of a set.
by_hand() {
    python3 - "$1" "$2" <<'PY'
import json, subprocess, sys
records, tokens = map(int, sys.argv[1:])

def run(command, lines=None):
    text = None if lines is None else "".join(json.dumps(x) + "\n"
                                              for x in lines)
    out = subprocess.run(["bash", "-o", "pipefail", "-c", command],
                         input=text, capture_output=True, text=True,
                         check=True).stdout
    return [json.loads(line) for line in out.splitlines()]

def split(name):
    splits = json.load(open("history/manifest.json"))["splits"]
    (ranges,) = [s["ranges"] for s in splits if s["name"] == name]
    return [i for a, b in ranges for i in range(a, b)]

every = run("tojsonl history")
vectors = run("tojsonl vectors")
train, test = split("train"), split("test")
assert len(train) == 12 and len(test) == 6
queries = []
for i in test:
    at = every[i]["mask"].index(1)
    queries.append({k: every[i][k] for k in ("ordinal", "time", "repo")}
                   | {"ids": every[i]["ids"][:at]})
queries = run("fromjsonl -q --vocab 40 | embed -q --base base | tojsonl",
              queries)
for name, lines in ("set", [vectors[i] for i in train]), ("ask", queries):
    with open(name + ".jsonl", "w") as f:
        f.writelines(json.dumps(x) + "\n" for x in lines)
found = run(f"fromjsonl -q set.jsonl >set && fromjsonl -q ask.jsonl |"
            f" nearest -q --in set --earlier -k {records}")
composed = []
for i, f in zip(test, found):
    before = []
    for near in f["nearest"]:
        before = every[train[near["record"]]]["ids"] + before
    before = before[max(0, len(before) - tokens):]
    composed.append(every[i] | {
        "ids": before + every[i]["ids"],
        "mask": [0] * len(before) + every[i]["mask"]})
run("fromjsonl -q --vocab 40 | shard -q --val 0 --test 0 -o composed",
    [{k: c[k] for k in ("ids", "mask", "ordinal", "time", "repo")}
     for c in composed])
PY
}

@test "records stand before others as by hand, and the target's loss is told" {
    for how in '2 12' '1 40' '3 21'; do
        read -r records tokens <<<"$how"
        rm -rf composed
        by_hand "$records" "$tokens"
        with_context --context-records "$records" --context-tokens "$tokens" \
            --per-record got >score
        evalprompts -q --base base --data composed --split train \
            --per-record want >/dev/null
        jq -es --slurpfile want want 'length == 6
            and ([map(.context.base), ($want | map(.base))] | transpose
                 | all((.[0] - .[1] | fabs) < 1e-6))
            and any(.[]; (.base - .context.base | fabs) > 1e-4)
            and ([.[] | .tokens == 3] | all)' got
        jq -e --slurpfile got got '.context as $c
            | ($got | map(.tokens * .context.base) | add
               / ($got | map(.tokens) | add)) as $loss
            | ($c.base.loss - $loss | fabs) < 1e-6
              and ($c.difference.loss - $c.base.loss + .base.loss | fabs)
                  < 1e-6
              and $c.with == 6 and $c.none == 0 and $c.no_room == 0
              and $c.tokens == ($got | map(.context.tokens) | add)' score
    done
    jq -e '.context | .records == 18 and .cut == 0 and .tokens == 126' score
    python3 "$root/tests/validate.py" "$root/schemas/score.schema.json" score
    python3 "$root/tests/validate.py" "$root/schemas/score.schema.json" got
    with_context --context-records 2 --context-tokens 12 |
        jq -e '.context | .records == 12 and .cut == 6 and .tokens == 72'
}

@test "the same bytes at any number of threads, and an adapter beside" {
    train -q --data history --base base -o run --steps 3 --rank 2 --lr 0.05
    with_context --threads 2 --adapter run >two
    with_context --threads 1 --adapter run | cmp - two
    jq -e '.context | .adapter.loss != .base.loss
        and .adapter_difference.loss != .difference.loss' two
    evalprompts -q --base base --data history --adapter run |
        jq -e --slurpfile with two '.base.loss == $with[0].base.loss
            and .adapter.loss == $with[0].adapter.loss and .context == null'
    with_context --seq-len 6 | jq -e '.context | .no_room == 6 and .with == 0
        and .difference.loss == 0'
}

# set NAME LINE...: a set of these, all of it to train on, and its vectors.
set_of() {
    printf '%s\n' "${@:2}" | fromjsonl -q --vocab 40 |
        shard -q --val 0 --test 0 -o "$1"
    embed -q --base base "$1" >"$1.vectors"
}

# stands LINE: how many records stand before the commit when LINE may.
stands() {
    rm -rf other other.vectors
    set_of other "$1"
    evalprompts -q --base base --data one --split train \
        --context-from other --context-vectors other.vectors |
        jq -c '.context | [.with, .none]'
}

@test "nothing stands there that came with a commit, or after it" {
    local ids='"ids": [1, 2, 3, 4, 5]' r='"repo": "r"' id=00000000000000e1
    set_of one "{$ids, \"mask\": [0,0,0,1,1], \"ordinal\": 5,\
 \"time\": 105, $r, \"edit_id\": \"$id\", \"content_id\": \"$id\",\
 \"commit_id\": \"$id\"}"
    [ "$(stands "{$ids, \"ordinal\": 4, \"time\": 104, $r}")" = '[1,0]' ]
    [ "$(stands "{$ids, \"ordinal\": 5, \"time\": 105, $r}")" = '[0,1]' ]
    [ "$(stands "{$ids, \"ordinal\": 6, \"time\": 104, $r}")" = '[0,1]' ]
    [ "$(stands "{$ids, \"ordinal\": 4, \"time\": 106, $r}")" = '[0,1]' ]
    r='"repo": "s"'
    [ "$(stands "{$ids, \"ordinal\": 6, \"time\": 104, $r}")" = '[1,0]' ]
    [ "$(stands "{$ids, \"ordinal\": 4, \"time\": 105, $r}")" = '[0,1]' ]
    r='"ordinal": 4, "time": 104, "repo": "r"'
    for same in edit_id content_id commit_id; do
        [ "$(stands "{$ids, $r, \"$same\": \"$id\"}")" = '[0,1]' ]
    done
    [ "$(stands "{$ids, $r, \"edit_id\": \"1${id#0}\"}")" = '[1,0]' ]
}

@test "vectors of something else are refused" {
    run_with() {
        run "-$1" --separate-stderr evalprompts -q --base base \
            --data history --context-from "${3-history}" --context-vectors "$2"
    }
    sed 's/16/32/' arch.json >wide.json
    initmodel -q -o wide wide.json
    embed -q --base wide history >of_wide
    run_with 4 of_wide
    one_line "evalprompts: of_wide: vectors of another base (found "
    initmodel -q --seed 7 -o seven arch.json
    embed -q --base seven history >of_seven
    run_with 4 of_seven
    one_line "evalprompts: of_seven: vectors of another base (found "
    train -q --data history --base base -o run1 --steps 1 --rank 2
    embed -q --base base --adapter run1 history >of_run
    run_with 4 of_run
    one_line "evalprompts: of_run: vectors of a base with an adapter"
    embed -q --base base data >of_data
    run_with 4 of_data
    one_line "evalprompts: of_data: vector 0 is not of record 0 of history"
    head -c 200 vectors >short
    run_with 4 short
    run_with 4 vectors data
    one_line "evalprompts: vectors: vector 0 is not of record 0 of data"
    tojsonl --exact vectors | sed 21d | fromjsonl -q >fewer
    run_with 4 fewer
    one_line "evalprompts: fewer: no vector of record 19 of history"
    tojsonl --exact vectors | sed 2,21d | fromjsonl -q >none
    run_with 4 none
    one_line "evalprompts: none: no vector of record 0 of history"
    run_with 1 missing
    run_with 4 commits
    one_line "evalprompts: commits: "
    run_with 4 vectors base
}

@test "options that would not be obeyed are refused" {
    try() {
        run -2 --separate-stderr evalprompts --base base "${@:2}"
        one_line "evalprompts: $1"
    }
    try '--context-vectors without --context-from' --data history \
        --context-vectors vectors
    try '--context-tokens without --context-from' --data history \
        --context-tokens 9
    try '--context-from without --context-vectors' --data history \
        --context-from history
    try '--context-vectors -: ' --data history --context-from history \
        --context-vectors -
    try '--compare with --context-from' --data history --compare base \
        --context-from history --context-vectors vectors
}

# Documents that end in a newline, so that a prompt behind one has the tokens
# of both.
text_history() { made_once . history make_text_history; }

make_text_history() {
    text_base
    for i in $(seq 30); do
        echo "{\"text\": \"line $i says $((i * 37 % 11)) of $i things\\n\"}"
    done | fromjsonl -q | tokenize -q -t tok.json |
        shard -q --val 0 --test 0.3 -o lines
    train -q --data lines --base base -o run --method full --steps 30 \
        --seq-len 32 --lr 0.02 # what it says depends on what it is told
    rm -r base
    mv run/model base
    embed -q --base base lines | shard -q -o vectors
}

@test "prompts stand behind what is most like them" {
    cd "$BATS_TEST_TMPDIR"
    text_history
    args=(--base base --context-from lines --context-vectors vectors)
    printf '{"prompt": "line %s says", "max_tokens": 6}\n' 3 17 >prompts
    run -0 --separate-stderr evalprompts -q "${args[@]}" --context-records 1 \
        prompts
    python3 "$root/tests/validate.py" "$root/schemas/score.schema.json" \
        <(echo "$output")
    jq -se '.[2].prompts.context | .with == 2 and .records == 2' <<<"$output"
    jq -c '.completion // empty' <<<"$output" >scored
    generate -q "${args[@]}" --context-records 1 prompts >said
    python3 "$root/tests/validate.py" \
        "$root/schemas/completion.schema.json" said
    jq -c .completion said | cmp - scored
    # by hand: the record that is found, without the token that ends it
    ids=$(fromjsonl -q <<<'{"text": "line 3 says"}' |
        tokenize -q -t tok.json --end none | tojsonl | jq -c .ids)
    fromjsonl -q --vocab 300 <<<"{\"ids\": $ids}" | embed -q --base base |
        tojsonl | fromjsonl -q >query
    n=$(jq '.splits[] | select(.name == "train").ranges[0][1]' \
        lines/manifest.json)
    tojsonl vectors | head -n "$n" | fromjsonl -q >train
    at=$(nearest -q --in train -k 1 query | jq '.nearest[0].record')
    before=$(tojsonl lines | sed -n "$((at + 1))p" | jq -c '.ids[:-1]')
    jq -es --argjson b "$before" '.[0].context.tokens == ($b | length)' said
    text=$(fromjsonl -q --vocab 300 <<<"{\"ids\": $before}" |
        tokenize -q -t tok.json --decode | tojsonl | jq -r .text; echo .)
    generate -q --base base --max-tokens 6 -p "${text%$'\n'.}line 3 says" >hand
    generate -q "${args[@]}" --context-records 1 --max-tokens 6 \
        -p 'line 3 says' >one
    cmp one hand
    run -1 cmp -s one <(generate -q --base base --max-tokens 6 -p 'line 3 says')
}

@test "what another tokenizer made does not stand before a text" {
    cd "$BATS_TEST_TMPDIR"
    text_history
    vocabtrain -q --size 290 --special '<|endoftext|>' -o other.json text
    tokenize -q -t other.json text | shard -q --test 0.3 -o others
    rm -r base/tokenizer.json vectors # the first would tell
    embed -q --base base lines | shard -q -o vectors
    args=(-q --base base --context-from lines --context-vectors vectors)
    evalprompts "${args[@]}" --data lines
    run -4 --separate-stderr evalprompts "${args[@]}" --data others
    one_line 'evalprompts: lines: made with another tokenizer than what it '
    generate "${args[@]}" --tokenizer tok.json --max-tokens 1 -p 'line 3'
    run -4 --separate-stderr generate "${args[@]}" --tokenizer other.json \
        --max-tokens 1 -p 'line 3'
    one_line 'generate: lines: made with another tokenizer than what it is '
}

@test "what is to be said keeps its place, and conversations are refused" {
    cd "$BATS_TEST_TMPDIR"
    text_history
    args=(--base base --context-from lines --context-vectors vectors)
    printf '{"prompt": "line %s", "max_tokens": 40}\n' 1 2 >prompts
    generate -q "${args[@]}" --context-records 9 prompts >said
    jq -es 'all(.prompt_tokens + 40 == 64)' said
    echo '{"messages": [{"role": "user", "content": "hello"}]}' >chat
    run -2 --separate-stderr generate -q "${args[@]}" chat
    one_line 'generate: prompt 1: --context-from with a conversation'
    run -2 --separate-stderr evalprompts -q "${args[@]}" chat
    one_line 'evalprompts: prompt 1: --context-from with a conversation'
    run -2 --separate-stderr generate --base base --context-records 2 -p x
    one_line 'generate: --context-records without --context-from'
}
