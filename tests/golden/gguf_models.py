#!/usr/bin/env python3
"""Tiny models as GGUF files, and what transformers makes of them in float64.

    python3 tests/golden/gguf_models.py [-o tests/golden/gguf] [CASE...]

needs torch, transformers, safetensors and gguf. Same versions, same bytes;
values move in the last digits between versions of torch.

For each case OUT/CASE.gguf, as llama.cpp's converter writes such a model (its
names, the order of the rows of q and k of a llama, GPT-2's matrices turned
round, phi's q, k and v in one matrix), and OUT/CASE.safetensors:

  ids     I32 [rows]        one document of token ids
  target  I32 [rows]        the next one; weight F32 [rows] 1 but in the last
  doc     I32 [1, 2]        0, rows; shape I32 [2] 1, rows
  logits  F64 [rows, vocab] of the model that from_pretrained(gguf_file=)
                            opens; of phi2, granite and olmo2, which that
                            does not know, of the class with these values

Matrices are drawn, and quantised by gguf.quants where it can; for the types
that it only reads (Q4_K, Q5_K, Q6_K) codes are drawn instead. What
transformers computes in float32 is replaced as in models.py; heads have 16
columns, as the root of that is no fraction.
"""
import argparse
import os

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as T
from safetensors.torch import save_file
from transformers import (AutoModelForCausalLM, GgufConfig, GraniteConfig,
                          Olmo2Config, PhiConfig)

from models import EPS, make_exact

ROWS, VOCAB, DIM, FF, LAYERS = 16, 96, 32, 64, 2
VECTORS = ("norm.weight", ".bias")

# The type of each tensor: the first whose word is in its name.
CASES = {
    "llama": dict(arch="llama", heads=4, kv=2, types={
        "token_embd": T.F16, "attn_q": T.F32, "attn_k": T.BF16,
        "attn_output": T.F16, "output": T.BF16, "": T.F16}),
    "llama_q8_0": dict(arch="llama", heads=4, tied=True, theta=5e5,
                       types={"": T.Q8_0}),
    "llama_q4": dict(arch="llama", heads=4, kv=4, types={
        "token_embd": T.Q4_0, "attn_q": T.Q4_1, "attn_k": T.Q5_0,
        "ffn_up": T.Q5_1, "ffn_down": T.Q4_1, "attn_output": T.Q4_0,
        "output": T.Q5_0, "": T.Q4_0}),
    "llama_k": dict(arch="llama", dim=256, ff=32, layers=1, types={
        "token_embd": T.Q6_K, "attn_q": T.Q4_K, "attn_k": T.Q5_K,
        "attn_v": T.Q6_K, "ffn_gate": T.Q4_K, "ffn_up": T.Q5_K,
        "attn_output": T.Q8_0, "output": T.Q4_K, "": T.Q8_0}),
    "qwen2": dict(arch="qwen2", tied=True, types={"attn": T.Q8_0,
                                                  "": T.F16}),
    "qwen3": dict(arch="qwen3", tied=True, types={"attn": T.Q8_0,
                                                  "": T.F16}),
    "granite": dict(arch="granite", heads=4, kv=2, head_dim=8, tied=True,
                    types={"": T.Q8_0}),
    "olmo2": dict(arch="olmo2", types={"": T.Q8_0}),
    "starcoder2": dict(arch="starcoder2", tied=True, types={"": T.Q5_1}),
    "gpt2": dict(arch="gpt2", ff=128, kv=2, tied=True, types={"": T.Q8_0}),
    "phi2": dict(arch="phi2", kv=2, rope=8, types={"": T.Q4_0}),
    "qwen3moe": dict(arch="qwen3moe", tied=True, types={
        "ffn_gate_inp": T.F32, "gate_exps": T.Q8_0, "up_exps": T.Q5_0,
        "down_exps": T.Q4_0, "": T.F16}),
}

LLAMA = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up",
         "ffn_down")
RMS = ("llama", "qwen2", "qwen3", "granite", "olmo2", "qwen3moe")
EXPERTS, USED, EXPERT_FF = 4, 2, 32
MATRICES = {
    "llama": LLAMA, "qwen2": LLAMA, "qwen3": LLAMA, "granite": LLAMA,
    "olmo2": LLAMA,
    "qwen3moe": LLAMA[:4] + ("ffn_gate_inp", "ffn_gate_exps", "ffn_up_exps",
                             "ffn_down_exps"),
    "starcoder2": [n for n in LLAMA if n != "ffn_gate"],
    "gpt2": ("attn_qkv", "attn_output", "ffn_up", "ffn_down"),
    "phi2": ("attn_qkv", "attn_output", "ffn_up", "ffn_down"),
}
HAS_BIAS = {  # beside a weight; norms of these have one, too
    "llama": (), "qwen2": ("attn_q", "attn_k", "attn_v"), "qwen3": (),
    "granite": (), "olmo2": (), "qwen3moe": (),
    "starcoder2": MATRICES["starcoder2"], "gpt2": MATRICES["gpt2"],
    "phi2": MATRICES["phi2"] + ("output",),
}


