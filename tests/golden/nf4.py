#!/usr/bin/env python3
"""Rows in 4-bit NormalFloat, as bitsandbytes encodes and decodes them.

    python3 tests/golden/nf4.py [-o tests/golden/nf4.safetensors]

needs torch, safetensors and bitsandbytes, whose functions run on the CPU. The
rows are those of x, each of whole blocks of 64: normal numbers of several
sizes, zeros, denormals, the largest floats, one magnitude in many zeros, and
every middle between two values of the code with its neighbours.
"""
import argparse

import bitsandbytes.functional as F
import torch
from safetensors.torch import save_file

G = torch.Generator().manual_seed(7)
WIDTH = 192


def middles():
    """Every middle of two values, and the floats beside it, behind a 1."""
    code = F.get_4bit_type("nf4", device="cpu")
    middle = (code[:-1] + code[1:]) / 2
    up = torch.nextafter(middle, torch.tensor(2.0))
    down = torch.nextafter(middle, torch.tensor(-2.0))
    row = torch.zeros(WIDTH)
    for i, part in enumerate((middle, up, down)):
        row[64 * i] = 1
        row[64 * i + 1:64 * i + 1 + len(part)] = part
    return row


def rows():
    yield middles()
    yield -middles()
    yield torch.zeros(WIDTH)
    for size in (1, 0.02, 3e4, 1e-30, 1e-39, 3e38):
        x = torch.randn(WIDTH, generator=G) * size
        yield x.clamp(-3.4e38, 3.4e38)
    one = torch.zeros(WIDTH)
    one[5], one[70], one[191] = 1e-38, -1e-44, 3.4e38
    yield one
    yield torch.randn(WIDTH, generator=G).bfloat16().float()


parser = argparse.ArgumentParser()
parser.add_argument("-o", default="tests/golden/nf4.safetensors")
x = torch.stack(list(rows()))
code, state = F.quantize_4bit(x, blocksize=64, quant_type="nf4")
back = F.dequantize_4bit(code, state)
save_file({"x": x, "code": code.reshape(len(x), WIDTH // 2),
           "absmax": state.absmax.reshape(len(x), WIDTH // 64),
           "back": back}, parser.parse_args().o)
