/* linear.cu - LINEAR: a module's product, bias, residual and adapter.
 *
 *   h = drop(x) A^T;  y = s h B^T + bias + residual;  y += x W^T
 *
 * The adapter's product, which takes no time but for memory, is the one that
 * has nothing to read of y; the weight's adds to it. What parts have in common
 * is read once: h of all of them is one product, but for dropout, which has a
 * mask for each; x W^T is one where the weights lie side by side. A weight
 * that is no operand as it is stored is widened into scratch.
 */
#include "ops.cuh"
#include "parts.cuh"

template <class T>
struct forward {
    struct call *c;
    mat<T> x, y, added; /* added: y's old value, the residual, or nothing */
    struct parts all;
    struct linear_space space;
    bool whole; /* the weights are one */
    mat<T> w;
};

template <class T>
static mat<T>
columns_of(mat<T> m, const struct part *p)
{
    return columns(m, p->col, p->out);
}

template <class T>
static void
put_h(const forward<T> &f, const struct part *p, mat<T> a)
{
    mat<T> x = f.x;

    if (p->dropout > 0) {
        mat<T> dropped = packed<T>(f.space.dropped, x.rows, x.cols);

        put_drop(f.c, dropped, x, p, false);
        x = dropped;
    }
    multiply(f.c, mat_of<T>(f.c, &p->h), none<T>(), 1.0f, x, false, a, true,
             f.space.workspace);
}

template <class T>
static void
put_all_h(const forward<T> &f)
{
    mat<T> a = join_lora_a<T>(f.c, f.space.a), h;

    if (!f.all.drops && join_h(f.c, &h)) {
        multiply(f.c, h, none<T>(), 1.0f, f.x, false, a, true,
                 f.space.workspace);
        return;
    }
    for (uint32_t i = 0; i < f.all.n; i++) {
        const struct part *p = &f.c->op->u.lin.part[i];

        if (p->a.buf != 0)
            put_h(f, p, row_range(a, before_part(f.c, i).rank, p->rank));
    }
}

template <class T>
static const T *
bias_of(const forward<T> &f, uint32_t i)
{
    return as_bias<T>(f.c, &f.c->op->u.lin.part[i].bias,
                      f.space.bias + before_part(f.c, i).out * sizeof(T));
}

/* Of all parts, each of which has one. */
template <class T>
static const T *
join_bias(const forward<T> &f)
{
    mat<T> row = packed<T>(f.space.bias, 1, f.all.out);

    if (f.all.biases == 0)
        return nullptr;
    for (uint32_t i = 0; i < f.all.n; i++) {
        const struct part *p = &f.c->op->u.lin.part[i];

        put_widened(f.c, columns(row, before_part(f.c, i).out, p->out),
                    &p->bias);
    }
    return row.p;
}

/* The first that is written of part i's columns: what its adapter gives, or,
 * where the product of all weights adds to what others' have given, none. */
template <class T>
static void
put_first(const forward<T> &f, uint32_t i)
{
    const struct part *p = &f.c->op->u.lin.part[i];
    mat<T> y = columns_of(f.y, p), added = columns_of(f.added, p);

    if (p->a.buf != 0)
        multiply(f.c, y, added, p->lora_scale, mat_of<T>(f.c, &p->h), false,
                 lora_b_of<T>(f.c, i, f.space.b), true, f.space.workspace,
                 bias_of(f, i));
    else if (f.whole && f.all.adapters > 0)
        put_start(f.c, y, added, none<T>(), bias_of(f, i));
}

template <class T>
static void
put_weights(const forward<T> &f)
{
    const struct part *first = f.c->op->u.lin.part;
    bool begun = f.all.adapters > 0;
    mat<T> y = columns(f.y, first->col, f.all.out);
    mat<T> added = columns(f.added, first->col, f.all.out);

    multiply(f.c, y, begun ? y : added, 1.0f, f.x, false, f.w, true,
             f.space.workspace, begun ? nullptr : join_bias(f));
}

template <class T>
static void
put_weight(const forward<T> &f, uint32_t i)
{
    const struct part *p = &f.c->op->u.lin.part[i];
    bool begun = p->a.buf != 0;
    mat<T> y = columns_of(f.y, p), added = columns_of(f.added, p);

    multiply(f.c, y, begun ? y : added, 1.0f, f.x, false,
             weight_of<T>(f.c, i, f.space.w), !p->in_out, f.space.workspace,
             begun ? nullptr : bias_of(f, i));
}

template <class T>
static forward<T>
forward_of(struct call *c)
{
    const struct op *op = c->op;
    mat<T> y = mat_of<T>(c, &op->y[0]);
    forward<T> f = {
        c, mat_of<T>(c, &op->x[0]), y,
        op->acc & 1 ? y : mat_of<T>(c, &op->x[1]),
        before_part(c, op->u.lin.n),
        linear_space_at(view_at(c, &op->scratch), &c->card->sizing, op),
        false, none<T>()
    };
    bool one_bias = f.all.adapters > 0 || f.all.biases == 0
                    || f.all.biases == op->u.lin.n;

    f.whole = one_bias && join_weights(c, f.space.w, &f.w);
    return f;
}

template <class T>
void
run_linear(struct call *c)
{
    const struct op *op = c->op;
    const forward<T> f = forward_of<T>(c);
    mat<T> residual = mat_of<T>(c, &op->x[1]);

    for (uint32_t i = 0; i < f.all.n; i++)
        if (op->acc & 1 && residual.p != nullptr) {
            const struct part *p = &op->u.lin.part[i];
            mat<T> y = columns_of(f.y, p);

            put_start<T>(c, y, y, columns_of(residual, p), nullptr);
        }
    if (f.all.adapters > 0)
        put_all_h(f);
    for (uint32_t i = 0; i < f.all.n; i++)
        put_first(f, i);
    if (f.whole)
        put_weights(f);
    for (uint32_t i = 0; i < f.all.n && !f.whole; i++)
        put_weight(f, i);
}

template void run_linear<float>(struct call *c);
template void run_linear<bf16>(struct call *c);
