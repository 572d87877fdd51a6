/* ops.h - the one contract between a program of ops and a back end.
 *
 * A program is a flat list of ops over named buffers. The builder
 * (lib/model) knows layers and emits ops; a back end knows kernels and runs
 * ops; they meet here and nowhere else.
 *
 * Memory is the back end's: it takes a program, with the places that the
 * planner gave to its buffers, and from then on whatever goes in (parameters,
 * batches, inputs) and comes out (parameters, results) is copied by its own
 * functions. No address of its memory is seen outside; kernels/host.h has
 * them for the back ends that compute in this process's own.
 *
 * Rules every back end keeps:
 * - Op fields are constants of the program. What varies from step to step is
 *   read from struct inputs or struct batch.
 * - An op's result has the same bits at any thread count: work is cut into
 *   tiles whose bounds depend on shapes alone, sums are split at fixed points
 *   and added in order.
 * - An op writes its y views (and, for LINEAR, its parts' h and gradient
 *   views) and its scratch, and nothing else. All memory was placed before
 *   the first step.
 *
 * Matrices are row major. n is the number of token rows of a micro-batch,
 * n = sequences * seq_len; row i belongs to sequence i / seq_len.
 */
#ifndef KERNELS_OPS_H
#define KERNELS_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "tensor/dtype.h"

/* The dtype of trainable parameters, their gradients and the optimiser's
 * state, of statistics, losses and logits, and, but for back ends that have
 * narrower ones, of activations: float, or double in the reference's proof
 * build. */
#define DTYPE_REAL 255

/* Bytes of an element, DTYPE_REAL's being real_size. */
static inline size_t
element_size(uint8_t dtype, size_t real_size)
{
    return dtype == DTYPE_REAL ? real_size : dtype_size(dtype);
}

enum zone {
    ZONE_NONE,
    ZONE_BASE,  /* frozen weights, read-only */
    ZONE_STATE, /* parameters, gradients, moments, caches: live all the run */
    ZONE_ARENA, /* activations, their gradients, scratch: reused by lifetime */
    ZONE_HOST,  /* activations that wait in this process's memory */
    ZONE_COUNT
};

/* A buffer. Buffer 0 of a program is "none". */
struct tensor_buf {
    uint64_t bytes, at; /* at: offset in its zone, set by the planner */
    const void *source; /* ZONE_BASE: the weight in this process's memory;
                           a back end reads it there or copies it to `at` */
    int32_t born, dies; /* op indices: first written, last used */
    uint8_t zone;
    uint8_t dtype, source_dtype; /* ZONE_BASE: of the elements; where they
                                    differ, the copy converts them */
};

/* A matrix inside a buffer: element (r, c) lies at off + r * ld + c, counted
 * in elements of dtype. buf 0: the view is absent. A stored weight is the
 * whole of its buffer; the scales of a quantised one (tensor/stored.h) are
 * the buffer side, a row of them for each of its rows. */
struct view {
    uint32_t buf;
    uint32_t rows, cols, ld;
    uint64_t off;
    uint8_t dtype;
    uint32_t side; /* 0: none */
};

