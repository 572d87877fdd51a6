/* linear_bwd.cu - gradients of LINEAR: see struct part in kernels/ops.h.
 *
 *   dh = s dy B;  dx (+)= drop(dh A);  dx += dy W;  grad_b += s dy^T h
 *   grad_a += dh^T drop(x);  grad_w += dy^T x;  grad_bias += sums of dy
 *
 * As in the forward the adapter's product comes first, and dh of all parts
 * lies side by side: dh A and dh^T x are one product each, but for dropout, dy
 * W where the weights lie so.
 */
#include "ops.cuh"
#include "parts.cuh"

template <class T>
struct back {
    struct call *c;
    mat<T> x, dy, dx, dh; /* dh: of all parts */
    struct parts all;
    struct linear_bwd_space space;
};

template <class T>
static const struct part *
part_of(const back<T> &b, uint32_t i)
{
    return &b.c->op->u.lin.part[i];
}

template <class T>
static mat<T>
dy_of(const back<T> &b, uint32_t i)
{
    return columns(b.dy, part_of(b, i)->col, part_of(b, i)->out);
}

template <class T>
static mat<T>
dh_of(const back<T> &b, uint32_t i)
{
    return columns(b.dh, before_part(b.c, i).rank, part_of(b, i)->rank);
}

template <class T>
static void
put_dh(const back<T> &b, uint32_t i)
{
    multiply(b.c, dh_of(b, i), none<T>(), part_of(b, i)->lora_scale,
             dy_of(b, i), false, lora_b_of<T>(b.c, i, b.space.b), false,
             b.space.workspace);
}

/* dx (+)= drop(dh A) of part i. */
template <class T>
static void
put_dropped_dx(const back<T> &b, uint32_t i, mat<T> a, bool add)
{
    mat<T> dropped = packed<T>(b.space.dropped, b.dx.rows, b.dx.cols);
    const struct part *p = part_of(b, i);

    a = row_range(a, before_part(b.c, i).rank, p->rank);
    multiply(b.c, dropped, none<T>(), 1.0f, dh_of(b, i), false, a, false,
             b.space.workspace);
    put_drop(b.c, b.dx, dropped, p, add);
}

/* Adds to dx or begins it; true when there is something of it then. */
template <class T>
static bool
put_adapters_dx(const back<T> &b, bool begun)
{
    mat<T> a = join_lora_a<T>(b.c, b.space.a);

    if (b.all.adapters > 0 && !b.all.drops) {
        multiply(b.c, b.dx, begun ? b.dx : none<T>(), 1.0f, b.dh, false, a,
                 false, b.space.workspace);
        return true;
    }
    for (uint32_t i = 0; i < b.all.n; i++)
        if (part_of(b, i)->a.buf != 0) {
            put_dropped_dx(b, i, a, begun);
            begun = true;
        }
    return begun;
}

template <class T>
static void
put_dx(const back<T> &b)
{
    bool begun = put_adapters_dx(b, (b.c->op->acc & 1) != 0);
    mat<T> dy = columns(b.dy, part_of(b, 0)->col, b.all.out), w;

    if (join_weights(b.c, b.space.w, &w)) {
        multiply(b.c, b.dx, begun ? b.dx : none<T>(), 1.0f, dy, false, w,
                 false, b.space.workspace);
        return;
    }
    for (uint32_t i = 0; i < b.all.n; i++) {
        multiply(b.c, b.dx, begun ? b.dx : none<T>(), 1.0f, dy_of(b, i),
                 false, weight_of<T>(b.c, i, b.space.w),
                 part_of(b, i)->in_out != 0, b.space.workspace);
        begun = true;
    }
}

/* grad_a += dh^T x of all parts: one product, then a sum for each. */
template <class T>
static void
put_all_grad_a(const back<T> &b)
{
    mat<float> sum = packed<float>(b.space.grad_a, b.all.rank, b.x.cols);

    multiply(b.c, sum, none<float>(), 1.0f, b.dh, true, b.x, false,
             b.space.workspace);
    for (uint32_t i = 0; i < b.all.n; i++) {
        const struct part *p = part_of(b, i);
        mat<float> grad_a = mat_of<float>(b.c, &p->grad_a);

        if (grad_a.p != nullptr)
            put_start<float>(b.c, grad_a, grad_a,
                             row_range(sum, before_part(b.c, i).rank,
                                       p->rank), nullptr);
    }
}

template <class T>
static void
put_grad_a(const back<T> &b, uint32_t i)
{
    const struct part *p = part_of(b, i);
    mat<float> grad_a = mat_of<float>(b.c, &p->grad_a);
    mat<T> x = b.x;

    if (grad_a.p == nullptr)
        return;
    if (p->dropout > 0) {
        x = packed<T>(b.space.dropped, x.rows, x.cols);
        put_drop(b.c, x, b.x, p, false);
    }
    multiply(b.c, grad_a, grad_a, 1.0f, dh_of(b, i), true, x, false,
             b.space.workspace);
}

template <class T>
static void
put_grad_b(const back<T> &b, uint32_t i)
{
    const struct part *p = part_of(b, i);
    mat<float> grad_b = mat_of<float>(b.c, &p->grad_b);

    if (grad_b.p != nullptr)
        multiply(b.c, grad_b, grad_b, p->lora_scale, dy_of(b, i), true,
                 mat_of<T>(b.c, &p->h), false, b.space.workspace);
}

template <class T>
static void
put_weight_grads(const back<T> &b, uint32_t i)
{
    const struct part *p = part_of(b, i);
    mat<float> grad_w = mat_of<float>(b.c, &p->grad_w);
    mat<float> grad_bias = mat_of<float>(b.c, &p->grad_bias);
    mat<T> dy = dy_of(b, i);

    if (grad_w.p != nullptr)
        multiply(b.c, grad_w, grad_w, 1.0f, p->in_out ? b.x : dy, true,
                 p->in_out ? dy : b.x, false, b.space.workspace);
    if (grad_bias.p != nullptr)
        put_column_sums(b.c, grad_bias.p, dy, b.space.sums);
}

template <class T>
static back<T>
back_of(struct call *c)
{
    const struct op *op = c->op;
    back<T> b = {
        c, mat_of<T>(c, &op->x[0]), mat_of<T>(c, &op->x[1]),
        mat_of<T>(c, &op->y[0]), none<T>(), before_part(c, op->u.lin.n),
        linear_bwd_space_at(view_at(c, &op->scratch), &c->card->sizing, op)
    };

    b.dh = packed<T>(b.space.dh, b.x.rows, b.all.rank);
    return b;
}

template <class T>
void
run_linear_bwd(struct call *c)
{
    const back<T> b = back_of<T>(c);
    bool joins = joins_grad_a(&b.all);

    for (uint32_t i = 0; i < b.all.n; i++)
        if (part_of(b, i)->a.buf != 0)
            put_dh(b, i);
    if (b.dx.p != nullptr)
        put_dx(b);
    if (joins)
        put_all_grad_a(b);
    for (uint32_t i = 0; i < b.all.n; i++) {
        if (part_of(b, i)->a.buf != 0 && !joins)
            put_grad_a(b, i);
        put_grad_b(b, i);
        put_weight_grads(b, i);
    }
}

template void run_linear_bwd<float>(struct call *c);
template void run_linear_bwd<bf16>(struct call *c);
