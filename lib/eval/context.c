/* context.c - a set is walked together with its vectors, which are kept where
 * the record is of the train split; texts are run as embed runs records, and
 * looked for.
 */
#include "eval/context.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define BATCH 4 /* of a program for texts, */
#define SEQ_LEN 512

/* ---- reading ---- */

/* Whether vectors under that head are of the base alone. */
static int
check_head(struct context_set *c, struct err *e)
{
    const struct stream_head *h = &c->in->head;
    const char *base = stream_head_get(h, "base");
    const char *pool = stream_head_get(h, "pool");
    struct id id = weights_id(&c->m->weights);
    char hex[ID_HEX + 1];

    id_hex(&id, hex);
    if (base == NULL || strcmp(base, hex) != 0)
        return err_set(e, ERR_DATA, "%s: vectors of another base (found "
                       "%.16s, expected %.16s)", c->o.vectors,
                       base ? base : "none", hex);
    if (stream_head_get(h, "adapter") != NULL)
        return err_set(e, ERR_DATA, "%s: vectors of a base with an adapter "
                       "(expected those of the base alone)", c->o.vectors);
    if (pool == NULL
        || (strcmp(pool, "mean") != 0 && strcmp(pool, "last") != 0))
        return err_set(e, ERR_DATA, "%s: vectors of unknown pool (found "
                       "%.16s, expected mean or last)", c->o.vectors,
                       pool ? pool : "none");
    c->pool = strcmp(pool, "mean") == 0 ? HIDDEN_MEAN : HIDDEN_LAST;
    return 0;
}

/* The tokens of record i of the set, in c->ids; *t lives until the next. */
static int
read_record(struct context_set *c, uint64_t i, struct tokens *t,
            struct err *e)
{
    const void *p;
    size_t n;
    int rc = set_record(&c->data.set, i, &p, &n, e);

    if (rc == 0)
        rc = tokens_decode(t, p, n, c->m->desc.vocab, e);
    if (rc < 0)
        return err_prefix(e, "%s", c->o.set);
    if (t->n > c->n_ids) {
        c->n_ids = t->n;
        c->ids = mem_grow(c->ids, c->n_ids * sizeof(*c->ids));
    }
    tokens_ids(t, c->ids);
    return 0;
}

/* The next record that embed makes a vector of: 1, and it is c->next - 1; 0 at
 * the end of the set. */
static int
next_record(struct context_set *c, struct tokens *t, struct err *e)
{
    while (c->next < c->data.set.manifest.records) {
        if (read_record(c, c->next++, t, e) < 0)
            return e->code;
        if (t->n > 0)
            return 1;
    }
    return 0;
}

static void
keep_record(struct context_set *c, uint64_t record, const struct tokens *t)
{
    size_t at = c->search.n;
    uint32_t len = (uint32_t)t->n;

    if (at == c->cap) {
        c->cap = 2 * c->cap + 1024;
        c->record = mem_grow(c->record, c->cap * sizeof(*c->record));
        c->len = mem_grow(c->len, c->cap * sizeof(*c->len));
        c->same = mem_grow(c->same, c->cap * sizeof(*c->same));
    }
    c->record[at] = record;
    c->len[at] = len - (c->ids[len - 1] == c->end);
    c->same[at] = t->origin.same;
}

/* A search_keep: v is to be of the set's next record. */
static int
keep(void *ctx, const struct vector *v, struct err *e)
{
    struct context_set *c = ctx;
    uint64_t number = c->in->n_records - 1;
    struct tokens t;
    int rc = number == 0 ? check_head(c, e) : 0;

    if (rc == 0)
        rc = next_record(c, &t, e);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return err_set(e, ERR_DATA, "%s: vector %" PRIu64 " is of no record "
                       "of %s: it has no more", c->o.vectors, number,
                       c->o.set);
    if (memcmp(t.origin.text.b, v->origin.text.b, ID_BYTES) != 0
        || t.origin.ordinal != v->origin.ordinal
        || t.origin.time != v->origin.time)
        return err_set(e, ERR_DATA, "%s: vector %" PRIu64 " is not of record "
                       "%" PRIu64 " of %s", c->o.vectors, number, c->next - 1,
                       c->o.set);
    if (!manifest_split_has(c->train, &c->range, c->next - 1))
        return 0;
    keep_record(c, c->next - 1, &t);
    return 1;
}

