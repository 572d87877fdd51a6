# evalprompts: suites, samples, and checks that run what a model wrote.

load helper

setup() {
    cd "$BATS_TEST_TMPDIR"
    text_base
}

# commented FILTER: prompts of JSON that end where a comment does, so that what
# a model says there is none of the program. Python that isn't UTF-8 says so.
commented() {
    jq -c '{max_tokens: 3, stop: "\n"} + ('"$1"')'
}

# need_sandbox: skips where programs can't be run.
need_sandbox() {
    jq -nc '{prompt: "x", max_tokens: 1, compiles: "c", test:
        {language: "python", code: "x"}}' >any
    evalprompts -q --base base any 2>why || skip "$(cat why)"
}

@test "what a completion makes compiles, or runs its test, or does not" {
    need_sandbox
    cat >prompts <<'JSON'
{"id": "c", "prompt": "int two(void) { return 2; } //", "compiles": "c"}
{"id": "not c", "prompt": "int two(void) { return } //", "compiles": "c"}
{"id": "python", "prompt": "# coding: latin-1\ndef f(x): return 2 * x #",
 "test": {"language": "python", "code": "assert f(2) == 4"}}
{"id": "wrong", "prompt": "# coding: latin-1\ndef f(x): return 3 * x #",
 "test": {"language": "python", "code": "assert f(2) == 4"}}
{"id": "out", "prompt": "# coding: latin-1\nimport sys; sys.exit(0) #",
 "test": {"language": "python", "code": "assert f(2) == 4"}}
{"id": "passwd", "prompt": "# coding: latin-1\nopen('/etc/passwd') #",
 "test": {"language": "python", "code": "assert True"}}
JSON
    commented . <prompts >file
    python3 "$root/tests/validate.py" "$root/schemas/prompts.schema.json" file
    run -0 --separate-stderr evalprompts -q --base base file
    python3 "$root/tests/validate.py" "$root/schemas/score.schema.json" \
        <(echo "$output")
    jq -r 'select(.id) | "\(.id) \(.passed) \(.why)"' <<<"$output" |
        cut -c 1-60 >got
    cat >want <<'END'
c true null
not c false compiles: exit 1: program.c:1:24: error: expecte
python true null
wrong false test: exit 1: AssertionError
out false test: ended before its test did
passwd false test: exit 1: FileNotFoundError: [Errno 2] No s
END
    diff want got
    jq -se '.[-1].prompts | .base.passed == 2 and .base.compiles == [1, 2]
        and .base.test == [1, 4]' <<<"$output"
}

@test "checks that nobody knows are refused, and the nearest is named" {
    try() {
        echo "{\"prompt\": \"x\", $1}" >file
        run -4 --separate-stderr evalprompts --base base file
        one_line "evalprompts: file:1: $2"
    }
    try '"compile": "c"' "unknown key 'compile' (did you mean 'compiles'?)"
    try '"tests": {}' "unknown key 'tests' (did you mean 'test'?)"
    try '"compiles": "rust"' "compiles: unknown language 'rust' (c or python)"
    try '"compiles": ["c"]' "compiles has no language (c or python)"
    try '"forbidden": []' "forbidden is an empty list, which says nothing"
    try '"test": "x"' "test is not an object with language and code"
    try '"test": {"language": "c"}' "test has no code, or an empty one"
    try '"test": {"code": "x"}' "test has no language (c or python)"
    try '"test": {"code": "x", "language": "c", "lang": 1}' \
        "test: unknown key 'lang' (it has language and code)"
    try '"json": false' "json is not true"
    try '"program": "all"' "program is none of joined, completion and fenced"
    try '"cluster": 1' "cluster is not a string"
}

@test "programs run in a sandbox or not at all" {
    echo '{"prompt": "x", "compiles": "c"}' >file
    unshare -Ur true 2>/dev/null || skip "no namespaces"
    # where a user may make no more of them
    run -1 --separate-stderr unshare -Ur sh -c '
        echo 0 >/proc/sys/user/max_user_namespaces &&
        evalprompts --base base file'
    one_line "evalprompts: no sandbox for programs here (--sandbox landloc"
    echo '{"prompt": "x", "json": true}' >file # runs none
    unshare -Ur sh -c 'echo 0 >/proc/sys/user/max_user_namespaces &&
        evalprompts -q --base base file'
}

# long_base: as base, with room for long prompts.
long_base() {
    jq '.max_position_embeddings = 4096' arch.json >long.json
    initmodel -q -t tok.json -o long long.json
}