def shapes(case):
    """Name -> shape of every tensor, as GGUF has it (rows first)."""
    arch, dim, ff = case["arch"], case["dim"], case["ff"]
    q, kv = case["heads"] * case["head_dim"], case["kv"] * case["head_dim"]
    size = {"attn_q": (q, dim), "attn_k": (kv, dim), "attn_v": (kv, dim),
            "attn_qkv": (q + 2 * kv, dim), "attn_output": (dim, q),
            "ffn_gate": (ff, dim), "ffn_up": (ff, dim), "ffn_down": (dim, ff),
            "ffn_gate_inp": (EXPERTS, dim),
            "ffn_gate_exps": (EXPERTS, EXPERT_FF, dim),
            "ffn_up_exps": (EXPERTS, EXPERT_FF, dim),
            "ffn_down_exps": (EXPERTS, dim, EXPERT_FF)}
    layered = arch not in RMS  # a norm with a bias
    out = {"token_embd.weight": (VOCAB, dim)}
    if arch == "gpt2":
        out["position_embd.weight"] = (1024, dim)

    def norm(name, columns=dim):
        out[name + ".weight"] = (columns,)
        if layered:
            out[name + ".bias"] = (dim,)

    for i in range(case["layers"]):
        if arch != "olmo2":
            norm(f"blk.{i}.attn_norm")
        for m in MATRICES[arch]:
            out[f"blk.{i}.{m}.weight"] = size[m]
            if m in HAS_BIAS[arch]:
                out[f"blk.{i}.{m}.bias"] = size[m][:1]
        if arch in ("qwen3", "qwen3moe"):
            norm(f"blk.{i}.attn_q_norm", case["head_dim"])
            norm(f"blk.{i}.attn_k_norm", case["head_dim"])
        if arch == "olmo2":
            norm(f"blk.{i}.attn_q_norm", q)
            norm(f"blk.{i}.attn_k_norm", kv)
            norm(f"blk.{i}.post_attention_norm")
            norm(f"blk.{i}.post_ffw_norm")
        elif arch != "phi2":
            norm(f"blk.{i}.ffn_norm")
    norm("output_norm")
    if not case["tied"]:
        out["output.weight"] = (VOCAB, dim)
    if "output" in HAS_BIAS[arch]:
        out["output.bias"] = (VOCAB,)
    return out


