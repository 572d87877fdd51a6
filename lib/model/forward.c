/* forward.c - layers to ops.
 *
 * Sequential:  x1 = x + s post1 MIXER(norm1 x)
 *              y  = x1 + s post2 FFN(norm2 x1)
 * Parallel:    n = norm1 x;  y = x + MIXER(n) + FFN(n)
 *
 * Norms that a family does not have are left out. What mixers and
 * feed-forwards are is layer_kind.c's table. The residual is added by the
 * LINEAR that ends a branch, or by an ADD, where that is normed or s is not 1.
 */
#include "base/rng.h"
#include "model/layer_kind.h"

/* What emitters share */

struct view
build_activation(struct build *b, uint32_t cols)
{
    return build_view(b, ZONE_ARENA, b->p->rows, cols,
                      b->backend->activation);
}

struct view
build_reals(struct build *b, uint32_t cols)
{
    return build_view(b, ZONE_ARENA, b->p->rows, cols, DTYPE_REAL);
}

bool
build_needs(const struct build *b, struct view v)
{
    return b->mark[build_wide(b, v).buf].need;
}

void
build_record(struct build *b, const struct op *op, bool need)
{
    b->mark[op->y[0].buf].need |= need;
    if (need && b->o->mode == PROG_TRAIN)
        build_tape(b, op);
}

void
build_norm(struct build *b, uint32_t layer, enum role role, struct view x,
           struct view y)
{
    const struct module *m = desc_module(b->d, role, layer);
    const struct bound *gain = bound_tensor(b, m->weight);
    uint32_t parts = role == ROLE_GATED_NORM ? b->d->layer[layer].groups : 1;
    struct view stats = build_reals(b, 2 * parts * (x.cols / m->out));
    struct op *op = build_op(b, OP_NORM, layer);

    op->x[0] = x;
    op->x[1] = gain->v;
    op->x[2] = bound_tensor(b, m->bias)->v;
    op->y[0] = y;
    op->y[1] = stats;
    op->u.norm.eps = b->d->eps;
    op->u.norm.parts = parts;
    op->u.norm.rms = b->d->norm != NORM_LAYER;
    op->u.norm.offset = b->d->norm == NORM_RMS_ABOUT_1;
    build_record(b, op, build_needs(b, x) || gain->grad.buf != 0);
}

/* x, where the model has no such norm. */
static struct view
norm(struct build *b, uint32_t layer, enum role role, struct view x)
{
    struct view y;

    if (desc_module(b->d, role, layer) == NULL)
        return x;
    if (role != ROLE_NORM_F && build_needs(b, x))
        build_keep(b, layer, x);
    y = build_activation(b, b->d->dim);
    build_norm(b, layer, role, x, y);
    return y;
}

/* scale * x + z, which may be absent; x itself where that is it. */
static struct view
add(struct build *b, uint32_t layer, double scale, struct view x,
    struct view z)
{
    struct op *op;

    if (scale >= 1 && scale <= 1 && z.buf == 0)
        return x;
    op = build_op(b, OP_ADD, layer);
    op->x[0] = x;
    op->x[1] = z;
    op->u.add.scale = scale;
    op->y[0] = build_activation(b, b->d->dim);
    build_record(b, op, build_needs(b, x) || build_needs(b, z));
    return op->y[0];
}

/* Fills in the part of module m whose columns start at col; true when it
 * has something to train. */
static bool
fill_part(struct build *b, struct part *t, const struct module *m,
          uint32_t col)
{
    const struct bound *w = bound_tensor(b, m->weight);
    const struct bound *bias = bound_tensor(b, m->bias);
    const struct adapted *lora = &b->adapted[m - b->d->module];

    t->w = w->v;
    t->bias = bias->v;
    t->grad_w = w->grad;
    t->grad_bias = bias->grad;
    t->col = col;
    t->in = m->in;
    t->out = m->out;
    t->in_out = m->in_out;
    t->site = rng_site(m->name);
    if (lora->a.v.buf == 0)
        return w->grad.buf != 0;
    t->a = lora->a.v;
    t->b = lora->b.v;
    t->grad_a = lora->a.grad;
    t->grad_b = lora->b.grad;
    t->rank = lora->a.v.rows;
    t->lora_scale = lora->scale;
    t->dropout = b->o->mode == PROG_TRAIN ? b->o->dropout : 0;
    return b->o->method == METHOD_LORA;
}

