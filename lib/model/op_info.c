/* op_info.c - the table of op kinds, and the walk over an op's views. */
#include "model/op_info.h"

#include "model/build.h"
#include "model/flops.h"

static const struct op_info table[OP_KINDS] = {
    [OP_NONE] = { .name = "none" },
    [OP_EMBED] = { .name = "embed", .n_x = 2, .n_y = 1, .grad = grad_embed },
    [OP_EMBED_BWD] = { .name = "embed_bwd", .n_x = 1, .n_y = 2, .adds = 3 },
    [OP_EMBED_TOKENS] = { .name = "embed_tokens", .n_x = 3, .n_y = 1,
                          .adds = 1, .grad = grad_embed_tokens },
    [OP_EMBED_TOKENS_BWD] = { .name = "embed_tokens_bwd", .n_x = 2,
                              .n_y = 1, .adds = 1 },
    [OP_NORM] = { .name = "norm", .n_x = 3, .n_y = 2, .grad = grad_norm },
    [OP_NORM_BWD] = { .name = "norm_bwd", .n_x = 4, .n_y = 3, .adds = 6 },
    [OP_LINEAR] = { .name = "linear", .n_x = 2, .n_y = 1,
                    .parts = PARTS_LINEAR, .flops = flops_linear,
                    .grad = grad_linear },
    [OP_LINEAR_BWD] = { .name = "linear_bwd", .n_x = 2, .n_y = 1,
                        .parts = PARTS_LINEAR_BWD,
                        .flops = flops_linear_bwd },
    [OP_DORA_NORM] = { .name = "dora_norm", .n_y = 1,
                       .parts = PARTS_LINEAR },
    [OP_DORA] = { .name = "dora", .n_x = 5, .n_y = 1, .grad = grad_dora },
    [OP_DORA_BWD] = { .name = "dora_bwd", .n_x = 4, .n_y = 2, .adds = 2 },
    [OP_ROPE] = { .name = "rope", .n_x = 2, .n_y = 1, .grad = grad_rope },
    [OP_ATTENTION] = { .name = "attention", .n_x = 3, .n_y = 2,
                       .flops = flops_attention, .grad = grad_attention },
    [OP_ATTENTION_BWD] = { .name = "attention_bwd", .n_x = 6, .n_y = 3,
                           .flops = flops_attention_bwd },
    [OP_ACT] = { .name = "act", .n_x = 1, .n_y = 1, .grad = grad_act },
    [OP_ACT_BWD] = { .name = "act_bwd", .n_x = 2, .n_y = 1 },
    [OP_GLU] = { .name = "glu", .n_x = 2, .n_y = 1, .grad = grad_glu },
    [OP_GLU_BWD] = { .name = "glu_bwd", .n_x = 3, .n_y = 2 },
    [OP_ADD] = { .name = "add", .n_x = 2, .n_y = 1, .grad = grad_add },
    [OP_CONV1D] = { .name = "conv1d", .n_x = 3, .n_y = 2, .adds = 2,
                    .grad = grad_conv1d },
    [OP_CONV1D_BWD] = { .name = "conv1d_bwd", .n_x = 4, .n_y = 3,
                        .adds = 6 },
    [OP_SCAN] = { .name = "scan", .n_x = 5, .n_y = 3, .adds = 4,
                  .grad = grad_scan },
    [OP_SCAN_BWD] = { .name = "scan_bwd", .n_x = 7, .n_y = 5, .adds = 20 },
    [OP_SSD] = { .name = "ssd", .n_x = 6, .n_y = 3, .adds = 4,
                 .grad = grad_ssd },
    [OP_SSD_BWD] = { .name = "ssd_bwd", .n_x = 8, .n_y = 6, .adds = 52 },
    [OP_ROUTE] = { .name = "route", .n_x = 1, .n_y = 4, .grad = grad_route },
    [OP_ROUTE_BWD] = { .name = "route_bwd", .n_x = 4, .n_y = 1 },
    [OP_BALANCE] = { .name = "balance", .n_x = 1, .n_y = 1 },
    [OP_GATHER] = { .name = "gather", .n_x = 3, .n_y = 1,
                    .grad = grad_gather },
    [OP_COMBINE] = { .name = "combine", .n_x = 5, .n_y = 1,
                     .grad = grad_combine },
    [OP_COMBINE_BWD] = { .name = "combine_bwd", .n_x = 5, .n_y = 2 },
    [OP_GATE] = { .name = "gate", .n_x = 3, .n_y = 1, .grad = grad_gate },
    [OP_GATE_BWD] = { .name = "gate_bwd", .n_x = 3, .n_y = 2 },
    [OP_GROUPED] = { .name = "grouped", .n_x = 2, .n_y = 1,
                     .parts = PARTS_LINEAR, .flops = flops_grouped,
                     .grad = grad_grouped },
    [OP_GROUPED_BWD] = { .name = "grouped_bwd", .n_x = 3, .n_y = 1,
                         .parts = PARTS_LINEAR_BWD,
                         .flops = flops_grouped_bwd },
    [OP_HEAD_CE] = { .name = "head_ce", .n_x = 1, .n_y = 2,
                     .parts = PARTS_HEAD, .flops = flops_head },
    [OP_LOGITS] = { .name = "logits", .n_x = 1, .n_y = 1,
                    .parts = PARTS_HEAD, .flops = flops_head },
    [OP_CACHE] = { .name = "cache", .n_x = 1, .n_y = 1, .adds = 1 },
    [OP_COPY] = { .name = "copy", .n_x = 1, .n_y = 1 },
    [OP_STASH] = { .name = "stash", .n_x = 1, .n_y = 1 },
    [OP_FETCH] = { .name = "fetch", .n_x = 1, .n_y = 1 },
    [OP_WAIT] = { .name = "wait", .n_x = 1, .n_y = 1, .adds = 1 },
    [OP_ZERO] = { .name = "zero", .n_y = 1 },
    [OP_SQNORM] = { .name = "sqnorm", .n_x = 1 },
    [OP_CLIP] = { .name = "clip" },
    [OP_ADAMW] = { .name = "adamw", .n_x = 1, .n_y = 3, .adds = 7 },
    [OP_ADAMW8] = { .name = "adamw8", .n_x = 1, .n_y = 5, .adds = 31 },
    [OP_MUON] = { .name = "muon", .n_x = 1, .n_y = 2, .adds = 3,
                  .flops = flops_muon },
    [OP_SGD] = { .name = "sgd", .n_x = 1, .n_y = 1, .adds = 1 },
};

