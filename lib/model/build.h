/* build.h - the builder's state, shared by the files that make a program;
 * private to lib/model.
 *
 *   build.c     prog_build: the order of things
 *   bind.c      base tensors and trainable parameters to views
 *   forward.c   layers to ops: norms, residuals, linears, embedding, head
 *   layer_kind.c, mix_attention.c, mix_mamba.c, ffn.c, ffn_experts.c   what a
 *               layer is made of
 *   recompute.c   ops of a layer once more
 *   keep.c      what the backward needs, in narrower floats
 *   offload.c   what the backward needs, in the host's memory meanwhile
 *   backward.c  an op to the ops of its gradient
 *   op_info.c   what the walks over a program know of a kind of op
 *   plan.c      lifetimes and places
 */
#ifndef MODEL_BUILD_H
#define MODEL_BUILD_H

#include "model/prog.h"

/* A tensor as a view: of the base when frozen, of the parameters (with a
 * gradient) when trained. */
struct bound {
    struct view v, grad;
};

/* A module's adapter; absent views for none. */
struct adapted {
    struct bound a, b, magnitude;
    struct view norm; /* of DoRA, [1, out] */
    struct view c, d; /* of PiSSA */
    struct bound rows;  /* of some tokens, which take the place of those of */
    struct view tokens; /* the weight: [n, in], [1, n] */
    float scale;
};

struct build {
    struct prog *p;
    const struct model_desc *d;
    const struct prog_opts *o;
    const struct frozen *base;
    const struct backend *backend;
    struct err *e;
    struct bound *bound;     /* by index of d->tensor */
    struct view rope[MODEL_ROPES]; /* d->rope's frequencies, [1, pairs] */
    struct adapted *adapted; /* by index of d->module */
    struct view tally, balance; /* of the experts' load-balancing loss: see
                                   kernels/ops.h; absent without one */
    uint32_t n_routed;             /* layers that have put their tallies */
    size_t op_cap, buf_cap, part_cap;

    /* By buffer. need: its gradient is wanted. grad: the buffer of its
     * gradient, 0 before there is one. written: as a gradient, it has been
     * written (the next writer adds). pinned: lives all the program long.
     * kept: the buffer of its rounded copy, 0 for none; wide: as such a copy,
     * what it is of. */
    struct {
        bool need, written, pinned;
        uint32_t grad, kept, wide;
    } *mark;

    /* Ops whose gradient is still to be taken, in order of execution. */
    struct op *tape;
    size_t n_tape, tape_cap;

    /* What was before them. */
    struct stretch *stretch;
    size_t n_stretches;
};

/* Bytes of an element. */
size_t build_bytes(const struct build *b, uint8_t dtype);

/* A new buffer in a zone: rows * cols elements. */
struct view build_view(struct build *b, enum zone zone, uint32_t rows,
                       uint32_t cols, uint8_t dtype);

/* Columns [col, col + n) of v. */
struct view view_cols(struct view v, uint32_t col, uint32_t n);

/* Appends an op to the program; the pointer is valid until the next. */
struct op *build_op(struct build *b, enum op_kind kind, uint32_t layer);

/* n parts owned by the program. */
struct part *build_parts(struct build *b, uint32_t n);

/* Puts a copy of the op on the tape. */
void build_tape(struct build *b, const struct op *op);

/* Each parameter begins at a multiple of so many elements. */
#define FLAT_ALIGN 16

/* The optimiser's groups of parameters, one after the other in the flat
 * vector: matrices; with LoRA+ its B, whose rate is another; the rest, which
 * doesn't decay. */
enum param_group { PARAMS_DECAY, PARAMS_FASTER, PARAMS_PLAIN, PARAM_GROUPS };
enum param_group param_group(const struct prog_opts *o,
                             const struct param *q);

/* How the optimiser keeps what it remembers of a parameter. They follow one
 * another in this order, each in the same groups. */
enum param_state { STATE_EIGHT, STATE_MUON, STATE_WHOLE, PARAM_STATES };
enum param_state param_state(const struct prog_opts *o,
                             const struct param *q);

