#!/usr/bin/env python3
"""What PEFT makes of an adapter with DoRA, in float64.

    python3 tests/golden/dora.py [-o tests/golden/models] [CASE...]

needs what models.py needs. Takes the model, the batch and the adapter's
matrices of a case of models.py, gives every adapted module a magnitude near
the norm of its weight, and writes CASE/dora.safetensors: ids, target, weight,
doc and shape as they were, lora.NAME F32, lora_grad.NAME F64, lora_row_loss
and lora_loss.
"""
import argparse
import math
import os

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

import models

KEPT = ("ids", "target", "weight", "doc", "shape")


def run_case(name, out):
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
        use_dora=True, task_type="CAUSAL_LM"))
    g = torch.Generator().manual_seed(7)
    t = {k: was[k] for k in KEPT}
    lora = {}
    for n, p in peft.named_parameters():
        if "lora_" not in n:
            continue
        key = models.base_name(n)
        if "magnitude" in n:
            key = key.replace("_vector.weight", "_vector")
            x = torch.randn(p.shape, generator=g, dtype=torch.float32)
            p.data = (p.data * (1 + 0.2 * x)).float().double()
        else:
            p.data = was["lora." + key].double()
        t["lora." + key] = p.data.float()
        lora[key] = p
    rows, loss = models.loss_of(models.logits_of(peft, was["ids"].long()),
                                was["target"].long(), was["weight"].double())
    loss.backward()
    assert math.isfinite(loss.item())
    t["lora_row_loss"] = rows.detach()
    t["lora_loss"] = loss.detach().reshape(1)
    for key, p in lora.items():
        t["lora_grad." + key] = p.grad
    save_file({k: v.contiguous() for k, v in t.items()},
              os.path.join(path, "dora.safetensors"))
    print(name, "loss", loss.item())


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    p = argparse.ArgumentParser()
    p.add_argument("-o", default=os.path.join(here, "models"))
    p.add_argument("case", nargs="*")
    a = p.parse_args()
    torch.set_num_threads(1)
    for name in a.case or ("llama", "gpt2"):
        run_case(name, a.o)


if __name__ == "__main__":
    main()
