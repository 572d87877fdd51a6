/* space.c - places of scratch, cut one after the other: see space.h. */
#include "kernels/cuda/space.h"

#include <stddef.h>

enum { PLACE = 256, KNOWN_ROWS = 64 };

/* The next place of n bytes; *end is what is taken so far. */
static char *
take(char *at, uint64_t *end, uint64_t n)
{
    char *p = at ? at + *end : NULL;

    *end += (n + PLACE - 1) / PLACE * PLACE;
    return p;
}

static uint64_t
matrix_bytes(const struct sizing *s, uint64_t rows, uint32_t cols)
{
    return rows * cols * operand_bytes(s);
}

/* Of a stored matrix as an operand: nothing, where it is one. */
static uint64_t
widened_bytes(const struct sizing *s, const struct view *v)
{
    return v->buf == 0 || is_operand(s, v->dtype)
           ? 0 : matrix_bytes(s, v->rows, v->cols);
}

/* Of a bias as a row of elements of so many bytes. */
static uint64_t
row_bytes(const struct view *bias, unsigned bytes)
{
    return bias->buf == 0 || is_row_of(bias->dtype, bytes)
           ? 0 : (uint64_t)bias->cols * bytes;
}

static uint64_t
column_sums_bytes(uint32_t rows, uint32_t cols)
{
    uint64_t groups = ((uint64_t)rows + SUM_GROUP - 1) / SUM_GROUP;

    return groups * cols * sizeof(float);
}

struct parts
parts_before(const struct sizing *s, const struct op *op, uint32_t n)
{
    struct parts all = { .n = n };

    for (uint32_t i = 0; i < n; i++) {
        const struct part *p = &op->u.lin.part[i];

        all.out += p->out;
        all.w += widened_bytes(s, &p->w);
        all.biases += p->bias.buf != 0;
        if (p->a.buf == 0)
            continue;
        all.adapters++;
        all.rank += p->rank;
        all.a += widened_bytes(s, &p->a);
        all.b += widened_bytes(s, &p->b);
        all.drops |= p->dropout > 0;
    }
    return all;
}

static uint64_t
lora_a_bytes(const struct sizing *s, const struct parts *all, uint32_t in)
{
    return all->adapters > 1 ? matrix_bytes(s, all->rank, in) : all->a;
}

struct linear_space
linear_space_at(char *at, const struct sizing *s, const struct op *op)
{
    const struct parts all = parts_before(s, op, op->u.lin.n);
    uint32_t rows = op->x[0].rows, in = op->x[0].cols;
    struct linear_space l = { 0 };

    l.w = take(at, &l.bytes, all.w);
    l.a = take(at, &l.bytes, lora_a_bytes(s, &all, in));
    l.b = take(at, &l.bytes, all.b);
    l.bias = take(at, &l.bytes, all.biases ? matrix_bytes(s, 1, all.out) : 0);
    l.dropped = take(at, &l.bytes, all.drops ? matrix_bytes(s, rows, in) : 0);
    l.workspace = take(at, &l.bytes, s->workspace);
    return l;
}

static uint64_t
grad_bias_bytes(const struct op *op)
{
    uint64_t most = 0;

    for (uint32_t i = 0; i < op->u.lin.n; i++) {
        const struct part *p = &op->u.lin.part[i];
        uint64_t n = p->grad_bias.buf
                     ? column_sums_bytes(op->x[0].rows, p->out) : 0;

        most = n > most ? n : most;
    }
    return most;
}

struct linear_bwd_space
linear_bwd_space_at(char *at, const struct sizing *s, const struct op *op)
{
    const struct parts all = parts_before(s, op, op->u.lin.n);
    uint32_t rows = op->x[0].rows, in = op->x[0].cols;
    struct linear_bwd_space l = { 0 };

    l.w = take(at, &l.bytes, all.w);
    l.a = take(at, &l.bytes, lora_a_bytes(s, &all, in));
    l.b = take(at, &l.bytes, all.b);
    l.dh = take(at, &l.bytes, matrix_bytes(s, rows, all.rank));
    l.dropped = take(at, &l.bytes, all.drops ? matrix_bytes(s, rows, in) : 0);
    l.grad_a = take(at, &l.bytes,
                    joins_grad_a(&all)
                    ? (uint64_t)all.rank * in * sizeof(float) : 0);
    l.sums = take(at, &l.bytes, grad_bias_bytes(op));
    l.workspace = take(at, &l.bytes, s->workspace);
    return l;
}