/* bind.c: parameters, then views of every tensor. */
int bind_tensors(struct build *b);

/* The views of tensor i of the description; absent ones for NO_TENSOR. */
const struct bound *bound_tensor(const struct build *b, uint32_t i);

/* forward.c: what emitters of layers share. An activation is [rows, cols],
 * of the back end's type, or of reals where that matters (statistics). A
 * linear is the roles' modules that are there, in order, side by side in one
 * output; residual may be absent (buf 0). A grouped one is the same of every
 * expert's modules, on its rows of x; counts and tile are ROUTE's. The norms of
 * DoRA's modules are made in START. A norm is of as many columns as its gain
 * has, one after the other. build_record puts a forward op on the tape when
 * something in it needs a gradient. */
struct view build_activation(struct build *b, uint32_t cols);
struct view build_reals(struct build *b, uint32_t cols);
struct view build_linear(struct build *b, uint32_t layer,
                         const uint8_t *roles, size_t n_roles,
                         struct view x, struct view residual);
struct view build_grouped(struct build *b, uint32_t layer,
                          const uint8_t *roles, uint32_t n_roles,
                          struct view x, struct view counts, uint32_t tile);
void build_dora_norms(struct build *b);
void build_norm(struct build *b, uint32_t layer, enum role role,
                struct view x, struct view y);
enum { MAX_PARTS = 8 }; /* roles of a linear, at most */
bool build_needs(const struct build *b, struct view v);
void build_record(struct build *b, const struct op *op, bool need);

/* The FWD range, and the HEAD or LOGITS op. build_layer gives the layer's
 * output. */
struct view build_embed(struct build *b);
struct view build_layer(struct build *b, uint32_t layer, struct view x);
struct view build_final(struct build *b, struct view x);
void build_head(struct build *b, struct view hidden);

/* recompute.c: FWD in stretches. Of one the ops are emitted once more in the
 * backward, and make its tape there; of another the tape is kept. Around what
 * is to be emitted once more, and makes y: */
void build_again_from(struct build *b);
void build_again_to(struct build *b, struct view y);

/* The backward of all stretches, and of the tape after them. */
void build_stretches(struct build *b);

/* backward.c: emits the gradients of the tape's ops, last first, and
 * empties the tape; and those of one op, for the table of op_info.c. */
void build_backward(struct build *b);
void grad_embed(struct build *b, const struct op *f);
void grad_embed_tokens(struct build *b, const struct op *f);
void grad_norm(struct build *b, const struct op *f);
void grad_linear(struct build *b, const struct op *f);
void grad_dora(struct build *b, const struct op *f);
void grad_rope(struct build *b, const struct op *f);
void grad_attention(struct build *b, const struct op *f);
void grad_act(struct build *b, const struct op *f);
void grad_add(struct build *b, const struct op *f);
void grad_glu(struct build *b, const struct op *f);
void grad_conv1d(struct build *b, const struct op *f);
void grad_scan(struct build *b, const struct op *f);
void grad_ssd(struct build *b, const struct op *f);
void grad_route(struct build *b, const struct op *f);
void grad_gather(struct build *b, const struct op *f);
void grad_combine(struct build *b, const struct op *f);
void grad_gate(struct build *b, const struct op *f);
void grad_grouped(struct build *b, const struct op *f);

/* Gradient of a view: its buffer's gradient, made on first use. */
struct view build_grad(struct build *b, struct view v);

/* keep.c: from here on x, all of a buffer that is written no more, has a copy
 * that is rounded to what the back end keeps; nothing where that is as wide,
 * or there is no backward. pair: that op is such a copy. kept: v as the
 * backward and linears read it; wide: the other way. Of a v without a copy
 * both are v. */
void build_keep(struct build *b, uint32_t layer, struct view x);
void build_pair(struct build *b, const struct op *copy);
struct view build_kept(const struct build *b, struct view v);
struct view build_wide(const struct build *b, struct view v);

/* offload.c: over the ops of all ranges. */
void build_offload(struct build *b);

/* plan.c */
int plan_scratch(struct build *b);
void plan_lifetimes(struct build *b);
void plan_place(struct build *b);

#endif
