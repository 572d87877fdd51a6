/* weights_table.c - lines of name, type, shape and MiB in columns of fixed
 * width, so that none has to wait for another. */
#include "record/weights_table.h"

#include "record/tensor.h"

#define NAME_WIDTH 50

static void
begin_line(const struct weights_table *t, struct buf *b)
{
    if (t->files + t->tensors == 0)
        buf_addf(b, "%-*s %-4s %12s %10s\n", NAME_WIDTH, "name", "type",
                 "shape", "MiB");
}

static void
end_line(struct buf *b, const char *type, const char *shape, uint64_t bytes)
{
    buf_addf(b, " %-4s %12s %10.2f", type, shape,
             (double)bytes / (1 << 20));
}

int
weights_table_asset(struct weights_table *t, struct buf *b,
                    const void *record, size_t n, struct err *e)
{
    struct asset a;
    int rc = asset_decode(&a, record, n, e);

    if (rc < 0)
        return rc;
    begin_line(t, b);
    buf_addf(b, "%-*s", NAME_WIDTH, a.name);
    end_line(b, "file", "", a.n);
    t->files++;
    t->bytes += a.n;
    return 0;
}

int
weights_table_tensor(struct weights_table *t, struct buf *b,
                     const void *desc, size_t n, uint64_t n_data,
                     struct err *e)
{
    struct tensor_desc d;
    struct buf shape;
    int rc = tensor_decode(&d, desc, n, n_data, e);

    if (rc < 0)
        return rc;
    begin_line(t, b);
    buf_addf(b, "%-*s", NAME_WIDTH, d.name);
    buf_init(&shape);
    for (uint32_t i = 0; i < d.n_dims; i++)
        buf_addf(&shape, "%s%llu", i ? "x" : "",
                 (unsigned long long)d.shape[i]);
    end_line(b, dtype_name(d.dtype), shape.len ? shape.data : "", n_data);
    buf_release(&shape);
    t->tensors++;
    t->bytes += n_data;
    return 0;
}

void
weights_table_total(const struct weights_table *t, struct buf *b)
{
    struct buf what;

    buf_init(&what);
    buf_addf(&what, "%llu files, %llu tensors",
             (unsigned long long)t->files, (unsigned long long)t->tensors);
    begin_line(t, b);
    buf_addf(b, "%-*s", NAME_WIDTH, what.data);
    end_line(b, "", "", t->bytes);
    buf_release(&what);
}
