#!/usr/bin/env python3
"""The likeliest tokens after prompts, as transformers' generate gives them,
for tests/unit/generate_golden.c.

    python3 tests/golden/greedy.py > tests/golden/greedy.json

needs torch, transformers (seen: 5.23.0) and the models of tests/golden/models.
{NAME: {"plain": [[prompt, completion], ...], "penalty": ...}}, lists of ids.
Every token is the likeliest by more than 1e-4 in float64, so that float32 has
to take it, too; with "penalty" the prompts are completed under a repetition
penalty of 1.5.
"""
import json
import os

import torch
from transformers import AutoModelForCausalLM

MODELS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "models")
LENGTHS = (1, 6, 19, 40)
TOKENS = 20


def prompt(n):
    return [(i * i * 7 + 3 * i + 5 * n) % 96 for i in range(n)]


def complete(model, ids, penalty):
    out = model.generate(  # which would take a 0 of the prompt for padding
        torch.tensor([ids]), attention_mask=torch.ones(1, len(ids)).long(),
        do_sample=False, max_new_tokens=TOKENS,
        min_new_tokens=None, eos_token_id=None, pad_token_id=0,
        repetition_penalty=penalty, output_scores=True,
        return_dict_in_generate=True)
    for scores in out.scores:
        best = scores[0].topk(2).values
        assert best[0] - best[1] > 1e-4, (ids, best)
    got = out.sequences[0].tolist()[len(ids):]
    assert len(got) == TOKENS
    return got


def main():
    out = {}
    for name in sorted(os.listdir(MODELS)):
        model = AutoModelForCausalLM.from_pretrained(
            os.path.join(MODELS, name), dtype=torch.float64,
            attn_implementation="sdpa")
        model.generation_config.eos_token_id = None
        ids = [prompt(n) for n in LENGTHS]
        out[name] = {
            "plain": [[i, complete(model, i, 1.0)] for i in ids],
            "penalty": [[i, complete(model, i, 1.5)] for i in ids]}
    print(json.dumps(out))


main()
