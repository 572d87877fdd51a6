#!/usr/bin/env python3
"""lora_torch.py - a training step of torch + PEFT, timed: what cuda.sh holds
train against.

usage: lora_torch.py ARCH.json BATCHxSEQ ACCUM STEPS RANK cuda|cpu

The model of the config.json with random weights in bfloat16, LoRA on all
linears but the head (alpha twice the rank, dropout 0, adapters in float32
under autocast, as Trainer has it with bf16), scaled_dot_product_attention,
fused AdamW, random tokens in full sequences. Where that does not fit into the
card's memory, the same with gradient checkpointing. Prints one JSON line:
tokens a second by the median of the steps but the first two, the most memory
that tensors took and that torch held, and whether it was with checkpointing.
"""
import json
import statistics
import sys
import time

import torch
import transformers
from peft import LoraConfig, get_peft_model

DROPOUTS = ("resid_pdrop", "embd_pdrop", "attn_pdrop", "attention_dropout",
            "residual_dropout", "embedding_dropout")
UNTIMED = 2


def config_of(path):
    with open(path) as f:
        keys = json.load(f)
    kind = keys.pop("model_type")
    for name in ("torch_dtype", "dtype"):
        keys.pop(name, None)
    config = transformers.AutoConfig.for_model(kind, **keys)
    for name in DROPOUTS:
        if hasattr(config, name):
            setattr(config, name, 0.0)
    config.use_cache = False
    return config


def model_of(config, rank, device):
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    with torch.device(device):
        base = transformers.AutoModelForCausalLM.from_config(
            config, attn_implementation="sdpa")
    torch.set_default_dtype(torch.float32)
    lora = LoraConfig(r=rank, lora_alpha=2 * rank, lora_dropout=0.0,
                      target_modules="all-linear", task_type="CAUSAL_LM",
                      fan_in_fan_out=config.model_type == "gpt2")
    model = get_peft_model(base, lora)
    model.train()
    return model


def synchronize(device):
    if device == "cuda":
        torch.cuda.synchronize()


def step(model, optimizer, tokens, device):
    for ids in tokens:
        with torch.autocast(device, dtype=torch.bfloat16):
            loss = model(input_ids=ids, labels=ids).loss / len(tokens)
        loss.backward()
    torch.nn.utils.clip_grad_norm_(
        [p for p in model.parameters() if p.requires_grad], 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return loss


def time_steps(model, vocab, shape, accum, steps, device):
    """Seconds of each step."""
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4, fused=device == "cuda")
    seconds = []
    for _ in range(steps):
        tokens = torch.randint(0, vocab, (accum, *shape), device=device)
        synchronize(device)
        begin = time.monotonic()
        step(model, optimizer, tokens, device)
        synchronize(device)
        seconds.append(time.monotonic() - begin)
    return seconds


def main():
    path, shape, accum, steps, rank, device = sys.argv[1:7]
    shape = tuple(int(n) for n in shape.split("x"))
    accum, steps, rank = int(accum), int(steps), int(rank)
    torch.backends.cuda.matmul.allow_tf32 = True
    config = config_of(path)
    model = model_of(config, rank, device)
    work = (model, config.vocab_size, shape, accum, steps, device)
    checkpointing = False
    try:
        seconds = time_steps(*work)
    except torch.OutOfMemoryError:
        checkpointing = True
    if checkpointing:
        model.zero_grad(set_to_none=True)
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        model.gradient_checkpointing_enable()
        model.enable_input_require_grads()
        seconds = time_steps(*work)
    timed = seconds[UNTIMED:] or seconds
    mib = 2 ** 20
    out = {"tok_s": accum * shape[0] * shape[1] / statistics.median(timed),
           "checkpointing": checkpointing, "torch": torch.__version__,
           "peak_mib": 0, "held_mib": 0}
    if device == "cuda":
        out["peak_mib"] = torch.cuda.max_memory_allocated() // mib
        out["held_mib"] = torch.cuda.max_memory_reserved() // mib
    print(json.dumps(out))


main()
