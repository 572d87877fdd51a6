#!/usr/bin/env python3
"""Rows in int8, as bitsandbytes encodes and decodes them.

    python3 tests/golden/int8_row.py [-o tests/golden/int8_row.safetensors]

needs torch, safetensors and bitsandbytes, whose functions run on the CPU. The
rows are those of x, which become F16 as Int8Params makes them: normal numbers
of several sizes, zeros, numbers that are no F16, the smallest and the largest
ones, and every middle between two codes with its neighbours.
"""
import argparse

import bitsandbytes as bnb
import torch
from safetensors.torch import save_file

G = torch.Generator().manual_seed(7)
WIDTH = 200


def middles(most):
    """Middles of codes, as F16s, and the F16s beside them, behind the most."""
    middle = (torch.arange(66) * 2 - 65.5) * (most / 127)
    row = torch.zeros(WIDTH)
    half = middle.half()
    up = torch.nextafter(half, torch.tensor(1e4).half())
    row[:198] = torch.stack((half, up, middle.bfloat16().half())).reshape(-1)
    row[199] = most
    return row


def rows():
    for most in (127, -254, 63.5, 0.2, 3.1e-3, 5e-5):
        yield middles(most)
    yield torch.zeros(WIDTH)
    for size in (1, 0.02, 1e4, 1e-4, 1e-6, 2e-8, 1e-30):
        yield (torch.randn(WIDTH, generator=G) * size).clamp(-65519, 65519)
    one = torch.zeros(WIDTH)
    one[5], one[70], one[191] = 2.0 ** -24, -2.0 ** -25, 65504
    yield one
    yield torch.randn(WIDTH, generator=G).bfloat16().float()


parser = argparse.ArgumentParser()
parser.add_argument("-o", default="tests/golden/int8_row.safetensors")
x = torch.stack(list(rows()))
p = bnb.nn.Int8Params(x.clone(), requires_grad=False).to("cpu")
save_file({"x": x, "code": p.data, "absmax": p.SCB.reshape(-1, 1),
           "back": bnb.functional.int8_vectorwise_dequant(p.data, p.SCB)},
          parser.parse_args().o)
