/* cpu_layer.c - where the time of a GPT-2 layer and its head goes.
 *
 *     cpu_layer [THREADS] [SEQ_LEN] [DTYPE] [COMPUTE]
 *
 * Runs the ops of one layer of the 124M shape (forward, then backward, with
 * rank-32 adapters on all linears) and one chunk of the head, each several
 * times, and prints the best time of each and its rate. One thread is timed
 * by the processor's time, so that other load matters less. The last line puts
 * them together to a step of 12 layers. DTYPE: f32, bf16 or i8 weights;
 * COMPUTE: f32 or bf16.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/par.h"
#include "kernels/host.h"
#include "rounds.h"

enum {
    DIM = 768, FF = 3072, HEADS = 12, RANK = 32, VOCAB = 50257, SEQS = 2,
    CHUNK = 512, LAYERS = 12, MAX_BUFS = 128, MAX_OPS = 64, ROUNDS = 5
};

struct bench {
    struct backend cpu;
    struct run run;
    struct inputs in;
    struct results out;
    struct batch batch;
    struct tensor_buf buf[MAX_BUFS];
    uint32_t n_bufs;
    struct op op[MAX_OPS];
    const char *name[MAX_OPS];
    double flops[MAX_OPS]; /* 0: counted in bytes only */
    size_t n_ops;
    struct part part[16];
    size_t n_parts;
    uint64_t arena;
    uint32_t n, seq;
    uint8_t dtype; /* of weights */
};

static double
now(void)
{
    return clock_now(par_threads() == 1 ? CLOCK_PROCESS_CPUTIME_ID
                                        : CLOCK_MONOTONIC);
}

static struct view
take(struct bench *b, uint32_t rows, uint32_t cols, uint8_t dtype)
{
    struct view v = { b->n_bufs, rows, cols, cols, 0, dtype };
    size_t size = element_size(dtype, 4);
    struct tensor_buf *t = &b->buf[b->n_bufs++];

    t->zone = ZONE_ARENA;
    t->at = b->arena;
    t->bytes = (uint64_t)rows * cols * size;
    b->arena += size_round(t->bytes, 256);
    return v;
}

static struct view
real(struct bench *b, uint32_t rows, uint32_t cols)
{
    return take(b, rows, cols, DTYPE_REAL);
}

static struct op *
add(struct bench *b, enum op_kind kind, const char *name, double flops)
{
    b->name[b->n_ops] = name;
    b->flops[b->n_ops] = flops;
    b->op[b->n_ops].kind = (uint16_t)kind;
    return &b->op[b->n_ops++];
}

static struct part *
module(struct bench *b, uint32_t in, uint32_t out, int in_out, int adapter)
{
    struct part *p = &b->part[b->n_parts++];

    p->w = in_out ? take(b, in, out, b->dtype) : take(b, out, in, b->dtype);
    if (b->dtype == DTYPE_I8)
        p->w.side = take(b, p->w.rows, (p->w.cols + 127) / 128,
                         DTYPE_F16).buf;
    b->buf[p->w.buf].zone = b->buf[p->w.side].zone = ZONE_BASE;
    p->in = in;
    p->out = out;
    p->in_out = (uint8_t)in_out;
    if (!adapter)
        return p;
    p->bias = real(b, 1, out);
    p->a = real(b, RANK, in);
    p->b = real(b, out, RANK);
    p->h = real(b, b->n, RANK);
    p->grad_a = real(b, RANK, in);
    p->grad_b = real(b, out, RANK);
    p->rank = RANK;
    p->lora_scale = 2;
    return p;
}

static void
linear(struct bench *b, const char *name, struct part *p, struct view x,
       struct view res, struct view y)
{
    double n = b->n, io = (double)p->in * p->out, lora = p->in + p->out;
    struct op *op = add(b, OP_LINEAR, name,
                        2 * n * (io + RANK * lora));

    op->x[0] = x;
    op->x[1] = res;
    op->y[0] = y;
    op->u.lin.part = p;
    op->u.lin.n = 1;
}

static void
linear_bwd(struct bench *b, const char *name, struct part *p, struct view x,
           struct view dy, struct view dx, int acc)
{
    double n = b->n, io = (double)p->in * p->out, lora = p->in + p->out;
    struct op *op = add(b, OP_LINEAR_BWD, name,
                        2 * n * (io + 2 * RANK * lora));

    op->x[0] = x;
    op->x[1] = dy;
    op->y[0] = dx;
    op->acc = (uint8_t)acc;
    op->u.lin.part = p;
    op->u.lin.n = 1;
}

static struct view
cols(struct view v, uint32_t at, uint32_t n)
{
    v.off += at;
    v.cols = n;
    return v;
}

