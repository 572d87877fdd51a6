/* decode.c - how fast tokens come out of a model, one after the other.
 *
 *     decode BASE [THREADS] [TOKENS]
 *
 * Each token reads every weight once, so what can be reached is the memory's
 * rate: after each token a buffer as large as the weights is read, by the
 * same threads. Prints, as "name value" lines, what the medians give.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/par.h"
#include "eval/generate.h"
#include "rounds.h"
#include "tensor/stored.h"
#include "weights/model.h"

enum { TOKENS = 40, MOST = 1000, PIECE = 1 << 16 };

typedef uint64_t words __attribute__((vector_size(16)));

struct bench {
    words *buffer;
    size_t n_words;
    words sum[1024]; /* of workers */
    double last, token[MOST], sweep[MOST];
    size_t n;
};

static void
read_item(void *ctx, size_t i, int worker)
{
    struct bench *b = ctx;
    size_t at = i * PIECE;
    size_t end = at + PIECE < b->n_words ? at + PIECE : b->n_words;
    words s0 = { 0 }, s1 = s0, s2 = s0, s3 = s0;

    for (; at + 4 <= end; at += 4) {
        s0 += b->buffer[at];
        s1 += b->buffer[at + 1];
        s2 += b->buffer[at + 2];
        s3 += b->buffer[at + 3];
    }
    b->sum[worker] += s0 + s1 + s2 + s3;
}

/* One thread is timed by the processor's time, so that other load matters
 * less. */
static double
now(void)
{
    return clock_now(par_threads() == 1 ? CLOCK_PROCESS_CPUTIME_ID
                                        : CLOCK_MONOTONIC);
}

static bool
take_token(void *ctx, int32_t id)
{
    struct bench *b = ctx;
    double start = now();

    (void)id;
    b->token[b->n] = start - b->last;
    par_for((b->n_words + PIECE - 1) / PIECE, read_item, b);
    b->last = now();
    b->sweep[b->n++] = b->last - start;
    return true;
}

static uint64_t
view_bytes(const struct prog *p, const struct view *w)
{
    return p->buf[w->buf].bytes + (w->side ? p->buf[w->side].bytes : 0);
}

/* Bytes of the weights that one token is multiplied with: of experts as many
 * as it goes through. */
static uint64_t
weight_bytes(const struct prog *p, const struct model_desc *d)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < p->n_ops; i++) {
        const struct op *op = &p->op[i];

        for (size_t k = 0; op->kind == OP_LINEAR && k < op->u.lin.n; k++)
            sum += view_bytes(p, &op->u.lin.part[k].w);
        for (size_t k = 0; op->kind == OP_GROUPED && k < op->u.lin.n; k++)
            sum += view_bytes(p, &op->u.lin.part[k].w)
                   * d->layer[op->layer].top_k / op->u.lin.groups;
        if (op->kind == OP_LOGITS)
            sum += view_bytes(p, &op->u.head.part->w);
    }
    return sum;
}

/* The first token is the prompt's. */
static void
print(struct bench *b, uint64_t bytes)
{
    double token = median(b->token + 1, b->n - 1);
    double sweep = median(b->sweep + 1, b->n - 1);

    printf("tokens_per_second %.2f\nweights_mb %.0f\nweights_gb_s %.2f\n"
           "memory_gb_s %.2f\nshare %.3f\n", 1 / token, (double)bytes / 1e6,
           1e-9 * (double)bytes / token, 1e-9 * (double)bytes / sweep,
           sweep / token);
}

static int
run(const char *base, uint32_t tokens, struct err *e)
{
    static struct bench b;
    const struct device_opts device = { .name = "cpu", .compute = "f32" };
    const struct sampling s = { .max_tokens = tokens };
    const int32_t prompt[] = { 1, 2, 3, 4, 5, 6, 7, 8 };
    const size_t n = sizeof(prompt) / sizeof(prompt[0]);
    struct generator g;
    struct model m;
    uint64_t bytes;
    int rc = model_open(&m, base, NULL, &device, e);

    if (rc < 0)
        return rc;
    rc = generator_open(&g, &m.desc, &m.base, &m.backend, NULL, 1,
                        (uint32_t)n + tokens, e);
    if (rc == 0) {
        bytes = weight_bytes(&g.single, &m.desc);
        b.n_words = (size_t)bytes / sizeof(*b.buffer);
        b.buffer = aligned_alloc(sizeof(*b.buffer),
                                 b.n_words * sizeof(*b.buffer));
        memset(b.buffer, 1, b.n_words * sizeof(*b.buffer));
        b.last = now();
        rc = generate(&g, prompt, n, &s, take_token, &b, e);
        if (rc == 0)
            print(&b, bytes);
        free(b.buffer);
        generator_release(&g);
    }
    model_release(&m);
    return rc;
}

int
main(int argc, char **argv)
{
    long tokens = argc > 3 ? strtol(argv[3], NULL, 10) : TOKENS;
    struct err e;

    if (argc < 2 || tokens < 2 || tokens > MOST) {
        fprintf(stderr, "usage: decode BASE [THREADS] [TOKENS]\n");
        return 2;
    }
    par_set_threads(argc > 2 ? (int)strtol(argv[2], NULL, 10) : 0);
    if (run(argv[1], (uint32_t)tokens, &e) < 0) {
        fprintf(stderr, "decode: %s\n", e.text);
        return 1;
    }
    return 0;
}