enum op_kind {
    OP_NONE,
    OP_EMBED,         /* y0[n,dim] = x0[ids[n]] (+ x1[pos[n]]) */
    OP_EMBED_BWD,     /* y0[id] += x0 rows by id, but for the id that embed
                         names; y1[pos] += x0 rows by pos */
    OP_EMBED_TOKENS,  /* y0[i] = x0[k] (+ x1[pos[i]]) in rows i whose id is
                         x2[k], ids that rise; other rows stay */
    OP_EMBED_TOKENS_BWD, /* y0[k] += x0 rows whose id is x1[k], but for the id
                         that embed names */
    OP_NORM,          /* y0 = norm(x0) * (offset + x1) (+ x2), of each
                         norm_cols() columns of a row (a head's, a group's, or
                         all) by themselves; y1[n,2 of each] = mean, rstd */
    OP_NORM_BWD,      /* x0 x, x1 gain, x2 stats, x3 dy; y0 dx, y1 dgain,
                         y2 dbias (y1 and y2 always add, may be absent) */
    OP_LINEAR,        /* y0[:, part] = x0 W^T + bias + s h B^T (+ x1) */
    OP_LINEAR_BWD,    /* x0 x, x1 dy; y0 dx (may be absent); part grads add */
    OP_DORA_NORM,     /* y0[1,out] = |W + s B A| of each output of its one
                         part: the root of the sum of squares */
    OP_DORA,          /* y0 = c x0 + x3 (+ x4), c = x1 / x2 by column: see
                         struct part */
    OP_DORA_BWD,      /* x0, x1 and x2 as there, x3 dy; y0 dx0 = c dy,
                         y1 += column sums of dy x0 / x2 */
    OP_ROPE,          /* y0 = rotate(x0) by x1[1,pairs], in place when the
                         views are equal */
    OP_ATTENTION,     /* x0 q, x1 k, x2 v; y0 o, y1[n,heads] log-sum-exp */
    OP_ATTENTION_BWD, /* x0 q, x1 k, x2 v, x3 o, x4 lse, x5 do;
                         y0 dq, y1 dk, y2 dv */
    OP_ACT,           /* y0 = act(x0) */
    OP_ACT_BWD,       /* x0 x, x1 dy; y0 dx, may be x1's place */
    OP_GLU,           /* y0 = act(x0) * x1 */
    OP_GLU_BWD,       /* x0 gate, x1 up, x2 dy; y0 dgate, y1 dup */
    OP_ADD,           /* y0 = scale x0 (+ x1) */
    OP_CONV1D,        /* x0 x[n,cols], x1 weight[cols,width], x2 bias (may be
                         absent); y0 y, y1 decoding: see conv_args */
    OP_CONV1D_BWD,    /* x0, x1 and x2 as there, x3 dy; y0 dx (may be absent),
                         y1 dweight, y2 dbias (both add, may be absent) */
    OP_SCAN,          /* x0 u, x1 d, x2 A_log, x3 B|C, x4 D; y0 y, y1 states
                         for the backward, y2 decoding: see scan_args */
    OP_SCAN_BWD,      /* x0 to x4 as there, x5 states, x6 dy; y0 du, y1 dd,
                         y2 dA_log, y3 dB|dC, y4 dD (each may be absent; y2
                         and y4 always add) */
    OP_SSD,           /* x0 x, x1 d, x2 A_log, x3 B|C, x4 D, x5 bias of d; y0
                         y, y1 states for the backward, y2 decoding: see
                         ssd_args */
    OP_SSD_BWD,       /* x0 to x5 as there, x6 states, x7 dy; y0 dx, y1 dd,
                         y2 dA_log, y3 dB|dC, y4 dD, y5 dbias (each may be
                         absent; y2, y4 and y5 always add) */
    OP_ROUTE,         /* x0 logits[n,experts]; y0 weights[n,top_k], y1
                         places[n,2 top_k], y2 counts[1,experts], y3
                         tally[seqs,2 experts] (may be absent): see
                         route_args */
    OP_ROUTE_BWD,     /* x0 logits, x1 places, x2 dweights, x3 balance (may be
                         absent); y0 dlogits */
    OP_BALANCE,       /* x0 tallies; y0 balance: see balance_args */
    OP_GATHER,        /* y0 = x0's rows at the places x1, with counts x2 */
    OP_COMBINE,       /* y0[i] = x3[i] + sum over j of x2[i,j] times x0's row
                         at its place in x1; x2, of ones, and x3 may be
                         absent. x4 counts, for the backward */
    OP_COMBINE_BWD,   /* x0 to x2 and x4 as there, x3 dy; y0 dx0, y1
                         dweights (each may be absent) */
    OP_GATE,          /* y0 = sigmoid(x0[n,1]) x1 (+ x2): each row times a
                         number of its own */
    OP_GATE_BWD,      /* x0 and x1 as there, x2 dy; y0 dx0, y1 dx1 (each may
                         be absent) */
    OP_GROUPED,       /* LINEAR of experts' rows x0 with counts x1; no
                         residual, no dropout */
    OP_GROUPED_BWD,   /* x0 and x1 as there, x2 dy; y0 dx (may be absent);
                         part grads add */
    OP_HEAD_CE,       /* see struct head_args */
    OP_LOGITS,        /* y0[k,vocab] = x0[head_row[k]] W^T + b, k < n_head */
    OP_CACHE,         /* x0's rows go to caches y0: see cache_args */
    OP_COPY,          /* y0 = x0, rounded where y0 is of narrower floats */
    OP_STASH,         /* y0 = x0, from ARENA to HOST: see aside_args */
    OP_FETCH,         /* the same, from HOST to ARENA */
    OP_WAIT,          /* the STASH or FETCH from x0 to y0 is done */
    OP_ZERO,          /* y0 = 0 */
    OP_SQNORM,        /* results.gnorm2 = sum of squares of x0 */
    OP_CLIP,          /* results.scale and .skipped from gnorm2 */
    OP_ADAMW,         /* x0 gradient; y0 parameter, y1 m, y2 v */
    OP_ADAMW8,        /* x0 gradient; y0 parameter, y1 m, y2 v, in codes,
                         y3, y4 the scales of their blocks */
    OP_MUON,          /* x0 gradient; y0 parameter, y1 mean of gradients */
    OP_SGD,           /* x0 gradient; y0 parameter */
    OP_KINDS
};