@test "HumanEval is read as it is published" {
    need_shared samples/HumanEval.jsonl.gz
    need_sandbox
    zcat "$GRAFT_SHARED/samples/HumanEval.jsonl.gz" >file
    # its own solutions pass; the model's are none
    head -n 2 file | commented '{id: .task_id, cluster: .entry_point,
        prompt: ("# coding: latin-1\n" + .prompt + .canonical_solution + "#"),
        test: {language: "python",
            code: (.test + "\ncheck(" + .entry_point + ")")}}' >solved
    long_base
    evalprompts -q --base long solved >score
    jq -se '.[-1].prompts | .checked == 2 and .base.passed == 2 and
        .clusters == 2' score
    head -n 2 file | evalprompts -q --base long --suite humaneval \
        --max-tokens 4 - >score
    jq -se '.[-1].prompts.base.test == [0, 2] and .[0].id == "HumanEval/0" and
        .[0].tokens <= 4' score
    run -4 --separate-stderr evalprompts --base base --suite mbpp file
    one_line "evalprompts: file:1: no string text: not a line of this suite"
    echo '{"prompt": "x"}' >file
    run -4 --separate-stderr evalprompts --base base --suite humaneval file
    one_line "evalprompts: file:1: no string task_id: not a line of this suit"
}

@test "MBPP is read as it is published" {
    need_shared samples/mbpp.jsonl
    need_sandbox
    head -n 13 "$GRAFT_SHARED/samples/mbpp.jsonl" >file
    long_base
    run -0 --separate-stderr evalprompts -q --base long --suite mbpp \
        --max-tokens 2 file
    jq -se 'map(.id) == ["MBPP/11", "MBPP/12", "MBPP/13", null] and
        (.[-1].prompts | .n == 3 and .left_out == 10 and .base.test == [0, 3])
        ' <<<"$output"
    sed -n 12,13p file >late
    run -4 --separate-stderr evalprompts --base base --suite mbpp late
    one_line "evalprompts: late:1: task 12 comes before tasks 2, 3 and 4"
}

@test "samples are what other seeds draw, and pass@k is of all of them" {
    need_plain "its counts are those of unit/tally"
    for i in 1 2 3; do
        echo "{\"prompt\": \"line $i\", \"max_tokens\": 2,"
        echo '"regex": "[a-m]"}'
    done | jq -c . >file
    run -0 --separate-stderr evalprompts -q --base base --temperature 1 \
        --samples 12 --seed 5 file
    echo "$output" >score
    python3 "$root/tests/validate.py" "$root/schemas/score.schema.json" score
    evalprompts -q --base base --temperature 1 --seed 9 file |
        jq -c 'select(.id) | [.id, .completion]' |
        cmp - <(jq -c 'select(.sample == 4) | [.id, .completion]' score)
    python3 - <<'PY'
import json
from math import comb
lines = [json.loads(line) for line in open("score")]
total = lines.pop()["prompts"]
passed = {i: sum(x["passed"] for x in lines if x["id"] == i) for i in "123"}
assert total["samples"] == 12 and len(lines) == 36, total
assert total["base"]["passed"] == sum(passed.values())
assert sorted(total["base"]["pass_at"]) == ["1", "10", "2", "5"]
assert 0 < sum(passed.values()) < 36
for k, got in total["base"]["pass_at"].items():
    k = int(k)
    want = sum(1 - comb(12 - c, k) / comb(12, k) for c in passed.values()) / 3
    assert abs(got - want) < 1e-12, (k, got, want)
PY
    run -2 --separate-stderr evalprompts --base base --samples 2 file
    one_line "evalprompts: --samples without --temperature: all of them"
}

@test "a gate holds numbers of the summary against bars" {
    echo '{"prompt": "line 1", "max_tokens": 1, "forbidden": "42"}' >file
    echo '{"prompt": "line 2", "max_tokens": 1, "exact": "\u0001"}' >>file
    evalprompts -q --base base file >plain
    gate() {
        run "-$1" --separate-stderr evalprompts -q --base base "${@:2}" file
        cmp plain - <<<"$output"
    }
    gate 0 --fail-below prompts.base.share=0.5 --fail-above prompts.n=2
    gate 5 --fail-below prompts.base.share=0.51
    [ "$stderr" = \
        "evalprompts: prompts.base.share is 0.5, below the bar of 0.51" ]
    gate 5 --fail-below prompts.n=1,prompts.checked=3
    [[ $stderr == *"prompts.checked is 2, below the bar of 3" ]]
    gate 5 --fail-above prompts.n=1e0
    [[ $stderr == *"prompts.n is 2, above the bar of 1e0" ]]
    gate 2 --fail-below prompts.base.shre=0.5
    [[ $stderr == *"the summary has no number prompts.base.shre" ]]
    gate 2 --fail-below prompts.base=1
    for bad in x x= =1 x=y x=nan 'x=1 ' x=inf; do
        run -2 --separate-stderr evalprompts --base base --fail-below "$bad" \
            file
        one_line "evalprompts: --fail-below $bad: not METRIC=NUMBER"
    done
    echo '{"prompt": "line 1", "max_tokens": 1}' >file
    evalprompts -q --base base file >plain
    gate 5 --fail-below prompts.base.share=0
    [[ $stderr == *"prompts.base.share is null, and no number above 0" ]]
}

