#!/bin/bash
# run.sh [NAME...] - makes the golden files anew, with the Python of PEERS, and
# shows the change.
#
# A script of this directory gives its command in its first lines, indented:
# "python3 tests/golden/NAME.py [OPTIONAL] ...". Those that need operands
# (words in capitals) are tools and not run here.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${PEERS:+$PEERS/bin/}python3

"$python" -c 'import torch, transformers, peft, tokenizers' &&
    "$python" -c 'import bitsandbytes, gguf' || {
    echo "golden: PEERS must name a Python environment with torch," \
        "transformers, peft, tokenizers, bitsandbytes and gguf" >&2
    exit 1
}
for script in tests/golden/*.py; do
    name=$(basename "$script" .py)
    [ $# -eq 0 ] || [[ " $* " == *" $name "* ]] || continue
    command=$(sed -nE "s|^    python3 ($script.*)|\1|p" "$script" |
        sed -E 's/ \[[^]]*\](\.\.\.)?//g' | head -n 1)
    case $command in
    '' | *\ [A-Z]*) continue ;;
    esac
    echo "== $command"
    case $command in
    *'>'*) # not into the file before the script has ended well
        out=${command#*> }
        "$python" ${command%%>*} >"$out.tmp.$$"
        mv "$out.tmp.$$" "$out"
        ;;
    *) "$python" $command ;;
    esac
done
git --no-pager diff --stat -p
