#!/usr/bin/env python3
"""Tiny models of every family, and what transformers makes of them in float64.

    python3 tests/golden/models.py [-o tests/golden/models] [CASE...]

needs torch, transformers, peft and safetensors. Same versions, same bytes;
values move in the last digits between versions of torch.

For each case a directory OUT/CASE:

  config.json, model.safetensors   the model, F32 weights, as transformers
                                   saves them
  golden.safetensors               what the test compares with:
    ids, target   I32 [rows]       token ids; the next token of the document
    weight        F32 [rows]       1: the row counts in the loss; 0: not
    doc           I32 [docs, 2]    first row and length of each document
    shape         I32 [2]          sequences, rows of a sequence
    logits        F64 [rows, vocab]
    row_loss      F64 [rows]       cross-entropy, 0 where weight is 0
    loss          F64 [1]          sum of weight * row_loss / sum of weight
    grad.NAME     F64              of loss, by every parameter of the model
    lora.NAME     F32              adapter MODULE.lora_A.weight, .lora_B...
    lora_row_loss, lora_loss       with the adapter
    lora_grad.NAME F64             of lora_loss

Rows are two sequences of 24: one document, then two documents of 10 and 14.
transformers sees each document as a sequence of its own. The adapter has
rank 4, alpha 8, no dropout and covers every linear of the layers (of Mamba
in_proj and x_proj: PEFT refuses out_proj, and dt_proj's weight is read beside
the module; of Mamba-2 in_proj; of Qwen3-MoE those of attention), also of each
expert of Mixtral's, but no router.

Experts, which transformers keeps in one tensor, are named as files have them,
one by one; their adapters are loaded from such a file. Where the
configuration has a load-balancing loss, it is in what gradients are of, and
  balance       F64 [1]            is the loss, times its coefficient
that of each sequence, of its rows up to the last that counts, weighed by its
tokens that count.

transformers computes rotary angles, RMSNorm and some softmaxes in float32
whatever the model's type. The first two are replaced here by the same
formulas in float64 (of inverse frequencies that are float32), the third is
avoided by sdpa attention. What Mamba and routers make float32 is left
float64. Constants
that a config or the program holds as float32 (eps, 1/sqrt(head_dim),
alpha/rank) are powers of two.
"""
import argparse
import math
import os
import tempfile
import types

import torch
import torch.nn.functional as F
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import save_file
from transformers import (Gemma3ForCausalLM, Gemma3TextConfig, GemmaConfig,
                          GemmaForCausalLM, GPT2Config, GPT2LMHeadModel,
                          GPTBigCodeConfig, GPTBigCodeForCausalLM,
                          GraniteConfig, GraniteForCausalLM,
                          JambaConfig, JambaForCausalLM, LlamaConfig,
                          LlamaForCausalLM, Mamba2Config, Mamba2ForCausalLM,
                          MambaConfig, MambaForCausalLM,
                          MistralConfig, MistralForCausalLM, MixtralConfig,
                          MixtralForCausalLM, Olmo2Config, Olmo2ForCausalLM,
                          Phi3Config, Phi3ForCausalLM, PhiConfig,
                          PhiForCausalLM, Qwen2Config,
                          Qwen2ForCausalLM, Qwen2MoeConfig,
                          Qwen2MoeForCausalLM, Qwen3Config, Qwen3ForCausalLM,
                          Qwen3MoeConfig, Qwen3MoeForCausalLM,
                          Starcoder2Config, Starcoder2ForCausalLM)
from transformers.models.mixtral.modeling_mixtral import (
    load_balancing_loss_func)

EPS = 2.0 ** -17
SEQ = 24
DOCS = [(0, 24), (24, 10), (34, 14)]  # first row, length
ROWS = 2 * SEQ
RANK, ALPHA = 4, 8
COMMON = dict(vocab_size=96, hidden_size=32, intermediate_size=40,
              num_hidden_layers=2, max_position_embeddings=64)

FLOAT = torch.Tensor.float


def llama(**kw):
    return LlamaConfig(**COMMON, rms_norm_eps=EPS, **kw)


def phi(**kw):
    return PhiConfig(
        **COMMON, num_attention_heads=2, num_key_value_heads=2,
        layer_norm_eps=EPS, resid_pdrop=0.0, embd_pdrop=0.0,
        attention_dropout=0.0,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0,
                         "partial_rotary_factor": 0.5}, **kw)


