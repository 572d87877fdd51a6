/* gguf_write.c - a GGUF file: its head in memory, its data piece by piece. */
#include "tensor/gguf_write.h"

#include <string.h>

#include "base/mem.h"

void
gguf_out_init(struct gguf_out *g, const char *where)
{
    memset(g, 0, sizeof(*g));
    g->where = where;
    buf_init(&g->keys);
    buf_init(&g->list);
    map_init(&g->names);
    map_init(&g->tensors);
}

void
gguf_out_release(struct gguf_out *g)
{
    buf_release(&g->keys);
    buf_release(&g->list);
    map_release(&g->names);
    map_release(&g->tensors);
}

/* Keys */

static void
put_text(struct buf *b, const char *p, size_t n)
{
    buf_u64(b, n);
    buf_add(b, p, n);
}

/* All of a key but its elements. */
static void
put_key(struct gguf_out *g, const char *name, size_t n_name, bool is_array,
        uint8_t type, uint64_t n)
{
    bool added;
    struct map_entry *m = map_put(&g->names, name, n_name, 0, &added);

    if (!added)
        g->twice = (size_t)(m - g->names.entry) + 1;
    put_text(&g->keys, name, n_name);
    if (is_array)
        buf_u32(&g->keys, GGUF_ARRAY);
    buf_u32(&g->keys, type);
    if (is_array)
        buf_u64(&g->keys, n);
}

void
gguf_out_u32(struct gguf_out *g, const char *name, uint32_t v)
{
    put_key(g, name, strlen(name), false, GGUF_U32, 1);
    buf_u32(&g->keys, v);
}

void
gguf_out_f32(struct gguf_out *g, const char *name, float v)
{
    uint32_t bits;

    memcpy(&bits, &v, sizeof(bits));
    put_key(g, name, strlen(name), false, GGUF_F32, 1);
    buf_u32(&g->keys, bits);
}

void
gguf_out_bool(struct gguf_out *g, const char *name, bool v)
{
    put_key(g, name, strlen(name), false, GGUF_BOOL, 1);
    buf_addc(&g->keys, v);
}

void
gguf_out_string(struct gguf_out *g, const char *name, const char *v)
{
    put_key(g, name, strlen(name), false, GGUF_STRING, 1);
    put_text(&g->keys, v, strlen(v));
}

void
gguf_out_numbers(struct gguf_out *g, const char *name, enum gguf_type type,
                 const void *p, size_t n)
{
    put_key(g, name, strlen(name), true, (uint8_t)type, n);
    buf_add(&g->keys, p, n * gguf_type_bytes(type));
}

void
gguf_out_strings(struct gguf_out *g, const char *name,
                 const struct gguf_text *text, size_t n)
{
    put_key(g, name, strlen(name), true, GGUF_STRING, n);
    for (size_t i = 0; i < n; i++)
        put_text(&g->keys, text[i].p, text[i].n);
}

void
gguf_out_key(struct gguf_out *g, const struct gguf_key *k)
{
    put_key(g, k->name.p, k->name.n, k->is_array, k->type, k->n);
    buf_add(&g->keys, k->at, k->bytes);
}

/* Tensors */

int
gguf_out_tensor(struct gguf_out *g, const char *name, uint32_t type,
                uint32_t n_dims, const uint64_t *ne, struct err *e)
{
    struct gguf_tensor t = {
        .name = { name, strlen(name) }, .type = type, .n_dims = n_dims,
    };
    bool added;
    int rc;

    if (t.name.n > GGUF_OUT_MAX_NAME)
        return err_set(e, ERR_DATA, "%s: tensor %s: a name of %zu bytes "
                       "(limit %d)", g->where, name, t.name.n,
                       GGUF_OUT_MAX_NAME);
    for (uint32_t i = 0; i < GGUF_DIMS; i++)
        t.ne[i] = i < n_dims ? ne[i] : 1;
    rc = gguf_measure(&t, g->where, e);
    if (rc < 0)
        return rc;
    map_put(&g->tensors, name, t.name.n, t.bytes, &added);
    if (!added)
        return err_set(e, ERR_DATA, "%s: two tensors are named %s",
                       g->where, name);
    put_text(&g->list, name, t.name.n);
    buf_u32(&g->list, n_dims);
    for (uint32_t i = 0; i < n_dims; i++)
        buf_u64(&g->list, ne[i]);
    buf_u32(&g->list, type);
    buf_u64(&g->list, g->begin);
    if (t.bytes > UINT64_MAX - GGUF_OUT_ALIGN
        || !size_add(g->begin, size_round(t.bytes, GGUF_OUT_ALIGN),
                     &g->begin))
        return err_set(e, ERR_DATA, "%s: tensor %s: over 2^64 bytes of "
                       "tensors", g->where, name);
    return 0;
}

/* Zeros from byte n of the file's part to the next multiple. */
static int
pad(const struct gguf_out *g, uint64_t n, struct err *e)
{
    static const char zeros[GGUF_OUT_ALIGN];

    return out_write(g->out, zeros, size_round(n, GGUF_OUT_ALIGN) - n, e);
}

int
gguf_out_start(struct gguf_out *g, struct out *out, struct err *e)
{
    struct buf head;
    uint64_t n;
    int rc;

    if (g->twice > 0) {
        const struct map_entry *m = &g->names.entry[g->twice - 1];

        return err_set(e, ERR_DATA, "%s: two keys are named %.*s", g->where,
                       (int)m->len, map_key(&g->names, g->twice - 1));
    }
    g->out = out;
    buf_init(&head);
    buf_addstr(&head, "GGUF");
    buf_u32(&head, 3);
    buf_u64(&head, g->tensors.n);
    buf_u64(&head, g->names.n);
    rc = out_write(out, head.data, head.len, e);
    if (rc == 0)
        rc = out_write(out, g->keys.data, g->keys.len, e);
    if (rc == 0)
        rc = out_write(out, g->list.data, g->list.len, e);
    n = head.len + g->keys.len + g->list.len;
    buf_release(&head);
    return rc < 0 ? rc : pad(g, n, e);
}

int
gguf_out_data(struct gguf_out *g, const void *p, size_t n, struct err *e)
{
    const char *at = p;
    int rc = 0;

    while (rc == 0 && g->next < g->tensors.n) {
        uint64_t bytes = g->tensors.entry[g->next].value;
        uint64_t left = bytes - g->written;
        size_t piece = left < n ? (size_t)left : n;

        rc = out_write(g->out, at, piece, e);
        at += piece;
        n -= piece;
        g->written += piece;
        if (rc < 0 || g->written < bytes)
            return rc;
        rc = pad(g, bytes, e);
        g->next++;
        g->written = 0;
    }
    if (rc == 0 && n > 0)
        return err_set(e, ERR_IO, "%s: %zu bytes more than the tensors have",
                       g->where, n);
    return rc;
}

int
gguf_out_finish(struct gguf_out *g, struct err *e)
{
    int rc = gguf_out_data(g, "", 0, e); /* tensors without elements */

    if (rc < 0 || g->next == g->tensors.n)
        return rc;
    return err_set(e, ERR_IO, "%s: tensor %.*s: %llu of its %llu bytes were "
                   "written", g->where,
                   (int)g->tensors.entry[g->next].len,
                   map_key(&g->tensors, g->next),
                   (unsigned long long)g->written,
                   (unsigned long long)g->tensors.entry[g->next].value);
}
