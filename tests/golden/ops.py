#!/usr/bin/env python3
"""Single ops, and what PyTorch makes of them in float64.

    python3 tests/golden/ops.py [-o tests/golden/ops.safetensors]

needs torch, transformers and safetensors. One file of F64 tensors (I32 for
indices), CASE.NAME; tests/unit/ops_values.c has the constants of each case
and compares. Gradients are of sum(u * y) with the u given.
"""
import argparse
import os

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb
from transformers.models.mixtral.modeling_mixtral import (
    load_balancing_loss_func)

OUT = {}
G = torch.Generator().manual_seed(5)


def draw(*shape):
    return torch.randn(*shape, generator=G, dtype=torch.float64)


def leaf(*shape):
    return draw(*shape).requires_grad_()


def keep(case, **tensors):
    for name, t in tensors.items():
        OUT[f"{case}.{name}"] = t.detach().clone().contiguous()


def norms():
    for case in ("layer_norm", "rms_norm"):
        x, gain, bias, u = leaf(5, 24), leaf(24), leaf(24), draw(5, 24)
        if case == "layer_norm":
            y = F.layer_norm(x, (24,), gain, bias, 2.0 ** -10)
        else:
            y = F.rms_norm(x, (24,), gain, 2.0 ** -10)
        (u * y).sum().backward()
        keep(case, x=x, gain=gain[None], u=u, y=y, dx=x.grad,
             dgain=gain.grad[None])
        if case == "layer_norm":
            keep(case, bias=bias[None], dbias=bias.grad[None])


def activations():
    x = torch.linspace(-9, 9, 64, dtype=torch.float64).reshape(4, 16)
    for case, fn in (("gelu_tanh", lambda v: F.gelu(v, approximate="tanh")),
                     ("gelu_erf", F.gelu), ("silu", F.silu),
                     ("relu", F.relu)):
        v, up, u = x.clone().requires_grad_(), leaf(4, 16), draw(4, 16)
        y = fn(v)
        (u * y).sum().backward()
        keep(case, x=v, u=u, y=y, dx=v.grad)
        v.grad = None
        gated = fn(v) * up
        (u * gated).sum().backward()
        keep(case, up=up, gated=gated, dgate=v.grad, dup=up.grad)


def rope():
    """Two heads of 12 columns of which 8 turn, theta 10000."""
    pos = torch.tensor([0, 1, 2, 0, 1, 77, 4000, 131071])
    x = draw(8, 2, 12)
    freq = 10000.0 ** (-torch.arange(0, 8, 2, dtype=torch.float64) / 8)
    angle = pos[:, None].double() * freq
    angle = torch.cat((angle, angle), dim=-1)[None]
    turn = x[..., :8].transpose(0, 1)[None]
    turn, _ = apply_rotary_pos_emb(turn, turn, angle.cos(), angle.sin())
    y = torch.cat((turn[0].transpose(0, 1), x[..., 8:]), dim=-1)
    keep("rope", x=x.reshape(8, 24), y=y.reshape(8, 24), pos=pos.int(),
         freq=freq[None])


def attention():
    """Four heads of 8 on two key heads; documents of 5, 7 and 4 rows."""
    n, heads, kv, hd = 16, 4, 2, 8
    first = torch.tensor([0] * 5 + [5] * 7 + [12] * 4)
    at = torch.arange(n)
    for case, window in (("attention", 0), ("window", 3)):
        q, k, v = leaf(n, heads * hd), leaf(n, kv * hd), leaf(n, kv * hd)
        u = draw(n, heads * hd)
        seen = (at[None] <= at[:, None]) & (at[None] >= first[:, None])
        if window:
            seen &= at[None] > at[:, None] - window
        o = F.scaled_dot_product_attention(
            q.reshape(n, heads, hd).transpose(0, 1),
            k.reshape(n, kv, hd).transpose(0, 1),
            v.reshape(n, kv, hd).transpose(0, 1),
            attn_mask=seen, scale=0.25, enable_gqa=True)
        o = o.transpose(0, 1).reshape(n, heads * hd)
        (u * o).sum().backward()
        keep(case, q=q, k=k, v=v, u=u, o=o, dq=q.grad, dk=k.grad, dv=v.grad,
             first=first.int())


