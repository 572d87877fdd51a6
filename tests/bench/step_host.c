/* step_host.c - what the host itself does for a step: reading and packing its
 * micro-batches, and the calls of a back end.
 *
 *     step_host BASE DATA
 *
 * Steps of four micro-batches of two sequences of 2048, of LoRA, with a back
 * end that takes batches as the processor's does and computes nothing: what
 * is left is the time that a card must not wait for, but for what its driver
 * takes. Prints the median of some rounds, in microseconds of the processor's
 * time a step, so that other load matters less.
 */
#include <stdio.h>

#include "rounds.h"
#include "train/inputs.h"
#include "train/trainer.h"

enum { ROUNDS = 7, STEPS = 50, ACCUM = 4, BATCH = 2, SEQ_LEN = 2048 };

static int
run_nothing(struct memory *m, enum range r, struct err *e)
{
    (void)m;
    (void)r;
    (void)e;
    return 0;
}

static int
one_step(struct trainer *t, struct step_report *r, struct err *e)
{
    int rc = trainer_step(t, e);

    return rc < 0 ? rc : trainer_report(t, r, e);
}

static int
time_steps(struct trainer *t, struct err *e)
{
    double round[ROUNDS];
    struct step_report r;
    int rc = one_step(t, &r, e);

    for (int i = 0; i < ROUNDS && rc >= 0; i++) {
        double start = clock_now(CLOCK_PROCESS_CPUTIME_ID);

        for (int k = 0; k < STEPS && rc >= 0; k++)
            rc = one_step(t, &r, e);
        round[i] = (clock_now(CLOCK_PROCESS_CPUTIME_ID) - start) / STEPS;
    }
    if (rc < 0)
        return rc;
    printf("%.0f us a step of %llu tokens\n", 1e6 * median(round, ROUNDS),
           (unsigned long long)r.tokens);
    return 0;
}

static int
run(const char *base, const char *data, struct err *e)
{
    const struct device_opts device = { .name = "cpu", .compute = "f32" };
    const struct train_opts o = {
        .prog = { .method = METHOD_LORA, .batch = BATCH, .seq_len = SEQ_LEN,
                  .head_chunk = TRAIN_HEAD_CHUNK, .rank = 8, .alpha = 16,
                  .optimizer = OPT_ADAMW, .beta1 = 0.9f, .beta2 = 0.999f,
                  .adam_eps = 1e-8f },
        .accum = ACCUM, .steps = 1000000,
        .course = { .kind = SCHEDULE_CONSTANT, .peak = 0.001 },
        .back_off = 1,
    };
    const struct input_opts input = { .base = base, .data = data,
                                      .device = &device };
    struct run_inputs in;
    struct trainer t;
    int rc = inputs_open(&in, &input, e);

    if (rc < 0)
        return rc;
    in.model.backend.run = run_nothing;
    rc = trainer_plan(&t, &o, &in.model, &in.model.base, &in.train.source,
                      &in.val.source, e);
    if (rc == 0) {
        rc = trainer_start(&t, e);
        if (rc == 0)
            rc = time_steps(&t, e);
        trainer_release(&t);
    }
    inputs_release(&in);
    return rc;
}

int
main(int argc, char **argv)
{
    struct err e;

    if (argc != 3) {
        fprintf(stderr, "usage: step_host BASE DATA\n");
        return 2;
    }
    if (run(argv[1], argv[2], &e) < 0) {
        fprintf(stderr, "step_host: %s\n", e.text);
        return 1;
    }
    return 0;
}
