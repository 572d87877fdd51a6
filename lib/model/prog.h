/* prog.h - a model compiled into a program: a flat list of ops over buffers.
 *
 * prog_build turns a description, a base's tensors and a few choices into ops
 * in five ranges, and places every buffer: after it, the memory of a run is
 * known to the byte, and nothing is allocated later. Training, evaluation
 * and decoding are modes of this one builder.
 *
 * The ranges are those of kernels/ops.h; decoding has FWD and HEAD alone.
 *
 * Three zones hold everything: STATE (parameters first, then gradients and
 * moments, or caches), ARENA, and HOST for what is offloaded. An evaluation
 * program built with the same parameters as a training program can run on the
 * training program's memory, and decoding programs of as many sequences, with
 * more or fewer rows of each, on one another's.
 */
#ifndef MODEL_PROG_H
#define MODEL_PROG_H

#include "base/io.h"
#include "kernels/ops.h"
#include "model/desc.h"

/* A base as programs know it: where each tensor of the description lies and
 * how it is stored. weights/base.h makes it of an opened base. */
struct frozen_tensor {
    const char *name;  /* as the base calls it, for messages */
    const void *data;  /* row major, of the description's shape */
    const void *side;  /* its side tensor (tensor/stored.h); NULL: none */
    uint8_t dtype;
};

struct frozen {
    const char *path;  /* for messages */
    uint64_t mapped;   /* bytes: of all of it, when it is read */
    struct frozen_tensor *tensor; /* by index of the description's */
};

enum prog_mode { PROG_TRAIN, PROG_EVAL, PROG_DECODE };
enum method { METHOD_NONE, METHOD_LORA, METHOD_FULL };
/* What is not kept from a layer's forward for its backward, but made once more
 * there, with the same bits: nothing; what its mixer makes between its input
 * and its output (of attention the queries, keys, values and what comes of
 * them); all of it. */
enum recompute { RECOMPUTE_NONE, RECOMPUTE_ATTENTION, RECOMPUTE_BLOCK };
enum offload { OFFLOAD_NONE, OFFLOAD_ACTIVATIONS };
enum optimizer { OPT_ADAMW, OPT_SGD, OPT_ADAMW8, OPT_MUON };

/* How OPT_MUON adjusts the rate to a matrix, as torch.optim.Muon's adjust_lr_fn
 * does: 0.2 sqrt(max(out, in)) times, so that the root mean square of an update
 * is about AdamW's (arXiv:2502.16982); or sqrt(max(1, out / in)) times. */
enum muon_adjust { MUON_MATCH_RMS, MUON_ORIGINAL };
double muon_adjusted(enum muon_adjust how, double out, double in);

/* With OPT_ADAMW8, moments of parameters of fewer elements stay reals, as in
 * bitsandbytes. */
#define ADAMW8_LEAST 4096

/* Supervised rows of a HEAD pass where nobody says how many: of a run of
 * training with its evaluations, and of an evaluation by itself. So many rows
 * of logits are there at one time, and the last bits of a loss in f32 depend
 * on it. */
#define TRAIN_HEAD_CHUNK 512
#define EVAL_HEAD_CHUNK 128

/* A module's adapter: y += scale * (x A^T) B^T, and where it begins with
 * matrices that are taken off the base (PiSSA), y += (x C^T) D^T, too, with
 * the frozen C [rank, in] and D [out, rank], which lie there as long as the
 * program, but may be filled after it was built. Dropout is of A alone.
 * Or its own tensors, trained in full beside the adapters (PEFT's
 * modules_to_save); of a tied head, the embedding's. Or, of the embedding or
 * an untied head, some rows of its weight (PEFT's trainable_token_indices), of
 * a tied one the head's, too. */
struct lora_part {
    uint32_t rank; /* 0: none */
    float scale;
    bool dora;     /* see struct part of kernels/ops.h */
    bool whole;    /* then rank is 0 */
    float *c, *d;  /* or NULL */
    const int32_t *token; /* the rows, rising */
    uint32_t n_tokens;    /* then rank is 0; 0: none */
};

