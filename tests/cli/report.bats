# report: what its page says is what the runs hold; nothing in it is from
# elsewhere; and what is missing or damaged is said.

load helper

page() { python3 "$BATS_TEST_DIRNAME/page.py" "$@"; }

# texts FILE: what of a page is read, blanks made one.
texts() { sed 's/<[^>]*>/ /g' "$1" | tr -s ' \n' ' '; }

# made_run NAME [STEPS]: a run of made-up numbers, complete.
made_run() {
    mkdir "$1"
    cat >"$1/config.json" <<END
{"identity": {"method": "lora", "rank": ${3:-8}, "run_steps": ${2:-10},
 "base_id": "$(printf 'b%.0s' {1..64})",
 "data_id": "$(printf 'd%.0s' {1..64})"},
 "options": {"data": "data", "base": "base", "out": "$1",
 "rank": ${3:-8}, "lr": 0.002},
 "machine": {"backend": "cpu", "arithmetic": "x", "version": "9.9.9",
 "threads": 2}, "something": {"new": 1}}
END
    echo '{"type": "run", "key": "k", "files": {"adapter/a": "f00d"}}' \
        >"$1/manifest.json"
    awk -v n="${2:-10}" 'BEGIN {
        print "{\"step\": 0, \"val_loss\": 3.25, \"val_half_width\": 0.5}"
        for (i = 1; i <= n; i++)
            printf "{\"step\": %d, \"loss\": %.6f, \"lr\": %.6g, " \
                "\"tokens\": %d, \"tok_s\": 100, \"peak_bytes\": 2097152," \
                " \"grad_norm\": 0.5, \"skipped\": 0}\n",
                i, 1 + 2 / i, 0.002 * (1 - i / n), 1000 * i
        print "{\"step\": " n ", \"val_loss\": 1.5}" }' >"$1/metrics.jsonl"
}

@test "the page of a run has what its files hold" {
    token_base 40
    train -q --data data --base base -o run --steps 4 --batch 1 \
        --seq-len 16 --rank 2 --threads 1
    jq -nc '{kind: "summary", split: "test", records: 12, clusters: 5,
        tokens: 1234, base: {loss: 2.5, half_width: 0.1, perplexity: 12.18},
        adapter: {loss: 2.25, half_width: 0.1, perplexity: 9.49},
        difference: {loss: -0.25, half_width: 0.0625}}' >score.json
    run -0 --separate-stderr report -o r.html run score.json
    [ -z "$stderr$output" ]
    page r.html
    texts r.html >text
    grep -q 'LoRA of rank 2, .*trained on 32 records (224 tokens)' text
    grep -q 'It took 4 of 4 steps, ' text
    grep -qF "$(jq -r .identity.data_id run/config.json)" r.html
    grep -qF "$(jq -r .identity.base_id run/config.json)" r.html
    grep -qF "$(jq -r '.files["adapter/adapter_model.safetensors"]' \
        run/manifest.json)" r.html
    grep -q 'adapter lowers the loss by 0.2500 ± 0.0625' text
    grep -q 'target, base .*2.500 target, adapter .*2.250' text
    # and what the machine tells of itself, which is not the same anywhere
    for figure in Loss 'Learning rate' Throughput 'Norm of the gradient' \
        'Peak of memory'; do
        grep -qF "aria-label=\"$figure by step\"" r.html
    done
    # a set of two runs is there once
    cp -r run again
    [ "$(report run again | grep -c 'By language')" -eq 1 ]
    # the same once more, by another way, and moved with its data
    report run score.json | cmp r.html -
    mkdir there
    mv run data there
    report there/run score.json | cmp r.html -
    mv there/data elsewhere
    report --data elsewhere there/run score.json | cmp r.html -
    run -0 --separate-stderr report -o r.html there/run score.json
    one_line "report: warning: there/run: the data that it learned"
    texts r.html | grep -q 'The data of run are not where it found them'
}

