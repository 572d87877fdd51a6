/* trailer.c - the trailer's text: writing, and reading with all checks. */
#include "stream/trailer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "stream/frame.h"
#include "stream/lines.h"
#include "stream/stream.h"

#define SIZE_LIMIT (UINT64_C(1) << 60) /* of any one number in an index */

void
stream_trailer_init(struct stream_trailer *t)
{
    memset(t, 0, sizeof(*t));
}

void
stream_trailer_release(struct stream_trailer *t)
{
    ledger_release(&t->ledger);
    free(t->input);
    free(t->frame);
    free(t->block);
    stream_trailer_init(t);
}

void
stream_trailer_reset(struct stream_trailer *t)
{
    stream_trailer_release(t);
}

struct frame_ref *
stream_trailer_frame(struct stream_trailer *t)
{
    struct frame_ref *f;

    if (t->n_frames == t->cap_frames) {
        t->cap_frames = t->cap_frames ? 2 * t->cap_frames : 8;
        t->frame = mem_grow(t->frame, t->cap_frames * sizeof(*t->frame));
    }
    f = &t->frame[t->n_frames++];
    memset(f, 0, sizeof(*f));
    return f;
}

void
stream_trailer_block(struct stream_trailer *t, const struct id *hash)
{
    if (t->n_blocks == t->cap_blocks) {
        t->cap_blocks = t->cap_blocks ? 2 * t->cap_blocks : 8;
        t->block = mem_grow(t->block, t->cap_blocks * sizeof(*t->block));
    }
    t->block[t->n_blocks++] = *hash;
}

void
stream_trailer_input(struct stream_trailer *t, const struct id *id)
{
    t->input = mem_grow(t->input, (t->n_inputs + 1) * sizeof(*t->input));
    t->input[t->n_inputs++] = *id;
}

uint64_t
data_blocks(uint64_t n)
{
    return n / STREAM_BLOCK + (n % STREAM_BLOCK != 0);
}

uint64_t
frame_end(const struct frame_ref *f)
{
    uint64_t start = f->kind == FRAME_DATA ? f->at : f->at + FRAME_HEAD;

    return start + size_round(f->stored, BLOCK_ALIGN);
}

static void
add_id(struct buf *b, const char *word, const struct id *id)
{
    char hex[ID_HEX + 1];

    buf_addf(b, "%s %s\n", word, id_hex(id, hex));
}

static void
format_index(struct buf *b, const struct stream_trailer *t)
{
    char hex[ID_HEX + 1];

    for (size_t n = 0; n < t->n_frames; n++) {
        const struct frame_ref *f = &t->frame[n];

        id_hex(&f->hash, hex);
        if (f->kind == FRAME_RECORDS)
            buf_addf(b, "frame %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64
                     " %s\n", f->at, f->stored, f->raw, f->records, hex);
        else if (f->kind == FRAME_TENSOR)
            buf_addf(b, "tensor %" PRIu64 " %" PRIu64 " %" PRIu64 " %s\n",
                     f->at, f->stored, f->raw, hex);
        else
            buf_addf(b, "data-at %" PRIu64 " %" PRIu64 "\n", f->at,
                     f->stored);
        if (f->kind == FRAME_DATA)
            for (uint64_t i = 0; i < data_blocks(f->stored); i++)
                add_id(b, "block", &t->block[f->block + i]);
    }
}

void
stream_trailer_format(struct buf *b, const struct stream_trailer *t)
{
    buf_addf(b, "records %" PRIu64 "\nraw %" PRIu64 "\ntensors %" PRIu64
             "\ndata %" PRIu64 "\n", t->records, t->raw, t->tensors,
             t->data);
    add_id(b, "content", &t->content);
    add_id(b, "file", &t->file);
    for (size_t i = 0; i < t->n_inputs; i++)
        add_id(b, "input", &t->input[i]);
    for (size_t i = 0; i < t->ledger.n; i++) {
        const struct ledger_line *l = &t->ledger.line[i];

        buf_addf(b, "ledger %s %s %" PRIu64 "\n", l->program, l->reason,
                 l->count);
    }
    format_index(b, t);
    buf_addstr(b, "end\n");
}

