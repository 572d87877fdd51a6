/* safetensors_parse.c - the header of a safetensors file, read as hostile.
 *
 * The JSON is checked whole, then read with the pull reader; then the tensors
 * are sorted by their place, where each has to begin at the end of the one
 * before it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "tensor/safetensors.h"

static int
read_meta(struct safetensors *s, struct json *j, struct err *e)
{
    struct buf key, value;
    size_t cap = 0;
    int rc;

    buf_init(&key);
    buf_init(&value);
    rc = json_enter_object(j, e);
    while (rc == 0 && json_next_key(j, &key)) {
        buf_reset(&value);
        rc = json_string(j, &value, e);
        if (rc < 0)
            break;
        if (s->n_meta == cap) {
            cap = 2 * cap + 4;
            s->meta = mem_grow(s->meta, cap * sizeof(*s->meta));
        }
        s->meta[s->n_meta].key = mem_dup(key.data, key.len);
        s->meta[s->n_meta++].value = mem_dup(value.data, value.len);
    }
    buf_release(&key);
    buf_release(&value);
    return rc;
}

static int
read_shape(struct safetensor *t, struct json *j, struct err *e)
{
    int rc = json_enter_array(j, e);

    t->n_dims = 0;
    while (rc == 0 && json_next_item(j)) {
        if (t->n_dims == SHAPE_MAX_DIMS)
            return json_error(j, e, "too many dimensions (limit %d)",
                              SHAPE_MAX_DIMS);
        rc = json_u64(j, &t->shape[t->n_dims], e);
        t->n_dims++;
    }
    return rc;
}

static int
read_offsets(uint64_t offset[2], struct json *j, struct err *e)
{
    int rc = json_enter_array(j, e);
    size_t n = 0;

    while (rc == 0 && json_next_item(j)) {
        if (n == 2)
            return json_error(j, e, "data_offsets has more than 2 numbers");
        rc = json_u64(j, &offset[n++], e);
    }
    if (rc == 0 && n != 2)
        rc = json_error(j, e, "data_offsets has %zu numbers, expected 2", n);
    return rc;
}

static int
read_dtype(struct safetensor *t, struct json *j, struct err *e)
{
    struct buf name;
    int rc;

    buf_init(&name);
    rc = json_string(j, &name, e);
    if (rc == 0) {
        t->dtype = (uint8_t)dtype_parse(name.data, name.len);
        if (t->dtype == DTYPE_NONE)
            rc = json_error(j, e, "unsupported dtype \"%s\"", name.data);
    }
    buf_release(&name);
    return rc;
}

/* The object of one tensor; the reader stands before it. */
static int
read_members(struct safetensor *t, uint64_t offset[2], struct json *j,
             struct err *e)
{
    unsigned seen = 0;
    struct buf key;
    int rc;

    buf_init(&key);
    rc = json_enter_object(j, e);
    while (rc == 0 && json_next_key(j, &key)) {
        if (strcmp(key.data, "dtype") == 0) {
            rc = read_dtype(t, j, e);
            seen |= 1;
        } else if (strcmp(key.data, "shape") == 0) {
            rc = read_shape(t, j, e);
            seen |= 2;
        } else if (strcmp(key.data, "data_offsets") == 0) {
            rc = read_offsets(offset, j, e);
            seen |= 4;
        } else {
            json_skip(j);
        }
    }
    if (rc == 0 && seen != 7)
        rc = json_error(j, e, "lacks dtype, shape or data_offsets");
    buf_release(&key);
    return rc;
}

static int
read_tensor(struct safetensor *t, struct json *j, struct err *e)
{
    uint64_t offset[2] = { 0, 0 };
    char shape[SHAPE_TEXT];
    int rc;

    rc = read_members(t, offset, j, e);
    if (rc < 0)
        return rc;
    rc = tensor_bytes(&t->bytes, t->dtype, t->shape, t->n_dims, e);
    if (rc < 0)
        return err_prefix(e, "%s", j->where);
    if (offset[0] > offset[1])
        return json_error(j, e, "data_offsets run backwards (%llu to %llu)",
                          (unsigned long long)offset[0],
                          (unsigned long long)offset[1]);
    if (offset[1] - offset[0] != t->bytes)
        return json_error(j, e, "%s %s needs %llu bytes, data_offsets give "
                          "%llu", dtype_name(t->dtype),
                          shape_text(shape, t->shape, t->n_dims),
                          (unsigned long long)t->bytes,
                          (unsigned long long)(offset[1] - offset[0]));
    t->begin = offset[0];
    return 0;
}

