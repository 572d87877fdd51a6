#!/usr/bin/env python3
"""What PEFT makes of an adapter with rows of an embedding that are trained
beside it (trainable_token_indices), in float64.

    python3 tests/golden/tokens.py [-o tests/golden/models]

needs what models.py needs. Takes the model, the batch and the adapter's
matrices of a case of models.py, moves the rows a little from the base, and
writes CASE/tokens.safetensors: ids, target, weight, doc and shape as they
were, of matrices and rows lora.NAME F32 and lora_grad.NAME F64, lora_row_loss
and lora_loss; tokens I32, the ids.
"""
import argparse
import math
import os

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

import models
from dora import KEPT

TOKENS = [1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 95]
CASES = (  # model, trainable_token_indices
    ("llama", {"embed_tokens": TOKENS, "lm_head": TOKENS}),
    ("gpt2", TOKENS),
)


def run_case(name, tokens, out):
    path = os.path.join(out, name)
    was = load_file(os.path.join(path, "golden.safetensors"))
    model = AutoModelForCausalLM.from_pretrained(
        path, dtype=torch.float64, attn_implementation="sdpa").eval()
    models.make_exact(model)
    targets = sorted({n.split(".")[-3] for n in was
                      if n.startswith("lora.") and "lora_A" in n})
    peft = get_peft_model(model, LoraConfig(
        r=models.RANK, lora_alpha=models.ALPHA, lora_dropout=0.0,
        bias="none", target_modules=targets, fan_in_fan_out=name == "gpt2",
        trainable_token_indices=tokens, task_type="CAUSAL_LM")).eval()
    g = torch.Generator().manual_seed(9)
    t = {k: was[k] for k in KEPT}
    t["tokens"] = torch.tensor(TOKENS, dtype=torch.int32)
    trained = {}
    for n, p in peft.named_parameters():
        if not p.requires_grad:
            continue
        key = models.base_name(n)
        if "lora_" in n:
            p.data = was["lora." + key].double()
        else:
            x = torch.randn(p.shape, generator=g, dtype=torch.float32)
            p.data = (p.data + 0.2 * x).float().double()
        t["lora." + key] = p.data.float()
        trained[key] = p
    rows, loss = models.loss_of(models.logits_of(peft, was["ids"].long()),
                                was["target"].long(), was["weight"].double())
    loss.backward()
    assert math.isfinite(loss.item())
    t["lora_row_loss"] = rows.detach()
    t["lora_loss"] = loss.detach().reshape(1)
    for key, p in trained.items():
        t["lora_grad." + key] = p.grad
    save_file({k: v.contiguous() for k, v in t.items()},
              os.path.join(path, "tokens.safetensors"))
    print(name, "loss", loss.item(), [k for k in trained if "lora_" not in k])


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    p = argparse.ArgumentParser()
    p.add_argument("-o", default=os.path.join(here, "models"))
    a = p.parse_args()
    torch.set_num_threads(1)
    for case in CASES:
        run_case(*case, a.o)


if __name__ == "__main__":
    main()