def draw_codes(shape, kind, rng):
    """Blocks of a type that can't be quantised to: any codes, small scales."""
    block, size = gguf.GGML_QUANT_SIZES[kind]
    raw = rng.integers(0, 256, (shape[0], shape[1] // block, size),
                       dtype=np.uint8)
    scale = rng.uniform(0.5, 1, raw.shape[:2] + (1,)).astype(np.float16)
    if kind == T.Q6_K:
        raw[..., 208:] = (scale * np.float16(2e-4)).view(np.uint8)
    else:
        raw[..., 0:2] = (scale * np.float16(1e-3)).view(np.uint8)
        raw[..., 2:4] = (scale * np.float16(8e-3)).view(np.uint8)
    return raw.reshape(shape[0], -1)


def draw(name, shape, case, rng):
    """(array, type) as GGUFWriter takes them."""
    if name.endswith(VECTORS):
        x = 0.1 * rng.standard_normal(shape)
        return (x + name.endswith("norm.weight")).astype(np.float32), T.F32
    kind = next(t for word, t in case["types"].items() if word in name)
    if kind in (T.Q4_K, T.Q5_K, T.Q6_K):
        return draw_codes(shape, kind, rng), kind
    x = 0.2 * rng.standard_normal(shape)
    return gguf.quants.quantize(x.astype(np.float32), kind), kind


def put_keys(w, case):
    arch = case["arch"]
    w.add_name("tiny")
    w.add_context_length(1024 if arch == "gpt2" else 64)
    w.add_embedding_length(case["dim"])
    w.add_block_count(case["layers"])
    w.add_feed_forward_length(case["ff"])
    w.add_head_count(case["heads"])
    if arch != "gpt2":
        w.add_head_count_kv(case["kv"])
        w.add_rope_dimension_count(case["rope"])
        w.add_rope_freq_base(case["theta"])
    if arch == "granite":
        w.add_embedding_scale(4.0)
        w.add_residual_scale(0.5)
        w.add_attention_scale(0.125)
        w.add_logit_scale(2.0)
    if arch == "qwen3moe":
        w.add_expert_count(EXPERTS)
        w.add_expert_used_count(USED)
        w.add_expert_feed_forward_length(EXPERT_FF)
    if arch in ("llama", "qwen3", "qwen3moe"):
        w.add_key_length(case["head_dim"])
        w.add_value_length(case["head_dim"])
    if arch in RMS:
        w.add_layer_norm_rms_eps(EPS)
    else:
        w.add_layer_norm_eps(EPS)
    if arch in RMS:
        w.add_vocab_size(VOCAB)
    else:
        w.add_token_list([b"%d" % i for i in range(VOCAB)])


def write(path, case, rng):
    w = gguf.GGUFWriter(path, case["arch"])
    put_keys(w, case)
    for name, shape in shapes(case).items():
        data, kind = draw(name, shape, case, rng)
        w.add_tensor(name, data, raw_dtype=kind)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


NAMES = {  # what a module of GGUF is in the classes
    "token_embd": "model.embed_tokens", "output": "lm_head",
    "output_norm": "model.norm", "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm",
    "post_attention_norm": "post_attention_layernorm",
    "post_ffw_norm": "post_feedforward_layernorm",
    "ffn_norm": "post_attention_layernorm", "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj"}
PHI = {**NAMES, "output_norm": "model.final_layernorm",
       "attn_output": "self_attn.dense", "ffn_up": "mlp.fc1",
       "ffn_down": "mlp.fc2"}


def config_of(case):
    """Of the classes that from_pretrained(gguf_file=) does not know."""
    common = dict(
        vocab_size=VOCAB, hidden_size=case["dim"],
        intermediate_size=case["ff"], num_hidden_layers=case["layers"],
        num_attention_heads=case["heads"], num_key_value_heads=case["kv"],
        max_position_embeddings=64, tie_word_embeddings=case["tied"])
    rope = {"rope_type": "default", "rope_theta": case["theta"]}
    if case["arch"] == "phi2":
        rope["partial_rotary_factor"] = case["rope"] / case["head_dim"]
        return PhiConfig(**common, layer_norm_eps=EPS, rope_parameters=rope)
    if case["arch"] == "granite":
        return GraniteConfig(
            **common, rms_norm_eps=EPS, rope_parameters=rope,
            embedding_multiplier=4.0, residual_multiplier=0.5,
            attention_multiplier=0.125, logits_scaling=2.0)
    return Olmo2Config(**common, rms_norm_eps=EPS, rope_parameters=rope,
                       pad_token_id=None)


def class_of(path, case):
    """The class with the file's values."""
    names = PHI if case["arch"] == "phi2" else NAMES
    model = AutoModelForCausalLM.from_config(config_of(case))
    heads = {"attn_q": case["heads"], "attn_k": case["kv"]}
    state = {}
    for t in gguf.GGUFReader(path).tensors:
        x = torch.tensor(gguf.quants.dequantize(t.data, t.tensor_type))
        *layer, name, leaf = t.name.split(".")
        prefix = f"model.layers.{layer[1]}." if layer else ""
        if case["arch"] == "granite" and name in heads:
            x = x.reshape(heads[name], -1, 2, case["dim"]).swapaxes(1, 2)
            x = x.reshape(-1, case["dim"])
        if name == "attn_qkv":
            for m, part in zip("qkv", x.chunk(3)):
                state[f"{prefix}self_attn.{m}_proj.{leaf}"] = part
        else:
            state[f"{prefix}{names[name]}.{leaf}"] = x
    if case["tied"]:
        state["lm_head.weight"] = state["model.embed_tokens.weight"]
    model.load_state_dict(state)
    return model


def open_model(path, case):
    if case["arch"] in ("phi2", "granite", "olmo2"):
        return class_of(path, case)
    more = {}  # beside how: keys that are not read there
    if case["arch"] in ("qwen3", "qwen3moe"):
        more["head_dim"] = case["head_dim"]
    if case["arch"] == "qwen3moe":
        more.update(moe_intermediate_size=EXPERT_FF,
                    experts_implementation="eager")
    return AutoModelForCausalLM.from_pretrained(
        os.path.dirname(path), gguf_file=os.path.basename(path),
        dtype=torch.float64, quantization_config=GgufConfig(dequantize=True),
        **more)


def run_case(name, number, out):
    case = dict(dim=DIM, ff=FF, layers=LAYERS, heads=2, kv=1, head_dim=16,
                tied=False, theta=1e4)
    case.update(CASES[name])
    case.setdefault("rope", case["head_dim"])
    rng = np.random.default_rng(number)
    path = os.path.join(out, name + ".gguf")
    write(path, case, rng)
    model = open_model(path, case).double().eval()
    make_exact(model)
    ids = torch.tensor(rng.integers(0, VOCAB, ROWS))
    with torch.no_grad():
        logits = model(input_ids=ids[None], use_cache=False).logits[0]
    target = torch.cat([ids[1:], ids[:1]])
    weight = torch.ones(ROWS)
    weight[-1] = 0
    save_file({"ids": ids.int(), "target": target.int(), "weight": weight,
               "doc": torch.tensor([[0, ROWS]], dtype=torch.int32),
               "shape": torch.tensor([1, ROWS], dtype=torch.int32),
               "logits": logits.contiguous()},
              os.path.join(out, name + ".safetensors"))
    print(name, "deviation of the logits", logits.std().item())


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    p = argparse.ArgumentParser()
    p.add_argument("-o", default=os.path.join(here, "gguf"))
    p.add_argument("case", nargs="*", choices=[[], *CASES])
    a = p.parse_args()
    torch.set_num_threads(1)
    os.makedirs(a.o, exist_ok=True)
    for number, name in enumerate(CASES):
        if not a.case or name in a.case:
            run_case(name, number, a.o)


if __name__ == "__main__":
    main()
