"""Reads an adapter as PEFT defines it, as gguf's reader and llama.cpp's
src/llama-adapter.{cpp,h} take GGUF, and as mlx-lm's load_adapters takes its
directory, and compares what each adds to the weights of every module.

    python exported.py BASE PEFT GGUF [MLX]

Prints one line; exit 1 when one differs by more than rounding.
"""
import json
import re
import sys

import gguf
import numpy as np
from safetensors.numpy import load_file

base, peft_dir, gguf_path, *mlx_dir = sys.argv[1:]
config = json.load(open(base + "/config.json"))
n_layers = config.get("num_hidden_layers", config.get("n_layer"))
heads = config.get("num_attention_heads", config.get("n_head"))
kv_heads = config.get("num_key_value_heads") or heads
arch = {"mistral": "llama", "phi": "phi2", "gemma3_text": "gemma3",
        "gpt_bigcode": "starcoder"}.get(
    config["model_type"], config["model_type"])


def of_peft():
    c = json.load(open(peft_dir + "/adapter_config.json"))
    t = load_file(peft_dir + "/adapter_model.safetensors")
    for key in t:
        if not key.endswith(".lora_A.weight"):
            continue
        name = key[len("base_model.model."):-len(".lora_A.weight")]

        def of(pattern, default):  # peft/utils/other.py, get_pattern_key
            return next((v for k, v in pattern.items()
                         if re.match(rf"(.*\.)?({k})$", name)), default)
        r = of(c["rank_pattern"], c["r"])
        alpha = of(c["alpha_pattern"], c["lora_alpha"])
        scale = alpha / (r ** 0.5 if c["use_rslora"] else r)
        b = t[key.replace("lora_A", "lora_B")].astype(float)
        yield name, scale * b @ t[key].astype(float)


def of_gguf(modules):
    reader = gguf.GGUFReader(gguf_path)
    key = {k: f.contents() for k, f in reader.fields.items()}
    assert key["general.type"] == "adapter"
    assert key["adapter.type"] == "lora"
    assert key["general.architecture"] == arch, key
    number = next(k for k, v in gguf.MODEL_ARCH_NAMES.items() if v == arch)
    names = gguf.get_tensor_name_map(number, n_layers)
    t = {x.name: x.data.astype(float) for x in reader.tensors}
    for module in modules:
        name = names.get_name(module) + ".weight"
        a, b = t.pop(name + ".lora_a"), t.pop(name + ".lora_b")
        scale = key["adapter.lora.alpha"] / b.shape[1]  # get_scale
        assert key["adapter.lora.alpha"] != 0
        n = heads if ".attn_q." in name else kv_heads
        if arch in ("llama", "granite") and re.search(r"attn_[qk]\.", name):
            # LlamaModel.permute of llama.cpp's converter, undone
            b = b.reshape(n, -1, 2, b.shape[1]).swapaxes(1, 2).reshape(
                b.shape)
        yield module, scale * b @ a
    assert not t, sorted(t)


def of_mlx(modules):
    c = json.load(open(mlx_dir[0] + "/adapter_config.json"))
    assert c["fine_tune_type"] == "lora"
    p = c["lora_parameters"]
    t = load_file(mlx_dir[0] + "/adapters.safetensors")
    every = list(range(n_layers))
    layers = every[-max(c["num_layers"], 0):]  # linear_to_lora_layers
    for module in modules:
        name = module.replace("transformer.h.", "model.h.")
        layer, leaf = re.search(r"\.(\d+)\.(.*)", name).groups()
        assert (int(layer) in layers and leaf in p["keys"]) \
            or name in p["keys"], name
        a, b = t.pop(name + ".lora_a"), t.pop(name + ".lora_b")
        assert a.shape[1] == b.shape[0] == p["rank"]
        yield module, (p["scale"] * b.T.astype(float)) @ a.T.astype(float)
    assert not t, sorted(t)


want = dict(of_peft())
worst = 0
for found in [of_gguf(want)] + [of_mlx(want)] * len(mlx_dir):
    for module, delta in found:
        top = np.abs(want[module]).max()
        assert delta.shape == want[module].shape, module
        worst = max(worst, np.abs(delta - want[module]).max() / (top or 1))
print("%d modules, differ by %.1e" % (len(want), worst))
sys.exit(bool(worst > 1e-6))
