#!/usr/bin/env python3
"""Vectors of texts from transformers' last hidden states, for
tests/cli/embed.bats.

    python3 tests/golden/hidden.py > tests/golden/hidden.json

needs torch, transformers (seen: 5.23.0) and the models of tests/golden/models.
{"ids": [[...], ...], "models": {NAME: {"mean": [[...], ...], "last": ...}}}:
the mean over a text's tokens, and its last one, of last_hidden_state in
float64.
"""
import json
import os

import torch
from transformers import AutoModel

MODELS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "models")
NAMES = "gpt2", "gemma3", "llama", "phi", "qwen3", "starcoder2"
LENGTHS = 1, 6, 19, 40


def text(n):
    return [(i * i * 5 + 2 * i + 7 * n) % 96 for i in range(n)]


def rounded(x):
    return [float("%.9g" % v) for v in x.tolist()]


def main():
    ids = [text(n) for n in LENGTHS]
    models = {}
    for name in NAMES:
        model = AutoModel.from_pretrained(os.path.join(MODELS, name),
                                          dtype=torch.float64)
        with torch.no_grad():
            hidden = [model(torch.tensor([i])).last_hidden_state[0]
                      for i in ids]
        models[name] = {"mean": [rounded(h.mean(0)) for h in hidden],
                        "last": [rounded(h[-1]) for h in hidden]}
    print(json.dumps({"ids": ids, "models": models}))


main()
