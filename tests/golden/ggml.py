#!/usr/bin/env python3
"""Rows in the blocks of GGUF, and what they mean to the gguf package.

    python3 tests/golden/ggml.py [-o tests/golden/ggml.safetensors]

needs numpy, safetensors and gguf. Of each type, NAME is bytes, a row of
blocks to a row: random codes with scales of usual sizes, every code in all of
its places, the largest scales, subnormal ones, and ones that are zero; and
NAME.back is what gguf.quants.dequantize makes of them.
"""
import argparse

import numpy as np
from gguf import quants
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
from safetensors.numpy import save_file

R = np.random.default_rng(7)
# Where a block has its F16s.
HALVES = {"Q8_0": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0],
          "Q5_1": [0, 2], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}
SCALES = [(0.01, 0.3), (-0.01, 0.02), (65504, -65504), (65504, 65504),
          (6e-8, 6e-5), (-6e-8, 5.9e-5), (0, 0), (-0.0, 0.5), (0.1, -0.0)]


def blocks(name):
    kind = GGMLQuantizationType[name]
    unit, size = GGML_QUANT_SIZES[kind]
    ramp = [bytes((i + k * 17) % 256 for i in range(size)) for k in range(16)]
    drawn = [R.bytes(size) for _ in range(len(SCALES))]
    for i, block in enumerate(drawn + (ramp if unit == 32 else ramp[:3])):
        block = bytearray(block)
        for at, scale in zip(HALVES[name], SCALES[i % len(SCALES)]):
            block[at:at + 2] = np.float16(scale).tobytes()
        yield np.frombuffer(bytes(block), np.uint8)


parser = argparse.ArgumentParser()
parser.add_argument("-o", default="tests/golden/ggml.safetensors")
out = {}
for name in HALVES:
    out[name] = np.stack(list(blocks(name)))
    out[name + ".back"] = quants.dequantize(out[name],
                                            GGMLQuantizationType[name])
save_file(out, parser.parse_args().o)