static int
read_vectors(struct context_set *c, struct err *e)
{
    struct stream_in in;
    struct tokens t;
    int rc = stream_in_open(&in, c->o.vectors, "vectors", e);

    if (rc < 0)
        return rc;
    c->in = &in;
    rc = search_read(&c->search, &in, keep, c, e);
    if (rc == 0)
        rc = next_record(c, &t, e);
    if (rc > 0)
        rc = err_set(e, ERR_DATA, "%s: no vector of record %" PRIu64 " of %s",
                     c->o.vectors, c->next - 1, c->o.set);
    if (rc == 0 && c->search.n == 0)
        rc = err_set(e, ERR_DATA, "%s: no record to stand before a text",
                     c->o.set);
    c->in = NULL;
    stream_in_release(&in);
    return rc;
}

static struct prog_opts
text_opts(const struct model *m)
{
    uint32_t most = m->desc.max_pos;

    return hidden_opts(BATCH, most < SEQ_LEN ? most : SEQ_LEN);
}

static int
open_set(struct context_set *c, struct err *e)
{
    const struct stream_head *h = &c->data.set.manifest.head;
    struct prog_opts p = text_opts(c->m);
    int rc = dataset_check(&c->data, c->m, e);

    c->end = UINT64_MAX;
    if (rc == 0 && stream_head_get(h, "eos") != NULL)
        rc = stream_head_get_u64(h, "eos", c->o.set, &c->end, e);
    c->train = manifest_split(&c->data.set.manifest, "train");
    if (rc == 0 && c->train == NULL)
        rc = err_set(e, ERR_DATA, "%s: no split 'train', of which context is "
                     "taken", c->o.set);
    if (rc == 0)
        rc = model_fit(c->m, &p, "embedding", c->o.force, e);
    return rc < 0 ? rc : read_vectors(c, e);
}

int
context_open(struct context_set *c, const struct context_opts *o,
             const struct model *m, struct err *e)
{
    int rc;

    memset(c, 0, sizeof(*c));
    rc = dataset_open(&c->data, o->set, e);
    if (rc < 0)
        return rc;
    c->o = *o;
    c->m = m;
    search_init(&c->search);
    rc = open_set(c, e);
    if (rc < 0)
        context_release(c);
    return rc;
}

void
context_release(struct context_set *c)
{
    context_found(c);
    search_release(&c->search);
    dataset_release(&c->data);
    free(c->record);
    free(c->len);
    free(c->same);
    free(c->ids);
    memset(c, 0, sizeof(*c));
}

int
context_made_with(const struct context_set *c, const char *tokenizer,
                  struct err *e)
{
    const char *own = c->data.tokenizer;

    if (own == NULL || tokenizer == NULL || strcmp(own, tokenizer) == 0)
        return 0;
    return err_set(e, ERR_DATA, "%s: made with another tokenizer than what "
                   "it is to stand before (found %.12s, expected %.12s)",
                   c->o.set, own, tokenizer);
}

/* ---- finding ---- */

/* Texts with a token, and what is looked for. */
struct texts {
    const struct context_set *c;
    const struct context_text *of[CONTEXT_TEXTS];
    uint32_t len[CONTEXT_TEXTS];
    size_t n;
    struct vector_queries q;
};

static int
get_text(void *ctx, uint64_t i, struct record_tokens *out, struct err *e)
{
    const struct texts *t = ctx;

    (void)e;
    *out = (struct record_tokens){ t->of[i]->ids, NULL, t->len[i] };
    return 0;
}

static bool
repeats(const struct same *a, const struct same *b)
{
    return (a->edit != 0 && a->edit == b->edit)
           || (a->content != 0 && a->content == b->content)
           || (a->commit != 0 && a->commit == b->commit);
}

/* A search_may: nothing that came to be with the text, or after it. */
static bool
may_stand(const void *ctx, size_t q, size_t i)
{
    const struct texts *t = ctx;
    const struct tokens_origin *origin = t->of[q]->origin;
    const struct vector_place *p = &t->c->search.place[i];
    const struct vector_place *than = &t->q.place[q];

    return origin == NULL
           || (search_earlier(p, than) && p->time <= than->time
               && !repeats(&t->c->same[i], &origin->same));
}

/* x[n, dim] are the texts' vectors. */
static int
run_texts(struct context_set *c, struct texts *t, float *x, struct err *e)
{
    const struct prog_opts o = text_opts(c->m);
    struct token_source s = { .get = get_text, .ctx = t, .n_records = t->n,
                              .len = t->len, .vocab = c->m->desc.vocab };
    int rc = 0;

    if (!c->running)
        rc = hidden_open(&c->exec, &c->prog, c->m, NULL, &o, e);
    if (rc < 0)
        return rc;
    c->running = true;
    return hidden_run(&c->exec, &s, c->pool, x, e);
}

