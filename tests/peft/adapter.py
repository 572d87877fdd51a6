"""Saves an adapter with random matrices and magnitudes, on every linear of
BASE, as PEFT itself writes it, to OUT.

    python adapter.py BASE OUT '{"r": 3, "use_dora": true}'

The last argument has settings of LoraConfig.
"""
import json
import sys

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

base_dir, out, settings = sys.argv[1:4]
base = AutoModelForCausalLM.from_pretrained(base_dir, dtype=torch.float32)
config = LoraConfig(task_type="CAUSAL_LM", target_modules="all-linear",
                    lora_dropout=0.0, **json.loads(settings))
model = get_peft_model(base, config)
g = torch.Generator().manual_seed(1)
for name, p in model.named_parameters():
    if "lora_" in name:
        p.data = 0.1 * torch.randn(p.shape, generator=g)
    if "lora_magnitude" in name:
        p.data += 1
    if ("modules_to_save" in name or "tokens" in name) and p.requires_grad:
        p.data += 0.1 * torch.randn(p.shape, generator=g)
model.save_pretrained(out)
