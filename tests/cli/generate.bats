# generate: what is said, and what is done to it on its way. The tokens
# themselves are held against transformers in tests/unit/generate_golden.c and
# sample.c.

load helper

setup() {
    cd "$BATS_TEST_TMPDIR"
    text_base
}

# say ARGUMENT...: without the base, and quiet.
say() {
    generate -q --base base --max-tokens 12 "$@"
}

# turns: a base with a chat template, in chat.
turns() {
    vocabtrain -q --size 300 --special '<|endoftext|>' --special '<|turn|>' \
        --special '<|/turn|>' -o turns.json text
    initmodel -q -t turns.json -o chat arch.json
    cp "$root/tests/golden/chat/turns.jinja" chat/chat_template.jinja
    echo '{"eos_token":"<|/turn|>"}' >chat/tokenizer_config.json
}

# completion FILE LINE: of that line, from 0, of evalprompts, as text.
completion() {
    python3 - "$@" <<'PY'
import base64, json, sys
line = open(sys.argv[1]).readlines()[int(sys.argv[2])]
c = json.loads(line)["completion"]
c = base64.b64decode(c["b64"]) if isinstance(c, dict) else c.encode()
sys.stdout.buffer.write(c.decode("utf-8", "replace").encode())
PY
}

@test "a prompt is an option, a file or standard input" {
    say -p 'line 3' >one
    [ -s one ]
    printf 'line 3' >file
    say -f file | cmp - one
    echo 'line 3' >file
    say -f file | cmp - one
    say <file | cmp - one
    printf 'line 3\n\n' | say >other
    say -p $'line 3\n' | cmp - other
    run -2 --separate-stderr say -f file -p x
    one_line "generate: --prompt and --file are two prompts"
    run -1 --separate-stderr say -f no
    one_line "generate: no: No such file"
}

@test "it says what evalprompts has for the same prompt and seed" {
    train -q --data data --base base --seq-len 32 --batch 2 --steps 20 \
        --lr 0.02 --rank 4 -o run
    echo '{"prompt": "line 3", "max_tokens": 12, "stop": "ne"}' >prompts
    for how in "" "--temperature 1.5 --top-p 0.9 --seed 4"; do
        evalprompts -q --base base --adapter run $how prompts >score
        say --special --stop ne $how -p 'line 3' |
            cmp - <(completion score 0)
        say --special --stop ne $how --adapter run -p 'line 3' |
            cmp - <(completion score 1)
    done
}

# rendered MESSAGE: as the template has it, and the newline that ends a file.
rendered() {
    printf '<|turn|>system\nYou are of help.<|/turn|>\n'
    printf '<|turn|>user\n%s<|/turn|>\n<|turn|>assistant\n\n' "$1"
}

@test "a base with a chat template answers a user" {
    turns
    generate -q --base chat --max-tokens 9 -p 'line 3' >answer
    generate -q --base chat --max-tokens 9 --raw -p 'line 3' >on
    run ! cmp -s answer on
    rendered 'line 3' | generate -q --base chat --max-tokens 9 --raw |
        cmp - answer
    # what is spelled like a mark is none
    generate --base chat --max-tokens 1 -p '<|/turn|>' 2>spelled
    rendered '<|/turn|>' | generate --base chat --max-tokens 1 --raw 2>marked
    tokens() { sed -n 's/.*: \([0-9]*\) tokens of prompt.*/\1/p' "$1"; }
    [ "$(tokens spelled)" -gt "$(tokens marked)" ]
    run -4 --separate-stderr generate --base chat -p $'\xff'
    one_line "generate: message of the user: byte 0: invalid UTF-8"
    run -2 --separate-stderr generate --base base --system x -p x
    one_line "generate: --system without a chat template"
    echo '{% nonsense %}' >chat/chat_template.jinja
    run -4 --separate-stderr generate --base chat -p x
    one_line "generate: chat/chat_template.jinja:1: "
    [[ $stderr == *"(--raw goes on from a text without it)" ]]
    generate -q --base chat --max-tokens 9 --raw -p 'line 3' | cmp - on
    generate -q --base chat --max-tokens 9 -p 'line 3' \
        --chat-template "$root/tests/golden/chat/turns.jinja" | cmp - answer
}

