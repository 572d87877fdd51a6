/* safetensors.c - the reader and the writer of safetensors.h. */
#include "tensor/safetensors.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/json.h"
#include "base/mem.h"

#define META_KEY "__metadata__"

char *
shape_text(char text[SHAPE_TEXT], const uint64_t *shape, size_t n_dims)
{
    size_t i, at = 0;

    text[at++] = '[';
    for (i = 0; i < n_dims && i < SAFETENSORS_MAX_DIMS; i++)
        at += (size_t)snprintf(text + at, SHAPE_TEXT - at, "%s%llu",
                               i ? ", " : "", (unsigned long long)shape[i]);
    text[at++] = ']';
    text[at] = 0;
    return text;
}

int
tensor_bytes(uint64_t *bytes, unsigned dtype, const uint64_t *shape,
             size_t n_dims, struct err *e)
{
    uint64_t n = dtype_size(dtype);
    bool fits = true;
    size_t i;

    if (n_dims > SAFETENSORS_MAX_DIMS)
        return err_set(e, ERR_DATA, "too many dimensions (found %zu, limit "
                       "%d)", n_dims, SAFETENSORS_MAX_DIMS);
    /* Also behind a zero: every product of a prefix has to fit. */
    for (i = 0; i < n_dims && fits; i++)
        fits = size_mul(n, shape[i], &n);
    if (!fits)
        return err_set(e, ERR_DATA, "the size of the shape overflows");
    *bytes = n;
    return 0;
}

/* Reading */

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
        if (t->n_dims == SAFETENSORS_MAX_DIMS)
            return json_error(j, e, "too many dimensions (limit %d)",
                              SAFETENSORS_MAX_DIMS);
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
        bool is_meta = strcmp(key.data, META_KEY) == 0;

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

void
safetensors_release(struct safetensors *s)
{
    size_t i;

    for (i = 0; i < s->n; i++)
        free(s->item[i].name);
    for (i = 0; i < s->n_meta; i++) {
        free((char *)s->meta[i].key);
        free((char *)s->meta[i].value);
    }
    free(s->item);
    free(s->meta);
    free(s->path);
    map_release(&s->by_name);
    file_map_release(&s->map);
    memset(s, 0, sizeof(*s));
    map_init(&s->by_name);
}

/* The header's text into *text; *size is the file's length. */
static int
fetch_header(char **text, uint64_t *n, uint64_t *size, struct in *in,
             uint64_t max_header, struct err *e)
{
    uint8_t head[8];
    struct stat st;
    uint64_t len;
    size_t got;
    int rc;

    if (fstat(in->fd, &st) < 0)
        return err_errno(e, ERR_IO, "%s: fstat", in->name);
    rc = in_read(in, head, sizeof(head), &got, e);
    if (rc < 0)
        return rc;
    if (got < sizeof(head) || st.st_size < (off_t)sizeof(head))
        return err_set(e, ERR_DATA, "%s:0: no safetensors file (found %zu "
                       "bytes, expected at least 8)", in->name, got);
    len = load_u64(head);
    if (len > (uint64_t)st.st_size - 8)
        return err_set(e, ERR_DATA, "%s:0: header of %llu bytes in a file "
                       "of %llu", in->name, (unsigned long long)len,
                       (unsigned long long)st.st_size);
    if (len > max_header)
        return err_set(e, ERR_DATA, "%s:0: header of %llu bytes (limit "
                       "%llu)", in->name, (unsigned long long)len,
                       (unsigned long long)max_header);
    if (len == 0)
        return err_set(e, ERR_DATA, "%s:0: empty header", in->name);
    *text = mem_alloc(len);
    rc = in_read(in, *text, len, &got, e);
    if (rc == 0 && got < len)
        rc = err_set(e, ERR_DATA, "%s:8: header ends after %zu bytes "
                     "(expected %llu)", in->name, got,
                     (unsigned long long)len);
    *n = len;
    *size = (uint64_t)st.st_size;
    return rc;
}

int
safetensors_open(struct safetensors *s, const char *path,
                 uint64_t max_header, struct err *e)
{
    uint64_t n = 0, size = 0;
    char *text = NULL;
    struct file_map map = { NULL, 0 };
    struct in in;
    int rc;

    memset(s, 0, sizeof(*s));
    map_init(&s->by_name);
    rc = in_open_regular(&in, path, e);
    if (rc < 0)
        return rc;
    rc = fetch_header(&text, &n, &size, &in, max_header, e);
    if (rc < 0)
        goto out;
    rc = safetensors_parse(s, text, n, size - 8 - n, path, e);
    if (rc < 0)
        goto out;
    rc = file_map_open(&map, path, e);
    if (rc == 0 && map.n != size) {
        file_map_release(&map);
        rc = err_set(e, ERR_IO, "%s: changed while it was opened", path);
    }
    if (rc < 0)
        safetensors_release(s);
out:
    if (rc == 0) {
        s->map = map;
        s->path = mem_strdup(path);
        s->data_at = 8 + n;
    }
    free(text);
    in_release(&in);
    return rc;
}

const struct safetensor *
safetensors_find(const struct safetensors *s, const char *name)
{
    const struct map_entry *m = map_get(&s->by_name, name, strlen(name));

    return m ? &s->item[m->value] : NULL;
}

const void *
safetensors_data(const struct safetensors *s, const struct safetensor *t)
{
    return s->map.p + s->data_at + t->begin;
}

/* Writing */

static int
by_alignment(const void *a, const void *b)
{
    const struct safetensor *x = a, *y = b;
    size_t ax = dtype_align(x->dtype), ay = dtype_align(y->dtype);

    if (ax != ay)
        return ax > ay ? -1 : 1;
    return strcmp(x->name, y->name);
}

static int
place_items(struct safetensor *item, size_t n, struct err *e)
{
    uint64_t at = 0;
    size_t i;
    int rc;

    if (n > 0)
        qsort(item, n, sizeof(*item), by_alignment);
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
        buf_addstr(b, "\"" META_KEY "\":{");
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
