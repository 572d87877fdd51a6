/* vector_search.c - all vectors in memory, dot products by all threads, and of
 * each query's the best in a heap.
 */
#include "eval/vector_search.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/par.h"
#include "base/room.h"
#include "kernels/ops.h"

#define BLOCK 256 /* vectors that a thread compares at a time */
#define MARGIN (256u << 20) /* bytes that are left free */
#define UNASKED (64u << 20) /* bytes that nobody is asked for */

/* What vectors that can be compared have in common. */
static const char *const alike[] = { "dim", "base", "adapter", "pool" };

void
search_init(struct vector_search *s)
{
    memset(s, 0, sizeof(*s));
    stream_head_init(&s->head, "vectors");
    map_init(&s->names);
}

void
search_release(struct vector_search *s)
{
    stream_head_release(&s->head);
    map_release(&s->names);
    free(s->x);
    free(s->place);
}

int
search_match(const struct vector_search *s, const struct stream_head *h,
             const char *where, struct err *e)
{
    for (size_t i = 0; s->dim > 0 && i < sizeof(alike) / sizeof(*alike); i++) {
        const char *found = stream_head_get(h, alike[i]);
        const char *expected = stream_head_get(&s->head, alike[i]);

        if (strcmp(found ? found : "", expected ? expected : "") != 0)
            return err_set(e, ERR_DATA, "%s: vectors that can't be compared: "
                           "%s (found %.16s, expected %.16s)", where,
                           alike[i], found ? found : "none",
                           expected ? expected : "none");
    }
    return 0;
}

/* ---- reading ---- */

static uint32_t
name_place(struct map *names, const struct tokens_name *name)
{
    return (uint32_t)map_put(names, name->n > 0 ? name->p : "", name->n,
                             names->n, NULL)->value;
}

struct vector_place
search_place(struct vector_search *s, const struct tokens_origin *o)
{
    return (struct vector_place){
        o->text, o->ordinal, o->time, name_place(&s->names, &o->repo),
        name_place(&s->names, &o->lang)
    };
}

/* Makes x[n] one long. */
static void
make_unit(float *x, size_t n)
{
    double sum = 0, scale;

    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    scale = sum > 0 ? 1 / sqrt(sum) : 0;
    for (size_t i = 0; i < n; i++)
        x[i] = (float)((double)x[i] * scale);
}

/* Room for one more. */
static int
grow(struct vector_search *s, const char *where, struct err *e)
{
    size_t row = s->dim * sizeof(*s->x) + sizeof(*s->place)
                 + SEARCH_QUERIES * sizeof(float); /* their scores */
    size_t cap = s->cap + s->cap / 2 + 1024;
    uint64_t more = (uint64_t)(cap - s->cap) * row, free;
    struct room room;

    if (s->n < s->cap)
        return 0;
    if (cap * row > UNASKED) {
        room_measure(&room, "");
        free = room.resident.bytes < room.mapped.bytes ? room.resident.bytes
                                                       : room.mapped.bytes;
        if (free < MARGIN || more > free - MARGIN)
            return err_set(e, ERR_LIMIT, "%s: over %zu vectors of %" PRIu64
                           " elements: the memory there is does not hold "
                           "more (%" PRIu64 " MiB are free)", where, s->n,
                           s->dim, free >> 20);
    }
    s->x = mem_grow(s->x, cap * s->dim * sizeof(*s->x));
    s->place = mem_grow(s->place, cap * sizeof(*s->place));
    s->cap = cap;
    return 0;
}

static int
add(struct vector_search *s, const struct vector *v, const char *where,
    struct err *e)
{
    int rc = grow(s, where, e);

    if (rc < 0)
        return rc;
    vector_floats(v, s->x + s->n * s->dim);
    make_unit(s->x + s->n * s->dim, s->dim);
    s->place[s->n++] = search_place(s, &v->origin);
    return 0;
}

static int
read_segment(struct vector_search *s, struct stream_in *in,
             search_keep *keep, void *ctx, struct err *e)
{
    struct stream_rec rec;
    struct vector v;
    uint64_t dim;
    int rc = vector_dim(&in->head, in->in.name, &dim, e);

    if (rc == 0)
        rc = search_match(s, &in->head, in->in.name, e);
    if (rc < 0)
        return rc;
    if (s->dim == 0)
        stream_head_copy(&s->head, &in->head);
    s->dim = dim;
    while ((rc = stream_in_record(in, &rec, e)) > 0) {
        if (vector_decode(&v, rec.p, rec.n, dim, e) < 0)
            return err_prefix(e, "%s: record %" PRIu64, in->in.name,
                              in->n_records - 1);
        rc = keep != NULL ? keep(ctx, &v, e) : 1;
        if (rc > 0)
            rc = add(s, &v, in->in.name, e);
        if (rc < 0)
            return rc;
    }
    return rc;
}