/* ---- reading ---- */

/* Lines being read, the current one in words. */
struct lines {
    const char *p, *end;
    const char *word[6];
    size_t len[6];
    size_t n; /* words in the line, 0 = no line left or not one */
    int row;
};

/* Splits the next line at single spaces; n = 0 when it can't be. */
static void
advance(struct lines *l)
{
    const char *p, *space;
    size_t left;

    l->n = 0;
    l->row++;
    if (!line_next(&l->p, l->end, &p, &left))
        return;
    for (size_t n = 0; n < 6; n++) {
        space = left ? memchr(p, ' ', left) : NULL;
        l->word[n] = p;
        l->len[n] = space ? (size_t)(space - p) : left;
        if (l->len[n] == 0)
            return;
        if (!space) {
            l->n = n + 1;
            return;
        }
        left -= l->len[n] + 1;
        p = space + 1;
    }
}

static bool
is(const struct lines *l, const char *word, size_t n)
{
    return l->n == n && strlen(word) == l->len[0]
           && memcmp(word, l->word[0], l->len[0]) == 0;
}

/* Word i as a number below SIZE_LIMIT, or as an id. */
static bool
number(const struct lines *l, size_t i, uint64_t *v)
{
    return decimal_parse(l->word[i], l->len[i], v) && *v < SIZE_LIMIT;
}

static bool
id_word(const struct lines *l, size_t i, struct id *id)
{
    return l->len[i] == ID_HEX && id_parse(id, l->word[i], ID_HEX);
}

/* "WORD N" or "WORD HEX", then on to the next line. */
static bool
take_number(struct lines *l, const char *word, uint64_t *v)
{
    bool ok = is(l, word, 2) && number(l, 1, v);

    if (ok)
        advance(l);
    return ok;
}

static bool
take_id(struct lines *l, const char *word, struct id *id)
{
    bool ok = is(l, word, 2) && id_word(l, 1, id);

    if (ok)
        advance(l);
    return ok;
}

static bool
parse_ledger(struct stream_trailer *t, struct lines *l)
{
    char word[2][STREAM_NAME_MAX + 1];
    size_t n = t->ledger.n;
    uint64_t count;

    if (n == LEDGER_MAX)
        return false;
    for (int i = 0; i < 2; i++) {
        if (l->len[i + 1] > STREAM_NAME_MAX)
            return false;
        memcpy(word[i], l->word[i + 1], l->len[i + 1]);
        word[i][l->len[i + 1]] = '\0';
    }
    if (!decimal_parse(l->word[3], l->len[3], &count))
        return false;
    ledger_add(&t->ledger, word[0], word[1], count);
    if (t->ledger.n != n + 1)
        return false;
    return strcmp(t->ledger.line[n].program, word[0]) == 0
           && strcmp(t->ledger.line[n].reason, word[1]) == 0;
}

static bool
parse_data(struct stream_trailer *t, struct lines *l, struct frame_ref *f)
{
    uint64_t n_blocks;
    struct id id;

    f->kind = FRAME_DATA;
    f->block = t->n_blocks;
    if (!number(l, 1, &f->at) || !number(l, 2, &f->stored))
        return false;
    f->raw = f->stored;
    n_blocks = data_blocks(f->stored);
    for (uint64_t i = 0; i < n_blocks; i++) {
        advance(l);
        if (!is(l, "block", 2) || !id_word(l, 1, &id))
            return false;
        stream_trailer_block(t, &id);
    }
    return true;
}