static void
attention(struct bench *b, struct view qkv, struct view o, struct view lse,
          struct view d_o, struct view dqkv)
{
    double pairs = (double)SEQS * b->seq * (b->seq + 1) / 2;
    struct op *op = &b->op[0];
    int i, bwd = d_o.buf != 0;

    op = add(b, bwd ? OP_ATTENTION_BWD : OP_ATTENTION,
             bwd ? "attention bwd" : "attention", pairs * DIM * 2
             * (bwd ? 5 : 2));
    for (i = 0; i < 3; i++)
        op->x[i] = cols(qkv, (uint32_t)i * DIM, DIM);
    if (bwd) {
        op->x[3] = o;
        op->x[4] = lse;
        op->x[5] = d_o;
        for (i = 0; i < 3; i++)
            op->y[i] = cols(dqkv, (uint32_t)i * DIM, DIM);
    } else {
        op->y[0] = o;
        op->y[1] = lse;
    }
    op->u.attn.heads = op->u.attn.kv_heads = HEADS;
    op->u.attn.head_dim = DIM / HEADS;
    op->u.attn.seq_len = b->seq;
    op->u.attn.scale = 0.125f;
}

static void
norm(struct bench *b, struct view x, struct view gain, struct view stats,
     struct view dy, struct view y)
{
    struct op *op = add(b, dy.buf ? OP_NORM_BWD : OP_NORM,
                        dy.buf ? "norm bwd" : "norm", 0);

    op->x[0] = x;
    op->x[1] = gain;
    op->x[2] = dy.buf ? stats : gain;
    op->x[3] = dy;
    op->y[0] = y;
    if (dy.buf == 0)
        op->y[1] = stats;
    op->acc = dy.buf != 0;
    op->u.norm.eps = 1e-5f;
}

static void
act(struct bench *b, struct view x, struct view dy, struct view y)
{
    struct op *op = add(b, dy.buf ? OP_ACT_BWD : OP_ACT,
                        dy.buf ? "act bwd" : "act", 0);

    op->x[0] = x;
    op->x[1] = dy;
    op->y[0] = y;
    op->u.act.kind = ACT_GELU_TANH;
}

static void
build(struct bench *b)
{
    struct view none = { 0 }, x = real(b, b->n, DIM), gain = real(b, 1, DIM);
    struct view n1 = real(b, b->n, DIM), s1 = real(b, b->n, 2);
    struct view qkv = real(b, b->n, 3 * DIM), o = real(b, b->n, DIM);
    struct view lse = real(b, b->n, HEADS), x1 = real(b, b->n, DIM);
    struct view up = real(b, b->n, FF), a = real(b, b->n, FF);
    struct view y = real(b, b->n, DIM), dy = real(b, b->n, DIM);
    struct view dup = real(b, b->n, FF), dn = real(b, b->n, DIM);
    struct view dqkv = real(b, b->n, 3 * DIM), d_o = real(b, b->n, DIM);
    struct part *attn = module(b, DIM, 3 * DIM, 1, 1);
    struct part *proj = module(b, DIM, DIM, 1, 1);
    struct part *fc = module(b, DIM, FF, 1, 1);
    struct part *down = module(b, FF, DIM, 1, 1);
    struct op *op;

    norm(b, x, gain, s1, none, n1);
    linear(b, "c_attn", attn, n1, none, qkv);
    attention(b, qkv, o, lse, none, none);
    linear(b, "c_proj", proj, o, x, x1);
    norm(b, x1, gain, s1, none, n1);
    linear(b, "c_fc", fc, n1, none, up);
    act(b, up, none, a);
    linear(b, "mlp c_proj", down, a, x1, y);
    linear_bwd(b, "mlp c_proj bwd", down, a, dy, dup, 0);
    act(b, up, dup, dup);
    linear_bwd(b, "c_fc bwd", fc, n1, dup, dn, 0);
    norm(b, x1, gain, s1, dn, dy);
    linear_bwd(b, "c_proj bwd", proj, o, dy, d_o, 0);
    attention(b, qkv, o, lse, d_o, dqkv);
    linear_bwd(b, "c_attn bwd", attn, n1, dqkv, dn, 0);
    norm(b, x, gain, s1, dn, dy);
    op = add(b, OP_HEAD_CE, "head (a chunk)",
             4.0 * CHUNK * DIM * (double)VOCAB);
    op->x[0] = x;
    op->y[1] = dy;
    op->u.head.part = module(b, DIM, VOCAB, 0, 0);
    op->u.head.chunk = CHUNK;
}

