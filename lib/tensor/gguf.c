/* gguf.c - a GGUF file that is open: its types, and the values of its keys. */
#include "tensor/gguf.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/mem.h"

/* ggml's types of tensors by their numbers; those without a name are not in
 * use any more. What is stored by an element type of ours names it. */
static const struct gguf_format formats[] = {
    [0] = { .name = "F32", .block = 1, .bytes = 4, .dtype = DTYPE_F32 },
    [1] = { .name = "F16", .block = 1, .bytes = 2, .dtype = DTYPE_F16 },
    [2] = { .name = "Q4_0", .block = 32, .bytes = 18, .dtype = DTYPE_Q4_0 },
    [3] = { .name = "Q4_1", .block = 32, .bytes = 20, .dtype = DTYPE_Q4_1 },
    [6] = { .name = "Q5_0", .block = 32, .bytes = 22, .dtype = DTYPE_Q5_0 },
    [7] = { .name = "Q5_1", .block = 32, .bytes = 24, .dtype = DTYPE_Q5_1 },
    [8] = { .name = "Q8_0", .block = 32, .bytes = 34, .dtype = DTYPE_Q8_0 },
    [9] = { .name = "Q8_1", .block = 32, .bytes = 36 },
    [10] = { .name = "Q2_K", .block = 256, .bytes = 84 },
    [11] = { .name = "Q3_K", .block = 256, .bytes = 110 },
    [12] = { .name = "Q4_K", .block = 256, .bytes = 144, .dtype = DTYPE_Q4_K },
    [13] = { .name = "Q5_K", .block = 256, .bytes = 176, .dtype = DTYPE_Q5_K },
    [14] = { .name = "Q6_K", .block = 256, .bytes = 210, .dtype = DTYPE_Q6_K },
    [15] = { .name = "Q8_K", .block = 256, .bytes = 292 },
    [16] = { .name = "IQ2_XXS", .block = 256, .bytes = 66 },
    [17] = { .name = "IQ2_XS", .block = 256, .bytes = 74 },
    [18] = { .name = "IQ3_XXS", .block = 256, .bytes = 98 },
    [19] = { .name = "IQ1_S", .block = 256, .bytes = 50 },
    [20] = { .name = "IQ4_NL", .block = 32, .bytes = 18 },
    [21] = { .name = "IQ3_S", .block = 256, .bytes = 110 },
    [22] = { .name = "IQ2_S", .block = 256, .bytes = 82 },
    [23] = { .name = "IQ4_XS", .block = 256, .bytes = 136 },
    [24] = { .name = "I8", .block = 1, .bytes = 1 },
    [25] = { .name = "I16", .block = 1, .bytes = 2 },
    [26] = { .name = "I32", .block = 1, .bytes = 4 },
    [27] = { .name = "I64", .block = 1, .bytes = 8 },
    [28] = { .name = "F64", .block = 1, .bytes = 8 },
    [29] = { .name = "IQ1_M", .block = 256, .bytes = 56 },
    [30] = { .name = "BF16", .block = 1, .bytes = 2, .dtype = DTYPE_BF16 },
    [34] = { .name = "TQ1_0", .block = 256, .bytes = 54 },
    [35] = { .name = "TQ2_0", .block = 256, .bytes = 66 },
    [39] = { .name = "MXFP4", .block = 32, .bytes = 17 },
    [40] = { .name = "NVFP4", .block = 64, .bytes = 36 },
    [41] = { .name = "Q1_0", .block = 128, .bytes = 18 },
};

const struct gguf_format *
gguf_format(uint32_t type)
{
    if (type >= sizeof(formats) / sizeof(formats[0])
        || formats[type].name == NULL)
        return NULL;
    return &formats[type];
}

/* Opening */

bool
gguf_is(const char *path)
{
    struct err e = { 0 };
    size_t got = 0;
    char magic[4];
    struct stat st;
    struct in in;
    int rc;

    if (stat(path, &st) < 0 || !S_ISREG(st.st_mode) /* a FIFO is read once */
        || in_open_regular(&in, path, &e) < 0)
        return false;
    rc = in_read(&in, magic, sizeof(magic), &got, &e);
    in_release(&in);
    return rc == 0 && got == sizeof(magic)
           && memcmp(magic, "GGUF", sizeof(magic)) == 0;
}

