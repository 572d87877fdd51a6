#!/usr/bin/env python3
"""Tiny models in 4 bits, as transformers saves them with bitsandbytes.

    python3 tests/golden/four_bit.py [-o tests/golden/four_bit]

needs torch, transformers, accelerate, safetensors and bitsandbytes, on the
CPU. nf4 and nf4_double, with quantised scales, each have beside their own
files what bitsandbytes makes of two of their matrices (want.safetensors),
under the names of the weights; one has more than 256 blocks.
"""
import argparse
import os

import bitsandbytes as bnb
import torch
import transformers
from safetensors.torch import save_file

parser = argparse.ArgumentParser()
parser.add_argument("-o", default="tests/golden/four_bit")
out = parser.parse_args().o
torch.manual_seed(0)
config = transformers.LlamaConfig(
    vocab_size=24, hidden_size=64, intermediate_size=320, num_hidden_layers=1,
    num_attention_heads=4, num_key_value_heads=1, max_position_embeddings=32,
    tie_word_embeddings=True, initializer_range=0.1)
plain = os.path.join(out, "plain")
transformers.LlamaForCausalLM(config).save_pretrained(plain)
for name, double in ("nf4", False), ("nf4_double", True):
    path = os.path.join(out, name)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        plain, device_map="cpu", dtype=torch.float32,
        quantization_config=transformers.BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=double))
    model.save_pretrained(path)
    os.remove(os.path.join(path, "generation_config.json"))
    save_file({n + ".weight": bnb.functional.dequantize_4bit(
                   m.weight.data, m.weight.quant_state)
               for n, m in model.named_modules()
               if n.endswith(("k_proj", "down_proj"))},
              os.path.join(path, "want.safetensors"))
for name in os.listdir(plain):
    os.remove(os.path.join(plain, name))
os.rmdir(plain)
