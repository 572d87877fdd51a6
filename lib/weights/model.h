/* model.h - a base, what it is, an adapter for it, and where it runs. */
#ifndef WEIGHTS_MODEL_H
#define WEIGHTS_MODEL_H

#include "model/desc.h"
#include "model/device.h"
#include "model/prog.h"
#include "weights/adapter.h"
#include "weights/weights.h"

struct model {
    struct weights weights;
    struct model_desc desc;
    struct frozen base; /* the tensors of desc in weights */
    struct backend backend;
    struct adapter adapter;
    const struct adapter *with; /* &adapter, or NULL: don't copy a model */
    char *adapter_dir;          /* where it was read from; NULL: none */
    size_t linears;             /* of the base, that it could adapt */
};

/* Opens the base and, of a shard set, checks its data's hashes, but not only
 * to plan (device->plan), which reads no data; with an
 * adapter (NULL: none; see adapter_find) also that, which must be this base's.
 * On failure *m is released. */
int model_open(struct model *m, const char *base, const char *adapter,
               const struct device_opts *device, struct err *e);
void model_release(struct model *m);

/* The same of another base, without an adapter, to run on the back end of
 * with, which has to outlive *m. */
int model_open_beside(struct model *m, const char *base,
                      const struct model *with, struct err *e);

/* The model has the adapter of that path from now on, NULL for none, and not
 * the one before; ERR_IO and ERR_DATA leave it with none. */
int model_adapt(struct model *m, const char *path, struct err *e);

/* Head and embedding of m are two matrices from now on, of the same values,
 * where a trains one of them alone (adapter_unties); no program of m may be
 * there. */
int model_untie(struct model *m, const struct adapter *a, struct err *e);

/* ERR_LIMIT where a program of these choices, with the adapter if there is
 * one, does not fit into the memory there is (fit.h); with force a warning
 * and 0. what is the work's name for the message. */
int model_fit(const struct model *m, const struct prog_opts *o,
              const char *what, bool force, struct err *e);

/* The same of a program of each of the two bases at one time, without
 * adapters, and of so many bytes of this process's memory beside them. */
int model_fit_both(const struct model *m, const struct model *other,
                   const struct prog_opts *o, uint64_t beside,
                   const char *what, bool force, struct err *e);

#endif
