"""Loads BASE and ADAPTER with transformers and PEFT, and checks in float64
that PEFT takes every tensor of the adapter and that its model computes what
the adapter's definition says, W' = W + alpha/r B A, with DoRA its rows scaled
to the magnitudes.

    python load.py BASE ADAPTER

Prints one line, "N modules, logits differ from the base by X, from the
definition by Y"; exit 1 when something is not as it should be.
"""
import json
import math
import re
import sys

import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

base_dir, adapter_dir = sys.argv[1:3]
config = json.load(open(adapter_dir + "/adapter_config.json"))
tensors = load_file(adapter_dir + "/adapter_model.safetensors")
prefix, suffix = "base_model.model.", ".lora_A.weight"
modules = [k[len(prefix):-len(suffix)] for k in tensors
           if k.endswith(suffix)]


def load_base():
    model = AutoModelForCausalLM.from_pretrained(
        base_dir, dtype=torch.float64).eval()
    model.config._experts_implementation = "eager"  # others: of 32 bits
    return model


def logits(model):
    ids = torch.arange(1, 33)[None] % model.config.vocab_size
    with torch.no_grad():
        return model(ids).logits


plain = logits(load_base())
peft = PeftModel.from_pretrained(load_base(), adapter_dir).eval()
taken = {n.replace(".default", ""): p for n, p in peft.named_parameters()
         if "lora_" in n}
taken = {n.replace("_vector.weight", "_vector"): p for n, p in taken.items()}
if set(taken) != set(tensors):
    sys.exit("PEFT's matrices are not the adapter's: %s"
             % sorted(set(taken) ^ set(tensors))[:5])
for name, p in taken.items():
    if not torch.equal(p.detach().float(), tensors[name]):
        sys.exit("PEFT holds another %s" % name)


def strength(patterns, module, otherwise):
    for key, value in patterns.items():
        if re.fullmatch(r"(.*\.)?(%s)" % key, module):
            return value
    return otherwise


def scale_of(module):
    rank = strength(config["rank_pattern"], module, config["r"])
    alpha = strength(config["alpha_pattern"], module, config["lora_alpha"])
    return alpha / (math.sqrt(rank) if config["use_rslora"] else rank)


defined = load_base()
for m in modules:
    a = tensors[prefix + m + ".lora_A.weight"].double()
    b = tensors[prefix + m + ".lora_B.weight"].double()
    delta = scale_of(m) * b @ a
    weight = defined.get_submodule(m).weight
    new = weight.data.T if config["fan_in_fan_out"] else weight.data
    new = new + delta
    if config["use_dora"]:
        magnitude = tensors[prefix + m + ".lora_magnitude_vector"].double()
        new *= (magnitude / new.norm(dim=1))[:, None]
    weight.data = new.T if config["fan_in_fan_out"] else new

got, want = logits(peft), logits(defined)
moved = (got - plain).abs().max().item()
error = (got - want).abs().max().item()
print("%d modules, logits differ from the base by %.3g, from the definition "
      "by %.3g" % (len(modules), moved, error))
if not (moved > 0 and error <= 1e-9 * (1 + want.abs().max().item())):
    sys.exit(1)
