#!/usr/bin/env python3
"""What PEFT makes of an adapter with modules trained in full beside it
(modules_to_save), in float64.

    python3 tests/golden/saved.py [-o tests/golden/models]

needs what models.py needs. Takes the model, the batch and the adapter's
matrices of a case of models.py, moves the modules that are saved a little
from the base, and writes CASE/NAME.safetensors: ids, target, weight, doc and
shape as they were, of matrices and tensors lora.NAME F32 and lora_grad.NAME
F64, lora_row_loss and lora_loss. What is head and embedding has one gradient.
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

CASES = (  # model, file, modules_to_save, ensure_weight_tying
    ("llama", "saved", ["embed_tokens", "lm_head", "norm", "k_proj"], False),
    ("gpt2", "saved", ["wte", "ln_f", "mlp.c_proj"], False),
    ("gpt2", "saved_tied", ["wte", "lm_head"], True),
)


def run_case(name, file, save, tied, out):
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
        modules_to_save=save, ensure_weight_tying=tied,
        task_type="CAUSAL_LM")).eval()
    g = torch.Generator().manual_seed(9)
    t = {k: was[k] for k in KEPT}
    trained = {}
    for n, p in peft.named_parameters():
        if not p.requires_grad:
            continue
        key = models.base_name(n).replace("modules_to_save.", "")
        if "lora_" in n:
            p.data = was["lora." + key].double()
        else:
            x = torch.randn(p.shape, generator=g, dtype=torch.float32)
            p.data = (p.data + 0.05 * x).float().double()
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
              os.path.join(path, file + ".safetensors"))
    print(name, file, "loss", loss.item(),
          [k for k in trained if "lora_" not in k])


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
