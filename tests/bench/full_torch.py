#!/usr/bin/env python3
"""full_torch.py - steps of full training in torch, eager, in float32: what
full_step.sh holds train against.

usage: full_torch.py ARCH.json BATCHxSEQ STEPS THREADS

transformers' class of the config.json with random weights, its attention by
scaled_dot_product_attention, AdamW as torch chooses to run it, the gradient's
norm clipped to 1, random tokens in full sequences. Prints one JSON line:
seconds a step, by the clock or, on one thread, of the processor, by the median
of all but the first; MiB that were resident at most.
"""
import json
import resource
import statistics
import sys
import time

import torch
import transformers

path, shape, steps, threads = sys.argv[1:]
batch, seq = (int(n) for n in shape.split("x"))
torch.set_num_threads(int(threads))
with open(path) as f:
    keys = json.load(f)
config = transformers.AutoConfig.for_model(keys.pop("model_type"), **keys)
config.use_cache = False
torch.manual_seed(0)
model = transformers.AutoModelForCausalLM.from_config(
    config, attn_implementation="sdpa")
model.train()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
clock = time.process_time if threads == "1" else time.monotonic
seconds = []
for _ in range(int(steps) + 1):
    ids = torch.randint(0, config.vocab_size, (batch, seq))
    begin = clock()
    model(input_ids=ids, labels=ids).loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    seconds.append(clock() - begin)
print(json.dumps({
    "seconds": statistics.median(seconds[1:]), "torch": torch.__version__,
    "parameters": sum(p.numel() for p in model.parameters()),
    "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