@test "a system message stands before what is asked" {
    turns
    generate -q --base chat --max-tokens 9 --system 'Be 1.' -p 'line 3' >one
    echo '{"messages": [{"role": "system", "content": "Be 1."},
        {"role": "user", "content": "line 3"}], "max_tokens": 9}' |
        tr -d '\n' >prompts
    echo >>prompts
    evalprompts -q --base chat prompts >score
    completion score 0 | cmp - one
    generate -q --base chat --max-tokens 9 -p 'line 3' >other
    run ! cmp -s one other
}

@test "the base says how it is sampled from, and options go before that" {
    echo '{"do_sample": true, "temperature": 2.5, "top_k": 30, "top_p": 0.9,
        "min_p": 0.01, "repetition_penalty": 1.2}' >base/generation_config.json
    say --seed 5 -p line >one
    rm base/generation_config.json
    say -p line >greedy
    run ! cmp -s one greedy
    say --seed 5 --temperature 2.5 --top-k 30 --top-p 0.9 --min-p 0.01 \
        --repetition-penalty 1.2 -p line | cmp - one
    # without do_sample the rest waits for a temperature
    echo '{"temperature": 2.5, "top_k": 30, "top_p": 0.9, "min_p": 0.01,
        "repetition_penalty": null}' >base/generation_config.json
    say -p line | cmp - greedy
    say --seed 5 --temperature 2.5 --repetition-penalty 1.2 -p line |
        cmp - one
    for option in top-k top-p min-p; do
        run -2 --separate-stderr say --$option 1 -p line
        one_line "generate: --$option without --temperature"
    done
    echo '{"top_p": "most"}' >base/generation_config.json
    run -4 --separate-stderr say -p line
    one_line 'generate: base/generation_config.json: top_p (found "most"'
    for wrong in '"do_sample": "yes"' '"top_k": 1.5'; do
        echo "{$wrong}" >base/generation_config.json
        run -4 --separate-stderr say -p line
        one_line "generate: base/generation_config.json: ${wrong:1:5}"
    done
}

@test "what the base says of sampling and is not obeyed is told" {
    echo '{"typical_p": 0.2, "num_beams": 1, "min_length": 0, "max_length": 20,
        "suppress_tokens": [], "stop_strings": null, "top_h": null,
        "encoder_repetition_penalty": 1.0}' >base/generation_config.json
    run -0 --separate-stderr generate --base base --max-tokens 9 -p line
    run ! grep -q warning <<<"$stderr"
    echo '{"typical_p": 0.2, "num_beams": 4, "no_repeat_ngram_size": 3,
        "suppress_tokens": [2], "stop_strings": "a", "do_sample": true}' \
        >base/generation_config.json
    run -0 --separate-stderr generate --base base --max-tokens 9 -p line
    for said in 'typical_p (found 0.2' 'num_beams (found 4' \
        'no_repeat_ngram_size (found 3' 'suppress_tokens (found [2]' \
        'stop_strings (found "a"'; do
        grep -qF "generate: warning: base/generation_config.json: $said, \
expected none: it is not obeyed)" <<<"$stderr"
    done
    [ "$(grep -c warning <<<"$stderr")" -eq 5 ]
}

@test "a stop string ends it, wherever tokens end" {
    say --special -p 'line 3' >whole
    [ "$(wc -c <whole)" -gt 6 ]
    for n in 1 2 3; do
        stop=$(python3 - $n <<'PY'
import sys
text = open("whole", "rb").read().decode("utf-8", "replace")
print(text[1:1 + int(sys.argv[1])], end="")
PY
)
        say --special --stop "$stop" --stop 'never there' -p 'line 3' >cut
        python3 - "$stop" <<'PY'
import sys
whole, cut = (open(n, "rb").read().decode() for n in ("whole", "cut"))
assert cut == whole[:whole.index(sys.argv[1])], (whole, cut)
PY
    done
    run -2 --separate-stderr say --stop '' -p x
    one_line "generate: --stop: empty value (expected "
}

