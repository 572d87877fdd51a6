/* linear_bwd.cu - gradients of LINEAR: see struct part in kernels/ops.h.
 *
 *   dh = s dy B;  dx (+)= drop(dh A);  dx += dy W;  grad_b += s dy^T h
 *   grad_a += dh^T drop(x);  grad_w += dy^T x;  grad_bias += sums of dy
 */
#include "ops.cuh"
#include "tensor.cuh"

/* One part's backward: dy are its columns. */
template <class T>
struct back {
    struct call *c;
    const struct part *p;
    mat<T> x, dy, dx, dh, dropped;
    struct linear_bwd_space space;
};

/* The adapter's first, as in the forward. */
template <class T>
static void
put_dx(const back<T> &b, bool add)
{
    const struct part *p = b.p;
    mat<T> added = add ? b.dx : none<T>();

    if (p->a.buf != 0) {
        mat<T> a = as_operand<T>(b.c, &p->a, b.space.a);

        multiply(b.c, p->dropout > 0 ? b.dropped : b.dx,
                 p->dropout > 0 ? none<T>() : added, 1.0f, b.dh, false, a,
                 false, b.space.workspace);
        if (p->dropout > 0)
            put_drop(b.c, b.dx, b.dropped, p, add);
        added = b.dx;
    }
    multiply(b.c, b.dx, added, 1.0f, b.dy, false,
             as_operand<T>(b.c, &p->w, b.space.w), p->in_out != 0,
             b.space.workspace);
}

template <class T>
static void
put_adapter_grads(const back<T> &b)
{
    const struct part *p = b.p;
    mat<float> grad_a = mat_of<float>(b.c, &p->grad_a);
    mat<float> grad_b = mat_of<float>(b.c, &p->grad_b);
    mat<T> x = b.x;

    if (grad_b.p != nullptr)
        multiply(b.c, grad_b, grad_b, p->lora_scale, b.dy, true,
                 mat_of<T>(b.c, &p->h), false, b.space.workspace);
    if (grad_a.p == nullptr)
        return;
    if (p->dropout > 0) {
        put_drop(b.c, b.dropped, x, p, false);
        x = b.dropped;
    }
    multiply(b.c, grad_a, grad_a, 1.0f, b.dh, true, x, false,
             b.space.workspace);
}

template <class T>
static void
put_weight_grads(const back<T> &b)
{
    mat<float> grad_w = mat_of<float>(b.c, &b.p->grad_w);
    mat<float> grad_bias = mat_of<float>(b.c, &b.p->grad_bias);

    if (grad_w.p != nullptr && b.p->in_out)
        multiply(b.c, grad_w, grad_w, 1.0f, b.x, true, b.dy, false,
                 b.space.workspace);
    else if (grad_w.p != nullptr)
        multiply(b.c, grad_w, grad_w, 1.0f, b.dy, true, b.x, false,
                 b.space.workspace);
    if (grad_bias.p != nullptr)
        put_column_sums(b.c, grad_bias.p, b.dy, b.space.sums);
}

template <class T>
void
run_linear_bwd(struct call *c)
{
    const struct op *op = c->op;
    char *base = view_at(c, &op->scratch);
    mat<T> x = mat_of<T>(c, &op->x[0]), dy = mat_of<T>(c, &op->x[1]);

    for (uint32_t i = 0; i < op->u.lin.n; i++) {
        const struct part *p = &op->u.lin.part[i];
        struct linear_bwd_space space =
            linear_bwd_space_at(base, &c->card->sizing, p, x.rows);
        const back<T> b = {
            c, p, x, columns(dy, p->col, p->out), mat_of<T>(c, &op->y[0]),
            packed<T>(space.dh, x.rows, p->rank),
            packed<T>(space.dropped, x.rows, x.cols), space
        };

        if (p->a.buf != 0)
            multiply(c, b.dh, none<T>(), p->lora_scale, b.dy, false,
                     as_operand<T>(c, &p->b, space.b), false,
                     space.workspace);
        if (b.dx.p != nullptr)
            put_dx(b, i > 0 || op->acc & 1);
        if (p->a.buf != 0)
            put_adapter_grads(b);
        put_weight_grads(b);
    }
}

template void run_linear_bwd<float>(struct call *c);
template void run_linear_bwd<bf16>(struct call *c);