uint32_t
head_chunk_of(const struct op *op)
{
    return op->kind == OP_HEAD_CE ? op->u.head.chunk : op->y[0].rows;
}

uint32_t
head_logits_ld(const struct op *op)
{
    return (op->u.head.part->w.rows + 7) / 8 * 8;
}

uint32_t
head_tokens_ld(const struct op *op)
{
    const struct view *v = &op->u.head.part->tokens;

    return v->buf ? (v->cols + 7) / 8 * 8 : 0;
}

struct head_space
head_space_at(char *at, const struct sizing *s, const struct op *op)
{
    const struct part *p = op->u.head.part;
    bool loss = op->kind == OP_HEAD_CE;
    uint64_t chunk = head_chunk_of(op), x = matrix_bytes(s, chunk,
                                                         op->x[0].cols);
    struct head_space h = { 0 };

    h.w = take(at, &h.bytes, widened_bytes(s, &p->w));
    h.bias = take(at, &h.bytes, row_bytes(&p->bias, sizeof(float)));
    h.x = take(at, &h.bytes, x);
    h.logits = take(at, &h.bytes,
                    loss ? chunk * head_logits_ld(op) * sizeof(float) : 0);
    h.loss = take(at, &h.bytes, loss ? chunk * sizeof(double) : 0);
    h.of_z = take(at, &h.bytes,
                  loss && op->u.head.z > 0 ? chunk * sizeof(double) : 0);
    h.dx = take(at, &h.bytes, loss && op->y[1].buf ? x : 0);
    h.sums = take(at, &h.bytes,
                  p->grad_bias.buf
                  ? column_sums_bytes((uint32_t)chunk, p->w.rows) : 0);
    h.workspace = take(at, &h.bytes, s->workspace);
    h.rows = take(at, &h.bytes, widened_bytes(s, &p->rows));
    h.of_tokens = take(at, &h.bytes,
                       chunk * head_tokens_ld(op) * sizeof(float));
    return h;
}

struct norm_bwd_space
norm_bwd_space_at(char *at, const struct op *op)
{
    bool sums = op->y[1].buf != 0 || op->y[2].buf != 0;
    uint64_t n = sums ? column_sums_bytes(op->x[0].rows, op->x[1].cols) : 0;
    struct norm_bwd_space b = { 0 };

    b.gain = take(at, &b.bytes, n);
    b.bias = take(at, &b.bytes, n);
    return b;
}

/* A part of each group of rows, for each weight and bias of a column. */
static uint64_t
conv1d_bwd_bytes(const struct op *op)
{
    uint32_t cols = op->x[1].rows * (op->x[1].cols + 1);

    return op->y[1].buf || op->y[2].buf
           ? column_sums_bytes(op->x[0].rows, cols) : 0;
}

static uint64_t
scan_chunks(const struct op *op)
{
    uint64_t seq = op->u.scan.seq_len;

    return op->x[0].rows / seq * ((seq + SCAN_CHUNK - 1) / SCAN_CHUNK);
}

struct scan_space
scan_space_at(char *at, const struct op *op)
{
    uint64_t cols = op->x[0].cols, chunks = scan_chunks(op);
    uint64_t each = chunks * cols * sizeof(float);
    struct scan_space s = { 0 };

    if (op->u.scan.cached || op->u.scan.seq_len <= SCAN_CHUNK)
        return s;
    s.states = take(at, &s.bytes, op->y[1].buf ? 0 : each * op->u.scan.state);
    s.sums = take(at, &s.bytes, each);
    return s;
}

