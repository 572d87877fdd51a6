#!/usr/bin/env python3
"""Two models side by side, as PyTorch and transformers have them in float64.

    python3 tests/golden/divergence.py > tests/golden/divergence.json

needs torch, transformers, peft and numpy. A row is {"p", "q": logits, "target",
"loss": of p and of q, "kl": KL(P || Q), "same_top"}, the logits rounded to
float32, as models give them; "quantiles" are numpy's of "values":
tests/unit/divergence.c compares. "records" are ids and, of each but the first,
the two losses, KL and whether the likeliest token is the same, by the models
"base" and "compare" of tests/golden/models: tests/unit/compare.c.
"""
import json

import numpy
import torch
import torch.nn.functional as F
from transformers import AutoModelForCausalLM

from models import make_exact

MODELS = ("llama", "qwen2")
G = torch.Generator().manual_seed(11)


def draw(n):
    return torch.randn(n, generator=G, dtype=torch.float64)


def pairs():
    for n in (1, 2, 61):
        for spread in (0.1, 3, 40):
            p = draw(n) * spread
            yield p, p + draw(n) * 0.01 * spread
            yield p, draw(n) * spread
            yield p, p + 1000  # the same distribution
    far = torch.zeros(7, dtype=torch.float64)
    far[3] = 3000
    yield far, -far   # a probability of Q that is 0 in double
    yield far, far.roll(1)
    tie = torch.tensor([1, 5, 5, 0], dtype=torch.float64)
    yield tie, torch.tensor([1, 4, 5, 0], dtype=torch.float64)
    yield tie, tie - 2


def row(p, q, target):
    a, b = F.log_softmax(p, 0), F.log_softmax(q, 0)
    return {
        "loss": [F.cross_entropy(x, target).item() for x in (p, q)],
        "kl": F.kl_div(b, a, reduction="sum", log_target=True).item(),
        "same_top": bool(p.argmax() == q.argmax()),
    }


def logits_row(i, p, q):
    p, q = p.float().double(), q.float().double()
    target = torch.tensor(i % len(p))
    return {"p": p.tolist(), "q": q.tolist(), "target": target.item(),
            **row(p, q, target)}


def record(models, n):
    ids = torch.randint(0, 96, (n,), generator=G)
    with torch.no_grad():
        p, q = (m(ids[None]).logits[0] for m in models)
    return {"ids": ids.tolist(), "tokens": [
        row(p[i], q[i], ids[i + 1]) for i in range(n - 1)]}


def main():
    models = [AutoModelForCausalLM.from_pretrained(
        "tests/golden/models/" + name, dtype=torch.float32,
        attn_implementation="sdpa").double() for name in MODELS]
    for model in models:
        make_exact(model)
    values = numpy.sort(draw(37).abs().numpy())
    quantiles = {str(s): numpy.percentile(values, 100 * s)
                 for s in (0, 0.1, 0.5, 0.9, 0.99, 0.999, 1)}
    print('{"values":', json.dumps(values.tolist()) + ",")
    print('"quantiles":', json.dumps(quantiles) + ",")
    print('"base": "%s", "compare": "%s",' % MODELS)
    print('"records":', json.dumps([record(models, n)
                                    for n in (12, 2, 9, 17, 1)]) + ",")
    rows = [json.dumps(logits_row(i, p, q)) for i, (p, q) in enumerate(pairs())]
    print('"rows": [' + ",\n".join(rows) + "]}")


main()