/* The adapters' h side by side, so that one product can make them all. */
static void
place_h(struct build *b, struct part *part, uint32_t n)
{
    uint32_t cols = 0;
    struct view all;

    for (uint32_t i = 0; i < n; i++)
        cols += part[i].rank;
    if (cols == 0)
        return;
    all = build_activation(b, cols);
    cols = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (part[i].rank > 0)
            part[i].h = view_cols(all, cols, part[i].rank);
        cols += part[i].rank;
    }
}

void
build_dora_norms(struct build *b)
{
    for (size_t i = 0; i < b->d->n_modules; i++) {
        const struct view none = { 0 };
        struct part *part;
        struct op *op;

        if (b->adapted[i].norm.buf == 0)
            continue;
        part = build_parts(b, 1);
        fill_part(b, part, &b->d->module[i], 0);
        part->bias = none;
        op = build_op(b, OP_DORA_NORM, 0);
        op->u.lin.part = part;
        op->u.lin.n = 1;
        op->y[0] = b->adapted[i].norm;
    }
}

/* y from z, which a LINEAR made without bias and residual: part by part. */
static void
build_dora(struct build *b, uint32_t layer, struct part *part,
           const struct adapted *const *adapted, uint32_t n, struct view z,
           struct view residual, struct view y)
{
    const struct view none = { 0 };

    for (uint32_t i = 0; i < n; i++) {
        struct op *op = build_op(b, OP_DORA, layer);
        uint32_t col = part[i].col, out = part[i].out;

        op->x[0] = view_cols(z, col, out);
        op->x[1] = adapted[i]->magnitude.v;
        op->x[2] = adapted[i]->norm;
        op->x[3] = part[i].bias;
        if (residual.buf != 0)
            op->x[4] = view_cols(residual, col, out);
        op->y[0] = view_cols(y, col, out);
        part[i].bias = none;
        build_record(b, op, build_needs(b, z) || build_needs(b, residual));
    }
}

/* y += (x C^T) D^T of the parts that have such matrices: one LINEAR for all
 * x C^T, and one for each D, whose inputs differ. */
static void
build_fixed(struct build *b, uint32_t layer, const struct part *part,
            const struct adapted *const *adapted, uint32_t n, struct view x,
            struct view y)
{
    struct part *c = NULL, *d;
    uint32_t k = 0, col = 0;
    struct view h;
    struct op *op;

    for (uint32_t i = 0; i < n; i++) {
        const struct view *w = &adapted[i]->c;

        if (w->buf == 0)
            continue;
        if (c == NULL)
            c = build_parts(b, n);
        c[k++] = (struct part){ .w = *w, .col = col, .in = w->cols,
                                .out = w->rows };
        col += w->rows;
    }
    if (c == NULL)
        return;
    h = build_activation(b, col);
    op = build_op(b, OP_LINEAR, layer);
    op->x[0] = build_kept(b, x);
    op->y[0] = h;
    op->u.lin.part = c;
    op->u.lin.n = k;
    build_record(b, op, build_needs(b, x));
    col = 0;
    for (uint32_t i = 0; i < n; i++) {
        const struct view *w = &adapted[i]->d;

        if (w->buf == 0)
            continue;
        d = build_parts(b, 1);
        *d = (struct part){ .w = *w, .col = part[i].col, .in = w->cols,
                            .out = w->rows };
        op = build_op(b, OP_LINEAR, layer);
        op->x[0] = view_cols(h, col, w->cols);
        op->y[0] = y;
        op->acc = 1;
        op->u.lin.part = d;
        op->u.lin.n = 1;
        build_record(b, op, build_needs(b, h));
        col += w->cols;
    }
}