struct scan_bwd_space
scan_bwd_space_at(char *at, const struct op *op)
{
    uint64_t cols = op->x[0].cols, state = op->u.scan.state;
    uint64_t each = scan_chunks(op) * cols * sizeof(float);
    uint32_t wide = 4, tiles;
    struct scan_bwd_space s = { 0 };

    while (wide < state)
        wide *= 2;
    tiles = (op->x[0].cols + SCAN_TILE / wide - 1) / (SCAN_TILE / wide);
    s.tiles = (tiles + SCAN_BLOCKS - 1) / SCAN_BLOCKS;
    s.blocks = (tiles + s.tiles - 1) / s.tiles;
    s.later = take(at, &s.bytes, each * state);
    s.sums = take(at, &s.bytes, each);
    s.bc = take(at, &s.bytes,
                op->y[3].buf ? s.blocks * (uint64_t)op->x[0].rows * 2 * state
                               * sizeof(float) : 0);
    return s;
}

struct ssd_space
ssd_space_at(char *at, const struct op *op)
{
    uint64_t steps = (uint64_t)op->x[0].rows * op->u.ssd.heads;
    uint64_t seqs = op->x[0].rows / op->u.ssd.seq_len;
    bool keeps = op->y[1].buf == 0 && op->u.ssd.seq_len > SSD_CHUNK;
    struct ssd_space s = { 0 };

    if (op->u.ssd.cached)
        return s;
    for (int i = 0; i < 3; i++)
        s.steps[i] = take(at, &s.bytes, steps * sizeof(float));
    s.states = take(at, &s.bytes,
                    keeps ? seqs * op->x[0].cols * op->u.ssd.state
                            * sizeof(float) : 0);
    return s;
}

struct ssd_bwd_space
ssd_bwd_space_at(char *at, const struct op *op)
{
    uint64_t rows = op->x[0].rows, heads = op->u.ssd.heads;
    uint64_t seq = op->u.ssd.seq_len, state = op->u.ssd.state;
    uint64_t chunks = rows / seq * ((seq + SSD_CHUNK - 1) / SSD_CHUNK);
    uint32_t share = op->u.ssd.heads / op->u.ssd.groups;
    uint64_t bc = rows * 2 * op->u.ssd.groups * state;
    struct ssd_bwd_space s = { 0 };

    s.each = (op->u.ssd.heads + SSD_BLOCKS - 1) / SSD_BLOCKS;
    s.each = s.each < share ? s.each : share;
    s.divided = (share + s.each - 1) / s.each;
    for (int i = 0; i < 3; i++)
        s.steps[i] = take(at, &s.bytes, rows * heads * sizeof(float));
    s.later = take(at, &s.bytes,
                   seq > SSD_CHUNK
                   ? chunks * op->x[0].cols * state * sizeof(float) : 0);
    for (int i = 0; i < 5; i++)
        s.of[i] = take(at, &s.bytes, rows * heads * sizeof(float));
    s.chunk_states = take(at, &s.bytes, chunks * heads * sizeof(float));
    s.parts = take(at, &s.bytes, 3 * chunks * heads * sizeof(float));
    s.bc = take(at, &s.bytes,
                op->y[3].buf ? s.divided * bc * sizeof(float) : 0);
    return s;
}

uint32_t
attention_known_rows(uint32_t rows)
{
    return (rows + KNOWN_ROWS - 1) / KNOWN_ROWS * KNOWN_ROWS;
}

struct attention_bwd_space
attention_bwd_space_at(char *at, const struct op *op)
{
    uint64_t heads = op->u.attn.heads, rows = op->x[0].rows;
    uint64_t part = heads * op->u.attn.head_dim * rows * sizeof(float);
    struct attention_bwd_space b = { 0 };

    if (op->u.attn.heads == op->u.attn.kv_heads)
        part = 0;
    b.known = take(at, &b.bytes, heads * attention_known_rows((uint32_t)rows)
                                 * 2 * sizeof(float));
    b.dk = take(at, &b.bytes, part);
    b.dv = take(at, &b.bytes, part);
    return b;
}

struct route_space
route_space_at(char *at, const struct op *op)
{
    uint64_t rows = op->x[0].rows, experts = op->u.route.experts;
    uint64_t pieces = (rows * op->u.route.top_k + ROUTE_PIECE - 1)
                      / ROUTE_PIECE;
    struct route_space r = { 0 };

    r.part = take(at, &r.bytes, pieces * experts * sizeof(uint32_t));
    r.first = take(at, &r.bytes, experts * sizeof(uint32_t));
    r.soft = take(at, &r.bytes,
                  op->y[3].buf ? rows * 2 * sizeof(float) : 0);
    return r;
}

