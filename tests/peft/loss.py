"""Prints, in float64, the mean loss of every token that follows another, of
BASE with each ADAPTER as PEFT reads it, which has to take every tensor of it.

    python loss.py BASE RECORDS ADAPTER...

RECORDS are lines of {"ids": [...]}.
"""
import json
import sys

import torch
import torch.nn.functional as F
from peft import PeftModel, get_peft_model_state_dict
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM


def open_base(path):
    return AutoModelForCausalLM.from_pretrained(
        path, dtype=torch.float64).eval()


def loss_of(model, records):
    total = count = 0
    with torch.no_grad():
        for line in open(records):
            ids = torch.tensor(json.loads(line)["ids"])
            logits = model(ids[None]).logits[0, :-1]
            total += F.cross_entropy(logits, ids[1:], reduction="sum").item()
            count += len(ids) - 1
    return total / count


def main():
    base, records, *adapters = sys.argv[1:]
    for path in adapters:
        model = PeftModel.from_pretrained(open_base(base), path).eval()
        held = get_peft_model_state_dict(model)
        for name, t in load_file(path + "/adapter_model.safetensors").items():
            assert torch.equal(held[name].float(), t), name
        print(path, repr(loss_of(model, records)))


if __name__ == "__main__":
    main()