@test "completions are test cases of JUnit's XML" {
    need_sandbox
    cat >file <<'JSON'
{"id": "<&\">", "prompt": "line 1", "max_tokens": 1, "forbidden": "42"}
{"id": "two", "prompt": "line 2", "max_tokens": 9, "exact": "\u0001",
 "contains": "no"}
{"id": "three", "prompt": "line 3", "max_tokens": 1}
{"id": "four", "prompt": "int //", "max_tokens": 1, "compiles": "c"}
JSON
    jq -c . file >prompts
    evalprompts -q --base base --junit out.xml prompts >score
    python3 - <<'PY'
import json
from xml.etree import ElementTree
lines = [json.loads(line) for line in open("score")]
top = ElementTree.parse("out.xml").getroot()
suite, = top
assert (top.tag, suite.tag, suite.get("name")) == \
    ("testsuites", "testsuite", "base")
counts = {k: suite.get(k) for k in ("tests", "failures", "errors", "skipped")}
assert counts == dict(tests="4", failures="2", errors="0", skipped="1"), counts
cases = list(suite)
assert [c.get("name") for c in cases] == ['<&">', "two", "three", "four"]
assert {c.get("classname") for c in cases} == {"prompts"}
assert [[x.tag for x in c] for c in cases] == \
    [[], ["failure"], ["skipped"], ["failure"]]
assert cases[1][0].get("message") == "exact, contains"
assert cases[3][0].get("message").startswith("compiles: exit 1: program.c:1:")
said = lines[1]["completion"]
if isinstance(said, str) and said.isprintable():
    assert cases[1][0].text == said, (cases[1][0].text, said)
PY
    run -2 --separate-stderr evalprompts --base base --junit - prompts
    one_line "evalprompts: --junit is a file's name: stdout has the output"
    run -6 --separate-stderr evalprompts --base base --junit prompts prompts
    one_line "evalprompts: prompts: is of the input prompts, too"
    run -2 --separate-stderr evalprompts --base base --junit x --data data
    one_line "evalprompts: --junit without a prompt file"
    evalprompts -q --base base --temperature 1 --samples 2 --junit out.xml \
        prompts >score
    [ "$(grep -c '<testcase .* name="two \[[01]\]">' out.xml)" -eq 2 ]
}

@test "a score says what was asked, and of whom" {
    train -q --data data --base base --seq-len 32 --steps 1 --rank 2 -o run
    echo '{"prompt": "line 1", "max_tokens": 1}' >file
    how="-q --base base --adapter run file"
    evalprompts $how >score
    python3 "$root/tests/validate.py" "$root/schemas/score.schema.json" score
    jq -es 'map(.prompt) == ["line 1", "line 1", null]' score
    jq -e --slurpfile run run/config.json --slurpfile made run/manifest.json \
        'select(.kind == "summary").models | . == {
        base: {path: "base", id: $run[0].identity.base_id},
        adapter: {path: "run",
            id: $made[0].files["adapter/adapter_model.safetensors"]}}' score
    evalprompts --no-prov $how | jq -s '.[-1] | has("models") | not'
    evalprompts $how --temperature 1 --samples 2 >score
    jq -es 'map(.prompt) == ["line 1", null, "line 1", null, null]' score
}

# tokens LANGUAGE PATH ORDINAL TIME N: N records of one commit.
tokens() {
    local i
    for ((i = 0; i < $5; i++)); do
        echo "{\"ids\": [$3, $((i % 7)), $((i + $3)), $3, 9]," \
            "\"ordinal\": $3, \"time\": $4, \"lang\": \"$1\"," \
            "\"path\": \"$2\"}"
    done
}

@test "losses are told by language, by path and by age" {
    { tokens C src/a.c 0 100 3; tokens C src/lib/b.c 1 101 1
      tokens Python setup.py 2 102 2; tokens Python src/c.py 3 103 4
      tokens C src/a.c 4 104 1; } |
        fromjsonl -q --vocab 300 | shard -q --val 0 --test 0 -o commits
    train -q --data commits --base base --seq-len 32 --steps 2 --rank 2 -o run
    evalprompts -q --base base --adapter run --data commits --split train \
        --seq-len 32 --by language,age --by repository,path \
        --per-record records >score
    python3 "$root/tests/validate.py" "$root/schemas/score.schema.json" score
    jq -e '(.strata.language | map([.name, .records, .clusters, .tokens])) ==
        [["Python", 6, 2, 24], ["C", 5, 3, 20]] and
        (.strata.age | map([.name, .from, .to, .records])) ==
        [["oldest", 100, 101, 4], ["older", 102, 102, 2],
         ["newer", 103, 103, 4], ["newest", 104, 104, 1]] and
        (.strata.path | map([.name, .records])) ==
        [["src/", 9], ["./", 2]] and
        (.strata.repository | map(.name)) == [null] and
        .strata.repository[0].base == .base and
        .strata.repository[0].difference == .difference' score
    jq -s --slurpfile score score -e '
        (map(select(.ordinal == 2 or .ordinal == 3)) | (map(.tokens * .base)
            | add) / (map(.tokens) | add)) - $score[0].strata.language[0]
            .base.loss | fabs < 1e-9' records
    run -2 --separate-stderr evalprompts --base base --data data --by size
    one_line "evalprompts: --by size: none of language, repository, path "
}

