#!/usr/bin/env python3
"""Which tokens may be drawn and how likely each is, as transformers' logits
processors have it, for tests/unit/sample.c.

    python3 tests/golden/sample.py > tests/golden/sample.json

needs torch and transformers (seen: 5.23.0). The processors are those that
generate makes of a generation config, in its order. "logits" are rows of
them, "text" the ids before each; a case is {"row": of them, "options": ...,
"probs": {id: probability}} with the tokens that may be drawn, in double.
"""
import json

import torch
from transformers import GenerationConfig, GPT2Config, GPT2LMHeadModel

VOCAB = 40
OPTIONS = [
    {"temperature": 1.0},
    {"temperature": 0.3},
    {"temperature": 2.5},
    {"top_k": 5},
    {"top_k": 1},
    {"top_k": 40},
    {"top_k": 99},
    {"top_p": 0.9},
    {"top_p": 0.2},
    {"top_p": 0.001},
    {"min_p": 0.1},
    {"min_p": 1.0},
    {"min_p": 0.02, "temperature": 1.7},
    {"repetition_penalty": 1.3},
    {"repetition_penalty": 0.7, "temperature": 0.8},
    {"top_k": 12, "top_p": 0.8},
    {"temperature": 0.7, "top_k": 20, "top_p": 0.8, "min_p": 0.05,
     "repetition_penalty": 1.05},
    {"temperature": 1.5, "top_k": 9, "top_p": 0.95, "min_p": 0.2,
     "repetition_penalty": 2.0},
]


def scores(g):
    yield torch.randn(VOCAB, generator=g, dtype=torch.float64) * 3
    yield torch.randn(VOCAB, generator=g, dtype=torch.float64) * 0.1
    ties = torch.randn(VOCAB, generator=g, dtype=torch.float64).round() * 2
    yield ties


def main():
    g = torch.Generator().manual_seed(3)
    model = GPT2LMHeadModel(GPT2Config(
        vocab_size=VOCAB, n_embd=8, n_layer=1, n_head=1))
    rows, texts, cases = [], [], []
    for n, logits in enumerate(scores(g)):
        text = torch.randint(0, VOCAB, (9,), generator=g)
        for options in OPTIONS:
            # of equal tokens, which top_p keeps is nobody's promise
            if n == 2 and "top_p" in options:
                continue
            config = {"do_sample": True, "temperature": 1.0, "top_k": 0,
                      "top_p": 1.0}
            config.update(options)
            chain = model._get_logits_processor(
                generation_config=GenerationConfig(**config),
                input_ids_seq_length=text.numel())
            out = chain(text[None], logits[None].clone())
            probs = torch.softmax(out[0], -1).tolist()
            cases.append({
                "row": n, "options": options,
                "probs": {i: p for i, p in enumerate(probs) if p > 0}})
        rows.append(logits.tolist())
        texts.append(text.tolist())
    print(json.dumps({"logits": rows, "text": texts, "cases": cases}))


main()