struct prog_opts {
    uint8_t mode, method;
    uint32_t batch, seq_len; /* a micro-batch is batch * seq_len rows */
    uint32_t head_chunk;     /* supervised rows a HEAD pass takes; decoding:
                                rows of logits, 0 for all */
    bool logits;             /* PROG_EVAL: a HEAD pass, which takes no more
                                rows than head_chunk, makes their logits, not
                                losses */
    uint32_t cache_len;      /* PROG_DECODE: positions of each sequence */

    /* METHOD_LORA. By index of the description's modules; NULL: every linear
     * of the layers has an adapter of rank and alpha. */
    const struct lora_part *lora;
    uint32_t rank;
    float alpha, dropout;    /* dropout is 0 unless mode is PROG_TRAIN */

    uint8_t recompute;
    uint8_t offload;         /* to the HOST zone; of no effect but in
                                PROG_TRAIN */
    bool no_reuse;           /* every buffer its own place: for tests */
    uint8_t optimizer;
    uint8_t muon_adjust;
    float momentum;          /* OPT_MUON, of matrices in the layers, whose */
    float muon_lr_ratio;     /* rate is so many times the others', which have
                                OPT_ADAMW */
    float decay, beta1, beta2, adam_eps;
    float lr_ratio;          /* METHOD_LORA: how many times the rate of A that
                                of B is (LoRA+); 0: once */
    float clip;              /* largest gradient norm; 0: no clipping */
    float z_loss;            /* PROG_TRAIN: of struct head_args */
};

enum param_kind {
    PARAM_TENSOR,
    PARAM_LORA_A,
    PARAM_LORA_B,
    PARAM_LORA_MAGNITUDE,
    PARAM_TOKENS
};

/* A trainable tensor: n = rows * cols elements at off of the flat vector of
 * parameters (and of gradients, m and v). Shapes are the stored ones: a
 * tensor as its base has it, A [rank, in], B [out, rank], DoRA's magnitude
 * [1, out], a vector [1, n], rows of a tensor [rows, in]. */
struct param {
    const struct module *module;
    const struct model_tensor *tensor; /* of PARAM_TENSOR, PARAM_TOKENS */
    const int32_t *token;    /* of PARAM_TOKENS: which rows, rising */
    uint8_t kind;
    bool decay;              /* matrices only */
    uint64_t off, n;
    uint32_t rows, cols;
    uint64_t norm;           /* of a magnitude: its norms' place in norms */
    float *fixed;            /* of A, C; of B, D (struct lora_part) */
    float scale;             /* of A and B: their module's */
};

struct prog {
    struct prog_opts opts;
    const struct model_desc *desc;
    uint32_t rows;           /* of a micro-batch */
    struct op *op;
    size_t n_ops;
    size_t range[RANGE_COUNT + 1]; /* ops of r: [range[r], range[r + 1]) */
    struct tensor_buf *buf;
    size_t n_bufs;
    struct op_list list;     /* these, as a back end takes them */
    struct param *param;
    size_t n_params;
    uint64_t n_flat;         /* elements of the flat vector, with padding */
    uint64_t n_trainable;    /* without */
    uint64_t n_eight;        /* of these, the first: with moments in 8 bits,
                                each parameter in whole blocks of them */
    uint64_t n_muon;         /* of these, the first: matrices that Muon moves,
                                which have m alone; then n_eight is 0 */
    struct view params, grads; /* [1, n_flat]; absent where unused */
    struct view m, v;          /* [1, n_flat - n_eight], of the others; of v
                                  [1, n_flat - n_eight - n_muon] */
    struct view m8, v8;        /* [1, n_eight], codes */
    struct view m_scale, v_scale; /* of their blocks */
    struct view norms;       /* of DoRA's modules, [1, all their outputs] */
    struct view row_loss;    /* PROG_EVAL: [rows, 1], a row's loss */
    struct view hidden;      /* final norm's output [rows, dim] */
    struct view logits;      /* PROG_DECODE, and PROG_EVAL with logits:
                                [head_chunk or rows, vocab] */
    uint64_t zone_bytes[ZONE_COUNT];
    uint64_t base_bytes;     /* of the base's tensors, without alignment */
    int32_t *tokens;         /* of all parameters that are rows */
    struct part **parts;     /* owned by the program */
    size_t n_parts;
};

