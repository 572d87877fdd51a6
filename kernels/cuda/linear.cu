/* linear.cu - LINEAR: a module's product, bias, residual and adapter.
 *
 *   h = drop(x) A^T;  y = s h B^T + bias + residual;  y += x W^T
 *
 * A weight that is no operand as it is stored is widened into scratch.
 */
#include "ops.cuh"
#include "tensor.cuh"

/* h = drop(x) A^T. */
template <class T>
static mat<T>
put_h(struct call *c, const struct part *p, mat<T> x,
      const struct linear_space &space)
{
    mat<T> h = mat_of<T>(c, &p->h);

    if (p->dropout > 0) {
        mat<T> dropped = packed<T>(space.dropped, x.rows, x.cols);

        put_drop(c, dropped, x, p, false);
        x = dropped;
    }
    multiply(c, h, none<T>(), 1.0f, x, false,
             as_operand<T>(c, &p->a, space.a), true, space.workspace);
    return h;
}

/* The adapter's product, which takes no time but for memory, is the one that
 * has nothing to read of y; the weight's adds to it. */
template <class T>
static void
put_part(struct call *c, const struct part *p, char *base)
{
    mat<T> x = mat_of<T>(c, &c->op->x[0]);
    mat<T> y = columns(mat_of<T>(c, &c->op->y[0]), p->col, p->out);
    mat<T> residual = columns(mat_of<T>(c, &c->op->x[1]), p->col, p->out);
    struct linear_space space = linear_space_at(base, &c->card->sizing, p,
                                                x.rows);
    const T *bias = as_bias<T>(c, &p->bias, space.bias);
    bool adds = (c->op->acc & 1) != 0;
    mat<T> added = adds ? y : residual;

    if (adds && residual.p != nullptr)
        put_start<T>(c, y, y, residual, nullptr);
    if (p->a.buf != 0) {
        mat<T> h = put_h(c, p, x, space);

        multiply(c, y, added, p->lora_scale, h, false,
                 as_operand<T>(c, &p->b, space.b), true, space.workspace,
                 bias);
        added = y;
        bias = nullptr;
    }
    multiply(c, y, added, 1.0f, x, false,
             as_operand<T>(c, &p->w, space.w), !p->in_out, space.workspace,
             bias);
}

template <class T>
void
run_linear(struct call *c)
{
    char *base = view_at(c, &c->op->scratch);

    for (uint32_t i = 0; i < c->op->u.lin.n; i++)
        put_part<T>(c, &c->op->u.lin.part[i], base);
}

template void run_linear<float>(struct call *c);
template void run_linear<bf16>(struct call *c);