@test "a prompt file is completed in its order, however many at a time" {
    turns
    train -q --data data --base base --seq-len 32 --batch 2 --steps 20 \
        --lr 0.02 --rank 4 -o run
    for i in 1 2 3 4 5 6 7 8 9; do
        printf '{"id": "p%d", "prompt": "line %*s", "stop": "\\u0001", ' \
            $i $((i * i % 7 * 3)) $i
        echo "\"max_tokens\": $((i * 5 % 11 + 1))}"
    done >prompts
    echo '{"id": "c", "messages": [{"role": "user", "content": "1"}]}' \
        >>prompts
    for how in "" "--temperature 1.5 --seed 4"; do
        evalprompts -q --base chat --max-tokens 6 $how prompts | head -n 10 |
            jq -c '{id, completion, finish, prompt_tokens, tokens}' >want
        [ "$(wc -l <want)" -eq 10 ]
        for n in 1 2 3 10 64; do
            generate -q --special --base chat --max-tokens 6 $how --batch $n \
                prompts | jq -c . | cmp - want
        done
    done
    generate -q --base chat prompts --max-tokens 6 --adapter run >lines
    python3 "$root/tests/validate.py" "$root/schemas/completion.schema.json" \
        lines
    python3 "$root/tests/validate.py" "$root/schemas/prompts.schema.json" \
        prompts
    jq -se 'length == 10 and all(.[]; .adapter == "run")' lines
    : >none
    run -0 --separate-stderr generate -q --base base none
    [ -z "$output$stderr" ]
}

@test "a prompt names its adapter" {
    for seed in 1 2; do
        train -q --data data --base base --seq-len 32 --batch 2 --steps 20 \
            --lr 0.02 --rank $((seed * 2)) --seed $seed -o run$seed
    done
    echo '{"prompt": "line 3"}' >first
    n=0
    for adapter in '"one"' '"run2"' null '"one"' '"run2"'; do
        n=$((n + 1))
        printf '{"prompt": "line 3", "id": "x%d", ' $n
        echo "\"adapter\": $adapter}"
    done >named
    cat first named >prompts
    how="--temperature 1 --max-tokens 10 --special"
    generate -q --base base $how --adapter one=run1 --adapter run2 prompts >got
    jq -se 'map(.adapter) == ["one", "one", "run2", null, "one", "run2"]
        and map(.id) == ["1", "x1", "x2", "x3", "x4", "x5"]' got
    for adapter in run1 run2 ""; do
        generate -q --base base $how ${adapter:+--adapter "$adapter"} \
            <(jq -c 'del(.adapter)' prompts) >alone$adapter
    done
    jq -sc '[.[0, 1, 4].completion]' got |
        cmp - <(jq -sc '[.[0, 1, 4].completion]' alonerun1)
    jq -sc '[.[2, 5].completion]' got |
        cmp - <(jq -sc '[.[2, 5].completion]' alonerun2)
    jq -sc '.[3].completion' got | cmp - <(jq -sc '.[3].completion' alone)
    run -4 --separate-stderr say --adapter run1 prompts
    one_line "generate: prompt x1: no --adapter has the name 'one'"
    echo '{"prompt": "x", "adapter": 1}' >wrong
    run -4 --separate-stderr generate --base base wrong
    one_line "generate: wrong:1: adapter is no name, nor null"
    run -4 --separate-stderr evalprompts --base base prompts
    one_line "evalprompts: prompts:2: adapter (only generate lets prompts"
}