@test "several runs are compared" {
    made_run a 10 8
    mkdir b c
    (cd b && made_run run 20 16)
    (cd c && made_run run 5 8)
    echo '{"kind": "summary", "difference": {"loss": -0.5,
        "half_width": 0.125}, "base": {"loss": 3}}' | jq -c . >s.json
    report -q -o r.html a b/run s.json c/run
    page r.html
    texts r.html >text
    grep -q '3 runs compared' text
    grep -q ' b/run 20 20,000 3 min 20 s 1.100 3.250 1.500 1.500 −0.500 ± '\
'0.125 100 2.0 MiB' text
    grep -q ' c/run 5 5,000 50 s 1.400' text
    # what differs: run_steps and rank, no more
    tr -d '\n' <r.html | grep -qF "<tr><th>rank<td>8<td>16<td>8</tr>"
    tr -d '\n' <r.html | grep -qF '<tr><th>run_steps<td>10<td>20<td>5</tr>'
    [ "$(sed -n '/In what they differ/,/<\/table>/p' r.html |
        grep -c '<tr><th>[a-z_]*<td>')" -eq 2 ]
}

@test "nothing that a run holds is markup" {
    x='</pre><script>alert(1)</script>&"'"'"
    made_run run
    jq -c --arg x "$x" '.options[$x] = $x | .machine.version = $x
        | .options.base = $x' run/config.json >c
    mv c run/config.json
    jq -c --arg x "$x" '.key = $x | .files = {($x): $x}' run/manifest.json >m
    mv m run/manifest.json
    jq -nc --arg x "$x" '{step: 10, ($x): 1}' >>run/metrics.jsonl
    mv run '<script>'
    report -q -o r.html '<script>'
    page r.html
    [ "$(grep -o '&lt;script&gt;' r.html | wc -l)" -gt 8 ]
}

@test "hostile completions stay text" {
    x='</pre><script>alert(1)</script>&"'"'"
    made_run run
    for model in base adapter; do
        jq -nc --arg x "$x" --arg m $model '{id: $x, model: $m, prompt: $x,
            completion: "\($x)\n\t\u0001\u202e", passed: null}'
    done >s.json
    jq -nc '{id: "b", model: "base", completion: {b64: "/wBh"},
        passed: true}' >>s.json
    report -q -o r.html run s.json
    page r.html | jq -s . >pre
    [ "$(jq length pre)" -eq 4 ]
    jq -e --arg x "$x" '.[0] == $x and .[1] == "\($x)\n\t\\x01\\u{202e}"
        and .[3] == "\\xff\\x00a"' pre
}

@test "of the completions those come first that one side alone passed" {
    for model in base adapter; do
        jq -nc --arg m $model '("a", "b", "c", "d") as $id | {id: $id,
            model: $m, completion: $id, passed:
            {a: null, b: true, c: ($m == "base"), d: ($m != "base")}[$id]}'
    done >s.json
    report -q -o r.html s.json
    page r.html | jq -s . >pre
    jq -e '. == ["c", "c", "d", "d", "a", "a", "b", "b"]' pre
}

@test "prompts and completions are cut where a character ends" {
    jq -nc '{id: "a", model: "base", passed: null, prompt: {messages: [
            {role: "system", content: "\("é" * 2000)"},
            {role: "user", content: "and now\n?"},
            {role: "tool", content: [{text: "<b>"}]}]},
        completion: ("x" + "é" * 2000)}' >s.json
    report -q -o r.html s.json
    page r.html | jq -s . >pre
    jq -e '.[0] | test("^…é+\nuser: and now\n\\?\ntool: ")' pre
    jq -e '.[0] | endswith("\ntool: {\"role\":\"tool\",\"content\":" +
        "[{\"text\":\"<b>\"}]}")' pre
    jq -e '.[1] == "x" + "é" * 1999' pre
    texts r.html | grep -q ' 2 bytes more\.'
}