uint32_t
grouped_rank(const struct op *op, uint32_t k)
{
    uint32_t most = 0;

    for (uint32_t i = k; i < op->u.lin.n; i += op->u.lin.n / op->u.lin.groups)
        if (op->u.lin.part[i].a.buf != 0 && op->u.lin.part[i].rank > most)
            most = op->u.lin.part[i].rank;
    return most;
}

uint32_t
grouped_spans(const struct op *op)
{
    return op->x[0].rows / GROUPED_ROWS + op->u.lin.groups;
}

struct grouped_space
grouped_space_at(char *at, const struct sizing *s, const struct op *op)
{
    uint64_t n = op->u.lin.n, groups = op->u.lin.groups;
    struct grouped_space g = { 0 };
    uint32_t rank = 0;

    for (uint32_t k = 0; k < n / groups; k++)
        rank += grouped_rank(op, k);
    g.part = take(at, &g.bytes, n * GROUPED_PART);
    g.spans = take(at, &g.bytes, (uint64_t)grouped_spans(op) * GROUPED_SPAN);
    g.groups = take(at, &g.bytes, groups * GROUPED_SPAN);
    g.w = take(at, &g.bytes, parts_before(s, op, (uint32_t)n).w);
    g.dh = take(at, &g.bytes,
                op->kind == OP_GROUPED_BWD
                ? matrix_bytes(s, op->x[0].rows, rank) : 0);
    return g;
}

struct muon_space
muon_space_at(char *at, const struct sizing *s, const struct op *op)
{
    uint64_t rows = op->y[0].rows, cols = op->y[0].cols;
    uint64_t small = rows < cols ? rows : cols;
    struct muon_space m = { 0 };

    m.x = take(at, &m.bytes, rows * cols * sizeof(float));
    m.next = take(at, &m.bytes, rows * cols * sizeof(float));
    m.gram = take(at, &m.bytes, small * small * sizeof(float));
    m.poly = take(at, &m.bytes, small * small * sizeof(float));
    m.part = take(at, &m.bytes, SQNORM_PARTS * sizeof(double));
    m.common = take(at, &m.bytes, MUON_COMMON);
    m.workspace = take(at, &m.bytes, s->workspace);
    return m;
}

uint64_t
space_bytes(const struct sizing *s, const struct op *op)
{
    switch (op->kind) {
    case OP_LINEAR:
        return linear_space_at(NULL, s, op).bytes;
    case OP_LINEAR_BWD:
        return linear_bwd_space_at(NULL, s, op).bytes;
    case OP_HEAD_CE:
    case OP_LOGITS:
        return head_space_at(NULL, s, op).bytes;
    case OP_NORM_BWD:
        return norm_bwd_space_at(NULL, op).bytes;
    case OP_SCAN:
        return scan_space_at(NULL, op).bytes;
    case OP_SCAN_BWD:
        return scan_bwd_space_at(NULL, op).bytes;
    case OP_SSD:
        return ssd_space_at(NULL, op).bytes;
    case OP_SSD_BWD:
        return ssd_bwd_space_at(NULL, op).bytes;
    case OP_CONV1D_BWD:
        return conv1d_bwd_bytes(op);
    case OP_DORA_BWD:
        return op->y[1].buf ? column_sums_bytes(op->x[0].rows, op->x[0].cols)
                            : 0;
    case OP_ATTENTION_BWD:
        return attention_bwd_space_at(NULL, op).bytes;
    case OP_ROUTE:
        return route_space_at(NULL, op).bytes;
    case OP_ROUTE_BWD: /* the rows of each tally */
        return op->x[3].rows * sizeof(uint32_t);
    case OP_GROUPED:
    case OP_GROUPED_BWD:
        return grouped_space_at(NULL, s, op).bytes;
    case OP_SQNORM:
        return SQNORM_PARTS * sizeof(double);
    case OP_MUON:
        return muon_space_at(NULL, s, op).bytes;
    default:
        return 0;
    }
}
