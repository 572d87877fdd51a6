/* safetensors_write.c - the header of a new safetensors file: the order of
 * the tensors, their places, the JSON. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/json.h"
#include "base/mem.h"
#include "tensor/safetensors.h"

/* The types in the order of their tensors: by alignment, and of one alignment
 * as the library safetensors has them, so that its files can be made. */
static const uint8_t order[] = {
    DTYPE_U64, DTYPE_I64, DTYPE_F64, DTYPE_C64, DTYPE_F32, DTYPE_U32,
    DTYPE_I32, DTYPE_BF16, DTYPE_F16, DTYPE_U16, DTYPE_I16, DTYPE_F8_E8M0,
    DTYPE_F8_E4M3, DTYPE_F8_E5M2, DTYPE_I8, DTYPE_U8, DTYPE_BOOL
};

static size_t
rank_of(unsigned dtype)
{
    size_t i = 0;

    while (i < sizeof(order) && order[i] != dtype)
        i++;
    return i;
}

static int
by_type(const void *a, const void *b)
{
    const struct safetensor *x = a, *y = b;
    size_t i = rank_of(x->dtype), k = rank_of(y->dtype);

    if (i != k)
        return i < k ? -1 : 1;
    return strcmp(x->name, y->name);
}

static int
place_items(struct safetensor *item, size_t n, struct err *e)
{
    uint64_t at = 0;
    size_t i;
    int rc;

    if (n > 0)
        qsort(item, n, sizeof(*item), by_type);
    for (i = 0; i < n; i++) {
        rc = tensor_bytes(&item[i].bytes, item[i].dtype, item[i].shape,
                          item[i].n_dims, e);
        if (rc < 0)
            return err_prefix(e, "tensor %s", item[i].name);
        item[i].begin = at;
        if (!size_add(at, item[i].bytes, &at))
            return err_set(e, ERR_LIMIT, "the tensors' sizes overflow");
    }
    return 0;
}

static int
check_unique(const struct safetensor *item, size_t n, struct err *e)
{
    struct map seen;
    bool added = true;
    size_t i;

    map_init(&seen);
    for (i = 0; i < n && added; i++)
        map_put(&seen, item[i].name, strlen(item[i].name), i, &added);
    map_release(&seen);
    if (!added)
        return err_set(e, ERR_DATA, "two tensors are named %s",
                       item[i - 1].name);
    return 0;
}

static void
put_item(struct buf *b, const struct safetensor *t)
{
    size_t i;

    json_put_string(b, t->name, strlen(t->name));
    buf_addf(b, ":{\"dtype\":\"%s\",\"shape\":[", dtype_name(t->dtype));
    for (i = 0; i < t->n_dims; i++)
        buf_addf(b, "%s%llu", i ? "," : "", (unsigned long long)t->shape[i]);
    buf_addf(b, "],\"data_offsets\":[%llu,%llu]}",
             (unsigned long long)t->begin,
             (unsigned long long)(t->begin + t->bytes));
}

static void
put_header(struct buf *b, const struct safetensor *item, size_t n,
           const struct safetensors_meta *meta, size_t n_meta)
{
    const char *comma = "";
    size_t i;

    buf_addc(b, '{');
    if (n_meta > 0) {
        buf_addstr(b, "\"" SAFETENSORS_META "\":{");
        for (i = 0; i < n_meta; i++) {
            buf_addstr(b, i ? "," : "");
            json_put_string(b, meta[i].key, strlen(meta[i].key));
            buf_addc(b, ':');
            json_put_string(b, meta[i].value, strlen(meta[i].value));
        }
        buf_addc(b, '}');
        comma = ",";
    }
    for (i = 0; i < n; i++) {
        buf_addstr(b, comma);
        put_item(b, &item[i]);
        comma = ",";
    }
    buf_addc(b, '}');
    while (b->len % 8)
        buf_addc(b, ' ');
}

int
safetensors_start(struct out *out, struct safetensor *item, size_t n,
                  const struct safetensors_meta *meta, size_t n_meta,
                  struct err *e)
{
    struct buf header;
    uint8_t head[8];
    int rc;

    buf_init(&header);
    rc = check_unique(item, n, e);
    if (rc == 0)
        rc = place_items(item, n, e);
    if (rc < 0)
        goto out;
    put_header(&header, item, n, meta, n_meta);
    store_u64(head, header.len);
    rc = out_write(out, head, sizeof(head), e);
    if (rc == 0)
        rc = out_write(out, header.data, header.len, e);
out:
    buf_release(&header);
    return rc;
}
