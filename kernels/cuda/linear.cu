/* linear.cu - LINEAR: a module's product, bias, residual and adapter.
 *
 *   y = x W^T + bias + residual;  h = drop(x) A^T;  y += s h B^T
 *
 * A weight that is no operand as it is stored is widened into scratch.
 */
#include "ops.cuh"
#include "tensor.cuh"

/* y += s h B^T, h = drop(x) A^T. */
template <class T>
static void
put_adapter(struct call *c, const struct part *p, mat<T> x, mat<T> y,
            const struct linear_space &space)
{
    mat<T> h = mat_of<T>(c, &p->h);

    if (p->dropout > 0) {
        mat<T> dropped = packed<T>(space.dropped, x.rows, x.cols);

        put_drop(c, dropped, x, p);
        x = dropped;
    }
    multiply(c, h, none<T>(), 1.0f, x, false,
             as_operand<T>(c, &p->a, space.a), true, space.workspace);
    multiply(c, y, y, p->lora_scale, h, false,
             as_operand<T>(c, &p->b, space.b), true, space.workspace);
}

template <class T>
static void
put_part(struct call *c, const struct part *p, char *base)
{
    mat<T> x = mat_of<T>(c, &c->op->x[0]);
    mat<T> y = columns(mat_of<T>(c, &c->op->y[0]), p->col, p->out);
    mat<T> residual = columns(mat_of<T>(c, &c->op->x[1]), p->col, p->out);
    struct linear_space space = linear_space_at(base, &c->card->sizing, p,
                                                x.rows);

    mat<T> old = c->op->acc & 1 ? y : none<T>(), added = old;

    if (p->bias.buf != 0 || (old.p != nullptr && residual.p != nullptr)) {
        put_start(c, y, old, residual, &p->bias);
        added = y;
    } else if (residual.p != nullptr) {
        added = residual;
    }
    multiply(c, y, added, 1.0f, x, false,
             as_operand<T>(c, &p->w, space.w), !p->in_out, space.workspace);
    if (p->a.buf != 0)
        put_adapter(c, p, x, y, space);
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