/* A line of the index, with the lines that belong to it. */
static bool
parse_frame(struct stream_trailer *t, struct lines *l)
{
    struct frame_ref f = {0};

    if (is(l, "frame", 6)) {
        f.kind = FRAME_RECORDS;
        if (!number(l, 1, &f.at) || !number(l, 2, &f.stored)
            || !number(l, 3, &f.raw) || !number(l, 4, &f.records)
            || !id_word(l, 5, &f.hash))
            return false;
    } else if (is(l, "tensor", 5)) {
        f.kind = FRAME_TENSOR;
        if (!number(l, 1, &f.at) || !number(l, 2, &f.stored)
            || !number(l, 3, &f.raw) || !id_word(l, 4, &f.hash))
            return false;
    } else if (!is(l, "data-at", 3) || !parse_data(t, l, &f)) {
        return false;
    }
    *stream_trailer_frame(t) = f;
    return true;
}

/* Frame i against the one before it: no gap, data after its descriptor and
 * only there, lengths within the limits. */
static bool
frame_fits(struct stream_trailer *t, size_t i)
{
    struct frame_ref *f = &t->frame[i];
    const struct frame_ref *last = i ? f - 1 : NULL;
    uint64_t cap = f->kind == FRAME_RECORDS ? STREAM_FRAME_MAX
                   : f->kind == FRAME_TENSOR ? STREAM_TENSOR_MAX
                   : SIZE_LIMIT;

    if ((last && last->kind == FRAME_TENSOR) != (f->kind == FRAME_DATA))
        return false;
    if (f->raw > cap || f->stored > f->raw || f->at % BLOCK_ALIGN != 0)
        return false;
    if (last && f->at != frame_end(last) +
                         (f->kind == FRAME_DATA ? FRAME_HEAD : 0))
        return false;
    f->first = last ? last->first + last->records : 0;
    /* each record has a length byte */
    return f->kind != FRAME_RECORDS
           || (f->records > 0 && f->records <= f->raw);
}

/* The counts against the index. */
static bool
sums_fit(struct stream_trailer *t)
{
    uint64_t records = 0, raw = 0, tensors = 0, data = 0;
    const struct frame_ref *f;

    for (size_t i = 0; i < t->n_frames; i++) {
        f = &t->frame[i];
        if (!frame_fits(t, i) || f->stored >= SIZE_LIMIT - data)
            return false;
        records += f->records;
        raw += f->kind == FRAME_RECORDS ? f->raw : 0;
        tensors += f->kind == FRAME_TENSOR;
        data += f->kind == FRAME_DATA ? f->raw : 0;
    }
    if (t->n_frames && t->frame[t->n_frames - 1].kind == FRAME_TENSOR)
        return false;
    return records == t->records && raw == t->raw && tensors == t->tensors
           && data == t->data;
}

static bool
parse(struct stream_trailer *t, struct lines *l)
{
    struct id id;

    advance(l);
    if (!take_number(l, "records", &t->records)
        || !take_number(l, "raw", &t->raw)
        || !take_number(l, "tensors", &t->tensors)
        || !take_number(l, "data", &t->data)
        || !take_id(l, "content", &t->content)
        || !take_id(l, "file", &t->file))
        return false;
    for (; is(l, "input", 2); advance(l)) {
        if (!id_word(l, 1, &id))
            return false;
        stream_trailer_input(t, &id);
    }
    for (; is(l, "ledger", 4); advance(l))
        if (!parse_ledger(t, l))
            return false;
    for (; !is(l, "end", 1); advance(l))
        if (!parse_frame(t, l))
            return false;
    return l->p == l->end;
}

int
stream_trailer_parse(struct stream_trailer *t, const char *text, size_t n,
                     const char *where, struct err *e)
{
    struct lines l = {.p = text, .end = text + n};

    stream_trailer_reset(t);
    if (!parse(t, &l))
        return err_set(e, ERR_DATA, "%s: trailer: line %d: not what a "
                       "trailer has there", where, l.row);
    if (!sums_fit(t))
        return err_set(e, ERR_DATA, "%s: trailer: counts and index do not "
                       "agree", where);
    return 0;
}
