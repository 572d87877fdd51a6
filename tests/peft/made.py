"""Makes an adapter of every variant for BASE with PEFT, and prints what it
computes with each, in float64.

    python made.py BASE RECORDS OUT

RECORDS are lines of {"ids": [...]}. Prints a line "OUT/NAME LOSS" for each
adapter: the mean loss of every token that follows another. It is
computed with what PEFT reads back: it saves patterns in the order of their
names, and the first that matches counts.
"""
import json
import os
import sys

import torch
from peft import LoraConfig, PeftModel, get_peft_model

from loss import loss_of, open_base

base_dir, records, out = sys.argv[1:]
in_out = json.load(open(base_dir + "/config.json"))["model_type"] == "gpt2"
first, last = (("c_attn", "c_fc") if in_out else ("q_proj", "down_proj"))
table, norm = (("wte", "ln_f") if in_out else ("embed_tokens", "norm"))

VARIANTS = {
    "lora": {},
    "rslora": dict(use_rslora=True),
    "dora": dict(use_dora=True),
    "dora_some": dict(use_dora=True, use_rslora=True,
                      target_modules=[first]),
    "ranks": dict(rank_pattern={first: 7, r"1\..*" + last: 2}),
    "alphas": dict(alpha_pattern={last: 3, ".*": 5}, use_rslora=True,
                   rank_pattern={"^.*" + first: 3}),
    "regex": dict(target_modules=r".*\.1\..*(%s|%s)" % (first, last)),
    "layers": dict(target_modules=[first, last], layers_to_transform=[1]),
    "dropped": dict(lora_dropout=0.3, use_dora=True),
    "saved": dict(modules_to_save=[table, norm, last]),
    "saved_head": dict(modules_to_save=["lm_head"], use_dora=True),
    "saved_both": dict(modules_to_save=[table, "lm_head"]),
    "saved_tied": dict(modules_to_save=[table, "lm_head"],
                       ensure_weight_tying=True),
    "tokens": dict(trainable_token_indices=[7, 3, 39, 0]),
    "tokens_named": dict(trainable_token_indices={table: [5, 6, 3],
                                                  "lm_head": [5, 6, 3]},
                         modules_to_save=[norm], use_dora=True),
}

for seed, (name, given) in enumerate(VARIANTS.items()):
    torch.manual_seed(seed)
    settings = dict(r=4, lora_alpha=6, target_modules="all-linear",
                    fan_in_fan_out=in_out, task_type="CAUSAL_LM")
    model = get_peft_model(open_base(base_dir),
                           LoraConfig(**{**settings, **given}))
    for n, p in model.named_parameters():
        if "lora_magnitude" in n:  # float32 values, as they are saved
            p.data = (p.data * (1 + 0.3 * torch.rand_like(p))).float().double()
        elif "lora_" in n:
            p.data = (0.3 * torch.randn_like(p)).float().double()
        elif p.requires_grad:
            p.data = (p.data + 0.1 * torch.randn_like(p)).float().double()
    path = os.path.join(out, name)
    model.save_pretrained(path)
    read = PeftModel.from_pretrained(open_base(base_dir), path).eval()
    print(path, repr(loss_of(read, records)))
