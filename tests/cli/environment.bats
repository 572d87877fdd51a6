#!/usr/bin/env bats
# What the system can do to the programs that move data: limits, odd
# descriptors, slow readers, long names.

load helper

setup() {
    cd "$BATS_TEST_TMPDIR"
    made_once . environment documents
}

documents() {
    seq -f '{"text":"document %.0f"}' 30000 >in.jsonl
    fromjsonl in.jsonl >text.gs
    echo in.jsonl >list
}

@test "a full device is an error of every program" {
    for what in 'fromjsonl in.jsonl' 'tojsonl text.gs' 'fromfiles'; do
        run -1 --separate-stderr bash -c "$what <list >/dev/full"
        one_line "${what%% *}: stdout: write: No space left on device"
    done
}

@test "a full file system leaves nothing of a set" {
    mkdir small
    mount -t tmpfs -o size=64k none small 2>mount.err ||
        skip "may not mount a file system"
    for i in $(seq 300); do
        printf '{"text":"%s"}\n' "$(head -c 900 /dev/urandom | base64 -w0)"
    done | fromjsonl >large.gs
    run -1 --separate-stderr shard -o small/set large.gs
    left=$(ls -A small)
    umount small
    [[ $stderr == 'shard: small/set/00000'*'No space left on device' ]]
    [ -z "$left" ]
}

@test "the limit on file sizes is an error, not a signal" {
    run -1 --separate-stderr bash -c \
        'ulimit -f 16; exec shard -o set --size 1M text.gs'
    one_line 'shard: set/00000'
    [[ $stderr == *'write: File too large' ]]
    [ ! -e set ]
    run -1 --separate-stderr bash -c \
        'ulimit -f 16; exec tojsonl text.gs >out'
    one_line 'tojsonl: stdout: write: File too large'
}

@test "too little memory or too few files are errors" {
    need_plain "it takes memory and descriptors"
    failed=0
    for kilobytes in $(seq 8000 500 16000); do
        rm -rf set
        code=0
        (ulimit -v $kilobytes && exec shard -o set text.gs 2>err) || code=$?
        [ "$code" -ne 0 ] || continue
        [ "$code" -eq 1 ]
        [ "$(wc -l <err)" -eq 1 ]
        [ ! -e set ]
        grep -q '^shard: .*memory' err
        failed=$((failed + 1))
    done
    [ $failed -gt 0 ]
    failed=0
    for files in $(seq 4 12); do
        rm -rf set
        code=0
        (exec 2>err; ulimit -n $files; exec shard -o set text.gs) || code=$?
        # 127: too few for the loader
        [ "$code" -ne 0 ] && [ "$code" -ne 127 ] || continue
        [ "$code" -eq 1 ]
        [ "$(wc -l <err)" -eq 1 ]
        [ ! -e set ]
        grep -q 'Too many open files' err
        failed=$((failed + 1))
    done
    [ $failed -gt 0 ]
}

@test "closed standard descriptors are refused" {
    run -2 --separate-stderr bash -c 'exec tojsonl text.gs >&-'
    one_line 'tojsonl: stdout: not open for writing'
    run -2 --separate-stderr bash -c 'exec shard -o set <&-'
    one_line 'shard: stdin: not open for reading'
    [ ! -e set ]
    run -2 --separate-stderr bash -c 'exec fromfiles <.'
    one_line 'fromfiles: stdin: is a directory'
    shard -q -o set text.gs 2>&-
    tojsonl set <&- | cmp - <(tojsonl text.gs)
}

@test "a slow reader of a non-blocking pipe gets all of it" {
    need_tool python3
    tojsonl text.gs >want
    python3 - >got <<'END'
import fcntl, os, subprocess, sys, time
r, w = os.pipe()
flags = fcntl.fcntl(w, fcntl.F_GETFL)
fcntl.fcntl(w, fcntl.F_SETFL, flags | os.O_NONBLOCK)
p = subprocess.Popen(["tojsonl", "text.gs"], stdout=w)
os.close(w)
time.sleep(0.2)
while True:
    part = os.read(r, 30000)
    if not part:
        break
    sys.stdout.buffer.write(part)
    time.sleep(0.002)
sys.exit(p.wait())
END
    cmp got want
}

@test "input in single bytes is read like any other" {
    need_tool python3
    head -n 50 in.jsonl >few.jsonl
    python3 -c '
import subprocess, sys
p = subprocess.Popen(["fromjsonl"], stdin=subprocess.PIPE, bufsize=0)
for byte in open("few.jsonl", "rb").read():
    p.stdin.write(bytes([byte]))
p.stdin.close()
sys.exit(p.wait())' >got.gs
    fromjsonl few.jsonl | cmp - got.gs
}

@test "names that are too long or strange are reported on one line" {
    long=$(head -c 5000 /dev/zero | tr '\0' x)
    run -1 --separate-stderr shard -o "$long" text.gs
    [[ $stderr == *'name too long' || $stderr == *xxx ]]
    [ "${#stderr_lines[@]}" -eq 1 ]
    run -1 --separate-stderr tojsonl $'no\nsuch\e[31mfile'
    one_line 'tojsonl: no\nsuch\x1b[31mfile: No such file or directory'
}

