/* preflight.h - what there is to say of a run before it is begun, for
 * preflight's files and its program.
 *
 * Each looks at a part and adds its findings, after those before it, of which
 * it takes what came open: where a base can't be opened, the data are looked
 * at all the same. Warnings of the library become findings (log.h).
 */
#ifndef CLI_PREFLIGHT_H
#define CLI_PREFLIGHT_H

#include "cli/findings.h"
#include "cli/train_options.h"

struct preflight {
    struct train_options *o;
    const struct args *args;
    struct findings findings;
    const char *stage;        /* name of the findings that warnings become */
    struct device_opts device;
    struct run_inputs in;
    struct train_opts t;
    struct run_adapter adapter;
    struct trainer trainer;
    bool base, data, planned; /* what of these is there */
    bool fits;                /* the plan, into the memory there is */
    bool tested;              /* the machine alone was looked at */
    double step_seconds;      /* of a step; 0: not measured */
};

/* Everything but the measurement. p has o and args, and is zeroes
 * otherwise. */
void preflight_look(struct preflight *p);

/* The parts, in order: what computes and how much memory is free; the base;
 * the data; the options' course; memory and disk. */
void preflight_machine(struct preflight *p);
void preflight_base(struct preflight *p);
void preflight_data(struct preflight *p);
void preflight_course(struct preflight *p);
void preflight_memory(struct preflight *p);
void preflight_disk(struct preflight *p);

/* Takes the memory and does a micro-batch of the run, once to begin with and
 * once more if that was short, and says how long the run takes. */
void preflight_measure(struct preflight *p);

/* Instead of all that: the machine, and every back end of it against the
 * reference (train/selftest.h). */
void preflight_selftest(struct preflight *p);

void preflight_release(struct preflight *p);

#endif
