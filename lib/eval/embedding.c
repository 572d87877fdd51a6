/* embedding.c - token records are gathered until they fill some batches, run,
 * and written in the order in which they came.
 */
#include "eval/embedding.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/progress.h"
#include "data/dataset.h"
#include "record/tokens.h"
#include "record/vector.h"

#define CHUNK_RECORDS 1024u
#define CHUNK_TOKENS (256u << 10)

static const char *const pools[] = {
    [HIDDEN_MEAN] = "mean", [HIDDEN_LAST] = "last"
};

/* A record that waits: where it is from, its names copied. */
struct waiting {
    struct tokens_origin origin;
    char names[2 * TOKENS_NAME_MAX];
    size_t at; /* of its first id */
};

struct embedding_chunk {
    struct waiting record[CHUNK_RECORDS];
    uint32_t len[CHUNK_RECORDS];
    size_t n;
    uint32_t *ids;
    uint8_t *learn; /* not looked at */
    size_t n_ids, cap;
    struct buf encoded;
};

void
embedding_init(struct embedding *g)
{
    memset(g, 0, sizeof(*g));
    g->chunk = mem_alloc(sizeof(*g->chunk));
    memset(g->chunk, 0, sizeof(*g->chunk));
    buf_init(&g->chunk->encoded);
}

void
embedding_release(struct embedding *g)
{
    free(g->chunk->ids);
    free(g->chunk->learn);
    buf_release(&g->chunk->encoded);
    free(g->chunk);
}

static int
get_record(void *ctx, uint64_t i, struct record_tokens *out, struct err *e)
{
    const struct embedding_chunk *c = ctx;

    (void)e;
    *out = (struct record_tokens){ c->ids + c->record[i].at, c->learn,
                                   c->len[i] };
    return 0;
}

/* Makes the vectors of what waits, and writes them. */
static int
flush(struct embedding *g, struct stream_out *out, struct err *e)
{
    struct embedding_chunk *c = g->chunk;
    uint32_t dim = g->m->desc.dim;
    struct token_source s = { .get = get_record, .ctx = c, .n_records = c->n,
                              .len = c->len, .vocab = g->m->desc.vocab };
    float *x;
    int rc;

    if (c->n == 0)
        return 0;
    x = mem_array(c->n * dim, sizeof(*x));
    rc = hidden_run(g->x, &s, g->pool, x, e);
    for (size_t i = 0; i < c->n && rc == 0; i++) {
        buf_reset(&c->encoded);
        rc = vector_encode(&c->encoded, &c->record[i].origin, x + i * dim,
                           dim, e);
        if (rc == 0)
            rc = stream_out_record(out, c->encoded.data, c->encoded.len, e);
    }
    if (rc == 0) {
        g->records += c->n;
        progress_add(c->n);
    }
    c->n = c->n_ids = 0;
    free(x);
    return rc;
}

static void
keep_name(struct tokens_name *name, char *at)
{
    if (name->n > 0)
        memcpy(at, name->p, name->n);
    name->p = name->n > 0 ? at : NULL;
}

static void
add(struct embedding_chunk *c, const struct tokens *t)
{
    struct waiting *w = &c->record[c->n];

    if (c->cap - c->n_ids < t->n) {
        c->cap = 2 * c->cap + t->n;
        c->ids = mem_grow(c->ids, c->cap * sizeof(*c->ids));
        c->learn = mem_grow(c->learn, c->cap);
    }
    w->origin = t->origin;
    keep_name(&w->origin.repo, w->names);
    keep_name(&w->origin.lang, w->names + TOKENS_NAME_MAX);
    w->origin.path = (struct tokens_name){ .n = 0 }; /* vectors have none */
    w->at = c->n_ids;
    tokens_ids(t, c->ids + c->n_ids);
    c->len[c->n++] = (uint32_t)t->n;
    c->n_ids += t->n;
}

static int
begin(const struct embedding *g, const struct stream_in *in,
      struct stream_out *out, const char *prov, struct err *e)
{
    static const char *const of_tokens[] = {
        "vocab", TOKENS_ID_BYTES, "eos", "loss"
    };
    struct stream_head head;
    uint64_t vocab = 0;
    int rc = 0;

    if (stream_head_get(&in->head, "vocab"))
        rc = stream_head_get_u64(&in->head, "vocab", in->in.name, &vocab, e);
    if (rc == 0)
        rc = dataset_made_for(in->in.name, vocab,
                              stream_head_get(&in->head, "tokenizer"), g->m,
                              e);
    if (rc < 0)
        return rc;
    stream_head_copy(&head, &in->head);
    stream_head_set_type(&head, "vectors");
    for (size_t i = 0; i < sizeof(of_tokens) / sizeof(of_tokens[0]); i++)
        stream_head_drop(&head, of_tokens[i]);
    stream_head_set_u64(&head, "dim", g->m->desc.dim);
    stream_head_set(&head, "pool", pools[g->pool]);
    stream_head_set(&head, "base", g->base);
    if (g->adapter)
        stream_head_set(&head, "adapter", g->adapter);
    stream_head_prov(&head, prov);
    rc = stream_out_begin(out, &head, e);
    stream_head_release(&head);
    return rc;
}

/* Record i of the segment. */
static int
take(struct embedding *g, const struct stream_in *in, uint64_t i,
     const struct stream_rec *rec, struct stream_out *out, struct err *e)
{
    struct embedding_chunk *c = g->chunk;
    struct tokens t;

    if (tokens_decode(&t, rec->p, rec->n, g->m->desc.vocab, e) < 0)
        return err_prefix(e, "%s: record %" PRIu64, in->in.name, i);
    if (t.n == 0) {
        g->empty++;
        stream_out_skip(out, g->program, "no-token", 1);
        return 0;
    }
    add(c, &t);
    if (c->n < CHUNK_RECORDS && c->n_ids < CHUNK_TOKENS)
        return 0;
    return flush(g, out, e);
}

int
embedding_segment(void *ctx, struct stream_in *in, struct stream_out *out,
                  const char *prov, struct err *e)
{
    struct embedding *g = ctx;
    struct stream_rec rec;
    uint64_t i = 0;
    int rc = begin(g, in, out, prov, e);

    if (rc < 0)
        return rc;
    while ((rc = stream_in_record(in, &rec, e)) > 0) {
        rc = take(g, in, i++, &rec, out, e);
        if (rc < 0)
            return rc;
    }
    if (rc == 0)
        rc = flush(g, out, e);
    return rc < 0 ? rc : stream_pass_end(out, in, e);
}
