"""Compares train --init pissa with PEFT's, whose arithmetic is in float64
from what it has initialised in float32.

    python pissa.py BASE RECORD ADAPTER RATE [SETTINGS]

ADAPTER is what a run of one step of SGD at RATE saved that learned RECORD, a
line of {"ids": [...]}, all of it; SETTINGS are of PEFT's LoraConfig. Prints
how far the loss of PEFT's start is from the base's, the start B0 A0 from
PEFT's, and the gradients that the step took, of all modules, from PEFT's, each
relative to its norm, and then the loss of ADAPTER on BASE in PEFT.
"""
import json
import sys

import torch
import torch.nn.functional as F
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

base_dir, record, ours, rate, *settings = sys.argv[1:]
ids = torch.tensor(json.loads(open(record).readline())["ids"])
config = json.load(open(ours + "/adapter_config.json"))
tensors = {k: v.double() for k, v in
           load_file(ours + "/adapter_model.safetensors").items()}
in_out = json.load(open(base_dir + "/config.json"))["model_type"] == "gpt2"


def base(dtype):
    return AutoModelForCausalLM.from_pretrained(base_dir, dtype=dtype).eval()


def loss(model):
    return F.cross_entropy(model(ids[None]).logits[0, :-1], ids[1:])


given = dict(r=config["r"] // 2, lora_alpha=config["lora_alpha"] / 2,
             target_modules="all-linear", fan_in_fan_out=in_out)
given.update(*map(json.loads, settings))
model = get_peft_model(base(torch.float32), LoraConfig(
    init_lora_weights="pissa", task_type="CAUSAL_LM", **given)).double()
start = loss(model)
start.backward()
worst = {"start": 0, "A": 0, "B": 0}


def differ(what, a, b):
    worst[what] = max(worst[what], ((a - b).norm() / b.norm()).item())


for name, p in model.named_parameters():
    if "lora_A" not in name:
        continue
    key = name.replace(".default", "")
    q = dict(model.named_parameters())[name.replace("lora_A", "lora_B")]
    r = len(p)
    a, a0 = tensors[key].split(r)
    b, b0 = tensors[key.replace("lora_A", "lora_B")].split(r, dim=1)
    b0 = -b0
    # The signs of a pair of singular vectors are anybody's choice.
    sign = torch.sign((a0 * p.detach()).sum(1))
    differ("start", b0 @ a0, q.detach() @ p.detach())
    differ("A", sign[:, None] * (a0 - a) / float(rate), p.grad)
    differ("B", sign * (b0 - b) / float(rate), q.grad)
plain = loss(base(torch.float64)).item()
print("%.1e %.1e %.1e %.1e %r" % (
    abs(start.item() - plain) / plain, worst["start"], worst["A"],
    worst["B"], loss(PeftModel.from_pretrained(
        base(torch.float64), ours).eval()).item()))
