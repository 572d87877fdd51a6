/* kept_case.h - an op of the CPU back end with operands that are kept in
 * bfloat16: its result has the same bits as from floats of the same values;
 * and where its products round them anyway, as from the floats before they
 * were rounded. */
#ifndef KEPT_CASE_H
#define KEPT_CASE_H

#include "cpu_isa.h"
#include "cpu_world.h"
#include "model/op_info.h"

/* By kind: bit i: x[i] may be of bfloat16. */
static const struct { uint8_t may, rounded; } kept_of[OP_KINDS] = {
    [OP_LINEAR] = { 1, 1 },
    [OP_LINEAR_BWD] = { 1, 1 },
    [OP_GROUPED] = { 1, 1 },
    [OP_GROUPED_BWD] = { 1, 1 },
    [OP_ATTENTION_BWD] = { 15, 7 },
    [OP_ACT_BWD] = { 1, 0 },
    [OP_GLU_BWD] = { 3, 0 },
    [OP_NORM_BWD] = { 1, 0 },
};

/* A copy of a view in bfloat16, its bits two by two in a buffer's floats. */
static struct view
narrow_copy(struct world *w, struct view v)
{
    uint32_t i = w->n_bufs++;
    uint16_t *to;

    w->len[i] = (w->len[v.buf] + 1) / 2;
    w->value[i] = mem_array(w->len[i], sizeof(float));
    w->buf[i].zone = ZONE_ARENA;
    to = (uint16_t *)(void *)w->value[i];
    for (size_t k = 0; k < w->len[v.buf]; k++)
        to[k] = f32_to_bf16(w->value[v.buf][k]);
    v.buf = i;
    v.dtype = DTYPE_BF16;
    return v;
}

/* With x[i] of bfloat16, where bit i of `which` is set; want is from floats. */
static void
check_narrow(struct world *w, struct backend *b, const struct outcome *want,
             unsigned which, const char *name)
{
    const struct op was = w->op;
    uint32_t n = w->n_bufs;
    struct outcome got;

    for (unsigned i = 0; i < OP_MAX_X; i++)
        if (which >> i & 1)
            w->op.x[i] = narrow_copy(w, was.x[i]);
    got = world_run(w, b, 2);
    for (uint32_t i = 1; i < n; i++)
        if (w->value[i] && !CHECK(memcmp(got.value[i], want->value[i],
                                         w->len[i] * sizeof(double)) == 0))
            printf("    %s: buffer %u, operands %u\n", name, i, which);
    outcome_release(w, &got);
    for (; w->n_bufs > n; w->n_bufs--)
        free(w->value[w->n_bufs - 1]);
    w->op = was;
}

/* A dropped x is rounded when it has been dropped. */
static bool
drops(const struct op *op)
{
    uint32_t n;
    const struct part *part = op_parts(op, &n);

    for (uint32_t i = 0; i < n; i++)
        if (part[i].dropout > 0)
            return true;
    return false;
}

/* Rounds the values of such operands. Decoding has none, nor have tiles of
 * other than ROUTE_TILE rows, which are decoding's. */
static void
try_kept(struct world *w, const char *name)
{
    unsigned may = kept_of[w->op.kind].may;
    unsigned rounded = drops(&w->op) ? 0 : kept_of[w->op.kind].rounded;
    struct backend b;
    struct outcome want;

    bool decodes = w->batch.seq_n != NULL
        || ((w->op.kind == OP_GROUPED || w->op.kind == OP_GROUPED_BWD)
            && w->op.u.lin.tile != ROUTE_TILE);

    if (may == 0 || decodes || !isa_open(&b, "bf16"))
        return;
    want = world_run(w, &b, 3);
    if (rounded != 0)
        check_narrow(w, &b, &want, rounded, name);
    outcome_release(w, &want);
    for (unsigned i = 0; i < OP_MAX_X; i++)
        for (size_t k = 0; may >> i & 1 && k < w->len[w->op.x[i].buf]; k++) {
            float *x = &w->value[w->op.x[i].buf][k];

            *x = bf16_to_f32(f32_to_bf16(*x));
        }
    want = world_run(w, &b, 3);
    check_narrow(w, &b, &want, may, name);
    outcome_release(w, &want);
    cpu_close(&b);
}

#endif
