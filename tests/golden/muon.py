#!/usr/bin/env python3
"""Muon, as torch.optim.Muon does it, in double.

    python3 tests/golden/muon.py [-o tests/golden/muon.safetensors]

needs torch (2.9) and safetensors. torch rounds what it makes orthogonal to
bfloat16; here that rounding is left out, and nothing else. Of three matrices
the start, the gradients of three steps, the parameter after each, the mean at
last, and what the rate is multiplied by, in both ways.
"""
import argparse

import torch
from safetensors.torch import save_file
from torch.optim import _muon

G = torch.Generator().manual_seed(14)
CASES = {"wide": (10, 25, "match_rms_adamw"), "tall": (36, 9, "original"),
         "square": (16, 16, "original")}
parser = argparse.ArgumentParser()
parser.add_argument("-o", default="tests/golden/muon.safetensors")


def draw(*shape):
    return torch.randn(*shape, generator=G, dtype=torch.float64)


def trained(start, grads, adjust):
    p = torch.nn.Parameter(start.clone())
    opt = torch.optim.Muon([p], lr=0.01, weight_decay=0.25, momentum=0.9375,
                           adjust_lr_fn=adjust)
    after = []
    for g in grads:
        p.grad = g.clone()
        opt.step()
        after.append(p.detach().clone())
    return torch.stack(after), opt.state[p]["momentum_buffer"]


out = {}
for name, (rows, cols, adjust) in CASES.items():
    start = draw(rows, cols)
    # of few large and many small singular values
    grads = [draw(rows, 2) @ draw(2, cols) + 0.01 * draw(rows, cols)
             for _ in range(3)]
    torch.bfloat16, keep = torch.float64, torch.bfloat16
    after, mean = trained(start, grads, adjust)
    torch.bfloat16 = keep
    out[name + ".start"] = start
    out[name + ".grads"] = torch.cat(grads)
    out[name + ".after"] = after.reshape(-1, cols)
    out[name + ".mean"] = mean
    adjusted = {fn: _muon._adjust_lr(1.0, fn, start.shape)
                for fn in ("match_rms_adamw", "original")}
    out[name + ".adjust"] = torch.tensor(list(adjusted.values()),
                                         dtype=torch.float64)
save_file(out, parser.parse_args().o)