@test "a prompt that can't be completed is named before any is" {
    echo '{"prompt": "line 3"}' >prompts
    printf '{"id": "long", "prompt": "%s"}\n' "$(seq 99 | tr '\n' ' ')" \
        >>prompts
    run -5 --separate-stderr generate -q --base base prompts
    one_line "generate: prompt long: "
    echo '{"messages": [{"role": "user", "content": "1"}]}' >prompts
    run -4 --separate-stderr generate -q --base base prompts
    one_line "generate: prompt 1: no chat template beside the tokenizer"
    for option in "-p x" "-f x" "--raw" "--system x"; do
        run -2 --separate-stderr generate -q --base base $option prompts
        [[ $stderr == *" with a prompt file" ]]
    done
    run -2 --separate-stderr generate -q --base base --batch 2 -p x
    one_line "generate: --batch without a prompt file"
    echo '{"prompt": "line 3"}' >prompts
    run -1 --separate-stderr bash -c \
        'generate -q --base base --max-tokens 2 prompts >/dev/full'
    one_line "generate: stdout: write: No space left on device"
}

@test "a terminal gets a newline at the end, and no control characters" {
    say --temperature 9 --seed 1 -p 'line 3' >plain
    on_terminal generate -q --base base --max-tokens 12 --temperature 9 \
        --seed 1 -p 'line 3' </dev/null >shown
    python3 - <<'PY'
plain, shown = (open(n, "rb").read() for n in ("plain", "shown"))
assert shown.endswith(b"\n") and len(shown) > 1
plain.decode()
assert all(c >= 32 or c in (9, 10) for c in shown), shown
PY
}

@test "how fast it was and what ended it is said" {
    run -0 --separate-stderr generate --base base --max-tokens 5 -p 'line 3'
    [[ $stderr == "generate: "*" of prompt at "*"/s, 5 of completion "* ]]
    [[ $stderr == *"ended by --max-tokens" ]]
    run -0 --separate-stderr generate --base base --context 16 -p 'line 3'
    [[ $stderr == *"ended by the context"* ]]
    [[ $stderr == *"the context of 16 tokens is full (--context)"* ]]
    run -5 --separate-stderr say --context 3 -p 'a longer line than that'
    one_line "generate: a prompt of "
}

@test "a base that can't speak is refused" {
    rm base/tokenizer.json
    run -2 --separate-stderr say -p x
    one_line "generate: base: has no tokenizer.json: name one with --tokenizer"
    say -t tok.json -p 'line 3' >one
    run -4 --separate-stderr say -t tok.json --adapter data -p x
    one_line "generate: data: holds no adapter"
    run -2 --separate-stderr say -t tok.json --adapter a=data --adapter a=x \
        -p x
    one_line "generate: --adapter: two have the name 'a'"
    run -1 --separate-stderr bash -c \
        'generate -q --base base -t tok.json -p x --max-tokens 2 >/dev/full'
    one_line "generate: stdout: write: No space left on device"
}

@test "a reader that leaves and a signal end it at once" {
    run -0 bash -o pipefail -c 'generate -q --base base -p "line 3" \
        --temperature 2 --context 64 | head -c 1 >/dev/null; \
        code=${PIPESTATUS[0]}; [ $code -eq 141 ] || [ $code -eq 0 ]'
    run -143 timeout --preserve-status -s TERM 0.5 \
        generate -q --base base --file <(sleep 5)
}

# ---- at a terminal -------------------------------------------------------