enum act_kind { ACT_GELU_TANH, ACT_GELU_ERF, ACT_SILU, ACT_RELU };

/* One module of a LINEAR: a weight, its bias and its adapter.
 *
 *   y[:, col .. col+out) = x W^T + bias + lora_scale * h B^T
 *   h[n, rank]           = drop(x) A^T        (kept for the backward)
 *   drop(x) = mask * x / (1 - dropout), own mask per module (see dropout)
 *
 * w is [out, in] as stored, or [in, out] with in_out set (GPT-2's Conv1D).
 * Backward, with dy the part's columns:
 *   dx += dy W + drop(dh A)      dh = lora_scale * dy B
 *   grad_b += lora_scale * dy^T h   grad_a += dh^T drop(x)
 *   grad_w += dy^T x (stored layout), grad_bias += column sums of dy
 * Absent views (buf 0): no bias, no adapter, frozen.
 *
 * DoRA (arXiv:2402.09353, as in PEFT): a LINEAR without bias makes x0 of DORA,
 *   y = c (x W^T + lora_scale * h B^T) + bias, c = magnitude / norm
 * where the magnitude [1,out] is trained and the norm, of DORA_NORM, counts as
 * a constant. Columns without a magnitude (x1 and x2 absent) have c = 1; a
 * norm of 0 has c = 0.
 */
struct part {
    struct view w, bias;
    struct view a, b, h;       /* A[rank,in], B[out,rank], h[n,rank] */
    struct view grad_w, grad_bias, grad_a, grad_b;
    struct view tokens, rows, grad_rows; /* of a head: see head_args */
    uint32_t col, out, in, rank;
    uint64_t site;             /* rng_site of the module's name */
    float lora_scale, dropout;
    uint8_t in_out;
};