struct view
build_linear(struct build *b, uint32_t layer, const uint8_t *roles,
             size_t n_roles, struct view x, struct view residual)
{
    struct part *part = build_parts(b, (uint32_t)n_roles);
    const struct adapted *adapted[MAX_PARTS];
    bool need = build_needs(b, x), dora = false;
    const struct view none = { 0 };
    uint32_t n = 0, col = 0;
    struct view z;
    struct op *op;

    for (size_t i = 0; i < n_roles; i++) {
        const struct module *m = desc_module(b->d, roles[i], layer);

        if (m == NULL)
            continue;
        adapted[n] = &b->adapted[m - b->d->module];
        dora |= adapted[n]->norm.buf != 0;
        need |= fill_part(b, &part[n++], m, col);
        col += m->out;
    }
    place_h(b, part, n);
    z = build_activation(b, col);
    op = build_op(b, OP_LINEAR, layer);
    op->x[0] = build_kept(b, x);
    op->x[1] = dora ? none : residual;
    op->y[0] = z;
    op->u.lin.part = part;
    op->u.lin.n = n;
    build_record(b, op, need || (!dora && build_needs(b, residual)));
    build_fixed(b, layer, part, adapted, n, x, z);
    if (dora) {
        struct view y = build_activation(b, col);

        build_dora(b, layer, part, adapted, n, z, residual, y);
        return y;
    }
    return z;
}

/* What the adapters of all experts put in h, their ranks' greatest for each
 * role: an expert's rows are its own. */
static void
place_grouped_h(struct build *b, struct part *part, uint32_t n,
                uint32_t n_roles, uint32_t rows)
{
    uint32_t most[MAX_PARTS] = { 0 }, cols = 0, col = 0;
    struct view all;

    for (uint32_t i = 0; i < n; i++)
        if (part[i].rank > most[i % n_roles])
            most[i % n_roles] = part[i].rank;
    for (uint32_t k = 0; k < n_roles; k++)
        cols += most[k];
    if (cols == 0)
        return;
    all = build_view(b, ZONE_ARENA, rows, cols, b->backend->activation);
    for (uint32_t i = 0; i < n; i++) {
        col = i % n_roles == 0 ? 0 : col + most[i % n_roles - 1];
        if (part[i].rank > 0)
            part[i].h = view_cols(all, col, part[i].rank);
    }
}

struct view
build_grouped(struct build *b, uint32_t layer, const uint8_t *roles,
              uint32_t n_roles, struct view x, struct view counts,
              uint32_t tile)
{
    uint32_t groups = b->d->layer[layer].experts, n = groups * n_roles;
    struct part *part = build_parts(b, n);
    bool need = build_needs(b, x);
    uint32_t col = 0;
    struct view y;
    struct op *op;

    for (uint32_t i = 0; i < n; i++) {
        const struct module *m = desc_expert(b->d, roles[i % n_roles], layer,
                                             i / n_roles);

        col = i % n_roles == 0 ? 0 : col;
        need |= fill_part(b, &part[i], m, col);
        part[i].dropout = 0; /* PEFT has none for experts */
        col += m->out;
    }
    place_grouped_h(b, part, n, n_roles, x.rows);
    y = build_view(b, ZONE_ARENA, x.rows, col, b->backend->activation);
    op = build_op(b, OP_GROUPED, layer);
    op->x[0] = build_kept(b, x);
    op->x[1] = counts;
    op->y[0] = y;
    op->u.lin.part = part;
    op->u.lin.n = n;
    op->u.lin.groups = groups;
    op->u.lin.tile = tile;
    build_record(b, op, need);
    return y;
}

/* The model */

/* In place: tokens that have rows of their own. */
static void
embed_tokens(struct build *b, const struct module *m, struct view pos,
             struct view y)
{
    const struct adapted *own = &b->adapted[m - b->d->module];
    struct op *op;

    if (own->tokens.buf == 0)
        return;
    op = build_op(b, OP_EMBED_TOKENS, 0);
    op->x[0] = own->rows.v;
    op->x[1] = pos;
    op->x[2] = own->tokens;
    op->y[0] = y;
    build_record(b, op, true);
}