def head():
    """Rows 0..8 of 11 have a loss, weighted; logits up to some hundreds."""
    x, w, b = leaf(11, 10), leaf(20, 10), leaf(20)
    with torch.no_grad():
        x[2] *= 100
    target = torch.randint(0, 20, (11,), generator=G)
    weight = torch.tensor([1, .5, 1, 0, 2, 1, 1, 1, 1, 0, 0],
                          dtype=torch.float64)
    rows = F.cross_entropy(F.linear(x, w, b), target, reduction="none")
    loss = (rows * weight).sum() * 0.125
    loss.backward()
    keep("head", x=x, w=w, b=b[None], target=target.int(), weight=weight,
         row_loss=rows[:9, None], loss=loss.reshape(1), dx=x.grad,
         dw=w.grad, db=b.grad[None])


def z_loss():
    """As head, with weights of 1 and PaLM's z-loss, 0.0625 times."""
    x, w, b = leaf(9, 10), leaf(20, 10), leaf(20)
    target = torch.randint(0, 20, (9,), generator=G)
    logits = F.linear(x, w, b)
    more = 0.0625 * torch.logsumexp(logits, 1) ** 2
    rows = F.cross_entropy(logits, target, reduction="none")
    ((rows + more).sum() * 0.125).backward()
    keep("z_loss", x=x, w=w, b=b[None], target=target.int(),
         z=more.sum().reshape(1), dx=x.grad, dw=w.grad, db=b.grad[None])


def route():
    """Nine tokens, the best two of five experts, as transformers has it for
    Mixtral (norm) and Qwen2-MoE; with 0.5 times its load-balancing loss of
    the first seven, which have a loss."""
    mask = torch.tensor([[1] * 7 + [0] * 2])
    for case, norm in (("route_norm", True), ("route", False)):
        x, u = leaf(9, 5), draw(9, 2)
        w, e = torch.topk(F.softmax(x, dim=-1), 2, dim=-1)
        if norm:
            w = w / w.sum(dim=-1, keepdim=True)
        chosen = F.one_hot(e[:7], 5).double().sum((0, 1)) / 7
        more = 5 * (chosen * F.softmax(x, dim=-1)[:7].mean(0)).sum()
        other = load_balancing_loss_func((x,), 5, 2, mask)  # in float32
        assert abs(more - other) < 1e-6
        ((u * w).sum() + 0.5 * more).backward()
        keep(case, x=x, u=u, weights=w, experts=e.int(), dx=x.grad,
             more=0.5 * more.reshape(1))


def gate():
    """What an expert for all tokens adds in Qwen2-MoE, with the residual."""
    g, x, r, u = leaf(9, 1), leaf(9, 6), draw(9, 6), draw(9, 6)
    y = r + torch.sigmoid(g) * x
    (u * y).sum().backward()
    keep("gate", g=g, x=x, r=r, u=u, y=y, dg=g.grad, dx=x.grad)


def embedding():
    ids = torch.tensor([3, 1, 3, 0, 4, 3])
    table, u = leaf(6, 5), draw(6, 5)
    y = F.embedding(ids, table)
    (u * y).sum().backward()
    keep("embed", table=table, ids=ids.int(), u=u, y=y, dtable=table.grad)


def optimizers():
    """Three steps; before each the gradient's norm is clipped to 1.5."""
    for case in ("adamw", "sgd"):
        p = leaf(1, 40)
        start, grads, after = p.detach().clone(), [], []
        if case == "adamw":
            opt = torch.optim.AdamW([p], lr=0.01, betas=(0.875, 0.96875),
                                    eps=2.0 ** -20, weight_decay=2.0 ** -4)
        else:
            opt = torch.optim.SGD([p], lr=0.01, weight_decay=2.0 ** -4)
        for scale in (1, 0.1, 3):
            p.grad = scale * draw(1, 40)
            grads.append(p.grad.clone())
            torch.nn.utils.clip_grad_norm_([p], 1.5)
            opt.step()
            after.append(p.detach().clone())
        keep(case, start=start, grads=torch.cat(grads),
             after=torch.cat(after))
        if case == "adamw":
            state = opt.state[p]
            keep(case, m=state["exp_avg"], v=state["exp_avg_sq"])


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    p = argparse.ArgumentParser()
    p.add_argument("-o", default=os.path.join(here, "ops.safetensors"))
    a = p.parse_args()
    torch.set_num_threads(1)
    norms()
    activations()
    rope()
    attention()
    head()
    embedding()
    optimizers()
    z_loss()
    route()
    gate()
    save_file(OUT, a.o)


if __name__ == "__main__":
    main()
