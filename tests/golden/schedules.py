"""Learning rates by transformers and torch, for tests/unit/schedule.c.

    python3 tests/golden/schedules.py

Writes schedules.json beside itself: rates with a peak of 1, after each call of
step(), and for the plateau the losses that led to them.
"""
import json
import os
import random

import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau
from transformers import get_inverse_sqrt_schedule, get_wsd_schedule

STEPS, FLOOR, DECAY = 60, 0.1, 15


def optimizer():
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)


def rates(make, **options):
    o = optimizer()
    schedule = make(o, **options)
    out = []
    for _ in range(STEPS):
        o.step()
        schedule.step()
        out.append(o.param_groups[0]["lr"])
    return out


def plateau():
    random.seed(5)
    o = optimizer()
    schedule = ReduceLROnPlateau(o, factor=0.5, patience=2, min_lr=0.01)
    losses, out, level = [], [], 3.0
    for i in range(STEPS):
        level *= random.choice([1, 1, 0.99999, 0.97])
        losses.append(float("nan") if i == 7
                      else level + random.choice([0, 0, 0.01]))
        schedule.step(losses[-1])
        out.append(o.param_groups[0]["lr"])
    return {"losses": [None if x != x else x for x in losses],
            "rates": out}


found = {
    "inverse_sqrt": [
        {"warmup": w, "rates": rates(get_inverse_sqrt_schedule,
                                     num_warmup_steps=w)}
        for w in (0, 10)],
    "wsd": [
        {"warmup": w, "decay": DECAY, "rates": rates(
            get_wsd_schedule, num_warmup_steps=w, num_decay_steps=DECAY,
            num_training_steps=STEPS, decay_type="1-sqrt",
            min_lr_ratio=FLOOR)}
        for w in (0, 10)],
    "plateau": plateau(),
}
here = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(here, "schedules.json"), "w") as f:
    json.dump(found, f, indent=0)
    f.write("\n")