@test "what is forgotten is measured on another set" {
    train -q --data data --base base --seq-len 32 --steps 2 --rank 2 -o run
    echo '{"text": "something else altogether"}' | fromjsonl -q |
        tokenize -q -t tok.json | shard -q --val 0 --test 0 -o prose
    how="-q --no-prov --base base --adapter run --seq-len 32"
    evalprompts $how --data prose --split train >alone
    evalprompts $how --data data >own
    evalprompts $how --data data --forget-data prose --forget-split train \
        >both
    python3 "$root/tests/validate.py" "$root/schemas/score.schema.json" both
    cmp <(jq -c 'del(.kind)' alone) <(jq -c .forgetting both)
    cmp <(jq -c . own) <(jq -c 'del(.forgetting)' both)
    run -4 --separate-stderr evalprompts --base base --data data \
        --forget-data prose
    one_line "evalprompts: prose: no split 'test' (it has train"
    run -2 --separate-stderr evalprompts --base base --forget-data prose
    one_line "evalprompts: nothing to measure"
}

# targets K...: a record a number, whose target is its end.
targets() {
    local k
    for k; do
        echo "{\"ids\": [$k, 3, $((10 + k)), $((20 + k)), 7, $((30 + k))]," \
            "\"mask\": [0, 0, 1, 1, 1, 1], \"ordinal\": $k, \"time\": $k}"
    done
}

@test "records are completed as they are, or as far as they are right" {
    targets 1 2 3 4 5 | fromjsonl -q --vocab 300 |
        shard -q --val 0 --test 0 -o learnt
    train -q --data learnt --base base --seq-len 32 --batch 2 --steps 300 \
        --lr 0.01 --rank 8 --loss target --warmup 0 -o run
    { targets 1 2 3
      # right up to the last, the first wrong, no target, two spans, one of
      # them right by half, one span behind what begins the record and before
      # its end alone, and one that is too long
      echo '{"ids": [4, 3, 14, 24, 7, 99], "mask": [0, 0, 1, 1, 1, 1]}'
      echo '{"ids": [5, 3, 99, 25, 7, 35], "mask": [0, 0, 1, 1, 1, 1]}'
      echo '{"ids": [5, 3, 99, 25, 7, 35], "mask": [0, 0, 0, 0, 0, 0]}'
      echo '{"ids": [2, 3, 12, 22, 7, 99, 0], "mask": [0, 0, 1, 0, 1, 1, 0]}'
      echo '{"ids": [5, 3, 15, 25, 7, 99], "mask": [1, 0, 1, 1, 0, 1]}'
      jq -nc '{ids: [range(65)], mask: [range(65) | . % 65 / 64 | floor]}'
    } | fromjsonl -q --vocab 300 | shard -q --val 0 --test 0 -o asked
    how="-q --base base --adapter run --data asked --split train --seq-len 32"
    evalprompts $how --exactness 99 >score
    python3 "$root/tests/validate.py" "$root/schemas/score.schema.json" score
    jq -e '.exactness | .records == 7 and .clusters == 7 and .left_out == 2 and
        .spans == 8 and .base.exact == 0 and .base.share == 0 and
        .adapter.exact == 5 and .adapter.share == 5 / 8 and
        .adapter.right == (4 * 3 + 3 + 2 + 2) / 25 and
        .difference.right == .adapter.right and
        .difference.share == 5 / 8 and (.difference.half_width
            | . > 0.60 and . < 0.61)' score
    evalprompts $how >without
    cmp <(jq -c . without) <(jq -c 'del(.exactness)' score)
    evalprompts $how --exactness 99 --threads 1 | cmp - score
    evalprompts $how --exactness 99 --context 5 |
        jq -e '.exactness | .records == 0 and .left_out == 9 and
            .adapter.share == null'
    evalprompts $how --exactness 2 |
        jq -e '.exactness | .records + .left_out == 2'
    run -2 --separate-stderr evalprompts --base base --compare base \
        --data asked --split train --exactness 1
    one_line "evalprompts: --compare with --exactness: "
}
