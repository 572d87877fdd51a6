"""Adapters for BASE that PEFT adds up with weights (add_weighted_adapter,
"cat"), in float64.

    python combined.py make BASE RECORDS OUT
    python combined.py loss BASE RECORDS ADAPTER...

make writes OUT/one, two and three, of other ranks, alphas and modules each,
and prints a line "LOSS NAME=WEIGHT..." for some sums of them; loss prints a
line with the loss of each adapter. RECORDS are lines of {"ids": [...]}.
"""
import json
import os
import sys

import torch
import torch.nn.functional as F
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM

command, base_dir, records_path, *rest = sys.argv[1:]
records = [torch.tensor(json.loads(line)["ids"])
           for line in open(records_path)]
in_out = json.load(open(base_dir + "/config.json"))["model_type"] == "gpt2"
first, last = (("c_attn", "c_fc") if in_out else ("q_proj", "down_proj"))


def base():
    return AutoModelForCausalLM.from_pretrained(
        base_dir, dtype=torch.float64).eval()


# The first of a sum is one without rsLoRA: PEFT keeps that setting of it, and
# then the sum's own scale is not the 1 that it is meant to be.
SUMS = [{"one": 1, "two": 1}, {"one": -0.25, "three": 2},
        {"one": 1, "two": 0.5, "three": -1}]


def loss(model):
    total = count = 0
    with torch.no_grad():
        for ids in records:
            logits = model(ids[None]).logits[0, :-1]
            total += F.cross_entropy(logits, ids[1:], reduction="sum").item()
            count += len(ids) - 1
    return total / count


def summed(out, shares):
    first, *others = shares
    model = PeftModel.from_pretrained(base(), os.path.join(out, first),
                                      adapter_name=first)
    for name in others:
        model.load_adapter(os.path.join(out, name), adapter_name=name)
    model.base_model.add_weighted_adapter(list(shares),
                                          list(shares.values()), "sum", "cat")
    model.base_model.set_adapter("sum")
    return loss(model.eval())


def make(out):
    given = {
        "one": dict(target_modules=[first, last], r=3, lora_alpha=6),
        "two": dict(target_modules=[last], r=4, lora_alpha=5,
                    use_rslora=True),
        "three": dict(target_modules=[first, last], r=2, lora_alpha=3,
                      rank_pattern={first: 5}, alpha_pattern={last: 7},
                      layers_to_transform=[1]),
    }
    for seed, (name, settings) in enumerate(given.items()):
        torch.manual_seed(seed)
        model = get_peft_model(base(), LoraConfig(
            task_type="CAUSAL_LM", fan_in_fan_out=in_out, **settings))
        for n, p in model.named_parameters():
            if "lora_" in n:
                p.data = (0.3 * torch.randn_like(p)).float().double()
        model.save_pretrained(os.path.join(out, name))
    for shares in SUMS:
        print(repr(summed(out, shares)),
              *("%s=%s" % share for share in shares.items()))


if command == "make":
    make(*rest)
else:
    for path in rest:
        print(repr(loss(PeftModel.from_pretrained(base(), path).eval())))