@test "a page says what a score is of, and whether that is the run's" {
    made_run run
    jq -c '.files = {"adapter/adapter_model.safetensors": ("a" * 64)}' \
        run/manifest.json >m
    mv m run/manifest.json
    of() {
        jq -nc --arg b "$1" --arg a "$2" '{kind: "summary", models: {
            base: {path: "my/base", id: ($b * 64)},
            adapter: {path: "run<", id: ($a * 64)}}}' >s.json
        report -q -o r.html run s.json
        page r.html
        texts r.html >text
        grep -q ' Base my/base bbbb.*, adapter run&lt; ' text ||
            [ "$1" != b ]
    }
    of b a
    run -1 grep 'This score is of another' text
    of b c
    grep -q 'of another adapter than the run ended with' text
    of c a
    grep -q 'This score is of another base than the run' text
}

@test "a score is shown in its parts" {
    made_run run
    jq -nc 'def loss(x): {loss: x, half_width: 0.1, perplexity: 9.5};
        def sides: {base: loss(2.5), adapter: loss(2.25),
            difference: {loss: -0.25, half_width: 0.0625}, records: 3,
            clusters: 2, tokens: 77};
        {kind: "summary", split: "test"} + sides + {unheard: {of: 1},
        strata: {language: [{name: "c<"} + sides, {name: null} + sides],
            age: [{name: "oldest", from: 0, to: 86400} + sides]},
        exactness: {records: 9, left_out: 2, spans: 8, base: {exact: 1,
            share: 0.125, half_width: 0.0625, right: 0.25}, adapter: {exact: 3,
            share: 0.375, half_width: 0.0625, right: 0.5,
            right_half_width: 0.125}},
        forgetting: (sides + {difference: {loss: 0.5, half_width: 0.125}}),
        prompts: {n: 4, checked: 3, samples: 5, clusters: 3, gained: 2,
            lost: 1, difference: {share: 0.2, half_width: 0.05},
            base: {passed: 6, share: 0.4, share_low: 0.3, share_high: 0.5,
                pass_at: {"1": 0.4, "2": 0.55}, test: [6, 15]},
            adapter: {passed: 9, share: 0.6, share_low: 0.5,
                share_high: 0.7, pass_at: {"1": 0.6, "2": 0.75},
                test: [9, 15]}}}' >s.json
    report -q -o r.html run s.json
    page r.html
    texts r.html >text
    grep -q 'The adapter raises the loss on other text, .* by 0.5000' text
    grep -q 'of other text loss .* base 2.5000 0.1000 9.50 adapter' text
    grep -q ' c&lt; 3 2 77 2.500 2.250 .*0.250 .* 0.062 not known 3 ' text
    grep -q ' oldest, 1970-01-01 to 1970-01-02 3 2 77 ' text
    grep -q '8 spans of .* 9 records; .* out: 2' text
    grep -q 'adapter 3 37.5% .* 6.2 50.0% .* 12.5' text
    grep -q 'Of 3 prompts with checks, of 5 completions each, the base' text
    grep -q ' pass@2 55.0 *% 75.0 *% test 6 of 15 9 of 15 ' text
    grep -q 'adapter passes 20.0 .* 5.0 percent points more' text
}

