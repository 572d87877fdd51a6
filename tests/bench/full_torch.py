#!/usr/bin/env python3
"""full_torch.py - steps of full training in torch, eager, in float32: what
full_step.sh holds train against.

usage: full_torch.py ARCH.json BATCHxSEQ STEPS THREADS
       full_torch.py --scan BATCHxSEQxCOLUMNSxSTATE STEPS THREADS
       full_torch.py --ssd BATCHxSEQxHEADSxWIDTHxSTATE STEPS THREADS

transformers' class of the config.json with random weights, attention by
scaled_dot_product_attention, AdamW as torch chooses to run it, the gradient's
norm clipped to 1, random tokens in full sequences; with --scan Mamba's
selective scan alone, with --ssd Mamba-2's of one group, as transformers has
them where there are no kernels. Prints
one JSON line: seconds a step, forward and backward, by the clock or, on one
thread, of the processor, by the median of all but the first; MiB that were
resident at most.
"""
import json
import resource
import statistics
import sys
import time

import torch
import transformers



def model_step(path, batch, seq):
    with open(path) as f:
        keys = json.load(f)
    kind = keys.pop("model_type")
    config = transformers.AutoConfig.for_model(kind, **keys)
    config.use_cache = False
    model = transformers.AutoModelForCausalLM.from_config(
        config, attn_implementation="eager" if kind in ("mamba", "mamba2")
        else "sdpa")
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)

    def step():
        ids = torch.randint(0, config.vocab_size, (batch, seq))
        yield
        model(input_ids=ids, labels=ids).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def scan_step(batch, seq, columns, state):
    from transformers.models.mamba import modeling_mamba

    def step():
        def leaf(*shape):
            return torch.randn(*shape, requires_grad=True)

        u, d = leaf(batch, columns, seq), leaf(batch, columns, seq)
        b, c = leaf(batch, state, seq), leaf(batch, state, seq)
        a_log, skip = leaf(columns, state), leaf(columns)
        yield
        modeling_mamba.mamba_selective_scan(
            u, d, -torch.exp(a_log), b, c, D=skip,
            delta_softplus=True).sum().backward()

    return step


def ssd_step(batch, seq, heads, width, state):
    from transformers.models.mamba2 import modeling_mamba2

    def step():
        def leaf(*shape):
            return torch.randn(*shape, requires_grad=True)

        x, d = leaf(batch, seq, heads, width), leaf(batch, seq, heads)
        b, c = leaf(batch, seq, 1, state), leaf(batch, seq, 1, state)
        a_log, skip, bias = leaf(heads), leaf(heads), leaf(heads)
        yield
        modeling_mamba2.mamba2_chunk_scan(
            x, d, -torch.exp(a_log), b, c, chunk_size=256, D=skip,
            dt_bias=bias, dt_softplus=True).sum().backward()

    return step


SCANS = {"--scan": scan_step, "--ssd": ssd_step}


def main():
    what, shape, steps, threads = sys.argv[1:]
    sizes = [int(n) for n in shape.split("x")]
    torch.set_num_threads(int(threads))
    torch.manual_seed(0)
    step = (SCANS[what](*sizes) if what in SCANS
            else model_step(what, *sizes))
    clock = time.process_time if threads == "1" else time.monotonic
    seconds = []
    for _ in range(int(steps) + 1):
        turn = step()
        next(turn)
        begin = clock()
        next(turn, None)
        seconds.append(clock() - begin)
    print(json.dumps({
        "seconds": statistics.median(seconds[1:]),
        "torch": torch.__version__,
        "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


if __name__ == "__main__":
    main()
