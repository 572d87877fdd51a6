/* lengths.c - the file of lengths of a set: entries to bytes and back. */
#include "record/lengths.h"

#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "stream/set_lengths.h"

struct record_length
length_of(const struct tokens *t)
{
    size_t first = t->n_loss > 0 && t->runs[0] == 0;

    return (struct record_length){
        .tokens = (uint32_t)t->n,
        .target = (uint32_t)(t->n_loss - first),
        .ordinal = t->origin.ordinal, .time = t->origin.time
    };
}

bool
length_equal(const struct record_length *a, const struct record_length *b)
{
    return a->tokens == b->tokens && a->target == b->target
           && a->ordinal == b->ordinal && a->time == b->time;
}

uint32_t
length_learned(const struct record_length *r, enum tokens_loss loss)
{
    return loss != LOSS_ALL ? r->target : r->tokens > 0 ? r->tokens - 1 : 0;
}

void
length_encode(uint8_t out[LENGTHS_ENTRY_BYTES], const struct record_length *r)
{
    store_u32(out, r->tokens);
    store_u32(out + 4, r->target);
    store_u64(out + 8, r->ordinal);
    store_u64(out + 16, (uint64_t)r->time);
}

struct record_length
lengths_at(const struct lengths *l, uint64_t i)
{
    const uint8_t *p = l->map.p + LENGTHS_HEAD_BYTES
                       + i * LENGTHS_ENTRY_BYTES;

    return (struct record_length){
        .tokens = load_u32(p), .target = load_u32(p + 4),
        .ordinal = load_u64(p + 8), .time = (int64_t)load_u64(p + 16)
    };
}

/* The entries against the number of records and what a record can be. */
static int
check(const struct lengths *l, const struct manifest *m, const char *dir,
      struct err *e)
{
    uint64_t bytes = LENGTHS_HEAD_BYTES + m->records * LENGTHS_ENTRY_BYTES;
    const char *name = m->lengths.name;

    if (l->map.n < LENGTHS_HEAD_BYTES
        || memcmp(l->map.p, LENGTHS_HEAD, LENGTHS_HEAD_BYTES) != 0)
        return err_set(e, ERR_DATA, "%s/%s: is no file of lengths of version "
                       "1", dir, name);
    if (m->records > SIZE_MAX / LENGTHS_ENTRY_BYTES / 2 || l->map.n != bytes)
        return err_set(e, ERR_DATA, "%s/%s: lengths (found %zu bytes, "
                       "expected %" PRIu64 " for %" PRIu64 " records)", dir,
                       name, l->map.n, bytes, m->records);
    for (uint64_t i = 0; i < m->records; i++) {
        struct record_length r = lengths_at(l, i);

        if (r.tokens > STREAM_RECORD_MAX / 2
            || (r.target > 0 && r.target >= r.tokens))
            return err_set(e, ERR_DATA, "%s/%s: record %" PRIu64 " can't "
                           "have %" PRIu32 " tokens, %" PRIu32 " of them "
                           "of the target", dir, name, i, r.tokens, r.target);
    }
    return 0;
}

int
lengths_open(struct lengths *l, const struct manifest *m, const char *dir,
             struct err *e)
{
    struct lengths got = { .n = 0 };
    int rc;

    memset(l, 0, sizeof(*l));
    rc = set_lengths_map(&got.map, m, dir, e);
    if (rc < 0 || m->lengths.name[0] == '\0')
        return rc;
    rc = check(&got, m, dir, e);
    if (rc < 0) {
        lengths_release(&got);
        return rc;
    }
    got.n = m->records;
    lengths_done(&got);
    *l = got;
    return 0;
}

void
lengths_release(struct lengths *l)
{
    file_map_release(&l->map);
    l->n = 0;
}

void
lengths_done(const struct lengths *l)
{
    file_map_done(&l->map, 0, l->map.n);
}

int
lengths_check_splits(const struct lengths *l, const struct manifest *m,
                     const char *dir, struct err *e)
{
    const struct set_split *s = m->split;
    uint64_t tokens;

    for (; l->n > 0 && s < m->split + m->n_splits; s++) {
        tokens = 0;
        for (size_t k = 0; k < s->n; k++)
            for (uint64_t i = s->range[k].begin; i < s->range[k].end; i++)
                tokens += lengths_at(l, i).tokens;
        if (tokens != s->tokens)
            return err_set(e, ERR_DATA, "%s/" MANIFEST_NAME ": tokens of "
                           "split %s (found %" PRIu64 ", its lengths add up "
                           "to %" PRIu64 ")", dir, s->name, s->tokens,
                           tokens);
    }
    lengths_done(l);
    return 0;
}
