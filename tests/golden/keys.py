#!/usr/bin/env python3
"""What transformers and PEFT make of every key of their configurations.

    python3 tests/golden/keys.py > tests/golden/keys.json

needs torch, transformers and peft; reads tests/golden/models. For each
family, each key of its configuration class (and some that any configuration
may have) is set to values of the right type and of wrong ones in the model's
config.json, and the model is loaded and run in float64. The same for each
key of LoraConfig in the adapter_config.json of an adapter of the llama.

A line of output is [MODEL or "lora", KEY, VALUE, RESULT], RESULT being what
became of the logits: "same", "differs", or "refused" if nothing came out
(an exception, or no finite number).
"""
import contextlib
import dataclasses
import io
import json
import os
import shutil
import sys
import tempfile
import warnings

import torch
import transformers
from peft import LoraConfig, PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

MODELS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "models")
CASES = ["llama", "llama_tied", "mistral", "qwen2", "qwen2_yarn", "qwen3",
         "granite", "olmo2", "gemma", "gemma3", "starcoder2", "gpt2",
         "gpt_bigcode", "phi", "phi3", "mamba", "mamba2", "jamba", "mixtral",
         "qwen2_moe", "qwen3_moe"]
IDS = torch.arange(20)[None] % 96
RANK, ALPHA = 4, 8

ACTS = ["gelu", "gelu_new", "gelu_pytorch_tanh", "gelu_fast", "silu", "swish",
        "relu", "quick_gelu", "tanh", "linear", "none of these"]
DEFAULT = {"rope_type": "default"}
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
          "high_freq_factor": 4.0, "original_max_position_embeddings": 16}
YARN = {"rope_type": "yarn", "factor": 4.0,
        "original_max_position_embeddings": 16}
# Keys that a class does not name and a file may hold all the same.
EXTRA = {
    "hidden_act": [7, None, *ACTS], "activation_function": [7, *ACTS],
    "hidden_size": [16, None], "num_hidden_layers": [1],
    "num_attention_heads": [4], "max_position_embeddings": [8],
    "n_embd": [16], "n_layer": [1], "n_head": [4], "n_ctx": [8],
    "num_key_value_heads": [1], "intermediate_size": [8], "n_inner": [8],
    "head_dim": [2, 32, 0, None, "8", True],
    "rope_theta": [0, 77.0, None, "x"],
    "partial_rotary_factor": [0.25, None],
    "rope_parameters": [
        None, {}, 7, DEFAULT, {"rope_theta": 77.0},
        dict(DEFAULT, rope_theta=77.0), dict(DEFAULT, rope_theta=0),
        dict(DEFAULT, rope_theta=None), dict(DEFAULT, rope_theta="x"),
        dict(DEFAULT, factor=2.0), dict(DEFAULT, partial_rotary_factor=0.25),
        {"rope_type": "linear", "factor": 2.0},
        {"type": "linear", "factor": 2.0}, {"rope_type": 7},
        {"full_attention": dict(DEFAULT, rope_theta=77.0)},
        {"full_attention": dict(LLAMA3), "sliding_attention": None},
        {"sliding_attention": dict(YARN, rope_theta=77.0)}],
    "rope_local_base_freq": [77.0, 0, None],
    "sliding_window_pattern": [1, 2],
    "rope_scaling": [
        None, {}, DEFAULT, {"type": "default", "rope_theta": 77.0},
        {"rope_type": "linear", "factor": 2.0}, {"factor": 2.0}, "linear"],
    "original_max_position_embeddings": [32],
    "sliding_window": [3, None, 0, -1, "3", True],
    "use_sliding_window": [True, False, None, 1, "true"],
    "max_window_layers": [0, 9],
    "layer_types": [["full_attention"] * 2, ["sliding_attention"] * 2,
                    ["full_attention"], ["full_attention", "no type"], 7,
                    ["chunked_attention"] * 2, [1, 2]],
    "attention_bias": [True, False], "mlp_bias": [True, False],
    "use_bias": [True, False], "qk_layernorm": [True, False],
    "use_qk_norm": [True], "rope_interleaved": [True],
    "is_causal": [True, False], "is_decoder": [False],
    "pruned_heads": [{}, {"0": [0]}], "pad_token_id": [-1, 3, 96, "x"],
    "per_layer_config": [{"0": {"attention_dropout": 0.5}},
                         {"1": {"sliding_window": 2}}],
    "quantization_config": [None, {"quant_method": "fp8"}],
    "tie_encoder_decoder": [True], "pretraining_tp": [2],
    "attn_logit_softcapping": [1.0], "attention_multiplier": [2.0],
    "logits_scaling": [2.0], "scale_embedding": [True],
    "attention_chunk_size": [4],
}

