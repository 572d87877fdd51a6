/* quantize_error.c - sums in doubles, in the order of the elements and of the
 * parts that they are merged from. */
#include "weights/quantize_error.h"

#include <math.h>
#include <string.h>

#include "base/json.h"
#include "tensor/dtype.h"

void
quantize_error_add(struct quantize_error *q, const float *x, const float *y,
                   size_t n)
{
    q->n += n;
    for (size_t i = 0; i < n; i++) {
        double a = (double)x[i], b = (double)y[i], off = fabs(a - b);

        if (!isfinite(off))
            continue;
        q->max = fmax(q->max, off);
        q->squares += off * off;
        q->xx += a * a;
        q->yy += b * b;
        q->xy += a * b;
    }
}

void
quantize_error_merge(struct quantize_error *q, const struct quantize_error *r)
{
    q->n += r->n;
    q->max = fmax(q->max, r->max);
    q->squares += r->squares;
    q->xx += r->xx;
    q->yy += r->yy;
    q->xy += r->xy;
}

void
quantize_error_line(struct buf *b, const struct quantize_error *q,
                    const char *name, unsigned from, unsigned to)
{
    double length = sqrt(q->xx) * sqrt(q->yy);

    buf_addstr(b, "{\"name\":");
    json_put_string(b, name, strlen(name));
    buf_addf(b, ",\"from\":\"%s\",\"to\":\"%s\",\"elements\":",
             dtype_name(from), dtype_name(to));
    json_put_u64(b, q->n);
    buf_addstr(b, ",\"max\":");
    json_put_double(b, q->max);
    buf_addstr(b, ",\"rms\":");
    json_put_double(b, q->n ? sqrt(q->squares / (double)q->n) : 0);
    buf_addstr(b, ",\"cosine\":");
    if (length > 0)
        json_put_double(b, fmin(1, q->xy / length));
    else
        buf_addstr(b, "null");
    buf_addstr(b, "}\n");
}
