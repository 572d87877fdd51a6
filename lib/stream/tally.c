/* tally.c - index, counts and digests of a segment, a frame at a time.
 *
 * The file digest is over the headers of frames and the hashes of blocks of
 * data, the content id over raw bytes and, from version 2 on, the same hashes:
 * trailer.h has both.
 */
#include "stream/tally.h"

#include <inttypes.h>

#include "stream/stream.h"

void
tally_begin(struct tally *t, struct stream_trailer *trailer,
            const struct stream_head *h, const void *block, size_t n)
{
    stream_trailer_reset(trailer);
    t->trailer = trailer;
    t->left = t->block_left = 0;
    t->whole = h->version == 1;
    hash_init(&t->content);
    head_content(&t->content, h);
    hash_init(&t->file);
    hash_add(&t->file, block, n);
}

void
tally_frame(struct tally *t, const struct frame_head *h,
            const uint8_t head[FRAME_HEAD], uint64_t at, uint64_t n_records)
{
    struct stream_trailer *sum = t->trailer;

    hash_add(&t->file, head, FRAME_HEAD);
    *stream_trailer_frame(sum) = (struct frame_ref){
        .kind = h->kind, .at = at + (h->kind == FRAME_DATA ? FRAME_HEAD : 0),
        .stored = h->stored, .raw = h->raw, .records = n_records,
        .first = sum->records, .hash = h->hash, .block = sum->n_blocks
    };
    sum->records += n_records;
    if (h->kind == FRAME_RECORDS) {
        sum->raw += h->raw;
    } else if (h->kind == FRAME_TENSOR) {
        sum->tensors++;
    } else {
        sum->data += h->stored;
        t->left = h->stored;
        t->block_left = STREAM_BLOCK;
        hash_init(&t->block);
    }
}

void
tally_raw(struct tally *t, const void *p, size_t n)
{
    hash_add(&t->content, p, n);
}

size_t
tally_room(const struct tally *t, size_t n)
{
    if (n > t->left)
        n = (size_t)t->left;
    return n < t->block_left ? n : (size_t)t->block_left;
}

/* The block is complete: its hash goes into the index and the digests. */
static void
end_block(struct tally *t, const struct id *id)
{
    stream_trailer_block(t->trailer, id);
    hash_add(&t->file, id->b, ID_BYTES);
    if (!t->whole)
        hash_add(&t->content, id->b, ID_BYTES);
    hash_init(&t->block);
    t->block_left = STREAM_BLOCK;
}

/* Whether so many bytes more make the block complete. */
static bool
counts_whole(struct tally *t, size_t n)
{
    t->left -= n;
    t->block_left -= n;
    return t->left == 0 || t->block_left == 0;
}

void
tally_data(struct tally *t, const void *p, size_t n, bool content)
{
    struct id id;

    if (n == 0)
        return;
    hash_add(&t->block, p, n);
    if (t->whole && content)
        hash_add(&t->content, p, n);
    if (counts_whole(t, n)) {
        id = hash_id(&t->block);
        end_block(t, &id);
    }
}

void
tally_copied(struct tally *t, const void *p, size_t n, const struct id *block)
{
    if (t->whole)
        hash_add(&t->content, p, n);
    if (n > 0 && counts_whole(t, n))
        end_block(t, block);
}

const struct id *
tally_block(const struct tally *t)
{
    const struct stream_trailer *sum = t->trailer;

    return sum->n_blocks > 0 && t->block_left == STREAM_BLOCK
           ? &sum->block[sum->n_blocks - 1] : NULL;
}

void
tally_end(struct tally *t)
{
    t->trailer->content = hash_id(&t->content);
    t->trailer->file = hash_id(&t->file);
}

static int
differ(const char *what, const char *where, uint64_t at, struct err *e)
{
    return err_set(e, ERR_DATA, "%s:%" PRIu64 ": trailer: %s not that of "
                   "the segment", where, at, what);
}

static bool
same_frame(const struct frame_ref *f, const struct frame_ref *g)
{
    return f->kind == g->kind && f->at == g->at && f->stored == g->stored
           && f->raw == g->raw && f->records == g->records
           && (f->kind == FRAME_DATA || id_equal(&f->hash, &g->hash));
}

/* Counts are sums over the index, so they agree, too. */
int
tally_compare(const struct tally *t, const struct stream_trailer *found,
              bool content, const char *where, uint64_t at, struct err *e)
{
    const struct stream_trailer *a = found, *b = t->trailer;

    if (a->n_frames != b->n_frames || a->n_blocks != b->n_blocks)
        return differ("number of frames", where, at, e);
    for (size_t i = 0; i < a->n_frames; i++)
        if (!same_frame(&a->frame[i], &b->frame[i]))
            return differ("index is", where, at, e);
    for (size_t i = 0; i < a->n_blocks; i++)
        if (!id_equal(&a->block[i], &b->block[i]))
            return err_set(e, ERR_DATA, "%s: data block %zu of the tensors "
                           "does not match its hash", where, i);
    if (!id_equal(&a->file, &b->file))
        return differ("file digest is", where, at, e);
    if (content && !id_equal(&a->content, &b->content))
        return differ("content id is", where, at, e);
    return 0;
}