@test "a run that goes on, or was killed, is told as it is" {
    made_run run 10
    rm run/manifest.json
    printf '{"step": 11, "loss": 1' >>run/metrics.jsonl
    run -0 --separate-stderr report -o r.html run
    [[ $stderr == *"metrics.jsonl: the last line is cut off"* ]]
    page r.html
    texts r.html | grep -q 'not complete.*It took 10 of 10 steps'
    texts r.html | grep -q 'The last line of metrics.jsonl is cut off'
    # lines that are none
    printf '\nnonsense\n{"step": 12, "loss": null}\n' >>run/metrics.jsonl
    run -0 --separate-stderr report -o r.html run
    [[ $stderr == *"metrics.jsonl: line 13: no line of metrics (2 of them"* ]]
    page r.html
    texts r.html | grep -q 'first is line 13\. .*Not finite: 1 value, '
    # none at all, and no file
    : >run/metrics.jsonl
    report -q -o r.html run
    page r.html
    texts r.html | grep -q 'No step was logged yet'
    rm run/metrics.jsonl
    report -q -o r.html run
    page r.html
    texts r.html | grep -q 'There is no metrics.jsonl'
    # numbers of the machine, and one that nobody knows
    made_run hot
    echo '{"step": 10, "loss": 1, "machine": {"temperature": 71.5},
        "new": {"thing": 3}}' | jq -c . >>hot/metrics.jsonl
    report -q -o r.html hot
    texts r.html | grep -q ' Temperature degrees Celsius '
    texts r.html | grep -q ' new.thing '
    # ended early
    echo '{"type": "run", "ended": "patience",
        "best": {"step": 7, "val_loss": 1.25}}' >run/manifest.json
    report -q -o r.html run
    texts r.html | grep -q 'ended early, .* is that of step 7, .*: 1.250'
    # numbers that can't be drawn
    for v in null 1e999 -1e308 1e308 0; do
        echo "{\"step\": 1, \"loss\": $v, \"lr\": $v, \"tok_s\": $v,
            \"tokens\": $v, \"peak_bytes\": $v}" | tr -d '\n'
        echo
    done >run/metrics.jsonl
    report -q -o r.html run
    page r.html
    run -1 grep -iE '[^a-z](nan|inf)[^a-z]' r.html
    report -q --text run
}

@test "a long run has a small page" {
    made_run run 20000
    report -q -o r.html run
    page r.html
    [ "$(stat -c %s r.html)" -lt 130000 ]
    texts r.html | grep -q 'It took 20,000 of 20,000 steps'
}

@test "what is no run or score is refused, and nothing is left" {
    run -1 --separate-stderr report -o r.html none
    one_line "report: none: no such run or score"
    mkdir empty
    run -4 --separate-stderr report -o r.html empty
    one_line "report: empty: no run of train: config.json is missing"
    echo '{"model_type": "llama"}' >empty/config.json
    run -4 --separate-stderr report -o r.html empty
    one_line "report: empty: no run of train: config.json has no identity"
    echo '{"identity": ' >empty/config.json
    run -4 --separate-stderr report -o r.html empty
    one_line "report: empty/config.json: byte 1"
    echo '{"id": 1}' >s.json
    run -4 --separate-stderr report -o r.html s.json
    one_line "report: s.json: not what evalprompts writes"
    echo 'x' >>s.json
    run -4 --separate-stderr report -o r.html s.json
    one_line "report: s.json: line 2: "
    made_run run
    run -6 --separate-stderr report -o run/metrics.jsonl run/metrics.jsonl
    one_line "report: run/metrics.jsonl: is an input, too"
    run -6 --separate-stderr report -o run/config.json run
    one_line "report: run/config.json: is an input, too"
    [ ! -e r.html ]
    no_leftovers .
    run -1 --separate-stderr bash -c 'report -q run >/dev/full'
    one_line "report: "
}

@test "a terminal gets characters" {
    made_run run
    report -q --text run >text
    grep -q "^ *3.25 |o" text
    grep -q 'steps  *10 of 10$' text
    grep -q 'validation loss  *1.5000 from 3.2500' text
    run awk 'length > 79' text
    [ -z "$output" ]
    run -0 on_terminal report -q run
    diff <(printf '%s\n' "$output") text
}

@test "chromium draws the page without an error" {
    need_tool chromium
    need_plain "the page is the same"
    made_run run 100
    report -q -o r.html run
    timeout 60 chromium --headless --no-sandbox --disable-gpu \
        --user-data-dir="$PWD/profile" --window-size=390,2000 \
        --enable-logging=stderr --dump-dom "file://$PWD/r.html" \
        >dom 2>log
    run -1 grep CONSOLE log
    grep -q '<h2>Options</h2>' dom
}