# Of models that have rotary positions.
SCALED = [
    {"rope_type": "linear"}, {"rope_type": "linear", "factor": None},
    {"rope_type": "linear", "factor": 2.0, "attention_factor": 3.0},
    {"rope_type": "linear", "factor": 2.0, "rope_theta": 77.0},
    {"rope_type": "linear", "factor": 2.0, "partial_rotary_factor": 0.25},
    {"rope_type": "dynamic", "factor": 2.0},
    {"rope_type": "longrope", "factor": 2.0}, {"rope_type": "none"},
    LLAMA3, dict(LLAMA3, factor=2), dict(LLAMA3, factor="2"),
    dict(LLAMA3, low_freq_factor=2.0), dict(LLAMA3, low_freq_factor=0),
    dict(LLAMA3, high_freq_factor=None),
    dict(LLAMA3, original_max_position_embeddings=32),
    {k: v for k, v in LLAMA3.items() if k[0] != "h"},
    YARN, {**YARN, "type": "linear"}, dict(YARN, factor=None),
    {k: v for k, v in YARN.items() if k[0] != "o"},
    dict(YARN, original_max_position_embeddings=8),
    dict(YARN, attention_factor=1.5), dict(YARN, attention_factor="1"),
    dict(YARN, attention_factor=None), dict(YARN, beta_fast=2),
    dict(YARN, beta_fast=None), dict(YARN, beta_slow=0.5),
    dict(YARN, mscale=1.0, mscale_all_dim=0.5), dict(YARN, mscale=1.0),
    dict(YARN, truncate=False), dict(YARN, truncate=None),
    dict(YARN, no_such_key=7)]
# Of models some of whose layers have no experts.
DENSE = [None, [], [0], [1], [0, 1], [1, 1], [7], [-1], [0.5], [True],
         ["1"], "1"]
# Of Mamba-2; the model's own limits are 0.5 and 1.
MAMBA2 = {
    "time_step_limit": [[0.625, 0.75], [0.75, 0.625], [0.625], [], None,
                        [0.5, {"__float__": "Infinity"}], [0.5, "Infinity"],
                        [{"__float__": "Infinity"}, 1.0], [0.5, None],
                        [-1.0, 1.0]],
    "n_groups": [4, 3, 1], "num_heads": [2], "head_dim": [8],
    "time_step_rank": ["auto", "x", 1000], "conv_kernel": [3],
}
# Of Phi-3, whose heads turn by 8 pairs.
LONGROPE = {"rope_type": "longrope", "rope_theta": 77.0,
            "original_max_position_embeddings": 32,
            "short_factor": [1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 4],
            "long_factor": [2.0] * 8}
PHI3 = {"rope_scaling": [
    LONGROPE, dict(LONGROPE, rope_type="su"), dict(LONGROPE, type="yarn"),
    dict(LONGROPE, rope_type="yarn"), dict(LONGROPE, rope_type="llama3"),
    dict(LONGROPE, short_factor=[1.0] * 7),
    dict(LONGROPE, long_factor=[1.0] * 9), dict(LONGROPE, short_factor="1"),
    dict(LONGROPE, long_factor=[1.0] * 7 + ["1"]),
    dict(LONGROPE, short_factor=[1.0] * 7 + [0]),
    dict(LONGROPE, attention_factor=1.5), dict(LONGROPE, factor=2.0),
    dict(LONGROPE, original_max_position_embeddings=128),
    dict(LONGROPE, partial_rotary_factor=0.5),
    {k: v for k, v in LONGROPE.items() if k[0] != "o"},
    {k: v for k, v in LONGROPE.items() if k[0] != "l"},
    {k: v for k, v in LONGROPE.items() if k[0] != "s"}]}
# What no result depends on: where files come from, labels, output forms, a
# rounding of what is float64 here.
SKIPPED = {"transformers_version", "architectures", "dtype", "id2label",
           "label2id", "problem_type", "return_dict", "output_hidden_states",
           "residual_in_fp32", "chunk_size"}

LORA = {
    "r": [2, 0, None, "4", True, 4.5],
    "lora_alpha": [16, 0, -3, None, "8", True, 7.5],
    "lora_dropout": [0.5, 0, 2, None, "0", True],
    "target_modules": [["q_proj"], ["layers.0.self_attn.q_proj"], "q_proj",
                       ".*_proj", "all-linear", [], None, 7],
    "exclude_modules": [["q_proj"], [], None],
    "layers_to_transform": [[0], [0, 1], 1, None],
    "layers_pattern": ["layers"],
    "bias": ["none", "all", "lora_only", None, 7, "no"],
    "use_rslora": [True, False, None, "false", "true", 1, 0],
    "use_dora": [True, False, None, "false"],
    "fan_in_fan_out": [True, False, None, "true"],
    "init_lora_weights": [True, False, None, "gaussian", "orthogonal",
                          "pissa", "olora", "loftq", "no", 7],
    "rank_pattern": [{}, {"q_proj": 2}, {"none": 2}],
    "alpha_pattern": [{}, {"q_proj": 3}],
    "modules_to_save": [None, [], ["lm_head"]],
    "trainable_token_indices": [None, [1, 2]],
    "layer_replication": [None, [[0, 2], [0, 2]]],
    "lora_bias": [True, False, None],
    "target_parameters": [None, [], ["none"]],
    "peft_type": ["LORA", "IA3", None, 7],
    "inference_mode": [True, False], "ensure_weight_tying": [True, False],
    "use_qalora": [True, False], "task_type": ["CAUSAL_LM", None],
    "alora_invocation_tokens": [None, [1]],
    "arrow_config": [None], "base_model_name_or_path": [None, "x"],
    "revision": [None, "main"], "no_such_key": [1, None],
}


