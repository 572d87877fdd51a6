"""Trains BASE in torch, in float64, as train has in float32, and holds every
step's loss against it.

    python curve.py BASE RECORDS RUN

RECORDS are lines of {"ids": [...]}, each of seq-len + 1 tokens, so that a row
of a batch is one of them, in the order of lib/data/packer.h; RUN is one of
--method full, in one epoch. Prints how far apart the two curves are at most;
exit 1 if that is 1e-4 or more.
"""
import json
import sys

import torch
import torch.nn.functional as F
from transformers import AutoModelForCausalLM

WINDOW = 1024  # PACK_WINDOW
BOUND = 1e-4


def philox(counter, key):
    """Philox4x32-10 (Salmon et al. 2011)."""
    c, k = list(counter), list(key)
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [b >> 32 ^ c[1] ^ k[0], b & 0xFFFFFFFF,
             a >> 32 ^ c[3] ^ k[1], a & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF,
             (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def permute(i, n, seed):
    """rng_permute of the first epoch."""
    half = 1
    while half < 32 and n - 1 >> 2 * half:
        half += 1
    while True:
        left, right = i >> half, i & (1 << half) - 1
        for turn in range(6):
            mixed = philox([right, turn, 0, 0],
                           [seed & 0xFFFFFFFF, seed >> 32])[0]
            left, right = right, left ^ mixed & (1 << half) - 1
        i = left << half | right
        if i < n:
            return i


def order(n, seed):
    """The records of an epoch, one a row."""
    for at in range(0, n, WINDOW):
        drawn = sorted(permute(i, n, seed)
                       for i in range(at, min(at + WINDOW, n)))
        window = at // WINDOW
        for r in range(len(drawn)):
            yield drawn[permute(r, len(drawn), seed ^ ~window & 2 ** 64 - 1)]


def batches(records, run):
    o = json.load(open(run + "/config.json"))["options"]
    ids = [json.loads(line)["ids"] for line in open(records)]
    rows = list(order(len(ids), o["seed"]))
    size = o["batch"] * o["accum"]
    for at in range(0, len(rows) - size + 1, size):
        yield torch.tensor([ids[r] for r in rows[at:at + size]])


def main():
    base, records, run = sys.argv[1:]
    torch.set_num_threads(2)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float64)
    model.train()
    steps = [json.loads(line) for line in open(run + "/metrics.jsonl")]
    steps = [s for s in steps if "lr" in s]
    adam = torch.optim.AdamW(model.parameters(), weight_decay=0.0)
    worst = 0
    for step, ids in zip(steps, batches(records, run)):
        logits = model(input_ids=ids[:, :-1], use_cache=False).logits
        loss = F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for group in adam.param_groups:
            group["lr"] = step["lr"]
        adam.step()
        adam.zero_grad()
        worst = max(worst, abs(loss.item() - step["loss"]))
    print("%d steps, from %.3f to %.3f, apart by %.1e"
          % (len(steps), steps[0]["loss"], steps[-1]["loss"], worst))
    sys.exit(worst >= BOUND or len(steps) < 2)


if __name__ == "__main__":
    main()
