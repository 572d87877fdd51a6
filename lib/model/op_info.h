/* op_info.h - what a kind of op is: one row for each.
 *
 * The walks over a program (lifetimes, work, gradients, checks) read these
 * rows and know no kind by name. A new op is a row here, its meaning in
 * kernels/ref, a fast version in kernels/cpu, and a case in the tests of
 * gradients; tests/unit/op_info.c counts the rows that lack one of these.
 */
#ifndef MODEL_OP_INFO_H
#define MODEL_OP_INFO_H

#include "kernels/ops.h"

struct build;

/* The modules that an op works on, and what it does with them. */
enum op_parts {
    PARTS_NONE,
    PARTS_LINEAR,     /* u.lin: reads weights, writes h */
    PARTS_LINEAR_BWD, /* u.lin: reads weights and h, adds to gradients */
    PARTS_HEAD        /* u.head: reads the weight, adds to its gradients */
};

struct op_info {
    const char *name;
    uint8_t n_x, n_y; /* operands that an op of the kind may have */
    uint8_t adds;     /* bit i: y[i] is read and changed, whatever op.acc */
    uint8_t parts;    /* enum op_parts */

    /* Floating-point operations of its products over n token rows, n_head of
     * them supervised: a multiply and an add count two. NULL: no products. */
    double (*flops)(const struct op *op, double n, double n_head);

    /* Emits the ops of the gradient of an op on the tape. NULL: an op of this
     * kind is never there. */
    void (*grad)(struct build *b, const struct op *op);
};

/* The row of a kind below OP_KINDS. */
const struct op_info *op_info(unsigned kind);

/* The modules of an op, *n of them. */
const struct part *op_parts(const struct op *op, uint32_t *n);

enum view_use { VIEW_READ, VIEW_WRITTEN, VIEW_ADDED };

/* Calls visit for every view of op that is there, in the order in which the
 * op may use them: what it reads first. */
void op_walk(const struct op *op,
             void (*visit)(void *ctx, const struct view *v,
                           enum view_use use),
             void *ctx);

/* Puts buffer to[b] in the place of every buffer b that op names, unless it is
 * 0. Its modules are copied to part, which has room for op_parts' n of them,
 * and renamed there. */
void op_rename(struct op *op, struct part *part, const uint32_t *to);

#endif