static int
find_texts(struct context_set *c, struct texts *t, uint32_t *found,
           const size_t *number, struct err *e)
{
    uint32_t dim = c->m->desc.dim, k = c->o.records;
    struct vector_hit *hit = mem_array(CONTEXT_TEXTS * (size_t)k,
                                       sizeof(*hit));
    static const struct tokens_origin nowhere;
    float *x = mem_array(t->n * dim, sizeof(*x));
    size_t n_hits[CONTEXT_TEXTS];
    int rc = run_texts(c, t, x, e);

    t->q.x = mem_array(CONTEXT_TEXTS * (size_t)dim, sizeof(*t->q.x));
    for (size_t i = 0; i < t->n && rc == 0; i++) {
        const struct tokens_origin *o = t->of[i]->origin;
        struct vector_place p = search_place(&c->search, o ? o : &nowhere);

        search_add_floats(&c->search, &t->q, &p, x + i * dim);
    }
    if (rc == 0)
        search_find(&c->search, &t->q, k, false, hit, n_hits);
    for (size_t i = 0; i < t->n && rc == 0; i++) {
        for (size_t j = 0; j < n_hits[i]; j++)
            found[number[i] * k + j] = (uint32_t)hit[i * k + j].i;
    }
    free(t->q.x);
    free(x);
    free(hit);
    return rc;
}

int
context_find(struct context_set *c, const struct context_text *text,
             size_t n, uint32_t *found, struct err *e)
{
    struct texts t = { .c = c, .q = { .may = may_stand, .ctx = &t } };
    size_t number[CONTEXT_TEXTS];
    int rc = 0;

    for (size_t i = 0; i < n * c->o.records; i++)
        found[i] = CONTEXT_NONE;
    for (size_t i = 0; i < n && rc == 0; i++) {
        if (text[i].n > 0) {
            number[t.n] = i;
            t.of[t.n] = &text[i];
            t.len[t.n++] = text[i].n;
        }
        if (t.n == CONTEXT_TEXTS || (i + 1 == n && t.n > 0)) {
            rc = find_texts(c, &t, found, number, e);
            t.n = t.q.n = 0;
        }
    }
    return rc;
}

void
context_found(struct context_set *c)
{
    if (c->running) {
        exec_release(&c->exec);
        prog_release(&c->prog);
    }
    c->running = false;
}

/* ---- what stands before a text ---- */

struct context_size
context_fit(const struct context_set *c, const uint32_t *found, uint32_t room)
{
    struct context_size s = { .records = 0 };

    if (room > c->o.tokens)
        room = c->o.tokens;
    for (uint32_t j = 0; j < c->o.records && s.tokens < room; j++) {
        uint32_t left = room - s.tokens, len;

        if (found[j] == CONTEXT_NONE)
            break;
        len = c->len[found[j]];
        s.cut = len > left;
        s.tokens += s.cut ? left : len;
        s.records++;
    }
    return s;
}

int
context_put(struct context_set *c, const uint32_t *found, uint32_t room,
            uint32_t *out, struct err *e)
{
    uint32_t at = context_fit(c, found, room).tokens;

    for (uint32_t j = 0; at > 0; j++) {
        uint32_t len = c->len[found[j]], n = len < at ? len : at;
        struct tokens t;

        if (read_record(c, c->record[found[j]], &t, e) < 0)
            return e->code;
        at -= n;
        memcpy(out + at, c->ids + (len - n), n * sizeof(*out));
    }
    return 0;
}

void
context_count(struct context_counts *n, const struct context_size *s,
              const uint32_t *found)
{
    n->records += s->records;
    n->tokens += s->tokens;
    n->with += s->tokens > 0;
    n->none += found[0] == CONTEXT_NONE;
    n->no_room += s->tokens == 0 && found[0] != CONTEXT_NONE;
    n->cut += s->cut;
}

void
context_put_counts(struct buf *b, const struct context_counts *n)
{
    buf_addf(b, "\"with\": %" PRIu64 ", \"none\": %" PRIu64
             ", \"no_room\": %" PRIu64 ", \"cut\": %" PRIu64
             ", \"records\": %" PRIu64 ", \"tokens\": %" PRIu64, n->with,
             n->none, n->no_room, n->cut, n->records, n->tokens);
}
