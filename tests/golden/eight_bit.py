#!/usr/bin/env python3
"""Tiny models in 8 bits, as transformers saves them with bitsandbytes.

    python3 tests/golden/eight_bit.py [-o tests/golden/eight_bit]

needs torch, transformers, accelerate, safetensors and bitsandbytes, on the
CPU. llama, of which there is also what it was made of (plain), and gpt2, whose
matrices are turned by it, each have beside their own files what bitsandbytes
makes of two of their matrices (want.safetensors), under the names of the
weights, and the mean losses of the records of IDS by a model of such weights
in double precision (loss.json).
"""
import argparse
import json
import os
import shutil

import bitsandbytes as bnb
import torch
import transformers
from safetensors.torch import save_file

IDS = [[3, 5, 7 + i, 9, 11, 13, 2, 4] for i in range(4)]
parser = argparse.ArgumentParser()
parser.add_argument("-o", default="tests/golden/eight_bit")
out = parser.parse_args().o
llama = transformers.LlamaConfig(
    vocab_size=24, hidden_size=24, intermediate_size=56, num_hidden_layers=1,
    num_attention_heads=4, num_key_value_heads=1, max_position_embeddings=32,
    tie_word_embeddings=True, initializer_range=0.1)
gpt2 = transformers.GPT2Config(
    vocab_size=24, n_embd=16, n_layer=1, n_head=4, n_positions=32,
    bos_token_id=1, eos_token_id=2, initializer_range=0.1)


def dequantised(module):
    return bnb.functional.int8_vectorwise_dequant(module.weight.data,
                                                  module.weight.SCB)


def loss(plain, linears, turned):
    """The mean loss of each record, with those weights in the plain model."""
    model = transformers.AutoModelForCausalLM.from_pretrained(
        plain, dtype=torch.float64)
    for name, x in linears.items():
        weight = model.get_parameter(name)
        weight.data = (x.T if turned else x).double().contiguous()
    ids = torch.tensor(IDS)
    with torch.no_grad():
        p = model(ids).logits[:, :-1].log_softmax(-1)
    p = p.gather(-1, ids[:, 1:, None])
    return (-p.mean(dim=(1, 2))).tolist()


for name, config, two in (("llama", llama, ("k_proj", "down_proj")),
                          ("gpt2", gpt2, ("c_attn", "attn.c_proj"))):
    torch.manual_seed(0)
    path = os.path.join(out, name)
    plain = os.path.join(path, "plain")
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(
        plain)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        plain, device_map="cpu", dtype=torch.float32,
        quantization_config=transformers.BitsAndBytesConfig(
            load_in_8bit=True))
    model.save_pretrained(path)
    linears = {n + ".weight": dequantised(m)
               for n, m in model.named_modules()
               if isinstance(m, bnb.nn.Linear8bitLt)}
    save_file({n: x for n, x in linears.items()
               if n.removesuffix(".weight").endswith(two)},
              os.path.join(path, "want.safetensors"))
    with open(os.path.join(path, "loss.json"), "w") as f:
        print(json.dumps(loss(plain, linears, name == "gpt2")), file=f)
    for where in path, plain:
        os.remove(os.path.join(where, "generation_config.json"))
    if name == "gpt2":
        shutil.rmtree(plain)