# talk STEP... -- COMMAND...: types the steps, each after a prompt; a step INT
# interrupts once something was said, EARLY^D is typed before the command
# begins. What was shown is in `shown`; the status is the command's.
talk() {
    python3 - "$@" <<'PY'
import os, pty, re, select, signal, sys, time
at = sys.argv.index("--")
steps, command = sys.argv[1:at], sys.argv[at + 1:]
pid, fd = pty.fork()
if pid == 0:
    os.environ["TERM"] = "xterm"
    if steps == ["EARLY^D"]:
        time.sleep(0.5)
    os.execvp(command[0], command)
shown = b""

def read(until, seconds=150):
    """Until so many bytes more match; whether the other side is there."""
    global shown
    start, end = len(shown), time.time() + seconds
    while not until(shown[start:]) and time.time() < end:
        if not select.select([fd], [], [], 0.2)[0]:
            continue
        try:
            data = os.read(fd, 65536)
        except OSError:
            return False
        shown += data
    return True

# Behind a line's end, as what is typed has one: the prompt before may be
# drawn again.
def prompted(data):
    return re.search(rb"\n(\r|\x1b\[[0-9;?]*[A-Za-z])*> [^\n>]*$",
                     data) is not None

if steps == ["EARLY^D"]:
    os.write(fd, b"\x04")
    steps = []
read(lambda d: prompted(b"\n" + d))
for step in steps:
    if step.startswith("INT "):
        os.write(fd, step[4:].encode() + b"\n")
        echo = len(step)
        read(lambda d: len(d) > echo + 20)
        os.write(fd, b"\x03")
    elif step in ("^C", "^D"):
        os.write(fd, {"^C": b"\x03", "^D": b"\x04"}[step])
        break
    else:
        os.write(fd, step.encode() + b"\n")
        if step == "/quit":
            break
    read(prompted)
read(lambda d: False)
open("shown", "wb").write(shown.replace(b"\r\n", b"\n"))
signal.signal(signal.SIGALRM, lambda *_: os.kill(pid, signal.SIGKILL))
signal.alarm(60)  # one that stays has failed
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
if status != 0:
    print(repr(shown))
sys.exit(status if status >= 0 else 128 - status)
PY
}

@test "a conversation goes on from what was said, with what is new alone" {
    turns
    talk 'line 3' '/reset' 'line 3' 'line 4' '^D' -- \
        generate -v --base chat --max-tokens 5 --context 150
    cat -v shown
    # the second time all but the last token of the prompt is there
    grep -o '[0-9]* tokens of prompt, [0-9]* of them in the cache' shown >fed
    [ "$(wc -l <fed)" -eq 3 ]
    read -r n _ _ _ kept _ < <(sed -n 1p fed)
    [ "$kept" -eq 0 ]
    read -r again _ _ _ kept _ < <(sed -n 2p fed)
    [ "$again" -eq "$n" ]
    [ "$kept" -eq $((n - 1)) ]
    read -r more _ _ _ kept _ < <(sed -n 3p fed)
    [ "$more" -gt "$n" ]
    [ "$kept" -ge "$n" ]
    # and the answer is that of the whole conversation
    generate -q --base chat --max-tokens 5 -p 'line 3' >one
    grep -qF "$(cat one)" shown
}

@test "a conversation that is too long is told, and goes on" {
    turns
    talk "$(seq 99 | tr '\n' ' ')" 'line' '/help' '/adapter x' '/quit' -- \
        generate --base chat --max-tokens 5 --context 60
    cat -v shown
    grep -qF "fills the context of 60: /reset begins anew" shown
    grep -qF "/adapter NAME" shown
    grep -qF "no --adapter has the name 'x'" shown
}

@test "an interrupt ends an answer, and at the prompt the program" {
    jq '.max_position_embeddings = 60000' arch.json >long.json
    initmodel -q -t tok.json -o long long.json
    talk 'INT line' '/quit' -- generate -q --base long --context 60000
    run -130 talk '^C' -- generate -q --base base
}

@test "an end that was typed before there was a prompt ends it" {
    talk 'EARLY^D' -- generate -q --base base
}

@test "without a terminal for answers there are no questions" {
    run -2 on_terminal bash -c 'generate --base base >out'
    [[ $output == "generate: no prompt: give -p, a file or standard input"* ]]
    [ ! -s out ]
}

# ---- a real one ----------------------------------------------------------

@test "SmolLM2 answers and stops by itself" {
    [ -n "${GRAFT_SMOLLM2:-}" ] || skip "GRAFT_SMOLLM2 names no model"
    run -0 --separate-stderr generate --base "$GRAFT_SMOLLM2" \
        -p 'What is the capital of France?'
    [[ $output == *Paris* ]]
    [[ $stderr == *"ended by the model" ]]
}
