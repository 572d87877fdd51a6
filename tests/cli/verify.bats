# verify, and the format it looks at: streams and sets that are whole, cut,
# swapped or foreign; and an independent reader's opinion of them.

load helper

edit() { python3 "$BATS_TEST_DIRNAME/safetensors.py" "$@"; }

reader() { python3 "$BATS_TEST_DIRNAME/../reader.py" "$@"; }

docs() {
    local i
    for ((i = 1; i <= ${1:-5}; i++)); do
        printf '{"text": "document %d of some words"}\n' "$i"
    done
}

@test "verify says what a stream is" {
    docs | fromjsonl >docs.gs
    run -0 --separate-stderr verify docs.gs
    [ "$output" = "docs.gs: text stream, segments 1, records 5, tensors 0" ]
    [ -z "$stderr" ]
    run -0 bash -c 'cat docs.gs docs.gs | verify -'
    [ "$output" = "stdin: text stream, segments 2, records 10, tensors 0" ]
}

@test "verify shows the ledger with -v" {
    repo_small project
    head -c 3000 /dev/zero >project/zeros.bin
    repo_commit project binary
    gitscrape -q project >p.gs
    run -0 --separate-stderr verify -v p.gs
    [[ $stderr == *"gitscrape left out 1: "* ]]
}

@test "verify refuses an empty input, foreign bytes and a newer version" {
    run -4 --separate-stderr verify - </dev/null
    one_line "verify: stdin: empty input, no header"
    printf 'hello\n' >x
    run -4 --separate-stderr verify x
    one_line "verify: x: not a graft stream"
    printf 'graft stream 7\nsomething else\n' >x
    run -4 --separate-stderr verify x
    one_line "verify: x: stream version (found 7, supported 1 to 2)"
}

@test "verify refuses what is not there, and directories of others" {
    run -1 --separate-stderr verify none
    one_line "verify: none: No such file or directory"
    mkdir dir
    run -4 --separate-stderr verify dir
    one_line "verify: dir: not a complete set"
    run -2 --separate-stderr verify
    one_line "verify: "
}

@test "verify writes what it says or fails" {
    docs | fromjsonl >a.gs
    run -1 --separate-stderr bash -c 'verify a.gs >/dev/full'
    one_line "verify: stdout: No space left on device"
    run -2 --separate-stderr bash -c 'verify - <.'
    one_line "verify: stdin: is a directory"
    run -2 --separate-stderr bash -c 'verify - <&-'
    one_line "verify: stdin: "
    # names are escaped, and the message stays one line
    printf 'x' >$'two\nlines\033'
    run -4 --separate-stderr verify $'two\nlines\033'
    one_line 'verify: two\nlines\x1b: not a graft stream'
}