int
search_read(struct vector_search *s, struct stream_in *in, search_keep *keep,
            void *ctx, struct err *e)
{
    int rc;

    while ((rc = stream_in_segment(in, e)) > 0) {
        rc = read_segment(s, in, keep, ctx, e);
        if (rc < 0)
            break;
    }
    return rc;
}

void
search_add(struct vector_search *s, struct vector_queries *q,
           const struct vector *v)
{
    vector_floats(v, q->x + q->n * v->dim);
    make_unit(q->x + q->n * v->dim, v->dim);
    q->place[q->n++] = search_place(s, &v->origin);
}

void
search_add_floats(const struct vector_search *s, struct vector_queries *q,
                  const struct vector_place *place, const float *x)
{
    memcpy(q->x + q->n * s->dim, x, s->dim * sizeof(*x));
    make_unit(q->x + q->n * s->dim, s->dim);
    q->place[q->n++] = *place;
}

/* ---- finding ---- */

struct finding {
    const struct vector_search *s;
    const struct vector_queries *q;
    size_t k;
    bool earlier;
    float *score; /* [s->n, q->n] */
    struct vector_hit *hit;
    size_t *n_hits;
};

static void
compare_block(void *ctx, size_t b, int worker)
{
    const struct finding *f = ctx;
    size_t at = b * BLOCK, n = f->s->n - at < BLOCK ? f->s->n - at : BLOCK;

    (void)worker;
    cpu_dots(f->score + at * f->q->n, f->s->x + at * f->s->dim, n, f->q->x,
             f->q->n, f->s->dim);
}

/* Whether x comes after y among the hits. */
static bool
is_worse(const struct vector_hit *x, const struct vector_hit *y)
{
    return x->score < y->score || (x->score == y->score && x->i > y->i);
}

/* hit[n] is a heap with the worst on top, but for hit[at]. */
static void
sift_down(struct vector_hit *hit, size_t n, size_t at)
{
    struct vector_hit moved = hit[at];

    for (size_t next; (next = 2 * at + 1) < n; at = next) {
        if (next + 1 < n && is_worse(&hit[next + 1], &hit[next]))
            next++;
        if (!is_worse(&hit[next], &moved))
            break;
        hit[at] = hit[next];
    }
    hit[at] = moved;
}

static void
sift_up(struct vector_hit *hit, size_t at)
{
    struct vector_hit moved = hit[at];

    while (at > 0 && is_worse(&moved, &hit[(at - 1) / 2])) {
        hit[at] = hit[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    hit[at] = moved;
}

bool
search_earlier(const struct vector_place *p, const struct vector_place *than)
{
    return p->repo == than->repo ? p->ordinal < than->ordinal
                                 : p->time < than->time;
}

static int
by_rank(const void *x, const void *y)
{
    return is_worse(x, y) ? 1 : is_worse(y, x) ? -1 : 0;
}

static void
choose(void *ctx, size_t q, int worker)
{
    const struct finding *f = ctx;
    struct vector_hit *hit = f->hit + q * f->k;
    size_t n = 0;

    (void)worker;
    for (size_t i = 0; i < f->s->n; i++) {
        struct vector_hit h = { f->score[i * f->q->n + q], i };

        if (n == f->k && !is_worse(&hit[0], &h))
            continue;
        if (f->earlier && !search_earlier(&f->s->place[i], &f->q->place[q]))
            continue;
        if (f->q->may != NULL && !f->q->may(f->q->ctx, q, i))
            continue;
        if (n < f->k) {
            hit[n] = h;
            sift_up(hit, n++);
        } else {
            hit[0] = h;
            sift_down(hit, n, 0);
        }
    }
    qsort(hit, n, sizeof(*hit), by_rank);
    f->n_hits[q] = n;
}

void
search_find(const struct vector_search *s, const struct vector_queries *q,
            size_t k, bool earlier, struct vector_hit *hit, size_t *n_hits)
{
    struct finding f = { s, q, k, earlier,
                         mem_array(s->n * q->n + 1, sizeof(*f.score)), hit,
                         n_hits };

    par_for((s->n + BLOCK - 1) / BLOCK, compare_block, &f);
    par_for(q->n, choose, &f);
    free(f.score);
}

static void
put_name(struct buf *b, const struct vector_search *s, const char *key,
         uint32_t place)
{
    size_t n = s->names.entry[place].len;

    if (n == 0)
        return;
    buf_addf(b, ", \"%s\": ", key);
    json_put_string(b, map_key(&s->names, place), n);
}

void
search_put_place(struct buf *b, const struct vector_search *s,
                 uint64_t record, const struct vector_place *p)
{
    char hex[ID_HEX + 1];

    buf_addf(b, "\"record\": %" PRIu64 ", \"text_id\": \"%s\", "
             "\"ordinal\": %" PRIu64 ", \"time\": %" PRId64, record,
             id_hex(&p->text, hex), p->ordinal, p->time);
    put_name(b, s, "repo", p->repo);
    put_name(b, s, "lang", p->lang);
}
