/* vector_search.h - the vectors of a set that are most like another one: all
 * of them are compared, none is guessed.
 *
 * Likeness is the cosine of the angle between two vectors, a.b / (|a| |b|); a
 * vector of zeros is like none: 0.
 */
#ifndef EVAL_VECTOR_SEARCH_H
#define EVAL_VECTOR_SEARCH_H

#include "base/buf.h"
#include "base/map.h"
#include "record/vector.h"
#include "stream/stream.h"

#define SEARCH_QUERIES 16 /* that are looked for at a time */

/* Where a vector is from; its names are entries of the search's. */
struct vector_place {
    struct id text;
    uint64_t ordinal;
    int64_t time;
    uint32_t repo, lang;
};

struct vector_search {
    struct stream_head head; /* of the vectors, once there are any */
    uint64_t dim;            /* 0: there are none */
    size_t n, cap;
    float *x;                /* [n, dim], each of length 1, or 0 */
    struct vector_place *place;
    struct map names;
};

struct vector_hit {
    float score;
    size_t i; /* number of the vector in the set */
};

/* Whether vector i of the set may be found for query q. Any thread calls it.
 */
typedef bool search_may(const void *ctx, size_t q, size_t i);

/* Vectors to look for, at most SEARCH_QUERIES. */
struct vector_queries {
    size_t n;
    float *x; /* [n, dim]; search_add makes them as long as the set's */
    struct vector_place place[SEARCH_QUERIES];
    search_may *may; /* the caller's; NULL: all may be found */
    const void *ctx; /* of may */
};

void search_init(struct vector_search *s);
void search_release(struct vector_search *s);

/* Called with each vector that is read: 1 where it is one of the set, 0 where
 * it is left out, negative to end. */
typedef int search_keep(void *ctx, const struct vector *v, struct err *e);

/* Reads all segments of `in`, of which keep (NULL: all) chooses. ERR_DATA
 * where they can't be compared with each other, ERR_LIMIT where there isn't
 * the memory to hold all. */
int search_read(struct vector_search *s, struct stream_in *in,
                search_keep *keep, void *ctx, struct err *e);

/* Where a text of that origin is from; the names of `o` need not live on. */
struct vector_place search_place(struct vector_search *s,
                                 const struct tokens_origin *o);

/* Whether p was there before than came to be: by ordinal in one repository, by
 * time otherwise. */
bool search_earlier(const struct vector_place *p,
                    const struct vector_place *than);

/* ERR_DATA unless vectors under that head can be compared with those of the
 * set: dim, base, adapter and pool are the same. A set without vectors agrees
 * with all. where is the message's prefix. */
int search_match(const struct vector_search *s, const struct stream_head *h,
                 const char *where, struct err *e);

/* Adds one to the queries, which have room; the same of x[s->dim]. */
void search_add(struct vector_search *s, struct vector_queries *q,
                const struct vector *v);
void search_add_floats(const struct vector_search *s,
                       struct vector_queries *q,
                       const struct vector_place *place, const float *x);

/* hit[q * k ...] are the at most k best of query q, best first, among equals
 * the one that comes first in the set; n_hits[q] is how many. earlier: those
 * alone that come before the query (search_earlier). The same at any number of
 * threads. */
void search_find(const struct vector_search *s,
                 const struct vector_queries *q, size_t k, bool earlier,
                 struct vector_hit *hit, size_t *n_hits);

/* Appends members of a JSON object: the number of the vector, and where it is
 * from. */
void search_put_place(struct buf *b, const struct vector_search *s,
                      uint64_t record, const struct vector_place *p);

#endif