/* Scratch of all ops, one after the other in time, shares one place. */
static int
place(struct bench *b)
{
    uint64_t most = 0, need, i, at;
    float *f;

    for (i = 0; i < b->n_ops; i++) {
        need = b->cpu.scratch(&b->cpu, &b->op[i]);
        most = need > most ? need : most;
    }
    at = b->n_bufs;
    take(b, 1, (uint32_t)most, DTYPE_U8);
    for (i = 0; i < b->n_ops; i++)
        b->op[i].scratch = (struct view){ (uint32_t)at, 1, (uint32_t)most,
                                          (uint32_t)most, 0, DTYPE_U8 };
    f = mem_try(b->arena);
    if (f == NULL)
        return -1;
    for (i = 0; i < b->arena / 4; i++)
        f[i] = (float)(int)((i * 2654435761u >> 7) % 2001) * 1e-5f - 0.01f;
    for (i = 1; i < b->n_bufs; i++)
        if (b->buf[i].zone == ZONE_BASE)
            b->buf[i].source = (const char *)f + b->buf[i].at;
    b->run.zone[ZONE_ARENA] = f;
    b->run.buf = b->buf;
    b->run.real_size = 4;
    b->run.in = &b->in;
    b->run.out = &b->out;
    b->run.batch = &b->batch;
    return 0;
}

static void
fill_batch(struct bench *b)
{
    int32_t *ids = mem_array(b->n, 5 * sizeof(*ids));
    float *weight = mem_array(b->n, sizeof(*weight));
    uint32_t i;

    for (i = 0; i < b->n; i++) {
        ids[i] = ids[b->n + i] = (int32_t)(i * 37 % VOCAB);
        ids[2 * b->n + i] = (int32_t)(i % b->seq);
        ids[3 * b->n + i] = (int32_t)(i / b->seq * b->seq);
        ids[4 * b->n + i] = (int32_t)i;
        weight[i] = 1;
    }
    b->batch = (struct batch){ .ids = ids, .target = ids + b->n,
                               .pos = ids + 2 * b->n,
                               .doc_first = ids + 3 * b->n,
                               .head_row = ids + 4 * b->n,
                               .weight = weight, .n = b->n };
    b->in.n_head = b->n;
    b->in.inv_tokens = 1.0 / b->n;
}

static void
measure(struct bench *b)
{
    double best[MAX_OPS], layer = 0, head, flops = 0, step;
    struct err e;
    size_t i, r, last = b->n_ops - 1;

    for (r = 0; r < ROUNDS; r++)
        for (i = 0; i < b->n_ops; i++) {
            double t = now();

            host_run(&b->cpu, &b->run, &b->op[i], 1, &e);
            t = now() - t;
            best[i] = r == 0 || t < best[i] ? t : best[i];
        }
    for (i = 0; i < b->n_ops; i++) {
        printf("%-16s %8.2f ms", b->name[i], best[i] * 1e3);
        if (b->flops[i] > 0)
            printf(" %7.1f GFLOP/s", b->flops[i] / best[i] * 1e-9);
        printf("\n");
        if (i < last) {
            layer += best[i];
            flops += b->flops[i] * LAYERS;
        }
    }
    head = best[last] * b->n / CHUNK;
    flops += b->flops[last] * b->n / CHUNK;
    step = layer * LAYERS + head;
    printf("step of %d layers: %.1f ms (head %.1f ms), %.1f tokens/s, "
           "%.1f GFLOP/s, %.0f MFLOP a token\n", LAYERS, step * 1e3,
           head * 1e3, b->n / step, flops / step * 1e-9,
           flops / b->n * 1e-6);
}

int
main(int argc, char **argv)
{
    static struct bench b;
    struct err e;

    par_set_threads(argc > 1 ? (int)strtol(argv[1], NULL, 10) : 0);
    b.seq = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 512;
    b.n = SEQS * b.seq;
    b.dtype = DTYPE_F32;
    if (argc > 3)
        b.dtype = strcmp(argv[3], "bf16") == 0 ? DTYPE_BF16
                  : strcmp(argv[3], "i8") == 0 ? DTYPE_I8 : DTYPE_F32;
    b.n_bufs = 1;
    if (cpu_open(&b.cpu, getenv("ISA"), argc > 4 ? argv[4] : "f32", &e) < 0) {
        fprintf(stderr, "cpu_layer: %s\n", e.text);
        return 1;
    }
    build(&b);
    fill_batch(&b);
    if (place(&b) < 0) {
        fprintf(stderr, "cpu_layer: no memory\n");
        return 1;
    }
    measure(&b);
    free(b.run.zone[ZONE_ARENA]);
    free((void *)b.batch.ids);
    free((void *)b.batch.weight);
    cpu_close(&b.cpu);
    return 0;
}