/* HEAD_CE runs over one chunk of the supervised rows:
 * k in [head_at, min(head_at + chunk, n_head)), r = head_row[k]:
 *   logits = x0[r] W^T + bias                    (never kept beyond a chunk)
 *   loss   = logsumexp(logits) - logits[target[r]]
 *   y0[r]  = loss                                ([n,1], may be absent)
 *   results.loss_sum += weight[r] * loss         (in order of k)
 *   d      = weight[r] * inv_tokens * (softmax(logits) - onehot(target[r]))
 *   y1[r]  = d W                                 (absent when evaluating;
 *            rows of y1 without loss were zeroed by an OP_ZERO before)
 *   grad_w += d^T x0[r], grad_bias += sum d      (full training)
 * Of the words tokens[1,k] (I32, rising) rows[k,in] (reals) are W's rows, in
 * LOGITS, too:
 *   grad_rows += d[tokens]^T x0[r]
 * With z over 0 the loss that is differentiated, and it alone, has the z-loss
 * z * logsumexp(logits)^2 as well (PaLM, arXiv:2204.02311, section 5):
 *   results.z_sum += weight[r] * z * logsumexp^2
 *   d      = weight[r] * inv_tokens
 *            * ((1 + 2 z logsumexp) softmax(logits) - onehot(target[r]))
 * All arithmetic of softmax and sums in float or better.
 */
struct head_args {
    struct part *part;
    uint32_t chunk;
    float z; /* 0: no z-loss */
};

/* Decoding. A cache holds the rows of each sequence's past, cache_len of room
 * for each. Of sequence s, rows [s * seq_len, s * seq_len + seq_n[s]) of the
 * batch hold tokens; CACHE puts them to rows s * cache_len + cache_at[s] and
 * on of the cache. Rows that hold no token are left out. */
struct cache_args {
    uint32_t seq_len, cache_len;
};

/* CONV1D: of each column by itself, the causal convolution with the last width
 * rows of its document, and an activation (enum act_kind) of that:
 *   y[i, c] = act(bias[c] + sum over k < width of
 *                 weight[c, k] x[i - (width - 1) + k, c])
 * where rows before doc_first[i], or before the sequence, count as 0. Decoding
 * (cached), a sequence's rows follow those of y1, [seqs * (width - 1), cols] of
 * reals: its last width - 1 rows of x, the oldest first, which are 0 where
 * cache_at is, and which those of this pass take the place of. Rows that hold
 * no token are 0. */
#define CONV_MAX 16 /* the widest */

struct conv_args {
    uint32_t seq_len;
    uint8_t act, cached;
};

/* SCAN: the selective scan (arXiv:2312.00752) of `state` numbers h for each of
 * u's columns, with B and C, [n, state] each, side by side in x3:
 *   delta = softplus(d) = log(1 + exp(d)), A = -exp(A_log[cols, state])
 *   h[c, s] = exp(delta[i, c] A[c, s]) h[c, s]
 *             + delta[i, c] B[i, s] u[i, c]
 *   y[i, c] = D[c] u[i, c] + sum over s of C[i, s] h[c, s]
 * in the order of rows, where h is 0 before the first row of a document and of
 * a sequence. A is negative and delta is not: h only fades, however long that
 * is. Row q of y1, reals, is h after the q % chunks'th SCAN_CHUNK rows of
 * sequence q / chunks, chunks = ceil(seq_len / SCAN_CHUNK), h[c, s] at
 * s * cols + c: from there the backward makes h once more. Absent where there
 * is none. Decoding (cached), a sequence's h begins as y2's row, of the same
 * layout, or as 0 where cache_at is, and is left there; rows that hold no
 * token are 0. */
#define SCAN_CHUNK 64

struct scan_args {
    uint32_t state, seq_len;
    uint8_t cached;
};

/* SSD: the scan of Mamba-2 (state space duality, arXiv:2405.21060) of heads of
 * cols / heads columns each, which have one step and one decay together, and of
 * groups of B and of C, [n, groups * state] each, side by side in x3. With j
 * the head of column c, and s in the columns of the head's group:
 *   delta = min(max(softplus(d[i, j] + bias[j]), least), most)
 *   h[c, s] = exp(-delta exp(A_log[j])) h[c, s] + delta B[i, s] x[i, c]
 *   y[i, c] = D[j] x[i, c] + sum over s of C[i, s] h[c, s]
 * The rest is as with SCAN: where h is 0, and what y1 and y2 hold, y1 by
 * chunks of SSD_CHUNK rows. Groups divide the heads. */
