/* safetensors.c - a safetensors file that is open: its header owned and
 * checked, its data mapped, its tensors found by name.
 *
 * The header is read before the file is mapped, so a size that the file
 * claims was compared with the file's own when memory is taken for it.
 */
#include "tensor/safetensors.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/mem.h"

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

/* *size is the file's length. */
static int
read_head(struct safetensors *s, struct in *in, uint64_t max_header,
          uint64_t *size, struct err *e)
{
    char *text = NULL;
    uint64_t n = 0;
    int rc;

    memset(s, 0, sizeof(*s));
    map_init(&s->by_name);
    rc = fetch_header(&text, &n, size, in, max_header, e);
    if (rc == 0)
        rc = safetensors_parse(s, text, n, *size - 8 - n, in->name, e);
    if (rc == 0) {
        s->path = mem_strdup(in->name);
        s->data_at = 8 + n;
    }
    free(text);
    return rc;
}

int
safetensors_read_head(struct safetensors *s, struct in *in,
                      uint64_t max_header, struct err *e)
{
    uint64_t size;

    return read_head(s, in, max_header, &size, e);
}

int
safetensors_open(struct safetensors *s, const char *path,
                 uint64_t max_header, struct err *e)
{
    struct file_map map = { NULL, 0 };
    uint64_t size = 0;
    struct in in;
    int rc = in_open_regular(&in, path, e);

    memset(s, 0, sizeof(*s));
    if (rc < 0)
        return rc;
    rc = read_head(s, &in, max_header, &size, e);
    in_release(&in);
    if (rc < 0)
        return rc;
    rc = file_map_open(&map, path, e);
    if (rc == 0 && map.n != size) {
        file_map_release(&map);
        rc = err_set(e, ERR_IO, "%s: changed while it was opened", path);
    }
    if (rc < 0)
        safetensors_release(s);
    else
        s->map = map;
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