@test "verify tells how many records come before the damage" {
    for ((i = 0; i < 4; i++)); do
        head -c 300000 /dev/urandom | base64 -w 0 | sed 's/.*/{"text": "&"}/'
        echo
    done | fromjsonl >docs.gs
    run -0 verify docs.gs
    # two records fill a frame
    size=$(stat -c %s docs.gs)
    head -c $((size - 1000)) docs.gs >cut.gs
    run -4 --separate-stderr verify cut.gs
    one_line "verify: cut.gs:"
    [[ $stderr == *"truncated"*"2 records before it are good" ]]
    python3 - <<'END'
b = bytearray(open("docs.gs", "rb").read())
b[len(b) // 4] ^= 1
open("flip.gs", "wb").write(b)
END
    run -4 --separate-stderr verify flip.gs
    one_line "verify: flip.gs:"
    [[ $stderr == *"does not match its hash; 0 records before"* ]]
}

@test "verify goes on to the next path and keeps the first failure's status" {
    docs | fromjsonl >a.gs
    head -c 100 a.gs >cut.gs
    run -4 --separate-stderr verify cut.gs none a.gs
    [ "${#stderr_lines[@]}" -eq 2 ]
    [ "$output" = "a.gs: text stream, segments 1, records 5, tensors 0" ]
}

@test "verify checks sets: swapped, missing, unlisted and changed files" {
    docs 400 | fromjsonl | shard -q -o set --size 4K
    run -0 --separate-stderr verify set
    [[ $output == "set: text set, files "*", records 400, tensors 0"* ]]
    [ -z "$stderr" ]
    set -- set/*.graft
    [ $# -ge 3 ]
    cp "$1" set/00077-0000000000000000.graft
    run -0 --separate-stderr verify set
    [[ $stderr == *"00077-0000000000000000.graft: is not in the manifest" ]]
    rm set/00077-*
    mv "$1" tmp
    mv "$2" "$1"
    mv tmp "$2"
    run -4 --separate-stderr verify set
    one_line "verify: $1: is not the file in the manifest (found content "
    mv "$1" tmp
    mv "$2" "$1"
    for program in verify tojsonl; do
        run -4 --separate-stderr $program set
        one_line "$program: $2: is missing (named in set/manifest.json)"
    done
    mv tmp "$2"
    sed -i 's/"version": 1/"version": 3/' set/manifest.json
    run -4 --separate-stderr verify set
    one_line "verify: set/manifest.json: "
    [[ $stderr == *"found 3, supported 1 to 2"* ]]
}

@test "verify compares a set's lengths with its records" {
    seq 0 79 | jq -c '{ids: [range(. % 5 + 2)], ordinal: .}' |
        fromjsonl --vocab 10 | shard -q -o set --size 600
    run -0 --separate-stderr verify set
    [ "$output" = "set: tokens set, files $(ls set/*.graft | wc -l), $(
        )records 80, tensors 0, train 72, val 4, test 4" ]
    cp set/lengths-* set/lengths-0123456789abcdef
    run -0 --separate-stderr verify set
    [[ $stderr == *"set/lengths-0123456789abcdef: is not in the manifest" ]]
    rm set/lengths-0123456789abcdef
    # record 74 is of val; its length, and hashes that agree with it
    python3 - <<'END'
import hashlib, os, struct
def hash(b):
    return hashlib.blake2b(b, digest_size=32).hexdigest()
text = open("set/manifest.json").read()
name = [n for n in os.listdir("set") if n.startswith("lengths-")][0]
b = bytearray(open("set/" + name, "rb").read())
os.remove("set/" + name)
old = hash(bytes(b))
struct.pack_into("<I", b, 16 + 74 * 24, 9)
new = hash(bytes(b))
open("set/lengths-" + new[:16], "wb").write(b)
text = text.replace(old, new).replace(name, "lengths-" + new[:16])
at = text.rindex('  "check"')
open("set/manifest.json", "w").write(
    text[:at] + '  "check": "%s"\n}\n' % hash(text[:at].encode()))
END
    run -4 --separate-stderr verify set
    [[ $stderr == "verify: set/000"*".graft: record "*": is not as lengths-"*\
" has record 74 (split val): found 6 tokens, 5 of the target, ordinal 74, $(
        )time 0, expected 9, 5, 74, 0; 74 records before it are good" ]]
    rm set/lengths-*
    run -4 --separate-stderr verify set
    one_line "verify: set/lengths-"
    [[ $stderr == *": is missing (named in set/manifest.json); 0 records"* ]]
}

@test "an independent reader agrees on text, token and weights streams" {
    repo_small project
    gitscrape -q project >text.gs
    for ((i = 0; i < 3000; i++)); do
        echo "{\"ids\": [$i, $((i * 40)), 7], \"mask\": [0, 1, $((i % 2))]}"
    done | fromjsonl >tokens.gs
    cat >arch.json <<'END'
{"model_type": "gpt2", "vocab_size": 300, "n_embd": 130, "n_layer": 1,
 "n_head": 2, "n_positions": 16}
END
    initmodel -q -o model arch.json
    quantize -q --format int8 model >weights.gs
    cat text.gs text.gs >two.gs
    for s in text tokens weights two; do
        reader $s.gs >$s.json
        verify -v $s.gs 2>verified >line
        diff <(jq -r .content $s.json) \
            <(sed -n 's/.*: content //p' verified)
        [[ $(<line) == *", records $(jq -s 'map(.records) | add' $s.json),"* ]]
    done
    for s in text tokens weights; do
        shard -q -o set-$s --size 40K <$s.gs
        reader set-$s >set.json
        verify -v set-$s 2>verified
        diff <(jq -r .content set.json) \
            <(sed -n 's/.*: content //p' verified)
    done
}

@test "an independent reader sees the records that tojsonl shows" {
    docs 3 | fromjsonl >docs.gs
    diff <(reader -r docs.gs | jq -r 'select(.kind) | .fields[0][1]') \
        <(tojsonl docs.gs | jq -r .text)
    printf '{"ids": [1, 70000, 3], "mask": [0, 1, 1]}\n' |
        fromjsonl >ids.gs
    diff <(reader -r ids.gs | jq -c 'select(.kind) | [.ids, .mask]') \
        <(tojsonl ids.gs | jq -c '[.ids, .mask]')
}

@test "the independent reader is one that refuses" {
    docs | fromjsonl >docs.gs
    head -c -1 docs.gs >cut.gs
    run -4 --separate-stderr reader cut.gs
    python3 - <<'END'
b = bytearray(open("docs.gs", "rb").read())
b[-100] ^= 1
open("docs.gs", "wb").write(b)
END
    run -4 --separate-stderr reader docs.gs
}

@test "verify looks at the numbers of models, weight sets and adapters" {
    cat >arch.json <<'END'
{"model_type": "gpt2", "vocab_size": 30, "n_embd": 8, "n_layer": 1,
 "n_head": 2, "n_positions": 16}
END
    initmodel -q -o model arch.json
    run -0 verify model
    [[ $output == "model: gpt2 model, tensors 16, parameters 1256,"* ]]
    quantize -q --format int8 model | shard -q -o base
    run -0 verify base
    [[ $output == *"weights set"*"; gpt2 model, tensors 16,"* ]]
    edit adapter adapter transformer.h.0.attn.c_attn:8:24
    run -0 verify adapter
    [ "$output" = "adapter: adapter, modules 1, rank 2" ]

    edit set model transformer.wte.weight 9 nan
    run -4 --separate-stderr verify model
    one_line "verify: model: tensor transformer.wte.weight: element 9 is"
    quantize -q --format f32 --allow-nonfinite model | shard -q -o nan
    run -4 --separate-stderr verify nan
    one_line "verify: nan: tensor transformer.wte.weight: element 9 is"
    jq '.n_positions = 17' model/config.json >config.json
    mv config.json model/config.json
    run -4 --separate-stderr verify model
    one_line "verify: model: tensor transformer.wpe.weight: bad shape"
    jq '.use_qalora = true' adapter/adapter_config.json >config.json
    mv config.json adapter/adapter_config.json
    run -4 --separate-stderr verify adapter
    one_line "verify: adapter/adapter_config.json: use_qalora (found true"
}

@test "verify checks model directories and runs" {
    cat >arch.json <<'END'
{"model_type": "gpt2", "vocab_size": 50, "n_embd": 16, "n_layer": 1,
 "n_head": 2, "n_positions": 16}
END
    initmodel -q -o model arch.json
    run -0 --separate-stderr verify model
    [[ $output == "model: gpt2 model, tensors "* ]]
    for ((i = 0; i < 40; i++)); do
        printf '{"ids": [1, 2, 3, %d, 5, 6], "mask": [0, 0, 1, 1, 1, 1]}\n' $i
    done | fromjsonl --vocab 50 | shard -q -o data
    train -q --data data --base model -o run --steps 2 --batch 1 --seq-len 16
    run -0 --separate-stderr verify run
    [[ $output == "run: run, complete"* ]]
    file=$(find run/adapter -name '*.safetensors')
    python3 - "$file" <<'END'
import sys
b = bytearray(open(sys.argv[1], "rb").read())
b[-5] ^= 1
open(sys.argv[1], "wb").write(b)
END
    run -4 --separate-stderr verify run
    one_line "verify: "
    truncate -s -1 model/model.safetensors
    run -4 --separate-stderr verify model
    one_line "verify: model/model.safetensors"
}

# fifos DIR FILE COMMAND...: with a FIFO, and a device's name, in the place
# of the file, the command ends at once and names it.
fifos() {
    local file=$1/$2 made
    shift 2
    mv "$file" kept.file
    for made in 'mkfifo' 'ln -s /dev/zero'; do
        $made "$file"
        run -4 --separate-stderr timeout -k 1 10 "$@"
        [[ $stderr == *"$1: $file: not a regular file"* ]]
        rm "$file"
    done
    mv kept.file "$file"
}

@test "a FIFO in the place of a file in a directory hangs nothing" {
    cat >arch.json <<'END'
{"model_type": "gpt2", "vocab_size": 50, "n_embd": 16, "n_layer": 1,
 "n_head": 2, "n_positions": 16}
END
    initmodel -q -o model arch.json
    seq 40 | jq -c '{ids: [1, 2, 3, ., 5, 6]}' | fromjsonl --vocab 50 |
        shard -q -o data
    quantize -q model | shard -q -o base
    train -q --data data --base model -o run --steps 2 --batch 1 \
        --seq-len 16 --save-every 1
    use='--base model --data data --seq-len 16'
    file=$(cd data && ls *.graft)
    fifos data $file verify data
    fifos data $file tojsonl data
    fifos data $file train $use -o new
    file=$(cd data && ls lengths-*)
    fifos data $file verify data
    fifos data $file train $use -o new
    fifos data $file shard -o data <(true)
    file=$(cd base && ls *.graft)
    fifos base $file evalprompts --base base --data data --seq-len 16
    for file in config.json model.safetensors; do
        fifos model $file verify model
        fifos model $file tojsonl model
        fifos model $file train $use -o new
        fifos model $file evalprompts $use
    done
    for file in adapter_config.json adapter_model.safetensors; do
        fifos run/adapter $file verify run/adapter
        fifos run/adapter $file verify run
        fifos run/adapter $file evalprompts $use --adapter run/adapter
    done
    fifos run manifest.json verify run
    fifos run config.json verify run
    step=$(ls -d run/checkpoints/step-* | tail -n 1)
    for file in $(ls $step); do
        fifos $step $file verify run
    done
    mv run/manifest.json kept
    fifos run metrics.jsonl train $use -o run --steps 2 --batch 1 \
        --save-every 1 --resume
    mv kept run/manifest.json
    mv data/manifest.json kept
    mkfifo data/manifest.json
    run -4 --separate-stderr timeout 10 verify data
    one_line "verify: data: "
    run -4 --separate-stderr timeout 10 train $use -o new
    one_line "train: data/manifest.json: not a regular file"
    rm data/manifest.json
    mv kept data/manifest.json
    # what is named itself may be one
    echo '{"text": "a"}' | fromjsonl >docs.gs
    run -0 bash -c 'verify <(cat docs.gs)'
    run -0 bash -c 'train -q --config <(echo "{\"seq-len\": 16}") \
        --data data --base model -o new --steps 1'
}

# a_run: data, model and run, of which two checkpoints are kept.
a_run() {
    cat >arch.json <<'END'
{"model_type": "gpt2", "vocab_size": 50, "n_embd": 16, "n_layer": 1,
 "n_head": 2, "n_positions": 16}
END
    initmodel -q -o model arch.json
    seq 40 | jq -c '{ids: [1, 2, 3, ., 5, 6]}' | fromjsonl --vocab 50 |
        shard -q -o data
    train -q --data data --base model -o run --steps 3 --batch 1 \
        --seq-len 16 --save-every 1 --rank 4
}

@test "verify tells a run that is not complete from one that is" {
    a_run
    verify run
    mv run/manifest.json kept
    run -4 --separate-stderr verify run
    one_line "verify: run: a run that is not complete: its checkpoints are $(
        )good (2, the newest after step 3); train --resume goes on with it"
    # somebody is at it
    python3 - <<'END' &
import fcntl, os, time
f = open("run/.lock", "r+")
fcntl.lockf(f, fcntl.LOCK_EX)
open("locked", "w").close()
while not os.path.exists("enough"):
    time.sleep(0.02)
END
    until [ -e locked ]; do sleep 0.02; done
    run -4 --separate-stderr verify run
    one_line "verify: run: a run that is not complete: process $! is at it, "
    : >enough
    wait
    mv run/checkpoints kept-checkpoints
    run -4 --separate-stderr verify run
    one_line "verify: run: a run that is not complete: it has no checkpoint"
    mv kept-checkpoints run/checkpoints
    # damage goes before
    printf X | dd of=run/checkpoints/step-3/state.json bs=1 seek=20 \
        conv=notrunc status=none
    run -4 --separate-stderr verify run
    one_line "verify: run/checkpoints/step-3/state.json: does not match"
}

@test "verify finds every byte of a run's manifest that was changed" {
    a_run
    cp run/manifest.json whole
    python3 - <<'END'
import subprocess
whole = open("run/manifest.json", "rb").read()
for i in range(0, len(whole), 23):
    b = bytearray(whole)
    b[i] ^= 1
    open("run/manifest.json", "wb").write(b)
    p = subprocess.run(["verify", "run"], stderr=subprocess.PIPE)
    said = p.stderr.startswith(b"verify: run/manifest.json: ")
    assert p.returncode == 4 and said, (i, p)
END
    # written anew with another key, or without its check
    for edit in '.key |= sub("^..."; "000")' \
        'del(.check) | .key |= sub("^..."; "000")' \
        'del(.check) | .files = {}' 'del(.check) | .type = "set"' \
        'del(.check) | .steps = 2'; do
        jq "$edit" whole >run/manifest.json
        run -4 --separate-stderr verify run
        [[ $stderr == "verify: run/manifest.json: "* ]]
    done
    cp whole run/manifest.json
    verify run
    # the identity, with a manifest that goes along, and without one
    cp run/config.json config
    sed 's/"lr": [0-9.e-]*/"lr": 0.5/' config >run/config.json
    run -4 --separate-stderr verify run
    one_line "verify: run/"
    rm run/manifest.json
    run -4 --separate-stderr verify run
    one_line "verify: run/checkpoints/step-2/state.json: key is not that of"
    rm run/config.json
    run -4 --separate-stderr verify run
    one_line "verify: run/config.json: is missing"
}

@test "on a terminal verify prints a line for each count" {
    a_run
    [ "$(on_terminal verify data | tr -s ' ')" = "data: tokens set
 files 1
 records 40
 tensors 0
 train 36
 val 2
 test 2" ]
    on_terminal verify model | grep -qx '  MiB  *0\.0'
    n=$(on_terminal verify data | awk 'NR > 1 { print length }' | uniq | wc -l)
    [ "$n" -eq 1 ]
    [ "$(on_terminal verify run | tr -s ' ')" = "run: run, complete
run: adapter
 modules 4
 rank 4" ]
}
