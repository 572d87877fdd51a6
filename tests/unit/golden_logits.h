/* golden_logits.h - every back end of this machine, and what it makes of a
 * golden model compared with what transformers made of it.
 *
 * Bounds on |a - b| / |b| of a tensor: 1e-9 for the reference in double,
 * 1e-5 in float. A double agrees to about 1e-13 where nothing is wrong; a
 * float sums some hundred roundings of 6e-8 through two layers.
 */
#ifndef GOLDEN_LOGITS_H
#define GOLDEN_LOGITS_H

#include "cpu_isa.h"
#include "golden_model.h"

struct target {
    struct backend backend;
    double bound;
};

enum { MAX_TARGETS = 8 };

/* Every back end this machine has. */
static inline size_t
targets_open(struct target t[MAX_TARGETS])
{
    static const char *const isa[] = { "generic", "avx2", "avx512" };
    size_t n = 2;

    ref64_open(&t[0].backend);
    t[0].bound = 1e-9;
    ref_open(&t[1].backend);
    t[1].bound = 1e-5;
    for (size_t i = 0; i < 3; i++) {
        t[n].bound = 1e-5;
        if (isa_open(&t[n].backend, isa[i]))
            n++;
    }
    return n;
}

static inline void
targets_close(struct target *t, size_t n)
{
    for (size_t i = 2; i < n; i++)
        cpu_close(&t[i].backend);
}

/* |a - b| / |b| of n reals of the session and golden tensor NAME. */
static inline void
compare(const struct session *s, const void *got, size_t n,
        const char *name, double bound)
{
    double diff = 0, norm = 0, *want;
    size_t bytes;

    want = golden_copy(s->g, name, &bytes);
    CHECK_EQ_U64(n * sizeof(double), bytes);
    for (size_t i = 0; i < n; i++) {
        double d = session_at(s, got, i) - want[i];

        diff += d * d;
        norm += want[i] * want[i];
    }
    if (!CHECK(sqrt(diff) <= bound * sqrt(norm)))
        printf("    %s on %s: %s is off by %.2e of its norm\n", s->g->name,
               s->exec.backend->name, name, sqrt(diff / norm));
    free(want);
}

/* Logits of document d into the session's logits' rows, `piece` tokens a
 * pass through the cache; copied to out[len, vocab]. */
static inline void
decode(struct session *s, uint32_t d, uint32_t piece, char *out)
{
    const struct golden *g = s->g;
    uint32_t first = (uint32_t)g->doc[2 * d], len = (uint32_t)g->doc[2 * d + 1];
    size_t row = g->desc.vocab * s->exec.backend->real_size;

    for (uint32_t at = 0; at < len; at += piece) {
        uint32_t n = len - at < piece ? len - at : piece;
        int32_t ids[64] = { 0 }, pos[64] = { 0 }, index[64] = { 0 };
        int32_t before = (int32_t)at, rows = (int32_t)n;

        for (uint32_t i = 0; i < n; i++) {
            ids[i] = g->ids[first + at + i];
            pos[i] = g->pos[first + at + i];
            index[i] = (int32_t)i;
        }
        s->batch.ids = ids;
        s->batch.pos = pos;
        s->batch.head_row = index;
        s->batch.n = s->in.n_head = n;
        s->batch.cache_at = &before;
        s->batch.seq_n = &rows;
        session_forward(s);
        memcpy(out + at * row, view_at(s->run, &s->prog.logits),
               n * row);
    }
}

static inline void
check_logits(const struct golden *g, const struct target *t, uint32_t piece)
{
    struct prog_opts o = golden_opts(g, PROG_DECODE, METHOD_NONE);
    struct session s;
    size_t row = g->desc.vocab * t->backend.real_size;
    char *out = mem_alloc(g->rows * row);

    o.batch = 1;
    o.seq_len = piece;
    o.cache_len = g->seq_len;
    o.head_chunk = 0;
    session_open(&s, g, &o, &t->backend);
    for (uint32_t d = 0; d < g->n_docs; d++)
        decode(&s, d, piece, out + (size_t)g->doc[2 * d] * row);
    compare(&s, out, g->rows * g->desc.vocab, "logits", t->bound);
    session_close(&s);
    free(out);
}

#endif