#define SSD_CHUNK 64

struct ssd_args {
    uint32_t heads, groups, state, seq_len;
    float least, most; /* of delta; most may be infinite */
    uint8_t cached;
};

/* A mixture of experts: each token row goes through top_k of the experts, and
 * no row is left out (Mixtral, arXiv:2401.04088, section 2.1). ROUTE chooses:
 *   p = softmax(logits[i]); the top_k largest, of equal ones the first
 *   weights[i,j] = p of the j'th, with norm over the sum of all top_k
 * An expert's rows stand together in the order of their tokens; the groups
 * follow one another, each beginning at a multiple of tile rows:
 *   places[i,2j], places[i,2j+1] = the j'th expert, and the row in that order
 *   counts[e] = the rows of expert e, which its group rounds up to tile
 * as whole numbers in reals, which are exact to 2^24. Where rows are of
 * experts there are route_rows() of them, the most that any choice takes. In
 * what a group adds to its rows GATHER and COMBINE_BWD put zeros; the rows
 * after the last group are nobody's. GROUPED makes products of tile rows each,
 * so that a row's bits depend on no other row; its n parts are those of
 * expert 0, then those of expert 1, and so on.
 *
 * tally[s] is what the loss below is made of, of the rows of sequence s up to
 * its last that has a loss: how many chose expert e, and at experts + e the
 * sum of their p[e]. ROUTE_BWD adds balance[s,e] to p[e]'s gradient there. */
#define ROUTE_TILE 32 /* in training and evaluation */

struct route_args {
    uint32_t experts, top_k, tile, seq_len;
    uint8_t norm;
};

/* BALANCE: the load-balancing loss (Switch Transformers, arXiv:2101.03961,
 * section 2.2; as in transformers) of each sequence, over the tallies of all
 * layers, [layers * seqs, 2 experts] (a layer's seqs rows together):
 *   f[e] = chosen[e] / rows, P[e] = sum of p[e] / rows
 *   loss = coef * experts * sum over e of f[e] P[e]
 *   results.balance_sum += w * loss, w the sum of the sequence's weights
 *   balance[s,e] = w * inv_tokens * coef * experts * f[e] / rows
 * rows being counted in all layers. A sequence without a loss has none. */
struct balance_args {
    uint32_t seqs, seq_len, top_k;
    float coef;
};

/* A STASH or FETCH may run beside the ops that follow it, until the WAIT of
 * the same range with its number and views, of which there is one: meanwhile
 * nobody writes x0, and nobody else touches y0. The rows of both views follow
 * one another. Numbers are counted from 0 in their range. */
struct aside_args {
    uint32_t number;
};

enum { OP_MAX_X = 8, OP_MAX_Y = 6 };

