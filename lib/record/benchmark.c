/* benchmark.c - a benchmark's file: JSON lines, plain or packed by gzip. */
#include "record/benchmark.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "base/io.h"
#include "base/json.h"

#define STEP ((size_t)1 << 20)
#define GZIP_BITS (15 + 16) /* zlib's largest window, gzip's header */

/* What the gzip members packed[..] hold, one after another. */
static int
unpack(struct buf *text, const struct buf *packed, const char *path,
       struct err *e)
{
    z_stream z = { .next_in = (Bytef *)packed->data,
                   .avail_in = (uInt)packed->len };
    int rc = inflateInit2(&z, GZIP_BITS);

    while (rc == Z_OK && text->len <= BENCHMARK_MAX) {
        z.next_out = (Bytef *)buf_room(text, STEP);
        z.avail_out = STEP;
        rc = inflate(&z, Z_NO_FLUSH);
        text->len += STEP - z.avail_out;
        if (rc == Z_STREAM_END && z.avail_in > 0)
            rc = inflateReset(&z);
    }
    inflateEnd(&z);
    if (text->len > BENCHMARK_MAX)
        return err_set(e, ERR_LIMIT, "%s: over %zu MiB unpacked", path,
                       BENCHMARK_MAX >> 20);
    text->data[text->len] = '\0';
    if (rc != Z_STREAM_END)
        return err_set(e, ERR_DATA, "%s: gzip's data is damaged or cut short",
                       path);
    return 0;
}

struct line {
    struct benchmark *b;
    struct overlap *o;
    struct overlap_at at;
    struct buf text;
};

static void add_value(struct line *l, struct json *j);

static void
add_string(struct line *l, struct json *j)
{
    struct err e;

    buf_reset(&l->text);
    if (json_string(j, &l->text, &e) < 0)
        return;
    if (overlap_add(l->o, l->text.data, l->text.len, l->at))
        l->b->texts++;
    else
        l->b->shorter++;
}

/* Every string of the value that comes next; the text was checked. */
static void
add_value(struct line *l, struct json *j)
{
    struct err e;

    switch (json_kind(j)) {
    case JSON_STRING:
        add_string(l, j);
        break;
    case JSON_ARRAY:
        if (json_enter_array(j, &e) == 0)
            while (json_next_item(j))
                add_value(l, j);
        break;
    case JSON_OBJECT:
        if (json_enter_object(j, &e) == 0)
            while (json_next_key(j, &l->text))
                add_value(l, j);
        break;
    default:
        json_skip(j);
    }
}

static int
add_line(struct line *l, const char *p, size_t n, const char *path,
         struct err *e)
{
    char where[512];
    struct json j;
    int rc;

    if (strspn(p, " \t\r") >= n)
        return 0;
    snprintf(where, sizeof(where), "%.480s:%" PRIu32, path, l->at.line);
    rc = json_check(p, n, where, e);
    if (rc < 0)
        return rc;
    l->b->lines++;
    j = json_on(p, n, where);
    add_value(l, &j);
    return 0;
}

static int
add_lines(struct line *l, const struct buf *text, const char *path,
          struct err *e)
{
    const char *p = text->data, *end = p + text->len, *eol;
    int rc = 0;

    while (p < end && rc == 0) {
        l->at.line++;
        eol = memchr(p, '\n', (size_t)(end - p));
        eol = eol ? eol : end;
        rc = add_line(l, p, (size_t)(eol - p), path, e);
        p = eol + 1;
    }
    return rc;
}

int
benchmark_read(struct benchmark *b, struct overlap *o, uint32_t file,
               const char *path, struct err *e)
{
    struct line l = { .b = b, .o = o, .at = { file, 0 } };
    struct buf packed, text;
    bool gzip;
    int rc;

    memset(b, 0, sizeof(*b));
    buf_init(&packed);
    buf_init(&text);
    buf_init(&l.text);
    rc = file_read(&packed, path, BENCHMARK_MAX, e);
    gzip = packed.len > 2 && memcmp(packed.data, "\x1f\x8b", 2) == 0;
    if (rc == 0) {
        b->id = id_of(packed.data, packed.len);
        if (gzip)
            rc = unpack(&text, &packed, path, e);
    }
    if (rc == 0)
        rc = add_lines(&l, gzip ? &text : &packed, path, e);
    buf_release(&packed);
    buf_release(&text);
    buf_release(&l.text);
    return rc;
}