/* As options have it. */
const char *recompute_name(unsigned recompute);

/* Builds and plans. d, the base's data and the back end b must outlive the
 * program; o->lora need not. ERR_USAGE when the choices can't be met: full
 * training of an int8 base, a sequence longer than learned positions. On
 * failure *p is released. */
int prog_build(struct prog *p, const struct model_desc *d,
               const struct prog_opts *o, const struct frozen *base,
               const struct backend *b, struct err *e);
void prog_release(struct prog *p);

/* The memory of p, not yet taken, will do for other, too. */
void prog_widen(struct prog *p, const struct prog *other);

/* "base_model..." names are adapter.h's business: this is the parameter's
 * own, MODULE.weight, MODULE.bias, MODULE.lora_A.weight, .lora_B.weight,
 * .lora_magnitude_vector or .token_adapter.trainable_tokens_delta. */
void prog_param_name(const struct param *p, char out[128]);

/* Floating-point operations of one pass over the range's products: a
 * multiply and an add count two. HEAD: for n_head supervised rows. */
double prog_flops(const struct prog *p, enum range r, uint32_t n_head);

/* A program with memory to run in; see kernels/ops.h for what each function
 * asks of the back end. What it is given with each micro-batch, in is. */
struct exec {
    const struct prog *prog;
    struct backend *backend;
    struct memory *memory;
    struct inputs in;
};

/* Takes zone_bytes of memory, STATE zeroed, ARENA as it comes; with another
 * program (or NULL) it runs in the memory of that one, which has the same
 * parameters and zones at least as large. ERR_IO when there isn't that much;
 * *x is released then. */
int exec_open(struct exec *x, const struct prog *p, const struct backend *b,
              const struct exec *with, struct err *e);
void exec_release(struct exec *x);

/* The micro-batch of the ranges to come, and x->in. */
int exec_batch(struct exec *x, const struct batch *b, struct err *e);

int exec_range(struct exec *x, enum range r, struct err *e);

/* To be called when the parameters were put in, or changed by another
 * program, before FWD of one that doesn't train: what depends on them alone
 * is made (DoRA's norms). */
int exec_start(struct exec *x, struct err *e);

/* FWD and HEAD. */
int exec_forward(struct exec *x, struct err *e);

int exec_results(struct exec *x, struct results *out, struct err *e);

/* From now on each run of the program's op i adds to time[i]; what was run
 * has added when exec_watched returns. */
void exec_watch(struct exec *x, struct op_time *time);
int exec_watched(struct exec *x, struct err *e);

/* The rows * cols elements of a view of reals, whatever the back end computes
 * in; from is floats. exec_put: or of codes, which are bytes. */
int exec_put(struct exec *x, const struct view *v, const void *from,
             struct err *e);
int exec_get(const struct exec *x, const struct view *v, double *to,
             struct err *e);

/* Parameter q, or (of p->grads) its gradient, as a view; and a part of it:
 * n elements from at on, as one row. */
struct view prog_param(const struct param *q, struct view flat);
struct view view_part(struct view v, uint64_t at, uint64_t n);

/* Writes all elements of a view of reals, as floats, or of codes, in
 * pieces. */
int exec_write(const struct exec *x, const struct view *v, struct out *out,
               struct err *e);

/* Parameters that are tensors of the base, or rows of one, begin as it has
 * them, widened. */
int exec_load_base(struct exec *x, const struct frozen *base, struct err *e);

/* METHOD_LORA, all other parameters: A uniform in +-1/sqrt(in), as PEFT's
 * kaiming_uniform(sqrt 5), drawn from (seed, the module's name); B zero;
 * DoRA's magnitude the norm of the base's weight. */
int exec_init_lora(struct exec *x, uint64_t seed, struct err *e);

#endif
