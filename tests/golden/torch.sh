#!/bin/bash
# torch.sh - remakes the golden files that PyTorch makes.
#
# PYTHON names an interpreter with torch, transformers, peft and safetensors;
# without these the files stay as they are.
set -eu
cd "$(dirname "$0")"
python=${PYTHON:-python3}
if ! "$python" -c 'import torch, transformers, peft, safetensors' 2>&-; then
    echo "torch.sh: skipped: $python has no torch, transformers and peft"
    exit 0
fi
"$python" ops.py
"$python" models.py
chmod 644 ops.safetensors models/*/*