def values_of(field, value):
    """Values that a key is tried with, by the type it has."""
    if isinstance(value, bool):
        return [not value, None, 1, "true"]
    if isinstance(value, int):
        return [True, None, str(value), value + 0.5, 0, -1, value // 2]
    if isinstance(value, float):
        return [value / 2 + 0.125, None, "x", True, -1.0]
    return [7, "x"] if "dict" not in str(field.type) else []


def load(path, scans=False, experts=False):
    how = {"experts_implementation": "eager"} if experts else {}
    model = AutoModelForCausalLM.from_pretrained(
        path, attn_implementation="eager" if scans else "sdpa",
        dtype=torch.float64, **how)
    return model.eval()


def logits(model):
    with torch.no_grad():
        return model(input_ids=IDS, use_cache=False).logits[0]


def result(base, make):
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            got = logits(make())
    except Exception:
        return "refused"
    if not torch.isfinite(got).all():
        return "refused"
    same = got.shape == base.shape and (got - base).abs().max() < 1e-9
    return "same" if same else "differs"


def write_json(path, value):
    with open(path, "w") as f:
        json.dump(value, f)


def rows(name, tried, config, path, base, make):
    for key, values in tried.items():
        seen = []
        for v in values:
            text = json.dumps(v)
            if text in seen:
                continue
            seen.append(text)
            write_json(path, dict(config, **{key: v}))
            yield json.dumps([name, key, v, result(base, make)])


def family_rows(name):
    with tempfile.TemporaryDirectory() as d:
        shutil.copytree(os.path.join(MODELS, name), d, dirs_exist_ok=True)
        path = os.path.join(d, "config.json")
        with open(path) as f:
            config = json.load(f)
        how = (name in ("mamba", "mamba2"),
               name in ("mixtral", "qwen2_moe", "qwen3_moe"))
        model = load(d, *how)
        tried = {}
        for f in dataclasses.fields(type(model.config)):
            if f.name not in SKIPPED:
                tried[f.name] = values_of(f, getattr(model.config, f.name))
        for key, values in EXTRA.items():
            tried[key] = [*tried.get(key, []), *values]
        if "mlp_only_layers" in tried:
            tried["mlp_only_layers"] += DENSE
        own = {"mamba2": MAMBA2, "phi3": PHI3}.get(name, {})
        for key, values in own.items():
            tried[key] = [*tried.get(key, []), *values]
        if name in ("mamba", "mamba2", "jamba"):  # know no positions
            tried = {k: v for k, v in tried.items() if k[:5] != "rope_"}
        elif name not in ("gpt2", "gpt_bigcode"):
            tried["rope_scaling"] += SCALED
        yield from rows(name, tried, config, path, logits(model),
                        lambda: load(d, *how))


def lora_rows():
    g = torch.Generator().manual_seed(1)
    base = load(os.path.join(MODELS, "llama"))
    golden = load_file(os.path.join(MODELS, "llama", "golden.safetensors"))
    with tempfile.TemporaryDirectory() as d:
        save_file({"base_model.model." + n[5:]: t for n, t in golden.items()
                   if n.startswith("lora.")},
                  os.path.join(d, "adapter_model.safetensors"))
        config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": RANK,
                  "lora_alpha": ALPHA, "lora_dropout": 0.0, "bias": "none",
                  "target_modules": sorted(
                      {n.split(".")[-3] for n in golden
                       if n.startswith("lora.")})}
        path = os.path.join(d, "adapter_config.json")

        def make():
            return PeftModel.from_pretrained(
                load(os.path.join(MODELS, "llama")), d).double().eval()

        write_json(path, config)
        want = logits(make())
        assert (want - logits(base)).abs().max() > 1e-3
        for f in dataclasses.fields(LoraConfig):
            if f.name not in LORA:
                LORA[f.name] = [None]
        yield from rows("lora", LORA, config, path, want, make)


def main():
    transformers.logging.set_verbosity_error()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    lines = [line for name in CASES for line in family_rows(name)]
    lines += lora_rows()
    sys.stdout.write("[\n" + ",\n".join(lines) + "\n]\n")


if __name__ == "__main__":
    main()
