/* kept_file.c - the file of an index of kept records.
 *
 * A line of text, the entries one after another (kept_entry.h), and the
 * BLAKE2b hash of all that, 32 bytes:
 *
 *     graft dedup-index VERSION threshold T seen N kept N bytes N
 *
 * seen: records that were looked at; kept: entries; bytes: of the entries.
 * The hash is checked before anything else is believed, and what it vouches
 * for is looked at all the same.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/json.h"
#include "text/kept.h"
#include "text/kept_entry.h"

#define LINE_MAX_BYTES 256
#define MAGIC "graft dedup-index "

/* The numbers of the line. */
struct counts {
    unsigned version;
    double threshold;
    uint64_t seen, kept, bytes;
};

/* The threshold as the shortest decimal that reads back as it. */
static size_t
put_line(char line[LINE_MAX_BYTES], const struct counts *c)
{
    struct buf t;
    int n;

    buf_init(&t);
    json_put_double(&t, c->threshold);
    n = snprintf(line, LINE_MAX_BYTES, MAGIC "%u threshold %s seen %" PRIu64
                 " kept %" PRIu64 " bytes %" PRIu64 "\n", c->version, t.data,
                 c->seen, c->kept, c->bytes);
    buf_release(&t);
    return (size_t)n;
}

int
kept_write(const struct kept *k, struct out *out, struct err *e)
{
    struct counts c = { KEPT_VERSION, k->threshold, k->seen, k->exact.n,
                        k->log_len };
    char line[LINE_MAX_BYTES];
    size_t n = put_line(line, &c);
    struct hash h;
    struct id id;
    int rc;

    hash_init(&h);
    hash_add(&h, line, n);
    rc = out_write(out, line, n, e);
    if (rc == 0 && k->log_len > 0) {
        hash_add(&h, k->log.p, k->log_len);
        rc = out_write(out, k->log.p, k->log_len, e);
    }
    id = hash_id(&h);
    if (rc == 0)
        rc = out_write(out, id.b, ID_BYTES, e);
    return rc < 0 ? rc : out_flush(out, e);
}

/* The line that p[n] begins with, of *len bytes. */
static int
read_line(struct counts *c, size_t *len, const uint8_t *p, size_t n,
          const char *name, struct err *e)
{
    char text[LINE_MAX_BYTES + 1], same[LINE_MAX_BYTES];
    size_t got = n < LINE_MAX_BYTES ? n : LINE_MAX_BYTES;
    char *end;

    if (got > 0)
        memcpy(text, p, got);
    text[got] = '\0';
    end = strchr(text, '\n');
    if (!end || sscanf(text, MAGIC "%u ", &c->version) != 1)
        return err_set(e, ERR_DATA, "%s: no index of dedup", name);
    if (c->version != KEPT_VERSION)
        return err_set(e, ERR_DATA, "%s: an index of version %u (this "
                       "program has %d)", name, c->version, KEPT_VERSION);
    *len = (size_t)(end - text) + 1;
    if (sscanf(text, MAGIC "%*u threshold %lf seen %" SCNu64 " kept %" SCNu64
               " bytes %" SCNu64, &c->threshold, &c->seen, &c->kept,
               &c->bytes) != 4
        || put_line(same, c) != *len || memcmp(same, text, *len) != 0
        || n - *len < ID_BYTES || n - *len - ID_BYTES != c->bytes)
        return err_set(e, ERR_DATA, "%s: damaged: its first line does not "
                       "fit", name);
    return 0;
}

/* The bytes of the entry that p[n] begins with; 0: that is none. */
static size_t
entry_size(const uint8_t *p, size_t n, unsigned bands)
{
    size_t least, size;
    const uint8_t *at;
    uint32_t word;

    if (n < ENTRY_FIXED)
        return 0;
    word = load_u32(p + 40);
    least = word & ~ENTRY_WHOLE;
    if (word == 0)
        return ENTRY_FIXED;
    size = ENTRY_FIXED + 4 * (bands + least);
    if (least == 0 || least > MINHASH_LEAST || size > n)
        return 0;
    if (!(word & ENTRY_WHOLE) && least < MINHASH_LEAST)
        return 0;
    at = p + ENTRY_FIXED + 4 * (size_t)bands;
    for (size_t i = 1; i < least; i++)
        if (load_u32(at + 4 * i) <= load_u32(at + 4 * (i - 1)))
            return 0;
    return size;
}

static int
add_entries(struct kept *k, const struct counts *c, const uint8_t *p,
            const char *name, struct err *e)
{
    size_t at = 0, size;
    uint64_t number, after = 0; /* of the record before, plus 1 */
    int rc = 0;

    while (at < c->bytes && rc == 0) {
        size = entry_size(p + at, c->bytes - at, k->banding.bands);
        number = size ? load_u64(p + at + ID_BYTES) : 0;
        if (size == 0 || number < after || number >= c->seen)
            return err_set(e, ERR_DATA, "%s: damaged: entry %" PRIu32, name,
                           k->exact.n);
        after = number + 1;
        rc = kept_add_entry(k, p + at, size, e);
        at += size;
    }
    if (rc == 0 && k->exact.n != c->kept)
        return err_set(e, ERR_DATA, "%s: damaged (found %" PRIu32 " entries, "
                       "expected %" PRIu64 ")", name, k->exact.n, c->kept);
    k->seen = c->seen;
    return rc;
}

int
kept_parse(struct kept *k, const uint8_t *p, size_t n, const char *name,
           struct err *e)
{
    struct counts c = { 0 };
    size_t line = 0;
    struct id id;
    int rc = read_line(&c, &line, p, n, name, e);

    if (rc < 0)
        return rc;
    id = id_of(p, n - ID_BYTES);
    if (memcmp(id.b, p + n - ID_BYTES, ID_BYTES) != 0)
        return err_set(e, ERR_DATA, "%s: damaged: its hash does not fit",
                       name);
    if (c.threshold != k->threshold)
        return err_set(e, ERR_EXISTS, "%s: made with another threshold (found "
                       "%g, expected %g)", name, c.threshold, k->threshold);
    return add_entries(k, &c, p + line, name, e);
}

int
kept_read(struct kept *k, const char *path, struct id *id, struct err *e)
{
    struct file_map m;
    int rc = file_map_open(&m, path, e);

    if (rc < 0)
        return rc;
    rc = kept_parse(k, m.p, m.n, path, e);
    if (rc == 0)
        memcpy(id->b, m.p + m.n - ID_BYTES, ID_BYTES);
    file_map_release(&m);
    return rc;
}
