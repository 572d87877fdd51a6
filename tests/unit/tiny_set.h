/* tiny_set.h - small sets of token records on disk, for tests of what reads
 * them.
 *
 * A record's tokens are spelt by letters: 'a' is token 0, to be learned, 'A'
 * token 0 as context; so are b, B and so on.
 */
#ifndef TINY_SET_H
#define TINY_SET_H

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "record/lengths.h"
#include "stream/set_out.h"

#define TINY_LETTERS 200

struct tiny_record {
    uint64_t ordinal;
    int64_t time;
    const char *letters;
};

/* Records [begin, end) of the set belong to that split. */
struct tiny_range {
    const char *split;
    uint64_t begin, end;
};

struct tiny_set {
    const struct tiny_record *record;
    size_t n_records;
    const struct tiny_range *range;
    size_t n_ranges;
    const char *vocab, *tokenizer, *loss; /* of the head; NULL: not said */
    bool lengths;                  /* has a file of them */
};

static inline void
tiny_letters(const char *letters, uint32_t *ids, uint8_t *learn)
{
    for (size_t i = 0; letters[i]; i++) {
        ids[i] = (uint32_t)(tolower(letters[i]) - 'a');
        learn[i] = islower(letters[i]) != 0;
    }
}

static inline int
tiny_put(struct set_out *o, const struct tiny_record *r, struct err *e)
{
    struct tokens_origin origin = { .ordinal = r->ordinal, .time = r->time };
    uint32_t ids[TINY_LETTERS];
    uint8_t learn[TINY_LETTERS];
    struct buf b;
    int rc;

    tiny_letters(r->letters, ids, learn);
    buf_init(&b);
    rc = tokens_encode(&b, &origin, ids, learn, strlen(r->letters), 0, e);
    if (rc == 0)
        rc = set_out_record(o, b.data, b.len, e);
    buf_release(&b);
    return rc;
}

/* The file of lengths: a head, and an entry for each record. */
static inline int
tiny_put_lengths(struct set_out *o, const struct tiny_set *s, struct err *e)
{
    int rc = set_out_lengths(o, LENGTHS_HEAD, LENGTHS_HEAD_BYTES, e);

    for (size_t i = 0; rc == 0 && i < s->n_records; i++) {
        const struct tiny_record *r = &s->record[i];
        struct record_length l = { .ordinal = r->ordinal, .time = r->time };
        uint8_t entry[LENGTHS_ENTRY_BYTES];

        l.tokens = (uint32_t)strlen(r->letters);
        for (uint32_t k = 1; k < l.tokens; k++)
            l.target += islower(r->letters[k]) != 0;
        length_encode(entry, &l);
        rc = set_out_lengths(o, entry, sizeof(entry), e);
    }
    return rc;
}

/* Makes the set, of small files, in dir. Exits when it can't be made: tests
 * ask for good ones. */
static inline void
tiny_set_make(const char *dir, const struct tiny_set *s)
{
    struct stream_head h;
    struct set_out o;
    struct err e;
    int rc = set_out_open(&o, dir, true, &e);

    stream_head_init(&h, "tokens");
    if (s->vocab != NULL)
        stream_head_set(&h, "vocab", s->vocab);
    if (s->tokenizer != NULL)
        stream_head_set(&h, "tokenizer", s->tokenizer);
    if (s->loss != NULL)
        stream_head_set(&h, "loss", s->loss);
    if (rc == 0)
        rc = set_out_begin(&o, &h, 256, &e);
    for (size_t i = 0; rc == 0 && i < s->n_records; i++)
        rc = tiny_put(&o, &s->record[i], &e);
    if (rc == 0 && s->lengths)
        rc = tiny_put_lengths(&o, s, &e);
    for (size_t i = 0; rc == 0 && i < s->n_ranges; i++) {
        const struct tiny_range *r = &s->range[i];
        uint64_t tokens = 0;

        for (uint64_t k = r->begin; k < r->end; k++)
            tokens += strlen(s->record[k].letters);
        manifest_add_range(&o.manifest, r->split, r->begin, r->end, tokens);
    }
    if (rc == 0)
        rc = set_out_finish(&o, &e);
    if (rc < 0) {
        printf("%s: %s\n", dir, e.text);
        exit(1);
    }
    set_out_release(&o);
    stream_head_release(&h);
}

#endif
