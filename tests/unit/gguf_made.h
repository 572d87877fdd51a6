/* gguf_made.h - a GGUF file in memory, for tests: keys and tensors are added,
 * then it is put together. */
#ifndef TEST_GGUF_MADE_H
#define TEST_GGUF_MADE_H

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "tensor/gguf.h"

#define MADE_ALIGN 32

struct gguf_made {
    struct buf keys, tensors, data;
    uint64_t n_keys, n_tensors;
};

static inline void
made_init(struct gguf_made *m)
{
    buf_init(&m->keys);
    buf_init(&m->tensors);
    buf_init(&m->data);
    m->n_keys = m->n_tensors = 0;
}

static inline void
made_release(struct gguf_made *m)
{
    buf_release(&m->keys);
    buf_release(&m->tensors);
    buf_release(&m->data);
}

static inline void
made_text(struct buf *b, const char *s)
{
    buf_u64(b, strlen(s));
    buf_addstr(b, s);
}

/* A key of that type; its value, as the file has it, is the caller's to add to
 * m->keys. */
static inline void
made_key(struct gguf_made *m, const char *name, enum gguf_type type)
{
    made_text(&m->keys, name);
    buf_u32(&m->keys, type);
    m->n_keys++;
}

static inline void
made_u32(struct gguf_made *m, const char *name, uint32_t v)
{
    made_key(m, name, GGUF_U32);
    buf_u32(&m->keys, v);
}

static inline void
made_f32(struct gguf_made *m, const char *name, float v)
{
    uint32_t bits;

    memcpy(&bits, &v, sizeof(bits));
    made_key(m, name, GGUF_F32);
    buf_u32(&m->keys, bits);
}

static inline void
made_bool(struct gguf_made *m, const char *name, bool v)
{
    made_key(m, name, GGUF_BOOL);
    buf_addc(&m->keys, v);
}

static inline void
made_string(struct gguf_made *m, const char *name, const char *v)
{
    made_key(m, name, GGUF_STRING);
    made_text(&m->keys, v);
}

/* An array of n elements, which are the caller's to add to m->keys. */
static inline void
made_array(struct gguf_made *m, const char *name, enum gguf_type type,
           uint64_t n)
{
    made_key(m, name, GGUF_ARRAY);
    buf_u32(&m->keys, type);
    buf_u64(&m->keys, n);
}

/* What the list says of a tensor. */
static inline void
made_info(struct gguf_made *m, const char *name, uint32_t type,
          uint32_t n_dims, const uint64_t *ne, uint64_t begin)
{
    made_text(&m->tensors, name);
    buf_u32(&m->tensors, n_dims);
    for (uint32_t i = 0; i < n_dims; i++)
        buf_u64(&m->tensors, ne[i]);
    buf_u32(&m->tensors, type);
    buf_u64(&m->tensors, begin);
    m->n_tensors++;
}

static inline void
made_pad(struct buf *b)
{
    while (b->len % MADE_ALIGN != 0)
        buf_addc(b, 0);
}

/* A tensor and its data, n bytes of p, NULL: zeros. */
static inline void
made_tensor(struct gguf_made *m, const char *name, uint32_t type,
            uint32_t n_dims, const uint64_t *ne, const void *p, size_t n)
{
    made_pad(&m->data);
    made_info(m, name, type, n_dims, ne, m->data.len);
    if (p != NULL) {
        buf_add(&m->data, p, n);
    } else {
        memset(buf_room(&m->data, n), 0, n);
        m->data.len += n;
    }
}

static inline void
made_head(struct buf *file, uint32_t version, uint64_t n_tensors,
          uint64_t n_keys)
{
    buf_addstr(file, "GGUF");
    buf_u32(file, version);
    buf_u64(file, n_tensors);
    buf_u64(file, n_keys);
}

/* The file. */
static inline void
made_file(const struct gguf_made *m, struct buf *file)
{
    made_head(file, 3, m->n_tensors, m->n_keys);
    buf_add(file, m->keys.data, m->keys.len);
    buf_add(file, m->tensors.data, m->tensors.len);
    made_pad(file);
    buf_add(file, m->data.data, m->data.len);
    made_pad(file);
}

/* Writes the file; false when that failed. */
static inline bool
made_write(const struct gguf_made *m, const char *path)
{
    FILE *f = fopen(path, "wb");
    struct buf file;
    bool ok;

    buf_init(&file);
    made_file(m, &file);
    ok = f != NULL && fwrite(file.data, 1, file.len, f) == file.len;
    ok &= f != NULL && fclose(f) == 0;
    buf_release(&file);
    return ok;
}

#endif