struct op {
    uint16_t kind, layer;
    uint8_t acc;           /* bit i: y[i] += instead of y[i] = */
    struct view x[OP_MAX_X], y[OP_MAX_Y];
    struct view scratch;   /* scratch.cols bytes, DTYPE_U8; from scratch() */
    union {
        struct { uint32_t skip; } embed; /* 1 + an id; 0: none */
        /* parts: of the gain, each normed by itself; 0: it is one */
        struct { float eps; uint8_t rms; float offset; uint32_t parts; } norm;
        /* q|k|v, gate|up; of GROUPED: groups of n / groups parts each */
        struct { struct part *part; uint32_t n, groups, tile; } lin;
        /* Rotates the first 2 * pairs of each head's head_dim columns, pairs
         * (j, j + pairs) as in Hugging Face's rotate_half, by pos * x1[j],
         * cosine and sine times factor; sign -1 rotates back (the backward).
         * x1 is of F32, or of reals. */
        struct { uint32_t heads, head_dim; double factor, sign; } rope;
        /* Row i sees rows max(doc_first[i], i - window + 1) .. i (window 0:
         * no bound) of its own sequence. Head h uses key head
         * h / (heads / kv_heads). cache_len over 0: k and v are caches (see
         * cache_args), row i of a sequence stands at cache_at + i of its
         * cache and sees rows max(0, that - window + 1) .. that of it; o is
         * 0 in rows that hold no token; y1 is absent. */
        struct { uint32_t heads, kv_heads, head_dim, window, seq_len;
                 float scale; uint32_t cache_len; } attn;
        struct cache_args cache;
        struct aside_args aside;
        /* all: every row, since they are of experts */
        struct { uint8_t kind, all; } act;
        struct { double scale; } add;
        struct conv_args conv;
        struct scan_args scan;
        struct ssd_args ssd;
        struct route_args route;
        struct balance_args balance;
        struct head_args head;
        /* lr_ratio: what inputs.lr is multiplied by */
        struct { float beta1, beta2, eps, decay, lr_ratio; } opt;
        /* lr_ratio as there; adjust: what X is multiplied by besides */
        struct { float momentum, decay, lr_ratio, adjust; } muon;
        struct { float max_norm; } clip; /* 0: no clipping */
    } u;
};

/* Columns that a NORM norms together. */
static inline uint32_t
norm_cols(const struct op *op)
{
    uint32_t parts = op->u.norm.parts;

    return parts > 0 ? op->x[1].cols / parts : op->x[1].cols;
}

/* The parts of a program, which are run one by one. */
enum range {
    RANGE_START,  /* once a step, before its first batch: gradients and
                     results.loss_sum are zeroed */
    RANGE_FWD,    /* once a batch: embedding to final norm */
    RANGE_HEAD,   /* once a batch: loss, and gradient of the final norm, in
                     chunks of its supervised rows; decoding: logits */
    RANGE_BWD,    /* once a batch: adds to the gradients of parameters */
    RANGE_UPDATE, /* once a step: norm, clip, optimiser */
    RANGE_COUNT
};

/* A program as a back end sees it. */
struct op_list {
    const struct op *op;
    size_t n;
    size_t range[RANGE_COUNT + 1]; /* ops of r: [range[r], range[r + 1]) */
    const struct tensor_buf *buf;
    size_t n_bufs;
    uint64_t zone_bytes[ZONE_COUNT];
    uint32_t rows;       /* of a micro-batch: entries of a batch's arrays */
    uint32_t seqs;       /* sequences of it */
    uint32_t head_chunk; /* supervised rows of one pass over HEAD */
};

/* All that varies from step to step, given with each micro-batch. */
struct inputs {
    uint64_t seed;     /* of dropout masks */
    uint64_t step;     /* optimiser step, counted from 0 */
    uint64_t updates;  /* that the parameters had seen when the program was
                          prepared; those since are in results.updates */
    uint64_t row0;     /* index in the global batch of this batch's row 0 */
    double lr;
    double inv_tokens; /* 1 / supervised tokens of the whole step */
    uint32_t n_head;   /* supervised rows of this micro-batch */
};

/* What the ops put out beside their views. */
struct results {
    double loss_sum;   /* += weight * loss; zeroed by START */
    double z_sum;      /* the same of the z-loss; where a head has none,
                          nothing */
    double balance_sum; /* the same of BALANCE; where there is none, nothing */
    double gnorm2;     /* SQNORM: sum of squares of the gradient */
    double scale;      /* CLIP: min(1, max_norm / (norm + 1e-6)), 0 and
                          skipped = 1 when gnorm2 is not finite */
    uint32_t skipped;  /* 1: ADAMW, ADAMW8, MUON and SGD leave everything as
                          it is */
    uint64_t updates;  /* UPDATEs since the program was prepared that were
                          not skipped; one counts when it is done */
};