struct view
build_embed(struct build *b)
{
    const struct module *m = desc_module(b->d, ROLE_EMBED, 0);
    const struct bound *table = bound_tensor(b, m->weight);
    const struct module *pos = desc_module(b->d, ROLE_POS, 0);
    const struct bound *of_pos = bound_tensor(b, pos ? pos->weight
                                                     : NO_TENSOR);
    struct view y = build_activation(b, b->d->dim);
    struct op *op = build_op(b, OP_EMBED, 0);
    const struct view none = { 0 };

    op->x[0] = table->v;
    op->x[1] = of_pos->v;
    op->y[0] = y;
    build_record(b, op, table->grad.buf != 0 || of_pos->grad.buf != 0);
    embed_tokens(b, m, of_pos->v, y);
    return add(b, 0, b->d->embed_scale, y, none);
}

/* What a mixer makes between n and its output may be made once more. */
static struct view
emit_kind(struct build *b, uint32_t layer, const struct layer_kind *kind,
          struct view n, struct view residual)
{
    bool again = b->o->mode == PROG_TRAIN
                 && b->o->recompute == RECOMPUTE_ATTENTION
                 && kind == mixer_kind(b->d->layer[layer].mixer);
    struct view y;

    if (again)
        build_again_from(b);
    y = kind->emit(b, layer, n, residual);
    if (again)
        build_again_to(b, y);
    return y;
}

/* A mixer or a feed-forward from n to x + what it makes. */
static struct view
branch(struct build *b, uint32_t layer, const struct layer_kind *kind,
       enum role post, struct view n, struct view x)
{
    const struct view none = { 0 };
    double scale = b->d->residual_scale;
    bool plain = scale >= 1 && scale <= 1;

    if (plain && desc_module(b->d, post, layer) == NULL)
        return emit_kind(b, layer, kind, n, x);
    n = emit_kind(b, layer, kind, n, none);
    return add(b, layer, scale, norm(b, layer, post, n), x);
}

struct view
build_layer(struct build *b, uint32_t layer, struct view x)
{
    const struct layer_desc *y = &b->d->layer[layer];
    struct view n = norm(b, layer, ROLE_NORM1, x);

    build_keep(b, layer, n);
    x = branch(b, layer, mixer_kind(y->mixer), ROLE_POST1, n, x);
    if (ffn_kind(y->ffn)->emit == NULL)
        return x;
    if (!b->d->parallel)
        n = norm(b, layer, ROLE_NORM2, x);
    build_keep(b, layer, n);
    return branch(b, layer, ffn_kind(y->ffn), ROLE_POST2, n, x);
}

struct view
build_final(struct build *b, struct view x)
{
    const struct view none = { 0 };

    return add(b, 0, b->d->hidden_scale, norm(b, 0, ROLE_NORM_F, x), none);
}

/* The head, and what rows of it, or of the embedding that it is, are
 * trained. */
static void
fill_head(struct build *b, struct part *part)
{
    const struct module *head = desc_module(b->d, ROLE_HEAD, 0);
    const struct module *rows = b->d->tied ? desc_module(b->d, ROLE_EMBED, 0)
                                           : head;
    const struct adapted *own = &b->adapted[rows - b->d->module];

    fill_part(b, part, head, 0);
    part->tokens = own->tokens;
    part->rows = own->rows.v;
    part->grad_rows = own->rows.grad;
}

void
build_head(struct build *b, struct view hidden)
{
    struct part *part = build_parts(b, 1);
    bool logits = b->o->mode == PROG_DECODE || b->o->logits;
    uint32_t rows = b->p->rows, chunk = b->o->head_chunk;
    struct op *op;

    if (chunk == 0 || chunk > rows)
        chunk = rows;
    fill_head(b, part);
    if (logits)
        b->p->logits = build_view(b, ZONE_ARENA, chunk, b->d->vocab,
                                  DTYPE_REAL);
    else if (b->o->mode == PROG_EVAL)
        b->p->row_loss = build_view(b, ZONE_ARENA, rows, 1, DTYPE_REAL);
    op = build_op(b, logits ? OP_LOGITS : OP_HEAD_CE, 0);
    op->x[0] = hidden;
    op->y[0] = logits ? b->p->logits : b->p->row_loss;
    b->mark[op->y[0].buf].pinned = true;
    if (b->o->mode == PROG_TRAIN)
        op->y[1] = build_grad(b, hidden);
    op->u.head.part = part;
    op->u.head.chunk = chunk;
    if (b->o->mode == PROG_TRAIN)
        op->u.head.z = b->o->z_loss;
}
