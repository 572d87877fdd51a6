/* space.h - how the scratch of each op lies on a card: private to this folder.
 *
 * Plain C, which the plugin and the programs compile alike: kernels take
 * their places from here, and a plan counts the same bytes where there is no
 * card. Places are pointers into the op's scratch, 256-byte aligned; with
 * `at` NULL they are NULL, and only bytes counts. What an op doesn't need has
 * no bytes.
 */
#ifndef KERNELS_CUDA_SPACE_H
#define KERNELS_CUDA_SPACE_H

#include <stdbool.h>

#include "kernels/ops.h"

/* What sizes depend on, beside an op. */
struct sizing {
    bool bf16;          /* activations and operands: bf16, or floats */
    uint64_t workspace; /* bytes that the library of products may take */
};

/* What cuBLASLt may take for a product. */
#define GEMM_WORKSPACE ((uint64_t)32 << 20)

/* Of an activation, or an operand of a product. */
static inline uint32_t
operand_bytes(const struct sizing *s)
{
    return s->bf16 ? 2 : 4;
}

/* Whether a stored row is one of floats (of 4 bytes) or bf16 (of 2). */
static inline bool
is_row_of(unsigned dtype, unsigned bytes)
{
    return bytes == 2 ? dtype == DTYPE_BF16
                      : dtype == DTYPE_REAL || dtype == DTYPE_F32;
}

/* Whether a stored matrix of that type is an operand as it stands. */
static inline bool
is_operand(const struct sizing *s, unsigned dtype)
{
    return is_row_of(dtype, operand_bytes(s));
}

/* What some parts of a LINEAR are together: columns of y, ranks, how many have
 * an adapter and a bias, and the bytes of w, a and b in scratch, which are
 * those that are no operands as they are stored. */
struct parts {
    uint32_t n, out, rank, adapters, biases;
    uint64_t w, a, b;
    bool drops; /* one has dropout */
};

/* Whether grad_a of all adapters is one product, into scratch. */
static inline bool
joins_grad_a(const struct parts *all)
{
    return all->adapters > 1 && !all->drops;
}

/* The first n parts of op. */
struct parts parts_before(const struct sizing *s, const struct op *op,
                          uint32_t n);

/* w, b: the parts' as operands, one after the other; a: one under the other,
 * if there are several; bias: a row of them all. */
struct linear_space {
    char *w, *a, *b, *bias, *dropped, *workspace;
    uint64_t bytes;
};
struct linear_space linear_space_at(char *at, const struct sizing *s,
                                    const struct op *op);

/* dh, grad_a: of all adapters. */
struct linear_bwd_space {
    char *w, *a, *b, *dh, *dropped, *grad_a, *sums, *workspace;
    uint64_t bytes;
};
struct linear_bwd_space linear_bwd_space_at(char *at, const struct sizing *s,
                                            const struct op *op);

/* Of a chunk of supervised rows: of HEAD_CE, or all of LOGITS. */
struct head_space {
    char *w, *bias, *x, *logits, *loss, *of_z, *dx, *sums, *workspace;
    char *rows, *of_tokens; /* of words that have rows of their own: these as
                               an operand, and their columns of logits */
    uint64_t bytes;
};
struct head_space head_space_at(char *at, const struct sizing *s,
                                const struct op *op);
uint32_t head_chunk_of(const struct op *op);
/* From one row of logits to the next: each is aligned to 32 bytes; of those of
 * words that have rows of their own, too. */
uint32_t head_logits_ld(const struct op *op);
uint32_t head_tokens_ld(const struct op *op);

struct norm_bwd_space {
    char *gain, *bias; /* column sums */
    uint64_t bytes;
};
struct norm_bwd_space norm_bwd_space_at(char *at, const struct op *op);

/* Column sums over rows: SUM_GROUP rows each first. */
enum { SUM_GROUP = 64 };

/* SCAN. states: of chunks, where the op has none; sums: of their steps, by
 * column. */
struct scan_space {
    char *states, *sums;
    uint64_t bytes;
};
struct scan_space scan_space_at(char *at, const struct op *op);

