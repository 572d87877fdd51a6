/* inputs.h - everything that a run of training reads, open. */
#ifndef TRAIN_INPUTS_H
#define TRAIN_INPUTS_H

#include "base/buf.h"
#include "data/mix.h"
#include "weights/model.h"

struct input_opts {
    const char *base, *adapter, *data; /* adapter NULL: none */
    uint64_t eval_records;             /* of validation; 0: all */
    enum tokens_loss loss;             /* auto: as the data say */
    const struct device_opts *device;
};

struct run_inputs {
    struct model model;
    struct dataset data; /* its loss is what the run learns */
    struct data_split train, val;
    struct mix mix; /* of train, by the set's rules of sampling */
};

/* Opens the base (and an adapter for it), the data, which has to be made for
 * that base, and its splits. ERR_DATA when the training split teaches
 * nothing. Don't move it once open. On failure *in is released. */
int inputs_open(struct run_inputs *in, const struct input_opts *o,
                struct err *e);

/* The half of it that is the data, with the base open; on failure *in has
 * what was opened before it. */
int inputs_open_data(struct run_inputs *in, const struct input_opts *o,
                     struct err *e);
void inputs_release(struct run_inputs *in);

/* One warning that names the dropouts of the base's config: they stay out of
 * training. */
void inputs_warn_drops(const struct run_inputs *in);

/* Appends what the inputs give to a run's identity, as members of a JSON
 * object, each after a comma: content ids of base and data, and of the
 * adapter that the run begins with. */
int inputs_identity(const struct run_inputs *in, struct buf *b,
                    struct err *e);

#endif