int
gguf_open(struct gguf *g, const char *path, struct err *e)
{
    struct file_map map;
    int rc = file_map_open(&map, path, e);

    memset(g, 0, sizeof(*g));
    map_init(&g->by_name);
    if (rc < 0)
        return rc;
    rc = gguf_parse(g, map.p, map.n, path, e);
    if (rc < 0) {
        file_map_release(&map);
        return rc;
    }
    g->map = map;
    g->path = mem_strdup(path);
    return 0;
}

void
gguf_release(struct gguf *g)
{
    free(g->path);
    free(g->key);
    free(g->tensor);
    map_release(&g->by_name);
    file_map_release(&g->map);
    memset(g, 0, sizeof(*g));
    map_init(&g->by_name);
}

const void *
gguf_data(const struct gguf *g, const struct gguf_tensor *t)
{
    return g->map.p + g->data_at + t->begin;
}

/* Keys */

const struct gguf_key *
gguf_find(const struct gguf *g, const char *name)
{
    const struct map_entry *m = map_get(&g->by_name, name, strlen(name));

    return m ? &g->key[m->value] : NULL;
}

bool
gguf_type_is_whole(unsigned type)
{
    return type <= GGUF_I32 || type == GGUF_U64 || type == GGUF_I64;
}

bool
gguf_type_is_real(unsigned type)
{
    return type == GGUF_F32 || type == GGUF_F64;
}

size_t
gguf_type_bytes(unsigned type)
{
    static const uint8_t bytes[GGUF_TYPES] = {
        [GGUF_U8] = 1, [GGUF_I8] = 1, [GGUF_U16] = 2, [GGUF_I16] = 2,
        [GGUF_U32] = 4, [GGUF_I32] = 4, [GGUF_F32] = 4, [GGUF_BOOL] = 1,
        [GGUF_U64] = 8, [GGUF_I64] = 8, [GGUF_F64] = 8,
    };

    return type < GGUF_TYPES ? bytes[type] : 0;
}

const char *
gguf_type_name(unsigned type)
{
    static const char *const names[GGUF_TYPES] = {
        "u8", "i8", "u16", "i16", "u32", "i32", "f32", "bool", "string",
        "array", "u64", "i64", "f64",
    };

    return type < GGUF_TYPES ? names[type] : "?";
}

bool
gguf_whole(const struct gguf_key *k, uint64_t i, int64_t *out)
{
    const uint8_t *p = k->at;

    switch (k->type) {
    case GGUF_U8:
        *out = p[i];
        return true;
    case GGUF_BOOL:
        *out = p[i] != 0;
        return true;
    case GGUF_I8:
        *out = (int8_t)p[i];
        return true;
    case GGUF_U16:
        *out = load_u16(p + 2 * i);
        return true;
    case GGUF_I16:
        *out = (int16_t)load_u16(p + 2 * i);
        return true;
    case GGUF_U32:
        *out = load_u32(p + 4 * i);
        return true;
    case GGUF_I32:
        *out = (int32_t)load_u32(p + 4 * i);
        return true;
    case GGUF_U64:
        if (load_u64(p + 8 * i) > INT64_MAX)
            return false;
        /* fall through */
    case GGUF_I64:
        *out = (int64_t)load_u64(p + 8 * i);
        return true;
    }
    return false;
}

bool
gguf_real(const struct gguf_key *k, uint64_t i, double *out)
{
    int64_t whole;
    uint64_t bits;

    if (k->type == GGUF_F32) {
        float x;

        floats_load(&x, k->at + 4 * i, DTYPE_F32, 1);
        *out = x;
        return true;
    }
    if (k->type == GGUF_F64) {
        bits = load_u64(k->at + 8 * i);
        memcpy(out, &bits, sizeof(*out));
        return true;
    }
    if (!gguf_whole(k, i, &whole))
        return false;
    *out = (double)whole;
    return true;
}

/* Strings */

bool
gguf_string(const struct gguf_key *k, struct gguf_text *out)
{
    struct gguf_strings s = { k->at, 1 };

    return k->type == GGUF_STRING && !k->is_array && gguf_next(&s, out);
}

struct gguf_strings
gguf_strings(const struct gguf_key *k)
{
    bool has = k->type == GGUF_STRING && k->is_array;

    return (struct gguf_strings){ k->at, has ? k->n : 0 };
}

bool
gguf_next(struct gguf_strings *s, struct gguf_text *text)
{
    if (s->left == 0)
        return false;
    *text = (struct gguf_text){ (const char *)s->p + 8, load_u64(s->p) };
    s->p += 8 + text->n;
    s->left--;
    return true;
}

bool
gguf_text_is(struct gguf_text t, const char *s)
{
    return t.n == strlen(s) && memcmp(t.p, s, t.n) == 0;
}