def phi3(**kw):
    return Phi3Config(**COMMON, num_attention_heads=2, rms_norm_eps=EPS,
                      pad_token_id=None, bos_token_id=0, eos_token_id=0, **kw)


def mamba2(**kw):
    return Mamba2Config(
        vocab_size=96, hidden_size=32, num_hidden_layers=2, num_heads=4,
        head_dim=16, state_size=8, conv_kernel=4, chunk_size=8,
        layer_norm_epsilon=EPS, residual_in_fp32=False, bos_token_id=0,
        eos_token_id=0, **kw)


CASES = {  # seed of the weights, class, configuration
    "llama": (2, LlamaForCausalLM, llama(
        num_attention_heads=4, num_key_value_heads=2, head_dim=16,
        attention_bias=True, mlp_bias=True, tie_word_embeddings=False)),
    "llama_tied": (3, LlamaForCausalLM, llama(
        num_attention_heads=8, num_key_value_heads=2, head_dim=4,
        attention_bias=False, tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": 500000.0})),
    "qwen2": (5, Qwen2ForCausalLM, Qwen2Config(
        **COMMON, num_attention_heads=8, num_key_value_heads=4,
        rms_norm_eps=EPS, tie_word_embeddings=True, use_sliding_window=True,
        sliding_window=9, max_window_layers=1)),
    "llama_llama3": (8, LlamaForCausalLM, llama(
        num_attention_heads=4, num_key_value_heads=2, head_dim=16,
        tie_word_embeddings=True, rope_parameters={
            "rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0,
            "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 32})),
    "qwen2_yarn": (9, Qwen2ForCausalLM, Qwen2Config(
        **COMMON, num_attention_heads=2, num_key_value_heads=1,
        rms_norm_eps=EPS, tie_word_embeddings=True, rope_parameters={
            "rope_type": "yarn", "rope_theta": 100.0, "factor": 4.0,
            "original_max_position_embeddings": 16, "beta_fast": 4.0})),
    "mistral": (10, MistralForCausalLM, MistralConfig(
        **COMMON, num_attention_heads=4, num_key_value_heads=2, head_dim=16,
        rms_norm_eps=EPS, sliding_window=8)),
    "qwen3": (11, Qwen3ForCausalLM, Qwen3Config(
        **COMMON, num_attention_heads=4, num_key_value_heads=2, head_dim=16,
        rms_norm_eps=EPS, tie_word_embeddings=False)),
    "qwen3_windows": (12, Qwen3ForCausalLM, Qwen3Config(
        **COMMON, num_attention_heads=2, num_key_value_heads=1, head_dim=4,
        rms_norm_eps=EPS, tie_word_embeddings=True, attention_bias=True,
        use_sliding_window=True, sliding_window=6,
        layer_types=["sliding_attention", "full_attention"])),
    "granite": (13, GraniteForCausalLM, GraniteConfig(
        **COMMON, num_attention_heads=4, num_key_value_heads=2,
        rms_norm_eps=EPS, tie_word_embeddings=True, mlp_bias=True,
        embedding_multiplier=3.0, attention_multiplier=0.25,
        residual_multiplier=0.22, logits_scaling=1.5)),
    "olmo2": (14, Olmo2ForCausalLM, Olmo2Config(
        **COMMON, num_attention_heads=4, num_key_value_heads=2, head_dim=16,
        rms_norm_eps=EPS, attention_bias=True, pad_token_id=None)),
    "gemma": (27, GemmaForCausalLM, GemmaConfig(
        **COMMON, num_attention_heads=4, num_key_value_heads=1, head_dim=16,
        rms_norm_eps=EPS, pad_token_id=None, hidden_act="gelu")),
    "gemma3": (15, Gemma3ForCausalLM, Gemma3TextConfig(
        **COMMON, num_attention_heads=4, num_key_value_heads=2, head_dim=16,
        rms_norm_eps=EPS, query_pre_attn_scalar=64, sliding_window=7,
        layer_types=["sliding_attention", "full_attention"],
        pad_token_id=None, rope_parameters={
            "full_attention": {"rope_type": "linear", "factor": 8.0,
                               "rope_theta": 1000000.0},
            "sliding_attention": {"rope_type": "default",
                                  "rope_theta": 10000.0}})),
    "starcoder2": (6, Starcoder2ForCausalLM, Starcoder2Config(
        **COMMON, num_attention_heads=2, num_key_value_heads=1,
        norm_epsilon=EPS, sliding_window=7, use_bias=True,
        tie_word_embeddings=True, residual_dropout=0.0,
        embedding_dropout=0.0, attention_dropout=0.0)),
    "gpt2": (1, GPT2LMHeadModel, GPT2Config(
        vocab_size=96, n_embd=32, n_layer=2, n_head=2, n_positions=64,
        n_inner=40, layer_norm_epsilon=EPS, resid_pdrop=0.0, embd_pdrop=0.0,
        attn_pdrop=0.0, bos_token_id=0, eos_token_id=0)),
    "gpt_bigcode": (31, GPTBigCodeForCausalLM, GPTBigCodeConfig(
        vocab_size=96, n_embd=32, n_layer=2, n_head=2, n_positions=64,
        n_inner=40, layer_norm_epsilon=EPS, resid_pdrop=0.0, embd_pdrop=0.0,
        attn_pdrop=0.0, bos_token_id=0, eos_token_id=0)),
    "phi3": (29, Phi3ForCausalLM, phi3(
        num_key_value_heads=2, sliding_window=9, tie_word_embeddings=True)),
    "phi3_longrope": (30, Phi3ForCausalLM, phi3(
        num_key_value_heads=1, original_max_position_embeddings=32,
        rope_parameters={
            "rope_type": "longrope", "rope_theta": 10000.0,
            "partial_rotary_factor": 0.75,
            "short_factor": [1.0, 1.0625, 1.1875, 1.5, 2.5, 4.0],
            "long_factor": [2.0] * 6})),
    "mixtral": (17, MixtralForCausalLM, MixtralConfig(
        **COMMON, num_attention_heads=4, num_key_value_heads=2, head_dim=16,
        rms_norm_eps=EPS, num_local_experts=4, num_experts_per_tok=2,
        output_router_logits=True, router_aux_loss_coef=0.25,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0})),
    "qwen2_moe": (23, Qwen2MoeForCausalLM, Qwen2MoeConfig(
        **COMMON, num_attention_heads=4, num_key_value_heads=2, head_dim=16,
        rms_norm_eps=EPS, num_experts=6, num_experts_per_tok=3,
        moe_intermediate_size=20, shared_expert_intermediate_size=28,
        mlp_only_layers=[1], use_sliding_window=True, sliding_window=9,
        max_window_layers=2, output_router_logits=True,
        router_aux_loss_coef=0.25, tie_word_embeddings=False)),
    "qwen2_moe_norm": (25, Qwen2MoeForCausalLM, Qwen2MoeConfig(
        **COMMON, num_attention_heads=2, num_key_value_heads=2,
        rms_norm_eps=EPS, num_experts=4, num_experts_per_tok=2,
        moe_intermediate_size=24, shared_expert_intermediate_size=12,
        decoder_sparse_step=2, norm_topk_prob=True, qkv_bias=False,
        tie_word_embeddings=True)),
    "qwen3_moe": (28, Qwen3MoeForCausalLM, Qwen3MoeConfig(
        **COMMON, num_attention_heads=4, num_key_value_heads=2, head_dim=16,
        rms_norm_eps=EPS, num_experts=6, num_experts_per_tok=3,
        moe_intermediate_size=20, norm_topk_prob=True, mlp_only_layers=[0],
        use_sliding_window=True, sliding_window=9,
        output_router_logits=True, router_aux_loss_coef=0.25)),
    "mamba": (16, MambaForCausalLM, MambaConfig(
        vocab_size=96, hidden_size=32, num_hidden_layers=2, state_size=8,
        time_step_rank=4, conv_kernel=4, use_bias=True,
        layer_norm_epsilon=EPS, residual_in_fp32=False, bos_token_id=0,
        eos_token_id=0)),
    "mamba2": (25, Mamba2ForCausalLM, mamba2(
        n_groups=2, use_bias=True, time_step_limit=(0.5, 1.0))),
    "mamba2_tied": (26, Mamba2ForCausalLM, mamba2(
        n_groups=1, hidden_act="gelu", use_conv_bias=False,
        tie_word_embeddings=True)),
    "jamba": (18, JambaForCausalLM, JambaConfig(
        **COMMON, num_attention_heads=2, num_key_value_heads=1,
        rms_norm_eps=EPS, attn_layer_period=2,
        attn_layer_offset=1, num_experts=1, mamba_d_state=8,
        mamba_dt_rank=4, mamba_proj_bias=True, tie_word_embeddings=False,
        pad_token_id=None)),
    "jamba_experts": (22, JambaForCausalLM, JambaConfig(
        **COMMON, num_attention_heads=2, num_key_value_heads=1,
        rms_norm_eps=EPS, attn_layer_period=2, attn_layer_offset=1,
        expert_layer_period=2, expert_layer_offset=0, num_experts=4,
        num_experts_per_tok=2, output_router_logits=True,
        router_aux_loss_coef=0.25, mamba_d_state=8, mamba_dt_rank=4,
        tie_word_embeddings=True, pad_token_id=None)),
    "phi": (4, PhiForCausalLM, phi(tie_word_embeddings=False)),
    "phi_tied": (7, PhiForCausalLM, phi(
        tie_word_embeddings=True, head_dim=4, pad_token_id=20)),
}


def exact_rms(self, x):
    var = x.pow(2).mean(-1, keepdim=True)
    if hasattr(self, "eps"):  # Gemma's
        return (1 + self.weight) * (x * torch.rsqrt(var + self.eps))
    return self.weight * (x * torch.rsqrt(var + self.variance_epsilon))


def exact_gated(self, x, gate):
    x = (x * F.silu(gate)).unflatten(-1, (-1, self.group_size))
    var = x.pow(2).mean(-1, keepdim=True)
    x = x * torch.rsqrt(var + self.variance_epsilon)
    return self.weight * x.flatten(-2)


def exact_rotary(self, x, position_ids, layer_type=None, **_):
    of = "" if layer_type is None else layer_type + "_"
    freq = getattr(self, of + "inv_freq").double()
    angle = position_ids[..., None].double() * freq
    angle = torch.cat((angle, angle), dim=-1)
    scale = getattr(self, of + "attention_scaling")
    return angle.cos() * scale, angle.sin() * scale


def exact_router(self, x):
    logits = F.linear(x, self.weight)
    p, which = torch.topk(F.softmax(logits, dim=-1), self.top_k, dim=-1)
    if getattr(self, "norm_topk_prob", False):
        p = p / p.sum(dim=-1, keepdim=True)
    return logits, p, which


def make_exact(model):
    exact = type(model).__name__ in ("MambaForCausalLM", "Mamba2ForCausalLM",
                                     "JambaForCausalLM", "MixtralForCausalLM",
                                     "Qwen2MoeForCausalLM",
                                     "Qwen3MoeForCausalLM")
    torch.Tensor.float = torch.Tensor.double if exact else FLOAT
    for module in model.modules():
        name = type(module).__name__
        if name.endswith("RMSNorm"):
            module.forward = types.MethodType(exact_rms, module)
        elif name == "MambaRMSNormGated":
            module.forward = types.MethodType(exact_gated, module)
        elif name in ("JambaTopKRouter", "Qwen2MoeTopKRouter",
                      "Qwen3MoeTopKRouter"):
            module.forward = types.MethodType(exact_router, module)
        elif name.endswith("RotaryEmbedding"):
            module.forward = types.MethodType(exact_rotary, module)


def draw_weights(model, g):
    """Gains around 1 (Gemma's models add the 1 themselves), other vectors and
    matrices such that each module does something; float32 values."""
    gain = 0 if model.config.model_type.startswith("gemma") else 1
    for name, p in model.named_parameters():
        x = torch.randn(p.shape, generator=g, dtype=torch.float32)
        if p.dim() == 1 and name.endswith("weight"):
            x = gain + 0.1 * x
        elif p.dim() == 1:
            x = 0.1 * x
        elif any(s in name for s in ("embed", "wte", "wpe", "lm_head")):
            x = 0.4 * x
        else:
            x = 0.2 * x
        p.data = x


def outputs_of(model, ids):
    """Logits, [rows, vocab], each document by itself; and of each layer with
    experts its router's, [rows, experts]."""
    parts, routers = [], []
    for at, n in DOCS:
        out = model(input_ids=ids[None, at:at + n], use_cache=False)
        parts.append(out.logits[0])
        routers.append(getattr(out, "router_logits", None) or ())
    return torch.cat(parts), [torch.cat(r) for r in zip(*routers)]


def balance_of(routers, weight, config):
    """transformers' load_balancing_loss_func, in float64, sequence by
    sequence."""
    k, loss = config.num_experts_per_tok, 0
    for at in range(0, ROWS, SEQ):
        w = weight[at:at + SEQ]
        n = w.nonzero().max() + 1
        p = torch.cat([F.softmax(r[at:at + n], dim=-1) for r in routers])
        best = F.one_hot(torch.topk(p, k, dim=-1).indices, p.shape[1])
        f = best.double().sum(1).mean(0)
        loss += w.sum() / weight.sum() * p.shape[1] * (f * p.mean(0)).sum()
        other = load_balancing_loss_func(
            tuple(r[at:at + n] for r in routers), p.shape[1], k)
        assert abs(other - p.shape[1] * (f * p.mean(0)).sum()) < 1e-6
    return config.router_aux_loss_coef * loss


def losses_of(model, ids, target, weight):
    """Of rows, their mean, and what is added to that."""
    logits, routers = outputs_of(model, ids)
    rows = F.cross_entropy(logits, target, reduction="none") * (weight > 0)
    more = balance_of(routers, weight, model.config) if routers else None
    return logits, rows, (rows * weight).sum() / weight.sum(), more


def batch(g):
    ids = torch.randint(0, 96, (ROWS,), generator=g)
    ids[5] = ids[3]  # the same token twice: its gradient is a sum
    target = torch.zeros(ROWS, dtype=torch.int64)
    weight = torch.zeros(ROWS, dtype=torch.float64)
    for at, n in DOCS:
        target[at:at + n - 1] = ids[at + 1:at + n]
        weight[at:at + n - 1] = 1
    weight[2:6] = 0  # a prompt without loss
    weight[36] = 0
    return ids, target, weight


def base_name(peft_name):
    return peft_name.replace("base_model.model.", "").replace(".default", "")


# Gate, up and down of an expert; PEFT has adapters of Mixtral's alone.
NAMES = {"mixtral": ("w1", "w3", "w2"),
         "jamba": ("gate_proj", "up_proj", "down_proj"),
         "qwen2_moe": ("gate_proj", "up_proj", "down_proj"),
         "qwen3_moe": ("gate_proj", "up_proj", "down_proj")}
ADAPTED = {"mixtral"}


def disk_name(name, model):
    """As a file has it: transformers 5 renames this one in memory."""
    is_mixtral = model.config.model_type == "mixtral"
    return name.replace(".mlp.", ".block_sparse_moe.") if is_mixtral else name


def by_experts(name, x, model):
    """(name, tensor) of the tensors that a file has for this one."""
    name = disk_name(name, model)
    at, _, leaf = name.rpartition(".")
    if leaf not in ("gate_up_proj", "down_proj") or x.dim() != 3:
        yield name, x
        return
    gate, up, down = NAMES[model.config.model_type]
    for e, w in enumerate(x):
        n = w.shape[0] // 2
        parts = (((gate, w[:n]), (up, w[n:])) if leaf == "gate_up_proj"
                 else ((down, w),))
        for part, value in parts:
            yield f"{at}.{e}.{part}.weight", value


def expert_lora(model, g):
    """Loads an adapter of all linears from PEFT's files, experts' one by one.
    Returns the model, the matrices by name, and what makes gradients by such
    names of what PEFT holds."""
    t, targets = {}, {"q_proj", "k_proj", "v_proj", "o_proj"}
    c, names = model.config, NAMES[model.config.model_type]
    targets |= set(names)
    for name, p in model.named_parameters():
        for n, x in by_experts(name, p.data, model):
            if n.split(".")[-2] not in targets:
                continue
            n = n.removesuffix(".weight")
            for part, shape in (("A", (RANK, x.shape[1])),
                                ("B", (x.shape[0], RANK))):
                t[f"{n}.lora_{part}.weight"] = 0.2 * torch.randn(
                    shape, generator=g, dtype=torch.float32)
    with tempfile.TemporaryDirectory() as path:
        LoraConfig(r=RANK, lora_alpha=ALPHA, lora_dropout=0.0,
                   target_modules=sorted(targets),
                   task_type="CAUSAL_LM").save_pretrained(path)
        save_file({"base_model.model." + n: x for n, x in t.items()},
                  os.path.join(path, "adapter_model.safetensors"))
        peft = PeftModel.from_pretrained(model, path, is_trainable=True)
    return peft.double(), t, c.num_local_experts, names


def expert_grads(peft, experts, names):
    """Of A [experts * rank, in] and B [out, rank * experts]; gate and up are
    one module of twice the rank, of which B has each by itself."""
    for n, p in peft.named_parameters():
        if p.grad is None:
            continue
        base = disk_name(base_name(n), peft)
        if ".experts." not in base:
            yield base, p.grad
            continue
        at = base[:base.index(".experts.") + 9]
        parts = names[:2] if "base_layer" in base else names[2:]
        for e in range(experts):
            for i, part in enumerate(parts):
                if "lora_A" in base:
                    x = p.grad.reshape(experts, len(parts), RANK, -1)[e, i]
                    yield f"{at}{e}.{part}.lora_A.weight", x
                    continue
                x = p.grad.reshape(len(parts), -1, len(parts), RANK, experts)
                yield f"{at}{e}.{part}.lora_B.weight", x[i, :, i, :, e]


def add_lora(model, is_gpt2, g):
    names = {n.split(".")[-1] for n, m in model.named_modules()
             if type(m).__name__ in ("Linear", "Conv1D") and n != "lm_head"}
    if hasattr(model, "backbone"):
        names -= {"out_proj"}
    names -= {"dt_proj"}
    if model.config.model_type == "qwen3_moe":  # PEFT's names of experts
        names -= set(NAMES["qwen3_moe"])
    peft = get_peft_model(model, LoraConfig(
        r=RANK, lora_alpha=ALPHA, lora_dropout=0.0, bias="none",
        target_modules=sorted(names), fan_in_fan_out=is_gpt2,
        task_type="CAUSAL_LM"))
    lora = {n: p for n, p in peft.named_parameters() if "lora_" in n}
    for n, p in lora.items():
        x = torch.randn(p.shape, generator=g, dtype=torch.float32)
        p.data = (0.2 * x).double()
    return peft, lora


def run_case(name, out):
    seed, cls, config = CASES[name]
    g = torch.Generator().manual_seed(seed)
    if cls not in (MambaForCausalLM, Mamba2ForCausalLM):
        config._attn_implementation = "sdpa"
    if config.model_type in NAMES:
        config._experts_implementation = "eager"
    model = cls(config).eval()
    draw_weights(model, g)
    model.tie_weights()
    path = os.path.join(out, name)
    os.makedirs(path, exist_ok=True)
    model.save_pretrained(path)
    generation = os.path.join(path, "generation_config.json")
    if os.path.exists(generation):
        os.remove(generation)

    model.double()
    make_exact(model)
    ids, target, weight = batch(g)
    logits, rows, loss, more = losses_of(model, ids, target, weight)
    (loss if more is None else loss + more).backward()
    t = {"ids": ids.int(), "target": target.int(),
         "weight": weight.to(torch.float32),
         "doc": torch.tensor(DOCS, dtype=torch.int32),
         "shape": torch.tensor([ROWS // SEQ, SEQ], dtype=torch.int32),
         "logits": logits.detach(), "row_loss": rows.detach(),
         "loss": loss.detach().reshape(1)}
    if more is not None:
        t["balance"] = more.detach().reshape(1)
    for name_of, p in model.named_parameters():
        for n, x in by_experts(name_of, p.grad, model):
            t["grad." + n] = x.clone()
    model.zero_grad()

    if config.model_type in ADAPTED:
        peft, lora, *how = expert_lora(model, g)
    else:
        peft, lora = add_lora(model, name == "gpt2", g)
    _, rows, loss, more = losses_of(peft, ids, target, weight)
    (loss if more is None else loss + more).backward()
    t["lora_row_loss"] = rows.detach()
    t["lora_loss"] = loss.detach().reshape(1)
    for n, x in lora.items():
        t["lora." + base_name(n)] = x.data.to(torch.float32)
    grads = (expert_grads(peft, *how) if config.model_type in ADAPTED
             else ((base_name(n), p.grad) for n, p in lora.items()))
    for n, x in grads:
        t["lora_grad." + n] = x.clone()
    save_file({k: v.contiguous() for k, v in t.items()},
              os.path.join(path, "golden.safetensors"))
    assert math.isfinite(loss.item())
    print(name, "loss", t["loss"].item(), "with adapter", loss.item())


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    p = argparse.ArgumentParser()
    p.add_argument("-o", default=os.path.join(here, "models"))
    p.add_argument("case", nargs="*", choices=[[], *CASES])
    a = p.parse_args()
    torch.set_num_threads(1)
    for name in a.case or CASES:
        run_case(name, a.o)


if __name__ == "__main__":
    main()