/* SCAN_BWD. A tile of columns has SCAN_TILE numbers of a state, which each
 * column rounds up to a power of two, 4 at least; at most SCAN_BLOCKS blocks of
 * some tiles have sums of their own for B and C. later, sums: see
 * scan_bwd.cu. */
enum { SCAN_TILE = 512, SCAN_BLOCKS = 16 };
struct scan_bwd_space {
    char *later, *sums, *bc;
    uint32_t tiles, blocks; /* tiles of a block, at most */
    uint64_t bytes;
};
struct scan_bwd_space scan_bwd_space_at(char *at, const struct op *op);

/* SSD and its gradient. steps: three floats of each row and head. states: one
 * of each sequence, where the op has none. */
struct ssd_space {
    char *steps[3], *states;
    uint64_t bytes;
};
struct ssd_space ssd_space_at(char *at, const struct op *op);

/* A block has `each` heads of a group, or what is left of it; `divided` of
 * them are a group, at most SSD_BLOCKS all, where groups are no more: each has
 * sums of its own for B and C. later: R behind each chunk; of: floats of each
 * row and head, and the last two of each chunk and head, as ssd_bwd.cu has
 * them. */
enum { SSD_BLOCKS = 16 };
struct ssd_bwd_space {
    char *steps[3], *later, *of[5], *chunk_states, *parts, *bc;
    uint32_t each, divided;
    uint64_t bytes;
};
struct ssd_bwd_space ssd_bwd_space_at(char *at, const struct op *op);

/* The most columns of a head for which there are tiles; see attention.cu. */
#define ATTENTION_HEAD 256

/* Of ATTENTION_BWD. known: two floats for each head and row, rows rounded up;
 * dk, dv: floats of each query head, where some share a key head. */
struct attention_bwd_space {
    char *known, *dk, *dv;
    uint64_t bytes;
};
struct attention_bwd_space attention_bwd_space_at(char *at,
                                                  const struct op *op);
uint32_t attention_known_rows(uint32_t rows);

/* Of ROUTE. part: a count for each piece of ROUTE_PIECE choices and expert;
 * first: the first row of each; soft: two floats a row, for a tally. */
enum { ROUTE_PIECE = 1024 };

struct route_space {
    char *part, *first, *soft;
    uint64_t bytes;
};
struct route_space route_space_at(char *at, const struct op *op);

/* Of GROUPED and its gradient: parts and spans of rows as grouped.cu has them;
 * w: the parts' as operands, one after the other; dh: that of the k'th parts
 * of all groups has as many columns as the greatest of their ranks. */
enum { GROUPED_ROWS = 64, GROUPED_PART = 256, GROUPED_SPAN = 12 };

struct grouped_space {
    char *part, *spans, *groups, *w, *dh;
    uint64_t bytes;
};
struct grouped_space grouped_space_at(char *at, const struct sizing *s,
                                      const struct op *op);
uint32_t grouped_rank(const struct op *op, uint32_t k);
/* The most spans that the groups' rows can be. */
uint32_t grouped_spans(const struct op *op);

/* SQNORM, MUON: a double for each block of the first pass. */
enum { SQNORM_PARTS = 256 };

/* MUON, of floats. x, next: as the parameter; gram, poly: of the lesser of its
 * sides; common: what is the same for all elements. */
enum { MUON_COMMON = 256 };

struct muon_space {
    char *x, *next, *gram, *poly, *part, *common, *workspace;
    uint64_t bytes;
};
struct muon_space muon_space_at(char *at, const struct sizing *s,
                                const struct op *op);

/* Pinned memory that the base goes up through. */
#define UPLOAD_PIECES 2
#define UPLOAD_PIECE ((uint64_t)16 << 20)

/* The scratch of any op. */
uint64_t space_bytes(const struct sizing *s, const struct op *op);

/* plan.c: of compute, "f32" or "bf16"; false for another. */
bool sizing_of(struct sizing *s, const char *compute, uint64_t workspace);

/* plan.c: sets *b but for what computes, and for its detail. s, or what
 * begins with it, becomes b->priv. */
void cuda_describe(struct backend *b, struct sizing *s);

#endif