/* Adds the tensor of that name; the reader stands before its object. */
static int
add_tensor(struct safetensors *s, size_t *cap, const struct buf *name,
           struct json *j, struct err *e)
{
    if (name->len > SAFETENSORS_MAX_NAME)
        return json_error(j, e, "a name of %zu bytes (limit %d)", name->len,
                          SAFETENSORS_MAX_NAME);
    if (s->n == SAFETENSORS_MAX_TENSORS)
        return json_error(j, e, "more than %d tensors",
                          SAFETENSORS_MAX_TENSORS);
    if (s->n == *cap) {
        *cap = 2 * *cap + 16;
        s->item = mem_grow(s->item, *cap * sizeof(*s->item));
    }
    memset(&s->item[s->n], 0, sizeof(s->item[0]));
    s->item[s->n].name = mem_dup(name->data, name->len);
    return read_tensor(&s->item[s->n++], j, e);
}

static int
read_header(struct safetensors *s, struct json *j, struct err *e)
{
    const char *file = j->where;
    struct buf key, where; /* messages name the member, too */
    size_t cap = 0;
    int rc;

    buf_init(&key);
    buf_init(&where);
    rc = json_enter_object(j, e);
    while (rc == 0 && json_next_key(j, &key)) {
        bool is_meta = strcmp(key.data, SAFETENSORS_META) == 0;

        buf_reset(&where);
        buf_addf(&where, "%s: %s%s", file, is_meta ? "" : "tensor ",
                 key.data);
        j->where = where.data;
        if (is_meta)
            rc = read_meta(s, j, e);
        else
            rc = add_tensor(s, &cap, &key, j, e);
        j->where = file;
    }
    buf_release(&key);
    buf_release(&where);
    return rc;
}

static int
by_place(const void *a, const void *b)
{
    const struct safetensor *x = a, *y = b;

    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* Sorts by place: the tensors have to fill the data exactly. */
static int
check_places(struct safetensors *s, uint64_t data_bytes, struct err *e)
{
    uint64_t at = 0;
    size_t i;

    if (s->n > 0)
        qsort(s->item, s->n, sizeof(*s->item), by_place);
    for (i = 0; i < s->n; i++) {
        const struct safetensor *t = &s->item[i];

        if (t->begin != at)
            return err_set(e, ERR_DATA, "tensors %s and %s %s (data offset "
                           "%llu, expected %llu)",
                           i ? s->item[i - 1].name : "(start)", t->name,
                           t->begin < at ? "overlap" : "leave a hole",
                           (unsigned long long)t->begin,
                           (unsigned long long)at);
        if (t->bytes > data_bytes - at)
            return err_set(e, ERR_DATA, "tensor %s runs past the end of the "
                           "file (needs %llu bytes of data, found %llu)",
                           t->name, (unsigned long long)t->begin
                           + (unsigned long long)t->bytes,
                           (unsigned long long)data_bytes);
        at += t->bytes;
    }
    if (at != data_bytes)
        return err_set(e, ERR_DATA, "%llu bytes after the last tensor",
                       (unsigned long long)(data_bytes - at));
    return 0;
}

int
safetensors_parse(struct safetensors *s, const char *header, size_t n,
                  uint64_t data_bytes, const char *where, struct err *e)
{
    struct json j;
    size_t i;
    int rc;

    memset(s, 0, sizeof(*s));
    map_init(&s->by_name);
    rc = json_check(header, n, where, e);
    if (rc < 0)
        goto out;
    j = json_on(header, n, where);
    rc = read_header(s, &j, e);
    if (rc < 0)
        goto out;
    rc = check_places(s, data_bytes, e);
    if (rc < 0) {
        err_prefix(e, "%s", where);
        goto out;
    }
    for (i = 0; i < s->n; i++)
        map_put(&s->by_name, s->item[i].name, strlen(s->item[i].name), i,
                NULL);
out:
    if (rc < 0)
        safetensors_release(s);
    return rc;
}