const struct op_info *
op_info(unsigned kind)
{
    return &table[kind];
}

const struct part *
op_parts(const struct op *op, uint32_t *n)
{
    switch (table[op->kind].parts) {
    case PARTS_NONE:
        *n = 0;
        return NULL;
    case PARTS_HEAD:
        *n = 1;
        return op->u.head.part;
    default:
        *n = op->u.lin.n;
        return op->u.lin.part;
    }
}

struct walk {
    void (*visit)(void *ctx, const struct view *v, enum view_use use);
    void *ctx;
};

static void
walk_view(const struct walk *w, const struct view *v, enum view_use use)
{
    const struct view side = { .buf = v->side, .dtype = DTYPE_U8 };

    if (v->buf != 0)
        w->visit(w->ctx, v, use);
    if (v->side != 0)
        w->visit(w->ctx, &side, use);
}

static void
walk_part(const struct walk *w, const struct part *t, enum op_parts parts)
{
    const struct view *const read[] = { &t->w, &t->bias, &t->a, &t->b,
                                        &t->tokens, &t->rows };
    const struct view *const grad[] = { &t->grad_w, &t->grad_bias,
                                        &t->grad_a, &t->grad_b,
                                        &t->grad_rows };

    for (size_t i = 0; i < sizeof(read) / sizeof(read[0]); i++)
        walk_view(w, read[i], VIEW_READ);
    walk_view(w, &t->h, parts == PARTS_LINEAR ? VIEW_WRITTEN : VIEW_READ);
    for (size_t i = 0; i < sizeof(grad) / sizeof(grad[0])
                       && parts != PARTS_LINEAR; i++)
        walk_view(w, grad[i], VIEW_ADDED);
}

void
op_walk(const struct op *op,
        void (*visit)(void *ctx, const struct view *v, enum view_use use),
        void *ctx)
{
    const struct op_info *info = &table[op->kind];
    const struct walk w = { visit, ctx };
    uint8_t adds = info->adds | op->acc;
    uint32_t n;
    const struct part *part = op_parts(op, &n);

    for (unsigned i = 0; i < info->n_x; i++)
        walk_view(&w, &op->x[i], VIEW_READ);
    for (uint32_t i = 0; i < n; i++)
        walk_part(&w, &part[i], info->parts);
    for (unsigned i = 0; i < info->n_y; i++)
        walk_view(&w, &op->y[i], adds >> i & 1 ? VIEW_ADDED : VIEW_WRITTEN);
    walk_view(&w, &op->scratch, VIEW_WRITTEN);
}

static void
rename_view(struct view *v, const uint32_t *to)
{
    if (to[v->buf] != 0)
        v->buf = to[v->buf];
    if (to[v->side] != 0)
        v->side = to[v->side];
}

static void
rename_part(struct part *t, const uint32_t *to)
{
    struct view *const all[] = { &t->w, &t->bias, &t->a, &t->b, &t->h,
                                 &t->grad_w, &t->grad_bias, &t->grad_a,
                                 &t->grad_b, &t->tokens, &t->rows,
                                 &t->grad_rows };

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        rename_view(all[i], to);
}

void
op_rename(struct op *op, struct part *part, const uint32_t *to)
{
    uint32_t n;
    const struct part *was = op_parts(op, &n);

    for (int i = 0; i < OP_MAX_X; i++)
        rename_view(&op->x[i], to);
    for (int i = 0; i < OP_MAX_Y; i++)
        rename_view(&op->y[i], to);
    rename_view(&op->scratch, to);
    for (uint32_t i = 0; i < n; i++) {
        part[i] = was[i];
        rename_part(&part[i], to);
    }
    if (n > 0 && table[op->kind].parts == PARTS_HEAD)
        op->u.head.part = part;
    else if (n > 0)
        op->u.lin.part = part;
}