/* The micro-batch: arrays of op_list.rows entries (head_row: the first
 * n_head are used, the rest are 0). */
struct batch {
    const int32_t *ids, *target, *pos;
    const int32_t *doc_first; /* first row of the row's document */
    const int32_t *head_row;
    const float *weight;      /* of a row's loss; 0: none */
    uint32_t n;               /* rows up to the last that holds a token */

    /* Decoding, by sequence: rows that are already in its cache, and rows of
     * this pass that hold tokens, from its first on. Else NULL. */
    const int32_t *cache_at, *seq_n;
};

/* AdamW (Loshchilov & Hutter; as torch.optim.AdamW), g = scale * gradient,
 * t = inputs.updates + results.updates + 1, biasN = 1 - betaN^t in double:
 *   p -= lr * decay * p;  m = b1 m + (1-b1) g;  v = b2 v + (1-b2) g^2
 *   p -= lr * (m / bias1) / (sqrt(v / bias2) + eps)
 * ADAMW8 does the same with m and v in 8 bits (tensor/dynamic8.h: m with, v
 * without a sign; a scale for DYNAMIC8_BLOCK elements from the view's first on,
 * of which a view has one row): p moves by what they are before they are
 * rounded.
 * MUON (Keller Jordan; as torch.optim.Muon with Nesterov's momentum, but for
 * its bfloat16), with the constants of kernels/muon.h:
 *   m = momentum m + (1-momentum) g;  X = (1-momentum) g + momentum m
 *   X /= max(norm of X, eps);  of X^T where X has more rows than columns
 *   X = a X + (b A + c A^2) X with A = X X^T, MUON_STEPS times
 *   p -= lr * decay * p;  p -= lr * adjust * X
 * SGD: p -= lr * (g + decay * p). */

/* The rank largest singular triplets of x: x is about
 *   sum over i of value[i] left[:, i] right[i, :]
 * with value falling, and left's columns and right's rows orthonormal. */
struct principal {
    float *x;            /* [rows, cols]; its values are lost */
    uint32_t rows, cols;
    uint32_t rank;       /* at most the lesser of rows and cols */
    uint32_t iterations; /* of a random subspace; 0: exact */
    uint64_t seed, site; /* of that subspace */
    float *left;         /* [rows, rank] */
    float *value;        /* [rank] */
    float *right;        /* [rank, cols] */
};

/* What the runs of an op took, by the clock, however many threads it had. Of
 * that, `widen` is what all its threads together spent on making floats of
 * weights that are stored otherwise: over their number, it is a part of ns. */
struct op_time {
    uint64_t runs, ns, widen;
};

/* A program's memory; each back end has its own kind. */
struct memory;

struct backend {
    const char *name;       /* ref, ref64, cpu */
    char detail[200];       /* instruction set and libraries: what, besides
                               the program, decides the bits */
    size_t real_size;       /* of DTYPE_REAL: 4 or 8 */
    uint8_t activation;     /* dtype of activations and their gradients:
                               DTYPE_REAL or DTYPE_BF16 */
    uint8_t kept;           /* activation, or the narrower dtype of a COPY
                               that training may give LINEAR and GROUPED for
                               x0, and the backward of these, of ATTENTION,
                               NORM, ACT and GLU for what these read or wrote,
                               statistics aside */
    bool apart;             /* its memory is not this process's, HOST aside */
    uint8_t operand;        /* dtype that it copies the base's matrices of
                               floats as; DTYPE_NONE: as they are stored */
    uint32_t head_dim;      /* the most that ATTENTION takes, but for one
                               with a cache; 0: any */
    uint32_t ahead;         /* UPDATEs that may be run before the results of
                               the first of them are read */
    uint64_t kinds;         /* bit k: it can run ops of kind k */
    uint64_t reserve;       /* bytes of address space that its libraries map
                               while they compute; few become resident */
    uint64_t workspace;     /* apart: bytes of an op's scratch that are a
                               library's */
    uint64_t pinned;        /* apart: bytes of this process's memory that
                               the base goes up through */

