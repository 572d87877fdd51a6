/* train_plan.h - what a planned run takes, before it takes it. */
#ifndef MODEL_TRAIN_PLAN_H
#define MODEL_TRAIN_PLAN_H

#include "base/buf.h"
#include "model/trainer.h"

/* What a run takes, in bytes; total is their sum. */
struct train_memory {
    uint64_t base;   /* the base's tensors that the program reads */
    uint64_t state;  /* parameters, gradients, moments */
    uint64_t arena;  /* activations and scratch */
    uint64_t batch;  /* rows of tokens, the index of the data */
    uint64_t total;
};
struct train_memory trainer_memory(const struct trainer *t);

/* Floating-point operations of one step's products, every row supervised. */
double trainer_flops(const struct trainer *t);

/* The plan as a JSON object in one line: the bytes above, parameters,
 * trainable ones, steps, positions and floating-point operations a step. */
void trainer_plan_json(const struct trainer *t, struct buf *b);

/* The same for people: a line a part, memory in MiB. */
void trainer_plan_table(const struct trainer *t, struct buf *b);

#endif
