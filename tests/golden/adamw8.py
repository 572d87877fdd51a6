#!/usr/bin/env python3
"""AdamW with moments in 8 bits, as bitsandbytes does it on the CPU.

    python3 tests/golden/adamw8.py [-o tests/golden/adamw8.safetensors]

needs torch, safetensors and bitsandbytes. Its two maps; and of a vector of four
blocks and a part of one, whose gradients are of several sizes (one block's are
0), parameters, codes and scales before the first step and after each.
"""
import argparse

import bitsandbytes as bnb
import bitsandbytes.functional as F
import torch
from safetensors.torch import save_file

N, STEPS = 1100, 4
G = torch.Generator().manual_seed(11)
parser = argparse.ArgumentParser()
parser.add_argument("-o", default="tests/golden/adamw8.safetensors")

p = torch.nn.Parameter(torch.randn(N, generator=G))
opt = bnb.optim.AdamW8bit([p], lr=0.01, betas=(0.9, 0.99), eps=1e-8,
                          weight_decay=0.1, min_8bit_size=1)
size = torch.tensor([1.0, 1e-4, 0.0, 30.0, 1e-7]).repeat_interleave(256)[:N]
blocks = -(-N // 256)
names = {"m": "state1", "v": "state2", "m_scale": "absmax1",
         "v_scale": "absmax2"}
kept = {"p": [p.detach().clone()], "g": [],
        "m": [torch.zeros(N, dtype=torch.uint8)],
        "v": [torch.zeros(N, dtype=torch.uint8)],
        "m_scale": [torch.zeros(blocks)], "v_scale": [torch.zeros(blocks)]}
for _ in range(STEPS):
    p.grad = torch.randn(N, generator=G) * size
    kept["g"].append(p.grad.clone())
    opt.step()
    kept["p"].append(p.detach().clone())
    for name, theirs in names.items():
        kept[name].append(opt.state[p][theirs].clone())
out = {name: torch.stack(values) for name, values in kept.items()}
out["signed"] = F.create_dynamic_map(signed=True)[None]
out["unsigned"] = F.create_dynamic_map(signed=False)[None]
save_file(out, parser.parse_args().o)