    /* Scratch bytes of an op, for par_threads() workers. */
    uint64_t (*scratch)(const struct backend *b, const struct op *op);

    /* Takes a program, which has to outlive *m, and its memory: STATE
     * zeroed, ARENA and HOST as they come, and the base where it wants it. With
     * another program's memory it runs in that (its zones are at least as
     * large, its STATE begins with the same parameters), and ends first.
     * ERR_IO when there isn't that much. */
    int (*prepare)(struct backend *b, struct memory **m,
                   const struct op_list *p, struct memory *with,
                   struct err *e);
    void (*release)(struct memory *m); /* NULL: nothing */

    /* A view of STATE or ARENA from or to rows * cols elements of its dtype,
     * row after row. */
    int (*put)(struct memory *m, const struct view *v, const void *from,
               struct err *e);
    int (*get)(struct memory *m, const struct view *v, void *to,
               struct err *e);

    /* The micro-batch of the ranges to come, and their inputs: copies are
     * taken. UPDATE has those of its step's last micro-batch. */
    int (*batch)(struct memory *m, const struct batch *b,
                 const struct inputs *in, struct err *e);

    /* Runs a range, HEAD as often as inputs.n_head takes chunks. It may
     * return before the ops are done; get and results wait for them. */
    int (*run)(struct memory *m, enum range r, struct err *e);

    /* The results of the oldest UPDATE whose results were not read yet. */
    int (*results)(struct memory *m, struct results *out, struct err *e);

    /* From now on each run of op i of the memory's program adds to time[i];
     * time is NULL: no more. */
    void (*watch)(struct memory *m, struct op_time *time);
    /* Waits for the ops that were run, which have added when it returns.
     * ERR_IO where they failed. NULL: they have when run returns. */
    int (*watched)(struct memory *m, struct err *e);

    /* Bytes that are free where the back end's memory is, of *total, and
     * what says so; NULL: it is this process's. */
    uint64_t (*room)(const struct backend *b, uint64_t *total, char *by,
                     size_t cap);

    /* Singular triplets of a matrix of this process's memory, on the calling
     * thread, whose bits depend on *p alone. ERR_USAGE without a library for
     * it, ERR_DATA where the values can't be found. NULL: it can't. */
    int (*principal)(const struct backend *b, const struct principal *p,
                     struct err *e);
    /* The bytes that this takes beside what *p names, at most; of its sizes
     * and iterations alone. */
    uint64_t (*principal_scratch)(const struct principal *p);

    /* Gives back what opening took; NULL: nothing. */
    void (*close)(struct backend *b);
    void *priv;
};

/* The mask of module `site`: element (row, col) of drop(x) is kept when
 * draw >= dropout * 2^32, draw being word col % 4 of
 *   philox(counter = {step low, step high, row0 + row, col / 4},
 *          key = dropout_key(seed, site)). */
void dropout_key(uint32_t key[2], uint64_t seed, uint64_t site);

/* The three host back ends. cpu_open picks the instruction set (named
 * isa: "avx2", "avx512", "generic"; NULL: the best there is) and opens the
 * matrix libraries; compute is "f32" or "bf16". ERR_USAGE with advice when
 * the machine lacks it. */
void ref_open(struct backend *b);
void ref64_open(struct backend *b);
int cpu_open(struct backend *b, const char *isa, const char *compute,
             struct err *e);
void cpu_close(struct backend *b);

/* out[i * n_b + k] = the dot product of row i of a[n_a, dim] and row k of
 * b[n_b, dim], by the best instruction set there is and this thread alone; its
 * bits don't depend on the other rows. */
void cpu_dots(float *out, const float *a, size_t n_a, const float *b,
              size_t n_b, size_t dim);

#endif
