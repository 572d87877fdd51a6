#!/usr/bin/env python3
"""The scales of NF4 in 8 bits, as bitsandbytes' double quantisation has them.

    python3 tests/golden/nf4_nested.py [-o tests/golden/nf4_nested.safetensors]

needs torch, safetensors and bitsandbytes, whose functions run on one thread of
an x86 processor. Of several numbers N of scales, each (1 + its index times
2654435761 modulo 2^32, divided by 512 and rounded down, times 2^-23) * 2^-5,
there are offset.N and, up to 5000, code.N and nested.N; "same" is of 300 that
are 0.5. map: what codes stand for.
"""
import argparse

import bitsandbytes.functional as F
import torch
from safetensors.torch import save_file

torch.set_num_threads(1)
parser = argparse.ArgumentParser()
parser.add_argument("-o", default="tests/golden/nf4_nested.safetensors")
found = {"map": F.create_dynamic_map()}


def scales(n):
    i = torch.arange(n, dtype=torch.int64) * 2654435761 % 2**32 // 512
    return ((1 + i.double() * 2**-23) / 32).float()


def add(name, absmax, codes):
    offset = absmax.mean()
    found["offset." + name] = offset.reshape(1)
    if codes:
        code, state = F.quantize_blockwise(absmax - offset, blocksize=256)
        found["code." + name] = code
        found["nested." + name] = state.absmax


for n in 1, 2, 7, 8, 31, 33, 100, 1000, 5000:
    add(str(n), scales(n), True)
for n in 40000, 300001:
    add(str(n), scales(n), False)
add("same", torch.full((300,), 0.5), True)
save_file(found, parser.parse_args().o)
